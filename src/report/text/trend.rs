//! Many runs of a test in a terminal: one row per run, and sparklines of the key figures.

use super::look::{Look, Mark};
use super::sparkline::sparkline;
use super::table::{Row, Table};
use crate::analysis::TrendPoint;
use crate::text::clean_line;
use crate::text::format;

/// The runs as lines, oldest first.
pub fn trend_table(name: &str, points: &[&TrendPoint], look: Look) -> Vec<String> {
    let runs = if points.len() == 1 { "run" } else { "runs" };
    let mut lines = vec![format!(" {}: {} {runs}", clean_line(name), points.len())];
    let rows = points.iter().enumerate().map(|(index, point)| row(index, point, look)).collect();
    let headers = ["started (UTC)", "users", "reqs", "failed", "rate/s", "p50", "p95", "p99"];
    lines.extend(Table::new(&headers, rows).render(look));
    if points.len() > 1 {
        let rates: Vec<Option<f64>> = points.iter().map(|point| Some(point.rate)).collect();
        let p95: Vec<Option<f64>> =
            points.iter().map(|point| point.latency_ms.map(|[_, p95, _]| p95)).collect();
        lines.push(format!("   rate {}  p95 {}", sparkline(&rates, look), sparkline(&p95, look)));
    }
    lines
}

fn row(index: usize, point: &TrendPoint, look: Look) -> Row {
    let mark = match point.passed {
        Some(true) => Mark::Pass,
        Some(false) => Mark::Fail,
        None => Mark::Blank,
    };
    let dash = || "-".to_owned();
    let latency = |index: usize| {
        let us = point.latency_ms.map(|latency| (latency[index] * 1e3).round() as u64);
        look.latency_or_dash(us)
    };
    let cells = vec![
        point.users.map_or_else(dash, format::count),
        format::count(point.requests),
        point.failed_share.map_or_else(dash, |share| format!("{} %", format::percent(share))),
        format::rate(point.rate),
        latency(0),
        latency(1),
        latency(2),
    ];
    // What the first one differs in from a run that is not shown says nothing here.
    let notes = point.unlike.iter().skip(if index == 0 { usize::MAX } else { 0 });
    let notes = notes.map(|change| format!("changed: {}", clean_line(change))).collect();
    Row { mark, name: clean_line(&point.started_at), cells, notes }
}
