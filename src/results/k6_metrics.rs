//! `metrics` of `run.json`: the figures of a run in the shape of k6's end-of-test summary.
//!
//! Pure. Each metric is `{type, contains, values}`, submetrics are named `name{tag:value}`. Invariant: a metric without
//! data is left out, never 0.

use serde_json::{Map, Value, json};

use super::run_json::mean_ms;
use super::thresholds_json::{attach, contains};
use crate::metrics::{
    CheckCount, CustomFigures, CustomStats, EndpointStats, GaugeStats, PHASES, ResourceUnit, Snapshot,
    SubmetricFigures, SubmetricStats, Summary, ms,
};
use crate::text::format::round;

/// All metrics of a run.
pub(super) fn metrics(snapshot: &Snapshot) -> Value {
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
/// A number of a script: whole ones without a decimal point.
fn number(value: f64) -> Value {
    // Beyond 2^53 not every whole number is a float.
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}
