//! `ws::connect`: websockets of a virtual user, as scripts see them.
//!
//! Owns their reference, and opening one: the handshake is a sample. Leaves what becomes of messages to `socket`, which of them
//! answers which to `answer`, handlers to `listener`, and the protocol to `crate::ws`.

mod answer;
mod listener;
mod metrics;
mod socket;

use std::rc::Rc;

use http::Method;
use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use self::answer::{Answer, answer_in};
use self::metrics::Session;
use self::socket::{Place, Socket};
use super::http_params::{Params, read_params};
use super::pending::Pending;
use super::{convert, placed};
use crate::metrics::Protocol;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};
use crate::script::trace;
use crate::ws::connect;

pub(crate) use self::listener::{Arrival, Listener};
pub(crate) use self::socket::SocketData;

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
    let socket = SocketData::new(host, response, stream, (end, error), (messages, session), limit);
    Ok(Socket(Rc::new(socket)))
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
