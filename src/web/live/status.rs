//! Where a run stands, in the few figures that the head of the page and `GET /api/v1/status` give.

use serde_json::{Value, json};

use super::LiveRun;
use crate::analysis::Verdict;
use crate::analysis::agents;
use crate::metrics::{AgentStats, Lever, Percentile, Phase, Snapshot, Summary, ms};
use crate::plan::{RunInfo, RunRecord};
use crate::results::threshold_json;
use crate::text::format::round;
use crate::text::utc::utc;
use crate::web::Recruiting;

/// Agents in the status, which goes out every second.
const MOST_AGENTS: usize = 100;

/// What the page has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum State {
    /// No run was started yet.
    Waiting,
    /// One was started, and waits for agents.
    Recruiting,
    /// `setup` runs.
    Starting,
    /// Load is made.
    Running,
    /// No iteration begins.
    Paused,
    /// The last iterations end.
    Stopping,
    /// The run is over.
    Finished,
}

impl State {
    fn of(record: &RunRecord) -> State {
        match record.snapshot.phase {
            _ if record.ended_by.is_some() => State::Finished,
            Phase::Starting => State::Starting,
            Phase::Paused => State::Paused,
            Phase::RampUp | Phase::Steady => State::Running,
            // A stage of the load, or users who were asked to become fewer.
            Phase::RampDown if record.snapshot.users_target > 0 => State::Running,
            Phase::RampDown | Phase::Done => State::Stopping,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Recruiting => "recruiting",
            State::Starting => "starting",
            State::Running => "running",
            State::Paused => "paused",
            State::Stopping => "stopping",
            State::Finished => "finished",
        }
    }
}

/// The status when there is no run; `problem` is why one that was to begin did not.
pub(in crate::web) fn waiting(problem: Option<&str>) -> Value {
    json!({ "state": State::Waiting.as_str(), "run": null, "problem": problem })
}

/// The status while a run waits for agents.
pub(in crate::web) fn recruiting(recruiting: &Recruiting) -> Value {
    let Recruiting { name, ready, wanted, refused } = recruiting;
    json!({
        "state": State::Recruiting.as_str(),
        "run": null,
        "recruiting": { "name": name, "agents": ready, "wanted": wanted, "refused": refused },
    })
}

/// The status of a run; `problem` is why a later one did not begin.
pub(in crate::web) fn status(run: &LiveRun, record: &RunRecord, problem: Option<&str>) -> Value {
    let (info, snapshot) = (&*record.info, &*record.snapshot);
    let script = info.script.display().to_string();
    let total = &snapshot.total;
    json!({
        "state": State::of(record).as_str(),
        "run": {
            "id": run.id(),
            "name": info.name,
            "script": (!script.is_empty()).then_some(script),
            "host": info.host,
            "started_at": utc(info.started_at),
        },
        "phase": snapshot.phase.as_str(),
        "stage": snapshot.stage,
        "elapsed_s": seconds(snapshot.elapsed),
        "planned_s": info.planned.map(seconds),
        "planned_iterations": info.iterations,
        "progress": progress(info, snapshot),
        "iterations": snapshot.iterations.ended(),
        "users": snapshot.users,
        "users_target": snapshot.users_target,
        "load": lever(info, snapshot),
        "has_stages": snapshot.stage.is_some(),
        "in_flight": snapshot.in_flight,
        "requests": total.requests,
        "failures": total.failures,
        "failed_share": total.failed_share(),
        "rate": round(total.rate, 3),
        "peak_rate": snapshot.peak_rate.map(|rate| round(rate, 3)),
        "latency_ms": latency(total.ok),
        "recent": recent(snapshot),
        "thresholds": thresholds(snapshot, record.ended_by.is_some()),
        "log_next": run.log().next(),
        "problem": problem,
        "agents": agents(snapshot),
        "script_errors": snapshot.script_errors.iter().map(|group| group.count).sum::<u64>(),
        "verdict": record.ended_by.as_ref().map(|_| json!({
            "words": Verdict::of(record).words(),
            "passed": Verdict::passes(record),
            "reason": Verdict::reason(record),
        })),
    })
}

/// The agents of a distributed run, those with problems before others where there are many.
fn agents(snapshot: &Snapshot) -> Vec<Value> {
    let (shown, _) = agents::shown(&snapshot.agents, MOST_AGENTS);
    let agent = |agent: &AgentStats| {
        let generator = agent.generator.as_ref();
        json!({
            "name": agent.name,
            "state": agent.state.as_str(),
            "share": round(agent.share, 4),
            "users": agent.users,
            "requests": agent.requests,
            "cpu": generator.and_then(|generator| generator.now.cpu).map(|cpu| round(cpu, 4)),
            "saturated": generator.and_then(|generator| generator.saturated()),
            "clock_offset_ms": agent.clock_offset_us.map(|us| us as f64 / 1e3),
        })
    };
    shown.into_iter().map(agent).collect()
}

fn seconds(time: std::time::Duration) -> f64 {
    round(time.as_secs_f64(), 3)
}

/// The share of its time, or of its iterations, that is over.
fn progress(info: &RunInfo, snapshot: &Snapshot) -> Option<f64> {
    let of = |done: f64, all: f64| (all > 0.0).then(|| round((done / all).min(1.0), 3));
    match (info.planned, info.iterations) {
        (Some(planned), _) => of(snapshot.elapsed.as_secs_f64(), planned.as_secs_f64()),
        (None, Some(all)) => of(snapshot.iterations.ended() as f64, all as f64),
        (None, None) => None,
    }
}

/// What can be changed of the load as a whole; what is planned, until it is made.
fn lever(info: &RunInfo, snapshot: &Snapshot) -> Option<Lever> {
    let is_rate = |executor: &String| executor.contains("arrival-rate");
    match snapshot.history.len() {
        0 if info.executors.is_empty() || !info.executors.iter().all(is_rate) => Some(Lever::Users),
        0 => Some(Lever::Rate),
        _ => snapshot.lever,
    }
}

/// The last seconds.
fn recent(snapshot: &Snapshot) -> Value {
    let recent = &snapshot.recent;
    json!({
        "seconds": recent.seconds,
        "rate": recent.rate.map(|rate| round(rate, 3)),
        "iterations_rate": iterations_rate(snapshot).map(|rate| round(rate, 3)),
        "failed_share": recent.failed_share,
        "latency_ms": latency(recent.ok),
    })
}

/// Iterations begun per second in the last ten seconds.
fn iterations_rate(snapshot: &Snapshot) -> Option<f64> {
    let last = snapshot.history.since(snapshot.history.len().saturating_sub(11));
    let (first, last) = (last.first()?, last.last()?);
    let seconds = last.at.saturating_sub(first.at).as_secs_f64();
    let begun = last.iterations_started.saturating_sub(first.iterations_started);
    (seconds > 0.0).then(|| begun as f64 / seconds)
}

/// Service times of successes; null without enough of them.
fn latency(times: Option<Summary>) -> Value {
    let percentile = |of| times.and_then(|times| times.telling_us(of)).map(ms);
    json!({
        "p50": percentile(Percentile::P50),
        "p95": percentile(Percentile::P95),
        "p99": percentile(Percentile::P99),
        "max": times.map(|times| ms(times.max_us)),
    })
}

fn thresholds(snapshot: &Snapshot, is_over: bool) -> Vec<Value> {
    snapshot.thresholds.iter().map(|stats| threshold_json(stats, is_over)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_status_has_the_agents_and_of_many_those_with_problems() {
        let mut run = fixture::distributed();
        let all = agents(&run);
        assert_eq!(all.len(), 4);
        assert_eq!((&all[1]["saturated"], &all[1]["cpu"]), (&json!(true), &json!(0.97)));
        assert_eq!((&all[3]["cpu"], &all[3]["clock_offset_ms"]), (&Value::Null, &Value::Null));
        let fine = run.agents[0].clone();
        run.agents.splice(0..0, vec![fine; 500]);
        let some = agents(&run);
        assert_eq!(some.len(), MOST_AGENTS);
        assert!(some.iter().any(|agent| agent["state"] == "lost"));
    }
}
