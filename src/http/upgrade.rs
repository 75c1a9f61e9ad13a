//! Streams for other protocols: a connection on which something else than HTTP will be spoken.
//!
//! Owns opening it the way a request's connection is opened (names, proxies, TLS, cookies, credentials, the
//! limit of time) and timing the handshake as a request is timed. Leaves what the handshake says to the
//! caller. Invariant: as with requests, a failure is an [`Exchange`] with an error or a status, never an `Err`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, Version};

use super::client::{Client, exchange, too_slow};
use super::connection::RawResponse;
use super::connector;
use super::error::HttpError;
use super::exchange::Exchange;
use super::limit::within;
use super::link::Wire;
use super::record::{Record, Sharing};
use super::redirect::RedirectChain;
use super::request::Request;

/// How a handshake ended that gave no stream.
pub(crate) enum Declined {
    /// The server answered with something else.
    Response(Response<Bytes>),
    /// There was no usable answer.
    Error(HttpError),
}

impl Client {
    /// Opens a stream to where `request` goes and lets `handshake` speak first on it, with the header fields
    /// that a request would carry. Its response, and how long it all took, is the exchange.
    pub(crate) async fn upgrade<T>(
        &self,
        request: Request,
        handshake: impl AsyncFnOnce(HeaderMap, Wire) -> Result<(T, Response<()>), Declined>,
    ) -> (Exchange, Option<T>) {
        let limit = request.timeout.unwrap_or(self.timeout());
        let started = tokio::time::Instant::now();
        let mut record = Record::new(started.into_std());
        let work = self.shake_hands(&request, &mut record, handshake);
        let (outcome, stream) = match within(limit, started, work).await {
            Some(Ok((answer, stream))) => (Ok((answer, request.target.clone())), stream),
            Some(Err(error)) => (Err(error), None),
            None => (Err(too_slow(limit)), None),
        };
        (exchange(request, record, outcome), stream)
    }

    /// The limit of a request that sets none.
    pub(crate) fn timeout(&self) -> Duration {
        self.network.transport.options.timeout
    }

    async fn shake_hands<T>(
        &self,
        request: &Request,
        record: &mut Record,
        handshake: impl AsyncFnOnce(HeaderMap, Wire) -> Result<(T, Response<()>), Declined>,
    ) -> Result<(RawResponse, Option<T>), HttpError> {
        let course = RedirectChain::new(request);
        record.begin_hop();
        let wire = connector::open_stream(&self.network, course.target.origin(), record).await?;
        record.ready(&wire.link, Sharing::Exclusive, false);
        let headers = self.headers(&course, None, record.since());
        let (response, stream) = match handshake(headers, wire).await {
            Ok((stream, response)) => (response.map(|()| Bytes::new()), Some(stream)),
            Err(Declined::Response(response)) => (response, None),
            Err(Declined::Error(error)) => return Err(error),
        };
        record.end_hop();
        let (head, body) = response.into_parts();
        let headers = head.headers.into();
        self.keep_cookies(&course.target, &headers);
        let answer = RawResponse {
            status: head.status,
            version: Version::HTTP_11,
            headers,
            trailers: None,
            body_size: body.len() as u64,
            body,
        };
        Ok((answer, stream))
    }
}
