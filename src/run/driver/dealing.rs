//! The processes that make a load together: what each may take of a number of iterations, and who takes part when one is lost
//! or joins.
//!
//! Leaves to the driver when that is, and to `executor` what a process makes of it. Of a number of iterations each process may
//! take what its users would do of it. One that has used that up gets a part of what others leave: those that are lost, and those
//! whose users have all left. Invariants: together, processes may never take more than the number; what is left is taken as long as
//! any process has users. A process alone may take everything from the start.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::executor::share::{Allowances, Deal, seats_of};
use crate::plan::TestPlan;
use crate::share::{Process, Share};

/// See the module's description.
pub(super) struct Dealing {
    /// By worker, its process.
    groups: Vec<usize>,
    /// The workers that take part.
    members: Vec<usize>,
    /// How many workers there were at the start.
    founders: usize,
    /// Deals so far: their number, and who took part after each.
    deals: u64,
    dealt: Vec<Arc<[Process]>>,
    /// What each process was last seen to have of the users of these lanes, after so many deals.
    shares: Option<(Vec<Users>, usize, Vec<f64>)>,
    /// Changes of allowances so far.
    allowed: u64,
    /// Of the run's number of iterations.
    run: Option<Allowance>,
    /// By lane, of a number that its users have together.
    lanes: Vec<Option<Allowance>>,
}

/// What each process may take of a number of iterations.
struct Allowance {
    /// In all, since the start.
    of: Vec<u64>,
    /// The last change that gave it more.
    since: Vec<u64>,
    /// By worker, how many it has taken.
    taken: Vec<u64>,
    /// The processes that have used theirs up.
    used_up: BTreeSet<usize>,
    is_done: bool,
}

/// The users of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Users {
    /// The turn of the first.
    pub(super) first_turn: u64,
    pub(super) users: u64,
    /// They stay where they are when the load is dealt anew.
    pub(super) stay: bool,
}

/// What a process can do of a number of iterations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has so many users that iterate, or will.
    Users(u64),
    /// It has none, and none will come as things are.
    Idle,
    /// It is lost.
    Gone,
}

/// A number of iterations: of a lane, or of the run.
pub(super) type Of = Option<usize>;

/// What is to be done about numbers of iterations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// What processes may take has changed.
    pub(super) allowances: Option<Allowances>,
    /// Nobody can take more of these.
    pub(super) done: Vec<Of>,
}

impl Dealing {
    /// Of a load that begins with workers in these processes; `together` gives the iterations that the users of a lane have, and
    /// how many users these are.
    pub(super) fn new(
        groups: Vec<usize>,
        plan: &TestPlan,
        together: impl Fn(usize) -> Option<(u64, u64)>,
    ) -> Dealing {
        let mut dealing = Dealing {
            members: (0..groups.len()).collect(),
            founders: groups.len(),
            deals: 0,
            dealt: Vec::new(),
            shares: None,
            allowed: 0,
            run: None,
            lanes: Vec::new(),
            groups,
        };
        dealing.run = plan.iterations.map(|iterations| dealing.allow(iterations, plan.closed_users(), 0));
        let lanes = plan.lanes.iter().enumerate().map(|(index, lane)| {
            together(index).map(|(iterations, users)| dealing.allow(iterations, users, lane.first_turn()))
        });
        dealing.lanes = lanes.collect();
        dealing
    }

    fn allow(&self, iterations: u64, users: u64, first_turn: u64) -> Allowance {
        let all = self.processes(&self.members);
        let share = |&one: &Process| Share::new(one, &all).turned(first_turn).by_users(iterations, users);
        let of: Vec<u64> = all.iter().map(share).collect();
        Allowance {
            since: vec![0; of.len()],
            of,
            taken: vec![0; self.groups.len()],
            used_up: BTreeSet::new(),
            is_done: false,
        }
    }

    /// The workers of a process.
    fn process(&self, group: usize) -> Process {
        let first = self.groups.partition_point(|&other| other < group);
        let end = self.groups.partition_point(|&other| other <= group);
        Process { first, here: end - first }
    }

    /// The processes of these workers.
    fn processes(&self, workers: &[usize]) -> Vec<Process> {
        let groups: BTreeSet<usize> =
            workers.iter().filter_map(|&worker| self.groups.get(worker).copied()).collect();
        groups.into_iter().map(|group| self.process(group)).collect()
    }

    /// The load has been dealt so already, in this order.
    pub(super) fn go_on(&mut self, deals: &[Arc<Deal>]) {
        if let Some(last) = deals.last() {
            self.deals = last.number;
            self.members = last.members.iter().flat_map(|process| process.workers()).collect();
        }
        self.dealt.extend(deals.iter().map(|deal| deal.members.clone()));
    }

    /// A worker has joined.
    pub(super) fn join(&mut self, group: usize) {
        self.groups.push(group);
        let workers = self.groups.len();
        self.each().for_each(|(_, allowance)| {
            allowance.of.resize(group + 1, 0);
            allowance.since.resize(group + 1, 0);
            allowance.taken.resize(workers, 0);
        });
    }

    fn each(&mut self) -> impl Iterator<Item = (Of, &mut Allowance)> {
        let lanes = self.lanes.iter_mut().enumerate();
        let lanes = lanes.filter_map(|(lane, allowance)| Some((Some(lane), allowance.as_mut()?)));
        self.run.as_mut().map(|run| (None, run)).into_iter().chain(lanes)
    }

    fn one(&mut self, number: Of) -> Option<&mut Allowance> {
        match number {
            None => self.run.as_mut(),
            Some(lane) => self.lanes.get_mut(lane)?.as_mut(),
        }
    }

    /// A worker has taken so many iterations so far.
    pub(super) fn taken(&mut self, number: Of, worker: usize, iterations: u64) {
        if let Some(taken) = self.one(number).and_then(|allowance| allowance.taken.get_mut(worker)) {
            // What is told of an earlier time may come later.
            *taken = iterations.max(*taken);
        }
    }

    /// Iterations of the run's number that were never taken.
    pub(super) fn left_of_run(&self) -> u64 {
        let left = |run: &Allowance| run.of.iter().sum::<u64>().saturating_sub(run.taken.iter().sum());
        self.run.as_ref().map_or(0, left)
    }

    /// Whether all processes that can go on have done their part of a number: what is left was dealt to others.
    pub(super) fn is_done(&self, number: Of) -> bool {
        let allowance = match number {
            None => self.run.as_ref(),
            Some(lane) => self.lanes.get(lane).and_then(Option::as_ref),
        };
        allowance.is_some_and(|allowance| allowance.is_done)
    }

    /// The process of a worker has none left that it may take, as it was after these allowances.
    pub(super) fn is_used_up(&mut self, number: Of, worker: usize, allowed: u64) {
        let group = self.groups[worker];
        // What it had then, if it has been given more since.
        if let Some(allowance) = self.one(number).filter(|allowance| allowed >= allowance.since[group]) {
            allowance.used_up.insert(group);
        }
    }

    /// Looks at who has used up its part, and who leaves some. `standing` says what a process can do, given its workers.
    pub(super) fn look(&mut self, standing: impl Fn(Of, Process) -> Standing) -> Look {
        let groups = self.groups.last().map_or(0, |last| last + 1);
        let processes: Vec<Process> = (0..groups).map(|group| self.process(group)).collect();
        let members: BTreeSet<usize> =
            self.members.iter().filter_map(|&worker| self.groups.get(worker).copied()).collect();
        let (number, mut look, mut has_changed) = (self.allowed + 1, Look::default(), false);
        for (of, allowance) in self.each().filter(|(_, allowance)| !allowance.used_up.is_empty()) {
            let standings = processes.iter().enumerate().map(|(group, &process)| {
                // What is lost and has been dealt to others has no part any more; else nobody takes its place.
                (standing(of, process), members.contains(&group))
            });
            let standings: Vec<(Standing, bool)> = standings.collect();
            match allowance.look(number, &processes, &standings) {
                Found::Nothing => {}
                Found::Dealt => has_changed = true,
                Found::Done => look.done.push(of),
            }
        }
        if has_changed {
            self.allowed = number;
            look.allowances = Some(self.allowances(&processes));
        }
        look
    }

    fn allowances(&mut self, processes: &[Process]) -> Allowances {
        let mut all = Allowances { number: self.allowed, ..Allowances::default() };
        for (of, allowance) in self.each() {
            let by_process = processes.iter().zip(&allowance.of).map(|(process, &of)| (process.first, of));
            match of {
                None => all.run = by_process.collect(),
                Some(lane) => all.lanes.push((lane, by_process.collect())),
            }
        }
        all
    }

    /// These allowances have been said already.
    pub(super) fn restore(&mut self, allowances: &Allowances) {
        self.allowed = allowances.number;
        let firsts: Vec<usize> =
            (0..=self.groups.last().copied().unwrap_or(0)).map(|group| self.process(group).first).collect();
        for (of, allowance) in self.each() {
            let said = match of {
                None => &allowances.run,
                Some(lane) => match allowances.lanes.iter().find(|(index, _)| *index == lane) {
                    Some((_, said)) => said,
                    None => continue,
                },
            };
            for (group, first) in firsts.iter().enumerate() {
                if let Some(&(_, of)) = said.iter().find(|(one, _)| one == first) {
                    allowance.of[group] = of;
                    allowance.since[group] = allowances.number;
                }
            }
        }
    }

    /// Deals the load to these workers from now on. `first` gives the first iteration of a lane's rate that is dealt so.
    pub(super) fn deal(&mut self, members: Vec<usize>, first: impl FnMut(usize) -> u64) -> Deal {
        self.deals += 1;
        let firsts = (0..self.lanes.len()).map(first).collect();
        let processes = self.processes(&members);
        self.members = members;
        let members: Arc<[Process]> = processes.into();
        self.dealt.push(members.clone());
        Deal { number: self.deals, members, firsts }
    }

    /// What part of the users of these lanes was dealt to each process; `None` when there are none.
    pub(super) fn shares(&mut self, lanes: Vec<Users>) -> Option<&[f64]> {
        let all: u64 = lanes.iter().map(|lane| lane.users).sum();
        if all == 0 {
            return None;
        }
        let is_known =
            |(known, deals, _): &(Vec<Users>, usize, _)| *known == lanes && *deals == self.dealt.len();
        if !self.shares.as_ref().is_some_and(is_known) {
            let groups: Vec<usize> = (0..self.groups.len()).collect();
            let (processes, founders) = (self.processes(&groups), self.processes(&groups[..self.founders]));
            let mut of = vec![0; processes.len()];
            for lane in &lanes {
                let deals = if lane.stay { &[][..] } else { &self.dealt };
                let seats = seats_of(&processes, &founders, lane.first_turn, deals, lane.users);
                of.iter_mut().zip(seats).for_each(|(all, seats)| *all += seats);
            }
            let shares = of.into_iter().map(|of| of as f64 / all as f64).collect();
            self.shares = Some((lanes, self.dealt.len(), shares));
        }
        self.shares.as_ref().map(|(.., shares)| &shares[..])
    }
}

/// What a look at a number of iterations has shown.
enum Found {
    Nothing,
    Dealt,
    Done,
}

impl Allowance {
    /// Gives those that have used up their part a share of what others leave.
    fn look(&mut self, number: u64, processes: &[Process], standings: &[(Standing, bool)]) -> Found {
        if self.is_done {
            return Found::Nothing;
        }
        let users = |group: usize| match standings[group] {
            (Standing::Users(users), true) => Some(users.max(1)),
            _ => None,
        };
        let working: Vec<(usize, u64)> =
            (0..processes.len()).filter_map(|group| Some((group, users(group)?))).collect();
        let hungry: Vec<(usize, u64)> =
            working.iter().copied().filter(|(group, _)| self.used_up.contains(group)).collect();
        let leaves = |group: &usize| match standings[*group] {
            (Standing::Idle, _) | (Standing::Gone, false) => true,
            (Standing::Gone, true) | (Standing::Users(_), _) => false,
        };
        let mut left: Vec<(usize, u64)> = (0..processes.len())
            .filter(leaves)
            .map(|group| (group, self.of[group].saturating_sub(self.taken_by(processes[group]))))
            .filter(|&(_, left)| left > 0)
            .collect();
        if hungry.is_empty() {
            return Found::Nothing;
        }
        let mut pool: u64 = left.iter().map(|(_, left)| left).sum();
        if pool == 0 {
            self.is_done = hungry.len() == working.len();
            return if self.is_done { Found::Done } else { Found::Nothing };
        }
        let all: u64 = working.iter().map(|(_, users)| users).sum();
        let whole = pool;
        for (group, users) in hungry {
            // The others will need the rest.
            let part = (u128::from(whole) * u128::from(users)).div_ceil(u128::from(all.max(1)));
            let part = u64::try_from(part).unwrap_or(u64::MAX).min(pool);
            if part == 0 {
                break;
            }
            pool -= part;
            self.of[group] += part;
            self.since[group] = number;
            self.used_up.remove(&group);
            let mut due = part;
            for (donor, left) in &mut left {
                let given = due.min(*left);
                self.of[*donor] -= given;
                *left -= given;
                due -= given;
            }
        }
        Found::Dealt
    }

    fn taken_by(&self, process: Process) -> u64 {
        process.workers().filter_map(|worker| self.taken.get(worker)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Options, ScenarioPlan, TaskPlan};

    /// Three processes with 2, 1 and 1 workers, and one lane of so many users; both may have a number of iterations.
    fn dealing(iterations: Option<u64>, together: Option<u64>, users: u64) -> Dealing {
        let options = Options { iterations, users: Some(users), ..Options::default() };
        let scenario = ScenarioPlan::new("s", vec![TaskPlan::new("iteration", 1)]);
        let plan = TestPlan::new(options, vec![scenario], 7).unwrap();
        Dealing::new(vec![0, 0, 1, 2], &plan, |_| Some((together?, users)))
    }

    /// By first worker of each process.
    fn of(parts: [u64; 3]) -> Vec<(usize, u64)> {
        vec![(0, parts[0]), (2, parts[1]), (3, parts[2])]
    }

    fn all_have(users: u64) -> impl Fn(Of, Process) -> Standing {
        move |_, _| Standing::Users(users)
    }

    #[test]
    fn a_number_of_iterations_is_done_when_no_process_has_any_left() {
        let mut dealing = dealing(Some(1_000), None, 4);
        assert_eq!(dealing.run.as_ref().unwrap().of, [500, 250, 250]);
        for worker in [0, 1, 2] {
            dealing.is_used_up(None, worker, 0);
            assert_eq!(dealing.look(all_have(1)), Look::default(), "the third has some");
        }
        let third_is = |standing| {
            move |_: Of, process: Process| match process.first {
                3 => standing,
                _ => Standing::Users(1),
            }
        };
        dealing.taken(None, 3, 250);
        assert_eq!(
            dealing.look(third_is(Standing::Idle)).done,
            [None],
            "one that has done its part is not waited for"
        );
        assert_eq!(dealing.look(third_is(Standing::Idle)), Look::default(), "it is said once");
    }

    #[test]
    fn users_have_iterations_wherever_they_are() {
        assert_eq!(dealing(Some(10), None, 1).run.unwrap().of, [10, 0, 0]);
        assert_eq!(dealing(Some(7), None, 2).run.unwrap().of, [4, 3, 0]);
        let lane = dealing(None, Some(50), 3).lanes.remove(0).unwrap();
        assert_eq!(lane.of, [17, 17, 16]);
    }

    #[test]
    fn what_a_process_without_users_leaves_is_done_by_the_others() {
        let mut dealing = dealing(Some(600), Some(60), 4);
        dealing.taken(None, 3, 40);
        dealing.taken(None, 3, 30);
        dealing.is_used_up(None, 0, 0);
        let standing = |of: Of, process: Process| match (of, process.first) {
            (None, 3) => Standing::Idle,
            (_, first) => Standing::Users([2, 0, 1][first.min(2)]),
        };
        // 110 are left of 150; two of the three users that are there wait for some.
        let look = dealing.look(standing);
        let allowances = look.allowances.unwrap();
        assert_eq!((allowances.number, &allowances.run), (1, &of([300 + 74, 150, 76])));
        assert_eq!(allowances.lanes, [(0, of([30, 15, 15]))]);
        dealing.is_used_up(None, 0, 0);
        assert_eq!(dealing.look(standing), Look::default(), "it said so before it got more");
        dealing.is_used_up(None, 2, 1);
        assert_eq!(dealing.look(standing).allowances.unwrap().run, of([374, 150 + 12, 64]));
        let mut rounds = 0;
        let done = loop {
            for worker in [0, 2] {
                dealing.is_used_up(None, worker, 100);
            }
            let look = dealing.look(standing);
            if !look.done.is_empty() {
                break look.done;
            }
            rounds += 1;
        };
        let run = dealing.run.as_ref().unwrap();
        assert_eq!((done, run.of[2], run.of.iter().sum::<u64>()), (vec![None], 40, 600));
        assert!(rounds < 10, "{rounds}");
    }

    #[test]
    fn the_part_of_a_process_is_what_was_dealt_to_it() {
        let mut dealing = dealing(None, None, 4);
        let lane = |first_turn, users| Users { first_turn, users, stay: false };
        assert_eq!(dealing.shares(vec![lane(0, 0)]), None);
        assert_eq!(dealing.shares(vec![lane(0, 1)]), Some(&[1.0, 0.0, 0.0][..]));
        assert_eq!(dealing.shares(vec![lane(0, 1), lane(1, 1)]), Some(&[0.5, 0.5, 0.0][..]));
        assert_eq!(dealing.shares(vec![lane(0, 100)]), Some(&[0.5, 0.25, 0.25][..]));
        dealing.deal(vec![0, 1, 3], |_| 0);
        assert_eq!(dealing.shares(vec![lane(0, 90)]), Some(&[60.0 / 90.0, 0.0, 30.0 / 90.0][..]));
        let stay = Users { stay: true, ..lane(0, 4) };
        assert_eq!(dealing.shares(vec![stay]), Some(&[0.5, 0.25, 0.25][..]));
    }

    #[test]
    fn nothing_is_dealt_where_nobody_can_take_it() {
        let mut dealing = dealing(Some(60), None, 3);
        dealing.is_used_up(None, 0, 0);
        dealing.taken(None, 0, 20);
        assert_eq!(dealing.look(|_, _| Standing::Idle), Look::default());
        assert_eq!(dealing.left_of_run(), 40);
    }

    #[test]
    fn what_a_lost_process_had_left_goes_to_the_others_if_its_part_is_dealt() {
        let mut dealing = dealing(Some(1_000), None, 4);
        let lost = |_: Of, process: Process| match process.first {
            3 => Standing::Gone,
            _ => Standing::Users(1),
        };
        dealing.taken(None, 3, 240);
        dealing.is_used_up(None, 2, 0);
        assert_eq!(dealing.look(lost), Look::default(), "not with --on-agent-loss continue");
        let deal = dealing.deal(vec![0, 1, 2], |_| 77);
        assert_eq!(
            (deal.number, &deal.members[..], &deal.firsts[..]),
            (1, &Process::row(&[2, 1])[..], &[77][..])
        );
        assert_eq!(dealing.look(lost).allowances.unwrap().run, of([500, 255, 245]));
    }

    #[test]
    fn one_that_joins_takes_a_part_of_what_is_left_over() {
        let mut dealing = dealing(Some(100), None, 4);
        dealing.join(3);
        dealing.taken(None, 3, 5);
        dealing.deal(vec![0, 1, 2, 4], |_| 5);
        dealing.is_used_up(None, 4, 0);
        let standing = |_: Of, process: Process| match process.first {
            3 => Standing::Gone,
            _ => Standing::Users(1),
        };
        let run = dealing.look(standing).allowances.unwrap().run;
        assert_eq!(run, [(0, 50), (2, 25), (3, 25 - 7), (4, 7)]);
    }

    #[test]
    fn whoever_goes_on_with_a_run_deals_nothing_a_second_time() {
        let mut before = dealing(Some(600), Some(60), 4);
        before.is_used_up(None, 0, 0);
        let standing = |_: Of, process: Process| match process.first {
            3 => Standing::Idle,
            _ => Standing::Users(1),
        };
        let allowances = before.look(standing).allowances.unwrap();
        let mut after = dealing(Some(600), Some(60), 4);
        after.restore(&allowances);
        after.is_used_up(None, 0, 0);
        assert_eq!(after.look(standing), Look::default(), "it said so before it got more");
        after.is_used_up(None, 0, 1);
        assert_eq!(after.look(standing).allowances.unwrap().number, 2);
    }
}
