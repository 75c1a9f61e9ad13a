//! `vu::…`: the running virtual user.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map, Module};

use crate::script::host::{Ending, Host, ScriptResult};

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("id", move || -> ScriptResult<i64> { Ok(h.vu("vu::id")?.id as i64) });
    let h = host.clone();
    module.set_native_fn("iteration", move || -> ScriptResult<i64> {
        Ok(h.vu("vu::iteration")?.iteration.get() as i64)
    });
    let h = host.clone();
    module.set_native_fn("scenario", move || -> ScriptResult<String> {
        Ok(h.vu("vu::scenario")?.scenario.to_string())
    });
    let h = host.clone();
    module.set_native_fn("stage", move || -> ScriptResult<String> { Ok(h.run.phase().as_str().to_owned()) });
    let h = host.clone();
    module.set_native_fn("elapsed", move || -> ScriptResult<f64> { Ok(h.run.elapsed().as_secs_f64()) });
    let h = host.clone();
    module.set_native_fn("data", move || -> ScriptResult<Dynamic> { Ok(h.setup_data.borrow().clone()) });
    let h = host.clone();
    module.set_native_fn("tags", move || -> ScriptResult<Map> {
        let vu = h.vu("vu::tags")?;
        Ok(vu.tags.text.iter().map(|(key, value)| (key.into(), value.into())).collect())
    });
    module.set_native_fn("stop", move || -> ScriptResult<()> { Err(Ending::VuStop.into_error()) });
    engine.register_static_module("vu", module.into());
}
