//! A table: rows, and which of them have been handed out.
//!
//! Invariant: the counters are global to the process, across threads. Where several processes make the load, the rows of
//! a table are dealt to their users in turn, in the order of the table, or where users come as they are needed, to processes: `unique` and `lease` hand out none but this process's
//! own, and `next` goes on from each of its own to the next one. They stay where they are: rows of a process that is lost
//! are not handed out by others, and one that joins later has none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::free_rows::FreeRows;
use super::rows::{Row, Rows};
use crate::share::Share;

/// Who takes rows: set once, when it is known what is run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Takers {
    /// The users of all processes, in proportion to which rows are dealt; 0 when they are dealt to processes.
    pub(crate) users: u64,
    /// They do a number of iterations together, and leave what they cannot do to others.
    pub(crate) have_a_number: bool,
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Table {
    /// What it was read from, for messages.
    name: String,
    rows: Arc<Rows>,
    /// The rows that this process hands out.
    share: Share,
    takers: Arc<OnceLock<Takers>>,
    /// It has been said that none is for this process to lease.
    has_said_none: AtomicBool,
    /// The order of the rows, unless it is that of the file.
    order: Option<Vec<u32>>,
    /// Rows dealt by `next`.
    dealt: AtomicU64,
    /// Rows dealt by `unique`.
    dealt_once: AtomicU64,
    free: FreeRows,
    /// The shuffled tables of these rows, by their seed.
    shuffled: Mutex<BTreeMap<u64, Arc<Table>>>,
}

impl Table {
    pub(super) fn new(name: &str, rows: Rows, share: Share, takers: Arc<OnceLock<Takers>>) -> Table {
        Table::ordered(name, Arc::new(rows), share, takers, None)
    }

    fn ordered(
        name: &str,
        rows: Arc<Rows>,
        share: Share,
        takers: Arc<OnceLock<Takers>>,
        order: Option<Vec<u32>>,
    ) -> Table {
        Table {
            share,
            takers,
            has_said_none: AtomicBool::new(false),
            name: name.to_owned(),
            rows,
            order,
            dealt: AtomicU64::new(0),
            dealt_once: AtomicU64::new(0),
            free: FreeRows::default(),
            shuffled: Mutex::default(),
        }
    }

    /// What it was read from.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Row number `index`, from 0, in the order of this table.
    pub(crate) fn get(&self, index: usize) -> Option<Row<'_>> {
        match &self.order {
            Some(order) => self.rows.get(*order.get(index)? as usize),
            None => self.rows.get(index),
        }
    }

    /// How many of its rows this process hands out.
    pub(crate) fn own(&self) -> u64 {
        self.share.by_users(self.len() as u64, self.takers().users)
    }

    pub(crate) fn takers(&self) -> Takers {
        self.takers.get().copied().unwrap_or_default()
    }

    /// The row that is for this process after so many others.
    fn item(&self, index: u64) -> Option<u64> {
        self.share.item_by_users(index, self.takers().users)
    }

    /// Whether this process came when the rows had been dealt.
    pub(crate) fn is_dealt_without_this_process(&self) -> bool {
        self.share.has_joined()
    }

    /// Whether it is asked for the first time.
    pub(crate) fn has_to_say_that_it_has_none(&self) -> bool {
        !self.has_said_none.swap(true, Ordering::Relaxed)
    }

    /// The next row, starting over after the last; `None` when there are no rows.
    pub(crate) fn next(&self) -> Option<usize> {
        let rows = u64::try_from(self.len()).ok().filter(|&rows| rows > 0)?;
        let dealt = self.dealt.fetch_add(1, Ordering::Relaxed);
        // A process that has none of its own is not part of the order.
        Some((self.item(dealt).unwrap_or(dealt) % rows) as usize)
    }

    /// A row that was not handed out before, and how often the table has started over: 0 at first, and never where this
    /// process has no rows.
    pub(crate) fn next_unique(&self) -> Option<(usize, u64)> {
        let rows = u64::try_from(self.len()).ok().filter(|&rows| rows > 0)?;
        let dealt = self.dealt_once.fetch_add(1, Ordering::Relaxed);
        let dealt = self.item(dealt).unwrap_or(rows.saturating_add(dealt));
        Some(((dealt % rows) as usize, dealt / rows))
    }

    /// The same rows in a random order that depends on the seed: one table for all callers with that seed.
    pub(crate) fn shuffled(&self, seed: u64) -> Arc<Table> {
        let mut shuffled = self.shuffled.lock().unwrap_or_else(PoisonError::into_inner);
        let table = shuffled.entry(seed).or_insert_with(|| {
            let mut order: Vec<u32> = match &self.order {
                Some(order) => order.clone(),
                None => (0..self.len() as u32).collect(),
            };
            // Two tables of one length must not be shuffled alike: their rows would stay in pairs.
            let seed = seed ^ hash(&self.name) ^ self.order.is_some() as u64;
            order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
            let (share, takers) = (self.share.clone(), self.takers.clone());
            Arc::new(Table::ordered(&self.name, self.rows.clone(), share, takers, Some(order)))
        });
        table.clone()
    }

    /// Takes a row that nobody holds.
    pub(super) fn take_free(&self) -> Option<u32> {
        // Tables have fewer rows than 32 bits can count; see `cells` and `json_rows`.
        let users = self.takers().users;
        let is_own = |row: &u32| self.share.has_by_users(u64::from(*row), users);
        self.free.take(|| (0..self.len() as u32).filter(is_own).collect())
    }

    pub(super) fn free(&self) -> &FreeRows {
        &self.free
    }
}

/// FNV-1a: the same in every build, which the standard library does not promise of its hashes.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::super::delimited::lines;
    use super::super::lease::Lease;
    use super::*;
    use crate::share::Process;

    fn table(rows: usize) -> Arc<Table> {
        let text: String = (0..rows).map(|row| format!("{row}\n")).collect();
        Arc::new(Table::new("numbers.txt", lines(&text).unwrap(), Share::default(), Arc::default()))
    }

    fn text_of(table: &Table, index: usize) -> String {
        match table.get(index) {
            Some(Row::Line(line)) => line.to_owned(),
            _ => panic!("row {index} is a line"),
        }
    }

    #[test]
    fn next_goes_round_and_unique_counts_the_rounds() {
        let table = table(3);
        assert_eq!((0..7).map(|_| table.next().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
        let unique: Vec<_> = (0..4).map(|_| table.next_unique().unwrap()).collect();
        assert_eq!(unique, [(0, 0), (1, 0), (2, 0), (0, 1)]);
        let empty = super::tests::table(0);
        assert_eq!((empty.next(), empty.next_unique()), (None, None));
        assert!(empty.get(0).is_none() && empty.shuffled(1).get(0).is_none());
    }

    #[test]
    fn rows_are_dealt_to_processes_in_turn_each_once() {
        let text: String = (0..10_000).map(|row| format!("{row}\n")).collect();
        let row = Process::row(&[2, 4, 1]);
        let of = |process| {
            Table::new("numbers.txt", lines(&text).unwrap(), Share::new(process, &row), Arc::default())
        };
        // The same file read by three processes with 2, 4 and 1 threads, in the order of the file and in another one.
        let plain = [of(row[0]), of(row[1]), of(row[2])].map(Arc::new);
        let shuffled: Vec<Arc<Table>> = plain.iter().map(|table| table.shuffled(5)).collect();
        for tables in [&plain[..], &shuffled] {
            let mut once: Vec<String> = Vec::new();
            for table in tables {
                let own = std::iter::from_fn(|| table.next_unique().filter(|&(_, round)| round == 0));
                let own: Vec<String> = own.map(|(row, _)| text_of(table, row)).collect();
                assert_eq!(own.len() as u64, table.own());
                once.extend(own);
            }
            let mut first: Vec<String> = Vec::new();
            for table in tables {
                first.extend((0..table.own()).map(|_| text_of(table, table.next().unwrap())));
            }
            let mut leased: Vec<String> = Vec::new();
            for table in tables {
                leased
                    .extend(std::iter::from_fn(|| table.take_free()).map(|row| text_of(table, row as usize)));
            }
            for mut rows in [once, first, leased] {
                assert_eq!(rows.len(), 10_000);
                rows.sort();
                rows.dedup();
                assert_eq!(rows.len(), 10_000, "each row once");
            }
        }
        let joined = Table::new(
            "numbers.txt",
            lines("a\nb\n").unwrap(),
            Share::new(Process { first: 7, here: 1 }, &row),
            Arc::default(),
        );
        assert_eq!((joined.own(), joined.take_free()), (0, None));
        assert!(joined.next_unique().is_some_and(|(_, round)| round > 0), "it is dry from the start");
        assert_eq!([joined.next(), joined.next()], [Some(0), Some(1)]);
    }

    #[test]
    fn rows_are_where_users_are() {
        let text: String = (0..200).map(|row| format!("{row}\n")).collect();
        let row = Process::row(&[1, 1, 1]);
        for (users, own) in [(1, [200, 0, 0]), (2, [100, 100, 0]), (3, [67, 67, 66]), (4, [100, 50, 50])] {
            let takers = Takers { users, have_a_number: false };
            let of = |&process: &Process| {
                let (share, takers) = (Share::new(process, &row), Arc::new(OnceLock::from(takers)));
                Arc::new(Table::new("numbers.txt", lines(&text).unwrap(), share, takers))
            };
            let tables: Vec<Arc<Table>> = row.iter().map(of).collect();
            let mut all = Vec::new();
            for (table, own) in tables.iter().zip(own) {
                let once: Vec<usize> =
                    std::iter::from_fn(|| Some(table.next_unique().filter(|one| one.1 == 0)?.0)).collect();
                let leased: Vec<usize> =
                    std::iter::from_fn(|| table.take_free()).map(|row| row as usize).collect();
                assert_eq!((once.len(), table.own()), (own, own as u64), "{users} users");
                assert_eq!(once, leased);
                all.extend(once);
            }
            all.sort_unstable();
            assert_eq!(all, (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_shuffled_table_has_the_same_rows_in_an_order_of_its_seed() {
        let table = table(100);
        let order = |seed| (0..100).map(|row| text_of(&table.shuffled(seed), row)).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert_eq!(order(1).into_iter().collect::<BTreeSet<_>>().len(), 100);
        assert!(Arc::ptr_eq(&table.shuffled(7), &table.shuffled(7)), "its counters are shared");
        let other =
            Table::new("letters.txt", lines(&"x\n".repeat(100)).unwrap(), Share::default(), Arc::default())
                .shuffled(1);
        assert_ne!(other.order, table.shuffled(1).order, "tables of one length differ");
    }

    #[test]
    fn a_row_is_leased_to_one_at_a_time_and_nobody_is_forgotten() {
        let table = table(3);
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        let take = |table: Arc<Table>, held: Arc<Mutex<BTreeSet<usize>>>| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                for _ in 0..500 {
                    let lease = Lease::take(table.clone(), false).await;
                    assert!(held.lock().unwrap().insert(lease.row()), "row {} is held twice", lease.row());
                    tokio::task::yield_now().await;
                    held.lock().unwrap().remove(&lease.row());
                }
            });
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                let (table, held) = (table.clone(), held.clone());
                scope.spawn(move || take(table, held));
            }
        });
    }
}
