//! `metrics` of `run.json`: the figures of a run in the shape of k6's end-of-test summary.
//!
//! Pure. Each metric is `{type, contains, values}`, submetrics are named `name{tag:value}`. Invariant: a metric without
//! data is left out, never 0.

use serde_json::{Map, Value, json};

use super::run_json::mean_ms;
use super::thresholds_json::attach;
use crate::metrics::builtin::{self, IterationFigure, RequestFigure};
use crate::metrics::{
    CustomFigures, EndpointStats, METRICS, MetricKind, Percentile, Protocol, Quantity, Snapshot,
    SubmetricFigures, Summary, iteration_figures, ms, request_figures,
};
use crate::text::format::round;

/// The statistics that every metric of the kind trend has.
pub(super) const TREND_STATS: [&str; 8] = ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "count"];

/// All metrics of a run.
pub(super) fn metrics(snapshot: &Snapshot) -> Value {
    let mut metrics = Metrics { snapshot, all: Map::new() };
    for metric in &METRICS {
        metrics.insert(metric.name.to_owned(), metric.quantity(), metric.figures(snapshot));
    }
    let http = snapshot.protocol(Protocol::Http);
    for (expected, times) in [(true, http.ok), (false, http.failed)] {
        let name = format!("http_req_duration{{expected_response:{expected}}}");
        metrics.insert(name, Quantity::Time, times.map(SubmetricFigures::Times));
    }
    for stats in &snapshot.transactions {
        metrics.requests("transaction", &format!("{{name:{}}}", stats.name), stats);
    }
    for stats in &snapshot.endpoints {
        let prefix = match stats.protocol {
            Protocol::WebSocket => "ws_req",
            Protocol::Call => "call",
            _ => "http_req",
        };
        metrics.requests(prefix, &format!("{{name:{},method:{}}}", stats.name, stats.method), stats);
    }
    metrics.scenarios();
    for tag in &snapshot.tags {
        metrics.requests("http_req", &format!("{{{}:{}}}", tag.key, tag.value), &tag.requests);
    }
    for stats in &snapshot.custom {
        let name = match &stats.tag {
            Some((key, value)) => format!("{}{{{key}:{value}}}", stats.name),
            None => stats.name.to_string(),
        };
        let quantity = if stats.is_time { Quantity::Time } else { Quantity::Number };
        metrics.insert(name, quantity, Some(SubmetricFigures::Values(stats.figures)));
    }
    for stats in &snapshot.submetrics {
        metrics.insert(stats.selector.clone(), stats.quantity, Some(stats.figures));
    }
    attach(&mut metrics.all, snapshot);
    Value::Object(metrics.all)
}

/// Metrics in the shape of k6: `{type, contains, values}`. What came first keeps its name, so that a
/// script's own tag cannot replace a figure of the engine.
struct Metrics<'a> {
    snapshot: &'a Snapshot,
    all: Map<String, Value>,
}

impl Metrics<'_> {
    /// Number, failures and durations of some requests.
    fn requests(&mut self, prefix: &str, tags: &str, stats: &EndpointStats) {
        for (name, figure) in [
            (format!("{prefix}s"), RequestFigure::Count),
            (format!("{prefix}_failed"), RequestFigure::Failed),
            (format!("{prefix}_duration"), RequestFigure::Duration),
        ] {
            // Calls count as requests of their own; their durations have no `req` in the name.
            let name = if name == "calls" { "call_reqs".to_owned() } else { name };
            let Some(metric) = builtin::named(&name) else { continue };
            let figures = request_figures(figure, stats, self.snapshot);
            self.insert(format!("{name}{tags}"), metric.quantity(), figures);
        }
    }

    fn scenarios(&mut self) {
        // One scenario is the whole run: its submetrics would repeat every figure.
        if self.snapshot.scenarios.len() < 2 {
            return;
        }
        for scenario in &self.snapshot.scenarios {
            let tag = format!("{{scenario:{}}}", scenario.name);
            self.requests("http_req", &tag, &scenario.requests);
            for (name, figure) in [
                ("iterations", IterationFigure::Count),
                ("iteration_duration", IterationFigure::Duration),
                ("iteration_lag", IterationFigure::Lag),
                ("dropped_iterations", IterationFigure::Dropped),
            ] {
                let Some(metric) = builtin::named(name) else { continue };
                let figures = iteration_figures(figure, &scenario.iterations, self.snapshot);
                self.insert(format!("{name}{tag}"), metric.quantity(), figures);
            }
        }
    }

    fn insert(&mut self, name: String, quantity: Quantity, figures: Option<SubmetricFigures>) {
        let (kind, values) = match figures {
            None => return,
            Some(SubmetricFigures::Times(summary)) => (MetricKind::Trend, times(&summary)),
            Some(SubmetricFigures::Values(figures)) => values(figures),
        };
        // k6's words for a share are those for a number.
        self.all.entry(name).or_insert_with(
            || json!({ "type": kind.as_str(), "contains": quantity.contains(), "values": values }),
        );
    }
}

fn times(summary: &Summary) -> Value {
    let at = |percentile| ms(summary.percentile_us(percentile));
    json!({
        "avg": mean_ms(summary),
        "min": ms(summary.min_us),
        "med": at(Percentile::P50),
        "max": ms(summary.max_us),
        "p(90)": at(Percentile::P90),
        "p(95)": at(Percentile::P95),
        "p(99)": at(Percentile::P99),
        "p(99.9)": at(Percentile::P99_9),
        "count": summary.count,
    })
}

fn values(figures: CustomFigures) -> (MetricKind, Value) {
    match figures {
        CustomFigures::Counter { count, rate } => {
            (MetricKind::Counter, json!({ "count": number(count), "rate": round(rate, 6) }))
        }
        CustomFigures::Gauge { value, avg: None, min, max } => {
            (MetricKind::Gauge, json!({ "value": number(value), "min": number(min), "max": number(max) }))
        }
        CustomFigures::Gauge { value, avg: Some(avg), min, max } => {
            let [value, avg, min, max] = [value, avg, min, max].map(|value| round(value, 2));
            (MetricKind::Gauge, json!({ "value": value, "avg": avg, "min": min, "max": max }))
        }
        CustomFigures::Rate { passes, fails } => {
            // Those that a threshold selects may be none; k6 writes 0 for them.
            let rate = passes as f64 / (passes + fails).max(1) as f64;
            (MetricKind::Rate, json!({ "rate": rate, "passes": passes, "fails": fails }))
        }
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
            (MetricKind::Trend, values)
        }
    }
}

/// A number of a script: whole ones without a decimal point.
fn number(value: f64) -> Value {
    // Beyond 2^53 not every whole number is a float.
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_a_number() {
        let (_, none) = values(CustomFigures::Rate { passes: 0, fails: 0 });
        assert_eq!(none, json!({ "rate": 0.0, "passes": 0, "fails": 0 }));
        let (_, most) = values(CustomFigures::Counter { count: 1e300, rate: 0.1 + 0.2 });
        assert_eq!(most, json!({ "count": 1e300, "rate": 0.3 }));
    }
}
