//! Arguments for the live page: of a run, and of `rhaid web`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use super::values::{listen_address, rate, token};
use crate::plan::parse_rate;

/// The live page of a run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Live page")]
pub(in crate::cli) struct PageArgs {
    /// Show the run in a browser, on http://127.0.0.1:8089, where it can be steered too
    #[arg(long, env = "RHAID_WEB", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) web: bool,

    /// Address of the page [default: 127.0.0.1:8089]; port 0 takes a free one; other machines can only look with the token
    #[arg(long, value_name = "[HOST:]PORT", env = "RHAID_WEB_ADDRESS", value_parser = listen_address)]
    pub(in crate::cli) web_address: Option<SocketAddr>,

    /// Token that the page and its API ask for [default: a random one]
    #[arg(long, value_name = "TOKEN", env = "RHAID_WEB_TOKEN", hide_env_values = true, value_parser = token)]
    pub(in crate::cli) web_token: Option<String>,

    /// Let `rhaid ctl` steer the run from another terminal; --web does that too
    #[arg(long, env = "RHAID_CONTROL", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) control: bool,
}

impl PageArgs {
    /// These settings, which override those of a file.
    pub(in crate::cli) fn or(self, file: PageArgs) -> PageArgs {
        PageArgs {
            web: self.web || file.web,
            web_address: self.web_address.or(file.web_address),
            web_token: self.web_token.or(file.web_token),
            control: self.control || file.control,
        }
    }
}

/// Arguments of `rhaid ctl`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CtlArgs {
    #[command(subcommand)]
    pub(in crate::cli) action: CtlAction,

    /// The run, if several are on: its directory, or its name in the results directory
    #[arg(long, value_name = "RUN", global = true)]
    pub(in crate::cli) run: Option<PathBuf>,

    /// Where to look for the run by name
    #[arg(
        long,
        value_name = "DIR",
        env = "RHAID_RESULTS_DIR",
        default_value = "performance/results",
        global = true
    )]
    pub(in crate::cli) results_dir: PathBuf,

    /// Address of the run's page, such as http://127.0.0.1:8089, instead of finding it
    #[arg(long, value_name = "URL", env = "RHAID_CTL_URL", global = true, conflicts_with = "run")]
    pub(in crate::cli) url: Option<String>,

    /// With --url, the token of the page
    #[arg(long, value_name = "TOKEN", env = "RHAID_WEB_TOKEN", hide_env_values = true, value_parser = token, global = true)]
    pub(in crate::cli) token: Option<String>,

    /// Print the whole status as JSON
    #[arg(long, global = true)]
    pub(in crate::cli) json: bool,
}

/// What `rhaid ctl` does.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum CtlAction {
    /// Show where the run stands
    Status,
    /// Change the number of virtual users
    Users {
        /// How many
        #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
        users: u64,
        /// Users started or stopped per second [default: that of the run]
        #[arg(short = 'r', long, value_name = "N", value_parser = rate)]
        spawn_rate: Option<f64>,
        /// The scenario, if several have users
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
    },
    /// Change the arrival rate: 50, 137/s, 600/m
    Rate {
        /// Iterations started per second
        #[arg(value_name = "RATE", value_parser = parse_rate)]
        rate: f64,
        /// The scenario, if several have a rate
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
    },
    /// Start no more iterations; the time of the load stands still
    Pause,
    /// Go on after a pause
    Resume,
    /// Skip to the next stage
    Next,
    /// Reload the script; new iterations use the new version
    Reload,
    /// Stop the run: running iterations get the stop timeout; repeat to stop at once
    Stop,
}

/// Arguments of `rhaid web`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct WebArgs {
    /// Script, or directory of scripts, that can be started from the page
    #[arg(value_name = "SCRIPT|DIR")]
    pub(in crate::cli) path: Option<PathBuf>,

    /// Address of the page [default: 127.0.0.1:8089]; port 0 takes a free one; other machines can only look with the token
    #[arg(long, value_name = "[HOST:]PORT", env = "RHAID_WEB_ADDRESS", value_parser = listen_address)]
    pub(in crate::cli) web_address: Option<SocketAddr>,

    /// Token that the page and its API ask for [default: a random one]
    #[arg(long, value_name = "TOKEN", env = "RHAID_WEB_TOKEN", hide_env_values = true, value_parser = token)]
    pub(in crate::cli) web_token: Option<String>,

    /// Directory in which each run creates its own directory
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Settings file [default: rhaid.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "RHAID_CONFIG")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Let scripts be changed on the page
    #[arg(long, env = "RHAID_EDIT", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) edit: bool,
}

impl WebArgs {
    /// Where and how the page is served.
    pub(in crate::cli) fn page(&self) -> PageArgs {
        PageArgs {
            web: true,
            web_address: self.web_address,
            web_token: self.web_token.clone(),
            control: false,
        }
    }
}
