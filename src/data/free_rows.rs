//! The free rows of a table.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The free rows of a table, those that were given back last at the end.
#[derive(Debug, Default)]
pub(super) struct FreeRows {
    /// `None` until the first lease, because most tables are never leased from.
    free: Mutex<Option<VecDeque<u32>>>,
    pub(super) given_back: Notify,
}

impl FreeRows {
    /// `all` are those that are free at first.
    pub(super) fn take(&self, all: impl FnOnce() -> VecDeque<u32>) -> Option<u32> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.get_or_insert_with(all).pop_front()
    }

    pub(super) fn give_back(&self, row: u32) {
        if let Some(free) = &mut *self.free.lock().unwrap_or_else(PoisonError::into_inner) {
            free.push_back(row);
        }
        self.given_back.notify_one();
    }
}
