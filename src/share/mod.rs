//! The part of one process where several make a load together. Pure.
//!
//! The worker threads of all processes have one numbering, process by process, and things are dealt to them in turn:
//! thing *i* is for worker *i* mod *all*. So a process takes as much as it has threads, every thing is taken by one,
//! and nothing has to be sent. A process alone takes all, in order. Leaves to `executor` and `data` what is dealt.

use serde::{Deserialize, Serialize};

/// The worker threads of this process among all that a load began with. One that joined later comes after `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// Number of its first worker.
    pub(crate) first: usize,
    /// How many it has.
    pub(crate) here: usize,
    /// How many all have.
    pub(crate) all: usize,
}

impl Default for Share {
    fn default() -> Share {
        Share::alone(1)
    }
}

impl Share {
    /// All of it, on so many threads.
    pub(crate) fn alone(threads: usize) -> Share {
        Share { first: 0, here: threads, all: threads }
    }

    /// Whether there is nobody else.
    pub(crate) fn is_alone(self) -> bool {
        self.here == self.all
    }

    /// Workers of this process that the dealing counts.
    fn counted(self) -> u64 {
        self.here.min(self.all.saturating_sub(self.first)) as u64
    }

    /// How many of so many things are for this process.
    pub(crate) fn of(self, total: u64) -> u64 {
        if self.is_alone() {
            return total;
        }
        let (all, counted) = (self.all.max(1) as u64, self.counted());
        total / all * counted + (total % all).saturating_sub(self.first as u64).min(counted)
    }

    /// The thing that is for this process after `index` others; `None` when none is.
    pub(crate) fn item(self, index: u64) -> Option<u64> {
        if self.is_alone() {
            return Some(index);
        }
        let counted = self.counted();
        let round = index.checked_div(counted)?;
        Some(round.saturating_mul(self.all as u64) + self.first as u64 + index % counted)
    }

    /// Whether a thing is for this process.
    pub(crate) fn has(self, thing: u64) -> bool {
        let turn = thing % self.all.max(1) as u64;
        (self.first as u64..(self.first + self.here) as u64).contains(&turn)
    }

    /// Most of so many users that may be here at once. At least one: the share of the iterations is to be run by somebody,
    /// so where there are more processes than users, each has one.
    pub(crate) fn most_of(self, total: u64) -> u64 {
        self.of(total).max(total.min(1))
    }

    /// The number of the user that is started here after `index` others, for a load whose users come as they are needed:
    /// nobody else has it at any time.
    pub(crate) fn seat(self, index: u64) -> u64 {
        match self.first.checked_sub(self.all) {
            None => self.item(index).unwrap_or(index),
            // A process that joined has a range of its own beyond all others.
            Some(joined) => ((joined as u64 + 1) << 32) + index,
        }
    }

    /// The place of the same workers among `members`, which are in ascending order.
    pub(crate) fn among(self, members: &[usize]) -> Share {
        let first = members.partition_point(|&worker| worker < self.first);
        let end = members.partition_point(|&worker| worker < self.first + self.here);
        Share { first, here: end - first, all: members.len() }
    }
}
