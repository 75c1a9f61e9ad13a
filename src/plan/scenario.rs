//! A scenario: what a group of virtual users does. Pure data.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::executor::Executor;

/// A named group of virtual users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioPlan {
    /// Unique name.
    pub name: String,
    /// The tasks, of which each iteration runs one; at least one.
    pub tasks: Vec<TaskPlan>,
    /// How the next task is chosen.
    pub order: TaskOrder,
    /// Relative share of the users.
    pub weight: f64,
    /// Exact number of users instead of a share.
    pub fixed_count: Option<u64>,
    /// Wait after each iteration.
    pub wait: Wait,
    /// Base URL; the run's overrides it.
    pub host: Option<String>,
    /// Function that a virtual user calls once before its first iteration.
    pub on_start: Option<String>,
    /// Function that a virtual user calls once after its last iteration.
    pub on_stop: Option<String>,
    /// Tags of every request.
    pub tags: BTreeMap<String, String>,
    /// Values for `env::get` in this scenario, which override all others.
    pub env: BTreeMap<String, String>,
    /// Grace period for running iterations when the run stops, instead of the run's.
    pub stop_timeout: Option<Duration>,
    /// Time that a running iteration may go on undisturbed when the time of its load is over, instead of the run's.
    pub graceful_stop: Option<Duration>,
    /// How its iterations are started; without one it gets a share of the run's users or rate.
    pub executor: Option<Executor>,
    /// Delay before its executor starts, after the start of the run or the end of `after`.
    pub start_time: Duration,
    /// The scenario that must end before this one starts.
    pub after: Option<String>,
}

impl ScenarioPlan {
    /// A scenario with this name and weighted tasks, and defaults for the rest.
    pub fn new(name: &str, tasks: Vec<TaskPlan>) -> ScenarioPlan {
        ScenarioPlan {
            name: name.to_owned(),
            tasks,
            order: TaskOrder::Weighted,
            weight: 1.0,
            fixed_count: None,
            wait: Wait::None,
            host: None,
            on_start: None,
            on_stop: None,
            tags: BTreeMap::new(),
            env: BTreeMap::new(),
            stop_timeout: None,
            graceful_stop: None,
            executor: None,
            start_time: Duration::ZERO,
            after: None,
        }
    }
}

impl ScenarioPlan {
    /// Whether it gets a share of the run's users, or of its rate, by its weight.
    pub fn shares_load(&self) -> bool {
        self.executor.is_none() && self.fixed_count.is_none()
    }
}

/// A script function that an iteration can run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Name of the function; it takes no arguments.
    pub function: String,
    /// Relative frequency; 0 is never.
    pub weight: u32,
    /// Wait after it, instead of the scenario's.
    pub wait: Option<Wait>,
    /// Tags by which it is included in a run or excluded from it.
    pub tags: Vec<String>,
}

impl TaskPlan {
    /// A function with a weight, and defaults for the rest.
    pub fn new(function: &str, weight: u32) -> TaskPlan {
        TaskPlan { function: function.to_owned(), weight, wait: None, tags: Vec::new() }
    }
}

/// How the next task of a scenario is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum TaskOrder {
    /// At random, by weight.
    #[default]
    Weighted,
    /// In sequence; starts over after the last task, or after one that failed.
    Sequence,
    /// In sequence, also after one that failed.
    Each,
    /// A Markov chain: at random, by weights that depend on the previous task.
    Markov {
        /// Index of the first task of each virtual user.
        start: usize,
        /// For each task index, its possible successors: indices and weights, each above 0.
        next: Vec<Vec<(usize, u32)>>,
    },
}

/// The wait after an iteration; all times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Wait {
    /// No wait.
    #[default]
    None,
    /// A constant wait.
    Constant(f64),
    /// Uniformly distributed between two values.
    Between(f64, f64),
    /// Pacing: until this long after the iteration was due, so that iterations start at a fixed pace.
    Pacing(f64),
    /// Exponentially distributed with this many waits per second.
    Poisson(f64),
    /// The number of seconds that a script function returns.
    Script,
}
