//! Better messages for some arguments that the parser rejects.
//!
//! Owns the messages for a value without its `=` and for an input without its kind. Leaves everything else to the parser.
//! Invariant: nothing is accepted here; a mistake is only explained.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};

use super::args::Cli;
use crate::text::shell_word;

/// The error to show: the parser's, or one that says what to write instead.
pub(super) fn explained(error: Error, arguments: &[OsString]) -> Error {
    let arguments: Vec<String> =
        arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let Some((name, rest)) = arguments.split_first() else { return error };
    let explanation = match error.kind() {
        ErrorKind::UnknownArgument if context(ContextKind::InvalidArg).is_some_and(is_value) => {
            let cli = Cli::command();
            cli.find_subcommand(name).and_then(|command| value_without_equals(command, rest))
        }
        ErrorKind::UnknownArgument if name == "run" => {
            context(ContextKind::InvalidArg).and_then(flag_of_others).map(str::to_owned)
        }
        ErrorKind::InvalidSubcommand if is_script(name) => {
            let command = arguments.iter().map(|argument| shell_word(argument)).collect::<Vec<_>>().join(" ");
            return Cli::command().error(
                error.kind(),
                format!(
                    "{} is a script, not a command\n\n  did you mean: rhaid run {command}",
                    shell_word(name)
                ),
            );
        }
        ErrorKind::InvalidSubcommand if name == "convert" => context(ContextKind::InvalidSubcommand)
            .filter(|input| error.get(ContextKind::SuggestedSubcommand).is_none() || input.contains('.'))
            .map(kind_of_input),
        _ => None,
    };
    let Some(explanation) = explanation else { return error };
    let mut cli = Cli::command();
    cli.build();
    match cli.find_subcommand_mut(name) {
        Some(command) => command.error(error.kind(), explanation),
        None => error,
    }
}

/// Whether this names a script rather than a command.
fn is_script(argument: &str) -> bool {
    argument.ends_with(".rhai") || std::path::Path::new(argument).is_file()
}

/// What to write instead of a flag that other tools have.
fn flag_of_others(flag: &str) -> Option<&'static str> {
    let name = flag.split('=').next().unwrap_or(flag);
    Some(match name {
        "--time" => "--time is not known\n\n  did you mean: --run-time",
        "--hatch-rate" | "--ramp-up" | "--ramp-up-rate" => {
            "the users started per second are set by --spawn-rate"
        }
        "--master" | "--worker" | "--slave" | "--expect-workers" | "--master-host" | "--processes" => {
            "a run uses all cores of this machine by itself (--threads limits them), so there is no master and no worker"
        }
        "--web-port" | "--web-host" | "--no-web" | "--class-picker" => {
            "a run is shown in the terminal, and its report is written to --html FILE at the end"
        }
        "--iteration" | "--num-iterations" => "the number of iterations is set by --iterations",
        "--loglevel" | "--logfile" | "-L" => {
            "messages of scripts go to standard error: 2> run.log keeps them, --quiet hides progress"
        }
        "--stage" => "stages are set by --stages 30s:10,1m:50",
        "--rps" => "a rate of iterations is set by --rate 50",
        _ => return None,
    })
}

fn is_value(argument: &str) -> bool {
    !argument.starts_with('-')
}

/// The first flag that takes its value after `=` only and is followed by one after a space.
fn value_without_equals(command: &Command, arguments: &[String]) -> Option<String> {
    let takes_equals = |argument: &str| {
        let long = argument.strip_prefix("--")?;
        command.get_arguments().find(|flag| flag.get_long() == Some(long) && flag.is_require_equals_set())
    };
    let typed = arguments.split(|argument| argument == "--").next()?;
    let pair = typed.windows(2).find(|pair| is_value(&pair[1]) && takes_equals(&pair[0]).is_some())?;
    let (flag, value) = (&pair[0], &pair[1]);
    Some(format!(
        "{flag} takes its value after '=', not after a space\n\n  did you mean: {flag}={}",
        shell_word(value)
    ))
}

/// What `rhaid convert` reads.
const KINDS: [&str; 5] = ["har", "curl", "openapi", "postman", "jmeter"];

/// What to write when `rhaid convert` is given an input without its kind.
fn kind_of_input(input: &str) -> String {
    let shown = shell_word(input);
    let is_program = matches!(input.rsplit_once('.'), Some((_, "js" | "ts" | "mjs" | "py")));
    if is_program || matches!(input, "k6" | "locust") {
        return "tests of k6 and Locust are programs, which are not converted\n\n  record their requests and convert the \
             recording: docs/convert-k6-locust.md"
            .to_owned();
    }
    let guess = match guess(input) {
        Some(kind) => format!("did you mean: rhaid convert {kind} {shown}"),
        None => {
            let kinds = KINDS.map(|kind| format!("rhaid convert {kind} {shown}"));
            format!("write one of: {}", kinds.join(", "))
        }
    };
    format!("expected the kind of input ({}), not {shown}\n\n  {guess}", KINDS.join(", "))
}

/// The kind that an input's name tells.
fn guess(input: &str) -> Option<&'static str> {
    let input = input.to_lowercase();
    if input.starts_with("curl ") {
        return Some("curl");
    }
    match input.rsplit_once('.').map(|(_, extension)| extension)? {
        "har" => Some("har"),
        "sh" | "bash" | "curl" | "bat" | "cmd" => Some("curl"),
        "jmx" => Some("jmeter"),
        "json" if input.contains("postman") => Some("postman"),
        "json" if input.contains("har") && !input.contains("api") => Some("har"),
        "json" | "yaml" | "yml" => Some("openapi"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn said(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> =
            std::iter::once("rhaid").chain(arguments.iter().copied()).map(OsString::from).collect();
        explained(Cli::try_parse_from(&arguments).unwrap_err(), &arguments).to_string()
    }

    #[test]
    fn a_value_after_a_space_is_explained_wherever_it_stands() {
        for arguments in [
            &["run", "x.rhai", "--baseline", "main"][..],
            &["run", "--baseline", "main", "x.rhai"],
            &["run", "x.rhai", "-u", "3", "--baseline", "main", "--once"],
        ] {
            let said = said(arguments);
            assert!(said.contains("did you mean: --baseline=main\n"), "{said}");
            assert!(said.contains("Usage: rhaid run"), "{said}");
        }
        assert!(said(&["run", "x.rhai", "--baseline", "a b"]).contains("--baseline='a b'"));
    }

    #[test]
    fn what_the_parser_tells_well_is_left_to_it() {
        for (arguments, expected) in [
            (&["run", "x.rhai", "y.rhai"][..], "unexpected argument 'y.rhai'"),
            (&["run", "x.rhai", "--baseline=main", "y.rhai"], "unexpected argument 'y.rhai'"),
            (&["run", "x.rhai", "--baselin", "y"], "'--baseline'"),
            (&["run", "x.rhai", "--", "--baseline", "y"], "unexpected argument"),
            (&["convert", "opnapi", "x.json"], "'openapi'"),
            (&["runn", "x.rhai"], "'run'"),
        ] {
            let said = said(arguments);
            assert!(said.contains(expected) && !said.contains("did you mean:"), "{said}");
        }
    }

    #[test]
    fn a_script_without_a_command_and_flags_of_other_tools_are_explained() {
        let said_of = said(&["shop.rhai", "-u", "3"]);
        assert!(said_of.contains("did you mean: rhaid run shop.rhai -u 3"), "{said_of}");
        for (flag, expected) in [
            ("--master", "no master and no worker"),
            ("--worker", "no master and no worker"),
            ("--web-port=8089", "--html FILE"),
            ("--time", "did you mean: --run-time"),
            ("--rps", "--rate 50"),
        ] {
            let said_of = said(&["run", "x.rhai", flag, "10"]);
            assert!(said_of.contains(expected), "{flag}: {said_of}");
        }
    }

    #[test]
    fn the_kind_of_an_input_is_told_by_its_name() {
        for (input, kind) in [
            ("shop.har", Some("har")),
            ("SHOP.HAR", Some("har")),
            ("har-of-today.json", Some("har")),
            ("openapi.json", Some("openapi")),
            ("petstore.yml", Some("openapi")),
            ("calls.sh", Some("curl")),
            ("curl -d a=1 http://a.test/", Some("curl")),
            ("x", None),
        ] {
            assert_eq!(guess(input), kind, "{input}");
        }
    }
}
