//! Rows that one virtual user at a time holds.
//!
//! Invariant: a row is either free or in exactly one [`Lease`]; dropping the lease frees it, whatever
//! ended its holder.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::table::Table;

/// The free rows of a table, those that were given back last at the end.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// `None` until the first lease, because most tables are never leased from.
    free: Mutex<Option<VecDeque<u32>>>,
    given_back: Notify,
}

/// A row that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    table: Arc<Table>,
    row: u32,
    /// Whether it is held beyond the end of the iteration.
    pub(crate) keep: bool,
}

impl Leases {
    fn take(&self, rows: usize) -> Option<u32> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Tables have fewer rows than 32 bits can count; see `cells` and `json_rows`.
        free.get_or_insert_with(|| (0..rows as u32).collect()).pop_front()
    }

    fn give_back(&self, row: u32) {
        if let Some(free) = &mut *self.free.lock().unwrap_or_else(PoisonError::into_inner) {
            free.push_back(row);
        }
        self.given_back.notify_one();
    }
}

impl Lease {
    /// Waits until a row of the table is free and takes it.
    pub(crate) async fn take(table: Arc<Table>, keep: bool) -> Lease {
        loop {
            // Listens before it looks, so that a row that is given back in between is not missed.
            let mut given_back = pin!(table.leases().given_back.notified());
            given_back.as_mut().enable();
            if let Some(row) = table.leases().take(table.len()) {
                return Lease { table: table.clone(), row, keep };
            }
            given_back.await;
        }
    }

    /// Whether it is of this table.
    pub(crate) fn is_of(&self, table: &Arc<Table>) -> bool {
        Arc::ptr_eq(&self.table, table)
    }

    /// Number of the row, from 0.
    pub(crate) fn row(&self) -> usize {
        self.row as usize
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.table.leases().give_back(self.row);
    }
}
