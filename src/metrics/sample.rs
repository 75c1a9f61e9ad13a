//! Samples for the recorder: a request of any protocol, an iteration, a failure.
//!
//! Pure data. Invariant: a sample is counted once; a failed request carries its [`Failure`].

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::error_kind::ErrorKind;
use super::groups::FailureSample;
use super::series::SeriesId;

/// The protocol of a sample. Each protocol has its own totals and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP, any version.
    #[default]
    Http,
    /// WebSocket handshakes, and messages with their answers.
    WebSocket,
    /// Functions of an embedding program.
    Call,
}

impl Protocol {
    /// All of them, in the order of outputs.
    pub const ALL: [Protocol; 3] = [Protocol::Http, Protocol::WebSocket, Protocol::Call];

    /// What a status of this protocol says: `Not Found`; `None` without a response, and for a code without a text.
    pub fn status_text(self, status: u16) -> Option<&'static str> {
        match self {
            Protocol::Http | Protocol::WebSocket => {
                http::StatusCode::from_u16(status).ok()?.canonical_reason()
            }
            Protocol::Call => None,
        }
    }
}

/// One request with its verdict, ready to be counted.
#[derive(Clone, Debug)]
pub struct RequestSample {
    /// What it was made over; that of its series.
    pub protocol: Protocol,
    /// Where it is counted: scenario, method and name.
    pub series: SeriesId,
    /// Further places: one for each `key:value` tag of the request.
    pub tags: Vec<TagId>,
    /// The protocol's code, 0 when there was no response; see [`Protocol::status_text`].
    pub status: u16,
    /// Service time: request sent → response received.
    pub service: Duration,
    /// Response time: planned start → response received.
    pub response: Duration,
    /// Where the service time and the time before it went.
    pub timings: Timings,
    /// Bytes written to the socket.
    pub bytes_sent: u64,
    /// Bytes read from the socket.
    pub bytes_received: u64,
    /// Set when the request counts as failed.
    pub failure: Option<Box<Failure>>,
}

impl RequestSample {
    /// The latency under which a failed request is filed: its service time, or, when no response came,
    /// the whole time the attempt took. It never enters the latency of successes.
    pub(super) fn failed_latency(&self) -> Duration {
        if self.status == 0 { self.response } else { self.service }
    }
}

/// What is known of a request besides its sample; asked for only when somebody wants it.
pub trait RequestDetails {
    /// Of a failed request, what is kept to be looked at.
    fn shown(&self) -> Option<FailureSample> {
        None
    }

    /// What files of samples tell of it.
    fn facts(&self) -> RequestFacts {
        RequestFacts::default()
    }
}

/// Nothing else is known.
impl RequestDetails for () {}

/// What files of samples tell of a request besides its figures, in the words of k6; `None` where it does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestFacts {
    /// The URL that was asked for. That of a request with a name of its own is the name: whoever gives one wants to
    /// see many URLs as one.
    pub url: Option<String>,
    /// The version of the response: `HTTP/1.1`, `HTTP/2.0`.
    pub proto: Option<&'static str>,
    /// `tls1.2` or `tls1.3`.
    pub tls_version: Option<&'static str>,
    /// The protocol that a WebSocket speaks.
    pub subproto: Option<String>,
    /// The number that k6 has for the error.
    pub error_code: Option<u16>,
}

/// Why a request counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short stable class.
    pub kind: ErrorKind,
    /// One line for people.
    pub message: String,
}

/// Names of the phases of a request, in the order of arrays of them.
pub const PHASES: [&str; 7] =
    ["blocked", "dns", "connecting", "tls_handshaking", "sending", "waiting", "receiving"];

/// Timings of a request, summed over its redirects; exact to the microsecond. The parts never add up to more than
/// the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// From the call until a connection was available, without `dns`, `connecting` and `tls`.
    pub blocked: Duration,
    /// DNS lookup; `None` if there was none (an address, a cached name).
    pub dns: Option<Duration>,
    /// Opening TCP connections, including the proxy's CONNECT; `None` if there were none.
    pub connecting: Option<Duration>,
    /// TLS handshakes; `None` if there were none.
    pub tls: Option<Duration>,
    /// From an available connection to the last byte of the request.
    pub sending: Duration,
    /// From the last byte of the request to the first byte of the response.
    pub waiting: Duration,
    /// From the first byte of the response to the last byte of the body.
    pub receiving: Duration,
    /// Wall time of the whole request.
    pub total: Duration,
}

impl Timings {
    /// All of the time was spent waiting for the answer.
    pub fn waited(time: Duration) -> Timings {
        Timings { waiting: time, total: time, ..Timings::default() }
    }

    /// The time attributable to the server: sending, waiting and receiving.
    pub fn service(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }

    /// Microseconds of each phase, in the order of [`PHASES`]; `None` for one that did not happen.
    pub(super) fn parts(&self) -> [Option<u64>; PHASES.len()] {
        [
            Some(micros(self.blocked)),
            self.dns.map(micros),
            self.connecting.map(micros),
            self.tls.map(micros),
            Some(micros(self.sending)),
            Some(micros(self.waiting)),
            Some(micros(self.receiving)),
        ]
    }
}

/// A duration in whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    // `Duration::as_micros` computes in 128 bits; this does not, and an hour is far below its range.
    duration.as_secs() * 1_000_000 + u64::from(duration.subsec_micros())
}

/// A tag's place in its recorder's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TagId(pub(crate) u32);

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IterationEnd {
    /// It completed, or its virtual user ended with `vu::stop`.
    Completed,
    /// A script error or `fail` ended it.
    Failed,
    /// The run stopped before it completed.
    Interrupted,
}

/// An error of a script, as it is grouped and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScriptError {
    /// What went wrong, in one line.
    pub message: String,
    /// `file:line:column`, or empty when the error has no place.
    pub position: String,
    /// Source line with caret, call chain, virtual user and iteration of the first time.
    #[serde(default)]
    pub trace: String,
}
