//! The one answer of a run. Pure.

use crate::metrics::Snapshot;
use crate::plan::EndedBy;

/// How a run is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// `setup` failed with this error, so no load was made.
    SetupFailed(&'a str),
    /// The script ended the run for this reason.
    Aborted(&'a str),
    /// A signal ended the run before its time.
    StoppedBySignal,
    /// The run was killed, or still runs: its end is not in the results.
    Unfinished,
    /// Not one request got its verdict: nothing was measured.
    NoRequests,
    /// Limits are broken, or had no data: how many, and of how many.
    LimitsBroken(usize, usize),
    /// All limits, so many, were kept.
    LimitsKept(usize),
    /// A search for the capacity is over; whether some rate held.
    Capacity(bool),
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
            EndedBy::Unfinished => Verdict::Unfinished,
            EndedBy::CapacityFound if snapshot.total.requests > 0 => {
                Verdict::Capacity(snapshot.capacity.as_ref().is_some_and(|capacity| capacity.best.is_some()))
            }
            EndedBy::RunTime
            | EndedBy::CapacityFound
            | EndedBy::Iterations
            | EndedBy::UsersGone
            | EndedBy::Stopped
            | EndedBy::Threshold(_) => {
                let (broken, all) = (snapshot.broken_thresholds().count(), snapshot.thresholds.len());
                match (snapshot.total.requests, broken, all) {
                    (0, _, _) => Verdict::NoRequests,
                    (_, _, 0) => Verdict::NoLimitsSet,
                    (_, 0, all) => Verdict::LimitsKept(all),
                    (_, broken, all) => Verdict::LimitsBroken(broken, all),
                }
            }
        }
    }

    /// The words a person looks for.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::SetupFailed(_) => "SETUP FAILED",
            Verdict::Aborted(_) => "ABORTED",
            Verdict::StoppedBySignal => "STOPPED by signal",
            Verdict::Unfinished => "NOT FINISHED",
            Verdict::NoRequests => "NO REQUESTS",
            Verdict::LimitsBroken(_, _) => "FAILED",
            Verdict::LimitsKept(_) => "PASSED",
            Verdict::Capacity(true) => "CAPACITY",
            Verdict::Capacity(false) => "FAILED",
            Verdict::NoLimitsSet => "NO LIMITS SET",
        }
    }
}
