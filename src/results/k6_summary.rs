//! A run as k6's end-of-test summary: the data that k6 gives to `handleSummary`, and the flat form of `--summary-export`.
//!
//! Owns `root_group`, `options` and `state`; `metrics` come from `k6_metrics.rs`. Pure. Invariants: both forms hold the
//! figures of one snapshot; all checks of the tree of groups together are the metric `checks`.

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::k6_metrics::{TREND_STATS, metrics};
use crate::metrics::{CheckCount, CheckGroup, Snapshot};
use crate::plan::RunRecord;

/// Between the names of groups.
const SEPARATOR: &str = "::";

/// How deep the tree of groups is; what is nested deeper keeps its path as its name. Parsers of JSON have limits.
const MOST_LEVELS: usize = 30;

/// What k6 gives to `handleSummary(data)`: `root_group`, `options`, `state` and `metrics`.
pub fn summary_data(record: &RunRecord) -> Map<String, Value> {
    let snapshot = &record.snapshot;
    let terminals = record.info.terminals;
    let data = [
        ("root_group", tree(snapshot).json(false)),
        (
            "options",
            json!({ "summaryTrendStats": TREND_STATS, "summaryTimeUnit": "", "noColor": !terminals.stdout }),
        ),
        (
            "state",
            json!({
                "isStdOutTTY": terminals.stdout,
                "isStdErrTTY": terminals.stderr,
                "testRunDurationMs": snapshot.elapsed.as_micros() as f64 / 1_000.0,
            }),
        ),
        ("metrics", metrics(snapshot)),
    ];
    data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What k6 writes for `--summary-export`: metrics without their kinds, groups and checks by name. There, a threshold is
/// true when it was breached.
pub fn summary_export(record: &RunRecord) -> Value {
    let snapshot = &record.snapshot;
    let Value::Object(metrics) = metrics(snapshot) else { return Value::Null };
    let metrics: Map<String, Value> =
        metrics.into_iter().map(|(name, metric)| (name, flat(metric))).collect();
    json!({ "root_group": tree(snapshot).json(true), "metrics": metrics })
}

/// A metric in the flat form.
fn flat(mut metric: Value) -> Value {
    let Value::Object(values) = metric["values"].take() else { return Value::Null };
    let is_rate = metric["type"] == "rate";
    let renamed = |name: String| if is_rate && name == "rate" { "value".to_owned() } else { name };
    let mut flat: Map<String, Value> =
        values.into_iter().map(|(name, value)| (renamed(name), value)).collect();
    if let Some(thresholds) = metric["thresholds"].as_object() {
        let crossed =
            thresholds.iter().map(|(text, threshold)| (text.clone(), json!(threshold["ok"] != true)));
        flat.insert("thresholds".to_owned(), crossed.collect::<Map<_, _>>().into());
    }
    Value::Object(flat)
}

/// A group with what is in it.
#[derive(Default)]
struct Group<'a> {
    name: String,
    path: String,
    groups: Vec<Group<'a>>,
    checks: Vec<(&'a str, CheckCount)>,
}

/// The tree of the groups of a run. What an older version stored has checks by name alone.
fn tree(snapshot: &Snapshot) -> Group<'_> {
    let mut root = root_group(&snapshot.check_groups);
    if snapshot.check_groups.is_empty() {
        root.checks = snapshot.checks.iter().map(|(name, count)| (&**name, *count)).collect();
    }
    root
}

fn root_group(groups: &[CheckGroup]) -> Group<'_> {
    let mut root = Group::default();
    for CheckGroup { path, checks, .. } in groups {
        let mut group = &mut root;
        if !path.is_empty() {
            let names = path.strip_prefix(SEPARATOR).unwrap_or(path).splitn(MOST_LEVELS, SEPARATOR);
            for name in names {
                group = group.inner(name);
            }
        }
        group.checks.extend(checks.iter().map(|(name, count)| (&**name, *count)));
    }
    root
}

impl<'a> Group<'a> {
    /// The group of this name in it.
    fn inner(&mut self, name: &str) -> &mut Group<'a> {
        let index = self.groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            let path = format!("{}{SEPARATOR}{name}", self.path);
            self.groups.push(Group { name: name.to_owned(), path, ..Group::default() });
            self.groups.len() - 1
        });
        &mut self.groups[index]
    }

    /// As k6 writes it: what is in it as lists, or by name.
    fn json(&self, by_name: bool) -> Value {
        let groups = self.groups.iter().map(|group| (group.name.clone(), group.json(by_name)));
        let checks = self.checks.iter().map(|(name, count)| {
            let path = format!("{}{SEPARATOR}{name}", self.path);
            let CheckCount { passes, fails } = count;
            let check =
                json!({ "name": name, "path": path, "id": id(&path), "passes": passes, "fails": fails });
            ((*name).to_owned(), check)
        });
        json!({
            "name": self.name,
            "path": self.path,
            "id": id(&self.path),
            "groups": listed(groups, by_name),
            "checks": listed(checks, by_name),
        })
    }
}

fn listed(all: impl Iterator<Item = (String, Value)>, by_name: bool) -> Value {
    if by_name { all.collect::<Map<_, _>>().into() } else { all.map(|(_, one)| one).collect() }
}

/// What k6 calls a group or check by: the MD5 hash of its path.
fn id(path: &str) -> String {
    Md5::digest(path).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &str, checks: &[&str]) -> CheckGroup {
        let count = CheckCount { passes: 2, fails: 1 };
        CheckGroup { path: path.into(), checks: checks.iter().map(|name| ((*name).into(), count)).collect() }
    }

    #[test]
    fn groups_are_a_tree_with_the_paths_and_ids_of_k6() {
        let groups =
            [group("::a::b", &["ok"]), group("", &["top"]), group("::a", &["in a"]), group("::c", &[])];
        let json = root_group(&groups).json(false);
        assert_eq!((&json["name"], &json["path"]), (&json!(""), &json!("")));
        assert_eq!(json["id"], "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(json["checks"][0]["path"], "::top");
        let names: Vec<_> = json["groups"].as_array().unwrap().iter().map(|group| &group["name"]).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(json["groups"][0]["checks"][0]["path"], "::a::in a");
        let inner = &json["groups"][0]["groups"][0];
        assert_eq!((&inner["path"], inner["groups"].as_array().unwrap().len()), (&json!("::a::b"), 0));
        // As in the documentation of k6-junit, from a run of k6.
        let k6 = [group("::Register New User", &["Access token:[empty]"])];
        let k6 = root_group(&k6).json(false);
        assert_eq!(k6["groups"][0]["id"], "ef69e341fa4ed9426351b0cf6861b7ac");
        assert_eq!(k6["groups"][0]["checks"][0]["id"], "0de369f3d729210fd6916a3a19b78660");
        let flat = root_group(&groups).json(true);
        assert_eq!(flat["groups"]["a"]["groups"]["b"]["checks"]["ok"]["fails"], 1);
    }

    #[test]
    fn checks_of_a_run_that_an_older_version_stored_are_in_no_group() {
        let mut snapshot = crate::fixture::finished();
        let sum = |json: &Value| {
            let checks = json["checks"].as_array().unwrap().iter();
            checks.map(|check| check["passes"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!(sum(&tree(&snapshot).json(false)), 12, "the others are in a group");
        snapshot.check_groups.clear();
        assert_eq!(sum(&tree(&snapshot).json(false)), 21);
    }

    #[test]
    fn a_path_of_any_form_has_a_place() {
        let deep = "::x".repeat(1_000);
        let groups =
            [group("***", &["a"]), group("::***", &["b"]), group("::", &["c"]), group(&deep, &["d"])];
        let json = root_group(&groups).json(false);
        assert_eq!(json["groups"][0]["checks"].as_array().unwrap().len(), 2);
        assert_eq!((&json["groups"][1]["name"], &json["groups"][1]["path"]), (&json!(""), &json!("::")));
        let text = json.to_string();
        assert!(serde_json::from_str::<Value>(&text).is_ok() && text.contains(&deep));
    }

    #[test]
    fn a_metric_is_flat_and_a_breached_threshold_true() {
        let rate = json!({ "type": "rate", "contains": "default", "values": { "rate": 0.5, "passes": 1, "fails": 1 },
            "thresholds": { "rate<0.1": { "ok": false }, "rate<1": { "ok": true } } });
        assert_eq!(
            flat(rate),
            json!({ "value": 0.5, "passes": 1, "fails": 1, "thresholds": { "rate<0.1": true, "rate<1": false } })
        );
        let counter = json!({ "type": "counter", "contains": "data", "values": { "count": 3, "rate": 1.5 } });
        assert_eq!(flat(counter), json!({ "count": 3, "rate": 1.5 }));
    }
}
