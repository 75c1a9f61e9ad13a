//! `run.json`: everything about a run in machine-readable form, together with all that k6's end-of-test summary has.
//!
//! Pure. Schema: `docs/run.schema.json`. Times are milliseconds with microsecond precision unless a
//! name ends in `_s`. Invariant: a time without a sample is absent or null, never 0.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::agents_json::agents;
use super::k6_summary::summary_data;
use super::thresholds_json::thresholds;
use crate::analysis::{Comparison, Finding, Verdict, findings};
use crate::metrics::Quantity;
use crate::metrics::{
    Blame, BlockedFunction, BlockedSpan, BlockingStats, CPU_LIMIT, CapacityStats, CapacityStep, CheckCount,
    EndpointStats, FailureCount, FailureKey, FailureSample, GeneratorStats, IterationStats, LATENESS_LIMIT,
    LostWorker, Mark, NotHeld, PHASES, Percentile, PhaseSpan, ResourceInfo, SampleFileStats, Saturation,
    ScenarioStats, ScriptErrorCount, Snapshot, Summary, THROTTLED_LIMIT, ms,
};
use crate::plan::{EndedBy, Machine, Origin, RunInfo, RunRecord};
use crate::text::clean_json;
use crate::text::format::round;
use crate::text::utc::utc;

/// A run as JSON.
pub fn run_json(record: &RunRecord) -> Value {
    let RunRecord { info, snapshot, .. } = record;
    let ended_by = record.ended_by.as_ref();
    let script = info.script.display().to_string();
    let mut k6 = summary_data(record);
    let mut of_k6 = |key: &str| k6.remove(key).unwrap_or_default();
    let mut json = json!({
        "rhaid": { "version": env!("CARGO_PKG_VERSION") },
        "name": info.name,
        "script": (!script.is_empty()).then_some(script),
        "started_at": utc(info.started_at),
        "load_started_at": utc(snapshot.started_at),
        "elapsed_s": round(snapshot.elapsed.as_secs_f64(), 6),
        "ended_by": ended_by.map(EndedBy::as_str),
        "ended_reason": ended_by.and_then(reason),
        "verdict": ended_by.map(|_| verdict(record)),
        "settings": settings(info),
        "machine": machine(&info.machine),
        "origin": origin(&info.origin),
        "phases": phases(snapshot),
        "thresholds": thresholds(snapshot, ended_by.is_some()),
        "metrics": of_k6("metrics"),
        "root_group": of_k6("root_group"),
        "options": of_k6("options"),
        "state": of_k6("state"),
        "total": endpoint(&snapshot.total),
        "endpoints": snapshot.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "scenarios": scenarios(info, snapshot),
        "iterations": iterations(&snapshot.iterations),
        "transactions": snapshot.transactions.iter().map(transaction).collect::<Vec<_>>(),
        "checks": snapshot.checks.iter().map(|(name, count)| check(name, *count)).collect::<Vec<_>>(),
        "failures": snapshot.failures.iter().map(|(key, group)| failure(key, group)).collect::<Vec<_>>(),
        "script_errors": snapshot.script_errors.iter().map(script_error).collect::<Vec<_>>(),
        "notes": snapshot.notes,
        "samples": snapshot.samples.iter().map(sample_file).collect::<Vec<_>>(),
        "findings": findings(record).iter().map(finding).collect::<Vec<_>>(),
        "marks": snapshot.marks.iter().map(mark).collect::<Vec<_>>(),
        "resources": snapshot.resources.info.as_deref().map(resources),
        "capacity": snapshot.capacity.as_deref().map(capacity),
        "generator": generator(snapshot),
        "interrupted_requests": snapshot.interrupted_requests,
        "series_folded": snapshot.series_folded,
        "groups_folded": snapshot.groups_folded,
        "texts_cut": snapshot.texts_cut,
        "transactions_not_ended": snapshot.not_ended.as_ref().map_or(0, |not_ended| not_ended.count),
        "files": info.files.iter().map(|(name, _)| json!({ "name": name })).collect::<Vec<_>>(),
    });
    // The macro takes no longer list.
    json["agents"] = agents(&snapshot.agents).into();
    json
}

/// The same with what changed since an earlier run.
pub fn compared_run_json(record: &RunRecord, comparison: Option<&Comparison>) -> Value {
    let mut json = run_json(record);
    if let Some(comparison) = comparison {
        json["comparison"] = comparison.json();
    }
    json
}

/// JSON as it is written: indented, with a line break at its end, without characters that a terminal acts on.
pub fn json_text(json: &Value) -> String {
    clean_json(format!("{json:#}\n"))
}

/// What every output and the exit code go by.
fn verdict(record: &RunRecord) -> Value {
    json!({
        "words": Verdict::of(record).words(),
        "passed": Verdict::passes(record),
        "reason": Verdict::reason(record),
    })
}

fn reason(ended_by: &EndedBy) -> Option<&str> {
    match ended_by {
        EndedBy::Aborted(reason)
        | EndedBy::Threshold(reason)
        | EndedBy::SetupFailed(reason)
        | EndedBy::AgentsLost(reason) => Some(reason),
        EndedBy::RunTime
        | EndedBy::Iterations
        | EndedBy::UsersGone
        | EndedBy::CapacityFound
        | EndedBy::Stopped
        | EndedBy::Signal
        | EndedBy::Unfinished => None,
    }
}

fn settings(info: &RunInfo) -> Value {
    let params: Map<String, Value> =
        info.params.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let scenarios: Vec<Value> =
        info.scenarios.iter().map(|(name, users)| json!({ "name": name, "users": users })).collect();
    json!({
        "host": info.host,
        "users": info.users,
        "spawn_rate": info.spawn_rate,
        "run_time_s": info.run_time.map(|time| time.as_secs_f64()),
        "iterations": info.iterations,
        "stop_timeout_s": info.stop_timeout.as_secs_f64(),
        "seed": info.seed,
        "threads": info.threads,
        "once": info.is_trial,
        "fails_on_errors": info.fails_on.errors,
        "fails_on_regressions": info.fails_on.regressions,
        "http_version": info.http_version,
        "scenarios": scenarios,
        "params": params,
    })
}

fn machine(machine: &Machine) -> Value {
    json!({
        "os": machine.os,
        "os_version": machine.os_version,
        "arch": machine.arch,
        "cores": machine.cores,
        "cpu": machine.cpu,
        "memory_bytes": machine.memory_bytes,
    })
}

/// Where the run was made, and of what.
fn origin(origin: &Origin) -> Value {
    json!({
        "command": (!origin.command.is_empty()).then_some(&origin.command),
        "commit": origin.commit.as_ref().map(|commit| json!({
            "hash": commit.hash,
            "branch": commit.branch,
            "has_changes": commit.has_changes,
        })),
        "label": origin.label,
        "notes": origin.notes,
        "profile": origin.profile,
    })
}

/// What the resource metrics are of.
fn resources(info: &ResourceInfo) -> Value {
    json!({
        "cores": info.cores,
        "memory_total_bytes": info.memory_total,
        "target": info.target,
        "target_is_generator": info.target_is_generator,
        "target_machine": info.target_machine.as_ref().map(|machine| json!({
            "name": machine.name,
            "cores": machine.cores,
            "memory_total_bytes": machine.memory_total,
        })),
    })
}

/// What a search for the capacity has found.
fn capacity(stats: &CapacityStats) -> Value {
    let step = |step: &CapacityStep| {
        json!({
            "rate": step.rate,
            "started_rate": round(step.started_rate, 3),
            "request_rate": round(step.request_rate, 3),
            "failed_share": step.failed_share,
            "failed_iterations_share": step.failed_iterations,
            "measured": step.measured,
            "held": step.why_not.is_none(),
            "why_not": step.why_not.map(NotHeld::as_str),
            "generator_saturated": step.generator_saturated,
            "saturated_agents": step.saturated_agents,
            "from_s": round(step.from.as_secs_f64(), 6),
            "to_s": round(step.to.as_secs_f64(), 6),
        })
    };
    json!({
        "limit": stats.limit,
        "unit": stats.quantity.map(Quantity::unit),
        "limit_value": stats.limit_value,
        "best_rate": stats.best,
        "is_at_max": stats.is_at_max,
        "is_over": stats.trying.is_none(),
        "steps": stats.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

/// How well the load generator itself kept up.
fn generator(snapshot: &Snapshot) -> Value {
    let mut json = generator_json(&snapshot.generator);
    json["blocked"] = blocked(&snapshot.blocking);
    json["lost_workers"] = snapshot.blocking.lost_workers.iter().map(lost_worker).collect();
    json["standstills"] = snapshot.blocking.standstills.iter().map(standstill).collect();
    json
}

/// What one process says of itself.
pub(super) fn generator_json(stats: &GeneratorStats) -> Value {
    let cause = |cause: Saturation| match cause {
        Saturation::Cpu { share, seconds } => {
            json!({ "what": "cpu", "value": round(share, 4), "limit": CPU_LIMIT, "seconds": seconds })
        }
        Saturation::Worker { share, seconds } => {
            json!({ "what": "worker", "value": round(share, 4), "limit": CPU_LIMIT, "seconds": seconds })
        }
        Saturation::Throttled { periods, of } => {
            json!({ "what": "quota", "value": round(periods as f64 / of as f64, 4), "limit": THROTTLED_LIMIT })
        }
        Saturation::Late { percentile, us } => {
            let limit_us = LATENESS_LIMIT.as_micros() as u64;
            let percentile = percentile.name();
            json!({ "what": "lateness", "value": ms(us), "limit": ms(limit_us), "percentile": percentile })
        }
    };
    let share = |share: Option<f64>| share.map(|share| round(share, 4));
    json!({
        "saturated": stats.saturated(),
        "causes": stats.causes().into_iter().map(cause).collect::<Vec<_>>(),
        "blame": stats.blame().map(Blame::as_str),
        "cores": whole(stats.cores),
        "machine_cpu": share(stats.machine.map(|machine| machine.busy)),
        "quota_periods": stats.periods.map(|(periods, _)| periods),
        "quota_throttled": stats.periods.map(|(_, throttled)| throttled),
        "threads": stats.threads,
        "cpu": share(stats.cpu),
        "cpu_max": share(stats.cpu_max),
        "busiest_worker": share(stats.busiest_worker),
        "lateness_ms": latency(stats.lateness),
        "seconds": stats.seconds,
        "saturated_seconds": stats.saturated_seconds,
    })
}

fn blocked(stats: &BlockingStats) -> Value {
    let function = |one: &BlockedFunction| {
        json!({
            "function": one.function,
            "count": one.count,
            "longest_ms": ms(one.longest.as_micros() as u64),
            "agent": one.agent,
            "worker": one.worker,
            "vu": one.vu,
            "at_s": round(one.at.as_secs_f64(), 3),
        })
    };
    json!({
        "count": stats.count,
        "longest_ms": ms(stats.longest.as_micros() as u64),
        "functions": stats.functions.iter().map(function).collect::<Vec<_>>(),
    })
}

fn lost_worker(lost: &LostWorker) -> Value {
    json!({
        "worker": lost.worker,
        "silent_for_s": round(lost.silent_for.as_secs_f64(), 3),
        "vu": lost.vu,
        "function": lost.function,
    })
}

fn standstill(span: &BlockedSpan) -> Value {
    json!({
        "agent": span.agent,
        "at_s": round(span.at.as_secs_f64(), 3),
        "length_s": round(span.length.as_secs_f64(), 3),
    })
}

/// A number that is mostly whole, without a point then.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 { json!(value as u64) } else { json!(round(value, 3)) }
}

/// The phases and stages of the load, to the moment.
fn phases(snapshot: &Snapshot) -> Vec<Value> {
    let seconds = |time: Duration| round(time.as_secs_f64(), 6);
    let span = |span: &PhaseSpan| {
        json!({
            "name": span.phase.as_str(),
            "stage": span.stage.as_deref(),
            "from_s": seconds(span.from),
            "to_s": seconds(span.to.unwrap_or(snapshot.elapsed)),
        })
    };
    snapshot.spans.iter().map(span).collect()
}

/// Iterations by what became of them; `planned` is null where none is ever due.
fn iterations(stats: &IterationStats) -> Value {
    json!({
        "planned": stats.planned,
        "started": stats.started,
        "completed": stats.completed,
        "failed": stats.failed,
        "interrupted": stats.interrupted,
        "dropped": stats.dropped,
        "duration_ms": latency(stats.duration),
        "lag_ms": latency(stats.lag),
        "resp_time_ms": latency(stats.response),
    })
}

fn sample_file(file: &SampleFileStats) -> Value {
    json!({ "name": file.name, "written": file.written, "lost": file.lost, "problem": file.problem })
}

/// Figures of endpoints as `run.json` has them.
pub fn endpoints_json(endpoints: &[EndpointStats]) -> Value {
    Value::Array(endpoints.iter().map(endpoint).collect())
}

fn endpoint(stats: &EndpointStats) -> Value {
    let phases: Map<String, Value> =
        PHASES.iter().zip(stats.phase_us).map(|(phase, us)| (phase.to_string(), json!(ms(us)))).collect();
    let statuses: Map<String, Value> =
        stats.statuses.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
    json!({
        "method": &*stats.method,
        "name": &*stats.name,
        "requests": stats.requests,
        "failures": stats.failures,
        "failed_share": stats.failed_share(),
        "rate": round(stats.rate, 6),
        "latency_ms": latency(stats.ok),
        "failed_latency_ms": latency(stats.failed),
        "resp_time_ms": latency(stats.response),
        "phase_ms_sum": phases,
        "bytes_sent": stats.bytes_sent,
        "bytes_received": stats.bytes_received,
        "statuses": statuses,
    })
}

/// All figures of a latency, null without a value.
fn latency(summary: Option<Summary>) -> Value {
    let Some(summary) = summary else { return Value::Null };
    let mut values = Map::new();
    values.insert("count".to_owned(), json!(summary.count));
    values.insert("min".to_owned(), json!(ms(summary.min_us)));
    values.insert("mean".to_owned(), json!(mean_ms(&summary)));
    for (percentile, us) in Percentile::ALL.iter().zip(summary.percentiles_us) {
        values.insert(percentile.name().to_owned(), json!(ms(us)));
    }
    Value::Object(values)
}

fn finding(finding: &Finding) -> Value {
    let seconds = |time: Duration| round(time.as_secs_f64(), 3);
    json!({
        "kind": finding.kind,
        "from_s": finding.at.map(seconds),
        "to_s": finding.until.map(seconds),
        "text": finding.text,
    })
}

fn mark(mark: &Mark) -> Value {
    json!({ "at_s": round(mark.at.as_secs_f64(), 6), "text": mark.text })
}

fn transaction(stats: &EndpointStats) -> Value {
    json!({
        "name": &*stats.name,
        "count": stats.requests,
        "failures": stats.failures,
        "failed_share": stats.failed_share(),
        "rate": round(stats.rate, 6),
        "latency_ms": latency(stats.ok),
        "failed_latency_ms": latency(stats.failed),
    })
}

fn check(name: &str, count: CheckCount) -> Value {
    json!({ "name": name, "passes": count.passes, "fails": count.fails })
}

fn failure(key: &FailureKey, group: &FailureCount) -> Value {
    json!({
        "method": &*key.method,
        "name": &*key.name,
        "kind": key.kind,
        "status": key.status,
        "count": group.count,
        "first_seen": utc(group.first_seen),
        "last_seen": utc(group.last_seen),
        "messages": group.messages,
        "samples": group.samples.iter().map(failure_sample).collect::<Vec<_>>(),
    })
}

fn failure_sample(sample: &FailureSample) -> Value {
    json!({
        "seen": utc(sample.seen),
        "url": sample.url,
        "message": sample.message,
        "body": sample.body,
        "body_bytes": sample.body_bytes,
    })
}

fn script_error(group: &ScriptErrorCount) -> Value {
    json!({
        "message": group.first.message,
        "position": group.first.position,
        "trace": group.first.trace,
        "count": group.count,
        "first_seen": utc(group.first_seen),
        "last_seen": utc(group.last_seen),
    })
}

/// Planned scenarios in their order; one that never ran has null figures.
fn scenarios(info: &RunInfo, snapshot: &Snapshot) -> Vec<Value> {
    let ran = |name: &str| snapshot.scenarios.iter().find(|scenario| &*scenario.name == name);
    let unplanned = snapshot
        .scenarios
        .iter()
        .filter(|scenario| !info.scenarios.iter().any(|(name, _)| **name == *scenario.name));
    let planned = info.scenarios.iter().zip(&info.executors);
    let mut rows: Vec<Value> = planned
        .map(|((name, users), executor)| scenario(name, Some((*users, executor)), ran(name)))
        .collect();
    rows.extend(unplanned.map(|stats| scenario(&stats.name, None, Some(stats))));
    rows
}

fn scenario(name: &str, planned: Option<(u64, &str)>, stats: Option<&ScenarioStats>) -> Value {
    let requests = stats.map(|stats| &stats.requests);
    json!({
        "name": name,
        "executor": planned.map(|(_, executor)| executor),
        "users": planned.map(|(users, _)| users),
        "iterations": stats.map_or(0, |stats| stats.iterations.ended()),
        "iteration_stats": iterations(&stats.map_or_else(IterationStats::default, |stats| stats.iterations)),
        "requests": requests.map_or(0, |requests| requests.requests),
        "failures": requests.map_or(0, |requests| requests.failures),
        "failed_share": requests.and_then(|requests| requests.failed_share()),
        "latency_ms": latency(requests.and_then(|requests| requests.ok)),
        "resp_time_ms": latency(requests.and_then(|requests| requests.response)),
    })
}

pub(super) fn mean_ms(summary: &Summary) -> f64 {
    round(summary.mean_us / 1_000.0, 3)
}
