//! Counts of microseconds by bucket: the memory of a histogram.
//!
//! The buckets are those of HdrHistogram with three significant digits: up to 2,047 one for each value, and 1,024
//! for each power of two from there on. Owns where a value is counted. Invariants: memory grows with the largest value
//! only; reading and emptying take time for the range that was counted in, not for all there is.

/// Values below this have a bucket each.
const EXACT_BITS: u32 = 11;

/// Buckets for each power of two beyond.
const PER_POWER: usize = 1 << (EXACT_BITS - 1);

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    counts: Vec<u32>,
    /// First bucket that may have a count, and the one after the last.
    first: usize,
    end: usize,
}

impl Buckets {
    /// Counts `n` values of this size; a bucket that is full stays so.
    #[inline]
    pub(super) fn add(&mut self, value: u64, n: u32) {
        let index = index_of(value);
        if !(self.first..self.end).contains(&index) {
            self.widen(index);
        }
        self.counts[index] = self.counts[index].saturating_add(n);
    }

    #[cold]
    fn widen(&mut self, index: usize) {
        if index >= self.counts.len() {
            self.counts.resize((index / PER_POWER + 1) * PER_POWER, 0);
        }
        if self.first == self.end {
            (self.first, self.end) = (index, index + 1);
        } else {
            (self.first, self.end) = (self.first.min(index), self.end.max(index + 1));
        }
    }

    /// Takes away up to `n` values of this size; gives how many there were.
    pub(super) fn remove(&mut self, value: u64, n: u32) -> u32 {
        let Some(count) = self.counts.get_mut(index_of(value)) else { return 0 };
        let taken = n.min(*count);
        *count -= taken;
        taken
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Buckets) {
        if other.first == other.end {
            return;
        }
        self.widen(other.first);
        self.widen(other.end - 1);
        let theirs = &other.counts[other.first..other.end];
        self.counts[other.first..other.end]
            .iter_mut()
            .zip(theirs)
            .for_each(|(sum, more)| *sum = sum.saturating_add(*more));
    }

    /// The buckets with a count as (highest value of the bucket, count), ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let counted = self.counts[self.first..self.end].iter().enumerate();
        counted
            .filter(|&(_, &count)| count > 0)
            .map(|(offset, &count)| (highest_of(self.first + offset), count))
    }

    /// Forgets all counts and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.counts[self.first..self.end].fill(0);
        (self.first, self.end) = (0, 0);
    }
}

#[inline]
fn index_of(value: u64) -> usize {
    let shift = u64::BITS - EXACT_BITS - (value | ((1 << EXACT_BITS) - 1)).leading_zeros();
    shift as usize * PER_POWER + (value >> shift) as usize
}

/// The highest value that is counted in a bucket.
fn highest_of(index: usize) -> u64 {
    let shift = (index / PER_POWER).saturating_sub(1);
    let within = (index - shift * PER_POWER) as u64;
    ((within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram as Hdr;

    use super::super::histogram::MAX_VALUE_US;
    use super::*;

    fn some_values() -> impl Iterator<Item = u64> {
        let near_powers = (0..32).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power.saturating_sub(1), power, power + 1, power + power / 3]
        });
        near_powers.chain([0, 2_047, 2_048, 2_049, MAX_VALUE_US]).filter(|&value| value <= MAX_VALUE_US)
    }

    #[test]
    fn the_buckets_are_those_of_hdrhistogram() {
        let mut theirs = Hdr::<u32>::new(3).unwrap();
        let mut ours = Buckets::default();
        for value in some_values() {
            assert_eq!(highest_of(index_of(value)), theirs.highest_equivalent(value), "{value}");
            theirs.record_n(value, 3).unwrap();
            ours.add(value, 3);
        }
        let recorded: Vec<_> =
            theirs.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        assert_eq!(ours.iter().collect::<Vec<_>>(), recorded);
    }

    #[test]
    fn what_is_emptied_counts_from_zero_again() {
        let mut buckets = Buckets::default();
        some_values().for_each(|value| buckets.add(value, 1));
        buckets.clear();
        assert_eq!(buckets.iter().count(), 0);
        buckets.add(70_000, 2);
        buckets.add(5, 1);
        assert_eq!(buckets.iter().collect::<Vec<_>>(), [(5, 1), (70_015, 2)]);
    }

    #[test]
    fn a_full_bucket_stays_full() {
        let mut buckets = Buckets::default();
        buckets.add(9, u32::MAX);
        buckets.add(9, 1);
        let mut sum = Buckets::default();
        sum.merge(&buckets);
        sum.merge(&buckets);
        assert_eq!(sum.iter().collect::<Vec<_>>(), [(9, u32::MAX)]);
    }

    #[test]
    fn no_more_is_removed_than_there_is() {
        let mut buckets = Buckets::default();
        buckets.add(9, 2);
        assert_eq!((buckets.remove(9, 3), buckets.remove(9, 1), buckets.remove(1 << 31, 1)), (2, 0, 0));
        assert_eq!(buckets.iter().count(), 0);
    }
}
