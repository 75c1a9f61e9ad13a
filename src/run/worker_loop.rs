//! A worker thread's main loop: it does what the run tells it, one command after the other.
//!
//! Invariant: commands are answered at once; whatever takes time runs as a task beside the loop.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, LocalSet};
use tokio::time::Instant;

use super::reload::Reloaded;
use crate::executor::users::{self, Ramp};
use crate::script::{EventFields, LoadError, ScriptEvent, Value};
use crate::vu::{Event, HookError, Interval, Shared, Worker};

/// What the run tells a worker.
pub(super) enum Command {
    /// Run `setup` and answer with its value.
    Setup(oneshot::Sender<Result<Value, HookError>>),
    /// Begin the load; `vu::data()` gives this value.
    Start { at: Instant, ramp: Ramp, data: Arc<Value> },
    /// Take the users away one by one.
    RampDown { at: Instant, ramp: Ramp },
    /// Begin no iteration any more; let the running ones end.
    Finish,
    /// Stop all users, with the stop timeout.
    Stop,
    /// End everything at once.
    StopNow,
    /// Call the listeners to an event of the run.
    Announce(ScriptEvent, EventFields),
    /// Use a changed script from the next calls on.
    Reload(Reloaded),
    /// Answer with what was counted since the last time.
    Flush(oneshot::Sender<Interval>),
    /// Run `teardown`.
    Teardown(oneshot::Sender<Result<(), HookError>>),
}

/// Body of a worker thread: loads the script, says so, and serves commands until their sender is gone.
pub(super) fn run_worker(
    shared: Arc<Shared>,
    number: usize,
    workers: usize,
    ready: oneshot::Sender<Result<(), WorkerError>>,
    commands: mpsc::Receiver<Command>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(WorkerError::Runtime(error)));
            return;
        }
    };
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        match Worker::new(shared) {
            Ok(worker) => {
                // Whoever waits for it may have given up; then the commands end at once too.
                let _ = ready.send(Ok(()));
                serve(worker, number, workers, commands).await;
            }
            Err(error) => {
                let _ = ready.send(Err(WorkerError::Load(error)));
            }
        }
    });
}

/// Why a worker thread cannot start.
pub(super) enum WorkerError {
    /// The system gives it no event loop.
    Runtime(std::io::Error),
    /// The script does not load.
    Load(LoadError),
}

async fn serve(worker: Rc<Worker>, number: usize, workers: usize, mut commands: mpsc::Receiver<Command>) {
    let mut ramps: Vec<AbortHandle> = Vec::new();
    let mut hook: Option<JoinHandle<()>> = None;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Setup(answer) => {
                let worker = worker.clone();
                hook = Some(tokio::task::spawn_local(async move {
                    let _ = answer.send(worker.setup().await);
                }));
            }
            Command::Start { at, ramp, data } => {
                worker.set_data(&data);
                worker.begin_load();
                let up = tokio::task::spawn_local(users::ramp_up(worker.clone(), ramp, number, workers, at));
                ramps.push(up.abort_handle());
                supervise(worker.clone(), up);
            }
            Command::RampDown { at, ramp } => {
                stop_ramps(&mut ramps);
                let down = users::ramp_down(worker.clone(), ramp, number, workers, at);
                ramps.push(tokio::task::spawn_local(down).abort_handle());
            }
            Command::Finish => {
                stop_ramps(&mut ramps);
                worker.finish_all();
            }
            Command::Stop => {
                stop_ramps(&mut ramps);
                worker.stop_all();
            }
            Command::StopNow => {
                stop_ramps(&mut ramps);
                worker.stop_now();
                if let Some(hook) = hook.take() {
                    hook.abort();
                }
            }
            Command::Announce(event, fields) => {
                let worker = worker.clone();
                tokio::task::spawn_local(async move { worker.announce(event, fields).await });
            }
            Command::Reload(Reloaded { sources, variables, .. }) => worker.reload(&sources, &variables),
            Command::Flush(answer) => {
                let _ = answer.send(worker.take_interval());
            }
            Command::Teardown(answer) => {
                let worker = worker.clone();
                hook = Some(tokio::task::spawn_local(async move {
                    let _ = answer.send(worker.teardown().await);
                }));
            }
        }
    }
}

/// Tells the run when the ramp is over, or was given up, and no user is left.
fn supervise(worker: Rc<Worker>, ramp: JoinHandle<()>) {
    tokio::task::spawn_local(async move {
        // An error says that the ramp was given up: then too no user will come any more.
        let _ = ramp.await;
        worker.all_left().await;
        worker.tell(Event::WorkerIdle);
    });
}

fn stop_ramps(ramps: &mut Vec<AbortHandle>) {
    ramps.drain(..).for_each(|ramp| ramp.abort());
}
