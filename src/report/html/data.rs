//! The data behind the charts: as tables for readers who cannot see the drawings, and as JSON
//! for the script and for downloads.

use maud::{Markup, Render, html};
use serde_json::{Value, json};

use super::table::{Table, or_dash};
use super::{data_of_charts, data_script, section, user};
use crate::credentials::masked;
use crate::metrics::{EndpointStats, Percentile, Summary, ms};
use crate::report::model::{Bucket, Model, Timeline};
use crate::text::utc::utc;
use crate::text::{format, format_clock};

/// A column that is shown when it has data: its name, its value, and how that is written.
type Optional = (&'static str, fn(&Bucket) -> Option<f64>, fn(f64) -> String);

/// What the charts draw of the baseline.
const OF_BASELINE: [Optional; 2] = [
    ("Baseline all/s", |b| Some(b.ok_rate()? + b.failed_rate()?), format::rate),
    ("Baseline p95", |b| b.ok.percentile_us(95.0).map(|us| us as f64), |v| format::latency(v as u64)),
];

/// The values of all charts over time.
pub(super) fn timeline_table(model: &Model<'_>) -> Markup {
    let timeline = &model.timeline;
    let optional: [Optional; 8] = [
        ("Iterations due/s", Bucket::due_rate, format::rate),
        ("Target CPU %", |b| b.resources.target_cpu, |v| format!("{v:.0}")),
        ("Target memory", |b| b.resources.target_memory, size),
        ("Machine CPU %", |b| b.resources.system_cpu, |v| format!("{v:.0}")),
        ("Received/s", |b| b.resources.net_received, size),
        ("Sent/s", |b| b.resources.net_sent, size),
        ("Generator CPU %", |b| b.resources.generator_cpu, |v| format!("{v:.0}")),
        ("Start delay p99", |b| b.lag.percentile_us(99.0).map(|us| us as f64), |v| format::latency(v as u64)),
    ];
    // A baseline of another length may have seconds of another width, which have no row here.
    let baseline = model.baseline.as_ref().map(|baseline| &baseline.timeline);
    let beside = baseline.filter(|baseline| baseline.width_s == timeline.width_s);
    let below = baseline.filter(|baseline| baseline.width_s != timeline.width_s);
    let caption = format!("The run in {} s steps", timeline.width_s);
    let latency = |bucket: &Bucket, percentile| or_dash(bucket.ok.percentile_us(percentile), format::latency);
    let rows = timeline
        .buckets
        .iter()
        .enumerate()
        .map(|(index, bucket)| (bucket, beside.and_then(|beside| beside.buckets.get(index))));
    let mut table = Table::new("timeline-table", &caption, rows)
        .text("From", |(bucket, _)| clock(bucket))
        .figures("Users", |(bucket, _)| or_dash(bucket.users, format::count))
        .figures("Planned", |(bucket, _)| or_dash(bucket.users_target, format::count))
        .figures("OK/s", |(bucket, _)| or_dash(bucket.ok_rate(), format::rate))
        .figures("Failed/s", |(bucket, _)| or_dash(bucket.failed_rate(), format::rate))
        .figures("p50", |(bucket, _)| latency(bucket, 50.0))
        .figures("p95", |(bucket, _)| latency(bucket, 95.0))
        .figures("p99", |(bucket, _)| latency(bucket, 99.0))
        .figures("Max", |(bucket, _)| latency(bucket, 100.0))
        .figures("In flight", |(bucket, _)| or_dash(bucket.in_flight, format::count));
    for (name, value, show) in optional {
        if timeline.buckets.iter().any(|bucket| value(bucket).is_some()) {
            table = table.figures(name, |(bucket, _)| or_dash(value(bucket), show));
        }
    }
    if beside.is_some() {
        for (name, value, show) in OF_BASELINE {
            table = table.figures(name, |(_, then)| or_dash(then.and_then(value), show));
        }
    }
    data_of_charts(html! {
        (table)
        @if let Some(baseline) = below { (baseline_table(baseline, timeline.length_s)) }
    })
}

/// The part of the baseline that is drawn.
fn baseline_table(baseline: &Timeline, length_s: f64) -> Markup {
    let is_drawn = |bucket: &&Bucket| (bucket.from_s + bucket.to_s) / 2.0 <= length_s;
    let caption = format!("The baseline in {} s steps", baseline.width_s);
    let mut table =
        Table::new("timeline-baseline-table", &caption, baseline.buckets.iter().take_while(is_drawn))
            .text("From", |bucket| clock(bucket));
    for (name, value, show) in OF_BASELINE {
        table = table.figures(name, |bucket| or_dash(value(bucket), show));
    }
    table.render()
}

fn clock(bucket: &Bucket) -> String {
    format_clock(std::time::Duration::from_secs_f64(bucket.from_s))
}

fn size(value: f64) -> String {
    format::bytes(value.max(0.0).round() as u64)
}

/// The percentiles of the whole run.
pub(super) fn distribution_table(model: &Model<'_>) -> Markup {
    let total = &model.snapshot.total;
    let before = model.baseline.as_ref().map(|baseline| &baseline.ok).filter(|ok| ok.count() > 0);
    let latency =
        |times: Option<Summary>, of| or_dash(times.map(|times| times.percentile_us(of)), format::latency);
    let mut table = Table::new("percentile-table", "Percentiles of the whole run", Percentile::ALL)
        .text("Percentile", |of| format!("{} %", of.number()))
        .figures("Successes", |&of| latency(total.ok, of))
        .figures("Failures", |&of| latency(total.failed, of))
        .figures("Response time", |&of| latency(total.response, of));
    if let Some(before) = before {
        table = table
            .figures("Baseline successes", |&of| or_dash(before.percentile_us(of.number()), format::latency));
    }
    data_of_charts(table)
}

pub(super) fn downloads() -> Markup {
    let content = html! {
        p.downloads hidden {
            button type="button" data-download="json" { "JSON" } " "
            button type="button" data-download="endpoints" { "Endpoints as CSV" } " "
            button type="button" data-download="seconds" { "Timeline as CSV" }
        }
        p.note {
            "The run directory has more: run.json, the CSV files, and latency.hlog with per-second data of every \
             endpoint. "
            code { "rhaid report DIR" } " recreates each format."
        }
    };
    section("data", "Data", content)
}

/// The figures for the script.
pub(super) fn embedded(model: &Model<'_>) -> Markup {
    data_script("figures", &figures(model))
}

/// The figures behind charts and downloads.
pub(super) fn figures(model: &Model<'_>) -> Value {
    json!({
        "name": masked(&model.info.name),
        "started_at": utc(model.info.started_at),
        "verdict": model.verdict,
        "sentence": masked(&model.sentence),
        "elapsed_s": round(model.timeline.length_s),
        "findings": model.findings.iter().map(|finding| masked(&finding.sentence()).into_owned()).collect::<Vec<_>>(),
        "parts": parts(model),
        "endpoints": endpoints(model),
        "seconds": seconds(model),
    })
}

/// Parts of the run that are worth a look by themselves, as name, begin and end: phases and stages, and what happened.
fn parts(model: &Model<'_>) -> Vec<Value> {
    let end = model.timeline.length_s;
    let mut parts = Vec::new();
    for span in &model.snapshot.spans {
        let (from, to) = (span.from.as_secs_f64(), span.to.map_or(end, |to| to.as_secs_f64()).min(end));
        let is_all = from <= 0.0 && to >= end;
        if to - from >= 1.0 && !is_all {
            let name = span.stage.as_deref().unwrap_or(span.phase.as_str());
            parts.push(json!([user(name), round(from), round(to)]));
        }
    }
    for (index, finding) in model.findings.iter().enumerate() {
        let Some(from) = finding.at.map(|at| at.as_secs_f64()) else { continue };
        let to = finding.until.map_or(from, |until| until.as_secs_f64());
        // With as much of the time around as shows what it differs from.
        let around = (to - from).max(5.0);
        let (from, to) = ((from - around).max(0.0), (to + around).min(end));
        if from > 0.0 || to < end {
            parts.push(json!([format!("around {}", index + 1), round(from), round(to)]));
        }
    }
    parts
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn endpoints(model: &Model<'_>) -> Value {
    let mut columns = vec!["method", "name", "requests", "failures", "rate_per_s", "mean_ms"];
    use Percentile::{P50, P75, P90, P95, P99, P99_9, P100};
    let percentiles = [P50, P75, P90, P95, P99, P99_9, P100];
    columns.extend(["p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms", "p99.9_ms", "max_ms"]);
    let row = |stats: &EndpointStats| {
        let mut row = vec![
            json!(masked(&stats.method)),
            json!(masked(&stats.name)),
            json!(stats.requests),
            json!(stats.failures),
            json!(round(stats.rate)),
            json!(stats.ok.map(|ok| round(ok.mean_us / 1_000.0))),
        ];
        row.extend(percentiles.map(|percentile| json!(stats.ok.map(|ok| ms(ok.percentile_us(percentile))))));
        Value::Array(row)
    };
    let rows: Vec<Value> = model.snapshot.endpoints.iter().chain([&model.snapshot.total]).map(row).collect();
    json!({ "columns": columns, "rows": rows })
}

fn seconds(model: &Model<'_>) -> Value {
    let columns =
        ["from_s", "users", "ok_per_s", "failed_per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms", "in_flight"];
    let latency = |bucket: &Bucket, percentile| json!(bucket.ok.percentile_us(percentile).map(ms));
    let row = |bucket: &Bucket| {
        json!([
            bucket.from_s,
            bucket.users,
            bucket.ok_rate().map(round),
            bucket.failed_rate().map(round),
            latency(bucket, 50.0),
            latency(bucket, 95.0),
            latency(bucket, 99.0),
            latency(bucket, 100.0),
            bucket.in_flight,
        ])
    };
    json!({ "columns": columns, "rows": model.timeline.buckets.iter().map(row).collect::<Vec<_>>() })
}
