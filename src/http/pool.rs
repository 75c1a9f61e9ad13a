//! A virtual user's idle connections.
//!
//! Owns which connection a request gets and in what shape connections wait. Leaves opening them to
//! `connector.rs`. Invariants: nothing here is polled, so a connection that the server closes stays until the
//! next request finds out; at most [`MAX_IDLE`] wait.
//!
//! A user that thinks between requests should cost little memory while it does. So an HTTP/1.1 connection that
//! has waited for [`COOL_AFTER`] goes *cold*: it becomes a bare stream without hyper's buffers (1 KB instead of
//! some 40). One that had only plain exchanges (`plain.rs`) has no buffers and is cold all the time. There is no task and no timer for that: the thread's other users do it whenever they are done
//! with a request of their own ([`WarmList`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use super::connection::Http1;
use super::http2::Http2;
use super::link::Wire;
use super::options::VersionChoice;
use super::target::Origin;

/// The most connections that wait, over all hosts; a browser keeps fewer.
const MAX_IDLE: usize = 32;

/// How long a connection keeps its buffers while it waits. Making them again costs some 5,000 instructions,
/// which only matter to users that send without pause.
const COOL_AFTER: Duration = Duration::from_millis(10);

/// How many users' connections are cooled after one request. Each request lists at most one user, so with two
/// the list gets shorter; with many, one request would pay for all.
const COOLED_PER_REQUEST: usize = 2;

/// How many users are looked at after one request, most of which turn out to be gone or busy.
const LOOKED_AT_PER_REQUEST: usize = 16;

/// The idle connections of one virtual user.
#[derive(Default)]
pub(super) struct Pool {
    entries: RefCell<Vec<Entry>>,
    /// Whether the [`WarmList`] will look here.
    listed: Cell<bool>,
}

struct Entry {
    origin: Rc<Origin>,
    connection: Connection,
    parked: Instant,
}

/// A connection that waits, or that a request uses.
pub(super) enum Connection {
    /// HTTP/1.1 with hyper and its buffers.
    Warm(Box<Http1>),
    /// HTTP/1.1 without.
    Cold(Wire),
    /// In use or not: HTTP/2 is shared.
    Shared(Rc<Http2>),
}

impl Pool {
    /// The connection to `origin` that was used last, if one speaks this version.
    pub(super) fn take(&self, origin: &Origin, version: VersionChoice) -> Option<Connection> {
        let mut entries = self.entries.borrow_mut();
        loop {
            let at = entries.iter().rposition(|entry| {
                let speaks = match (&entry.connection, version) {
                    (_, VersionChoice::Auto) => true,
                    (Connection::Shared(_), wanted) => wanted == VersionChoice::Http2,
                    (_, wanted) => wanted == VersionChoice::Http1,
                };
                speaks && entry.origin.same_as(origin)
            })?;
            match &entries[at].connection {
                Connection::Shared(http2) if http2.is_reusable() => {
                    return Some(Connection::Shared(http2.clone()));
                }
                Connection::Shared(_) => drop(entries.swap_remove(at)),
                Connection::Warm(_) | Connection::Cold(_) => return Some(entries.swap_remove(at).connection),
            }
        }
    }

    /// Makes an HTTP/2 connection known to the user's other requests, unless there is one already.
    pub(super) fn share(&self, origin: &Rc<Origin>, http2: &Rc<Http2>, now: Instant) {
        let known = self.entries.borrow().iter().any(|entry| {
            matches!(&entry.connection, Connection::Shared(other) if other.is_reusable())
                && entry.origin.same_as(origin)
        });
        if !known {
            self.park(origin, Connection::Shared(http2.clone()), now);
        }
    }

    /// Gives an HTTP/2 connection to no further request; those in progress keep it.
    pub(super) fn forget(&self, http2: &Rc<Http2>) {
        let is_it = |entry: &Entry| matches!(&entry.connection, Connection::Shared(other) if Rc::ptr_eq(other, http2));
        let mut entries = self.entries.borrow_mut();
        let at = entries.iter().position(is_it);
        let forgotten = at.map(|at| entries.swap_remove(at));
        // Dropping a connection runs foreign code, which must not find this borrowed.
        drop(entries);
        drop(forgotten);
    }

    /// Closes every connection that is not in use; one in use is closed when its request ends.
    pub(super) fn clear(&self) {
        // Taken out first: dropping a connection runs foreign code, which must not find this borrowed.
        let entries = self.entries.take();
        drop(entries);
    }

    /// Cools what has waited long enough. Tells whether there was any, and since when the next has waited.
    fn cool(&self, now: Instant) -> (bool, Option<Instant>) {
        let mut entries = self.entries.borrow_mut();
        let (mut did_cool, mut next) = (false, None);
        let mut at = 0;
        while let Some(entry) = entries.get(at) {
            let parked = entry.parked;
            let is_warm = matches!(entry.connection, Connection::Warm(_));
            if is_warm && now.saturating_duration_since(parked) >= COOL_AFTER {
                let Entry { origin, connection, parked } = entries.swap_remove(at);
                if let Some(connection) = connection.cooled() {
                    entries.push(Entry { origin, connection, parked });
                }
                did_cool = true;
                // Another entry has come to this place.
                continue;
            }
            if is_warm {
                next = Some(next.map_or(parked, |earliest: Instant| earliest.min(parked)));
            }
            at += 1;
        }
        (did_cool, next)
    }

    #[cfg(test)]
    pub(super) fn cold(&self) -> usize {
        self.entries.borrow().iter().filter(|entry| matches!(entry.connection, Connection::Cold(_))).count()
    }

    /// Keeps a connection for the next request.
    pub(super) fn park(&self, origin: &Rc<Origin>, connection: Connection, now: Instant) {
        let mut entries = self.entries.borrow_mut();
        if entries.capacity() == 0 {
            // Most users talk to one host over one connection.
            entries.reserve_exact(1);
        }
        let crowded_out = (entries.len() >= MAX_IDLE).then(|| entries.remove(0));
        entries.push(Entry { origin: origin.clone(), connection, parked: now });
        drop(entries);
        drop(crowded_out);
    }
}

impl Connection {
    /// The same without buffers; `None` when the server has sent what nobody asked for.
    fn cooled(self) -> Option<Connection> {
        match self {
            Connection::Warm(http1) => http1.into_wire().map(Connection::Cold),
            other => Some(other),
        }
    }
}

/// The users of a thread that have connections with buffers, the one that has waited longest first.
#[derive(Default)]
pub(super) struct WarmList {
    pools: RefCell<VecDeque<(Weak<Pool>, Instant)>>,
}

impl WarmList {
    /// A connection was parked in this pool. Puts the pool on the list, and cools what has waited long.
    pub(super) fn parked(&self, pool: &Rc<Pool>, now: Instant) {
        if !pool.listed.replace(true) {
            self.pools.borrow_mut().push_back((Rc::downgrade(pool), now));
        }
        let mut cooled = 0;
        for _ in 0..LOOKED_AT_PER_REQUEST {
            let Some(pool) = self.next_due(now) else { break };
            // A user that is gone has closed its connections.
            let Some(pool) = pool.upgrade() else { continue };
            let (did_cool, next) = pool.cool(now);
            match next {
                Some(since) => self.pools.borrow_mut().push_back((Rc::downgrade(&pool), since)),
                None => pool.listed.set(false),
            }
            cooled += usize::from(did_cool);
            if cooled == COOLED_PER_REQUEST {
                break;
            }
        }
    }

    fn next_due(&self, now: Instant) -> Option<Weak<Pool>> {
        let mut pools = self.pools.borrow_mut();
        let (_, since) = pools.front()?;
        if now.saturating_duration_since(*since) < COOL_AFTER {
            return None;
        }
        pools.pop_front().map(|(pool, _)| pool)
    }
}
