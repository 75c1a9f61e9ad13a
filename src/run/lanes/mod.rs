//! The lanes of a run in time: which run, which wait, and the schedule each follows.
//!
//! Owns the schedules. All times are since the start of the load. Whoever changes the load of a running test (keys, the page, a shape, a search for the
//! capacity) calls [`Lanes::change`] and sends what it gives to the workers; the driver does that for every
//! `Control` of the run handle. A change makes a schedule that is the old one up to now and something else from
//! then on; workers go over to it where they are. Leaves users and iterations to the workers.
//! Invariant: the past of a schedule never changes, but for stretches that nobody can ask for any more.

mod changes;
mod lane_run;
mod shaped;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::lane_run::{LaneRun, Running, State};
use crate::executor::hand_out::{most_vus, pacer};
use crate::executor::schedule::Schedule;
use crate::executor::{Feed, rule};
use crate::metrics::Phase;
use crate::plan::{Late, Share, TestPlan};
use crate::vu::LaneCount;

/// A schedule that a worker is to follow.
pub(super) type Change = (usize, Arc<Schedule>);

/// See the module's description.
#[derive(Clone)]
pub(super) struct Lanes {
    lanes: Vec<LaneRun>,
    /// Set while the run is paused: since when.
    paused: Option<Duration>,
    /// How long it was paused before that.
    paused_before: Duration,
    /// Nothing starts any more.
    is_ending: bool,
    /// Workers that are gone.
    gone: BTreeSet<usize>,
    /// Nobody is left, and somebody may come: what the gone ones have not ended is not over.
    is_held: bool,
}

/// What the workers need to begin a lane.
pub(super) struct Begin {
    pub(super) lane: usize,
    pub(super) schedule: Arc<Schedule>,
    /// Whether its users follow a rate.
    pub(super) is_open: bool,
}

impl Lanes {
    /// All lanes of a plan; none has begun.
    pub(super) fn new(plan: &TestPlan) -> Lanes {
        let lanes = plan.lanes.iter().enumerate().map(|(index, lane)| {
            let share = |&index: &usize| {
                let scenario = &plan.scenarios[index];
                Share {
                    name: scenario.name.clone(),
                    weight: scenario.weight,
                    fixed_count: scenario.fixed_count,
                }
            };
            let rule = rule(&lane.executor, None);
            LaneRun {
                name: lane.name.clone(),
                is_mix: lane.is_mix,
                scenarios: lane.scenarios.clone(),
                shares: lane.scenarios.iter().map(share).collect(),
                start_time: lane.start_time,
                after: lane.after,
                group: lane.group,
                most_vus: most_vus(plan, index),
                counts: Vec::new(),
                pacer: rule.open().map(|open| pacer(lane, open, plan.seed)),
                rule,
                due: 0,
                is_part_of_shape: lane.is_part_of_shape,
                has_stages: lane.executor.has_stages(),
                is_asked: false,
                time_was_over: false,
                state: State::Waiting,
            }
        });
        Lanes {
            lanes: lanes.collect(),
            paused: None,
            paused_before: Duration::ZERO,
            is_ending: false,
            gone: BTreeSet::new(),
            is_held: false,
        }
    }

    /// The lane that starts next, and when; `None` when none does, or not yet.
    pub(super) fn next_start(&self) -> Option<(usize, Duration)> {
        if self.paused.is_some() || self.is_ending {
            return None;
        }
        let own = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.is_part_of_shape && !lane.is_asked);
        let waiting = own.filter_map(|(index, lane)| match (&lane.state, lane.after) {
            (State::Waiting, None) => Some((index, lane.start_time)),
            (State::Waiting, Some(before)) => match self.lanes[before].state {
                State::Over(at) => Some((index, at + lane.start_time)),
                _ => None,
            },
            _ => None,
        });
        waiting.min_by_key(|&(_, at)| at)
    }

    /// What people call a lane.
    pub(super) fn name(&self, lane: usize) -> &str {
        self.lanes[lane].shown_name()
    }

    /// The script's function that has to be asked before a lane begins, and each second after that.
    pub(super) fn shape(&self, lane: usize) -> Option<&str> {
        match &self.lanes[lane].rule.feed {
            Feed::Asked { function, .. } => Some(function),
            _ => None,
        }
    }

    /// Begins a lane; `None` when the time of the run is over before. A shape begins without load, as `is_open`
    /// says; others know it themselves.
    pub(super) fn begin(
        &mut self,
        lane: usize,
        at: Duration,
        plan: &TestPlan,
        workers: usize,
        is_open: bool,
    ) -> Option<Begin> {
        let run_time = plan.run_time.map(|time| time.saturating_sub(at).as_secs_f64());
        let run = &mut self.lanes[lane];
        if run_time.is_some_and(|left| left <= 0.0) {
            run.state = State::Over(at);
            return None;
        }
        let is_open = is_open || run.rule.is_open();
        let mix: Arc<[usize]> = if run.is_mix { plan.mix.as_slice().into() } else { Arc::default() };
        let curve = rule(&plan.lanes[lane].executor, run_time).curve;
        let schedule = Arc::new(Schedule { start: at, curve, is_paused: false, mix, generation: 0 });
        run.state = State::Running(Running {
            schedule: schedule.clone(),
            is_open,
            idle: vec![false; workers],
            rest: None,
            stopped: None,
        });
        Some(Begin { lane, schedule, is_open })
    }

    /// A worker has no user of a lane any more; true when that was the end of the lane.
    pub(super) fn idle(
        &mut self,
        lane: usize,
        worker: usize,
        generation: Option<u64>,
        now: Duration,
    ) -> bool {
        let run = &mut self.lanes[lane];
        let State::Running(running) = &mut run.state else { return false };
        if generation.is_some_and(|generation| generation != running.schedule.generation) {
            return false;
        }
        running.idle[worker] = true;
        let gone = &self.gone;
        let is_left = |worker: usize| !self.is_held && gone.contains(&worker);
        let is_over = running.idle.iter().enumerate().all(|(worker, &idle)| idle || is_left(worker));
        if is_over {
            run.look_at_due(now);
            if let State::Running(running) = &run.state {
                run.time_was_over =
                    running.stopped.is_none() && running.schedule.end().is_some_and(|end| end <= now);
            }
            run.state = State::Over(now);
        }
        is_over
    }

    /// No lane starts any more, and no iteration is due from now on.
    pub(super) fn end(&mut self, now: Duration) {
        self.is_ending = true;
        for lane in &mut self.lanes {
            match &mut lane.state {
                State::Waiting => lane.state = State::Over(now),
                State::Running(running) => {
                    running.stopped.get_or_insert(now);
                }
                State::Over(_) => {}
            }
        }
    }

    /// Whether every lane is over.
    pub(super) fn are_over(&self) -> bool {
        self.lanes.iter().all(|lane| matches!(lane.state, State::Over(_)))
    }

    /// Whether a lane has come to the end of its own time. Executors with a number of iterations end by these.
    pub(super) fn some_time_was_over(&self) -> bool {
        self.lanes.iter().any(|lane| lane.time_was_over && lane.rule.total.is_none())
    }

    /// Whether an executor counts iterations.
    pub(super) fn some_count_iterations(&self) -> bool {
        self.lanes.iter().any(|lane| lane.rule.total.is_some())
    }

    /// Lanes that have not begun never will.
    pub(super) fn give_up_waiting(&mut self, now: Duration) {
        for lane in &mut self.lanes {
            if matches!(lane.state, State::Waiting) {
                lane.state = State::Over(now);
            }
        }
    }

    /// A worker is gone: it has no users any more.
    pub(super) fn worker_gone(&mut self, worker: usize, now: Duration) {
        self.gone.insert(worker);
        for lane in 0..self.lanes.len() {
            if let Some(count) = self.lanes[lane].counts.get_mut(worker) {
                count.users = 0;
            }
            if !self.is_held {
                self.idle(lane, worker, None, now);
            }
        }
    }

    /// Whether lanes wait for workers that may come, when all are gone.
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Whether something is still to be begun, as things are.
    pub(super) fn have_load_left(&self, now: Duration) -> bool {
        self.load_ends().is_none_or(|end| end > now)
    }

    /// When nothing is to be begun any more, as things are; `None` while that is not known.
    pub(super) fn load_ends(&self) -> Option<Duration> {
        if self.is_ending {
            return Some(Duration::ZERO);
        }
        let end = |lane: &LaneRun| match &lane.state {
            State::Waiting => None,
            State::Running(running) if running.stopped.is_none() => running.schedule.end(),
            State::Running(_) | State::Over(_) => Some(Duration::ZERO),
        };
        self.lanes.iter().try_fold(Duration::ZERO, |last, lane| Some(last.max(end(lane)?)))
    }

    /// Nobody is left, and nobody comes: all lanes are over.
    pub(super) fn give_up_all(&mut self, now: Duration) {
        self.end(now);
        for lane in &mut self.lanes {
            if matches!(lane.state, State::Running(_)) {
                lane.look_at_due(now);
                lane.state = State::Over(now);
            }
        }
    }

    /// A lane of a run that is resumed follows this schedule already.
    pub(super) fn take_over(&mut self, lane: usize, schedule: Arc<Schedule>) {
        if let Some(LaneRun { state: State::Running(running), .. }) = self.lanes.get_mut(lane) {
            running.schedule = schedule;
        }
    }

    /// A worker that was lost is there again.
    pub(super) fn worker_back(&mut self, worker: usize) {
        self.gone.remove(&worker);
        for lane in &mut self.lanes {
            if let State::Running(running) = &mut lane.state {
                running.idle[worker] = false;
            }
        }
    }

    /// A worker has joined: it may have users of each lane.
    pub(super) fn join(&mut self, worker: usize) {
        for lane in &mut self.lanes {
            if let State::Running(running) = &mut lane.state {
                running.idle.resize(worker + 1, false);
            }
        }
    }

    /// Iterations that the users of a lane have together, and how many users these are.
    pub(super) fn together(&self, lane: usize) -> Option<(u64, u64)> {
        let rule = &self.lanes[lane].rule;
        match rule.feed {
            Feed::Together(iterations) => Some((iterations, rule.curve.peak() as u64)),
            _ => None,
        }
    }

    /// By lane, the most users that there are to be, and whether they have iterations of their own; nothing where users come as
    /// a rate needs them.
    pub(super) fn planned_users(&self) -> Vec<(usize, u64, bool)> {
        let users = self.lanes.iter().enumerate().map(|(index, lane)| {
            let (curve, is_open) = match &lane.state {
                State::Running(running) => (&running.schedule.curve, running.is_open),
                State::Waiting | State::Over(_) => (&lane.rule.curve, lane.rule.open().is_some()),
            };
            let has_own = matches!(lane.rule.feed, Feed::Each(_));
            (!is_open).then_some((index, curve.peak() as u64, has_own))
        });
        users.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// Whether a worker has users of a lane, or of any, or may get some as things are.
    pub(super) fn may_have_users(&self, lane: Option<usize>, worker: usize) -> bool {
        let has_some = |(_, running): &(usize, &Running)| !running.idle.get(worker).copied().unwrap_or(false);
        self.running().filter(|(index, _)| lane.is_none_or(|lane| lane == *index)).any(|one| has_some(&one))
    }

    /// Users of a lane, or of all, on a worker, as it last said.
    pub(super) fn users_of(&self, lane: Option<usize>, worker: usize) -> u64 {
        let lanes = self.lanes.iter().enumerate().filter(|(index, _)| lane.is_none_or(|lane| lane == *index));
        lanes.filter_map(|(_, run)| run.counts.get(worker)).map(|count| count.users).sum()
    }

    /// The lanes whose users had a number of iterations together and left before its end: which, those not taken, and all.
    pub(super) fn never_begun(&self) -> Vec<(usize, u64, u64)> {
        let of = |(index, lane): (usize, &LaneRun)| match (&lane.state, lane.rule.feed.clone()) {
            // One that never began has told of nothing.
            (State::Over(_), Feed::Together(total)) if !lane.time_was_over && !lane.counts.is_empty() => {
                Some((index, total.saturating_sub(lane.taken()), total))
            }
            _ => None,
        };
        self.lanes.iter().enumerate().filter_map(of).collect()
    }

    /// How many iterations of a lane with a rate are due before a time.
    pub(super) fn due_before(&mut self, lane: usize, at: Duration) -> u64 {
        let LaneRun { state, pacer, .. } = &mut self.lanes[lane];
        match (state, pacer) {
            (State::Running(Running { schedule, is_open: true, .. }), Some(pacer)) => {
                pacer.due(schedule.curve.area(schedule.time(at)))
            }
            _ => 0,
        }
    }

    /// A worker does not answer: it is not waited for where its users should have ended by now, or, `at_once`, anywhere.
    /// True when something waited for it.
    pub(super) fn give_up(&mut self, worker: usize, at_once: bool, plan: &TestPlan, now: Duration) -> bool {
        let mut was_waited_for = false;
        for lane in 0..self.lanes.len() {
            let run = &self.lanes[lane];
            let State::Running(running) = &run.state else { continue };
            let ends = [running.stopped, running.schedule.end()].into_iter().flatten().min();
            let timeouts = run
                .scenarios
                .iter()
                .map(|&scenario| plan.stop_timeout_of(scenario).max(plan.last_grace_of(scenario)));
            let timeout = timeouts.max().unwrap_or_default();
            let is_overdue = at_once || ends.is_some_and(|ends| ends.saturating_add(timeout) <= now);
            if is_overdue && !running.idle[worker] {
                was_waited_for = true;
                self.idle(lane, worker, None, now);
            }
        }
        was_waited_for
    }

    /// The script's function says from now on what a lane does: it is not begun as others are.
    pub(super) fn ask(&mut self, lane: usize) {
        self.lanes[lane].is_asked = true;
    }

    /// What the load does, and the stage that it is in: of several lanes, ramp-up if one of them ramps up, and the
    /// stage of the first one that has a name for it.
    pub(super) fn phase(&self, now: Duration) -> (Phase, Option<Arc<str>>) {
        if self.is_ending {
            return (Phase::RampDown, None);
        }
        if self.paused.is_some() {
            return (Phase::Paused, None);
        }
        let mut phases = Vec::new();
        let mut stage = None;
        let mut some_wait = false;
        for lane in &self.lanes {
            match &lane.state {
                State::Waiting => some_wait = true,
                State::Over(_) => {}
                State::Running(running) => {
                    let schedule = &running.schedule;
                    let (phase, name) =
                        schedule.curve.stage(schedule.time(now)).unwrap_or((Phase::RampDown, None));
                    phases.push(phase);
                    stage = stage.or(name);
                }
            }
        }
        let is = |wanted: Phase| phases.contains(&wanted);
        let phase = if is(Phase::RampUp) {
            Phase::RampUp
        } else if is(Phase::Steady) {
            Phase::Steady
        } else if some_wait {
            // Between two lanes there is no load, and more to come.
            Phase::RampUp
        } else {
            Phase::RampDown
        };
        (phase, stage)
    }

    /// How long the load has been paused so far.
    pub(super) fn paused_time(&self, now: Duration) -> Duration {
        self.paused_before + self.paused.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// The next instant at which [`Lanes::phase`] may be another one.
    pub(super) fn next_border(&self, now: Duration) -> Option<Duration> {
        let borders = self.running().filter_map(|(_, running)| {
            let schedule = &running.schedule;
            schedule.curve.border(schedule.time(now)).map(|border| schedule.moment(border))
        });
        borders.filter(|&border| border > now).min()
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Running)> {
        self.lanes.iter().enumerate().filter_map(|(index, lane)| match &lane.state {
            State::Running(running) => Some((index, running)),
            _ => None,
        })
    }

    /// Users that there should be now; of an open model those that there are.
    pub(super) fn users_target(&self, now: Duration) -> u64 {
        if self.is_ending {
            return 0;
        }
        let mut target = 0;
        for (index, running) in self.running() {
            if running.is_open {
                target += self.lanes[index].counts.iter().map(|count| count.users).sum::<u64>();
            } else {
                target += running.schedule.curve.users(running.schedule.time(now));
            }
        }
        target
    }

    /// A worker has said how many users and iterations there are of its lanes.
    pub(super) fn count(&mut self, worker: usize, counts: &[LaneCount]) {
        for &count in counts {
            let Some(run) = self.lanes.get_mut(count.lane) else { continue };
            if run.counts.len() <= worker {
                run.counts.resize(worker + 1, LaneCount::default());
            }
            // What is still told of one that is gone is what it did before.
            let users = if self.gone.contains(&worker) { 0 } else { count.users };
            run.counts[worker] = LaneCount { users, ..count };
        }
    }

    /// By index of a scenario, how many of its iterations were due so far, where that is known.
    pub(super) fn planned(&mut self, now: Duration) -> Vec<(usize, u64)> {
        for lane in &mut self.lanes {
            lane.look_at_due(now);
        }
        let known = self.lanes.iter().filter(|lane| lane.knows_due());
        known.map(|lane| (lane.scenarios[0], lane.due)).collect()
    }

    /// Whether the iterations of a scenario are due at a time each.
    pub(super) fn has_rate(&self, scenario: usize) -> bool {
        let mut of_scenario = self.lanes.iter().filter(|lane| lane.scenarios[0] == scenario);
        of_scenario.any(|lane| lane.rule.open().is_some())
    }

    /// Of an open lane: its name, most users, the rate now, and iterations that are due and wait for a user.
    pub(super) fn open_load(&mut self, lane: usize, now: Duration) -> Option<OpenLoad> {
        let run = &mut self.lanes[lane];
        run.look_at_due(now);
        let late = run.rule.open()?.late;
        let State::Running(running) = &run.state else { return None };
        let schedule = &running.schedule;
        Some(OpenLoad {
            scenario: run.scenarios[0],
            most_vus: run.most_vus,
            rate: schedule.curve.at(schedule.time(now)),
            backlog: run.due.saturating_sub(run.taken()),
            late,
        })
    }

    /// The lanes that run now and have a rate.
    pub(super) fn open_lanes(&self) -> Vec<usize> {
        self.running().filter(|(_, running)| running.is_open).map(|(index, _)| index).collect()
    }

    /// The lanes that run the iterations when the shape of the mix gives a rate.
    pub(super) fn parts_of_shape(&self, lane: usize) -> Vec<usize> {
        if !self.lanes[lane].is_mix {
            return Vec::new();
        }
        (0..self.lanes.len()).filter(|&index| self.lanes[index].is_part_of_shape).collect()
    }

    /// A lane that is not needed.
    pub(super) fn skip(&mut self, lane: usize, now: Duration) {
        self.lanes[lane].state = State::Over(now);
    }
}

/// What an open lane is asked to do at a moment.
pub(super) struct OpenLoad {
    pub(super) scenario: usize,
    pub(super) most_vus: u64,
    pub(super) rate: f64,
    pub(super) backlog: u64,
    pub(super) late: Late,
}
