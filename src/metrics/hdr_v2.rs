//! A short histogram in the V2 encoding of HdrHistogram, made and read without a full histogram in between.
//!
//! Owns the header and the counts of <https://github.com/HdrHistogram/HdrHistogram>'s encoding (V2, `0x1c849303`), for the one kind
//! of histogram there is here. Leaves to the caller what the encoding has no place for: the exact sum, minimum and maximum.
//! Invariants: what is written is what the crate `hdrhistogram` writes; reading takes memory by the length of the bytes,
//! whatever they say.

use super::histogram::MAX_VALUE_US;
use super::sparse::Sparse;

/// The header of V2, of a histogram without a value: cookie, length of the counts, offset of the index, significant digits,
/// smallest and largest value, ratio of the conversion (1.0).
pub(crate) const EMPTY_V2: [u8; 40] = {
    let mut header = [0; 40];
    // With the nibble of a word's size, which the encoding has had since its first version.
    let cookie = 0x1c84_9313_u32.to_be_bytes();
    let largest = MAX_VALUE_US.to_be_bytes();
    let ratio = 1.0_f64.to_be_bytes();
    let mut at = 0;
    while at < 8 {
        if at < 4 {
            header[at] = cookie[at];
        }
        header[24 + at] = largest[at];
        header[32 + at] = ratio[at];
        at += 1;
    }
    header[15] = super::histogram::SIGNIFICANT_DIGITS;
    header[23] = 1;
    header
};

/// Values that share a power of two: three digits need 1,000, so 2^11, of which the upper half is used from the second on.
const HALF: u32 = 10;

/// Most bytes of a number.
const LONGEST: usize = 9;

/// Why bytes are no counts of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadCounts(pub(crate) &'static str);

impl Sparse {
    /// The smallest, the largest value, and the sum of all, as far as known exactly.
    #[cfg(feature = "cluster")]
    pub(crate) fn exact(&self) -> [u64; 3] {
        [self.min_us, self.max_us, self.sum_us]
    }

    /// Appends the counts as V2 has them after its header; nothing for no value.
    pub(crate) fn write_counts(&self, to: &mut Vec<u8>) {
        let mut next = 0;
        let mut counts = self.counts.iter().peekable();
        while let Some(&(value, n)) = counts.next() {
            let index = index_of(value);
            let mut n = i64::from(n);
            // Those of another program may be told apart more finely than buckets are.
            while let Some((_, more)) = counts.next_if(|(value, _)| index_of(*value) == index) {
                n += i64::from(*more);
            }
            match index - next {
                0 => {}
                1 => write(to, 0),
                zeros => write(to, -i64::from(zeros)),
            }
            write(to, n);
            next = index + 1;
        }
    }

    /// Reads such counts; `exact` is what [`Sparse::exact`] gave.
    #[cfg(feature = "cluster")]
    pub(crate) fn read_counts(from: &[u8], exact: [u64; 3]) -> Result<Sparse, BadCounts> {
        let [min_us, max_us, sum_us] = exact;
        let counts = read_steps(from)?;
        // At most 23,552 buckets of 2^32 each.
        let count = counts.iter().map(|&(_, n)| u64::from(n)).sum();
        let sparse = Sparse { counts, count, sum_us, min_us, max_us };
        if !sparse.is_sound() {
            return Err(BadCounts("sum, minimum or maximum that contradict the counts"));
        }
        Ok(sparse)
    }

    /// Reads such counts where nothing says what was exact: the values of a bucket count as its middle.
    pub(super) fn read_only_counts(from: &[u8], max_us: u64) -> Result<Sparse, BadCounts> {
        let counts = read_steps(from)?;
        let mut sparse = Sparse { counts, ..Sparse::default() };
        let [Some(&(first, _)), Some(&(last, _))] = [sparse.counts.first(), sparse.counts.last()] else {
            return Ok(sparse);
        };
        for &(value, n) in &sparse.counts {
            let middle = lowest_of(value) + (1 << power_of(value) >> 1);
            sparse.count += u64::from(n);
            // One product fits; those of a file that somebody else wrote may not together.
            sparse.sum_us = sparse.sum_us.saturating_add(middle * u64::from(n));
        }
        // The maximum is exact, unless somebody else wrote another unit into it.
        let is_of_last = (lowest_of(last)..=u64::from(last)).contains(&max_us);
        sparse.max_us = if is_of_last { max_us } else { u64::from(last).min(MAX_VALUE_US) };
        sparse.min_us = lowest_of(first).min(sparse.max_us);
        Ok(sparse)
    }
}

/// The counts as (largest value of the bucket, count), ascending.
fn read_steps(mut from: &[u8]) -> Result<Vec<(u32, u32)>, BadCounts> {
    let mut counts = Vec::new();
    let end = index_of(MAX_VALUE_US as u32) + 1;
    let mut index = 0_u32;
    while !from.is_empty() {
        let number = read(&mut from)?;
        let zeros = if number == 0 { 1 } else { number.checked_neg().unwrap_or(i64::MAX) };
        if zeros > 0 {
            let skipped = u32::try_from(zeros).ok().and_then(|zeros| index.checked_add(zeros));
            index = skipped.filter(|index| *index < end).ok_or(BadCounts("a value above an hour"))?;
            continue;
        }
        if index >= end {
            return Err(BadCounts("a value above an hour"));
        }
        let n = u32::try_from(number).map_err(|_| BadCounts("a count above 4,294,967,295"))?;
        counts.push((value_of(index), n));
        index += 1;
    }
    Ok(counts)
}

/// How many bits the values of a bucket differ in.
fn power_of(value: u32) -> u32 {
    (value | ((2 << HALF) - 1)).ilog2() - HALF
}

/// The smallest value of a bucket, from any of its values.
fn lowest_of(value: u32) -> u64 {
    let power = power_of(value);
    u64::from(value >> power << power)
}

/// The place of the bucket of a value.
fn index_of(value: u32) -> u32 {
    let power = power_of(value);
    (power << HALF) + (value >> power)
}

/// The largest value of a bucket.
fn value_of(index: u32) -> u32 {
    let power = (index >> HALF).saturating_sub(1);
    // Below the first index whose bucket ends above `u32::MAX`: that of `MAX_VALUE_US` does not.
    let lowest = u64::from(index - (power << HALF)) << power;
    (lowest + (1 << power) - 1) as u32
}

/// A number as zig-zag LEB128, of which the ninth byte holds eight bits.
fn write(to: &mut Vec<u8>, number: i64) {
    let mut rest = (number.wrapping_shl(1) ^ (number >> 63)) as u64;
    for _ in 1..LONGEST {
        if rest < 0x80 {
            break;
        }
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn read(from: &mut &[u8]) -> Result<i64, BadCounts> {
    let mut number = 0_u64;
    for at in 0..LONGEST {
        let Some((&byte, rest)) = from.split_first() else { break };
        *from = rest;
        if at == LONGEST - 1 || byte < 0x80 {
            number |= u64::from(byte) << (7 * at);
            return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
    }
    Err(BadCounts("a number that is cut off"))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram as Hdr;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::super::histogram::Histogram;
    use super::*;

    /// What is in the crate's buckets as (highest value of the bucket, count).
    fn recorded(buckets: &Hdr<u32>) -> Vec<(u32, u32)> {
        let step = |step: hdrhistogram::iterators::IterationValue<u32>| {
            (u32::try_from(step.value_iterated_to()).unwrap(), step.count_at_value())
        };
        buckets.iter_recorded().map(step).collect()
    }

    /// Sets of values of every size: none, few, many, near and far from each other.
    fn sets() -> impl Iterator<Item = (Hdr<u32>, Sparse)> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(15);
        (0..400).map(move |set| {
            let mut hdr = Hdr::new_with_bounds(1, MAX_VALUE_US, 3).unwrap();
            let mut ours = Histogram::new();
            let most = MAX_VALUE_US >> random.random_range(0..32);
            for _ in 0..[0, 1, 2, 30, 2_000][set % 5] {
                let value =
                    if random.random_bool(0.02) { MAX_VALUE_US } else { random.random_range(0..=most) };
                let n = if random.random_bool(0.1) { random.random_range(1..1_000_000) } else { 1 };
                hdr.record_n(value, n).unwrap();
                ours.record_n(value, n);
            }
            (hdr, ours.take_sparse())
        })
    }

    #[test]
    fn short_histograms_are_encoded_as_the_crate_encodes_full_ones() {
        let mut crates = 0;
        for (hdr, sparse) in sets() {
            let (mut theirs, mut ours) = (Vec::new(), EMPTY_V2.to_vec());
            V2Serializer::new().serialize(&hdr, &mut theirs).unwrap();
            sparse.write_counts(&mut ours);
            if sparse.is_empty() {
                // The crate writes one 0 for the bucket of 0.
                assert_eq!(ours.len(), 40);
                ours.push(0);
            }
            let length = u32::try_from(ours.len() - 40).unwrap();
            ours[4..8].copy_from_slice(&length.to_be_bytes());
            assert_eq!(ours, theirs);
            let read: Hdr<u32> = Deserializer::new().deserialize(&mut &ours[..]).unwrap();
            assert_eq!(recorded(&read), sparse.counts);
            crates += 1;
        }
        assert_eq!(crates, 400);
    }

    #[test]
    fn what_the_crate_encodes_is_read_exactly() {
        for (hdr, sparse) in sets() {
            let mut theirs = Vec::new();
            V2Serializer::new().serialize(&hdr, &mut theirs).unwrap();
            let read = Sparse::read_counts(&theirs[40..], sparse.exact());
            // Sum, minimum and maximum too.
            assert_eq!(read.as_ref(), if sparse.is_empty() { read.as_ref() } else { Ok(&sparse) });
            assert_eq!(read.map(|read| read.count()), Ok(sparse.count()));
        }
    }

    #[test]
    fn every_bucket_keeps_its_value_and_the_largest_count() {
        let last = index_of(MAX_VALUE_US as u32);
        for index in 0..=last {
            assert_eq!(index_of(value_of(index)), index);
            let mut bytes = Vec::new();
            let value = value_of(index);
            let exact = u64::from(value).min(MAX_VALUE_US);
            let sparse = Sparse {
                counts: vec![(value, u32::MAX)],
                count: u64::from(u32::MAX),
                sum_us: exact,
                min_us: exact,
                max_us: exact,
            };
            sparse.write_counts(&mut bytes);
            assert!(bytes.len() <= 3 + 5);
            assert_eq!(Sparse::read_counts(&bytes, sparse.exact()), Ok(sparse));
        }
    }

    #[test]
    fn foreign_counts_are_refused_in_words_and_take_no_memory() {
        let refused = |bytes: &[u8]| Sparse::read_counts(bytes, [1, 1, 1]).unwrap_err().0;
        let skip = |zeros: i64| {
            let mut bytes = Vec::new();
            write(&mut bytes, zeros);
            write(&mut bytes, 1);
            bytes
        };
        assert_eq!(refused(&skip(-1_000_000_000_000)), "a value above an hour");
        assert_eq!(refused(&skip(i64::MIN)), "a value above an hour");
        assert_eq!(refused(&skip(-i64::from(index_of(MAX_VALUE_US as u32)) - 1)), "a value above an hour");
        assert_eq!(refused(&skip(i64::from(u32::MAX) + 1)), "a count above 4,294,967,295");
        assert_eq!(refused(&[0x80]), "a number that is cut off");
        assert_eq!(refused(&[0xff; 8]), "a number that is cut off");
        let contradicts = "sum, minimum or maximum that contradict the counts";
        for exact in [[2, 1, 1], [1, u64::MAX, 1], [1, 1, u64::MAX]] {
            assert_eq!(Sparse::read_counts(&skip(-1), exact), Err(BadCounts(contradicts)));
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for _ in 0..5_000 {
            let bytes: Vec<u8> = (0..random.random_range(0..60)).map(|_| random.random()).collect();
            if let Ok(read) = Sparse::read_counts(&bytes, [1, MAX_VALUE_US, 1]) {
                assert!(read.counts.len() <= bytes.len() && read.is_sound());
            }
        }
    }
}
