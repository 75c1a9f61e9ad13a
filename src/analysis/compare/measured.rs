//! A stored run as a comparison sees it: its facts, and its endpoints second by second.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{RunFacts, RunName};
use crate::metrics::{IntervalHistograms, IntervalKind, IntervalSeries};

/// Name of the row of all requests together.
const AGGREGATED: &str = "Aggregated";

/// Steady seconds that make it worth leaving the ramps out.
const LEAST_STEADY: usize = 10;

/// See the module's description.
pub(crate) struct MeasuredRun {
    pub(crate) name: RunName,
    /// Its `run.json`.
    pub(crate) json: Value,
    /// See [`RunFacts::script`].
    pub(crate) script: Option<u64>,
    /// Begin, end and length in intervals of the steady phase.
    pub(crate) steady: Option<(Duration, Duration, usize)>,
    pub(crate) intervals: Vec<IntervalHistograms>,
    /// What its files lack, as sentences.
    pub(crate) problems: Vec<String>,
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
    pub(super) fn facts(&self) -> RunFacts<'_> {
        RunFacts { json: &self.json, script: self.script }
    }

    pub(super) fn has_steady_phase(&self) -> bool {
        self.steady.is_some_and(|(_, _, intervals)| intervals >= LEAST_STEADY)
    }

    /// All endpoints and the total.
    pub(super) fn endpoints(&self, steady_only: bool) -> BTreeMap<Key, Endpoint> {
        let within = self.steady.filter(|_| steady_only);
        let is_within = |from: Duration, to: Duration| {
            let middle = from + to.saturating_sub(from) / 2;
            within.is_none_or(|(begin, end, _)| middle >= begin && middle < end)
        };
        let intervals: Vec<_> =
            self.intervals.iter().filter(|interval| is_within(interval.from, interval.to)).collect();
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
