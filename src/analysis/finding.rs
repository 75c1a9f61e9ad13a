//! One thing that happened in a run: what, when, and the sentence about it.

use std::time::Duration;

use crate::metrics::Phase;
pub(crate) use crate::text::format::plural;
use crate::text::format_clock;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// A short stable word: `stall`, `failing`, `burst`, `knee`, `leak`, `generator`, `blocked`, `standstill`, `load`, `first-error`,
    /// `few-samples`, `unfinished`, `agent-lost`, `agents-lost`.
    pub kind: &'static str,
    /// When it began, as time since the start of the load; `None` for the whole run.
    pub at: Option<Duration>,
    /// When it ended; `None` if it has no end.
    pub until: Option<Duration>,
    /// One sentence. Request names in it are not escaped.
    pub text: String,
}

impl Finding {
    /// The sentence, prefixed with its time.
    pub fn sentence(&self) -> String {
        match (self.at, self.until) {
            (Some(at), Some(until)) => format!("{}-{} {}", format_clock(at), format_clock(until), self.text),
            (Some(at), None) => format!("{} {}", format_clock(at), self.text),
            _ => self.text.clone(),
        }
    }
}

/// Whether a second in this phase has load: in a ramp-down and during a pause there is less and less of it, or none.
pub(super) fn is_loaded(phase: Phase) -> bool {
    !matches!(phase, Phase::RampDown | Phase::Paused)
}
