//! The verdict on a run. Pure.

use crate::metrics::Snapshot;
use crate::plan::EndedBy;

/// The overall result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// `setup` failed with this error, so no load was made.
    SetupFailed(&'a str),
    /// The script ended the run for this reason.
    Aborted(&'a str),
    /// A signal ended the run early.
    StoppedBySignal,
    /// The run was killed or is still running: the results have no end.
    Unfinished,
    /// No request completed: nothing was measured.
    NoRequests,
    /// Thresholds were breached or had no data: how many, out of how many.
    ThresholdsBreached(usize, usize),
    /// All thresholds were met: how many there were.
    ThresholdsMet(usize),
    /// A capacity search is over: whether any rate held.
    Capacity(bool),
    /// The run is complete, but it has no thresholds to pass or fail.
    NoThresholdsSet,
}

impl<'a> Verdict<'a> {
    /// The verdict on a run with this end and these figures.
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
                    (_, _, 0) => Verdict::NoThresholdsSet,
                    (_, 0, all) => Verdict::ThresholdsMet(all),
                    (_, broken, all) => Verdict::ThresholdsBreached(broken, all),
                }
            }
        }
    }

    /// The verdict in capital letters, as every output shows it.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::SetupFailed(_) => "SETUP FAILED",
            Verdict::Aborted(_) => "ABORTED",
            Verdict::StoppedBySignal => "STOPPED by signal",
            Verdict::Unfinished => "NOT FINISHED",
            Verdict::NoRequests => "NO REQUESTS",
            Verdict::ThresholdsBreached(_, _) => "FAILED",
            Verdict::ThresholdsMet(_) => "PASSED",
            Verdict::Capacity(true) => "CAPACITY",
            Verdict::Capacity(false) => "FAILED",
            Verdict::NoThresholdsSet => "NO THRESHOLDS SET",
        }
    }
}
