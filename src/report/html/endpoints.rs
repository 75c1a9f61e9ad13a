//! The table of endpoints, and the details of the worst of them.

use super::table::{Column, Row, figures, table as html_table, text};
use super::{escape, figure, section, user};
use crate::analysis::{ComparedFigure, FigureComparison};
use crate::metrics::{EndpointStats, PHASES, Percentile, Summary};
use crate::report::charts::{endpoint_charts, sparkline};
use crate::report::model::{EndpointView, Model, marked_change};
use crate::text::format;

/// Endpoints with charts of their own.
const MOST_DETAILED: usize = 20;

const COLUMNS: [Column; 18] = [
    text("Endpoint"),
    figures("Requests"),
    figures("Failed"),
    figures("Failed %"),
    figures("Rate/s"),
    figures("p50"),
    figures("p75"),
    figures("p90"),
    figures("p95"),
    figures("p99"),
    figures("p99.9"),
    figures("Max"),
    figures("Mean"),
    figures("Bytes"),
    figures("% of time"),
    text("p95 over time"),
    text("p50 to max"),
    figures("p95 since then"),
];

pub(super) fn table(model: &Model<'_>) -> String {
    if model.endpoints.is_empty() {
        return String::new();
    }
    let scale = Scale::over(model.endpoints.iter().filter_map(|view| view.stats.ok));
    let mut rows: Vec<Row> = model.endpoints.iter().map(|view| endpoint_row(view, scale.as_ref())).collect();
    let mut total = total_row(&model.snapshot.total, scale.as_ref());
    // The last column is there when there is a run to compare with.
    let columns = if let Some(comparison) = model.comparison {
        for (row, view) in rows.iter_mut().zip(&model.endpoints) {
            push_change(row, model.change_of(&view.stats.method, &view.stats.name, ComparedFigure::P95));
        }
        let all = comparison.endpoints.iter().find(|endpoint| endpoint.method.is_empty());
        let of_all = all.and_then(|all| all.figures.iter().find(|f| f.figure == ComparedFigure::P95));
        push_change(&mut total, of_all);
        total.keys.clear();
        &COLUMNS[..]
    } else {
        &COLUMNS[..COLUMNS.len() - 1]
    };
    let note = "<p class=\"note\">Whole run. Latencies are those of successful requests; - is too few for that \
                percentile (100 for p99, 1,000 for p99.9). Failed requests have their times under Errors.</p>\n\
                <p class=\"filter\" hidden><label>Show endpoints with <input type=\"search\" id=\"filter\" \
                autocomplete=\"off\"></label></p>\n";
    let html = html_table("endpoint-table", "Endpoints", columns, &rows, Some(&total));
    section("endpoints", "Endpoints", &format!("{note}{html}"))
}

/// What changed in a row's p95, with its sign and word.
fn push_change(row: &mut Row, figure: Option<&FigureComparison>) {
    row.cells.push(figure.and_then(marked_change).map_or_else(|| "-".to_owned(), |change| escape(&change)));
    row.keys.resize(row.cells.len() - 1, None);
    row.keys.push(figure.and_then(|figure| figure.change).map(round));
}

fn endpoint_row(view: &EndpointView<'_>, scale: Option<&Scale>) -> Row {
    let stats = view.stats;
    let mark =
        if stats.failures > 0 { "<span class=\"mark\" title=\"has failures\">✗</span> " } else { "" };
    let name = format!("{mark}<b>{}</b> {}", user(&stats.method), user(&stats.name));
    let p95: Vec<Option<u64>> = view.buckets.iter().map(|bucket| bucket.ok.percentile_us(95.0)).collect();
    let share = view.time_share.map_or_else(|| "-".to_owned(), format::percent);
    let mut row = row_of(stats, name, share, sparkline(&p95), scale);
    row.keys[14] = Some(view.time_share.map_or(-1.0, round));
    row
}

fn total_row(total: &EndpointStats, scale: Option<&Scale>) -> Row {
    let mut row = row_of(total, "Total".to_owned(), "100".to_owned(), String::new(), scale);
    row.is_bad = false;
    row.keys.clear();
    row
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn row_of(stats: &EndpointStats, name: String, share: String, spark: String, scale: Option<&Scale>) -> Row {
    let ok = stats.ok;
    let at = |percentile| ok.and_then(|ok| ok.telling_us(percentile));
    let latencies = [
        at(Percentile::P50),
        at(Percentile::P75),
        at(Percentile::P90),
        at(Percentile::P95),
        at(Percentile::P99),
        at(Percentile::P99_9),
        ok.map(|ok| ok.max_us),
        ok.map(|ok| ok.mean_us.round() as u64),
    ];
    let failed = stats.failed_share();
    let mut cells = vec![
        name,
        format::count(stats.requests),
        format::count(stats.failures),
        failed.map_or_else(|| "-".to_owned(), format::percent),
        format::rate(stats.rate),
    ];
    let mut keys = vec![
        None,
        Some(stats.requests as f64),
        Some(stats.failures as f64),
        Some(failed.map_or(-1.0, round)),
        Some(round(stats.rate)),
    ];
    for latency in latencies {
        cells.push(latency.map_or_else(|| "-".to_owned(), format::latency));
        keys.push(Some(latency.map_or(-1.0, |us| us as f64)));
    }
    cells.push(format::bytes(stats.bytes_received));
    keys.push(Some(stats.bytes_received as f64));
    cells.push(share);
    keys.push(None);
    cells.push(spark);
    cells.push(ok.zip(scale).map(|(ok, scale)| scale.bar(&ok)).unwrap_or_default());
    Row { cells, is_bad: stats.failures > 0, keys }
}

fn statuses(stats: &EndpointStats) -> String {
    let one = |&(status, count): &(u16, u64)| match status {
        0 => format!("none ×{}", format::count(count)),
        status => format!("{status} ×{}", format::count(count)),
    };
    stats.statuses.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// One logarithmic scale for the small distributions of all rows.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over(all: impl Iterator<Item = Summary> + Clone) -> Option<Scale> {
        let low = all.clone().map(|ok| ok.min_us).min()?.max(1) as f64;
        let high = (all.map(|ok| ok.max_us).max()? as f64).max(low * 2.0);
        Some(Scale { low: low.ln(), high: high.ln() })
    }

    fn x(&self, us: u64) -> f64 {
        ((us.max(1) as f64).ln() - self.low) / (self.high - self.low) * 100.0
    }

    /// From the median to the maximum: thick to p90, thin to the longest.
    fn bar(&self, ok: &Summary) -> String {
        let (p50, p90, max) =
            (self.x(ok.median_us()), self.x(ok.percentile_us(Percentile::P90)), self.x(ok.max_us));
        format!(
            "<svg class=\"mini\" viewBox=\"0 0 100 12\" aria-hidden=\"true\"><path class=\"l max\" d=\"M{p50:.0} 6H{max:.0}\"/>\
             <path class=\"f p50\" d=\"M{p50:.0} 2h{:.0}v8h-{:.0}z\"/></svg>",
            (p90 - p50).max(2.0),
            (p90 - p50).max(2.0)
        )
    }
}

pub(super) fn details(model: &Model<'_>) -> String {
    let worst = model.worst_endpoints(MOST_DETAILED);
    let mut content = String::new();
    if model.endpoints.len() > worst.len() {
        content.push_str(&format!(
            "<p class=\"note\">The {} endpoints with the most failures and the highest p95 of {}; all are in the table above.</p>\n",
            worst.len(),
            format::count(model.endpoints.len() as u64)
        ));
    }
    for view in worst {
        let stats = view.stats;
        let failed = stats.failed_share().map_or_else(|| "-".to_owned(), format::percent);
        content.push_str(&format!(
            "<details><summary><b>{}</b> {} · {} requests · {failed} % failed · p95 {}</summary>\n",
            user(&stats.method),
            user(&stats.name),
            format::count(stats.requests),
            stats.ok.map_or_else(|| "-".to_owned(), |ok| format::latency(ok.percentile_us(Percentile::P95)))
        ));
        if let Some(chart) = endpoint_charts(model, view) {
            content.push_str(&figure(&chart, ""));
        }
        content.push_str(&format!("<p>Status: {}</p>\n", escape(&statuses(stats))));
        content.push_str(&phases(stats));
        content.push_str(&over_time(view));
        content.push_str("</details>\n");
    }
    section("each", "Endpoint by endpoint", &content)
}

/// Where the time of its requests went.
fn phases(stats: &EndpointStats) -> String {
    let sum: u64 = stats.phase_us.iter().sum();
    if sum == 0 || stats.requests == 0 {
        return String::new();
    }
    let mut items = String::new();
    let mut bar = String::new();
    let mut x = 0.0;
    for (index, (phase, us)) in PHASES.iter().zip(stats.phase_us).enumerate() {
        let share = us as f64 / sum as f64;
        if share < 0.001 {
            continue;
        }
        let width = share * 600.0;
        bar.push_str(&format!(
            "<path class=\"f heat{}\" d=\"M{x:.1} 0h{width:.1}v20h-{width:.1}z\"/>",
            index % 6 + 1
        ));
        x += width;
        items.push_str(&format!(
            "<li>{} {} % ({} a request)</li>",
            escape(phase),
            format::percent(share),
            format::latency(us / stats.requests)
        ));
    }
    format!(
        "<h4>Where its time went</h4><svg class=\"bar\" viewBox=\"0 0 600 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{bar}</svg>\
         <ul class=\"inline\">{items}</ul>\n"
    )
}

fn over_time(view: &EndpointView<'_>) -> String {
    let columns = [
        text("From"),
        figures("Requests"),
        figures("Failed"),
        figures("p50"),
        figures("p95"),
        figures("Max"),
    ];
    let latency = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), format::latency);
    let rows: Vec<Row> = view
        .buckets
        .iter()
        .enumerate()
        .filter(|(_, bucket)| !bucket.ok.is_empty() || !bucket.failed.is_empty())
        .map(|(index, bucket)| {
            let from = std::time::Duration::from_secs(index as u64 * view.width_s);
            Row::new(vec![
                crate::text::format_clock(from),
                format::count(bucket.ok.count() + bucket.failed.count()),
                format::count(bucket.failed.count()),
                latency(bucket.ok.percentile_us(50.0)),
                latency(bucket.ok.percentile_us(95.0)),
                latency(bucket.ok.percentile_us(100.0)),
            ])
        })
        .collect();
    let id = format!("endpoint-{}-data", view.id);
    let caption = format!("{} {} by {} s", view.stats.method, view.stats.name, view.width_s);
    let caption = super::clean_line(&caption);
    format!(
        "<details><summary>Data</summary>{}</details>",
        html_table(&id, &super::masked(&caption), &columns, &rows, None)
    )
}
