//! The rule that starts a scenario's iterations: its kind and its parameters. Pure data.
//!
//! Owns what parameters there are and which values they can have. Leaves *when* to `executor`, which makes
//! curves of them. Rates are iterations per second throughout, whatever unit they were written in.

use std::time::Duration;

use super::stage::{Stage, check_stages};

/// Most virtual users of an open model unless it is said otherwise.
pub const DEFAULT_MAX_VUS: u64 = 1_000;

/// Time that executors with a number of iterations get to do them, unless it is said otherwise.
pub const DEFAULT_MAX_DURATION: Duration = Duration::from_secs(600);

/// Most iterations per second that are accepted; no machine starts as many.
const MOST_RATE: f64 = 10_000_000.0;

/// How a scenario's iterations are started.
#[derive(Clone, Debug, PartialEq)]
pub enum Executor {
    /// Users are added at a rate, each runs one iteration after the other, and they are taken away at the
    /// same rate at the end of the run.
    Users {
        /// Most users at once.
        users: u64,
        /// Users added and taken away per second.
        spawn_rate: f64,
    },
    /// So many users from start to end.
    ConstantVus {
        /// How many.
        vus: u64,
        /// How long; `None` lasts as long as the run.
        duration: Option<Duration>,
    },
    /// A number of users that follows stages.
    RampingVus {
        /// How many there are at first.
        start_vus: u64,
        /// What comes then; each target is a number of users.
        stages: Vec<Stage>,
        /// Time that the running iteration of a user gets when it is taken away, instead of the stop timeout.
        graceful_ramp_down: Option<Duration>,
    },
    /// Each user runs so many iterations and leaves.
    PerVuIterations {
        /// Users.
        vus: u64,
        /// Iterations of each.
        iterations: u64,
        /// What is not begun by then is dropped.
        max_duration: Duration,
    },
    /// All users together run so many iterations; whoever is free takes the next.
    SharedIterations {
        /// Users.
        vus: u64,
        /// Iterations of all.
        iterations: u64,
        /// What is not begun by then is dropped.
        max_duration: Duration,
    },
    /// Iterations start at a rate, whatever the target does.
    ConstantArrivalRate {
        /// Iterations per second.
        rate: f64,
        /// How long; `None` lasts as long as the run.
        duration: Option<Duration>,
        /// Who runs them.
        open: Open,
    },
    /// Iterations start at a rate that follows stages.
    RampingArrivalRate {
        /// Iterations per second at first.
        start_rate: f64,
        /// What comes then; each target is a rate.
        stages: Vec<Stage>,
        /// Who runs them.
        open: Open,
    },
    /// Iterations start at a rate that was recorded.
    Trace {
        /// Time from the first row, and the rate from then until the next row.
        steps: Vec<(Duration, f64)>,
        /// Who runs them.
        open: Open,
    },
    /// A function of the script says each second how many users, or what rate.
    Shape {
        /// Its name.
        function: String,
        /// Who runs the iterations when it gives a rate.
        open: Open,
    },
}

/// Who runs the iterations of an open model, and what happens to those that nobody is free for.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Users that are there from the start.
    pub pre_allocated_vus: u64,
    /// Most users at once.
    pub max_vus: u64,
    /// How iterations are spread over time.
    pub arrivals: Arrivals,
    /// What becomes of an iteration that nobody is free for.
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

/// How the iterations of a rate are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly: iteration *i* of a constant rate is due at *i* divided by the rate.
    #[default]
    Uniform,
    /// As independent arrivals are: a Poisson process, the same one for the same seed.
    Poisson,
}

impl Arrivals {
    /// The words that scripts and flags use, and what they mean.
    pub const CHOICES: [(&'static str, Arrivals); 2] =
        [("uniform", Arrivals::Uniform), ("poisson", Arrivals::Poisson)];
}

/// What becomes of an iteration of an open model that is due while no user is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Late {
    /// It starts as soon as one is.
    #[default]
    Queue,
    /// It never starts, and is counted.
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

    /// The stages that it follows.
    pub fn stages(&self) -> &[Stage] {
        match self {
            Executor::RampingVus { stages, .. } | Executor::RampingArrivalRate { stages, .. } => stages,
            _ => &[],
        }
    }

    /// Who runs the iterations, of an open model and of a shape.
    pub fn open(&self) -> Option<&Open> {
        match self {
            Executor::ConstantArrivalRate { open, .. }
            | Executor::RampingArrivalRate { open, .. }
            | Executor::Trace { open, .. }
            | Executor::Shape { open, .. } => Some(open),
            _ => None,
        }
    }

    /// Most users at once.
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

    /// How long it lasts by itself; `None` as long as the run lets it.
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

    /// Everything that is wrong with its parameters; each begins with `of`.
    pub fn problems(&self, of: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |text: String| problems.push(format!("{of}: {text}"));
        match self {
            Executor::Users { users, spawn_rate } => {
                if *users == 0 {
                    say("users is 0: a run needs at least one virtual user (--users 1)".to_owned());
                }
                if !(spawn_rate.is_finite() && *spawn_rate > 0.0) {
                    say(format!("spawn_rate is {spawn_rate}: it is users per second and must be above 0"));
                }
            }
            Executor::ConstantVus { vus, duration } => {
                at_least_one("vus", *vus, &mut say);
                not_zero("duration", *duration, &mut say);
            }
            Executor::RampingVus { start_vus, stages, .. } => {
                check_stages(stages, &mut say);
                if stages.iter().any(|stage| stage.target.fract() != 0.0) {
                    say("a stage's target is a number of users and must be whole".to_owned());
                }
                if *start_vus == 0 && stages.iter().all(|stage| stage.target <= 0.0) {
                    say("there is never a user: start_vus and every target are 0".to_owned());
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
                    say("nothing ever starts: start_rate and every target are 0".to_owned());
                }
                if stages.iter().any(|stage| stage.target > MOST_RATE) {
                    say(format!("a stage's target is above {MOST_RATE} per second"));
                }
            }
            Executor::Trace { steps, .. } => {
                if steps.len() < 2 {
                    say("trace needs two rows at least: a rate holds until the time of the next row"
                        .to_owned());
                }
                if let Some(at) = steps.windows(2).position(|pair| pair[1].0 <= pair[0].0) {
                    say(format!("trace: the time of row {} is not after the one before", at + 2));
                }
                for (row, (_, rate)) in steps.iter().enumerate() {
                    check_rate(&format!("trace: the rate of row {}", row + 1), *rate, true, &mut say);
                }
            }
            Executor::Shape { .. } => {}
        }
        if let Some(open) = self.open() {
            if open.max_vus == 0 {
                say("max_vus is 0: nobody could run an iteration".to_owned());
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
        say(format!("{what} is {rate}: it is iterations per second and must be {least}"));
    } else if rate > MOST_RATE {
        say(format!("{what} is {rate} per second: more than {MOST_RATE} are not supported"));
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
