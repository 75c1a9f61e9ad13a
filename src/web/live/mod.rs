//! A run as the page shows it: its figures as JSON, and the report of what there is so far.
//!
//! Owns keeping what charts need and drawing it, no oftener than it is worth. Leaves the sections themselves to `report`,
//! and who may see them to the server.

mod log;
mod recording;
mod rendering;
mod status;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use self::log::Log;
use self::recording::Recording;
use crate::metrics::{IntervalHistograms, IntervalTaker, Snapshot};
use crate::plan::{RunInfo, RunRecord};
use crate::run::{RunHandle, Stopper};

pub use self::log::LogLevel;
pub(super) use self::rendering::{Renderer, Rendering, keep};
pub(super) use self::status::{recruiting, status, waiting};

/// A run that is on, or that was the last one.
pub(super) struct LiveRun {
    pub(super) info: Arc<RunInfo>,
    /// Its folder.
    pub(super) folder: PathBuf,
    pub(super) stopper: Stopper,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    recording: Mutex<Recording>,
    log: Mutex<Log>,
    /// What came of it, once it is over.
    outcome: watch::Sender<Option<RunRecord>>,
}

impl LiveRun {
    pub(super) fn new(handle: &RunHandle, taker: IntervalTaker, folder: PathBuf) -> LiveRun {
        LiveRun {
            info: handle.info().clone(),
            folder,
            stopper: handle.stopper(),
            snapshots: handle.snapshots(),
            recording: Mutex::new(Recording::new(taker)),
            log: Mutex::default(),
            outcome: watch::Sender::new(None),
        }
    }

    /// Its name among all runs: that of its folder.
    pub(super) fn id(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn finish(&self, record: RunRecord) {
        self.outcome.send_replace(Some(record));
    }

    pub(super) fn outcome(&self) -> Option<RunRecord> {
        self.outcome.borrow().clone()
    }

    /// What it has said.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        // A panic while it was held left whole lines behind.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is of it now.
    pub(super) fn record(&self) -> RunRecord {
        self.outcome()
            .unwrap_or_else(|| RunRecord::new(self.info.clone(), None, self.snapshots.borrow().clone()))
    }

    /// Keeps what is new for the charts; gives what they are drawn from.
    fn recorded(&self, record: &RunRecord) -> MutexGuard<'_, Recording> {
        // A panic while it was held left whole intervals behind.
        let mut recording = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        recording.take(record.snapshot.elapsed);
        recording
    }

    /// What its charts are drawn from.
    pub(super) fn with_intervals<T>(
        &self,
        record: &RunRecord,
        read: impl FnOnce(&[IntervalHistograms]) -> T,
    ) -> T {
        read(self.recorded(record).intervals())
    }

    /// Waits for something new; false once there will be nothing.
    pub(super) async fn changed(&self, seen: &mut watch::Receiver<Arc<Snapshot>>) -> bool {
        let mut outcome = self.outcome.subscribe();
        if outcome.borrow().is_some() {
            return false;
        }
        tokio::select! {
            biased;
            _ = outcome.changed() => true,
            changed = seen.changed() => match changed {
                Ok(()) => true,
                // The last snapshot is known, the outcome comes in a moment.
                Err(_) => outcome.changed().await.is_ok(),
            },
        }
    }

    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
