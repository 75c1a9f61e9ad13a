//! A lane on a worker thread: its users here, and the schedule they follow.
//!
//! Leaves starting and stopping users to `population` (so many users) and `feeder` (so many iterations per second), and
//! who gets which iteration to `hand_out`. Here times of the schedule become instants of this process.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::hand_out::{HandOut, LaneCommon, most_vus, pacer};
use super::pacer::Pacer;
use super::rule;
use super::rule::{Feed, Rule};
use super::schedule::Schedule;
use super::share::{Allowances, Deal, Part, Seats};
use crate::plan::LanePlan;
use crate::script::Stage;
use crate::vu::{Due, Event, LaneCount, Seat, Spent, Turn, Turns, Worker};

/// See the module's description.
pub(crate) struct Lane {
    pub(super) index: usize,
    pub(super) part: Part,
    pub(super) worker: Rc<Worker>,
    pub(super) plan: LanePlan,
    pub(super) rule: Rule,
    hand_out: HandOut,
    schedule: RefCell<Arc<Schedule>>,
    /// Counts everything that users who wait have to look at.
    generation: Cell<u64>,
    /// The schedule has come to its end.
    has_ended: Cell<bool>,
    /// Numbers of its users here.
    users: RefCell<BTreeSet<u64>>,
    /// Which of its users are on this worker.
    seats: RefCell<Seats>,
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
        let rule = rule(&plan.executor, None);
        let pacer = rule.open().map(|open| pacer(&plan, open, worker.plan().seed));
        let hand_out = HandOut::new(common, &rule, pacer, is_open, worker.load_start());
        Rc::new(Lane {
            index,
            seats: RefCell::new(Seats::new(part.clone(), plan.first_turn())),
            part,
            worker,
            plan,
            rule,
            hand_out,
            schedule: RefCell::new(schedule),
            generation: Cell::new(0),
            has_ended: Cell::new(false),
            users: RefCell::default(),
            changed: Notify::new(),
            user_left: Notify::new(),
            told_idle: Cell::new(None),
        })
    }

    pub(super) fn schedule(&self) -> Arc<Schedule> {
        self.schedule.borrow().clone()
    }

    pub(super) fn common(&self) -> &LaneCommon {
        self.hand_out.common()
    }

    /// Time since the start of the load.
    pub(super) fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.worker.load_start())
    }

    /// When a place is due, in time since the start of the load; `None` when it is not, as things are.
    pub(super) fn due_at(&self, place: u64, pacer: &mut Pacer) -> Option<Duration> {
        let schedule = self.schedule.borrow();
        let time = Pacer::time(self.hand_out.position(place, pacer)?, &schedule.curve);
        time.filter(|_| !schedule.is_paused).map(|time| schedule.moment(time))
    }

    /// Others take part in the load from now on. Whoever waits looks again at the schedule that comes with it.
    pub(crate) fn deal(&self, deal: &Deal) {
        let plan = self.worker.plan();
        let first = deal.firsts.get(self.index).copied().unwrap_or_default();
        let share = self.part.share.among(&deal.members).turned(self.plan.first_turn());
        self.hand_out.deal(first, share, most_vus(plan, self.index));
        // A user that has a number of iterations of its own would have them anew elsewhere.
        if !matches!(self.rule.feed, Feed::Each(_)) {
            self.seats.borrow_mut().deal(deal.members.clone());
        }
    }

    /// What this process may take of iterations that the users have together is another number from now on.
    pub(crate) fn allow(&self, allowances: &Allowances) {
        if let Some(iterations) = allowances.of_lane(self.index, &self.part.share) {
            self.hand_out.allow(allowances.number, iterations);
            self.look_again();
        }
    }

    /// None of the iterations that the users have together is left anywhere.
    pub(crate) fn no_more(&self) {
        self.hand_out.is_over();
        self.look_again();
    }

    /// Tells the run when users have asked for more of these than this process may take.
    fn look_at_together(&self) {
        if let Some(allowed) = self.hand_out.has_run_dry() {
            self.worker.tell(Event::NoIterationsLeft { lane: Some(self.index), allowed });
        }
    }

    /// Which of its users are on this worker.
    pub(super) fn seats(&self) -> Seats {
        self.seats.borrow().clone()
    }

    /// Counts the deals.
    pub(super) fn dealt(&self) -> usize {
        self.seats.borrow().deals()
    }

    /// What the run is told of it once a second.
    pub(crate) fn count(&self) -> LaneCount {
        let users = self.users.borrow().len() as u64;
        LaneCount { lane: self.index, taken: self.hand_out.taken_here(), users }
    }

    /// Waits for a time of the load; for ever when there is none.
    pub(super) async fn sleep_until(&self, at: Option<Duration>) {
        match at {
            Some(at) => self.worker.sleep_until(self.worker.load_start() + at).await,
            None => std::future::pending().await,
        }
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
    pub(super) fn start_user(self: &Rc<Self>, seat: u64, first: Option<u64>) {
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
    pub(super) fn add_user(self: &Rc<Self>, first: Option<u64>) -> bool {
        let seat = self.common().take_seat();
        match seat {
            Ok(seat) => self.start_user(seat, first),
            Err(is_first) if is_first => self.worker.tell(Event::LimitMet { lane: self.index }),
            Err(_) => {}
        }
        seat.is_ok()
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

    /// Time that running iterations get when the time of the lane is over.
    pub(super) fn last_grace(&self) -> Duration {
        let plan = self.worker.plan();
        let graces = self.plan.scenarios.iter().map(|&scenario| plan.last_grace_of(scenario));
        graces.max().unwrap_or_default()
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
            self.tell_idle_with(Some(generation));
        }
    }

    fn tell_idle_with(&self, generation: Option<u64>) {
        let (lane, worker) = (self.index, self.part.worker);
        let (taken, claimed) = (self.hand_out.taken_here(), self.worker.claimed());
        self.worker.tell(Event::LaneIdle { lane, worker, generation, taken, claimed });
    }

    /// Tells the run that there will be no user here any more, whatever the schedule.
    pub(crate) fn tell_over(&self) {
        self.tell_idle_with(None);
    }

    /// A pacer of its own for whoever has to look ahead.
    pub(super) fn pacer(&self) -> Option<Pacer> {
        self.rule.open().map(|open| pacer(&self.plan, open, self.worker.plan().seed))
    }

    /// Takes iterations that are due and that nobody has taken, up to and with place `last`, one by one; for each,
    /// a user is started, or it is dropped.
    pub(super) fn take_or_drop(self: &Rc<Self>, last: u64) {
        while let Some(next) = self.hand_out.take_up_to(last) {
            if !self.add_user(Some(next)) {
                self.worker.record_dropped(self.plan.scenarios[0], 1);
            }
        }
    }
}

impl Turns for Lane {
    fn next(&self, begun: u64) -> Turn {
        let drop = || self.worker.record_dropped(self.plan.scenarios[0], 1);
        let turn = self.hand_out.next(begun, &self.schedule.borrow(), Instant::now, drop);
        if turn == Turn::Hold {
            self.look_at_together();
        }
        turn
    }

    fn spend(&self, begun: u64) -> Spent {
        let spent = self.hand_out.spend(begun);
        if spent == Spent::Later {
            self.look_at_together();
        }
        spent
    }

    fn due(&self, place: u64) -> Due {
        self.hand_out.due(place, &self.schedule.borrow(), self.has_ended.get())
    }

    fn generation(&self) -> u64 {
        self.generation.get()
    }

    fn left(&self, id: u64) {
        self.users.borrow_mut().remove(&id);
        if self.hand_out.is_open() {
            self.common().budget().give_back();
        }
        self.user_left.notify_waiters();
    }
}

impl Stage for Lane {
    fn stage(&self) -> Option<Arc<str>> {
        let schedule = self.schedule.borrow();
        schedule.curve.stage(schedule.time(self.now())).and_then(|(_, name)| name)
    }
}
