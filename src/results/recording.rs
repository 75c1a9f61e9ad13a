//! The seconds of a stored run, read back: `latency.hlog` and `timeline.csv`.
//!
//! Owns what counts as damage. Invariant: reading never fails; missing or damaged parts are skipped and
//! listed in `problems`. The last line of a run that was killed may be half a line: that is no damage.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::timeline_file::{HEADER, TimelineRow, read_row};
use crate::metrics::{
    Histogram, IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries, LogReader, Sparse, log_start,
};

/// Longest line that is read; a file of something else must not fill the memory.
const LONGEST_LINE: u64 = 2 << 20;

/// See the module's description.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recording {
    /// When the load began, as the log says.
    pub started_at: Option<SystemTime>,
    /// Its intervals by their begin. Those of endpoints may be longer than those of the whole run.
    pub intervals: Vec<IntervalHistograms>,
    /// What the run was doing, second by second.
    pub timeline: Vec<TimelineRow>,
    /// What was missing or could not be read, as sentences.
    pub problems: Vec<String>,
}

/// A part of the run's time. An interval belongs to it when its middle lies within.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Its begin, as time since the start of the load.
    pub from: Duration,
    /// Its end; `None` is the end of the run.
    pub to: Option<Duration>,
}

impl Window {
    /// Whether an interval belongs to it.
    pub fn holds(self, from: Duration, to: Duration) -> bool {
        let middle = from + to.saturating_sub(from) / 2;
        middle >= self.from && self.to.is_none_or(|end| middle < end)
    }
}

impl Recording {
    /// Reads both from a run directory.
    pub fn read(folder: &Path) -> Recording {
        let mut recording = Recording::default();
        recording.read_log(folder);
        recording.read_timeline(folder);
        recording
    }

    /// Histograms by group, of the times of one kind in a window; a series that `group` gives none is left out.
    /// Values whose verdict changed later are taken back.
    pub fn by<K: Ord>(
        &self,
        group: impl Fn(&IntervalSeries) -> Option<K>,
        kind: IntervalKind,
        window: Window,
    ) -> BTreeMap<K, Histogram> {
        let mut all = BTreeMap::new();
        for interval in self.intervals.iter().filter(|interval| window.holds(interval.from, interval.to)) {
            for (series, taken_back, values) in of_kind(interval, kind) {
                let Some(group) = group(series) else { continue };
                let histogram: &mut Histogram = all.entry(group).or_default();
                if taken_back {
                    histogram.remove_sparse(&values);
                } else {
                    histogram.merge_sparse(&values);
                }
            }
        }
        all
    }

    fn read_log(&mut self, folder: &Path) {
        let mut reader = LogReader::default();
        let mut intervals: BTreeMap<(Duration, Duration), IntervalHistograms> = BTreeMap::new();
        let mut started_at = None;
        let mut damage = Vec::new();
        let read = each_line(&folder.join("latency.hlog"), |number, line| {
            if let Some((from, to, key, values)) = reader.line(line) {
                let interval = intervals.entry((from, to)).or_default();
                (interval.from, interval.to) = (from, to);
                interval.add(key, &values);
            } else if let Some(start) = log_start(line) {
                started_at = Some(start);
            } else if !line.starts_with('#') && !line.starts_with('"') && !line.is_empty() {
                damage.push(number);
            }
        });
        self.started_at = started_at;
        self.intervals = intervals.into_values().collect();
        self.note("latency.hlog", read, &damage);
    }

    fn read_timeline(&mut self, folder: &Path) {
        let mut rows = Vec::new();
        let mut damage = Vec::new();
        let read = each_line(&folder.join("timeline.csv"), |number, line| match read_row(line) {
            Some(row) => rows.push(row),
            // Also that of a version without the last column.
            None if number == 1 && HEADER.starts_with(line) => {}
            None => damage.push(number),
        });
        self.timeline = rows;
        self.note("timeline.csv", read, &damage);
    }

    fn note(&mut self, name: &str, read: std::io::Result<()>, damage: &[usize]) {
        if let Err(error) = read {
            self.problems.push(format!("{name} cannot be read: {error}"));
        }
        if let [first, rest @ ..] = damage {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            self.problems.push(format!("{name}: line {first}{more} cannot be read and was skipped"));
        }
    }
}

/// The histograms of one kind in an interval: series, whether taken back, values.
fn of_kind(
    interval: &IntervalHistograms,
    kind: IntervalKind,
) -> Vec<(&IntervalSeries, bool, std::borrow::Cow<'_, Sparse>)> {
    use std::borrow::Cow;
    if kind != IntervalKind::Response {
        let of_kind = interval.histograms.iter().filter(|(key, _)| key.kind == kind);
        return of_kind.map(|(key, values)| (&key.series, key.taken_back, Cow::Borrowed(values))).collect();
    }
    // Left out where they say nothing new, so they are looked for by series.
    let mut found: Vec<(&IntervalSeries, bool, Cow<'_, Sparse>)> = Vec::new();
    let requests = |key: &IntervalKey| {
        matches!(key.kind, IntervalKind::Ok | IntervalKind::Failed | IntervalKind::Response)
    };
    for key in interval.histograms.keys().filter(|key| requests(key)) {
        if !found
            .iter()
            .rev()
            .take(6)
            .any(|(series, back, _)| **series == key.series && *back == key.taken_back)
        {
            let values = interval.response(&key.series, key.taken_back);
            found.push((&key.series, key.taken_back, Cow::Owned(values)));
        }
    }
    found
}

/// Each whole line of a file with its number from 1; text that is no UTF-8 is read as far as it goes.
fn each_line(path: &Path, mut act: impl FnMut(usize, &str)) -> std::io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        let read = std::io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut bytes)?;
        // Without its end, the line is what a killed run was writing.
        if read == 0 || bytes.pop() != Some(b'\n') {
            return Ok(());
        }
        number += 1;
        act(number, &String::from_utf8_lossy(&bytes));
    }
}
