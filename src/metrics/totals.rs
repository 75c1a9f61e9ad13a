//! The figures of one kind of request over the whole run, and over the interval that is open.

use std::sync::Arc;
use std::time::Duration;

use super::delta::SeriesDelta;
use super::histogram::{Histogram, Summary};
use super::series_counts::PHASES;
use super::snapshot::{EndpointStats, IntervalStats};
use super::sparse::Sparse;

#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) ok: Histogram,
    failed: Histogram,
    response: Histogram,
    phase_us: [u64; PHASES.len()],
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    statuses: Vec<(u16, u64)>,
    pub(super) interval: IntervalTotals,
    summaries: Option<[Option<Summary>; 3]>,
}

#[derive(Debug, Default)]
pub(super) struct IntervalTotals {
    pub(super) requests: i64,
    pub(super) failures: i64,
    pub(super) ok: Histogram,
}

impl Totals {
    pub(super) fn add(&mut self, delta: &SeriesDelta) {
        self.summaries = None;
        self.requests += delta.requests;
        self.failures += delta.failures;
        self.ok.merge_sparse(&delta.ok);
        self.failed.merge_sparse(&delta.failed);
        self.response.merge_sparse(&delta.response);
        for (sum, part) in self.phase_us.iter_mut().zip(&delta.phase_us) {
            *sum += part;
        }
        self.bytes_sent += delta.bytes_sent;
        self.bytes_received += delta.bytes_received;
        for &(status, count) in &delta.statuses {
            self.add_status(status, count as i64);
        }
        self.interval.requests += delta.requests as i64;
        self.interval.failures += delta.failures as i64;
        self.interval.add(&delta.ok);
    }

    pub(super) fn remove(&mut self, delta: &SeriesDelta) {
        self.summaries = None;
        self.requests -= delta.requests;
        self.failures -= delta.failures;
        self.ok.remove_sparse(&delta.ok);
        self.failed.remove_sparse(&delta.failed);
        self.response.remove_sparse(&delta.response);
        for (sum, part) in self.phase_us.iter_mut().zip(&delta.phase_us) {
            *sum -= part;
        }
        self.bytes_sent -= delta.bytes_sent;
        self.bytes_received -= delta.bytes_received;
        for &(status, count) in &delta.statuses {
            self.add_status(status, -(count as i64));
        }
        self.interval.requests -= delta.requests as i64;
        self.interval.failures -= delta.failures as i64;
        self.interval.ok.remove_sparse(&delta.ok);
    }

    fn add_status(&mut self, status: u16, count: i64) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, sum)) => *sum = sum.saturating_add_signed(count),
            None => self.statuses.push((status, count.max(0) as u64)),
        }
    }

    pub(super) fn take_interval(&mut self) -> IntervalStats {
        let interval = std::mem::take(&mut self.interval);
        IntervalStats { requests: interval.requests, failures: interval.failures, ok: interval.ok.summary() }
    }

    /// Successes, failures, response time; computed when something has changed.
    pub(super) fn summaries(&mut self) -> [Option<Summary>; 3] {
        *self
            .summaries
            .get_or_insert_with(|| [self.ok.summary(), self.failed.summary(), self.response.summary()])
    }

    pub(super) fn stats(&mut self, method: &Arc<str>, name: &Arc<str>, elapsed: Duration) -> EndpointStats {
        let [ok, failed, response] = self.summaries();
        let mut statuses = self.statuses.clone();
        statuses.retain(|&(_, count)| count > 0);
        statuses.sort_unstable();
        EndpointStats {
            method: method.clone(),
            name: name.clone(),
            requests: self.requests,
            failures: self.failures,
            ok,
            failed,
            response,
            phase_us: self.phase_us,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            statuses,
            rate: per_second(self.requests, elapsed),
            failure_rate: per_second(self.failures, elapsed),
        }
    }
}

impl IntervalTotals {
    fn add(&mut self, ok: &Sparse) {
        self.ok.merge_sparse(ok);
    }
}

/// Events per second; 0 for an empty time.
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}
