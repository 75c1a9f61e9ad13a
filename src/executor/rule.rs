//! What an executor comes to: everything that lanes have to know of its kind. Pure.

use std::time::Duration;

use super::curve::Curve;
use super::pacer::Pacer;
use crate::plan::Open;

/// See the module's description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// Users, or iterations per second, over the time of the lane.
    pub(crate) curve: Curve,
    /// How users come by their iterations.
    pub(crate) feed: Feed,
    /// Iterations of all users, when their number is what ends the lane.
    pub(crate) total: Option<u64>,
    /// The rate at which users are added, if they are added one by one.
    pub(crate) spawn_rate: Option<f64>,
    /// Seconds in which they leave one by one at the end, if they do.
    pub(crate) ramp_down: Option<f64>,
    /// Time that a running iteration may go on when its user is taken away before the end.
    pub(crate) grace: Option<Duration>,
}

/// How users come by their iterations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Feed {
    /// One after the other, as long as the users are wanted.
    Free,
    /// So many each.
    Each(u64),
    /// So many together.
    Together(u64),
    /// Each when it is due.
    Due(Open),
    /// A function of the script says whether users or a rate are wanted.
    Asked {
        /// Its name.
        function: String,
        /// Who runs the iterations of a rate.
        open: Open,
    },
}

impl Rule {
    /// So many users that iterate until they are taken away.
    pub(super) fn users(curve: Curve) -> Rule {
        Rule { curve, feed: Feed::Free, total: None, spawn_rate: None, ramp_down: None, grace: None }
    }

    /// Iterations at a rate.
    pub(super) fn rate(curve: Curve, open: &Open) -> Rule {
        Rule { feed: Feed::Due(open.clone()), ..Rule::users(curve) }
    }

    /// The same, but over with the time of the run.
    pub(super) fn until(self, run_time: Option<f64>) -> Rule {
        match run_time {
            Some(time) if self.curve.end().is_none_or(|end| end > time) => {
                Rule { curve: self.curve.until(time), ..self }
            }
            _ => self,
        }
    }

    /// Whether the curve is a rate, whatever a script's function says.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.feed, Feed::Due(_))
    }

    /// Who runs the iterations of a rate, and of a shape when it gives one.
    pub(crate) fn open(&self) -> Option<&Open> {
        match &self.feed {
            Feed::Due(open) | Feed::Asked { open, .. } => Some(open),
            Feed::Free | Feed::Each(_) | Feed::Together(_) => None,
        }
    }

    /// How many iterations are due when the area of the rate is this one; `None` when nobody can say.
    pub(crate) fn due(&self, area: Option<f64>, pacer: Option<&mut Pacer>) -> Option<u64> {
        self.total.or_else(|| Some(pacer?.due(area?)))
    }
}
