//! The response object: the result of a request, and the script's verdict on it.
//!
//! Invariant: a response's sample is counted once. Until its virtual user waits again the verdict is open
//! and costs nothing to change; after that a change takes the counted sample back and counts the new one.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{SEC_WEBSOCKET_PROTOCOL, SET_COOKIE};
use http::{Method, Version};
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::pending::status_failure;
use super::ws::ws_url;
use super::{call_closure, check, convert, response_headers, scrape};
use crate::credentials::excerpt;
use crate::http::{Exchange, field_text};
use crate::metrics::{
    ErrorKind, Failure, FailureSample, Protocol, Recorder, RequestDetails, RequestFacts, RequestSample,
    SAMPLE_SEARCHED,
};
use crate::scrape::Document;
use crate::script::ending::ScriptResult;
use crate::script::events::EventFields;
use crate::script::host::Host;
use crate::script::json_path;
use crate::script::reference::{Owner, Section, calls};
use crate::script::value::Value;

/// How much of a body that is not JSON an error quotes, in characters.
const JSON_START: usize = 60;

/// A response as a script value; clones share everything.
#[derive(Clone)]
pub(crate) struct Response {
    pub(super) data: Rc<ResponseData>,
    pub(super) host: Rc<Host>,
}

/// The data of a response.
pub(crate) struct ResponseData {
    pub(super) exchange: Exchange,
    method: Method,
    /// It has a name of its own.
    named: bool,
    sample: RefCell<RequestSample>,
    counted: Cell<bool>,
    body: OnceCell<Result<Bytes, String>>,
    json: OnceCell<Result<serde_json::Value, String>>,
    html: OnceCell<Document>,
}

impl ResponseData {
    pub(crate) fn new(exchange: Exchange, method: Method, sample: RequestSample, named: bool) -> Self {
        ResponseData {
            exchange,
            method,
            named,
            sample: RefCell::new(sample),
            counted: Cell::new(false),
            body: OnceCell::new(),
            json: OnceCell::new(),
            html: OnceCell::new(),
        }
    }

    /// Counts the sample with its current verdict.
    pub(crate) fn count(&self, recorder: &mut Recorder) {
        recorder.request_of(&self.sample.borrow(), self);
        self.counted.set(true);
    }

    /// What is kept of a failure for inspection.
    fn shown_failure(&self, failure: &Failure) -> FailureSample {
        // A transport error may have cut off the body, which is meaningless then.
        let body = self.exchange.error.is_none().then(|| self.body().ok()).flatten();
        let start = |body: &Bytes| {
            let start = &body[..body.len().min(SAMPLE_SEARCHED)];
            (!start.contains(&0)).then(|| String::from_utf8_lossy(start).into_owned())
        };
        FailureSample {
            seen: SystemTime::now(),
            url: self.exchange.target.as_str().to_owned(),
            message: failure.message.clone(),
            body: body.and_then(start),
            body_bytes: self.exchange.body_size,
        }
    }

    /// Changes the verdict.
    fn judge(&self, host: &Host, failure: Option<Failure>) {
        let failure = failure.map(Box::new);
        if self.sample.borrow().failure == failure {
            return;
        }
        if self.counted.get() {
            let mut recorder = host.recorder.borrow_mut();
            recorder.reverse(&self.sample.borrow(), self);
            self.sample.borrow_mut().failure = failure;
            self.count(&mut recorder);
        } else {
            self.sample.borrow_mut().failure = failure;
        }
    }

    /// The data of a `request` event.
    pub(crate) fn facts(&self, host: &Host) -> EventFields {
        let sample = self.sample.borrow();
        let error =
            sample.failure.as_ref().map_or(Value::Unit, |failure| Value::Text(failure.message.clone()));
        vec![
            ("method".into(), Value::Text(self.method.as_str().to_owned())),
            ("name".into(), Value::Text(name_of(host, sample.series))),
            ("status".into(), Value::Int(i64::from(sample.status))),
            ("duration".into(), Value::Float(millis(sample.service))),
            ("size".into(), Value::Int(i64::try_from(self.exchange.body_size).unwrap_or(i64::MAX))),
            ("url".into(), Value::Text(self.exchange.target.as_str().to_owned())),
            ("ok".into(), Value::Bool(sample.failure.is_none())),
            ("error".into(), error),
        ]
    }

    fn failed_expectation(&self) -> bool {
        self.sample.borrow().failure.as_ref().is_some_and(|failure| failure.kind == ErrorKind::Expect)
    }

    /// The body without its content encoding.
    fn body(&self) -> Result<&Bytes, String> {
        let body = self.body.get_or_init(|| {
            if self.exchange.body.is_empty() && self.exchange.body_size > 0 {
                return Err(format!("the body of {} was not kept (discard_body)", self.describe()));
            }
            self.exchange.decoded_body().map_err(|error| error.message)
        });
        body.as_ref().map_err(Clone::clone)
    }

    pub(super) fn text(&self) -> Result<std::borrow::Cow<'_, str>, String> {
        Ok(String::from_utf8_lossy(self.body()?))
    }

    /// The body as a document, parsed once.
    pub(super) fn html(&self, host: &Host) -> ScriptResult<&Document> {
        // Not `get_or_init`: a body that cannot be decoded is an error each time.
        match self.html.get() {
            Some(document) => Ok(document),
            None => {
                let document = Document::parse(&self.text()?, &mut || host.step())?;
                Ok(self.html.get_or_init(|| document))
            }
        }
    }

    fn json(&self) -> Result<&serde_json::Value, String> {
        let json = self.json.get_or_init(|| {
            if let Some(error) = &self.exchange.error {
                return Err(format!("{} has no JSON: {}", self.describe(), error.message));
            }
            // What it is of is only said in an error.
            json_of(self.body()?, "the body").map_err(|error| match error.strip_prefix("the body") {
                Some(why) => format!("the body of {}{why}", self.describe()),
                None => error,
            })
        });
        json.as_ref().map_err(Clone::clone)
    }

    /// `GET /path (status 200)`.
    fn describe(&self) -> String {
        format!("{} {} (status {})", self.method, self.exchange.target.path(), self.exchange.status)
    }
}

impl RequestDetails for ResponseData {
    fn shown(&self) -> Option<FailureSample> {
        Some(self.shown_failure(self.sample.borrow().failure.as_deref()?))
    }

    fn facts(&self) -> RequestFacts {
        let Exchange { hops, target, version, tls_version, error, headers, .. } = &self.exchange;
        let mut facts = RequestFacts::default();
        if !self.named {
            facts.url = Some(hops.first().map_or(target, |hop| &hop.url).as_str().to_owned());
        }
        facts.tls_version = *tls_version;
        facts.error_code = error.as_ref().map(|error| error.code);
        if self.sample.borrow().protocol == Protocol::WebSocket {
            facts.url = facts.url.map(|url| ws_url(&url));
            let subproto = headers.get(SEC_WEBSOCKET_PROTOCOL);
            facts.subproto = subproto.map(|value| field_text(value.as_bytes()).into_owned());
        } else if error.is_none() {
            facts.proto = proto(*version);
        }
        facts
    }
}

/// The version of HTTP as k6 writes it.
fn proto(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("HTTP/1.0"),
        Version::HTTP_11 => Some("HTTP/1.1"),
        Version::HTTP_2 => Some("HTTP/2.0"),
        _ => None,
    }
}

impl Response {
    pub(super) fn new(data: Rc<ResponseData>, host: Rc<Host>) -> Self {
        Response { data, host }
    }

    /// Why the request currently counts as failed, and which request it is; `None` when it does not.
    pub(super) fn failure(&self) -> Option<String> {
        let sample = self.data.sample.borrow();
        let failure = sample.failure.as_ref()?;
        Some(format!("{} {} failed: {}", self.data.method, self.data.exchange.target.path(), failure.message))
    }

    /// The request fails, for this reason.
    pub(super) fn refuse(&self, why: &str) {
        self.data.judge(&self.host, Some(Failure { kind: ErrorKind::Expect, message: why.to_owned() }));
    }

    /// What came.
    pub(super) fn exchange(&self) -> &Exchange {
        &self.data.exchange
    }

    /// Applies an expectation: a status, several, or a condition.
    pub(super) fn apply(&self, context: &NativeCallContext, expect: &Dynamic) -> ScriptResult<()> {
        if let Some(function) = expect.read_lock::<FnPtr>() {
            return self.expect_that(context, "expect", &function);
        }
        if let Some(statuses) = expect.read_lock::<Array>() {
            let statuses = statuses.iter().map(one_status).collect::<Result<Vec<_>, _>>()?;
            self.expect_status(&statuses);
            return Ok(());
        }
        self.expect_status(&[one_status(expect)?]);
        Ok(())
    }

    /// The request fails unless its status is one of these; it succeeds if it is, whatever the status,
    /// unless an earlier expectation failed.
    fn expect_status(&self, statuses: &[i64]) {
        let status = i64::from(self.data.exchange.status);
        if statuses.contains(&status) {
            if !self.data.failed_expectation() {
                self.data.judge(&self.host, None);
            }
            return;
        }
        if self.data.exchange.error.is_some() || self.data.failed_expectation() {
            return;
        }
        let wanted = statuses.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ");
        let came = status_failure(self.data.exchange.status).message;
        let message = format!("expected status {wanted}, got {came}");
        self.data.judge(&self.host, Some(Failure { kind: ErrorKind::Expect, message }));
    }

    fn expect_that(&self, context: &NativeCallContext, what: &str, function: &FnPtr) -> ScriptResult<()> {
        let value = call_closure(&self.host, context, function, [Dynamic::from(self.clone())])?;
        let holds = value.as_bool().map_err(|_| {
            convert::expected(&format!("expect '{what}': its function's result"), "true or false", &value)
        })?;
        if !holds && !self.data.failed_expectation() {
            let message = format!("expectation not met: {what}");
            self.data.judge(&self.host, Some(Failure { kind: ErrorKind::Expect, message }));
        }
        Ok(())
    }
}

fn one_status(value: &Dynamic) -> Result<i64, String> {
    value.as_int().map_err(|_| convert::expected("expect", "a status, an array of them or a function", value))
}

pub(super) const SECTION: Section = Section {
    name: "response",
    title: "The response",
    is_part: false,
    about: "the result of a request, and the script's verdict on it",
    intro: "The return value of `http::get` and the other request functions.",
    tables: &[PROPERTIES, METHODS, scrape::RESPONSE, VERDICTS, response_headers::HEADERS],
    notes: r##"
`expect`, `fail` and `succeed` return the response, so that calls can be chained. By default a request fails on a
transport error and on a status of 400 or more. Once an expectation has failed, a later one does not turn the request
into a success; `.succeed()` does. After a transport error, an unmet status expectation leaves the transport error as
the cause.

The request is counted when the VU next waits. A later change of the verdict corrects the counts.

```rhai
fn iteration() {
    let response = http::post("/login", #{ json: #{ user: "ann" } })
        .expect(200)
        .expect("has a token", |r| r.json("token") != ());
    if !response.ok { fail("login failed"); }
    http::get("/nosuch").expect(404);
}
```"##,
};

calls! {
    PROPERTIES: Owner::Type("Response"); ("property", "gives");

    /// The HTTP status; 0 without a usable response.
    get status -> int;

    /// Whether the request currently counts as a success.
    get ok -> bool;

    /// The body as text; invalid UTF-8 is replaced.
    ///
    /// Errors: the body cannot be decoded, or was discarded.
    get body -> text;

    /// The body as a blob.
    ///
    /// Errors: the body cannot be decoded, or was discarded.
    get bytes -> blob;

    /// The headers; names are case-insensitive: `r.headers["content-type"]`.
    get headers -> Headers;

    /// The final URL, after redirects.
    get url -> text;

    /// The request method.
    get method -> text;

    /// The name that the request is counted under.
    get name -> text;

    /// Service time in milliseconds.
    get duration -> float;

    /// Map of `blocked`, `dns`, `connecting`, `tls`, `sending`, `waiting` and `receiving`, in milliseconds;
    /// `dns`, `connecting` and `tls` are `()` when there was no such phase. See [http.md](http.md#timings).
    get timings -> map;

    /// The transport error as text, or `()`.
    get error -> text|unit;

    /// Its [kind](http.md#errors), from a fixed set of words, or `()`.
    get error_kind -> text|unit;

    /// Map of the cookies set by this response.
    get cookies -> map;

    /// Array of the redirects followed, each as `#{ status, url }`.
    get history -> array;

    /// Size of the body in bytes as received, before decoding; also set when the body was discarded.
    get size -> int;

    /// `"1.1"` or `"2"`.
    get http_version -> text;

    /// Address and port of the peer, or `()`.
    get remote_addr -> text|unit;
}

calls! {
    METHODS: Owner::Type("Response"); ("method", "gives");

    /// The same as `.body`.
    ///
    /// Errors: as `.body`.
    fn text() -> text;

    /// The body parsed as JSON (only once). With a path such as `"a.b[0].c"`, the value there, or `()`; `["a.b"]`
    /// is a key with a dot, `[-1]` the last element.
    ///
    /// Errors: no response; not JSON; an invalid path.
    ///
    /// ```rhai
    /// let first = http::get("/quality/insights").json("projects[0].name");
    /// ```
    fn json() -> any;
    fn json(path: text) -> any;
}

calls! {
    VERDICTS: Owner::Type("Response"); ("method", "does");

    /// Succeeds if the status is this one, or one of this array, and fails the request otherwise. With a
    /// function, fails the request unless it returns true for the response.
    ///
    /// Errors: not a status; the function does not return true or false.
    ///
    /// ```rhai
    /// http::get("/quality/insights").expect([200, 304]);
    /// ```
    fn expect(wanted: int|array|function) -> Response;

    /// Fails the request with this reason unless the function returns true for the response.
    ///
    /// Errors: the function does not return true or false.
    ///
    /// ```rhai
    /// http::get("/quality/insights").expect("has projects", |r| r.json("projects").len > 0);
    /// ```
    fn expect(reason: text, condition: function) -> Response;

    /// The request fails.
    fn fail(reason: text) -> Response;

    /// The request succeeds, whatever came.
    fn succeed() -> Response;

    /// The same as `check(response, #{ … })`.
    fn check(checks: map) -> bool;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    engine.register_type_with_name::<Response>("Response");
    register_getters(engine);
    register_body(engine);
    register_verdicts(engine, host);
    response_headers::register(engine);
}

fn register_getters(engine: &mut Engine) {
    engine
        .register_get("status", |r: &mut Response| i64::from(r.data.exchange.status))
        .register_get("ok", |r: &mut Response| r.data.sample.borrow().failure.is_none())
        .register_get("url", |r: &mut Response| r.data.exchange.target.as_str().to_owned())
        .register_get("method", |r: &mut Response| r.data.method.as_str().to_owned())
        .register_get("name", |r: &mut Response| {
            let series = r.data.sample.borrow().series;
            name_of(&r.host, series)
        })
        .register_get("duration", |r: &mut Response| millis(r.data.exchange.timings.service()))
        .register_get("timings", |r: &mut Response| timings(&r.data.exchange))
        .register_get("error", |r: &mut Response| match &r.data.exchange.error {
            Some(error) => Dynamic::from(error.message.clone()),
            None => Dynamic::UNIT,
        })
        .register_get("error_kind", |r: &mut Response| match &r.data.exchange.error {
            Some(error) => Dynamic::from(error.kind.as_str().to_owned()),
            None => Dynamic::UNIT,
        })
        .register_get("cookies", |r: &mut Response| cookies(&r.data.exchange))
        .register_get("history", |r: &mut Response| history(&r.data.exchange))
        .register_get("size", |r: &mut Response| r.data.exchange.body_size as i64)
        .register_get("http_version", |r: &mut Response| http_version(&r.data.exchange))
        .register_get("remote_addr", |r: &mut Response| match r.data.exchange.remote_addr {
            Some(address) => Dynamic::from(address.to_string()),
            None => Dynamic::UNIT,
        })
        .register_fn("to_string", |r: &mut Response| r.data.describe())
        .register_fn("to_debug", |r: &mut Response| r.data.describe());
}

fn register_body(engine: &mut Engine) {
    engine
        .register_get("body", |r: &mut Response| -> ScriptResult<String> { Ok(r.data.text()?.into_owned()) })
        .register_fn("text", |r: &mut Response| -> ScriptResult<String> { Ok(r.data.text()?.into_owned()) })
        .register_get("bytes", |r: &mut Response| -> ScriptResult<Dynamic> {
            Ok(Dynamic::from_blob(r.data.body()?.to_vec()))
        })
        .register_fn("json", |r: &mut Response| -> ScriptResult<Dynamic> { to_dynamic(r.data.json()?) })
        .register_fn("json", |r: &mut Response, path: ImmutableString| -> ScriptResult<Dynamic> {
            value_at(r.data.json()?, &path)
        });
}

/// Bytes as JSON; `what` says in an error what they are.
pub(super) fn json_of(bytes: &[u8], what: &str) -> Result<serde_json::Value, String> {
    // RFC 8259 section 8.1: a byte order mark may be ignored.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(text).map_err(|error| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * JSON_START)]);
        let start = excerpt(&start, JSON_START);
        format!("{what} is not JSON: {error}; it starts with {start:?}")
    })
}

/// The value at a path, or `()`.
pub(super) fn value_at(json: &serde_json::Value, path: &str) -> ScriptResult<Dynamic> {
    match json_path::find(json, path)? {
        Some(value) => to_dynamic(value),
        None => Ok(Dynamic::UNIT),
    }
}

fn register_verdicts(engine: &mut Engine, host: &Rc<Host>) {
    engine.register_fn(
        "expect",
        |context: NativeCallContext, r: &mut Response, expect: Dynamic| -> ScriptResult<Response> {
            r.apply(&context, &expect)?;
            Ok(r.clone())
        },
    );
    engine.register_fn(
        "expect",
        |context: NativeCallContext,
         r: &mut Response,
         what: ImmutableString,
         function: FnPtr|
         -> ScriptResult<Response> {
            r.expect_that(&context, &what, &function)?;
            Ok(r.clone())
        },
    );
    engine.register_fn("fail", |r: &mut Response, why: ImmutableString| {
        r.refuse(&why);
        r.clone()
    });
    engine.register_fn("succeed", |r: &mut Response| {
        r.data.judge(&r.host, None);
        r.clone()
    });
    let h = host.clone();
    engine.register_fn(
        "check",
        move |context: NativeCallContext, r: &mut Response, checks: Map| -> ScriptResult<bool> {
            check::check_all(&h, &context, &Dynamic::from(r.clone()), &checks)
        },
    );
}

/// JSON as scripts see it.
pub(crate) fn to_dynamic(value: &serde_json::Value) -> ScriptResult<Dynamic> {
    rhai::serde::to_dynamic(value)
}

fn name_of(host: &Host, series: crate::metrics::SeriesId) -> String {
    let name: Arc<str> = host.recorder.borrow().name(series);
    name.to_string()
}

fn millis(duration: std::time::Duration) -> f64 {
    // From whole microseconds: seconds times a thousand would print 0.06289299999999999.
    duration.as_micros() as f64 / 1000.0
}

fn timings(exchange: &Exchange) -> Map {
    let timings = &exchange.timings;
    let part =
        |value: Option<std::time::Duration>| value.map_or(Dynamic::UNIT, |duration| millis(duration).into());
    [
        ("blocked", millis(timings.blocked).into()),
        ("dns", part(timings.dns)),
        ("connecting", part(timings.connecting)),
        ("tls", part(timings.tls)),
        ("sending", millis(timings.sending).into()),
        ("waiting", millis(timings.waiting).into()),
        ("receiving", millis(timings.receiving).into()),
    ]
    .into_iter()
    .map(|(name, value): (&str, Dynamic)| (name.into(), value))
    .collect()
}

/// Names and values that the response sets, without their attributes.
fn cookies(exchange: &Exchange) -> Map {
    let set = exchange.headers.get_all(SET_COOKIE).iter();
    set.filter_map(|header| {
        let text = field_text(header.as_bytes()).into_owned();
        let (name, rest) = text.split_once('=')?;
        let value = rest.split(';').next().unwrap_or_default();
        Some((name.trim().into(), value.trim().into()))
    })
    .collect()
}

/// The redirects followed: `#{ status, url }` each.
fn history(exchange: &Exchange) -> Array {
    let hop = |hop: &crate::http::Hop| {
        let map: Map =
            [("status".into(), i64::from(hop.status).into()), ("url".into(), hop.url.as_str().into())]
                .into_iter()
                .collect();
        Dynamic::from_map(map)
    };
    exchange.hops.iter().map(hop).collect()
}

fn http_version(exchange: &Exchange) -> String {
    // `Version` prints as "HTTP/1.1"; scripts compare with "1.1" and "2".
    let text = format!("{:?}", exchange.version);
    text.trim_start_matches("HTTP/").trim_end_matches(".0").to_owned()
}
