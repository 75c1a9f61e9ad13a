//! Drives a run from `setup` to `teardown` on a thread of its own.
//!
//! Owns the sequence, the clock of the intervals and the decision when a run ends. Leaves the load to the
//! worker threads. Invariant: every interval of every worker reaches the aggregator, also after a stop.

mod capacity;
mod interval;
mod thresholds;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::capacity::CapacityRun;
use super::control::Control;
use super::lanes::{Change, Lanes};
use super::pressure::Pressure;
use super::reload::{Reloaded, Watcher, reload};
use super::requests::{Answer, Request, Requests};
use super::samples::SampleWriter;
use super::shapes::{Said, Shapes};
use super::worker_loop::{Command, ShapeAnswer, WorkerError, run_worker};
use crate::metrics::{
    Aggregator, Phase, ResourceSource, SampleFileStats, SampleSink, Snapshot, Tap, Thresholds,
};
use crate::plan::{DEFAULT_MAX_DURATION, EndedBy};
use crate::script::{Level, Message, Sources, Value};
use crate::system::process_cpu;
use crate::vu::{Event, HookError, Shared};

/// Length of an interval of the history.
const INTERVAL: Duration = Duration::from_secs(1);

/// Stack of a worker thread; scripts run on fibers, but their top level runs here.
const WORKER_STACK: usize = 16 << 20;

/// How often the files of the script are looked at, when that is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many commands may wait for a worker.
const COMMANDS: usize = 16;

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
    /// The load in time; what changes it while it runs goes through here.
    lanes: Lanes,
    shapes: Shapes,
    pressure: Pressure,
    /// Set when the load is a search for the capacity.
    capacity: Option<CapacityRun>,
    start: Instant,
    /// When the time of the run is over; `None` when it has none, or is over and that has been acted on.
    run_ends: Option<Instant>,
    /// By when the last iterations have to end, once there is no further one.
    last_iterations: Option<Instant>,
    /// The last iteration of the run's number has been begun.
    iterations_done: bool,
    ended_by: Option<EndedBy>,
    stops: u32,
    misconfigured: Option<String>,
    /// The phase and stage that listeners of the script were told last, and whether they know that all users run.
    announced: (Phase, Option<Arc<str>>),
    /// The script that runs, and where changed ones arrive.
    sources: Sources,
    reloads: Option<mpsc::Sender<Result<Reloaded, String>>>,
    full_load_announced: bool,
    /// Measures machine, generator and target, when that was asked for.
    resources: Option<Box<dyn ResourceSource>>,
    /// Where samples of the run as a whole go, and who writes all samples down, when that was asked for.
    tap: Option<Tap>,
    /// Dropped iterations that were passed on there.
    dropped_told: u64,
    samples: Option<SampleWriter>,
}

impl Driver {
    /// Starts the worker threads and waits until each has loaded the script.
    pub(super) async fn start(
        shared: Arc<Shared>,
        resources: Option<Box<dyn ResourceSource>>,
        samples: Vec<Box<dyn SampleSink>>,
    ) -> Result<(Driver, watch::Receiver<Arc<Snapshot>>), WorkerError> {
        let count = shared.plan.threads;
        let common = shared.inputs.common.clone();
        let mask = Arc::new(move |text: &str| common.secrets.mask(text));
        let (samples, line) = SampleWriter::start(samples, mask, shared.messages.clone())
            .map_err(WorkerError::Runtime)?
            .unzip();
        let mut workers = Vec::with_capacity(count);
        let mut ready = Vec::with_capacity(count);
        for number in 0..count {
            let (commands, receiver) = mpsc::channel(COMMANDS);
            let (loaded, is_ready) = oneshot::channel();
            let shared = shared.clone();
            let tap = line.as_ref().map(|line| line.tap(number));
            let thread = std::thread::Builder::new()
                .name(format!("rhaid-worker-{number}"))
                .stack_size(WORKER_STACK)
                .spawn(move || run_worker(shared, tap, number, count, loaded, receiver))
                .map_err(WorkerError::Runtime)?;
            workers.push(WorkerHandle { commands, thread });
            ready.push(is_ready);
        }
        for is_ready in ready {
            is_ready.await.unwrap_or_else(|_| {
                Err(WorkerError::Runtime(std::io::Error::other("a worker thread ended while it started")))
            })?;
        }
        let (thresholds, _) = Thresholds::new(&shared.thresholds, &shared.own_metrics);
        let secrets = &shared.inputs.common.secrets;
        let thresholds = thresholds.masked(|text| secrets.mask(text));
        let mut aggregator = Aggregator::new(count, SystemTime::now()).with_thresholds(thresholds);
        let mut nothing = aggregator.preview(interval::idle_tick());
        if shared.plan.capacity.is_some() {
            nothing.thresholds.clear();
        }
        let (snapshots, receiver) = watch::channel(Arc::new(nothing));
        let start = Instant::now();
        let driver = Driver {
            lanes: Lanes::new(&shared.plan, start),
            shapes: Shapes::default(),
            pressure: Pressure::default(),
            capacity: shared.plan.capacity.as_ref().map(CapacityRun::new),
            sources: shared.sources.clone(),
            reloads: None,
            shared,
            workers,
            aggregator,
            snapshots,
            start,
            run_ends: None,
            last_iterations: None,
            iterations_done: false,
            ended_by: None,
            stops: 0,
            misconfigured: None,
            announced: (Phase::Starting, None),
            full_load_announced: false,
            resources,
            tap: line.map(|line| line.tap(count)),
            dropped_told: 0,
            samples,
        };
        Ok((driver, receiver))
    }

    /// Runs the test. Never fails: whatever happened until the end is in the result.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut requests: Requests,
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
        // All other taps went with the workers: what is on its way is all there is.
        drop(self.tap);
        let mut snapshot = snapshot;
        if let Some(writer) = self.samples {
            let whole = Arc::make_mut(&mut snapshot);
            whole.samples = writer.finish();
            whole.notes.extend(whole.samples.iter().filter_map(SampleFileStats::warning));
            self.snapshots.send_replace(snapshot.clone());
        }
        Ending {
            ended_by: self.ended_by.unwrap_or(EndedBy::UsersGone),
            snapshot,
            misconfigured: self.misconfigured,
            teardown_error,
        }
    }

    /// Runs `setup` on the first worker; `None` when it failed or was stopped.
    async fn setup(&mut self, requests: &mut Requests) -> Option<Arc<Value>> {
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
                request = requests.next() => match request {
                    Request::Stop(cause) => {
                        self.end(cause);
                        self.tell_all(|| Command::StopNow).await;
                    }
                    Request::Abandon => {
                        self.end(EndedBy::Stopped);
                        self.tell_all(|| Command::StopNow).await;
                    }
                    Request::Control(_, answer) => reply(answer, Err("the load has not begun yet".into())),
                    Request::Reload => {}
                },
            }
        }
    }

    async fn load(
        &mut self,
        data: Arc<Value>,
        events: &mut mpsc::UnboundedReceiver<Event>,
        requests: &mut Requests,
    ) {
        self.start = Instant::now();
        self.lanes = Lanes::new(&self.shared.plan, self.start);
        self.run_ends = self.shared.plan.run_time.map(|time| self.start + time);
        self.shared.run.start(self.start.into_std());
        self.aggregator.start(SystemTime::now());
        if let Some(resources) = &mut self.resources {
            resources.begin(self.start.into_std());
        }
        self.aggregator.process_cpu(process_cpu());
        self.tell_all(|| Command::Start { data: data.clone() }).await;
        let mut watcher = Watcher::new(&self.sources);
        let mut next_look = self.start + LOOK_EVERY;
        let (sender, mut reloads) = mpsc::channel(1);
        self.reloads = Some(sender);
        let (shape_answers, mut shapes_say) = mpsc::channel::<(usize, ShapeAnswer)>(COMMANDS);
        let mut next_tick = self.start + INTERVAL;
        self.begin_lanes().await;
        self.shared.run.publish(0, 0.0, self.lanes.phase(self.start).0);
        while !self.lanes.are_over() {
            self.announce_phase().await;
            let now = Instant::now();
            let next_lane = self.lanes.next_start().map(|(_, at)| at);
            let next_border = self.lanes.next_border(now);
            let next_shape = self.shapes.next_ask();
            tokio::select! {
                biased;
                request = requests.next() => {
                    match request {
                        Request::Stop(cause) => self.stop(cause).await,
                        Request::Abandon => self.abandon().await,
                        Request::Reload => self.begin_reload(),
                        Request::Control(control, answer) => self.control(&control, answer).await,
                    }
                }
                Some(reloaded) = reloads.recv() => self.end_reload(reloaded, &mut watcher).await,
                () = sleep_until(next_look), if self.shared.watch => {
                    if watcher.has_changed() {
                        self.begin_reload();
                    }
                    next_look = Instant::now() + LOOK_EVERY;
                }
                Some((lane, answer)) = shapes_say.recv() => self.shape_says(lane, answer).await,
                Some(event) = events.recv() => self.event(event).await,
                () = sleep_until(next_tick) => {
                    self.tick(false).await;
                    // On the grid of the start, so that the seconds of two charts are the same seconds.
                    while next_tick <= Instant::now() {
                        next_tick += INTERVAL;
                    }
                }
                () = sleep_until(next_lane.unwrap_or(now)), if next_lane.is_some() => self.begin_lanes().await,
                () = sleep_until(next_shape.unwrap_or(now)), if next_shape.is_some() => {
                    for (lane, function, elapsed) in self.shapes.ask(Instant::now()) {
                        let (answer, last) = (shape_answers.clone(), self.shapes.last(lane).cloned());
                        self.tell(0, Command::AskShape { lane, function, elapsed, last, answer }).await;
                    }
                }
                // The phase is another one from then on.
                () = sleep_until(next_border.unwrap_or(now)), if next_border.is_some() => {}
                () = sleep_until(self.run_ends.unwrap_or(now)), if self.run_ends.is_some() => {
                    self.run_time_is_over().await;
                }
                () = sleep_until(self.last_iterations.unwrap_or(now)), if self.last_iterations.is_some() => {
                    self.last_iterations = None;
                    let text = format!(
                        "the last iterations have not ended {} s after they began: they are stopped",
                        DEFAULT_MAX_DURATION.as_secs()
                    );
                    self.say(Level::Warning, text);
                    self.tell_all(|| Command::Stop).await;
                }
            }
        }
        self.announce_phase().await;
        if self.ended_by.is_none() {
            self.end(if self.lanes.some_time_was_over() {
                EndedBy::RunTime
            } else if self.lanes.some_count_iterations() {
                EndedBy::Iterations
            } else {
                EndedBy::UsersGone
            });
        }
        self.tick(true).await;
    }

    /// Begins the lanes whose time has come.
    async fn begin_lanes(&mut self) {
        while let Some((lane, at)) = self.lanes.next_start().filter(|&(_, at)| at <= Instant::now()) {
            match self.lanes.shape(lane).map(str::to_owned) {
                // Its function says first what it is.
                Some(function) => {
                    self.lanes.ask(lane);
                    self.shapes.add(lane, function, self.lanes.parts_of_shape(lane), at);
                }
                None => self.begin_lane(lane, at, false).await,
            }
        }
    }

    async fn begin_lane(&mut self, lane: usize, at: Instant, is_open: bool) {
        let workers = self.workers.len();
        if let Some(begin) = self.lanes.begin(lane, at, &self.shared.plan, workers, is_open) {
            self.tell_all(|| Command::Begin(begin.clone())).await;
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Abort => {
                let reason = self.shared.run.abort_reason().unwrap_or_default();
                self.stop_once(EndedBy::Aborted(reason)).await;
            }
            Event::Misconfigured(error) => {
                self.misconfigured.get_or_insert(error);
                self.stop_once(EndedBy::Stopped).await;
            }
            Event::NoIterationsLeft => {
                let now = Instant::now();
                self.end(EndedBy::Iterations);
                self.iterations_done = true;
                self.last_iterations = Some(now + DEFAULT_MAX_DURATION);
                self.lanes.end(now);
                self.tell_all(|| Command::Finish).await;
            }
            Event::LaneIdle { lane, worker, generation } => {
                if self.lanes.idle(lane, worker, generation, Instant::now()) {
                    self.shapes.remove(lane);
                }
            }
            Event::LimitMet { lane } => {
                let now = Instant::now();
                if let Some(load) = self.lanes.open_load(lane, now) {
                    let scenario = self.scenario(load.scenario).to_owned();
                    let text = self.pressure.limit_met(lane, &load, &scenario);
                    self.aggregator.mark(self.start.elapsed(), text.clone());
                    self.say(Level::Warning, text);
                }
            }
        }
    }

    fn scenario(&self, index: usize) -> &str {
        &self.shared.plan.scenarios[index].name
    }

    /// Changes the load, and marks when.
    async fn control(&mut self, control: &Control, answer: Answer) {
        let now = Instant::now();
        match self.lanes.change(control, now) {
            Ok((changes, text)) => {
                match control {
                    Control::Pause => self.shapes.pause(now),
                    Control::Resume => {
                        let pause = self.shapes.resume(now);
                        self.run_ends = self.run_ends.map(|ends| ends + pause);
                    }
                    _ => {}
                }
                self.follow(changes).await;
                self.aggregator.mark(self.start.elapsed(), text);
                reply(answer, Ok(()));
            }
            Err(problem) => reply(answer, Err(problem)),
        }
    }

    async fn follow(&self, changes: Vec<Change>) {
        for (lane, schedule) in changes {
            self.tell_all(|| Command::Follow { lane, schedule: schedule.clone() }).await;
        }
    }

    /// A shape function has been asked and has answered.
    async fn shape_says(&mut self, lane: usize, answer: ShapeAnswer) {
        let now = Instant::now();
        match self.shapes.said(lane, answer) {
            Said::Nothing => {}
            Said::Begin { lanes, skip, is_open } => {
                skip.into_iter().for_each(|lane| self.lanes.skip(lane, now));
                for lane in lanes {
                    self.begin_lane(lane, now, is_open).await;
                }
                let changes = self.shapes.changes(lane, &mut self.lanes, now);
                self.follow(changes).await;
            }
            Said::Change => {
                let changes = self.shapes.changes(lane, &mut self.lanes, now);
                self.follow(changes).await;
            }
            Said::Abort(reason) => self.stop_once(EndedBy::Aborted(reason)).await,
            Said::Unusable(error) => {
                self.misconfigured.get_or_insert(error);
                self.stop_once(EndedBy::Stopped).await;
            }
        }
    }

    async fn run_time_is_over(&mut self) {
        self.run_ends = None;
        self.end(EndedBy::RunTime);
        self.lanes.give_up_waiting(Instant::now());
        // The last iterations were running; the time limits them as it limits all others.
        if self.iterations_done && self.stops == 0 {
            self.tell_all(|| Command::Stop).await;
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
        self.lanes.end(Instant::now());
        if self.stops == 1 {
            self.tell_all(|| Command::Stop).await;
        } else {
            self.tell_all(|| Command::StopNow).await;
        }
    }

    /// Nobody holds the run: it ends at once, without `on_stop` and `teardown`.
    async fn abandon(&mut self) {
        self.stops += 1;
        self.stop(EndedBy::Stopped).await;
    }

    /// Stops gracefully, however often it is called.
    async fn stop_once(&mut self, cause: EndedBy) {
        if self.stops == 0 {
            // What the script asks for overrides an end that was under way.
            self.ended_by = Some(cause.clone());
            self.stop(cause).await;
        }
    }

    fn end(&mut self, cause: EndedBy) {
        self.ended_by.get_or_insert(cause);
    }

    async fn teardown(&mut self, requests: &mut Requests) -> Option<String> {
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
                request = requests.next() => match request {
                    Request::Stop(cause) => {
                        self.end(cause);
                        self.stops += 1;
                        if self.stops > 1 {
                            self.tell_all(|| Command::StopNow).await;
                        }
                    }
                    Request::Abandon => {
                        self.stops = 2;
                        self.tell_all(|| Command::StopNow).await;
                    }
                    Request::Control(_, answer) => reply(answer, Err("the load is over".into())),
                    Request::Reload => {}
                },
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

fn reply(answer: Answer, result: Result<(), String>) {
    // Whoever asked may not wait for the answer.
    let _ = answer.send(result);
}
