//! `on`: functions that are called when something happens in the run.

use std::rc::Rc;

use rhai::{Engine, FnPtr, ImmutableString, NativeCallContext};

use crate::script::events::ScriptEvent;
use crate::script::host::{Host, ScriptResult};
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const SECTION: Section = Section {
    name: "on",
    title: "`on`",
    is_part: false,
    about: "functions that are called when something happens in the run",
    intro: "At the top level only.",
    tables: &[CALLS, EVENTS],
    notes: "Whose function it is, and what is counted of it, is in [scripts.md](scripts.md#events).",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Calls a function when this happens: `test_start`, `test_stop`, `spawning_complete`, `stage`, `script_error` or
    /// `request`. The listener is a closure, a function or its name; it takes nothing, or one map. Several can listen
    /// to one event.
    ///
    /// Errors: there is no such event; no such function.
    ///
    /// ```rhai
    /// on("stage", |e| log::info(`${e.stage} after ${e.elapsed} s`));
    /// ```
    fn on(event: text, listener: function|text);
}

keys! {
    EVENTS: "on" ("event", "tells besides `event`", "happens");

    /// Once, after `setup` and before the load.
    test_start: "`elapsed`";
    /// Once each time the phase changes: `ramp-up`, `steady`, `ramp-down`.
    stage: "`stage`, `previous`, `elapsed`";
    /// Once, when all VUs run; not when the run ends before.
    spawning_complete: "`users`, `elapsed`";
    /// Once, when all VUs have ended, before `teardown`; not after a second Ctrl-C.
    test_stop: "`elapsed`";
    /// By the VU, after each of its script errors, those of listeners excepted.
    script_error: "`message`, `position`, `vu`, `iteration`";
    /// By the VU, after each of its HTTP requests was counted.
    request: "`method`, `name`, `url`, `status`, `duration` (ms), `size` (bytes of the body), `ok`, `error` (text or `()`)";
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
