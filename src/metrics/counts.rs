//! The counters of one kind of request: how many, which failed, how long they took, bytes, statuses.
//!
//! One struct in three forms, by how its times are kept: [`Histogram`] while counting (on a worker thread, and over the
//! run), [`Sparse`] for an interval on its way, [`Summary`] in a snapshot. Invariants: what is taken is zero afterwards; no
//! counter wraps around, whatever is merged or taken back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Summary};
use super::sample::{PHASES, RequestSample, micros};
use super::sparse::Sparse;

/// See the module's description.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RequestCounts<T> {
    /// Requests that got a verdict.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Service time of the successes.
    pub ok: T,
    /// Time of the failures: service time, or the whole attempt when no response came.
    pub failed: T,
    /// Response time (from the planned start) of all.
    pub response: T,
    /// Sum of each phase over all requests, microseconds, in the order of [`PHASES`].
    pub phase_us: [u64; PHASES.len()],
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// How often each status came; 0 stands for no response.
    pub statuses: Vec<(u16, u64)>,
}

impl<T> RequestCounts<T> {
    /// Share of failed requests, 0 to 1; `None` without a request.
    pub fn failed_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failures as f64 / self.requests as f64)
    }

    /// The same counters with times of another form.
    pub(super) fn with<U>(&self, ok: U, failed: U, response: U) -> RequestCounts<U> {
        RequestCounts {
            requests: self.requests,
            failures: self.failures,
            ok,
            failed,
            response,
            phase_us: self.phase_us,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            statuses: self.statuses.clone(),
        }
    }

    /// Adds or takes back plain counters.
    pub(super) fn combine<U>(&mut self, other: &RequestCounts<U>, with: fn(u64, u64) -> u64) {
        let counters = [
            (&mut self.requests, other.requests),
            (&mut self.failures, other.failures),
            (&mut self.bytes_sent, other.bytes_sent),
            (&mut self.bytes_received, other.bytes_received),
        ];
        counters.into_iter().for_each(|(sum, more)| *sum = with(*sum, more));
        self.phase_us.iter_mut().zip(other.phase_us).for_each(|(sum, more)| *sum = with(*sum, more));
        for &(status, count) in &other.statuses {
            match self.statuses.iter_mut().find(|(known, _)| *known == status) {
                Some((_, sum)) => *sum = with(*sum, count),
                None => self.statuses.push((status, with(0, count))),
            }
        }
    }
}

impl RequestCounts<Histogram> {
    /// Counts a request.
    #[inline]
    pub(super) fn record(&mut self, sample: &RequestSample) {
        self.requests += 1;
        if sample.failure.is_none() {
            self.ok.record(micros(sample.service));
        } else {
            self.failures += 1;
            self.failed.record(micros(sample.failed_latency()));
        }
        self.response.record(micros(sample.response));
        for (sum, part) in self.phase_us.iter_mut().zip(sample.timings.parts()) {
            *sum += part.unwrap_or(0);
        }
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        match self.statuses.iter_mut().find(|(status, _)| *status == sample.status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((sample.status, 1)),
        }
    }

    /// Counts a transaction, which has a duration and a verdict only.
    pub(super) fn record_transaction(&mut self, duration: Duration, failed: bool) {
        self.requests += 1;
        self.failures += u64::from(failed);
        let us = micros(duration);
        if failed {
            self.failed.record(us)
        } else {
            self.ok.record(us)
        }
        self.response.record(us);
    }

    /// Moves everything out.
    pub(super) fn take(&mut self) -> RequestCounts<Sparse> {
        let [ok, failed, response] =
            [&mut self.ok, &mut self.failed, &mut self.response].map(Histogram::take_sparse);
        let taken = self.with(ok, failed, response);
        (self.requests, self.failures, self.bytes_sent, self.bytes_received) = (0, 0, 0, 0);
        self.phase_us = Default::default();
        self.statuses.clear();
        taken
    }

    /// Adds an interval.
    pub(super) fn merge(&mut self, interval: &RequestCounts<Sparse>) {
        self.combine(interval, u64::saturating_add);
        self.ok.merge_sparse(&interval.ok);
        self.failed.merge_sparse(&interval.failed);
        self.response.merge_sparse(&interval.response);
    }

    /// Takes back what was merged before, as far as it is there.
    pub(super) fn remove(&mut self, interval: &RequestCounts<Sparse>) {
        self.combine(interval, u64::saturating_sub);
        self.ok.remove_sparse(&interval.ok);
        self.failed.remove_sparse(&interval.failed);
        self.response.remove_sparse(&interval.response);
    }

    /// The figures that a snapshot shows; statuses in their order, without those that were taken back.
    pub(super) fn figures(
        &self,
        [ok, failed, response]: [Option<Summary>; 3],
    ) -> RequestCounts<Option<Summary>> {
        let mut figures = self.with(ok, failed, response);
        figures.statuses.retain(|&(_, count)| count > 0);
        figures.statuses.sort_unstable();
        figures
    }

    /// Of successes, failures and response times.
    pub(super) fn summaries(&self) -> [Option<Summary>; 3] {
        [self.ok.summary(), self.failed.summary(), self.response.summary()]
    }
}

impl RequestCounts<Sparse> {
    /// Whether its parts fit together; those of another machine may not.
    pub(super) fn is_sound(&self) -> bool {
        self.failures <= self.requests
            && [&self.ok, &self.failed, &self.response].into_iter().all(Sparse::is_sound)
    }
}

/// The distribution of each phase, in the order of [`PHASES`].
#[derive(Debug, Default)]
pub(super) struct PhaseTimes([Histogram; PHASES.len()]);

impl PhaseTimes {
    /// Counts the phases of a request that got a response; of one that did not, they say nothing about the target.
    #[inline]
    pub(super) fn record(&mut self, sample: &RequestSample) {
        if sample.status == 0 {
            return;
        }
        for (histogram, part) in self.0.iter_mut().zip(sample.timings.parts()) {
            if let Some(part) = part {
                histogram.record(part);
            }
        }
    }

    /// Moves everything out.
    pub(super) fn take(&mut self) -> [Sparse; PHASES.len()] {
        std::array::from_fn(|i| self.0[i].take_sparse())
    }

    /// Adds an interval.
    pub(super) fn merge(&mut self, interval: &[Sparse; PHASES.len()]) {
        self.0.iter_mut().zip(interval).for_each(|(histogram, times)| histogram.merge_sparse(times));
    }

    /// Takes back what was merged before.
    pub(super) fn remove(&mut self, interval: &[Sparse; PHASES.len()]) {
        self.0.iter_mut().zip(interval).for_each(|(histogram, times)| histogram.remove_sparse(times));
    }

    pub(super) fn summaries(&self) -> [Option<Summary>; PHASES.len()] {
        std::array::from_fn(|i| self.0[i].summary())
    }
}
