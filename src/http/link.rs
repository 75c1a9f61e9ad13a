//! The byte stream under a connection, and what is noted about it.
//!
//! Owns the socket with its counters and instants ([`Link`]), and TLS laid over it ([`Stream`], [`Wire`]).
//! Leaves HTTP to `connection.rs` and the arithmetic of timings to `record.rs`.
//!
//! Invariant: bytes and the instant of writing are taken below TLS, so they count what the network saw; the
//! first byte read is noted above it, because a session ticket is no response.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::coop;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;

use super::plain::Handover;

/// How many bytes read cost a unit of tokio's budget, of which a task has 128 each time it is polled. When they are spent,
/// reading waits until the other tasks of the thread have had their turn, and its timers and sockets were looked at: a
/// server that sends without end takes its share of the thread and no more.
const BYTES_PER_UNIT: usize = 512;

/// The most bytes read at once, so that what is made of them takes no longer than a turn either.
const MOST_AT_ONCE: usize = 32 * 1024;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    Tcp(SocketAddr),
    /// A socket in the file system.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there are no such sockets"))]
    Unix(Rc<Path>),
}

impl Peer {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Peer::Tcp(address) => Some(*address),
            Peer::Unix(_) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What is known about one connection; shared by the stream, which writes it, and the record, which reads.
pub(super) struct Link {
    pub(super) peer: Peer,
    /// Set when a proxy at the other end reads the requests itself.
    pub(super) forward: Option<Forward>,
    read: Cell<u64>,
    written: Cell<u64>,
    claimed_read: Cell<u64>,
    claimed_written: Cell<u64>,
    last_write: Cell<Option<Instant>>,
    first_read: Cell<Option<Instant>>,
    /// `tls1.3`; `None` without TLS.
    tls_version: Cell<Option<&'static str>>,
    /// A request has waited in vain for the server to allow it (HTTP/2).
    closed_to_streams: Cell<bool>,
    /// Set while an exchange is played back whose request has been sent.
    replaying: Cell<Option<Replaying>>,
    /// The task that the socket wakes, when the one that polls gives hyper another waker.
    reader: RefCell<Option<Waker>>,
}

/// How far the writer of a request is that was sent before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replaying {
    /// It has written nothing yet.
    Unsaid,
    Said,
}

/// How requests go to a proxy that reads them: in absolute form, with this authorization.
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
}

impl Link {
    pub(super) fn new(peer: Peer, forward: Option<Forward>) -> Rc<Link> {
        Rc::new(Link {
            peer,
            forward,
            read: Cell::new(0),
            written: Cell::new(0),
            claimed_read: Cell::new(0),
            claimed_written: Cell::new(0),
            last_write: Cell::new(None),
            first_read: Cell::new(None),
            tls_version: Cell::new(None),
            closed_to_streams: Cell::new(false),
            replaying: Cell::new(None),
            reader: RefCell::new(None),
        })
    }

    /// Notes the version of TLS that is spoken to the server.
    pub(super) fn note_tls(&self, version: Option<&'static str>) {
        self.tls_version.set(version);
    }

    /// The version of TLS that is spoken to the server, as k6 writes it.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        self.tls_version.get()
    }

    pub(super) fn close_to_streams(&self) {
        self.closed_to_streams.set(true);
    }

    pub(super) fn is_closed_to_streams(&self) -> bool {
        self.closed_to_streams.get()
    }

    /// Forgets the instants of the request before.
    pub(super) fn begin(&self) {
        self.last_write.set(None);
        self.first_read.set(None);
    }

    /// Bytes that were ever handed to the kernel.
    pub(super) fn written(&self) -> u64 {
        self.written.get()
    }

    /// When the last bytes were handed to the kernel; `None` when there were none since [`Link::begin`].
    pub(super) fn last_write(&self) -> Option<Instant> {
        self.last_write.get()
    }

    /// When the first bytes since [`Link::begin`] were read.
    pub(super) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }

    /// Bytes written and read that no request has claimed yet; they are claimed by this call. So the sum over
    /// requests is exact even when several share a connection.
    pub(super) fn claim(&self) -> (u64, u64) {
        let (written, read) = (self.written.get(), self.read.get());
        (written - self.claimed_written.replace(written), read - self.claimed_read.replace(read))
    }

    /// Whether what is written now is a request that has been sent before.
    fn replays_request(&self, cx: &mut Context<'_>) -> bool {
        match self.replaying.get() {
            None => false,
            Some(now) => {
                if now == Replaying::Unsaid {
                    self.replaying.set(Some(Replaying::Said));
                    // There is something to read now.
                    cx.waker().wake_by_ref();
                }
                true
            }
        }
    }

    /// Whether the request of this exchange was sent by somebody else.
    pub(super) fn is_replaying(&self) -> bool {
        self.replaying.get().is_some()
    }

    /// The exchange that was played back is over.
    pub(super) fn end_replay(&self) {
        self.replaying.set(None);
    }

    /// From now on the socket wakes this task, whatever waker it is polled with.
    pub(super) fn wake_reader(&self, waker: &Waker) {
        let mut reader = self.reader.borrow_mut();
        match &mut *reader {
            Some(current) => current.clone_from(waker),
            None => *reader = Some(waker.clone()),
        }
    }

    /// From now on the socket wakes whoever polls it.
    pub(super) fn wake_whoever_polls(&self) {
        self.reader.take();
    }

    fn with_reader<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        match &*self.reader.borrow() {
            Some(waker) => poll(&mut Context::from_waker(waker)),
            None => poll(cx),
        }
    }

    fn count_written(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = result
            && *bytes > 0
        {
            self.written.set(self.written.get() + *bytes as u64);
            self.last_write.set(Some(Instant::now()));
        }
    }
}

/// What the system gives.
pub(super) enum Pipe {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls a method of what is in the pipe.
macro_rules! each {
    ($pipe:expr, $stream:ident => $call:expr) => {
        match $pipe {
            Pipe::Tcp($stream) => $call,
            #[cfg(unix)]
            Pipe::Unix($stream) => $call,
        }
    };
}

/// A connection that counts.
pub(super) struct Socket {
    pipe: Pipe,
    link: Rc<Link>,
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Socket { pipe, link } = self.get_mut();
        let before = buf.filled().len();
        let result = link.with_reader(cx, |cx| {
            if buf.remaining() <= MOST_AT_ONCE {
                return each!(pipe, stream => Pin::new(stream).poll_read(cx, buf));
            }
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(MOST_AT_ONCE));
            let result = each!(pipe, stream => Pin::new(stream).poll_read(cx, &mut part));
            let read = part.filled().len();
            buf.advance(read);
            result
        });
        let read = buf.filled().len() - before;
        link.read.set(link.read.get() + read as u64);
        spend(read / BYTES_PER_UNIT, cx);
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let Socket { pipe, link } = self.get_mut();
        let result = link.with_reader(cx, |cx| each!(pipe, stream => Pin::new(stream).poll_write(cx, data)));
        link.count_written(&result);
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Socket { pipe, link } = self.get_mut();
        let result =
            link.with_reader(cx, |cx| each!(pipe, stream => Pin::new(stream).poll_write_vectored(cx, data)));
        link.count_written(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        each!(&self.pipe, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.get_mut().pipe, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.get_mut().pipe, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// Takes units of the task's budget, or what is left of it.
pub(super) fn spend(units: usize, cx: &mut Context<'_>) {
    for _ in 0..units {
        // Asked first: taking from an empty budget would wake the task once more.
        if !coop::has_budget_remaining() {
            break;
        }
        if let Poll::Ready(unit) = coop::poll_proceed(cx) {
            unit.made_progress();
        }
    }
}

/// A socket, with as many layers of TLS as the way to the server has: none, one, or two behind an `https` proxy.
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    pub(super) fn new(pipe: Pipe, link: Rc<Link>) -> Stream {
        Stream::Plain(Socket { pipe, link })
    }

    /// The version of the outermost TLS, as k6 writes it.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        let Stream::Tls(tls) = self else { return None };
        match tls.get_ref().1.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("tls1.2"),
            ProtocolVersion::TLSv1_3 => Some("tls1.3"),
            _ => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, data),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, data),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

/// The stream that HTTP is spoken over: it notes when the first byte of a response is there to be read.
pub(crate) struct Wire {
    stream: Stream,
    pub(super) link: Rc<Link>,
    /// An exchange that somebody else has begun on this stream.
    replay: Option<Box<Handover>>,
}

impl Wire {
    pub(super) fn new(stream: Stream, link: Rc<Link>) -> Wire {
        Wire { stream, link, replay: None }
    }

    /// Plays an exchange back that somebody else has begun: what was read comes once more, after a request that is not sent
    /// again, and then what comes from the stream.
    pub(super) fn replay(&mut self, begun: Handover) {
        self.link.replaying.set(begun.is_sent.then_some(Replaying::Unsaid));
        self.replay = Some(Box::new(begun));
    }

    /// Whether all that was read before has come once more.
    pub(super) fn is_fresh(&self) -> bool {
        self.replay.is_none()
    }

    fn poll_replay(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.link.replaying.get() == Some(Replaying::Unsaid) {
            // A response that comes before its request would be taken for one of nobody's.
            return Poll::Pending;
        }
        let Some(begun) = &mut self.replay else { return self.poll_stream(cx, buf) };
        let length = begun.read.len().min(buf.remaining());
        if length > 0 {
            buf.put_slice(&begun.read[..length]);
            begun.read.drain(..length);
            return Poll::Ready(Ok(()));
        }
        let error = begun.error.take();
        self.replay = None;
        match error {
            Some(error) => Poll::Ready(Err(error)),
            None => self.poll_stream(cx, buf),
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.link.first_read.get().is_none() {
            self.link.first_read.set(Some(Instant::now()));
        }
        result
    }

    /// Bytes written and read since this was last asked, or since the handshake.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        self.link.claim()
    }

    /// Whether the server chose HTTP/2 by ALPN.
    pub(super) fn negotiated_http2(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.replay.is_some() { wire.poll_replay(cx, buf) } else { wire.poll_stream(cx, buf) }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.link.replays_request(cx) {
            return Poll::Ready(Ok(data.len()));
        }
        Pin::new(&mut wire.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.link.replays_request(cx) {
            return Poll::Ready(Ok(data.iter().map(|part| part.len()).sum()));
        }
        Pin::new(&mut wire.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
