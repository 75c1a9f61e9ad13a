//! The seconds of a run as JSON rows, for programs that follow it.

use serde_json::{Value, json};

use crate::metrics::{HistoryPoint, Percentile, ms};
use crate::plan::RunRecord;
use crate::text::format::round;

const COLUMNS: [&str; 13] = [
    "at_s",
    "length_s",
    "phase",
    "stage",
    "users",
    "users_target",
    "in_flight",
    "requests",
    "failures",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
];

/// The rows from number `since` on; `next` is what to ask for the next time.
pub(super) fn history(record: &RunRecord, since: usize) -> Value {
    let history = &record.snapshot.history;
    let rows: Vec<Value> = history.since(since).iter().map(|point| row(point)).collect();
    json!({ "columns": COLUMNS, "rows": rows, "next": history.len() })
}

fn row(point: &HistoryPoint) -> Value {
    let percentile = |of| point.total.ok.map(|ok| ms(ok.percentile_us(of)));
    json!([
        round(point.at.as_secs_f64(), 3),
        round(point.length.as_secs_f64(), 3),
        point.phase.as_str(),
        point.stage,
        point.users,
        point.users_target,
        point.in_flight,
        point.total.requests,
        point.total.failures,
        percentile(Percentile::P50),
        percentile(Percentile::P95),
        percentile(Percentile::P99),
        percentile(Percentile::P100),
    ])
}
