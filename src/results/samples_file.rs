//! Every sample of a run as a file, in the two forms of k6: JSON lines and CSV.
//!
//! Owns the formats. Leaves to the run which samples are written, and what happens when they come too fast. Invariants: a
//! plain file holds whole lines only, also when its disk was full; what waits in memory is bounded.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::error::{ResultsError, advice};
use crate::metrics::{SampleGroup, SampleMetric, SampleSink};
use crate::system::create_stream;
use crate::text::clean_line;
use crate::text::utc::utc_micros;

/// How much is written at once.
const BLOCK: usize = 64 << 10;

/// What has a meaning in the column `extra_tags`.
const IN_EXTRA_TAGS: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'=');

/// The tags that have columns of their own, as k6 has them. Those that rhaid does not know stay empty, so that
/// who reads k6's files by column reads these.
const COLUMNS: [&str; 14] = [
    "check",
    "error",
    "error_code",
    "expected_response",
    "group",
    "method",
    "name",
    "proto",
    "scenario",
    "service",
    "status",
    "subproto",
    "tls_version",
    "url",
];

/// How samples are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplesFormat {
    /// A JSON object a line: one for each metric when it first comes, one for each value.
    Json,
    /// A row for each value.
    Csv,
}

/// A file of samples; to be given to [`LoadTest::samples`](crate::LoadTest::samples).
pub struct SamplesFile {
    name: String,
    format: SamplesFormat,
    out: Out,
    /// Whole lines that are not written yet.
    lines: Vec<u8>,
    /// Metrics that the file describes already.
    known: HashSet<String>,
}

enum Out {
    Plain {
        file: File,
        /// Length of what was written in full; `None` for what is no ordinary file, such as a pipe.
        good_bytes: Option<u64>,
    },
    Gzip(Box<GzEncoder<File>>),
    Other(Box<dyn Write + Send>),
}

impl SamplesFile {
    /// Creates the file and its parent directories, replacing an older file. A name ending in `.gz` is compressed.
    ///
    /// # Errors
    /// [`ResultsError`] if it cannot be created.
    pub fn create(format: SamplesFormat, path: &Path) -> Result<SamplesFile, ResultsError> {
        let failed = |error| ResultsError::create("the file", path)(error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(ResultsError::create("the directory", folder))?;
        }
        let file = create_stream(path).map_err(failed)?;
        let is_plain = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let out = if path.extension().is_some_and(|extension| extension == "gz") {
            Out::Gzip(Box::new(GzEncoder::new(file, Compression::fast())))
        } else {
            Out::Plain { file, good_bytes: is_plain.then_some(0) }
        };
        let mut samples = SamplesFile::with(format, path.display().to_string(), out);
        // Now rather than with the first sample: a disk that is full already is told before the run.
        samples.write_lines().map_err(ResultsError::write(path))?;
        Ok(samples)
    }

    /// Writes to anything, under this name in messages.
    pub fn to(format: SamplesFormat, name: &str, out: impl Write + Send + 'static) -> SamplesFile {
        SamplesFile::with(format, name.to_owned(), Out::Other(Box::new(out)))
    }

    fn with(format: SamplesFormat, name: String, out: Out) -> SamplesFile {
        let mut lines = Vec::new();
        if format == SamplesFormat::Csv {
            let header =
                format!("metric_name,timestamp,metric_value,{},extra_tags,metadata\n", COLUMNS.join(","));
            lines.extend_from_slice(header.as_bytes());
        }
        SamplesFile { name, format, out, lines, known: HashSet::new() }
    }

    fn write_lines(&mut self) -> io::Result<()> {
        let written = self.out.write(&self.lines);
        // Also after an error: who failed is not tried again.
        self.lines.clear();
        written
    }
}

impl SampleSink for SamplesFile {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, group: &SampleGroup<'_>) -> io::Result<()> {
        match self.format {
            SamplesFormat::Json => json_lines(&mut self.lines, &mut self.known, group)?,
            SamplesFormat::Csv => csv_rows(&mut self.lines, group)?,
        }
        if self.lines.len() < BLOCK { Ok(()) } else { self.write_lines().map_err(advised) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_lines().and_then(|()| self.out.flush()).map_err(advised)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_lines().and_then(|()| self.out.finish()).map_err(advised)
    }
}

impl Out {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Out::Plain { file, good_bytes } => {
                let written = file.write_all(lines);
                if let Some(good) = good_bytes {
                    match &written {
                        Ok(()) => *good += lines.len() as u64,
                        Err(_) => {
                            // Half a line is worth less than none. If that fails too, it stays.
                            let _ = file.set_len(*good);
                            let _ = file.seek(SeekFrom::Start(*good));
                        }
                    }
                }
                written
            }
            Out::Gzip(encoder) => encoder.write_all(lines),
            Out::Other(out) => out.write_all(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain { file, .. } => file.flush(),
            Out::Gzip(encoder) => encoder.flush(),
            Out::Other(out) => out.flush(),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Out::Gzip(encoder) => encoder.try_finish(),
            out => out.flush(),
        }
    }
}

/// What went wrong with what to do about it.
fn advised(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{error}; {}", advice(&error)))
}

fn json_lines(lines: &mut Vec<u8>, known: &mut HashSet<String>, group: &SampleGroup<'_>) -> io::Result<()> {
    let mut tags = Vec::new();
    for (key, value) in &group.tags {
        tags.push(if tags.is_empty() { b'{' } else { b',' });
        serde_json::to_writer(&mut tags, key)?;
        tags.push(b':');
        serde_json::to_writer(&mut tags, value)?;
    }
    let tags = if tags.is_empty() { b"{}".to_vec() } else { [&*tags, b"}"].concat() };
    let time = utc_micros(group.at);
    for (metric, value) in &group.values {
        if !known.contains(metric.name) {
            known.insert(metric.name.to_owned());
            describe(lines, metric)?;
        }
        write!(lines, r#"{{"metric":"{}","type":"Point","data":{{"time":"{time}","value":"#, metric.name)?;
        number(lines, *value)?;
        lines.extend_from_slice(b",\"tags\":");
        lines.extend_from_slice(&tags);
        lines.extend_from_slice(b"}}\n");
    }
    Ok(())
}

/// The line that comes before the first value of a metric. Names of metrics are words: they need no escaping.
fn describe(lines: &mut Vec<u8>, metric: &SampleMetric<'_>) -> io::Result<()> {
    let SampleMetric { name, kind, contains } = metric;
    writeln!(
        lines,
        r#"{{"type":"Metric","data":{{"name":"{name}","type":"{kind}","contains":"{contains}","thresholds":[],"submetrics":null}},"metric":"{name}"}}"#
    )
}

/// A whole number without a point, as k6 writes it.
fn number(lines: &mut Vec<u8>, value: f64) -> io::Result<()> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        write!(lines, "{}", value as i64)
    } else {
        Ok(serde_json::to_writer(lines, &value)?)
    }
}

fn csv_rows(lines: &mut Vec<u8>, group: &SampleGroup<'_>) -> io::Result<()> {
    let of =
        |column: &str| group.tags.iter().find(|(key, _)| *key == column).map_or("", |(_, value)| &**value);
    let mut extra = String::new();
    for (key, value) in group.tags.iter().filter(|(key, _)| !COLUMNS.contains(&&**key)) {
        let escaped = |text| utf8_percent_encode(text, IN_EXTRA_TAGS);
        let and = if extra.is_empty() { "" } else { "&" };
        // Writing to memory does not fail.
        let _ = write!(extra, "{and}{}={}", escaped(key), escaped(value));
    }
    let mut row = csv::WriterBuilder::new().buffer_capacity(256).from_writer(Vec::with_capacity(256));
    row.write_record(COLUMNS.iter().map(|column| clean_line(of(column))).chain([extra, String::new()]))
        .map_err(io::Error::other)?;
    let cells = row.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    let since = group.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    for (metric, value) in &group.values {
        write!(lines, "{},{seconds}.{micros:06},{value:.6},", metric.name)?;
        lines.extend_from_slice(&cells);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use super::*;
    use crate::metrics::MetricKind;

    fn group() -> SampleGroup<'static> {
        let tag = |key, value| (Cow::Borrowed(key), Cow::Borrowed(value));
        let metric = |name, kind, contains| SampleMetric { name, kind, contains };
        SampleGroup {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_455_904_000_120),
            tags: vec![
                tag("name", "/a,\"b\""),
                tag("status", "200"),
                tag("team", "a&b=<c>"),
                tag("line", "x\ny"),
            ],
            values: vec![
                (metric("http_reqs", MetricKind::Counter, "default"), 1.0),
                (metric("http_req_duration", MetricKind::Trend, "time"), 12.345),
            ],
        }
    }

    fn written(format: SamplesFormat, groups: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/samples");
        let mut file = SamplesFile::create(format, &path).unwrap();
        (0..groups).for_each(|_| file.write(&group()).unwrap());
        file.finish().unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn json_lines_are_those_of_k6() {
        let text = written(SamplesFormat::Json, 2);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "each metric is described once\n{text}");
        assert_eq!(
            lines[0],
            r#"{"type":"Metric","data":{"name":"http_reqs","type":"counter","contains":"default","thresholds":[],"submetrics":null},"metric":"http_reqs"}"#
        );
        assert_eq!(
            lines[1],
            r#"{"metric":"http_reqs","type":"Point","data":{"time":"2026-11-23T17:45:04.000120Z","value":1,"tags":{"name":"/a,\"b\"","status":"200","team":"a&b=<c>","line":"x\ny"}}}"#
        );
        assert!(
            lines[3].contains(r#""metric":"http_req_duration","#) && lines[3].contains(r#""value":12.345,"#)
        );
        assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn csv_rows_have_the_columns_of_k6() {
        let text = written(SamplesFormat::Csv, 1);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), 19);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let row: Vec<&str> = rows[1].iter().collect();
        assert_eq!(row[..3], ["http_req_duration", "1795455904.000120", "12.345000"]);
        assert_eq!((row[9], row[13], row[18]), ("/a,\"b\"", "200", ""));
        assert_eq!(row[17], "team=a%26b%3D<c>&line=x%0Ay");
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_name_that_ends_in_gz_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.csv.gz");
        let mut file = SamplesFile::create(SamplesFormat::Csv, &path).unwrap();
        file.write(&group()).unwrap();
        file.flush().unwrap();
        // As after SIGKILL: the end is missing, what was flushed is there.
        let read = |bytes: &[u8]| {
            let mut text = String::new();
            let result = io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text);
            (result.is_ok(), text.lines().count())
        };
        assert_eq!(read(&fs::read(&path).unwrap()), (false, 3));
        file.finish().unwrap();
        assert_eq!(read(&fs::read(&path).unwrap()), (true, 3));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_with_advice() {
        let error = SamplesFile::create(SamplesFormat::Csv, Path::new("/dev/full")).err().unwrap();
        assert!(error.to_string().contains("free some disk space"), "{error}");
        let mut file = SamplesFile::create(SamplesFormat::Json, Path::new("/dev/full")).unwrap();
        file.write(&group()).unwrap();
        let error = file.flush().unwrap_err();
        assert!(error.to_string().contains("free some disk space"), "{error}");
    }
}
