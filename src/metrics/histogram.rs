//! A latency histogram in microseconds.
//!
//! Owns recording, merging and reading percentiles. Leaves to `buckets.rs` where a value is counted, and to others
//! which values belong together.
//! Invariant: `count`, `min`, `max` and `sum` are exact; percentiles have three significant digits
//! and never exceed `max` or fall below `min`.

use serde::{Deserialize, Serialize};

use super::buckets::Buckets;
use super::percentile::Percentile;
use super::sparse::Sparse;

/// Longest latency that is told apart from longer ones: one hour, in microseconds.
pub const MAX_VALUE_US: u64 = 3_600_000_000;

pub(super) const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram of durations in microseconds, three significant digits, up to an hour.
///
/// A bucket counts to 4,294,967,295 and saturates there. Memory grows with the largest value seen
/// (about 32 kB up to 100 ms, 90 kB up to an hour) and never with the number of values.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Buckets,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: Buckets::default(), count: 0, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }
}

impl Histogram {
    /// An empty histogram; it allocates with its first value.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one duration of `value_us` microseconds (longer than an hour counts as an hour).
    #[inline]
    pub fn record(&mut self, value_us: u64) {
        self.record_n(value_us, 1);
    }

    /// Counts `n` durations of `value_us` microseconds.
    #[inline]
    pub fn record_n(&mut self, value_us: u64, n: u32) {
        let value_us = value_us.min(MAX_VALUE_US);
        self.buckets.add(value_us, n);
        self.count += u64::from(n);
        self.sum_us += value_us * u64::from(n);
        self.min_us = self.min_us.min(value_us);
        self.max_us = self.max_us.max(value_us);
    }

    /// Takes back values that were recorded before, as far as they are there; `min` and `max` keep what they saw.
    pub(crate) fn remove_sparse(&mut self, sparse: &Sparse) {
        let (mut taken_count, mut taken_sum_us) = (0, 0);
        for &(value_us, n) in &sparse.counts {
            let value_us = u64::from(value_us);
            let n = u64::from(self.buckets.remove(value_us, n));
            taken_count += n;
            taken_sum_us += value_us * n;
        }
        // The exact sum when all of it was there, else that of the buckets.
        let sum_us = if taken_count == sparse.count { sparse.sum_us } else { taken_sum_us };
        self.count = self.count.saturating_sub(taken_count);
        self.sum_us = self.sum_us.saturating_sub(sum_us);
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count == 0 {
            return;
        }
        self.buckets.merge(&other.buckets);
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Adds what [`Histogram::take_sparse`] took out of another histogram.
    pub fn merge_sparse(&mut self, sparse: &Sparse) {
        if sparse.counts.is_empty() {
            return;
        }
        for &(value_us, n) in &sparse.counts {
            self.buckets.add(u64::from(value_us), n);
        }
        self.count = self.count.saturating_add(sparse.count);
        self.sum_us = self.sum_us.saturating_add(sparse.sum_us);
        self.min_us = self.min_us.min(sparse.min_us);
        self.max_us = self.max_us.max(sparse.max_us);
    }

    /// Moves the content out as a short list of (value, count) and leaves the histogram empty but allocated.
    pub fn take_sparse(&mut self) -> Sparse {
        if self.count == 0 {
            return Sparse::default();
        }
        // `MAX_VALUE_US` is below `u32::MAX`, so no value is cut.
        let short = |value: u64| value.min(u64::from(u32::MAX)) as u32;
        let sparse = Sparse {
            counts: self.buckets.iter().map(|(value, n)| (short(value), n)).collect(),
            count: self.count,
            sum_us: self.sum_us,
            min_us: self.min_us,
            max_us: self.max_us,
        };
        self.buckets.clear();
        self.count = 0;
        self.sum_us = 0;
        self.min_us = u64::MAX;
        self.max_us = 0;
        sparse
    }

    /// How many values are in it.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all values in microseconds, exact.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The value at any percentile (0 to 100), in microseconds; `None` when there is no value.
    pub fn percentile_us(&self, percentile: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        if percentile >= 100.0 {
            // The exact maximum, not its bucket.
            return Some(self.max_us);
        }
        let rank = rank(percentile, self.count);
        let mut seen = 0_u64;
        let found = self.buckets.iter().find(|&(_, n)| {
            seen += u64::from(n);
            seen >= rank
        });
        Some(found.map_or(self.max_us, |(value, _)| value.clamp(self.min_us, self.max_us)))
    }

    /// All figures that outputs need, in one pass; `None` when there is no value.
    pub fn summary(&self) -> Option<Summary> {
        if self.count == 0 {
            return None;
        }
        let ranks = Percentile::ALL.map(|percentile| rank(percentile.number(), self.count));
        let mut percentiles_us = [self.max_us; Percentile::ALL.len()];
        let mut next = 0;
        let mut seen = 0_u64;
        for (value, n) in self.buckets.iter() {
            seen += u64::from(n);
            while next < ranks.len() && seen >= ranks[next] {
                percentiles_us[next] = value.clamp(self.min_us, self.max_us);
                next += 1;
            }
        }
        // The last one is 100 %: the exact maximum, not its bucket.
        percentiles_us[Percentile::ALL.len() - 1] = self.max_us;
        Some(Summary {
            count: self.count,
            min_us: self.min_us,
            max_us: self.max_us,
            mean_us: self.sum_us as f64 / self.count as f64,
            percentiles_us,
        })
    }
}

/// The smallest number of values that make up `percentile` % of `count` (nearest-rank definition).
pub(super) fn rank(percentile: f64, count: u64) -> u64 {
    // The tiny term keeps 99.9 % of 1,000 at 999: in binary, 0.999 × 1000 is a hair above it.
    ((percentile / 100.0 * count as f64 - 1e-9).ceil() as u64).clamp(1, count)
}

/// What a set of durations looks like; microseconds throughout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Number of values, at least 1.
    pub count: u64,
    /// Smallest value, exact.
    pub min_us: u64,
    /// Largest value, exact.
    pub max_us: u64,
    /// Arithmetic mean, exact.
    pub mean_us: f64,
    /// Values at [`Percentile::ALL`], in that order.
    pub percentiles_us: [u64; Percentile::ALL.len()],
}

impl Summary {
    /// The value at a percentile, in microseconds.
    pub fn percentile_us(&self, percentile: Percentile) -> u64 {
        self.percentiles_us[percentile as usize]
    }

    /// The same as outputs for people show it: `None` where there are too few values for it to mean anything.
    pub fn telling_us(&self, percentile: Percentile) -> Option<u64> {
        (self.count >= percentile.fewest()).then(|| self.percentile_us(percentile))
    }

    /// The median (50th percentile) in microseconds.
    pub fn median_us(&self) -> u64 {
        self.percentiles_us[0]
    }
}

/// Microseconds as milliseconds, with all the digits there are.
pub fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|v| histogram.record(v));
        histogram
    }

    #[test]
    fn no_value_is_no_summary() {
        assert_eq!(Histogram::new().summary(), None);
    }

    #[test]
    fn median_of_one_to_hundred_is_fifty() {
        let summary = of(1..=100).summary().unwrap();
        assert_eq!(summary.median_us(), 50);
        assert_eq!(summary.percentile_us(Percentile::P99), 99);
        assert_eq!(summary.percentile_us(Percentile::P100), 100);
        assert_eq!(summary.mean_us, 50.5);
    }

    #[test]
    fn percentiles_stay_between_min_and_max() {
        let summary = of([1_049_123]).summary().unwrap();
        assert!(summary.percentiles_us.iter().all(|&p| p == 1_049_123), "{summary:?}");
    }

    #[test]
    fn three_digits_are_kept_up_to_an_hour() {
        let summary = of((0..1000).map(|i| 3_000_000_000 + i * 100_000)).summary().unwrap();
        let exact = 3_000_000_000_u64 + 499 * 100_000;
        let off = (summary.median_us() as f64 - exact as f64).abs() / exact as f64;
        assert!(off < 0.001, "median {} is off by {off}", summary.median_us());
        assert_eq!(of([MAX_VALUE_US * 5]).summary().unwrap().max_us, MAX_VALUE_US);
    }

    #[test]
    fn any_percentile_is_that_of_the_summary() {
        let histogram = of((1..5000).map(|i| i * i));
        let summary = histogram.summary().unwrap();
        for percentile in Percentile::ALL {
            assert_eq!(histogram.percentile_us(percentile.number()), Some(summary.percentile_us(percentile)));
        }
        assert_eq!(histogram.percentile_us(0.0), Some(1));
        assert_eq!(Histogram::new().percentile_us(50.0), None);
    }

    #[test]
    fn nines_of_a_thousand() {
        let summary = of(1..=1000).summary().unwrap();
        assert_eq!(summary.percentile_us(Percentile::P99_9), 999);
        assert_eq!(summary.percentile_us(Percentile::P99_99), 1000);
    }

    #[test]
    fn sparse_carries_everything_over_and_empties() {
        let mut interval = of((1..500).map(|i| i * 37));
        let whole = interval.summary();
        let mut total = Histogram::new();
        total.merge_sparse(&interval.take_sparse());
        assert_eq!(total.summary(), whole);
        assert_eq!(interval.summary(), None);
        assert_eq!(interval.take_sparse().count(), 0);
    }

    #[test]
    fn removing_takes_back_what_is_there_and_no_more() {
        let mut histogram = of([10, 20, 20, 30]);
        histogram.remove_sparse(&of([20]).take_sparse());
        assert_eq!(histogram.count(), 3);
        assert_eq!(histogram.summary().unwrap().mean_us, 20.0);
        histogram.remove_sparse(&of([77, 10, 10]).take_sparse());
        assert_eq!(histogram.count(), 2, "a value that was never recorded is not taken back");
        Histogram::new().remove_sparse(&of([1]).take_sparse());
    }

    #[test]
    fn merging_equals_recording_together() {
        let mut a = of(1..1000);
        a.merge(&of(1000..5000));
        assert_eq!(a.summary(), of(1..5000).summary());
    }
}
