//! What can be changed about the load of a running test.

/// A change of the load while it is made; see [`RunHandle::control`](super::RunHandle::control).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// So many virtual users from now on, until the time of the load is over.
    Users {
        /// The scenario whose users are meant; `None` when only one load of users runs.
        lane: Option<String>,
        /// How many.
        users: u64,
        /// Added or taken away per second; `None` as fast as at the start.
        spawn_rate: Option<f64>,
    },
    /// So many iterations per second from now on, until the time of the load is over.
    Rate {
        /// The scenario that is meant; `None` when only one load with a rate runs.
        lane: Option<String>,
        /// Iterations per second.
        rate: f64,
    },
    /// No iteration begins until [`Control::Resume`]; running ones end. The time of the load stands still.
    Pause,
    /// The load goes on where it was paused.
    Resume,
    /// The stage that the load is in ends now: the next one begins, from where the load is. Of users that are
    /// added one by one, all are there at once; after the last stage, the load ends.
    NextStage,
}
