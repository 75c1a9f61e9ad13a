//! `run::…`: the state of the run as of the last full second.

use std::rc::Rc;

use rhai::{Engine, ImmutableString, Module};

use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "run",
    title: "`run`",
    is_part: false,
    about: "the state of the run",
    intro: "",
    tables: &[CALLS],
    notes: "`rate` is as of the last full second, so it is 0 in the first.",
};

calls! {
    CALLS: Owner::Module("run"); ("call", "gives");

    /// Seconds since the load started; 0 before.
    fn elapsed() -> float;

    /// Number of running VUs, now.
    fn users() -> int;

    /// Requests per second over the last ten seconds.
    fn rate() -> float;

    /// `starting`, `ramp-up`, `steady`, `paused`, `ramp-down` or `done`.
    fn phase() -> text;

    /// The same as `abort`.
    fn abort(reason: text);
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("elapsed", move || -> ScriptResult<f64> { Ok(h.run.elapsed().as_secs_f64()) });
    let h = host.clone();
    module.set_native_fn("users", move || -> ScriptResult<i64> { Ok(h.run.users() as i64) });
    let h = host.clone();
    module.set_native_fn("rate", move || -> ScriptResult<f64> { Ok(h.run.rate()) });
    let h = host.clone();
    module.set_native_fn("phase", move || -> ScriptResult<String> { Ok(h.run.phase().as_str().to_owned()) });
    module.set_native_fn("abort", |reason: ImmutableString| -> ScriptResult<()> {
        Err(Ending::Abort(reason.to_string()).into_error())
    });
    engine.register_static_module("run", module.into());
}
