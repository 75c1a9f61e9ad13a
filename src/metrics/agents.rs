//! The machines of a distributed run, and how well each kept up.

use serde::{Deserialize, Serialize};

use super::generator::GeneratorStats;

/// Whether an agent is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentState {
    /// It takes part.
    #[default]
    Running,
    /// Nothing was heard of it when this was written.
    Lost,
    /// It has done its part.
    Done,
}

impl AgentState {
    /// The word of `run.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentState::Running => "running",
            AgentState::Lost => "lost",
            AgentState::Done => "done",
        }
    }
}

/// One machine of a distributed run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentStats {
    /// What people call it.
    pub name: String,
    /// Worker threads.
    pub threads: usize,
    /// Its share of all worker threads, and so of the load, 0 to 1.
    pub share: f64,
    /// Virtual users that run on it now.
    pub users: u64,
    /// Requests of which it has told.
    pub requests: u64,
    /// Intervals of it that count.
    pub intervals: u64,
    /// Intervals that it had to drop, because NATS was away for too long.
    pub dropped_intervals: u64,
    /// By how much its clock is ahead of the coordinator's, microseconds; times are corrected by it.
    pub clock_offset_us: i64,
    /// By how much that may be wrong, microseconds.
    pub clock_within_us: u64,
    /// How well it kept up.
    pub generator: GeneratorStats,
    /// Whether it is there.
    pub state: AgentState,
}
