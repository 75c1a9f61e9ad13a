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
        // Not always the last one: an agent that was cut off tells of seconds late.
        let place = self.first_of(from, width_s);
        match self.kept.get_mut(place) {
            Some(kept) if bucket(kept.from, width_s) == bucket(from, width_s) => kept.merge(whole),
            _ => self.kept.insert(place, whole),
        }
        let first = self.first_of(from, endpoint_width_s);
        if let Some(first) = self.kept.get_mut(first) {
            first.merge(IntervalHistograms { from: first.from, to: first.to, histograms: endpoints });
        }
    }

    /// Where the first interval of the bucket is that one from then on belongs to, or would be.
    fn first_of(&self, from: Duration, width_s: u64) -> usize {
        self.kept.partition_point(|kept| bucket(kept.from, width_s) < bucket(from, width_s))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture_load::second_of;
    use crate::metrics::IntervalFeed;

    /// One value of the whole run and one of an endpoint, counted in this second.
    fn second(second: u64) -> IntervalHistograms {
        let [scenario, method, name] = ["s", "GET", "/"].map(Into::into);
        second_of(second, [IntervalSeries::All, IntervalSeries::Requests { scenario, method, name }])
    }

    #[test]
    fn what_an_agent_tells_late_is_kept_where_it_belongs_in_no_further_pieces() {
        let feed = IntervalFeed::default();
        let (mut recording, elapsed) = (Recording::new(feed.taker()), Duration::from_secs(1_500));
        for at in (0..600).filter(|at| !(125..130).contains(at)) {
            feed.push(second(at));
            recording.take(elapsed);
        }
        for _agent in 0..2 {
            (100..200).for_each(|at| feed.push(second(at)));
        }
        recording.take(elapsed);
        let (width_s, endpoint_width_s) = recording.widths_s;
        let kept = recording.intervals();
        let pieces: Vec<u64> = kept.iter().map(|piece| bucket(piece.from, width_s)).collect();
        assert_eq!(pieces, (0..600 / width_s).collect::<Vec<_>>(), "oldest first, each once");
        let counts = |piece: &IntervalHistograms| -> Vec<u64> {
            piece.histograms.values().map(|values| values.count()).collect()
        };
        let late = kept.iter().find(|piece| piece.from == Duration::from_secs(125)).unwrap();
        assert_eq!((late.to - late.from, counts(late)[0]), (Duration::from_secs(width_s), 2 * width_s));
        let of_endpoints: usize = kept.iter().filter(|piece| counts(piece).len() == 2).count();
        assert_eq!(of_endpoints as u64, 600 / endpoint_width_s);
    }
}
