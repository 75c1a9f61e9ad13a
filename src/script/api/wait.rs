//! `between`, `constant`, `constant_pacing`, `constant_throughput`, `poisson`: what is waited after an iteration.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr};

use super::convert;
use crate::plan::Wait;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

/// A wait as a script value.
#[derive(Clone, Debug)]
pub(crate) struct WaitSpec(pub(crate) Wait);

pub(super) const SECTION: Section = Section {
    name: "waits",
    title: "Waits",
    is_part: false,
    about: "what is waited after an iteration",
    intro: "Values for `wait(…)` and the key `wait` of a scenario or task. What exactly they do is in \
            [load.md](load.md#waits). Here seconds are numbers, not text.",
    tables: &[DECLARED, CALLS],
    notes: "Instead of a wait there may be a number of seconds, or a function that gives one: `wait(Fn(\"pause\"))`, \
            `wait(|| random::float(1, 2))`. Error: it gives no number of 0 or more.",
};

calls! {
    DECLARED: Owner::Global; ("call", "does");

    /// Declares what is waited after each iteration of the scenario `default`. At the top level only.
    ///
    /// Errors: no wait, no function, and no number of 0 or more.
    ///
    /// ```rhai
    /// wait(between(1, 3));
    /// ```
    fn wait(wait: Wait|number|function);
}

calls! {
    CALLS: Owner::Global; ("call", "waits");

    /// Always `seconds`.
    ///
    /// Errors: below 0.
    fn constant(seconds: number) -> Wait;

    /// Uniformly from `least` to `most` seconds.
    ///
    /// Errors: below 0, or `least` above `most`.
    fn between(least: number, most: number) -> Wait;

    /// So that iterations start every `seconds`.
    ///
    /// Errors: below 0.
    fn constant_pacing(seconds: number) -> Wait;

    /// So that `rate` iterations start per second and VU.
    ///
    /// Errors: not above 0.
    fn constant_throughput(rate: number) -> Wait;

    /// Exponentially distributed, `rate` waits per second, so `1/rate` seconds on average.
    ///
    /// Errors: not above 0.
    fn poisson(rate: number) -> Wait;
}

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
