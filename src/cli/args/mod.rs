//! What was typed: the arguments, their help, and the options they stand for.
//!
//! One file a family of commands; `values.rs` reads what several flags take. Every flag of `run` can be set by an
//! environment variable `RHAID_…` and, by its long name, in `rhaid.toml`.

mod output;
mod resources;
mod run;
mod stored;
mod tools;
mod values;

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

/// Load tests whose virtual users are Rhai scripts.
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
    /// Show the whole product with no set-up: a demo application is started here and put under load
    Demo(DemoArgs),
    /// Serve the demo application alone
    Target(TargetArgs),
    /// Measure CPU, memory, network and disk without any load
    Monitor(MonitorArgs),
    /// Write a script to begin with
    New(NewArgs),
    /// Make a script of a recording, of curl commands or of an API's description
    Convert(ConvertArgs),
    /// Show what a script can call: the modules, one of them, or a function
    Docs(DocsArgs),
    /// Write definitions of the script API for Rhai's language server, so that an editor knows it
    Definitions {
        /// Folder to write them to; it is made when it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Make the reports of a stored run again, or show percentiles of a part of it
    Report(ReportArgs),
    /// Compare two stored runs, endpoint by endpoint, and tell changes from noise
    Compare(CompareArgs),
    /// Keep a run as what later ones are compared with
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Show the course of many stored runs
    Trend(TrendArgs),
    /// Find what is wrong with scripts, without running them
    Check(CheckArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}
