//! `on`: functions that are called when something happens in the run.

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
    about: "functions that are called when something happens in the run",
    intro: "At the top level only.",
    tables: &[CALLS],
    notes: "The events, when they happen and what each tells are in [scripts.md](scripts.md#events).",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Calls a function when this happens: `test_start`, `test_stop`, `spawning_complete`, `stage`, `threshold_failed`,
    /// `script_error` or `request`. The listener is a closure, a function or its name; it takes nothing, or one map.
    /// Several can listen to one event.
    ///
    /// Errors: there is no such event; no such function.
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
