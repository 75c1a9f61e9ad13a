//! `on`: functions that are called when something happens in the run.

use std::rc::Rc;

use rhai::{Engine, FnPtr, ImmutableString, NativeCallContext};

use crate::script::events::ScriptEvent;
use crate::script::host::{Host, ScriptResult};

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
