//! Lines that scripts print, on their way out of the engine.
//!
//! Owns the format of a message. Leaves showing it to the caller. Invariant: a flood of messages is cut off;
//! messages are never queued without bound and never block.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A line from a script, or from the engine about a script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// How much it matters.
    pub level: Level,
    /// The text; may contain line breaks.
    pub text: String,
    /// Virtual user and iteration that printed it; `None` at the top level and for messages of the engine itself,
    /// such as script errors.
    pub from: Option<(u64, u64)>,
}

/// The level of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Level {
    /// From `debug`.
    Debug,
    /// From `print` and `log::info`.
    Info,
    /// From `log::warn`, or a condition that may make the figures unreliable.
    Warning,
    /// A script error, or from `log::error`.
    Error,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some((vu, iteration)) => write!(f, "[vu {vu}, iteration {iteration}] {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Where messages go. Called on worker threads, so it must not block.
pub(crate) type MessageSink = Arc<dyn Fn(Message) + Send + Sync>;
