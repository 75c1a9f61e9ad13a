//! Arguments of the commands besides `run`: demo, target, docs and check.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::output::OutputArgs;
use super::values::{key_value, rate};
use crate::text::parse_duration;

/// Arguments of `rhaid demo`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct DemoArgs {
    /// Number of virtual users
    #[arg(short, long, visible_alias = "vus", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) users: u64,

    /// Virtual users to start per second
    #[arg(short = 'r', long, value_name = "N", default_value_t = 10.0, value_parser = rate)]
    pub(in crate::cli) spawn_rate: f64,

    /// Duration of the run
    #[arg(short = 't', long, visible_alias = "duration", value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    pub(in crate::cli) run_time: Duration,

    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// Arguments of `rhaid docs`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct DocsArgs {
    /// What to show: http, http::get, response, scenario, std/auth, globals, … [default: an overview]
    #[arg(value_name = "NAME", conflicts_with = "markdown")]
    pub(in crate::cli) name: Vec<String>,

    /// Print the whole reference as Markdown (docs/script-api.md)
    #[arg(long)]
    pub(in crate::cli) markdown: bool,
}

/// Arguments of `rhaid target`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct TargetArgs {
    /// Port to listen on; 0 lets the system choose
    #[arg(short, long, value_name = "PORT", default_value_t = 8000)]
    pub(in crate::cli) port: u16,

    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(in crate::cli) address: IpAddr,

    /// Median response time of an analysis; other routes are proportionally faster; 0 disables delays
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = parse_duration)]
    pub(in crate::cli) median: Duration,

    /// Spread of the response times: standard deviation of their logarithm, 0 to 3
    #[arg(long, value_name = "N", default_value_t = 0.4)]
    pub(in crate::cli) sigma: f64,

    /// Number of concurrent requests at which the median doubles
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub(in crate::cli) knee: f64,

    /// Share of requests that fail, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(in crate::cli) error_rate: f64,

    /// Only this route fails, such as /quality/insights [default: all routes]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) error_route: Option<String>,

    /// Time after the first request at which all responses stall [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) stall_at: Option<Duration>,

    /// Duration of the stall
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub(in crate::cli) stall_length: Duration,

    /// Memory to leak, in MB per second since the first request, up to 1,000 in total
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub(in crate::cli) leak: u16,

    /// Random seed for response times and failures
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(in crate::cli) seed: u64,
}

/// Arguments of `rhaid check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(in crate::cli) struct CheckArgs {
    /// Scripts to check; for a directory, all scripts in it
    #[arg(value_name = "SCRIPT", required = true)]
    pub(in crate::cli) scripts: Vec<PathBuf>,

    /// Print problems as JSON, for editors
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Additional directory to search for imports; can be repeated
    #[arg(long, value_name = "DIR", env = "RHAID_LIB", value_delimiter = ':')]
    pub(in crate::cli) lib: Vec<PathBuf>,

    /// Additional directory from which scripts may read data files; can be repeated
    #[arg(long, value_name = "DIR", env = "RHAID_DATA", value_delimiter = ',')]
    pub(in crate::cli) data: Vec<PathBuf>,

    /// Set a variable that scripts read with env::get
    #[arg(short = 'e', long = "env", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) env: Vec<(String, String)>,

    /// Set a parameter that the script declares with param
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub(in crate::cli) param: Vec<(String, String)>,

    /// Settings file [default: rhaid.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "RHAID_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,
}

const CHECK_HELP: &str = "\
The top level of each script is executed, but no function is called and no request is made.

Exit codes: 0 no problems, 2 invalid usage, 104 problems found";
