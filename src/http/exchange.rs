//! The result of a request.
//!
//! Owns the result types. Leaves taking the times to `record.rs` and undoing encodings to `decoding.rs`.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Version};

use super::decoding;
use super::error::HttpError;
use super::response_headers::ResponseHeaders;
use super::target::Destination;
use crate::metrics::Timings;

/// The result of one request with all its redirects. Never an `Err`: a failure is a sample too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// Status of the last response; 0 when the request failed, even if it failed inside the body.
    pub status: u16,
    /// Version of the last response; HTTP/1.1 when there was none.
    pub version: Version,
    /// Header fields of the last response.
    pub headers: ResponseHeaders,
    /// Fields that came after the body; `None` without any.
    pub trailers: Option<Box<HeaderMap>>,
    /// As received, still content-encoded; see [`Exchange::decoded_body`].
    pub body: Bytes,
    /// Length of the body as received, even if it was discarded.
    pub body_size: u64,
    /// The final URL, after redirects.
    pub target: Destination,
    /// The timings.
    pub timings: Timings,
    /// Bytes written to TCP sockets, including headers, TLS and handshakes.
    pub bytes_sent: u64,
    /// Bytes read from TCP sockets, including headers, TLS and handshakes.
    pub bytes_received: u64,
    /// The peer of the last connection: the server or the proxy.
    pub remote_addr: Option<SocketAddr>,
    /// The version of TLS on the last connection, `tls1.2` or `tls1.3`; `None` without TLS.
    pub tls_version: Option<&'static str>,
    /// The redirects followed, in order.
    pub hops: Vec<Hop>,
    /// Why there is no usable response.
    pub error: Option<HttpError>,
    /// Whether a connection was opened for it.
    pub opened_connection: bool,
    /// How often it was sent again because the server had certainly not processed it.
    pub retries: u32,
}

impl Exchange {
    /// The body with its `content-encoding` (gzip, deflate, br, in any combination) decoded.
    ///
    /// Without an encoding, or with one that is unknown, this is a cheap clone. Fails with kind `body` if the data is
    /// corrupt or the result would exceed 128 MiB. Decodes on every call: keep the result.
    pub fn decoded_body(&self) -> Result<Bytes, HttpError> {
        decoding::decode(&self.headers, &self.body)
    }
}

/// One redirect that was followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hop {
    /// The redirecting status, 301 to 308.
    pub status: u16,
    /// The URL that answered with it.
    pub url: Destination,
}
