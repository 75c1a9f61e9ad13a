//! `ws::connect`: websockets of a virtual user.
//!
//! Owns what counts as a sample: the handshake, and each message sent together with its answer; and what becomes of a
//! message that arrives: `recv` or a handler gets it. Leaves the protocol to `crate::ws`, and when handlers run to
//! `Host::wait` and the life of the user. Invariants: a waiting call has taken the stream out of its cell, so an
//! interruption drops it and closes the connection; a closed socket stays closed; only the message that a script has
//! described is the answer to one for which it described it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use rhai::{Blob, Dynamic, Engine, FnPtr, ImmutableString, Map, Module, NativeCallContext};
use serde_json::Value as Json;
use tokio::time::{timeout, timeout_at};

use super::http_params::{Params, read_params};
use super::pending::Pending;
use super::response::Response;
use super::ws_metrics::Session;
use super::{convert, placed};
use crate::http::{ErrorKind, HttpError};
use crate::metrics::{
    Failure, Protocol, RequestDetails, RequestFacts, RequestSample, SeriesId, TagId, Timings,
};
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};
use crate::script::trace;
use crate::script::vu_context::VuContext;
use crate::text::format_duration;
use crate::ws::{Message, Received, WebSocket, connect};

/// How many messages may be unanswered; answers to further ones are not timed.
const MOST_UNANSWERED: usize = 1_000;

/// How many messages are kept for a handler that cannot run yet.
const MOST_KEPT: usize = 10_000;

/// A websocket as a script value; clones share it.
#[derive(Clone)]
struct Socket(Rc<SocketData>);

pub(crate) struct SocketData {
    host: Rc<Host>,
    /// The answer to the handshake.
    response: Response,
    stream: RefCell<Option<WebSocket>>,
    /// A waiting call has taken the stream, and gives it back.
    in_use: Cell<bool>,
    /// The messages that await an answer, oldest first.
    unanswered: RefCell<VecDeque<Sent>>,
    /// What came for the handler while it could not run.
    kept: RefCell<VecDeque<Dynamic>>,
    /// What went wrong last.
    error: RefCell<Option<HttpError>>,
    /// Why it is not open.
    end: RefCell<String>,
    messages: Place,
    /// What is counted of it while it is open; `None` when it is not recorded or never opened.
    session: Option<Session>,
    timeout: Duration,
}

/// A message that awaits an answer.
struct Sent {
    at: Instant,
    answer: Answer,
}

/// What answers a message.
#[derive(Clone)]
enum Answer {
    /// The next message that answers no other.
    Next,
    /// The first message for which this function is true.
    When(FnPtr),
    /// The first message that is a JSON object with these fields.
    With(Rc<Json>),
}

/// A websocket that has a handler for what arrives; without one, it has none any more.
pub(crate) struct Listener {
    socket: Weak<SocketData>,
    handler: Option<FnPtr>,
}

/// Something that has arrived for a handler.
pub(crate) struct Arrival {
    socket: Rc<SocketData>,
    handler: FnPtr,
    what: Arrived,
}

enum Arrived {
    Now(Result<Received, HttpError>, Instant),
    /// Counted, and kept because the handler could not run.
    Before(Dynamic),
}

/// A call waits with the stream; a guard, because the script may be unwound.
struct InUse<'a>(&'a Cell<bool>);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
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
    tables: &[CALLS, SOCKET, SEND_KEYS],
    notes: r##"
Parameters are `headers`, `query`, `bearer`, `basic`, `timeout`, `name`, `tags`, `expect`, `raise` and `record`, as
for [requests](#parameters-of-a-request); other request parameters are an error.

Without an argument, `recv` waits up to `timeout` (default 60 s). An interruption drops the connection.

The handshake is a sample with the method `WS`, named by its path or `name`. So is each message sent together with its
answer, named `PATH message`. What the answer is, the key `answer` of `send` says:

| `answer` | the answer is |
|---|---|
| `true`, the default | the next message that is not the answer to another one; so messages without the key are paired in order |
| `false` | none: nothing is timed, and nothing fails for want of an answer |
| `#{ id: 7 }` | the first message that is a JSON object with this field, or these fields; a map in it means the fields inside |
| `\|m\| m.starts_with("ack")` | the first message for which the function returns true |

A message that answers nothing is no sample. So where a server pushes unasked, describe the answers, or nothing tells
a push from an answer. An answer is timed from `send` until it is received: without a handler, that is when `recv`
returns it, so call `recv` promptly. A message fails with `timeout` when a `recv` times out before its answer, and with
`reset` when the connection breaks. A message of more than 64 MiB is an error of the kind `protocol`.

`on_message` gives what arrives to a function while the VU does something else: while it sleeps, thinks, sends
requests, or waits for its next iteration. Pings are then answered at once, and answers timed when they arrive; one that
has not come `timeout` after `send` has failed. Without a handler, pings are answered while the script is in `recv` or
`send`. With one,

- the handler gets each message once, in order. `recv` returns the next message, except while a message sent with a
  description of its answer awaits it: then `recv` returns that answer, and what comes before goes to the handler.
- the handler does not run while the script computes, or is inside a method of `this` or of a variable that it captures
  (`this.ws.recv()`): it runs afterwards. It gets the websocket as its second argument, for answers.
- a handler that waits itself keeps what it interrupted from going on; one handler of a VU runs at a time. Its errors
  and `fail` are counted and end the handler, not the iteration.
- the websocket is closed with the iteration that opened it, unless it is kept: `this.ws = ws`.

```rhai
fn on_start() {
    this.quotes = 0;
    this.ws = ws::connect("/ws");
    this.ws.on_message(|m, ws| {
        this.quotes += 1;
        if m == "alive?" { ws.send("yes", #{ answer: false }); }
    });
}

fn iteration() {
    let ws = this.ws;
    ws.send(#{ id: vu::iteration(), buy: "ACME" }.to_json(), #{ answer: #{ id: vu::iteration() } });
    check("confirmed", ws.recv(5) != ());
    http::get("/quality/insights");
    sleep(1);
}
```

Sessions are also counted in the [metrics](metrics.md#what-is-counted) `ws_sessions`,
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
    fn send(message: text|blob, settings: map) -> bool;

    /// Returns the next message, text or blob; `()` on timeout, or if the WebSocket is not open.
    ///
    /// Errors: not a time.
    fn recv() -> text|blob|unit;
    fn recv(timeout: time) -> text|blob|unit;

    /// Calls the function with each message that arrives while the VU waits for something else, and with the WebSocket if
    /// it takes two arguments; `()` ends that.
    ///
    /// Errors: neither a function nor `()`.
    fn on_message(handler: function|unit);

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

keys! {
    SEND_KEYS: "`send`";

    /// What answers the message, see below; default true.
    answer: "true, false, map of fields, or function";
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
        .register_fn("send", |socket: &mut Socket, message: Dynamic| {
            socket.0.send(&message, Some(Answer::Next))
        })
        .register_fn("send", |socket: &mut Socket, message: Dynamic, settings: Map| -> ScriptResult<bool> {
            socket.0.send(&message, answer_in(&settings)?)
        })
        .register_fn("on_message", |socket: &mut Socket, handler: Dynamic| socket.0.listen(&handler))
        .register_fn("recv", |socket: &mut Socket| socket.0.receive(socket.0.timeout))
        .register_fn("recv", |socket: &mut Socket, limit: Dynamic| -> ScriptResult<Dynamic> {
            socket.0.receive(convert::duration("recv", &limit)?)
        })
        .register_fn("close", |socket: &mut Socket| socket.0.close())
        .register_get("is_open", |socket: &mut Socket| {
            socket.0.in_use.get() || socket.0.stream.borrow().is_some()
        })
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
    let shown = trace::Sent::of(host, &vu, &request);
    let flight = host.in_flight();
    // Boxed: the future is large, and a script's stack is not.
    let (exchange, stream) = host.wait(&vu, Box::pin(connect(&vu.client, request)))?;
    flight.done();
    if let Some(sent) = shown {
        sent.show(host, &vu, &exchange);
    }
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
    demands.meet(context, &response)?;
    Ok(Socket(Rc::new(SocketData {
        host: host.clone(),
        response,
        stream: RefCell::new(stream),
        in_use: Cell::new(false),
        unanswered: RefCell::default(),
        kept: RefCell::default(),
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

/// What answers a message that is sent with these settings.
fn answer_in(settings: &Map) -> Result<Option<Answer>, String> {
    let mut answer = Some(Answer::Next);
    for (key, value) in settings {
        SEND_KEYS.check("send", key)?;
        answer = if let Ok(awaited) = value.as_bool() {
            awaited.then_some(Answer::Next)
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            Some(Answer::When(function.clone()))
        } else if value.is_map() {
            let fields = serde_json::to_value(value).map_err(|error| format!("send: answer: {error}"))?;
            Some(Answer::With(Rc::new(fields)))
        } else {
            return Err(convert::expected(
                "send: answer",
                "true, false, a map of fields, or a function",
                value,
            ));
        };
    }
    Ok(answer)
}

/// Whether a value has what is wanted: the same value, or an object with at least these fields.
fn has(value: &Json, wanted: &Json) -> bool {
    match (value, wanted) {
        (Json::Object(fields), Json::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| fields.get(key).is_some_and(|value| has(value, wanted)))
        }
        (Json::Number(value), Json::Number(wanted)) => value == wanted || value.as_f64() == wanted.as_f64(),
        _ => value == wanted,
    }
}

impl Message {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    fn to_dynamic(&self) -> Dynamic {
        match self {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => Dynamic::from_blob(bytes.to_vec()),
        }
    }
}

fn no_message(limit: Duration) -> HttpError {
    HttpError::new(ErrorKind::Timeout, format!("no message within {}", format_duration(limit)))
}

/// Whether the script is inside a method of a variable that the function has captured: it could not use that.
fn is_locked(function: &FnPtr) -> bool {
    function.curry().iter().any(Dynamic::is_locked)
}

impl Listener {
    /// Whether both are for one websocket.
    pub(crate) fn is_of_same(&self, other: &Listener) -> bool {
        self.socket.ptr_eq(&other.socket)
    }

    pub(crate) fn has_handler(&self) -> bool {
        self.handler.is_some()
    }

    /// Its handler, if it is for this websocket.
    pub(crate) fn handler_of(&self, socket: &Rc<SocketData>) -> Option<FnPtr> {
        if std::ptr::eq(self.socket.as_ptr(), Rc::as_ptr(socket)) { self.handler.clone() } else { None }
    }

    /// Whether anything holds the websocket but the variables that its own handler has captured.
    pub(crate) fn is_held(&self) -> bool {
        let Some(socket) = self.socket.upgrade() else { return false };
        let captured = self.handler.iter().flat_map(FnPtr::curry).filter(|value| {
            value.read_lock::<Socket>().is_some_and(|captured| Rc::ptr_eq(&captured.0, &socket))
        });
        // One more is `socket`.
        Rc::strong_count(&socket) > captured.count() + 1
    }

    /// What has arrived, unless the handler cannot run now.
    pub(crate) fn poll(&self, vu: &VuContext, context: &mut Context<'_>) -> Poll<Arrival> {
        let (Some(socket), Some(handler)) = (self.socket.upgrade(), &self.handler) else {
            return Poll::Pending;
        };
        if socket.in_use.get() || is_locked(handler) {
            return Poll::Pending;
        }
        let before = socket.kept.borrow_mut().pop_front().map(Arrived::Before);
        let what = before.map_or_else(|| socket.poll(vu, context), Poll::Ready);
        what.map(|what| Arrival { socket, handler: handler.clone(), what })
    }
}

impl Arrival {
    /// Counts what has arrived and calls the handler, inside a fiber.
    ///
    /// # Errors
    /// How the handler ended the call, the user or the run.
    pub(crate) fn deliver(self, host: &Host, vu: &VuContext) -> Result<(), Ending> {
        let Arrival { socket, handler, what } = self;
        let _handling = vu.begin_handling();
        let message = match what {
            Arrived::Before(message) => message,
            Arrived::Now(received, at) => match socket.take_in(vu, received, at)? {
                Some((message, _)) => message.to_dynamic(),
                None => return Ok(()),
            },
        };
        host.call_back(vu, &handler, [message], [Dynamic::from(Socket(socket))]).map(drop)
    }
}

impl SocketData {
    /// The stream, for a call that waits; `None` when there is none any more.
    fn take_stream(&self) -> Result<Option<(WebSocket, InUse<'_>)>, String> {
        if self.in_use.get() {
            return Err(format!("{} is in use: the script waits in its send or recv", self.describe()));
        }
        let Some(stream) = self.stream.take() else { return Ok(None) };
        self.in_use.set(true);
        Ok(Some((stream, InUse(&self.in_use))))
    }

    /// Gives what arrives to a handler, or to none any more.
    fn listen(self: &Rc<Self>, handler: &Dynamic) -> ScriptResult<()> {
        let vu = self.host.vu("on_message")?;
        let handler = match handler.read_lock::<FnPtr>() {
            Some(handler) => Some(handler.clone()),
            None if handler.is_unit() => None,
            None => return Err(convert::expected("on_message", "a function or ()", handler).into()),
        };
        vu.listen(Listener { socket: Rc::downgrade(self), handler });
        Ok(())
    }

    /// What has arrived for the handler. An answer that has not come in time is counted here.
    fn poll(&self, vu: &VuContext, context: &mut Context<'_>) -> Poll<Arrived> {
        let received = match &mut *self.stream.borrow_mut() {
            Some(stream) => stream.poll_receive(context),
            None => return Poll::Pending,
        };
        if let Poll::Ready(received) = received {
            return Poll::Ready(Arrived::Now(received, Instant::now()));
        }
        while let Some(sent) = self.overdue() {
            self.fail(vu, sent, sent + self.timeout, no_message(self.timeout));
        }
        Poll::Pending
    }

    /// When the oldest message was sent, if its answer is overdue; it is not awaited any more.
    fn overdue(&self) -> Option<Instant> {
        let mut unanswered = self.unanswered.borrow_mut();
        let at = unanswered.front()?.at;
        (at.elapsed() >= self.timeout).then(|| {
            unanswered.pop_front();
            at
        })
    }

    /// Counts what was received, as the answer to what it answers: the message, and whether it is an answer. `None` when
    /// the connection has ended.
    fn take_in(
        &self,
        vu: &VuContext,
        received: Result<Received, HttpError>,
        at: Instant,
    ) -> Result<Option<(Message, bool)>, Ending> {
        let asked = self.unanswered.borrow().front().map(|sent| sent.at);
        match received {
            Ok(Received::Message(message)) => {
                let traffic = self.stream.borrow().as_ref().map_or((0, 0), WebSocket::traffic);
                if let Some(session) = &self.session {
                    session.received();
                }
                let answered = self.answered_by(vu, &message)?;
                if let Some(sent) = &answered {
                    self.record(vu, sent.at, at, traffic, None);
                }
                return Ok(Some((message, answered.is_some())));
            }
            Ok(Received::Closed(why)) => {
                drop(self.stream.take());
                self.end_session();
                self.end.replace(format!("the server closed it ({why})"));
                if let Some(asked) = asked {
                    let message = format!("the server closed the websocket before it answered ({why})");
                    self.break_off(vu, asked, HttpError::new(ErrorKind::Reset, message));
                }
            }
            Err(error) => {
                drop(self.stream.take());
                self.break_off(vu, asked.unwrap_or(at), error);
            }
        }
        Ok(None)
    }

    /// The message that this one answers; it is not awaited any more.
    fn answered_by(&self, vu: &VuContext, message: &Message) -> Result<Option<Sent>, Ending> {
        let mut json = None;
        let mut at = 0;
        loop {
            // Cloned: a function of the script may send on this websocket.
            let Some(answer) = self.unanswered.borrow().get(at).map(|sent| sent.answer.clone()) else {
                break;
            };
            let is_it = match answer {
                Answer::Next => false,
                Answer::With(wanted) => {
                    let read = || serde_json::from_slice(message.as_bytes()).unwrap_or(Json::Null);
                    has(json.get_or_insert_with(read), &wanted)
                }
                Answer::When(function) => {
                    let said = self.host.call_back(vu, &function, [message.to_dynamic()], [])?;
                    said.is_some_and(|said| said.as_bool() == Ok(true))
                }
            };
            if is_it {
                return Ok(self.unanswered.borrow_mut().remove(at));
            }
            at += 1;
        }
        let mut unanswered = self.unanswered.borrow_mut();
        let next = unanswered.iter().position(|sent| matches!(sent.answer, Answer::Next));
        Ok(next.and_then(|next| unanswered.remove(next)))
    }

    /// Whether the script has described an answer that it awaits.
    fn awaits_described(&self) -> bool {
        self.unanswered.borrow().iter().any(|sent| !matches!(sent.answer, Answer::Next))
    }

    /// Sends text or a blob; whether that went well.
    fn send(&self, message: &Dynamic, answer: Option<Answer>) -> ScriptResult<bool> {
        let vu = self.host.vu("send")?;
        let message = match message.read_lock::<Blob>() {
            Some(blob) => Message::Binary(Bytes::copy_from_slice(&blob)),
            None => Message::Text(convert::text("send", message).map_err(|_| {
                convert::expected("send", "text or a blob (for a map: value.to_json())", message)
            })?),
        };
        let (mut stream, in_use) = self
            .take_stream()?
            .ok_or_else(|| format!("{} is not open: {}", self.describe(), self.end.borrow()))?;
        let started = Instant::now();
        let sent = self.host.wait(&vu, Box::pin(timeout(self.timeout, stream.send(message))))?;
        drop(in_use);
        let error = match sent {
            Ok(Ok(())) => {
                self.stream.replace(Some(stream));
                let mut unanswered = self.unanswered.borrow_mut();
                if let Some(session) = &self.session {
                    session.sent();
                }
                if let Some(answer) = answer
                    && unanswered.len() < MOST_UNANSWERED
                {
                    unanswered.push_back(Sent { at: started, answer });
                }
                return Ok(true);
            }
            Ok(Err(error)) => error,
            Err(_) => HttpError::new(
                ErrorKind::Timeout,
                format!("the message was not sent within {}", format_duration(self.timeout)),
            ),
        };
        self.break_off(&vu, started, error);
        Ok(false)
    }

    /// The next message, or the answer that is awaited; `()` when none comes in time or the socket is not open.
    fn receive(self: &Rc<Self>, limit: Duration) -> ScriptResult<Dynamic> {
        let vu = self.host.vu("recv")?;
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let Some((mut stream, in_use)) = self.take_stream()? else { return Ok(Dynamic::UNIT) };
            let awaited = !self.unanswered.borrow().is_empty();
            let flight = awaited.then(|| self.host.in_flight());
            let received = self.host.wait(&vu, Box::pin(timeout_at(deadline, stream.receive())))?;
            let at = Instant::now();
            if let Some(flight) = flight {
                flight.done();
            }
            drop(in_use);
            self.stream.replace(Some(stream));
            let Ok(received) = received else {
                let oldest = self.unanswered.borrow_mut().pop_front();
                if let Some(sent) = oldest {
                    self.fail(&vu, sent.at, at, no_message(limit));
                }
                return Ok(Dynamic::UNIT);
            };
            let is_described = self.awaits_described();
            let Some((message, is_answer)) = self.take_in(&vu, received, at).map_err(Ending::into_error)?
            else {
                return Ok(Dynamic::UNIT);
            };
            let handler = if is_answer || !is_described { None } else { vu.handler_of(self) };
            let Some(handler) = handler else { return Ok(message.to_dynamic()) };
            let message = message.to_dynamic();
            if vu.can_handle() && !is_locked(&handler) {
                let arrival = Arrival { socket: self.clone(), handler, what: Arrived::Before(message) };
                arrival.deliver(&self.host, &vu).map_err(Ending::into_error)?;
                continue;
            }
            if self.kept.borrow().len() >= MOST_KEPT {
                return Err(format!(
                    "more than {MOST_KEPT} messages came before the answer, and wait for on_message; call recv outside of \
                     a method of this, so that the handler can run: let ws = this.ws; ws.recv()"
                )
                .into());
            }
            self.kept.borrow_mut().push_back(message);
        }
    }

    fn close(&self) -> ScriptResult<()> {
        let vu = self.host.vu("close")?;
        let Some((stream, _)) = self.take_stream()? else { return Ok(()) };
        self.unanswered.take();
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
        self.unanswered.take();
        self.end.replace(error.message.clone());
        self.fail(vu, since, Instant::now(), error);
    }

    fn fail(&self, vu: &VuContext, since: Instant, until: Instant, error: HttpError) {
        self.error.replace(Some(error.clone()));
        self.record(vu, since, until, (0, 0), Some(error));
    }

    /// Counts a sent message with its outcome.
    fn record(
        &self,
        vu: &VuContext,
        since: Instant,
        until: Instant,
        traffic: (u64, u64),
        error: Option<HttpError>,
    ) {
        let place = &self.messages;
        if !place.recorded {
            return;
        }
        let service = until.saturating_duration_since(since);
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
