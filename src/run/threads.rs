//! Worker threads: the workers of a run in this process.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::worker_loop::{Seen, WorkerError, run_worker};
use super::workers::{Command, Notice, Workers};
use crate::executor::hand_out::lanes_in_common;
use crate::executor::share::Part;
use crate::metrics::TapLine;
use crate::script::Pulse;
use crate::vu::Shared;

/// Stack of a worker thread; scripts run on fibers, but their top level runs here.
const WORKER_STACK: usize = 16 << 20;

/// How many commands may wait for a worker. It takes them at once, unless something keeps its thread busy for hours.
const COMMANDS: usize = 16_384;

/// How long the end of a run waits for threads to end: what they counted is here, and one may never end.
const LEAVING: Duration = Duration::from_millis(500);

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// See the module's description.
pub(crate) struct Threads {
    /// Commands to each; `None` when it has been let go.
    commands: Vec<Option<mpsc::Sender<Command>>>,
    threads: Vec<JoinHandle<()>>,
    /// What each is doing.
    pulses: Vec<Arc<Pulse>>,
    notices: mpsc::UnboundedReceiver<(usize, Notice)>,
}

impl Threads {
    /// Starts as many as the share of this process has, and waits until each has loaded the script. Here they are
    /// numbered from 0; what they say of lanes has their number among all workers of the run.
    ///
    /// # Errors
    /// When the system refuses a thread, or the script does not load on one of them.
    pub(crate) async fn start(shared: &Arc<Shared>, line: Option<&TapLine>) -> Result<Threads, WorkerError> {
        let (share, workers) = (&shared.share, shared.share.here());
        let lanes = lanes_in_common(&shared.plan, share);
        let pulses: Vec<Arc<Pulse>> = (0..workers).map(|_| Arc::default()).collect();
        // A user gives notice a few times in its life, a worker when it is asked to: no bound is needed.
        let (notice, notices) = mpsc::unbounded_channel();
        let mut senders = Vec::with_capacity(workers);
        let mut threads = Vec::with_capacity(workers);
        let mut ready = Vec::with_capacity(workers);
        for (worker, pulse) in pulses.iter().enumerate() {
            let (commands, receiver) = mpsc::channel(COMMANDS);
            let (loaded, is_ready) = oneshot::channel();
            let (shared, lanes, notice) = (shared.clone(), lanes.clone(), notice.clone());
            let seen = Seen { tap: line.map(|line| line.tap(worker)), pulse: pulse.clone() };
            let part = Part { worker: share.first() + worker, share: share.clone() };
            let thread = std::thread::Builder::new()
                .name(format!("rhaid-worker-{worker}"))
                .stack_size(WORKER_STACK)
                .spawn(move || run_worker(shared, seen, part, lanes, loaded, receiver, notice))
                .map_err(WorkerError::Runtime)?;
            senders.push(Some(commands));
            threads.push(thread);
            ready.push(is_ready);
        }
        for is_ready in ready {
            is_ready.await.unwrap_or_else(|_| {
                Err(WorkerError::Runtime(std::io::Error::other("a worker thread ended while it started")))
            })?;
        }
        Ok(Threads { commands: senders, threads, pulses, notices })
    }

    /// What each of them is doing, for whoever looks on.
    pub(crate) fn pulses(&self) -> Vec<Arc<Pulse>> {
        self.pulses.clone()
    }
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.threads.len()
    }

    fn group(&self, _: usize) -> usize {
        0
    }

    fn tell(&mut self, worker: usize, command: Command) {
        let Some(commands) = &self.commands[worker] else { return };
        // Closed when it has panicked, which its last notice tells. One that does not listen any more has no use for what
        // else it would be told: it ends when it gets there.
        if let Err(TrySendError::Full(_)) = commands.try_send(command) {
            self.commands[worker] = None;
        }
    }

    async fn next(&mut self) -> (usize, Notice) {
        match self.notices.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    async fn end(self) {
        drop(self.commands);
        let deadline = Instant::now() + LEAVING;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for thread in self.threads.into_iter().filter(JoinHandle::is_finished) {
            // A panic of a worker has been printed by its thread; there is nothing to add.
            let _ = thread.join();
        }
    }
}
