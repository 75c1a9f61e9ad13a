//! A run while it goes on: its progress on the terminal, its files once a second, keys, signals and messages.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::Files;
use super::refused::Refused;
use super::{Around, Begun};
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
use crate::report::{first_failure, generator_warning};
use crate::{Level, Prepared, Report, RunError, RunHandle};

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
    pub(super) told: Told,
}

/// What has been told of a run, because it is told once.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The first failed request: it says at once what may be wrong with all of them.
    failure: bool,
    /// That the generator is the bottleneck.
    generator: bool,
    /// How many of its marks.
    marks: usize,
    /// Time of the load, and when it was that.
    at: Option<(Duration, Instant)>,
}

impl Told {
    /// Time of the load by now, as far as it is known.
    fn now(&self) -> Duration {
        self.at.map_or(Duration::ZERO, |(at, then)| at + then.elapsed())
    }
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
        let id = self.files.directory.path().file_name().unwrap_or_default().to_string_lossy();
        self.around.say(|| Begun::Load(id.into_owned()));
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
                        let text = "stopping: waiting for running iterations; repeat to stop at once";
                        self.tell(&progress, Level::Warning, text);
                    }
                }
                key = keys.next() => {
                    let snapshot = snapshots.borrow().clone();
                    if let Some(text) = wishes.act(key, &stopper, &snapshot, Started::of(&info, self.rate)).await {
                        progress.message(&text);
                    }
                    progress.hint(wishes.hint());
                }
                _ = messages_due.tick() => self.tell_messages(&progress),
            }
        };
        self.tell_messages(&progress);
        if let Ok(report) = &result {
            self.show_on_page(report.snapshot());
        }
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
        // One that came again tells no new time.
        if self.told.at.is_none_or(|(at, _)| at != snapshot.elapsed) {
            self.told.at = Some((snapshot.elapsed, Instant::now()));
        }
        progress.update(info, snapshot, info.planned);
        if !self.told.failure
            && let Some(failure) =
                first_failure(snapshot, look_on(&self.output, std::io::stderr().is_terminal()))
        {
            if self.progress_kind() != ProgressKind::Off {
                progress.message(&failure);
            }
            self.say(Level::Warning, &failure);
            self.told.failure = true;
        }
        if let Some(problem) = self.files.update(snapshot) {
            self.tell(progress, Level::Warning, &format!("warning: {problem}; the run goes on"));
        }
        for problem in self.alerts.look(info, snapshot) {
            self.tell(progress, Level::Warning, &problem);
        }
        // What was said before this snapshot stands before the marks in it.
        self.tell_messages(progress);
        self.show_on_page(snapshot);
    }

    /// Says something on the terminal, and in the log of the page.
    fn tell(&self, progress: &Progress, level: Level, text: &str) {
        progress.message(text);
        self.say(level, text);
    }

    fn tell_messages(&mut self, progress: &Progress) {
        for (level, text) in self.messages.take() {
            self.tell(progress, level, &text);
        }
    }

    fn say(&self, level: Level, text: &str) {
        if let Some(page) = self.around.page {
            page.say(level, self.told.now(), text);
        }
    }

    /// Adds what the live block shows by itself to the log of the page.
    fn show_on_page(&mut self, snapshot: &Snapshot) {
        let Some(page) = self.around.page else { return };
        snapshot.marks.iter().skip(self.told.marks).for_each(|mark| page.mark(mark));
        self.told.marks = snapshot.marks.len();
        if !self.told.generator
            && let Some(warning) = generator_warning(snapshot, look_on(&self.output, false))
        {
            self.told.generator = true;
            self.say(Level::Warning, &format!("warning: {warning}"));
        }
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
