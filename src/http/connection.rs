//! An HTTP/1.1 connection, and running one request on it; what a response is, in both versions.
//!
//! Owns how hyper is driven. Leaves opening connections to `connector.rs`, keeping them to `pool.rs` and HTTP/2 to
//! `http2.rs`.
//!
//! There is no background task: the request that uses a connection polls hyper's connection future, its response
//! future and the body in turn.
//!
//! Invariant: a request that fails, or is dropped half-way, takes its connection with it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, Version};
use hyper::body::{Body, Frame};
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::task::coop;

use super::body::{Body as RequestBody, Outgoing};
use super::error::{self, ErrorKind, HttpError, ResponsePart};
use super::link::{Link, Wire};
use super::nudge::Nudge;
use super::request::BodyUse;
use super::response_headers::ResponseHeaders;

/// How often hyper's parts may nudge one another within one poll before the task lets others run.
const ROUNDS_PER_POLL: u32 = 16;

/// The most memory taken for a body on the word of its `content-length` alone.
const TRUSTED_LENGTH: u64 = 16 << 20;

/// The most lines in the head of a response, and in its trailers. Hyper would take 100; browsers know no such limit. It
/// costs two blocks of memory a response, of which only what is used is touched.
pub(super) const MOST_LINES: usize = 2048;

/// The most bytes in the head of a response, in both versions; Chromium takes 256 KiB.
pub(super) const LARGEST_HEAD: usize = 408 << 10;

/// The most bytes of a body that are kept, as received and decoded: a server that sends without end, or a small body that
/// unpacks to a large one, must not take the machine's memory.
pub(super) const LARGEST_KEPT: u64 = 128 << 20;

/// A body of this many bytes or more is written from where it lies, with a vectored write; a smaller one is
/// copied behind the header, which is the cheaper system call.
pub(super) const LARGE_BODY: u64 = 64 * 1024;

/// A complete response.
pub(super) struct RawResponse {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: ResponseHeaders,
    pub(super) trailers: Option<Box<HeaderMap>>,
    pub(super) body: Bytes,
    pub(super) body_size: u64,
}

/// A request that got no response.
pub(super) struct Failure {
    pub(super) error: HttpError,
    pub(super) processed: Processed,
}

/// Whether the server can have acted on a request that failed. Only what it certainly has not processed may be sent
/// again: a repeat that nobody asked for hides a failure and doubles the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processed {
    /// Nobody knows.
    Maybe,
    /// No: no byte of it left this machine.
    Unsent,
    /// No: the server says so (HTTP/2).
    Refused,
}

/// How an HTTP/1.1 connection writes; hyper lets it be chosen once a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// Header and body in one buffer.
    Flat,
    /// Header and body from two places at once.
    Vectored,
}

impl Writing {
    pub(super) fn for_body(body: &RequestBody) -> Writing {
        if body.length() < LARGE_BODY { Writing::Flat } else { Writing::Vectored }
    }
}

/// A connection that speaks HTTP/1.1, with hyper's buffers.
pub(super) struct Http1 {
    sender: http1::SendRequest<Outgoing>,
    driver: Driver,
    writing: Writing,
}

/// Hyper's side of an HTTP/1.1 connection.
struct Driver {
    /// `None` once the future has completed. It is dropped then: of a connection that was closed while idle, hyper
    /// tells a request that still waits in its queue nothing before that.
    connection: Option<http1::Connection<TokioIo<Wire>, Outgoing>>,
    link: Rc<Link>,
}

impl Http1 {
    /// Speaks HTTP/1.1 over this stream. Nothing is sent.
    pub(super) async fn over(wire: Wire, writing: Writing) -> Result<Http1, Failure> {
        let link = wire.link.clone();
        let (sender, connection) = http1::Builder::new()
            .writev(writing == Writing::Vectored)
            .max_headers(MOST_LINES)
            .max_buf_size(LARGEST_HEAD)
            .max_header_size(LARGEST_HEAD)
            // As browsers and curl do.
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Failure {
                error: error::exchanging(&error, &link.peer, ResponsePart::Head),
                processed: Processed::Maybe,
            })?;
        Ok(Http1 { sender, driver: Driver { connection: Some(connection), link }, writing })
    }

    pub(super) fn link(&self) -> &Rc<Link> {
        &self.driver.link
    }

    /// Sends a request and reads the response to its end.
    pub(super) async fn run(
        &mut self,
        request: http::Request<RequestBody>,
        body_use: BodyUse,
        nudge: &Nudge,
    ) -> Result<RawResponse, Failure> {
        let Http1 { sender, driver, .. } = self;
        let response = {
            let mut response = pin!(sender.try_send_request(request.map(RequestBody::outgoing)));
            poll_fn(|cx| driver.advance(cx, nudge, |cx| response.as_mut().poll(cx))).await
        };
        let response = response.map_err(|failed| failure(failed, &driver.link))?;
        let (answer, mut body) = head_of(response);
        let mut collected = Collected::expecting(body.size_hint().lower(), body_use);
        let mut trailers = None;
        while !body.is_end_stream() {
            let next = poll_fn(|cx| {
                // What came together with the head is there already.
                match Pin::new(&mut body).poll_frame(&mut Context::from_waker(nudge.waker())) {
                    Poll::Pending => driver.advance(cx, nudge, |cx| Pin::new(&mut body).poll_frame(cx)),
                    ready => ready,
                }
            })
            .await;
            let Some(frame) = next else { break };
            let frame = frame.map_err(|error| cut(&error, &driver.link, answer.status))?;
            trailers = collected.push(frame).map_err(|TooLarge| too_large(&driver.link))?;
            // A body of countless small pieces must not keep the thread.
            coop::consume_budget().await;
        }
        if !sender.is_ready() {
            // Hyper says so only after it has seen the end of the body; let it look.
            poll_fn(|cx| {
                let _ = driver.advance(cx, nudge, |_| Poll::<()>::Pending);
                Poll::Ready(())
            })
            .await;
        }
        driver.link.end_replay();
        Ok(collected.complete(RawResponse { trailers, ..answer }))
    }

    /// Whether it can write a request whose body asks for this; a small one goes either way.
    pub(super) fn can_write(&self, writing: Writing) -> bool {
        self.writing == writing || writing == Writing::Flat
    }

    /// Whether another request can be sent.
    pub(super) fn is_reusable(&self) -> bool {
        self.driver.connection.is_some() && self.sender.is_ready()
    }

    /// The stream without hyper's buffers, some 40 KB; `None` when the server has sent what nobody asked for, or
    /// has closed it.
    pub(super) fn into_wire(self) -> Option<Wire> {
        let parts = self.driver.connection?.into_parts();
        let wire = parts.io.into_inner();
        wire.link.wake_whoever_polls();
        (parts.read_buf.is_empty() && wire.is_fresh()).then_some(wire)
    }
}

impl Driver {
    /// Polls the connection and `wanted` in turn until `wanted` is there or only the socket can help.
    fn advance<T>(
        &mut self,
        cx: &mut Context<'_>,
        nudge: &Nudge,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.link.wake_reader(cx.waker());
        let mut inner = Context::from_waker(nudge.waker());
        for _ in 0..ROUNDS_PER_POLL {
            nudge.clear();
            // Its result is not needed: hyper tells an error to the response or to the body as well.
            if let Some(connection) = &mut self.connection
                && Pin::new(connection).poll(&mut inner).is_ready()
            {
                self.connection = None;
            }
            if let Poll::Ready(value) = wanted(&mut inner) {
                return Poll::Ready(value);
            }
            if !nudge.is_set() {
                // Parts of hyper that ask for tokio's budget when it is spent leave the nudge's waker behind, which wakes
                // nobody.
                if !coop::has_budget_remaining() {
                    let _ = coop::poll_proceed(cx);
                }
                return Poll::Pending;
            }
        }
        // Somebody could go on at once; let others have the thread first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A response without its body yet, and the body to be read.
pub(super) fn head_of<B>(response: Response<B>) -> (RawResponse, B) {
    let (head, body) = response.into_parts();
    let answer = RawResponse {
        status: head.status,
        version: head.version,
        headers: head.headers.into(),
        trailers: None,
        body: Bytes::new(),
        body_size: 0,
    };
    (answer, body)
}

/// A request could not be written.
pub(super) fn unwritten(error: &io::Error, link: &Link) -> Failure {
    let processed = if link.last_write().is_none() { Processed::Unsent } else { Processed::Maybe };
    Failure { error: error::broken_stream(error, &link.peer), processed }
}

fn failure(mut failed: TrySendError<http::Request<Outgoing>>, link: &Link) -> Failure {
    // Hyper gives a request back only if it has written nothing of it. That a write failed is known to the socket.
    let is_given_back = failed.take_message().is_some() && !link.is_replaying();
    let unsent = is_given_back || link.last_write().is_none();
    let error = error::exchanging(&failed.into_error(), &link.peer, ResponsePart::Head);
    Failure { error, processed: if unsent { Processed::Unsent } else { Processed::Maybe } }
}

/// An error inside the body is never a reason to send a request again.
fn cut(cause: &hyper::Error, link: &Link, status: StatusCode) -> Failure {
    let error = error::exchanging(cause, &link.peer, ResponsePart::Body(status.as_u16()));
    debug_assert!(error.kind != ErrorKind::Reset, "a cut body is not a reset");
    Failure { error, processed: Processed::Maybe }
}

/// A body has more than [`LARGEST_KEPT`] bytes.
pub(super) struct TooLarge;

/// See [`LARGEST_KEPT`].
pub(super) fn too_large(link: &Link) -> Failure {
    let message = format!(
        "the body from {} is larger than {} MiB, the most that is kept; set discard_body: true to read it without \
         keeping it",
        link.peer,
        LARGEST_KEPT >> 20
    );
    Failure { error: HttpError::new(ErrorKind::Body, message), processed: Processed::Maybe }
}

/// A body being read: kept as it came while it is one piece, copied together from the second piece on.
pub(super) enum Collected {
    One {
        data: Bytes,
        expected: usize,
    },
    Many(BytesMut),
    /// Only its length is kept.
    Counted(u64),
}

impl Collected {
    /// Nothing yet of a body that is said to be this long.
    pub(super) fn expecting(length: u64, body_use: BodyUse) -> Collected {
        if body_use == BodyUse::Discard {
            return Collected::Counted(0);
        }
        let expected = length.min(TRUSTED_LENGTH);
        Collected::One { data: Bytes::new(), expected: usize::try_from(expected).unwrap_or(0) }
    }

    /// Adds data; gives back the fields of a frame that has none.
    fn push(&mut self, frame: Frame<Bytes>) -> Result<Option<Box<HeaderMap>>, TooLarge> {
        match frame.into_data() {
            Ok(next) => self.add(next).map(|()| None),
            Err(frame) => Ok(frame.into_trailers().ok().map(Box::new)),
        }
    }

    /// Adds the next piece.
    pub(super) fn add(&mut self, next: Bytes) -> Result<(), TooLarge> {
        let kept = match self {
            Collected::One { data, .. } => data.len(),
            Collected::Many(whole) => whole.len(),
            Collected::Counted(_) => 0,
        };
        if kept as u64 + next.len() as u64 > LARGEST_KEPT {
            return Err(TooLarge);
        }
        match self {
            Collected::One { data, .. } if data.is_empty() => *data = next,
            Collected::One { data, expected } => {
                let mut whole = BytesMut::with_capacity((*expected).max(data.len() + next.len()));
                whole.extend_from_slice(data);
                whole.extend_from_slice(&next);
                *self = Collected::Many(whole);
            }
            Collected::Many(whole) => whole.extend_from_slice(&next),
            Collected::Counted(length) => *length += next.len() as u64,
        }
        Ok(())
    }

    /// The response with this body.
    pub(super) fn complete(self, answer: RawResponse) -> RawResponse {
        let body = match self {
            Collected::One { data, .. } => data,
            Collected::Many(whole) => whole.freeze(),
            Collected::Counted(body_size) => return RawResponse { body_size, ..answer },
        };
        RawResponse { body_size: body.len() as u64, body, ..answer }
    }
}
