//! HTTP/2: one connection, shared by the requests of a virtual user.
//!
//! Owns how `h2` is driven and what a failure proves about the request. Leaves opening connections to `connector.rs`
//! and what HTTP/1.1 and HTTP/2 have in common to `connection.rs`. One driver task moves the frames of all requests.
//!
//! `h2` is used directly, not through hyper, because only it tells whether the server says that it has not processed a
//! request (RFC 9113 section 8.7): hyper reports a request that it was still holding back as lost.
//!
//! Invariant: a request that is dropped half-way resets its stream and nothing else.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Response};
use tokio::task::{AbortHandle, coop, spawn_local};

use super::body::{Body, Outgoing};
use super::connection::{
    Collected, Failure, LARGEST_HEAD, Processed, RawResponse, TooLarge, head_of, too_large,
};
use super::error::{self, HttpError, ResponsePart};
use super::link::{Link, Wire};
use super::record::Record;
use super::request::BodyUse;

/// What a server may send of one response before the client has taken it; with less, a connection far away is slow.
const STREAM_WINDOW: u32 = 2 << 20;

/// The same over all responses of a connection.
const CONNECTION_WINDOW: u32 = 5 << 20;

/// A connection that speaks HTTP/2 and is shared by the requests of one virtual user.
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    link: Rc<Link>,
    driver: AbortHandle,
}

impl Http2 {
    /// Speaks HTTP/2 over this stream: sends the preface and starts the driver task.
    pub(super) async fn over(wire: Wire) -> Result<Http2, HttpError> {
        let link = wire.link.clone();
        let (sender, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(LARGEST_HEAD as u32)
            // A server that streams sends small pieces; they are taken one by one.
            .data_frame_budget(CONNECTION_WINDOW as usize * 16)
            .enable_push(false)
            .handshake(wire)
            .await
            .map_err(|error| error::http2(&error, &link.peer, ResponsePart::Head))?;
        let driver = spawn_local(async move {
            // Its result is not needed: every request on the connection is told the error.
            let _ = connection.await;
        });
        Ok(Http2 { sender, link, driver: driver.abort_handle() })
    }

    pub(super) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// Whether the server lets a request begin, be it after others have ended.
    pub(super) fn allows_streams(&self) -> bool {
        self.sender.current_max_send_streams() > 0
    }

    /// Whether another request can be sent.
    pub(super) fn is_reusable(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        !matches!(self.sender.clone().poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    /// Sends a request and reads the response to its end, beside other requests.
    pub(super) async fn run(
        &self,
        request: http::Request<Body>,
        body_use: BodyUse,
        record: &mut Record,
    ) -> Result<RawResponse, Failure> {
        let (mut head, body) = request.into_parts();
        fit_fields(&mut head.headers, body.length());
        let written = self.link.written();
        let mut sender = self.sender.clone();
        let ready = poll_fn(|cx| sender.poll_ready(cx)).await;
        let started =
            ready.and_then(|()| sender.send_request(http::Request::from_parts(head, ()), body.is_empty()));
        let (response, stream) = started.map_err(|cause| Failure {
            error: self.explain(&cause, ResponsePart::Head),
            // The connection had ended before; nothing else is told here but that a request cannot be written down.
            processed: if is_malformed(&cause) { Processed::Maybe } else { Processed::Unsent },
        })?;
        let mut upload = Upload { stream, left: body.outgoing() };
        let response = self.head(response, &mut upload).await.map_err(|cause| match cause {
            Unanswered::Broken(cause) => Failure {
                error: self.explain(&cause, ResponsePart::Head),
                processed: self.processed(&cause, written),
            },
            // Whatever it says afterwards, the server had begun to process the request.
            Unanswered::Abandoned(cause) => {
                Failure { error: self.explain(&cause, ResponsePart::Head), processed: Processed::Maybe }
            }
            Unanswered::NoBody(error) => Failure { error, processed: Processed::Maybe },
        })?;
        record.head_arrived();
        let (answer, body) = head_of(response);
        let part = ResponsePart::Body(answer.status.as_u16());
        let broken = |cause: h2::Error| Failure {
            error: self.explain(&cause, part),
            // There was an answer.
            processed: Processed::Maybe,
        };
        let mut collected = Collected::expecting(length_of(&answer.headers), body_use);
        let trailers = {
            let mut reading = pin!(read(body, &mut collected));
            let read = poll_fn(|cx| {
                if let Err(error) = upload.advance(cx) {
                    return Poll::Ready(Err(Unread::NoBody(error)));
                }
                reading.as_mut().poll(cx)
            });
            match read.await {
                Ok(trailers) => trailers,
                Err(Unread::Broken(cause)) => return Err(broken(cause)),
                Err(Unread::TooLarge) => return Err(too_large(&self.link)),
                Err(Unread::NoBody(error)) => return Err(Failure { error, processed: Processed::Maybe }),
            }
        };
        Ok(collected.complete(RawResponse { trailers: trailers.map(Box::new), ..answer }))
    }

    async fn head(
        &self,
        mut response: ResponseFuture,
        upload: &mut Upload,
    ) -> Result<Response<RecvStream>, Unanswered> {
        let mut is_begun = false;
        poll_fn(|cx| {
            if let Err(error) = upload.advance(cx) {
                return Poll::Ready(Err(Unanswered::NoBody(error)));
            }
            while let Poll::Ready(Some(Ok(_))) = response.poll_informational(cx) {
                is_begun = true;
            }
            let broken = if is_begun { Unanswered::Abandoned } else { Unanswered::Broken };
            Pin::new(&mut response).poll(cx).map_err(broken)
        })
        .await
    }

    /// What this end of a stream proves. The server's own word counts, and that no byte left this machine since.
    fn processed(&self, cause: &h2::Error, written_before: u64) -> Processed {
        // A stream that ends with the server's GOAWAY is one above the last that it announced; those below it go on.
        let refused =
            cause.is_remote() && (cause.is_go_away() || cause.reason() == Some(Reason::REFUSED_STREAM));
        if refused {
            Processed::Refused
        } else if self.link.written() == written_before {
            Processed::Unsent
        } else {
            Processed::Maybe
        }
    }

    fn explain(&self, cause: &h2::Error, part: ResponsePart) -> HttpError {
        error::http2(cause, &self.link.peer, part)
    }
}

impl Drop for Http2 {
    /// Ends the driver with its last user, so that no task outlives the virtual user.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A body on its way out. What is left of it when the response is complete is not sent.
struct Upload {
    stream: SendStream<Bytes>,
    left: Outgoing,
}

impl Upload {
    /// Sends what the server has room for. An error of the stream is told to the response as well.
    ///
    /// # Errors
    /// When the body cannot be had. The server is told that it is not whole.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), HttpError> {
        while !self.left.is_empty() {
            self.stream.reserve_capacity(self.left.at_once());
            let room = self.stream.capacity();
            if room == 0 {
                // It tells of each change once, which may be one that was used up meanwhile.
                match self.stream.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => self.left.clear(),
                    Poll::Pending => break,
                }
                continue;
            }
            let next = match self.left.poll_piece(room, cx) {
                Poll::Ready(Ok(next)) => next,
                Poll::Ready(Err(error)) => {
                    self.left.clear();
                    self.stream.send_reset(Reason::CANCEL);
                    return Err(error);
                }
                Poll::Pending => break,
            };
            if self.stream.send_data(next, self.left.is_empty()).is_err() {
                self.left.clear();
            }
        }
        Ok(())
    }
}

/// Why there is no head of a response.
enum Unanswered {
    Broken(h2::Error),
    /// The same, after an informational response (RFC 9110 section 15.2).
    Abandoned(h2::Error),
    /// The body of the request cannot be had.
    NoBody(HttpError),
}

/// Why a body was not read to its end.
enum Unread {
    Broken(h2::Error),
    TooLarge,
    /// The body of the request cannot be had.
    NoBody(HttpError),
}

impl From<h2::Error> for Unread {
    fn from(cause: h2::Error) -> Unread {
        Unread::Broken(cause)
    }
}

/// Reads the body to its end, and gives back its trailers.
async fn read(mut body: RecvStream, collected: &mut Collected) -> Result<Option<HeaderMap>, Unread> {
    while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        collected.add(data).map_err(|TooLarge| Unread::TooLarge)?;
        // As over HTTP/1.1.
        coop::consume_budget().await;
    }
    Ok(poll_fn(|cx| body.poll_trailers(cx)).await?)
}

/// The header fields as HTTP/2 has them: none that belong to a connection (RFC 9113 section 8.2.2).
fn fit_fields(fields: &mut HeaderMap, body: u64) {
    if let Some(named) = fields.remove(CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            fields.remove(name.trim());
        }
    }
    for name in [TRANSFER_ENCODING, UPGRADE] {
        fields.remove(name);
    }
    fields.remove("keep-alive");
    fields.remove("proxy-connection");
    if fields.get(TE).is_some_and(|value| value != "trailers") {
        fields.remove(TE);
    }
    if body > 0 {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(body));
    }
}

fn length_of(fields: &HeaderMap) -> u64 {
    fields.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// Whether the request itself is at fault, not the connection.
fn is_malformed(cause: &h2::Error) -> bool {
    !cause.is_io() && !cause.is_go_away() && !cause.is_reset()
}
