//! `run.json`: everything about a run for programs, with `metrics` as k6's end-of-test summary has them.
//!
//! Pure. Schema: `docs/run.schema.json`. Times are milliseconds with microsecond precision unless a
//! name ends in `_s`. Invariant: a time without a sample is absent or null, never 0.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::compare::Comparison;
use super::thresholds_json::{attach, contains, thresholds};
use super::utc::utc;
use crate::metrics::{
    CPU_LIMIT, CapacityStats, CapacityStep, CheckCount, CustomFigures, CustomStats, EndpointStats,
    FailureCount, FailureKey, FailureSample, GaugeStats, GeneratorStats, IterationStats, LATENESS_LIMIT,
    Mark, NotHeld, PERCENTILES, PHASES, PhaseSpan, ResourceInfo, ResourceUnit, SampleFileStats, Saturation,
    ScenarioStats, ScriptErrorCount, Snapshot, SubmetricFigures, SubmetricStats, Summary, ms,
};
use crate::plan::{EndedBy, Machine, Origin, Quantity, RunInfo};
use crate::report::{Finding, findings};

/// A run as JSON; `ended_by` is `None` while it goes on.
pub fn run_json(info: &RunInfo, ended_by: Option<&EndedBy>, snapshot: &Snapshot) -> Value {
    let script = info.script.display().to_string();
    json!({
        "rhaid": { "version": env!("CARGO_PKG_VERSION") },
        "name": info.name,
        "script": (!script.is_empty()).then_some(script),
        "started_at": utc(info.started_at),
        "load_started_at": utc(snapshot.started_at),
        "elapsed_s": round(snapshot.elapsed.as_secs_f64(), 6),
        "ended_by": ended_by.map(EndedBy::as_str),
        "ended_reason": ended_by.and_then(reason),
        "settings": settings(info),
        "machine": machine(&info.machine),
        "origin": origin(&info.origin),
        "phases": phases(snapshot),
        "thresholds": thresholds(snapshot, ended_by.is_some()),
        "metrics": metrics(snapshot),
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
        "findings": findings(info, ended_by, snapshot).iter().map(finding).collect::<Vec<_>>(),
        "marks": snapshot.marks.iter().map(mark).collect::<Vec<_>>(),
        "resources": snapshot.resources.info.as_deref().map(resources),
        "capacity": snapshot.capacity.as_deref().map(capacity),
        "generator": generator(&snapshot.generator),
        "interrupted_requests": snapshot.interrupted_requests,
        "series_folded": snapshot.series_folded,
        "files": info.files.iter().map(|(name, _)| json!({ "name": name })).collect::<Vec<_>>(),
    })
}

/// The same with what changed since an earlier run.
pub fn compared_run_json(
    info: &RunInfo,
    ended_by: Option<&EndedBy>,
    snapshot: &Snapshot,
    comparison: Option<&Comparison>,
) -> Value {
    let mut json = run_json(info, ended_by, snapshot);
    if let Some(comparison) = comparison {
        json["comparison"] = comparison.json();
    }
    json
}

fn reason(ended_by: &EndedBy) -> Option<&str> {
    match ended_by {
        EndedBy::Aborted(reason) | EndedBy::Threshold(reason) | EndedBy::SetupFailed(reason) => Some(reason),
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
            "measured": step.measured,
            "held": step.why_not.is_none(),
            "why_not": step.why_not.map(NotHeld::as_str),
            "generator_saturated": step.generator_saturated,
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
fn generator(stats: &GeneratorStats) -> Value {
    let cause = |cause: Saturation| match cause {
        Saturation::Cpu { share, seconds } => {
            json!({ "what": "cpu", "value": round(share, 4), "limit": CPU_LIMIT, "seconds": seconds })
        }
        Saturation::Worker { share, seconds } => {
            json!({ "what": "worker", "value": round(share, 4), "limit": CPU_LIMIT, "seconds": seconds })
        }
        Saturation::Late { p99_us } => {
            let limit_us = LATENESS_LIMIT.as_micros() as u64;
            json!({ "what": "lateness", "value": ms(p99_us), "limit": ms(limit_us) })
        }
    };
    let share = |share: Option<f64>| share.map(|share| round(share, 4));
    json!({
        "saturated": stats.saturated(),
        "causes": stats.causes().into_iter().map(cause).collect::<Vec<_>>(),
        "cores": stats.cores,
        "threads": stats.threads,
        "cpu": share(stats.cpu),
        "cpu_max": share(stats.cpu_max),
        "busiest_worker": share(stats.busiest_worker),
        "lateness_ms": latency(stats.lateness),
        "seconds": stats.seconds,
        "saturated_seconds": stats.saturated_seconds,
    })
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

fn metrics(snapshot: &Snapshot) -> Value {
    let mut metrics = Metrics::default();
    let elapsed_s = snapshot.elapsed.as_secs_f64();
    metrics.requests("", &snapshot.total);
    metrics.trend("http_req_duration{expected_response:true}", snapshot.total.ok);
    metrics.trend("http_req_duration{expected_response:false}", snapshot.total.failed);
    metrics.trend("http_resp_time", snapshot.total.response);
    for (phase, summary) in PHASES.iter().zip(snapshot.phases) {
        metrics.trend(&format!("http_req_{phase}"), summary);
    }
    metrics.counter("data_sent", "data", snapshot.total.bytes_sent, elapsed_s);
    metrics.counter("data_received", "data", snapshot.total.bytes_received, elapsed_s);
    metrics.counter("iterations", "default", snapshot.iterations.ended(), elapsed_s);
    metrics.trend("iteration_duration", snapshot.iterations.duration);
    metrics.trend("iteration_lag", snapshot.iterations.lag);
    metrics.trend("iteration_resp_time", snapshot.iterations.response);
    // Where iterations start when a user is free, none can be dropped.
    if snapshot.iterations.planned.is_some() {
        metrics.counter("dropped_iterations", "default", snapshot.iterations.dropped, elapsed_s);
    }
    let sum = |count: fn(&CheckCount) -> u64| snapshot.checks.iter().map(|(_, c)| count(c)).sum::<u64>();
    metrics.rate("checks", sum(|c| c.passes), sum(|c| c.fails));
    let script_errors = snapshot.script_errors.iter().map(|group| group.count).sum();
    metrics.counter("script_errors", "default", script_errors, elapsed_s);
    let fewest = snapshot.history.since(0).iter().map(|point| point.users).min();
    metrics.gauge("vus", snapshot.users, fewest.unwrap_or(snapshot.users), snapshot.users_max);
    metrics.gauge("vus_max", snapshot.users_max, snapshot.users_max, snapshot.users_max);
    if let Some(total) = &snapshot.transaction_total {
        metrics.transactions("", total);
    }
    for stats in &snapshot.transactions {
        metrics.transactions(&format!("{{name:{}}}", stats.name), stats);
    }
    submetrics(&mut metrics, snapshot, elapsed_s);
    for stats in &snapshot.custom {
        metrics.custom(stats);
    }
    for stats in &snapshot.resources.stats {
        metrics.resource(stats);
    }
    for stats in &snapshot.submetrics {
        metrics.submetric(stats);
    }
    attach(&mut metrics.0, snapshot);
    Value::Object(metrics.0)
}

fn submetrics(metrics: &mut Metrics, snapshot: &Snapshot, elapsed_s: f64) {
    for stats in &snapshot.endpoints {
        metrics.requests(&format!("{{name:{},method:{}}}", stats.name, stats.method), stats);
    }
    // One scenario is the whole run: its submetrics would repeat every figure.
    if snapshot.scenarios.len() > 1 {
        for scenario in &snapshot.scenarios {
            let tag = format!("{{scenario:{}}}", scenario.name);
            metrics.requests(&tag, &scenario.requests);
            let iterations = &scenario.iterations;
            metrics.counter(&format!("iterations{tag}"), "default", iterations.ended(), elapsed_s);
            metrics.trend(&format!("iteration_duration{tag}"), iterations.duration);
            metrics.trend(&format!("iteration_lag{tag}"), iterations.lag);
            if iterations.planned.is_some() {
                metrics.counter(
                    &format!("dropped_iterations{tag}"),
                    "default",
                    iterations.dropped,
                    elapsed_s,
                );
            }
        }
    }
    for tag in &snapshot.tags {
        metrics.requests(&format!("{{{}:{}}}", tag.key, tag.value), &tag.requests);
    }
}

/// Metrics in the shape of k6: `{type, contains, values}`. What came first keeps its name, so that a
/// script's own tag cannot replace a figure of the engine.
#[derive(Default)]
struct Metrics(Map<String, Value>);

impl Metrics {
    fn requests(&mut self, tags: &str, stats: &EndpointStats) {
        self.insert(
            format!("http_reqs{tags}"),
            "counter",
            "default",
            json!({ "count": stats.requests, "rate": round(stats.rate, 6) }),
        );
        // k6's words: a pass of this rate is a request for which "failed" is true.
        self.rate(&format!("http_req_failed{tags}"), stats.failures, stats.requests - stats.failures);
        self.trend(&format!("http_req_duration{tags}"), stats.ok);
    }

    /// As requests, under names of their own: a transaction is not a request.
    fn transactions(&mut self, tags: &str, stats: &EndpointStats) {
        let values = json!({ "count": stats.requests, "rate": round(stats.rate, 6) });
        self.insert(format!("transactions{tags}"), "counter", "default", values);
        self.rate(&format!("transaction_failed{tags}"), stats.failures, stats.requests - stats.failures);
        self.trend(&format!("transaction_duration{tags}"), stats.ok);
    }

    fn submetric(&mut self, stats: &SubmetricStats) {
        match stats.figures {
            SubmetricFigures::Times(summary) => self.trend(&stats.selector, Some(summary)),
            SubmetricFigures::Values(figures) => {
                self.figures(stats.selector.clone(), contains(stats.quantity), figures);
            }
        }
    }

    fn custom(&mut self, stats: &CustomStats) {
        let name = match &stats.tag {
            Some((key, value)) => format!("{}{{{key}:{value}}}", stats.name),
            None => stats.name.to_string(),
        };
        self.figures(name, if stats.is_time { "time" } else { "default" }, stats.figures);
    }

    fn figures(&mut self, name: String, contains: &str, figures: CustomFigures) {
        match figures {
            CustomFigures::Counter { count, rate } => {
                let values = json!({ "count": number(count), "rate": round(rate, 6) });
                self.insert(name, "counter", contains, values);
            }
            CustomFigures::Gauge { value, min, max } => {
                let values = json!({ "value": number(value), "min": number(min), "max": number(max) });
                self.insert(name, "gauge", contains, values);
            }
            CustomFigures::Rate { passes, fails } => self.rate(&name, passes, fails),
            CustomFigures::Trend(trend) => {
                let values = json!({
                    "avg": number(trend.avg),
                    "min": number(trend.min),
                    "med": number(trend.med),
                    "max": number(trend.max),
                    "p(90)": number(trend.p90),
                    "p(95)": number(trend.p95),
                    "p(99)": number(trend.p99),
                    "count": trend.count,
                });
                self.insert(name, "trend", contains, values);
            }
        }
    }

    fn trend(&mut self, name: &str, summary: Option<Summary>) {
        let Some(summary) = summary else { return };
        let at = |percentile| ms(summary.percentile_us(percentile));
        let values = json!({
            "avg": mean_ms(&summary),
            "min": ms(summary.min_us),
            "med": at(50.0),
            "max": ms(summary.max_us),
            "p(90)": at(90.0),
            "p(95)": at(95.0),
            "p(99)": at(99.0),
            "p(99.9)": at(99.9),
            "count": summary.count,
        });
        self.insert(name.to_owned(), "trend", "time", values);
    }

    fn counter(&mut self, name: &str, contains: &str, count: u64, elapsed_s: f64) {
        let rate = if elapsed_s > 0.0 { round(count as f64 / elapsed_s, 6) } else { 0.0 };
        self.insert(name.to_owned(), "counter", contains, json!({ "count": count, "rate": rate }));
    }

    /// A share; left out without a value, because no share is as wrong as 0 or 100 %.
    fn rate(&mut self, name: &str, passes: u64, fails: u64) {
        let all = passes + fails;
        if all > 0 {
            let rate = passes as f64 / all as f64;
            let values = json!({ "rate": rate, "passes": passes, "fails": fails });
            self.insert(name.to_owned(), "rate", "default", values);
        }
    }

    fn gauge(&mut self, name: &str, value: u64, min: u64, max: u64) {
        let values = json!({ "value": value, "min": min, "max": max });
        self.insert(name.to_owned(), "gauge", "default", values);
    }

    fn resource(&mut self, stats: &GaugeStats) {
        let contains = match stats.metric.unit {
            ResourceUnit::Percent => "percent",
            // k6 has one word for both.
            ResourceUnit::Bytes | ResourceUnit::BytesPerSecond => "data",
            ResourceUnit::Count => "default",
        };
        let [value, avg, min, max] = [stats.last, stats.avg, stats.min, stats.max].map(|v| round(v, 2));
        let values = json!({ "value": value, "avg": avg, "min": min, "max": max });
        self.insert(stats.metric.name.to_owned(), "gauge", contains, values);
    }

    fn insert(&mut self, name: String, kind: &str, contains: &str, values: Value) {
        self.0.entry(name).or_insert_with(|| json!({ "type": kind, "contains": contains, "values": values }));
    }
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
    for (percentile, us) in PERCENTILES.iter().zip(summary.percentiles_us) {
        values.insert(format!("p{percentile}"), json!(ms(us)));
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
        "failed_share": requests.and_then(EndpointStats::failed_share),
        "latency_ms": latency(requests.and_then(|requests| requests.ok)),
        "resp_time_ms": latency(requests.and_then(|requests| requests.response)),
    })
}

/// A number of a script: whole ones without a decimal point.
fn number(value: f64) -> Value {
    // Beyond 2^53 not every whole number is a float.
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

fn mean_ms(summary: &Summary) -> f64 {
    round(summary.mean_us / 1_000.0, 3)
}

/// Rounded to so many decimals, so that 0.1 + 0.2 is written as 0.3.
pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}
