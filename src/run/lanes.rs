//! The lanes of a run in time: which run, which wait, and the schedule each follows.
//!
//! Owns the schedules. Whoever changes the load of a running test (keys, the page, a shape, a search for the
//! capacity) calls [`Lanes::change`] and sends what it gives to the workers; the driver does that for every
//! `Control` of the run handle. A change makes a schedule that is the old one up to now and something else from
//! then on; workers go over to it where they are. Leaves users and iterations to the workers.
//! Invariant: the past of a schedule never changes, but for stretches that nobody can ask for any more.

use std::sync::Arc;

use tokio::time::Instant;

use super::control::Control;
use super::lane_run::{
    LaneRun, Running, State, counts_iterations, curve, mix_for, own_spawn_rate, users_from,
};
use crate::executor::curve::{Curve, Stretch};
use crate::executor::lane::{Budget, LaneCommon, pacer};
use crate::executor::schedule::Schedule;
use crate::metrics::Phase;
use crate::plan::{Executor, Late, MIX, Share, TestPlan};

/// A schedule that a worker is to follow.
pub(super) type Change = (usize, Arc<Schedule>);

/// See the module's description.
pub(super) struct Lanes {
    lanes: Vec<LaneRun>,
    start: Instant,
    /// Set while the run is paused: since when.
    paused: Option<Instant>,
    /// Nothing starts any more.
    is_ending: bool,
}

/// What the workers need to begin a lane.
#[derive(Clone)]
pub(super) struct Begin {
    pub(super) lane: usize,
    pub(super) schedule: Arc<Schedule>,
    pub(super) common: Arc<LaneCommon>,
    pub(super) is_open: bool,
}

impl Lanes {
    pub(super) fn new(plan: &TestPlan, start: Instant) -> Lanes {
        let mut budgets: Vec<(usize, Arc<Budget>)> = Vec::new();
        let lanes = plan.lanes.iter().map(|lane| {
            let known =
                budgets.iter().find(|(group, _)| *group == lane.group).map(|(_, budget)| budget.clone());
            let budget = known.unwrap_or_else(|| {
                let budget = Arc::new(Budget::new(lane.executor.most_vus()));
                budgets.push((lane.group, budget.clone()));
                budget
            });
            let share = |&index: &usize| {
                let scenario = &plan.scenarios[index];
                Share {
                    name: scenario.name.clone(),
                    weight: scenario.weight,
                    fixed_count: scenario.fixed_count,
                }
            };
            LaneRun {
                name: lane.name.clone(),
                executor: lane.executor.clone(),
                scenarios: lane.scenarios.clone(),
                shares: lane.scenarios.iter().map(share).collect(),
                start_time: lane.start_time,
                after: lane.after,
                common: Arc::new(LaneCommon::new(budget)),
                pacer: lane.executor.open().map(|open| pacer(lane, open, plan.seed)),
                due: 0,
                is_part_of_shape: lane.is_part_of_shape,
                is_asked: false,
                time_was_over: false,
                state: State::Waiting,
            }
        });
        Lanes { lanes: lanes.collect(), start, paused: None, is_ending: false }
    }

    /// The lane that starts next, and when; `None` when none does, or not yet.
    pub(super) fn next_start(&self) -> Option<(usize, Instant)> {
        if self.paused.is_some() || self.is_ending {
            return None;
        }
        let own = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.is_part_of_shape && !lane.is_asked);
        let waiting = own.filter_map(|(index, lane)| match (&lane.state, lane.after) {
            (State::Waiting, None) => Some((index, self.start + lane.start_time)),
            (State::Waiting, Some(before)) => match self.lanes[before].state {
                State::Over(at) => Some((index, at + lane.start_time)),
                _ => None,
            },
            _ => None,
        });
        waiting.min_by_key(|&(_, at)| at)
    }

    /// The script's function that has to be asked before a lane begins, and each second after that.
    pub(super) fn shape(&self, lane: usize) -> Option<&str> {
        match &self.lanes[lane].executor {
            Executor::Shape { function, .. } => Some(function),
            _ => None,
        }
    }

    /// Begins a lane; `None` when the time of the run is over before. A shape begins without load, as `is_open`
    /// says; others know it themselves.
    pub(super) fn begin(
        &mut self,
        lane: usize,
        at: Instant,
        plan: &TestPlan,
        workers: usize,
        is_open: bool,
    ) -> Option<Begin> {
        let run_time =
            plan.run_time.map(|time| (self.start + time).saturating_duration_since(at).as_secs_f64());
        let run = &mut self.lanes[lane];
        if run_time.is_some_and(|left| left <= 0.0) {
            run.state = State::Over(at);
            return None;
        }
        let is_open =
            is_open || (run.executor.open().is_some() && !matches!(run.executor, Executor::Shape { .. }));
        let mix: Arc<[usize]> = if run.name == MIX { plan.mix.as_slice().into() } else { Arc::default() };
        let curve = curve(&run.executor, run_time);
        let schedule = Arc::new(Schedule { start: at, curve, is_paused: false, mix, generation: 0 });
        run.state = State::Running(Running {
            schedule: schedule.clone(),
            is_open,
            idle: vec![false; workers],
            rest: None,
            stopped: None,
        });
        Some(Begin { lane, schedule, common: run.common.clone(), is_open })
    }

    /// A worker has no user of a lane any more; true when that was the end of the lane.
    pub(super) fn idle(&mut self, lane: usize, worker: usize, generation: Option<u64>, now: Instant) -> bool {
        let run = &mut self.lanes[lane];
        let State::Running(running) = &mut run.state else { return false };
        if generation.is_some_and(|generation| generation != running.schedule.generation) {
            return false;
        }
        running.idle[worker] = true;
        let is_over = running.idle.iter().all(|&idle| idle);
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
    pub(super) fn end(&mut self, now: Instant) {
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
        self.lanes.iter().any(|lane| lane.time_was_over && !counts_iterations(&lane.executor))
    }

    /// Whether an executor counts iterations.
    pub(super) fn some_count_iterations(&self) -> bool {
        self.lanes.iter().any(|lane| counts_iterations(&lane.executor))
    }

    /// Lanes that have not begun never will.
    pub(super) fn give_up_waiting(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            if matches!(lane.state, State::Waiting) {
                lane.state = State::Over(now);
            }
        }
    }

    /// A worker is gone: it has no users any more.
    pub(super) fn worker_gone(&mut self, worker: usize, now: Instant) {
        for lane in 0..self.lanes.len() {
            self.idle(lane, worker, None, now);
        }
    }

    /// The script's function says from now on what a lane does: it is not begun as others are.
    pub(super) fn ask(&mut self, lane: usize) {
        self.lanes[lane].is_asked = true;
    }

    /// What the load does, and the stage that it is in: of several lanes, ramp-up if one of them ramps up, and the
    /// stage of the first one that has a name for it.
    pub(super) fn phase(&self, now: Instant) -> (Phase, Option<Arc<str>>) {
        if self.is_ending {
            return (Phase::RampDown, None);
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

    /// The next instant at which [`Lanes::phase`] may be another one.
    pub(super) fn next_border(&self, now: Instant) -> Option<Instant> {
        let borders = self.running().filter_map(|(_, running)| {
            let schedule = &running.schedule;
            schedule.curve.border(schedule.time(now)).map(|border| schedule.instant(border))
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
    pub(super) fn users_target(&self, now: Instant) -> u64 {
        if self.is_ending {
            return 0;
        }
        let mut counted: Vec<*const Budget> = Vec::new();
        let mut target = 0;
        for (index, running) in self.running() {
            if running.is_open {
                // Lanes of one group have one budget.
                let budget: *const Budget = self.lanes[index].common.budget();
                if !counted.contains(&budget) {
                    counted.push(budget);
                    target += self.lanes[index].common.budget().alive();
                }
            } else {
                target += running.schedule.curve.users(running.schedule.time(now));
            }
        }
        target
    }

    /// By index of a scenario, how many of its iterations were due so far, where that is known.
    pub(super) fn planned(&mut self, now: Instant) -> Vec<(usize, u64)> {
        for lane in &mut self.lanes {
            lane.look_at_due(now);
        }
        let known = self.lanes.iter().filter(|lane| lane.knows_due());
        known.map(|lane| (lane.scenarios[0], lane.due)).collect()
    }

    /// Of an open lane: its name, most users, the rate now, and iterations that are due and wait for a user.
    pub(super) fn open_load(&mut self, lane: usize, now: Instant) -> Option<OpenLoad> {
        let run = &mut self.lanes[lane];
        run.look_at_due(now);
        let open = run.executor.open()?;
        let State::Running(running) = &run.state else { return None };
        let schedule = &running.schedule;
        Some(OpenLoad {
            scenario: run.scenarios[0],
            most_vus: run.common.budget().most(),
            rate: schedule.curve.at(schedule.time(now)),
            backlog: run.due.saturating_sub(run.common.taken()),
            late: open.late,
        })
    }

    /// A shape wants so many users, new ones of these scenarios only.
    pub(super) fn shape_users(
        &mut self,
        lane: usize,
        users: u64,
        spawn_rate: Option<f64>,
        scenarios: Option<&[String]>,
        now: Instant,
    ) -> Option<Change> {
        let run = &mut self.lanes[lane];
        let State::Running(running) = &run.state else { return None };
        let (curve, time) = (&running.schedule.curve, running.schedule.time(now));
        let there = curve.users(time);
        let stretches = users_from(there, users, spawn_rate.unwrap_or(f64::INFINITY), curve, time, None);
        // Those that are there stay what they are; who comes later is dealt anew.
        let mix = (run.scenarios.len() > 1).then(|| {
            let kept = (there as usize).min(running.schedule.mix.len());
            let kept: Arc<[usize]> = running.schedule.mix[..kept].into();
            mix_for(users.max(there), &kept, &run.scenarios, &run.shares_of(scenarios))
        });
        run.go_on(now, stretches, mix).map(|schedule| (lane, schedule))
    }

    /// A shape wants such a rate, of these scenarios only; each of `lanes` gets its share of it.
    pub(super) fn shape_rate(
        &mut self,
        lanes: &[usize],
        rate: f64,
        scenarios: Option<&[String]>,
        now: Instant,
    ) -> Vec<Change> {
        let weights: Vec<f64> =
            lanes.iter().map(|&lane| self.lanes[lane].shares_of(scenarios)[0].weight).collect();
        let sum: f64 = weights.iter().sum();
        let mut changes = Vec::new();
        for (&lane, weight) in lanes.iter().zip(weights) {
            let State::Running(running) = &self.lanes[lane].state else { continue };
            let time = running.schedule.time(now);
            let left = running.schedule.curve.end().map_or(f64::INFINITY, |end| (end - time).max(0.0));
            let share = if sum > 0.0 { weight / sum } else { 0.0 };
            let schedule = self.lanes[lane].go_on(now, vec![Stretch::flat(rate * share, left)], None);
            changes.extend(schedule.map(|schedule| (lane, schedule)));
        }
        changes
    }

    /// A shape ends the load of these lanes.
    pub(super) fn shape_end(&mut self, lanes: &[usize], now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        for &lane in lanes {
            match self.lanes[lane].state {
                State::Waiting => self.skip(lane, now),
                State::Running(_) => {
                    let schedule = self.lanes[lane].go_on(now, Vec::new(), None);
                    changes.extend(schedule.map(|schedule| (lane, schedule)));
                }
                State::Over(_) => {}
            }
        }
        changes
    }

    /// The lanes that run now and have a rate.
    pub(super) fn open_lanes(&self) -> Vec<usize> {
        self.running().filter(|(_, running)| running.is_open).map(|(index, _)| index).collect()
    }

    /// The lanes that run the iterations when the shape of the mix gives a rate.
    pub(super) fn parts_of_shape(&self, lane: usize) -> Vec<usize> {
        if self.lanes[lane].name != MIX {
            return Vec::new();
        }
        (0..self.lanes.len()).filter(|&index| self.lanes[index].is_part_of_shape).collect()
    }

    /// A lane that is not needed.
    pub(super) fn skip(&mut self, lane: usize, now: Instant) {
        self.lanes[lane].state = State::Over(now);
    }

    /// Changes the load from now on; what the workers have to follow, and a few words for the mark, or why it
    /// cannot be done.
    pub(super) fn change(
        &mut self,
        control: &Control,
        now: Instant,
    ) -> Result<(Vec<Change>, String), String> {
        match control {
            Control::Pause => self.pause(now),
            Control::Resume => self.resume(now),
            Control::NextStage => self.next_stage(now),
            Control::Users { lane, users, spawn_rate } => {
                let changed = self.rebase(now, lane.as_deref(), false, |run, running, time| {
                    let (at, curve) = (running.schedule.curve.users(time), &running.schedule.curve);
                    let rate = spawn_rate.or(own_spawn_rate(&run.executor)).unwrap_or(f64::INFINITY);
                    users_from(at, *users, rate, curve, time, own_spawn_rate(&run.executor))
                })?;
                Ok((changed, format!("users set to {users}")))
            }
            Control::Rate { lane, rate } => {
                if !(rate.is_finite() && *rate >= 0.0) {
                    return Err(format!("the rate is {rate}; it must be 0 or more"));
                }
                let changed = self.rebase(now, lane.as_deref(), true, |_, running, time| {
                    let left =
                        running.schedule.curve.end().map_or(f64::INFINITY, |end| (end - time).max(0.0));
                    vec![Stretch::flat(*rate, left)]
                })?;
                Ok((changed, format!("rate set to {rate}/s")))
            }
        }
    }

    fn pause(&mut self, now: Instant) -> Result<(Vec<Change>, String), String> {
        if self.paused.is_some() {
            return Err("the run is paused already".to_owned());
        }
        self.paused = Some(now);
        let changed = self.each_running(|running| {
            let time = running.schedule.time(now);
            let curve = &running.schedule.curve;
            running.rest = Some(curve.rest(time));
            let value = if running.is_open { 0.0 } else { curve.users(time) as f64 };
            (curve.until(time).then([Stretch::flat(value, f64::INFINITY)]), true)
        });
        Ok((changed, "paused".to_owned()))
    }

    fn resume(&mut self, now: Instant) -> Result<(Vec<Change>, String), String> {
        let Some(since) = self.paused.take() else { return Err("the run is not paused".to_owned()) };
        // What waits for a time of the run waits as much longer.
        let pause = now.saturating_duration_since(since);
        for lane in &mut self.lanes {
            match &mut lane.state {
                State::Waiting if lane.after.is_none() => lane.start_time += pause,
                _ => {}
            }
        }
        let changed = self.each_running(|running| {
            let curve = running.schedule.curve.until(running.schedule.time(now));
            (curve.then(running.rest.take().unwrap_or_default()), false)
        });
        Ok((changed, format!("resumed after {:.1} s", pause.as_secs_f64())))
    }

    fn next_stage(&mut self, now: Instant) -> Result<(Vec<Change>, String), String> {
        if self.paused.is_some() {
            return Err("the run is paused; resume it first".to_owned());
        }
        let has_next = self.running().any(|(_, running)| {
            let schedule = &running.schedule;
            schedule.curve.border(schedule.time(now)).is_some()
        });
        if !has_next {
            return Err("there is no next stage".to_owned());
        }
        let changed = self.each_running(|running| {
            let (schedule, time) = (&running.schedule, running.schedule.time(now));
            let rest = match schedule.curve.border(time) {
                Some(border) => schedule.curve.rest(border),
                None => schedule.curve.rest(time),
            };
            (schedule.curve.until(time).then(rest), false)
        });
        Ok((changed, "went on to the next stage".to_owned()))
    }

    /// Gives every running lane another curve.
    fn each_running(&mut self, mut change: impl FnMut(&mut Running) -> (Curve, bool)) -> Vec<Change> {
        let mut changed = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if let State::Running(running) = &mut lane.state {
                let (curve, is_paused) = change(running);
                let mix = running.schedule.mix.clone();
                changed.push((index, running.follow(curve, is_paused, mix)));
            }
        }
        changed
    }

    /// Lets running lanes go on differently from now on: those of this name, or all, that are open or not.
    fn rebase(
        &mut self,
        now: Instant,
        name: Option<&str>,
        is_open: bool,
        next: impl Fn(&LaneRun, &Running, f64) -> Vec<Stretch>,
    ) -> Result<Vec<Change>, String> {
        if self.paused.is_some() {
            return Err("the run is paused; resume it first".to_owned());
        }
        let meant: Vec<usize> = self
            .running()
            .filter(|(index, running)| {
                running.is_open == is_open && name.is_none_or(|name| name == self.lanes[*index].name)
            })
            .map(|(index, _)| index)
            .collect();
        let budget = |index: &usize| std::ptr::from_ref(self.lanes[*index].common.budget());
        if name.is_none() && meant.windows(2).any(|pair| budget(&pair[0]) != budget(&pair[1])) {
            let names: Vec<&str> = meant.iter().map(|&index| self.lanes[index].name.as_str()).collect();
            return Err(format!("several loads run now; name one of them: {}", names.join(", ")));
        }
        let mut changed = Vec::new();
        for index in meant {
            let lane = &self.lanes[index];
            let State::Running(running) = &lane.state else { continue };
            let time = running.schedule.time(now);
            let stretches = next(lane, running, time);
            let schedule = self.lanes[index].go_on(now, stretches, None);
            changed.extend(schedule.map(|schedule| (index, schedule)));
        }
        match (changed.is_empty(), name, is_open) {
            (false, ..) => Ok(changed),
            (true, Some(name), _) => Err(format!("no lane '{name}' of that kind runs now")),
            (true, None, true) => Err("nothing that has a rate runs now".to_owned()),
            (true, None, false) => Err("nothing that has a number of users runs now".to_owned()),
        }
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
