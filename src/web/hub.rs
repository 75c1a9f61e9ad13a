//! What the page is about: the run that is on or was last, what all viewers see of it, and who can start another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::launcher::Launcher;
use super::live::{self, LiveRun, Renderer, Rendering};

/// A run that waits for agents: it has not begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recruiting {
    /// Its name.
    pub name: String,
    /// Names of the agents that are there.
    pub ready: Vec<String>,
    /// How many it needs.
    pub wanted: usize,
    /// What is wrong with others, a sentence each.
    pub refused: Vec<String>,
}

/// What the page is about now.
#[derive(Clone, Default)]
struct Subject {
    /// The run that is on, or was the last one.
    run: Option<Arc<LiveRun>>,
    /// The one that comes next, when its agents are there.
    recruiting: Option<Recruiting>,
    /// Nobody wants that one any more.
    is_given_up: bool,
    /// Why it did not begin.
    problem: Option<String>,
}

impl Subject {
    fn status(&self) -> Value {
        match (&self.recruiting, &self.run) {
            (Some(recruiting), _) => live::recruiting(recruiting),
            (None, Some(run)) => live::status(run, &run.record(), self.problem.as_deref()),
            (None, None) => live::waiting(self.problem.as_deref()),
        }
    }
}

/// See the module's description.
pub(super) struct Hub {
    subject: watch::Sender<Subject>,
    seen: watch::Sender<Arc<Rendering>>,
    viewers: AtomicUsize,
    /// The newest drawing's number.
    number: AtomicU64,
    renderer: Mutex<Option<(Renderer, Arc<LiveRun>)>>,
    /// Who starts runs; `None` when the page belongs to one run.
    pub(super) launcher: Option<Arc<dyn Launcher>>,
    /// Where runs are.
    pub(super) results_dir: PathBuf,
}

/// Somebody who looks at the page.
pub(super) struct Viewer {
    hub: Arc<Hub>,
    seen: watch::Receiver<Arc<Rendering>>,
}

impl Hub {
    pub(super) fn new(launcher: Option<Arc<dyn Launcher>>, results_dir: &Path) -> Hub {
        let blank = Arc::new(Renderer::new(0).of(live::waiting(None)));
        Hub {
            subject: watch::Sender::default(),
            seen: watch::Sender::new(blank),
            viewers: AtomicUsize::new(0),
            number: AtomicU64::new(1),
            renderer: Mutex::new(None),
            launcher,
            results_dir: results_dir.to_owned(),
        }
    }

    /// The run that is on, or was the last one.
    pub(super) fn run(&self) -> Option<Arc<LiveRun>> {
        self.subject.borrow().run.clone()
    }

    /// Whether a run waits for agents.
    pub(super) fn is_recruiting(&self) -> bool {
        self.subject.borrow().recruiting.is_some()
    }

    /// Waits until no run waits for agents.
    pub(super) async fn recruiting_is_over(&self) {
        // It ends with the hub at the latest.
        let _ = self.subject.subscribe().wait_for(|subject| subject.recruiting.is_none()).await;
    }

    /// Where all this stands.
    pub(super) fn status(&self) -> Value {
        let subject = self.subject.borrow().clone();
        subject.status()
    }

    pub(super) fn begin(&self, run: LiveRun) {
        let stopper = run.stopper.clone();
        let before = self.subject.send_replace(Subject { run: Some(Arc::new(run)), ..Subject::default() });
        // Stopped after the last agent had come.
        if before.recruiting.is_some() && before.is_given_up {
            stopper.stop();
        }
    }

    /// A run waits for agents, or still does; false once it is not wanted any more.
    pub(super) fn recruit(&self, recruiting: &Recruiting) -> bool {
        self.subject.send_if_modified(|subject| {
            let is_new = subject.recruiting.as_ref() != Some(recruiting);
            if subject.recruiting.is_none() {
                subject.is_given_up = false;
            }
            if is_new {
                subject.recruiting = Some(recruiting.clone());
                subject.problem = None;
            }
            is_new
        });
        !self.subject.borrow().is_given_up
    }

    /// That run does not begin; why, if nobody has stopped it. Without such a run, nothing happens.
    pub(super) fn end_recruiting(&self, problem: Option<String>) {
        self.subject.send_if_modified(|subject| {
            if subject.recruiting.take().is_none() {
                return false;
            }
            let is_stopped = "it was stopped while it waited for agents";
            subject.problem = if subject.is_given_up { Some(is_stopped.to_owned()) } else { problem };
            true
        });
    }

    /// The run that waits for agents is not to begin; false when there is none.
    pub(super) fn give_up_recruiting(&self) -> bool {
        let is_there = self.is_recruiting();
        self.subject.send_if_modified(|subject| {
            subject.is_given_up |= is_there;
            false
        });
        is_there
    }

    /// Follows one run after the other, drawing what viewers see.
    pub(super) async fn follow(&self) {
        let mut subjects = self.subject.subscribe();
        loop {
            let subject = subjects.borrow_and_update().clone();
            if let (None, Some(run)) = (&subject.recruiting, &subject.run) {
                let mut snapshots = run.snapshots();
                let is_over = loop {
                    self.update(run);
                    tokio::select! {
                        is_new = run.changed(&mut snapshots) => if !is_new { break true },
                        changed = subjects.changed() => break changed.is_err(),
                    }
                };
                if !is_over {
                    continue;
                }
            } else {
                self.draw_status(&subject);
            }
            if subjects.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the page shows this run.
    fn is_about(&self, run: &Arc<LiveRun>) -> bool {
        let subject = self.subject.borrow();
        subject.recruiting.is_none() && subject.run.as_ref().is_some_and(|now| Arc::ptr_eq(now, run))
    }

    /// Shows that there is no run to be drawn. What was drawn before is drawn anew after that.
    fn draw_status(&self, subject: &Subject) {
        let mut renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        *renderer = None;
        let rendering = Renderer::new(self.number.load(Ordering::Relaxed)).of(subject.status());
        self.number.store(rendering.number, Ordering::Relaxed);
        self.seen.send_replace(Arc::new(rendering));
    }

    /// Draws what is new; without viewers, only keeps what charts need.
    fn update(&self, run: &Arc<LiveRun>) {
        if self.viewers.load(Ordering::Relaxed) > 0 || run.outcome().is_some() {
            self.draw(run);
        } else {
            live::keep(run);
        }
    }

    fn draw(&self, run: &Arc<LiveRun>) {
        let mut renderer = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        let same = renderer.take().filter(|(_, drawn)| Arc::ptr_eq(drawn, run));
        let (mut pen, run) =
            same.unwrap_or_else(|| (Renderer::new(self.number.load(Ordering::Relaxed)), run.clone()));
        let problem = self.subject.borrow().problem.clone();
        let rendering = pen.draw(&run, problem.as_deref());
        self.number.store(rendering.number, Ordering::Relaxed);
        self.seen.send_replace(Arc::new(rendering));
        *renderer = Some((pen, run));
    }

    /// Somebody new looks; what there is now is drawn for the first one.
    pub(super) fn viewer(self: &Arc<Hub>) -> Viewer {
        if self.viewers.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(run) = self.run().filter(|run| self.is_about(run))
        {
            self.draw(&run);
        }
        Viewer { hub: self.clone(), seen: self.seen.subscribe() }
    }

    /// How many look.
    pub(super) fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }
}

impl Viewer {
    /// What is seen now.
    pub(super) fn now(&mut self) -> Arc<Rendering> {
        self.seen.borrow_and_update().clone()
    }

    /// Waits for something new.
    pub(super) async fn next(&mut self) -> Arc<Rendering> {
        // The sender lives as long as the hub, which this holds.
        let _ = self.seen.changed().await;
        self.now()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.hub.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
