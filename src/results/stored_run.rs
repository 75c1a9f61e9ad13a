//! A run read back from its directory, as completely as its files allow.
//!
//! Owns the fallbacks for missing files. Leaves file formats to their own modules. Invariant: the snapshot of a
//! run that ended is the one it ended with; of a run that was killed, its counts and latencies are those of
//! the histogram log, which is newer than the rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;
use serde_json::Value;

use super::recording::{Recording, Window};
use super::resources_file::read_resources;
use super::state_file::{self, read_state};
use super::timeline_file::TimelineRow;
use crate::metrics::{
    Aggregator, EndpointStats, GeneratorPoint, Histogram, History, HistoryPoint, IntervalHistograms,
    IntervalKey, IntervalKind, IntervalSeries, IntervalStats, Phase, PhaseSpan, RequestCounts, Snapshot,
    TotalsSoFar,
};
use crate::plan::{Commit, EndedBy, FailsOn, Machine, Origin, RunInfo, RunRecord, Terminals};

/// See the module's description.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredRun {
    /// Its directory.
    pub folder: PathBuf,
    /// What was run, how it ended, and its figures with the history of its seconds.
    pub record: RunRecord,
    /// The histograms of its intervals.
    pub recording: Recording,
    /// What was missing or could not be read, as sentences.
    pub problems: Vec<String>,
}

/// A directory is not a run directory.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a run directory: it has no {}, run.json or latency.hlog; runs are stored in performance/results/", .0.display(), state_file::NAME)]
pub struct NoRun(PathBuf);

impl StoredRun {
    /// Reads a run directory. Missing or damaged parts are listed in `problems`.
    ///
    /// # Errors
    /// When the folder holds nothing of a run.
    pub fn read(folder: &Path) -> Result<StoredRun, NoRun> {
        let is_run =
            [state_file::NAME, "run.json", "latency.hlog"].iter().any(|name| folder.join(name).is_file());
        if !is_run {
            return Err(NoRun(folder.to_owned()));
        }
        let mut recording = Recording::read(folder);
        let mut problems = std::mem::take(&mut recording.problems);
        let (info, ended_by, mut snapshot, (regression, incomplete), is_whole) = match read_state(folder) {
            Ok(state) => {
                if state.version != env!("CARGO_PKG_VERSION") {
                    problems.push(format!("the run was recorded by version {}", state.version));
                }
                let is_whole = state.ended_by.is_some();
                let mut info = state.info;
                if info.machine == Machine::default() {
                    // An older version kept it in run.json only.
                    info.machine = machine(&run_json(folder)["machine"]);
                }
                let ended_by = state.ended_by.unwrap_or(EndedBy::Unfinished);
                (info, ended_by, state.snapshot, (state.regression, state.incomplete), is_whole)
            }
            Err(problem) => {
                problems.push(format!(
                    "{problem}; figures come from latency.hlog, without failures, checks and script errors"
                ));
                let info = facts(folder, recording.started_at);
                let started_at = recording.started_at.unwrap_or(info.started_at);
                (info, EndedBy::Unfinished, empty(started_at), (None, None), false)
            }
        };
        snapshot.history = history(&recording);
        // A run that watched nothing has no such file.
        if let Ok(samples) = read_resources(&folder.join("resources.csv")) {
            samples.into_iter().for_each(|sample| snapshot.resources.add(sample));
        }
        if !is_whole {
            refresh(&mut snapshot, &recording);
        }
        let record = RunRecord { regression, incomplete, ..RunRecord::new(info, ended_by, snapshot) };
        Ok(StoredRun { folder: folder.to_owned(), record, recording, problems })
    }

    /// Figures of the endpoints in a part of the run, sorted as in the snapshot; the total is last. Bytes,
    /// statuses and phases are not recorded by the second and stay empty.
    pub fn endpoints_in(&self, window: Window) -> Vec<EndpointStats> {
        let end = window.to.unwrap_or(self.record.snapshot.elapsed).min(self.record.snapshot.elapsed);
        let time = end.saturating_sub(window.from);
        let mut rows = grouped(&self.recording, window, time, |series| match series {
            IntervalSeries::Requests { method, name, .. } => Some((name.clone(), method.clone())),
            _ => None,
        });
        rows.extend(grouped(&self.recording, window, time, all));
        rows
    }

    /// Figures of the tags in a part of the run: the method is the tag's key, the name its value.
    pub fn tags_in(&self, window: Window) -> Vec<EndpointStats> {
        let end = window.to.unwrap_or(self.record.snapshot.elapsed).min(self.record.snapshot.elapsed);
        grouped(&self.recording, window, end.saturating_sub(window.from), |series| match series {
            IntervalSeries::Tag { key, value } => Some((value.clone(), key.clone())),
            _ => None,
        })
    }
}

fn all(series: &IntervalSeries) -> Option<(Arc<str>, Arc<str>)> {
    (*series == IntervalSeries::All).then(|| ("Aggregated".into(), "".into()))
}

/// Figures by (name, method).
fn grouped(
    recording: &Recording,
    window: Window,
    time: Duration,
    group: impl Fn(&IntervalSeries) -> Option<(Arc<str>, Arc<str>)>,
) -> Vec<EndpointStats> {
    let of = |kind| recording.by(&group, kind, window);
    let (ok, failed, response) = (of(IntervalKind::Ok), of(IntervalKind::Failed), of(IntervalKind::Response));
    let rate = |count: u64| if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() };
    let count = |histogram: Option<&Histogram>| histogram.map_or(0, Histogram::count);
    let summary = |histogram: Option<&Histogram>| histogram.and_then(Histogram::summary);
    // Response times are there for both, so they name every group.
    response
        .iter()
        .map(|(key, times)| {
            let (ok, failed) = (ok.get(key), failed.get(key));
            let failures = count(failed);
            let requests = count(ok) + failures;
            let (ok, failed, response) = (summary(ok), summary(failed), times.summary());
            EndpointStats {
                method: key.1.clone(),
                name: key.0.clone(),
                counts: RequestCounts {
                    requests,
                    failures,
                    ok,
                    failed,
                    response,
                    ..RequestCounts::default()
                },
                rate: rate(requests),
                failure_rate: rate(failures),
                ..EndpointStats::default()
            }
        })
        .filter(|stats| stats.requests > 0)
        .collect()
}

/// Brings counts and latencies up to what the log has.
fn refresh(snapshot: &mut Snapshot, recording: &Recording) {
    let ends = recording.intervals.iter().map(|interval| interval.to);
    let end = ends.chain(recording.timeline.iter().map(|row| row.at)).max().unwrap_or_default();
    snapshot.elapsed = snapshot.elapsed.max(end);
    let window = Window::default();
    let endpoints = grouped(recording, window, snapshot.elapsed, |series| match series {
        IntervalSeries::Requests { method, name, .. } => Some((name.clone(), method.clone())),
        _ => None,
    });
    let mut known: HashMap<(Arc<str>, Arc<str>), EndpointStats> = std::mem::take(&mut snapshot.endpoints)
        .into_iter()
        .map(|stats| ((stats.method.clone(), stats.name.clone()), stats))
        .collect();
    for newer in endpoints {
        let older = known.remove(&(newer.method.clone(), newer.name.clone()));
        snapshot.endpoints.push(newest(older, newer));
    }
    snapshot.endpoints.extend(known.into_values());
    snapshot.endpoints.sort_by(|a, b| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
    if let Some(total) = grouped(recording, window, snapshot.elapsed, all).pop() {
        snapshot.total = newest(Some(snapshot.total.clone()), total);
    }
    extend_spans(&mut snapshot.spans, &recording.timeline);
    let users = recording.timeline.iter().map(|row| row.users_peak.unwrap_or(row.users)).max();
    snapshot.users_max = snapshot.users_max.max(users.unwrap_or(0));
}

/// Phases and stages that began after the state was written, to the second.
fn extend_spans(spans: &mut Vec<PhaseSpan>, timeline: &[TimelineRow]) {
    for row in timeline {
        let begin = row.at.saturating_sub(row.length);
        let phase = Phase::from_word(&row.phase).unwrap_or(Phase::Steady);
        let stage: Option<Arc<str>> = row.stage.as_deref().map(Arc::from);
        if let Some(last) = spans.last_mut() {
            // What lies before it is known to the moment.
            let is_known = begin < last.from || last.to.is_some_and(|to| row.at <= to);
            if is_known || (last.phase == phase && last.stage == stage) {
                continue;
            }
            last.to.get_or_insert(begin);
        }
        spans.push(PhaseSpan { phase, stage, from: begin, to: None });
    }
}

/// What the log has, with the rest of what the state had.
fn newest(older: Option<EndpointStats>, newer: EndpointStats) -> EndpointStats {
    match older {
        Some(older) if older.requests > newer.requests => older,
        Some(EndpointStats { protocol, counts: older, .. }) => {
            let RequestCounts { phase_us, bytes_sent, bytes_received, statuses, .. } = older;
            let counts = RequestCounts { phase_us, bytes_sent, bytes_received, statuses, ..newer.counts };
            EndpointStats { protocol, counts, ..newer }
        }
        None => newer,
    }
}

/// The seconds of the run, from the timeline and the log.
fn history(recording: &Recording) -> History {
    let milliseconds = |time: Duration| time.as_millis();
    let by_end: HashMap<u128, &IntervalHistograms> = recording
        .intervals
        .iter()
        .filter(|interval| interval.histograms.keys().any(|key| key.series == IntervalSeries::All))
        .map(|interval| (milliseconds(interval.to), interval))
        .collect();
    let mut history = History::default();
    let mut so_far = TotalsSoFar::default();
    for row in &recording.timeline {
        let ok = by_end.get(&milliseconds(row.at)).map(|interval| successes(interval)).unwrap_or_default();
        so_far.requests = so_far.requests.saturating_add_signed(row.requests);
        so_far.failures = so_far.failures.saturating_add_signed(row.failures);
        history.push(point(row, &ok, so_far.clone()));
    }
    history
}

fn successes(interval: &IntervalHistograms) -> Histogram {
    let part = |taken_back| {
        let key = IntervalKey { series: IntervalSeries::All, kind: IntervalKind::Ok, taken_back };
        interval.histograms.get(&key)
    };
    let mut histogram = Histogram::new();
    if let Some(values) = part(false) {
        histogram.merge_sparse(values);
    }
    if let Some(values) = part(true) {
        histogram.remove_sparse(values);
    }
    histogram
}

fn point(row: &TimelineRow, ok: &Histogram, so_far: TotalsSoFar) -> HistoryPoint {
    HistoryPoint {
        at: row.at,
        length: row.length,
        phase: Phase::from_word(&row.phase).unwrap_or(Phase::Steady),
        stage: row.stage.as_deref().map(Arc::from),
        users: row.users,
        users_peak: row.users_peak.unwrap_or(row.users),
        users_target: row.users_target,
        in_flight: row.in_flight,
        iterations_planned: row.iterations_planned,
        // What the timeline does not hold.
        iterations_started: 0,
        dropped_iterations: 0,
        generator: GeneratorPoint::default(),
        total: IntervalStats { requests: row.requests, failures: row.failures, ok: ok.summary() },
        endpoints: Vec::new(),
        so_far,
    }
}

/// A snapshot without any figure.
fn empty(started_at: SystemTime) -> Snapshot {
    Aggregator::new(0, started_at).preview(crate::metrics::Tick::idle(Phase::Done))
}

/// The facts that `run.json` has, or the folder's name.
fn facts(folder: &Path, started_at: Option<SystemTime>) -> RunInfo {
    let json = run_json(folder);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split_once('_').map_or(&*name, |(_, name)| name);
    let settings = &json["settings"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let seconds = |value: &Value| Duration::try_from_secs_f64(value.as_f64()?).ok();
    let moment = json["started_at"].as_str().and_then(|text| humantime::parse_rfc3339(text).ok());
    RunInfo {
        name: text(&json["name"]).unwrap_or_else(|| name.to_owned()),
        script: text(&json["script"]).map(PathBuf::from).unwrap_or_default(),
        files: Vec::new(),
        host: text(&settings["host"]),
        users: settings["users"].as_u64().unwrap_or(0),
        spawn_rate: settings["spawn_rate"].as_f64().unwrap_or(0.0),
        run_time: seconds(&settings["run_time_s"]),
        iterations: settings["iterations"].as_u64(),
        stop_timeout: seconds(&settings["stop_timeout_s"]).unwrap_or_default(),
        seed: settings["seed"].as_u64().unwrap_or(0),
        threads: settings["threads"].as_u64().map_or(0, |threads| threads as usize),
        scenarios: Vec::new(),
        executors: Vec::new(),
        planned: None,
        params: Vec::new(),
        started_at: moment.or(started_at).unwrap_or(SystemTime::UNIX_EPOCH),
        is_trial: settings["once"] == true,
        fails_on: FailsOn {
            errors: settings["fails_on_errors"] == true,
            regressions: settings["fails_on_regressions"] == true,
        },
        http_version: text(&settings["http_version"]).unwrap_or_default(),
        machine: machine(&json["machine"]),
        origin: origin(&json["origin"]),
        terminals: Terminals {
            stdout: json["state"]["isStdOutTTY"] == true,
            stderr: json["state"]["isStdErrTTY"] == true,
        },
    }
}

/// The run's `run.json`; null when there is none that can be read.
fn run_json(folder: &Path) -> Value {
    let bytes = std::fs::read(folder.join("run.json")).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn machine(json: &Value) -> Machine {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    Machine {
        os: text("os").unwrap_or_default(),
        os_version: text("os_version"),
        arch: text("arch").unwrap_or_default(),
        cores: json["cores"].as_u64().map_or(0, |cores| cores as usize),
        cpu: text("cpu"),
        memory_bytes: json["memory_bytes"].as_u64(),
    }
}

fn origin(json: &Value) -> Origin {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |key: &str| json[key].as_array().into_iter().flatten().filter_map(text).collect();
    let commit = &json["commit"];
    Origin {
        command: texts("command"),
        commit: text(&commit["hash"]).map(|hash| Commit {
            hash,
            branch: text(&commit["branch"]),
            has_changes: commit["has_changes"].as_bool(),
        }),
        label: text(&json["label"]),
        notes: texts("notes"),
        profile: text(&json["profile"]),
    }
}
