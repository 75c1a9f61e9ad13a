//! A curve: users, or iterations per second, as a function of time in straight stretches.
//!
//! Pure. Owns value, area and its inverse, and cutting one curve at an instant to go on with another. Leaves to
//! `pacer` which area an iteration is due at, and to the executors what the stretches are. Times are seconds
//! since time 0 of the curve. Invariant: after its last stretch a curve is 0; a stretch includes its beginning
//! and not its end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metrics::Phase;
use crate::plan;

/// By how much areas and values may differ from whole numbers by rounding.
const TOLERANCE: f64 = 1e-6;

/// A straight piece of a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    /// Value at its beginning.
    pub(crate) from: f64,
    /// Value that it reaches at its end.
    pub(crate) to: f64,
    /// Seconds; infinite is for ever, and then flat.
    #[serde(with = "unbounded")]
    pub(crate) length: f64,
    /// Its name for people.
    pub(crate) name: Option<Arc<str>>,
}

impl Stretch {
    /// A nameless stretch.
    pub(crate) fn new(from: f64, to: f64, length: f64) -> Stretch {
        Stretch { from, to, length, name: None }
    }

    /// A nameless stretch of one value.
    pub(crate) fn flat(value: f64, length: f64) -> Stretch {
        Stretch::new(value, value, length)
    }

    fn slope(&self) -> f64 {
        if self.from == self.to || self.length <= 0.0 { 0.0 } else { (self.to - self.from) / self.length }
    }

    /// Value so many seconds after its beginning.
    fn at(&self, seconds: f64) -> f64 {
        self.from + self.slope() * seconds
    }

    /// Area of its first `seconds`.
    fn area(&self, seconds: f64) -> f64 {
        if self.from == 0.0 && self.to == 0.0 {
            0.0
        } else {
            (self.from + self.slope() * seconds / 2.0) * seconds
        }
    }

    /// Seconds after which its area is `area`: the root of a quadratic, in the form without cancellation.
    fn seconds_of(&self, area: f64) -> f64 {
        let root = (self.from * self.from + 2.0 * self.slope() * area).max(0.0).sqrt();
        let seconds = if area <= 0.0 { 0.0 } else { 2.0 * area / (self.from + root) };
        seconds.min(self.length)
    }

    /// What a stretch of this direction is.
    fn phase(&self) -> Phase {
        if self.to > self.from {
            Phase::RampUp
        } else if self.to < self.from {
            Phase::RampDown
        } else {
            Phase::Steady
        }
    }
}

/// Infinity as nothing: JSON has no word for it.
mod unbounded {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    // serde asks for a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn serialize<S: Serializer>(length: &f64, to: S) -> Result<S::Ok, S::Error> {
        length.is_finite().then_some(*length).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
    }
}

/// See the module's description.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    stretches: Vec<Placed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Placed {
    /// When it begins.
    start: f64,
    /// Area before it.
    area: f64,
    stretch: Stretch,
}

impl Placed {
    fn end(&self) -> f64 {
        self.start + self.stretch.length
    }

    fn area_end(&self) -> f64 {
        self.area + self.stretch.area(self.stretch.length)
    }
}

impl Curve {
    /// Stretches one after the other, from time 0.
    pub(crate) fn new(stretches: impl IntoIterator<Item = Stretch>) -> Curve {
        Curve::default().then(stretches)
    }

    /// From `start` in a straight line to the target of each stage.
    pub(crate) fn along(start: f64, stages: &[plan::Stage]) -> Curve {
        let stretches = stages.iter().scan(start, |at, stage| {
            let from = std::mem::replace(at, stage.target);
            let (length, name) = (stage.duration.as_secs_f64(), stage.name.as_deref().map(Into::into));
            Some(Stretch { from, to: stage.target, length, name })
        });
        Curve::new(stretches)
    }

    /// This curve, and then these stretches.
    pub(crate) fn then(mut self, stretches: impl IntoIterator<Item = Stretch>) -> Curve {
        for stretch in stretches {
            let (start, area) =
                self.stretches.last().map_or((0.0, 0.0), |last| (last.end(), last.area_end()));
            self.stretches.push(Placed { start, area, stretch });
        }
        self
    }

    /// What there is of it before `time`; if it ends before, it is 0 until then.
    pub(crate) fn until(&self, time: f64) -> Curve {
        let mut curve = Curve { stretches: self.stretches.clone() };
        curve.stretches.retain(|placed| placed.start < time);
        match curve.stretches.last_mut() {
            Some(last) if last.end() > time => {
                last.stretch.to = last.stretch.at(time - last.start);
                last.stretch.length = time - last.start;
            }
            Some(last) if last.end() < time => {
                let gap = time - last.end();
                return curve.then([Stretch::flat(0.0, gap)]);
            }
            None if time > 0.0 => return curve.then([Stretch::flat(0.0, time)]),
            _ => {}
        }
        curve
    }

    /// What there is of it from `time` on, as stretches.
    pub(crate) fn rest(&self, time: f64) -> Vec<Stretch> {
        let rest = self.stretches.iter().filter(|placed| placed.end() > time);
        rest.map(|placed| {
            let gone = (time - placed.start).max(0.0);
            let stretch = &placed.stretch;
            Stretch {
                from: if gone > 0.0 { stretch.at(gone) } else { stretch.from },
                length: stretch.length - gone,
                ..stretch.clone()
            }
        })
        .collect()
    }

    /// Forgets stretches that end before this area is reached and before `time`; the times of the others stay.
    pub(crate) fn forget(&mut self, area: f64, time: f64) {
        let gone = self.stretches.iter().take_while(|placed| {
            placed.area_end() + 1.0 < area && placed.end() < time && placed.stretch.length.is_finite()
        });
        let gone = gone.count();
        self.stretches.drain(..gone);
    }

    /// When it ends; `None` is never.
    pub(crate) fn end(&self) -> Option<f64> {
        let end = self.stretches.last().map_or(0.0, Placed::end);
        end.is_finite().then_some(end)
    }

    fn placed(&self, time: f64) -> Option<&Placed> {
        let index = self.stretches.partition_point(|placed| placed.start <= time);
        self.stretches[..index].last().filter(|placed| time < placed.end())
    }

    /// Its value at this time.
    pub(crate) fn at(&self, time: f64) -> f64 {
        self.placed(time).map_or(0.0, |placed| placed.stretch.at(time - placed.start))
    }

    /// Its area up to this time: of a rate, the iterations that are due.
    pub(crate) fn area(&self, time: f64) -> f64 {
        let index = self.stretches.partition_point(|placed| placed.start <= time);
        self.stretches[..index].last().map_or(0.0, |placed| {
            placed.area + placed.stretch.area((time - placed.start).min(placed.stretch.length))
        })
    }

    /// When its area goes beyond this one; `None` when it never does. Where it is 0 for a while, that is the end
    /// of the while.
    pub(crate) fn time_of(&self, area: f64) -> Option<f64> {
        let index = self.stretches.partition_point(|placed| placed.area <= area + TOLERANCE);
        let placed = self.stretches[..index].last()?;
        let within = area - placed.area;
        // Just below its whole area belongs to it, at its area to what comes after.
        if placed.stretch.area(placed.stretch.length) <= within + TOLERANCE {
            return None;
        }
        Some(placed.start + placed.stretch.seconds_of(within))
    }

    /// The whole number of users that it stands for at this time: on its way up, those that have been reached;
    /// on its way down, those that have not been left.
    pub(crate) fn users(&self, time: f64) -> u64 {
        let Some(placed) = self.placed(time) else { return 0 };
        let value = placed.stretch.at(time - placed.start);
        let whole = if placed.stretch.to < placed.stretch.from {
            (value - TOLERANCE).ceil()
        } else {
            (value + TOLERANCE).floor()
        };
        whole.max(0.0) as u64
    }

    /// The first time after this one at which [`Curve::users`] may be another number; `None` when there is none.
    pub(crate) fn next_change(&self, time: f64) -> Option<f64> {
        let placed = match self.placed(time) {
            Some(placed) => placed,
            None => return self.stretches.iter().map(|placed| placed.start).find(|&start| start > time),
        };
        let (stretch, users) = (&placed.stretch, self.users(time) as f64);
        let slope = stretch.slope();
        let next = if slope > 0.0 {
            placed.start + (users + 1.0 - stretch.from) / slope
        } else if slope < 0.0 {
            placed.start + (users - 1.0 - stretch.from) / slope
        } else {
            placed.end()
        };
        let next = next.min(placed.end());
        // By rounding, the change may seem to be now; then the next look is a moment later.
        next.is_finite().then(|| next.max(time + 1e-6))
    }

    /// Whether users may still be started who are not there at this time: the number grows later, or it is 0 until a
    /// time that has not come. A load of nobody lasts as long as any other.
    pub(crate) fn wants_users_after(&self, time: f64) -> bool {
        let now = self.users(time);
        if now == 0 && self.end().is_none_or(|end| time < end) {
            return true;
        }
        self.stretches.iter().any(|placed| {
            placed.end() > time
                && (placed.stretch.to > now as f64 + TOLERANCE
                    || placed.stretch.from > now as f64 + TOLERANCE)
        })
    }

    /// What it does at this time, and the name of the stretch.
    pub(crate) fn stage(&self, time: f64) -> Option<(Phase, Option<Arc<str>>)> {
        self.placed(time).map(|placed| (placed.stretch.phase(), placed.stretch.name.clone()))
    }

    /// When the stretch at this time ends; `None` after the last one and in one without end.
    pub(crate) fn border(&self, time: f64) -> Option<f64> {
        self.placed(time).map(Placed::end).filter(|end| end.is_finite())
    }

    /// Its greatest value at any time.
    pub(crate) fn peak(&self) -> f64 {
        self.stretches.iter().map(|placed| placed.stretch.from.max(placed.stretch.to)).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Curve {
        Curve::new([
            Stretch::new(0.0, 200.0, 10.0),
            Stretch::flat(200.0, 5.0),
            Stretch::new(200.0, 0.0, 10.0),
        ])
    }

    #[test]
    fn area_and_its_inverse_agree() {
        let curve = ramp();
        assert_eq!(curve.area(10.0), 1000.0);
        assert_eq!(curve.area(99.0), 3000.0);
        for step in 0..2500 {
            let time = f64::from(step) / 100.0;
            let back = curve.time_of(curve.area(time)).unwrap_or(25.0);
            assert!((back - time).abs() < 1e-3, "{time} came back as {back}");
        }
        assert_eq!(curve.time_of(3000.0), None, "the window is half open");
        assert!(curve.time_of(2999.0).is_some());
    }

    #[test]
    fn what_is_due_when_a_pause_begins_is_due_when_it_ends() {
        let curve = Curve::new([Stretch::flat(10.0, 1.0), Stretch::flat(0.0, 5.0), Stretch::flat(10.0, 1.0)]);
        assert_eq!(curve.time_of(9.0), Some(0.9));
        assert_eq!(curve.time_of(10.0), Some(6.0));
        assert_eq!(curve.time_of(20.0), None);
    }

    #[test]
    fn whole_users_up_and_down() {
        let curve =
            Curve::new([Stretch::new(0.0, 4.0, 4.0), Stretch::flat(4.0, 1.0), Stretch::new(4.0, 0.0, 4.0)]);
        let users = |time: f64| curve.users(time);
        assert_eq!(
            [0.0, 0.9, 1.0, 3.9, 4.0, 4.9, 5.1, 6.0, 8.5, 9.0].map(users),
            [0, 0, 1, 3, 4, 4, 4, 3, 1, 0]
        );
        let mut changes = vec![];
        let mut time = 0.0;
        while let Some(next) = curve.next_change(time) {
            changes.push((next * 10.0).round() / 10.0);
            time = next;
            assert!(changes.len() < 20, "{changes:?}");
        }
        changes.dedup();
        assert_eq!(changes, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    #[test]
    fn a_curve_that_is_cut_and_goes_on_with_its_rest_is_the_same() {
        let curve = ramp();
        for cut in [0.0, 3.0, 10.0, 12.5, 24.0] {
            let again = curve.until(cut).then(curve.rest(cut));
            for step in 0..30 {
                let time = f64::from(step);
                assert!((again.at(time) - curve.at(time)).abs() < 1e-9, "cut at {cut}, {time}");
                assert!((again.area(time) - curve.area(time)).abs() < 1e-6, "cut at {cut}, {time}");
            }
        }
        assert_eq!(curve.until(30.0).end(), Some(30.0), "after its end it is 0");
    }

    #[test]
    fn what_is_forgotten_does_not_move_the_rest() {
        let mut curve = ramp();
        curve.forget(1500.0, 12.0);
        assert_eq!(curve.stretches.len(), 2);
        assert_eq!(curve.time_of(1500.0), ramp().time_of(1500.0));
        curve.forget(1500.0, 99.0);
        assert_eq!(curve.stretches.len(), 2, "iterations that are due in it may still wait");
    }

    #[test]
    fn a_stretch_without_time_is_a_jump() {
        let curve = Curve::new([Stretch::new(0.0, 5.0, 0.0), Stretch::flat(5.0, 2.0)]);
        assert_eq!((curve.users(0.0), curve.users(1.9), curve.users(2.0)), (5, 5, 0));
        assert_eq!(curve.area(2.0), 10.0);
    }

    #[test]
    fn stages_have_phases() {
        let curve = ramp();
        let phase = |time: f64| curve.stage(time).map(|(phase, _)| phase);
        assert_eq!(phase(0.0), Some(Phase::RampUp));
        assert_eq!(phase(10.0), Some(Phase::Steady));
        assert_eq!((phase(15.0), phase(25.0)), (Some(Phase::RampDown), None));
        assert_eq!(curve.border(11.0), Some(15.0));
        assert!(curve.wants_users_after(5.0) && !curve.wants_users_after(10.0));
    }
}
