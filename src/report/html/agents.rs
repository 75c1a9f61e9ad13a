//! The agents of a distributed run: the share of each, and how it kept up.

use maud::{Markup, html};

use super::table::{Table, keyed, or_dash};
use super::{cross, section, wrapping};
use crate::analysis::agents;
use crate::metrics::{AgentState, AgentStats, Percentile, Phase};
use crate::report::model::Model;
use crate::text::format;

/// How the table leaves out columns where it has no room; only in pages that have it.
pub(super) const STYLE: &str = include_str!("agents.css");

/// Agents with a row of their own; those with problems come before others.
const MOST_AGENTS: usize = 100;

/// Intervals that count, and those that had to be dropped.
fn intervals(agent: &AgentStats) -> String {
    let all = format::count(agent.intervals);
    match agent.dropped_intervals {
        0 => all,
        dropped => format!("{all}, {} dropped", format::count(dropped)),
    }
}

pub(super) fn agents(model: &Model<'_>) -> Markup {
    let all = &model.snapshot.agents;
    if all.is_empty() {
        return Markup::default();
    }
    // After the run there are no users.
    let is_over = model.snapshot.phase == Phase::Done;
    let (shown, more) = agents::shown(all, MOST_AGENTS);
    let delay = |agent: &AgentStats| {
        let lateness = agent.generator.as_ref().and_then(|generator| generator.lateness);
        lateness.map(|lateness| lateness.percentile_us(Percentile::P99))
    };
    let clock_ms = |agent: &AgentStats| agent.clock_offset_us.map(|us| us as f64);
    let cpu_share = |agent: &AgentStats| agent.generator.as_ref().and_then(|generator| generator.cpu);
    let table = Table::new("agent-table", "Agents", shown)
        .named_above()
        .bad_if(|agent| agents::has_problem(agent))
        .text("Agent", |agent| wrapping(&agent.name))
        .text("State", |agent| {
            html! { @if agent.state == AgentState::Lost { (cross()) " " } (agents::state(agent)) }
        })
        .figures("Threads", |agent| format::count(agent.threads as u64))
        .figures("Share %", |agent| format::percent(agent.share))
        .figures(if is_over { "Max users" } else { "Users" }, |agent| {
            format::count(if is_over { agent.users_max } else { agent.users })
        })
        .figures("Requests", |agent| format::count(agent.requests))
        .figures("CPU", |agent| keyed(or_dash(agents::cpu(agent), |cpu| cpu), cpu_share(agent)))
        .figures("Timer delay p99", |agent| or_dash(delay(agent), format::latency))
        .figures("Clock offset", |agent| keyed(or_dash(agents::clock(agent), |clock| clock), clock_ms(agent)))
        .figures("Intervals", |agent| keyed(intervals(agent), agent.intervals as f64))
        .text("Generator", |agent| or_dash(agents::verdict(agent), |verdict| verdict));
    let content = html! {
        (table)
        @if more > 0 { p.note { (format::count(more as u64)) " more agents without problems are in run.json." } }
        p.note {
            "Share: of the users, or of the worker threads where a rate decides how many users there are" @if is_over { " at the end" } ". CPU: mean of its process, of its cores. "
            "Clock offset: how far its clock is ahead of the coordinator's; times are corrected by it."
        }
    };
    section("agents", "Agents", content)
}
