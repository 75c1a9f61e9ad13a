//! Thresholds in `run.json`: a list of their own, and in `metrics` in the shape that k6 gives them.
//!
//! Pure. Invariant: the same state in both places.

use serde_json::{Map, Value, json};

use super::k6_metrics::TREND_STATS;
use crate::metrics::{MetricKind, Threshold};
use crate::metrics::{Snapshot, ThresholdStats};

/// The thresholds in the order in which they were set; `is_over` says that the run is.
pub(super) fn thresholds(snapshot: &Snapshot, is_over: bool) -> Vec<Value> {
    snapshot.thresholds.iter().map(|stats| threshold_json(stats, is_over)).collect()
}

/// One threshold; `is_over` says that the run is, so that it is known whether it was kept.
pub(crate) fn threshold_json(stats: &ThresholdStats, is_over: bool) -> Value {
    let threshold = &stats.threshold;
    json!({
        "metric": threshold.selector(),
        "threshold": threshold.expression,
        "scope": threshold.scope(),
        "comparison": threshold.comparison.as_str(),
        "limit": threshold.limit,
        "unit": threshold.quantity.unit(),
        "measured": stats.measured.map(digits),
        "margin": stats.margin().map(digits),
        "state": stats.state.as_str(),
        "ok": is_over.then(|| stats.holds()),
        "first_broken_s": stats.first_breach().map(|at| digits(at.as_secs_f64())),
        "breaches": stats.breaches,
        "aborted": stats.aborted,
    })
}

/// Adds `thresholds: {expression: {ok}}` to the metrics that they are on.
pub(super) fn attach(metrics: &mut Map<String, Value>, snapshot: &Snapshot) {
    for stats in &snapshot.thresholds {
        let threshold = &stats.threshold;
        let metric = metrics.entry(threshold.selector()).or_insert_with(|| empty(threshold, stats.kind));
        if let Some(metric) = metric.as_object_mut() {
            let thresholds = metric.entry("thresholds").or_insert_with(|| json!({}));
            thresholds[&threshold.expression] = json!({ "ok": stats.holds() });
        }
    }
}

/// A metric without data that has a threshold. As in k6, its values are 0: readers of this format compute with all of them.
/// `count` says that there is nothing, and the threshold is not ok.
fn empty(threshold: &Threshold, kind: MetricKind) -> Value {
    let names: &[&str] = match kind {
        MetricKind::Counter => &["count", "rate"],
        MetricKind::Gauge => &["value", "min", "max"],
        MetricKind::Rate => &["rate", "passes", "fails"],
        MetricKind::Trend => &TREND_STATS,
    };
    let values: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!(0))).collect();
    json!({ "type": kind.as_str(), "contains": threshold.quantity.contains(), "values": values })
}

/// Nine digits after the point are enough, and 0.1 + 0.2 is 0.3.
fn digits(value: f64) -> Value {
    let rounded = (value * 1e9).round() / 1e9;
    // Beyond the range of the rounding it is whole anyway.
    json!(if rounded.is_finite() { rounded } else { value })
}
