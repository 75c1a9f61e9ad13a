//! The `users` executor, Locust's: users are added evenly at the spawn rate and taken away at the same rate.
//!
//! The schedule is a pure function of the user's number. A worker thread follows its own share of it,
//! so nothing is sent when a user starts.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::vu::Worker;

/// When each user starts and stops, as time since the ramp began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ramp {
    /// How many users there are.
    pub(crate) users: u64,
    /// Users per second, above 0.
    pub(crate) rate: f64,
}

impl Ramp {
    /// When user number `index` (from 0) is added; the first at once.
    pub(crate) fn up(&self, index: u64) -> Duration {
        Duration::from_secs_f64(index as f64 / self.rate)
    }

    /// When user number `index` is taken away; the youngest first, at once.
    pub(crate) fn down(&self, index: u64) -> Duration {
        self.up(self.users.saturating_sub(1).saturating_sub(index))
    }

    /// How many users should have been added after `elapsed`.
    pub(crate) fn target(&self, elapsed: Duration) -> u64 {
        // A hair is added so that the user due at exactly this instant counts.
        let due = (elapsed.as_secs_f64() * self.rate + 1e-9).floor() as u64;
        due.saturating_add(1).min(self.users)
    }
}

/// The numbers of the users that live on worker `worker` of `workers`, ascending.
pub(crate) fn share(users: u64, worker: usize, workers: usize) -> impl DoubleEndedIterator<Item = u64> {
    let own = (users + workers as u64 - 1).saturating_sub(worker as u64) / workers as u64;
    (0..own).map(move |k| k * workers as u64 + worker as u64)
}

/// Adds this worker's users, each at its time after `start`.
pub(crate) async fn ramp_up(worker: Rc<Worker>, ramp: Ramp, number: usize, workers: usize, start: Instant) {
    for index in share(ramp.users, number, workers) {
        worker.sleep_until(start + ramp.up(index)).await;
        worker.start_user(index);
    }
}

/// Takes this worker's users away, each at its time after `start`.
pub(crate) async fn ramp_down(worker: Rc<Worker>, ramp: Ramp, number: usize, workers: usize, start: Instant) {
    for index in share(ramp.users, number, workers).rev() {
        worker.sleep_until(start + ramp.down(index)).await;
        worker.stop_user(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_spaced_evenly() {
        let ramp = Ramp { users: 10, rate: 4.0 };
        assert_eq!(ramp.up(0), Duration::ZERO);
        assert_eq!(ramp.up(3), Duration::from_millis(750));
        assert_eq!(ramp.down(9), Duration::ZERO);
        assert_eq!(ramp.down(0), ramp.up(9));
    }

    #[test]
    fn the_target_follows_the_schedule() {
        let ramp = Ramp { users: 5, rate: 2.0 };
        let targets: Vec<u64> = (0..6).map(|half| ramp.target(Duration::from_millis(half * 500))).collect();
        assert_eq!(targets, [1, 2, 3, 4, 5, 5]);
        for index in 0..5 {
            assert_eq!(ramp.target(ramp.up(index)), index + 1, "user {index} is due");
        }
    }

    #[test]
    fn every_user_lives_on_one_worker() {
        for (users, workers) in [(0, 2), (1, 2), (2, 2), (7, 3), (10, 4)] {
            let mut all: Vec<u64> = (0..workers).flat_map(|worker| share(users, worker, workers)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..users).collect::<Vec<_>>(), "{users} users on {workers} workers");
        }
    }
}
