//! The search for the capacity in a run: sets a rate, waits, judges, goes on.
//!
//! Owns when a step is judged and on what: the limit over the seconds of the step, whether as many iterations were
//! started as the rate says, and whether most of those that ended did what the script says. Leaves which rate comes next
//! to `plan`. Invariant: a step whose rate was not reached, or whose iterations failed, has not held, whatever the
//! requests that were made say.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use crate::metrics::{AgentStats, CapacityStats, CapacityStep, NotHeld, Snapshot, ThresholdStats};
use crate::plan::{CapacityPlan, EndedBy, Search};
use crate::run::control::Control;
use crate::run::workers::Workers;

/// Share of the iterations of a rate that have to be started.
const REACHED: f64 = 0.97;

/// Share of the iterations that may fail: what a broken script does is no load to judge a target by.
const MOST_FAILED: f64 = 0.5;

/// A search under way.
pub(super) struct CapacityRun {
    plan: CapacityPlan,
    search: Search,
    /// When the rate was set, as time since the load began.
    set: Duration,
    /// What had been counted when the step began to be judged.
    before: Option<Counts>,
    stats: CapacityStats,
}

struct Counts {
    at: Duration,
    started: u64,
    ended: u64,
    failed: u64,
    requests: u64,
    failures: u64,
    /// Seconds in which the generator was saturated; of agents, by number.
    saturated: Vec<u64>,
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Counts {
        let seconds =
            |agent: &AgentStats| agent.generator.as_ref().map_or(0, |generator| generator.saturated_seconds);
        Counts {
            at: snapshot.elapsed,
            started: snapshot.iterations.started,
            ended: snapshot.iterations.ended(),
            failed: snapshot.iterations.failed,
            requests: snapshot.total.requests,
            failures: snapshot.total.failures,
            saturated: match snapshot.agents.as_slice() {
                [] => vec![snapshot.generator.saturated_seconds],
                agents => agents.iter().map(seconds).collect(),
            },
        }
    }

    /// The places of those that were saturated since. One second may be an accident of the machine.
    fn saturated_since(&self, before: &Counts) -> Vec<usize> {
        let before = |place: usize| before.saturated.get(place).copied().unwrap_or(0);
        (0..self.saturated.len()).filter(|&place| self.saturated[place] > before(place) + 1).collect()
    }
}

impl CapacityRun {
    pub(super) fn new(plan: &CapacityPlan) -> CapacityRun {
        let search = Search::new(plan);
        let stats = CapacityStats {
            limit: plan.limit.trim().to_owned(),
            trying: Some(search.rate()),
            ..CapacityStats::default()
        };
        CapacityRun { plan: plan.clone(), search, set: Duration::ZERO, before: None, stats }
    }

    pub(super) fn stats(&self) -> &CapacityStats {
        &self.stats
    }

    /// Looks at the run after a second; gives the step that is over, if one is.
    fn look(&mut self, snapshot: &Snapshot, limit: &ThresholdStats) -> Option<CapacityStep> {
        let Some(before) = &self.before else {
            if snapshot.elapsed >= self.set + self.plan.settle_time() {
                self.before = Some(Counts::of(snapshot));
            }
            return None;
        };
        // The seconds of the history are a little longer or shorter than seconds.
        if snapshot.elapsed + Duration::from_millis(300) < before.at + self.plan.step_time {
            return None;
        }
        let now = Counts::of(snapshot);
        let seconds = (now.at - before.at).as_secs_f64();
        let per_second = |count: u64, earlier: u64| count.saturating_sub(earlier) as f64 / seconds;
        let rate = self.search.rate();
        let started_rate = per_second(now.started, before.started);
        let requests = now.requests.saturating_sub(before.requests);
        // One may just have been begun before, or after.
        let started = now.started.saturating_sub(before.started) + 1;
        let share =
            |part: u64, whole: u64| -> Option<f64> { (whole > 0).then(|| part as f64 / whole as f64) };
        let failed_iterations =
            share(now.failed.saturating_sub(before.failed), now.ended.saturating_sub(before.ended));
        // First: users whose iterations fail wait, so that the rate may not be reached for that reason.
        let why_not = if failed_iterations.is_some_and(|share| share > MOST_FAILED) {
            Some(NotHeld::IterationsFailed)
        } else if (started as f64) < rate * seconds * REACHED {
            Some(NotHeld::RateNotReached)
        } else {
            match limit.measured {
                None => Some(NotHeld::NothingMeasured),
                Some(measured) if limit.threshold.holds(measured) => None,
                Some(_) => Some(NotHeld::LimitBroken),
            }
        };
        let saturated = now.saturated_since(before);
        Some(CapacityStep {
            rate,
            started_rate,
            request_rate: per_second(now.requests, before.requests),
            measured: limit.measured,
            failed_share: share(now.failures.saturating_sub(before.failures), requests),
            failed_iterations,
            from: before.at,
            to: now.at,
            why_not,
            generator_saturated: !saturated.is_empty(),
            saturated_agents: saturated
                .iter()
                .filter_map(|&place| snapshot.agents.get(place))
                .map(|agent| agent.name.clone())
                .collect(),
        })
    }

    /// Takes a step over; gives the next rate, or `None` when the search is over.
    fn next(&mut self, step: CapacityStep, limit: &ThresholdStats, now: Duration) -> Option<f64> {
        let next = self.search.judged(step.why_not.is_none());
        self.stats.quantity = Some(limit.threshold.quantity);
        self.stats.limit_value = Some(limit.threshold.limit);
        self.stats.steps.push(step);
        self.stats.best = self.search.best();
        self.stats.trying = next;
        self.stats.is_at_max = self.stats.best == Some(self.plan.max_rate);
        self.set = now;
        self.before = None;
        next
    }
}

impl<W: Workers> Driver<W> {
    /// Goes on with the search after a second of the run, and says in its snapshot how far it is.
    pub(super) fn search_capacity(&mut self, snapshot: &mut Snapshot, last: bool) {
        let Some(run) = &mut self.capacity else { return };
        // The limit is what is searched for, not what the run is judged by.
        let limit = snapshot.thresholds.pop().filter(|_| !last && self.stops == 0 && self.nobody.is_none());
        let judged = limit.and_then(|limit| {
            let step = run.look(snapshot, &limit)?;
            Some(run.next(step, &limit, snapshot.elapsed))
        });
        snapshot.capacity = Some(Arc::new(run.stats().clone()));
        match judged {
            // When no load takes another rate, the next step finds that it was not reached.
            Some(Some(rate)) => drop(self.change(&[Control::Rate { scenario: None, rate }])),
            Some(None) => self.stop(EndedBy::CapacityFound),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn run() -> CapacityRun {
        let plan = CapacityPlan { step_time: Duration::from_secs(5), ..CapacityPlan::new("x: p(95) < 1s") };
        CapacityRun::new(&plan)
    }

    fn at(second: u64, started: u64) -> Snapshot {
        let mut snapshot = fixture::finished();
        snapshot.elapsed = Duration::from_secs(second);
        snapshot.iterations.started = started;
        snapshot
    }

    #[test]
    fn a_step_is_judged_after_it_has_settled_and_over_its_own_time() {
        let limit = fixture::limit("http_req_duration: p(95) < 200ms", Some(150.0));
        let mut run = run();
        let mut over = None;
        for second in 1..=6 {
            assert!(over.is_none(), "second {second}");
            over = run.look(&at(second, second * 10), &limit);
        }
        let step = over.unwrap();
        assert_eq!((step.from, step.to), (Duration::from_secs(1), Duration::from_secs(6)));
        assert_eq!((step.started_rate, step.why_not), (10.0, None));
        assert_eq!(run.next(step, &limit, Duration::from_secs(6)), Some(20.0));
        assert_eq!((run.stats().best, run.stats().trying), (Some(10.0), Some(20.0)));
        assert_eq!(run.stats().limit_value, Some(200.0));
    }

    #[test]
    fn a_rate_that_is_not_reached_or_not_measured_has_not_held() {
        let judged = |started: u64, measured| {
            let limit = fixture::limit("http_req_duration: p(95) < 200ms", measured);
            let mut run = run();
            assert!(run.look(&at(1, 0), &limit).is_none());
            run.look(&at(6, started), &limit).unwrap().why_not
        };
        assert_eq!(judged(50, Some(150.0)), None);
        assert_eq!(judged(48, Some(150.0)), None, "with one at the edge they are 98 % of 50");
        assert_eq!(judged(40, Some(150.0)), Some(NotHeld::RateNotReached));
        assert_eq!(judged(50, Some(250.0)), Some(NotHeld::LimitBroken));
        assert_eq!(judged(50, None), Some(NotHeld::NothingMeasured));
    }

    #[test]
    fn a_rate_whose_iterations_fail_has_not_held() {
        let limit = fixture::limit("http_req_duration: p(95) < 200ms", Some(150.0));
        let judged = |started: u64, completed: u64, failed: u64| {
            let mut run = run();
            let mut before = at(1, 0);
            // What was before the step does not count.
            (before.iterations.completed, before.iterations.failed) = (7, 100);
            assert!(run.look(&before, &limit).is_none());
            let mut after = at(6, started);
            (after.iterations.completed, after.iterations.failed) = (7 + completed, 100 + failed);
            let step = run.look(&after, &limit).unwrap();
            (step.why_not, step.failed_iterations)
        };
        assert_eq!(judged(50, 0, 50), (Some(NotHeld::IterationsFailed), Some(1.0)));
        assert_eq!(judged(50, 20, 30), (Some(NotHeld::IterationsFailed), Some(0.6)));
        assert_eq!(judged(10, 0, 10).0, Some(NotHeld::IterationsFailed), "it is why the rate is not reached");
        assert_eq!(judged(50, 25, 25), (None, Some(0.5)), "more than half is too much");
        assert_eq!(judged(50, 0, 0), (None, None), "long iterations have not ended");
    }

    #[test]
    fn each_agent_is_told_apart_that_was_saturated_since() {
        let mut run = crate::fixture::distributed();
        let before = Counts::of(&run);
        assert!(Counts::of(&run).saturated_since(&before).is_empty());
        for (agent, seconds) in run.agents.iter_mut().zip([4, 1, 0]) {
            agent.generator.as_mut().unwrap().saturated_seconds += seconds;
        }
        assert_eq!(Counts::of(&run).saturated_since(&before), [0], "one second may be an accident");
        run.agents.clear();
        let before = Counts::of(&run);
        run.generator.saturated_seconds += 2;
        assert_eq!(Counts::of(&run).saturated_since(&before), [0]);
    }
}
