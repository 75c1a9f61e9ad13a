//! What is heard of agents, as the driver is told of it: losses and returns, joiners, NATS itself.
//!
//! The other half of `workers`, which has what the driver asks for.

use std::time::Duration;

use tokio::time::Instant;

use super::agents::{Agent, Lost, Parting};
use super::roster::Member;
use super::service::Heard;
use super::workers::{Away, CATCH_UP_WITHIN, Cluster, Slot};
use super::{OnAgentLoss, engage};
use crate::cluster::agent::encoded;
use crate::cluster::protocol::{Health, Word, subjects};
use crate::cluster::wire::IntervalMessage;
use crate::run::Notice;
use crate::script::{Level, Message, Store};
use crate::vu::{Event, Interval};

impl Cluster {
    /// Takes over what the service has heard.
    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Second { agent, message, health } => self.second(agent, *message, *health),
            Heard::Word { agent, word } => self.word(agent, word),
            Heard::Lost { agent, silent_for } => self.lost(agent, silent_for),
            Heard::Back { agent } => self.back(agent),
            Heard::Damaged { agent, reason } => {
                let text = format!("a message of agent '{}' is not understood: {reason}", self.name(agent));
                self.note(Level::Warning, text);
            }
            Heard::NatsAway => self.nats_away(),
            Heard::NatsBack => self.nats_back(),
            Heard::StreamGone => self.stream_gone(),
            Heard::New { member } => self.joined(*member),
        }
    }

    fn second(&mut self, agent: usize, message: IntervalMessage, health: Health) {
        let is_last = health.last.is_some() && health.last == self.last;
        self.agents[agent].has_told(&message, health);
        let workers = self.workers_of(agent);
        let known = message.threads.into_iter().filter(|(thread, _)| *thread < workers.len());
        let intervals = known.map(|(thread, interval)| (workers.start + thread, interval)).collect();
        self.intervals(message.second, is_last, intervals);
        self.look_caught_up();
        if is_last {
            self.give_last(agent);
        }
    }

    fn nats_away(&mut self) {
        let text = "NATS cannot be reached: the load goes on, and agents keep what they count";
        self.note(Level::Warning, text.to_owned());
        match &mut self.away {
            // It goes away again before agents have sent all: what has come waits on.
            Some(away) => away.catch_up_by = None,
            None => self.away = Some(Away::since(Instant::now())),
        }
    }

    fn nats_back(&mut self) {
        let Some(away) = &mut self.away else { return };
        let text = format!(
            "NATS can be reached again after {:.1} s: what agents counted meanwhile is taken over",
            away.since.elapsed().as_secs_f64()
        );
        away.catch_up_by = Some(Instant::now() + CATCH_UP_WITHIN);
        self.note(Level::Info, text);
    }

    fn word(&mut self, agent: usize, word: Word) {
        match word {
            Word::Ready => {
                self.agents[agent].is_ready = true;
                if agent >= self.founders {
                    self.takes_part(agent);
                }
            }
            Word::Done => {
                self.agents[agent].is_done = true;
                self.agents[agent].has_done_its_part();
            }
            Word::Failed(reason) => {
                self.agents[agent].is_done = true;
                self.has_left(agent, Parting::Failed, reason);
            }
            Word::Left { reason, .. } => {
                self.agents[agent].is_done = true;
                self.has_left(agent, Parting::Left, reason);
            }
            Word::Notice { worker, notice } => {
                if self.workers_of(agent).contains(&worker) {
                    self.ready.push_back((worker, *notice));
                }
            }
            Word::Abort { worker, reason } => {
                self.run_state.abort(&reason);
                self.ready.push_back((worker, Notice::Event(Event::Abort)));
            }
            Word::Message { level, text, from } => {
                let text = format!("{}: {text}", self.name(agent));
                (self.messages)(Message { level, text, from });
            }
        }
    }

    /// An agent that has joined has loaded the script. In a run that is resumed that may be long ago: it may be lost since, and
    /// what was dealt to it is not dealt again.
    fn takes_part(&mut self, agent: usize) {
        if self.agents[agent].lost.is_some() {
            return;
        }
        for worker in self.workers_of(agent) {
            self.workers[worker].is_gone = false;
            self.ready.push_back((worker, Notice::Back));
        }
        if !self.is_resumed || !self.is_dealt_to(self.agents[agent].member.first) {
            // It tells of nothing before that.
            self.agents[agent].second = self.run_state.elapsed().as_secs();
            self.deal();
        }
    }

    /// What agents say is kept nowhere any more: they are lost, one by one, with nobody left for their shares.
    fn stream_gone(&mut self) {
        let text = "NATS does not know the run any more, as after a restart without its storage: its agents are lost";
        self.note(Level::Warning, text.to_owned());
        self.workers.iter_mut().for_each(|worker| worker.is_gone = true);
    }

    fn lost(&mut self, agent: usize, silent_for: Duration) {
        self.agents[agent].lost = Some(Lost { at: Instant::now(), silent_for });
        let reason = format!("nothing was heard of it for {:.1} s", silent_for.as_secs_f64());
        self.is_gone(agent, Parting::Lost, reason);
        if self.last.is_some() {
            self.give_up(agent);
        }
    }

    /// An agent has said that it goes. What it has counted counts before its share is dealt: nothing that it has begun is dealt
    /// again.
    pub(super) fn has_left(&mut self, agent: usize, parting: Parting, reason: String) {
        let workers = self.workers_of(agent);
        if let Some(away) = &mut self.away {
            let is_its = |(worker, _): &(usize, Interval)| workers.contains(worker);
            if away.seconds.values().flatten().any(is_its) {
                return away.left.push((agent, parting, reason));
            }
        }
        workers.clone().for_each(|worker| self.give_all(worker));
        if self.agents[agent].lost.is_some() {
            // Its loss is known, and its share dealt.
            self.agents[agent].has_parted(parting);
            self.keep_losses();
            workers.for_each(|worker| self.ready.push_back((worker, Notice::Gone)));
        } else {
            self.is_gone(agent, parting, reason);
        }
    }

    /// The driver waits for the threads of an agent no more, and its share is dealt with as it was asked for.
    fn is_gone(&mut self, agent: usize, parting: Parting, reason: String) {
        let (what, counted) = match parting {
            Parting::Lost => ("is lost", "what it had reported counts"),
            Parting::Failed => ("has left the run", "what it had reported counts"),
            Parting::Left => ("has left the run", "all that it had counted counts"),
        };
        for worker in self.workers_of(agent) {
            self.workers[worker].is_gone = true;
        }
        let policy = match self.parts.on_loss {
            OnAgentLoss::Abort => "the run ends",
            _ if self.workers.iter().all(|worker| worker.is_gone) => "no agent is left",
            OnAgentLoss::Redistribute => "its share goes to the others",
            OnAgentLoss::Continue => "the run goes on without it",
        };
        let name = self.name(agent);
        let text = format!("agent '{name}' {what}: {reason}; {policy}, and {counted}");
        let how = if parting == Parting::Lost { "was lost" } else { "left the run" };
        let abort = format!("agent '{name}' {how} (--on-agent-loss abort)");
        self.note(Level::Warning, text);
        let at = self.run_state.elapsed();
        self.agents[agent].is_gone(at, parting, reason);
        self.keep_losses();
        if self.parts.on_loss == OnAgentLoss::Abort {
            self.ready.push_back((0, Notice::AgentsLost(abort)));
        }
        self.share_again();
        if self.is_resumed && parting == Parting::Lost {
            // What it has told before is told first.
            self.lost_before.push((at.as_secs(), agent, true));
        } else {
            for worker in self.workers_of(agent) {
                let notice = if parting == Parting::Lost { Notice::Lost } else { Notice::Gone };
                self.ready.push_back((worker, notice));
            }
        }
        // Its users wait at no barrier any more.
        let change = encoded(u64::MAX, 0, &Store::lost(agent as u64));
        if let Ok(sealed) = self.parts.key.seal(&change) {
            self.parts.outbox.put(subjects::store(&self.parts.run), sealed);
        }
    }

    fn back(&mut self, agent: usize) {
        let Some(lost) = self.agents[agent].lost.take() else { return };
        let text = format!(
            "agent '{}' is heard again after {:.1} s: what it counted meanwhile is taken over",
            self.name(agent),
            (lost.at.elapsed() + lost.silent_for).as_secs_f64()
        );
        self.note(Level::Info, text);
        let at = self.run_state.elapsed();
        self.agents[agent].is_back(at);
        self.keep_losses();
        for worker in self.workers_of(agent) {
            self.workers[worker].is_gone = false;
        }
        if self.is_resumed {
            self.lost_before.push((at.as_secs(), agent, false));
        } else {
            self.workers_of(agent).for_each(|worker| self.ready.push_back((worker, Notice::Back)));
        }
        self.share_with_one_more();
    }

    /// Somebody takes part in the stead of an agent that is lost.
    fn joined(&mut self, member: Member) {
        let (link, run, key, job) =
            (self.parts.link.clone(), self.parts.run.clone(), self.parts.key.clone(), self.parts.job);
        let all = self.agents[..self.founders].iter().map(|agent| agent.member.process()).collect();
        let text = format!("agent '{}' joins the run", member.hello.name);
        for _ in 0..member.threads {
            self.workers.push(Slot::of(member.number, true));
        }
        let engaged = member.clone();
        let number = member.number;
        if let Some((kept, place)) = &mut self.kept {
            kept.members.push(member.clone());
            // The run goes on also when it could not be resumed with this agent.
            let _ = place.write(kept);
        }
        self.agents.push(Agent::new(member));
        self.note(Level::Info, text);
        // Numbered in the order in which they come; the load is theirs when they have loaded the script.
        self.workers_of(number).for_each(|worker| self.ready.push_back((worker, Notice::Joined)));
        self.workers_of(number).for_each(|worker| self.ready.push_back((worker, Notice::Lost)));
        self.parts.runtime.spawn(async move {
            // One that does not accept never says that it is ready: it has no part. As long as it says hello it is not lost,
            // so the end of the run waits a moment for it.
            let _ = engage(&link, &run, &key, job, &engaged, all, true).await;
        });
    }
}
