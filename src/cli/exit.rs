//! Exit codes, each with its one meaning.

use std::process::ExitCode;

use crate::RunError;
use crate::analysis::Verdict;
use crate::plan::RunRecord;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// The run reached its planned end with at least one request.
    Passed = 0,
    /// Nothing succeeded; or requests or scripts failed, and `--exit-code-on-error` was given.
    Errors = 1,
    /// The arguments contradict each other; `clap` rejects single ones with the same code.
    Usage = 2,
    /// The run made no request at all.
    NoRequests = 97,
    /// Something is worse than the baseline, and `--fail-on-regression` was given.
    Regression = 98,
    /// A threshold was breached or had no data.
    Threshold = 99,
    /// Agents of a distributed run were lost, or left, and for this reason it did not go on.
    AgentsLost = 103,
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
    /// How a finished run ends the command: what its verdict says.
    pub(super) fn of(record: &RunRecord) -> Exit {
        match Verdict::of(record) {
            Verdict::SetupFailed(_) => Exit::SetupFailed,
            Verdict::Aborted(_) => Exit::Aborted,
            Verdict::AgentsLost(_) => Exit::AgentsLost,
            Verdict::StoppedBySignal | Verdict::Unfinished => Exit::Signal,
            Verdict::NoRequests => Exit::NoRequests,
            Verdict::NothingSucceeded(_) | Verdict::Errors => Exit::Errors,
            Verdict::ThresholdsBreached(_, _) | Verdict::Capacity(false) => Exit::Threshold,
            Verdict::Regression(_) => Exit::Regression,
            Verdict::WorkerLost | Verdict::Incomplete(_) => Exit::Configuration,
            Verdict::ThresholdsMet(_)
            | Verdict::Capacity(true)
            | Verdict::TrialPassed
            | Verdict::NoThresholdsSet => Exit::Passed,
        }
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
