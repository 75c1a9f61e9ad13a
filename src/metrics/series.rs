//! What a series is: the key under which samples are counted together, and the cap on their number.
//!
//! Owns the keys and the table that turns a key into a small number. Leaves the counting to the recorder.
//! Invariant: whatever comes after `cap` keys is counted under [`OTHER`], and after twice as many under [`OTHER`] of
//! every method, except the names and methods that are to be kept.

use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Serialize};

use super::sample::Protocol;

/// The name under which requests are counted once the cap on series is reached.
pub const OTHER: &str = "(other)";

/// How many series a worker thread tells apart unless told otherwise.
pub const DEFAULT_SERIES_CAP: usize = 1_000;

/// What requests are counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// What the requests are made over.
    pub protocol: Protocol,
    /// Scenario of the virtual user that made the request.
    pub scenario: Arc<str>,
    /// HTTP method, or the kind of another protocol's sample.
    pub method: Arc<str>,
    /// Name of the request: by default the path without its query.
    pub name: Arc<str>,
}

#[derive(Clone, Copy, Hash)]
pub(crate) struct SeriesRef<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) scenario: &'a str,
    pub(crate) method: &'a str,
    pub(crate) name: &'a str,
}

impl Equivalent<SeriesKey> for SeriesRef<'_> {
    fn equivalent(&self, key: &SeriesKey) -> bool {
        *self.name == *key.name
            && *self.method == *key.method
            && *self.scenario == *key.scenario
            && self.protocol == key.protocol
    }
}

/// A series' place in its recorder's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub(crate) u32);

impl SeriesId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Keys to ids, up to a cap.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    ids: HashMap<SeriesKey, SeriesId>,
    keys: Vec<SeriesKey>,
    cap: usize,
    folded: bool,
    /// What a threshold asks for, so that it is told apart however late it comes.
    kept_names: Vec<Box<str>>,
    kept_methods: Vec<Box<str>>,
}

impl SeriesTable {
    pub(crate) fn new(cap: usize) -> Self {
        SeriesTable {
            ids: HashMap::new(),
            keys: Vec::new(),
            cap: cap.max(1),
            folded: false,
            kept_names: Vec::new(),
            kept_methods: Vec::new(),
        }
    }

    /// Tells this name apart from the others beyond the cap too.
    pub(crate) fn keep_name(&mut self, name: &str) {
        self.kept_names.push(name.into());
    }

    /// The same of a method.
    pub(crate) fn keep_method(&mut self, method: &str) {
        self.kept_methods.push(method.into());
    }

    /// The id of a key, a new one when it is seen for the first time.
    pub(crate) fn id(&mut self, wanted: SeriesRef<'_>) -> SeriesId {
        if let Some(&id) = self.ids.get(&wanted) {
            return id;
        }
        if self.keys.len() >= self.cap && wanted.name != OTHER && !is_among(&self.kept_names, wanted.name) {
            self.folded = true;
            return self.id(SeriesRef { name: OTHER, ..wanted });
        }
        // Methods and keys of tags could be made up without end too.
        if self.keys.len() >= 2 * self.cap
            && wanted.method != OTHER
            && !is_among(&self.kept_methods, wanted.method)
        {
            return self.id(SeriesRef { method: OTHER, ..wanted });
        }
        let SeriesRef { protocol, scenario, method, name } = wanted;
        let key = SeriesKey { protocol, scenario: scenario.into(), method: method.into(), name: name.into() };
        let id = SeriesId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        self.keys.push(key.clone());
        self.ids.insert(key, id);
        id
    }

    pub(crate) fn keys(&self) -> &[SeriesKey] {
        &self.keys
    }

    /// Whether the cap has been reached, so that some requests are counted under [`OTHER`].
    pub(crate) fn folded(&self) -> bool {
        self.folded
    }
}

fn is_among(kept: &[Box<str>], text: &str) -> bool {
    kept.iter().any(|kept| **kept == *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(scenario: &'a str, method: &'a str, name: &'a str) -> SeriesRef<'a> {
        SeriesRef { protocol: Protocol::Http, scenario, method, name }
    }

    #[test]
    fn one_key_one_id() {
        let mut table = SeriesTable::new(10);
        let a = table.id(key("default", "GET", "/a"));
        let b = table.id(key("default", "POST", "/a"));
        let c = table.id(SeriesRef { protocol: Protocol::Call, ..key("default", "GET", "/a") });
        assert!(a != b && a != c);
        assert_eq!(a, table.id(key("default", "GET", "/a")));
        assert_eq!(table.keys().len(), 3);
    }

    #[test]
    fn names_beyond_the_cap_are_counted_together() {
        let mut table = SeriesTable::new(3);
        let ids: Vec<_> = (0..10).map(|i| table.id(key("s", "GET", &format!("/item/{i}")))).collect();
        assert!(table.folded());
        assert_eq!(ids[5], ids[9]);
        assert_eq!(&*table.keys()[ids[9].index()].name, OTHER);
        assert_eq!(table.id(key("s", "GET", "/item/0")), ids[0], "known names keep their series");
    }

    #[test]
    fn methods_without_end_make_no_series_without_end() {
        let mut table = SeriesTable::new(3);
        for i in 0..100 {
            table.id(key("s", &format!("M{i}"), &format!("/{i}")));
        }
        assert_eq!(table.keys().len(), 7);
        assert_eq!((&*table.keys()[6].method, &*table.keys()[6].name), (OTHER, OTHER));
    }
}
