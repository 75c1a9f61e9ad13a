//! A schedule: the curve that a lane follows from an instant on. All workers of a lane follow the same one.
//!
//! A schedule is never changed. What changes the load while it runs (a key, a page, a shape, a search for the
//! capacity) makes another one that agrees with it up to now and gives it to all workers (`run::lanes` does that);
//! users and iterations that are on their way keep their places, so nothing is started twice or lost.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::curve::Curve;

/// See the module's description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    /// Time 0 of the curve, since the start of the load, as all times here.
    pub(crate) start: Duration,
    /// Users, or iterations per second.
    pub(crate) curve: Curve,
    /// No iteration begins until there is another schedule.
    pub(crate) is_paused: bool,
    /// Of a lane of several scenarios, the scenario of each user in the order of their start.
    pub(crate) mix: Arc<[usize]>,
    /// Counts the schedules of a lane.
    pub(crate) generation: u64,
}

impl Schedule {
    /// Seconds of the curve that have gone by now.
    pub(crate) fn time(&self, now: Duration) -> f64 {
        now.saturating_sub(self.start).as_secs_f64()
    }

    /// When so many seconds of the curve will have gone by.
    pub(crate) fn moment(&self, time: f64) -> Duration {
        // A time that no clock reaches is one that does not come.
        let far = Duration::from_secs(10 * 365 * 24 * 3600);
        self.start + Duration::try_from_secs_f64(time.max(0.0)).map_or(far, |time| time.min(far))
    }

    /// When it ends; `None` is never.
    pub(crate) fn end(&self) -> Option<Duration> {
        self.curve.end().map(|end| self.moment(end))
    }
}
