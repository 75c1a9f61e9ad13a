//! DNS lookups.
//!
//! Owns the DNS cache of a worker thread. Leaves the run's fixed addresses to the transport and connecting to
//! `connector.rs`. The system's own resolver is asked, on tokio's blocking threads.
//!
//! Invariants: lookups of one name that happen at the same time are one lookup; a failed one is told to those
//! who waited for it and then forgotten; at most [`MAX_NAMES`] names are kept.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::error::{self, ErrorKind, HttpError};

/// How long an answer is used.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A script that makes up names must not fill the memory.
const MAX_NAMES: usize = 4096;

/// The DNS cache of one worker thread.
#[derive(Default)]
pub(super) struct Resolver {
    names: RefCell<HashMap<Box<str>, Rc<Entry>>>,
}

struct Entry {
    answer: OnceCell<Result<Rc<Addresses>, HttpError>>,
    asked: Instant,
}

/// The addresses of a name; never empty.
pub(super) struct Addresses {
    list: Vec<IpAddr>,
    /// Which one answered last: tried first, so that a dead first address costs its time only once.
    preferred: Cell<usize>,
}

impl Addresses {
    pub(super) fn one(address: IpAddr) -> Rc<Addresses> {
        Rc::new(Addresses { list: vec![address], preferred: Cell::new(0) })
    }

    /// Every address with its index, the one that answered last first.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = (usize, IpAddr)> + '_ {
        let (count, first) = (self.list.len(), self.preferred.get());
        (0..count).map(move |step| (first + step) % count).map(|index| (index, self.list[index]))
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The address with this index answered.
    pub(super) fn prefer(&self, index: usize) {
        self.preferred.set(index);
    }
}

impl Resolver {
    /// The addresses of `name`, if they are known already.
    pub(super) fn cached(&self, name: &str) -> Option<Rc<Addresses>> {
        let names = self.names.borrow();
        let entry = names.get(name).filter(|entry| entry.asked.elapsed() < LIFETIME)?;
        entry.answer.get()?.as_ref().ok().cloned()
    }

    /// Looks `name` up, or waits for a lookup that is under way.
    pub(super) async fn look_up(&self, name: &str) -> Result<Rc<Addresses>, HttpError> {
        let entry = self.entry(name);
        let answer = entry.answer.get_or_init(|| ask(name)).await.clone();
        if answer.is_err() {
            let mut names = self.names.borrow_mut();
            // Another lookup may have begun meanwhile; that one is not ours to forget.
            if names.get(name).is_some_and(|current| Rc::ptr_eq(current, &entry)) {
                names.remove(name);
            }
        }
        answer
    }

    fn entry(&self, name: &str) -> Rc<Entry> {
        let mut names = self.names.borrow_mut();
        if let Some(entry) = names.get(name).filter(|entry| entry.asked.elapsed() < LIFETIME) {
            return entry.clone();
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        let entry = Rc::new(Entry { answer: OnceCell::new(), asked: Instant::now() });
        names.insert(name.into(), entry.clone());
        entry
    }
}

async fn ask(name: &str) -> Result<Rc<Addresses>, HttpError> {
    let failed = |reason: &str| HttpError::new(ErrorKind::Dns, format!("cannot resolve '{name}': {reason}"));
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|cause| {
        // getaddrinfo's text follows this; the first part says nothing.
        let text = error::describe_io(&cause);
        failed(text.strip_prefix("failed to lookup address information: ").unwrap_or(&text))
    })?;
    let mut list: Vec<IpAddr> = Vec::new();
    for address in found.map(|socket| socket.ip()) {
        if !list.contains(&address) {
            list.push(address);
        }
    }
    if list.is_empty() {
        return Err(failed("the name has no addresses"));
    }
    Ok(Rc::new(Addresses { list, preferred: Cell::new(0) }))
}
