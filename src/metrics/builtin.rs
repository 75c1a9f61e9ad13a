//! The metrics that thresholds can name: their kinds, units, tags and figures.
//!
//! Invariant: every metric of `docs/metrics.md` is here, and where its values come from is its [`Source`].

use serde::{Deserialize, Serialize};

use self::MetricKind::*;
use super::threshold::{Aggregation, Quantity};

/// What a metric does with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetricKind {
    /// Adds them up.
    Counter,
    /// Counts how many are true.
    Rate,
    /// Keeps their distribution.
    Trend,
    /// A state that is looked at once a second.
    Gauge,
    /// A state that a script sets: the last value, the smallest, the largest.
    OwnGauge,
}

impl MetricKind {
    fn words(self) -> &'static str {
        match self {
            Counter => "a counter",
            Rate => "a rate",
            Trend => "a trend",
            Gauge | OwnGauge => "a gauge",
        }
    }

    /// The figures it has, as they are written.
    fn figures(self) -> &'static [&'static str] {
        match self {
            Counter => &["count", "rate", "sum"],
            Rate => &["rate", "count"],
            Trend => &["avg", "min", "med", "max", "p(N)", "count", "rate", "sum"],
            Gauge => &["value", "avg", "min", "med", "max", "p(N)"],
            OwnGauge => &["value", "min", "max"],
        }
    }

    /// Whether it has a figure; an error in words when not.
    pub(super) fn check(self, metric: &str, aggregation: Aggregation) -> Result<(), String> {
        if self.figures().contains(&aggregation.name()) {
            return Ok(());
        }
        let (last, first) = self.figures().split_last().unwrap_or((&"", &[]));
        let name = aggregation.name();
        let words = self.words();
        Err(format!("'{metric}' is {words}, which has no {name}; it has {} and {last}", first.join(", ")))
    }
}

impl Aggregation {
    /// As it is written, with `N` for the number of a percentile.
    pub(super) fn name(self) -> &'static str {
        match self {
            Aggregation::Avg => "avg",
            Aggregation::Min => "min",
            Aggregation::Med => "med",
            Aggregation::Max => "max",
            Aggregation::Percentile(_) => "p(N)",
            Aggregation::Count => "count",
            Aggregation::Rate => "rate",
            Aggregation::Sum => "sum",
            Aggregation::Value => "value",
        }
    }
}

/// Where the values of a metric come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Requests: how many, which failed, how long the successes took, response times, bytes.
    Requests(RequestFigure),
    /// One part of the time of requests, by its place in `PHASES`.
    RequestPhase(usize),
    /// Iterations that ended.
    Iterations(IterationFigure),
    /// Iterations that never began.
    DroppedIterations,
    /// Checks, by name.
    Checks,
    /// Transactions, by name.
    Transactions(TransactionFigure),
    /// Errors of scripts.
    ScriptErrors,
    /// A state that is looked at once a second, by the metric's name.
    Gauge,
    /// A metric of the script, by its name.
    Own,
}

/// See [`Source::Requests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFigure {
    Count,
    Failed,
    Duration,
    Response,
    Sent,
    Received,
}

/// See [`Source::Iterations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IterationFigure {
    Count,
    Duration,
    Lag,
    /// From due to ended.
    Response,
}

/// See [`Source::Transactions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionFigure {
    Count,
    Failed,
    Duration,
}

/// Which tags the samples of a metric can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagUse {
    /// None.
    No,
    /// The scenario.
    Scenario,
    /// `name`, `scenario`, and every tag of scenario and run.
    Any,
    /// The same, with what requests have besides: `method`, `status`, `expected_response`.
    Request,
}

/// A metric of the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) kind: MetricKind,
    pub(crate) quantity: Quantity,
    pub(crate) source: Source,
    pub(crate) tags: TagUse,
}

/// A metric that a script declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMetric {
    /// Its name.
    pub name: String,
    /// What it does with its values.
    pub kind: MetricKind,
    /// Its values are milliseconds.
    pub is_time: bool,
}

const fn metric(kind: MetricKind, quantity: Quantity, source: Source, tags: TagUse) -> Metric {
    Metric { kind, quantity, source, tags }
}

const fn requests(kind: MetricKind, quantity: Quantity, figure: RequestFigure) -> Metric {
    metric(kind, quantity, Source::Requests(figure), TagUse::Request)
}

const fn part(index: usize) -> Metric {
    metric(Trend, Quantity::Time, Source::RequestPhase(index), TagUse::Request)
}

const fn iterations(kind: MetricKind, quantity: Quantity, figure: IterationFigure) -> Metric {
    metric(kind, quantity, Source::Iterations(figure), TagUse::Scenario)
}

const fn transactions(kind: MetricKind, quantity: Quantity, figure: TransactionFigure) -> Metric {
    metric(kind, quantity, Source::Transactions(figure), TagUse::Any)
}

/// They are recorded as those of a script are.
const fn websockets(kind: MetricKind, quantity: Quantity) -> Metric {
    metric(kind, quantity, Source::Own, TagUse::No)
}

const fn gauge(quantity: Quantity) -> Metric {
    metric(Gauge, quantity, Source::Gauge, TagUse::No)
}

/// The metrics of the engine.
const METRICS: [(&str, Metric); 50] = [
    ("http_reqs", requests(Counter, Quantity::Number, RequestFigure::Count)),
    ("http_req_failed", requests(Rate, Quantity::Share, RequestFigure::Failed)),
    ("http_req_duration", requests(Trend, Quantity::Time, RequestFigure::Duration)),
    ("http_resp_time", requests(Trend, Quantity::Time, RequestFigure::Response)),
    ("http_req_blocked", part(0)),
    ("http_req_dns", part(1)),
    ("http_req_connecting", part(2)),
    ("http_req_tls_handshaking", part(3)),
    ("http_req_sending", part(4)),
    ("http_req_waiting", part(5)),
    ("http_req_receiving", part(6)),
    ("data_sent", requests(Counter, Quantity::Bytes, RequestFigure::Sent)),
    ("data_received", requests(Counter, Quantity::Bytes, RequestFigure::Received)),
    ("iterations", iterations(Counter, Quantity::Number, IterationFigure::Count)),
    ("iteration_duration", iterations(Trend, Quantity::Time, IterationFigure::Duration)),
    ("iteration_lag", iterations(Trend, Quantity::Time, IterationFigure::Lag)),
    ("iteration_resp_time", iterations(Trend, Quantity::Time, IterationFigure::Response)),
    ("dropped_iterations", metric(Counter, Quantity::Number, Source::DroppedIterations, TagUse::No)),
    ("checks", metric(Rate, Quantity::Share, Source::Checks, TagUse::Any)),
    ("transactions", transactions(Counter, Quantity::Number, TransactionFigure::Count)),
    ("transaction_failed", transactions(Rate, Quantity::Share, TransactionFigure::Failed)),
    ("transaction_duration", transactions(Trend, Quantity::Time, TransactionFigure::Duration)),
    ("ws_sessions", websockets(Counter, Quantity::Number)),
    ("ws_connecting", websockets(Trend, Quantity::Time)),
    ("ws_session_duration", websockets(Trend, Quantity::Time)),
    ("ws_msgs_sent", websockets(Counter, Quantity::Number)),
    ("ws_msgs_received", websockets(Counter, Quantity::Number)),
    ("script_errors", metric(Counter, Quantity::Number, Source::ScriptErrors, TagUse::No)),
    ("vus", gauge(Quantity::Number)),
    ("vus_max", gauge(Quantity::Number)),
    // Of resources: per cent of one core (`system_cpu`: of all), bytes, bytes per second, numbers.
    ("target_cpu", gauge(Quantity::Percent)),
    ("target_memory", gauge(Quantity::Bytes)),
    ("target_threads", gauge(Quantity::Number)),
    ("target_fds", gauge(Quantity::Number)),
    ("target_disk_read", gauge(Quantity::BytesPerSecond)),
    ("target_disk_written", gauge(Quantity::BytesPerSecond)),
    ("target_processes", gauge(Quantity::Number)),
    ("system_cpu", gauge(Quantity::Percent)),
    ("system_memory", gauge(Quantity::Bytes)),
    ("system_net_sent", gauge(Quantity::BytesPerSecond)),
    ("system_net_received", gauge(Quantity::BytesPerSecond)),
    ("system_disk_read", gauge(Quantity::BytesPerSecond)),
    ("system_disk_written", gauge(Quantity::BytesPerSecond)),
    ("generator_cpu", gauge(Quantity::Percent)),
    ("generator_memory", gauge(Quantity::Bytes)),
    ("generator_threads", gauge(Quantity::Number)),
    ("generator_fds", gauge(Quantity::Number)),
    ("generator_disk_read", gauge(Quantity::BytesPerSecond)),
    ("generator_disk_written", gauge(Quantity::BytesPerSecond)),
    ("generator_processes", gauge(Quantity::Number)),
];

/// The metric of this name: of the engine, or of the script.
pub(crate) fn find(name: &str, own: &[OwnMetric]) -> Option<Metric> {
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) {
        return Some(*metric);
    }
    let own = own.iter().find(|metric| metric.name == name)?;
    let quantity = match own.kind {
        Rate => Quantity::Share,
        _ if own.is_time => Quantity::Time,
        _ => Quantity::Number,
    };
    Some(metric(own.kind, quantity, Source::Own, TagUse::Any))
}

/// The names that can be meant.
pub(super) fn names(own: &[OwnMetric]) -> impl Iterator<Item = &str> {
    METRICS.iter().map(|(name, _)| *name).chain(own.iter().map(|metric| metric.name.as_str()))
}

/// What a figure of a metric is counted in.
pub(super) fn quantity(metric: Metric, aggregation: Aggregation) -> Quantity {
    match (metric.kind, aggregation) {
        (Counter, Aggregation::Rate) if metric.quantity == Quantity::Bytes => Quantity::BytesPerSecond,
        (Counter | Trend, Aggregation::Rate) => Quantity::PerSecond,
        (Counter, _) => metric.quantity,
        (_, Aggregation::Count) => Quantity::Number,
        _ => metric.quantity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_request_are_those_of_the_recorder() {
        for (index, phase) in crate::metrics::PHASES.iter().enumerate() {
            let metric = find(&format!("http_req_{phase}"), &[]).unwrap();
            assert_eq!(metric.source, Source::RequestPhase(index), "{phase}");
        }
    }

    #[test]
    fn resources_are_those_that_are_measured() {
        use crate::metrics::{RESOURCE_METRICS, ResourceUnit};
        for metric in RESOURCE_METRICS {
            let quantity = match metric.unit {
                ResourceUnit::Percent => Quantity::Percent,
                ResourceUnit::Bytes => Quantity::Bytes,
                ResourceUnit::BytesPerSecond => Quantity::BytesPerSecond,
                ResourceUnit::Count => Quantity::Number,
            };
            let found = find(metric.name, &[]).map(|metric| (metric.source, metric.quantity));
            assert_eq!(found, Some((Source::Gauge, quantity)), "{}", metric.name);
        }
    }

    #[test]
    fn every_metric_of_the_documentation_can_be_limited() {
        let table = include_str!("../../docs/metrics.md");
        let rows = table.lines().skip_while(|line| !line.starts_with("| `http_reqs`"));
        let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
        let names: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        assert!(names.len() > 15, "{names:?}");
        for name in names {
            let name = name.trim_start_matches("…_").split('{').next().unwrap();
            let found = find(name, &[]).or_else(|| find(&format!("http_req_{name}"), &[]));
            assert!(found.is_some(), "{name}");
        }
    }
}
