//! Many runs of a test in chronological order, with the headline figures of each.
//!
//! Owns reading the headline figures. Leaves wording and charts to `report`. Invariant: a directory that is not a run, or
//! cannot be read, is skipped and reported.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::directory::script_part;
use super::last_run::begun;
use super::measured_run::script_hash;
use crate::analysis::{RunFacts, TrendPoint, circumstances};

/// The runs in a directory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Trend {
    /// Oldest first.
    pub points: Vec<TrendPoint>,
    /// Directories with a `run.json` that could not be read, and why.
    pub problems: Vec<String>,
}

impl Trend {
    /// Reads every run directly below `root`: of the test with this name, or of all tests. Runs with `--once` are skipped.
    ///
    /// # Errors
    /// If the directory itself cannot be read.
    pub fn read(root: &Path, name: Option<&str>) -> std::io::Result<Trend> {
        let mut trend = Trend::default();
        let mut runs = Vec::new();
        for folder in run_folders(root)? {
            match Run::read(folder) {
                Ok(run) if run.is_trial() || name.is_some_and(|name| name != run.point.name) => {}
                Ok(run) => runs.push(run),
                Err(problem) => trend.problems.push(problem),
            }
        }
        trend.points = in_order(runs);
        Ok(trend)
    }

    /// The last runs of the same test, profile and load beside a run and up to it, oldest first; it is the last of them. What cannot be
    /// read, or is in a folder that is not called as runs are, is left out.
    pub fn up_to(folder: &Path, most: usize) -> Vec<TrendPoint> {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Ok(run) = Run::read(folder) else { return Vec::new() };
        if run.is_trial() {
            return vec![run.point];
        }
        let root = run.folder.parent().unwrap_or(Path::new(""));
        let mut others = run_folders(root).unwrap_or_default();
        // Names begin with the time, so that the newest runs are found without reading all of them.
        let end = format!("_{}", script_part(&run.point.name));
        others.retain(|other| other.file_name().is_some_and(|name| name.to_string_lossy().contains(&end)));
        let mut runs = vec![run];
        for other in others.into_iter().rev().filter(|other| *other != runs[0].folder).collect::<Vec<_>>() {
            if runs.len() >= most {
                break;
            }
            let this = &runs[0].point;
            let is_earlier = |other: &Run| {
                (&other.point.started_at, &other.point.folder) < (&this.started_at, &this.folder)
            };
            let read = Run::read(other).ok();
            runs.extend(
                read.filter(|other| other.point.is_alike(this) && !other.is_trial() && is_earlier(other)),
            );
        }
        in_order(runs)
    }

    /// Leaves only the test of the run that is so many before the last one, up to that run.
    ///
    /// # Errors
    /// If there are not so many runs, with how many there are.
    pub fn keep_test_of_last(&mut self, back: usize) -> Result<(), usize> {
        let count = self.points.len();
        let last = count.checked_sub(back + 1).ok_or(count)?;
        self.points.truncate(last + 1);
        if let Some(name) = self.points.last().map(|point| point.name.clone()) {
            self.points.retain(|point| point.name == name);
        }
        Ok(())
    }

    /// The last runs of each test, oldest first, a group for each profile and load: figures under different loads have
    /// no line in common. Tests are in A-Z order; a group has the name of its test, and its load where there are several.
    pub fn groups(&self, most: usize) -> Vec<(String, Vec<&TrendPoint>)> {
        let mut groups: Vec<Vec<&TrendPoint>> = Vec::new();
        for point in &self.points {
            match groups.iter_mut().find(|group| group[0].is_alike(point)) {
                Some(group) => group.push(point),
                None => groups.push(vec![point]),
            }
        }
        // In a test the load that was run first comes first: sorting is stable.
        groups.sort_by(|a, b| a[0].name.cmp(&b[0].name));
        let title = |group: &[&TrendPoint]| {
            let name = &group[0].name;
            let is_alone = groups.iter().filter(|other| other[0].name == *name).count() == 1;
            let load = Some(group[0].load()).filter(|load| !is_alone && !load.is_empty());
            load.map_or_else(|| name.clone(), |load| format!("{name}, {load}"))
        };
        let last = |length: usize| length.saturating_sub(most)..;
        groups.iter().map(|group| (title(group), group[last(group.len())].to_vec())).collect()
    }
}

/// A run with what it is compared by.
struct Run {
    point: TrendPoint,
    json: Value,
    script: Option<u64>,
    folder: PathBuf,
}

impl Run {
    fn read(folder: PathBuf) -> Result<Run, String> {
        match point(&folder) {
            Ok((point, json)) => Ok(Run { point, json, script: script_hash(&folder), folder }),
            Err(problem) => Err(format!("{}: {problem}", folder.display())),
        }
    }

    fn facts(&self) -> RunFacts<'_> {
        RunFacts { json: &self.json, script: self.script }
    }

    /// One iteration to try a script out says nothing about a service.
    fn is_trial(&self) -> bool {
        self.json.pointer("/settings/once") == Some(&Value::Bool(true))
    }
}

/// The folders of runs directly below one, by their names.
pub(super) fn run_folders(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root)?.flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("run.json").is_file()).collect();
    folders.sort();
    Ok(folders)
}

/// The points of the runs by their time, each with what it has not in common with the run of its test, profile and load
/// before it.
fn in_order(mut runs: Vec<Run>) -> Vec<TrendPoint> {
    // RFC 3339 in UTC sorts as text.
    runs.sort_by_cached_key(|run| {
        (run.point.started_at.clone(), begun(&run.folder), run.point.folder.clone())
    });
    for index in 0..runs.len() {
        let (run, earlier) = (&runs[index], &runs[..index]);
        let before = earlier.iter().rev().find(|before| before.point.is_alike(&run.point));
        let unlike = before.map(|old| circumstances(old.facts(), run.facts()));
        runs[index].point.unlike = unlike.unwrap_or_default();
    }
    runs.into_iter().map(|run| run.point).collect()
}

fn point(folder: &Path) -> Result<(TrendPoint, Value), String> {
    let text = fs::read(folder.join("run.json")).map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let total = &json["total"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let latency = |key: &str| total["latency_ms"][key].as_f64();
    let latency = match (latency("p50"), latency("p95"), latency("p99")) {
        (Some(p50), Some(p95), Some(p99)) => Some([p50, p95, p99]),
        _ => None,
    };
    let point = TrendPoint {
        folder: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        name: text(&json["name"]),
        started_at: text(&json["started_at"]),
        users: json["settings"]["users"].as_u64(),
        users_max: json.pointer("/metrics/vus_max/values/value").and_then(Value::as_u64),
        planned: (json["settings"]["run_time_s"].as_f64(), json["settings"]["iterations"].as_u64()),
        profile: json.pointer("/origin/profile").and_then(Value::as_str).map(str::to_owned),
        report: None,
        requests: total["requests"].as_u64().ok_or("run.json has no total.requests")?,
        rate: total["rate"].as_f64().unwrap_or(0.0),
        failed_share: total["failed_share"].as_f64(),
        latency_ms: latency,
        passed: passed(&json),
        commit: json.pointer("/origin/commit/hash").and_then(Value::as_str).map(str::to_owned),
        unlike: Vec::new(),
    };
    Ok((point, json))
}

/// Whether a run that came to its end passed, if it had thresholds or failed without any.
fn passed(json: &Value) -> Option<bool> {
    if json.pointer("/verdict/passed") == Some(&Value::Bool(false)) {
        return Some(false);
    }
    let thresholds =
        json["thresholds"].as_array().filter(|all| !all.is_empty() && !json["ended_by"].is_null())?;
    Some(thresholds.iter().all(|threshold| threshold["ok"] == true))
}
