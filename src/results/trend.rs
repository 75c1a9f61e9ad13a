//! Many runs of a test, in the order of their time: what is read of each.
//!
//! Owns reading the headline figures. Leaves wording and charts to `report`. Invariant: a folder that is no run, or
//! cannot be read, is left out and named.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::compare::circumstances;

/// The headline of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendPoint {
    /// Name of its folder.
    pub folder: String,
    /// Name of the script.
    pub name: String,
    /// When it began; UTC, RFC 3339.
    pub started_at: String,
    /// Most virtual users it was to have; `None` for a run that does not say.
    pub users: Option<u64>,
    /// Requests.
    pub requests: u64,
    /// Requests per second over the whole run.
    pub rate: f64,
    /// Share of failed requests; `None` without a request.
    pub failed_share: Option<f64>,
    /// Service time of the successes, milliseconds: median, 95th and 99th percentile; `None` without a success.
    pub latency_ms: Option<[f64; 3]>,
    /// Whether all its thresholds held; `None` when it had none, or was cut off.
    pub passed: Option<bool>,
    /// What it was made with that the run of this test before it was not: script, load, host, machine; in words.
    pub unlike: Vec<String>,
}

/// The runs below a folder.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    /// Oldest first.
    pub points: Vec<TrendPoint>,
    /// Folders with a `run.json` that could not be read, and why.
    pub problems: Vec<String>,
}

impl Trend {
    /// Reads every run directly below `root`: of the test with this name, or of all.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub fn read(root: &Path, name: Option<&str>) -> std::io::Result<Trend> {
        let mut folders: Vec<PathBuf> = fs::read_dir(root)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join("run.json").is_file())
            .collect();
        folders.sort();
        let mut trend = Trend::default();
        let mut runs: Vec<(TrendPoint, Value, PathBuf)> = Vec::new();
        for folder in folders {
            match point(&folder) {
                Ok((point, json)) if name.is_none_or(|name| name == point.name) => {
                    runs.push((point, json, folder));
                }
                Ok(_) => {}
                Err(problem) => trend.problems.push(format!("{}: {problem}", folder.display())),
            }
        }
        // RFC 3339 in UTC sorts as text.
        runs.sort_by(|(a, ..), (b, ..)| (&a.started_at, &a.folder).cmp(&(&b.started_at, &b.folder)));
        for index in 0..runs.len() {
            let (point, json, folder) = &runs[index];
            let before = runs[..index].iter().rev().find(|(before, ..)| before.name == point.name);
            let unlike = before.map(|(_, old, place)| circumstances((old, place), (json, folder)));
            runs[index].0.unlike = unlike.unwrap_or_default();
        }
        trend.points = runs.into_iter().map(|(point, ..)| point).collect();
        Ok(trend)
    }

    /// The names of the tests, in A-Z order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.points.iter().map(|point| point.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The last runs of one test, oldest first.
    pub fn last(&self, name: &str, most: usize) -> Vec<&TrendPoint> {
        let of_name: Vec<&TrendPoint> = self.points.iter().filter(|point| point.name == name).collect();
        of_name[of_name.len().saturating_sub(most)..].to_vec()
    }
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
        requests: total["requests"].as_u64().ok_or("run.json has no total.requests")?,
        rate: total["rate"].as_f64().unwrap_or(0.0),
        failed_share: total["failed_share"].as_f64(),
        latency_ms: latency,
        passed: passed(&json),
        unlike: Vec::new(),
    };
    Ok((point, json))
}

/// Whether all thresholds held, of a run that came to its end.
fn passed(json: &Value) -> Option<bool> {
    let thresholds =
        json["thresholds"].as_array().filter(|all| !all.is_empty() && !json["ended_by"].is_null())?;
    Some(thresholds.iter().all(|threshold| threshold["ok"] == true))
}
