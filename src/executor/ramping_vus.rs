//! The executor `ramping-vus`, k6's: a number of users that follows stages.

use std::time::Duration;

use super::curve::Curve;
use super::rule::Rule;
use crate::plan::Stage;

/// From one number of users to the next, whole users at a time.
pub(super) fn rule(start_vus: u64, stages: &[Stage], grace: Option<Duration>) -> Rule {
    Rule { grace, ..Rule::users(Curve::along(start_vus as f64, stages)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse_stages;

    #[test]
    fn stages_lead_from_target_to_target() {
        let stages = parse_stages("10s:10,hold=5s:10,0s:20,5s:20,10s:0").unwrap().stages;
        let curve = rule(0, &stages, None).curve;
        let users = |time: f64| curve.users(time);
        assert_eq!([0.0, 0.99, 1.0, 9.99, 10.0, 14.9].map(users), [0, 0, 1, 9, 10, 10]);
        assert_eq!([15.0, 19.9, 20.6, 29.9, 30.0].map(users), [20, 20, 19, 1, 0], "a stage of 0 s is a jump");
        assert_eq!(curve.stage(12.0).unwrap().1.as_deref(), Some("hold"));
        assert_eq!(curve.stage(2.0).unwrap().1, None);
    }
}
