//! What a process may take of the number of iterations of its run.
//!
//! Invariant: an iteration is claimed once, and allowances that follow one another are taken over once, whichever thread
//! hears of them first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::turns::Spent;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Quota {
    claimed: AtomicU64,
    /// How many may be claimed in all.
    limit: AtomicU64,
    /// Number of the last allowances that are in it.
    allowed: Mutex<u64>,
}

impl Quota {
    pub(crate) fn new(iterations: u64) -> Quota {
        Quota { claimed: AtomicU64::new(0), limit: AtomicU64::new(iterations), allowed: Mutex::new(0) }
    }

    pub(super) fn claim(&self) -> Spent {
        let limit = self.limit.load(Ordering::Relaxed);
        let one = |claimed| (claimed < limit).then_some(claimed + 1);
        let claimed = self.claimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one);
        Spent::of(claimed.map_or(0, |claimed| limit - claimed))
    }

    /// Takes over what allowances of this number say, if that has not been done.
    pub(super) fn allow(&self, number: u64, iterations: u64) {
        let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if number > *allowed {
            *allowed = number;
            self.limit.store(iterations, Ordering::Relaxed);
        }
    }

    /// Whether there is one to claim.
    pub(super) fn has_some(&self) -> bool {
        self.claimed.load(Ordering::Relaxed) < self.limit.load(Ordering::Relaxed)
    }

    /// When nothing is left, the number of the last allowances that are in it.
    pub(super) fn used_up(&self) -> Option<u64> {
        let allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.has_some()).then_some(*allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowances_are_taken_over_once_however_many_threads_hear_of_them() {
        let quota = Quota::new(2);
        assert_eq!([quota.claim(), quota.claim(), quota.claim()], [Spent::More, Spent::Last, Spent::Nothing]);
        assert_eq!(quota.used_up(), Some(0));
        quota.allow(1, 3);
        quota.allow(1, 9);
        assert_eq!(quota.used_up(), None);
        assert_eq!([quota.claim(), quota.claim()], [Spent::Last, Spent::Nothing]);
        quota.allow(2, 3);
        assert_eq!(quota.used_up(), Some(2), "as of which allowances is known");
    }
}
