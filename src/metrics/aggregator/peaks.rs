//! The highest figures of a run: those of the seconds of its history, so that they are the same as in the charts.

use std::time::Duration;

use crate::metrics::snapshot::{History, HistoryPoint};
use crate::metrics::totals::per_second;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    all: Highest,
    /// Of the seconds that change no more, and how many there are.
    settled: Highest,
    settled_seconds: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Highest {
    users: u64,
    rate: Option<f64>,
}

impl Peaks {
    /// Most virtual users at a time.
    pub(super) fn users(&self) -> u64 {
        self.all.users
    }

    /// Most requests per second in a second.
    pub(super) fn rate(&self) -> Option<f64> {
        self.all.rate
    }

    /// Looks at the history, of which the last seconds may still change: what was found in one that has changed since counts no
    /// more.
    pub(super) fn look(&mut self, history: &History, may_change: usize) {
        let settled = history.len().saturating_sub(may_change);
        let from = self.settled_seconds;
        self.all = self.settled;
        for (index, second) in history.since(from).iter().enumerate() {
            self.all.add(second);
            if from + index < settled {
                (self.settled, self.settled_seconds) = (self.all, from + index + 1);
            }
        }
    }
}

impl Highest {
    fn add(&mut self, second: &HistoryPoint) {
        self.users = self.users.max(second.users_peak);
        // A cut-off last interval would make a peak out of a few requests in a few milliseconds.
        if second.length >= Duration::from_millis(500) {
            let rate = per_second(second.total.requests.max(0) as u64, second.length);
            self.rate = Some(self.rate.map_or(rate, |peak| peak.max(rate)));
        }
    }
}
