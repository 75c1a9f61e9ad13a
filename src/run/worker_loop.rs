//! A worker thread's main loop: it does what the run tells it, one command after the other.
//!
//! Invariant: commands are answered at once; whatever takes time runs as a task beside the loop.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, LocalSet};

use super::lanes::Begin;
use super::reload::Reloaded;
use crate::executor::lane::{Lane, Part};
use crate::executor::schedule::Schedule;
use crate::executor::shape::{self, Answer};
use crate::executor::{feeder, population};
use crate::metrics::Tap;
use crate::script::{EventFields, LoadError, ScriptEvent, Value};
use crate::vu::{HookError, Interval, Shared, Worker};

/// What the run tells a worker.
pub(super) enum Command {
    /// Run `setup` and answer with its value.
    Setup(oneshot::Sender<Result<Value, HookError>>),
    /// The load begins; `vu::data()` gives this value.
    Start { data: Arc<Value> },
    /// Begin a lane.
    Begin(Begin),
    /// A lane goes on with another schedule.
    Follow { lane: usize, schedule: Arc<Schedule> },
    /// Ask the script's shape function and answer with what it says. `elapsed` is in seconds.
    AskShape {
        lane: usize,
        function: String,
        elapsed: f64,
        /// What it said before.
        last: Option<Answer>,
        answer: mpsc::Sender<(usize, ShapeAnswer)>,
    },
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
    tap: Option<Tap>,
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
        match Worker::new(shared, tap) {
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

/// What a shape function says, or why it says nothing.
pub(super) type ShapeAnswer = Result<Answer, HookError>;

/// The lanes of a worker, and the tasks that keep them in users.
#[derive(Default)]
struct Own(BTreeMap<usize, (Rc<Lane>, AbortHandle)>);

impl Own {
    fn begin(&mut self, worker: &Rc<Worker>, begin: Begin, part: Part) {
        let Begin { lane: index, schedule, common, is_open } = begin;
        let lane = Lane::new(worker.clone(), index, part, schedule, common, is_open);
        let driving = if is_open {
            tokio::task::spawn_local(feeder::feed(lane.clone()))
        } else {
            tokio::task::spawn_local(population::follow(lane.clone()))
        };
        self.0.insert(index, (lane.clone(), driving.abort_handle()));
        tokio::task::spawn_local(async move {
            // It goes on until it is given up; then no user comes any more.
            let _ = driving.await;
            lane.all_left().await;
            lane.tell_over();
        });
    }

    /// No user is started any more.
    fn give_up(&self) {
        self.0.values().for_each(|(_, driving)| driving.abort());
    }
}

async fn serve(worker: Rc<Worker>, number: usize, workers: usize, mut commands: mpsc::Receiver<Command>) {
    let part = Part { worker: number, workers };
    let mut lanes = Own::default();
    let mut hook: Option<JoinHandle<()>> = None;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Setup(answer) => {
                let worker = worker.clone();
                hook = Some(tokio::task::spawn_local(async move {
                    let _ = answer.send(worker.setup().await);
                }));
            }
            Command::Start { data } => {
                worker.set_data(&data);
                worker.begin_load();
            }
            Command::Begin(begin) => lanes.begin(&worker, begin, part),
            Command::Follow { lane, schedule } => {
                if let Some((lane, _)) = lanes.0.get(&lane) {
                    lane.follow(schedule);
                }
            }
            Command::AskShape { lane, function, elapsed, last, answer } => {
                let worker = worker.clone();
                tokio::task::spawn_local(async move {
                    let plan = worker.plan();
                    let taking_part = plan.lanes[lane].scenarios.iter();
                    let known: Vec<&str> = taking_part.map(|&s| plan.scenarios[s].name.as_str()).collect();
                    let read = |value: &Value| shape::read(value, &known, last.as_ref());
                    let asked = worker.ask_shape(&function, elapsed, read).await;
                    // The run may be over meanwhile.
                    let _ = answer.send((lane, asked)).await;
                });
            }
            Command::Finish => {
                lanes.give_up();
                worker.finish_all();
            }
            Command::Stop => {
                lanes.give_up();
                worker.stop_all();
            }
            Command::StopNow => {
                lanes.give_up();
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
