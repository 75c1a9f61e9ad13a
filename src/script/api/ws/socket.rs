//! A websocket of a virtual user: sending, receiving, and counting each message with its answer.
//!
//! Invariants: a waiting call has taken the stream out of its cell, so an interruption drops it and closes the connection; a
//! closed socket stays closed; only the message that a script has described is the answer to one for which it described it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rhai::{Blob, Dynamic, FnPtr};
use serde_json::Value as Json;
use tokio::time::{timeout, timeout_at};

use super::super::convert;
use super::super::response::Response;
use super::answer::{Answer, Sent, has};
use super::listener::{Arrival, Arrived, Listener, is_locked};
use super::metrics::Session;
use crate::http::{ErrorKind, HttpError};
use crate::metrics::{
    Failure, Protocol, RequestDetails, RequestFacts, RequestSample, SeriesId, TagId, Timings,
};
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::vu_context::VuContext;
use crate::text::format_duration;
use crate::ws::{Message, Received, WebSocket};

/// How many messages may be unanswered; answers to further ones are not timed.
const MOST_UNANSWERED: usize = 1_000;

/// How many messages are kept for a handler that cannot run yet.
const MOST_KEPT: usize = 10_000;

/// A websocket as a script value; clones share it.
#[derive(Clone)]
pub(super) struct Socket(pub(super) Rc<SocketData>);

pub(crate) struct SocketData {
    host: Rc<Host>,
    /// The answer to the handshake.
    pub(super) response: Response,
    pub(super) stream: RefCell<Option<WebSocket>>,
    /// A waiting call has taken the stream, and gives it back.
    pub(super) in_use: Cell<bool>,
    /// The messages that await an answer, oldest first.
    unanswered: RefCell<VecDeque<Sent>>,
    /// What came for the handler while it could not run.
    pub(super) kept: RefCell<VecDeque<Dynamic>>,
    /// What went wrong last.
    error: RefCell<Option<HttpError>>,
    /// Why it is not open.
    end: RefCell<String>,
    messages: Place,
    /// What is counted of it while it is open; `None` when it is not recorded or never opened.
    session: Option<Session>,
    pub(super) timeout: Duration,
}

/// A call waits with the stream; a guard, because the script may be unwound.
struct InUse<'a>(&'a Cell<bool>);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Where messages are counted.
pub(super) struct Place {
    pub(super) series: SeriesId,
    pub(super) tags: Vec<TagId>,
    pub(super) recorded: bool,
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

fn no_message(limit: Duration) -> HttpError {
    HttpError::new(ErrorKind::Timeout, format!("no message within {}", format_duration(limit)))
}

impl SocketData {
    /// One whose handshake has been answered; without a stream it is not open, `end` says why.
    pub(super) fn new(
        host: &Rc<Host>,
        response: Response,
        stream: Option<WebSocket>,
        end: (String, Option<HttpError>),
        (messages, session): (Place, Option<Session>),
        timeout: Duration,
    ) -> SocketData {
        let (end, error) = end;
        SocketData {
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
            timeout,
        }
    }

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
    pub(super) fn listen(self: &Rc<Self>, handler: &Dynamic) -> ScriptResult<()> {
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
    pub(super) fn poll(&self, vu: &VuContext, context: &mut Context<'_>) -> Poll<Arrived> {
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
    pub(super) fn take_in(
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
    pub(super) fn send(&self, message: &Dynamic, answer: Option<Answer>) -> ScriptResult<bool> {
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
    pub(super) fn receive(self: &Rc<Self>, limit: Duration) -> ScriptResult<Dynamic> {
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

    pub(super) fn close(&self) -> ScriptResult<()> {
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

    pub(super) fn error(&self) -> Option<HttpError> {
        self.error.borrow().clone()
    }

    /// `websocket /path`.
    pub(super) fn describe(&self) -> String {
        format!("websocket {}", self.response.exchange().target.path())
    }
}
