//! What a server knows: which requests came, how often, and what it did about each.
//!
//! A script gives every request an id of its own in the query, and rhaid a tag with the same id. So each sample that
//! rhaid writes is compared with what the server did about that very request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What a request must be counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A success with this status.
    Ok(u16),
    /// A failure; with this status, if there was a whole answer.
    Failed(Option<u16>),
    /// The server cannot know what the client made of it.
    Either,
}

/// A request as the server saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// How often it came.
    pub(crate) times: u64,
    pub(crate) fate: Fate,
}

/// The server's book.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    seen: Mutex<BTreeMap<String, Seen>>,
    refused: Mutex<BTreeSet<String>>,
    connections: Mutex<u64>,
}

impl Truth {
    /// Notes a request before anything is done about it. One that comes again has the fate of the last time.
    pub(crate) fn note(&self, id: &str, fate: Fate) {
        let mut seen = self.seen.lock().unwrap();
        let entry = seen.entry(id.to_owned()).or_insert(Seen { times: 0, fate });
        *entry = Seen { times: entry.times + 1, fate };
    }

    /// Whatever was under way may have arrived or not.
    pub(crate) fn nobody_knows(&self, id: &str) {
        if let Some(seen) = self.seen.lock().unwrap().get_mut(id) {
            seen.fate = Fate::Either;
        }
    }

    /// Whether this is the first time that it is refused.
    pub(crate) fn refuse(&self, id: &str) -> bool {
        self.refused.lock().unwrap().insert(id.to_owned())
    }

    /// Notes a connection; gives its number, from 0.
    pub(crate) fn connected(&self) -> u64 {
        let mut connections = self.connections.lock().unwrap();
        *connections += 1;
        *connections - 1
    }

    pub(crate) fn seen(&self) -> BTreeMap<String, Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many different requests came.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}
