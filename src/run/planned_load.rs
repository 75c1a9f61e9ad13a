//! The load that a test plans: users and iterations per second over time, before anything of it is made.

use super::prepared::Prepared;
use crate::executor::curve::Curve;
use crate::executor::rule;
use crate::plan::{RateShare, ScenarioPlan};

/// Most points of a planned load.
const MOST_POINTS: u32 = 240;

/// Length that is shown of a load without an end of its own, seconds.
const UNBOUNDED_S: f64 = 60.0;

/// See [`Prepared::planned_load`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PlannedLoad {
    /// When it ends, seconds; `None` when iterations or somebody end it.
    pub end_s: Option<f64>,
    /// Seconds, users that run then, and iterations that are started per second then.
    pub points: Vec<(f64, f64, f64)>,
    /// Whether a part of it is only known while it runs, because a function of the script decides.
    pub is_asked: bool,
}

impl Prepared {
    /// The scenarios that run.
    pub fn scenarios(&self) -> &[ScenarioPlan] {
        &self.shared.plan.scenarios
    }

    /// The load that is planned, as at most some hundred points; what a shape answers is not known before the run.
    pub fn planned_load(&self) -> PlannedLoad {
        let plan = &self.shared.plan;
        let run_time = plan.run_time.map(|time| time.as_secs_f64());
        // Start, curve, whether of a rate, and the part of it that the lane gets.
        let mut lanes: Vec<(f64, Curve, bool, f64)> = Vec::new();
        let mut is_asked = false;
        let mut end_s = Some(0.0_f64);
        for lane in &plan.lanes {
            let before = lane.after.and_then(|before| lanes.get(before));
            let start = before.map_or(0.0, |(start, curve, ..)| start + curve.end().unwrap_or(UNBOUNDED_S));
            let start = start + lane.start_time.as_secs_f64();
            let left = run_time.map(|time| (time - start).max(0.0));
            let rule = rule(&lane.executor, left);
            is_asked |= matches!(rule.feed, crate::executor::Feed::Asked { .. });
            end_s = end_s.zip(rule.curve.end()).map(|(end, of_lane)| end.max(start + of_lane));
            let is_rate = rule.is_open();
            let part = |share: &RateShare| share.offsets.len() as f64 / share.period.max(1) as f64;
            lanes.push((start, rule.curve, is_rate, lane.share.as_ref().map_or(1.0, part)));
        }
        let length = end_s.unwrap_or_else(|| run_time.unwrap_or(UNBOUNDED_S));
        let points = (0..=MOST_POINTS).map(|index| {
            let at = length * f64::from(index) / f64::from(MOST_POINTS);
            let sum = |rates: bool| {
                let of_kind = lanes.iter().filter(|(start, _, is_rate, _)| *is_rate == rates && at >= *start);
                // A sum of nothing is -0.
                of_kind.map(|(start, curve, _, part)| curve.at(at - start) * part).sum::<f64>() + 0.0
            };
            (at, sum(false), sum(true))
        });
        PlannedLoad { end_s, points: points.collect(), is_asked }
    }
}
