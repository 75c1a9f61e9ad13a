//! The executors `constant-vus` and `ramping-vus`, k6's: so many users, or a number that follows stages.

use super::curve::{Curve, Stretch};
use crate::plan::Stage;

/// So many users for so long; without a time for ever.
pub(crate) fn constant(vus: u64, seconds: Option<f64>) -> Curve {
    Curve::new([Stretch::flat(vus as f64, seconds.unwrap_or(f64::INFINITY))])
}

/// From one number of users to the next, whole users at a time.
pub(crate) fn ramping(start_vus: u64, stages: &[Stage]) -> Curve {
    Curve::new(stretches(start_vus as f64, stages))
}

/// Stages as stretches: each goes in a straight line from where the last one ended to its target.
pub(super) fn stretches(start: f64, stages: &[Stage]) -> impl Iterator<Item = Stretch> {
    stages.iter().scan(start, |at, stage| {
        let from = std::mem::replace(at, stage.target);
        Some(Stretch {
            from,
            to: stage.target,
            length: stage.duration.as_secs_f64(),
            name: stage.name.as_deref().map(Into::into),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse_stages;

    #[test]
    fn stages_lead_from_target_to_target() {
        let stages = parse_stages("10s:10,hold=5s:10,0s:20,5s:20,10s:0").unwrap().stages;
        let curve = ramping(0, &stages);
        let users = |time: f64| curve.users(time);
        assert_eq!([0.0, 0.99, 1.0, 9.99, 10.0, 14.9].map(users), [0, 0, 1, 9, 10, 10]);
        assert_eq!([15.0, 19.9, 20.6, 29.9, 30.0].map(users), [20, 20, 19, 1, 0], "a stage of 0 s is a jump");
        assert_eq!(curve.stage(12.0).unwrap().1.as_deref(), Some("hold"));
        assert_eq!(curve.stage(2.0).unwrap().1, None);
    }
}
