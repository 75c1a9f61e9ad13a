//! Who takes which iterations and which users of a load that several processes make together. Pure.
//!
//! Everything follows from the [`Share`] of a process, so that nothing has to be sent. When a process is lost or joins, a
//! [`Deal`] says who goes on: [`Numbers`] changes hands at a number, and [`Seats`] moves as few users as make it even again.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::share::Share;

/// Where a worker thread stands among all of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Its number among those of all processes.
    pub(crate) worker: usize,
    /// The share of its process.
    pub(crate) share: Share,
}

impl Part {
    /// Its number in this process.
    pub(crate) fn here(self) -> usize {
        self.worker - self.share.first
    }
}

/// Who goes on with a load when a process is lost or joins, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deal {
    /// Counts the deals of a run, from 1.
    pub(crate) number: u64,
    /// The workers that take part, in ascending order.
    pub(crate) members: Arc<[usize]>,
    /// By index of a lane.
    pub(crate) lanes: Vec<LaneDeal>,
    /// Of the run's number of iterations, those that the lost ones had left; dealt to all that take part.
    pub(crate) more: u64,
}

/// What a deal means for a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneDeal {
    /// Of a rate, the first iteration that is dealt to the new members: what is due before belongs to the old ones.
    pub(crate) first: u64,
    /// Of a number of iterations, those that the lost ones had left.
    pub(crate) more: u64,
}

impl Deal {
    /// Those of its members that have been there from the start. A number of iterations was dealt to these.
    pub(crate) fn founders(&self, all: usize) -> &[usize] {
        &self.members[..self.members.partition_point(|&worker| worker < all)]
    }
}

/// Which iterations of a rate are for this process, in order.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pieces: Vec<Piece>,
}

/// Numbers from `first` on, of which this process takes a share.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// How many the process has taken before.
    before: u64,
    first: u64,
    share: Share,
}

impl Numbers {
    pub(crate) fn new(share: Share) -> Numbers {
        Numbers { pieces: vec![Piece { before: 0, first: 0, share }] }
    }

    /// The number of the iteration that this process takes after `taken` others; `None` when there is none. It may be
    /// another one after a deal: whoever waits for it has to ask again.
    pub(crate) fn number(&self, taken: u64) -> Option<u64> {
        let piece = self.pieces.iter().rev().find(|piece| piece.before <= taken)?;
        piece.share.item(piece.share.of(piece.first) + (taken - piece.before))
    }

    /// From number `first` on it takes another share.
    pub(crate) fn deal(&mut self, first: u64, share: Share) {
        let Some(&last) = self.pieces.last() else { return };
        let first = first.max(last.first);
        let before = last.before + last.share.of(first) - last.share.of(last.first);
        self.pieces.push(Piece { before, first, share });
    }
}

/// Which users of a closed load are on a worker: those in its seats.
///
/// At first seat *k* is worker *k* mod *all*'s. At each deal, the seats are gone through in order: each stays where it is
/// unless that worker is gone or has more than its part of the seats up to there, and goes else to the one with fewest.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    part: Part,
    deals: Vec<Dealt>,
    /// By seat, its worker; as far as it has been asked for, and only after a deal.
    owners: Vec<usize>,
}

/// Who takes part after a deal, and how many seats each has of those that have been gone through.
#[derive(Clone, Debug)]
struct Dealt {
    members: Arc<[usize]>,
    counts: Vec<u64>,
    /// The same counts with the place of their member.
    fewest: BTreeSet<(u64, usize)>,
}

impl Dealt {
    fn new(members: Arc<[usize]>) -> Dealt {
        let counts = vec![0; members.len()];
        let fewest = (0..members.len()).map(|place| (0, place)).collect();
        Dealt { members, counts, fewest }
    }

    /// The worker of the next seat, which was `owner`'s before.
    fn deal(&mut self, owner: usize) -> usize {
        let seats = self.counts.iter().sum::<u64>() + 1;
        let part = seats.div_ceil(self.members.len().max(1) as u64);
        let stays = self.members.binary_search(&owner).ok().filter(|&place| self.counts[place] < part);
        let Some(place) = stays.or_else(|| self.fewest.first().map(|&(_, place)| place)) else {
            return owner;
        };
        let count = self.counts[place];
        self.fewest.remove(&(count, place));
        self.fewest.insert((count + 1, place));
        self.counts[place] = count + 1;
        self.members[place]
    }
}

impl Seats {
    pub(crate) fn new(part: Part) -> Seats {
        Seats { part, deals: Vec::new(), owners: Vec::new() }
    }

    /// How often they have been dealt again.
    pub(crate) fn deals(&self) -> usize {
        self.deals.len()
    }

    /// Deals them to other workers.
    pub(crate) fn deal(&mut self, members: Arc<[usize]>) {
        let members = self.deals.iter().map(|dealt| dealt.members.clone()).chain([members]);
        self.deals = members.map(Dealt::new).collect();
        self.owners.clear();
    }

    /// The seats from `from` up to `to` that are on this worker, ascending.
    pub(crate) fn own(&mut self, from: u64, to: u64) -> Vec<u64> {
        let (worker, all) = (self.part.worker as u64, self.part.share.all.max(1) as u64);
        if self.deals.is_empty() {
            if worker >= all {
                return Vec::new();
            }
            // The first seat of this worker that is not below `from`.
            let first = from + (worker + all - from % all) % all;
            return (first..to).step_by(all as usize).collect();
        }
        while (self.owners.len() as u64) < to {
            let first = self.owners.len() % all as usize;
            self.owners.push(self.deals.iter_mut().fold(first, |owner, dealt| dealt.deal(owner)));
        }
        (from..to).filter(|&seat| self.owners[seat as usize] == self.part.worker).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn part(worker: usize, first: usize, here: usize, all: usize) -> Part {
        Part { worker, share: Share { first, here, all } }
    }

    /// Three processes with two workers each.
    fn three() -> [Share; 3] {
        [0, 2, 4].map(|first| Share { first, here: 2, all: 6 })
    }

    /// The numbers below `end` that each takes, until one is beyond.
    fn taken(all: &[Numbers], end: u64) -> Vec<Vec<u64>> {
        let of = |numbers: &Numbers| {
            (0..).map_while(|taken| numbers.number(taken)).take_while(|&number| number < end).collect()
        };
        all.iter().map(of).collect()
    }

    #[test]
    fn every_iteration_is_taken_by_one_process_before_and_after_one_is_lost() {
        let mut all = three().map(Numbers::new);
        let before = taken(&all, 1_000);
        assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [334, 334, 332]);
        let members = [0, 1, 4, 5];
        for (numbers, share) in all.iter_mut().zip(three()) {
            numbers.deal(101, share.among(&members));
        }
        let after = taken(&all, 1_000);
        for number in 0..1_000 {
            let takers: Vec<usize> =
                (0..3).filter(|&one| after[one].binary_search(&number).is_ok()).collect();
            if number < 101 {
                assert!(before[takers[0]].binary_search(&number).is_ok(), "{number} stays where it was");
            }
            assert_eq!(takers.len(), 1, "{number}");
            assert!(number < 101 || takers[0] != 1, "{number} is not for the one that is lost");
        }
    }

    #[test]
    fn one_after_another_may_be_lost_and_others_may_join() {
        let joined = Share { first: 6, here: 3, all: 6 };
        let shares: Vec<Share> = three().into_iter().chain([joined]).collect();
        let mut all: Vec<Numbers> = shares.iter().copied().map(Numbers::new).collect();
        let deals: [(u64, &[usize]); 4] = [
            (17, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (100, &[0, 1, 2, 3, 6, 7, 8]),
            // At the same time as the one before, or with a number that is less: nothing is taken again.
            (90, &[2, 3, 6, 7, 8]),
            (555, &[6, 7, 8]),
        ];
        for (first, members) in deals {
            for (numbers, share) in all.iter_mut().zip(&shares) {
                numbers.deal(first, share.among(members));
            }
        }
        let mut numbers: Vec<u64> = taken(&all, 2_000).concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
        assert_eq!(taken(&all, 2_000)[0].iter().filter(|&&number| number >= 100).count(), 0);
    }

    #[test]
    fn every_seat_is_on_one_worker() {
        for (from, to, workers) in [(0, 0, 2), (0, 1, 2), (0, 7, 3), (3, 11, 4), (5, 5, 2), (9, 4, 2)] {
            let own = |worker| Seats::new(part(worker, 0, workers, workers)).own(from, to);
            let mut all: Vec<u64> = (0..workers).flat_map(own).collect();
            all.sort_unstable();
            assert_eq!(all, (from..to).collect::<Vec<_>>(), "{from}..{to} on {workers} workers");
            for worker in 0..workers {
                assert!(own(worker).iter().all(|seat| seat % workers as u64 == worker as u64));
            }
        }
    }

    /// The workers of seats below `seats` after these deals, of six workers at the start and more that joined.
    fn owners(deals: &[&[usize]], seats: u64) -> Vec<usize> {
        let mut owners = BTreeMap::new();
        for worker in 0..10 {
            let mut own = Seats::new(part(worker, worker, 1, 6));
            deals.iter().for_each(|&members| own.deal(members.into()));
            for seat in own.own(0, seats) {
                assert_eq!(owners.insert(seat, worker), None, "seat {seat} is on two workers");
            }
        }
        assert_eq!(owners.len() as u64, seats);
        owners.into_values().collect()
    }

    #[test]
    fn users_of_a_process_that_is_lost_are_spread_over_the_others_which_keep_theirs() {
        let (before, after) = (owners(&[], 300), owners(&[&[0, 1, 4, 5]], 300));
        for (seat, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(before == after || [2, 3].contains(before), "seat {seat} moves without need");
        }
        for worker in [0, 1, 4, 5] {
            assert_eq!(after.iter().filter(|&&owner| owner == worker).count(), 75);
        }
    }

    #[test]
    fn a_process_that_joins_takes_users_of_all_the_others() {
        let everybody = [0, 1, 2, 3, 4, 5, 6, 7];
        let (before, after) = (owners(&[], 240), owners(&[&everybody], 240));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        assert_eq!(moved.count(), 60, "no more than the new ones get");
        for worker in everybody {
            assert_eq!(after.iter().filter(|&&owner| owner == worker).count(), 30);
        }
        // And of few users as many as there are.
        assert_eq!(owners(&[&everybody], 7).into_iter().collect::<BTreeSet<_>>().len(), 7);
        let back = owners(&[&everybody, &[0, 1, 2, 3, 4, 5]], 240);
        assert!((0..6).all(|worker| back.iter().filter(|&&owner| owner == worker).count() == 40));
    }
}
