//! A worker thread's main loop: it does what the run tells it, one command after the other.
//!
//! Invariant: commands are answered at once; whatever takes time runs as a task beside the loop.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use super::reload::Reloaded;
use super::workers::{Command, Notice};
use crate::executor::hand_out::LaneCommon;
use crate::executor::lane::Lane;
use crate::executor::schedule::Schedule;
use crate::executor::share::{Allowances, Deal, Part};
use crate::executor::{feeder, population, shape};
use crate::metrics::Tap;
use crate::script::{LoadError, Pulse, Value};
use crate::vu::{HookError, Interval, Shared, Worker};

/// What others see of a worker at any time: its samples, if anybody takes them, and what it is doing.
pub(super) struct Seen {
    pub(super) tap: Option<Tap>,
    pub(super) pulse: Arc<Pulse>,
}

/// Body of a worker thread: loads the script, says so, and serves commands until their sender is gone.
pub(super) fn run_worker(
    shared: Arc<Shared>,
    seen: Seen,
    part: Part,
    lanes: Vec<Arc<LaneCommon>>,
    ready: oneshot::Sender<Result<(), WorkerError>>,
    commands: mpsc::Receiver<Command>,
    notices: mpsc::UnboundedSender<(usize, Notice)>,
) {
    let notices = Notices { worker: part.here(), notices };
    let _last = Last(notices.clone());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(WorkerError::Runtime(error)));
            return;
        }
    };
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let events = notices.clone();
        match Worker::new(shared, seen.tap, seen.pulse, move |event| events.give(Notice::Event(event))) {
            Ok(worker) => {
                // Whoever waits for it may have given up; then the commands end at once too.
                let _ = ready.send(Ok(()));
                let lanes = Lanes {
                    part,
                    common: lanes,
                    begun: BTreeMap::new(),
                    deals: Vec::new(),
                    allowances: None,
                };
                serve(worker, lanes, commands, notices).await;
            }
            Err(error) => {
                let _ = ready.send(Err(WorkerError::Load(error)));
            }
        }
    });
    drop(local);
    // Not waiting for the system's resolver, which may take ten seconds to give up and cannot be stopped.
    runtime.shutdown_background();
}

/// Where a worker's notices go.
#[derive(Clone)]
struct Notices {
    worker: usize,
    notices: mpsc::UnboundedSender<(usize, Notice)>,
}

impl Notices {
    /// Says something; when the run is over already, nobody needs to know.
    fn give(&self, notice: Notice) {
        let _ = self.notices.send((self.worker, notice));
    }
}

/// Says that a worker is gone, however it ended.
struct Last(Notices);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.give(Notice::Gone);
    }
}

/// Why a worker thread cannot start.
pub(crate) enum WorkerError {
    /// The system gives it no event loop.
    Runtime(std::io::Error),
    /// The script does not load.
    Load(LoadError),
}

#[cfg(feature = "cluster")]
impl WorkerError {
    /// The same in words.
    pub(crate) fn words(self) -> String {
        match self {
            WorkerError::Runtime(error) => super::RunError::Thread(error).to_string(),
            WorkerError::Load(error) => super::RunError::Load(*error, Vec::new()).to_string(),
        }
    }
}

/// The lanes of a worker, and the tasks that keep them in users.
struct Lanes {
    part: Part,
    common: Vec<Arc<LaneCommon>>,
    begun: BTreeMap<usize, (Rc<Lane>, AbortHandle)>,
    /// What has been dealt anew so far; it holds for lanes that begin later too.
    deals: Vec<Arc<Deal>>,
    /// What may be taken of numbers of iterations, when that has changed.
    allowances: Option<Arc<Allowances>>,
}

impl Lanes {
    fn begin(&mut self, worker: &Rc<Worker>, index: usize, schedule: Arc<Schedule>, is_open: bool) {
        let common = self.common[index].clone();
        let lane = Lane::new(worker.clone(), index, self.part.clone(), schedule, common, is_open);
        self.deals.iter().for_each(|deal| lane.deal(deal));
        self.allowances.iter().for_each(|allowances| lane.allow(allowances));
        let driving = if is_open {
            tokio::task::spawn_local(feeder::feed(lane.clone()))
        } else {
            tokio::task::spawn_local(population::follow(lane.clone()))
        };
        self.begun.insert(index, (lane.clone(), driving.abort_handle()));
        tokio::task::spawn_local(async move {
            // It goes on until it is given up; then no user comes any more.
            let _ = driving.await;
            lane.all_left().await;
            lane.tell_over();
        });
    }

    /// Others take part from now on.
    fn deal(&mut self, deal: Arc<Deal>) {
        // A repeated one is no other.
        if self.deals.last().is_some_and(|last| last.number >= deal.number) {
            return;
        }
        self.begun.values().for_each(|(lane, _)| lane.deal(&deal));
        self.deals.push(deal);
    }

    /// Numbers of iterations are divided differently from now on.
    fn allow(&mut self, worker: &Worker, allowances: Arc<Allowances>) {
        if self.allowances.as_ref().is_some_and(|last| last.number >= allowances.number) {
            return;
        }
        self.begun.values().for_each(|(lane, _)| lane.allow(&allowances));
        if let Some(iterations) = allowances.of_run(&self.part.share) {
            worker.allow_iterations(allowances.number, iterations);
        }
        self.allowances = Some(allowances);
    }

    /// No user is started any more.
    fn give_up(&self) {
        self.begun.values().for_each(|(_, driving)| driving.abort());
    }
}

/// Runs `setup`, `teardown` or `summary` beside the loop; gives what ends it, which is said too.
fn start_hook<T: 'static>(
    notices: &Notices,
    hook: impl Future<Output = Result<T, HookError>> + 'static,
    notice: fn(Result<T, HookError>) -> Notice,
) -> AbortHandle {
    let (notices, running) = (notices.clone(), tokio::task::spawn_local(hook));
    let abort = running.abort_handle();
    tokio::task::spawn_local(async move {
        let ended = running.await.unwrap_or_else(|_| Err(HookError::Failed("it was stopped".to_owned())));
        notices.give(notice(ended));
    });
    abort
}

async fn serve(
    worker: Rc<Worker>,
    mut lanes: Lanes,
    mut commands: mpsc::Receiver<Command>,
    notices: Notices,
) {
    let mut hook: Option<AbortHandle> = None;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Setup => {
                let worker = worker.clone();
                hook = Some(start_hook(&notices, async move { worker.setup().await }, Notice::Setup));
            }
            Command::Start { data } => {
                worker.set_data(&data);
                worker.begin_load();
                // Of a small number, there may be none for this process.
                worker.look_at_quota();
            }
            Command::Begin { lane, schedule, is_open } => lanes.begin(&worker, lane, schedule, is_open),
            Command::Follow { lane, schedule } => {
                if let Some((lane, _)) = lanes.begun.get(&lane) {
                    lane.follow(schedule);
                }
            }
            Command::Share(deal) => lanes.deal(deal),
            Command::Allow(allowances) => lanes.allow(&worker, allowances),
            Command::NoMore { lane } => {
                if let Some((lane, _)) = lanes.begun.get(&lane) {
                    lane.no_more();
                }
            }
            Command::AskShape { lane, function, elapsed, last } => {
                let (worker, notices) = (worker.clone(), notices.clone());
                tokio::task::spawn_local(async move {
                    let plan = worker.plan();
                    let taking_part = plan.lanes[lane].scenarios.iter();
                    let known: Vec<&str> = taking_part.map(|&s| plan.scenarios[s].name.as_str()).collect();
                    let read = |value: &Value| shape::read(value, &known, last.as_ref());
                    let answer = worker.ask_shape(&function, elapsed, read).await;
                    notices.give(Notice::Shape { lane, answer });
                });
            }
            Command::Finish => {
                lanes.give_up();
                worker.finish_all();
            }
            Command::Dismiss => {
                lanes.give_up();
                worker.dismiss_all();
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
            Command::Flush { number, .. } => {
                let lanes = lanes.begun.values().map(|(lane, _)| lane.count()).collect();
                let interval = Box::new(Interval { lanes, ..worker.take_interval() });
                notices.give(Notice::Interval { number, interval });
            }
            Command::Teardown => {
                let worker = worker.clone();
                hook = Some(start_hook(&notices, async move { worker.teardown().await }, Notice::Teardown));
            }
            Command::Summary { data } => {
                let worker = worker.clone();
                hook = Some(start_hook(&notices, async move { worker.summary(data).await }, Notice::Summary));
            }
        }
    }
}
