//! The intervals of a run, kept for its charts in no more pieces than these draw.
//!
//! Invariant: memory is bounded by the number of series, not by the length of the run; percentiles stay exact, because
//! intervals are merged, never averaged.

use std::time::Duration;

use crate::metrics::{IntervalHistograms, IntervalSeries, IntervalTaker};
use crate::report::{bucket_width_s, endpoint_bucket_width_s};

/// See the module's description.
#[derive(Debug)]
pub(super) struct Recording {
    taker: IntervalTaker,
    /// Oldest first. The first interval of those that become one bucket of an endpoint's chart holds the histograms of
    /// endpoints of all of them: these charts are small, and there are many.
    kept: Vec<IntervalHistograms>,
    /// Width of an interval, and of a bucket of an endpoint, seconds.
    widths_s: (u64, u64),
}

impl Recording {
    pub(super) fn new(taker: IntervalTaker) -> Recording {
        Recording { taker, kept: Vec::new(), widths_s: (1, 1) }
    }

    /// Takes what is new of a run that has lasted so long.
    pub(super) fn take(&mut self, elapsed: Duration) {
        let widths_s = (divisor(bucket_width_s(elapsed)), divisor(endpoint_bucket_width_s(elapsed)));
        if widths_s != self.widths_s {
            self.widths_s = widths_s;
            std::mem::take(&mut self.kept).into_iter().for_each(|interval| self.keep(interval));
        }
        self.taker.take().into_iter().for_each(|interval| self.keep(interval));
    }

    /// What the charts are drawn from.
    pub(super) fn intervals(&self) -> &[IntervalHistograms] {
        &self.kept
    }

    fn keep(&mut self, interval: IntervalHistograms) {
        let IntervalHistograms { from, to, histograms } = interval;
        let of_endpoint = |series: &IntervalSeries| matches!(series, IntervalSeries::Requests { .. });
        let (endpoints, whole) = histograms.into_iter().partition(|(key, _)| of_endpoint(&key.series));
        let (width_s, endpoint_width_s) = self.widths_s;
        let whole = IntervalHistograms { from, to, histograms: whole };
        match self.kept.last_mut() {
            Some(last) if bucket(last.from, width_s) == bucket(from, width_s) => last.merge(whole),
            _ => self.kept.push(whole),
        }
        let of_bucket = |kept: &&mut IntervalHistograms| {
            bucket(kept.from, endpoint_width_s) == bucket(from, endpoint_width_s)
        };
        let newest_first = self.kept.iter_mut().rev();
        if let Some(first) = newest_first.take_while(of_bucket).last() {
            first.merge(IntervalHistograms { from: first.from, to: first.to, histograms: endpoints });
        }
    }
}

/// Which bucket an interval belongs to. Intervals begin a little after their second.
fn bucket(from: Duration, width_s: u64) -> u64 {
    (from + Duration::from_millis(500)).as_secs() / width_s.max(1)
}

/// A width that divides this width of buckets and every later one: two seconds do not divide five.
fn divisor(width_s: u64) -> u64 {
    if width_s <= 2 { 1 } else { width_s }
}
