//! Drives a run from `setup` to `teardown` on a thread of its own.
//!
//! Owns the sequence and the decision when a run ends. Leaves the load to the workers, its course to `load`, and what
//! was counted to `figures`. Invariant: every interval of every worker reaches the aggregator, also after a stop.

mod announcer;
mod capacity;
mod figures;
mod fleet;
mod hooks;
mod load;
mod thresholds;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::announcer::Announcer;
use self::capacity::CapacityRun;
use self::figures::Figures;
use self::fleet::Fleet;
use self::load::Load;
use super::control::{Control, ControlError};
use super::lanes::{Begin, Change};
use super::reload::{Reloaded, Reloads};
use super::requests::{Request, Requests, reply};
use super::samples::SampleWriter;
use super::shapes::ShapeCommand;
use super::workers::{Command, Notice, ShapeAnswer, Workers};
use crate::metrics::{ResourceSource, Snapshot, Tap, Tick};
use crate::plan::{DEFAULT_MAX_DURATION, EndedBy};
use crate::script::{Level, Message, Value};
use crate::vu::{Event, Shared};

/// Length of an interval of the history.
const INTERVAL: Duration = Duration::from_secs(1);

/// The worker on which the script's functions for the whole run are called.
const FIRST: usize = 0;

/// How a run ended.
pub(super) struct Ending {
    pub(super) ended_by: EndedBy,
    pub(super) snapshot: Arc<Snapshot>,
    /// Set when the script showed that the run was set up wrongly.
    pub(super) misconfigured: Option<String>,
    /// Why `teardown` failed, if it did.
    pub(super) teardown_error: Option<String>,
}

/// See the module's description.
pub(super) struct Driver<W> {
    shared: Arc<Shared>,
    fleet: Fleet<W>,
    load: Load,
    figures: Figures,
    announcer: Announcer,
    /// Set when the load is a search for the capacity.
    capacity: Option<CapacityRun>,
    ended_by: Option<EndedBy>,
    /// How often the run was told to stop: the second time is at once.
    stops: u32,
    misconfigured: Option<String>,
}

impl<W: Workers> Driver<W> {
    /// A run whose workers have loaded the script, and where its snapshots will be.
    pub(super) fn new(
        shared: Arc<Shared>,
        workers: W,
        resources: Option<Box<dyn ResourceSource>>,
        samples: Option<(Tap, SampleWriter)>,
    ) -> (Driver<W>, watch::Receiver<Arc<Snapshot>>) {
        let fleet = Fleet::new(workers);
        let (figures, snapshots) = Figures::new(&shared, resources, samples);
        let driver = Driver {
            load: Load::new(&shared.plan, fleet.lanes()),
            fleet,
            figures,
            announcer: Announcer::new(),
            capacity: shared.plan.capacity.as_ref().map(CapacityRun::new),
            ended_by: None,
            stops: 0,
            misconfigured: None,
            shared,
        };
        (driver, snapshots)
    }

    /// Runs the test. Never fails: whatever happened until the end is in the result.
    pub(super) async fn run(mut self, mut requests: Requests) -> Ending {
        let mut teardown_error = None;
        if let Some(data) = self.setup(&mut requests).await {
            self.load(data, &mut requests).await;
            teardown_error = self.teardown(&mut requests).await;
        }
        self.fleet.end();
        Ending {
            ended_by: self.ended_by.unwrap_or(EndedBy::UsersGone),
            snapshot: self.figures.finish(),
            misconfigured: self.misconfigured,
            teardown_error,
        }
    }

    async fn load(&mut self, data: Arc<Value>, requests: &mut Requests) {
        self.load = Load::new(&self.shared.plan, self.fleet.lanes());
        self.shared.run.start(self.load.start().into_std());
        self.figures.begin(self.load.start());
        self.fleet.tell_all(Command::Start { data }).await;
        let mut reloads = Reloads::new(&self.shared);
        let mut next_tick = INTERVAL;
        self.begin_lanes().await;
        self.shared.run.publish(0, 0.0, self.load.lanes.phase(Duration::ZERO).0);
        while !self.load.lanes.are_over() {
            self.announce_phase().await;
            let load = &self.load;
            let next_look = load.sleep_until(reloads.next_look());
            let tick = load.sleep_until(Some(next_tick));
            let next_lane = load.sleep_until(load.lanes.next_start().map(|(_, at)| at));
            let next_shape = load.sleep_until(load.shapes.next_ask());
            let next_border = load.sleep_until(load.lanes.next_border(load.now()));
            let run_ends = load.sleep_until(load.run_ends);
            let last_iterations = load.sleep_until(load.last_iterations);
            tokio::select! {
                biased;
                request = requests.next() => match request {
                    Request::Stop(cause) => self.stop(cause).await,
                    Request::Abandon => self.abandon().await,
                    Request::Reload => reloads.begin(),
                    Request::Control(control, answer) => reply(answer, self.change(&control).await),
                },
                reloaded = reloads.next() => self.take_over(reloaded, &mut reloads).await,
                () = next_look => reloads.look(self.load.now()),
                (worker, notice) = self.fleet.next() => self.notice(worker, notice).await,
                () = tick => {
                    self.tick(false).await;
                    // On the grid of the start, so that the seconds of two charts are the same seconds.
                    while next_tick <= self.load.now() {
                        next_tick += INTERVAL;
                    }
                }
                () = next_lane => self.begin_lanes().await,
                () = next_shape => {
                    for (lane, function, elapsed) in self.load.shapes.ask(self.load.now()) {
                        let last = self.load.shapes.last(lane).cloned();
                        self.fleet.tell(FIRST, Command::AskShape { lane, function, elapsed, last }).await;
                    }
                }
                // The phase is another one from then on.
                () = next_border => {}
                () = run_ends => self.run_time_is_over().await,
                () = last_iterations => {
                    self.load.last_iterations = None;
                    let text = format!(
                        "the last iterations have not ended {} s after they began: they are stopped",
                        DEFAULT_MAX_DURATION.as_secs()
                    );
                    self.say(Level::Warning, text);
                    self.fleet.tell_all(Command::Stop).await;
                }
            }
        }
        self.announce_phase().await;
        self.end(self.load.own_end());
        self.tick(true).await;
    }

    /// Begins the lanes whose time has come.
    async fn begin_lanes(&mut self) {
        for begin in self.load.begin(&self.shared.plan, self.fleet.count()) {
            self.begin_lane(begin).await;
        }
    }

    async fn begin_lane(&self, begin: Begin) {
        let Begin { lane, schedule, is_open } = begin;
        self.fleet.tell_all(Command::Begin { lane, schedule, is_open }).await;
    }

    async fn follow(&self, changes: Vec<Change>) {
        for (lane, schedule) in changes {
            self.fleet.tell_all(Command::Follow { lane, schedule }).await;
        }
    }

    async fn notice(&mut self, worker: usize, notice: Notice) {
        match notice {
            Notice::Event(event) => self.event(event).await,
            Notice::Shape { lane, answer } => self.shape_says(lane, answer).await,
            Notice::Gone => self.load.lanes.worker_gone(worker, self.load.now()),
            // Nobody has asked for them.
            Notice::Setup(_) | Notice::Teardown(_) | Notice::Interval { .. } => {}
        }
    }

    async fn event(&mut self, event: Event) {
        let now = self.load.now();
        match event {
            Event::Abort => {
                let reason = self.shared.run.abort_reason().unwrap_or_default();
                self.stop_once(EndedBy::Aborted(reason)).await;
            }
            Event::Misconfigured(error) => self.is_misconfigured(error).await,
            Event::NoIterationsLeft => {
                self.end(EndedBy::Iterations);
                self.load.iterations_done = true;
                self.load.last_iterations = Some(now + DEFAULT_MAX_DURATION);
                self.load.lanes.end(now);
                self.fleet.tell_all(Command::Finish).await;
            }
            Event::LaneIdle { lane, worker, generation } => {
                if self.load.lanes.idle(lane, worker, generation, now) {
                    self.load.shapes.remove(lane);
                }
            }
            Event::LimitMet { lane } => {
                if let Some(load) = self.load.lanes.open_load(lane, now) {
                    let scenario = &self.shared.plan.scenarios[load.scenario].name;
                    let text = self.load.pressure.limit_met(lane, &load, scenario);
                    self.mark(text.clone());
                    self.say(Level::Warning, text);
                }
            }
        }
    }

    /// Changes the load, and marks when.
    async fn change(&mut self, control: &Control) -> Result<(), ControlError> {
        let (changes, text) = self.load.change(control)?;
        self.follow(changes).await;
        self.mark(text);
        Ok(())
    }

    /// A shape function has been asked and has answered.
    async fn shape_says(&mut self, lane: usize, answer: ShapeAnswer) {
        let (now, load) = (self.load.now(), &mut self.load);
        match load.shapes.said(lane, answer) {
            ShapeCommand::Nothing => return,
            ShapeCommand::Begin { lanes, skip, is_open } => {
                skip.into_iter().for_each(|lane| load.lanes.skip(lane, now));
                let (plan, workers) = (&self.shared.plan, self.fleet.count());
                let begun = lanes.into_iter().map(|lane| load.lanes.begin(lane, now, plan, workers, is_open));
                for begin in begun.flatten().collect::<Vec<_>>() {
                    self.begin_lane(begin).await;
                }
            }
            ShapeCommand::Change => {}
            ShapeCommand::Abort(reason) => return self.stop_once(EndedBy::Aborted(reason)).await,
            ShapeCommand::Unusable(error) => return self.is_misconfigured(error).await,
        }
        let changes = self.load.shapes.changes(lane, &mut self.load.lanes, now);
        self.follow(changes).await;
    }

    async fn run_time_is_over(&mut self) {
        self.load.run_ends = None;
        self.end(EndedBy::RunTime);
        self.load.lanes.give_up_waiting(self.load.now());
        // The last iterations were running; the time limits them as it limits all others.
        if self.load.iterations_done && self.stops == 0 {
            self.fleet.tell_all(Command::Stop).await;
        }
    }

    /// A changed script has been loaded, or has not.
    async fn take_over(&mut self, reloaded: Result<Reloaded, String>, reloads: &mut Reloads) {
        match reloaded {
            Ok(reloaded) => {
                if reloaded.other_scenarios {
                    let text = "the changed script declares other scenarios; this run keeps those it was started with";
                    self.say(Level::Warning, text.to_owned());
                }
                let text = format!("reloaded {}", reloaded.sources.main());
                reloads.take_over(&reloaded.sources);
                self.say(Level::Info, text.clone());
                self.mark(text);
                self.fleet.tell_all(Command::Reload(reloaded)).await;
            }
            Err(error) => {
                let text = format!("the changed script is not used; the old one goes on: {error}");
                self.say(Level::Warning, text);
            }
        }
    }

    /// Tells the listeners of the script when the phase or the stage is another one.
    async fn announce_phase(&mut self) {
        let now = self.load.now();
        let (phase, stage) = self.load.lanes.phase(now);
        let told = self.announcer.look(phase, &stage, || self.load.lanes.users_target(now));
        if !told.is_empty() {
            self.figures.aggregator.enter(now, phase, stage);
            self.shared.run.set_phase(phase);
        }
        for (event, fields) in told {
            self.fleet.tell(FIRST, Command::Announce(event, fields)).await;
        }
    }

    /// Ends an interval: collects it from all workers and publishes a snapshot.
    async fn tick(&mut self, last: bool) {
        let intervals = self.fleet.intervals().await;
        let now = self.load.now();
        let (phase, stage) = self.load.lanes.phase(now);
        let users_target = self.load.lanes.users_target(now);
        let mut tick = Tick { stage, users_target, ..Tick::idle(phase) };
        self.figures.add(intervals, now, &mut tick);
        tick.planned = self.load.planned(&self.shared.plan, &mut self.figures.aggregator, last);
        self.load.look_at_pressure();
        tick.at = self.load.now();
        let mut snapshot = self.figures.close(tick, last);
        if last {
            for (scenario, text) in self.load.pressure.at_the_end(&snapshot, &self.shared.plan) {
                let text = format!("scenario '{scenario}': {text}");
                self.say(Level::Warning, text.clone());
                snapshot.notes.push(text);
            }
        }
        self.search_capacity(&mut snapshot, last).await;
        self.shared.run.publish(snapshot.users, snapshot.recent.rate.unwrap_or(0.0), snapshot.phase);
        self.figures.publish(snapshot);
        self.act_on_thresholds().await;
    }

    /// A moment of the run that people are to see.
    fn mark(&mut self, text: String) {
        self.figures.aggregator.mark(self.load.now(), text);
    }

    fn say(&self, level: Level, text: String) {
        (self.shared.messages)(Message { level, text, from: None });
    }

    /// A request to stop: gracefully at first, at once when it is repeated.
    async fn stop(&mut self, cause: EndedBy) {
        self.stops += 1;
        self.end(cause);
        self.load.lanes.end(self.load.now());
        self.fleet.tell_all(if self.stops == 1 { Command::Stop } else { Command::StopNow }).await;
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

    async fn is_misconfigured(&mut self, error: String) {
        self.misconfigured.get_or_insert(error);
        self.stop_once(EndedBy::Stopped).await;
    }

    /// Why the run ends; the first reason is the one.
    fn end(&mut self, cause: EndedBy) {
        self.ended_by.get_or_insert(cause);
    }
}
