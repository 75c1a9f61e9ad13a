//! `between`, `constant`, `constant_pacing`, `constant_throughput`, `poisson`: what is waited after an iteration.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr};

use super::convert;
use crate::plan::Wait;
use crate::script::host::{Host, ScriptResult};

/// A wait as a script value.
#[derive(Clone, Debug)]
pub(crate) struct WaitSpec(pub(crate) Wait);

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    engine.register_type_with_name::<WaitSpec>("Wait");
    engine.register_fn("constant", |seconds: Dynamic| {
        spec(Wait::Constant(not_negative("constant", "seconds", &seconds)?))
    });
    engine.register_fn("between", |least: Dynamic, most: Dynamic| {
        let least = not_negative("between", "the shortest wait", &least)?;
        let most = not_negative("between", "the longest wait", &most)?;
        if least > most {
            return Err(format!("between({least}, {most}): the shorter wait comes first").into());
        }
        spec(Wait::Between(least, most))
    });
    engine.register_fn("constant_pacing", |seconds: Dynamic| {
        spec(Wait::Pacing(not_negative("constant_pacing", "seconds", &seconds)?))
    });
    engine.register_fn("constant_throughput", |rate: Dynamic| {
        spec(Wait::Pacing(1.0 / positive("constant_throughput", "iterations per second", &rate)?))
    });
    engine.register_fn("poisson", |rate: Dynamic| {
        spec(Wait::Poisson(positive("poisson", "waits per second", &rate)?))
    });
}

/// A wait from a script value: a wait, a number of seconds, or a function that returns seconds.
pub(crate) fn wait_from(what: &str, value: &Dynamic) -> Result<(Wait, Option<FnPtr>), String> {
    if let Some(spec) = value.read_lock::<WaitSpec>() {
        return Ok((spec.0.clone(), None));
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return Ok((Wait::Script, Some(function.clone())));
    }
    if convert::number(value).is_some() {
        return Ok((Wait::Constant(not_negative(what, "seconds", value)?), None));
    }
    Err(convert::expected(what, "between(a, b), constant(s), another wait, or a function", value))
}

fn spec(wait: Wait) -> ScriptResult<WaitSpec> {
    Ok(WaitSpec(wait))
}

fn not_negative(function: &str, what: &str, value: &Dynamic) -> Result<f64, String> {
    match convert::number(value) {
        Some(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Some(number) => Err(format!("{function}: {what} is {number}; it must be 0 or more")),
        None => Err(convert::expected(&format!("{function}: {what}"), "a number", value)),
    }
}

fn positive(function: &str, what: &str, value: &Dynamic) -> Result<f64, String> {
    match not_negative(function, what, value)? {
        number if number > 0.0 => Ok(number),
        _ => Err(format!("{function}: {what} is 0; it must be above 0")),
    }
}
