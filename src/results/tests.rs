//! What the files of a run hold, against the snapshot, the text view, and the schema; reading them back is in
//! `stored_tests.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{CsvFiles, ResultsError, RunDirectory, compared_run_json, run_json};
use crate::fixture::{self, NASTY, assert_golden};
use crate::metrics::Snapshot;
use crate::plan::EndedBy;
use crate::report::{Look, summary};
use crate::text::clean_line;
use crate::text::format::count;

/// Runs the snapshots through a run directory and gives back its path.
pub(super) fn recorded(root: &Path, snapshots: &[Snapshot], full_history: bool) -> PathBuf {
    let mut directory = RunDirectory::create(root, &fixture::info()).unwrap().full_history(full_history);
    for snapshot in snapshots {
        directory.update(&Arc::new(snapshot.clone())).unwrap();
    }
    directory.finish(&fixture::record(EndedBy::RunTime, snapshots.last().unwrap())).unwrap();
    directory.path().to_owned()
}

fn rows(path: &Path) -> Vec<csv::StringRecord> {
    csv::Reader::from_path(path).unwrap().records().map(Result::unwrap).collect()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path.join("run.json")).unwrap()).unwrap()
}

#[test]
fn the_files_look_as_they_should() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), true);
    assert_eq!(run.file_name().unwrap(), "2026-11-23T17-45-04Z_shop");
    for name in ["stats.csv", "stats_history.csv", "failures.csv", "exceptions.csv"] {
        assert_golden(name, &fs::read_to_string(run.join(name)).unwrap());
    }
    let mut json = json_of(&run);
    json["rhaid"] = json!({ "version": "0.1.0" });
    assert_golden("run.json", &format!("{json:#}\n"));
    let mut left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let expected = [
        "exceptions.csv",
        "failures.csv",
        "latency.hlog",
        "run.json",
        "script",
        "state.json",
        "stats.csv",
        "stats_history.csv",
        "timeline.csv",
    ];
    assert_eq!(left, expected, "no temporary file is left");
    assert_golden("timeline.csv", &fs::read_to_string(run.join("timeline.csv")).unwrap());
    assert_eq!(fs::read_to_string(run.join("script/std__auth.rhai")).unwrap(), "// auth\n");
    assert_eq!(fs::read_dir(run.join("script")).unwrap().count(), 3);
}

#[test]
fn all_outputs_agree_on_the_counts() {
    for snapshots in [fixture::snapshots(), vec![fixture::empty()], vec![fixture::partial_second()]] {
        let snapshot = snapshots.last().unwrap();
        let total = &snapshot.total;
        let expected = (total.requests.to_string(), total.failures.to_string());
        let root = tempfile::tempdir().unwrap();
        let run = recorded(root.path(), &snapshots, false);

        let stats = rows(&run.join("stats.csv"));
        let last = stats.last().unwrap();
        assert_eq!((&last[0], &last[1]), ("", "Aggregated"));
        assert_eq!((last[2].to_owned(), last[3].to_owned()), expected);
        let sum: u64 = stats[..stats.len() - 1].iter().map(|row| row[2].parse::<u64>().unwrap()).sum();
        assert_eq!(sum, total.requests, "the endpoints add up");

        let history = rows(&run.join("stats_history.csv"));
        assert_eq!(history.len(), snapshot.history.len());
        let last = history.last().unwrap();
        assert_eq!((last[17].to_owned(), last[18].to_owned()), expected);

        let json = json_of(&run);
        assert_eq!(json["metrics"]["http_reqs"]["values"]["count"], total.requests);
        assert_eq!(json["total"]["failures"], total.failures);
        let failed = &json["metrics"]["http_req_failed"]["values"];
        let passes = if total.requests > 0 { json!(total.failures) } else { Value::Null };
        assert_eq!(failed["passes"], passes);

        let look = Look { width: 80, unicode: true, color: false };
        let text = summary(&fixture::record(EndedBy::RunTime, snapshot), look);
        if total.requests > 0 {
            let words = format!("{} requests in", count(total.requests));
            assert!(text.contains(&words), "{text}");
        } else {
            assert!(text.contains("NO REQUESTS"), "{text}");
        }
    }
}

#[test]
fn headers_are_those_of_locust() {
    let root = tempfile::tempdir().unwrap();
    let prefix = root.path().join("out");
    let mut files = CsvFiles::create(&prefix).unwrap();
    files.finish(&fixture::empty()).unwrap();
    let first_line = |name: &str| {
        let text = fs::read_to_string(root.path().join(name)).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        first_line("out_stats.csv"),
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
         Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,\
         99.99%,100%"
    );
    assert_eq!(
        first_line("out_stats_history.csv"),
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
         Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
         Total Min Response Time,Total Max Response Time,Total Average Content Size"
    );
    assert_eq!(first_line("out_failures.csv"), "Method,Name,Error,Occurrences,First Seen,Last Seen");
    assert_eq!(first_line("out_exceptions.csv"), "Count,Message,Traceback,Nodes");
}

#[test]
fn a_second_without_a_success_has_no_latency() {
    let root = tempfile::tempdir().unwrap();
    let history = rows(&recorded(root.path(), &fixture::snapshots(), false).join("stats_history.csv"));
    let stall = &history[5];
    assert_eq!(&stall[4], "0");
    assert!((6..17).all(|column| &stall[column] == "N/A"), "{stall:?}");
    assert_eq!(&stall[17], "552", "the totals go on");
    let empty = rows(&recorded(root.path(), &[fixture::empty()], false).join("stats.csv"));
    assert_eq!(&empty[0][4], "N/A");
}

#[test]
fn names_come_back_as_they_were_and_in_a_table_on_a_line() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), true);
    let line = clean_line(NASTY);
    assert!(rows(&run.join("stats.csv")).iter().any(|row| row[1] == line));
    assert!(rows(&run.join("stats_history.csv")).iter().any(|row| row[3] == line));
    assert!(json_of(&run)["endpoints"].as_array().unwrap().iter().any(|e| e["name"] == NASTY));
    let exceptions = rows(&run.join("exceptions.csv"));
    assert_eq!(&exceptions[0][0], "2");
    assert!(exceptions[0][2].contains("\n      |\t        ^"), "a trace keeps its lines");
}

#[test]
fn endpoints_of_the_full_history_add_up_to_the_total() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), true);
    let history = rows(&run.join("stats_history.csv"));
    let last_of = |name: &str| history.iter().rev().find(|row| &row[3] == name).unwrap().clone();
    for stats in fixture::finished().endpoints {
        let row = last_of(&clean_line(&stats.name));
        assert_eq!(row[17], stats.requests.to_string());
        assert_eq!(row[18], stats.failures.to_string());
        // Without any success there is no latency to wait for.
        assert_eq!(&row[19] == "N/A", stats.ok.is_none(), "{row:?}");
    }
}

#[test]
fn a_killed_run_keeps_what_it_had() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = RunDirectory::create(root.path(), &fixture::info()).unwrap();
    let snapshots = fixture::snapshots();
    for snapshot in &snapshots[..8] {
        directory.update(&Arc::new(snapshot.clone())).unwrap();
    }
    let run = directory.path().to_owned();
    drop(directory);
    assert_eq!(rows(&run.join("stats_history.csv")).len(), 8);
    let json = json_of(&run);
    assert_eq!(json["ended_by"], Value::Null);
    assert_eq!(json["elapsed_s"], 6.0, "rewritten at 1 s and at 6 s");
    assert_eq!(json["total"]["requests"], snapshots[5].total.requests);
}

#[test]
fn a_missed_update_loses_no_second() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = fixture::snapshots();
    let sparse = [snapshots[3].clone(), snapshots[12].clone()];
    let history = rows(&recorded(root.path(), &sparse, true).join("stats_history.csv"));
    let aggregated: Vec<_> = history.iter().filter(|row| &row[3] == "Aggregated").collect();
    assert_eq!(aggregated.len(), 13);
    let health: Vec<&str> = history.iter().filter(|row| &row[3] == "/health").map(|row| &row[17]).collect();
    assert_eq!((health.len(), health[0], health[11]), (12, "100", "1200"));
}

#[test]
fn runs_of_one_second_get_folders_of_their_own() {
    let root = tempfile::tempdir().unwrap();
    let mut info = fixture::info();
    info.name = "../a b".into();
    let names: Vec<_> = (0..3)
        .map(|_| {
            let directory = RunDirectory::create(root.path(), &info).unwrap();
            assert_eq!(directory.path().parent().unwrap(), root.path());
            directory.path().file_name().unwrap().to_string_lossy().into_owned()
        })
        .collect();
    let base = "2026-11-23T17-45-04Z_.._a_b";
    assert_eq!(names, [base.to_owned(), format!("{base}-2"), format!("{base}-3")]);
}

#[test]
fn a_bad_place_fails_before_the_run_and_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let error = RunDirectory::create(&file, &fixture::info()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ResultsError::Create { .. }));
    assert!(text.contains(file.to_str().unwrap()) && text.contains("--results-dir"), "{text}");
    let text = CsvFiles::create(&root.path().join("file/prefix")).unwrap_err().to_string();
    assert!(text.contains("prefix_stats_history.csv") && text.contains("choose another path"), "{text}");
    CsvFiles::create(&root.path().join("no/such/prefix")).unwrap();
}

#[test]
fn a_write_error_is_told_once_and_made_good_later() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = RunDirectory::create(root.path(), &fixture::info()).unwrap();
    let run = directory.path().to_owned();
    let snapshots = fixture::snapshots();
    // A folder in the place of a file cannot be replaced by one.
    fs::remove_file(run.join("stats.csv")).unwrap();
    fs::create_dir(run.join("stats.csv")).unwrap();
    let text = directory.update(&Arc::new(snapshots[0].clone())).unwrap_err().to_string();
    assert!(text.contains("stats.csv"), "{text}");
    for snapshot in &snapshots[1..8] {
        directory.update(&Arc::new(snapshot.clone())).unwrap();
    }
    let last = snapshots.last().unwrap();
    let finish = |directory: &mut RunDirectory| directory.finish(&fixture::record(EndedBy::Signal, last));
    assert!(finish(&mut directory).is_err(), "what is still wrong at the end is told again");
    assert_eq!(json_of(&run)["ended_by"], "signal", "the other files are written all the same");
    fs::remove_dir(run.join("stats.csv")).unwrap();
    finish(&mut directory).unwrap();
    assert_eq!(rows(&run.join("stats.csv")).last().unwrap()[2], last.total.requests.to_string());
}

#[test]
fn metrics_are_named_and_counted_as_in_k6() {
    let json = run_json(&fixture::record(None, &fixture::finished()));
    let metrics = json["metrics"].as_object().unwrap();
    for name in [
        "http_reqs{name:/health,method:GET}",
        "http_req_duration{scenario:buy}",
        "http_req_failed{team:red}",
        "http_req_duration{expected_response:false}",
    ] {
        assert!(metrics.contains_key(name), "{name} in {:?}", metrics.keys().collect::<Vec<_>>());
    }
    assert_eq!(
        metrics["http_req_failed"]["values"],
        json!({ "rate": 4.0 / 1325.0, "passes": 4, "fails": 1321 })
    );
    let slowest = metrics["http_req_duration"]["values"]["max"].as_f64().unwrap();
    assert_eq!(slowest, 1_500.0, "the failed request of 3 s is not among the successes");
}

#[test]
fn thresholds_are_in_a_list_and_where_k6_has_them() {
    let run = fixture::limited();
    let json = run_json(&fixture::record(EndedBy::RunTime, run.last().unwrap()));
    let ok: Vec<&Value> = json["thresholds"].as_array().unwrap().iter().map(|t| &t["ok"]).collect();
    assert_eq!(ok, [true, false, false, false, true, true, false, true, true]);
    let metrics = &json["metrics"];
    assert_eq!(
        metrics["http_req_failed"]["thresholds"],
        json!({ "rate < 0.1% abort after 1h": { "ok": false } })
    );
    assert_eq!(metrics["http_req_duration"]["thresholds"], json!({ "p(95) < 200ms": { "ok": true } }));
    let health = "http_req_duration{name:/health,method:GET}";
    assert_eq!(metrics[health]["values"]["count"], 1_200);
    assert_eq!(metrics[health]["thresholds"], json!({ "p(99.9) < 4.805ms over 3s": { "ok": false } }));
    let nothing = &metrics["http_req_duration{name:/nosuch}"];
    assert_eq!((&nothing["type"], &nothing["values"]["count"]), (&json!("trend"), &json!(0)));
    assert!(nothing["values"]["p(95)"] == 0, "readers of k6's format compute with it");
    let live = run_json(&fixture::record(None, &run[3]));
    assert!(live["thresholds"][3]["ok"].is_null() && live["thresholds"][3]["state"] == "no data");
}

#[test]
fn the_schema_describes_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/run.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for (ended_by, snapshot) in [
        (Some(EndedBy::RunTime), fixture::finished()),
        (Some(EndedBy::Aborted("why".into())), fixture::partial_second()),
        (None, fixture::empty()),
        (Some(EndedBy::Threshold("why".into())), fixture::limited().pop().unwrap()),
        (None, fixture::limited().swap_remove(3)),
        (Some(EndedBy::RunTime), fixture::distributed()),
    ] {
        let json = run_json(&fixture::record(ended_by.clone(), &snapshot));
        let mut problems = Vec::new();
        compare(&json, &schema, &schema, "run.json", &mut problems);
        assert!(problems.is_empty(), "{problems:#?}");
    }
    let compared = crate::analysis::made_comparison("GET", "/x");
    let json = compared_run_json(&fixture::record(None, &fixture::finished()), Some(&compared));
    assert_eq!(json["comparison"]["endpoints"][1]["figures"]["p95"]["verdict"], "worse");
    let mut problems = Vec::new();
    compare(&json, &schema, &schema, "run.json", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
    let mut problems = Vec::new();
    compare(&json!({ "surprise": 1 }), &schema, &schema, "run.json", &mut problems);
    assert!(problems.len() > 5, "the comparison finds what is wrong: {problems:?}");
}

/// The part of JSON Schema that our schema uses: type, enum, properties, required,
/// additionalProperties, items, and references within the file.
fn compare(value: &Value, schema: &Value, root: &Value, at: &str, problems: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return compare(value, target, root, at, problems);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return problems.push(format!("{at} is not described")),
    };
    if !types.iter().any(|kind| is_a(value, kind)) {
        return problems.push(format!("{at} is {value}, described as {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        problems.push(format!("{at} is {value}, which is none of {}", schema["enum"]));
    }
    if let Some(items) = value.as_array() {
        let each = items.iter().enumerate();
        each.for_each(|(i, item)| compare(item, &schema["items"], root, &format!("{at}[{i}]"), problems));
    }
    let Some(object) = value.as_object() else { return };
    for (key, member) in object {
        let described = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
        compare(member, described, root, &format!("{at}.{key}"), problems);
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(key) {
            problems.push(format!("{at}.{key} is missing"));
        }
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn agents_are_in_run_json_with_what_is_known_of_them() {
    let json = run_json(&fixture::record(EndedBy::RunTime, &fixture::distributed()));
    let agents = json["agents"].as_array().unwrap();
    let all = |key: &str| agents.iter().map(|agent| agent[key].clone()).collect::<Vec<_>>();
    assert_eq!(all("state"), ["done", "done", "lost", "running"]);
    assert_eq!(all("is_complete"), [true, true, false, true]);
    assert_eq!(Value::Array(all("clock_offset_ms")), json!([0.0, 2000.0, -1.5, null]));
    assert_eq!(Value::Array(all("clock_within_ms")), json!([0.085, 0.19, 0.11, null]));
    assert_eq!(agents[1]["generator"]["blame"], "load generator");
    assert_eq!(agents[1]["generator"]["causes"][0]["value"], 0.98);
    assert_eq!(agents[3]["generator"], Value::Null, "it was never heard");
    let reason = "nothing was heard of it for 4.1 s";
    assert_eq!(agents[2]["losses"], json!([{ "from_s": 6.0, "to_s": null, "reason": reason }]));
    assert_eq!(json["generator"]["saturated"], true, "the one that did worst");
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["kind"] == "agent-lost"));
    let alone = run_json(&fixture::record(EndedBy::RunTime, &fixture::finished()));
    assert_eq!(alone["agents"], json!([]));
}

#[test]
fn a_tag_cannot_replace_a_figure_of_the_engine() {
    let mut snapshot = fixture::finished();
    snapshot.tags[0].key = "scenario".into();
    snapshot.tags[0].value = "buy".into();
    let json = run_json(&fixture::record(None, &snapshot));
    let buy = snapshot.scenarios.iter().find(|scenario| &*scenario.name == "buy").unwrap();
    assert_ne!(buy.requests.requests, snapshot.tags[0].requests.requests);
    assert_eq!(json["metrics"]["http_reqs{scenario:buy}"]["values"]["count"], buy.requests.requests);
}

#[test]
fn half_a_row_of_a_failed_write_is_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = RunDirectory::create(root.path(), &fixture::info()).unwrap();
    let snapshots = fixture::snapshots();
    directory.update(&Arc::new(snapshots[0].clone())).unwrap();
    let path = directory.path().join("stats_history.csv");
    let mut text = fs::read(&path).unwrap();
    // Longer than the row that comes next, so that overwriting alone does not hide it.
    text.extend(b"1795455906,10,,Aggr".repeat(100));
    fs::write(&path, text).unwrap();
    directory.update(&Arc::new(snapshots[1].clone())).unwrap();
    let history = rows(&path);
    assert_eq!(history.len(), 2);
    assert_eq!(&history[1][17], "220");
}
