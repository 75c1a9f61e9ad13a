//! Agents that are lost: who takes their share, and what is known of them when the run is resumed.
//!
//! Leaves to `hearing` when an agent counts as lost, and to the driver how the load is dealt among those that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::Instant;

use super::OnAgentLoss;
use super::agents::Agent;
use super::workers::Cluster;
use crate::cluster::ClusterError;
use crate::metrics::AgentLoss;
use crate::run::Notice;

impl Cluster {
    /// An agent of a run that is resumed has been lost at these times.
    pub(super) fn was_lost(&mut self, agent: usize, losses: &[AgentLoss], start: Instant) {
        let Some(of) = self.agents.get_mut(agent) else { return };
        let lost = of.was_lost(losses, start);
        for loss in losses {
            self.lost_before.push((loss.at.as_secs(), agent, true));
            self.lost_before.extend(loss.until.map(|until| (until.as_secs(), agent, false)));
        }
        for worker in self.workers_of(agent) {
            self.workers[worker].is_gone = lost;
        }
    }

    /// The driver is to know who was lost, and back again, before this second began.
    pub(super) fn tell_lost_before(&mut self, until: u64) {
        // Stable: who was back in the second in which it was lost is back.
        self.lost_before.sort_by_key(|(second, ..)| *second);
        let later = self.lost_before.partition_point(|(second, ..)| *second < until);
        for (_, agent, is_lost) in self.lost_before.drain(..later).collect::<Vec<_>>() {
            for worker in self.workers_of(agent) {
                self.ready.push_back((worker, if is_lost { Notice::Lost } else { Notice::Back }));
            }
        }
    }

    /// Keeps on disk what is needed to resume the run, in the folder of its results.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, results: &Path) -> Result<(), ClusterError> {
        if let Some(mut kept) = self.parts.kept.take() {
            (kept.losses, kept.parted) = (self.losses(), self.parted());
            let place = kept.write(results)?;
            self.kept = Some((kept, place));
        }
        Ok(())
    }

    fn losses(&self) -> BTreeMap<usize, Vec<AgentLoss>> {
        let agents = self.agents.iter().enumerate();
        agents
            .map(|(agent, of)| (agent, of.losses.clone()))
            .filter(|(_, losses)| !losses.is_empty())
            .collect()
    }

    /// Agents that have said that they do no more.
    fn parted(&self) -> BTreeSet<usize> {
        let agents = self.agents.iter().enumerate();
        agents.filter(|(_, agent)| agent.is_done).map(|(number, _)| number).collect()
    }

    /// Writes down who is lost.
    pub(super) fn keep_losses(&mut self) {
        let (losses, parted) = (self.losses(), self.parted());
        if let Some((kept, place)) = &mut self.kept {
            (kept.losses, kept.parted) = (losses, parted);
            // The run goes on also when it could not be resumed with this.
            let _ = place.write(kept);
        }
    }

    /// Deals the load among the agents that are there, if that was asked for.
    pub(super) fn share_again(&mut self) {
        if self.parts.on_loss == OnAgentLoss::Redistribute {
            self.deal();
        }
    }

    /// An agent is there again: it has its part unless that was dealt to others.
    pub(super) fn share_with_one_more(&mut self) {
        if self.dealt_to.is_some() {
            self.deal();
        }
    }

    /// Deals the load among the agents that are there. What nobody is left for waits for whoever comes.
    pub(super) fn deal(&mut self) {
        let is_there = |worker: &usize| !self.workers[*worker].is_gone;
        let members: Vec<usize> = (0..self.workers.len()).filter(is_there).collect();
        if !members.is_empty() {
            self.dealt_to = Some(members.clone());
            self.ready.push_back((0, Notice::Deal { members }));
        }
    }

    /// Whether a worker has a part of the load, as it was dealt last.
    pub(super) fn is_dealt_to(&self, worker: usize) -> bool {
        self.dealt_to.as_ref().is_none_or(|dealt| dealt.contains(&worker))
    }

    /// Threads of an agent that have a part of the load, which those of a lost one keep when it is not dealt to others.
    pub(super) fn threads_in_use(&self, agent: &Agent) -> usize {
        let is_dealt_to = self.is_dealt_to(agent.member.first);
        let keeps = agent.is_there() || self.parts.on_loss == OnAgentLoss::Continue;
        if agent.is_ready && is_dealt_to && keeps { agent.member.threads } else { 0 }
    }

    /// Nobody waits for the last interval of an agent that is lost.
    pub(super) fn give_up(&mut self, agent: usize) {
        for worker in self.workers_of(agent) {
            self.give(worker);
            self.ready.push_back((worker, Notice::Gone));
        }
    }
}
