//! A scenario: what a population of virtual users does. Pure data.

use std::collections::BTreeMap;
use std::time::Duration;

/// A named population of virtual users.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioPlan {
    /// Unique name.
    pub name: String,
    /// What is picked from for each iteration; at least one.
    pub tasks: Vec<TaskPlan>,
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
    /// Time that running iterations get when the run stops, instead of the run's own.
    pub stop_timeout: Option<Duration>,
}

/// A script function with its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPlan {
    /// Name of the function; it takes no argument.
    pub function: String,
    /// How often it is picked, relative to the others; 0 is never.
    pub weight: u32,
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
