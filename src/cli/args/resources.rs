//! Arguments for resource monitoring: during a run, and by `rhaid monitor`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::values::{listen_address, token};
use crate::text::parse_duration;

/// Which processes are monitored during a run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Resources")]
pub(in crate::cli) struct ResourceArgs {
    /// Monitor the target process with this PID, including its children
    #[arg(long, value_name = "PID", env = "RHAID_TARGET_PID", group = "target_process")]
    pub(in crate::cli) target_pid: Option<u32>,

    /// Monitor the target process that listens on this TCP port [default: the port of --host if it is this machine]
    #[arg(long, value_name = "PORT", env = "RHAID_TARGET_PORT", group = "target_process")]
    pub(in crate::cli) target_port: Option<u16>,

    /// Monitor the target processes with this program name or this file name on their command line
    #[arg(long, value_name = "NAME", env = "RHAID_TARGET_NAME", group = "target_process")]
    pub(in crate::cli) target_name: Option<String>,

    /// Monitor the target's machine: URL of a `rhaid monitor --serve` running there
    #[arg(long, value_name = "URL", env = "RHAID_TARGET_MONITOR", group = "target_process")]
    pub(in crate::cli) target_monitor: Option<String>,

    /// Token for that monitor
    #[arg(long, value_name = "TOKEN", env = "RHAID_TARGET_MONITOR_TOKEN", hide_env_values = true, value_parser = token)]
    pub(in crate::cli) target_monitor_token: Option<String>,

    /// Do not monitor resources
    #[arg(long, env = "RHAID_NO_RESOURCES", value_parser = BoolishValueParser::new())]
    pub(in crate::cli) no_resources: bool,
}

impl ResourceArgs {
    /// These settings, which override those of a file.
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
    /// How long to measure, such as 300 (seconds) or 5m [default: until stopped]
    #[arg(value_name = "SECONDS", value_parser = parse_duration)]
    pub(in crate::cli) seconds: Option<Duration>,

    /// Monitor the process with this PID, including its children
    #[arg(long, alias = "target-pid", value_name = "PID", group = "process")]
    pub(in crate::cli) pid: Option<u32>,

    /// Monitor the process that listens on this TCP port
    #[arg(long, alias = "target-port", value_name = "PORT", group = "process")]
    pub(in crate::cli) port: Option<u16>,

    /// Monitor processes with this program name or this file name on their command line
    #[arg(long, alias = "target-name", value_name = "NAME", group = "process")]
    pub(in crate::cli) name: Option<String>,

    /// Directory in which this measurement creates its own directory
    #[arg(long, value_name = "DIR", env = "RHAID_RESULTS_DIR", default_value = "performance/results")]
    pub(in crate::cli) results_dir: PathBuf,

    /// Write the samples to this file [default: resources.csv in the directory of this measurement]
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(in crate::cli) csv: Option<PathBuf>,

    /// Write a chart of the samples to this file [default: resources.svg in the directory of this measurement]
    #[arg(long, value_name = "FILE", conflicts_with = "serve")]
    pub(in crate::cli) svg: Option<PathBuf>,

    /// Serve the figures to `rhaid run --target-monitor` on another machine, without writing files; a bare port is
    /// on 127.0.0.1
    #[arg(long, value_name = "[ADDRESS:]PORT", num_args = 0..=1, default_missing_value = "8090", value_parser = listen_address)]
    pub(in crate::cli) serve: Option<SocketAddr>,

    /// Token that callers must send; required for any address other than loopback
    #[arg(
        long,
        value_name = "TOKEN",
        env = "RHAID_MONITOR_TOKEN",
        hide_env_values = true,
        requires = "serve",
        value_parser = token
    )]
    pub(in crate::cli) token: Option<String>,

    /// Do not show the live line
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}
