//! The executor `ramping-arrival-rate`, k6's: iterations start at a rate that follows stages.

use super::curve::Curve;
use super::rule::Rule;
use crate::plan::{Open, Stage};

/// A rate that goes in straight lines from target to target.
pub(super) fn rule(start_rate: f64, stages: &[Stage], open: &Open) -> Rule {
    Rule::rate(Curve::along(start_rate, stages), open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse_stages;

    #[test]
    fn a_ramp_has_the_area_of_what_was_asked_for() {
        let stages = parse_stages("10s:200/s,5s:200/s").unwrap().stages;
        assert_eq!(rule(0.0, &stages, &Open::default()).curve.area(99.0), 2000.0);
    }
}
