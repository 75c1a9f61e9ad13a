//! The processes that make a load together: what each has of a number of iterations, and how it is dealt anew when one is
//! lost or joins.
//!
//! Leaves to the driver when that is, and to `executor::share` what a process makes of it. A process alone is dealt
//! everything once, at the start.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::executor::share::{Deal, LaneDeal};
use crate::plan::TestPlan;
use crate::share::Share;

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
        let groups = self.groups.last().map_or(0, |last| last + 1);
        let of = (0..groups).map(|group| self.share(group).of(iterations)).collect();
        Allowance { of, since: vec![0; groups] }
    }

    /// What a process had at the start.
    fn share(&self, group: usize) -> Share {
        let first = self.groups.partition_point(|&other| other < group);
        let end = self.groups.partition_point(|&other| other <= group);
        Share { first, here: end - first, all: self.all }
    }

    /// There have been so many deals.
    pub(super) fn go_on(&mut self, deals: u64) {
        self.deals = deals;
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
        let goes_on = |group: usize| members.iter().any(|&member| self.groups[member] == group);
        let before = std::mem::take(&mut self.members);
        let before: BTreeSet<usize> = before.into_iter().map(|worker| self.groups[worker]).collect();
        let lost: Vec<usize> = before.into_iter().filter(|&group| !goes_on(group)).collect();
        let founders = &members[..members.partition_point(|&worker| worker < self.all)];
        let groups = self.groups.last().map_or(0, |last| last + 1);
        let shares: Vec<Share> = (0..groups).map(|group| self.share(group).among(founders)).collect();
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
        self.members = members;
        Deal { number, members: Arc::from(self.members.as_slice()), lanes, more }
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
        for (group, share) in shares.iter().enumerate().filter(|(_, share)| share.of(more) > 0) {
            self.of[group] += share.of(more);
            self.since[group] = number;
        }
        more
    }
}
