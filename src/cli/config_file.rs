//! `rhaid.toml`: the flags of `run` by their long names, and tables for what has several values.
//!
//! The file is turned into arguments for the same parser as the command line, so a key means what the
//! flag of that name means, and mistakes get the same messages.

use std::path::{Path, PathBuf};

use clap::{ArgAction, CommandFactory, Parser};
use toml::{Table, Value};

use super::args::{Cli, Command, RunArgs};
use crate::plan::{HttpLayer, Options};
use crate::system::read_text;
use crate::text::did_you_mean;

/// The file that is read by default.
const DEFAULT_FILE: &str = "rhaid.toml";

/// Largest settings file, in bytes; a wrong file name should not fill the memory.
const LARGEST_FILE: u64 = 16 << 20;

/// Tables of names and values; each entry is one use of the flag.
const TABLES: [(&str, &str); 4] =
    [("params", "param"), ("env", "env"), ("tags", "tag"), ("weights", "weight")];

/// What a settings file says.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) args: RunArgs,
    pub(super) http: HttpLayer,
}

impl Config {
    /// The run settings that it contains.
    pub(super) fn options(&self) -> Options {
        let (mut options, http) = (self.args.options(), self.http.clone());
        options.http.headers = http.headers;
        options.http.resolve = http.resolve;
        options
    }
}

/// The settings file: the one that is named, or `rhaid.toml` if it exists.
pub(super) fn path(named: Option<&PathBuf>) -> Option<&Path> {
    match named {
        Some(path) => Some(path.as_path()),
        None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
    }
}

/// Reads the settings file.
///
/// # Errors
/// If it cannot be read or has an invalid setting, with the reason.
pub(super) fn load(named: Option<&PathBuf>) -> Result<Config, String> {
    let Some(path) = path(named) else { return Ok(Config::default()) };
    let shown = path.display();
    let text = read_text(path, LARGEST_FILE)
        .map_err(|error| format!("cannot read the settings file '{shown}': {error}"))?;
    let table: Table = text.parse().map_err(|error| format!("{shown}: {error}"))?;
    from_table(table).map_err(|problem| format!("{shown}: {problem}"))
}

/// Reads a text as the settings file is read.
#[cfg(any(test, rhaid_fuzzing))]
pub(crate) fn read_settings(text: &str) -> Result<(), String> {
    from_table(text.parse().map_err(|error: toml::de::Error| error.to_string())?).map(drop)
}

fn from_table(table: Table) -> Result<Config, String> {
    let known = flag_names();
    let mut arguments = vec!["rhaid".to_owned(), "run".to_owned()];
    let mut http = HttpLayer::default();
    for (key, value) in table {
        let flag = key.replace('_', "-");
        // `tags` is both: a table holds tags of requests, words select tasks as --tags does.
        let selects_tasks = key == "tags" && !value.is_table();
        if let Some((_, flag)) = TABLES.iter().find(|(table, _)| *table == key && !selects_tasks) {
            for (name, value) in entries(&key, &value)? {
                arguments.push(format!("--{flag}={name}={value}"));
            }
        } else if key == "http" {
            read_http(&mut arguments, &value, &mut http)?;
        } else if key == "thresholds" {
            push_thresholds(&mut arguments, &value)?;
        } else if known.contains(&flag) {
            push_flag(&mut arguments, &key, &flag, &value)?;
        } else {
            let names = known.iter().map(String::as_str).chain([
                "params",
                "env",
                "tags",
                "weights",
                "thresholds",
                "http",
            ]);
            return Err(format!("unknown key '{key}'{}", did_you_mean(&flag, names)));
        }
    }
    match Cli::try_parse_from(arguments) {
        Ok(Cli { command: Command::Run(args) }) => Ok(Config { args: *args, http }),
        Ok(_) => Err("the file has no settings for a run".to_owned()),
        // The first line says what is wrong; the rest is about the command line.
        Err(error) => {
            let text = error.to_string();
            Err(text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
    }
}

fn push_flag(arguments: &mut Vec<String>, key: &str, flag: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Boolean(true) => arguments.push(format!("--{flag}")),
        Value::Boolean(false) => {}
        Value::Array(_) if !takes_several(flag) => {
            return Err(format!("'{key}' takes one value, not a list"));
        }
        Value::Array(values) => {
            for value in values {
                arguments.push(format!("--{flag}={}", plain(key, value)?));
            }
        }
        _ => arguments.push(format!("--{flag}={}", plain(key, value)?)),
    }
    Ok(())
}

/// The table `[thresholds]`: metrics, each with one threshold or a list of them.
fn push_thresholds(arguments: &mut Vec<String>, value: &Value) -> Result<(), String> {
    let table = value.as_table().ok_or("[thresholds] must be a table of metrics and their thresholds")?;
    for (metric, limits) in table {
        let limits = match limits {
            Value::Array(limits) => limits.as_slice(),
            limit => std::slice::from_ref(limit),
        };
        for limit in limits {
            let limit = limit.as_str().ok_or_else(|| format!("the threshold on '{metric}' must be text"))?;
            arguments.push(format!("--threshold={metric}: {limit}"));
        }
    }
    Ok(())
}

/// Whether a flag can be given several times.
fn takes_several(flag: &str) -> bool {
    let cli = Cli::command();
    let run = cli.find_subcommand("run").into_iter();
    run.flat_map(|run| run.get_arguments())
        .any(|arg| arg.get_long() == Some(flag) && matches!(arg.get_action(), ArgAction::Append))
}

fn flag_names() -> Vec<String> {
    let mut cli = Cli::command();
    cli.build();
    let run = cli.find_subcommand("run").into_iter();
    run.flat_map(|run| run.get_arguments()).filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

fn entries(key: &str, value: &Value) -> Result<Vec<(String, String)>, String> {
    let table = value.as_table().ok_or_else(|| format!("[{key}] must be a table of names and values"))?;
    table.iter().map(|(name, value)| Ok((name.clone(), plain(name, value)?))).collect()
}

fn plain(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(value.to_string()),
        _ => Err(format!("'{key}' must be text, a number, true or false")),
    }
}

/// The table `[http]`: what has several values, and flags that were only there once.
fn read_http(arguments: &mut Vec<String>, value: &Value, http: &mut HttpLayer) -> Result<(), String> {
    const KEYS: [&str; 5] = ["headers", "resolve", "user_agent", "max_redirects", "connect_timeout"];
    let table = value.as_table().ok_or("[http] must be a table")?;
    for (key, value) in table {
        match key.as_str() {
            "headers" => http.headers = entries("http.headers", value)?.into_iter().collect(),
            "resolve" => http.resolve = entries("http.resolve", value)?.into_iter().collect(),
            _ if KEYS.contains(&key.as_str()) => {
                push_flag(arguments, &format!("http.{key}"), &key.replace('_', "-"), value)?;
            }
            _ => return Err(format!("unknown key 'http.{key}'{}", did_you_mean(key, KEYS))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        from_table(text.parse().unwrap())
    }

    #[test]
    fn flags_by_their_long_names() {
        let config = read(
            "users = 5\nspawn_rate = 2.5\nrun-time = \"1m30s\"\nquiet = true\njson = false\nscenario = [\"a\", \"b\"]\n\
             [params]\nenv = \"prod\"\n[tags]\nteam = 7\n[http]\nmax_redirects = 3\n[http.headers]\nx-a = \"1\"",
        )
        .unwrap();
        let options = config.args.options();
        assert_eq!(options.users, Some(5));
        assert_eq!(options.spawn_rate, Some(2.5));
        assert_eq!(options.run_time, Some(std::time::Duration::from_secs(90)));
        assert_eq!(options.scenarios, ["a", "b"]);
        assert_eq!(options.params["env"], "prod");
        assert_eq!(options.tags["team"], "7");
        assert!(config.args.output.quiet && !config.args.output.json);
        assert_eq!(options.http.max_redirects, Some(3));
        assert_eq!(config.http.headers["x-a"], "1");
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        let check = |text: &str, expected: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("usrs = 5", "did you mean 'users'");
        check("users = 0", "invalid value '0'");
        check("users = [1]", "takes one value");
        check("scenario = [[1]]", "must be text");
        check("run_time = \"5 parsecs\"", "5 parsecs");
        check("[http]\nheader = 1", "did you mean 'headers'");
        check("params = 3", "must be a table");
        check("http_version = 3", "it is one of auto, 1.1, 2");
        check("[http]\nmax_redirects = -1", "invalid value '-1'");
    }

    #[test]
    fn tags_are_a_table_for_requests_and_words_for_tasks() {
        let words = read("tags = [\"read\", \"slow\"]\nexclude_tags = \"write\"").unwrap().args.options();
        assert_eq!(words.include_tags, ["read", "slow"]);
        assert_eq!((words.exclude_tags, words.tags.len()), (vec!["write".to_owned()], 0));
    }
}
