//! How a call between a script and its host ends, and how it waits. Pure.

use std::task::{Context, Poll};

use rhai::{Dynamic, EvalAltResult, Position};

/// The result of a host function.
pub(crate) type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// Suspends the running script until a future is ready. Implemented by the fiber.
pub(crate) trait Waiter {
    /// Calls `poll` until it is ready; gives the thread to others while it is pending.
    fn wait(&self, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Result<(), Stopped>;
}

/// The script must end, because the run or its virtual user stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Why a script is ended from outside; travels through Rhai as the token of `ErrorTerminated`,
/// which scripts cannot catch.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The run or the virtual user stops.
    Stopped,
    /// `fail("why")`, and where it stands: Rhai forgets the place of an error that scripts cannot catch.
    Fail(String, Position),
    /// `abort("why")`.
    Abort(String),
    /// `vu::stop()`.
    VuStop,
    /// Stack overflow.
    TooDeep,
    /// Native code recursed too deeply over a value.
    ValueTooDeep,
    /// It has filled the memory.
    TooMuchMemory,
    /// The top level of the script does not terminate.
    LoadTooLong,
}

impl Ending {
    /// The Rhai error that ends the script.
    pub(crate) fn into_error(self) -> Box<EvalAltResult> {
        EvalAltResult::ErrorTerminated(Dynamic::from(self), Position::NONE).into()
    }
}
