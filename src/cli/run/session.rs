//! A run while it goes on: its progress on the terminal, its files once a second, keys, signals and messages.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use super::Around;
use super::files::Files;
use super::refused::Refused;
use crate::cli::alerts::Alerts;
use crate::cli::args::OutputArgs;
use crate::cli::exit::Exit;
use crate::cli::keys::{KeyActions, Keys, Started};
use crate::cli::messages::Messages;
use crate::cli::output::{self, look_on};
use crate::cli::progress::{Progress, ProgressKind};
use crate::cli::signals::Signals;
use crate::cluster::Cluster;
use crate::metrics::Snapshot;
use crate::plan::RunInfo;
use crate::report::first_failure;
use crate::{Prepared, Report, RunError, RunHandle};

/// How often messages from scripts are looked for.
const MESSAGES_EVERY: Duration = Duration::from_millis(100);

async fn start(prepared: Prepared, cluster: Option<Cluster>) -> Result<RunHandle, RunError> {
    match cluster {
        Some(cluster) => cluster.start(prepared).await,
        None => prepared.start().await,
    }
}

/// See the module's description.
pub(super) struct Session<'a> {
    pub(super) output: OutputArgs,
    /// Iterations per second that the caller asked for.
    pub(super) rate: Option<f64>,
    pub(super) files: Files,
    pub(super) messages: Messages,
    pub(super) alerts: Alerts,
    pub(super) around: Around<'a>,
    /// The first failed request has been shown: it says at once what may be wrong with all of them.
    pub(super) has_told_failure: bool,
}

impl<'a> Session<'a> {
    /// Runs the test to its end.
    ///
    /// # Errors
    /// When it cannot start, or its script shows that it is set up wrongly; then nothing of it is kept.
    pub(super) async fn run(
        mut self,
        prepared: Prepared,
        cluster: Option<Cluster>,
    ) -> Result<(Session<'a>, Report), Refused> {
        // Before the start: a signal that comes with the first request has to find somebody.
        let mut signals = Signals::new();
        let handle = tokio::select! {
            handle = start(prepared, cluster) => handle?,
            () = signals.next() => {
                self.files.directory.discard();
                output::err("stopped by a signal before the load began\n");
                return Err(Refused::Told(Exit::Signal));
            }
        };
        let info = handle.info().clone();
        let stopper = handle.stopper();
        let mut stops = 0;
        let mut progress =
            Progress::new(self.progress_kind(), look_on(&self.output, std::io::stderr().is_terminal()));
        // Keys are read where their effect is seen; what is tried out, or quiet, is left alone.
        let is_live = self.progress_kind() == ProgressKind::Live;
        let mut keys = if is_live { Keys::read() } else { Keys::none() };
        let mut wishes = KeyActions::default();
        if keys.are_read() {
            progress.hint(wishes.hint());
            // Otherwise it would leave the terminal as the keys need it.
            signals.listen_to_quit();
        }
        let mut snapshots = handle.snapshots();
        if let Some(page) = self.around.page {
            // Both get all intervals, since neither has taken any yet.
            let taker = snapshots.borrow().intervals.taker();
            self.files.directory.follow(&snapshots.borrow());
            page.begin(&handle, taker, self.files.directory.path());
        }
        if let Some(begun) = self.around.begun {
            let id = self.files.directory.path().file_name().unwrap_or_default().to_string_lossy();
            // Who asked for the first of several runs has heard of it.
            let _ = begun.try_send(Ok(id.into_owned()));
        }
        let mut result = std::pin::pin!(handle.wait());
        let mut messages_due = tokio::time::interval(MESSAGES_EVERY);
        let result = loop {
            tokio::select! {
                result = &mut result => break result,
                Ok(()) = snapshots.changed() => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    self.show(&mut progress, &info, &snapshot);
                }
                at_once = signals.next_or_quit() => {
                    stopper.stop_on_signal();
                    if at_once {
                        stopper.stop_on_signal();
                        continue;
                    }
                    stops += 1;
                    if stops == 1 {
                        progress.message("stopping: waiting for running iterations; repeat to stop at once");
                    }
                }
                key = keys.next() => {
                    let snapshot = snapshots.borrow().clone();
                    if let Some(text) = wishes.act(key, &stopper, &snapshot, Started::of(&info, self.rate)).await {
                        progress.message(&text);
                    }
                    progress.hint(wishes.hint());
                }
                _ = messages_due.tick() => self.messages.take().iter().for_each(|line| progress.message(line)),
            }
        };
        self.messages.take().iter().for_each(|line| progress.message(line));
        // Before anything else is printed: the terminal is as it was.
        drop(keys);
        progress.finish();
        match result {
            Ok(report) => Ok((self, report)),
            Err(error) => {
                self.files.directory.discard();
                Err(error.into())
            }
        }
    }

    fn show(&mut self, progress: &mut Progress, info: &RunInfo, snapshot: &Arc<Snapshot>) {
        progress.update(info, snapshot, info.planned);
        if !self.has_told_failure
            && self.progress_kind() != ProgressKind::Off
            && let Some(failure) =
                first_failure(snapshot, look_on(&self.output, std::io::stderr().is_terminal()))
        {
            progress.message(&failure);
            self.has_told_failure = true;
        }
        if let Some(problem) = self.files.update(snapshot) {
            progress.message(&format!("warning: {problem}; the run goes on"));
        }
        self.alerts.look(info, snapshot).iter().for_each(|problem| progress.message(problem));
    }

    fn progress_kind(&self) -> ProgressKind {
        if self.output.quiet || self.output.only_summary {
            ProgressKind::Off
        } else if std::io::stderr().is_terminal() {
            ProgressKind::Live
        } else {
            ProgressKind::Plain
        }
    }
}
