//! What the driver does when its workers are those of several processes: they join, are lost, and tell of seconds late.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use crate::plan::{DEFAULT_MAX_DURATION, EndedBy};
use crate::run::workers::{Command, Workers};
use crate::vu::Interval;

/// How long before an iteration of a rate is due it has to be known who takes it.
const DEALT_AHEAD: Duration = Duration::from_secs(1);

impl<W: Workers> Driver<W> {
    /// A worker has joined; it takes part when it is dealt a part.
    pub(super) fn joined(&mut self, worker: usize) {
        self.dealing.join(self.fleet.group(worker));
        self.figures.join();
        self.load.lanes.join(worker);
    }

    /// Deals the load to these workers from now on; the iterations of a rate from a moment on by which all know it.
    pub(super) fn deal(&mut self, members: Vec<usize>) {
        let (now, lanes) = (self.load.now(), &mut self.load.lanes);
        let taken: Vec<Vec<u64>> = lanes.taken();
        let taken = |lane: usize, worker: usize| taken[lane].get(worker).copied().unwrap_or(0);
        let deal = self.dealing.deal(members, |lane| lanes.due_before(lane, now + DEALT_AHEAD), taken);
        self.fleet.tell_all(Command::Share(Arc::new(deal)));
        let changes = self.load.lanes.look_again();
        self.follow(changes);
    }

    /// Ends the load when no iteration of the run's number is left.
    pub(super) fn look_at_iterations(&mut self) {
        let fleet = &self.fleet;
        if self.load.iterations_done || !self.dealing.are_iterations_done(|worker| fleet.is_gone(worker)) {
            return;
        }
        let now = self.load.now();
        self.end(EndedBy::Iterations);
        self.load.iterations_done = true;
        self.load.last_iterations = Some(now + DEFAULT_MAX_DURATION);
        self.load.lanes.end(now);
        self.fleet.tell_all(Command::Finish);
    }

    /// A second that is told of late. One that has been closed already is changed, as far as it is kept.
    pub(super) fn past(&mut self, second: u64, intervals: Vec<(usize, Interval)>) {
        let (at, now) = (Duration::from_secs(second), self.load.now());
        if at > self.figures.closed_at() && at <= now {
            self.tick_at(at, intervals, false);
        } else {
            self.count(&intervals);
            self.figures.take_late(second, intervals, now);
        }
    }

    /// What workers say of their lanes and of the run's number of iterations.
    pub(super) fn count(&mut self, intervals: &[(usize, Interval)]) {
        for (worker, interval) in intervals {
            self.load.lanes.count(*worker, &interval.lanes);
            self.dealing.claimed(*worker, interval.claimed);
        }
    }
}
