//! The processes that make a load together: what each has of a number of iterations, and how it is dealt anew when one is
//! lost or joins.
//!
//! Leaves to the driver when that is, and to `executor::share` what a process makes of it. A process alone is dealt
//! everything once, at the start.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::executor::share::{Deal, LaneDeal, founders};
use crate::plan::TestPlan;
use crate::share::{Process, Share};

/// See the module's description.
pub(super) struct Dealing {
    /// By worker, its process.
    groups: Vec<usize>,
    /// How many workers there were at the start.
    all: usize,
    /// The workers that take part.
    members: Vec<usize>,
    /// Deals so far.
    deals: u64,
    /// Of the run's number of iterations.
    run: Option<Allowance>,
    /// By lane, of a number that its users have together.
    lanes: Vec<Option<Allowance>>,
    /// Of the run's number, iterations that each worker has taken.
    claimed: Vec<u64>,
    /// The processes that have none of the run's number left.
    used_up: BTreeSet<usize>,
}

/// What each process may take of a number of iterations.
struct Allowance {
    of: Vec<u64>,
    /// The last deal that gave it more.
    since: Vec<u64>,
}

impl Dealing {
    /// Of a load that begins with workers in these processes; `together` gives the iterations that a lane has.
    pub(super) fn new(
        groups: Vec<usize>,
        plan: &TestPlan,
        together: impl Fn(usize) -> Option<u64>,
    ) -> Dealing {
        let all = groups.len();
        let mut dealing = Dealing {
            all,
            members: (0..all).collect(),
            deals: 0,
            run: None,
            lanes: Vec::new(),
            claimed: vec![0; all],
            used_up: BTreeSet::new(),
            groups,
        };
        dealing.run = plan.iterations.map(|iterations| dealing.allow(iterations));
        let lanes =
            (0..plan.lanes.len()).map(|lane| together(lane).map(|iterations| dealing.allow(iterations)));
        dealing.lanes = lanes.collect();
        dealing
    }

    fn allow(&self, iterations: u64) -> Allowance {
        let all = self.processes(&self.members);
        let of: Vec<u64> = all.iter().map(|&one| Share::new(one, &all).of(iterations)).collect();
        Allowance { since: vec![0; of.len()], of }
    }

    /// The workers of a process.
    fn process(&self, group: usize) -> Process {
        let first = self.groups.partition_point(|&other| other < group);
        let end = self.groups.partition_point(|&other| other <= group);
        Process { first, here: end - first }
    }

    /// The processes of these workers.
    fn processes(&self, workers: &[usize]) -> Vec<Process> {
        let groups: BTreeSet<usize> = workers.iter().map(|&worker| self.groups[worker]).collect();
        groups.into_iter().map(|group| self.process(group)).collect()
    }

    /// The load has been dealt so already, in this order.
    pub(super) fn go_on(&mut self, deals: &[Arc<Deal>]) {
        for deal in deals {
            let members = deal.members.iter().flat_map(|process| process.first..process.first + process.here);
            let (lost, shares) = self.hand_over(members.collect());
            if let Some(run) = &mut self.run {
                run.repeat(deal.number, &lost, deal.more, &shares);
            }
            for (lane, dealt) in self.lanes.iter_mut().zip(&deal.lanes) {
                if let Some(lane) = lane {
                    lane.repeat(deal.number, &lost, dealt.more, &shares);
                }
            }
            self.deals = deal.number;
        }
    }

    /// From now on these workers take part. Gives the processes that do no more, and the share of each process.
    fn hand_over(&mut self, members: Vec<usize>) -> (Vec<usize>, Vec<Share>) {
        let goes_on = |group: usize| members.iter().any(|&member| self.groups[member] == group);
        let before: BTreeSet<usize> = self.members.iter().map(|&worker| self.groups[worker]).collect();
        let lost = before.into_iter().filter(|&group| !goes_on(group)).collect();
        let processes = self.processes(&members);
        let founders = founders(&processes, self.all);
        let groups = self.groups.last().map_or(0, |last| last + 1);
        let shares = (0..groups).map(|group| Share::new(self.process(group), founders)).collect();
        self.members = members;
        (lost, shares)
    }

    /// A worker has joined.
    pub(super) fn join(&mut self, group: usize) {
        self.groups.push(group);
        self.claimed.push(0);
        if let Some(run) = &mut self.run {
            run.join(group);
        }
        self.lanes.iter_mut().flatten().for_each(|lane| lane.join(group));
    }

    /// A worker has taken so many iterations of the run's number so far.
    pub(super) fn claimed(&mut self, worker: usize, iterations: u64) {
        self.claimed[worker] = iterations;
    }

    /// The process of a worker has none of the run's number left, as it was after a deal of this number.
    pub(super) fn is_used_up(&mut self, worker: usize, deal: u64) {
        let group = self.groups[worker];
        // What it had then, if it has been given more since.
        if self.run.as_ref().is_some_and(|run| deal >= run.since[group]) {
            self.used_up.insert(group);
        }
    }

    /// Whether no iteration of the run's number is left for any process that takes part.
    pub(super) fn are_iterations_done(&self, is_gone: impl Fn(usize) -> bool) -> bool {
        let mut working = self.members.iter().filter(|&&worker| !is_gone(worker));
        !self.used_up.is_empty() && working.all(|&worker| self.used_up.contains(&self.groups[worker]))
    }

    /// Deals the load to these workers from now on. `first` gives the first iteration of a lane's rate that is dealt so, and
    /// `taken` how many each worker has taken of a lane's.
    pub(super) fn deal(
        &mut self,
        members: Vec<usize>,
        mut first: impl FnMut(usize) -> u64,
        taken: impl Fn(usize, usize) -> u64,
    ) -> Deal {
        self.deals += 1;
        let processes = self.processes(&members);
        let (lost, shares) = self.hand_over(members);
        let groups = &self.groups;
        let workers = |group: usize| (0..groups.len()).filter(move |&worker| groups[worker] == group);
        let claimed = |group| workers(group).map(|worker| self.claimed[worker]).sum();
        let number = self.deals;
        let more = self.run.as_mut().map_or(0, |run| run.deal(number, &lost, claimed, &shares));
        for (group, share) in shares.iter().enumerate() {
            if share.of(more) > 0 {
                self.used_up.remove(&group);
            }
        }
        let lanes = self.lanes.iter_mut().enumerate().map(|(lane, together)| {
            let taken = |group| workers(group).map(|worker| taken(lane, worker)).sum();
            let more = together.as_mut().map_or(0, |lane| lane.deal(number, &lost, taken, &shares));
            LaneDeal { first: first(lane), more }
        });
        let lanes = lanes.collect();
        Deal { number, members: processes.into(), lanes, more }
    }
}

impl Allowance {
    fn join(&mut self, group: usize) {
        self.of.resize(group + 1, 0);
        self.since.resize(group + 1, 0);
    }

    /// Deals what the lost ones had left; gives how much that is.
    fn deal(&mut self, number: u64, lost: &[usize], taken: impl Fn(usize) -> u64, shares: &[Share]) -> u64 {
        let mut more = 0;
        for &group in lost {
            let taken = taken(group).min(self.of[group]);
            more += self.of[group] - taken;
            self.of[group] = taken;
        }
        self.give(number, more, shares);
        more
    }

    /// So many were dealt, which the lost ones had left.
    fn repeat(&mut self, number: u64, lost: &[usize], more: u64, shares: &[Share]) {
        let mut left = more;
        for &group in lost {
            let its = left.min(self.of[group]);
            self.of[group] -= its;
            left -= its;
        }
        self.give(number, more, shares);
    }

    fn give(&mut self, number: u64, more: u64, shares: &[Share]) {
        for (group, share) in shares.iter().enumerate().filter(|(_, share)| share.of(more) > 0) {
            self.of[group] += share.of(more);
            self.since[group] = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Options, ScenarioPlan, TaskPlan};

    /// Three processes with 2, 1 and 1 workers, and one lane; both may have a number of iterations.
    fn dealing(iterations: Option<u64>, together: Option<u64>) -> Dealing {
        let options = Options { iterations, ..Options::default() };
        let scenario = ScenarioPlan::new("s", vec![TaskPlan::new("iteration", 1)]);
        let plan = TestPlan::new(options, vec![scenario], 7).unwrap();
        Dealing::new(vec![0, 0, 1, 2], &plan, |_| together)
    }

    #[test]
    fn a_number_of_iterations_is_done_when_no_process_has_any_left() {
        let mut dealing = dealing(Some(1_000), None);
        dealing.is_used_up(0, 0);
        dealing.is_used_up(1, 0);
        dealing.is_used_up(2, 0);
        assert!(!dealing.are_iterations_done(|_| false), "the third has some");
        assert!(dealing.are_iterations_done(|worker| worker == 3), "nobody waits for one that is gone");
        dealing.is_used_up(3, 0);
        assert!(dealing.are_iterations_done(|_| false));
    }

    #[test]
    fn what_a_lost_process_had_left_is_dealt_to_the_others() {
        let mut dealing = dealing(Some(1_000), Some(100));
        (0..2).for_each(|worker| dealing.is_used_up(worker, 0));
        dealing.claimed(3, 240);
        let deal = dealing.deal(vec![0, 1, 2], |_| 77, |_, worker| if worker == 3 { 20 } else { 9 });
        assert_eq!((deal.number, deal.more, deal.lanes[0]), (1, 10, LaneDeal { first: 77, more: 5 }));
        assert_eq!(dealing.run.as_ref().unwrap().of, [507, 253, 240]);
        assert_eq!(dealing.lanes[0].as_ref().unwrap().of, [53, 27, 20]);
        dealing.is_used_up(2, 0);
        dealing.is_used_up(0, 0);
        assert!(!dealing.are_iterations_done(|_| false), "they said so before they got more");
        dealing.is_used_up(2, 1);
        dealing.is_used_up(1, 1);
        assert!(dealing.are_iterations_done(|_| false));
        // Of the second, what was dealt to it counts too.
        dealing.claimed(2, 250);
        assert_eq!(dealing.deal(vec![0, 1], |_| 0, |_, _| 9).more, 3);
        assert_eq!(dealing.run.as_ref().unwrap().of, [510, 250, 240]);
    }

    #[test]
    fn who_goes_on_with_a_run_deals_nothing_a_second_time() {
        let mut dealing_before = dealing(Some(1_000), Some(100));
        dealing_before.claimed(3, 240);
        let taken = |_: usize, worker: usize| if worker == 3 { 20 } else { 9 };
        let deal = Arc::new(dealing_before.deal(vec![0, 1, 2], |_| 77, taken));
        let mut dealing = dealing(Some(1_000), Some(100));
        dealing.go_on(std::slice::from_ref(&deal));
        assert_eq!(dealing.run.as_ref().unwrap().of, dealing_before.run.as_ref().unwrap().of);
        assert_eq!(dealing.lanes[0].as_ref().unwrap().of, [53, 27, 20]);
        dealing.claimed(3, 240);
        let again = dealing.deal(vec![0, 1, 2], |_| 80, taken);
        assert_eq!((again.number, again.more, again.lanes[0].more), (2, 0, 0));
    }

    #[test]
    fn one_that_joins_is_given_nothing_of_a_number_of_iterations() {
        let mut dealing = dealing(Some(100), None);
        dealing.join(3);
        let deal = dealing.deal(vec![0, 1, 2, 3, 4], |_| 5, |_, _| 0);
        assert_eq!((deal.more, deal.founders(4)), (0, &Process::row(&[2, 1, 1])[..]));
        dealing.claimed(3, 5);
        let deal = dealing.deal(vec![0, 1, 2, 4], |_| 5, |_, _| 0);
        assert_eq!((deal.more, dealing.run.as_ref().unwrap().of.as_slice()), (20, &[63, 32, 5, 0][..]));
    }
}
