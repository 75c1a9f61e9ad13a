//! Exit codes, each with its one meaning.

use std::process::ExitCode;

use crate::plan::EndedBy;
use crate::{Report, RunError};

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// The run reached its planned end with at least one request.
    Passed = 0,
    /// Requests or scripts failed, and `--exit-code-on-error` was given.
    Errors = 1,
    /// The arguments contradict each other; `clap` rejects single ones with the same code.
    Usage = 2,
    /// The run made no request at all.
    NoRequests = 97,
    /// Something is worse than the baseline, and `--fail-on-regression` was given.
    Regression = 98,
    /// A threshold was breached or had no data.
    Threshold = 99,
    /// A setting is wrong, or the script does not load; or the run passed, and not all of its results that were
    /// asked for could be written or compared.
    Configuration = 104,
    /// A signal ended the run; results were written.
    Signal = 105,
    /// `setup` failed.
    SetupFailed = 107,
    /// The script called `abort`.
    Aborted = 108,
}

impl Exit {
    /// How a finished run ends the command.
    pub(super) fn of(report: &Report, errors_count: bool) -> Exit {
        match report.ended_by() {
            EndedBy::SetupFailed(_) => return Exit::SetupFailed,
            EndedBy::Aborted(_) => return Exit::Aborted,
            EndedBy::Signal => return Exit::Signal,
            EndedBy::RunTime
            | EndedBy::Iterations
            | EndedBy::UsersGone
            | EndedBy::CapacityFound
            | EndedBy::Stopped
            | EndedBy::Threshold(_)
            | EndedBy::Unfinished => {}
        }
        let snapshot = report.snapshot();
        if snapshot.total.requests == 0 {
            return Exit::NoRequests;
        }
        let found_nothing = snapshot.capacity.as_ref().is_some_and(|capacity| capacity.best.is_none());
        if found_nothing || snapshot.broken_thresholds().next().is_some() {
            return Exit::Threshold;
        }
        let erred = snapshot.total.failures > 0 || !snapshot.script_errors.is_empty();
        if erred && errors_count { Exit::Errors } else { Exit::Passed }
    }
}

impl From<&RunError> for Exit {
    fn from(_: &RunError) -> Exit {
        // Whatever keeps a run from starting is something to set differently.
        Exit::Configuration
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
