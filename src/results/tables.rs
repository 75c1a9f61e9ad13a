//! The rows of the CSV files, with Locust's columns so that existing tools can read them. Pure.
//!
//! Texts are one line without control characters. Times are milliseconds and describe successful requests: medians and percentiles whole
//! ones, as Locust writes them, others with up to three decimals. A figure without data is `N/A`, never 0. Invariant: a row has exactly the columns of its header.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::metrics::{
    EndpointStats, FailureCount, FailureKey, HistoryPoint, IntervalStats, Percentile, Snapshot, Summary, ms,
};
use crate::text::utc::{epoch_seconds, utc};
use crate::text::{clean_line, clean_text};

/// Placeholder for a figure without data.
pub(super) const NO_DATA: &str = "N/A";

/// Name of the row of all requests together.
const AGGREGATED: &str = "Aggregated";

/// `stats.csv`: a row for each endpoint, the total last; the header alone without a snapshot.
pub(crate) fn stats(snapshot: Option<&Snapshot>) -> Vec<u8> {
    let mut columns = vec![
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    let percentiles = percentile_columns();
    columns.extend(percentiles.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    for stats in snapshot.iter().flat_map(|snapshot| snapshot.endpoints.iter().chain([&snapshot.total])) {
        let mut row = vec![
            stats.method.to_string(),
            stats.name.to_string(),
            stats.requests.to_string(),
            stats.failures.to_string(),
        ];
        row.extend(latency_cells(stats.ok));
        row.push(content_size(stats.bytes_received, stats.requests));
        row.push(decimals(stats.rate, 6));
        row.push(decimals(stats.failure_rate, 6));
        row.extend(percentile_cells(stats.ok));
        table.row(&row);
    }
    table.into_bytes()
}

/// `failures.csv`: a row for each kind of failure of an endpoint; the header alone without a snapshot.
pub(crate) fn failures(snapshot: Option<&Snapshot>) -> Vec<u8> {
    let mut table = Table::new(&["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"]);
    for (key, failure) in snapshot.iter().flat_map(|snapshot| &snapshot.failures) {
        table.row(&[
            key.method.to_string(),
            key.name.to_string(),
            error_text(key, failure),
            failure.count.to_string(),
            utc(failure.first_seen),
            utc(failure.last_seen),
        ]);
    }
    table.into_bytes()
}

/// Kind, status and the first message: `status 500: Internal Server Error`.
fn error_text(key: &FailureKey, failure: &FailureCount) -> String {
    let mut text = key.kind.to_string();
    if key.status != 0 {
        text.push_str(&format!(" {}", key.status));
    }
    if let Some(message) = failure.messages.first() {
        text.push_str(&format!(": {message}"));
    }
    text
}

/// `exceptions.csv`: a row for each script error; the header alone without a snapshot.
pub(crate) fn exceptions(snapshot: Option<&Snapshot>) -> Vec<u8> {
    let mut table = Table::new(&["Count", "Message", "Traceback", "Nodes"]);
    for group in snapshot.iter().flat_map(|snapshot| &snapshot.script_errors) {
        let message = match group.first.position.as_str() {
            "" => group.first.message.clone(),
            position => format!("{position}: {}", group.first.message),
        };
        // A trace is lines of the script, not text that somebody sends.
        let trace = clean_text(&group.first.trace).into_owned();
        table.cells(&[group.count.to_string(), clean_line(&message), trace, "local".to_owned()]);
    }
    table.into_bytes()
}

/// The first line of `stats_history.csv`.
pub(crate) fn history_header() -> Vec<u8> {
    let mut columns: Vec<&str> = vec!["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];
    let percentiles = percentile_columns();
    columns.extend(percentiles.iter().map(String::as_str));
    columns.extend([
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
    ]);
    Table::new(&columns).into_bytes()
}

/// Running totals of the endpoints, which a history point does not hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointCounts(HashMap<(Arc<str>, Arc<str>), (i64, i64)>);

/// The rows of one second in `stats_history.csv`.
///
/// With `endpoints`, a row for each endpoint that had requests comes before the row of all. Their
/// running latencies are only known from `newest`, the snapshot made at that point's end.
pub(crate) fn history_rows(
    point: &HistoryPoint,
    started_at: SystemTime,
    endpoints: Option<&mut EndpointCounts>,
    newest: Option<&Snapshot>,
) -> Vec<u8> {
    let mut table = Table::headless();
    let timestamp = epoch_seconds(started_at + point.at).to_string();
    let mut row = |method: &str, name: &str, interval: &IntervalStats, totals: [String; 7]| {
        let mut cells = vec![timestamp.clone(), point.users.to_string(), method.to_owned(), name.to_owned()];
        cells.push(per_second(interval.requests, point));
        cells.push(per_second(interval.failures, point));
        cells.extend(percentile_cells(interval.ok));
        cells.extend(totals);
        table.row(&cells);
    };
    if let Some(counts) = endpoints {
        let mut intervals: Vec<_> = point.endpoints.iter().collect();
        intervals.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
        for (method, name, interval) in intervals {
            let stats = newest.and_then(|snapshot| {
                snapshot.endpoints.iter().find(|e| e.method == *method && e.name == *name)
            });
            let (requests, failures) = counts.add(method, name, interval, stats);
            row(method, name, interval, endpoint_totals(requests, failures, stats));
        }
    }
    let so_far = &point.so_far;
    let size = content_size(so_far.bytes_received, so_far.requests);
    row("", AGGREGATED, &point.total, totals(so_far.requests, so_far.failures, so_far.ok, size));
    table.into_bytes()
}

impl EndpointCounts {
    /// The totals with an interval more. What is known at its end is right also when intervals before it were lost, as
    /// while a disk is full for long.
    fn add(
        &mut self,
        method: &Arc<str>,
        name: &Arc<str>,
        interval: &IntervalStats,
        known: Option<&EndpointStats>,
    ) -> (u64, u64) {
        let (requests, failures) = self.0.entry((method.clone(), name.clone())).or_default();
        *requests += interval.requests;
        *failures += interval.failures;
        if let Some(known) = known {
            (*requests, *failures) = (known.requests as i64, known.failures as i64);
        }
        // Below 0 only in the middle of a verdict that was taken back: never at an interval's end.
        ((*requests).max(0) as u64, (*failures).max(0) as u64)
    }
}

fn endpoint_totals(requests: u64, failures: u64, stats: Option<&EndpointStats>) -> [String; 7] {
    let size =
        stats.map_or_else(|| NO_DATA.to_owned(), |stats| content_size(stats.bytes_received, stats.requests));
    totals(requests, failures, stats.and_then(|stats| stats.ok), size)
}

fn totals(requests: u64, failures: u64, ok: Option<Summary>, size: String) -> [String; 7] {
    let [median, average, min, max] = latency_cells(ok);
    [requests.to_string(), failures.to_string(), median, average, min, max, size]
}

/// Events of an interval per second. A verdict that was taken back can make the count negative: that is no rate.
fn per_second(events: i64, point: &HistoryPoint) -> String {
    let seconds = point.length.as_secs_f64();
    if seconds > 0.0 { decimals(events.max(0) as f64 / seconds, 6) } else { NO_DATA.to_owned() }
}

/// Median, average, minimum, maximum.
fn latency_cells(ok: Option<Summary>) -> [String; 4] {
    match ok {
        Some(ok) => {
            [whole(ok.median_us()), decimals(ok.mean_us / 1_000.0, 3), time(ok.min_us), time(ok.max_us)]
        }
        None => std::array::from_fn(|_| NO_DATA.to_owned()),
    }
}

fn percentile_cells(ok: Option<Summary>) -> Vec<String> {
    match ok {
        Some(ok) => ok.percentiles_us.iter().map(|&us| whole(us)).collect(),
        None => vec![NO_DATA.to_owned(); Percentile::ALL.len()],
    }
}

fn percentile_columns() -> Vec<String> {
    Percentile::ALL.iter().map(|percentile| format!("{}%", percentile.number())).collect()
}

/// Whole milliseconds: readers of Locust's files parse these columns as integers.
fn whole(us: u64) -> String {
    us.saturating_add(500).div_euclid(1_000).to_string()
}

fn time(us: u64) -> String {
    decimals(ms(us), 3)
}

fn content_size(bytes: u64, requests: u64) -> String {
    if requests == 0 { NO_DATA.to_owned() } else { decimals(bytes as f64 / requests as f64, 3) }
}

/// At most this many decimals, without zeros at the end.
pub(super) fn decimals(value: f64, most: usize) -> String {
    let text = format!("{value:.most$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// CSV in memory.
pub(super) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    pub(super) fn new(columns: &[&str]) -> Self {
        let mut table = Table::headless();
        table.row(columns);
        table
    }

    pub(super) fn headless() -> Self {
        Table(csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()))
    }

    /// Line breaks become spaces: a row is a line, so that no text can pretend to be another row.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let cells: Vec<String> = cells.iter().map(|cell| clean_line(cell.as_ref())).collect();
        self.cells(&cells);
    }

    fn cells(&mut self, cells: &[String]) {
        let written = self.0.write_record(cells);
        debug_assert!(written.is_ok(), "writing to memory does not fail: {written:?}");
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_whole_milliseconds() {
        for (us, text) in
            [(0, "0"), (499, "0"), (500, "1"), (1_499, "1"), (2_825, "3"), (u64::MAX, "18446744073709551")]
        {
            assert_eq!(whole(us), text);
        }
    }

    #[test]
    fn figures_have_no_trailing_noise() {
        for (value, most, text) in [
            (0.0, 3, "0"),
            (100.0, 3, "100"),
            (0.35, 3, "0.35"),
            (21.449_9, 3, "21.45"),
            (0.1 + 0.2, 6, "0.3"),
            (1_234.567_891_2, 6, "1234.567891"),
        ] {
            assert_eq!(decimals(value, most), text);
        }
    }
}
