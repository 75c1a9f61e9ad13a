//! A request that is answered as most are, without hyper.
//!
//! Owns what nearly every request of a load test is: a small request over HTTP/1.1, and a response that comes at once, with a
//! length or in plain chunks, and fits into one buffer. It is written from and read into memory that the thread's users
//! share, which costs a third of what hyper's queue, buffers and state take. Leaves everything else to hyper
//! (`connection.rs`), and the decision what is wrong with it, too: whatever is not plain is handed over with all that was
//! read, as if hyper had sent the request and read it itself (`link.rs` plays it back).
//!
//! Invariants: what is accepted here, hyper accepts in the same way (the tests of this folder run either way); nothing is
//! kept in the shared memory between two polls.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode, Version};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::Body;
use super::connection::{Failure, RawResponse, unwritten};
use super::headers::{FOR_THE_CONNECTION, Prepared};
use super::link::Wire;
use super::request::BodyUse;
use super::response_headers::{MOST_FIELDS, Noted, ResponseHeaders};

/// Room for a request, and for a response; the kernel takes that much at once.
const ROOM: usize = 16 << 10;

/// A response that comes in more pieces is none of the plain ones: each time it is looked at from the start.
const MOST_PIECES: u32 = 8;

/// Memory that a thread's requests use in turn.
pub(super) struct Scratch {
    room: RefCell<Box<[u8]>>,
    /// For tests: nothing is taken for plain, before it is sent or when its response is there.
    #[cfg(test)]
    pub(super) hands_over: std::cell::Cell<Option<Moment>>,
}

/// When an exchange is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch {
            room: RefCell::new(vec![0; ROOM].into()),
            #[cfg(test)]
            hands_over: std::cell::Cell::new(None),
        }
    }

    #[cfg(test)]
    fn hands_over(&self, at: Moment) -> bool {
        self.hands_over.get() == Some(at)
    }

    #[cfg(not(test))]
    fn hands_over(&self, _: Moment) -> bool {
        false
    }
}

/// Writing into what is left of a slice.
trait Put {
    /// `None` if it does not fit.
    fn put(&mut self, bytes: &[u8]) -> Option<()>;

    /// The end of the header and this body.
    fn put_body(&mut self, body: &[u8]) -> Option<()>;
}

impl Put for &mut [u8] {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.write_all(bytes).ok()
    }

    fn put_body(&mut self, body: &[u8]) -> Option<()> {
        if !body.is_empty() {
            write!(self, "content-length: {}\r\n", body.len()).ok()?;
        }
        self.put(b"\r\n")?;
        self.put(body)
    }
}

/// How a plain exchange ended.
pub(super) enum Outcome {
    /// With a response, and whether the connection can take another request.
    Done { answer: RawResponse, is_reusable: bool },
    /// It is not a plain one.
    HandedOver(Handover),
}

/// What hyper must know to go on with an exchange.
#[derive(Default)]
pub(super) struct Handover {
    /// The request has been sent.
    pub(super) is_sent: bool,
    /// What was read since.
    pub(super) read: Vec<u8>,
    /// How reading failed.
    pub(super) error: Option<io::Error>,
}

/// Sends the request that `encode` writes, `None` if it is not plain, and reads its response.
pub(super) async fn exchange(
    wire: &mut Wire,
    encode: impl Fn(&mut [u8]) -> Option<usize>,
    body_use: BodyUse,
    scratch: &Scratch,
) -> Result<Outcome, Failure> {
    if scratch.hands_over(Moment::Before) {
        return Ok(Outcome::HandedOver(Handover::default()));
    }
    let mut left = Unwritten::Whole;
    let sending = poll_fn(|cx| {
        let room = &mut **scratch.room.borrow_mut();
        if matches!(left, Unwritten::Whole) {
            // Who says something, or goes, before being asked is nobody to send this to.
            let mut buffer = ReadBuf::new(room);
            if let Poll::Ready(result) = Pin::new(&mut *wire).poll_read(cx, &mut buffer) {
                let (read, error) = (buffer.filled().to_vec(), result.err());
                return Poll::Ready(Ok(Some(Handover { is_sent: false, read, error })));
            }
        }
        left.poll_write(cx, wire, &encode, room).map_ok(|is_plain| (!is_plain).then(Handover::default))
    });
    let sent = sending.await;
    if let Some(handover) = sent.map_err(|error| unwritten(&error, &wire.link))? {
        return Ok(Outcome::HandedOver(handover));
    }
    let mut held = Vec::new();
    let mut pieces = 0;
    Ok(poll_fn(|cx| {
        let room = &mut **scratch.room.borrow_mut();
        loop {
            let (before, free) = room.split_at_mut(held.len());
            let mut buffer = ReadBuf::new(free);
            let result = ready!(Pin::new(&mut *wire).poll_read(cx, &mut buffer));
            let new = buffer.filled().len();
            before.copy_from_slice(&held);
            let read = &room[..held.len() + new];
            let error = result.err();
            let is_for_hyper = error.is_some() || new == 0 || scratch.hands_over(Moment::After);
            pieces += 1;
            match if is_for_hyper { Looked::NotPlain } else { look(read, body_use) } {
                Looked::Whole { answer, is_reusable } => {
                    return Poll::Ready(Outcome::Done { answer, is_reusable });
                }
                Looked::Part if read.len() < room.len() && pieces < MOST_PIECES => held = read.to_vec(),
                _ => {
                    let read = read.to_vec();
                    return Poll::Ready(Outcome::HandedOver(Handover { is_sent: true, read, error }));
                }
            }
        }
    })
    .await)
}

/// What is to be written of a request.
enum Unwritten {
    Whole,
    /// The kernel has not taken all of it yet.
    Rest(Vec<u8>),
    /// It may be encrypted and not written.
    Flush,
}

impl Unwritten {
    /// Writes all of the request; false, and nothing is written, if it is not plain.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
        encode: impl Fn(&mut [u8]) -> Option<usize>,
        room: &mut [u8],
    ) -> Poll<io::Result<bool>> {
        if matches!(self, Unwritten::Whole) {
            let Some(length) = encode(room) else { return Poll::Ready(Ok(false)) };
            let written = match Pin::new(&mut *wire).poll_write(cx, &room[..length]) {
                Poll::Ready(result) => result?,
                Poll::Pending => 0,
            };
            *self = if written == length {
                Unwritten::Flush
            } else {
                Unwritten::Rest(room[written..length].to_vec())
            };
        }
        while let Unwritten::Rest(rest) = self {
            let written = ready!(Pin::new(&mut *wire).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.drain(..written);
            if rest.is_empty() {
                *self = Unwritten::Flush;
            }
        }
        ready!(Pin::new(wire).poll_flush(cx))?;
        Poll::Ready(Ok(true))
    }
}

/// Writes a request as hyper would; `None` if it does not fit, or says more about its connection or body than that the body
/// has a length.
pub(super) fn encode(request: &http::Request<Body>, room: &mut [u8]) -> Option<usize> {
    let body = plain_body(request.method(), request.body())?;
    let size = room.len();
    let mut left = room;
    let uri = request.uri();
    left.put(request.method().as_str().as_bytes())?;
    left.put(b" ")?;
    match uri.path_and_query() {
        Some(path) if uri.authority().is_none() => left.put(path.as_str().as_bytes())?,
        _ => write!(left, "{uri}").ok()?,
    }
    left.put(b" HTTP/1.1\r\n")?;
    for (name, value) in request.headers() {
        if FOR_THE_CONNECTION.contains(name) || (*name == CONTENT_LENGTH && !body.is_empty()) {
            return None;
        }
        left.put(name.as_str().as_bytes())?;
        left.put(b": ")?;
        left.put(value.as_bytes())?;
        left.put(b"\r\n")?;
    }
    left.put_body(body)?;
    Some(size - left.len())
}

/// The same for a request whose header is prepared.
pub(super) fn encode_prepared(
    method: &Method,
    path: &str,
    header: &Prepared<'_>,
    body: &Body,
    room: &mut [u8],
) -> Option<usize> {
    let body = plain_body(method, body)?;
    let size = room.len();
    let mut left = room;
    left.put(method.as_str().as_bytes())?;
    left.put(b" ")?;
    left.put(path.as_bytes())?;
    left.put(b" HTTP/1.1\r\nhost: ")?;
    left.put(header.host.as_bytes())?;
    left.put(b"\r\n")?;
    left.put(header.lines)?;
    if header.says_no_body {
        left.put(b"content-length: 0\r\n")?;
    }
    left.put_body(body)?;
    Some(size - left.len())
}

/// The body of a request that may be plain.
fn plain_body<'a>(method: &Method, body: &'a Body) -> Option<&'a Bytes> {
    let is_plain = !matches!(*method, Method::HEAD | Method::CONNECT);
    body.whole().filter(|_| is_plain)
}

/// What was read of a response.
enum Looked {
    /// All of it.
    Whole { answer: RawResponse, is_reusable: bool },
    /// Not all of it.
    Part,
    /// What hyper is to decide about.
    NotPlain,
}

/// How long the body of a plain response is.
#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

fn look(read: &[u8], body_use: BodyUse) -> Looked {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    // Without the leniencies that hyper is asked for: what needs them is not plain.
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut head, read, &mut fields);
    let at = match parsed {
        Ok(Status::Complete(at)) => at,
        Ok(Status::Partial) => return Looked::Part,
        Err(_) => return Looked::NotPlain,
    };
    let Some(Framing { status, length, keeps_open, noted }) = framing(&head) else { return Looked::NotPlain };
    let (head_bytes, rest) = read.split_at(at);
    let (size, used) = match length {
        Length::Known(length) if length > ROOM - at => return Looked::NotPlain,
        Length::Known(length) if length > rest.len() => return Looked::Part,
        Length::Known(length) => (length, length),
        Length::Chunked => match chunks(rest, |_| {}) {
            Chunks::Whole { size, used } => (size, used),
            Chunks::Part => return Looked::Part,
            Chunks::NotPlain => return Looked::NotPlain,
        },
    };
    let keeps_body = body_use == BodyUse::Keep;
    let mut copy = BytesMut::with_capacity(at + if keeps_body { size } else { 0 });
    copy.extend_from_slice(head_bytes);
    match length {
        _ if !keeps_body => {}
        Length::Known(length) => copy.extend_from_slice(&rest[..length]),
        Length::Chunked => {
            chunks(rest, |data| copy.extend_from_slice(data));
        }
    }
    let copy = copy.freeze();
    let answer = RawResponse {
        status,
        version: Version::HTTP_11,
        headers: ResponseHeaders::of_head(copy.slice(..at), noted),
        trailers: None,
        body: copy.slice(at..),
        body_size: size as u64,
    };
    Looked::Whole { answer, is_reusable: keeps_open && used == rest.len() }
}

/// What a head says about what comes after it.
struct Framing {
    status: StatusCode,
    length: Length,
    keeps_open: bool,
    noted: Noted,
}

/// `None` where RFC 9112 section 6.3 needs more than a length or chunks.
fn framing(head: &httparse::Response<'_, '_>) -> Option<Framing> {
    let status = head.code.filter(|code| *code >= 200).and_then(|code| StatusCode::from_u16(code).ok())?;
    if head.version != Some(1) {
        return None;
    }
    let (mut length, mut keeps_open, mut noted) = (None, true, Noted::default());
    for field in &*head.headers {
        let name = field.name.as_bytes();
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let known = Length::Known(number(field.value)?);
                if length.replace(known).is_some() {
                    return None;
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let is_plain = field.value.eq_ignore_ascii_case(b"chunked");
                if !is_plain || length.replace(Length::Chunked).is_some() {
                    return None;
                }
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                if field.value.eq_ignore_ascii_case(b"close") {
                    keeps_open = false;
                } else if !field.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
            }
            10 if name.eq_ignore_ascii_case(b"set-cookie") => noted.sets_cookies = true,
            16 if name.eq_ignore_ascii_case(b"content-encoding") => noted.is_encoded = true,
            _ => {}
        }
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        length = Some(Length::Known(0));
    }
    Some(Framing { status, length: length?, keeps_open, noted })
}

/// A number of decimal digits that fits into the room.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What was read of a chunked body.
enum Chunks {
    /// All of it: how many bytes it has, and how many were read for it.
    Whole {
        size: usize,
        used: usize,
    },
    Part,
    NotPlain,
}

/// Goes through the chunks (RFC 9112 section 7.1). Extensions and trailers are not plain.
fn chunks(rest: &[u8], mut each: impl FnMut(&[u8])) -> Chunks {
    let (mut size, mut left) = (0, rest);
    loop {
        let digits = left.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (number, line) = left.split_at(digits);
        match line {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] if digits <= 4 => return Chunks::Part,
            _ => return Chunks::NotPlain,
        }
        let length = std::str::from_utf8(number).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let Some(length) = length.map(usize::from) else { return Chunks::NotPlain };
        let data = &line[2..];
        match data.get(length..) {
            Some([b'\r', b'\n', after @ ..]) => {
                if length == 0 {
                    return Chunks::Whole { size, used: rest.len() - after.len() };
                }
                each(&data[..length]);
                size += length;
                left = after;
            }
            None | Some([] | [b'\r']) => return Chunks::Part,
            Some(_) => return Chunks::NotPlain,
        }
    }
}
