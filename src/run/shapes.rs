//! The shape functions of a script: when each is asked, and what its answers make of the lanes.
//!
//! Invariant: a shape is asked once at a time, and its last good answer holds until there is another one.

use std::time::Duration;

use tokio::time::Instant;

use super::lanes::{Change, Lanes};
use super::worker_loop::ShapeAnswer;
use crate::executor::shape::{ASK_EVERY_S, Answer};
use crate::vu::HookError;

/// See the module's description.
#[derive(Default)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    paused: Option<Instant>,
}

struct Shape {
    lane: usize,
    function: String,
    /// The lanes of single scenarios that run a rate of the mix.
    parts: Vec<usize>,
    start: Instant,
    next: Instant,
    is_asked: bool,
    answer: Option<Answer>,
}

/// What follows from an answer.
pub(super) enum Said {
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
    pub(super) fn add(&mut self, lane: usize, function: String, parts: Vec<usize>, start: Instant) {
        self.shapes.push(Shape { lane, function, parts, start, next: start, is_asked: false, answer: None });
    }

    /// A lane is over; its shape is not asked any more.
    pub(super) fn remove(&mut self, lane: usize) {
        self.shapes.retain(|shape| shape.lane != lane && !shape.parts.contains(&lane));
    }

    /// When the next one is to be asked.
    pub(super) fn next_ask(&self) -> Option<Instant> {
        if self.paused.is_some() {
            return None;
        }
        self.shapes.iter().filter(|shape| !shape.is_asked).map(|shape| shape.next).min()
    }

    /// Those that are to be asked now: lane, function, seconds since the start of the lane.
    pub(super) fn ask(&mut self, now: Instant) -> Vec<(usize, String, f64)> {
        let every = Duration::from_secs(ASK_EVERY_S);
        let due = self.shapes.iter_mut().filter(|shape| !shape.is_asked && shape.next <= now);
        due.map(|shape| {
            shape.is_asked = true;
            while shape.next <= now {
                shape.next += every;
            }
            let elapsed = now.saturating_duration_since(shape.start).as_secs_f64();
            (shape.lane, shape.function.clone(), elapsed)
        })
        .collect()
    }

    /// The last good answer of a lane's shape.
    pub(super) fn last(&self, lane: usize) -> Option<&Answer> {
        self.shapes.iter().find(|shape| shape.lane == lane).and_then(|shape| shape.answer.as_ref())
    }

    /// A shape has answered.
    pub(super) fn said(&mut self, lane: usize, answer: ShapeAnswer) -> Said {
        let Some(shape) = self.shapes.iter_mut().find(|shape| shape.lane == lane) else {
            return Said::Nothing;
        };
        shape.is_asked = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(HookError::Aborted(reason)) => return Said::Abort(reason),
            // It has been counted and shown.
            Err(HookError::Failed(_)) if shape.answer.is_some() => return Said::Nothing,
            Err(HookError::Failed(error)) => return Said::Unusable(error),
        };
        let parts = shape.parts.clone();
        let said = match (&shape.answer, &answer) {
            (Some(last), new) if last == new => Said::Nothing,
            (Some(_), _) => Said::Change,
            (None, Answer::Users { .. }) => Said::Begin { lanes: vec![lane], skip: parts, is_open: false },
            (None, Answer::Rate { .. }) if parts.is_empty() => {
                Said::Begin { lanes: vec![lane], skip: parts, is_open: true }
            }
            (None, Answer::Rate { .. }) => Said::Begin { lanes: parts, skip: vec![lane], is_open: true },
            (None, Answer::End) => {
                let skip = parts.into_iter().chain([lane]).collect();
                Said::Begin { lanes: Vec::new(), skip, is_open: false }
            }
        };
        shape.answer = Some(answer);
        said
    }

    /// What the last answer of a shape makes of its lanes.
    pub(super) fn changes(&mut self, lane: usize, lanes: &mut Lanes, now: Instant) -> Vec<Change> {
        let Some(shape) = self.shapes.iter().find(|shape| shape.lane == lane) else { return Vec::new() };
        let open = if shape.parts.is_empty() { vec![lane] } else { shape.parts.clone() };
        match &shape.answer {
            Some(Answer::Users { users, spawn_rate, scenarios }) => {
                let change = lanes.shape_users(lane, *users, *spawn_rate, scenarios.as_deref(), now);
                change.into_iter().collect()
            }
            Some(Answer::Rate { rate, scenarios }) => {
                lanes.shape_rate(&open, *rate, scenarios.as_deref(), now)
            }
            Some(Answer::End) => {
                let all: Vec<usize> = shape.parts.iter().copied().chain([lane]).collect();
                self.shapes.retain(|shape| shape.lane != lane);
                lanes.shape_end(&all, now)
            }
            None => Vec::new(),
        }
    }

    /// None is asked until [`Shapes::resume`].
    pub(super) fn pause(&mut self, now: Instant) {
        self.paused = Some(now);
    }

    /// Their time goes on where it stood; gives how long it stood.
    pub(super) fn resume(&mut self, now: Instant) -> Duration {
        let pause = self.paused.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        for shape in &mut self.shapes {
            shape.start += pause;
            shape.next += pause;
        }
        pause
    }
}
