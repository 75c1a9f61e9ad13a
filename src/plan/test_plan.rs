//! The validated test plan, built from options and scenarios.
//!
//! Pure. All problems are reported at once, before any load.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::CapacityPlan;
use super::chain::unreachable;
use super::executor::{DEFAULT_MAX_DURATION, Executor, Late};
use super::lane::LanePlan;
use super::load::{plan_load, vus};
use super::options::{HttpLayer, Options};
use super::scenario::{ScenarioPlan, TaskOrder, Wait};
use super::selection::select_by_tags;

/// Default grace period for running iterations when the run stops.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that `setup` may take, as in k6.
const DEFAULT_SETUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum number of virtual users of a run; memory and file descriptors run out long before.
pub(crate) const MOST_USERS: u64 = 1_000_000;

/// A run that is ready to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestPlan {
    /// Base URL for scenarios without their own.
    pub host: Option<String>,
    /// Maximum number of virtual users of all lanes, at least 1.
    pub users: u64,
    /// Virtual users started per second, above 0.
    pub spawn_rate: f64,
    /// Time until the users are stopped.
    pub run_time: Option<Duration>,
    /// Total iterations of all virtual users.
    pub iterations: Option<u64>,
    /// Grace period for running iterations when the run stops.
    pub stop_timeout: Duration,
    /// Time that a running iteration may go on undisturbed when the time of its load is over.
    pub graceful_stop: Option<Duration>,
    /// Time that `setup`, and each listener to `test_start`, may take.
    pub setup_timeout: Duration,
    /// Seed for all random values.
    pub seed: u64,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Tags of every request.
    pub tags: BTreeMap<String, String>,
    /// HTTP settings.
    pub http: HttpLayer,
    /// The scenarios that run; at least one.
    pub scenarios: Vec<ScenarioPlan>,
    /// The executors and their scenarios; at least one.
    pub lanes: Vec<LanePlan>,
    /// The scenario of each virtual user of the mix, as indices into `scenarios`, in the order of their start;
    /// empty without such a lane.
    pub mix: Vec<usize>,
    /// The capacity search, if the load is one.
    pub capacity: Option<CapacityPlan>,
    /// Likely mistakes that do not prevent the run.
    pub warnings: Vec<String>,
}

/// All problems of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct PlanError(pub Vec<String>);

impl TestPlan {
    /// Virtual users of all scenarios, where each is there whatever the others do; 0 where some come as a rate needs them.
    pub(crate) fn closed_users(&self) -> u64 {
        if self.lanes.iter().any(|lane| lane.executor.open().is_some()) {
            return 0;
        }
        self.lanes.iter().map(|lane| vus(lane, &self.mix)).sum()
    }

    /// Grace period for running iterations of a scenario.
    pub(crate) fn stop_timeout_of(&self, scenario: usize) -> Duration {
        self.scenarios[scenario].stop_timeout.unwrap_or(self.stop_timeout)
    }

    /// Time that running iterations of a scenario may go on undisturbed when the time of its load is over.
    pub(crate) fn graceful_stop_of(&self, scenario: usize) -> Option<Duration> {
        self.scenarios[scenario].graceful_stop.or(self.graceful_stop)
    }

    /// Time after which no iteration of a scenario runs any more when the time of its load is over.
    pub(crate) fn last_grace_of(&self, scenario: usize) -> Duration {
        self.graceful_stop_of(scenario).unwrap_or_else(|| self.stop_timeout_of(scenario))
    }

    /// Validates options and scenarios and combines them. `default_seed` is used when none is set.
    ///
    /// # Errors
    /// Every problem found, each with what to do about it.
    pub fn new(options: Options, scenarios: Vec<ScenarioPlan>, default_seed: u64) -> Result<Self, PlanError> {
        let mut problems = Vec::new();
        let mut options = options;
        let mut scenarios = scenarios;
        weigh(&mut scenarios, &options.weights, &mut problems);
        if options.once {
            // A trial of each task has executors of its own; see below.
            let users = (!options.each_task).then_some(1);
            options = Options { users, iterations: None, ..without_load(options) };
            for scenario in &mut scenarios {
                (scenario.executor, scenario.start_time, scenario.after) = (None, Duration::ZERO, None);
            }
        }
        if let Some(capacity) = &options.capacity {
            problems.extend(capacity.problems());
            for scenario in scenarios.iter().filter(|scenario| scenario.executor.is_some()) {
                problems.push(format!(
                    "a capacity search sets the rate of the run, but scenario '{}' has its own executor; \
                     select other scenarios with --scenario",
                    scenario.name
                ));
            }
            let rate = capacity.min_rate;
            // Iterations queued in one step would start in the next.
            let late = options.late.or(Some(Late::Drop));
            options = Options { rate: Some(rate), late, ..without_load(options) };
        }
        if options.run_time == Some(Duration::ZERO) {
            problems.push("run_time is 0: nothing would run (omit it to run until stopped)".to_owned());
        }
        for (name, timeout, otherwise) in [
            ("timeout", options.http.timeout, "60 s"),
            ("connect_timeout", options.http.connect_timeout, "10 s"),
        ] {
            if timeout == Some(Duration::ZERO) {
                problems.push(format!(
                    "{name} is 0: every request would fail (omit it for the default, {otherwise})"
                ));
            }
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
        if options.once && options.each_task {
            each_task_once(&mut scenarios);
        }
        let load = plan_load(&options, &scenarios, &mut problems, &mut warnings);
        if !problems.is_empty() {
            return Err(PlanError(problems));
        }
        let users = load.users();
        Ok(TestPlan {
            host: options.host,
            users,
            spawn_rate: options.spawn_rate.unwrap_or(1.0),
            run_time: load.run_time,
            iterations: if options.once && !options.each_task {
                Some(one_pass(&scenarios[load.mix[0]]))
            } else {
                options.iterations
            },
            stop_timeout: options.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT),
            graceful_stop: options.graceful_stop,
            setup_timeout: options.setup_timeout.unwrap_or(DEFAULT_SETUP_TIMEOUT),
            seed: options.seed.unwrap_or(default_seed),
            threads: options.threads.unwrap_or_else(|| cores().min(users as usize)),
            tags: options.tags,
            http: options.http,
            scenarios,
            lanes: load.lanes,
            mix: load.mix,
            capacity: options.capacity,
            warnings,
        })
    }

    /// Names of all stages of its load.
    pub fn stage_names(&self) -> Vec<String> {
        let stages = self.lanes.iter().flat_map(|lane| lane.executor.stages());
        stages.filter_map(|stage| stage.name.clone()).collect()
    }

    /// The executor of the scenario with index `scenario`.
    pub fn executor(&self, scenario: usize) -> Option<&Executor> {
        self.lanes.iter().find(|lane| lane.scenarios.contains(&scenario)).map(|lane| &lane.executor)
    }

    /// Planned duration of the load; `None` if it lasts until it is stopped or its iterations are done.
    pub fn planned(&self) -> Option<Duration> {
        self.lanes
            .iter()
            .enumerate()
            .map(|(index, _)| self.lane_end(index))
            .try_fold(Duration::ZERO, |longest, end| Some(longest.max(end?)))
    }

    /// Planned end of a lane, from the start of the load.
    fn lane_end(&self, index: usize) -> Option<Duration> {
        let lane = &self.lanes[index];
        let start = match lane.after {
            Some(before) => self.lane_end(before)?,
            None => Duration::ZERO,
        };
        let own = lane.executor.duration().map(|duration| start + lane.start_time + duration);
        match (own, self.run_time) {
            (Some(own), Some(run_time)) => Some(own.min(run_time)),
            (own, run_time) => own.or(run_time),
        }
    }
}

/// The same options without users, rates and times.
fn without_load(options: Options) -> Options {
    Options {
        users: None,
        rate: None,
        stages: None,
        shape: None,
        run_time: None,
        ramp_down: None,
        hold: None,
        ..options
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

/// Gives scenarios other weights than their own.
fn weigh(all: &mut [ScenarioPlan], weights: &BTreeMap<String, f64>, problems: &mut Vec<String>) {
    for (name, &weight) in weights {
        let Some(scenario) = all.iter_mut().find(|scenario| scenario.name == *name) else {
            let names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
            let names = names.join(", ");
            problems.push(format!(
                "a weight is set for '{name}', but the script has no such scenario; it has: {names}"
            ));
            continue;
        };
        let own = match (&scenario.executor, scenario.fixed_count) {
            (Some(_), _) => "its own executor",
            (None, Some(_)) => "a fixed_count",
            (None, None) => {
                scenario.weight = weight;
                continue;
            }
        };
        problems.push(format!("scenario '{name}' has {own}, so that a weight has no effect on it"));
    }
}

/// A warning for each unreachable task of a chain.
fn unreachable_tasks(scenario: &ScenarioPlan) -> Vec<String> {
    let TaskOrder::Markov { start, next } = &scenario.order else { return Vec::new() };
    let function = |task: usize| &scenario.tasks[task].function;
    let warning = |task| {
        format!(
            "scenario '{}': task '{}' never runs: no transitions lead to it from '{}'",
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
        TaskOrder::Sequence | TaskOrder::Each => scenario.tasks.len() as u64,
        TaskOrder::Weighted | TaskOrder::Markov { .. } => 1,
    }
}

/// One user for each scenario, one after the other, that runs each task once and waits for nothing in between.
fn each_task_once(scenarios: &mut [ScenarioPlan]) {
    let mut before = None;
    for scenario in scenarios {
        if scenario.order == TaskOrder::Weighted {
            scenario.tasks.retain(|task| task.weight > 0);
        }
        // What follows in a sequence builds on what stands before it; other tasks do not.
        if scenario.order != TaskOrder::Sequence {
            scenario.order = TaskOrder::Each;
        }
        scenario.wait = Wait::None;
        scenario.fixed_count = None;
        scenario.tasks.iter_mut().for_each(|task| task.wait = None);
        scenario.executor = Some(Executor::PerVuIterations {
            vus: 1,
            iterations: scenario.tasks.len() as u64,
            max_duration: DEFAULT_MAX_DURATION,
        });
        scenario.after = before.replace(scenario.name.clone());
    }
}

/// Worker threads of a machine, unless somebody says otherwise.
pub(crate) fn cores() -> usize {
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
        assert!(problems.iter().any(|problem| problem.contains("it has: default")));
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
