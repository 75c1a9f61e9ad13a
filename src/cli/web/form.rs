//! What the start form sends, as the flags of `rhaid run` that it stands for.
//!
//! Invariants: only the flags of [`FLAGS`] can be set, none of which names a file or a command; a script lies in the folder
//! that the page was opened for.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use crate::plan::Profile;
use crate::text::{did_you_mean, shell_word};
use crate::web::Refusal;

/// Keys of the form, which are flags with `_` for `-`.
const FLAGS: [&str; 27] = [
    "host",
    "users",
    "spawn_rate",
    "run_time",
    "iterations",
    "rate",
    "stages",
    "hold",
    "ramp_down",
    "max_vus",
    "arrivals",
    "late",
    "profile",
    "time_scale",
    "find_capacity",
    "scenario",
    "weight",
    "tags",
    "exclude_tags",
    "threshold",
    "param",
    "env",
    "tag",
    "seed",
    "stop_timeout",
    "label",
    "note",
];

/// What the form asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Form {
    /// Arguments after `rhaid run`.
    pub(super) arguments: Vec<String>,
}

impl Form {
    /// Reads it.
    pub(super) fn read(form: &Value, folder: &Path) -> Result<Form, Refusal> {
        let wrong = |text: String| Err(Refusal::Wrong(text));
        let Some(form) = form.as_object() else {
            return wrong(
                "a form is an object, such as {\"script\": \"shop.rhai\", \"users\": 10}".to_owned(),
            );
        };
        let named = form.get("script").and_then(Value::as_str);
        let Some(named) = named else {
            return wrong("script is missing: which one is to be run?".to_owned());
        };
        let mut arguments = vec![script(folder, named)?.display().to_string()];
        for (key, value) in form.iter().filter(|(key, _)| *key != "script") {
            if !FLAGS.contains(&key.as_str()) {
                let hint = did_you_mean(key, FLAGS);
                return wrong(format!("unknown key '{key}'{hint}"));
            }
            if key == "profile" && !value.as_str().is_some_and(is_profile) {
                return wrong("profile is one of load, stress, spike, endurance, all".to_owned());
            }
            push(&mut arguments, key, value)?;
        }
        Ok(Form { arguments })
    }

    /// The same as somebody would type it.
    pub(super) fn command(&self) -> String {
        let words = self.arguments.iter().map(|word| shell_word(word));
        ["rhaid".to_owned(), "run".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

fn is_profile(name: &str) -> bool {
    name == "all" || Profile::named(name).is_some()
}

fn push(arguments: &mut Vec<String>, key: &str, value: &Value) -> Result<(), Refusal> {
    let flag = key.replace('_', "-");
    match value {
        Value::Null => {}
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) => arguments.push(format!("--{flag}={text}")),
        Value::Number(number) => arguments.push(format!("--{flag}={number}")),
        Value::Array(values) => {
            for value in values {
                push(arguments, key, value)?;
            }
        }
        Value::Object(pairs) if ["param", "env", "tag", "weight"].contains(&key) => {
            arguments.extend(pairs_of(key, &flag, pairs)?);
        }
        Value::Bool(_) | Value::Object(_) => {
            return Err(Refusal::Wrong(format!("{key} is a text, a number or a list of them")));
        }
    }
    Ok(())
}

fn pairs_of(key: &str, flag: &str, pairs: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok(format!("--{flag}={name}={text}")),
        Value::Number(_) | Value::Bool(_) => Ok(format!("--{flag}={name}={value}")),
        _ => Err(Refusal::Wrong(format!("{key}.{name} is a text, a number, true or false"))),
    };
    pairs.iter().map(pair).collect()
}

/// A script below the folder, by the path relative to it that the form gives.
pub(super) fn script(folder: &Path, named: &str) -> Result<PathBuf, Refusal> {
    let nothing = || Refusal::NotFound(format!("there is no script '{named}' here"));
    let path = Path::new(named);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_script = path.extension().is_some_and(|extension| extension == "rhai");
    if !is_below || !is_script || named.contains('\0') {
        return Err(nothing());
    }
    let found = folder.join(path);
    let (inside, root) =
        (found.canonicalize().map_err(|_| nothing())?, folder.canonicalize().map_err(|_| nothing())?);
    if inside.starts_with(root) && inside.is_file() { Ok(found) } else { Err(nothing()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_the_command_that_does_the_same() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.rhai"), "").unwrap();
        let read = |form: Value| Form::read(&form, folder.path());
        let form = json!({
            "script": "shop.rhai", "users": 10, "spawn_rate": 2.5, "run_time": "1m", "host": "", "tags": ["a", "b"],
            "param": { "env": "dev", "n": 3 }, "threshold": ["http_req_failed: rate < 1%"],
        });
        let form = read(form).unwrap();
        let path = folder.path().join("shop.rhai").display().to_string();
        assert_eq!(
            form.arguments[1..],
            [
                "--users=10",
                "--spawn-rate=2.5",
                "--run-time=1m",
                "--tags=a",
                "--tags=b",
                "--param=env=dev",
                "--param=n=3",
                "--threshold=http_req_failed: rate < 1%"
            ]
        );
        assert!(form.command().starts_with(&format!("rhaid run {path} --users=10")), "{}", form.command());
        assert!(form.command().ends_with("'--threshold=http_req_failed: rate < 1%'"));
        for (form, words) in [
            (json!({ "script": "shop.rhai", "on_breach": "rm -rf /" }), "unknown key 'on_breach'"),
            (json!({ "script": "shop.rhai", "html": "/etc/x" }), "unknown key"),
            (json!({ "script": "shop.rhai", "usrs": 3 }), "did you mean 'users'"),
            (json!({ "script": "shop.rhai", "profile": "../other.rhai" }), "one of load"),
            (json!({ "script": "shop.rhai", "users": { "a": 1 } }), "a text"),
            (json!({}), "script is missing"),
            (json!([]), "an object"),
        ] {
            let Err(Refusal::Wrong(text)) = read(form.clone()) else { panic!("{form}") };
            assert!(text.contains(words), "{form}: {text}");
        }
    }

    #[test]
    fn a_script_lies_in_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("scripts");
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        for name in ["scripts/a.rhai", "scripts/deep/b.rhai", "out.rhai", "scripts/x.txt"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        assert!(script(&folder, "a.rhai").is_ok() && script(&folder, "deep/b.rhai").is_ok());
        let absolute = root.path().join("out.rhai").display().to_string();
        for name in [
            "../out.rhai",
            "deep/../../out.rhai",
            &absolute,
            "x.txt",
            "none.rhai",
            "",
            "./../out.rhai",
            "a.rhai\0",
        ] {
            assert!(matches!(script(&folder, name), Err(Refusal::NotFound(_))), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.path().join("out.rhai"), folder.join("link.rhai")).unwrap();
            assert!(script(&folder, "link.rhai").is_err());
        }
    }
}
