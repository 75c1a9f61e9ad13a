//! The machines of a distributed run, and how well each kept up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generator::{GeneratorPoint, GeneratorStats};

/// Whether an agent is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentState {
    /// It takes part.
    #[default]
    Running,
    /// Nothing was heard of it when this was written, or it could not go on.
    Lost,
    /// It has left the run before its end, and has told of all that it had counted.
    Left,
    /// It has done its part, and told of all of it.
    Done,
}

impl AgentState {
    /// The word of `run.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentState::Running => "running",
            AgentState::Lost => "lost",
            AgentState::Left => "left",
            AgentState::Done => "done",
        }
    }

    /// Whether it takes part, or has done its part.
    pub fn is_there(self) -> bool {
        matches!(self, AgentState::Running | AgentState::Done)
    }
}

/// A time in which an agent could not be reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentLoss {
    /// When that was noticed, as time since the load began.
    pub at: Duration,
    /// How it was noticed: `nothing was heard of it for 4.1 s`.
    pub reason: String,
    /// When it was heard again; `None` if it was not.
    pub until: Option<Duration>,
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
    /// Its share of the load, 0 to 1: of the users as they are dealt now; where a rate decides how many users there are, of the
    /// worker threads that take part.
    pub share: f64,
    /// Virtual users that run on it now.
    pub users: u64,
    /// Most of them in any second.
    pub users_max: u64,
    /// Requests of which it has told.
    pub requests: u64,
    /// Intervals of it that count.
    pub intervals: u64,
    /// Intervals that it had to drop, because NATS was away for too long.
    pub dropped_intervals: u64,
    /// By how much its clock is ahead of the coordinator's, microseconds; times are corrected by it. `None` before its first
    /// interval.
    pub clock_offset_us: Option<i64>,
    /// By how much that may be wrong, microseconds.
    pub clock_within_us: Option<u64>,
    /// How well it kept up; `None` before its first interval.
    pub generator: Option<GeneratorStats>,
    /// Whether it is there.
    pub state: AgentState,
    /// When it was lost, oldest first; the last [`MOST_LOSSES`](Self::MOST_LOSSES) times.
    pub losses: Vec<AgentLoss>,
}

impl AgentStats {
    /// So many losses of an agent are kept.
    pub const MOST_LOSSES: usize = 20;

    /// Whether its generator is known to have been saturated.
    pub fn is_saturated(&self) -> bool {
        self.generator.as_ref().is_some_and(|generator| generator.saturated() == Some(true))
    }

    /// The one that kept up worst so far.
    pub(crate) fn worst(agents: &[AgentStats]) -> Option<&GeneratorStats> {
        let known = agents.iter().filter_map(|agent| agent.generator.as_ref());
        known.max_by(|a, b| a.saturated().cmp(&b.saturated()).then(cpu(a.cpu).total_cmp(&cpu(b.cpu))))
    }

    /// The last second of the one that was busiest in it.
    pub(crate) fn busiest_now(agents: &[AgentStats]) -> Option<GeneratorPoint> {
        let there = agents.iter().filter(|agent| agent.state.is_there());
        let known = there.filter_map(|agent| Some(agent.generator.as_ref()?.now));
        known.max_by(|a, b| cpu(a.cpu).total_cmp(&cpu(b.cpu)))
    }
}

fn cpu(share: Option<f64>) -> f64 {
    share.unwrap_or(-1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(cpu: f64, busy_seconds: u64) -> AgentStats {
        let generator = GeneratorStats {
            cpu: Some(cpu),
            seconds: 10,
            busy_seconds: (busy_seconds, 0),
            now: GeneratorPoint { cpu: Some(cpu), ..GeneratorPoint::default() },
            ..GeneratorStats::default()
        };
        AgentStats { generator: Some(generator), ..AgentStats::default() }
    }

    #[test]
    fn the_worst_agent_is_the_saturated_one_and_an_unheard_one_is_none() {
        let agents = [agent(0.5, 4), agent(0.7, 0), AgentStats::default()];
        assert_eq!(AgentStats::worst(&agents).unwrap().cpu, Some(0.5), "its busy seconds saturated it");
        assert_eq!(AgentStats::busiest_now(&agents).unwrap().cpu, Some(0.7));
        assert!(agents[0].is_saturated() && !agents[2].is_saturated());
        assert_eq!(AgentStats::worst(&agents[2..]), None);
        let lost = AgentStats { state: AgentState::Lost, ..agent(0.9, 0) };
        assert_eq!(AgentStats::busiest_now(&[lost]), None, "it has no last second");
    }
}
