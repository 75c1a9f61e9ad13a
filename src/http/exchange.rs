//! What came of a request.
//!
//! Owns the result types. Leaves taking the times to `record.rs` and undoing encodings to `decoding.rs`.
//! Invariant: the parts of [`Timings`] never add up to more than its `total`.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Version};

use super::decoding;
use super::error::HttpError;
use super::target::Target;

/// What came of one request with all its redirects. Never an `Err`: a failure is a sample too.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Status of the last response; 0 when the request failed, also when it failed inside the body.
    pub status: u16,
    /// Version of the last response; HTTP/1.1 when there was none.
    pub version: Version,
    /// Header fields of the last response.
    pub headers: HeaderMap,
    /// As received, still content-encoded; see [`Exchange::decoded_body`].
    pub body: Bytes,
    /// Length of the body as received; also of one that was discarded.
    pub body_size: u64,
    /// The URL that answered, after redirects.
    pub target: Target,
    /// Where the time went.
    pub timings: Timings,
    /// Bytes written to the TCP sockets, with header, TLS and handshakes.
    pub bytes_sent: u64,
    /// Bytes read from the TCP sockets, with header, TLS and handshakes.
    pub bytes_received: u64,
    /// The other end of the last connection: the server, or the proxy before it.
    pub remote_addr: Option<SocketAddr>,
    /// The redirects that were followed, in order.
    pub hops: Vec<Hop>,
    /// Why there is no usable response.
    pub error: Option<HttpError>,
    /// Whether a connection was opened for it.
    pub opened_connection: bool,
}

impl Exchange {
    /// The body with its `content-encoding` (gzip, deflate, br, in any combination) undone.
    ///
    /// Without an encoding this is a cheap clone. Fails with kind `body` when the data is damaged, the encoding
    /// is not known or more than 1 GiB would come out. Decodes at every call: keep the result.
    pub fn decoded_body(&self) -> Result<Bytes, HttpError> {
        decoding::decode(&self.headers, &self.body)
    }
}

/// One redirect that was followed.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The redirecting status, 301 to 308.
    pub status: u16,
    /// The URL that answered with it.
    pub url: Target,
}

/// Where the time of a request went, summed over its redirects; exact to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the call until a connection was there, without `dns`, `connecting` and `tls`.
    pub blocked: Duration,
    /// Looking up a name; `None` when none was looked up (an address, a cached name).
    pub dns: Option<Duration>,
    /// Opening TCP connections, with the proxy's CONNECT; `None` when none was opened.
    pub connecting: Option<Duration>,
    /// TLS handshakes; `None` when there was none.
    pub tls: Option<Duration>,
    /// From having a connection to the last byte of the request being written.
    pub sending: Duration,
    /// From there to the first byte of the response.
    pub waiting: Duration,
    /// From there to the last byte of the body.
    pub receiving: Duration,
    /// Wall time of the whole request.
    pub total: Duration,
}

impl Timings {
    /// The time the server is answerable for: sending, waiting and receiving.
    pub fn service(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }
}
