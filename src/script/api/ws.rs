//! `ws::connect`: websockets of a virtual user.
//!
//! Owns what counts as a sample: the handshake, and each message sent together with the next one received. Leaves
//! the protocol to `crate::ws`. Invariants: a waiting call has taken the stream out of its cell, so an
//! interruption drops it and closes the connection; a closed socket stays closed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use rhai::{Blob, Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};
use tokio::time::timeout;

use super::http_params::{Params, read_params};
use super::pending::Pending;
use super::response::Response;
use super::ws_metrics::Session;
use super::{convert, placed};
use crate::http::{ErrorKind, HttpError};
use crate::metrics::{
    Failure, Protocol, RequestDetails, RequestFacts, RequestSample, SeriesId, TagId, Timings,
};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::vu_context::VuContext;
use crate::ws::{Message, Received, WebSocket, connect};

/// How many messages may be unanswered; answers to further ones are not timed.
const MOST_UNANSWERED: usize = 1_000;

/// A websocket as a script value; clones share it.
#[derive(Clone)]
struct Socket(Rc<SocketData>);

struct SocketData {
    host: Rc<Host>,
    /// The answer to the handshake.
    response: Response,
    stream: RefCell<Option<WebSocket>>,
    /// When the messages that nothing was received for yet were sent, oldest first.
    unanswered: RefCell<VecDeque<Instant>>,
    /// What went wrong last.
    error: RefCell<Option<HttpError>>,
    /// Why it is not open.
    end: RefCell<String>,
    messages: Place,
    /// What is counted of it while it is open; `None` when it is not recorded or never opened.
    session: Option<Session>,
    timeout: Duration,
}

/// Where messages are counted.
struct Place {
    series: SeriesId,
    tags: Vec<TagId>,
    recorded: bool,
}

pub(super) const SECTION: Section = Section {
    name: "ws",
    title: "`ws`",
    is_part: false,
    about: "WebSockets",
    intro: "*VU.* WebSockets. They use the run's TLS, proxy and `resolve` settings, and send and store the \
            VU's cookies.",
    tables: &[CALLS, SOCKET],
    notes: r##"
Parameters are `headers`, `query`, `bearer`, `basic`, `timeout`, `name`, `tags`, `expect`, `raise` and `record`, as
for [requests](#parameters-of-a-request); other request parameters are an error.

Without an argument, `recv` waits up to `timeout` (default 60 s). Pings are answered while the script is in `recv` or
`send`, not while it sleeps. An interruption drops the connection.

The handshake is a sample with the method `WS`, named by its path or `name`. So is each message sent together with the
next one received, named `PATH message`; it is timed from `send` until `recv` returns the answer, so call `recv`
promptly. Messages are paired in order; unsolicited messages are not samples. A message fails with `timeout` when a
`recv` times out before its answer, and with `reset` when the connection breaks. A message of more than 64 MiB is an
error of the kind `protocol`. Sessions are also counted in the [metrics](metrics.md#what-is-counted) `ws_sessions`,
`ws_session_duration` and others.

```rhai
fn iteration() {
    let chat = ws::connect("/ws");
    if !chat.is_open { fail(`no chat: ${chat.error}`); }
    chat.send("hello");
    check("answered", chat.recv(5) == "hello");
    chat.close();
}
```"##,
};

calls! {
    CALLS: Owner::Module("ws"); ("call", "does");

    /// Opens a WebSocket to `ws://…`, `wss://…`, or a URL relative to the host. Like a request, it always
    /// returns.
    ///
    /// Errors: a parameter that WebSockets do not support.
    fn connect(url: text) -> WebSocket;
    fn connect(url: text, params: map) -> WebSocket;
}

calls! {
    SOCKET: Owner::Type("WebSocket"); ("of a websocket", "does");

    /// Sends text or a blob; returns false if the connection breaks.
    ///
    /// Errors: neither text nor a blob; the WebSocket is not open.
    fn send(message: text|blob) -> bool;

    /// Returns the next message, text or blob; `()` on timeout, or if the WebSocket is not open.
    ///
    /// Errors: not a time.
    fn recv() -> text|blob|unit;
    fn recv(timeout: time) -> text|blob|unit;

    /// Sends a close frame, and waits up to two seconds for the server's.
    fn close();

    /// Whether it is open; a close by the server is noticed in `send` and `recv`.
    get is_open -> bool;

    /// Whether the handshake succeeded.
    get ok -> bool;

    /// The status of the handshake: 101.
    get status -> int;

    /// The URL it is connected to.
    get url -> text;

    /// The [response](#the-response) to the handshake, with timings and headers.
    get response -> Response;

    /// The last error as text, or `()`.
    get error -> text|unit;

    /// The [kind](http.md#errors) of the last error, or `()`.
    get error_kind -> text|unit;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("connect", move |context: NativeCallContext, url: ImmutableString| {
        placed(&context, open(&h, &context, &url, Map::new()))
    });
    let h = host.clone();
    module.set_native_fn("connect", move |context: NativeCallContext, url: ImmutableString, params: Map| {
        placed(&context, open(&h, &context, &url, params))
    });
    engine.register_static_module("ws", module.into());
    engine
        .register_type_with_name::<Socket>("WebSocket")
        .register_fn("send", |socket: &mut Socket, message: Dynamic| socket.0.send(&message))
        .register_fn("recv", |socket: &mut Socket| socket.0.receive(socket.0.timeout))
        .register_fn("recv", |socket: &mut Socket, limit: Dynamic| -> ScriptResult<Dynamic> {
            socket.0.receive(convert::duration("recv", &limit)?)
        })
        .register_fn("close", |socket: &mut Socket| socket.0.close())
        .register_get("is_open", |socket: &mut Socket| socket.0.stream.borrow().is_some())
        .register_get("response", |socket: &mut Socket| socket.0.response.clone())
        .register_get("status", |socket: &mut Socket| i64::from(socket.0.response.exchange().status))
        .register_get("ok", |socket: &mut Socket| socket.0.response.failure().is_none())
        .register_get("url", |socket: &mut Socket| ws_url(socket.0.response.exchange().target.as_str()))
        .register_get("error", |socket: &mut Socket| match socket.0.error() {
            Some(error) => Dynamic::from(error.message),
            None => Dynamic::UNIT,
        })
        .register_get("error_kind", |socket: &mut Socket| match socket.0.error() {
            Some(error) => Dynamic::from(error.kind.as_str().to_owned()),
            None => Dynamic::UNIT,
        })
        .register_fn("to_string", |socket: &mut Socket| socket.0.describe())
        .register_fn("to_debug", |socket: &mut Socket| socket.0.describe());
}

/// `ws://x` is reached as `http://x` is, `wss` as `https`; paths belong to the scenario's host.
fn http_url(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
        _ => url.to_owned(),
    }
}

/// The opposite for what is shown.
pub(super) fn ws_url(url: &str) -> String {
    url.replacen("http", "ws", 1)
}

fn open(host: &Rc<Host>, context: &NativeCallContext, url: &str, params: Map) -> ScriptResult<Socket> {
    let vu = host.vu("ws::connect")?;
    let mut params: Params = read_params(params)?;
    if let Some(what) = params.needs_http() {
        return Err(format!("ws::connect: a websocket cannot have {what}").into());
    }
    let demands = params.demands();
    let limit = params.timeout.unwrap_or(vu.client.timeout());
    let method = Method::from_bytes(b"WS").map_err(|error| error.to_string())?;
    let (request, pending) =
        Pending::new(host, &vu, Protocol::WebSocket, &method, &http_url(url), Some(params))?;
    let messages = {
        let mut recorder = host.recorder.borrow_mut();
        let name = format!("{} message", recorder.name(pending.series));
        let series = recorder.series(Protocol::WebSocket, &vu.scenario, "WS", &name);
        let (tags, recorded) = (pending.tags.clone(), pending.recorded);
        Place { series, tags, recorded }
    };
    let flight = host.in_flight();
    // Boxed: the future is large, and a script's stack is not.
    let (exchange, stream) = host.wait(&vu, Box::pin(connect(&vu.client, request)))?;
    flight.done();
    let error = exchange.error.clone();
    let end = match (&error, exchange.status) {
        (Some(error), _) => error.message.clone(),
        (None, status) => format!("the server answered with status {status}"),
    };
    let connecting = exchange.timings.total;
    let response = pending.answered(host, &vu, exchange);
    if stream.is_none() && error.is_none() && response.failure().is_none() {
        // A 200 or 302 is not a failed request, but it is not a websocket either.
        response.refuse(&format!("no websocket: {end}"));
    }
    let session = if stream.is_some() && messages.recorded { Session::open(host, connecting) } else { None };
    demands.meet(host, context, &response)?;
    Ok(Socket(Rc::new(SocketData {
        host: host.clone(),
        response,
        stream: RefCell::new(stream),
        unanswered: RefCell::default(),
        error: RefCell::new(error),
        end: RefCell::new(end),
        messages,
        session,
        timeout: limit,
    })))
}

/// What is known of a message besides its sample.
struct MessageDetails<'a> {
    /// To the handshake.
    response: &'a Response,
    code: Option<u16>,
}

impl RequestDetails for MessageDetails<'_> {
    fn facts(&self) -> RequestFacts {
        let mut facts = RequestDetails::facts(&*self.response.data);
        facts.error_code = self.code;
        facts
    }
}

impl SocketData {
    /// Sends text or a blob; whether that went well.
    fn send(&self, message: &Dynamic) -> ScriptResult<bool> {
        let vu = self.host.vu("send")?;
        let message = match message.read_lock::<Blob>() {
            Some(blob) => Message::Binary(Bytes::copy_from_slice(&blob)),
            None => Message::Text(convert::text("send", message).map_err(|_| {
                convert::expected("send", "text or a blob (for a map: value.to_json())", message)
            })?),
        };
        let Some(mut stream) = self.stream.take() else {
            return Err(format!("{} is not open: {}", self.describe(), self.end.borrow()).into());
        };
        let started = Instant::now();
        let sent = self.host.wait(&vu, Box::pin(timeout(self.timeout, stream.send(message))))?;
        let error = match sent {
            Ok(Ok(())) => {
                self.stream.replace(Some(stream));
                let mut unanswered = self.unanswered.borrow_mut();
                if let Some(session) = &self.session {
                    session.sent();
                }
                if unanswered.len() < MOST_UNANSWERED {
                    unanswered.push_back(started);
                }
                return Ok(true);
            }
            Ok(Err(error)) => error,
            Err(_) => HttpError::new(
                ErrorKind::Timeout,
                format!("the message was not sent within {:?}", self.timeout),
            ),
        };
        self.break_off(&vu, started, error);
        Ok(false)
    }

    /// The next message; `()` when none comes in time or the socket is not open.
    fn receive(&self, limit: Duration) -> ScriptResult<Dynamic> {
        let vu = self.host.vu("recv")?;
        let Some(mut stream) = self.stream.take() else { return Ok(Dynamic::UNIT) };
        let asked = self.unanswered.borrow().front().copied();
        let flight = asked.map(|_| self.host.in_flight());
        let received = self.host.wait(&vu, Box::pin(timeout(limit, stream.receive())))?;
        if let Some(flight) = flight {
            flight.done();
        }
        match received {
            Ok(Ok(Received::Message(message))) => {
                let traffic = stream.traffic();
                if let Some(session) = &self.session {
                    session.received();
                }
                self.stream.replace(Some(stream));
                if let Some(asked) = asked {
                    self.unanswered.borrow_mut().pop_front();
                    self.record(&vu, asked, traffic, None);
                }
                Ok(match message {
                    Message::Text(text) => Dynamic::from(text),
                    Message::Binary(bytes) => Dynamic::from_blob(bytes.to_vec()),
                })
            }
            Err(_) => {
                self.stream.replace(Some(stream));
                if let Some(asked) = asked {
                    self.unanswered.borrow_mut().pop_front();
                    let error = HttpError::new(ErrorKind::Timeout, format!("no message within {limit:?}"));
                    self.fail(&vu, asked, error);
                }
                Ok(Dynamic::UNIT)
            }
            Ok(Ok(Received::Closed(why))) => {
                self.end_session();
                self.end.replace(format!("the server closed it ({why})"));
                if let Some(asked) = asked {
                    let message = format!("the server closed the websocket before it answered ({why})");
                    self.break_off(&vu, asked, HttpError::new(ErrorKind::Reset, message));
                }
                Ok(Dynamic::UNIT)
            }
            Ok(Err(error)) => {
                self.break_off(&vu, asked.unwrap_or_else(Instant::now), error);
                Ok(Dynamic::UNIT)
            }
        }
    }

    fn close(&self) -> ScriptResult<()> {
        let vu = self.host.vu("close")?;
        let Some(stream) = self.stream.take() else { return Ok(()) };
        self.unanswered.borrow_mut().clear();
        self.end.replace("the script closed it".to_owned());
        let closed = self.host.wait(&vu, Box::pin(stream.close()));
        self.end_session();
        closed
    }

    fn end_session(&self) {
        if let Some(session) = &self.session {
            session.end();
        }
    }

    /// The connection is lost, and with it all unanswered messages: that is one failure.
    fn break_off(&self, vu: &VuContext, since: Instant, error: HttpError) {
        self.end_session();
        self.unanswered.borrow_mut().clear();
        self.end.replace(error.message.clone());
        self.fail(vu, since, error);
    }

    fn fail(&self, vu: &VuContext, since: Instant, error: HttpError) {
        self.error.replace(Some(error.clone()));
        self.record(vu, since, (0, 0), Some(error));
    }

    /// Counts a sent message with its outcome.
    fn record(&self, vu: &VuContext, since: Instant, traffic: (u64, u64), error: Option<HttpError>) {
        let place = &self.messages;
        if !place.recorded {
            return;
        }
        let service = since.elapsed();
        let code = error.as_ref().map(|error| error.code);
        let failure = error.map(|error| Failure { kind: error.kind, message: error.message });
        let sample = RequestSample {
            protocol: Protocol::WebSocket,
            series: place.series,
            tags: place.tags.clone(),
            // Messages have no status; that of a success must not look like a missing response.
            status: if failure.is_none() { 101 } else { 0 },
            service,
            response: service + vu.lag.get(),
            timings: Timings::waited(service),
            bytes_sent: traffic.0,
            bytes_received: traffic.1,
            failure: failure.map(Box::new),
        };
        let details = MessageDetails { response: &self.response, code };
        self.host.recorder.borrow_mut().request_of(&sample, &details);
    }

    fn error(&self) -> Option<HttpError> {
        self.error.borrow().clone()
    }

    /// `websocket /path`.
    fn describe(&self) -> String {
        format!("websocket {}", self.response.exchange().target.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_swapped() {
        for (given, expected) in [
            ("ws://a/b", "http://a/b"),
            ("WSS://a", "https://a"),
            ("/live?x=ws://y", "/live?x=ws://y"),
            ("http://a/ws://b", "http://a/ws://b"),
        ] {
            assert_eq!(http_url(given), expected);
        }
        assert_eq!(ws_url("https://a/http"), "wss://a/http");
    }
}
