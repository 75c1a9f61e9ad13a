//! Counters by key on a worker thread: a table of keys, the counters of each, and which were touched.
//!
//! Invariant: what was counted since the last [`Counted::take`] is in the next one.

use super::counts::RequestCounts;
use super::histogram::Histogram;
use super::series::{SeriesId, SeriesKey, SeriesRef, SeriesTable};
use super::sparse::Sparse;

/// See the module's description.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) table: SeriesTable,
    counts: Vec<(bool, RequestCounts<Histogram>)>,
    touched: Vec<SeriesId>,
}

impl Counted {
    pub(super) fn new(cap: usize) -> Counted {
        Counted { table: SeriesTable::new(cap), counts: Vec::new(), touched: Vec::new() }
    }

    pub(super) fn id(&mut self, key: SeriesRef<'_>) -> SeriesId {
        let id = self.table.id(key);
        if id.index() >= self.counts.len() {
            self.counts.resize_with(id.index() + 1, Default::default);
        }
        id
    }

    /// The counters of a key, which are about to change.
    #[inline]
    pub(super) fn of(&mut self, id: SeriesId) -> &mut RequestCounts<Histogram> {
        let (touched, counts) = &mut self.counts[id.index()];
        if !*touched {
            *touched = true;
            self.touched.push(id);
        }
        counts
    }

    /// Moves everything out that was counted since the last call.
    pub(super) fn take(&mut self) -> Vec<(SeriesKey, RequestCounts<Sparse>)> {
        let Counted { table, counts, touched } = self;
        let take = |id: SeriesId| {
            let (touched, counts) = &mut counts[id.index()];
            *touched = false;
            (table.keys()[id.index()].clone(), counts.take())
        };
        touched.drain(..).map(take).collect()
    }
}
