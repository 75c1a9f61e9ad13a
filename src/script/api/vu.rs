//! `vu::…`: the running virtual user.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};

use super::placed;
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::vu_context::VuContext;

pub(super) const SECTION: Section = Section {
    name: "vu",
    title: "`vu`",
    is_part: false,
    about: "the running virtual user",
    intro: "*VU*, except `vu::data`, `vu::stage` and `vu::stop`, which work everywhere.",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("vu"); ("call", "gives");

    /// Number of the VU, from 1; 0 in `setup` and `teardown`.
    fn id() -> int;

    /// Number of the VU's iteration, from 1; 0 in `on_start`.
    fn iteration() -> int;

    /// Name of the VU's scenario; `setup` in `setup` and `teardown`.
    fn scenario() -> text;

    /// The same as `run::phase()`.
    fn stage() -> text;

    /// Seconds since this VU started.
    fn elapsed() -> float;

    /// A copy of the value that `setup` returned; `()` before.
    ///
    /// ```rhai
    /// fn setup() { #{ token: http::post("/login", #{ json: #{ user: "admin" } }).json("token") } }
    /// fn iteration() { http::get("/quality/insights", #{ bearer: vu::data().token }); }
    /// ```
    fn data() -> any;

    /// Map of the tags of all requests of this VU.
    fn tags() -> map;

    /// Ends the VU; its `on_stop` runs, and the iteration counts as completed.
    fn stop();
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("id", move |context: NativeCallContext| {
        user(&h, &context, "vu::id").map(|vu| vu.id as i64)
    });
    let h = host.clone();
    module.set_native_fn("iteration", move |context: NativeCallContext| {
        user(&h, &context, "vu::iteration").map(|vu| vu.iteration.get() as i64)
    });
    let h = host.clone();
    module.set_native_fn("scenario", move |context: NativeCallContext| {
        user(&h, &context, "vu::scenario").map(|vu| vu.scenario.to_string())
    });
    let h = host.clone();
    module.set_native_fn("elapsed", move |context: NativeCallContext| {
        user(&h, &context, "vu::elapsed").map(|vu| vu.started.elapsed().as_secs_f64())
    });
    let h = host.clone();
    module.set_native_fn("tags", move |context: NativeCallContext| -> ScriptResult<Map> {
        let vu = user(&h, &context, "vu::tags")?;
        Ok(vu.tags.text.iter().map(|(key, value)| (key.into(), value.into())).collect())
    });
    let h = host.clone();
    module.set_native_fn("stage", move || -> ScriptResult<String> {
        let stage = h.current().and_then(|vu| vu.stage.as_ref().and_then(|stage| stage.stage()));
        Ok(stage.map_or_else(|| h.run.phase().as_str().to_owned(), |name| name.to_string()))
    });
    let h = host.clone();
    module.set_native_fn("data", move || -> ScriptResult<Dynamic> { Ok(h.setup_data.borrow().clone()) });
    module.set_native_fn("stop", move || -> ScriptResult<()> { Err(Ending::VuStop.into_error()) });
    engine.register_static_module("vu", module.into());
}

/// The running virtual user; at the top level, where there is none, an error at the place of the call.
fn user(host: &Rc<Host>, context: &NativeCallContext, function: &str) -> ScriptResult<Rc<VuContext>> {
    placed(context, host.vu(function))
}
