//! The text of an HdrHistogram interval log: one line an interval and series.
//!
//! Format version 1.3 as the HdrHistogram libraries of other languages read it: comment lines, a line of
//! column names, then `Tag=…,start s,length s,maximum ms,base64 of a zlib-compressed V2 histogram`.
//! Values are microseconds. The tags are described in `docs/results.md`. Pure. Invariant: a line that was
//! written gives the same counts when it is read; the maximum is exact, other values are those of buckets.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::histogram::MAX_VALUE_US;
use super::intervals::{IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries};
use super::sparse::Sparse;

/// Between the parts of a tag.
const SEPARATOR: char = '|';

/// Longest text of a compressed histogram that is read; a full one has about 100 kB.
const LONGEST_HISTOGRAM: usize = 1 << 20;

/// Those of `buckets.rs`.
const SIGNIFICANT_DIGITS: u8 = 3;

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

/// The lines of one interval. Response times that are those of successes and failures are left out.
pub fn log_lines(interval: &IntervalHistograms) -> String {
    let mut text = String::new();
    for (key, values) in &interval.histograms {
        if interval.is_repeated(key, values) {
            continue;
        }
        let Some(histogram) = encoded(values) else { continue };
        let (from, length) = (interval.from.as_secs_f64(), interval.to.saturating_sub(interval.from));
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "Tag={},{from:.3},{:.3},{}.{:03},{histogram}",
            tag(key),
            length.as_secs_f64(),
            values.max_us / 1_000,
            values.max_us % 1_000,
        );
    }
    text
}

/// The start of the load, when a comment line names it.
pub fn log_start(line: &str) -> Option<SystemTime> {
    let seconds = line.strip_prefix("#[StartTime: ")?.split(' ').next()?.parse::<f64>().ok()?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// Reads lines of a log; remembers tags, of which a log repeats few.
#[derive(Debug, Default)]
pub struct LogReader {
    keys: HashMap<String, IntervalKey>,
}

impl LogReader {
    /// One line of a log: begin, end, key and values. `None` for a line that is none, or only half of one.
    pub fn line(&mut self, line: &str) -> Option<(Duration, Duration, IntervalKey, Sparse)> {
        let mut columns = line.strip_prefix("Tag=")?.splitn(5, ',');
        let tag = columns.next()?;
        let mut seconds = || Duration::try_from_secs_f64(columns.next()?.parse().ok()?).ok();
        let (from, length) = (seconds()?, seconds()?);
        let max_us = (columns.next()?.parse::<f64>().ok()? * 1_000.0).round() as u64;
        let values = decoded(columns.next()?, max_us)?;
        Some((from, from.checked_add(length)?, self.key(tag)?, values))
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

fn encoded(values: &Sparse) -> Option<String> {
    // In the size that it needs, so that it does not grow step by step.
    let largest = values.counts.last().map_or(0, |&(value, _)| u64::from(value));
    let mut buckets = Hdr::<u32>::new_with_max(largest.max(2), SIGNIFICANT_DIGITS).ok()?;
    for &(value, n) in &values.counts {
        buckets.record_n(u64::from(value), n).ok()?;
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&buckets, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

fn decoded(text: &str, max_us: u64) -> Option<Sparse> {
    if text.len() > LONGEST_HISTOGRAM {
        return None;
    }
    let bytes = STANDARD.decode(text.trim_end()).ok()?;
    let buckets: Hdr<u32> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
    // As `MAX_VALUE_US` is below `u32::MAX`, no value of ours is cut.
    let short = |value: u64| value.min(u64::from(u32::MAX)) as u32;
    let counts: Vec<(u32, u32)> = buckets
        .iter_recorded()
        .map(|step| (short(step.value_iterated_to()), step.count_at_value()))
        .collect();
    let (first, last) = (counts.first()?.0, counts.last()?.0);
    let count = counts.iter().map(|&(_, n)| u64::from(n)).sum();
    let middle = |value: u32| buckets.median_equivalent(u64::from(value));
    let sum_us = counts.iter().map(|&(value, n)| middle(value) * u64::from(n)).sum();
    let min_us = buckets.lowest_equivalent(u64::from(first));
    // The column of the maximum is exact, unless somebody else wrote another unit into it.
    let last = u64::from(last);
    let max_us = if buckets.equivalent(max_us, last) { max_us } else { last };
    Some(Sparse { counts, count, sum_us, min_us: min_us.min(max_us), max_us: max_us.min(MAX_VALUE_US) })
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
    use super::super::histogram::Histogram;
    use super::*;

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
        for values in values {
            let whole = interval(requests("/a"), values.clone());
            let text = log_lines(&whole);
            let (from, to, key, read) = log_line(text.trim_end()).unwrap();
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
