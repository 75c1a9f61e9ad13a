//! The workers as the driver deals with them: one or all are told, and their intervals are asked for together.
//!
//! Invariants: each interval is taken once, whatever is said twice; what is said while intervals are awaited is kept,
//! in its order; nobody waits for a worker that is gone.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::executor::hand_out::LaneCommon;
use crate::run::workers::{Command, Notice, Workers};
use crate::vu::Interval;

/// See the module's description.
pub(super) struct Fleet<W> {
    workers: W,
    /// What was said while intervals were awaited.
    waiting: VecDeque<(usize, Notice)>,
    /// By worker, whether it is gone, and the number of its last interval.
    gone: Vec<bool>,
    taken: Vec<u64>,
    /// The last number that intervals were asked for with.
    asked: u64,
}

impl<W: Workers> Fleet<W> {
    pub(super) fn new(workers: W) -> Fleet<W> {
        let count = workers.count();
        Fleet { workers, waiting: VecDeque::new(), gone: vec![false; count], taken: vec![0; count], asked: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.gone.len()
    }

    pub(super) fn lanes(&self) -> &[Arc<LaneCommon>] {
        self.workers.lanes()
    }

    pub(super) async fn tell(&self, worker: usize, command: Command) {
        self.workers.tell(worker, command).await;
    }

    pub(super) async fn tell_all(&self, command: Command) {
        for worker in 0..self.count() {
            self.tell(worker, command.clone()).await;
        }
    }

    /// What is said next, and by whom. Can be dropped without losing anything.
    pub(super) async fn next(&mut self) -> (usize, Notice) {
        match self.waiting.pop_front() {
            Some(notice) => notice,
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> (usize, Notice) {
        let (worker, notice) = self.workers.next().await;
        self.gone[worker] |= matches!(notice, Notice::Gone);
        (worker, notice)
    }

    /// Asks all for what they have counted since the last time, and waits until each has said it.
    pub(super) async fn intervals(&mut self) -> Vec<(usize, Interval)> {
        self.asked += 1;
        self.tell_all(Command::Flush { number: self.asked }).await;
        let mut intervals = Vec::with_capacity(self.count());
        while (0..self.count()).any(|worker| !self.gone[worker] && self.taken[worker] < self.asked) {
            match self.receive().await {
                (worker, Notice::Interval { number, interval }) => {
                    if number > self.taken[worker] {
                        self.taken[worker] = number;
                        intervals.push((worker, *interval));
                    }
                }
                other => self.waiting.push_back(other),
            }
        }
        intervals
    }

    /// Lets all go, and waits for that.
    pub(super) fn end(self) {
        self.workers.end();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::metrics::{Recorder, WorkerHealth};
    use crate::vu::Event;

    /// Workers that say what they are given to say, whatever they are told.
    struct Scripted {
        says: VecDeque<(usize, Notice)>,
        told: RefCell<Vec<(usize, String)>>,
    }

    impl Workers for Scripted {
        fn count(&self) -> usize {
            2
        }

        fn lanes(&self) -> &[Arc<LaneCommon>] {
            &[]
        }

        async fn tell(&self, worker: usize, command: Command) {
            self.told.borrow_mut().push((worker, format!("{command:?}")));
        }

        async fn next(&mut self) -> (usize, Notice) {
            self.says.pop_front().expect("nobody waits for what is not said")
        }

        fn end(self) {}
    }

    fn interval(number: u64, users: u64) -> Notice {
        let interval = Interval {
            delta: Recorder::new(1).take(),
            users,
            users_peak: users,
            in_flight: 0,
            interrupted_requests: 0,
            health: WorkerHealth::default(),
        };
        Notice::Interval { number, interval: Box::new(interval) }
    }

    fn fleet(says: impl IntoIterator<Item = (usize, Notice)>) -> Fleet<Scripted> {
        Fleet::new(Scripted { says: says.into_iter().collect(), told: RefCell::default() })
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn users(intervals: Vec<(usize, Interval)>) -> Vec<(usize, u64)> {
        intervals.into_iter().map(|(worker, interval)| (worker, interval.users)).collect()
    }

    #[test]
    fn what_is_said_twice_counts_once() {
        let mut fleet = fleet([
            (1, interval(1, 5)),
            (1, interval(1, 5)),
            (0, interval(1, 3)),
            (0, interval(1, 3)),
            (0, interval(2, 4)),
            (1, interval(2, 6)),
        ]);
        assert_eq!(users(now(fleet.intervals())), [(1, 5), (0, 3)]);
        assert_eq!(users(now(fleet.intervals())), [(0, 4), (1, 6)]);
        let told = fleet.workers.told.borrow();
        assert_eq!(told[1], (1, "Flush { number: 1 }".to_owned()));
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn what_is_said_meanwhile_is_kept_in_its_order() {
        let mut fleet = fleet([
            (0, Notice::Event(Event::Abort)),
            (0, interval(1, 3)),
            (1, Notice::Event(Event::NoIterationsLeft)),
            (1, interval(1, 5)),
            (1, Notice::Event(Event::LimitMet { lane: 0 })),
        ]);
        assert_eq!(now(fleet.intervals()).len(), 2);
        let mut next = || match now(fleet.next()) {
            (_, Notice::Event(event)) => event,
            _ => panic!("not an event"),
        };
        assert_eq!(
            [next(), next(), next()],
            [Event::Abort, Event::NoIterationsLeft, Event::LimitMet { lane: 0 }]
        );
    }

    #[test]
    fn nobody_waits_for_a_worker_that_is_gone() {
        let mut fleet = fleet([(1, Notice::Gone), (0, interval(1, 3)), (0, interval(2, 4))]);
        assert_eq!(users(now(fleet.intervals())), [(0, 3)]);
        assert!(matches!(now(fleet.next()), (1, Notice::Gone)), "the driver is told too");
        assert_eq!(users(now(fleet.intervals())), [(0, 4)]);
    }
}
