//! One lane of a run: its state, its curve, and how that goes on when the load is changed.

use std::sync::Arc;
use std::time::Duration;

use crate::executor::Rule;
use crate::executor::curve::{Curve, Stretch};
use crate::executor::pacer::Pacer;
use crate::executor::schedule::Schedule;
use crate::plan::{Share, deal_on};
use crate::vu::LaneCount;

/// See the module's description.
#[derive(Clone)]
pub(super) struct LaneRun {
    pub(super) name: String,
    pub(super) is_mix: bool,
    /// What its executor comes to, were the time of the run not limited.
    pub(super) rule: Rule,
    pub(super) scenarios: Vec<usize>,
    pub(super) shares: Vec<Share>,
    pub(super) start_time: Duration,
    pub(super) after: Option<usize>,
    /// Lanes of one group have one limit of users.
    pub(super) group: usize,
    /// That limit, where users come as they are needed.
    pub(super) most_vus: u64,
    /// By worker, what it said last of this lane.
    pub(super) counts: Vec<LaneCount>,
    pub(super) pacer: Option<Pacer>,
    /// Iterations that were due when it was last looked at.
    pub(super) due: u64,
    pub(super) is_part_of_shape: bool,
    /// The stages of its executor follow one another, and the load ends after the last one.
    pub(super) has_stages: bool,
    /// Its shape has been asked for the first time.
    pub(super) is_asked: bool,
    /// It came to the end of its own time.
    pub(super) time_was_over: bool,
    pub(super) state: State,
}

/// What a lane does.
#[derive(Clone)]
pub(super) enum State {
    /// It starts then, or after the end of another lane.
    Waiting,
    Running(Running),
    /// Its last user has left.
    Over(Duration),
}

/// A lane that runs.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) schedule: Arc<Schedule>,
    pub(super) is_open: bool,
    /// By worker, whether it has no user and will have none.
    pub(super) idle: Vec<bool>,
    /// While it is paused, what comes afterwards.
    pub(super) rest: Option<Vec<Stretch>>,
    /// No iteration is due from then on, whatever the schedule says.
    pub(super) stopped: Option<Duration>,
}

impl LaneRun {
    /// What people call it: the name of its scenario, of several that of their mix.
    pub(super) fn shown_name(&self) -> &str {
        match &self.shares[..] {
            [only] => &only.name,
            _ => &self.name,
        }
    }

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
        match &self.state {
            State::Waiting => false,
            State::Running(running) => running.is_open || self.rule.total.is_some(),
            State::Over(_) => self.due > 0,
        }
    }

    /// Iterations that workers have taken so far, whether begun or not.
    pub(super) fn taken(&self) -> u64 {
        self.counts.iter().map(|count| count.taken).sum()
    }

    pub(super) fn look_at_due(&mut self, now: Duration) {
        let open_until = match &self.state {
            State::Running(running) if running.is_open => {
                let until = running.stopped.map_or(now, |stopped| stopped.min(now));
                Some(running.schedule.curve.area(running.schedule.time(until)))
            }
            _ => None,
        };
        if let Some(due) = self.rule.due(open_until, self.pacer.as_mut()) {
            self.due = due;
        }
    }

    /// Goes on with these stretches from now on; with `mix`, further users are of these scenarios.
    pub(super) fn go_on(
        &mut self,
        now: Duration,
        stretches: Vec<Stretch>,
        mix: Option<Arc<[usize]>>,
    ) -> Option<Arc<Schedule>> {
        // The position of the oldest iteration that anybody may ask for. Of a Poisson process it is not exactly its
        // number, so far more is kept than can be needed.
        let taken = self.taken() as f64;
        let oldest = taken - 6.0 * taken.sqrt() - self.most_vus as f64 - 100.0;
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
