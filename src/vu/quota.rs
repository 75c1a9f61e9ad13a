//! What is left for a process of the number of iterations of its run.
//!
//! Invariant: an iteration is claimed once, and what a deal adds is added once, whichever thread hears of it first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::turns::Spent;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Quota {
    left: AtomicU64,
    /// Number of the last deal that is in it.
    dealt: Mutex<u64>,
}

impl Quota {
    pub(crate) fn new(iterations: u64) -> Quota {
        Quota { left: AtomicU64::new(iterations), dealt: Mutex::new(0) }
    }

    pub(super) fn claim(&self) -> Spent {
        let claimed =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        Spent::of(claimed.unwrap_or(0))
    }

    /// Adds what a deal of this number gives, if that has not been done.
    pub(super) fn more(&self, deal: u64, more: u64) {
        let mut dealt = self.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        if deal > *dealt {
            *dealt = deal;
            self.left.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// When nothing is left, the number of the last deal that is in it.
    pub(super) fn used_up(&self) -> Option<u64> {
        let dealt = self.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        (self.left.load(Ordering::Relaxed) == 0).then_some(*dealt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_deal_adds_to_a_number_of_iterations_is_added_once_however_many_threads_hear_of_it() {
        let quota = Quota::new(2);
        assert_eq!([quota.claim(), quota.claim(), quota.claim()], [Spent::More, Spent::Last, Spent::Nothing]);
        assert_eq!(quota.used_up(), Some(0));
        quota.more(1, 1);
        quota.more(1, 1);
        assert_eq!(quota.used_up(), None);
        assert_eq!([quota.claim(), quota.claim()], [Spent::Last, Spent::Nothing]);
        quota.more(2, 0);
        assert_eq!(quota.used_up(), Some(2), "with which deal it was used up is known");
    }
}
