//! What the page is about: the run that is on or was last, what all viewers see of it, and who can start another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::launcher::Launcher;
use super::live::{self, LiveRun, Renderer, Rendering};

/// See the module's description.
pub(super) struct Hub {
    run: watch::Sender<Option<Arc<LiveRun>>>,
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
        let blank = Arc::new(Renderer::new(0).blank());
        Hub {
            run: watch::Sender::new(None),
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
        self.run.borrow().clone()
    }

    pub(super) fn begin(&self, run: LiveRun) {
        self.run.send_replace(Some(Arc::new(run)));
    }

    /// Follows one run after the other, drawing what viewers see.
    pub(super) async fn follow(&self) {
        let mut runs = self.run.subscribe();
        loop {
            let run = runs.borrow_and_update().clone();
            let Some(run) = run else {
                if runs.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let mut snapshots = run.snapshots();
            loop {
                self.update(&run);
                tokio::select! {
                    is_new = run.changed(&mut snapshots) => if !is_new { break },
                    _ = runs.changed() => break,
                }
            }
            if runs.borrow().as_ref().is_some_and(|now| Arc::ptr_eq(now, &run))
                && runs.changed().await.is_err()
            {
                return;
            }
        }
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
        let rendering = pen.draw(&run);
        self.number.store(rendering.number, Ordering::Relaxed);
        self.seen.send_replace(Arc::new(rendering));
        *renderer = Some((pen, run));
    }

    /// Somebody new looks; what there is now is drawn for the first one.
    pub(super) fn viewer(self: &Arc<Hub>) -> Viewer {
        if self.viewers.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(run) = self.run()
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
