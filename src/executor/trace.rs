//! The executor `trace`: iterations start at a rate that was recorded.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::Rule;
use crate::plan::Open;

/// Each row's rate holds until the time of the next, the last row is the end.
pub(super) fn rule(steps: &[(Duration, f64)], open: &Open) -> Rule {
    let stretch = |pair: &[(Duration, f64)]| {
        let [(from, rate), (to, _)] = pair else { return Stretch::flat(0.0, 0.0) };
        Stretch::flat(*rate, to.saturating_sub(*from).as_secs_f64())
    };
    Rule::rate(Curve::new(steps.windows(2).map(stretch)), open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_rate_holds_until_the_next_row() {
        let s = Duration::from_secs;
        let curve = rule(&[(s(0), 10.0), (s(2), 50.0), (s(3), 0.0), (s(5), 7.0)], &Open::default()).curve;
        assert_eq!((curve.area(2.0), curve.area(99.0), curve.end()), (20.0, 70.0, Some(5.0)));
    }
}
