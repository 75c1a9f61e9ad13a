//! The executor `constant-arrival-rate`, k6's: iterations start at a rate, whatever the target does.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::Rule;
use crate::plan::Open;

/// A rate for so long; without a time as long as the run.
pub(super) fn rule(rate: f64, duration: Option<Duration>, open: &Open) -> Rule {
    let seconds = duration.map_or(f64::INFINITY, |time| time.as_secs_f64());
    Rule::rate(Curve::new([Stretch::flat(rate, seconds)]), open)
}
