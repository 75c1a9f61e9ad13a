//! The record of a run: its settings, its end, and its figures.

use std::sync::Arc;

use super::{EndedBy, RunInfo};
use crate::metrics::Snapshot;

/// A run as shown in reports and results. Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunRecord {
    /// The settings of the run.
    pub info: Arc<RunInfo>,
    /// Why it ended; `None` while it is running.
    pub ended_by: Option<EndedBy>,
    /// Its figures.
    pub snapshot: Arc<Snapshot>,
    /// What is worse than in the run it was compared with, as a sentence; `None` if nothing is, or it was not compared.
    pub regression: Option<String>,
    /// What is missing of its results that was asked for, as a sentence; `None` if nothing is.
    pub incomplete: Option<String>,
}

impl RunRecord {
    /// The record of a run.
    pub fn new(
        info: impl Into<Arc<RunInfo>>,
        ended_by: impl Into<Option<EndedBy>>,
        snapshot: impl Into<Arc<Snapshot>>,
    ) -> RunRecord {
        RunRecord {
            info: info.into(),
            ended_by: ended_by.into(),
            snapshot: snapshot.into(),
            regression: None,
            incomplete: None,
        }
    }

    /// Something that was asked for is missing from its results; whether that was not known yet.
    pub fn lacks(&mut self, what: &str) -> bool {
        match &mut self.incomplete {
            Some(all) if all.contains(what) => return false,
            Some(all) => {
                all.push_str("; ");
                all.push_str(what);
            }
            None => self.incomplete = Some(what.to_owned()),
        }
        true
    }

    /// Why it ended; one that goes on has not come to an end.
    pub fn ended_by(&self) -> &EndedBy {
        self.ended_by.as_ref().unwrap_or(&EndedBy::Unfinished)
    }
}
