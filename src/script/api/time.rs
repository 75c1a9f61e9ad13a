//! `time::…`: the wall clock.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rhai::{Engine, Module};

use crate::script::host::{Host, ScriptResult};

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
