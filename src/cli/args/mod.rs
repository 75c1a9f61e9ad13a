//! Command-line arguments: their help, and the options they stand for.
//!
//! One file a family of commands; `values.rs` reads what several flags take. Every flag of `run` can be set by an
//! environment variable `RHAID_…` and, by its long name, in `rhaid.toml`.

mod cluster;
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

pub(super) use cluster::{AgentArgs, ClusterArgs, CoordinatorArgs, NatsArgs};
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
    /// Take part in runs that a coordinator on another machine starts
    Agent(AgentArgs),
    /// Serve the page of `web`, and run what is started there on agents
    Coordinator(CoordinatorArgs),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::error::ErrorKind;
    use clap::{Command, CommandFactory, Parser};

    use super::Cli;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md");

    /// The flags of a command and those below it that are not hidden, with the heading of each in the help.
    fn flags(command: &Command) -> Vec<(String, bool)> {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
        let names = shown.flat_map(|arg| {
            let is_output = arg.get_help_heading() == Some("Output");
            let aliases = arg.get_visible_aliases().unwrap_or_default();
            let long = arg.get_long().into_iter().chain(aliases).map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            long.chain(short).map(|name| (name, is_output)).collect::<Vec<_>>()
        });
        let mut all: Vec<(String, bool)> = names.collect();
        all.extend(command.get_subcommands().flat_map(flags));
        all.retain(|(name, _)| !["--help", "-h", "--version", "-V"].contains(&name.as_str()));
        all
    }

    /// Flags in the tables of a section: those between backticks in first cells.
    fn in_tables(section: &str) -> BTreeSet<String> {
        let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
        let cells = rows.filter_map(|row| row.split(" | ").next());
        let code: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let words = code.iter().flat_map(|code| code.split(' ')).filter(|word| word.starts_with('-'));
        words.filter_map(|word| word.split(['=', '[']).next()).map(str::to_owned).collect()
    }

    #[test]
    fn the_page_about_the_command_line_has_every_command_and_every_flag() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let cli = Cli::command();
        for command in cli.get_subcommands() {
            let name = command.get_name();
            assert!(page.contains(&format!("](#rhaid-{name})")), "{name} is missing in the list of commands");
            let heading = format!("## `rhaid {name}`\n");
            let section = page.split(&heading).nth(1).unwrap_or_else(|| panic!("{name} has no section"));
            let section = section.split("\n## ").next().unwrap().split("\n### `rhaid").next().unwrap();
            let (known, listed) = (flags(command), in_tables(section));
            let has_output = section.contains("All output flags of `run` work too");
            for (flag, is_output) in &known {
                assert!(listed.contains(flag) || (*is_output && has_output), "{name} {flag} is missing");
            }
            for flag in &listed {
                let is_hidden = command.get_arguments().any(|arg| {
                    arg.get_all_aliases().is_some_and(|all| all.iter().any(|alias| flag[2..] == **alias))
                });
                let is_known = known.iter().any(|(known, _)| known == flag) || is_hidden;
                assert!(is_known, "{name} has no {flag}, which is on the page");
            }
        }
    }
    /// The command lines in a document: of shell and YAML blocks, and between backticks.
    fn command_lines(text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut language = None;
        for line in text.replace("\\\n", " ").lines() {
            match (line.strip_prefix("```"), language.is_some()) {
                (Some(_), true) => language = None,
                (Some(name), false) => {
                    language = Some(if name.is_empty() { "text" } else { name }.to_owned())
                }
                (None, _) => {}
            }
            match language.as_deref() {
                Some("sh" | "yaml") => {
                    let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
                    let command = line.split_once("rhaid ").filter(|(before, _)| {
                        before.split(' ').all(|word| word.is_empty() || word.contains('='))
                    });
                    lines.extend(command.map(|(_, rest)| rest.to_owned()));
                }
                None => lines.extend(
                    line.split('`')
                        .skip(1)
                        .step_by(2)
                        .filter_map(|code| code.strip_prefix("rhaid "))
                        .map(str::to_owned),
                ),
                Some(_) => {}
            }
        }
        lines
    }

    /// The words of a command, as a shell reads them, up to what is no part of it.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        for c in line.chars() {
            match (c, quote) {
                ('\'' | '"', None) => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (c, Some(open)) if c == open => quote = None,
                ('#' | '&' | '|' | '>' | ';', None) if word.is_none() => break,
                (' ', None) => words.extend(word.take()),
                (c, _) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_command_line_in_the_documents_is_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let others = ["README.md", "CONTRIBUTING.md", "scripts/README.md"].map(|name| root.join(name));
        let mut count = 0;
        for page in pages.chain(others) {
            for line in command_lines(&std::fs::read_to_string(&page).unwrap()) {
                // A pattern of commands, not one.
                if line.contains(['…', '[', '<']) || line.contains("|") {
                    continue;
                }
                count += 1;
                let words = words(&line);
                let parsed =
                    Cli::try_parse_from(std::iter::once("rhaid").chain(words.iter().map(String::as_str)));
                let Err(error) = parsed else { continue };
                let is_partial = matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp
                        | ErrorKind::DisplayVersion
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                        | ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                ) || error.to_string().contains("none was supplied");
                // A word in capitals stands for a value.
                let stands_for = |word: &String| word.bytes().all(|byte| byte.is_ascii_uppercase());
                let is_partial = is_partial
                    || (matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation)
                        && words.iter().any(stands_for));
                assert!(is_partial, "{}: rhaid {line}\n{error}", page.display());
            }
        }
        assert!(count > 100, "only {count} were found");
    }
}
