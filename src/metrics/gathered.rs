//! Short histograms of an interval, gathered from many threads.
//!
//! Owns when they are put together. Leaves to [`Sparse`] what they are. Invariants: what comes out is what
//! [`Sparse::merge`] of all gives; adding takes time by what is added, however much is there.

use super::counts::RequestCounts;
use super::sparse::Sparse;

/// Fewest values that are put together: fewer are not worth it.
const LEAST: usize = 64;

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// In no order after the first `settled` ones.
    sum: Sparse,
    settled: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, values: &Sparse) {
        if values.is_empty() {
            return;
        }
        let sum = &mut self.sum;
        sum.min_us = if sum.is_empty() { values.min_us } else { sum.min_us.min(values.min_us) };
        sum.max_us = sum.max_us.max(values.max_us);
        sum.count = sum.count.saturating_add(values.count);
        sum.sum_us = sum.sum_us.saturating_add(values.sum_us);
        sum.counts.extend_from_slice(&values.counts);
        if sum.counts.len() >= LEAST.max(3 * self.settled) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let counts = &mut self.sum.counts;
        // They are some ascending lists in a row, which the stable sort makes use of.
        counts.sort_by_key(|&(value, _)| value);
        counts.dedup_by(|&mut (value, n), kept| {
            let is_same = kept.0 == value;
            if is_same {
                kept.1 = kept.1.saturating_add(n);
            }
            is_same
        });
        self.settled = counts.len();
    }

    /// All of them together.
    pub(super) fn finish(mut self) -> Sparse {
        if self.settled < self.sum.counts.len() {
            self.settle();
        }
        self.sum
    }
}

impl RequestCounts<Gathered> {
    /// Adds an interval of a thread.
    pub(super) fn gather(&mut self, more: &RequestCounts<Sparse>) {
        self.combine(more, u64::saturating_add);
        self.ok.add(&more.ok);
        self.failed.add(&more.failed);
        self.response.add(&more.response);
    }

    /// All of them together.
    pub(super) fn finish(mut self) -> RequestCounts<Sparse> {
        let [ok, failed, response] =
            [&mut self.ok, &mut self.failed, &mut self.response].map(|times| std::mem::take(times).finish());
        self.with(ok, failed, response)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::super::histogram::Histogram;
    use super::*;

    #[test]
    fn gathering_is_merging_one_after_the_other() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        for lists in [0, 1, 2, 50, 400] {
            let (mut gathered, mut merged) = (Gathered::default(), Sparse::default());
            for _ in 0..lists {
                let mut histogram = Histogram::new();
                for _ in 0..random.random_range(0..20) {
                    histogram.record_n(random.random_range(0..50_000), random.random_range(1..u32::MAX));
                }
                let list = histogram.take_sparse();
                gathered.add(&list);
                merged.merge(&list);
            }
            assert_eq!(gathered.finish(), merged, "{lists} lists");
        }
    }
}
