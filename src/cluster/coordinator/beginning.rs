//! Before the load: agents load the script, or the run is called off.

use std::time::Duration;

use tokio::time::Instant;

use super::agents::Agent;
use super::service::Heard;
use super::workers::{Cluster, DONE_WITHIN};
use crate::cluster::ClusterError;
use crate::cluster::protocol::{Order, Word};

/// How long agents may take to load the script.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Cluster {
    /// Waits until all agents have loaded the script.
    pub(super) fn wait_until_ready(&mut self, mut waiting: impl FnMut() -> bool) -> Result<(), ClusterError> {
        let deadline = std::time::Instant::now() + READY_WITHIN;
        while let Some(agent) = self.agents.iter().find(|agent| !agent.is_ready) {
            let failed = |reason: &str| ClusterError::Agent {
                agent: agent.member.hello.name.clone(),
                reason: reason.to_owned(),
            };
            if std::time::Instant::now() >= deadline {
                return Err(failed("it has not loaded the script within a minute"));
            }
            if !waiting() {
                return Err(ClusterError::Run("stopped while agents loaded the script".to_owned()));
            }
            match self.parts.heard.try_recv() {
                Ok(Heard::Word { agent, word: Word::Failed(reason) | Word::Left { reason, .. } }) => {
                    self.agents[agent].is_done = true;
                    let Agent { member, is_ready, .. } = &self.agents[agent];
                    let name = member.hello.name.clone();
                    // One that had loaded the script was told to end.
                    return Err(if *is_ready {
                        ClusterError::Gone { agent: name, reason }
                    } else {
                        ClusterError::Agent { agent: name, reason }
                    });
                }
                Ok(Heard::Lost { agent, .. }) => {
                    self.agents[agent].is_done = true;
                    let agent = self.agents[agent].member.hello.name.clone();
                    let reason = "it is not heard any more".to_owned();
                    return Err(ClusterError::Gone { agent, reason });
                }
                Ok(heard) => self.hear(heard),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        Ok(())
    }

    /// Only so many of the agents take part.
    pub(super) fn has_only(&mut self, engaged: usize) {
        self.agents[engaged..].iter_mut().for_each(|agent| agent.is_done = true);
    }

    /// Ends the run before it was started, and waits a moment for agents to follow.
    pub(super) async fn abandon(mut self) {
        self.order(&Order::End);
        let deadline = Instant::now() + DONE_WITHIN;
        while self.agents.iter().any(|agent| !agent.is_done) {
            match tokio::time::timeout_at(deadline, self.parts.heard.recv()).await {
                Ok(Some(
                    Heard::Word { agent, word: Word::Done | Word::Failed(_) | Word::Left { .. } }
                    | Heard::Lost { agent, .. },
                )) => self.agents[agent].is_done = true,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        self.parts.service.abort();
        let (link, run) = (self.parts.link.clone(), self.parts.run.clone());
        let all_have_read_it = self.agents.iter().all(|agent| agent.is_done);
        self.parts.runtime.spawn(async move {
            if !all_have_read_it {
                tokio::time::sleep(READY_WITHIN).await;
            }
            link.delete_stream(&run).await;
        });
    }
}
