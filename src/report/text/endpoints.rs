//! The table of endpoints: which figures it has, and when there are too few samples for one.

use super::look::{Look, Mark};
use super::table::{Row, Table};
use crate::metrics::{EndpointStats, Percentile, Summary};
use crate::text::format;
use crate::text::width;

/// A figure of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Completed requests.
    Requests,
    /// Share of them that failed.
    Failed,
    /// Requests per second of the whole run.
    Rate,
    /// Latency of the successes.
    At(Percentile),
    /// Longest latency of the successes.
    Max,
}

/// The columns of the table at the end.
pub(crate) fn all() -> Vec<Column> {
    columns(&Percentile::SUMMARY)
}

/// The columns of the live table.
pub(crate) fn few() -> Vec<Column> {
    columns(&[Percentile::P50, Percentile::P95, Percentile::P99])
}

fn columns(percentiles: &[Percentile]) -> Vec<Column> {
    let mut columns = vec![Column::Requests, Column::Failed, Column::Rate];
    columns.extend(percentiles.iter().copied().map(Column::At));
    columns.push(Column::Max);
    columns
}

impl Column {
    fn header(self) -> &'static str {
        match self {
            Column::Requests => "reqs",
            Column::Failed => "failed",
            Column::Rate => "rate/s",
            Column::At(percentile) => percentile.name(),
            Column::Max => "max",
        }
    }

    fn cell(self, stats: &EndpointStats, look: Look) -> String {
        match self {
            Column::Requests => format::count(stats.requests),
            Column::Failed => percent_or_dash(stats.failed_share()),
            Column::Rate => format::rate(stats.rate),
            Column::At(percentile) => percentile_or_dash(stats.ok, percentile, look),
            Column::Max => look.latency_or_dash(stats.ok.map(|ok| ok.max_us)),
        }
    }
}

/// A percentile, `-` when there are too few samples: of fewer, it would be the maximum under another name.
pub(crate) fn percentile_or_dash(latency: Option<Summary>, percentile: Percentile, look: Look) -> String {
    look.latency_or_dash(latency.and_then(|latency| latency.telling_us(percentile)))
}

/// The same where every character can be shown.
pub(crate) fn percentile_text(latency: Option<Summary>, percentile: Percentile) -> String {
    percentile_or_dash(latency, percentile, Look { width: 0, unicode: true, color: false })
}

/// A share in per cent with its sign, `-` when there is none.
pub(crate) fn percent_or_dash(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{} %", format::percent(share)))
}

/// The table of some endpoints, with the total as its last row when one is given.
pub(crate) fn table(
    endpoints: &[&EndpointStats],
    total: Option<&EndpointStats>,
    columns: &[Column],
    look: Look,
) -> Vec<String> {
    let headers: Vec<&str> =
        std::iter::once("endpoint").chain(columns.iter().map(|column| column.header())).collect();
    let labels = labels(endpoints, look);
    let row = |name: String, stats: &EndpointStats| Row {
        mark: if stats.failures > 0 { Mark::Failing } else { Mark::Blank },
        name,
        cells: columns.iter().map(|column| column.cell(stats, look)).collect(),
        notes: Vec::new(),
    };
    let mut rows: Vec<Row> =
        labels.into_iter().zip(endpoints).map(|(label, &stats)| row(label, stats)).collect();
    rows.extend(total.map(|total| row(look.user(&total.name), total)));
    Table::new(&headers, rows).render(look)
}

/// All percentiles of some endpoints, the total among them, over a part of a run.
pub fn percentile_table(endpoints: &[EndpointStats], part: &str, look: Look) -> Vec<String> {
    let shown = columns(&[
        Percentile::P50,
        Percentile::P75,
        Percentile::P90,
        Percentile::P95,
        Percentile::P99,
        Percentile::P99_9,
    ]);
    let mut lines = vec![look.paint(super::look::Tone::Faint, &format!(" {part}; latency of successes"))];
    let (totals, rows): (Vec<_>, Vec<_>) = endpoints.iter().partition(|stats| stats.method.is_empty());
    lines.extend(table(&rows, totals.first().copied(), &shown, look));
    lines
}

/// Method and name of each endpoint, the names below one another.
pub(crate) fn labels(endpoints: &[&EndpointStats], look: Look) -> Vec<String> {
    let methods: Vec<String> = endpoints.iter().map(|stats| look.user(&stats.method)).collect();
    // A method is a short word; another protocol's long one must not push all the names away.
    let columns =
        methods.iter().map(|method| width(method)).filter(|&columns| columns <= 7).max().unwrap_or(0);
    methods
        .iter()
        .zip(endpoints)
        .map(|(method, stats)| {
            let pad = " ".repeat(columns.saturating_sub(width(method)) + 1);
            format!("{method}{pad}{}", look.user(&stats.name))
        })
        .collect()
}
