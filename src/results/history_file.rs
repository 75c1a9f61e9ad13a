//! `stats_history.csv`: a file that grows by one second at a time.
//!
//! Owns which points are in it. Invariant: each point is in it once, also when the disk was full in between, and not before
//! all have told of it.

use std::path::PathBuf;

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use super::tables::{EndpointCounts, history_header, history_rows};
use crate::metrics::Snapshot;

/// The history of a run as a growing file.
#[derive(Debug)]
pub(crate) struct HistoryFile {
    file: GrowingFile,
    /// History points in it.
    points: usize,
    /// Running totals of the endpoints, when they have rows of their own.
    endpoints: Option<EndpointCounts>,
}

impl HistoryFile {
    /// Makes the file with its header.
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let mut file = GrowingFile::create(path)?;
        file.append(&history_header())?;
        Ok(HistoryFile { file, points: 0, endpoints: None })
    }

    /// Gives each endpoint its own rows; to be called before the first update.
    pub(crate) fn with_endpoints(&mut self, wanted: bool) {
        self.endpoints = wanted.then(EndpointCounts::default);
    }

    /// Appends the points that are not in it yet and change no more.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let points = snapshot.history.settled_since(self.points);
        if points.is_empty() {
            return Ok(());
        }
        let mut endpoints = self.endpoints.clone();
        let mut rows = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let newest = (self.points + index + 1 == snapshot.history.len()).then_some(snapshot);
            rows.extend(history_rows(point, snapshot.started_at, endpoints.as_mut(), newest));
        }
        self.file.append(&rows)?;
        // Only now: rows that were not written in full are made again the next time.
        self.endpoints = endpoints;
        self.points += points.len();
        Ok(())
    }
}
