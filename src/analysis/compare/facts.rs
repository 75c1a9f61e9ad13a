//! How the setup of two runs differs: script, load, host, machine, version.

use serde_json::Value;

use super::measured::MeasuredRun;

/// Fields of `run.json` that may explain different figures: their path, and the sentence.
const FACTS: [(&str, &str); 14] = [
    ("/name", "the script's name differs"),
    ("/settings/host", "the host differs"),
    ("/settings/users", "the number of users differs"),
    ("/settings/spawn_rate", "the spawn rate differs"),
    ("/settings/run_time_s", "the run time differs"),
    ("/settings/scenarios", "the scenarios or their load differ"),
    ("/settings/threads", "the number of worker threads differs"),
    ("/origin/label", "the environment differs"),
    ("/machine/os", "the operating system differs"),
    ("/machine/arch", "the CPU architecture differs"),
    ("/machine/cores", "the number of cores differs"),
    ("/machine/cpu", "the CPU differs"),
    ("/rhaid/version", "the rhaid version differs"),
    ("/resources/target_machine", "the target's machine differs"),
];

/// What a run was made with.
#[derive(Clone, Copy)]
pub(crate) struct RunFacts<'a> {
    /// Its `run.json`.
    pub(crate) json: &'a Value,
    /// Hash of the copies of the files that ran; `None` without a copy.
    pub(crate) script: Option<u64>,
}

/// Each difference as a sentence.
pub(super) fn differences(before: &MeasuredRun, after: &MeasuredRun) -> Vec<String> {
    let mut sentences = circumstances(before.facts(), after.facts());
    for (run, which) in [(before, "earlier"), (after, "later")] {
        if run.json.pointer("/generator/saturated") == Some(&Value::Bool(true)) {
            sentences
                .push(format!("the generator was saturated in the {which} run: its figures are unreliable"));
        }
        if run.json["ended_by"].is_null() {
            sentences.push(format!("the {which} run did not finish"));
        }
        sentences.extend(run.problems.iter().map(|problem| format!("the {which} run: {problem}")));
    }
    sentences
}

/// What two runs were made with that differs: script, load, host, machine, version.
pub(crate) fn circumstances(before: RunFacts<'_>, after: RunFacts<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    for (path, sentence) in FACTS {
        let (a, b) = (before.json.pointer(path), after.json.pointer(path));
        // What one of them does not say, as an older version did not, is no difference.
        if a.is_some()
            && b.is_some()
            && a != b
            && !(path == "/settings/host" && is_own_target(before.json, after.json))
        {
            let short = |value: &Value| short(value).map(|text| format!("{text}{}", unit(path, value)));
            sentences.push(match (a.and_then(short), b.and_then(short)) {
                (Some(a), Some(b)) => format!("{sentence}: {a} before, {b} after"),
                _ => sentence.to_owned(),
            });
        }
    }
    if scripts_differ(before, after) {
        sentences.push("the script's source differs".to_owned());
    }
    sentences
}

/// Whether the target of both ran in the generator's own process, as that of `rhaid demo`: then its port is a new one each
/// time and says nothing.
fn is_own_target(before: &Value, after: &Value) -> bool {
    [before, after]
        .iter()
        .all(|json| json.pointer("/resources/target_is_generator") == Some(&Value::Bool(true)))
}

/// What a number at this place is of.
fn unit(path: &str, value: &Value) -> &'static str {
    if value.is_number() && path.ends_with("_s") { " s" } else { "" }
}

/// A value that fits into a sentence.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some("none".to_owned()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether other files ran; what is missing on either side says nothing.
fn scripts_differ(before: RunFacts<'_>, after: RunFacts<'_>) -> bool {
    let names = |run: RunFacts<'_>| -> Vec<String> {
        let files = run.json["files"].as_array().into_iter().flatten();
        files.filter_map(|file| file["name"].as_str()).map(str::to_owned).collect()
    };
    if names(before) != names(after) {
        return !names(before).is_empty() && !names(after).is_empty();
    }
    matches!((before.script, after.script), (Some(a), Some(b)) if a != b)
}
