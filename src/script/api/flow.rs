//! `sleep`, `think`, `group`, `call_as_user`, `fail`, `abort`: the flow of an iteration.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, NativeCallContext};

use super::{call_closure, check, convert, log, metrics};
use crate::metrics::{Tagged, builtin};
use crate::plan::Wait;
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::vu_context::{OpenGroup, VuContext};
use crate::script::wait_time::wait_seconds;
use crate::text::LONGEST_DURATION;

pub(super) const SECTION: Section = Section {
    name: "flow",
    title: "Checks and flow control",
    is_part: false,
    about: "checks, sleeping, groups, transactions, ending an iteration or the run",
    intro: "",
    tables: &[check::CALLS, CALLS, metrics::MEASURE, log::GLOBALS],
    notes: "\
`this` in a closure is that of the function that the closure is in or is passed on by: the VU's own map in a task, the
map before the dot in a method. A failed check neither fails the request nor ends the iteration. In `on_stop` and
`teardown`, `sleep` and `think` return at once.",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Ends the iteration with the script error `failed: reason`.
    ///
    /// Errors: cannot be caught.
    ///
    /// ```rhai
    /// if !http::get("/health").ok { fail("the service is down"); }
    /// ```
    fn fail(reason: text);

    /// Ends the run; exit code 108.
    ///
    /// Errors: cannot be caught.
    fn abort(reason: text);

    /// Suspends this VU; other VUs keep running. *VU*
    ///
    /// Errors: not a time.
    ///
    /// ```rhai
    /// sleep(0.5);
    /// sleep("300ms");
    /// ```
    fn sleep(time: time);

    /// Think time inside a task: waits as long as the task's wait, or else the scenario's, says. *VU*
    ///
    /// Errors: the wait is a pacing or a function.
    fn think();

    /// Tags what happens in the closure with `group:::name`, or `group:::outer::inner` in nested groups, as k6 does;
    /// returns the closure's result. *VU*
    ///
    /// ```rhai
    /// group("shop", || {
    ///     http::get("/quality/insights");
    ///     http::get("/health");
    /// });
    /// ```
    fn group(name: text, body: function) -> any;

    /// Calls the function with the `this` of the function that passes it on, and returns its result. A closure has
    /// that by `closure.call()` too, a function by its name, `Fn("name")`, only here.
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
                return Err("think() cannot be used when the scenario's wait is a function; call that \
                            function and sleep() instead"
                    .into());
            }
            Wait::Pacing(_) => {
                return Err(
                    "think() cannot be used with constant_pacing or constant_throughput, which pace \
                            whole iterations; use sleep() instead"
                        .into(),
                );
            }
            wait => wait_seconds(wait, &mut *vu.rng.borrow_mut()),
        };
        // What chance draws has no end.
        let pause = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_DURATION);
        h.pause(&vu, pause.min(LONGEST_DURATION))
    });

    let h = host.clone();
    engine.register_fn(
        "group",
        move |context: NativeCallContext, name: ImmutableString, body: FnPtr| -> ScriptResult<Dynamic> {
            let vu = h.vu("group")?;
            let outer = vu.group().unwrap_or_default();
            let path = h.recorder.borrow_mut().group(&format!("{outer}::{name}"), vu.records);
            vu.groups.borrow_mut().push(OpenGroup::new(path));
            let started = Instant::now();
            let result = call_closure(&h, &context, &body, []);
            if result.is_ok() && vu.records {
                count_group(&h, &vu, started.elapsed());
            }
            vu.groups.borrow_mut().pop();
            result
        },
    );

    // For libraries: Rhai's own `call` leaves `this` unbound in a function that is given by its name.
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

/// Counts the innermost group of a user, which took so long.
fn count_group(host: &Host, vu: &VuContext, duration: Duration) {
    let mut recorder = host.recorder.borrow_mut();
    if let Some(metric) = builtin::named("group_duration").and_then(|metric| recorder.builtin(metric).ok()) {
        // A trend takes every time.
        let _ = recorder.custom_value(metric, duration.as_micros() as f64 / 1_000.0, &[], vu);
    }
}

fn sleep(host: &Rc<Host>, duration: &Dynamic) -> ScriptResult<()> {
    let duration = convert::duration("sleep", duration)?;
    host.pause(&*host.vu("sleep")?, duration)
}
