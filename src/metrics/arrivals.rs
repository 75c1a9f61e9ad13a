//! The deltas of one worker as they come in: each counts once, in its sequence.
//!
//! Owns what waits for an earlier one. Invariant: what waits is bounded.

use std::collections::BTreeMap;

use super::delta::Delta;

/// How many deltas may wait for one before them: ten minutes.
const MOST_WAITING: usize = 600;

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is counted, and those that waited for it.
    Now,
    /// It waits for one before it.
    Waiting,
    /// It was counted before, or waits already.
    Repeated,
}

/// Why a delta cannot be one of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// No worker has this number.
    #[error("the run has no worker number {0}")]
    UnknownWorker(usize),
    /// Too many before it are missing.
    #[error("interval {0} of a worker arrived too early: {MOST_WAITING} intervals wait for a missing one")]
    TooEarly(u64),
    /// Its figures contradict each other.
    #[error("interval {0} of a worker is corrupt: its figures contradict each other")]
    Damaged(u64),
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// The sequence number that is to be counted next.
    next: u64,
    waiting: BTreeMap<u64, Delta>,
}

impl Arrivals {
    /// Whether nothing waits.
    #[cfg(test)]
    pub(super) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a delta; gives those that are to be counted now, in their order.
    pub(super) fn arrive(&mut self, delta: Delta) -> Result<(Merged, Vec<Delta>), MergeError> {
        let sequence = delta.sequence;
        if !delta.is_sound() {
            return Err(MergeError::Damaged(sequence));
        }
        if sequence < self.next || self.waiting.contains_key(&sequence) {
            return Ok((Merged::Repeated, Vec::new()));
        }
        if sequence > self.next {
            if self.waiting.len() >= MOST_WAITING {
                return Err(MergeError::TooEarly(sequence));
            }
            self.waiting.insert(sequence, delta);
            return Ok((Merged::Waiting, Vec::new()));
        }
        let mut due = vec![delta];
        self.next = self.next.saturating_add(1);
        while let Some(delta) = self.waiting.remove(&self.next) {
            due.push(delta);
            self.next = self.next.saturating_add(1);
        }
        Ok((Merged::Now, due))
    }
}
