//! The agents of a distributed run: a table of the summary, and a line of the live block.

use super::look::{Look, Mark};
use super::table::{Row, Table};
use crate::analysis::agents::{clock, counted, cpu, has_problem, shown, state, verdict};
use crate::metrics::{AgentState, AgentStats, Percentile};
use crate::text::format;

/// Agents with a row of their own; those with problems come before others.
const MOST_AGENTS: usize = 20;

/// The table; nothing when the run is in one process.
pub(super) fn agent_table(agents: &[AgentStats], look: Look) -> Vec<String> {
    if agents.is_empty() {
        return Vec::new();
    }
    let (shown, more) = shown(agents, MOST_AGENTS);
    let rows = shown.into_iter().map(|agent| row(agent, look)).collect();
    let headers = ["agents", "max users", "requests", "CPU", "timer p99", "clock"];
    let mut lines = Table::new(&headers, rows).render(look);
    if more > 0 {
        lines.push(format!("   + {more} more without problems, in run.json"));
    }
    lines
}

fn row(agent: &AgentStats, look: Look) -> Row {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let lateness = agent.generator.as_ref().and_then(|generator| generator.lateness);
    let cells = vec![
        format::count(agent.users_max),
        format::count(agent.requests),
        or_dash(cpu(agent)),
        look.latency_or_dash(lateness.map(|lateness| lateness.percentile_us(Percentile::P99))),
        or_dash(clock(agent).map(|clock| in_look(clock, look))),
    ];
    let mut notes = Vec::new();
    if agent.state == AgentState::Lost || !agent.losses.is_empty() {
        notes.push(state(agent));
    }
    notes.extend(verdict(agent).filter(|_| agent.is_saturated()));
    if agent.dropped_intervals > 0 {
        notes.push(format!("{} dropped", format::plural(agent.dropped_intervals, "interval")));
    }
    Row {
        mark: if has_problem(agent) { Mark::Failing } else { Mark::Blank },
        name: look.user(&agent.name),
        cells,
        notes,
    }
}

fn in_look(clock: String, look: Look) -> String {
    if look.unicode { clock } else { look.user(&clock.replace('±', "+/-").replace('−', "-")) }
}

/// ` agents     3, 1 lost`.
pub(super) fn live_line(agents: &[AgentStats]) -> Option<String> {
    Some(format!(" {:<9}  {}", "agents", counted(agents)?))
}
