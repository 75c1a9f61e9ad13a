//! The figures of one kind of request over the whole run, and over the interval that is open.

use std::sync::Arc;
use std::time::Duration;

use super::counts::RequestCounts;
use super::histogram::{Histogram, Summary};
use super::sample::Protocol;
use super::snapshot::{EndpointStats, IntervalStats};
use super::sparse::Sparse;

#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) counts: RequestCounts<Histogram>,
    pub(super) interval: IntervalTotals,
    summaries: Option<[Option<Summary>; 3]>,
}

/// Requests of an interval; fewer than none when verdicts of earlier ones changed.
#[derive(Clone, Debug, Default)]
pub(super) struct IntervalTotals {
    pub(super) requests: i64,
    pub(super) failures: i64,
    pub(super) ok: Histogram,
}

impl Totals {
    pub(super) fn add(&mut self, delta: &RequestCounts<Sparse>) {
        self.summaries = None;
        self.counts.merge(delta);
        self.interval.requests = self.interval.requests.saturating_add_unsigned(delta.requests);
        self.interval.failures = self.interval.failures.saturating_add_unsigned(delta.failures);
        self.interval.ok.merge_sparse(&delta.ok);
    }

    pub(super) fn remove(&mut self, delta: &RequestCounts<Sparse>) {
        self.summaries = None;
        self.counts.remove(delta);
        self.interval.requests = self.interval.requests.saturating_sub_unsigned(delta.requests);
        self.interval.failures = self.interval.failures.saturating_sub_unsigned(delta.failures);
        self.interval.ok.remove_sparse(&delta.ok);
    }

    pub(super) fn take_interval(&mut self) -> IntervalTotals {
        std::mem::take(&mut self.interval)
    }

    /// Successes, failures, response time; computed when something has changed.
    pub(super) fn summaries(&mut self) -> [Option<Summary>; 3] {
        *self.summaries.get_or_insert_with(|| self.counts.summaries())
    }

    pub(super) fn stats(
        &mut self,
        protocol: Protocol,
        method: &Arc<str>,
        name: &Arc<str>,
        elapsed: Duration,
    ) -> EndpointStats {
        let counts = self.summaries();
        let counts = self.counts.figures(counts);
        EndpointStats {
            protocol,
            method: method.clone(),
            name: name.clone(),
            rate: per_second(counts.requests, elapsed),
            failure_rate: per_second(counts.failures, elapsed),
            counts,
        }
    }
}

impl IntervalTotals {
    pub(super) fn stats(&self) -> IntervalStats {
        IntervalStats { requests: self.requests, failures: self.failures, ok: self.ok.summary() }
    }
}

/// Events per second; 0 for an empty time.
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
