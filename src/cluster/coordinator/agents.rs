//! What the coordinator knows of an agent in a run.

use std::time::Duration;

use tokio::time::Instant;

use super::roster::Member;
use crate::cluster::protocol::Health;
use crate::cluster::wire::IntervalMessage;
use crate::metrics::{AgentLoss, AgentState, AgentStats, BlockingStats};
use crate::vu::Interval;

/// See the module's description.
pub(super) struct Agent {
    pub(super) member: Member,
    pub(super) is_ready: bool,
    pub(super) is_done: bool,
    pub(super) lost: Option<Lost>,
    health: Option<Health>,
    /// What kept its threads from their users.
    pub(super) blocking: BlockingStats,
    users: u64,
    users_max: u64,
    requests: u64,
    intervals: u64,
    dropped: u64,
    /// The last second of which it has told.
    pub(super) second: u64,
    state: AgentState,
    pub(super) losses: Vec<AgentLoss>,
}

/// How an agent goes before the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// It is not heard any more.
    Lost,
    /// It cannot go on.
    Failed,
    /// It was told to, and has told of all that it had counted.
    Left,
}

/// An agent that is not heard.
pub(super) struct Lost {
    pub(super) at: Instant,
    pub(super) silent_for: Duration,
}

impl Agent {
    pub(super) fn new(member: Member) -> Agent {
        Agent {
            member,
            is_ready: false,
            is_done: false,
            lost: None,
            health: None,
            blocking: BlockingStats::default(),
            users: 0,
            users_max: 0,
            requests: 0,
            intervals: 0,
            dropped: 0,
            second: 0,
            state: AgentState::Running,
            losses: Vec::new(),
        }
    }

    /// It has told of a second.
    pub(super) fn has_told(&mut self, message: &IntervalMessage, mut health: Health) {
        if let Some(blocking) = health.blocking.take() {
            self.blocking = blocking;
        }
        let sum = |figure: fn(&Interval) -> u64| -> u64 {
            message.threads.iter().map(|(_, interval)| figure(interval)).sum()
        };
        self.intervals += 1;
        self.dropped = message.dropped;
        self.users = sum(|interval| interval.users);
        self.users_max = self.users_max.max(sum(|interval| interval.users_peak)).max(self.users);
        self.requests += sum(|interval| interval.delta.requests());
        self.second = self.second.max(message.second);
        self.health = Some(health);
    }

    /// It takes part no more, or not for the moment. One that has done its part cannot be missed.
    pub(super) fn is_gone(&mut self, at: Duration, parting: Parting, reason: String) {
        self.users = 0;
        if self.state == AgentState::Done {
            return;
        }
        self.has_parted(parting);
        if self.losses.len() == AgentStats::MOST_LOSSES {
            self.losses.remove(0);
        }
        self.losses.push(AgentLoss { at, reason, until: None });
    }

    /// It was lost at these times, in a run whose load began at `start`; whether it still is.
    pub(super) fn was_lost(&mut self, losses: &[AgentLoss], start: Instant) -> bool {
        self.losses = losses.to_vec();
        let last = losses.last().filter(|loss| loss.until.is_none());
        self.lost = last.map(|loss| Lost { at: start + loss.at, silent_for: Duration::ZERO });
        if self.lost.is_some() {
            self.state = AgentState::Lost;
        }
        self.lost.is_some()
    }

    /// It takes part no more, which is known already.
    pub(super) fn has_parted(&mut self, parting: Parting) {
        self.state = if parting == Parting::Left { AgentState::Left } else { AgentState::Lost };
    }

    pub(super) fn is_back(&mut self, at: Duration) {
        if self.state == AgentState::Lost {
            self.state = AgentState::Running;
        }
        if let Some(loss) = self.losses.last_mut() {
            loss.until.get_or_insert(at);
        }
    }

    /// It has told of all that it has counted.
    pub(super) fn has_done_its_part(&mut self) {
        if self.state == AgentState::Running {
            self.state = AgentState::Done;
        }
    }

    /// Whether it takes part, or has done its part.
    pub(super) fn is_there(&self) -> bool {
        self.state.is_there()
    }

    /// Its figures; `in_use` threads, of `of_all`, are its own.
    pub(super) fn stats(&self, in_use: usize, of_all: usize) -> AgentStats {
        let health = self.health.as_ref();
        AgentStats {
            name: self.member.hello.name.clone(),
            threads: self.member.threads,
            share: in_use as f64 / of_all.max(1) as f64,
            users: self.users,
            users_max: self.users_max,
            requests: self.requests,
            intervals: self.intervals,
            dropped_intervals: self.dropped,
            clock_offset_us: health.map(|health| health.clock_us),
            clock_within_us: health.map(|health| health.clock_within_us),
            generator: health.map(|health| health.generator.clone()),
            state: self.state,
            losses: self.losses.clone(),
        }
    }
}
