//! The open models: iterations start at a constant rate, at one that follows stages, or at one that was recorded.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::vus::stretches;
use crate::plan::Stage;

/// A rate for so long; without a time for ever.
pub(crate) fn constant(rate: f64, seconds: Option<f64>) -> Curve {
    Curve::new([Stretch::flat(rate, seconds.unwrap_or(f64::INFINITY))])
}

/// A rate that goes in straight lines from target to target.
pub(crate) fn ramping(start_rate: f64, stages: &[Stage]) -> Curve {
    Curve::new(stretches(start_rate, stages))
}

/// A recorded rate: each row's holds until the time of the next, the last row is the end.
pub(crate) fn trace(steps: &[(Duration, f64)]) -> Curve {
    Curve::new(steps.windows(2).map(|pair| {
        let [(from, rate), (to, _)] = pair else { return Stretch::flat(0.0, 0.0) };
        Stretch::flat(*rate, to.saturating_sub(*from).as_secs_f64())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse_stages;

    #[test]
    fn a_ramp_and_a_trace_have_the_area_of_what_was_asked_for() {
        let stages = parse_stages("10s:200/s,5s:200/s").unwrap().stages;
        assert_eq!(ramping(0.0, &stages).area(99.0), 2000.0);
        let s = Duration::from_secs;
        let trace = trace(&[(s(0), 10.0), (s(2), 50.0), (s(3), 0.0), (s(5), 7.0)]);
        assert_eq!((trace.area(2.0), trace.area(99.0), trace.end()), (20.0, 70.0, Some(5.0)));
        assert_eq!(constant(137.0, Some(20.0)).area(99.0), 2740.0);
    }
}
