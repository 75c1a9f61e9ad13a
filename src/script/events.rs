//! The events that a script can listen to with `on`. Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::ending::Ending;
use super::value::Value;
use crate::metrics::ScriptError;
use crate::text::did_you_mean;

/// An event of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ScriptEvent {
    /// `setup` is done; the load starts after the listeners have run.
    TestStart,
    /// The load is over; `teardown` comes next.
    TestStop,
    /// All virtual users are running.
    SpawningComplete,
    /// The run has entered another phase.
    Stage,
    /// A task or `on_start` of a virtual user raised an error.
    ScriptError,
    /// A request was counted.
    Request,
    /// A threshold was breached.
    ThresholdFailed,
}

const NAMES: [(&str, ScriptEvent); 7] = [
    ("test_start", ScriptEvent::TestStart),
    ("test_stop", ScriptEvent::TestStop),
    ("spawning_complete", ScriptEvent::SpawningComplete),
    ("stage", ScriptEvent::Stage),
    ("script_error", ScriptEvent::ScriptError),
    ("request", ScriptEvent::Request),
    ("threshold_failed", ScriptEvent::ThresholdFailed),
];

impl ScriptEvent {
    /// The event of this name, or an error message.
    pub(crate) fn named(name: &str) -> Result<ScriptEvent, String> {
        NAMES.iter().find(|(known, _)| *known == name).map(|&(_, event)| event).ok_or_else(|| {
            let names = NAMES.map(|(known, _)| known);
            format!("unknown event '{name}'{} (known: {})", did_you_mean(name, names), names.join(", "))
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        NAMES.iter().find(|&&(_, event)| event == self).map_or("", |(name, _)| name)
    }
}

/// The data of an event, in a form that can cross threads.
pub(crate) type EventFields = Vec<(Cow<'static, str>, Value)>;

/// The result of calling the listeners of an event.
#[derive(Default)]
pub(crate) struct Fired {
    /// The errors they made.
    pub(crate) errors: Vec<ScriptError>,
    /// Set when one of them ended the call, the virtual user or the run; the later ones were not called.
    pub(crate) ending: Option<Ending>,
}
