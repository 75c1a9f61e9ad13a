//! A cache of requested URLs, parsed once, with their series.
//!
//! Invariant: bounded; if a script keeps requesting new URLs (ids in paths), the cache starts over instead of
//! growing, and a very long one is not remembered.

use std::cell::OnceCell;
use std::rc::Rc;

use hashbrown::{Equivalent, HashMap};

use crate::http::Destination;
use crate::metrics::SeriesId;

/// How many URLs are remembered per worker thread.
const CAPACITY: usize = 4096;

/// Longest URL and method that are remembered, in bytes: longer ones rarely come again.
const LONGEST: usize = 4096;

/// A request's destination and the place where it is counted.
pub(crate) struct Endpoint {
    pub(crate) target: Destination,
    /// The series of its path; found out when a request without a name of its own is first made, so that
    /// named requests do not leave an empty series behind.
    pub(crate) series: OnceCell<SeriesId>,
}

/// Endpoints by scenario, method and URL as the script writes it.
#[derive(Default)]
pub(crate) struct EndpointCache {
    known: HashMap<Key, Rc<Endpoint>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    scenario: u32,
    method: Box<str>,
    url: Box<str>,
}

#[derive(Hash)]
struct KeyRef<'a> {
    scenario: u32,
    method: &'a str,
    url: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.scenario == key.scenario && *self.url == *key.url && *self.method == *key.method
    }
}

impl EndpointCache {
    pub(crate) fn get(&self, scenario: u32, method: &str, url: &str) -> Option<Rc<Endpoint>> {
        self.known.get(&KeyRef { scenario, method, url }).cloned()
    }

    pub(crate) fn insert(
        &mut self,
        scenario: u32,
        method: &str,
        url: &str,
        endpoint: Endpoint,
    ) -> Rc<Endpoint> {
        let endpoint = Rc::new(endpoint);
        if url.len() + method.len() > LONGEST {
            return endpoint;
        }
        if self.known.len() >= CAPACITY {
            self.known.clear();
        }
        self.known.insert(Key { scenario, method: method.into(), url: url.into() }, endpoint.clone());
        endpoint
    }
}
