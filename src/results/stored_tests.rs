//! Runs read back from their files: the log's figures, windows, what was killed, cut off, or made by an older version.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::hlog_file::HlogFile;
use super::tests::recorded;
use super::{Recording, RunDirectory, StoredRun, Window, run_json};
use crate::fixture;
use crate::fixture_load::second_of;
use crate::metrics::{Histogram, IntervalHistograms, IntervalKind, IntervalSeries};
use crate::plan::EndedBy;

/// All that the log holds of each endpoint, one kind, verdicts that were taken back taken away.
fn logged(run: &Path, kind: IntervalKind) -> BTreeMap<String, Histogram> {
    let recording = Recording::read(run);
    assert_eq!(recording.problems, Vec::<String>::new());
    let of = |series: &IntervalSeries| match series {
        IntervalSeries::Requests { method, name, .. } => Some(format!("{method} {name}")),
        _ => None,
    };
    recording.by(of, kind, Window::default())
}

#[test]
fn the_histogram_log_adds_up_to_the_figures_of_each_endpoint() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), false);
    let snapshot = fixture::finished();
    let [ok, failed, response] =
        [IntervalKind::Ok, IntervalKind::Failed, IntervalKind::Response].map(|kind| logged(&run, kind));
    for stats in &snapshot.endpoints {
        let name = format!("{} {}", stats.method, stats.name);
        for (histograms, expected) in [(&ok, stats.ok), (&failed, stats.failed), (&response, stats.response)]
        {
            let read = histograms.get(&name).and_then(Histogram::summary);
            assert_eq!(read.map(|s| s.count), expected.map(|s| s.count), "{name}");
            assert_eq!(read.map(|s| s.percentiles_us), expected.map(|s| s.percentiles_us), "{name}");
        }
    }
}

#[test]
fn a_changed_verdict_is_taken_back_in_the_log() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::changed_verdicts(), false);
    assert_eq!(logged(&run, IntervalKind::Ok)["GET /late"].count(), 1);
    assert_eq!(logged(&run, IntervalKind::Failed)["GET /late"].count(), 1);
}

#[test]
fn many_endpoints_share_longer_intervals_and_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = fixture::many_endpoints(200, 7);
    let run = recorded(root.path(), &snapshots, false);
    let ok = logged(&run, IntervalKind::Ok);
    assert_eq!(ok.len(), 200);
    assert!(ok.values().all(|histogram| histogram.count() == 7), "a value a second each");
    let text = fs::read_to_string(run.join("latency.hlog")).unwrap();
    let lines_of = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines_of("Tag=ok|all,"), 7, "the whole run keeps its seconds");
    assert_eq!(
        text.lines().filter(|l| l.starts_with("Tag=ok") && l.contains("/endpoint/17,")).count(),
        2,
        "five seconds, and the two at the end"
    );
}

/// A value of each of 200 endpoints, counted in this second.
fn second_of_many(second: u64) -> IntervalHistograms {
    second_of(
        second,
        (0..200).map(|endpoint| {
            let name = format!("/endpoint/{endpoint}").into();
            IntervalSeries::Requests { scenario: "s".into(), method: "GET".into(), name }
        }),
    )
}

#[test]
fn a_second_that_is_told_late_makes_no_interval_of_endpoints_longer() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("latency.hlog");
    let mut file = HlogFile::create(path.clone()).unwrap();
    let snapshots = fixture::many_endpoints(1, 1);
    let snapshot = snapshots.last().unwrap();
    file.update(snapshot).unwrap();
    // One when the five seconds from the first on are written, one when a part of the next five waits.
    for second in [1, 2, 3, 4, 5, 2, 6, 7, 3, 6] {
        snapshot.intervals.push(second_of_many(second));
        file.update(snapshot).unwrap();
    }
    file.finish(snapshot).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let written = text.lines().filter(|line| line.contains("/endpoint/17,")).map(|line| {
        let fields: Vec<&str> = line.rsplit(',').collect();
        (fields[3], fields[2])
    });
    let written: Vec<_> = written.collect();
    assert_eq!(written, [("1.000", "5.000"), ("2.000", "1.000"), ("3.000", "1.000"), ("6.000", "2.000")]);
    fs::write(root.path().join("timeline.csv"), "").unwrap();
    let ok = logged(root.path(), IntervalKind::Ok);
    assert_eq!(ok["GET /endpoint/17"].count(), 10);
}

#[test]
fn what_waits_is_written_at_the_end() {
    let root = tempfile::tempdir().unwrap();
    let mut file = HlogFile::create(root.path().join("latency.hlog")).unwrap();
    let snapshots = fixture::snapshots();
    fs::write(root.path().join("timeline.csv"), "").unwrap();
    file.finish(snapshots.last().unwrap()).unwrap();
    let total = logged(root.path(), IntervalKind::Ok).values().map(Histogram::count).sum::<u64>();
    assert_eq!(Some(total), snapshots.last().unwrap().total.ok.map(|ok| ok.count));
}

#[test]
fn a_recording_that_was_cut_off_or_damaged_gives_what_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), false);
    let whole = Recording::read(&run);
    assert_eq!((whole.timeline.len(), whole.timeline[5].requests), (13, 0));
    for name in ["latency.hlog", "timeline.csv"] {
        let text = fs::read_to_string(run.join(name)).unwrap();
        let cut = text.trim_end().rfind('\n').unwrap() + 20;
        fs::write(run.join(name), &text[..cut]).unwrap();
    }
    let cut = Recording::read(&run);
    assert_eq!(cut.problems, Vec::<String>::new(), "the end of a killed run is no damage");
    assert_eq!(cut.timeline, whole.timeline[..12]);
    assert!(!cut.intervals.is_empty());
    let text = fs::read_to_string(run.join("latency.hlog")).unwrap().replacen("HISTF", "HISTX", 1);
    fs::write(run.join("latency.hlog"), text).unwrap();
    let damaged = Recording::read(&run);
    assert_eq!(damaged.intervals.len(), cut.intervals.len());
    assert!(
        damaged.problems[0].contains("latency.hlog") && damaged.problems[0].contains("line 5"),
        "{:?}",
        damaged.problems
    );
    for name in ["latency.hlog", "timeline.csv"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    let nothing = Recording::read(&run);
    assert_eq!((nothing.intervals.len(), nothing.timeline.len(), nothing.problems.len()), (0, 0, 2));
}

#[test]
fn a_window_holds_its_seconds_only() {
    let root = tempfile::tempdir().unwrap();
    let recording = Recording::read(&recorded(root.path(), &fixture::snapshots(), false));
    let all = |series: &IntervalSeries| (*series == IntervalSeries::All).then_some(());
    let count = |from: u64, to: u64| {
        let window = Window { from: Duration::from_secs(from), to: Some(Duration::from_secs(to)) };
        recording.by(all, IntervalKind::Ok, window).get(&()).map_or(0, Histogram::count)
    };
    assert_eq!((count(0, 1), count(5, 6), count(4, 7), count(0, 100)), (110, 0, 220, 1_321));
}

#[test]
fn a_run_comes_back_as_it_ended() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), false);
    let (stored, snapshot) = (StoredRun::read(&run).unwrap(), fixture::finished());
    assert_eq!(stored.problems, Vec::<String>::new());
    assert_eq!(stored.record.ended_by, Some(EndedBy::RunTime));
    let json = |record| format!("{:#}", run_json(record));
    assert_eq!(json(&stored.record), json(&fixture::record(EndedBy::RunTime, &snapshot)));
    let (read, made) = (stored.record.snapshot.history.since(0), snapshot.history.since(0));
    assert_eq!(read.len(), made.len());
    for (read, made) in read.iter().zip(&made) {
        assert_eq!(
            (read.at, read.users, read.in_flight, read.phase),
            (made.at, made.users, made.in_flight, made.phase)
        );
        let percentiles = |stats: &crate::metrics::IntervalStats| stats.ok.map(|ok| ok.percentiles_us);
        assert_eq!(percentiles(&read.total), percentiles(&made.total));
    }
}

#[test]
fn a_run_of_an_older_version_has_the_machine_of_its_run_json() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::snapshots(), false);
    let mut state: Value = serde_json::from_slice(&fs::read(run.join("state.json")).unwrap()).unwrap();
    let info = state["info"].as_object_mut().unwrap();
    for newer in ["machine", "origin", "http_version", "is_trial"] {
        info.remove(newer).unwrap();
    }
    fs::write(run.join("state.json"), state.to_string()).unwrap();
    let stored = StoredRun::read(&run).unwrap();
    assert_eq!(stored.problems, Vec::<String>::new());
    assert_eq!(stored.record.info.machine, fixture::info().machine);
    assert_eq!(stored.record.snapshot.failures.len(), fixture::finished().failures.len());
}

#[test]
fn a_killed_run_comes_back_with_all_seconds_it_wrote() {
    let root = tempfile::tempdir().unwrap();
    let mut directory = RunDirectory::create(root.path(), &fixture::info()).unwrap();
    let snapshots = fixture::snapshots();
    for snapshot in &snapshots[..13] {
        directory.update(&Arc::new(snapshot.clone())).unwrap();
    }
    let run = directory.path().to_owned();
    drop(directory);
    let last = fixture::finished();
    let stored = StoredRun::read(&run).unwrap();
    assert_eq!(stored.record.ended_by, Some(EndedBy::Unfinished));
    assert_eq!(stored.record.snapshot.total.requests, last.total.requests, "state.json is older");
    assert_eq!(
        stored.record.snapshot.total.ok.unwrap().percentiles_us,
        last.total.ok.unwrap().percentiles_us
    );
    assert_eq!(stored.record.snapshot.elapsed, last.elapsed);

    fs::remove_file(run.join("state.json")).unwrap();
    let poorer = StoredRun::read(&run).unwrap();
    assert_eq!(poorer.problems.len(), 1, "{:?}", poorer.problems);
    assert_eq!((poorer.record.info.name.as_str(), poorer.record.info.users), ("shop", 10));
    let counts = |stored: &StoredRun| -> Vec<(String, u64, u64)> {
        let endpoints = stored.record.snapshot.endpoints.iter();
        endpoints.map(|stats| (stats.name.to_string(), stats.requests, stats.failures)).collect()
    };
    assert_eq!(counts(&poorer), counts(&stored));
    fs::remove_file(run.join("latency.hlog")).unwrap();
    fs::remove_file(run.join("run.json")).unwrap();
    assert!(StoredRun::read(&run).unwrap_err().to_string().contains("is not a run directory"));
}

#[test]
fn iterations_that_were_due_come_back_and_older_files_have_none() {
    let root = tempfile::tempdir().unwrap();
    let run = recorded(root.path(), &fixture::open(), true);
    let due = |run: &Path| -> Vec<Option<u64>> {
        let stored = StoredRun::read(run).unwrap();
        assert!(stored.problems.is_empty(), "{:?}", stored.problems);
        stored.record.snapshot.history.since(0).iter().map(|point| point.iterations_planned).collect()
    };
    let written = fixture::open().pop().unwrap().history.since(0);
    assert_eq!(due(&run), written.iter().map(|point| point.iterations_planned).collect::<Vec<_>>());
    assert_eq!(due(&run)[1], Some(300));

    // As the files were before: without the last two columns.
    let file = run.join("timeline.csv");
    let text = fs::read_to_string(&file).unwrap();
    let shorter: String =
        text.lines().map(|line| format!("{}\n", line.rsplitn(3, ',').last().unwrap())).collect();
    assert!(shorter.starts_with("elapsed_s,") && shorter.lines().all(|line| !line.contains("planned")));
    fs::write(&file, shorter).unwrap();
    assert_eq!(due(&run), vec![None; 13]);
}

#[test]
fn figures_of_a_window_are_those_of_its_seconds() {
    let root = tempfile::tempdir().unwrap();
    let stored = StoredRun::read(&recorded(root.path(), &fixture::snapshots(), false)).unwrap();
    let window = Window { from: Duration::from_secs(2), to: Some(Duration::from_secs(4)) };
    let rows = stored.endpoints_in(window);
    let row = |name: &str| rows.iter().find(|stats| &*stats.name == name).unwrap();
    assert_eq!((row("/health").requests, row("/health").rate), (200, 100.0));
    assert_eq!((row("/quality/export").requests, row("/quality/export").failures), (2, 2));
    let total = rows.last().unwrap();
    assert_eq!((&*total.name, total.requests, total.failures), ("Aggregated", 222, 2));
    assert_eq!(stored.tags_in(window)[0].requests, 222);
    let whole = stored.endpoints_in(Window::default());
    assert_eq!(
        whole.last().unwrap().ok.unwrap().percentiles_us,
        stored.record.snapshot.total.ok.unwrap().percentiles_us
    );
}
