//! The validated whole: options and scenarios become a plan that can only be right.
//!
//! Pure. All problems are reported at once, before any load.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chain::unreachable;
use super::mix::{Share, deal};
use super::options::{HttpLayer, Options};
use super::scenario::{ScenarioPlan, TaskOrder};
use super::selection::select_by_tags;

/// Time that running iterations get when the run stops, unless it is set.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Most virtual users a run may have; the limit is memory and file descriptors long before.
const MOST_USERS: u64 = 1_000_000;

/// A run, ready to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct TestPlan {
    /// Base URL for scenarios that have none of their own.
    pub host: Option<String>,
    /// Most virtual users at once, at least 1.
    pub users: u64,
    /// Virtual users started per second, above 0.
    pub spawn_rate: f64,
    /// Time until the users are taken away.
    pub run_time: Option<Duration>,
    /// Iterations of all virtual users together.
    pub iterations: Option<u64>,
    /// Time that running iterations get when the run stops.
    pub stop_timeout: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Tags of every request.
    pub tags: BTreeMap<String, String>,
    /// How requests are made.
    pub http: HttpLayer,
    /// The scenarios that run; at least one.
    pub scenarios: Vec<ScenarioPlan>,
    /// The scenario of each virtual user, as indices into `scenarios`, in the order of their start.
    pub mix: Vec<usize>,
    /// What is likely a mistake, but no reason not to run.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PlanError(pub Vec<String>);

impl TestPlan {
    /// Checks options and scenarios and puts them together. `default_seed` is used when none is set.
    ///
    /// # Errors
    /// Every problem found, each with what to do about it.
    pub fn new(options: Options, scenarios: Vec<ScenarioPlan>, default_seed: u64) -> Result<Self, PlanError> {
        let mut problems = Vec::new();
        let mut options = options;
        if options.once {
            (options.users, options.run_time) = (Some(1), None);
        }
        let users = options.users.unwrap_or(1);
        if users == 0 {
            problems.push("users is 0: a run needs at least one virtual user (--users 1)".to_owned());
        }
        if users > MOST_USERS {
            problems.push(format!("users is {users}: more than {MOST_USERS} are not supported"));
        }
        let spawn_rate = options.spawn_rate.unwrap_or(1.0);
        if !(spawn_rate.is_finite() && spawn_rate > 0.0) {
            problems.push(format!("spawn_rate is {spawn_rate}: it is users per second and must be above 0"));
        }
        if options.run_time == Some(Duration::ZERO) {
            problems.push("run_time is 0: nothing would run (leave it out to run until stopped)".to_owned());
        }
        if options.iterations == Some(0) {
            problems.push("iterations is 0: nothing would run".to_owned());
        }
        if options.threads == Some(0) {
            problems.push("threads is 0: at least one worker thread is needed".to_owned());
        }
        let mut scenarios = select(scenarios, &options.scenarios, &mut problems);
        let mut warnings = Vec::new();
        if problems.is_empty() {
            match select_by_tags(&mut scenarios, &options.include_tags, &options.exclude_tags) {
                Ok(about_tags) => warnings.extend(about_tags),
                Err(problem) => problems.push(problem),
            }
        }
        warnings.extend(scenarios.iter().flat_map(unreachable_tasks));
        let shares: Vec<Share> = scenarios
            .iter()
            .map(|s| Share { name: s.name.clone(), weight: s.weight, fixed_count: s.fixed_count })
            .collect();
        let mix = deal(&shares, users.min(MOST_USERS));
        if problems.is_empty() && mix.is_empty() {
            problems.push("no scenario gets a user: every weight is 0 and no fixed_count is set".to_owned());
        }
        if !problems.is_empty() {
            return Err(PlanError(problems));
        }
        Ok(TestPlan {
            host: options.host,
            users: mix.len() as u64,
            spawn_rate,
            run_time: options.run_time,
            iterations: if options.once { Some(one_pass(&scenarios[mix[0]])) } else { options.iterations },
            stop_timeout: options.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT),
            seed: options.seed.unwrap_or(default_seed),
            threads: options.threads.unwrap_or_else(|| cores().min(mix.len())),
            tags: options.tags,
            http: options.http,
            scenarios,
            mix,
            warnings,
        })
    }

    /// When the last virtual user is started, from the start of the load.
    pub fn ramp_up(&self) -> Duration {
        Duration::from_secs_f64((self.users.saturating_sub(1)) as f64 / self.spawn_rate)
    }
}

fn select(all: Vec<ScenarioPlan>, wanted: &[String], problems: &mut Vec<String>) -> Vec<ScenarioPlan> {
    if wanted.is_empty() {
        return all;
    }
    for name in wanted {
        if !all.iter().any(|scenario| scenario.name == *name) {
            let names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
            problems.push(format!("the script has no scenario '{name}'; it has: {}", names.join(", ")));
        }
    }
    all.into_iter().filter(|scenario| wanted.contains(&scenario.name)).collect()
}

/// A warning for each task of a chain that no path leads to.
fn unreachable_tasks(scenario: &ScenarioPlan) -> Vec<String> {
    let TaskOrder::Markov { start, next } = &scenario.order else { return Vec::new() };
    let function = |task: usize| &scenario.tasks[task].function;
    let warning = |task| {
        format!(
            "scenario '{}': task '{}' is never run: no transition leads to it from '{}'",
            scenario.name,
            function(task),
            function(*start)
        )
    };
    unreachable(*start, next).into_iter().map(warning).collect()
}

/// Iterations of one pass through a scenario.
fn one_pass(scenario: &ScenarioPlan) -> u64 {
    match scenario.order {
        TaskOrder::Sequence => scenario.tasks.len() as u64,
        TaskOrder::Weighted | TaskOrder::Markov { .. } => 1,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

#[cfg(test)]
mod tests {
    use super::super::scenario::TaskPlan;
    use super::*;

    fn scenario(name: &str) -> ScenarioPlan {
        ScenarioPlan::new(name, vec![TaskPlan::new("iteration", 1)])
    }

    #[test]
    fn defaults_are_locusts() {
        let plan = TestPlan::new(Options::default(), vec![scenario("default")], 7).unwrap();
        assert_eq!((plan.users, plan.spawn_rate, plan.seed), (1, 1.0, 7));
        assert_eq!(plan.threads, 1, "one user needs one thread");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let options = Options {
            users: Some(0),
            spawn_rate: Some(-1.0),
            run_time: Some(Duration::ZERO),
            iterations: Some(0),
            threads: Some(0),
            scenarios: vec!["nosuch".into()],
            ..Options::default()
        };
        let PlanError(problems) = TestPlan::new(options, vec![scenario("default")], 7).unwrap_err();
        assert_eq!(problems.len(), 6, "{problems:#?}");
        assert!(problems[5].contains("it has: default"));
    }

    #[test]
    fn a_selected_scenario_runs_alone() {
        let options = Options { users: Some(4), scenarios: vec!["b".into()], ..Options::default() };
        let plan = TestPlan::new(options, vec![scenario("a"), scenario("b")], 7).unwrap();
        assert_eq!(plan.scenarios.len(), 1);
        assert_eq!(plan.mix, [0, 0, 0, 0]);
    }

    #[test]
    fn weights_of_zero_are_not_a_run() {
        let mut none = scenario("a");
        none.weight = 0.0;
        assert!(TestPlan::new(Options::default(), vec![none], 7).is_err());
    }
}
