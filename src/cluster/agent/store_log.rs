//! The store of a run on several machines: changes go into the run's stream, and each agent applies all of them in its order.
//!
//! Owns which answer belongs to which change. Leaves what a change does to `script`. Invariant: a change is applied once on each
//! agent, and whoever made it is answered when that is done here, or at once when it cannot be sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::cluster::link::Link;
use crate::cluster::protocol::subjects;
use crate::cluster::seal::{Key, SealError};
use crate::script::{Answer, Store, StoreLog};

/// Changes that were read and not yet applied.
const READ: usize = 1_024;

/// Puts a change on its way.
type Submission = Box<dyn Fn(&[u8]) -> Result<(), SealError> + Send + Sync>;

/// See the module's description.
struct Log {
    agent: u64,
    send: Submission,
    next: AtomicU64,
    /// By number of a change, who waits for it.
    waiting: Mutex<HashMap<u64, Answer>>,
}

impl Log {
    fn answer(&self, agent: u64, number: u64) -> Option<Answer> {
        (agent == self.agent)
            .then(|| self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&number))?
    }
}

impl StoreLog for Log {
    fn submit(&self, change: Vec<u8>, answer: Answer) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
        if let Err(error) = (self.send)(&encoded(self.agent, number, &change))
            && let Some(answer) = self.answer(self.agent, number)
        {
            // Nobody waits for it any more when its user was stopped.
            let _ = answer.send(Err(format!("the change cannot be sent to the other machines: {error}")));
        }
    }
}

/// A change as it is sent: the agent and its number of the change, 8 bytes each, big-endian; then the change.
pub(in crate::cluster) fn encoded(agent: u64, number: u64, change: &[u8]) -> Vec<u8> {
    [&agent.to_be_bytes(), &number.to_be_bytes(), change].concat()
}

fn decoded(bytes: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (agent, rest) = bytes.split_first_chunk()?;
    let (number, change) = rest.split_first_chunk()?;
    Some((u64::from_be_bytes(*agent), u64::from_be_bytes(*number), change))
}

/// A store that follows the stream of a run; it stops when this is dropped.
pub(super) struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has a store follow the stream of a run.
pub(super) fn follow(link: &Link, run: &str, agent: u64, key: &Arc<Key>, store: &Arc<Store>) -> Following {
    let (subject, outbox) = (subjects::store(run), link.outbox(run, format!("store-{agent}"), usize::MAX));
    let of_run = key.clone();
    let log = Arc::new(Log {
        agent,
        send: Box::new(move |change| {
            outbox.put(subject.clone(), of_run.seal(change)?);
            Ok(())
        }),
        next: AtomicU64::new(0),
        waiting: Mutex::default(),
    });
    store.set_log(agent, log.clone());
    let (kept, mut changes) = mpsc::channel(READ);
    let (reader, of_run) = (link.clone(), run.to_owned());
    tokio::spawn(async move { reader.read(&of_run, subjects::store(&of_run), kept).await });
    let (store, key) = (store.clone(), key.clone());
    let following = tokio::spawn(async move {
        while let Some(change) = changes.recv().await {
            // What cannot be opened is not of this run.
            let Ok(opened) = key.open(&change.payload) else { continue };
            if let Some((agent, number, change)) = decoded(&opened) {
                store.replay(change, log.answer(agent, number));
            }
        }
    });
    Following(following.abort_handle())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_cannot_be_sealed_is_answered_at_once_with_the_reason() {
        let send = Box::new(|_: &[u8]| Err(SealError::Seal));
        let log = Log { agent: 3, send, next: AtomicU64::new(0), waiting: Mutex::default() };
        let (answer, mut answered) = tokio::sync::oneshot::channel();
        log.submit(b"{}".to_vec(), answer);
        let error = answered.try_recv().unwrap().unwrap_err();
        assert!(error.ends_with("cannot be sealed: the system gives no random numbers"), "{error}");
        assert!(log.waiting.lock().unwrap().is_empty());
    }
}
