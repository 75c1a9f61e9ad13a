//! Drives a run from `setup` to `teardown` on a thread of its own.
//!
//! Owns the sequence, the clock of the intervals and the decision when a run ends. Leaves the load to the
//! worker threads. Invariant: every interval of every worker reaches the aggregator, also after a stop.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::reload::{Reloaded, Watcher, reload};
use super::worker_loop::{Command, WorkerError, run_worker};
use crate::executor::users::Ramp;
use crate::metrics::{Aggregator, Phase, ResourceSource, Snapshot, Tick};
use crate::plan::EndedBy;
use crate::script::{Level, Message, ScriptEvent, Sources, Value};
use crate::system::process_cpu;
use crate::vu::{Event, HookError, Interval, Shared};

/// Length of an interval of the history.
const INTERVAL: Duration = Duration::from_secs(1);

/// Stack of a worker thread; scripts run on fibers, but their top level runs here.
const WORKER_STACK: usize = 16 << 20;

/// How often the files of the script are looked at, when that is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many commands may wait for a worker.
const COMMANDS: usize = 16;

/// What the run's handle asks for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Stop: the first time gracefully, the second time at once.
    Stop(EndedBy),
    /// Load the script again.
    Reload,
}

/// How a run ended.
pub(super) struct Ending {
    pub(super) ended_by: EndedBy,
    pub(super) snapshot: Arc<Snapshot>,
    /// Set when the script showed that the run was set up wrongly.
    pub(super) misconfigured: Option<String>,
    /// Why `teardown` failed, if it did.
    pub(super) teardown_error: Option<String>,
}

struct WorkerHandle {
    commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
}

/// See the module's description.
pub(super) struct Driver {
    shared: Arc<Shared>,
    workers: Vec<WorkerHandle>,
    aggregator: Aggregator,
    snapshots: watch::Sender<Arc<Snapshot>>,
    ramp: Ramp,
    start: Instant,
    /// When the users began to be taken away, and how many there were.
    ramp_down: Option<(Instant, Ramp)>,
    ended_by: Option<EndedBy>,
    /// The run time is over and has been acted on.
    time_is_over: bool,
    stops: u32,
    misconfigured: Option<String>,
    /// The phase that listeners of the script were told last, and whether they know that all users run.
    announced: Phase,
    /// The script that runs, and where changed ones arrive.
    sources: Sources,
    reloads: Option<mpsc::Sender<Result<Reloaded, String>>>,
    full_load_announced: bool,
    /// Measures machine, generator and target, when that was asked for.
    resources: Option<Box<dyn ResourceSource>>,
}

impl Driver {
    /// Starts the worker threads and waits until each has loaded the script.
    pub(super) async fn start(
        shared: Arc<Shared>,
        resources: Option<Box<dyn ResourceSource>>,
    ) -> Result<(Driver, watch::Receiver<Arc<Snapshot>>), WorkerError> {
        let count = shared.plan.threads;
        let mut workers = Vec::with_capacity(count);
        let mut ready = Vec::with_capacity(count);
        for number in 0..count {
            let (commands, receiver) = mpsc::channel(COMMANDS);
            let (loaded, is_ready) = oneshot::channel();
            let shared = shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("rhaid-worker-{number}"))
                .stack_size(WORKER_STACK)
                .spawn(move || run_worker(shared, number, count, loaded, receiver))
                .map_err(WorkerError::Runtime)?;
            workers.push(WorkerHandle { commands, thread });
            ready.push(is_ready);
        }
        for is_ready in ready {
            is_ready.await.unwrap_or_else(|_| {
                Err(WorkerError::Runtime(std::io::Error::other("a worker thread ended while it started")))
            })?;
        }
        let mut aggregator = Aggregator::new(count, SystemTime::now());
        let nothing = aggregator.preview(idle_tick());
        let (snapshots, receiver) = watch::channel(Arc::new(nothing));
        let ramp = Ramp { users: shared.plan.users, rate: shared.plan.spawn_rate };
        let driver = Driver {
            sources: shared.sources.clone(),
            reloads: None,
            shared,
            workers,
            aggregator,
            snapshots,
            ramp,
            start: Instant::now(),
            ramp_down: None,
            ended_by: None,
            time_is_over: false,
            stops: 0,
            misconfigured: None,
            announced: Phase::Starting,
            full_load_announced: false,
            resources,
        };
        Ok((driver, receiver))
    }

    /// Runs the test. Never fails: whatever happened until the end is in the result.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut requests: mpsc::Receiver<Request>,
    ) -> Ending {
        let mut teardown_error = None;
        if let Some(data) = self.setup(&mut requests).await {
            self.load(data, &mut events, &mut requests).await;
            teardown_error = self.teardown(&mut requests).await;
        }
        let snapshot = self.snapshots.borrow().clone();
        for worker in self.workers {
            drop(worker.commands);
            // A panic of a worker has been printed by its thread; there is nothing to add.
            let _ = worker.thread.join();
        }
        Ending {
            ended_by: self.ended_by.unwrap_or(EndedBy::UsersGone),
            snapshot,
            misconfigured: self.misconfigured,
            teardown_error,
        }
    }

    /// Runs `setup` on the first worker; `None` when it failed or was stopped.
    async fn setup(&mut self, requests: &mut mpsc::Receiver<Request>) -> Option<Arc<Value>> {
        let (answer, mut result) = oneshot::channel();
        self.tell(0, Command::Setup(answer)).await;
        loop {
            tokio::select! {
                result = &mut result => return match result {
                    Ok(Ok(value)) if self.ended_by.is_none() => Some(Arc::new(value)),
                    Ok(Err(HookError::Aborted(reason))) => { self.end(EndedBy::Aborted(reason)); None }
                    Ok(Err(HookError::Failed(error))) => { self.end(EndedBy::SetupFailed(error)); None }
                    // Stopped meanwhile; or the worker is gone, which its own message has told.
                    _ => { self.end(EndedBy::Stopped); None }
                },
                Some(Request::Stop(cause)) = requests.recv() => {
                    self.end(cause);
                    self.tell_all(|| Command::StopNow).await;
                }
            }
        }
    }

    async fn load(
        &mut self,
        data: Arc<Value>,
        events: &mut mpsc::UnboundedReceiver<Event>,
        requests: &mut mpsc::Receiver<Request>,
    ) {
        self.start = Instant::now();
        self.shared.run.start(self.start.into_std());
        self.aggregator.start(SystemTime::now());
        if let Some(resources) = &mut self.resources {
            resources.begin(self.start.into_std());
        }
        self.aggregator.process_cpu(process_cpu());
        self.shared.run.publish(0, 0.0, self.phase());
        let (at, ramp) = (self.start, self.ramp);
        self.tell_all(|| Command::Start { at, ramp, data: data.clone() }).await;
        let mut idle_workers = 0;
        let mut watcher = Watcher::new(&self.sources);
        let mut next_look = self.start + LOOK_EVERY;
        let (sender, mut reloads) = mpsc::channel(1);
        self.reloads = Some(sender);
        let mut next_tick = self.start + INTERVAL;
        let full_load = self.start + self.ramp.up(self.ramp.users.saturating_sub(1));
        while idle_workers < self.workers.len() {
            self.announce_phase().await;
            let run_ends =
                self.shared.plan.run_time.filter(|_| !self.time_is_over).map(|time| self.start + time);
            tokio::select! {
                biased;
                Some(request) = requests.recv() => {
                    match request {
                        Request::Stop(cause) => self.stop(cause).await,
                        Request::Reload => self.begin_reload(),
                    }
                }
                Some(reloaded) = reloads.recv() => self.end_reload(reloaded, &mut watcher).await,
                () = sleep_until(next_look), if self.shared.watch => {
                    if watcher.has_changed() {
                        self.begin_reload();
                    }
                    next_look = Instant::now() + LOOK_EVERY;
                }
                Some(event) = events.recv() => match event {
                    Event::Abort => {
                        let reason = self.shared.run.abort_reason().unwrap_or_default();
                        self.stop_once(EndedBy::Aborted(reason)).await;
                    }
                    Event::Misconfigured(error) => {
                        self.misconfigured.get_or_insert(error);
                        self.stop_once(EndedBy::Stopped).await;
                    }
                    Event::NoIterationsLeft => {
                        self.end(EndedBy::Iterations);
                        self.begin_ramp_down(f64::INFINITY);
                        self.tell_all(|| Command::Finish).await;
                    }
                    Event::WorkerIdle => idle_workers += 1,
                },
                () = sleep_until(next_tick) => {
                    self.tick(false).await;
                    // On the grid of the start, so that the seconds of two charts are the same seconds.
                    while next_tick <= Instant::now() {
                        next_tick += INTERVAL;
                    }
                }
                () = sleep_until(full_load), if self.announced == Phase::RampUp => {}
                () = sleep_until(run_ends.unwrap_or(next_tick)), if run_ends.is_some() => {
                    self.run_time_is_over().await;
                }
            }
        }
        self.tick(true).await;
    }

    async fn run_time_is_over(&mut self) {
        self.time_is_over = true;
        self.end(EndedBy::RunTime);
        match self.ramp_down {
            None => {
                self.begin_ramp_down(self.ramp.rate);
                if let Some((at, ramp)) = self.ramp_down {
                    self.tell_all(|| Command::RampDown { at, ramp }).await;
                }
            }
            // The last iterations were running; the time limits them as it limits all others.
            Some(_) if self.stops == 0 => self.tell_all(|| Command::Stop).await,
            Some(_) => {}
        }
    }

    /// Loads the script as its files are now, on a thread of its own: the run keeps its time meanwhile.
    fn begin_reload(&mut self) {
        let Some(answer) = self.reloads.clone() else { return };
        let (shared, sources) = (self.shared.clone(), self.sources.clone());
        let load = move || {
            let reloaded =
                reload(&sources, shared.extensions.clone(), shared.inputs.clone(), &shared.declared);
            // Nobody waits for it when the run has ended meanwhile, or when another change is being loaded.
            let _ = answer.blocking_send(reloaded);
        };
        if let Err(error) = std::thread::Builder::new().name("rhaid-reload".into()).spawn(load) {
            self.say(Level::Warning, format!("the changed script is not loaded: {error}"));
        }
    }

    async fn end_reload(&mut self, reloaded: Result<Reloaded, String>, watcher: &mut Watcher) {
        match reloaded {
            Ok(reloaded) => {
                if reloaded.other_scenarios {
                    let text = "the changed script declares other scenarios; this run keeps those it was started with";
                    self.say(Level::Warning, text.to_owned());
                }
                self.sources = reloaded.sources.clone();
                watcher.add(&self.sources);
                let text = format!("reloaded {}", self.sources.main());
                self.say(Level::Info, text.clone());
                self.aggregator.mark(self.start.elapsed(), text);
                self.tell_all(|| Command::Reload(reloaded.clone())).await;
            }
            Err(error) => {
                self.say(
                    Level::Warning,
                    format!("the changed script is not used; the old one goes on: {error}"),
                );
            }
        }
    }

    fn say(&self, level: Level, text: String) {
        (self.shared.messages)(Message { level, text, from: None });
    }

    /// A request to stop: gracefully at first, at once when it is repeated.
    async fn stop(&mut self, cause: EndedBy) {
        self.stops += 1;
        self.end(cause);
        self.begin_ramp_down(f64::INFINITY);
        if self.stops == 1 {
            self.tell_all(|| Command::Stop).await;
        } else {
            self.tell_all(|| Command::StopNow).await;
        }
    }

    /// Stops gracefully, however often it is called.
    async fn stop_once(&mut self, cause: EndedBy) {
        if self.stops == 0 {
            // What the script asks for overrides an end that was under way.
            self.ended_by = Some(cause.clone());
            self.stop(cause).await;
        }
    }

    /// Tells the listeners of the script when the phase is another one.
    async fn announce_phase(&mut self) {
        let phase = self.phase();
        if phase == self.announced {
            return;
        }
        let text = |phase: Phase| Value::Text(phase.as_str().to_owned());
        let fields = vec![("stage", text(phase)), ("previous", text(self.announced))];
        self.announced = phase;
        self.shared.run.set_phase(phase);
        self.tell(0, Command::Announce(ScriptEvent::Stage, fields)).await;
        if phase == Phase::Steady && !std::mem::replace(&mut self.full_load_announced, true) {
            let users = vec![("users", Value::Int(self.ramp.users as i64))];
            self.tell(0, Command::Announce(ScriptEvent::SpawningComplete, users)).await;
        }
    }

    fn end(&mut self, cause: EndedBy) {
        self.ended_by.get_or_insert(cause);
    }

    fn begin_ramp_down(&mut self, rate: f64) {
        let users = self.ramp.target(self.start.elapsed());
        self.ramp_down = Some((Instant::now(), Ramp { users, rate }));
    }

    fn phase(&self) -> Phase {
        if self.ramp_down.is_some() {
            Phase::RampDown
        } else if self.ramp.target(self.start.elapsed()) < self.ramp.users {
            Phase::RampUp
        } else {
            Phase::Steady
        }
    }

    fn users_target(&self) -> u64 {
        match self.ramp_down {
            None => self.ramp.target(self.start.elapsed()),
            Some((at, ramp)) => ramp.users.saturating_sub(ramp.target(at.elapsed())),
        }
    }

    /// Ends an interval: collects it from all workers and publishes a snapshot.
    async fn tick(&mut self, last: bool) {
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in 0..self.workers.len() {
            let (answer, interval) = oneshot::channel();
            self.tell(worker, Command::Flush(answer)).await;
            answers.push(interval);
        }
        let mut tick = Tick {
            at: Duration::ZERO,
            phase: self.phase(),
            users: 0,
            users_peak: 0,
            users_target: self.users_target(),
            in_flight: 0,
            interrupted_requests: 0,
        };
        for (worker, answer) in answers.into_iter().enumerate() {
            // A worker that has panicked has nothing to say; its users are gone with it.
            let Ok(interval) = answer.await else { continue };
            let Interval { delta, users, users_peak, in_flight, interrupted_requests, health } = interval;
            self.aggregator.add(worker, delta);
            self.aggregator.health(worker, &health);
            tick.users += users;
            tick.users_peak += users_peak;
            tick.in_flight += in_flight;
            tick.interrupted_requests += interrupted_requests;
        }
        if let Some(resources) = &mut self.resources {
            self.aggregator.add_resources(resources.take());
        }
        self.aggregator.process_cpu(process_cpu());
        tick.at = self.start.elapsed();
        let mut snapshot = self.aggregator.close_interval(tick);
        if last {
            // The seconds keep the phase they were part of; it is the run that is done.
            snapshot.phase = Phase::Done;
        }
        self.shared.run.publish(snapshot.users, snapshot.recent.rate.unwrap_or(0.0), snapshot.phase);
        // Nobody may be watching.
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    async fn teardown(&mut self, requests: &mut mpsc::Receiver<Request>) -> Option<String> {
        if self.stops > 1 {
            return None;
        }
        let (answer, mut result) = oneshot::channel();
        self.tell(0, Command::Teardown(answer)).await;
        let deadline = Instant::now() + self.shared.plan.stop_timeout;
        loop {
            tokio::select! {
                result = &mut result => return match result {
                    Ok(Err(HookError::Failed(error) | HookError::Aborted(error))) => Some(error),
                    _ => None,
                },
                Some(Request::Stop(cause)) = requests.recv() => {
                    self.end(cause);
                    self.stops += 1;
                    if self.stops > 1 {
                        self.tell_all(|| Command::StopNow).await;
                    }
                }
                () = sleep_until(deadline), if self.stops <= 1 => {
                    self.stops = 2;
                    self.tell_all(|| Command::StopNow).await;
                    return Some(format!("teardown was not done after {:?} (see stop_timeout)", self.shared.plan.stop_timeout));
                }
            }
        }
    }

    async fn tell(&self, worker: usize, command: Command) {
        // Fails when the worker has panicked; whoever waits for its answer learns it from the answer's end.
        let _ = self.workers[worker].commands.send(command).await;
    }

    async fn tell_all(&self, command: impl Fn() -> Command) {
        for worker in 0..self.workers.len() {
            self.tell(worker, command()).await;
        }
    }
}

fn idle_tick() -> Tick {
    Tick {
        at: Duration::ZERO,
        phase: Phase::Starting,
        users: 0,
        users_peak: 0,
        users_target: 0,
        in_flight: 0,
        interrupted_requests: 0,
    }
}
