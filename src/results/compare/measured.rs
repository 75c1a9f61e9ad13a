//! A stored run as a comparison sees it: its facts, and its endpoints second by second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::RunName;
use crate::metrics::{IntervalKind, IntervalSeries};
use crate::results::recording::Recording;

/// Name of the row of all requests together.
const AGGREGATED: &str = "Aggregated";

/// Steady seconds that make it worth leaving the ramps out.
const LEAST_STEADY: usize = 10;

/// Why a folder is no stored run.
#[derive(Debug, thiserror::Error)]
pub enum StoredRunError {
    /// `run.json` is missing or cannot be read.
    #[error("{} is no folder of a run: cannot read its run.json: {source} (rhaid run makes such folders below performance/results)", .folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `run.json` is not JSON.
    #[error("{}: {source}", .path.display())]
    NoJson {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
}

/// See the module's description.
pub(super) struct MeasuredRun {
    pub(super) folder: PathBuf,
    pub(super) json: Value,
    recording: Recording,
}

/// An endpoint's intervals, in order; those without requests too.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoint {
    pub(super) seconds: Vec<Second>,
}

/// One interval of an endpoint: about a second, or a few of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    pub(super) length_s: f64,
    pub(super) requests: i64,
    pub(super) failures: i64,
    /// Service times of the successes: microseconds and how often. Taken back ones are negative.
    pub(super) ok: Vec<(u64, i64)>,
}

/// Method and name; the total has an empty method.
pub(super) type Key = (String, String);

impl MeasuredRun {
    pub(super) fn read(folder: &Path) -> Result<MeasuredRun, StoredRunError> {
        let path = folder.join("run.json");
        let text = std::fs::read(&path)
            .map_err(|source| StoredRunError::Unreadable { folder: folder.to_owned(), source })?;
        let json = serde_json::from_slice(&text).map_err(|source| StoredRunError::NoJson { path, source })?;
        Ok(MeasuredRun { folder: folder.to_owned(), json, recording: Recording::read(folder) })
    }

    pub(super) fn name(&self) -> RunName {
        // `.` and `..` have no name of their own.
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        RunName {
            folder: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            started_at: self.json["started_at"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// What the recording lacks, in words.
    pub(super) fn problems(&self) -> &[String] {
        &self.recording.problems
    }

    pub(super) fn has_steady_phase(&self) -> bool {
        self.recording.timeline.iter().filter(|row| row.phase == "steady").count() >= LEAST_STEADY
    }

    /// Begin and end of the steady phase.
    fn steady(&self) -> Option<(Duration, Duration)> {
        let mut steady = self.recording.timeline.iter().filter(|row| row.phase == "steady");
        let first = steady.next()?;
        let last = steady.next_back().unwrap_or(first);
        Some((first.at.saturating_sub(first.length), last.at))
    }

    /// All endpoints and the total.
    pub(super) fn endpoints(&self, steady_only: bool) -> BTreeMap<Key, Endpoint> {
        let within = if steady_only { self.steady() } else { None };
        let is_within = |from: Duration, to: Duration| {
            let middle = from + to.saturating_sub(from) / 2;
            within.is_none_or(|(begin, end)| middle >= begin && middle < end)
        };
        let intervals: Vec<_> = self
            .recording
            .intervals
            .iter()
            .filter(|interval| is_within(interval.from, interval.to))
            .collect();
        let mut endpoints = BTreeMap::new();
        // Of the total, and of endpoints: the log may hold them in intervals of different length.
        for is_total in [true, false] {
            let of_interest = |series: &IntervalSeries| match series {
                IntervalSeries::All => is_total.then(|| (String::new(), AGGREGATED.to_owned())),
                IntervalSeries::Requests { method, name, .. } => {
                    (!is_total).then(|| (method.to_string(), name.to_string()))
                }
                _ => None,
            };
            let with_any: Vec<_> = intervals
                .iter()
                .filter(|interval| interval.histograms.keys().any(|key| of_interest(&key.series).is_some()))
                .collect();
            for (index, interval) in with_any.iter().enumerate() {
                for (key, values) in &interval.histograms {
                    let Some(name) = of_interest(&key.series) else { continue };
                    let sign = if key.taken_back { -1 } else { 1 };
                    let count = values.count() as i64 * sign;
                    let endpoint: &mut Endpoint = endpoints.entry(name).or_default();
                    endpoint.seconds.resize_with(with_any.len(), Second::default);
                    let second = &mut endpoint.seconds[index];
                    match key.kind {
                        IntervalKind::Ok => {
                            second.requests += count;
                            second.ok.extend(values.values().map(|(value, n)| (value, n as i64 * sign)));
                        }
                        IntervalKind::Failed => {
                            second.requests += count;
                            second.failures += count;
                        }
                        IntervalKind::Response | IntervalKind::Duration | IntervalKind::Lag => {}
                    }
                }
            }
            for (key, endpoint) in &mut endpoints {
                if key.0.is_empty() == is_total {
                    for (second, interval) in endpoint.seconds.iter_mut().zip(&with_any) {
                        second.length_s = interval.to.saturating_sub(interval.from).as_secs_f64();
                    }
                }
            }
        }
        endpoints
    }
}
