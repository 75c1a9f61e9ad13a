//! `latency.hlog`: the histograms of the run, interval by interval, as an HdrHistogram interval log.
//!
//! Owns which intervals are in it and how long the intervals of endpoints are. Leaves the format to
//! `metrics`. Invariants: every value that the run counted is in exactly one line once `finish` has
//! succeeded; what waits for a full disk is bounded, and becomes fewer, longer intervals.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use crate::metrics::{
    IntervalHistograms, IntervalQueue, IntervalSeries, IntervalTaker, LogWriter, Snapshot, log_header,
};

/// Up to this many endpoint histograms per second, each second has its own lines.
const MOST_EACH_SECOND: usize = 120;

/// Beyond, intervals of five seconds, and beyond this of ten: 500 endpoints fill a disk otherwise.
const MOST_EACH_FIVE_SECONDS: usize = 600;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct HlogFile {
    file: GrowingFile,
    has_header: bool,
    writer: LogWriter,
    taker: Option<IntervalTaker>,
    /// Whole intervals to be written.
    waiting: IntervalQueue,
    /// The endpoints' part of the longer interval that is open.
    open: Option<IntervalHistograms>,
    /// End of the last second that was told in time.
    newest: Duration,
}

impl HlogFile {
    /// Makes the file; its header names the start of the load, which comes later.
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let file = GrowingFile::create(path)?;
        Ok(HlogFile {
            file,
            has_header: false,
            writer: LogWriter::default(),
            taker: None,
            waiting: IntervalQueue::default(),
            open: None,
            newest: Duration::ZERO,
        })
    }

    /// Asks for the intervals from now on.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot) {
        self.taker.get_or_insert_with(|| snapshot.intervals.taker());
    }

    /// Appends the intervals that the run has handed out since the last call.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        self.add_new(snapshot);
        self.write(snapshot)
    }

    /// Appends what is left.
    pub(crate) fn finish(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        self.add_new(snapshot);
        if let Some(open) = self.open.take() {
            self.waiting.push(open);
        }
        self.write(snapshot)
    }

    fn add_new(&mut self, snapshot: &Snapshot) {
        let taker = self.taker.get_or_insert_with(|| snapshot.intervals.taker());
        taker.take().into_iter().for_each(|interval| self.add(interval));
    }

    /// Lines of the whole run each second, those of endpoints together for longer when there are many.
    fn add(&mut self, mut interval: IntervalHistograms) {
        let run_wide =
            |series: &IntervalSeries| matches!(series, IntervalSeries::All | IntervalSeries::Iterations);
        let (from, to) = (interval.from, interval.to);
        let all = std::mem::take(&mut interval.histograms);
        let (whole_run, endpoints) = all.into_iter().partition(|(key, _)| run_wide(&key.series));
        interval.histograms = endpoints;
        let span = Duration::from_secs(match interval.histograms.len() {
            0..=MOST_EACH_SECOND => 1,
            n if n <= MOST_EACH_FIVE_SECONDS => 5,
            _ => 10,
        });
        self.waiting.push(IntervalHistograms { from, to, histograms: whole_run });
        if to <= self.newest {
            // It is told late, and must not make the one that is open longer, nor be the beginning of the next one.
            match self.open.as_mut().filter(|open| open.from <= from) {
                Some(open) => open.merge(interval),
                None => self.waiting.push(interval),
            }
            return;
        }
        self.newest = to;
        let open = match self.open.take() {
            Some(mut open) => {
                open.merge(interval);
                open
            }
            None => interval,
        };
        // Half a second of tolerance: ticks are a little late, and not by the same time each.
        if open.to.saturating_sub(open.from) + Duration::from_millis(500) >= span {
            self.waiting.push(open);
        } else {
            self.open = Some(open);
        }
    }

    fn write(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        if !self.has_header && snapshot.elapsed > Duration::ZERO {
            self.file.append(log_header(snapshot.started_at).as_bytes())?;
            self.has_header = true;
        }
        let text: String =
            self.waiting.waiting().iter().map(|interval| self.writer.lines(interval)).collect();
        if text.is_empty() || !self.has_header {
            return Ok(());
        }
        self.file.append(text.as_bytes())?;
        self.waiting.take();
        Ok(())
    }
}
