//! A schedule: the curve that a lane follows from an instant on. All workers of a lane follow the same one.
//!
//! A schedule is never changed. What changes the load while it runs (a key, a page, a shape, a search for the
//! capacity) makes another one that agrees with it up to now and gives it to all workers (`run::lanes` does that);
//! users and iterations that are on their way keep their places, so nothing is started twice or lost.

use std::sync::Arc;

use tokio::time::Instant;

use super::curve::Curve;

/// See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// Time 0 of the curve.
    pub(crate) start: Instant,
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
    /// An instant as seconds since the start.
    pub(crate) fn time(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.start).as_secs_f64()
    }

    /// Seconds since the start as an instant.
    pub(crate) fn instant(&self, time: f64) -> Instant {
        // A time that no clock reaches is one that does not come.
        let time = std::time::Duration::try_from_secs_f64(time.max(0.0)).ok();
        let far = std::time::Duration::from_secs(10 * 365 * 24 * 3600);
        self.start + time.unwrap_or(far).min(far)
    }

    /// When it ends; `None` is never.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.curve.end().map(|end| self.instant(end))
    }
}
