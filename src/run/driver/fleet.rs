//! The workers as the driver deals with them: one or all are told, and their intervals are asked for together.
//!
//! Invariants: each interval is taken once, whatever is said twice; nobody waits for a worker that is gone, and for one
//! that does not answer only until it is late: what it has counted is taken when it comes.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::run::workers::{Command, Notice, Workers};
use crate::vu::Interval;

/// How long the intervals of the others wait for one.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// The same when a run is to end at once.
pub(crate) const HURRY: Duration = Duration::from_millis(300);

/// What is heard of the workers.
pub(crate) enum Heard {
    /// One says something.
    Notice(usize, Notice),
    /// The intervals that were asked for have come, or are late.
    Intervals(Vec<(usize, Interval)>),
}

/// See the module's description.
pub(crate) struct Fleet<W> {
    workers: W,
    members: Vec<Member>,
    /// The last number that intervals were asked for with.
    asked: u64,
    /// Intervals that have come since they were last handed out.
    intervals: Vec<(usize, Interval)>,
    round: Option<Round>,
}

#[derive(Clone, Copy, Default)]
struct Member {
    is_gone: bool,
    /// It cannot be reached, or takes no part yet.
    is_lost: bool,
    /// Number of its last interval.
    taken: u64,
    /// Number that it was asked for, and since when it owes an answer.
    asked: u64,
    owes_since: Option<Instant>,
}

/// Intervals that are waited for.
struct Round {
    awaited: Vec<usize>,
    deadline: Instant,
    is_over: bool,
}

impl<W: Workers> Fleet<W> {
    pub(crate) fn new(workers: W) -> Fleet<W> {
        let members = vec![Member::default(); workers.count()];
        Fleet { workers, members, asked: 0, intervals: Vec::new(), round: None }
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// Which of several processes a worker is in.
    pub(super) fn group(&self, worker: usize) -> usize {
        self.workers.group(worker)
    }

    /// Which of several processes each worker is in.
    pub(super) fn groups(&self) -> Vec<usize> {
        (0..self.count()).map(|worker| self.workers.group(worker)).collect()
    }

    /// Whether a worker is gone, or lost for the moment.
    pub(super) fn is_absent(&self, worker: usize) -> bool {
        let member = &self.members[worker];
        member.is_gone || member.is_lost
    }

    /// Whether all are.
    pub(super) fn are_all_absent(&self) -> bool {
        (0..self.count()).all(|worker| self.is_absent(worker))
    }

    pub(crate) fn tell(&mut self, worker: usize, command: Command) {
        self.workers.tell(worker, command);
    }

    pub(crate) fn tell_all(&mut self, command: Command) {
        self.workers.tell_all(command);
    }

    /// The workers themselves.
    pub(crate) fn workers(&mut self) -> &mut W {
        &mut self.workers
    }

    /// The worker that calls the script's functions for the whole run: the first one that answers.
    pub(crate) fn first(&self) -> Option<usize> {
        let now = Instant::now();
        (0..self.count()).find(|&worker| !self.is_absent(worker) && self.silence(worker, now).is_none())
    }

    /// What is heard next. Can be dropped without losing anything.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            if self.round.as_ref().is_some_and(|round| self.is_over(round)) {
                self.round = None;
                return Heard::Intervals(std::mem::take(&mut self.intervals));
            }
            let deadline = self.round.as_ref().map(|round| round.deadline);
            let late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let (worker, notice) = tokio::select! {
                biased;
                said = self.workers.next() => said,
                () = late => {
                    self.look_at_deadline();
                    continue;
                }
            };
            match notice {
                Notice::Interval { number, interval } => self.take(worker, number, Some(*interval)),
                Notice::Answered { number } => self.take(worker, number, None),
                Notice::Earlier { interval } => self.intervals.push((worker, *interval)),
                notice => {
                    if matches!(notice, Notice::Joined) {
                        self.members.resize(self.workers.count(), Member::default());
                    }
                    if matches!(notice, Notice::Joined | Notice::Back) {
                        // What it was asked for before it was lost it may still answer.
                        let Member { taken, asked, .. } = self.members[worker];
                        self.members[worker] = Member { taken, asked, ..Member::default() };
                    }
                    self.members[worker].is_gone |= matches!(notice, Notice::Gone);
                    self.members[worker].is_lost |= matches!(notice, Notice::Lost);
                    return Heard::Notice(worker, notice);
                }
            }
        }
    }

    /// The time for the intervals is over. When it has been over for long, this thread did not run, so the others may not
    /// have run either: that is nobody's silence.
    fn look_at_deadline(&mut self) {
        let now = Instant::now();
        let Some(round) = &mut self.round else { return };
        let late = now.saturating_duration_since(round.deadline);
        if late < HURRY {
            round.is_over = true;
            return;
        }
        round.deadline = now + HURRY;
        self.members
            .iter_mut()
            .filter_map(|member| member.owes_since.as_mut())
            .for_each(|since| *since += late);
    }

    fn take(&mut self, worker: usize, number: u64, interval: Option<Interval>) {
        let member = &mut self.members[worker];
        if number > member.taken {
            member.taken = number;
            self.intervals.extend(interval.map(|interval| (worker, interval)));
        }
        if member.taken >= member.asked {
            member.owes_since = None;
        }
    }

    fn is_over(&self, round: &Round) -> bool {
        let has_come = |&worker: &usize| {
            let member = &self.members[worker];
            member.is_gone || member.taken >= member.asked
        };
        round.is_over || round.awaited.iter().all(has_come)
    }

    /// Asks for what has been counted since the last time, and waits for all but those that have been silent for long. One
    /// that still owes an answer is not asked again.
    pub(crate) fn ask(&mut self, patience: Duration) {
        let is_free = |member: &Member| member.owes_since.is_none();
        self.ask_those(is_free, patience, HURRY, false);
    }

    /// The same for the last time: also one that comes back meanwhile is to give everything, so one is waited for that
    /// has been silent for less than `patience`.
    pub(crate) fn ask_last(&mut self, patience: Duration) {
        self.ask_those(|_| true, patience, patience, true);
    }

    fn ask_those(
        &mut self,
        is_asked: impl Fn(&Member) -> bool,
        patience: Duration,
        long: Duration,
        is_last: bool,
    ) {
        let now = Instant::now();
        let is_awaited = |&worker: &usize| {
            let is_silent = self.silence(worker, now).is_some_and(|silence| silence >= long);
            !self.members[worker].is_gone && !is_silent
        };
        let awaited = (0..self.count()).filter(is_awaited).collect();
        self.round = Some(Round { awaited, deadline: now + patience, is_over: false });
        self.asked += 1;
        for worker in 0..self.count() {
            let member = &mut self.members[worker];
            if !member.is_gone && is_asked(member) {
                member.asked = self.asked;
                member.owes_since.get_or_insert(now);
                self.workers.tell(worker, Command::Flush { number: self.asked, is_last });
            }
        }
    }

    /// Waits no longer than this for the intervals that are awaited.
    pub(crate) fn hurry(&mut self, patience: Duration) {
        if let Some(round) = &mut self.round {
            round.deadline = round.deadline.min(Instant::now() + patience);
        }
    }

    /// For how long a worker has not answered, if that is long.
    fn silence(&self, worker: usize, now: Instant) -> Option<Duration> {
        let member = &self.members[worker];
        let silence = now.saturating_duration_since(member.owes_since?);
        (!member.is_gone && silence >= HURRY).then_some(silence)
    }

    /// The workers that do not answer, and for how long.
    pub(crate) fn silent(&self) -> Vec<(usize, Duration)> {
        let now = Instant::now();
        (0..self.count()).filter_map(|worker| Some((worker, self.silence(worker, now)?))).collect()
    }

    /// What has come and is not yet handed out.
    pub(super) fn pending(&self) -> &[(usize, Interval)] {
        &self.intervals
    }

    /// Lets all go, and waits for that, but not for one that does not answer.
    pub(crate) async fn end(self) {
        self.workers.end().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::metrics::{Recorder, WorkerHealth};
    use crate::run::workers::LAST_PATIENCE;
    use crate::vu::Event;

    /// Workers that say what they are given to say, each thing so long after the one before, whatever they are told.
    struct Scripted {
        says: VecDeque<(Duration, usize, Notice)>,
        told: Vec<(usize, String)>,
    }

    impl Workers for Scripted {
        fn count(&self) -> usize {
            2
        }

        fn group(&self, _: usize) -> usize {
            0
        }

        fn tell(&mut self, worker: usize, command: Command) {
            self.told.push((worker, format!("{command:?}")));
        }

        async fn next(&mut self) -> (usize, Notice) {
            let Some((after, _, _)) = self.says.front() else { return std::future::pending().await };
            let at = Instant::now() + *after;
            sleep_until(at).await;
            let (_, worker, notice) = self.says.pop_front().unwrap();
            (worker, notice)
        }

        async fn end(self) {}
    }

    fn interval(number: u64, users: u64) -> Notice {
        Notice::Interval { number, interval: Box::new(plain_interval(users)) }
    }

    fn plain_interval(users: u64) -> Interval {
        Interval {
            delta: Recorder::new(1).take(),
            users,
            users_peak: users,
            in_flight: 0,
            interrupted_requests: 0,
            health: WorkerHealth::default(),
            claimed: 0,
            lanes: Vec::new(),
        }
    }

    fn fleet(says: impl IntoIterator<Item = (u64, usize, Notice)>) -> Fleet<Scripted> {
        let says = says.into_iter().map(|(ms, worker, notice)| (Duration::from_millis(ms), worker, notice));
        Fleet::new(Scripted { says: says.collect(), told: Vec::new() })
    }

    fn now(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future);
    }

    /// What the next intervals say of users, and the notices before them.
    async fn users(fleet: &mut Fleet<Scripted>) -> (Vec<(usize, u64)>, Vec<Notice>) {
        let mut notices = Vec::new();
        loop {
            match fleet.next().await {
                Heard::Notice(_, notice) => notices.push(notice),
                Heard::Intervals(intervals) => {
                    let users = intervals.into_iter().map(|(worker, interval)| (worker, interval.users));
                    return (users.collect(), notices);
                }
            }
        }
    }

    #[test]
    fn what_is_said_twice_counts_once() {
        now(async {
            let mut fleet = fleet([
                (0, 1, interval(1, 5)),
                (0, 1, interval(1, 5)),
                (0, 0, interval(1, 3)),
                (0, 0, interval(1, 3)),
                (0, 0, interval(2, 4)),
                (0, 1, interval(2, 6)),
            ]);
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(1, 5), (0, 3)]);
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 4), (1, 6)]);
            let told = &fleet.workers.told;
            assert_eq!(told[1], (1, "Flush { number: 1, is_last: false }".to_owned()));
            assert_eq!(told.len(), 4);
        });
    }

    #[test]
    fn what_is_said_meanwhile_is_heard_in_its_order() {
        now(async {
            let mut fleet = fleet([
                (0, 0, Notice::Event(Event::Abort)),
                (0, 0, interval(1, 3)),
                (0, 1, Notice::Event(Event::NoIterationsLeft { lane: None, allowed: 0 })),
                (0, 1, interval(1, 5)),
                (0, 1, Notice::Event(Event::LimitMet { lane: 0 })),
            ]);
            fleet.ask(PATIENCE);
            let (users, notices) = users(&mut fleet).await;
            assert_eq!(users.len(), 2);
            assert!(
                matches!(
                    notices[..],
                    [
                        Notice::Event(Event::Abort),
                        Notice::Event(Event::NoIterationsLeft { lane: None, allowed: 0 })
                    ]
                ),
                "{notices:?}"
            );
            assert!(matches!(
                fleet.next().await,
                Heard::Notice(1, Notice::Event(Event::LimitMet { lane: 0 }))
            ));
        });
    }

    #[test]
    fn nobody_waits_for_a_worker_that_is_gone() {
        now(async {
            let mut fleet = fleet([(0, 1, Notice::Gone), (0, 0, interval(1, 3)), (0, 0, interval(2, 4))]);
            let begin = Instant::now();
            fleet.ask(PATIENCE);
            let (first, notices) = users(&mut fleet).await;
            assert_eq!(first, [(0, 3)]);
            assert!(matches!(notices[..], [Notice::Gone]), "the driver is told too");
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 4)]);
            assert!(begin.elapsed() < PATIENCE && fleet.silent().is_empty());
        });
    }

    #[test]
    fn a_worker_that_does_not_answer_delays_the_others_once_and_counts_when_it_comes() {
        now(async {
            let mut fleet = fleet([
                (0, 0, interval(1, 3)),
                (650, 0, interval(2, 4)),
                (50, 1, interval(1, 9)),
                (0, 0, interval(3, 5)),
                (0, 1, interval(4, 7)),
                (0, 0, interval(4, 6)),
            ]);
            let begin = Instant::now();
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 3)]);
            assert!(begin.elapsed() >= PATIENCE);
            let silent = fleet.silent();
            assert!(matches!(silent[..], [(1, silence)] if silence >= PATIENCE), "{silent:?}");
            assert_eq!(fleet.first(), Some(0));
            fleet.ask(Duration::from_secs(5));
            assert_eq!(users(&mut fleet).await.0, [(0, 4)], "it is not waited for again");
            fleet.ask(Duration::from_secs(5));
            assert_eq!(fleet.workers.told.len(), 4, "nor asked, while it owes an answer");
            let late = tokio::time::timeout(Duration::from_secs(5), users(&mut fleet)).await.unwrap();
            assert_eq!(
                (late.0, fleet.silent()),
                (vec![(1, 9), (0, 5)], Vec::new()),
                "it counts when it comes"
            );
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(1, 7), (0, 6)]);
        });
    }

    #[test]
    fn a_worker_that_was_lost_counts_when_it_is_back_with_what_it_still_owed() {
        now(async {
            let earlier = Notice::Earlier { interval: Box::new(plain_interval(2)) };
            let mut fleet = fleet([
                (0, 0, interval(1, 3)),
                (0, 1, Notice::Lost),
                (600, 0, interval(2, 4)),
                (0, 1, Notice::Back),
                (0, 1, earlier),
                (0, 1, interval(1, 9)),
                (0, 0, interval(3, 5)),
            ]);
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 3)]);
            fleet.ask(Duration::from_secs(5));
            assert_eq!(users(&mut fleet).await.0, [(0, 4)], "it is not waited for");
            fleet.ask(Duration::from_secs(5));
            let back = users(&mut fleet).await.0;
            assert_eq!(back, [(1, 2), (1, 9), (0, 5)]);
        });
    }

    #[test]
    fn a_worker_whose_interval_has_counted_already_owes_nothing() {
        now(async {
            let mut fleet = fleet([
                (0, 0, interval(1, 3)),
                (0, 1, Notice::Answered { number: 1 }),
                (0, 1, interval(2, 9)),
                (0, 0, interval(2, 4)),
            ]);
            let begin = Instant::now();
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 3)]);
            assert!(begin.elapsed() < PATIENCE && fleet.silent().is_empty());
            fleet.ask(PATIENCE);
            let asked = (1, "Flush { number: 2, is_last: false }".to_owned());
            assert!(fleet.workers.told.contains(&asked), "{:?}", fleet.workers.told);
            assert_eq!(users(&mut fleet).await.0, [(1, 9), (0, 4)]);
        });
    }

    #[test]
    fn the_last_intervals_are_waited_for_also_from_one_that_was_late() {
        now(async {
            let late = [(0, 0, interval(1, 3)), (600, 0, interval(2, 4)), (200, 1, interval(2, 9))];
            let mut fleet = fleet(late);
            fleet.ask(PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 3)]);
            fleet.ask_last(LAST_PATIENCE);
            assert_eq!(users(&mut fleet).await.0, [(0, 4), (1, 9)]);
            fleet.ask_last(LAST_PATIENCE);
            fleet.hurry(HURRY);
            let begin = Instant::now();
            assert_eq!(users(&mut fleet).await.0, []);
            assert!(begin.elapsed() >= HURRY && begin.elapsed() < LAST_PATIENCE);
        });
    }

    #[test]
    fn a_run_that_is_to_end_at_once_does_not_wait_for_one_that_is_silent() {
        now(async {
            let mut fleet = fleet([(0, 0, interval(1, 3)), (100, 0, interval(2, 4))]);
            fleet.ask(Duration::from_millis(20));
            users(&mut fleet).await;
            tokio::time::sleep(HURRY).await;
            assert_eq!(fleet.silent().len(), 1);
            fleet.ask_last(HURRY);
            let round = fleet.round.as_ref().unwrap();
            assert_eq!(round.awaited, [0], "the other one is silent for long");
            assert_eq!(users(&mut fleet).await.0, [(0, 4)]);
        });
    }
}
