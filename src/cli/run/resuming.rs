//! `--resume`: which run is meant, and which other flags go with it.
//!
//! Invariant: a flag that would have no effect is refused.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Args, CommandFactory};

use crate::cli::args::{Cli, NatsArgs, OutputArgs, PageArgs, ResourceArgs};
use crate::cluster::Left;
use crate::results::{nth_newest, runs_back};

/// What goes with `--resume`, besides what is said of outputs, of the page, of resources, and of NATS.
const ALSO: [&str; 3] = ["resume", "config", "on_agent_loss"];

/// Outputs that the run has, or has not, from its beginning.
const OF_THE_RUN: [&str; 5] = ["out", "label", "note", "exit_code_on_error", "fail_on_regression"];

/// What is wrong with the flags of a command that resumes a run; those of the environment and of the settings file are for all
/// runs.
pub(super) fn refused(command: impl Iterator<Item = OsString>) -> Option<String> {
    let cli = Cli::command();
    let run = cli.find_subcommand("run")?.clone();
    let matches = cli.try_get_matches_from(command).ok()?;
    let matches = matches.subcommand_matches("run")?;
    let mut allowed = clap::Command::new("");
    for augment in
        [OutputArgs::augment_args, PageArgs::augment_args, ResourceArgs::augment_args, NatsArgs::augment_args]
    {
        allowed = augment(allowed);
    }
    let goes = |id: &str| {
        let is_around = allowed.get_arguments().any(|argument| argument.get_id() == id);
        (is_around && !OF_THE_RUN.contains(&id)) || ALSO.contains(&id)
    };
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let given = run.get_arguments().filter(|argument| is_given(argument.get_id().as_str()));
    let wrong: Vec<String> = given
        .filter(|argument| !goes(argument.get_id().as_str()))
        .map(|argument| match argument.get_long() {
            Some(long) => format!("--{long}"),
            None => argument.get_id().to_string(),
        })
        .collect();
    if is_given("script") || is_given("script_flag") {
        return Some(
            "--resume goes on with a run, and with the script that it has; name no other one".to_owned(),
        );
    }
    let (first, rest) = wrong.split_first()?;
    let flags = if rest.is_empty() { first.clone() } else { wrong.join(", ") };
    let hint = if ["users", "spawn_rate", "rate"].into_iter().any(is_given) {
        "; its load can be changed on the live page (--web) and with rhaid ctl (--control)"
    } else {
        ""
    };
    Some(format!("--resume goes on with the run as it was started, so it does not go with {flags}{hint}"))
}

/// The folder of the run that is named.
///
/// # Errors
/// A sentence, if there is none.
pub(super) fn found(named: &Path, results: &Path) -> Result<PathBuf, String> {
    if let Some(folder) = [named.to_owned(), results.join(named)].into_iter().find(|folder| folder.is_dir()) {
        return Ok(folder);
    }
    let Some(back) = named.to_str().and_then(runs_back) else {
        return Err(format!(
            "there is no run '{}' to go on with: name its directory, its name in {}, or last",
            named.display(),
            results.display()
        ));
    };
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten().map(|entry| entry.path());
    let left: Vec<PathBuf> = entries.filter(|folder| Left::is_in(folder)).collect();
    let count = left.len();
    nth_newest(back, left).ok_or_else(|| match count {
        0 => format!(
            "no run in {} can be resumed: only a distributed run whose coordinator was killed after its agents had loaded the \
             script can, until it is over",
            results.display()
        ),
        1 => format!("only one run in {} can be resumed: last", results.display()),
        count => {
            format!("only {count} runs in {} can be resumed: last to last~{}", results.display(), count - 1)
        }
    })
}
