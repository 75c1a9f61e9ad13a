//! The counters of one series in one interval: requests, failures, latencies, phases, bytes, statuses.
//!
//! Invariant: what is taken is zero afterwards.

use std::time::Duration;

use super::delta::SeriesDelta;
use super::histogram::Histogram;
use super::sample::{Phases, RequestSample};
use super::series::SeriesId;

/// Names of the phases of a request, in the order of [`PHASES`]-indexed arrays.
pub const PHASES: [&str; 7] =
    ["blocked", "dns", "connecting", "tls_handshaking", "sending", "waiting", "receiving"];

#[derive(Debug, Default)]
pub(super) struct SeriesCounts {
    pub(super) touched: bool,
    requests: u64,
    failures: u64,
    ok: Histogram,
    failed: Histogram,
    response: Histogram,
    phase_us: [u64; PHASES.len()],
    bytes_sent: u64,
    bytes_received: u64,
    statuses: Vec<(u16, u64)>,
}

impl SeriesCounts {
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn add_transaction(&mut self, duration: Duration, failed: bool) {
        self.requests += 1;
        let us = micros(duration);
        if failed {
            self.failures += 1;
            self.failed.record(us);
        } else {
            self.ok.record(us);
        }
        self.response.record(us);
    }

    pub(super) fn add(&mut self, sample: &RequestSample) {
        self.requests += 1;
        if sample.failure.is_none() {
            self.ok.record(micros(sample.service));
        } else {
            self.failures += 1;
            self.failed.record(micros(failed_latency(sample)));
        }
        self.response.record(micros(sample.response));
        for (sum, part) in self.phase_us.iter_mut().zip(parts(&sample.phases)) {
            *sum += part.unwrap_or(0);
        }
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        match self.statuses.iter_mut().find(|(status, _)| *status == sample.status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((sample.status, 1)),
        }
    }

    pub(super) fn take(&mut self) -> SeriesDelta {
        self.touched = false;
        SeriesDelta {
            requests: std::mem::take(&mut self.requests),
            failures: std::mem::take(&mut self.failures),
            ok: self.ok.take_sparse(),
            failed: self.failed.take_sparse(),
            response: self.response.take_sparse(),
            phase_us: std::mem::take(&mut self.phase_us),
            bytes_sent: std::mem::take(&mut self.bytes_sent),
            bytes_received: std::mem::take(&mut self.bytes_received),
            statuses: std::mem::take(&mut self.statuses),
        }
    }
}

/// The latency under which a failed request is filed: its service time, or, when no response came,
/// the whole time the attempt took. It never enters the latency of successes.
pub(super) fn failed_latency(sample: &RequestSample) -> Duration {
    if sample.status == 0 { sample.response } else { sample.service }
}

/// The phases of a request that got a response; of one that did not, they say nothing about the target.
pub(super) fn record_phases(phases: &mut [Histogram; PHASES.len()], sample: &RequestSample) {
    if sample.status == 0 {
        return;
    }
    for (histogram, part) in phases.iter_mut().zip(parts(&sample.phases)) {
        if let Some(part) = part {
            histogram.record(part);
        }
    }
}

pub(super) fn grow(counts: &mut Vec<SeriesCounts>, id: SeriesId) {
    if id.index() >= counts.len() {
        counts.resize_with(id.index() + 1, SeriesCounts::default);
    }
}

pub(super) fn drain(
    touched: &mut Vec<SeriesId>,
    counts: &mut [SeriesCounts],
) -> Vec<(SeriesId, SeriesDelta)> {
    touched.drain(..).map(|id| (id, counts[id.index()].take())).collect()
}

/// A duration in whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    // `Duration::as_micros` computes in 128 bits; this does not, and an hour is far below its range.
    duration.as_secs() * 1_000_000 + u64::from(duration.subsec_micros())
}

pub(super) fn parts(phases: &Phases) -> [Option<u64>; PHASES.len()] {
    [
        Some(micros(phases.blocked)),
        phases.dns.map(micros),
        phases.connecting.map(micros),
        phases.tls.map(micros),
        Some(micros(phases.sending)),
        Some(micros(phases.waiting)),
        Some(micros(phases.receiving)),
    ]
}
