//! The command line: arguments to options, one file a subcommand, and everything that is printed.
//!
//! Uses the library's public API and nothing else of the engine. The only folder that knows `clap` and
//! prints. Invariant: results go to standard output, everything about the run's course to standard error.

mod agent;
mod alerts;
mod args;
mod check;
mod compare;
mod completions;
mod config_file;
mod control_file;
mod convert;
mod ctl;
mod definitions;
mod demo;
mod docs;
mod docs_text;
mod exit;
mod keys;
mod messages;
mod mistakes;
mod monitor;
mod new;
mod origin;
mod output;
mod page;
mod places;
mod profiles;
mod progress;
mod report;
mod resources;
mod run;
mod script_help;
mod signals;
mod target;
mod web;

#[cfg(any(test, rhaid_fuzzing))]
pub(crate) use config_file::read_settings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;

use crate::system::{can_open, without_huge_pages};

/// The command `rhaid`: reads the arguments of the process and does what they say.
pub fn main() -> ExitCode {
    without_huge_pages();
    let exit = command();
    let Some(problem) = output::problem() else { return exit.into() };
    output::error(&problem);
    if exit == Exit::Passed { Exit::Configuration.into() } else { exit.into() }
}

/// Runs the command.
fn command() -> Exit {
    if let Some(help) = script_help::requested(std::env::args_os()) {
        return help;
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => mistakes::explained(error, &arguments).exit(),
        Err(help) => {
            output::printed(help.print());
            return Exit::Passed;
        }
    };
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::demo(&args),
        Command::Target(args) => target::target(&args),
        Command::Monitor(args) => monitor::monitor(&args),
        Command::Web(args) => web::web(&args),
        Command::Agent(args) => agent::agent(&args),
        Command::Coordinator(args) => web::coordinator(&args),
        Command::Ctl(args) => ctl::ctl(&args),
        Command::New(args) => new::new(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Docs(args) => docs::docs(&args),
        Command::Definitions { folder } => definitions::definitions(&folder),
        Command::Report(args) => report::report(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Baseline(command) => compare::baseline(&command),
        Command::Trend(args) => compare::trend(&args),
        Command::Check(args) => check::check(&args),
        Command::Completions { shell } => completions::completions(shell),
    }
}

/// Files that an event loop opens, with the signals; tokio panics without them.
const EVENT_LOOP_FILES: usize = 8;

/// An event loop for a command; the run itself has threads of its own.
fn event_loop() -> Result<tokio::runtime::Runtime, Exit> {
    if let Err(files) = can_open(EVENT_LOOP_FILES, false) {
        output::error(&format!(
            "cannot start an event loop: only {files} more files can be opened; raise the limit: ulimit -n 1024"
        ));
        return Err(Exit::Configuration);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        output::error(&format!("cannot start an event loop: {error}"));
        Exit::Configuration
    })
}
