//! Drives a run from `setup` to `summary` on a thread of its own.
//!
//! Owns the sequence and the decision when a run ends. Leaves the load to the workers, its course to `load`, and what
//! was counted to `figures`. Invariants: every interval of every worker reaches the aggregator, also after a stop; a worker
//! that does not answer delays nothing: neither the others' figures nor the end of the run.

mod announcer;
mod capacity;
mod dealing;
mod figures;
mod fleet;
mod hooks;
mod load;
mod several;
mod stopping;
mod thresholds;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::announcer::Announcer;
use self::capacity::CapacityRun;
use self::dealing::Dealing;
use self::figures::Figures;
pub(crate) use self::fleet::{Fleet, HURRY, Heard, PATIENCE};
use self::load::Load;
use self::several::Nobody;
use super::control::{Control, ControlError};
use super::lanes::{Begin, Change};
use super::reload::{Reloaded, Reloads};
use super::requests::{Request, Requests, reply};
use super::samples::SampleWriter;
use super::shapes::ShapeCommand;
use super::watchdog::Watchdog;
use super::workers::{Command, Notice, ShapeAnswer, Workers};
use crate::analysis::blocking::{lost_worker, silent_worker};
use crate::metrics::{ResourceSource, Snapshot, Tap, Tick};
use crate::plan::{DEFAULT_MAX_DURATION, EndedBy, RunInfo};
use crate::script::{LastHooks, Level, Message, SummaryOutput, Value};
use crate::vu::{Event, Interval, Shared};

/// Length of an interval of the history.
const INTERVAL: Duration = Duration::from_secs(1);

/// How late the time of an interval may be noticed for it to end when it should have.
const SOON: Duration = Duration::from_millis(100);

/// How long it takes at most until all agents have the users that they were dealt.
const DEALT_WITHIN: Duration = Duration::from_secs(3);

/// A worker that has not answered for so long is told of while the run goes on.
const LONG_SILENCE: Duration = Duration::from_secs(1);

/// How a run ended.
pub(super) struct Ending {
    pub(super) ended_by: EndedBy,
    pub(super) snapshot: Arc<Snapshot>,
    /// Set when the script showed that the run was set up wrongly.
    pub(super) misconfigured: Option<String>,
    /// Why `teardown` failed, if it did.
    pub(super) teardown_error: Option<String>,
    /// What the script's `summary` wants to be written, or why there is nothing; `None` when it was not called.
    pub(super) summary: Option<Result<Vec<SummaryOutput>, String>>,
}

/// See the module's description.
pub(super) struct Driver<W> {
    info: Arc<RunInfo>,
    shared: Arc<Shared>,
    fleet: Fleet<W>,
    watchdog: Rc<RefCell<Watchdog>>,
    load: Load,
    figures: Figures,
    announcer: Announcer,
    /// Set when the load is a search for the capacity.
    capacity: Option<CapacityRun>,
    ended_by: Option<EndedBy>,
    /// How often the run was told to stop: the second time is at once.
    stops: u32,
    misconfigured: Option<String>,
    /// What the script that runs now does when the load is over.
    last_hooks: LastHooks,
    /// Workers whose silence has been told of.
    silent: Vec<usize>,
    dealing: Dealing,
    /// Set while no worker is left and others may take the load up.
    nobody: Option<Nobody>,
    /// When the intervals that are waited for were asked for, which is where their second ends.
    asked_at: Duration,
    /// Until then, agents take over the users of others.
    exchanging_until: Duration,
    /// Who takes part from the start of the load on, if not all that were there at first.
    members: Option<Vec<usize>>,
}

impl<W: Workers> Driver<W> {
    /// A run whose workers have loaded the script, and where its snapshots will be.
    pub(super) fn new(
        info: RunInfo,
        shared: Arc<Shared>,
        workers: W,
        watchdog: Rc<RefCell<Watchdog>>,
        resources: Option<Box<dyn ResourceSource>>,
        samples: Option<(Tap, SampleWriter)>,
    ) -> (Driver<W>, watch::Receiver<Arc<Snapshot>>) {
        let fleet = Fleet::new(workers);
        let (figures, snapshots) = Figures::new(&shared, fleet.count(), resources, samples);
        let load = Load::new(&shared.plan, tokio::time::Instant::now());
        let driver = Driver {
            info: Arc::new(info),
            dealing: Dealing::new(fleet.groups(), &shared.plan, |lane| load.lanes.together(lane)),
            nobody: None,
            members: None,
            load,
            fleet,
            watchdog,
            figures,
            announcer: Announcer::new(),
            capacity: shared.plan.capacity.as_ref().map(CapacityRun::new),
            ended_by: None,
            stops: 0,
            misconfigured: None,
            last_hooks: shared.last_hooks,
            silent: Vec::new(),
            asked_at: Duration::ZERO,
            exchanging_until: Duration::ZERO,
            shared,
        };
        (driver, snapshots)
    }

    /// Runs the test. Never fails: whatever happened until the end is in the result.
    pub(super) async fn run(self, requests: Requests) -> Ending {
        let watching = Watchdog::keep_looking(self.watchdog.clone());
        tokio::select! {
            ending = self.run_to_the_end(requests) => ending,
            never = watching => match never {},
        }
    }

    async fn run_to_the_end(mut self, mut requests: Requests) -> Ending {
        let mut teardown_error = None;
        if let Some(data) = self.setup(&mut requests).await {
            self.load(data, &mut requests).await;
            teardown_error = self.teardown(&mut requests).await;
        } else if matches!(self.ended_by, Some(EndedBy::Stopped | EndedBy::Signal)) {
            // It was stopped before there was anything to sum up.
            self.stops = 2;
        }
        let summary = self.summary(&mut requests).await;
        let ended_by = self.ended_by();
        self.fleet.end().await;
        Ending {
            ended_by,
            summary,
            snapshot: self.figures.finish(),
            misconfigured: self.misconfigured,
            teardown_error,
        }
    }

    async fn load(&mut self, data: Arc<Value>, requests: &mut Requests) {
        let start = self.fleet.workers().next_start();
        self.load = Load::new(&self.shared.plan, start);
        self.shared.run.start(self.load.start().into_std());
        self.figures.begin(self.load.start());
        self.fleet.tell_all(Command::Start { data });
        let mut reloads = Reloads::new(&self.shared);
        let mut next_tick = INTERVAL;
        for worker in (0..self.fleet.count()).filter(|&worker| self.fleet.is_absent(worker)) {
            self.load.lanes.worker_gone(worker, Duration::ZERO);
        }
        self.look_who_is_left();
        let deals = self.fleet.workers().deals();
        self.dealing.go_on(&deals);
        if let Some(allowances) = self.fleet.workers().allowances() {
            self.dealing.restore(&allowances);
        }
        if let Some(members) = self.members.take() {
            self.deal(members);
        }
        self.begin_lanes();
        for (lane, schedule) in self.fleet.workers().schedules() {
            self.load.lanes.take_over(lane, schedule);
        }
        self.shared.run.publish(0.0, self.load.lanes.phase(Duration::ZERO).0);
        while !self.load.lanes.are_over() {
            self.announce_phase();
            let load = &self.load;
            let next_look = load.sleep_until(reloads.next_look());
            let tick = load.sleep_until(Some(next_tick));
            let next_lane = load.sleep_until(load.lanes.next_start().map(|(_, at)| at));
            let next_shape = load.sleep_until(load.shapes.next_ask());
            let next_border = load.sleep_until(load.lanes.next_border(load.now()));
            let run_ends = load.sleep_until(load.run_ends);
            let nobody_comes = load.sleep_until(self.nobody_until());
            let last_iterations = load.sleep_until(load.last_iterations);
            tokio::select! {
                biased;
                request = requests.next() => match request {
                    Request::Stop(cause) => self.stop(cause),
                    Request::Abandon => self.abandon(),
                    Request::Reload => reloads.begin(),
                    Request::Control(controls, answer) => reply(answer, self.change(&controls)),
                },
                reloaded = reloads.next() => self.take_over(reloaded, &mut reloads),
                () = next_look => reloads.look(self.load.now()),
                heard = self.fleet.next() => match heard {
                    Heard::Notice(worker, notice) => self.notice(worker, notice),
                    Heard::Intervals(intervals) => self.intervals_are_here(intervals),
                },
                () = tick => {
                    // On the grid of the start, so that the seconds of two charts are the same seconds.
                    let now = self.load.now();
                    while next_tick <= now {
                        next_tick += INTERVAL;
                    }
                    if !self.fleet.workers().are_away() {
                        // Agents count by the seconds of the load; threads here, until they are asked.
                        let second = next_tick.saturating_sub(INTERVAL);
                        let is_by_second = self.fleet.workers().tells_silence() || now < second + SOON;
                        self.asked_at = if is_by_second { second } else { now };
                        self.fleet.ask(PATIENCE);
                    }
                }
                () = next_lane => self.begin_lanes(),
                () = next_shape => {
                    for (lane, function, elapsed) in self.load.shapes.ask(self.load.now()) {
                        let last = self.load.shapes.last(lane).cloned();
                        self.tell_first(Command::AskShape { lane, function, elapsed, last });
                    }
                }
                // The phase is another one from then on.
                () = next_border => {}
                () = nobody_comes => self.nobody_came(),
                () = run_ends => self.run_time_is_over(),
                () = last_iterations => {
                    self.load.last_iterations = None;
                    let text = format!(
                        "the last iterations have not ended {} s after they began: they are stopped",
                        DEFAULT_MAX_DURATION.as_secs()
                    );
                    self.say(Level::Warning, text);
                    self.fleet.tell_all(Command::Stop);
                }
            }
        }
        self.announce_phase();
        self.end(self.load.own_end());
        let ended = self.load.now();
        let last = self.last_intervals(requests).await;
        // Waiting for who may be cut off is no load.
        let at = if self.fleet.workers().tells_silence() { ended } else { self.load.now() };
        self.tick_at(at, last, true);
    }

    /// Collects what workers have counted since their last intervals; a second request to stop makes it short.
    async fn last_intervals(&mut self, requests: &mut Requests) -> Vec<(usize, Interval)> {
        let patience = self.fleet.workers().last_patience();
        self.fleet.ask_last(if self.stops > 1 { HURRY } else { patience });
        loop {
            tokio::select! {
                biased;
                request = requests.next() => {
                    self.stop_too_late(request);
                    if self.stops > 1 {
                        self.fleet.hurry(HURRY);
                    }
                }
                heard = self.fleet.next() => match heard {
                    Heard::Intervals(intervals) => return intervals,
                    Heard::Notice(worker, notice @ (Notice::Past { .. } | Notice::Note { .. })) => {
                        self.notice(worker, notice);
                    }
                    Heard::Notice(..) => {}
                },
            }
        }
    }

    /// The time of an interval is over. In a run that is to end at once they are for knowing who answers.
    fn intervals_are_here(&mut self, intervals: Vec<(usize, Interval)>) {
        if self.stops > 1 || self.asked_at <= self.figures.closed_at() {
            self.count(&intervals);
            self.figures.take(intervals, self.load.now());
        } else {
            self.tick_at(self.asked_at, intervals, false);
        }
        self.look_at_silence();
    }

    /// Says which workers do not answer, and does not wait for them where the load should be over.
    fn look_at_silence(&mut self) {
        let (now, silent) = (self.load.now(), self.fleet.silent());
        let mut told = std::mem::take(&mut self.silent);
        told.retain(|worker| {
            let is_silent = silent.iter().any(|(silent, _)| silent == worker);
            if !is_silent {
                self.say(Level::Info, format!("worker {worker} answers again"));
            }
            is_silent
        });
        // The last of a number of iterations may take their time: nobody has told them to stop.
        let may_finish = self.load.last_iterations.is_some() && self.stops == 0;
        for (worker, silence) in silent {
            let is_over =
                !may_finish && self.load.lanes.give_up(worker, self.stops > 1, &self.shared.plan, now);
            let is_told = self.fleet.workers().tells_silence();
            if !is_told && (silence >= LONG_SILENCE || is_over) && !told.contains(&worker) {
                told.push(worker);
                let text = format!(
                    "{}; the run goes on without it",
                    silent_worker(&self.watchdog.borrow().silent(worker, silence))
                );
                self.mark(text.clone());
                self.say(Level::Warning, text);
            }
        }
        self.silent = told;
    }

    fn tell_first(&mut self, command: Command) {
        if let Some(first) = self.fleet.first() {
            self.fleet.tell(first, command);
        }
    }

    /// Begins the lanes whose time has come.
    fn begin_lanes(&mut self) {
        for begin in self.load.begin(&self.shared.plan, self.fleet.count()) {
            self.begin_lane(begin);
        }
    }

    fn begin_lane(&mut self, begin: Begin) {
        let Begin { lane, schedule, is_open } = begin;
        self.fleet.tell_all(Command::Begin { lane, schedule, is_open });
        self.look_at_iterations();
    }

    fn follow(&mut self, changes: Vec<Change>) {
        for (lane, schedule) in changes {
            self.fleet.tell_all(Command::Follow { lane, schedule });
        }
        self.look_at_iterations();
    }

    fn notice(&mut self, worker: usize, notice: Notice) {
        if self.fleet.workers().tells_silence()
            && matches!(notice, Notice::Deal { .. } | Notice::Gone | Notice::Lost | Notice::Back)
        {
            self.exchanging_until = self.load.now() + DEALT_WITHIN;
        }
        match notice {
            Notice::Event(event) => self.event(worker, event),
            Notice::Shape { lane, answer } => self.shape_says(lane, answer),
            Notice::Joined => self.joined(worker),
            // A load that ends is not dealt again: who has left it would not hear of it.
            Notice::Deal { members } if self.ended_by.is_none() => self.deal(members),
            Notice::Deal { .. } => {}
            Notice::Gone | Notice::Lost => self.absent(worker),
            Notice::Back => {
                self.figures.is_back(worker);
                self.load.lanes.worker_back(worker);
                self.look_who_is_left();
            }
            Notice::AgentsLost(reason) => self.stop_once(EndedBy::AgentsLost(reason)),
            Notice::Past { second, intervals } => self.past(second, intervals),
            Notice::Note { level, text } => {
                self.mark(text.clone());
                self.say(level, text);
            }
            // Nobody has asked for them.
            Notice::Setup(_)
            | Notice::Teardown(_)
            | Notice::Summary(_)
            | Notice::Interval { .. }
            | Notice::Earlier { .. }
            | Notice::Answered { .. } => {}
        }
    }

    fn event(&mut self, worker: usize, event: Event) {
        let now = self.load.now();
        match event {
            Event::Abort => {
                let reason = self.shared.run.abort_reason().unwrap_or_default();
                self.stop_once(EndedBy::Aborted(reason));
            }
            Event::Misconfigured(error) => self.is_misconfigured(error),
            Event::NoIterationsLeft { lane, allowed } => {
                self.dealing.is_used_up(lane, worker, allowed);
                self.look_at_iterations();
            }
            Event::LaneIdle { lane, worker, generation, taken, claimed } => {
                self.dealing.taken(Some(lane), worker, taken);
                self.dealing.taken(None, worker, claimed);
                if self.load.lanes.idle(lane, worker, generation, now) {
                    self.load.shapes.remove(lane);
                }
                self.look_at_iterations();
            }
            Event::LimitMet { lane } => {
                if let Some(load) = self.load.lanes.open_load(lane, now) {
                    let scenario = &self.shared.plan.scenarios[load.scenario].name;
                    if let Some(text) = self.load.pressure.limit_met(lane, &load, scenario) {
                        self.mark(text.clone());
                        self.say(Level::Warning, text);
                    }
                }
            }
        }
    }

    /// Changes the load, and marks when.
    fn change(&mut self, controls: &[Control]) -> Result<(), ControlError> {
        for (changes, text) in self.load.change(controls)? {
            self.follow(changes);
            self.mark(text);
        }
        self.show_at_once();
        Ok(())
    }

    /// Whoever asked for a change sees it, without waiting for the next figures.
    fn show_at_once(&mut self) {
        let now = self.load.now();
        let (phase, stage) = self.load.lanes.phase(now);
        self.figures.amend(phase, stage, self.load.lanes.users_target(now));
    }

    /// A shape function has been asked and has answered.
    fn shape_says(&mut self, lane: usize, answer: ShapeAnswer) {
        let (now, load) = (self.load.now(), &mut self.load);
        match load.shapes.said(lane, answer) {
            ShapeCommand::Nothing => return,
            ShapeCommand::Begin { lanes, skip, is_open } => {
                skip.into_iter().for_each(|lane| load.lanes.skip(lane, now));
                let (plan, workers) = (&self.shared.plan, self.fleet.count());
                let begun = lanes.into_iter().map(|lane| load.lanes.begin(lane, now, plan, workers, is_open));
                for begin in begun.flatten().collect::<Vec<_>>() {
                    self.begin_lane(begin);
                }
            }
            ShapeCommand::Change => {}
            ShapeCommand::Abort(reason) => return self.stop_once(EndedBy::Aborted(reason)),
            ShapeCommand::Unusable(error) => return self.is_misconfigured(error),
        }
        let changes = self.load.shapes.changes(lane, &mut self.load.lanes, now);
        self.follow(changes);
    }

    /// A changed script has been loaded, or has not.
    fn take_over(&mut self, reloaded: Result<Reloaded, String>, reloads: &mut Reloads) {
        match reloaded {
            Ok(reloaded) => {
                if reloaded.other_scenarios {
                    let text = "the changed script declares other scenarios; this run keeps those it was started with";
                    self.say(Level::Warning, text.to_owned());
                }
                let text = format!("reloaded {}", reloaded.sources.main());
                reloads.take_over(&reloaded.sources);
                self.last_hooks = reloaded.last_hooks;
                self.say(Level::Info, text.clone());
                self.mark(text);
                self.fleet.tell_all(Command::Reload(reloaded));
            }
            Err(error) => {
                let text = format!("the changed script is not used; the old one goes on: {error}");
                self.say(Level::Warning, text);
            }
        }
    }

    /// Tells the listeners of the script when the phase or the stage is another one.
    fn announce_phase(&mut self) {
        let now = self.load.now();
        let (phase, stage) = self.load.lanes.phase(now);
        let told = self.announcer.look(phase, &stage, || self.load.lanes.users_target(now));
        if !told.is_empty() {
            self.figures.aggregator.enter(now, phase, stage);
            self.shared.run.set_phase(phase);
        }
        for (event, fields) in told {
            self.tell_first(Command::Announce(event, fields));
        }
    }

    /// Ends an interval with what the workers have counted in it, and publishes a snapshot.
    fn tick_at(&mut self, now: Duration, intervals: Vec<(usize, Interval)>, last: bool) {
        self.count(&intervals);
        let (phase, stage) = self.load.lanes.phase(now);
        let users_target = self.load.lanes.users_target(now);
        let paused = self.load.lanes.paused_time(now);
        let lever = self.load.lanes.lever();
        let mut tick = Tick { stage, users_target, paused, lever, ..Tick::idle(phase) };
        self.figures.take(intervals, now);
        self.figures.look(&mut tick);
        if now <= self.exchanging_until {
            // The most of one and the most of another were not at the same time.
            tick.users_peak = tick.users.max(self.figures.last().users);
        }
        (tick.planned, tick.due) =
            self.load.planned(now, &self.shared.plan, &mut self.figures.aggregator, last);
        self.load.look_at_pressure();
        tick.at = now;
        let agents = self.agents();
        self.figures.aggregator.agents(agents);
        self.figures.aggregator.told_until(self.fleet.workers().told_until());
        let mut snapshot = self.figures.close(tick, last);
        snapshot.blocking = self.watchdog.borrow().stats();
        self.fleet.workers().blocking(&mut snapshot.blocking);
        if last {
            for text in self.never_begun() {
                self.say(Level::Warning, text.clone());
                snapshot.notes.push(text);
            }
            for (scenario, text) in self.load.pressure.at_the_end(&snapshot, &self.shared.plan) {
                let text = format!("scenario '{scenario}': {text}");
                self.say(Level::Warning, text.clone());
                snapshot.notes.push(text);
            }
            let is_told = self.fleet.workers().tells_silence();
            for (worker, silence) in self.fleet.silent().into_iter().filter(|_| !is_told) {
                let lost = self.watchdog.borrow().silent(worker, silence);
                snapshot.notes.push(lost_worker(&lost));
                snapshot.blocking.lost_workers.push(lost);
            }
        }
        self.search_capacity(&mut snapshot, last);
        let rate = snapshot.recent.rate.unwrap_or(0.0);
        self.shared.run.publish(rate, snapshot.phase);
        self.fleet.workers().publish(now, snapshot.users, rate, snapshot.phase);
        self.figures.publish(snapshot);
        self.act_on_thresholds();
    }

    /// A moment of the run that people are to see.
    fn mark(&mut self, text: String) {
        self.figures.aggregator.mark(self.load.now(), text);
    }

    fn say(&self, level: Level, text: String) {
        (self.shared.messages)(Message { level, text, from: None });
    }
}
