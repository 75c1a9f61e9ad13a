//! The text of an HdrHistogram interval log: one line an interval and series.
//!
//! Format version 1.3 as the HdrHistogram libraries of other languages read it: comment lines, a line of
//! column names, then `Tag=…,start s,length s,maximum ms,base64 of a zlib-compressed V2 histogram`.
//! Values are microseconds. The tags are described in `docs/results.md`. Pure. Invariant: a line that was
//! written gives the same counts when it is read; the maximum is exact, other values are those of buckets.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress, Status};
use hashbrown::HashMap;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

use super::hdr_v2::EMPTY_V2;
use super::intervals::{IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries};
use super::sparse::Sparse;

/// Between the parts of a tag.
const SEPARATOR: char = '|';

/// Longest text of a compressed histogram that is read; a full one has about 100 kB.
const LONGEST_HISTOGRAM: usize = 1 << 20;

/// The first lines of a log whose load began at `started_at`.
pub fn log_header(started_at: SystemTime) -> String {
    let start = started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    format!(
        "#[Histogram log format version 1.3]\n\
         #[Values are microseconds; Interval_Max is milliseconds; starts and lengths are seconds]\n\
         #[StartTime: {start:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// Writes the lines of a log, with one compressor for all of them: a new one takes longer than what it compresses.
#[derive(Debug)]
pub struct LogWriter {
    deflate: Compress,
    /// A histogram before and after it was compressed.
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Default for LogWriter {
    fn default() -> Self {
        let deflate = Compress::new(Compression::default(), true);
        LogWriter { deflate, plain: Vec::new(), packed: Vec::new() }
    }
}

impl LogWriter {
    /// The lines of one interval. Response times that are those of successes and failures are left out.
    pub fn lines(&mut self, interval: &IntervalHistograms) -> String {
        let mut text = String::new();
        for (key, values) in &interval.histograms {
            if values.is_empty() || interval.is_repeated(key, values) {
                continue;
            }
            let Some(histogram) = self.packed(values) else { continue };
            let (from, length) = (interval.from.as_secs_f64(), interval.to.saturating_sub(interval.from));
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "Tag={},{from:.3},{:.3},{}.{:03},",
                tag(key),
                length.as_secs_f64(),
                values.max_us / 1_000,
                values.max_us % 1_000,
            );
            STANDARD.encode_string(histogram, &mut text);
            text.push('\n');
        }
        text
    }

    /// A histogram as V2, compressed.
    fn packed(&mut self, values: &Sparse) -> Option<&[u8]> {
        self.plain.clear();
        self.plain.extend_from_slice(&EMPTY_V2);
        values.write_counts(&mut self.plain);
        let length = u32::try_from(self.plain.len() - EMPTY_V2.len()).ok()?;
        self.plain[LENGTH].copy_from_slice(&length.to_be_bytes());
        // As far as it goes: readers of other languages make room for all that it says.
        let largest = values.counts.last().map_or(0, |&(value, _)| u64::from(value)).max(2);
        self.plain[LARGEST].copy_from_slice(&largest.to_be_bytes());

        self.packed.clear();
        if self.plain.len() <= STORED_UP_TO {
            store(&self.plain, &mut self.packed);
            return self.framed();
        }
        // Deflate never needs more than five bytes a block of 16 kB, and zlib six around them.
        self.packed.reserve(self.plain.len() + self.plain.len() / 1_000 + 64);
        self.deflate.reset();
        let status = self.deflate.compress_vec(&self.plain, &mut self.packed, FlushCompress::Finish).ok()?;
        debug_assert_eq!(status, Status::StreamEnd);
        self.framed()
    }

    /// What was compressed, with what goes before it.
    fn framed(&mut self) -> Option<&[u8]> {
        let length = u32::try_from(self.packed.len()).ok()?;
        self.packed.splice(0..0, COMPRESSED.into_iter().chain(length.to_be_bytes()));
        Some(&self.packed)
    }
}

/// The start of the load, when a comment line names it.
pub fn log_start(line: &str) -> Option<SystemTime> {
    let seconds = line.strip_prefix("#[StartTime: ")?.split(' ').next()?.parse::<f64>().ok()?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// Reads lines of a log; remembers tags, of which a log repeats few.
#[derive(Debug)]
pub struct LogReader {
    keys: HashMap<String, IntervalKey>,
    /// A histogram before and after it was inflated; room for the longest.
    packed: Vec<u8>,
    plain: Box<[u8]>,
}

impl Default for LogReader {
    fn default() -> Self {
        LogReader { keys: HashMap::new(), packed: Vec::new(), plain: vec![0; LONGEST_PLAIN].into() }
    }
}

impl LogReader {
    /// One line of a log: begin, end, key and values. `None` for a line that is none, or only half of one.
    pub fn line(&mut self, line: &str) -> Option<(Duration, Duration, IntervalKey, Sparse)> {
        let mut columns = line.strip_prefix("Tag=")?.splitn(5, ',');
        let tag = columns.next()?;
        let mut seconds = || Duration::try_from_secs_f64(columns.next()?.parse().ok()?).ok();
        let (from, length) = (seconds()?, seconds()?);
        let max_us = (columns.next()?.parse::<f64>().ok()? * 1_000.0).round() as u64;
        let values = self.unpacked(columns.next()?, max_us)?;
        Some((from, from.checked_add(length)?, self.key(tag)?, values))
    }

    /// The values of a compressed histogram. `None` for what is none, has no value, or other buckets than ours.
    fn unpacked(&mut self, text: &str, max_us: u64) -> Option<Sparse> {
        if text.len() > LONGEST_HISTOGRAM {
            return None;
        }
        self.packed.clear();
        STANDARD.decode_vec(text.trim_end(), &mut self.packed).ok()?;
        let packed = self.packed.strip_prefix(&COMPRESSED)?.get(4..)?;
        // Not with flate2, which clears a window of 32 kB for each.
        let length =
            decompress_slice_iter_to_slice(&mut self.plain, std::iter::once(packed), true, false).ok()?;
        own_counts(&self.plain[..length], max_us).filter(|values| !values.is_empty())
    }

    fn key(&mut self, tag: &str) -> Option<IntervalKey> {
        if let Some(known) = self.keys.get(tag) {
            return Some(known.clone());
        }
        let key = key(tag)?;
        self.keys.insert(tag.to_owned(), key.clone());
        Some(key)
    }
}

/// Those of `EMPTY_V2` that differ from histogram to histogram.
const LENGTH: Range<usize> = 4..8;
const LARGEST: Range<usize> = 24..32;

/// Before the compressed bytes, and before their length: the cookie of a compressed V2 histogram.
const COMPRESSED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();

/// A histogram of this many bytes or fewer is not compressed: that makes it a little shorter at most, and clearing the
/// compressor's memory takes longer than all else that is done with it.
const STORED_UP_TO: usize = 256;

/// A zlib stream (RFC 1950) of one stored block (RFC 1951, section 3.2.4).
fn store(plain: &[u8], packed: &mut Vec<u8>) {
    // No more than `STORED_UP_TO`.
    let length = plain.len() as u16;
    packed.extend_from_slice(&[0x78, 0x01, 1]);
    packed.extend_from_slice(&length.to_le_bytes());
    packed.extend_from_slice(&(!length).to_le_bytes());
    packed.extend_from_slice(plain);
    let (a, b) = plain.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    packed.extend_from_slice(&(b << 16 | a).to_be_bytes());
}

/// Longest histogram before it is compressed: the header, and for each bucket a number of up to nine bytes.
const LONGEST_PLAIN: usize = EMPTY_V2.len() + 9 * 23_552;

/// What is in a histogram that has the buckets of ours. `None` for any other.
fn own_counts(plain: &[u8], max_us: u64) -> Option<Sparse> {
    let (header, counts) = plain.split_first_chunk::<{ EMPTY_V2.len() }>()?;
    let mut expected = EMPTY_V2;
    expected[LENGTH].copy_from_slice(&u32::try_from(counts.len()).ok()?.to_be_bytes());
    expected[LARGEST].copy_from_slice(&header[LARGEST]);
    (*header == expected).then_some(())?;
    Sparse::read_only_counts(counts, max_us).ok()
}

fn tag(key: &IntervalKey) -> String {
    let mut text = kind_word(key.kind).to_owned();
    if key.taken_back {
        text.push('-');
    }
    let parts: &[&str] = match &key.series {
        IntervalSeries::All => &["all"],
        IntervalSeries::Requests { scenario, method, name } => &["request", scenario, method, name],
        IntervalSeries::Tag { key, value } => &["tag", key, value],
        IntervalSeries::Transaction(name) => &["transaction", name],
        IntervalSeries::Iterations => &["iterations"],
    };
    for part in parts {
        text.push(SEPARATOR);
        escape(part, &mut text);
    }
    text
}

fn key(tag: &str) -> Option<IntervalKey> {
    let mut parts = tag.split(SEPARATOR);
    let word = parts.next()?;
    let (word, taken_back) = word.strip_suffix('-').map_or((word, false), |word| (word, true));
    let kind = KINDS.iter().find(|(_, name)| *name == word)?.0;
    let of = parts.next()?;
    let mut text = || parts.next().map(|part| Arc::<str>::from(unescaped(part)));
    let series = match of {
        "all" => IntervalSeries::All,
        "request" => IntervalSeries::Requests { scenario: text()?, method: text()?, name: text()? },
        "tag" => IntervalSeries::Tag { key: text()?, value: text()? },
        "transaction" => IntervalSeries::Transaction(text()?),
        "iterations" => IntervalSeries::Iterations,
        _ => return None,
    };
    Some(IntervalKey { series, kind, taken_back })
}

const KINDS: [(IntervalKind, &str); 5] = [
    (IntervalKind::Ok, "ok"),
    (IntervalKind::Failed, "failed"),
    (IntervalKind::Response, "response"),
    (IntervalKind::Duration, "duration"),
    (IntervalKind::Lag, "lag"),
];

fn kind_word(kind: IntervalKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("ok", |(_, word)| word)
}

/// A tag holds no comma, no white space and no line break; the rest of a name stays readable.
fn escape(part: &str, text: &mut String) {
    for c in part.chars() {
        if c == '%' || c == ',' || c == SEPARATOR || c == '"' || c.is_whitespace() || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(c);
        }
    }
}

fn unescaped(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram as Hdr;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

    use super::super::histogram::{Histogram, MAX_VALUE_US};
    use super::*;

    fn log_lines(interval: &IntervalHistograms) -> String {
        LogWriter::default().lines(interval)
    }

    fn log_line(line: &str) -> Option<(Duration, Duration, IntervalKey, Sparse)> {
        LogReader::default().line(line)
    }

    fn of(values: impl IntoIterator<Item = u64>) -> Sparse {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram.take_sparse()
    }

    fn requests(name: &str) -> IntervalKey {
        let series =
            IntervalSeries::Requests { scenario: "a b".into(), method: "GET".into(), name: name.into() };
        IntervalKey { series, kind: IntervalKind::Failed, taken_back: true }
    }

    fn interval(key: IntervalKey, values: Sparse) -> IntervalHistograms {
        let mut interval = IntervalHistograms {
            from: Duration::from_millis(9_000),
            to: Duration::from_millis(10_250),
            ..IntervalHistograms::default()
        };
        interval.add(key, &values);
        interval
    }

    #[test]
    fn a_line_comes_back_as_it_was() {
        let values: [Sparse; 5] = [
            of([1]),
            of([0, 0, 5_000]),
            of((0..2_000).map(|i| 350 + i * 977)),
            of([1_049_123, 80_000]),
            of([MAX_VALUE_US, 17]),
        ];
        // One of each for all: what was before leaves no trace.
        let (mut writer, mut reader) = (LogWriter::default(), LogReader::default());
        for values in values {
            let whole = interval(requests("/a"), values.clone());
            let text = writer.lines(&whole);
            let (from, to, key, read) = reader.line(text.trim_end()).unwrap();
            assert_eq!((from, to, &key), (whole.from, whole.to, &requests("/a")));
            assert_eq!(read.counts, values.counts);
            assert_eq!((read.count, read.max_us), (values.count, values.max_us));
            let (ours, theirs) = (values.histogram(), read.histogram());
            for percentile in [1.0, 50.0, 66.0, 95.0, 99.9, 100.0] {
                assert_eq!(ours.percentile_us(percentile), theirs.percentile_us(percentile));
            }
            let (mean, read_mean) = (ours.summary().unwrap().mean_us, theirs.summary().unwrap().mean_us);
            assert!((mean - read_mean).abs() <= mean * 0.001, "{mean} {read_mean}");
        }
    }

    #[test]
    fn names_of_any_kind_are_one_tag() {
        for name in ["/a,b|c d%20\n\"x\"", "", "<script>", "顧客\u{2028}", "100%"] {
            let text = log_lines(&interval(requests(name), of([5])));
            assert_eq!(text.lines().count(), 1, "{text}");
            assert_eq!(text.split(',').count(), 5, "{text}");
            assert_eq!(log_line(text.trim_end()).unwrap().2, requests(name));
        }
        let all = [
            IntervalSeries::All,
            IntervalSeries::Iterations,
            IntervalSeries::Transaction("a|b".into()),
            IntervalSeries::Tag { key: "team".into(), value: "red".into() },
        ];
        for series in all {
            for (kind, _) in KINDS {
                let wanted = IntervalKey { series: series.clone(), kind, taken_back: false };
                assert_eq!(key(&tag(&wanted)), Some(wanted));
            }
        }
    }

    #[test]
    fn half_a_line_is_no_line() {
        let text = log_lines(&interval(requests("/a"), of([350, 7_000, 7_100])));
        let line = text.trim_end();
        for length in 0..line.len() {
            // Without the last bytes only the checksum is missing.
            let read = log_line(&line[..length]);
            assert!(read.is_none() || read == log_line(line), "{length} of {}", line.len());
            assert!(read.is_none() || length + 10 > line.len(), "{length} of {}", line.len());
        }
        assert_eq!(log_line("\"StartTimestamp\",\"Interval_Length\""), None);
        assert_eq!(log_line("Tag=ok|all,0.0,-1,2,HIST"), None);
        assert_eq!(log_line("Tag=ok|all,1e300,1,2,HIST"), None);
    }

    #[test]
    fn the_start_is_read_from_the_header() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_455_904_250);
        assert_eq!(log_header(start).lines().find_map(log_start), Some(start));
        assert_eq!(log_start("#[StartTime: soon]"), None);
    }

    #[test]
    fn histograms_are_what_the_library_makes_of_them() {
        // The third is the largest that is stored, about, and the last is compressed.
        for values in [
            vec![3],
            vec![350, 7_000, 7_100],
            (0..60).map(|i| i * i * 7).collect(),
            (0..3_000).map(|i| i * i).collect(),
        ] {
            let largest = u64::from(of(values.iter().copied()).counts.last().unwrap().0);
            let mut hdr = Hdr::<u32>::new_with_max(largest, 3).unwrap();
            values.iter().for_each(|value| hdr.record(*value).unwrap());
            let mut theirs = Vec::new();
            V2DeflateSerializer::new().serialize(&hdr, &mut theirs).unwrap();
            let read = LogReader::default().unpacked(&STANDARD.encode(&theirs), largest).unwrap();
            let step = |step: hdrhistogram::iterators::IterationValue<u32>| {
                (step.value_iterated_to() as u32, step.count_at_value())
            };
            assert_eq!(read.counts, hdr.iter_recorded().map(step).collect::<Vec<_>>());
            let middles = hdr.iter_recorded().map(|step| {
                hdr.median_equivalent(step.value_iterated_to()) * u64::from(step.count_at_value())
            });
            assert_eq!(read.sum_us, middles.sum::<u64>());
            assert_eq!(read.min_us, hdr.min());
            // And back, by what is in them: the levels of compression differ.
            let mut writer = LogWriter::default();
            let packed = writer.packed(&of(values)).unwrap();
            let same: Hdr<u32> = Deserializer::new().deserialize(&mut &packed[..]).unwrap();
            assert_eq!(same, hdr);
        }
    }

    #[test]
    fn histograms_with_other_buckets_are_not_read() {
        let mut hdr = Hdr::<u32>::new_with_max(1_000, 2).unwrap();
        hdr.record(500).unwrap();
        let mut theirs = Vec::new();
        V2DeflateSerializer::new().serialize(&hdr, &mut theirs).unwrap();
        assert_eq!(LogReader::default().unpacked(&STANDARD.encode(&theirs), 500), None);
    }

    /// Made by the library's own writer of interval logs, so that the format is not only our idea of it.
    #[test]
    fn the_reader_of_the_library_agrees() {
        use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
        let values = of([350, 4_530, 1_049_123]);
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_455_904);
        let text = format!("{}{}", log_header(start), log_lines(&interval(requests("/a,b"), values)));
        let entries: Vec<_> = IntervalLogIterator::new(text.as_bytes()).map(Result::unwrap).collect();
        assert!(
            matches!(entries[0], LogEntry::StartTime(at) if at.as_secs() == 1_795_455_904),
            "{entries:?}"
        );
        let LogEntry::Interval(read) = &entries[1] else { panic!("{entries:?}") };
        assert_eq!(read.tag().unwrap().as_str(), "failed-|request|a%20b|GET|/a%2Cb");
        assert_eq!(
            (read.start_timestamp(), read.duration()),
            (Duration::from_secs(9), Duration::from_millis(1_250))
        );
        assert_eq!(read.max(), 1_049.123);
        let bytes = STANDARD.decode(read.encoded_histogram()).unwrap();
        let histogram: Hdr<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!((histogram.len(), histogram.value_at_quantile(0.5)), (3, 4_531));
    }
}
