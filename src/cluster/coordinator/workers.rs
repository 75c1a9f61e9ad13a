//! The worker threads of all agents, as the driver knows workers.
//!
//! Invariants: an interval is passed on once, under the number that it was asked for with, those before it in their order; an agent
//! that is lost delays the end of a run no longer than until that is noticed. What agents say is taken over by `hearing`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::OnAgentLoss;
use super::agents::{Agent, Parting};
use super::kept::{Kept, Place};
use super::resumed::Ordered;
use super::roster::Member;
use super::service::Heard;
use crate::cluster::link::{Link, Outbox};
use crate::cluster::protocol::{self, Order, Pulse, subjects};
use crate::cluster::seal::Key;
use crate::data::Blob;
use crate::executor::schedule::Schedule;
use crate::executor::share::{Allowances, Deal};
use crate::metrics::{AgentStats, BlockingStats, Phase};
use crate::run::{Command, Notice, Prepared, Workers};
use crate::script::{Level, MessageSink, RunState};
use crate::vu::Interval;
use crate::{RunError, RunHandle};

/// The load begins so long after the order: all agents have read it by then.
const LEAD: Duration = Duration::from_millis(500);

/// How long the last intervals are waited for: NATS may be away, and nobody is lost then.
const LAST_PATIENCE: Duration = Duration::from_secs(35);

/// How long agents may take to send what they kept while NATS was away.
pub(super) const CATCH_UP_WITHIN: Duration = Duration::from_secs(5);

/// When no agent is left, how long others are waited for.
const OTHERS_WITHIN: Duration = Duration::from_secs(30);

/// How often agents hear how the run goes.
const PULSE_EVERY: Duration = Duration::from_secs(1);

/// How long agents may take to end.
pub(super) const DONE_WITHIN: Duration = Duration::from_secs(3);

/// What the workers stand on.
pub(super) struct Parts {
    pub(super) link: Link,
    pub(super) run: String,
    pub(super) key: Arc<Key>,
    pub(super) outbox: Outbox,
    pub(super) heard: mpsc::UnboundedReceiver<Heard>,
    pub(super) service: JoinHandle<()>,
    pub(super) runtime: Handle,
    pub(super) on_loss: OnAgentLoss,
    pub(super) job: Blob,
    /// What is to be kept on disk.
    pub(super) kept: Option<Kept>,
}

/// What the coordinator's side needs to know of what is run.
#[derive(Clone)]
pub struct Plan {
    pub(super) run_state: Arc<RunState>,
    pub(super) messages: MessageSink,
}

impl Plan {
    /// That of a test that is ready to start.
    pub fn of(prepared: &Prepared) -> Plan {
        let shared = prepared.shared();
        Plan { run_state: shared.run.clone(), messages: shared.messages.clone() }
    }
}

/// See the module's description.
pub struct Cluster {
    pub(super) parts: Parts,
    pub(super) agents: Vec<Agent>,
    /// How many agents the load begins with.
    pub(super) founders: usize,
    /// Workers that the driver has heard of.
    visible: usize,
    pub(super) workers: Vec<Slot>,
    pub(super) run_state: Arc<RunState>,
    pub(super) messages: MessageSink,
    pub(super) ready: VecDeque<(usize, Notice)>,
    /// The workers that the load was dealt to last, if it was dealt anew.
    pub(super) dealt_to: Option<Vec<usize>>,
    /// The last interval was asked for with this number.
    pub(super) last: Option<u64>,
    /// Set while what agents count cannot be heard second by second.
    pub(super) away: Option<Away>,
    /// Seconds until then have been closed: what comes of them changes them.
    closed: Duration,
    /// What the coordinator before has ordered, of a run that is resumed.
    ordered: Ordered,
    /// A coordinator before has begun the run, and what it has heard is not yet told.
    pub(super) is_resumed: bool,
    /// Until then, by second, the agents that were lost in it (true), and those that were back.
    pub(super) lost_before: Vec<(u64, usize, bool)>,
    /// What is on disk about it.
    pub(super) kept: Option<(Kept, Place)>,
    /// How the run goes: said to agents once a second, until this is dropped.
    pulse: watch::Sender<Pulse>,
}

/// What has come since NATS went away, by second.
pub(super) struct Away {
    pub(super) since: Instant,
    /// Agents may send what they have kept; by when that should be done.
    pub(super) catch_up_by: Option<Instant>,
    pub(super) seconds: BTreeMap<u64, Vec<(usize, Interval)>>,
    /// Agents that have left the run after some of them.
    pub(super) left: Vec<(usize, Parting, String)>,
}

impl Away {
    pub(super) fn since(since: Instant) -> Away {
        Away { since, catch_up_by: None, seconds: BTreeMap::new(), left: Vec::new() }
    }
}

/// A worker thread.
#[derive(Default)]
pub(super) struct Slot {
    agent: usize,
    /// When an interval is asked for: the number that it is to be given under, and the second of the load.
    asked: Option<(u64, u64)>,
    /// Intervals that came before they were asked for.
    early: VecDeque<Interval>,
    /// Place of its next delta.
    next: u64,
    pub(super) is_gone: bool,
}

impl Slot {
    /// A worker thread of an agent that is there, or not yet.
    pub(super) fn of(agent: usize, is_gone: bool) -> Slot {
        Slot { agent, is_gone, ..Slot::default() }
    }
}

impl Cluster {
    /// Starts the run that the agents have loaded.
    ///
    /// # Errors
    /// As [`Prepared::start`].
    pub async fn start(self, prepared: Prepared) -> Result<RunHandle, RunError> {
        prepared.start_on_workers(self).await
    }

    pub(super) fn new(parts: Parts, members: Vec<Member>, plan: Plan) -> Cluster {
        let slots =
            members.iter().flat_map(|member| (0..member.threads).map(|_| Slot::of(member.number, false)));
        let Plan { run_state, messages } = plan;
        let (pulse, pulses) = watch::channel(Pulse { users: 0, rate: 0.0, phase: Phase::Starting });
        parts.runtime.spawn(say_pulses(parts.link.clone(), parts.run.clone(), parts.key.clone(), pulses));
        Cluster {
            pulse,
            workers: slots.collect(),
            founders: members.len(),
            visible: members.iter().map(|member| member.threads).sum(),
            agents: members.into_iter().map(Agent::new).collect(),
            run_state,
            messages,
            parts,
            ready: VecDeque::new(),
            dealt_to: None,
            last: None,
            away: None,
            closed: Duration::ZERO,
            ordered: Ordered::default(),
            is_resumed: false,
            lost_before: Vec::new(),
            kept: None,
        }
    }

    /// Goes on with what a coordinator before has begun: the stream has all that agents have said, from the beginning.
    pub(super) fn resume(mut self, ordered: Ordered, kept: Kept, place: Place) -> Cluster {
        self.founders = kept.founders;
        let catch_up_by = Some(Instant::now() + CATCH_UP_WITHIN);
        self.away = ordered.start().map(|since| Away { catch_up_by, ..Away::since(since) });
        for agent in self.founders..self.agents.len() {
            self.workers_of(agent).for_each(|worker| self.ready.push_back((worker, Notice::Joined)));
        }
        self.visible = self.agents[..self.founders].iter().map(|agent| agent.member.threads).sum();
        if let Some(start) = ordered.start() {
            for (&agent, losses) in &kept.losses {
                self.was_lost(agent, losses, start);
            }
        }
        self.note(
            Level::Info,
            "the coordinator was started again, and has taken over what agents have sent".to_owned(),
        );
        self.dealt_to = ordered
            .deals()
            .last()
            .map(|deal| deal.members.iter().flat_map(|process| process.workers()).collect());
        self.ordered = ordered;
        self.is_resumed = self.away.is_some();
        self.kept = Some((kept, place));
        self
    }

    pub(super) fn order(&self, order: &Order) {
        if let Ok(sealed) = self.parts.key.seal(&protocol::json(order)) {
            self.parts.outbox.put(subjects::orders(&self.parts.run), sealed);
        }
    }

    pub(super) fn workers_of(&self, agent: usize) -> std::ops::Range<usize> {
        self.agents[agent].member.process().workers()
    }

    pub(super) fn note(&mut self, level: Level, text: String) {
        self.ready.push_back((0, Notice::Note { level, text }));
    }

    pub(super) fn name(&self, agent: usize) -> &str {
        &self.agents[agent].member.hello.name
    }

    /// What the threads of an agent have counted in a second has come, or since the last second when that is `last`. It is given
    /// when it is asked for, earlier ones before it; of a second that has been closed, at once.
    pub(super) fn intervals(&mut self, second: u64, is_last: bool, intervals: Vec<(usize, Interval)>) {
        let is_late = !is_last && Duration::from_secs(second) <= self.closed;
        let mut late = Vec::new();
        for (worker, mut interval) in intervals {
            let slot = &mut self.workers[worker];
            // An interval that was never sent leaves no gap that others would wait for.
            interval.delta.renumber(slot.next);
            slot.next += 1;
            if let Some(away) = self.away.as_mut().filter(|_| self.last.is_none()) {
                away.seconds.entry(second).or_default().push((worker, interval));
            } else if is_late {
                late.push((worker, interval));
            } else {
                slot.early.push_back(interval);
                if self.last.is_none() {
                    self.give(worker);
                }
            }
        }
        if !late.is_empty() {
            let workers: Vec<usize> = late.iter().map(|(worker, _)| *worker).collect();
            self.ready.push_back((0, Notice::Past { second, intervals: late }));
            workers.into_iter().for_each(|worker| self.has_answered(worker, second));
        }
    }

    /// What was asked for has been given in another way, if it was of a second up to this one.
    fn has_answered(&mut self, worker: usize, second: u64) {
        let asked = &mut self.workers[worker].asked;
        if let Some((number, _)) = asked.take_if(|(_, of)| *of <= second && self.last.is_none()) {
            self.ready.push_back((worker, Notice::Answered { number }));
        }
    }

    /// Gives all that a worker has counted, whether it is asked for or not: nobody asks any more.
    pub(super) fn give_all(&mut self, worker: usize) {
        self.give(worker);
        for interval in std::mem::take(&mut self.workers[worker].early) {
            self.ready.push_back((worker, Notice::Earlier { interval: Box::new(interval) }));
        }
    }

    /// Gives what a worker has counted, if that is asked for.
    pub(super) fn give(&mut self, worker: usize) {
        let slot = &mut self.workers[worker];
        let Some((number, _)) = slot.asked.filter(|_| !slot.early.is_empty()) else { return };
        slot.asked = None;
        while let Some(interval) = slot.early.pop_front() {
            let interval = Box::new(interval);
            let notice = if slot.early.is_empty() {
                Notice::Interval { number, interval }
            } else {
                Notice::Earlier { interval }
            };
            self.ready.push_back((worker, notice));
        }
    }

    /// An agent has sent its last interval.
    pub(super) fn give_last(&mut self, agent: usize) {
        self.agents[agent].has_done_its_part();
        for worker in self.workers_of(agent) {
            self.give(worker);
        }
    }

    /// By when agents should have sent what they kept, once that is known.
    fn catch_up_by(&self) -> Option<Instant> {
        self.away.as_ref().and_then(|away| away.catch_up_by).filter(|_| self.run_state.started().is_some())
    }

    /// When all agents have sent what they kept, it counts, second by second.
    pub(super) fn look_caught_up(&mut self) {
        // Before the load has begun here, as in a run that is resumed, nobody takes it.
        let Some(until) = self.catch_up_by() else { return };
        let now = self.run_state.elapsed().as_secs();
        let is_behind = |agent: &Agent| agent.lost.is_none() && !agent.is_done && agent.second + 1 < now;
        if self.agents.iter().any(is_behind) && Instant::now() < until && self.last.is_none() {
            return;
        }
        let Some(away) = self.away.take() else { return };
        for (second, intervals) in away.seconds {
            self.tell_lost_before(second);
            let workers: Vec<usize> = intervals.iter().map(|(worker, _)| *worker).collect();
            self.ready.push_back((0, Notice::Past { second, intervals }));
            workers.into_iter().for_each(|worker| self.has_answered(worker, second));
        }
        if std::mem::take(&mut self.is_resumed) {
            self.tell_lost_before(u64::MAX);
            // It may have been killed before it could deal the share of one that was lost.
            if (0..self.workers.len()).any(|worker| self.workers[worker].is_gone && self.is_dealt_to(worker))
            {
                self.share_again();
            }
        }
        for (agent, parting, reason) in away.left {
            self.has_left(agent, parting, reason);
        }
    }
}

/// Says how the run goes, which is a sign of life too, before the load and after it as well.
async fn say_pulses(link: Link, run: String, key: Arc<Key>, pulses: watch::Receiver<Pulse>) {
    while pulses.has_changed().is_ok() {
        let pulse = protocol::json(&*pulses.borrow());
        if let Ok(sealed) = key.seal(&pulse) {
            link.say(subjects::pulse(&run), sealed).await;
        }
        tokio::time::sleep(PULSE_EVERY).await;
    }
}

impl Workers for Cluster {
    fn count(&self) -> usize {
        self.visible
    }

    fn group(&self, worker: usize) -> usize {
        self.workers[worker].agent
    }

    fn tell(&mut self, worker: usize, command: Command) {
        if self.ordered.knows(&command) {
            return;
        }
        match command {
            Command::Flush { number, is_last: false } => {
                self.workers[worker].asked = Some((number, self.run_state.elapsed().as_secs()));
                self.give(worker);
            }
            Command::Flush { number, is_last: true } => {
                self.workers[worker].asked = Some((number, u64::MAX));
                if self.last != Some(number) {
                    self.last = Some(number);
                    self.look_caught_up();
                    self.order(&Order::Last { number });
                    for agent in 0..self.agents.len() {
                        if self.agents[agent].lost.is_some() {
                            self.give_up(agent);
                        }
                    }
                }
            }
            command => self.order(&Order::Tell { to: Some(worker), command: Box::new(command) }),
        }
    }

    fn tell_all(&mut self, command: Command) {
        if self.ordered.knows(&command) {
            return;
        }
        let order = match command {
            Command::Start { data } => {
                let start = self.run_state.started().unwrap_or_else(std::time::Instant::now);
                let ahead = start.saturating_duration_since(std::time::Instant::now());
                let at = SystemTime::now() + ahead - start.elapsed();
                let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Order::Start { at: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), data }
            }
            command => Order::Tell { to: None, command: Box::new(command) },
        };
        self.order(&order);
    }

    async fn next(&mut self) -> (usize, Notice) {
        loop {
            if let Some(notice) = self.ready.pop_front() {
                if matches!(notice.1, Notice::Joined) {
                    self.visible += 1;
                }
                return notice;
            }
            let catch_up_by = self.catch_up_by();
            let caught_up = async {
                match catch_up_by {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = self.parts.heard.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => std::future::pending().await,
                },
                () = caught_up => self.look_caught_up(),
            }
        }
    }

    fn next_start(&self) -> Instant {
        self.ordered.start().unwrap_or_else(|| Instant::now() + LEAD)
    }

    fn deals(&self) -> Vec<Arc<Deal>> {
        self.ordered.deals().to_vec()
    }

    fn allowances(&self) -> Option<Arc<Allowances>> {
        self.ordered.allowances()
    }

    fn schedules(&self) -> Vec<(usize, Arc<Schedule>)> {
        self.ordered.schedules()
    }

    fn are_away(&self) -> bool {
        self.away.is_some()
    }

    fn last_patience(&self) -> Duration {
        LAST_PATIENCE
    }

    fn others_within(&self) -> Option<Duration> {
        Some(OTHERS_WITHIN)
    }

    fn tells_silence(&self) -> bool {
        true
    }

    fn agents(&self) -> Vec<AgentStats> {
        let in_use = |agent: &Agent| self.threads_in_use(agent);
        let of_all = self.agents.iter().map(in_use).sum();
        self.agents.iter().map(|agent| agent.stats(in_use(agent), of_all)).collect()
    }

    fn told_until(&self) -> u64 {
        let may_tell = self.agents.iter().filter(|agent| agent.is_ready && !agent.is_done);
        may_tell.map(|agent| agent.second).min().unwrap_or(u64::MAX)
    }

    fn blocking(&self, all: &mut BlockingStats) {
        let have_any = self.agents.iter().filter(|agent| agent.blocking != BlockingStats::default());
        have_any.for_each(|agent| all.add_agent(&agent.member.hello.name.as_str().into(), &agent.blocking));
    }

    fn publish(&mut self, closed: Duration, users: u64, rate: f64, phase: Phase) {
        self.closed = closed;
        self.pulse.send_replace(Pulse { users, rate, phase });
    }

    async fn end(mut self) {
        self.order(&Order::End);
        let deadline = Instant::now() + DONE_WITHIN;
        while self.agents.iter().any(|agent| !agent.is_done && agent.lost.is_none()) {
            match tokio::time::timeout_at(deadline, self.parts.heard.recv()).await {
                Ok(Some(heard)) => self.hear(heard),
                Ok(None) | Err(_) => break,
            }
        }
        self.parts.service.abort();
        if let Some((_, place)) = &self.kept {
            place.forget();
        }
        let (link, run) = (self.parts.link.clone(), self.parts.run.clone());
        // It has a time limit of its own.
        let _ = self.parts.runtime.spawn(async move { link.delete_stream(&run).await }).await;
    }
}
