//! Values by key, in order of first appearance.

use std::hash::Hash;

use hashbrown::HashMap;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    entries: Vec<(K, V)>,
    places: HashMap<K, usize>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { entries: Vec::new(), places: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Default> Table<K, V> {
    /// The value of a key, a new one when it is seen for the first time.
    pub(super) fn of(&mut self, key: &K) -> &mut V {
        let place = match self.places.get(key) {
            Some(&place) => place,
            None => {
                self.places.insert(key.clone(), self.entries.len());
                self.entries.push((key.clone(), V::default()));
                self.entries.len() - 1
            }
        };
        &mut self.entries[place].1
    }

    /// Moves all entries out, in their order.
    pub(super) fn take(&mut self) -> Vec<(K, V)> {
        self.places.clear();
        std::mem::take(&mut self.entries)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }
}
