//! `check`: a named yes or no on a value; counted, never stops anything.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::{call_closure, convert};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, calls};

calls! {
    pub(super) CALLS: Owner::Global; ("call", "does");

    /// Records a check as passed or failed; returns `passed`. *VU*
    ///
    /// ```rhai
    /// check("signed in", this.token != ());
    /// ```
    fn check(name: text, passed: bool) -> bool;

    /// Runs each condition of `#{ "name": |v| bool, … }` on the value and records it as a check; returns whether
    /// all passed. *VU*
    ///
    /// Errors: a condition does not return true or false. An error inside a condition counts as a failed check
    /// and is passed on to the script.
    ///
    /// ```rhai
    /// check(http::get("/quality/insights"), #{
    ///     "is JSON": |r| r.headers["content-type"].contains("json"),
    ///     "has projects": |r| r.json("projects").len > 0,
    /// });
    /// ```
    fn check(value: any, checks: map) -> bool;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn("check", move |name: ImmutableString, passed: bool| -> ScriptResult<bool> {
        record(&h, &name, passed)?;
        Ok(passed)
    });
    let h = host.clone();
    engine.register_fn("check", move |context: NativeCallContext, value: Dynamic, checks: Map| {
        check_all(&h, &context, &value, &checks)
    });
}

/// Applies every condition of `checks` to `value`; true when all hold.
pub(super) fn check_all(
    host: &Rc<Host>,
    context: &NativeCallContext,
    value: &Dynamic,
    checks: &Map,
) -> ScriptResult<bool> {
    let mut all = true;
    for (name, condition) in checks {
        let passed = match condition.read_lock::<FnPtr>() {
            Some(function) => match call_closure(host, context, &function, [value.clone()]) {
                Ok(passed) => passed.as_bool().map_err(|_| {
                    format!(
                        "check '{name}': {}",
                        convert::expected("its function's result", "true or false", &passed)
                    )
                })?,
                Err(error) => {
                    // The condition could not be evaluated, so it did not hold; the script still sees why.
                    record(host, name, false)?;
                    return Err(error);
                }
            },
            None => convert::boolean(&format!("check '{name}'"), condition)?,
        };
        record(host, name, passed)?;
        all &= passed;
    }
    Ok(all)
}

fn record(host: &Rc<Host>, name: &str, passed: bool) -> ScriptResult<()> {
    let vu = host.vu("check")?;
    if vu.records {
        host.recorder.borrow_mut().check(name, passed, &*vu);
    }
    Ok(())
}
