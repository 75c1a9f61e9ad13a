//! What the driver does when its workers are those of several processes: they join, are lost, and tell of seconds late.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::dealing::{Dealing, Look, Of, Standing, Users};
use crate::metrics::AgentStats;
use crate::plan::{DEFAULT_MAX_DURATION, EndedBy};
use crate::run::lanes::Lanes;
use crate::run::workers::{Command, Workers};
use crate::script::Level;
use crate::text::{format_count, format_duration};
use crate::vu::Interval;

/// How long before an iteration of a rate is due it has to be known who takes it.
const DEALT_AHEAD: Duration = Duration::from_secs(1);

/// No worker is left.
pub(super) struct Nobody {
    since: Duration,
    /// Others are waited for until then.
    until: Duration,
}

impl<W: Workers> Driver<W> {
    /// A worker is gone, or lost for the moment.
    pub(super) fn absent(&mut self, worker: usize) {
        self.figures.left(worker);
        self.look_who_is_left();
        self.load.lanes.worker_gone(worker, self.load.now());
        self.look_at_iterations();
    }

    /// When no worker is left, whoever may take the load up is waited for. A search for the capacity would take the time without
    /// load for an answer: it ends.
    pub(super) fn look_who_is_left(&mut self) {
        let now = self.load.now();
        if !self.fleet.are_all_absent() {
            if self.nobody.is_some() && !self.load.lanes.have_load_left(now) {
                return self.nobody_came();
            }
            if self.nobody.take().is_some() {
                self.load.lanes.hold(false);
            }
            return;
        }
        let Some(patience) = self.fleet.workers().others_within() else { return };
        if self.nobody.is_some() || self.ended_by.is_some() || !self.load.lanes.have_load_left(now) {
            return;
        }
        let patience = if self.capacity.is_some() { Duration::ZERO } else { patience };
        self.load.lanes.hold(true);
        self.nobody = Some(Nobody { since: now, until: now + patience });
        if !patience.is_zero() {
            let is_short = self.nobody_until() < Some(now + patience);
            let when = if is_short {
                "until it ends".to_owned()
            } else {
                format!("within {}", format_duration(patience))
            };
            let text = format!("no agent is left: another one can take up the load {when}");
            self.mark(text.clone());
            self.say(Level::Warning, text);
        }
    }

    /// Until when others are waited for, while nobody is left: after the end of the load there is nothing to take up.
    pub(super) fn nobody_until(&self) -> Option<Duration> {
        let until = self.nobody.as_ref()?.until;
        Some(self.load.lanes.load_ends().map_or(until, |end| until.min(end)))
    }

    /// Nobody has taken up the load in time, or it is to end anyway.
    pub(super) fn nobody_came(&mut self) {
        let Some(Nobody { since, .. }) = self.nobody.take() else { return };
        let planned = self.shared.plan.run_time.map(|time| format!(" of {}", format_duration(time)));
        let reason = format!(
            "no agent was left after {:.1} s{}, and no other took up the load",
            since.as_secs_f64(),
            planned.unwrap_or_default()
        );
        self.end(EndedBy::AgentsLost(reason));
        self.load.lanes.hold(false);
        self.load.lanes.give_up_all(self.load.now());
    }

    /// A worker has joined; it takes part when it is dealt a part.
    pub(super) fn joined(&mut self, worker: usize) {
        self.dealing.join(self.fleet.group(worker));
        self.figures.join();
        self.load.lanes.join(worker);
    }

    /// Deals the load to these workers from now on; the iterations of a rate from a moment on by which all know it.
    pub(super) fn deal(&mut self, members: Vec<usize>) {
        // Who is lost may have told of more than was looked at: what it has begun is not to be dealt again.
        count(&mut self.load.lanes, &mut self.dealing, self.fleet.pending());
        let (now, lanes) = (self.load.now(), &mut self.load.lanes);
        let deal = self.dealing.deal(members, |lane| lanes.due_before(lane, now + DEALT_AHEAD));
        self.fleet.tell_all(Command::Share(Arc::new(deal)));
        let changes = self.load.lanes.look_again();
        self.follow(changes);
    }

    /// Deals what is left of numbers of iterations to those that can take more. When none is left, a lane ends, or the load.
    pub(super) fn look_at_iterations(&mut self) {
        if self.load.iterations_done || self.nobody.is_some() {
            return;
        }
        let (fleet, lanes) = (&self.fleet, &self.load.lanes);
        let Look { allowances, done } = self.dealing.look(|of, process| {
            let there = process.workers().filter(|&one| !fleet.is_absent(one));
            let mut working = there.clone().filter(|&worker| lanes.may_have_users(of, worker)).peekable();
            match (there.count(), working.peek()) {
                (0, _) => Standing::Gone,
                (_, None) => Standing::Idle,
                _ => Standing::Users(working.map(|worker| lanes.users_of(of, worker)).sum()),
            }
        });
        if let Some(allowances) = allowances {
            self.fleet.tell_all(Command::Allow(Arc::new(allowances)));
        }
        for of in done {
            match of {
                Some(lane) => self.fleet.tell_all(Command::NoMore { lane }),
                None => self.iterations_are_done(),
            }
        }
    }

    /// The machines of the workers, with the part of the load that was dealt to each: of its users, or where a rate decides how
    /// many there are, of the threads that take turns.
    pub(super) fn agents(&mut self) -> Vec<AgentStats> {
        let mut agents = self.fleet.workers().agents();
        if agents.is_empty() {
            return agents;
        }
        let lanes = self.load.lanes.planned_users().into_iter().map(|(lane, users, stay)| {
            let first_turn = self.shared.plan.lanes[lane].first_turn();
            Users { first_turn, users, stay }
        });
        if let Some(shares) = self.dealing.shares(lanes.collect()) {
            // One that has joined and is not heard of yet has nothing.
            let shares = shares.iter().copied().chain(std::iter::repeat(0.0));
            agents.iter_mut().zip(shares).for_each(|(agent, share)| agent.share = share);
        }
        agents
    }

    /// The last iteration of the run's number has been begun.
    fn iterations_are_done(&mut self) {
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
        count(&mut self.load.lanes, &mut self.dealing, intervals);
    }

    /// What was never begun of numbers of iterations because there was nobody to begin it, a sentence each.
    pub(super) fn never_begun(&self) -> Vec<String> {
        if self.stops > 0 {
            return Vec::new();
        }
        let mut all: Vec<(Of, u64, u64)> = Vec::new();
        let is_done = self.load.iterations_done;
        if !is_done {
            let of_lanes = self.load.lanes.never_begun().into_iter();
            all.extend(of_lanes.map(|(lane, left, total)| (Some(lane), left, total)));
        }
        if let Some(total) = self.shared.plan.iterations
            && (is_done || self.ended_by == Some(EndedBy::UsersGone))
        {
            all.push((None, self.dealing.left_of_run(), total));
        }
        let sentence = |(of, left, total): (Of, u64, u64)| {
            let name = of.map(|lane| format!("scenario '{}': ", self.load.lanes.name(lane)));
            let why = if self.dealing.is_done(of) {
                "they were the share of agents that are lost or have left"
            } else {
                "no user was left to start them"
            };
            let (name, left, total) = (name.unwrap_or_default(), format_count(left), format_count(total));
            format!("{name}{left} of the {total} iterations were not started: {why}")
        };
        all.into_iter().filter(|(_, left, _)| *left > 0).map(sentence).collect()
    }
}

fn count(lanes: &mut Lanes, dealing: &mut Dealing, intervals: &[(usize, Interval)]) {
    for (worker, interval) in intervals {
        lanes.count(*worker, &interval.lanes);
        dealing.taken(None, *worker, interval.claimed);
        for count in &interval.lanes {
            dealing.taken(Some(count.lane), *worker, count.taken);
        }
    }
}
