//! The part of one process where several make a load together. Pure.
//!
//! The worker threads of all processes have one numbering, process by process, and take turns: thing *i* is for turn
//! *i* mod *all*. Turns go round among the processes, each as often as it has threads, its turns spread evenly over the round. So a
//! process takes as much as it has threads, those with equally many have equally much of any number of things, give or
//! take one, every thing is taken by one, and nothing has to be sent. A process alone takes all, in order. Leaves to
//! `executor` and `data` what is dealt.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The worker threads of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Number of its first worker.
    pub(crate) first: usize,
    /// How many it has.
    pub(crate) here: usize,
}

impl Process {
    /// Processes with so many workers each, numbered in a row.
    #[cfg(test)]
    pub(crate) fn row(threads: &[usize]) -> Vec<Process> {
        let mut first = 0;
        let process = |&here: &usize| {
            first += here;
            Process { first: first - here, here }
        };
        threads.iter().map(process).collect()
    }

    /// Its workers.
    pub(crate) fn workers(self) -> Range<usize> {
        self.first..self.first + self.here
    }

    /// Whether a worker is one of its own.
    pub(crate) fn has(self, worker: usize) -> bool {
        self.workers().contains(&worker)
    }
}

/// The workers of processes in the order of their turns: those of a process in order, and each process as evenly spread as its
/// number of workers allows. Of processes with equally many, none is ever ahead of another by more than one turn.
pub(crate) fn in_turn(processes: &[Process]) -> Vec<usize> {
    let turns = processes.iter().enumerate().flat_map(|(place, process)| {
        (0..process.here).map(move |worker| (2 * worker as u64 + 1, process.here as u64, place, worker))
    });
    let mut turns: Vec<_> = turns.collect();
    // In the middle of its part of the round: (2 worker + 1) / (2 here).
    turns.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(a.2.cmp(&b.2)));
    turns.into_iter().map(|(_, _, place, worker)| processes[place].first + worker).collect()
}

/// The worker threads of this process among all that a load began with. One that joined later has no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// This process.
    process: Process,
    /// All workers that take turns, in their order.
    order: Arc<[usize]>,
    /// The turns of this process in a round, ascending.
    turns: Arc<[u64]>,
}

impl Default for Share {
    fn default() -> Share {
        Share::alone(1)
    }
}

impl Share {
    /// All of it, on so many threads.
    pub(crate) fn alone(threads: usize) -> Share {
        let process = Process { first: 0, here: threads };
        Share::new(process, &[process])
    }

    /// That of one process of several.
    pub(crate) fn new(process: Process, all: &[Process]) -> Share {
        let order = in_turn(all);
        let turns = order.iter().zip(0..).filter(|&(&worker, _)| process.has(worker)).map(|(_, turn)| turn);
        Share { process, turns: turns.collect(), order: order.into() }
    }

    /// Number of its first worker.
    pub(crate) fn first(&self) -> usize {
        self.process.first
    }

    /// How many workers this process has.
    pub(crate) fn here(&self) -> usize {
        self.process.here
    }

    /// All workers that take turns, in their order.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether there is nobody else.
    pub(crate) fn is_alone(&self) -> bool {
        !self.turns.is_empty() && self.turns.len() == self.order.len()
    }

    /// Whether it came when the load had begun: it has no turn.
    pub(crate) fn has_joined(&self) -> bool {
        self.turns.is_empty()
    }

    fn all(&self) -> u64 {
        self.order.len().max(1) as u64
    }

    /// How many of so many things are for this process.
    pub(crate) fn of(&self, total: u64) -> u64 {
        if self.is_alone() {
            return total;
        }
        let last = total % self.all();
        let of_last_round = self.turns.partition_point(|&turn| turn < last);
        total / self.all() * self.turns.len() as u64 + of_last_round as u64
    }

    /// How many of so many things are for the users of this process, when one of so many users in turn gets each; without users, as
    /// many as are for the process.
    pub(crate) fn by_users(&self, total: u64, users: u64) -> u64 {
        match users {
            0 => self.of(total),
            users => total / users * self.of(users) + self.of(total % users),
        }
    }

    /// The thing that is for this process after `index` others when one of so many users in turn gets each, as
    /// [`by_users`](Share::by_users) counts them; `None` when none is.
    pub(crate) fn item_by_users(&self, index: u64, users: u64) -> Option<u64> {
        if users == 0 {
            return self.item(index);
        }
        let here = self.of(users);
        let round = index.checked_div(here)?;
        Some(round.saturating_mul(users) + self.item(index % here)?)
    }

    /// Whether a thing is for one of the users of this process.
    pub(crate) fn has_by_users(&self, thing: u64, users: u64) -> bool {
        self.has(thing.checked_rem(users).unwrap_or(thing))
    }

    /// The thing that is for this process after `index` others; `None` when none is.
    pub(crate) fn item(&self, index: u64) -> Option<u64> {
        if self.is_alone() {
            return Some(index);
        }
        let turns = self.turns.len() as u64;
        let round = index.checked_div(turns)?;
        Some(round.saturating_mul(self.all()) + self.turns[(index % turns) as usize])
    }

    /// Whether a thing is for this process.
    pub(crate) fn has(&self, thing: u64) -> bool {
        self.turns.binary_search(&(thing % self.all())).is_ok()
    }

    /// Most of so many users that may be here at once. At least one: the share of the iterations is to be run by somebody,
    /// so where there are more processes than users, each has one.
    pub(crate) fn most_of(&self, total: u64) -> u64 {
        self.of(total).max(total.min(1))
    }

    /// The number of the user that is started here after `index` others, for a load whose users come as they are needed:
    /// nobody else has it at any time.
    pub(crate) fn seat(&self, index: u64) -> u64 {
        match self.process.first.checked_sub(self.order.len()) {
            None => self.item(index).unwrap_or(index),
            // A process that joined has a range of its own beyond all others.
            Some(joined) => ((joined as u64 + 1) << 32) + index,
        }
    }

    /// The same for a load that begins with another turn: thing *i* is for turn *i* + *by*.
    pub(crate) fn turned(&self, by: u64) -> Share {
        let by = (by % self.all()) as usize;
        let mut order = self.order.to_vec();
        if !order.is_empty() {
            order.rotate_left(by);
        }
        let (all, by) = (self.all(), by as u64);
        let mut turns: Vec<u64> = self.turns.iter().map(|turn| (turn + all - by) % all).collect();
        turns.sort_unstable();
        Share { process: self.process, order: order.into(), turns: turns.into() }
    }

    /// The share of the same process when these take part.
    pub(crate) fn among(&self, members: &[Process]) -> Share {
        Share::new(self.process, members)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Processes with so many threads each.
    fn shares(threads: &[usize]) -> Vec<Share> {
        let all = Process::row(threads);
        all.iter().map(|&process| Share::new(process, &all)).collect()
    }

    #[test]
    fn processes_with_equally_many_threads_have_equally_much_of_any_number() {
        for threads in [1, 2, 3, 8, 16] {
            for processes in 1..8 {
                let others = [&[][..], &[threads + 1], &[1, 5]];
                for others in others {
                    let layout: Vec<usize> = others.iter().copied().chain(vec![threads; processes]).collect();
                    let shares = shares(&layout);
                    for total in 0..500 {
                        let of: Vec<u64> = shares.iter().map(|share| share.of(total)).collect();
                        assert_eq!(of.iter().sum::<u64>(), total);
                        let equal = &of[others.len()..];
                        let (least, most) = (equal.iter().min().unwrap(), equal.iter().max().unwrap());
                        assert!(most - least <= 1, "{total} over {layout:?}: {of:?}");
                        let turned = shares.iter().map(|share| share.turned(total).of(7));
                        assert_eq!(turned.sum::<u64>(), 7, "from any turn on");
                    }
                }
            }
        }
        let of =
            |layout: &[usize], total| shares(layout).iter().map(|share| share.of(total)).collect::<Vec<_>>();
        assert_eq!(of(&[8, 8, 8], 300), [100; 3]);
        assert_eq!(of(&[2, 2, 2], 9), [3; 3]);
        assert_eq!(of(&[4, 4], 4), [2; 2]);
        assert_eq!(of(&[3, 1], 8), [6, 2], "as much as it has threads");
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
    fn what_is_dealt_by_users_is_for_those_that_have_some() {
        for threads in [&[1][..], &[1, 1, 1], &[4, 4], &[3, 1, 4, 1, 5]] {
            for users in [1, 2, 3, 7, 30, 100] {
                for total in [0, 1, 7, 10, 50, 1_000, 9_999] {
                    let shares = shares(threads);
                    let of: Vec<u64> = shares.iter().map(|share| share.by_users(total, users)).collect();
                    assert_eq!(of.iter().sum::<u64>(), total, "{total} for {users} on {threads:?}: {of:?}");
                    for (share, of) in shares.iter().zip(of) {
                        let (here, each) = (share.of(users), total / users);
                        let is_even = (here * each..=here * (each + 1)).contains(&of);
                        assert!(is_even, "{of} for {here} of {users} users");
                        let items = (0..).map_while(|index| share.item_by_users(index, users));
                        let items: Vec<u64> = items.take_while(|&item| item < total).collect();
                        let has = (0..total).filter(|&thing| share.has_by_users(thing, users));
                        assert_eq!(
                            (items.len() as u64, &items),
                            (of, &has.collect()),
                            "{users} on {threads:?}"
                        );
                    }
                }
            }
        }
        assert_eq!(
            shares(&[1, 1, 1]).iter().map(|share| share.by_users(300, 4)).collect::<Vec<_>>(),
            [150, 75, 75]
        );
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
        let all = Process::row(&[2, 2, 2]);
        let new = Process { first: 6, here: 2 };
        let joined = Share::new(new, &all);
        assert_eq!((joined.of(1_000), joined.item(0), joined.has(6)), (0, None, false));
        let as_many = Share::new(Process { first: 2, here: 2 }, &all[..1]);
        assert_eq!((as_many.of(1_000), as_many.item(0)), (0, None), "it is not alone");
        let among = joined.among(&[all[0], all[2], new]);
        assert_eq!((among.of(600), among.item(0)), (200, Some(2)));
        let lost = Share::new(all[1], &all);
        assert_eq!(lost.among(&[all[0], all[2]]).of(600), 0, "it is lost");
        assert_eq!(lost.among(&[]).of(600), 0);
    }

    #[test]
    fn users_have_numbers_of_their_own_in_every_process() {
        let mut all = BTreeSet::new();
        let founders = Process::row(&[1, 3]);
        let joined = [(4, 2), (6, 1)].map(|(first, here)| Share::new(Process { first, here }, &founders));
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
