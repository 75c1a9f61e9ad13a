//! The executor `per-vu-iterations`, k6's: all users at once, each until it has done its iterations.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::{Feed, Rule};

/// All users are there from the start and leave by themselves; what is not done in time is cut off.
pub(super) fn rule(vus: u64, iterations: u64, max_duration: Duration) -> Rule {
    let curve = Curve::new([Stretch::flat(vus as f64, max_duration.as_secs_f64())]);
    Rule { feed: Feed::Each(iterations), total: Some(vus.saturating_mul(iterations)), ..Rule::users(curve) }
}
