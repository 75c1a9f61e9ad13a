//! What is reported to the recorder: one request, one iteration, one failure.
//!
//! Pure data. Invariant: a sample is counted once; a failed request carries its [`Failure`].

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::series::SeriesId;

/// One request with its verdict, ready to be counted.
#[derive(Clone, Debug)]
pub struct RequestSample {
    /// Where it is counted.
    pub series: SeriesId,
    /// Further places: one for each `key:value` tag of the request.
    pub tags: Vec<TagId>,
    /// HTTP status, 0 when there was no response.
    pub status: u16,
    /// Service time: request sent → response received.
    pub service: Duration,
    /// Response time: planned start → response received.
    pub response: Duration,
    /// Where the service time and the time before it went.
    pub phases: Phases,
    /// Bytes written to the socket.
    pub bytes_sent: u64,
    /// Bytes read from the socket.
    pub bytes_received: u64,
    /// Set when the request counts as failed.
    pub failure: Option<Box<Failure>>,
}

/// Why a request counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short stable word: `status`, `expect`, or a transport error kind such as `refused`.
    pub kind: &'static str,
    /// One line for people.
    pub message: String,
}

/// The parts of one request's time; a part is `None` when it did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Waiting for a connection to be free, without opening one.
    pub blocked: Duration,
    /// Looking the host name up.
    pub dns: Option<Duration>,
    /// Opening the TCP connection.
    pub connecting: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// Writing the request.
    pub sending: Duration,
    /// From the request's last byte to the response's first.
    pub waiting: Duration,
    /// From the response's first byte to its last.
    pub receiving: Duration,
}

/// A tag's place in its recorder's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TagId(pub(crate) u32);

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IterationEnd {
    /// It ran to its end, or its virtual user left with `vu::stop`.
    Completed,
    /// A script error or `fail` ended it.
    Failed,
    /// The run stopped before it was done.
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
