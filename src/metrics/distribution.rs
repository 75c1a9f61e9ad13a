//! Values of any size, kept with four significant digits: what a script's own trends are counted in.
//!
//! Latencies have `histogram.rs`, which is faster and knows one unit; a script measures bytes, prices and
//! scores. Pure. Invariants: count, sum, minimum and maximum are exact; every whole number up to 9,999 is;
//! memory grows with the number of different values after rounding, at most 9,000 for each power of ten.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest value that is taken.
pub(super) const LARGEST: f64 = 1e15;

/// Smaller ones than this count as 0.
const SMALLEST: f64 = 1e-9;

/// Values of 0 or more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// By (power of ten, four digits), which is the order of the values.
    #[serde(with = "pairs")]
    pub(crate) counts: BTreeMap<(i8, u16), u64>,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The figures of a distribution that outputs show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DistributionSummary {
    /// Number of values, at least 1.
    pub count: u64,
    /// Arithmetic mean, exact.
    pub avg: f64,
    /// Smallest value, exact.
    pub min: f64,
    /// Median.
    pub med: f64,
    /// Largest value, exact.
    pub max: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Distribution {
    /// Counts a value. It must be from 0 to 1e15; others are not counted.
    pub fn record(&mut self, value: f64) {
        if !(0.0..=LARGEST).contains(&value) {
            return;
        }
        *self.counts.entry(key(value)).or_insert(0) += 1;
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += value;
    }

    /// Whether its parts fit together; those of another machine may not.
    pub(super) fn is_sound(&self) -> bool {
        let counted = self.counts.values().try_fold(0_u64, |sum, n| sum.checked_add(*n));
        counted == Some(self.count)
            && self.sum >= 0.0
            && self.min >= 0.0
            && self.min <= self.max
            && self.max <= LARGEST
            && (self.count > 0 || self.sum + self.max == 0.0)
    }

    /// Adds all values of another one.
    pub fn merge(&mut self, other: &Distribution) {
        if other.count == 0 {
            return;
        }
        for (&key, count) in &other.counts {
            let sum = self.counts.entry(key).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
    }

    /// Its figures; `None` when there is no value.
    pub fn summary(&self) -> Option<DistributionSummary> {
        (self.count > 0).then(|| DistributionSummary {
            count: self.count,
            avg: self.sum / self.count as f64,
            min: self.min,
            med: self.percentile(50.0),
            max: self.max,
            p90: self.percentile(90.0),
            p95: self.percentile(95.0),
            p99: self.percentile(99.0),
        })
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values, exact.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The value at any percentile from 0 to 100; `None` when there is no value.
    pub fn value_at(&self, percentile: f64) -> Option<f64> {
        if percentile >= 100.0 {
            return (self.count > 0).then_some(self.max);
        }
        (self.count > 0).then(|| self.percentile(percentile))
    }

    /// The smallest value that `percentile` % of all do not exceed (nearest-rank definition).
    fn percentile(&self, percentile: f64) -> f64 {
        let rank = ((percentile / 100.0 * self.count as f64 - 1e-9).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (&key, count) in &self.counts {
            seen = count.saturating_add(seen);
            if seen >= rank {
                return value(key).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

/// A map whose keys are no texts, as pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    type Counts = BTreeMap<(i8, u16), u64>;

    pub(super) fn serialize<S: Serializer>(counts: &Counts, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(counts)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

fn key(value: f64) -> (i8, u16) {
    if value < SMALLEST {
        return (i8::MIN, 0);
    }
    // From 1e-9 to 1e15, so the power is from -12 to 12.
    let power = value.log10().floor() as i32 - 3;
    let digits = (value / 10_f64.powi(power)).round();
    // The logarithm of 999.99… may round either way.
    if digits >= 10_000.0 { (power as i8 + 1, 1_000) } else { (power as i8, digits as u16) }
}

fn value((power, digits): (i8, u16)) -> f64 {
    // Divided, because 10^-3 has no exact binary form and 10^3 has.
    let scale = 10_f64.powi(i32::from(power).abs());
    if power < 0 { f64::from(digits) / scale } else { f64::from(digits) * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|value| distribution.record(value));
        distribution
    }

    #[test]
    fn whole_numbers_are_exact() {
        let summary = of((1..=1000).map(f64::from)).summary().unwrap();
        assert_eq!((summary.med, summary.p90, summary.p99), (500.0, 900.0, 990.0));
        assert_eq!((summary.min, summary.max, summary.avg, summary.count), (1.0, 1000.0, 500.5, 1000));
    }

    #[test]
    fn four_digits_are_kept_at_every_size() {
        for value in [1.2345e-8, 0.000_999_96, 0.1, 1.0, 9.99951, 12_345.6, 7.777_777e9, 1e15] {
            let summary = of([0.0, value, value, value * 1.5]).summary().unwrap();
            assert!((summary.med / value - 1.0).abs() <= 0.0005, "{value}: {}", summary.med);
        }
    }

    #[test]
    fn keys_are_in_the_order_of_the_values() {
        let mut value = 1e-9;
        while value < 9e14 {
            assert!(key(value) <= key(value * 1.0007), "{value}");
            assert!(key(0.0) < key(value));
            value *= 1.0007;
        }
    }

    #[test]
    fn what_is_no_value_is_not_counted() {
        assert_eq!(of([-1.0, f64::NAN, f64::INFINITY, 2e15]).summary(), None);
    }

    #[test]
    fn merging_equals_recording_together() {
        let mut merged = of((0..50).map(f64::from));
        merged.merge(&of((50..100).map(f64::from)));
        merged.merge(&Distribution::default());
        assert_eq!(merged, of((0..100).map(f64::from)));
        let mut empty = Distribution::default();
        empty.merge(&merged);
        assert_eq!(empty, merged);
    }
}
