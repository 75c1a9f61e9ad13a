//! Command-line arguments: their help, and the options they stand for.
//!
//! One file a family of commands; `values.rs` reads what several flags take. Every flag of `run` can be set by an
//! environment variable `RHAID_…` and, by its long name, in `rhaid.toml`.

mod output;
mod resources;
mod run;
mod stored;
mod tools;
mod values;
mod web;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::convert::ConvertArgs;
use super::new::NewArgs;

pub(super) use output::{OutputArgs, SampleTarget};
pub(super) use resources::{MonitorArgs, ResourceArgs};
pub(super) use run::RunArgs;
pub(super) use stored::{BaselineCommand, CompareArgs, ReportArgs, TrendArgs};
pub(super) use tools::{CheckArgs, DemoArgs, DocsArgs, TargetArgs};
pub(super) use web::{CtlAction, CtlArgs, PageArgs, WebArgs};

/// Load testing with virtual users scripted in Rhai.
#[derive(Debug, Parser)]
#[command(name = "rhaid", version, about, propagate_version = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a load test
    Run(Box<RunArgs>),
    /// See rhaid at work without any setup: start the demo application and load-test it
    Demo(DemoArgs),
    /// Serve only the demo application
    Target(TargetArgs),
    /// Measure CPU, memory, network and disk without generating load
    Monitor(MonitorArgs),
    /// Serve a page on which runs are started, watched and compared
    Web(WebArgs),
    /// Look at and steer a run from another terminal (started with --web or --control)
    Ctl(CtlArgs),
    /// Create a script from a template
    New(NewArgs),
    /// Convert a recording, curl commands or an API description to a script
    Convert(ConvertArgs),
    /// Show the script API: all modules, one module, or one function
    Docs(DocsArgs),
    /// Write definitions of the script API for the Rhai language server, for completion in editors
    Definitions {
        /// Directory to write them to; created if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Recreate the reports of a stored run, or show percentiles for part of it
    Report(ReportArgs),
    /// Compare two stored runs by endpoint, and tell changes from noise
    Compare(CompareArgs),
    /// Save a run as a baseline for later runs
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Show the trend over many stored runs
    Trend(TrendArgs),
    /// Find problems in scripts without running them
    Check(CheckArgs),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}
