//! The one answer of a run. Pure.

use crate::metrics::Snapshot;
use crate::plan::EndedBy;

/// How a run is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// `setup` failed with this error, so no load was made.
    SetupFailed(&'a str),
    /// The script ended the run for this reason.
    Aborted(&'a str),
    /// A signal ended the run before its time.
    StoppedBySignal,
    /// Not one request got its verdict: nothing was measured.
    NoRequests,
    /// The run is complete and nothing says what would have been good enough.
    NoLimitsSet,
}

impl<'a> Verdict<'a> {
    /// The verdict on a run that ended so, with these figures.
    pub fn of(ended_by: &'a EndedBy, snapshot: &Snapshot) -> Self {
        match ended_by {
            EndedBy::SetupFailed(error) => Verdict::SetupFailed(error),
            EndedBy::Aborted(reason) => Verdict::Aborted(reason),
            EndedBy::Signal => Verdict::StoppedBySignal,
            EndedBy::RunTime | EndedBy::Iterations | EndedBy::UsersGone | EndedBy::Stopped => {
                if snapshot.total.requests == 0 { Verdict::NoRequests } else { Verdict::NoLimitsSet }
            }
        }
    }

    /// The words a person looks for.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::SetupFailed(_) => "SETUP FAILED",
            Verdict::Aborted(_) => "ABORTED",
            Verdict::StoppedBySignal => "STOPPED by signal",
            Verdict::NoRequests => "NO REQUESTS",
            Verdict::NoLimitsSet => "NO LIMITS SET",
        }
    }
}
