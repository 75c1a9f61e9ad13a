//! Loading a script, and dropping the state of its users, on a stack that is large enough for it.
//!
//! Invariant: a script that is handed out can be dropped on the stack of a worker thread, because loading it took less.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::stack::on_large_stack;
use crate::metrics::ScriptError;
use crate::script::{
    Extension, Host, LoadError, Loaded, ScriptEngine, Sources, VALUE_TOO_DEEP, Value, VuContext,
};

/// Loads a script, see [`ScriptEngine::load`], and gives what `then` makes of it.
///
/// # Errors
/// As loading a script; when it is nested too deeply.
pub(crate) fn load_script<T>(
    sources: &Sources,
    host: &Rc<Host>,
    extensions: &[Extension],
    variables: &BTreeMap<String, Value>,
    then: impl FnOnce(ScriptEngine, Loaded) -> T,
) -> Result<T, LoadError> {
    let mark = host.stack_mark();
    mark.set(0);
    let loaded = on_large_stack(mark, || {
        let (script, loaded) = ScriptEngine::load(sources, host, extensions, variables)?;
        if mark.get() != 0 {
            return Err(Box::new(nested_too_deeply(sources)));
        }
        Ok(then(script, loaded))
    });
    mark.set(0);
    loaded.unwrap_or_else(|_| Err(Box::new(nested_too_deeply(sources))))
}

/// Takes the state of a user away. Its values may be nested so deeply that dropping them needs a large stack.
pub(super) fn forget_state(vu: &VuContext) {
    if vu.has_state() {
        let state = vu.start_afresh();
        // Where even that is not enough, they are leaked.
        let _ = on_large_stack(&Cell::new(0), move || drop(state));
    }
}

/// What a script gets that needs more stack than there is.
pub(crate) fn nested_too_deeply(sources: &Sources) -> ScriptError {
    ScriptError {
        message: VALUE_TOO_DEEP.to_owned(),
        position: sources.main().to_owned(),
        trace: String::new(),
    }
}
