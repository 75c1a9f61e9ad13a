//! `time::…`: the wall clock.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rhai::{Engine, Module};

use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "time",
    title: "`time`",
    is_part: false,
    about: "the wall clock",
    intro: "",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("time"); ("call", "gives");

    /// Seconds since 1970, with fractions.
    fn now() -> float;

    /// Milliseconds since 1970, whole.
    fn unix_ms() -> int;

    /// `2026-11-23T18:35:34.032Z`
    fn iso() -> text;
}

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    let mut module = Module::new();
    module.set_native_fn("now", || -> ScriptResult<f64> { Ok(since_epoch().as_secs_f64()) });
    module.set_native_fn("unix_ms", || -> ScriptResult<i64> { Ok(since_epoch().as_millis() as i64) });
    module.set_native_fn("iso", || -> ScriptResult<String> {
        Ok(humantime::format_rfc3339_millis(SystemTime::now()).to_string())
    });
    engine.register_static_module("time", module.into());
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
