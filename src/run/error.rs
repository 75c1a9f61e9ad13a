//! Why a run cannot start. What happens during a run is in its report, not here.

use crate::http::SetupError;
use crate::metrics::ScriptError;
use crate::plan::PlanError;
use crate::script::Problem;

/// Why a load test could not be started. Every message says what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The script's file cannot be read.
    #[error("{0}")]
    Script(String),
    /// The script does not compile, or its top level fails; and what else is wrong in it, found without running it.
    #[error("{}: {}{}{}", .0.position, .0.message, if .0.trace.is_empty() { "" } else { "\n" }, .0.trace)]
    Load(ScriptError, Vec<Problem>),
    /// The script loads, but looking through it found mistakes; see
    /// [`LoadTest::check_first`](super::LoadTest::check_first).
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Check(Vec<Problem>),
    /// Users, rates or scenarios are set wrongly; all problems, a line each.
    #[error(transparent)]
    Plan(PlanError),
    /// The host is not a URL.
    #[error("{0}")]
    Host(String),
    /// Something about requests is set wrongly: a certificate, a proxy, a header.
    #[error(transparent)]
    Http(SetupError),
    /// The script cannot be run as it is set up; found out while it ran.
    #[error("{0}")]
    Misconfigured(String),
    /// It cannot run on other machines, or what one of them got is not complete.
    #[error("{0}")]
    Unsendable(String),
    /// The system refuses a thread or an event loop.
    #[error("cannot start a thread for the run: {0}")]
    Thread(#[source] std::io::Error),
}
