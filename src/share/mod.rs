//! The part of one process where several make a load together. Pure.
//!
//! The worker threads of all processes have one numbering, process by process, and things are dealt to them in turn:
//! thing *i* is for worker *i* mod *all*. So a process takes as much as it has threads, every thing is taken by one,
//! and nothing has to be sent. A process alone takes all, in order. Leaves to `executor` and `data` what is dealt.

use serde::{Deserialize, Serialize};

/// The worker threads of this process among all that a load began with. One that joined later comes after `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Number of its first worker.
    pub(crate) first: usize,
    /// How many it has.
    pub(crate) here: usize,
    /// How many all have.
    pub(crate) all: usize,
}

impl Default for Share {
    fn default() -> Share {
        Share::alone(1)
    }
}

impl Share {
    /// All of it, on so many threads.
    pub(crate) fn alone(threads: usize) -> Share {
        Share { first: 0, here: threads, all: threads }
    }

    /// Whether there is nobody else.
    pub(crate) fn is_alone(self) -> bool {
        self.first == 0 && self.here == self.all
    }

    /// Workers of this process that the dealing counts.
    fn counted(self) -> u64 {
        self.here.min(self.all.saturating_sub(self.first)) as u64
    }

    /// How many of so many things are for this process.
    pub(crate) fn of(self, total: u64) -> u64 {
        if self.is_alone() {
            return total;
        }
        let (all, counted) = (self.all.max(1) as u64, self.counted());
        total / all * counted + (total % all).saturating_sub(self.first as u64).min(counted)
    }

    /// The thing that is for this process after `index` others; `None` when none is.
    pub(crate) fn item(self, index: u64) -> Option<u64> {
        if self.is_alone() {
            return Some(index);
        }
        let counted = self.counted();
        let round = index.checked_div(counted)?;
        Some(round.saturating_mul(self.all as u64) + self.first as u64 + index % counted)
    }

    /// Whether a thing is for this process.
    pub(crate) fn has(self, thing: u64) -> bool {
        let turn = thing % self.all.max(1) as u64;
        (self.first as u64..(self.first + self.here) as u64).contains(&turn)
    }

    /// Most of so many users that may be here at once. At least one: the share of the iterations is to be run by somebody,
    /// so where there are more processes than users, each has one.
    pub(crate) fn most_of(self, total: u64) -> u64 {
        self.of(total).max(total.min(1))
    }

    /// The number of the user that is started here after `index` others, for a load whose users come as they are needed:
    /// nobody else has it at any time.
    pub(crate) fn seat(self, index: u64) -> u64 {
        match self.first.checked_sub(self.all) {
            None => self.item(index).unwrap_or(index),
            // A process that joined has a range of its own beyond all others.
            Some(joined) => ((joined as u64 + 1) << 32) + index,
        }
    }

    /// The place of the same workers among `members`, which are in ascending order.
    pub(crate) fn among(self, members: &[usize]) -> Share {
        let first = members.partition_point(|&worker| worker < self.first);
        let end = members.partition_point(|&worker| worker < self.first + self.here);
        Share { first, here: end - first, all: members.len() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Processes with so many threads each.
    fn shares(threads: &[usize]) -> Vec<Share> {
        let all = threads.iter().sum();
        let mut first = 0;
        let share = |&here: &usize| {
            first += here;
            Share { first: first - here, here, all }
        };
        threads.iter().map(share).collect()
    }

    #[test]
    fn the_shares_of_a_number_are_together_that_number() {
        for threads in [&[1][..], &[4], &[1, 1, 1], &[2, 1], &[3, 1, 4, 1, 5], &[1; 7], &[16; 40]] {
            for total in [0, 1, 2, 5, 7, 100, 299, 300, 1_000, 9_990, 10_000, u64::MAX / 2] {
                let of: Vec<u64> = shares(threads).into_iter().map(|share| share.of(total)).collect();
                assert_eq!(of.iter().sum::<u64>(), total, "{total} over {threads:?}: {of:?}");
            }
        }
        assert_eq!(shares(&[2, 2, 2]).into_iter().map(|share| share.of(300)).collect::<Vec<_>>(), [100; 3]);
        let by_threads = shares(&[1, 2, 3]).into_iter().map(|share| share.of(600));
        assert_eq!(by_threads.collect::<Vec<_>>(), [100, 200, 300], "as much as it has threads");
    }

    #[test]
    fn every_thing_is_for_one_process() {
        for threads in [&[1][..], &[1, 1, 1], &[2, 1], &[3, 1, 4, 1, 5], &[1; 7]] {
            let mut taken = BTreeSet::new();
            for share in shares(threads) {
                for index in 0..share.of(9_990) {
                    let thing = share.item(index).unwrap();
                    assert!(share.has(thing) && taken.insert(thing), "{thing} is taken twice of {threads:?}");
                }
                assert!(share.item(share.of(9_990)).unwrap() >= 9_990);
            }
            assert_eq!(taken, (0..9_990).collect());
        }
    }

    #[test]
    fn a_process_alone_takes_all_in_order() {
        let alone = Share::alone(4);
        assert_eq!((alone.of(7), alone.item(7), alone.seat(7), alone.most_of(7)), (7, Some(7), 7, 7));
    }

    #[test]
    fn one_that_joins_has_nothing_of_what_was_dealt_before() {
        let joined = Share { first: 6, here: 2, all: 6 };
        assert_eq!((joined.of(1_000), joined.item(0), joined.has(6)), (0, None, false));
        let as_many = Share { first: 2, here: 2, all: 2 };
        assert_eq!((as_many.of(1_000), as_many.item(0)), (0, None), "it is not alone");
        let among = joined.among(&[0, 1, 4, 5, 6, 7]);
        assert_eq!(among, Share { first: 4, here: 2, all: 6 });
        assert_eq!((among.of(600), among.item(0)), (200, Some(4)));
        assert_eq!(Share { first: 2, here: 2, all: 6 }.among(&[0, 1, 4, 5]).of(600), 0, "it is lost");
    }

    #[test]
    fn users_have_numbers_of_their_own_in_every_process() {
        let mut all = BTreeSet::new();
        let joined = [Share { first: 4, here: 2, all: 4 }, Share { first: 6, here: 1, all: 4 }];
        for share in shares(&[1, 3]).into_iter().chain(joined) {
            assert!((0..1_000).all(|index| all.insert(share.seat(index))), "{share:?}");
        }
    }

    #[test]
    fn a_limit_of_users_leaves_each_process_one() {
        let most =
            |total| shares(&[1, 1, 1]).into_iter().map(|share| share.most_of(total)).collect::<Vec<_>>();
        assert_eq!((most(100), most(2), most(0)), (vec![34, 33, 33], vec![1, 1, 1], vec![0, 0, 0]));
    }
}
