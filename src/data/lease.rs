//! Rows held by one virtual user at a time.
//!
//! Invariant: a row is either free or in exactly one [`Lease`]; dropping the lease frees it, whatever
//! ended its holder.

use std::pin::pin;
use std::sync::Arc;

use super::table::Table;

/// A row that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    table: Arc<Table>,
    row: u32,
    /// Whether it is held beyond the end of the iteration.
    pub(crate) keep: bool,
}

impl Lease {
    /// Waits until a row of the table is free and takes it.
    pub(crate) async fn take(table: Arc<Table>, keep: bool) -> Lease {
        loop {
            // Listens before it looks, so that a row that is given back in between is not missed.
            let mut given_back = pin!(table.free().given_back.notified());
            given_back.as_mut().enable();
            if let Some(row) = table.take_free() {
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
        self.table.free().give_back(self.row);
    }
}
