//! A histogram as a short list: what an interval of one series usually is.
//!
//! Owns merging and taking away of such lists. Invariant: values ascend, each stands for its whole bucket
//! by the bucket's highest value, and no count is 0.

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, MAX_VALUE_US, rank};

/// The values of an interval as (microseconds, count), to be sent to the aggregator and to the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sparse {
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) count: u64,
    pub(super) sum_us: u64,
    pub(super) min_us: u64,
    pub(super) max_us: u64,
}

impl Sparse {
    /// How many values it stands for.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether it is what a histogram gives; that of another machine may not be.
    pub(super) fn is_sound(&self) -> bool {
        let counted = self.counts.iter().try_fold(0_u64, |sum, &(_, n)| sum.checked_add(u64::from(n)));
        self.counts.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.counts.iter().all(|&(_, n)| n > 0)
            && counted == Some(self.count)
            && (self.is_empty() || self.min_us <= self.max_us)
            && self.max_us <= MAX_VALUE_US
            && self.sum_us <= self.count.saturating_mul(MAX_VALUE_US)
    }

    /// Whether it stands for no value.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Largest value, exact as far as it is known.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// Sum of the values, exact as far as it is known.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The values as (microseconds, count), ascending.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().map(|&(value, n)| (u64::from(value), u64::from(n)))
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Sparse) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut ours, mut theirs) = (self.counts.iter().peekable(), other.counts.iter().peekable());
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(&&(a, n)), Some(&&(b, m))) if a == b => {
                    merged.push((a, n.saturating_add(m)));
                    ours.next();
                    theirs.next();
                }
                (Some(&&(a, n)), Some(&&(b, _))) if a < b => {
                    merged.push((a, n));
                    ours.next();
                }
                (_, Some(&&step)) => {
                    merged.push(step);
                    theirs.next();
                }
                (Some(&&step), None) => {
                    merged.push(step);
                    ours.next();
                }
                (None, None) => break,
            }
        }
        self.counts = merged;
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// The value at a percentile (0 to 100), in microseconds; `None` without a value. As [`Histogram::percentile_us`].
    pub fn percentile_us(&self, percentile: f64) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        let rank = rank(percentile, self.count);
        let mut seen = 0_u64;
        let found = self.counts.iter().find(|&&(_, n)| {
            seen += u64::from(n);
            seen >= rank
        });
        Some(found.map_or(self.max_us, |&(value, _)| u64::from(value).clamp(self.min_us, self.max_us)))
    }

    /// Takes values away again, as far as they are there; minimum and maximum keep what they saw.
    pub fn remove(&mut self, other: &Sparse) {
        for &(value, n) in &other.counts {
            let Ok(index) = self.counts.binary_search_by_key(&value, |&(value, _)| value) else { continue };
            let taken = n.min(self.counts[index].1);
            self.counts[index].1 -= taken;
            self.count -= u64::from(taken);
            self.sum_us = self.sum_us.saturating_sub(u64::from(value) * u64::from(taken));
        }
        self.counts.retain(|&(_, n)| n > 0);
    }

    /// Whether both have the same count in each bucket.
    pub(super) fn same_values(&self, other: &Sparse) -> bool {
        self.counts == other.counts
    }

    /// The same values as a histogram, of which figures can be had.
    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.merge_sparse(self);
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Sparse {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&value| histogram.record(value));
        histogram.take_sparse()
    }

    #[test]
    fn merging_is_recording_together() {
        for (a, b) in [
            (&[1_u64, 5, 9][..], &[2_u64, 5, 700_000][..]),
            (&[], &[3]),
            (&[3], &[]),
            (&[], &[]),
            (&[10, 20], &[1, 2]),
            (&[4_000_000], &[4_000_001]),
        ] {
            let mut merged = of(a);
            merged.merge(&of(b));
            assert_eq!(merged, of(&[a, b].concat()), "{a:?} and {b:?}");
            for percentile in [1.0, 50.0, 99.0, 100.0] {
                assert_eq!(merged.percentile_us(percentile), merged.histogram().percentile_us(percentile));
            }
            merged.remove(&of(b));
            assert_eq!(merged.counts, of(a).counts, "{b:?} taken away again");
        }
    }
}
