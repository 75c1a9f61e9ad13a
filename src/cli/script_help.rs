//! `rhaid run SCRIPT --help`: the flags, and the parameters that the script declares.

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;

use super::args::Cli;
use super::exit::Exit;
use super::output;
use crate::{LoadTest, Param};

/// Prints the help when the arguments ask for it and name a script; `None` leaves them to the parser.
pub(super) fn requested(arguments: impl Iterator<Item = OsString>) -> Option<Exit> {
    let arguments: Vec<String> =
        arguments.skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let asked = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if arguments.first().is_none_or(|command| command != "run") || !asked {
        return None;
    }
    let script = arguments
        .iter()
        .skip(1)
        .find(|argument| !argument.starts_with('-') && Path::new(argument).is_file())?;
    let with_roots =
        |test| lib_roots(&arguments).iter().fold(test, |test: LoadTest, root| test.lib_root(root));
    match LoadTest::from_file(script).and_then(|test| with_roots(test).params()) {
        Ok(params) => {
            let mut cli = Cli::command();
            cli.build();
            let help = cli.find_subcommand_mut("run").map(|run| run.render_long_help().ansi().to_string());
            output::out(&format!("{}\n{}", help.unwrap_or_default(), listing(script, &params)));
            Some(Exit::Passed)
        }
        Err(error) => {
            output::error(&error.to_string());
            Some(Exit::Configuration)
        }
    }
}

/// The folders of `--lib`, or of its variable: without them the script may not load.
fn lib_roots(arguments: &[String]) -> Vec<String> {
    let after = arguments.windows(2).filter(|pair| pair[0] == "--lib").map(|pair| pair[1].clone());
    let joined = arguments.iter().filter_map(|argument| argument.strip_prefix("--lib=")).map(str::to_owned);
    let mut roots: Vec<String> = after.chain(joined).collect();
    if roots.is_empty() {
        roots.extend(std::env::var("RHAID_LIB").ok());
    }
    let split = roots.iter().flat_map(|root| root.split(':').map(str::to_owned));
    split.filter(|root| !root.is_empty()).collect()
}

fn listing(script: &str, params: &[Param]) -> String {
    if params.is_empty() {
        return format!("{script} declares no parameters.\n");
    }
    let mut text = format!("Parameters of {script} (--param NAME=VALUE, or RHAID_PARAM_NAME):\n");
    for param in params {
        let default = match &param.default {
            Some(_) if param.secret => " [default: ***]".to_owned(),
            Some(default) => format!(" [default: {default}]"),
            None => " [required]".to_owned(),
        };
        let choices = if param.choices.is_empty() {
            String::new()
        } else {
            format!(" [one of: {}]", param.choices.join(", "))
        };
        text.push_str(&format!("  {}  {}{choices}{default}\n", param.name, param.help));
    }
    text
}
