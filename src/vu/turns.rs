//! When a virtual user's iterations start: what the executors decide and a user asks for.

use tokio::time::Instant;

use crate::script::Stage;

/// A user's next iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Turn {
    /// It starts when the user is ready, after the scenario's wait.
    Free,
    /// It is the one with this place in the queue of its lane; when that is due, [`Turns::due`] says.
    Place(u64),
    /// None for now: the load is paused, or none is left here and other processes may leave some.
    Hold,
    /// None any more: the user leaves.
    Over,
}

/// When a place in the queue is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// At this time; if that is past, at once.
    At(Instant),
    /// Not as the schedule is now; it may be when [`Turns::generation`] changes.
    Later,
    /// Not any more.
    Never,
}

/// What is left of a limited number of iterations when one of them is used up without being begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// Their number is not limited.
    Unlimited,
    /// There are more.
    More,
    /// That was the last one.
    Last,
    /// None for now: other processes may leave some.
    Later,
    /// There was none.
    Nothing,
}

impl Spent {
    /// After one was taken when so many were left.
    pub(crate) fn of(left: u64) -> Spent {
        match left {
            0 => Spent::Nothing,
            1 => Spent::Last,
            _ => Spent::More,
        }
    }
}

/// Gives users their iterations. Implemented by the lanes of `executor`.
pub(crate) trait Turns: Stage {
    /// The next iteration of a user that has begun so many. What is given to one user is given to no other.
    fn next(&self, begun: u64) -> Turn;

    /// Uses up an iteration of a user that has begun, or used up, so many.
    fn spend(&self, begun: u64) -> Spent;

    /// When a place that was given is due.
    fn due(&self, place: u64) -> Due;

    /// Another number whenever the schedule has changed; users that wait are woken then.
    fn generation(&self) -> u64;

    /// A user of this number has left.
    fn left(&self, id: u64);
}
