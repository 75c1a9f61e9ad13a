//! Iterations by scenario: counted on a worker thread, merged into the figures of the run.
//!
//! Invariant: an iteration that was started ends up in exactly one of completed, failed and interrupted; one
//! that was dropped was never started.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::sample::{IterationEnd, micros};

use super::snapshot::IterationStats;
use super::sparse::Sparse;

/// The iterations of a worker thread since they were last taken.
#[derive(Debug, Default)]
pub(super) struct IterationRecorder {
    /// A run has few scenarios, so finding one is a short walk.
    scenarios: Vec<Counts>,
}

#[derive(Debug)]
struct Counts {
    scenario: Arc<str>,
    started: u64,
    completed: u64,
    failed: u64,
    interrupted: u64,
    dropped: u64,
    duration: Histogram,
    lag: Histogram,
    response: Histogram,
}

/// One interval of the iterations of a scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IterationDelta {
    pub(crate) scenario: Arc<str>,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) interrupted: u64,
    pub(crate) dropped: u64,
    pub(crate) duration: Sparse,
    pub(crate) lag: Sparse,
    pub(crate) response: Sparse,
}

impl IterationDelta {
    pub(super) fn is_sound(&self) -> bool {
        [&self.duration, &self.lag, &self.response].into_iter().all(Sparse::is_sound)
    }
}

impl IterationRecorder {
    fn of(&mut self, scenario: &Arc<str>) -> &mut Counts {
        let known = self
            .scenarios
            .iter()
            .position(|counts| Arc::ptr_eq(&counts.scenario, scenario) || counts.scenario == *scenario);
        let index = known.unwrap_or_else(|| {
            self.scenarios.push(Counts {
                scenario: scenario.clone(),
                started: 0,
                completed: 0,
                failed: 0,
                interrupted: 0,
                dropped: 0,
                duration: Histogram::new(),
                lag: Histogram::new(),
                response: Histogram::new(),
            });
            self.scenarios.len() - 1
        });
        &mut self.scenarios[index]
    }

    pub(super) fn started(&mut self, scenario: &Arc<str>) {
        self.of(scenario).started += 1;
    }

    pub(super) fn dropped(&mut self, scenario: &Arc<str>, count: u64) {
        self.of(scenario).dropped += count;
    }

    pub(super) fn ended(
        &mut self,
        scenario: &Arc<str>,
        end: IterationEnd,
        duration: Duration,
        lag: Duration,
    ) {
        let counts = self.of(scenario);
        match end {
            IterationEnd::Completed => counts.completed += 1,
            IterationEnd::Failed => counts.failed += 1,
            IterationEnd::Interrupted => {
                counts.interrupted += 1;
                return;
            }
        }
        counts.duration.record(micros(duration));
        counts.lag.record(micros(lag));
        counts.response.record(micros(lag + duration));
    }

    pub(super) fn take(&mut self) -> Vec<IterationDelta> {
        let take = |counts: &mut Counts| IterationDelta {
            scenario: counts.scenario.clone(),
            started: std::mem::take(&mut counts.started),
            completed: std::mem::take(&mut counts.completed),
            failed: std::mem::take(&mut counts.failed),
            interrupted: std::mem::take(&mut counts.interrupted),
            dropped: std::mem::take(&mut counts.dropped),
            duration: counts.duration.take_sparse(),
            lag: counts.lag.take_sparse(),
            response: counts.response.take_sparse(),
        };
        self.scenarios.iter_mut().map(take).collect()
    }
}

/// The iterations of a run, or of one of its scenarios.
#[derive(Clone, Debug, Default)]
pub(super) struct IterationTotals {
    counts: IterationStats,
    duration: Histogram,
    lag: Histogram,
    response: Histogram,
}

impl IterationTotals {
    pub(super) fn add(&mut self, delta: &IterationDelta) {
        let sums = &mut self.counts;
        for (sum, more) in [
            (&mut sums.started, delta.started),
            (&mut sums.completed, delta.completed),
            (&mut sums.failed, delta.failed),
            (&mut sums.interrupted, delta.interrupted),
            (&mut sums.dropped, delta.dropped),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.duration.merge_sparse(&delta.duration);
        self.lag.merge_sparse(&delta.lag);
        self.response.merge_sparse(&delta.response);
    }

    pub(super) fn add_dropped(&mut self, count: u64) {
        self.counts.dropped += count;
    }

    /// Iterations that were started so far, and those that never will be.
    pub(super) fn begun_and_dropped(&self) -> (u64, u64) {
        (self.counts.started, self.counts.dropped)
    }

    /// The figures; `planned` is how many were due so far, where that is known.
    pub(super) fn stats(&self, planned: Option<u64>) -> IterationStats {
        IterationStats {
            planned,
            duration: self.duration.summary(),
            lag: self.lag.summary(),
            response: self.response.summary(),
            ..self.counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_iterations_are_counted_and_have_no_time() {
        let (scenario, mut recorder): (Arc<str>, _) = ("s".into(), IterationRecorder::default());
        for end in [IterationEnd::Completed, IterationEnd::Failed, IterationEnd::Interrupted] {
            recorder.started(&scenario);
            recorder.ended(&scenario, end, Duration::from_millis(20), Duration::from_millis(30));
        }
        recorder.dropped(&scenario, 4);
        let mut totals = IterationTotals::default();
        recorder.take().iter().for_each(|delta| totals.add(delta));
        let stats = totals.stats(Some(7));
        assert_eq!((stats.started, stats.dropped, stats.planned), (3, 4, Some(7)));
        assert_eq!((stats.completed, stats.failed, stats.interrupted), (1, 1, 1));
        assert_eq!(stats.duration.unwrap().count, 2);
        assert_eq!(stats.response.unwrap().max_us, 50_000, "from when it was due");
    }
}
