//! A lane on a worker thread: its users here, the schedule they follow, and who gets which iteration.
//!
//! Owns the hand-out of iterations. Leaves starting and stopping users to `population` (so many users) and
//! `feeder` (so many iterations per second). An open lane's queue is one number, shared by all threads: the next
//! iteration that nobody has taken. A user that is free takes it, whether it is due already or not yet, and
//! waits for its time; so whoever is free first, on whatever thread, runs what is due first, and nothing is sent.
//! Invariant: an iteration is taken once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::pacer::Pacer;
use super::schedule::Schedule;
use crate::plan::{Executor, LanePlan, Late, Open};
use crate::script::Stage;
use crate::vu::{Due, Event, Seat, Spent, Turn, Turns, Worker};

/// How late an iteration may be begun where late ones are dropped: about what timers and a busy thread cost.
const PUNCTUAL: Duration = Duration::from_millis(10);

/// Users of several lanes together.
#[derive(Debug)]
pub(crate) struct Budget {
    alive: AtomicU64,
    most: u64,
}

impl Budget {
    pub(crate) fn new(most: u64) -> Budget {
        Budget { alive: AtomicU64::new(0), most }
    }

    /// Users that there are.
    pub(crate) fn alive(&self) -> u64 {
        self.alive.load(Ordering::Relaxed)
    }

    /// Most users that there may be.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    fn take(&self) -> bool {
        let more = |alive| (alive < self.most).then_some(alive + 1);
        self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the workers of a lane have in common.
#[derive(Debug)]
pub(crate) struct LaneCommon {
    /// Iterations that have been taken.
    taken: AtomicU64,
    /// Users that have ever been started, of an open lane: the next one's place in its numbers.
    seats: AtomicU64,
    budget: Arc<Budget>,
    /// More users than there may be were needed.
    limit_met: AtomicBool,
}

impl LaneCommon {
    pub(crate) fn new(budget: Arc<Budget>) -> LaneCommon {
        LaneCommon {
            taken: AtomicU64::new(0),
            seats: AtomicU64::new(0),
            budget,
            limit_met: AtomicBool::new(false),
        }
    }

    /// Iterations that have been taken, whether begun or not.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The limit of users.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// Where a lane stands among the worker threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// This worker's number.
    pub(crate) worker: usize,
    /// How many there are.
    pub(crate) workers: usize,
}

/// How users come by their iterations.
enum Feed {
    /// One after the other, as long as they are wanted.
    Free,
    /// So many each.
    Each(u64),
    /// So many together.
    Together(u64),
    /// Each when it is due.
    Due { pacer: RefCell<Pacer>, late: Late },
}

/// See the module's description.
pub(crate) struct Lane {
    pub(super) index: usize,
    pub(super) part: Part,
    pub(super) worker: Rc<Worker>,
    pub(super) plan: LanePlan,
    common: Arc<LaneCommon>,
    schedule: RefCell<Arc<Schedule>>,
    feed: Feed,
    /// Counts everything that users who wait have to look at.
    generation: Cell<u64>,
    /// The schedule has come to its end.
    has_ended: Cell<bool>,
    /// Numbers of its users here.
    users: RefCell<BTreeSet<u64>>,
    pub(super) changed: Notify,
    pub(super) user_left: Notify,
    /// The schedule for which the run has been told that this worker has no user.
    told_idle: Cell<Option<u64>>,
}

impl Lane {
    /// A lane that follows `schedule` from now on.
    pub(crate) fn new(
        worker: Rc<Worker>,
        index: usize,
        part: Part,
        schedule: Arc<Schedule>,
        common: Arc<LaneCommon>,
        is_open: bool,
    ) -> Rc<Lane> {
        let plan = worker.plan().lanes[index].clone();
        let feed = match &plan.executor {
            Executor::PerVuIterations { iterations, .. } => Feed::Each(*iterations),
            Executor::SharedIterations { iterations, .. } => Feed::Together(*iterations),
            executor => match executor.open() {
                Some(open) if is_open => {
                    Feed::Due { pacer: RefCell::new(pacer(&plan, open, worker.plan().seed)), late: open.late }
                }
                _ => Feed::Free,
            },
        };
        Rc::new(Lane {
            index,
            part,
            worker,
            plan,
            common,
            schedule: RefCell::new(schedule),
            feed,
            generation: Cell::new(0),
            has_ended: Cell::new(false),
            users: RefCell::default(),
            changed: Notify::new(),
            user_left: Notify::new(),
            told_idle: Cell::new(None),
        })
    }

    /// Whether it is a rate, not users, that the schedule says.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.feed, Feed::Due { .. })
    }

    pub(super) fn schedule(&self) -> Arc<Schedule> {
        self.schedule.borrow().clone()
    }

    pub(super) fn common(&self) -> &LaneCommon {
        &self.common
    }

    /// Follows another schedule from now on.
    pub(crate) fn follow(&self, schedule: Arc<Schedule>) {
        self.schedule.replace(schedule);
        self.has_ended.set(false);
        self.told_idle.set(None);
        self.look_again();
    }

    /// The schedule is at its end: whoever has no iteration that was due before leaves.
    pub(super) fn end(&self) {
        if !self.has_ended.replace(true) {
            self.look_again();
        }
    }

    fn look_again(&self) {
        self.generation.set(self.generation.get() + 1);
        self.worker.wake_users();
        self.changed.notify_waiters();
    }

    /// Starts the user in this seat, counted from 0, if it has a scenario.
    pub(super) fn start_user(self: &Rc<Self>, seat: u64, first: Option<f64>) {
        let scenario = match self.plan.scenarios[..] {
            [only] => Some(only),
            _ => self.schedule.borrow().mix.get(seat as usize).copied(),
        };
        let Some(scenario) = scenario else { return };
        let id = self.user_id(seat);
        self.users.borrow_mut().insert(id);
        let turns: Rc<dyn Turns> = self.clone();
        self.worker.start_user(Seat { id, scenario, turns, first });
    }

    /// Starts a further user of an open lane, if there may be one; false when there may not.
    pub(super) fn add_user(self: &Rc<Self>, first: Option<f64>) -> bool {
        if !self.common.budget.take() {
            if !self.common.limit_met.swap(true, Ordering::Relaxed) {
                self.worker.tell(Event::LimitMet { lane: self.index });
            }
            return false;
        }
        let seat = self.common.seats.fetch_add(1, Ordering::Relaxed);
        self.start_user(seat, first);
        true
    }

    /// The number of the user in a seat. Seats beyond those of the plan have numbers beyond all planned ones.
    pub(super) fn user_id(&self, seat: u64) -> u64 {
        let plan = self.worker.plan();
        let planned = self.plan.executor.most_vus();
        if seat < planned {
            return self.plan.first_vu + seat;
        }
        let all = plan.lanes.iter().map(|lane| lane.first_vu + lane.executor.most_vus()).max().unwrap_or(1);
        all + (seat - planned) * plan.lanes.len() as u64 + self.index as u64
    }

    /// Its users here.
    pub(super) fn has_users(&self) -> bool {
        !self.users.borrow().is_empty()
    }

    /// Whether the user in a seat is there.
    pub(super) fn has_user(&self, seat: u64) -> bool {
        self.users.borrow().contains(&self.user_id(seat))
    }

    /// Stops all its users here; running iterations get `grace`, or else the stop timeout.
    pub(super) fn stop_users(&self, grace: Option<Duration>) {
        let all: Vec<u64> = self.users.borrow().iter().copied().collect();
        all.into_iter().for_each(|id| self.worker.stop_user(id, grace));
    }

    /// Time that running iterations get.
    pub(super) fn stop_timeout(&self) -> Duration {
        let timeouts = self.plan.scenarios.iter().map(|&scenario| self.worker.stop_timeout(scenario));
        timeouts.max().unwrap_or_default()
    }

    /// Waits until none of its users is left here.
    pub(crate) async fn all_left(&self) {
        while self.has_users() {
            self.user_left.notified().await;
        }
    }

    /// Tells the run, once for a schedule, that this worker has no user and will have none.
    pub(super) fn tell_idle(&self) {
        let generation = self.schedule.borrow().generation;
        if self.told_idle.replace(Some(generation)) != Some(generation) {
            let worker = self.part.worker;
            self.worker.tell(Event::LaneIdle { lane: self.index, worker, generation: Some(generation) });
        }
    }

    /// Tells the run that there will be no user here any more, whatever the schedule.
    pub(crate) fn tell_over(&self) {
        self.worker.tell(Event::LaneIdle { lane: self.index, worker: self.part.worker, generation: None });
    }

    /// A pacer of its own for whoever has to look ahead.
    pub(super) fn pacer(&self) -> Option<Pacer> {
        self.plan.executor.open().map(|open| pacer(&self.plan, open, self.worker.plan().seed))
    }

    /// Takes iterations that are due and that nobody has taken, up to and with number `last`, one by one; for each,
    /// a user is started, or it is dropped.
    pub(super) fn take_or_drop(self: &Rc<Self>, last: u64, pacer: &mut Pacer) {
        let taken = &self.common.taken;
        loop {
            let next = taken.load(Ordering::Relaxed);
            if next > last {
                return;
            }
            if taken.compare_exchange(next, next + 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                continue;
            }
            if !self.add_user(Some(pacer.position(next))) {
                self.worker.record_dropped(self.plan.scenarios[0], 1);
            }
        }
    }

    /// Takes one of the iterations that all users of the lane have together.
    fn take_of(&self, iterations: u64) -> Spent {
        let more = |taken| (taken < iterations).then_some(taken + 1);
        match self.common.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(taken) => Spent::of(iterations - taken),
            Err(_) => Spent::Nothing,
        }
    }

    /// Takes the next iteration; those that are too late to be begun are dropped on the way.
    fn take_punctual(&self, pacer: &mut Pacer) -> f64 {
        let taken = &self.common.taken;
        loop {
            let next = taken.load(Ordering::Relaxed);
            let place = pacer.position(next);
            if taken.compare_exchange(next, next + 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                continue;
            }
            match self.due(place) {
                Due::At(due) if due + PUNCTUAL < Instant::now() => {
                    self.worker.record_dropped(self.plan.scenarios[0], 1);
                }
                _ => return place,
            }
        }
    }
}

/// The pacer of a lane: the same positions for all its workers.
pub(crate) fn pacer(plan: &LanePlan, open: &Open, seed: u64) -> Pacer {
    // Lanes that share a rate share its process; others have their own.
    let own = if plan.share.is_some() { 0 } else { plan.first_vu };
    let seed = seed ^ (own + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Pacer::new(open.arrivals, seed, plan.share.clone())
}

impl Turns for Lane {
    fn next(&self, begun: u64) -> Turn {
        if let Feed::Due { pacer, late } = &self.feed {
            let pacer = &mut *pacer.borrow_mut();
            return Turn::Place(match late {
                Late::Queue => pacer.position(self.common.taken.fetch_add(1, Ordering::Relaxed)),
                Late::Drop => self.take_punctual(pacer),
            });
        }
        if self.schedule.borrow().is_paused {
            return Turn::Hold;
        }
        match self.feed {
            Feed::Each(iterations) if begun >= iterations => Turn::Over,
            Feed::Together(iterations) if self.take_of(iterations) == Spent::Nothing => Turn::Over,
            _ => Turn::Free,
        }
    }

    fn spend(&self, begun: u64) -> Spent {
        match self.feed {
            Feed::Each(iterations) => Spent::of(iterations.saturating_sub(begun)),
            Feed::Together(iterations) => self.take_of(iterations),
            // A rate gives its iterations to whoever is free; a user that cannot begin has taken none.
            Feed::Free | Feed::Due { .. } => Spent::Unlimited,
        }
    }

    fn due(&self, place: f64) -> Due {
        let schedule = self.schedule.borrow();
        match Pacer::time(place, &schedule.curve) {
            // What was due before a pause and could not be begun waits for its end too.
            Some(_) if schedule.is_paused => Due::Later,
            Some(time) => Due::At(schedule.instant(time)),
            None if self.has_ended.get() => Due::Never,
            None => Due::Later,
        }
    }

    fn generation(&self) -> u64 {
        self.generation.get()
    }

    fn left(&self, id: u64) {
        self.users.borrow_mut().remove(&id);
        if self.is_open() {
            self.common.budget.give_back();
        }
        self.user_left.notify_waiters();
    }
}

impl Stage for Lane {
    fn stage(&self) -> Option<Arc<str>> {
        let schedule = self.schedule.borrow();
        schedule.curve.stage(schedule.time(Instant::now())).and_then(|(_, name)| name)
    }
}
