//! The agents of a distributed run, as `run.json` has them. Pure.

use serde_json::{Value, json};

use super::run_json::generator_json;
use crate::metrics::{AgentLoss, AgentState, AgentStats, ms};
use crate::text::format::round;

/// All of them, in the order of their numbers; empty when the run is in one process.
pub(super) fn agents(agents: &[AgentStats]) -> Vec<Value> {
    agents.iter().map(agent).collect()
}

fn agent(agent: &AgentStats) -> Value {
    let seconds = |time: std::time::Duration| round(time.as_secs_f64(), 3);
    let loss = |loss: &AgentLoss| json!({ "from_s": seconds(loss.at), "to_s": loss.until.map(seconds), "reason": loss.reason });
    json!({
        "name": agent.name,
        "state": agent.state.as_str(),
        "threads": agent.threads,
        "share": round(agent.share, 4),
        "users": agent.users,
        "users_max": agent.users_max,
        "requests": agent.requests,
        "intervals": agent.intervals,
        "dropped_intervals": agent.dropped_intervals,
        "is_complete": agent.state != AgentState::Lost && agent.dropped_intervals == 0,
        "clock_offset_ms": agent.clock_offset_us.map(|us| us as f64 / 1e3),
        "clock_within_ms": agent.clock_within_us.map(ms),
        "generator": agent.generator.as_ref().map(generator_json),
        "losses": agent.losses.iter().map(loss).collect::<Vec<_>>(),
    })
}
