//! Who takes which iterations and which users of a load that several processes make together. Pure.
//!
//! Everything follows from the [`Share`] of a process, so that nothing has to be sent. When a process is lost or joins, a
//! [`Deal`] says who goes on: [`Numbers`] changes hands at a number, and [`Seats`] moves as few users as make it even again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::share::{Process, Share, in_turn};

/// Where a worker thread stands among all of a run.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its number among those of all processes.
    pub(crate) worker: usize,
    /// The share of its process.
    pub(crate) share: Share,
}

impl Part {
    /// Its number in this process.
    pub(crate) fn here(&self) -> usize {
        self.worker - self.share.first()
    }
}

/// Who goes on with a load when a process is lost or joins, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deal {
    /// Counts the deals of a run, from 1.
    pub(crate) number: u64,
    /// The processes that take part, in ascending order.
    pub(crate) members: Arc<[Process]>,
    /// By index of a lane, the first iteration of its rate that is dealt to the new members: what is due before belongs to the
    /// old ones.
    pub(crate) firsts: Vec<u64>,
}

/// How much of numbers of iterations each process may take, in all since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowances {
    /// Counts those of a run, from 1.
    pub(crate) number: u64,
    /// Of the run's number, by number of the process's first worker.
    pub(crate) run: Vec<(usize, u64)>,
    /// By index of a lane, of the number that its users have together.
    pub(crate) lanes: Vec<(usize, Vec<(usize, u64)>)>,
}

impl Allowances {
    /// What a process may take of the run's number.
    pub(crate) fn of_run(&self, share: &Share) -> Option<u64> {
        own(&self.run, share)
    }

    /// What it may take of a lane's.
    pub(crate) fn of_lane(&self, lane: usize, share: &Share) -> Option<u64> {
        let (_, of) = self.lanes.iter().find(|(index, _)| *index == lane)?;
        own(of, share)
    }
}

fn own(of: &[(usize, u64)], share: &Share) -> Option<u64> {
    of.iter().find(|(first, _)| *first == share.first()).map(|&(_, of)| of)
}

/// Which iterations of a rate are for this process, in order.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pieces: Vec<Piece>,
}

/// Numbers from `first` on, of which this process takes a share.
#[derive(Clone, Debug)]
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
        let Some(last) = self.pieces.last() else { return };
        let first = first.max(last.first);
        let before = last.before + last.share.of(first) - last.share.of(last.first);
        self.pieces.push(Piece { before, first, share });
    }
}

/// Which users of a closed load are on a worker: those in its seats.
///
/// At first the seats are dealt in turn. At each deal, they are gone through in order: each stays where it is unless that
/// process is gone, or has more than its part of the seats up to there or more than another with as many workers, and
/// goes else to the one that has fewest for its workers; and so among the workers of a process.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    part: Part,
    /// Seat 0 is for this turn.
    from: u64,
    deals: Vec<Dealt>,
    /// By seat, its worker; as far as it has been asked for, and only after a deal.
    owners: Vec<usize>,
}

/// Who takes part after a deal, and how many seats each has of those that have been gone through.
#[derive(Clone, Debug)]
struct Dealt {
    members: Arc<[Process]>,
    /// How many workers they have.
    workers: u64,
    seats: u64,
    of: Vec<OfProcess>,
    /// By number of workers, the processes with that many: seats, who got one of its own last, and place. Who was lately
    /// given what is its own has to wait longest for the next of these, and takes what others have left.
    alike: BTreeMap<usize, BTreeSet<(u64, Reverse<u64>, usize)>>,
    /// Counts the seats that stayed.
    stayed: u64,
}

/// What a process has, and each of its workers; and when it last got a seat of its own.
#[derive(Clone, Debug, Default)]
struct OfProcess {
    seats: u64,
    own: u64,
    workers: Vec<(u64, u64)>,
}

impl Dealt {
    fn new(members: Arc<[Process]>) -> Dealt {
        let mut of: Vec<OfProcess> = members
            .iter()
            .map(|process| OfProcess { workers: vec![(0, 0); process.here], ..OfProcess::default() })
            .collect();
        let order = in_turn(&members);
        for (turn, worker) in (1..).zip(&order) {
            if let Some(place) = place_of(&members, *worker) {
                of[place].own = turn;
                of[place].workers[worker - members[place].first].1 = turn;
            }
        }
        let mut alike: BTreeMap<usize, BTreeSet<_>> = BTreeMap::new();
        for (place, (process, of)) in members.iter().zip(&of).enumerate().filter(|(_, (one, _))| one.here > 0)
        {
            alike.entry(process.here).or_default().insert((0, Reverse(of.own), place));
        }
        let workers = order.len() as u64;
        Dealt { members, workers, seats: 0, of, alike, stayed: workers }
    }

    /// The worker of the next seat, which was `owner`'s before.
    fn deal(&mut self, owner: usize) -> usize {
        self.seats += 1;
        let stays = place_of(&self.members, owner).filter(|&place| self.may_have_more(place));
        let Some(place) = stays.or_else(|| self.fewest()) else { return owner };
        let Process { first, here } = self.members[place];
        let of = &mut self.of[place];
        let alike = self.alike.entry(here).or_default();
        alike.remove(&(of.seats, Reverse(of.own), place));
        of.seats += 1;
        let least = of.workers.iter().map(|&(seats, _)| seats).min().unwrap_or(0);
        let own =
            owner.checked_sub(first).filter(|&here| of.workers.get(here).is_some_and(|one| one.0 == least));
        let fewest =
            (0..here).filter(|&here| of.workers[here].0 == least).max_by_key(|&here| of.workers[here].1);
        let worker = own.or(fewest).unwrap_or(0);
        of.workers[worker].0 += 1;
        if stays.is_some() {
            self.stayed += 1;
            of.own = self.stayed;
            of.workers[worker].1 = self.stayed;
        }
        alike.insert((of.seats, Reverse(of.own), place));
        first + worker
    }

    /// Whether a process may have the next seat, if it has been its own.
    fn may_have_more(&self, place: usize) -> bool {
        let (seats, here) = (self.of[place].seats, self.members[place].here);
        let part = (u128::from(self.seats) * here as u128).div_ceil(u128::from(self.workers.max(1)));
        let least = self.alike.get(&here).and_then(|alike| alike.first()).map_or(0, |&(least, ..)| least);
        u128::from(seats) < part && seats == least
    }

    /// The process that has fewest seats for its number of workers.
    fn fewest(&self) -> Option<usize> {
        let first = self.alike.iter().filter_map(|(&here, alike)| Some((here, alike.first()?)));
        let fewest = first.min_by(|(here, one), (there, other)| {
            let (mine, others) = (2 * u128::from(one.0) + 1, 2 * u128::from(other.0) + 1);
            (mine * *there as u128).cmp(&(others * *here as u128)).then(one.1.cmp(&other.1))
        });
        fewest.map(|(_, &(_, _, place))| place)
    }
}

/// How many of so many seats each of these processes has, of a load that began with `founders` and the turn `from`, after these
/// deals.
pub(crate) fn seats_of(
    processes: &[Process],
    founders: &[Process],
    from: u64,
    deals: &[Arc<[Process]>],
    seats: u64,
) -> Vec<u64> {
    if deals.is_empty() {
        let of = |&process: &Process| Share::new(process, founders).turned(from).of(seats);
        return processes.iter().map(of).collect();
    }
    let order = in_turn(founders);
    let mut deals: Vec<Dealt> = deals.iter().cloned().map(Dealt::new).collect();
    let mut of = vec![0; processes.len()];
    for seat in 0..seats {
        let turn = (seat + from) % order.len().max(1) as u64;
        let first = order.get(turn as usize).copied().unwrap_or(usize::MAX);
        let owner = deals.iter_mut().fold(first, |owner, dealt| dealt.deal(owner));
        if let Some(place) = place_of(processes, owner) {
            of[place] += 1;
        }
    }
    of
}

/// The place of a worker's process in this row.
fn place_of(members: &[Process], worker: usize) -> Option<usize> {
    let place = members.partition_point(|process| process.first <= worker).checked_sub(1)?;
    members[place].has(worker).then_some(place)
}

impl Seats {
    /// Those of a load whose first user is for this turn.
    pub(crate) fn new(part: Part, from: u64) -> Seats {
        Seats { part, from, deals: Vec::new(), owners: Vec::new() }
    }

    /// How often they have been dealt again.
    pub(crate) fn deals(&self) -> usize {
        self.deals.len()
    }

    /// Deals them to other processes.
    pub(crate) fn deal(&mut self, members: Arc<[Process]>) {
        let members = self.deals.iter().map(|dealt| dealt.members.clone()).chain([members]);
        self.deals = members.map(Dealt::new).collect();
        self.owners.clear();
    }

    /// The seats from `from` up to `to` that are on this worker, ascending.
    pub(crate) fn own(&mut self, from: u64, to: u64) -> Vec<u64> {
        let order = self.part.share.order();
        let all = order.len().max(1) as u64;
        if self.deals.is_empty() {
            let Some(turn) = order.iter().position(|&worker| worker == self.part.worker) else {
                return Vec::new();
            };
            // The first seat of this worker that is not below `from`.
            let first = from + (turn as u64 + 2 * all - from % all - self.from % all) % all;
            return (first..to).step_by(all as usize).collect();
        }
        while (self.owners.len() as u64) < to {
            let turn = (self.owners.len() as u64 + self.from) % all;
            let first = order.get(turn as usize).copied().unwrap_or(usize::MAX);
            self.owners.push(self.deals.iter_mut().fold(first, |owner, dealt| dealt.deal(owner)));
        }
        (from..to).filter(|&seat| self.owners[seat as usize] == self.part.worker).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Three processes with two workers each.
    fn three() -> Vec<Process> {
        Process::row(&[2, 2, 2])
    }

    fn numbers(processes: &[Process], all: &[Process]) -> Vec<Numbers> {
        processes.iter().map(|&process| Numbers::new(Share::new(process, all))).collect()
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
        let mut all = numbers(&three(), &three());
        let before = taken(&all, 1_000);
        assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [334, 333, 333]);
        let members = [three()[0], three()[2]];
        for (numbers, process) in all.iter_mut().zip(three()) {
            numbers.deal(101, Share::new(process, &members));
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
        let [a, b, c, new] = [(0, 2), (2, 2), (4, 2), (6, 3)].map(|(first, here)| Process { first, here });
        let mut all = numbers(&[a, b, c, new], &[a, b, c]);
        let deals: [(u64, &[Process]); 4] = [
            (17, &[a, b, c, new]),
            (100, &[a, b, new]),
            // At the same time as the one before, or with a number that is less: nothing is taken again.
            (90, &[b, new]),
            (555, &[new]),
        ];
        for (first, members) in deals {
            for (numbers, process) in all.iter_mut().zip([a, b, c, new]) {
                numbers.deal(first, Share::new(process, members));
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
            for turn in [0, 1, 5, 7] {
                let own =
                    |worker| Seats::new(Part { worker, share: Share::alone(workers) }, turn).own(from, to);
                let mut all: Vec<u64> = (0..workers).flat_map(own).collect();
                all.sort_unstable();
                assert_eq!(all, (from..to).collect::<Vec<_>>(), "{from}..{to} on {workers} workers");
                for worker in 0..workers {
                    let turn_of = |seat: &u64| (seat + turn) % workers as u64;
                    assert!(own(worker).iter().all(|seat| turn_of(seat) == worker as u64));
                }
            }
        }
    }

    /// The workers of seats below `seats`, of these processes at the start and after these deals.
    fn owners(founders: &[Process], deals: &[Vec<Process>], seats: u64) -> Vec<usize> {
        let mut owners = BTreeMap::new();
        let everybody: BTreeSet<(usize, usize)> = founders
            .iter()
            .chain(deals.iter().flatten())
            .map(|process| (process.first, process.here))
            .collect();
        for (first, here) in everybody {
            let share = Share::new(Process { first, here }, founders);
            for worker in first..first + here {
                let mut own = Seats::new(Part { worker, share: share.clone() }, 0);
                deals.iter().for_each(|members| own.deal(members.as_slice().into()));
                for seat in own.own(0, seats) {
                    assert_eq!(owners.insert(seat, worker), None, "seat {seat} is on two workers");
                }
            }
        }
        assert_eq!(owners.len() as u64, seats);
        owners.into_values().collect()
    }

    /// How many of these seats each process has.
    fn counts(processes: &[Process], owners: &[usize]) -> Vec<usize> {
        let of = |process: &Process| owners.iter().filter(|&&owner| process.has(owner)).count();
        processes.iter().map(of).collect()
    }

    #[test]
    fn users_of_a_process_that_is_lost_are_spread_over_the_others_which_keep_theirs() {
        for (threads, processes, seats) in [(2, 3, 300), (1, 3, 300), (8, 3, 300), (4, 4, 100), (1, 10, 95)] {
            let founders = Process::row(&vec![threads; processes]);
            let (lost, others) = (founders[1], [&founders[..1], &founders[2..]].concat());
            let (before, after) =
                (owners(&founders, &[], seats), owners(&founders, std::slice::from_ref(&others), seats));
            for (seat, (before, after)) in before.iter().zip(&after).enumerate() {
                let stays = founders.iter().any(|one| one.has(*before) && one.has(*after));
                assert!(
                    stays || lost.has(*before),
                    "seat {seat} of {processes} × {threads} moves without need"
                );
            }
            assert_eq!(counts(&[lost], &after), [0]);
            for used in 0..=seats as usize {
                let counts = counts(&others, &after[..used]);
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(most - least <= 1, "{used} users on {processes} × {threads}: {counts:?}");
            }
            for process in others {
                let of =
                    (process.first..process.first + threads).map(|worker| Process { first: worker, here: 1 });
                let counts = counts(&of.collect::<Vec<_>>(), &after);
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(most - least <= 1, "its threads have {counts:?}");
            }
        }
    }

    #[test]
    fn a_process_that_joins_takes_users_of_all_the_others() {
        let founders = three();
        let new = Process { first: 6, here: 2 };
        let everybody = [&founders[..], &[new]].concat();
        let (before, after) =
            (owners(&founders, &[], 240), owners(&founders, std::slice::from_ref(&everybody), 240));
        let of = |owner: usize| everybody.iter().position(|process| process.has(owner));
        let moved = before.iter().zip(&after).filter(|&(&before, &after)| of(before) != of(after));
        assert_eq!(moved.count(), 60, "no more than the new one gets");
        assert_eq!(counts(&everybody, &after), [60; 4]);
        // And of few users as many as there are.
        let few = owners(&founders, std::slice::from_ref(&everybody), 4);
        assert_eq!(counts(&everybody, &few), [1; 4]);
        let back = owners(&founders, &[everybody, founders.clone()], 240);
        assert_eq!(counts(&founders, &back), [80; 3]);
    }

    #[test]
    fn equal_processes_stay_equal_whoever_is_lost_and_joins() {
        let [a, b, c, d, e] =
            [(0, 4), (4, 4), (8, 2), (10, 2), (12, 4)].map(|(first, here)| Process { first, here });
        let deals =
            [vec![a, b, d], vec![a, b, c, d], vec![a, b, c, d, e], vec![b, c, d, e], vec![a, c, d, e]];
        for deals in (0..=deals.len()).map(|some| &deals[..some]) {
            let members = deals.last().cloned().unwrap_or(vec![a, b, c, d]);
            let owners = owners(&[a, b, c, d], deals, 400);
            for seats in 0..=400 {
                let counts = counts(&members, &owners[..seats]);
                assert_eq!(counts.iter().sum::<usize>(), seats, "all are with those that are there");
                for (one, count) in members.iter().zip(&counts) {
                    for (other, as_many) in members.iter().zip(&counts) {
                        let equal = one.here == other.here;
                        assert!(
                            !equal || count.abs_diff(*as_many) <= 1,
                            "{seats} on {members:?}: {counts:?}"
                        );
                    }
                }
            }
            let deals: Vec<Arc<[Process]>> = deals.iter().map(|members| members.as_slice().into()).collect();
            let of: Vec<u64> = counts(&members, &owners).iter().map(|&count| count as u64).collect();
            assert_eq!(seats_of(&members, &[a, b, c, d], 0, &deals, 400), of);
            let workers: usize = members.iter().map(|process| process.here).sum();
            for (process, count) in members.iter().zip(counts(&members, &owners)) {
                let part = 400 * process.here / workers;
                assert!(count.abs_diff(part) <= 2, "{count} for {process:?} of {workers}");
            }
        }
    }
}
