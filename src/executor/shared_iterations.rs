//! The executor `shared-iterations`, k6's: all users at once, until the iterations of all are done.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::{Feed, Rule};

/// All users are there from the start and leave when none is left to take; what is not done in time is cut off.
pub(super) fn rule(vus: u64, iterations: u64, max_duration: Duration) -> Rule {
    let curve = Curve::new([Stretch::flat(vus as f64, max_duration.as_secs_f64())]);
    Rule { feed: Feed::Together(iterations), total: Some(iterations), ..Rule::users(curve) }
}
