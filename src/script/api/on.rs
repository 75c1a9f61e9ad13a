//! `on`: event listeners.

use std::rc::Rc;

use rhai::{Engine, FnPtr, ImmutableString, NativeCallContext};

use crate::script::ending::ScriptResult;
use crate::script::events::ScriptEvent;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "on",
    title: "`on`",
    is_part: false,
    about: "listeners for events of the run",
    intro: "At the top level only.",
    tables: &[CALLS],
    notes: "The events, when they occur and their data are listed in [scripts.md](scripts.md#events).",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Calls a function on an event: `test_start`, `test_stop`, `spawning_complete`, `stage`, `threshold_failed`,
    /// `script_error` or `request`. The listener is a closure, a function or its name; it takes no argument or
    /// one map. An event can have several listeners.
    ///
    /// Errors: unknown event; unknown function.
    ///
    /// ```rhai
    /// on("stage", |e| log::info(`${e.stage} after ${e.elapsed} s`));
    /// ```
    fn on(event: text, listener: function|text);
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn(
        "on",
        move |context: NativeCallContext, event: ImmutableString, listener: FnPtr| -> ScriptResult<()> {
            h.declare("on", |declarations| {
                let event = ScriptEvent::named(&event)?;
                declarations.listeners.push((event, listener, context.call_position()));
                Ok(())
            })
        },
    );
    let h = host.clone();
    engine.register_fn(
        "on",
        move |context: NativeCallContext,
              event: ImmutableString,
              name: ImmutableString|
              -> ScriptResult<()> {
            h.declare("on", |declarations| {
                let event = ScriptEvent::named(&event)?;
                let listener = FnPtr::new(name).map_err(|error| error.to_string())?;
                declarations.listeners.push((event, listener, context.call_position()));
                Ok(())
            })
        },
    );
}
