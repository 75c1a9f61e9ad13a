//! Who gets which iteration of a lane.
//!
//! An open lane's queue is one number, shared by all threads: the next iteration that nobody has taken. A user that is
//! free takes it, whether it is due already or not yet, and waits for its time; so whoever is free first, on whatever
//! thread, runs what is due first, and nothing is sent. Reads no clock.
//! Where several processes make the load, each has a queue of its own: its place *k* is the *k*-th of the iterations that
//! are for this process, see `share`. A deal changes which iterations the places stand for that are not due yet, so what
//! users hold while they wait is the place.
//! Invariant: an iteration is taken once.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::pacer::Pacer;
use super::rule::{Feed, Rule};
use super::schedule::Schedule;
use super::share::Numbers;
use crate::plan::{LanePlan, Late, Open, TestPlan};
use crate::share::Share;
use crate::vu::{Due, Spent, Turn};

/// How late an iteration may be begun where late ones are dropped: about what timers and a busy thread cost.
const PUNCTUAL: Duration = Duration::from_millis(10);

/// Users of several lanes together, in this process.
#[derive(Debug)]
pub(crate) struct Budget {
    alive: AtomicU64,
    most: AtomicU64,
}

impl Budget {
    pub(crate) fn new(most: u64) -> Budget {
        Budget { alive: AtomicU64::new(0), most: AtomicU64::new(most) }
    }

    /// Changes how many there may be. All threads say the same after the same deal.
    fn limit(&self, most: u64) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        let more = |alive| (alive < self.most.load(Ordering::Relaxed)).then_some(alive + 1);
        self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn give_back(&self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the workers of a lane have in common that are in this process.
#[derive(Debug)]
pub(crate) struct LaneCommon {
    /// Iterations that have been taken.
    taken: AtomicU64,
    /// Users that have ever been started, of an open lane: the next one's place in its numbers.
    seats: AtomicU64,
    share: Share,
    budget: Arc<Budget>,
    /// More users than there may be were needed.
    limit_met: AtomicBool,
}

impl LaneCommon {
    pub(crate) fn new(budget: Arc<Budget>, share: Share) -> LaneCommon {
        LaneCommon {
            share,
            taken: AtomicU64::new(0),
            seats: AtomicU64::new(0),
            budget,
            limit_met: AtomicBool::new(false),
        }
    }

    /// Iterations that have been taken, whether begun or not.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The limit of users.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A place for one more user; if there may be none, whether that is so for the first time.
    pub(super) fn take_seat(&self) -> Result<u64, bool> {
        if self.budget.take() {
            Ok(self.share.seat(self.seats.fetch_add(1, Ordering::Relaxed)))
        } else {
            Err(!self.limit_met.swap(true, Ordering::Relaxed))
        }
    }
}

/// Most users that there may be of a lane and those of its group, in all processes.
pub(crate) fn most_vus(plan: &TestPlan, lane: usize) -> u64 {
    let group = plan.lanes[lane].group;
    let first = plan.lanes.iter().find(|lane| lane.group == group).unwrap_or(&plan.lanes[lane]);
    first.executor.most_vus()
}

/// What the workers of each lane have in common, by index of the lane, in a process that takes this share.
pub(crate) fn lanes_in_common(plan: &TestPlan, share: &Share) -> Vec<Arc<LaneCommon>> {
    let mut budgets: Vec<(usize, Arc<Budget>)> = Vec::new();
    let lanes = plan.lanes.iter().map(|lane| {
        let known = budgets.iter().find(|(group, _)| *group == lane.group);
        let budget = known.map(|(_, budget)| budget.clone()).unwrap_or_else(|| {
            let budget = Arc::new(Budget::new(share.most_of(lane.executor.most_vus())));
            budgets.push((lane.group, budget.clone()));
            budget
        });
        Arc::new(LaneCommon::new(budget, share.turned(lane.first_turn())))
    });
    lanes.collect()
}

/// See the module's description.
pub(super) struct HandOut {
    common: Arc<LaneCommon>,
    feed: Feed,
    /// Which iterations of a rate are for this process.
    numbers: RefCell<Numbers>,
    /// Of iterations that all users have together, those that are for this process; changed by allowances, of which this is
    /// the number of the last.
    together: Cell<u64>,
    allowed: Cell<u64>,
    /// Users have asked for more than that; whether this has been said.
    is_dry: Cell<bool>,
    has_said_dry: Cell<bool>,
    /// None of those that all users have together is left in any process.
    is_over: Cell<bool>,
    /// Iterations that were taken on this thread.
    taken_here: Cell<u64>,
    /// Of a lane with a rate, when its iterations are due, and what becomes of those that nobody is free for.
    rate: Option<(RefCell<Pacer>, Late)>,
    /// The start of the load.
    start: Instant,
}

impl HandOut {
    pub(super) fn new(
        common: Arc<LaneCommon>,
        rule: &Rule,
        pacer: Option<Pacer>,
        is_open: bool,
        start: Instant,
    ) -> HandOut {
        let rate = rule.open().zip(pacer).filter(|_| is_open);
        let rate = rate.map(|(open, pacer)| (RefCell::new(pacer), open.late));
        let numbers = RefCell::new(Numbers::new(common.share.clone()));
        let together = match rule.feed {
            Feed::Together(iterations) => common.share.by_users(iterations, rule.curve.peak() as u64),
            _ => 0,
        };
        HandOut {
            feed: rule.feed.clone(),
            numbers,
            together: Cell::new(together),
            allowed: Cell::new(0),
            is_dry: Cell::new(false),
            has_said_dry: Cell::new(false),
            is_over: Cell::new(false),
            taken_here: Cell::new(0),
            rate,
            start,
            common,
        }
    }

    /// From number `first` on this process takes another share, and has users at most of `most_vus` in all.
    pub(super) fn deal(&self, first: u64, share: Share, most_vus: u64) {
        self.common.budget.limit(share.most_of(most_vus));
        self.numbers.borrow_mut().deal(first, share);
    }

    /// Of iterations that all users have together, this process may take so many in all.
    pub(super) fn allow(&self, number: u64, iterations: u64) {
        self.allowed.set(number);
        self.together.set(iterations);
        self.is_dry.set(false);
        self.has_said_dry.set(false);
    }

    /// No process has any of them left.
    pub(super) fn is_over(&self) {
        self.is_over.set(true);
    }

    /// Says once that users of this process have asked for more of them than there are: as of these allowances.
    pub(super) fn has_run_dry(&self) -> Option<u64> {
        (self.is_dry.get() && !self.has_said_dry.replace(true)).then(|| self.allowed.get())
    }

    /// Iterations that were taken on this thread, whether begun or not.
    pub(super) fn taken_here(&self) -> u64 {
        self.taken_here.get()
    }

    pub(super) fn common(&self) -> &LaneCommon {
        &self.common
    }

    /// Whether iterations are handed out at a rate.
    pub(super) fn is_open(&self) -> bool {
        self.rate.is_some()
    }

    /// The next iteration of a user that has begun so many. `drop` is called for each that is too late to be begun, and
    /// `now` is asked only where that matters.
    pub(super) fn next(
        &self,
        begun: u64,
        schedule: &Schedule,
        now: impl Fn() -> Instant,
        drop: impl Fn(),
    ) -> Turn {
        if let Some((_, late)) = &self.rate {
            return Turn::Place(match late {
                Late::Queue => self.take(),
                Late::Drop => self.take_punctual(schedule, now, drop),
            });
        }
        if schedule.is_paused {
            return Turn::Hold;
        }
        match self.feed {
            Feed::Each(iterations) if begun >= iterations => Turn::Over,
            Feed::Together(_) => match self.take_of_all() {
                Spent::Nothing => Turn::Over,
                Spent::Later => Turn::Hold,
                Spent::Unlimited | Spent::More | Spent::Last => Turn::Free,
            },
            _ => Turn::Free,
        }
    }

    /// Uses up an iteration of a user that has begun, or used up, so many.
    pub(super) fn spend(&self, begun: u64) -> Spent {
        match self.feed {
            Feed::Each(iterations) => Spent::of(iterations.saturating_sub(begun)),
            Feed::Together(_) => self.take_of_all(),
            // A rate gives its iterations to whoever is free; a user that cannot begin has taken none.
            Feed::Free | Feed::Due(_) | Feed::Asked { .. } => Spent::Unlimited,
        }
    }

    /// When a place is due; `has_ended` when the schedule is at its end.
    pub(super) fn due(&self, place: u64, schedule: &Schedule, has_ended: bool) -> Due {
        let position =
            self.rate.as_ref().and_then(|(pacer, _)| self.position(place, &mut pacer.borrow_mut()));
        match position.and_then(|position| Pacer::time(position, &schedule.curve)) {
            // What was due before a pause and could not be begun waits for its end too.
            Some(_) if schedule.is_paused => Due::Later,
            Some(time) => Due::At(self.start + schedule.moment(time)),
            None if has_ended => Due::Never,
            None => Due::Later,
        }
    }

    /// Where the iteration in a place of the queue is on the area under the rate; `None` when there is none.
    pub(super) fn position(&self, place: u64, pacer: &mut Pacer) -> Option<f64> {
        self.numbers.borrow().number(place).map(|number| pacer.position(number))
    }

    /// Takes the next place, if it is not after `last`.
    pub(super) fn take_up_to(&self, last: u64) -> Option<u64> {
        self.take_if(|next| next <= last)
    }

    fn take(&self) -> u64 {
        self.taken_here.set(self.taken_here.get() + 1);
        self.common.taken.fetch_add(1, Ordering::Relaxed)
    }

    fn take_if(&self, may: impl Fn(u64) -> bool) -> Option<u64> {
        let more = |taken| may(taken).then_some(taken + 1);
        let taken = self.common.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.taken_here.set(self.taken_here.get() + 1);
        Some(taken)
    }

    /// Takes one of the iterations that all users of the lane have together.
    fn take_of_all(&self) -> Spent {
        let iterations = self.together.get();
        match self.take_if(|taken| taken < iterations) {
            Some(taken) if self.common.share.is_alone() => Spent::of(iterations - taken),
            // What is the last one here may not be the last of all.
            Some(_) => Spent::More,
            None if self.common.share.is_alone() || self.is_over.get() => Spent::Nothing,
            None => {
                self.is_dry.set(true);
                Spent::Later
            }
        }
    }

    /// Takes the next iteration; those that are too late to be begun are dropped on the way.
    fn take_punctual(&self, schedule: &Schedule, now: impl Fn() -> Instant, drop: impl Fn()) -> u64 {
        loop {
            let place = self.take();
            // One without a time is due later: whoever took it waits for that.
            match self.due(place, schedule, false) {
                Due::At(due) if due + PUNCTUAL < now() => drop(),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::executor::curve::{Curve, Stretch};
    use crate::executor::rule;
    use crate::plan::{Arrivals, Executor};
    use crate::share::Process;

    /// The schedule that begins with the load.
    fn from_the_start(rule: &Rule) -> Schedule {
        let (start, curve, mix) = (Duration::ZERO, rule.curve.clone(), Arc::default());
        Schedule { start, curve, is_paused: false, mix, generation: 0 }
    }

    /// The hand-out of an executor alone, and its schedule from the start of the load on.
    fn hand_out(executor: &Executor, start: Instant) -> (HandOut, Schedule) {
        let rule = rule(executor, None);
        let pacer = rule.open().map(|open| Pacer::new(open.arrivals, 1, None));
        let common = Arc::new(LaneCommon::new(Arc::new(Budget::new(executor.most_vus())), Share::default()));
        let schedule = from_the_start(&rule);
        (HandOut::new(common, &rule, pacer, rule.is_open(), start), schedule)
    }

    fn rate(late: Late) -> Executor {
        let open = Open { late, ..Open::default() };
        Executor::ConstantArrivalRate { rate: 10.0, duration: Some(Duration::from_secs(1)), open }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_user_has_its_own_number_of_iterations() {
        let start = Instant::now();
        let each = Executor::PerVuIterations { vus: 2, iterations: 3, max_duration: ms(1000) };
        let (hand_out, schedule) = hand_out(&each, start);
        let next = |begun| hand_out.next(begun, &schedule, || start, || ());
        assert_eq!([0, 2, 3].map(next), [Turn::Free, Turn::Free, Turn::Over]);
        let spent = [0, 1, 2, 3].map(|begun| hand_out.spend(begun));
        assert_eq!(spent, [Spent::More, Spent::More, Spent::Last, Spent::Nothing]);
    }

    #[test]
    fn iterations_of_all_are_taken_once() {
        let start = Instant::now();
        let shared = Executor::SharedIterations { vus: 2, iterations: 3, max_duration: ms(1000) };
        let (hand_out, schedule) = hand_out(&shared, start);
        let next = || hand_out.next(0, &schedule, || start, || ());
        assert_eq!([next(), next()], [Turn::Free, Turn::Free]);
        assert_eq!(hand_out.spend(0), Spent::Last);
        assert_eq!(next(), Turn::Over);
        assert_eq!(hand_out.common().taken(), 3);
    }

    #[test]
    fn whoever_is_free_takes_what_is_due_next_however_late_it_is() {
        let start = Instant::now();
        let (hand_out, schedule) = hand_out(&rate(Late::Queue), start);
        let next = || hand_out.next(0, &schedule, || start + ms(900), || panic!("dropped"));
        assert_eq!([next(), next()], [Turn::Place(0), Turn::Place(1)]);
        assert_eq!(hand_out.due(1, &schedule, false), Due::At(start + ms(100)));
        assert_eq!(hand_out.due(10, &schedule, false), Due::Later, "the window is half open");
        assert_eq!(hand_out.due(10, &schedule, true), Due::Never);
    }

    #[test]
    fn what_is_late_is_dropped_where_that_is_asked_for() {
        let start = Instant::now();
        let (hand_out, schedule) = hand_out(&rate(Late::Drop), start);
        let dropped = Cell::new(0);
        let at =
            |now: u64| hand_out.next(0, &schedule, || start + ms(now), || dropped.set(dropped.get() + 1));
        assert_eq!((at(9), dropped.get()), (Turn::Place(0), 0), "a timer may be so late");
        assert_eq!((at(350), dropped.get()), (Turn::Place(4), 3), "those of 100, 200 and 300 ms");
        assert_eq!((at(5000), dropped.get()), (Turn::Place(10), 8), "after the end none is due");
    }

    #[test]
    fn a_pause_holds_back_what_was_due_before_it() {
        let start = Instant::now();
        let (hand_out, mut schedule) = hand_out(&rate(Late::Queue), start);
        schedule.is_paused = true;
        assert_eq!(hand_out.due(1, &schedule, false), Due::Later);
        schedule.is_paused = false;
        // It goes on a second later.
        schedule.curve =
            schedule.curve.until(0.1).then([Stretch::flat(0.0, 1.0)]).then(schedule.curve.rest(0.1));
        assert_eq!(hand_out.due(1, &schedule, false), Due::At(start + ms(1100)));
        assert_eq!(hand_out.due(0, &schedule, false), Due::At(start));
    }

    #[test]
    fn users_of_a_closed_model_are_held_while_it_is_paused() {
        let start = Instant::now();
        let (hand_out, mut schedule) = hand_out(&Executor::ConstantVus { vus: 1, duration: None }, start);
        schedule.is_paused = true;
        assert_eq!(hand_out.next(7, &schedule, || start, || ()), Turn::Hold);
        schedule.is_paused = false;
        assert_eq!(hand_out.next(7, &schedule, || start, || ()), Turn::Free);
        assert_eq!(hand_out.spend(7), Spent::Unlimited);
    }

    #[test]
    fn one_limit_of_users_is_kept_by_all() {
        let budget = Budget::new(2);
        assert!(budget.take() && budget.take() && !budget.take());
        budget.give_back();
        assert!(budget.take());
        assert!(!budget.take());
        budget.limit(3);
        assert!(budget.take() && !budget.take(), "a deal changes it");
    }

    /// What each of some processes does of a rate: the instants of its iterations, when one of them, whose users wait for
    /// so many each, is lost at a time of the load, and the others are told in time.
    fn instants_after_a_loss(arrivals: Arrivals, waiting: u64, lost_at: f64) -> Vec<f64> {
        let start = Instant::now();
        let all = Process::row(&[2, 1, 2]);
        let shares = all.iter().map(|&process| Share::new(process, &all));
        let open = Open { arrivals, ..Open::default() };
        let executor = Executor::ConstantArrivalRate { rate: 999.0, duration: Some(ms(10_000)), open };
        let rule = rule(&executor, None);
        let schedule = from_the_start(&rule);
        let pacer = || Pacer::new(arrivals, 7, None);
        let from = lost_at + 1.0;
        let first = pacer().due(schedule.curve.area(from));
        let mut instants = Vec::new();
        for (process, share) in shares.enumerate() {
            let common = Arc::new(LaneCommon::new(Arc::new(Budget::new(100)), share.clone()));
            let hand_out = HandOut::new(common, &rule, Some(pacer()), true, start);
            let due = |place: u64| match hand_out.due(place, &schedule, true) {
                Due::At(due) => Some((due - start).as_secs_f64()),
                _ => None,
            };
            let next = || match hand_out.next(0, &schedule, || start, || ()) {
                Turn::Place(place) => place,
                turn => panic!("{turn:?}"),
            };
            let mut held: Vec<u64> = Vec::new();
            // Each begins what is due, and holds more that is not, until it knows of the loss.
            while held.last().is_none_or(|&place| due(place).is_some_and(|due| due < lost_at)) {
                held.push(next());
            }
            held.extend((0..waiting).map(|_| next()));
            let is_lost = process == 1;
            if !is_lost {
                hand_out.deal(first, share.among(&[all[0], all[2]]), 100);
            }
            let rest = std::iter::repeat_with(next).take_while(|&place| due(place).is_some());
            let all: Vec<u64> = held.iter().copied().chain(rest).collect();
            let until = if is_lost { from } else { f64::INFINITY };
            instants.extend(all.into_iter().filter_map(due).filter(|&due| due < until));
        }
        instants.sort_by(f64::total_cmp);
        instants
    }

    #[test]
    fn what_is_due_after_a_loss_is_taken_once_by_those_that_are_left() {
        for (arrivals, waiting) in
            [(Arrivals::Uniform, 0), (Arrivals::Uniform, 500), (Arrivals::Poisson, 700)]
        {
            let pacer = &mut Pacer::new(arrivals, 7, None);
            let curve = Curve::new([Stretch::flat(999.0, 10.0)]);
            let expected: Vec<f64> = (0..).map_while(|i| Pacer::time(pacer.position(i), &curve)).collect();
            let instants = instants_after_a_loss(arrivals, waiting, 3.3);
            assert_eq!(instants.len(), expected.len(), "{arrivals:?}");
            let same =
                instants.iter().zip(&expected).all(|(instant, expected)| (instant - expected).abs() < 1e-6);
            assert!(same, "{arrivals:?}: the same instants as those of one process");
            assert!(arrivals == Arrivals::Poisson || instants.len() == 9_990);
        }
    }

    #[test]
    fn processes_run_a_number_of_iterations_together_and_wait_for_what_others_leave() {
        let start = Instant::now();
        let executor = Executor::SharedIterations { vus: 3, iterations: 1_000, max_duration: ms(1000) };
        let rule = rule(&executor, None);
        let (_, schedule) = hand_out(&executor, start);
        let row = Process::row(&[1, 1, 1]);
        let of = |place: usize| {
            let common = LaneCommon::new(Arc::new(Budget::new(4)), Share::new(row[place], &row));
            HandOut::new(Arc::new(common), &rule, None, false, start)
        };
        let run = |hand_out: &HandOut, most: usize| {
            let next = || hand_out.next(0, &schedule, || start, || ()) == Turn::Free;
            (0..most).take_while(|_| next()).count()
        };
        let all = [0, 1, 2].map(of);
        assert_eq!((run(&all[0], 10_000), run(&all[1], 100)), (334, 100));
        let next = |hand_out: &HandOut| hand_out.next(0, &schedule, || start, || ());
        assert_eq!((next(&all[0]), all[0].spend(0)), (Turn::Hold, Spent::Later));
        assert_eq!((all[0].has_run_dry(), all[0].has_run_dry(), all[1].has_run_dry()), (Some(0), None, None));
        // The second has left 233 of its 333.
        for (process, allowed) in [(0, 334 + 117), (1, 100), (2, 333 + 116)] {
            all[process].allow(1, allowed);
        }
        assert_eq!((run(&all[0], 10_000), run(&all[1], 1), run(&all[2], 10_000)), (117, 0, 333 + 116));
        assert_eq!(all[0].has_run_dry(), Some(1));
        all[0].is_over();
        assert_eq!((next(&all[0]), all[0].spend(0)), (Turn::Over, Spent::Nothing));
        assert_eq!(all.iter().map(|hand_out| hand_out.taken_here()).sum::<u64>(), 1_000);
    }

    #[test]
    fn the_time_of_the_curve_counts_from_the_start_of_the_lane() {
        let curve = Curve::new([Stretch::flat(10.0, 1.0)]);
        let schedule =
            Schedule { start: ms(500), curve, is_paused: false, mix: Arc::default(), generation: 0 };
        assert_eq!((schedule.time(ms(200)), schedule.time(ms(750))), (0.0, 0.25));
        assert_eq!(schedule.end(), Some(ms(1500)));
    }
}
