//! The rule that starts a scenario's iterations: its kind and its parameters. Pure data.
//!
//! Owns the parameters and their valid values. Leaves *when* to `executor`, which turns them into curves. All
//! rates are iterations per second, whatever unit they were written in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stage::{Stage, check_stages};

/// Default maximum number of virtual users of an open model.
pub const DEFAULT_MAX_VUS: u64 = 1_000;

/// Default time limit of executors with a number of iterations.
pub const DEFAULT_MAX_DURATION: Duration = Duration::from_secs(600);

/// Highest accepted number of iterations per second; no machine starts as many.
pub(crate) const MOST_RATE: f64 = 10_000_000.0;

/// How a scenario's iterations are started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Executor {
    /// Users are started at a constant rate, each runs one iteration after another, until the end of the run.
    Users {
        /// Maximum number of users.
        users: u64,
        /// Users started per second.
        spawn_rate: f64,
        /// The last part of the run, in which they leave one by one.
        ramp_down: Option<Duration>,
    },
    /// A constant number of users from start to end.
    ConstantVus {
        /// Number of users.
        vus: u64,
        /// Duration; `None` is the whole run.
        duration: Option<Duration>,
    },
    /// A number of users that follows stages.
    RampingVus {
        /// Initial number of users.
        start_vus: u64,
        /// The stages; each target is a number of users.
        stages: Vec<Stage>,
        /// Grace period for the running iteration of a user that is stopped, instead of the stop timeout.
        graceful_ramp_down: Option<Duration>,
    },
    /// Each user runs a fixed number of iterations and ends.
    PerVuIterations {
        /// Users.
        vus: u64,
        /// Iterations per user.
        iterations: u64,
        /// Iterations not started by then are dropped.
        max_duration: Duration,
    },
    /// All users share a number of iterations; whoever is free takes the next.
    SharedIterations {
        /// Users.
        vus: u64,
        /// Iterations in total.
        iterations: u64,
        /// Iterations not started by then are dropped.
        max_duration: Duration,
    },
    /// Iterations start at a constant rate, however fast the target responds.
    ConstantArrivalRate {
        /// Iterations per second.
        rate: f64,
        /// Duration; `None` is the whole run.
        duration: Option<Duration>,
        /// The users that run them.
        open: Open,
    },
    /// Iterations start at a rate that follows stages.
    RampingArrivalRate {
        /// Initial iterations per second.
        start_rate: f64,
        /// The stages; each target is a rate.
        stages: Vec<Stage>,
        /// The users that run them.
        open: Open,
    },
    /// Iterations start at a recorded rate.
    Trace {
        /// Time from the first row, and the rate from then until the next row.
        steps: Vec<(Duration, f64)>,
        /// The users that run them.
        open: Open,
    },
    /// A script function returns the number of users, or the rate, every second.
    Shape {
        /// Its name.
        function: String,
        /// The users that run the iterations when it returns a rate.
        open: Open,
    },
}

/// The users that run the iterations of an open model, and what happens when no user is free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Users created at the start.
    pub pre_allocated_vus: u64,
    /// Maximum number of users.
    pub max_vus: u64,
    /// How iterations are spread over time.
    pub arrivals: Arrivals,
    /// What happens to an iteration when no user is free.
    pub late: Late,
}

impl Default for Open {
    fn default() -> Self {
        Open {
            pre_allocated_vus: 0,
            max_vus: DEFAULT_MAX_VUS,
            arrivals: Arrivals::Uniform,
            late: Late::Queue,
        }
    }
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrivals {
    /// Evenly: iteration *i* of a constant rate is due at *i* divided by the rate.
    #[default]
    Uniform,
    /// As a Poisson process, that is, as independent arrivals; the same one for the same seed.
    Poisson,
}

impl Arrivals {
    /// The words that scripts and flags use, and what they mean.
    pub const CHOICES: [(&'static str, Arrivals); 2] =
        [("uniform", Arrivals::Uniform), ("poisson", Arrivals::Poisson)];
}

/// What happens to an iteration of an open model that is due while no user is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Late {
    /// It waits for a free user.
    #[default]
    Queue,
    /// It is dropped and counted.
    Drop,
}

impl Late {
    /// The words that scripts and flags use, and what they mean.
    pub const CHOICES: [(&'static str, Late); 2] = [("queue", Late::Queue), ("drop", Late::Drop)];
}

impl Executor {
    /// The name that scripts use.
    pub fn name(&self) -> &'static str {
        match self {
            Executor::Users { .. } => "users",
            Executor::ConstantVus { .. } => "constant-vus",
            Executor::RampingVus { .. } => "ramping-vus",
            Executor::PerVuIterations { .. } => "per-vu-iterations",
            Executor::SharedIterations { .. } => "shared-iterations",
            Executor::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Executor::RampingArrivalRate { .. } => "ramping-arrival-rate",
            Executor::Trace { .. } => "trace",
            Executor::Shape { .. } => "shape",
        }
    }

    /// Its stages.
    pub fn stages(&self) -> &[Stage] {
        match self {
            Executor::RampingVus { stages, .. } | Executor::RampingArrivalRate { stages, .. } => stages,
            _ => &[],
        }
    }

    /// Whether it is a sequence of stages, at whose end the load ends.
    pub(crate) fn has_stages(&self) -> bool {
        !self.stages().is_empty() || matches!(self, Executor::Trace { .. })
    }

    /// The users that run the iterations of an open model or a shape.
    pub fn open(&self) -> Option<&Open> {
        match self {
            Executor::ConstantArrivalRate { open, .. }
            | Executor::RampingArrivalRate { open, .. }
            | Executor::Trace { open, .. }
            | Executor::Shape { open, .. } => Some(open),
            _ => None,
        }
    }

    /// Maximum number of users.
    pub fn most_vus(&self) -> u64 {
        match self {
            Executor::Users { users, .. } => *users,
            Executor::ConstantVus { vus, .. }
            | Executor::PerVuIterations { vus, .. }
            | Executor::SharedIterations { vus, .. } => *vus,
            Executor::RampingVus { start_vus, stages, .. } => {
                stages.iter().map(|stage| stage.target.ceil() as u64).fold(*start_vus, u64::max)
            }
            Executor::ConstantArrivalRate { open, .. }
            | Executor::RampingArrivalRate { open, .. }
            | Executor::Trace { open, .. }
            | Executor::Shape { open, .. } => open.max_vus,
        }
    }

    /// Its own duration; `None` if only the run limits it.
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Executor::ConstantVus { duration, .. } | Executor::ConstantArrivalRate { duration, .. } => {
                *duration
            }
            Executor::RampingVus { stages, .. } | Executor::RampingArrivalRate { stages, .. } => {
                Some(stages.iter().map(|stage| stage.duration).sum())
            }
            Executor::PerVuIterations { max_duration, .. }
            | Executor::SharedIterations { max_duration, .. } => Some(*max_duration),
            Executor::Trace { steps, .. } => steps.last().map(|(at, _)| *at),
            Executor::Users { .. } | Executor::Shape { .. } => None,
        }
    }

    /// All problems of its parameters; each message starts with `of`.
    pub fn problems(&self, of: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |text: String| problems.push(format!("{of}: {text}"));
        match self {
            Executor::Users { users, spawn_rate, .. } => {
                if *users == 0 {
                    say("users is 0: a run needs at least one virtual user (--users 1)".to_owned());
                }
                if !(spawn_rate.is_finite() && *spawn_rate > 0.0) {
                    say(format!("spawn_rate is {spawn_rate}; it is in users per second and must be above 0"));
                }
            }
            Executor::ConstantVus { vus, duration } => {
                at_least_one("vus", *vus, &mut say);
                not_zero("duration", *duration, &mut say);
            }
            Executor::RampingVus { start_vus, stages, .. } => {
                check_stages(stages, &mut say);
                if stages.iter().any(|stage| stage.target.fract() != 0.0) {
                    say("a stage's target is a number of users and must be a whole number".to_owned());
                }
                if *start_vus == 0 && stages.iter().all(|stage| stage.target <= 0.0) {
                    say("no users would ever run: start_vus and all targets are 0".to_owned());
                }
            }
            Executor::PerVuIterations { vus, iterations, max_duration } => {
                at_least_one("vus", *vus, &mut say);
                at_least_one("iterations", *iterations, &mut say);
                not_zero("max_duration", Some(*max_duration), &mut say);
            }
            Executor::SharedIterations { vus, iterations, max_duration } => {
                at_least_one("vus", *vus, &mut say);
                at_least_one("iterations", *iterations, &mut say);
                not_zero("max_duration", Some(*max_duration), &mut say);
                if vus > iterations {
                    say(format!("vus is {vus}, but there are only {iterations} iterations to share"));
                }
            }
            Executor::ConstantArrivalRate { rate, duration, .. } => {
                check_rate("rate", *rate, false, &mut say);
                not_zero("duration", *duration, &mut say);
            }
            Executor::RampingArrivalRate { start_rate, stages, .. } => {
                check_rate("start_rate", *start_rate, true, &mut say);
                check_stages(stages, &mut say);
                if *start_rate <= 0.0 && stages.iter().all(|stage| stage.target <= 0.0) {
                    say("no iterations would ever start: start_rate and all targets are 0".to_owned());
                }
                if stages.iter().any(|stage| stage.target > MOST_RATE) {
                    say(format!("a stage's target is above {MOST_RATE} per second"));
                }
            }
            Executor::Trace { steps, .. } => {
                if steps.len() < 2 {
                    say("trace needs at least two rows: a rate lasts until the time of the next row"
                        .to_owned());
                }
                if let Some(at) = steps.windows(2).position(|pair| pair[1].0 <= pair[0].0) {
                    say(format!("trace: the time of row {} is not after that of the previous row", at + 2));
                }
                for (row, (_, rate)) in steps.iter().enumerate() {
                    check_rate(&format!("trace: the rate of row {}", row + 1), *rate, true, &mut say);
                }
            }
            Executor::Shape { .. } => {}
        }
        if let Some(open) = self.open() {
            if open.max_vus == 0 {
                say("max_vus is 0: at least one virtual user is needed".to_owned());
            } else if open.max_vus < open.pre_allocated_vus {
                say(format!(
                    "max_vus is {}, below pre_allocated_vus, which is {}",
                    open.max_vus, open.pre_allocated_vus
                ));
            }
        }
        problems
    }
}

fn at_least_one(what: &str, number: u64, say: &mut impl FnMut(String)) {
    if number == 0 {
        say(format!("{what} is 0: at least one is needed"));
    }
}

fn not_zero(what: &str, time: Option<Duration>, say: &mut impl FnMut(String)) {
    if time == Some(Duration::ZERO) {
        say(format!("{what} is 0: nothing would run"));
    }
}

fn check_rate(what: &str, rate: f64, may_be_zero: bool, say: &mut impl FnMut(String)) {
    if !rate.is_finite() || rate < 0.0 || (rate == 0.0 && !may_be_zero) {
        let least = if may_be_zero { "0 or more" } else { "above 0" };
        say(format!("{what} is {rate}; it is in iterations per second and must be {least}"));
    } else if rate > MOST_RATE {
        say(format!("{what} is {rate} per second; the maximum is {MOST_RATE}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_named() {
        let open = Open { pre_allocated_vus: 9, max_vus: 3, ..Open::default() };
        let executor = Executor::ConstantArrivalRate { rate: -1.0, duration: Some(Duration::ZERO), open };
        let problems = executor.problems("scenario 's'");
        assert_eq!(problems.len(), 3, "{problems:#?}");
        assert!(problems[0].starts_with("scenario 's': rate is -1"), "{problems:#?}");
        assert!(problems[2].contains("below pre_allocated_vus, which is 9"), "{problems:#?}");
    }

    #[test]
    fn more_users_than_shared_iterations_are_a_mistake() {
        let shared =
            |vus| Executor::SharedIterations { vus, iterations: 3, max_duration: DEFAULT_MAX_DURATION };
        assert_eq!(shared(3).problems("s"), Vec::<String>::new());
        assert_eq!(shared(4).problems("s"), ["s: vus is 4, but there are only 3 iterations to share"]);
    }

    #[test]
    fn a_trace_has_times_that_go_on() {
        let s = Duration::from_secs;
        let trace =
            |steps: &[(Duration, f64)]| Executor::Trace { steps: steps.to_vec(), open: Open::default() };
        assert!(trace(&[(s(0), 5.0), (s(2), 0.0)]).problems("s").is_empty());
        assert_eq!(trace(&[(s(0), 5.0)]).problems("s").len(), 1);
        assert!(trace(&[(s(1), 5.0), (s(1), 0.0)]).problems("s")[0].contains("row 2"));
    }
}
