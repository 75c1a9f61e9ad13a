//! The figures behind the charts: as tables for those who cannot see or do not trust a drawing, and as JSON
//! for the script and for downloads.

use serde_json::{Value, json};

use super::section;
use super::table::{Row, figures, table, text};
use crate::metrics::masked;
use crate::metrics::{EndpointStats, Percentile, ms};
use crate::report::model::{Bucket, Model};
use crate::text::clean_line;
use crate::text::format;
use crate::text::format_clock;
use crate::text::utc;

/// A column that is shown when it has data: its name, its value, and how that is written.
type Optional = (&'static str, fn(&Bucket) -> Option<f64>, fn(f64) -> String);

/// What the charts draw of the baseline.
const OF_BASELINE: [Optional; 2] = [
    ("All/s then", |b| Some(b.ok_rate()? + b.failed_rate()?), format::rate),
    ("p95 then", |b| b.ok.percentile_us(95.0).map(|us| us as f64), |v| format::latency(v as u64)),
];

/// The values of all charts over time.
pub(super) fn timeline_table(model: &Model<'_>) -> String {
    let has = |value: fn(&Bucket) -> Option<f64>| model.timeline.buckets.iter().any(|b| value(b).is_some());
    let optional: [Optional; 8] = [
        ("Iterations due/s", Bucket::due_rate, format::rate),
        ("Target CPU %", |b| b.resources.target_cpu, |v| format!("{v:.0}")),
        ("Target memory", |b| b.resources.target_memory, size),
        ("Machine CPU %", |b| b.resources.system_cpu, |v| format!("{v:.0}")),
        ("Received/s", |b| b.resources.net_received, size),
        ("Sent/s", |b| b.resources.net_sent, size),
        ("Generator CPU %", |b| b.resources.generator_cpu, |v| format!("{v:.0}")),
        ("Late p99", |b| b.lag.percentile_us(99.0).map(|us| us as f64), |v| format::latency(v as u64)),
    ];
    let mut columns = vec![
        text("From"),
        figures("Users"),
        figures("Planned"),
        figures("OK/s"),
        figures("Failed/s"),
        figures("p50"),
        figures("p95"),
        figures("p99"),
        figures("Max"),
        figures("In flight"),
    ];
    let shown: Vec<_> = optional.into_iter().filter(|(_, value, _)| has(*value)).collect();
    columns.extend(shown.iter().map(|(name, ..)| figures(name)));
    let width = model.timeline.width_s;
    // A baseline of another length may have seconds of another width, which have no row here.
    let (beside, below): (&[Bucket], &[Bucket]) = match &model.baseline {
        Some(baseline) if baseline.timeline.width_s == width => (&baseline.timeline.buckets, &[]),
        Some(baseline) => (&[], &baseline.timeline.buckets),
        None => (&[], &[]),
    };
    if !beside.is_empty() {
        columns.extend(OF_BASELINE.iter().map(|(name, ..)| figures(name)));
    }
    let cell = |bucket: Option<&Bucket>, (_, value, show): &Optional| {
        bucket.and_then(*value).map_or_else(|| "-".to_owned(), *show)
    };
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), format::count);
    let latency = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), format::latency);
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), format::rate);
    let rows: Vec<Row> = model
        .timeline
        .buckets
        .iter()
        .enumerate()
        .map(|(index, bucket)| {
            let mut cells = vec![
                clock(bucket),
                count(bucket.users),
                count(bucket.users_target),
                rate(bucket.ok_rate()),
                rate(bucket.failed_rate()),
                latency(bucket.ok.percentile_us(50.0)),
                latency(bucket.ok.percentile_us(95.0)),
                latency(bucket.ok.percentile_us(99.0)),
                latency(bucket.ok.percentile_us(100.0)),
                count(bucket.in_flight),
            ];
            cells.extend(shown.iter().map(|column| cell(Some(bucket), column)));
            if !beside.is_empty() {
                cells.extend(OF_BASELINE.iter().map(|column| cell(beside.get(index), column)));
            }
            Row::new(cells)
        })
        .collect();
    let mut tables = table("timeline-table", &format!("The run by {width} s"), &columns, &rows, None);
    if let (Some(baseline), false) = (&model.baseline, below.is_empty()) {
        let row = |bucket: &Bucket| {
            let figures = OF_BASELINE.iter().map(|column| cell(Some(bucket), column));
            Row::new(std::iter::once(clock(bucket)).chain(figures).collect())
        };
        // As far as it is drawn.
        let is_drawn = |bucket: &&Bucket| (bucket.from_s + bucket.to_s) / 2.0 <= model.timeline.length_s;
        let rows: Vec<Row> = below.iter().take_while(is_drawn).map(row).collect();
        let columns: Vec<_> =
            std::iter::once(text("From")).chain(OF_BASELINE.iter().map(|(name, ..)| figures(name))).collect();
        let caption = format!("The baseline by {} s", baseline.timeline.width_s);
        tables.push_str(&table("timeline-baseline-table", &caption, &columns, &rows, None));
    }
    format!("<details><summary>Data of these charts</summary>{tables}</details>\n")
}

fn clock(bucket: &Bucket) -> String {
    format_clock(std::time::Duration::from_secs_f64(bucket.from_s))
}

fn size(value: f64) -> String {
    format::bytes(value.max(0.0).round() as u64)
}

/// The percentiles of the whole run.
pub(super) fn distribution_table(model: &Model<'_>) -> String {
    let total = &model.snapshot.total;
    let before = model.baseline.as_ref().map(|baseline| &baseline.ok).filter(|ok| ok.count() > 0);
    let mut columns =
        vec![text("Percentile"), figures("Successes"), figures("Failures"), figures("Response time")];
    columns.extend(before.map(|_| figures("Successes then")));
    let value = |times: Option<crate::metrics::Summary>, percentile: Percentile| {
        times.map_or_else(|| "-".to_owned(), |times| format::latency(times.percentile_us(percentile)))
    };
    let rows: Vec<Row> = Percentile::ALL
        .into_iter()
        .map(|percentile| {
            let mut cells = vec![
                format!("{} %", percentile.number()),
                value(total.ok, percentile),
                value(total.failed, percentile),
                value(total.response, percentile),
            ];
            let then = before.map(|ok| ok.percentile_us(percentile.number()));
            cells.extend(then.map(|us| us.map_or_else(|| "-".to_owned(), format::latency)));
            Row::new(cells)
        })
        .collect();
    format!(
        "<details><summary>Data of these charts</summary>{}</details>\n",
        table("percentile-table", "Percentiles of the whole run", &columns, &rows, None)
    )
}

pub(super) fn downloads() -> String {
    section(
        "data",
        "Data",
        "<p class=\"downloads\" hidden><button type=\"button\" data-download=\"json\">JSON</button> \
         <button type=\"button\" data-download=\"endpoints\">CSV of endpoints</button> \
         <button type=\"button\" data-download=\"seconds\">CSV over time</button></p>\n\
         <p class=\"note\">The run's folder has more: run.json, the CSV files, and latency.hlog with every second of \
         every endpoint. <code>rhaid report FOLDER</code> makes each format again.</p>\n",
    )
}

/// The figures for the script.
pub(super) fn embedded(model: &Model<'_>) -> String {
    let json = json!({
        "name": masked(&model.info.name),
        "started_at": utc(model.info.started_at),
        "verdict": model.verdict,
        "sentence": masked(&model.sentence),
        "elapsed_s": round(model.timeline.length_s),
        "findings": model.findings.iter().map(|finding| masked(&finding.sentence()).into_owned()).collect::<Vec<_>>(),
        "parts": parts(model),
        "endpoints": endpoints(model),
        "seconds": seconds(model),
    });
    // In a script element only this could end it, or begin a comment that hides its end.
    let text = json.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028");
    format!("<script type=\"application/json\" id=\"figures\">{text}</script>")
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
            parts.push(json!([masked(&clean_line(name)), round(from), round(to)]));
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
    let percentiles = [
        Percentile::P50,
        Percentile::P75,
        Percentile::P90,
        Percentile::P95,
        Percentile::P99,
        Percentile::P99_9,
        Percentile::P100,
    ];
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
