//! A running test from outside: watch it, stop it, wait for its report.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use super::control::{Control, ControlError};
use super::driver::Ending;
use super::error::RunError;
use super::requests::{Hold, Request};
use crate::analysis::Verdict;
use crate::metrics::Snapshot;
use crate::plan::{EndedBy, RunInfo, RunRecord};
use crate::results::run_json;
use crate::script::SummaryOutput;

/// A running load test. Dropping it, or the future of [`RunHandle::wait`], ends the run at once, as a second
/// [`RunHandle::stop`] does; [`RunHandle::detach`] lets it go on unwatched.
pub struct RunHandle {
    info: Arc<RunInfo>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    requests: mpsc::Sender<Request>,
    result: oneshot::Receiver<Ending>,
    thread: JoinHandle<()>,
    hold: Hold,
}

/// Stops a run from elsewhere, such as a signal handler; cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    requests: mpsc::Sender<Request>,
}

impl Stopper {
    /// As [`RunHandle::stop`].
    pub fn stop(&self) {
        self.request(EndedBy::Stopped);
    }

    /// As [`RunHandle::stop`], with the report saying that a signal was the reason.
    pub fn stop_on_signal(&self) {
        self.request(EndedBy::Signal);
    }

    /// As [`RunHandle::reload`].
    pub fn reload(&self) {
        // Full or closed: the run is being stopped, or over.
        let _ = self.requests.try_send(Request::Reload);
    }

    /// As [`RunHandle::control`].
    ///
    /// # Errors
    /// As there.
    pub async fn control(&self, control: Control) -> Result<(), ControlError> {
        self.control_all(vec![control]).await
    }

    /// As [`RunHandle::control_all`].
    ///
    /// # Errors
    /// As there.
    pub async fn control_all(&self, controls: Vec<Control>) -> Result<(), ControlError> {
        let (answer, is_done) = oneshot::channel();
        let request = Request::Control(controls, answer);
        self.requests.send(request).await.map_err(|_| ControlError::Over)?;
        is_done.await.unwrap_or(Err(ControlError::Over))
    }

    fn request(&self, cause: EndedBy) {
        // Full means that stopping was asked for several times already; closed, that the run is over.
        let _ = self.requests.try_send(Request::Stop(cause));
    }
}

impl RunHandle {
    pub(super) fn new(
        info: RunInfo,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        requests: mpsc::Sender<Request>,
        result: oneshot::Receiver<Ending>,
        thread: JoinHandle<()>,
        hold: Hold,
    ) -> RunHandle {
        RunHandle { info: Arc::new(info), snapshots, requests, result, thread, hold }
    }

    /// What is run, and how.
    pub fn info(&self) -> &Arc<RunInfo> {
        &self.info
    }

    /// The state of the run once a second; the last one is the state at its end. When the load is changed or stopped, the last
    /// state comes again with the phase, the stage and the number of users that there should be from then on.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Ends the run: no new iterations, waits are cut, running iterations get the stop timeout. A second
    /// call ends it at once. Nothing that was recorded is lost in either case.
    pub fn stop(&self) {
        self.stopper().stop();
    }

    /// Reads the script and what it imports again. If it loads, virtual users run it from their next iteration
    /// on, with their `this`, cookies and connections, and the run gets a mark; if not, the error is a message
    /// and the old one goes on. Scenarios and options stay those of the start. Does nothing before the load
    /// has begun, and for a script that was given as text but for its imports.
    pub fn reload(&self) {
        self.stopper().reload();
    }

    /// Changes the load from now on: users, rate, pause, stage. Each change is a mark in the history.
    ///
    /// # Errors
    /// Why it cannot be done now: no load of that kind runs, the run is paused or over.
    pub async fn control(&self, control: Control) -> Result<(), ControlError> {
        self.stopper().control(control).await
    }

    /// Makes several changes at one moment, in their order, or, if one of them cannot be made, none.
    ///
    /// # Errors
    /// Why the first of those that cannot be made cannot be.
    pub async fn control_all(&self, controls: Vec<Control>) -> Result<(), ControlError> {
        self.stopper().control_all(controls).await
    }

    /// So many virtual users from now on; they are added or taken away at the spawn rate of the start.
    ///
    /// # Errors
    /// As [`RunHandle::control`].
    pub async fn set_users(&self, users: u64) -> Result<(), ControlError> {
        self.control(Control::Users { scenario: None, users, spawn_rate: None }).await
    }

    /// So many iterations per second from now on.
    ///
    /// # Errors
    /// As [`RunHandle::control`].
    pub async fn set_rate(&self, rate: f64) -> Result<(), ControlError> {
        self.control(Control::Rate { scenario: None, rate }).await
    }

    /// Begins no iteration until [`RunHandle::resume`]; the time of the load stands still.
    ///
    /// # Errors
    /// As [`RunHandle::control`].
    pub async fn pause(&self) -> Result<(), ControlError> {
        self.control(Control::Pause).await
    }

    /// Goes on where the load was paused.
    ///
    /// # Errors
    /// As [`RunHandle::control`].
    pub async fn resume(&self) -> Result<(), ControlError> {
        self.control(Control::Resume).await
    }

    /// Ends the stage that the load is in.
    ///
    /// # Errors
    /// As [`RunHandle::control`].
    pub async fn skip_stage(&self) -> Result<(), ControlError> {
        self.control(Control::NextStage).await
    }

    /// Something that can stop the run while this handle is being waited for.
    pub fn stopper(&self) -> Stopper {
        Stopper { requests: self.requests.clone() }
    }

    /// Lets the run go on to its own end with nobody holding it; snapshots and a [`Stopper`] that were taken
    /// before still work.
    pub fn detach(self) {
        self.hold.detach();
    }

    /// Waits for the end of the run. Dropping the future, as a timeout around it does, ends the run at once.
    ///
    /// # Errors
    /// When the script turned out to be unusable as it is set up (no host for its relative URLs).
    pub async fn wait(self) -> Result<Report, RunError> {
        let ending = self.result.await;
        // The result was its last act; it ends in a moment.
        let _ = self.thread.join();
        let Ok(ending) = ending else {
            return Err(RunError::Thread(std::io::Error::other("the run's thread ended without a result")));
        };
        if let Some(error) = ending.misconfigured {
            return Err(RunError::Misconfigured(error));
        }
        let mut record = RunRecord::new(self.info, ending.ended_by, ending.snapshot);
        let snapshot = record.snapshot.clone();
        for file in snapshot.samples.iter().filter(|file| file.problem.is_some()) {
            record.lacks(&format!("samples in {}", file.name));
        }
        if let Some(Err(error)) = &ending.summary {
            record.lacks(&format!("summary failed: {}", error.lines().next().unwrap_or_default()));
        }
        Ok(Report { record, teardown_error: ending.teardown_error, summary: ending.summary })
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    record: RunRecord,
    teardown_error: Option<String>,
    summary: Option<Result<Vec<SummaryOutput>, String>>,
}

impl Report {
    /// What is kept of the run, for `report` and `results`.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// The run as JSON: what the command writes to `run.json`.
    pub fn to_json(&self) -> serde_json::Value {
        run_json(&self.record)
    }

    /// What was run, and how.
    pub fn info(&self) -> &RunInfo {
        &self.record.info
    }

    /// Why the run ended.
    pub fn ended_by(&self) -> &EndedBy {
        self.record.ended_by()
    }

    /// The final figures.
    pub fn snapshot(&self) -> &Snapshot {
        &self.record.snapshot
    }

    /// Why `teardown` failed, if it did.
    pub fn teardown_error(&self) -> Option<&str> {
        self.teardown_error.as_deref()
    }

    /// What the script's `summary` wants to be written; the command writes it. Empty without one.
    pub fn summary_outputs(&self) -> &[SummaryOutput] {
        match &self.summary {
            Some(Ok(outputs)) => outputs,
            Some(Err(_)) | None => &[],
        }
    }

    /// Why `summary` failed, if it did.
    pub fn summary_error(&self) -> Option<&str> {
        self.summary.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Whether the run made requests, some of which succeeded, completed an iteration if any ended, met every threshold,
    /// and was neither aborted by its script nor ended by a failed `setup`. A threshold without data is not met; a search
    /// for the capacity passes when some rate held. A `summary` that fails is a file that is missing, which is no success. Some failed requests do not change that: how many are too many is for
    /// thresholds to say, or for [`LoadTest::fails_on`](super::LoadTest::fails_on). A run that was stopped early is judged
    /// by what there is; see [`Report::ended_by`].
    pub fn passed(&self) -> bool {
        Verdict::passes(&self.record)
    }
}
