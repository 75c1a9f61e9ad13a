//! Measurements taken while a request runs.
//!
//! Owns the arithmetic from instants to [`Timings`]. Leaves taking the socket's instants to `link.rs`.
//!
//! Invariant: it can be finished at any moment. A request that is cut off by its limit has a record as true as
//! that of one that succeeded: the phase it was in simply ends there.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::error::{ErrorKind, HttpError};
use super::exchange::Hop;
use super::link::Link;
use crate::metrics::Timings;

/// The parts of opening a connection that have a timing of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Dns,
    Connecting,
    Tls,
}

/// Who sees the bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// This request alone: the first byte read is the first byte of its response.
    Exclusive,
    /// Other requests too (HTTP/2): the first byte is told by [`Record::head_arrived`].
    Shared,
}

/// The notes of one request with its redirects.
pub(super) struct Record {
    started: Instant,
    /// When the current hop began; `None` between the end of the last one and the result.
    hop: Option<HopClock>,
    /// When the last finished hop ended.
    ended: Instant,
    timings: Timings,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) remote_addr: Option<SocketAddr>,
    pub(super) tls_version: Option<&'static str>,
    pub(super) opened_connection: bool,
    pub(super) hops: Vec<Hop>,
    /// How often it was sent again.
    pub(super) retries: u32,
}

struct HopClock {
    started: Instant,
    phase: Option<(Phase, Instant)>,
    /// Sum of the phases of this hop.
    opening: Duration,
    /// The connection and since when it is there for this request.
    ready: Option<(Rc<Link>, Instant, Sharing)>,
    /// A connection being opened, whose bytes count although nothing was requested on it.
    opened: Option<Rc<Link>>,
    head: Option<Instant>,
}

impl Record {
    pub(super) fn new(started: Instant) -> Record {
        Record {
            started,
            hop: None,
            ended: started,
            timings: Timings::default(),
            bytes_sent: 0,
            bytes_received: 0,
            remote_addr: None,
            tls_version: None,
            opened_connection: false,
            hops: Vec::new(),
            retries: 0,
        }
    }

    /// A hop begins where the one before it ended.
    pub(super) fn begin_hop(&mut self) {
        self.hop = Some(HopClock {
            started: self.ended,
            phase: None,
            opening: Duration::ZERO,
            ready: None,
            opened: None,
            head: None,
        });
    }

    /// When the current hop, or the request, began: "now" for what needs no more precision.
    pub(super) fn since(&self) -> Instant {
        self.ended
    }

    /// A phase of opening a connection begins; the one before it ends.
    pub(super) fn begin_phase(&mut self, phase: Phase) {
        let now = Instant::now();
        self.close_phase(now);
        if let Some(hop) = &mut self.hop {
            hop.phase = Some((phase, now));
        }
    }

    /// The phase in progress, if any.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.hop.as_ref().and_then(|hop| hop.phase).map(|(phase, _)| phase)
    }

    pub(super) fn end_phase(&mut self) {
        self.close_phase(Instant::now());
    }

    fn close_phase(&mut self, now: Instant) {
        let Some(hop) = &mut self.hop else { return };
        let Some((phase, since)) = hop.phase.take() else {
            return;
        };
        let spent = now.saturating_duration_since(since);
        hop.opening += spent;
        let sum = match phase {
            Phase::Dns => &mut self.timings.dns,
            Phase::Connecting => &mut self.timings.connecting,
            Phase::Tls => &mut self.timings.tls,
        };
        *sum = Some(sum.unwrap_or_default() + spent);
    }

    /// A TCP connection was opened for this request.
    pub(super) fn opened(&mut self, link: &Rc<Link>) {
        self.opened_connection = true;
        self.remote_addr = link.peer.address();
        if let Some(hop) = &mut self.hop {
            hop.opened = Some(link.clone());
        }
    }

    /// A connection is there for the current hop. `reused` spares a look at the clock: taking an idle
    /// connection takes no time worth measuring.
    pub(super) fn ready(&mut self, link: &Rc<Link>, sharing: Sharing, reused: bool) {
        let Some(hop) = &mut self.hop else { return };
        let now = if reused && hop.opened.is_none() { hop.started } else { Instant::now() };
        if sharing == Sharing::Exclusive {
            link.begin();
        }
        self.remote_addr = link.peer.address();
        self.tls_version = link.tls_version();
        hop.opened = None;
        hop.ready = Some((link.clone(), now, sharing));
    }

    /// The head of the response has come; needed where a connection is shared.
    pub(super) fn head_arrived(&mut self) {
        if let Some(hop) = &mut self.hop {
            hop.head = Some(Instant::now());
        }
    }

    /// The request is sent again. What was spent on it stays: the time is part of its duration.
    pub(super) fn try_again(&mut self) {
        self.end_hop();
        self.begin_hop();
        self.retries += 1;
    }

    /// A timeout, with what the connection knows about it.
    pub(super) fn with_cause(&self, mut error: HttpError) -> HttpError {
        let ready = self.hop.as_ref().and_then(|hop| hop.ready.as_ref());
        if error.kind == ErrorKind::Timeout && ready.is_some_and(|(link, ..)| link.is_closed_to_streams()) {
            error.message.push_str(
                ": the server allows no HTTP/2 streams on its connection (SETTINGS_MAX_CONCURRENT_STREAMS is 0)",
            );
        }
        error
    }

    /// The current hop is over, well or badly.
    pub(super) fn end_hop(&mut self) {
        let now = Instant::now();
        self.close_phase(now);
        self.ended = now;
        let Some(hop) = self.hop.take() else { return };
        let until = hop.ready.as_ref().map_or(now, |(_, ready, _)| *ready);
        self.timings.blocked += until.saturating_duration_since(hop.started).saturating_sub(hop.opening);
        if let Some(link) = &hop.opened {
            Self::claim(link, &mut self.bytes_sent, &mut self.bytes_received);
        }
        let Some((link, ready, sharing)) = hop.ready else {
            return;
        };
        Self::claim(&link, &mut self.bytes_sent, &mut self.bytes_received);
        let first = match sharing {
            Sharing::Exclusive => link.first_read(),
            Sharing::Shared => hop.head,
        };
        let first_or_end = first.unwrap_or(now);
        // A server may answer before it has read the whole request; then there was no waiting.
        let sent = match link.last_write() {
            Some(instant) if instant >= ready => instant.min(first_or_end),
            // Written by another request on a shared connection, or not at all.
            _ if sharing == Sharing::Shared => ready,
            _ => first_or_end,
        };
        self.timings.sending += sent.saturating_duration_since(ready);
        self.timings.waiting += first_or_end.saturating_duration_since(sent);
        self.timings.receiving += now.saturating_duration_since(first_or_end);
    }

    /// The timings of the whole request; ends a hop that is still running.
    pub(super) fn finish(&mut self) -> Timings {
        if self.hop.is_some() {
            self.end_hop();
        }
        self.timings.total = self.ended.saturating_duration_since(self.started);
        self.timings
    }

    fn claim(link: &Link, sent: &mut u64, received: &mut u64) {
        let (written, read) = link.claim();
        *sent += written;
        *received += read;
    }
}
