//! The executor `constant-vus`, k6's: so many users from start to end.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::Rule;

/// So many users for so long; without a time as long as the run.
pub(super) fn rule(vus: u64, duration: Option<Duration>) -> Rule {
    let seconds = duration.map_or(f64::INFINITY, |time| time.as_secs_f64());
    Rule::users(Curve::new([Stretch::flat(vus as f64, seconds)]))
}
