//! What can be changed about the load of a running test.

/// A change of the load while it is made; see [`RunHandle::control`](super::RunHandle::control).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// So many virtual users from now on, until the time of the load is over.
    Users {
        /// The scenario whose users are meant; `None` when only one load of users runs.
        scenario: Option<String>,
        /// How many.
        users: u64,
        /// Added or taken away per second; `None` as fast as at the start.
        spawn_rate: Option<f64>,
    },
    /// So many iterations per second from now on, until the time of the load is over.
    Rate {
        /// The scenario that is meant; `None` when only one load with a rate runs.
        scenario: Option<String>,
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

/// Why the load cannot be changed so, now.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// `setup` still runs.
    #[error("the load has not begun yet")]
    NotBegun,
    /// The load is over.
    #[error("the load is over")]
    Over,
    /// It is paused and has to be resumed first.
    #[error("the run is paused; resume it first")]
    Paused,
    /// It was to be paused and is.
    #[error("the run is paused already")]
    PausedAlready,
    /// It was to be resumed and goes on.
    #[error("the run is not paused")]
    NotPaused,
    /// The load is in its last stage.
    #[error("there is no next stage")]
    NoNextStage,
    /// The load has no stages.
    #[error("this load has no stages (define them with --stages or in the script)")]
    NoStages,
    /// No load can have this rate.
    #[error("the rate is {0}; it must be 0 or more")]
    Rate(f64),
    /// It is not said which of these is meant.
    #[error("several loads run now; name one of them: {}", .0.join(", "))]
    Several(Vec<String>),
    /// This scenario does not run now, or has users where a rate was given, or the other way round.
    #[error("no scenario '{0}' of that kind runs now")]
    NoScenario(String),
    /// Nothing runs that has a rate.
    #[error("nothing that has a rate runs now")]
    NoRate,
    /// Nothing runs that has a number of users.
    #[error("nothing that has a number of users runs now")]
    NoUsers,
}
