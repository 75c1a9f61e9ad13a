//! The shape functions of a script: when each is asked, and what its answers make of the lanes.
//!
//! Invariant: a shape is asked once at a time, and its last good answer holds until there is another one.

use std::time::Duration;

use super::lanes::{Change, Lanes};
use super::workers::ShapeAnswer;
use crate::executor::shape::{ASK_EVERY_S, ShapeLoad};
use crate::vu::HookError;

/// See the module's description.
#[derive(Clone, Default)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    paused: Option<Duration>,
}

#[derive(Clone)]
struct Shape {
    lane: usize,
    function: String,
    /// The lanes of single scenarios that run a rate of the mix.
    parts: Vec<usize>,
    start: Duration,
    next: Duration,
    is_asked: bool,
    answer: Option<ShapeLoad>,
}

/// What follows from an answer.
pub(super) enum ShapeCommand {
    /// Nothing is different.
    Nothing,
    /// The first one: these lanes begin, as open ones or not, the others are not needed.
    Begin { lanes: Vec<usize>, skip: Vec<usize>, is_open: bool },
    /// The load is another one; see [`Shapes::changes`].
    Change,
    /// The function called `abort`.
    Abort(String),
    /// There is no load without a first answer.
    Unusable(String),
}

impl Shapes {
    /// A lane whose function is asked from now on.
    pub(super) fn add(&mut self, lane: usize, function: String, parts: Vec<usize>, start: Duration) {
        self.shapes.push(Shape { lane, function, parts, start, next: start, is_asked: false, answer: None });
    }

    /// A lane is over; its shape is not asked any more.
    pub(super) fn remove(&mut self, lane: usize) {
        self.shapes.retain(|shape| shape.lane != lane && !shape.parts.contains(&lane));
    }

    /// When the next one is to be asked.
    pub(super) fn next_ask(&self) -> Option<Duration> {
        if self.paused.is_some() {
            return None;
        }
        self.shapes.iter().filter(|shape| !shape.is_asked).map(|shape| shape.next).min()
    }

    /// Those that are to be asked now: lane, function, seconds since the start of the lane.
    pub(super) fn ask(&mut self, now: Duration) -> Vec<(usize, String, f64)> {
        let every = Duration::from_secs(ASK_EVERY_S);
        let due = self.shapes.iter_mut().filter(|shape| !shape.is_asked && shape.next <= now);
        due.map(|shape| {
            shape.is_asked = true;
            while shape.next <= now {
                shape.next += every;
            }
            let elapsed = now.saturating_sub(shape.start).as_secs_f64();
            (shape.lane, shape.function.clone(), elapsed)
        })
        .collect()
    }

    /// The last good answer of a lane's shape.
    pub(super) fn last(&self, lane: usize) -> Option<&ShapeLoad> {
        self.shapes.iter().find(|shape| shape.lane == lane).and_then(|shape| shape.answer.as_ref())
    }

    /// A shape has answered.
    pub(super) fn said(&mut self, lane: usize, answer: ShapeAnswer) -> ShapeCommand {
        let Some(shape) = self.shapes.iter_mut().find(|shape| shape.lane == lane) else {
            return ShapeCommand::Nothing;
        };
        shape.is_asked = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(HookError::Aborted(reason)) => return ShapeCommand::Abort(reason),
            // It has been counted and shown.
            Err(HookError::Failed(_)) if shape.answer.is_some() => return ShapeCommand::Nothing,
            Err(HookError::Failed(error)) => return ShapeCommand::Unusable(error),
        };
        let parts = shape.parts.clone();
        let said = match (&shape.answer, &answer) {
            (Some(last), new) if last == new => ShapeCommand::Nothing,
            (Some(_), _) => ShapeCommand::Change,
            (None, ShapeLoad::Users { .. }) => {
                ShapeCommand::Begin { lanes: vec![lane], skip: parts, is_open: false }
            }
            (None, ShapeLoad::Rate { .. }) if parts.is_empty() => {
                ShapeCommand::Begin { lanes: vec![lane], skip: parts, is_open: true }
            }
            (None, ShapeLoad::Rate { .. }) => {
                ShapeCommand::Begin { lanes: parts, skip: vec![lane], is_open: true }
            }
            (None, ShapeLoad::End) => {
                let skip = parts.into_iter().chain([lane]).collect();
                ShapeCommand::Begin { lanes: Vec::new(), skip, is_open: false }
            }
        };
        shape.answer = Some(answer);
        said
    }

    /// What the last answer of a shape makes of its lanes.
    pub(super) fn changes(&mut self, lane: usize, lanes: &mut Lanes, now: Duration) -> Vec<Change> {
        let Some(shape) = self.shapes.iter().find(|shape| shape.lane == lane) else { return Vec::new() };
        let open = if shape.parts.is_empty() { vec![lane] } else { shape.parts.clone() };
        match &shape.answer {
            Some(ShapeLoad::Users { users, spawn_rate, scenarios }) => {
                let change = lanes.shape_users(lane, *users, *spawn_rate, scenarios.as_deref(), now);
                change.into_iter().collect()
            }
            Some(ShapeLoad::Rate { rate, scenarios }) => {
                lanes.shape_rate(&open, *rate, scenarios.as_deref(), now)
            }
            Some(ShapeLoad::End) => {
                let all: Vec<usize> = shape.parts.iter().copied().chain([lane]).collect();
                self.shapes.retain(|shape| shape.lane != lane);
                lanes.shape_end(&all, now)
            }
            None => Vec::new(),
        }
    }

    /// None is asked until [`Shapes::resume`].
    pub(super) fn pause(&mut self, now: Duration) {
        self.paused = Some(now);
    }

    /// Their time goes on where it stood; gives how long it stood.
    pub(super) fn resume(&mut self, now: Duration) -> Duration {
        let pause = self.paused.take().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        for shape in &mut self.shapes {
            shape.start += pause;
            shape.next += pause;
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Options, ScenarioPlan, TaskPlan, TestPlan};

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn users(users: u64, scenarios: Option<&[&str]>) -> ShapeAnswer {
        let scenarios = scenarios.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Ok(ShapeLoad::Users { users, spawn_rate: None, scenarios })
    }

    fn rate(rate: f64) -> ShapeAnswer {
        Ok(ShapeLoad::Rate { rate, scenarios: None })
    }

    /// The lanes of two scenarios whose mix a shape makes, which has been asked: 0 is the mix, 1 and 2 are its parts.
    fn asked() -> (TestPlan, Lanes, Shapes) {
        let scenario =
            |name, weight| ScenarioPlan { weight, ..ScenarioPlan::new(name, vec![TaskPlan::new("f", 1)]) };
        let options = Options { shape: Some("shape".into()), ..Options::default() };
        let plan = TestPlan::new(options, vec![scenario("a", 3.0), scenario("b", 1.0)], 7).unwrap();
        let mut lanes = Lanes::new(&plan);
        let mut shapes = Shapes::default();
        lanes.ask(0);
        shapes.add(0, "shape".to_owned(), lanes.parts_of_shape(0), Duration::ZERO);
        assert_eq!(shapes.ask(Duration::ZERO), [(0, "shape".to_owned(), 0.0)]);
        (plan, lanes, shapes)
    }

    /// Begins what the first answer says should begin.
    fn begin(said: ShapeCommand, plan: &TestPlan, lanes: &mut Lanes) -> (Vec<usize>, Vec<usize>, bool) {
        let ShapeCommand::Begin { lanes: first, skip, is_open } = said else { panic!("nothing begins") };
        skip.iter().for_each(|&lane| lanes.skip(lane, Duration::ZERO));
        for &lane in &first {
            assert!(lanes.begin(lane, Duration::ZERO, plan, 1, is_open).is_some());
        }
        (first, skip, is_open)
    }

    #[test]
    fn a_shape_is_asked_each_second_and_once_at_a_time() {
        let (_, _, mut shapes) = asked();
        assert_eq!(shapes.next_ask(), None, "it has not answered");
        shapes.said(0, users(2, None));
        assert_eq!(shapes.next_ask(), Some(s(1.0)));
        assert!(shapes.ask(s(0.9)).is_empty());
        assert_eq!(shapes.ask(s(3.2))[0].2, 3.2);
        shapes.said(0, users(2, None));
        assert_eq!(shapes.next_ask(), Some(s(4.0)), "on the grid of its start");
        shapes.remove(2);
        assert_eq!(shapes.next_ask(), None);
    }

    #[test]
    fn its_time_stands_still_while_the_run_is_paused() {
        let (_, _, mut shapes) = asked();
        shapes.said(0, users(2, None));
        shapes.pause(s(0.5));
        assert_eq!(shapes.next_ask(), None);
        assert_eq!(shapes.resume(s(10.5)), s(10.0));
        assert_eq!(shapes.next_ask(), Some(s(11.0)));
        assert_eq!(shapes.ask(s(11.0))[0].2, 1.0);
    }

    #[test]
    fn users_are_of_all_scenarios_or_of_those_that_take_part() {
        let (plan, mut lanes, mut shapes) = asked();
        let first = shapes.said(0, users(2, None));
        assert_eq!(begin(first, &plan, &mut lanes), (vec![0], vec![1, 2], false));
        let changes = shapes.changes(0, &mut lanes, Duration::ZERO);
        assert_eq!((lanes.users_target(s(0.5)), &*changes[0].1.mix), (2, [0, 1].as_slice()));
        assert!(matches!(shapes.said(0, users(2, None)), ShapeCommand::Nothing), "as before");
        assert!(matches!(shapes.said(0, users(5, Some(&["b"]))), ShapeCommand::Change));
        let changes = shapes.changes(0, &mut lanes, s(1.0));
        assert_eq!(lanes.users_target(s(1.0)), 5);
        assert_eq!(*changes[0].1.mix, [0, 1, 1, 1, 1], "who is there stays what it is");
    }

    #[test]
    fn a_rate_is_shared_by_weight() {
        let (plan, mut lanes, mut shapes) = asked();
        let first = shapes.said(0, rate(40.0));
        assert_eq!(begin(first, &plan, &mut lanes), (vec![1, 2], vec![0], true));
        let changes = shapes.changes(0, &mut lanes, Duration::ZERO);
        let rates: Vec<f64> = changes.iter().map(|(_, schedule)| schedule.curve.at(0.5)).collect();
        assert_eq!(rates, [30.0, 10.0]);
        assert_eq!(lanes.planned(s(1.0)), [(0, 30), (1, 10)]);
    }

    #[test]
    fn the_last_good_answer_holds() {
        let failed = || Err(HookError::Failed("odd".to_owned()));
        let (_, _, mut shapes) = asked();
        assert!(matches!(shapes.said(0, failed()), ShapeCommand::Unusable(_)), "there is none");
        shapes.said(0, rate(40.0));
        assert!(matches!(shapes.said(0, failed()), ShapeCommand::Nothing));
        assert_eq!(shapes.last(0), Some(&ShapeLoad::Rate { rate: 40.0, scenarios: None }));
        assert!(matches!(shapes.said(0, Err(HookError::Aborted("why".into()))), ShapeCommand::Abort(_)));
    }

    #[test]
    fn it_ends_its_lanes() {
        let (plan, mut lanes, mut shapes) = asked();
        let first = shapes.said(0, users(2, None));
        begin(first, &plan, &mut lanes);
        shapes.changes(0, &mut lanes, Duration::ZERO);
        assert!(matches!(shapes.said(0, Ok(ShapeLoad::End)), ShapeCommand::Change));
        shapes.changes(0, &mut lanes, s(2.0));
        assert_eq!((lanes.users_target(s(2.0)), shapes.next_ask()), (0, None));
        assert!(lanes.idle(0, 0, None, s(2.0)) && lanes.are_over() && lanes.some_time_was_over());
    }
}
