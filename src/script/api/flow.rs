//! `sleep`, `think`, `group`, `call_as_user`, `fail`, `abort`: how an iteration goes on or ends.

use std::rc::Rc;
use std::time::Duration;

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, NativeCallContext};

use super::{call_closure, check, convert, log, metrics};
use crate::plan::Wait;
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::wait_time::wait_seconds;

pub(super) const SECTION: Section = Section {
    name: "flow",
    title: "Checks and the course of an iteration",
    is_part: false,
    about: "checks, sleeping, groups, transactions, ending an iteration or the run",
    intro: "",
    tables: &[check::CALLS, CALLS, metrics::MEASURE, log::GLOBALS],
    notes: "\
`this` is the VU's own map inside the closures of `group` and `measure` too. A failed check does not fail the request and
ends nothing. In a function that stops a run (`on_stop`, `teardown`), `sleep` and `think` return at once.",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Ends the iteration as a script error `failed: reason`.
    ///
    /// Errors: cannot be caught.
    ///
    /// ```rhai
    /// if !http::get("/health").ok { fail("the service is not there"); }
    /// ```
    fn fail(reason: text);

    /// Ends the run; exit code 108.
    ///
    /// Errors: cannot be caught.
    fn abort(reason: text);

    /// Waits; others run meanwhile. *VU*
    ///
    /// Errors: not a time.
    ///
    /// ```rhai
    /// sleep(0.5);
    /// sleep("300ms");
    /// ```
    fn sleep(time: time);

    /// Waits as the wait of the task, or else of the scenario, says, inside a task. *VU*
    ///
    /// Errors: the wait is a pacing or a function.
    fn think();

    /// Tags the requests inside with `group:name`, nested groups with `group:outer::inner`; returns what the closure
    /// returns. *VU*
    ///
    /// ```rhai
    /// group("shop", || {
    ///     http::get("/quality/insights");
    ///     http::get("/health");
    /// });
    /// ```
    fn group(name: text, body: function) -> any;

    /// Calls the closure with the VU's own `this`, which `closure.call()` leaves unbound; for functions of libraries that
    /// take closures; returns what the closure returns.
    fn call_as_user(body: function) -> any;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    // Overrides Rhai's own `sleep`, which would block the thread and every virtual user on it.
    let h = host.clone();
    engine.register_fn("sleep", move |seconds: i64| sleep(&h, &seconds.into()));
    let h = host.clone();
    engine.register_fn("sleep", move |seconds: f64| sleep(&h, &seconds.into()));
    let h = host.clone();
    engine.register_fn("sleep", move |duration: ImmutableString| sleep(&h, &duration.into()));

    let h = host.clone();
    engine.register_fn("think", move || -> ScriptResult<()> {
        let vu = h.vu("think")?;
        let seconds = match &*vu.wait.borrow() {
            Wait::Script => {
                return Err("think() waits as the scenario's wait says, and that is a function here: \
                            call it and sleep() instead"
                    .into());
            }
            Wait::Pacing(_) => {
                return Err("think() has no meaning with constant_pacing or constant_throughput: they pace \
                            whole iterations; use sleep()"
                    .into());
            }
            wait => wait_seconds(wait, &mut *vu.rng.borrow_mut()),
        };
        h.pause(&vu, Duration::from_secs_f64(seconds))
    });

    let h = host.clone();
    engine.register_fn(
        "group",
        move |context: NativeCallContext, name: ImmutableString, body: FnPtr| -> ScriptResult<Dynamic> {
            let vu = h.vu("group")?;
            vu.groups.borrow_mut().push(name.to_string());
            let result = call_closure(&h, &context, &body, []);
            vu.groups.borrow_mut().pop();
            result
        },
    );

    // For libraries: Rhai's own `call` leaves `this` unbound in the closure.
    let h = host.clone();
    engine.register_fn("call_as_user", move |context: NativeCallContext, body: FnPtr| {
        call_closure(&h, &context, &body, [])
    });

    engine.register_fn("fail", |context: NativeCallContext, reason: ImmutableString| -> ScriptResult<()> {
        Err(Ending::Fail(reason.to_string(), context.call_position()).into_error())
    });
    engine.register_fn("abort", |reason: ImmutableString| -> ScriptResult<()> {
        Err(Ending::Abort(reason.to_string()).into_error())
    });
}

fn sleep(host: &Rc<Host>, duration: &Dynamic) -> ScriptResult<()> {
    let duration = convert::duration("sleep", duration)?;
    host.pause(&*host.vu("sleep")?, duration)
}
