//! Worker threads: the workers of a run in this process.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::worker_loop::{WorkerError, run_worker};
use super::workers::{Command, Notice, Workers};
use crate::executor::hand_out::{LaneCommon, lanes_in_common};
use crate::executor::lane::Part;
use crate::metrics::TapLine;
use crate::vu::Shared;

/// Stack of a worker thread; scripts run on fibers, but their top level runs here.
const WORKER_STACK: usize = 16 << 20;

/// How many commands may wait for a worker.
const COMMANDS: usize = 16;

/// See the module's description.
pub(super) struct Threads {
    threads: Vec<(mpsc::Sender<Command>, JoinHandle<()>)>,
    notices: mpsc::UnboundedReceiver<(usize, Notice)>,
    lanes: Vec<Arc<LaneCommon>>,
}

impl Threads {
    /// Starts them and waits until each has loaded the script.
    ///
    /// # Errors
    /// When the system refuses a thread, or the script does not load on one of them.
    pub(super) async fn start(shared: &Arc<Shared>, line: Option<&TapLine>) -> Result<Threads, WorkerError> {
        let workers = shared.plan.threads;
        let lanes = lanes_in_common(&shared.plan);
        // A user gives notice a few times in its life, a worker when it is asked to: no bound is needed.
        let (notice, notices) = mpsc::unbounded_channel();
        let mut threads = Vec::with_capacity(workers);
        let mut ready = Vec::with_capacity(workers);
        for worker in 0..workers {
            let (commands, receiver) = mpsc::channel(COMMANDS);
            let (loaded, is_ready) = oneshot::channel();
            let (shared, lanes, notice) = (shared.clone(), lanes.clone(), notice.clone());
            let tap = line.map(|line| line.tap(worker));
            let part = Part { worker, workers };
            let thread = std::thread::Builder::new()
                .name(format!("rhaid-worker-{worker}"))
                .stack_size(WORKER_STACK)
                .spawn(move || run_worker(shared, tap, part, lanes, loaded, receiver, notice))
                .map_err(WorkerError::Runtime)?;
            threads.push((commands, thread));
            ready.push(is_ready);
        }
        for is_ready in ready {
            is_ready.await.unwrap_or_else(|_| {
                Err(WorkerError::Runtime(std::io::Error::other("a worker thread ended while it started")))
            })?;
        }
        Ok(Threads { threads, notices, lanes })
    }
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.threads.len()
    }

    fn lanes(&self) -> &[Arc<LaneCommon>] {
        &self.lanes
    }

    async fn tell(&self, worker: usize, command: Command) {
        // Fails when it has panicked, which its last notice tells.
        let _ = self.threads[worker].0.send(command).await;
    }

    async fn next(&mut self) -> (usize, Notice) {
        match self.notices.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    fn end(self) {
        for (commands, thread) in self.threads {
            drop(commands);
            // A panic of a worker has been printed by its thread; there is nothing to add.
            let _ = thread.join();
        }
    }
}
