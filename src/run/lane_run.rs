//! One lane of a run: its state, its curve, and how that goes on when the load is changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::executor::curve::{Curve, Stretch};
use crate::executor::lane::LaneCommon;
use crate::executor::pacer::Pacer;
use crate::executor::schedule::Schedule;
use crate::executor::{arrival_rate, iterations, users, vus};
use crate::plan::{Executor, Share, deal_on};

/// See the module's description.
pub(super) struct LaneRun {
    pub(super) name: String,
    pub(super) executor: Executor,
    pub(super) scenarios: Vec<usize>,
    pub(super) shares: Vec<Share>,
    pub(super) start_time: Duration,
    pub(super) after: Option<usize>,
    pub(super) common: Arc<LaneCommon>,
    pub(super) pacer: Option<Pacer>,
    /// Iterations that were due when it was last looked at.
    pub(super) due: u64,
    pub(super) is_part_of_shape: bool,
    /// Its shape has been asked for the first time.
    pub(super) is_asked: bool,
    /// It came to the end of its own time.
    pub(super) time_was_over: bool,
    pub(super) state: State,
}

/// What a lane does.
pub(super) enum State {
    /// It starts then, or after the end of another lane.
    Waiting,
    Running(Running),
    /// Its last user has left.
    Over(Instant),
}

/// A lane that runs.
pub(super) struct Running {
    pub(super) schedule: Arc<Schedule>,
    pub(super) is_open: bool,
    /// By worker, whether it has no user and will have none.
    pub(super) idle: Vec<bool>,
    /// While it is paused, what comes afterwards.
    pub(super) rest: Option<Vec<Stretch>>,
    /// No iteration is due from then on, whatever the schedule says.
    pub(super) stopped: Option<Instant>,
}

impl LaneRun {
    /// The shares of its scenarios when only some take part.
    pub(super) fn shares_of(&self, scenarios: Option<&[String]>) -> Vec<Share> {
        let takes_part = |share: &Share| scenarios.is_none_or(|names| names.contains(&share.name));
        let of = |share: &Share| {
            if takes_part(share) {
                share.clone()
            } else {
                Share { weight: 0.0, fixed_count: None, ..share.clone() }
            }
        };
        self.shares.iter().map(of).collect()
    }

    /// Whether it is known how many of its iterations were due so far.
    pub(super) fn knows_due(&self) -> bool {
        match (&self.executor, &self.state) {
            (_, State::Waiting) => false,
            (Executor::PerVuIterations { .. } | Executor::SharedIterations { .. }, _) => true,
            (_, State::Running(running)) => running.is_open,
            (executor, State::Over(_)) => executor.open().is_some() && self.due > 0,
        }
    }

    pub(super) fn look_at_due(&mut self, now: Instant) {
        let open_until = match &self.state {
            State::Running(running) if running.is_open => {
                let until = running.stopped.map_or(now, |stopped| stopped.min(now));
                Some(running.schedule.curve.area(running.schedule.time(until)))
            }
            _ => None,
        };
        self.due = match (&self.executor, open_until, &mut self.pacer) {
            (Executor::PerVuIterations { vus, iterations, .. }, ..) => vus.saturating_mul(*iterations),
            (Executor::SharedIterations { iterations, .. }, ..) => *iterations,
            (_, Some(area), Some(pacer)) => pacer.due(area),
            _ => self.due,
        };
    }

    /// Goes on with these stretches from now on; with `mix`, further users are of these scenarios.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        stretches: Vec<Stretch>,
        mix: Option<Arc<[usize]>>,
    ) -> Option<Arc<Schedule>> {
        // The position of the oldest iteration that anybody may ask for. Of a Poisson process it is not exactly its
        // number, so far more is kept than can be needed.
        let taken = self.common.taken() as f64;
        let oldest = taken - 6.0 * taken.sqrt() - self.common.budget().most() as f64 - 100.0;
        let State::Running(running) = &mut self.state else { return None };
        let time = running.schedule.time(now);
        let mut curve = running.schedule.curve.until(time).then(stretches);
        curve.forget(if running.is_open { oldest } else { f64::INFINITY }, time);
        let mix = match mix {
            Some(mix) => mix,
            None => mix_for(curve.peak() as u64, &running.schedule.mix, &self.scenarios, &self.shares),
        };
        Some(running.follow(curve, false, mix))
    }
}

/// The scenarios of at least so many users, those that were dealt before first.
pub(super) fn mix_for(
    users: u64,
    dealt: &Arc<[usize]>,
    scenarios: &[usize],
    shares: &[Share],
) -> Arc<[usize]> {
    if scenarios.len() < 2 || users <= dealt.len() as u64 {
        return dealt.clone();
    }
    let place = |scenario: &usize| scenarios.iter().position(|known| known == scenario).unwrap_or(0);
    let mut places: Vec<usize> = dealt.iter().map(place).collect();
    deal_on(shares, &mut places, users);
    places.into_iter().map(|place| scenarios[place]).collect()
}

impl Running {
    /// Another schedule for the workers.
    pub(super) fn follow(&mut self, curve: Curve, is_paused: bool, mix: Arc<[usize]>) -> Arc<Schedule> {
        self.idle.iter_mut().for_each(|idle| *idle = false);
        self.schedule = Arc::new(Schedule {
            start: self.schedule.start,
            curve,
            is_paused,
            mix,
            generation: self.schedule.generation + 1,
        });
        self.schedule.clone()
    }
}

/// The curve of an executor; `run_time` is what is left of the time of the run.
pub(super) fn curve(executor: &Executor, run_time: Option<f64>) -> Curve {
    let seconds = |time: &Duration| time.as_secs_f64();
    let curve = match executor {
        Executor::Users { users, spawn_rate } => return users::curve(*users, *spawn_rate, run_time),
        Executor::ConstantVus { vus, duration } => vus::constant(*vus, duration.as_ref().map(seconds)),
        Executor::RampingVus { start_vus, stages, .. } => vus::ramping(*start_vus, stages),
        Executor::PerVuIterations { vus, max_duration, .. }
        | Executor::SharedIterations { vus, max_duration, .. } => {
            iterations::curve(*vus, seconds(max_duration))
        }
        Executor::ConstantArrivalRate { rate, duration, .. } => {
            arrival_rate::constant(*rate, duration.as_ref().map(seconds))
        }
        Executor::RampingArrivalRate { start_rate, stages, .. } => arrival_rate::ramping(*start_rate, stages),
        Executor::Trace { steps, .. } => arrival_rate::trace(steps),
        // Nothing until its function has been asked.
        Executor::Shape { .. } => Curve::new([Stretch::flat(0.0, f64::INFINITY)]),
    };
    match run_time {
        Some(time) if curve.end().is_none_or(|end| end > time) => curve.until(time),
        _ => curve,
    }
}

/// From the users that there are to others, and then as long as the curve would have lasted at its full height.
pub(super) fn users_from(
    at: u64,
    users: u64,
    rate: f64,
    old: &Curve,
    time: f64,
    down: Option<f64>,
) -> Vec<Stretch> {
    let ramp = users::ramp(at, users, rate);
    // The old one's last descent is where its time is over, where it has one.
    let end = match down {
        Some(_) => old.last_descent(),
        None => old.end(),
    };
    let Some(end) = end else { return vec![ramp, Stretch::flat(users as f64, f64::INFINITY)] };
    let left = (end - time - ramp.length).max(0.0);
    let mut stretches = vec![ramp, Stretch::flat(users as f64, left)];
    stretches.extend(down.map(|rate| users::ramp(users, 0, rate)));
    stretches
}

pub(super) fn counts_iterations(executor: &Executor) -> bool {
    matches!(executor, Executor::PerVuIterations { .. } | Executor::SharedIterations { .. })
}

/// The rate at which users leave at the end, if they leave one by one.
pub(super) fn own_spawn_rate(executor: &Executor) -> Option<f64> {
    match executor {
        Executor::Users { spawn_rate, .. } => Some(*spawn_rate),
        _ => None,
    }
}
