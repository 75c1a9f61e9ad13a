//! A scenario: what a population of virtual users does. Pure data.

use std::collections::BTreeMap;
use std::time::Duration;

use super::executor::Executor;

/// A named population of virtual users.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioPlan {
    /// Unique name.
    pub name: String,
    /// What an iteration runs one of; at least one.
    pub tasks: Vec<TaskPlan>,
    /// Which of them comes next.
    pub order: TaskOrder,
    /// Relative share of the users.
    pub weight: f64,
    /// Exact number of users instead of a share.
    pub fixed_count: Option<u64>,
    /// What is waited after each iteration.
    pub wait: Wait,
    /// Base URL; the run's own wins over it.
    pub host: Option<String>,
    /// Function that a virtual user calls once before its first iteration.
    pub on_start: Option<String>,
    /// Function that a virtual user calls once after its last iteration.
    pub on_stop: Option<String>,
    /// Tags of every request.
    pub tags: BTreeMap<String, String>,
    /// What `env::get` finds first, in functions of this scenario's virtual users.
    pub env: BTreeMap<String, String>,
    /// Time that running iterations get when the run stops, instead of the run's own.
    pub stop_timeout: Option<Duration>,
    /// How its iterations are started; without one it has a share of the run's users or rate.
    pub executor: Option<Executor>,
    /// When its executor starts, after the start of the run or the end of `after`.
    pub start_time: Duration,
    /// The scenario that has to end before this one starts.
    pub after: Option<String>,
}

impl ScenarioPlan {
    /// A scenario with this name, these tasks by weight, and nothing else said.
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
            executor: None,
            start_time: Duration::ZERO,
            after: None,
        }
    }
}

/// A script function that an iteration can run.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPlan {
    /// Name of the function; it takes no argument.
    pub function: String,
    /// How often it is picked, relative to the others; 0 is never.
    pub weight: u32,
    /// What is waited after it, instead of the scenario's wait.
    pub wait: Option<Wait>,
    /// Words by which it is included in a run or excluded from it.
    pub tags: Vec<String>,
}

impl TaskPlan {
    /// A function with a weight, and nothing else said.
    pub fn new(function: &str, weight: u32) -> TaskPlan {
        TaskPlan { function: function.to_owned(), weight, wait: None, tags: Vec::new() }
    }
}

/// Which task of a scenario comes next.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TaskOrder {
    /// Each time one at random, by weight.
    #[default]
    Weighted,
    /// One after the other, and from the first again after the last, or after one that failed.
    Sequence,
    /// A Markov chain: at random, by weights that depend on the task before.
    Markov {
        /// Index of the task that each virtual user begins with.
        start: usize,
        /// By index of a task, what can follow it: indices and their weights, each above 0.
        next: Vec<Vec<(usize, u32)>>,
    },
}

/// What a virtual user waits after an iteration; seconds throughout.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Wait {
    /// Nothing.
    #[default]
    None,
    /// Always the same.
    Constant(f64),
    /// Uniformly distributed between two values.
    Between(f64, f64),
    /// Until this long after the iteration was due: iterations start at a fixed pace.
    Pacing(f64),
    /// Exponentially distributed with this many waits per second.
    Poisson(f64),
    /// As many seconds as a script function returns.
    Script,
}
