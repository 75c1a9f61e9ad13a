//! Whose CPU and memory are measured: beside a run, and by `rhaid monitor`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::values::listen_address;
use crate::text::parse_duration;

/// Whose CPU and memory are measured beside the run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Resources")]
pub(in crate::cli) struct ResourceArgs {
    /// The process under test, by its number; its children are counted with it
    #[arg(long, value_name = "PID", env = "RHAID_TARGET_PID", group = "target_process")]
    pub(in crate::cli) target_pid: Option<u32>,

    /// The process under test: who listens on this TCP port [default: the port of a host on this machine]
    #[arg(long, value_name = "PORT", env = "RHAID_TARGET_PORT", group = "target_process")]
    pub(in crate::cli) target_port: Option<u16>,

    /// The processes under test, by the name of their program or of a file on their command line
    #[arg(long, value_name = "NAME", env = "RHAID_TARGET_NAME", group = "target_process")]
    pub(in crate::cli) target_name: Option<String>,

    /// The target's machine: URL of the `rhaid monitor --serve` that runs there
    #[arg(long, value_name = "URL", env = "RHAID_TARGET_MONITOR", group = "target_process")]
    pub(in crate::cli) target_monitor: Option<String>,

    /// What that monitor wants to be shown
    #[arg(long, value_name = "TOKEN", env = "RHAID_TARGET_MONITOR_TOKEN", hide_env_values = true)]
    pub(in crate::cli) target_monitor_token: Option<String>,

    /// Measure no resources
    #[arg(long, env = "RHAID_NO_RESOURCES", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) no_resources: bool,
}

impl ResourceArgs {
    /// These settings over those of a file.
    pub(in crate::cli) fn or(self, file: ResourceArgs) -> ResourceArgs {
        // Naming the target in one way overrides what the file says in another.
        let process = if self.names_target() { &self } else { &file };
        ResourceArgs {
            target_pid: process.target_pid,
            target_port: process.target_port,
            target_name: process.target_name.clone(),
            target_monitor: process.target_monitor.clone(),
            target_monitor_token: self.target_monitor_token.clone().or(file.target_monitor_token.clone()),
            no_resources: self.no_resources || file.no_resources,
        }
    }

    /// Whether the target has been named in any way.
    pub(in crate::cli) fn names_target(&self) -> bool {
        self.target_pid.is_some()
            || self.target_port.is_some()
            || self.target_name.is_some()
            || self.target_monitor.is_some()
    }
}

/// Arguments of `rhaid monitor`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct MonitorArgs {
    /// How long, such as 300 (seconds) or 5m [default: until stopped]
    #[arg(value_name = "SECONDS", value_parser = parse_duration)]
    pub(in crate::cli) seconds: Option<Duration>,

    /// A process and its children, by its number
    #[arg(long, alias = "target-pid", value_name = "PID", group = "process")]
    pub(in crate::cli) pid: Option<u32>,

    /// The process that listens on this TCP port
    #[arg(long, alias = "target-port", value_name = "PORT", group = "process")]
    pub(in crate::cli) port: Option<u16>,

    /// Processes by the name of their program or of a file on their command line
    #[arg(long, alias = "target-name", value_name = "NAME", group = "process")]
    pub(in crate::cli) name: Option<String>,

    /// Folder that gets a folder of its own for this measurement
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Write the samples to this file [default: resources.csv in the folder of this measurement]
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Draw the samples into this file [default: resources.svg in the folder of this measurement]
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(in crate::cli) svg: Option<PathBuf>,

    /// Tell the figures to `rhaid run --target-monitor` on another machine, and write no files; 8090 is port 8090 of
    /// 127.0.0.1
    #[arg(long, value_name = "[ADDRESS:]PORT", num_args = 0..=1, default_missing_value = "8090", value_parser = listen_address)]
    pub(in crate::cli) serve: Option<SocketAddr>,

    /// What callers have to show; needed to serve on an address other than loopback
    #[arg(
        long,
        value_name = "TOKEN",
        env = "RHAID_MONITOR_TOKEN",
        hide_env_values = true,
        requires = "serve"
    )]
    pub(in crate::cli) token: Option<String>,

    /// No live line
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}
