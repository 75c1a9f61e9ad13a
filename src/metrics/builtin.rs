//! The built-in metrics: name, kind, unit, description and source of each.
//!
//! Thresholds, sample files, `run.json`, `rhaid docs` and `docs/metrics.md` read them here. A metric that is recorded where it
//! happens (`Source::Recorded`, with `Recorder::builtin`) needs an entry here and that place, and nothing
//! else. Invariant: a name stands here once, and no script can take it.

use std::fmt;

use serde::{Deserialize, Serialize};

use self::MetricKind::{Counter, Gauge, Rate, Trend};
use super::sample::Protocol;
use super::threshold::{Aggregation, Quantity};

/// What a metric does with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MetricKind {
    /// Sums its values.
    Counter,
    /// Keeps the last, minimum and maximum value.
    // The name in runs that an older version stored.
    #[serde(alias = "OwnGauge")]
    Gauge,
    /// Keeps the share of true values.
    Rate,
    /// Keeps the distribution of its values.
    Trend,
}

impl MetricKind {
    /// The word that scripts and outputs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
            Rate => "rate",
            Trend => "trend",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the values of a metric come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Requests over a protocol, or over all of them.
    Requests(Option<Protocol>, RequestFigure),
    /// One part of the time of HTTP requests, by its place in [`PHASES`](super::PHASES).
    RequestPhase(usize),
    /// Iterations.
    Iterations(IterationFigure),
    /// Checks, by name.
    Checks,
    /// Transactions, by name.
    Transactions(TransactionFigure),
    /// Errors of scripts.
    ScriptErrors,
    /// Virtual users: those that run, or the most that did so far.
    Users { most: bool },
    /// CPU, memory, network and disk.
    Resource(Whose, Resource),
    /// Groups of the script: recorded one by one as well, each with its tags.
    Groups,
    /// Values that are recorded one by one under the metric's name, as those of a script.
    Recorded,
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
    /// Those that never began.
    Dropped,
}

/// See [`Source::Transactions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionFigure {
    Count,
    Failed,
    Duration,
}

/// Whose resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Target,
    System,
    Generator,
}

/// Which resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Cpu,
    Memory,
    Threads,
    Fds,
    DiskRead,
    DiskWritten,
    Processes,
    NetSent,
    NetReceived,
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

/// What a metric is, but for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) kind: MetricKind,
    pub(crate) quantity: Quantity,
    pub(crate) source: Source,
    /// Declared by the script.
    pub(crate) is_own: bool,
}

impl Metric {
    /// The figures it has, as they are written in thresholds.
    pub(crate) fn aggregations(self) -> &'static [&'static str] {
        match (self.kind, self.source) {
            (Counter, _) => &["count", "rate", "sum"],
            (Rate, _) => &["rate", "count"],
            (Trend, _) => &["avg", "min", "med", "max", "p(N)", "count", "rate", "sum"],
            // It is set now and then; there is no telling how long each value was true.
            (Gauge, Source::Recorded) => &["value", "min", "max"],
            (Gauge, _) => &["value", "avg", "min", "med", "max", "p(N)"],
        }
    }

    /// Checks that it has this statistic.
    pub(super) fn check(self, name: &str, aggregation: Aggregation) -> Result<(), String> {
        let (wanted, known) = (aggregation.name(), self.aggregations());
        if known.contains(&wanted) {
            return Ok(());
        }
        let (last, first) = known.split_last().unwrap_or((&"", &[]));
        let kind = self.kind;
        Err(format!("'{name}' is a {kind}, which has no {wanted}; it has {} and {last}", first.join(", ")))
    }

    pub(crate) fn tags(self) -> TagUse {
        match self.source {
            Source::Requests(..) | Source::RequestPhase(_) => TagUse::Request,
            Source::Iterations(IterationFigure::Dropped) => TagUse::No,
            Source::Iterations(_) => TagUse::Scenario,
            Source::Checks | Source::Transactions(_) | Source::Groups => TagUse::Any,
            Source::Recorded if self.is_own => TagUse::Any,
            Source::ScriptErrors | Source::Users { .. } | Source::Resource(..) | Source::Recorded => {
                TagUse::No
            }
        }
    }

    /// What one of its figures is counted in.
    pub(super) fn quantity_of(self, aggregation: Aggregation) -> Quantity {
        match (self.kind, aggregation) {
            (Counter, Aggregation::Rate) if self.quantity == Quantity::Bytes => Quantity::BytesPerSecond,
            (Counter | Trend, Aggregation::Rate) => Quantity::PerSecond,
            (Counter, _) => self.quantity,
            (_, Aggregation::Count) => Quantity::Number,
            _ => self.quantity,
        }
    }
}

/// A metric of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Its name in thresholds, files and exports.
    pub name: &'static str,
    /// What it says and when it is counted, in Markdown.
    pub description: &'static str,
    pub(crate) metric: Metric,
}

impl Builtin {
    /// What it does with its values.
    pub fn kind(&self) -> MetricKind {
        self.metric.kind
    }

    /// What its values are.
    pub fn quantity(&self) -> Quantity {
        self.metric.quantity
    }

    /// The figures that thresholds can take of it.
    pub fn aggregations(&self) -> &'static [&'static str] {
        self.metric.aggregations()
    }

    /// The protocols it occurs in; none for one that is not of requests.
    pub fn protocols(&self) -> &'static [Protocol] {
        match self.metric.source {
            Source::Requests(None, _) => &Protocol::ALL,
            Source::Requests(Some(Protocol::Http), _) | Source::RequestPhase(_) => &[Protocol::Http],
            Source::Requests(Some(Protocol::WebSocket), _) => &[Protocol::WebSocket],
            Source::Requests(Some(Protocol::Call), _) => &[Protocol::Call],
            Source::Recorded if self.name.starts_with("ws_") => &[Protocol::WebSocket],
            Source::Recorded if self.name.starts_with("http_") => &[Protocol::Http],
            _ => &[],
        }
    }

    /// A line of the table in `docs/metrics.md`.
    fn row(&self) -> String {
        let unit = match self.quantity() {
            Quantity::Number => "count",
            quantity => quantity.unit(),
        };
        let figures = self.aggregations().join(" ");
        format!("| `{}` | {} | {unit} | {} | {figures} |", self.name, self.kind(), self.description)
    }
}

/// The table of `docs/metrics.md`.
pub fn markdown() -> String {
    let rows: Vec<String> = METRICS.iter().map(Builtin::row).collect();
    format!("| metric | kind | unit | meaning | figures |\n|---|---|---|---|---|\n{}\n", rows.join("\n"))
}

/// A metric that a script declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// Its name.
    pub name: String,
    /// What it does with its values.
    pub kind: MetricKind,
    /// Its values are milliseconds.
    pub is_time: bool,
}

/// Beginnings of names that belong to the engine, also where no metric has one yet.
pub const RESERVED_PREFIXES: [&str; 14] = [
    "http_req",
    "http_resp_",
    "ws_",
    "call_",
    "grpc_",
    "sse_",
    "iteration",
    "transaction",
    "data_",
    "vus",
    "target_",
    "system_",
    "generator_",
    "rhaid_",
];

/// Whether a name belongs to the engine.
pub fn is_reserved(name: &str) -> bool {
    named(name).is_some() || reserved_prefix(name).is_some()
}

/// The reserved beginning that a name has.
pub fn reserved_prefix(name: &str) -> Option<&'static str> {
    RESERVED_PREFIXES.into_iter().find(|prefix| name.starts_with(prefix))
}

const fn entry(
    name: &'static str,
    (kind, quantity): (MetricKind, Quantity),
    source: Source,
    description: &'static str,
) -> Builtin {
    Builtin { name, description, metric: Metric { kind, quantity, source, is_own: false } }
}

const COUNT: (MetricKind, Quantity) = (Counter, Quantity::Number);
const BYTES: (MetricKind, Quantity) = (Counter, Quantity::Bytes);
const SHARE: (MetricKind, Quantity) = (Rate, Quantity::Share);
const TIME: (MetricKind, Quantity) = (Trend, Quantity::Time);
const STATE: (MetricKind, Quantity) = (Gauge, Quantity::Number);
const PER_CENT: (MetricKind, Quantity) = (Gauge, Quantity::Percent);
const MEMORY: (MetricKind, Quantity) = (Gauge, Quantity::Bytes);
const THROUGHPUT: (MetricKind, Quantity) = (Gauge, Quantity::BytesPerSecond);

const fn http(figure: RequestFigure) -> Source {
    Source::Requests(Some(Protocol::Http), figure)
}

const fn ws(figure: RequestFigure) -> Source {
    Source::Requests(Some(Protocol::WebSocket), figure)
}

const fn call(figure: RequestFigure) -> Source {
    Source::Requests(Some(Protocol::Call), figure)
}

const fn iterations(figure: IterationFigure) -> Source {
    Source::Iterations(figure)
}

const fn target(resource: Resource) -> Source {
    Source::Resource(Whose::Target, resource)
}

const fn system(resource: Resource) -> Source {
    Source::Resource(Whose::System, resource)
}

const fn generator(resource: Resource) -> Source {
    Source::Resource(Whose::Generator, resource)
}

/// The metrics of the engine, in the order of outputs.
pub const METRICS: [Builtin; 58] = [
    entry(
        "http_reqs",
        COUNT,
        http(RequestFigure::Count),
        "HTTP requests with a final verdict; a redirect chain is one request. Counted when the VU next waits \
         after the response, or its iteration ends",
    ),
    entry("http_req_failed", SHARE, http(RequestFigure::Failed), "Share of failed HTTP requests"),
    entry(
        "http_req_duration",
        TIME,
        http(RequestFigure::Duration),
        "Service time of successful requests. `{expected_response:false}` selects failures: their service \
         time, or the duration of the attempt if there was no response",
    ),
    entry(
        "http_resp_time",
        TIME,
        http(RequestFigure::Response),
        "Response time of all requests, successful and failed",
    ),
    entry(
        "http_req_blocked",
        TIME,
        Source::RequestPhase(0),
        "Time until a connection was available, without the three below. Like all [timings](http.md#timings), \
         only of requests with a response",
    ),
    entry("http_req_dns", TIME, Source::RequestPhase(1), "DNS lookup, if there was one"),
    entry("http_req_connecting", TIME, Source::RequestPhase(2), "Opening TCP connections, if there were any"),
    entry("http_req_tls_handshaking", TIME, Source::RequestPhase(3), "TLS handshakes, if there were any"),
    entry("http_req_sending", TIME, Source::RequestPhase(4), "Sending the request"),
    entry(
        "http_req_waiting",
        TIME,
        Source::RequestPhase(5),
        "From the last byte of the request to the first byte of the response",
    ),
    entry("http_req_receiving", TIME, Source::RequestPhase(6), "Receiving the response"),
    entry(
        "http_req_retries",
        COUNT,
        Source::Recorded,
        "Requests sent again because the server had certainly [not processed](http.md#connections) them; \
         each repeat counts",
    ),
    entry(
        "data_sent",
        BYTES,
        Source::Requests(None, RequestFigure::Sent),
        "Bytes sent over all connections of all protocols, including headers, TLS and handshakes",
    ),
    entry(
        "data_received",
        BYTES,
        Source::Requests(None, RequestFigure::Received),
        "Bytes received over these connections",
    ),
    entry("iterations", COUNT, iterations(IterationFigure::Count), "Iterations that completed or failed"),
    entry(
        "iteration_duration",
        TIME,
        iterations(IterationFigure::Duration),
        "Duration of an iteration, without the wait after it",
    ),
    entry(
        "iteration_lag",
        TIME,
        iterations(IterationFigure::Lag),
        "From the time an iteration was due to its start",
    ),
    entry(
        "iteration_resp_time",
        TIME,
        iterations(IterationFigure::Response),
        "From the time an iteration was due to its end",
    ),
    entry(
        "dropped_iterations",
        COUNT,
        iterations(IterationFigure::Dropped),
        "Iterations that were due but never started: no VU was free (`late: \"drop\"`), or the load ended. \
         Only for executors with due times",
    ),
    entry("checks", SHARE, Source::Checks, "Share of passed checks"),
    entry("script_errors", COUNT, Source::ScriptErrors, "Script errors, including `fail`"),
    entry("vus", STATE, Source::Users { most: false }, "Running virtual users, sampled once per second"),
    entry("vus_max", STATE, Source::Users { most: true }, "Maximum number of running virtual users so far"),
    entry(
        "transactions",
        COUNT,
        Source::Transactions(TransactionFigure::Count),
        "Completed `measure` calls, and ended `metrics::start`",
    ),
    entry(
        "transaction_failed",
        SHARE,
        Source::Transactions(TransactionFigure::Failed),
        "Share of failed transactions",
    ),
    entry(
        "transaction_duration",
        TIME,
        Source::Transactions(TransactionFigure::Duration),
        "Duration of successful transactions",
    ),
    entry(
        "group_duration",
        TIME,
        Source::Groups,
        "Duration of the closures of `group` that returned, including waits in them",
    ),
    entry(
        "ws_reqs",
        COUNT,
        ws(RequestFigure::Count),
        "WebSocket handshakes, and messages with their answers",
    ),
    entry("ws_req_failed", SHARE, ws(RequestFigure::Failed), "Share of failed ones"),
    entry("ws_req_duration", TIME, ws(RequestFigure::Duration), "Duration of successful ones"),
    entry("ws_sessions", COUNT, Source::Recorded, "WebSockets opened"),
    entry("ws_connecting", TIME, Source::Recorded, "Total time to open a WebSocket"),
    entry(
        "ws_session_duration",
        TIME,
        Source::Recorded,
        "How long a WebSocket was open; counted when it is closed, breaks, or its value is dropped",
    ),
    entry("ws_msgs_sent", COUNT, Source::Recorded, "Messages sent over WebSockets, including unpaired ones"),
    entry("ws_msgs_received", COUNT, Source::Recorded, "Messages received over WebSockets"),
    entry(
        "call_reqs",
        COUNT,
        call(RequestFigure::Count),
        "Samples recorded by `metrics::sample` and by functions of an embedding program",
    ),
    entry("call_failed", SHARE, call(RequestFigure::Failed), "Share of failed ones"),
    entry("call_duration", TIME, call(RequestFigure::Duration), "Duration of successful ones"),
    entry("target_cpu", PER_CENT, target(Resource::Cpu), "CPU of the target's processes; 100 is one core"),
    entry("target_memory", MEMORY, target(Resource::Memory), "Resident memory of the target's processes"),
    entry("target_threads", STATE, target(Resource::Threads), "Threads of the target's processes"),
    entry(
        "target_fds",
        STATE,
        target(Resource::Fds),
        "Open file descriptors of the target's processes, including sockets",
    ),
    entry("target_disk_read", THROUGHPUT, target(Resource::DiskRead), "Disk reads of the target's processes"),
    entry(
        "target_disk_written",
        THROUGHPUT,
        target(Resource::DiskWritten),
        "Disk writes of the target's processes",
    ),
    entry("target_processes", STATE, target(Resource::Processes), "Number of the target's processes"),
    entry("system_cpu", PER_CENT, system(Resource::Cpu), "CPU of the target's machine; 100 is all cores"),
    entry("system_memory", MEMORY, system(Resource::Memory), "Memory in use on the target's machine"),
    entry(
        "system_net_sent",
        THROUGHPUT,
        system(Resource::NetSent),
        "Network traffic sent by the target's machine over all interfaces, including loopback",
    ),
    entry(
        "system_net_received",
        THROUGHPUT,
        system(Resource::NetReceived),
        "Network traffic received over all interfaces",
    ),
    entry("system_disk_read", THROUGHPUT, system(Resource::DiskRead), "Disk reads of the target's machine"),
    entry(
        "system_disk_written",
        THROUGHPUT,
        system(Resource::DiskWritten),
        "Disk writes of the target's machine",
    ),
    entry("generator_cpu", PER_CENT, generator(Resource::Cpu), "CPU of the load generator; 100 is one core"),
    entry("generator_memory", MEMORY, generator(Resource::Memory), "Resident memory of the load generator"),
    entry("generator_threads", STATE, generator(Resource::Threads), "Threads of the load generator"),
    entry("generator_fds", STATE, generator(Resource::Fds), "Open file descriptors of the load generator"),
    entry(
        "generator_disk_read",
        THROUGHPUT,
        generator(Resource::DiskRead),
        "Disk reads of the load generator",
    ),
    entry(
        "generator_disk_written",
        THROUGHPUT,
        generator(Resource::DiskWritten),
        "Disk writes of the load generator",
    ),
    entry("generator_processes", STATE, generator(Resource::Processes), "Processes of the load generator"),
];

/// The metric of the engine with this name.
pub fn named(name: &str) -> Option<&'static Builtin> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// The metrics of resources, in the order of outputs.
pub fn resources() -> impl Iterator<Item = &'static Builtin> {
    METRICS.iter().filter(|metric| matches!(metric.metric.source, Source::Resource(..)))
}

/// The metric of this name: of the engine, or of the script.
pub(crate) fn find(name: &str, own: &[CustomMetric]) -> Option<Metric> {
    if let Some(builtin) = named(name) {
        return Some(builtin.metric);
    }
    let own = own.iter().find(|metric| metric.name == name)?;
    let quantity = match own.kind {
        Rate => Quantity::Share,
        _ if own.is_time => Quantity::Time,
        _ => Quantity::Number,
    };
    Some(Metric { kind: own.kind, quantity, source: Source::Recorded, is_own: true })
}

/// The names that can be meant.
pub(super) fn names(own: &[CustomMetric]) -> impl Iterator<Item = &str> {
    METRICS.iter().map(|metric| metric.name).chain(own.iter().map(|metric| metric.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_in_their_order_and_names_stand_once() {
        for (index, phase) in super::super::PHASES.iter().enumerate() {
            let metric = named(&format!("http_req_{phase}")).unwrap();
            assert_eq!(metric.metric.source, Source::RequestPhase(index), "{phase}");
        }
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..index].iter().all(|other| other.name != metric.name), "{}", metric.name);
            assert!(is_reserved(metric.name) && !metric.description.is_empty());
        }
        assert!(is_reserved("http_req_whatever") && !is_reserved("orders"));
    }

    /// `RHAID_BLESS=1` writes it again.
    #[test]
    fn the_documentation_lists_every_metric() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = ("<!-- metrics -->\n", "<!-- /metrics -->");
        let (head, rest) = page.split_once(begin).expect("a mark before the table");
        let (table, tail) = rest.split_once(end).expect("a mark after the table");
        let prefixes = RESERVED_PREFIXES.map(|prefix| format!("`{prefix}`")).join(", ");
        let made = format!("{}\nReserved beginnings of names: {prefixes}.\n", markdown());
        if std::env::var_os("RHAID_BLESS").is_some() {
            std::fs::write(&path, format!("{head}{begin}{made}{end}{tail}")).unwrap();
        } else {
            assert_eq!(table, made, "RHAID_BLESS=1 cargo test --lib the_documentation_lists");
        }
    }
}
