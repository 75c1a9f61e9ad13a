//! `run::…`: the whole run, as of its last second.

use std::rc::Rc;

use rhai::{Engine, ImmutableString, Module};

use crate::script::host::{Ending, Host, ScriptResult};

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
