//! `timeline.csv`: what the run was doing, second by second, appended as it goes.
//!
//! Owns its columns, for writing and for reading. Leaves latencies to `latency.hlog`.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use crate::metrics::{HistoryPoint, Snapshot};

/// The first line.
pub(crate) const HEADER: &str = "elapsed_s,length_s,phase,users,users_target,in_flight,requests,failures\n";

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    /// End of the interval, as time since the start of the load.
    pub at: Duration,
    /// Its length.
    pub length: Duration,
    /// What the run was doing at its end.
    pub phase: String,
    /// Virtual users at its end.
    pub users: u64,
    /// Virtual users that should have run at its end.
    pub users_target: u64,
    /// Requests that waited for their response at its end.
    pub in_flight: u64,
    /// Requests that got their verdict in it; negative when verdicts were taken back.
    pub requests: i64,
    /// Those of them that failed.
    pub failures: i64,
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct TimelineFile {
    file: GrowingFile,
    points: usize,
}

impl TimelineFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let mut file = GrowingFile::create(path)?;
        file.append(HEADER.as_bytes())?;
        Ok(TimelineFile { file, points: 0 })
    }

    /// Appends the points that are not in it yet.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let points = snapshot.history.since(self.points);
        if points.is_empty() {
            return Ok(());
        }
        let rows: String = points.iter().map(|point| row(point)).collect();
        self.file.append(rows.as_bytes())?;
        self.points += points.len();
        Ok(())
    }
}

fn row(point: &HistoryPoint) -> String {
    format!(
        "{:.3},{:.3},{},{},{},{},{},{}\n",
        point.at.as_secs_f64(),
        point.length.as_secs_f64(),
        point.phase.as_str(),
        point.users,
        point.users_target,
        point.in_flight,
        point.total.requests,
        point.total.failures,
    )
}

/// A row as it was written; `None` for the header and for half a row.
pub(crate) fn read_row(line: &str) -> Option<TimelineRow> {
    let mut cells = line.split(',');
    let mut cell = || cells.next();
    let row = TimelineRow {
        at: seconds(cell()?)?,
        length: seconds(cell()?)?,
        phase: cell()?.to_owned(),
        users: cell()?.parse().ok()?,
        users_target: cell()?.parse().ok()?,
        in_flight: cell()?.parse().ok()?,
        requests: cell()?.parse().ok()?,
        failures: cell()?.parse().ok()?,
    };
    Some(row)
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}
