//! `stats_history.csv`: a file that grows by a second at a time.
//!
//! Owns what has been written. Invariant: up to `good_bytes` the file holds whole rows, each point
//! once, even when the disk was full in between.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::error::ResultsError;
use super::tables::{EndpointCounts, history_header, history_rows};
use crate::metrics::Snapshot;

/// The history of a run as a growing file.
#[derive(Debug)]
pub(crate) struct HistoryFile {
    path: PathBuf,
    file: File,
    /// Length of what was written in full.
    good_bytes: u64,
    /// History points in it.
    points: usize,
    /// Running totals of the endpoints, when they have rows of their own.
    endpoints: Option<EndpointCounts>,
}

impl HistoryFile {
    /// Makes the file with its header.
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let file = File::create(&path).map_err(ResultsError::create("the file", &path))?;
        let mut history = HistoryFile { path, file, good_bytes: 0, points: 0, endpoints: None };
        history.append(&history_header())?;
        Ok(history)
    }

    /// Gives each endpoint its own rows; to be called before the first update.
    pub(crate) fn with_endpoints(&mut self, wanted: bool) {
        self.endpoints = wanted.then(EndpointCounts::default);
    }

    /// Appends the points that are not in it yet.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let points = snapshot.history.since(self.points);
        if points.is_empty() {
            return Ok(());
        }
        let mut endpoints = self.endpoints.clone();
        let mut rows = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let newest = (index + 1 == points.len()).then_some(snapshot);
            rows.extend(history_rows(point, snapshot.started_at, endpoints.as_mut(), newest));
        }
        self.append(&rows)?;
        // Only now: rows that were not written in full are made again the next time.
        self.endpoints = endpoints;
        self.points += points.len();
        Ok(())
    }

    fn append(&mut self, rows: &[u8]) -> Result<(), ResultsError> {
        self.write_at_end(rows).map_err(ResultsError::write(&self.path))?;
        self.good_bytes += rows.len() as u64;
        Ok(())
    }

    fn write_at_end(&mut self, rows: &[u8]) -> std::io::Result<()> {
        // What a failed attempt left behind is half a row.
        self.file.seek(SeekFrom::Start(self.good_bytes))?;
        if self.file.metadata()?.len() > self.good_bytes {
            self.file.set_len(self.good_bytes)?;
        }
        self.file.write_all(rows)?;
        self.file.flush()
    }
}
