//! One connection, and running one request on it.
//!
//! Owns how hyper is driven. Leaves opening connections to `connector.rs` and keeping them to `pool.rs`.
//!
//! HTTP/1.1 has no background task: the request that uses a connection polls hyper's connection future, its
//! response future and the body in turn. HTTP/2 has one driver task, because several requests share it.
//!
//! Invariant: a request that fails, or is dropped half-way, takes its HTTP/1.1 connection with it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioIo;
use tokio::task::{AbortHandle, spawn_local};

use super::error::{self, ErrorKind, HttpError, ResponsePart};
use super::link::{Link, Wire};
use super::nudge::Nudge;
use super::record::Record;
use super::request::BodyUse;

/// The body of a request, whole in memory.
pub(super) type RequestBody = Full<Bytes>;

/// How often hyper's parts may nudge one another within one poll before the task lets others run.
const ROUNDS_PER_POLL: u32 = 16;

/// The most memory taken for a body on the word of its `content-length` alone.
const TRUSTED_LENGTH: u64 = 16 << 20;

/// A body of this many bytes or more is written from where it lies, with a vectored write; a smaller one is
/// copied behind the header, which is the cheaper system call.
pub(super) const LARGE_BODY: usize = 64 * 1024;

/// A complete response.
pub(super) struct RawResponse {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) body: Bytes,
    pub(super) body_size: u64,
}

/// A request that got no response.
pub(super) struct Failure {
    pub(super) error: HttpError,
    /// No byte of it left this machine, or the server says that it did nothing with it: it may be sent again
    /// whatever its method is.
    pub(super) unsent: bool,
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
    pub(super) fn for_body(body: &Bytes) -> Writing {
        if body.len() < LARGE_BODY { Writing::Flat } else { Writing::Vectored }
    }
}

/// A connection that speaks HTTP/1.1, with hyper's buffers.
pub(super) struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    driver: Driver,
    pub(super) writing: Writing,
}

/// Hyper's side of an HTTP/1.1 connection.
struct Driver {
    /// `None` once the future has completed. It is dropped then: of a connection that was closed while idle, hyper
    /// tells a request that still waits in its queue nothing before that.
    connection: Option<http1::Connection<TokioIo<Wire>, RequestBody>>,
    link: Rc<Link>,
}

impl Http1 {
    /// Speaks HTTP/1.1 over this stream. Nothing is sent.
    pub(super) async fn over(wire: Wire, writing: Writing) -> Result<Http1, HttpError> {
        let link = wire.link.clone();
        let (sender, connection) = http1::Builder::new()
            .writev(writing == Writing::Vectored)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| error::exchanging(&error, &link.peer, ResponsePart::Head))?;
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
            let mut response = pin!(sender.try_send_request(request));
            poll_fn(|cx| driver.advance(cx, nudge, |cx| response.as_mut().poll(cx))).await
        };
        let response = response.map_err(|failed| failure(failed, &driver.link))?;
        let (answer, mut body) = split(response);
        let mut collected = Collected::for_body(&body, body_use);
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
            trailers = collected.push(frame.map_err(|error| cut(&error, &driver.link, answer.status))?);
        }
        if !sender.is_ready() {
            // Hyper says so only after it has seen the end of the body; let it look.
            poll_fn(|cx| {
                let _ = driver.advance(cx, nudge, |_| Poll::<()>::Pending);
                Poll::Ready(())
            })
            .await;
        }
        Ok(collected.complete(RawResponse { trailers, ..answer }))
    }

    /// Whether another request can be sent.
    pub(super) fn is_reusable(&self) -> bool {
        self.driver.connection.is_some() && self.sender.is_ready()
    }

    /// The stream without hyper's buffers, some 40 KB; `None` when the server has sent what nobody asked for, or
    /// has closed it.
    pub(super) fn into_wire(self) -> Option<Wire> {
        let parts = self.driver.connection?.into_parts();
        parts.read_buf.is_empty().then(|| parts.io.into_inner())
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
                return Poll::Pending;
            }
        }
        // Somebody could go on at once; let others have the thread first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A connection that speaks HTTP/2 and is shared by the requests of one virtual user.
pub(super) struct Http2 {
    sender: http2::SendRequest<RequestBody>,
    link: Rc<Link>,
    driver: AbortHandle,
}

impl Http2 {
    /// Speaks HTTP/2 over this stream: sends the preface and starts the driver task.
    pub(super) async fn over(wire: Wire) -> Result<Http2, HttpError> {
        let link = wire.link.clone();
        let (sender, connection) = http2::Builder::new(LocalTasks)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| error::exchanging(&error, &link.peer, ResponsePart::Head))?;
        let driver = spawn_local(async move {
            // Its result is not needed: hyper tells an error to every request on the connection.
            let _ = connection.await;
        });
        Ok(Http2 { sender, link, driver: driver.abort_handle() })
    }

    pub(super) fn link(&self) -> &Rc<Link> {
        &self.link
    }

    /// Sends a request and reads the response to its end, beside other requests.
    pub(super) async fn run(
        &self,
        request: http::Request<RequestBody>,
        body_use: BodyUse,
        record: &mut Record,
    ) -> Result<RawResponse, Failure> {
        let response = self.sender.clone().try_send_request(request).await;
        let response = response.map_err(|failed| failure(failed, &self.link))?;
        record.head_arrived();
        let (answer, mut body) = split(response);
        let mut collected = Collected::for_body(&body, body_use);
        let mut trailers = None;
        while !body.is_end_stream() {
            let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await else {
                break;
            };
            trailers = collected.push(frame.map_err(|error| cut(&error, &self.link, answer.status))?);
        }
        Ok(collected.complete(RawResponse { trailers, ..answer }))
    }

    /// Whether another request can be sent.
    pub(super) fn is_reusable(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Drop for Http2 {
    /// Ends the driver with its last user, so that no task outlives the virtual user.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Starts hyper's tasks on the thread they belong to. Needs a `LocalSet` around it, as worker threads have.
#[derive(Clone, Copy)]
pub(super) struct LocalTasks;

impl<F> hyper::rt::Executor<F> for LocalTasks
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

fn split(response: Response<Incoming>) -> (RawResponse, Incoming) {
    let (head, body) = response.into_parts();
    let answer = RawResponse {
        status: head.status,
        version: head.version,
        headers: head.headers,
        trailers: None,
        body: Bytes::new(),
        body_size: 0,
    };
    (answer, body)
}

fn failure(mut failed: TrySendError<http::Request<RequestBody>>, link: &Link) -> Failure {
    let returned = failed.take_message().is_some();
    let cause = failed.into_error();
    let refused = std::error::Error::source(&cause)
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|h2| h2.is_remote() && h2.reason() == Some(h2::Reason::REFUSED_STREAM));
    Failure { error: error::exchanging(&cause, &link.peer, ResponsePart::Head), unsent: returned || refused }
}

/// An error inside the body is never a reason to send a request again.
fn cut(cause: &hyper::Error, link: &Link, status: StatusCode) -> Failure {
    let error = error::exchanging(cause, &link.peer, ResponsePart::Body(status.as_u16()));
    debug_assert!(error.kind != ErrorKind::Reset, "a cut body is not a reset");
    Failure { error, unsent: false }
}

/// A body being read: kept as it came while it is one piece, copied together from the second piece on.
enum Collected {
    One {
        data: Bytes,
        expected: usize,
    },
    Many(BytesMut),
    /// Only its length is kept.
    Counted(u64),
}

impl Collected {
    fn for_body(body: &Incoming, body_use: BodyUse) -> Collected {
        if body_use == BodyUse::Discard {
            return Collected::Counted(0);
        }
        let expected = body.size_hint().lower().min(TRUSTED_LENGTH);
        Collected::One { data: Bytes::new(), expected: usize::try_from(expected).unwrap_or(0) }
    }

    /// Adds data; gives back the fields of a frame that has none.
    fn push(&mut self, frame: Frame<Bytes>) -> Option<HeaderMap> {
        let next = match frame.into_data() {
            Ok(next) => next,
            Err(frame) => return frame.into_trailers().ok(),
        };
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
        None
    }

    /// The response with this body.
    fn complete(self, answer: RawResponse) -> RawResponse {
        let body = match self {
            Collected::One { data, .. } => data,
            Collected::Many(whole) => whole.freeze(),
            Collected::Counted(body_size) => return RawResponse { body_size, ..answer },
        };
        RawResponse { body_size: body.len() as u64, body, ..answer }
    }
}
