//! `between`, `constant`, `constant_pacing`, `constant_throughput`, `poisson`: the wait after an iteration.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr};

use super::convert;
use crate::plan::Wait;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::text::LONGEST_DURATION;

/// A wait as a script value.
#[derive(Clone, Debug)]
pub(crate) struct WaitSpec(pub(crate) Wait);

pub(super) const SECTION: Section = Section {
    name: "waits",
    title: "Waits",
    is_part: false,
    about: "think time and pacing",
    intro: "Values for `wait(…)` and the key `wait` of a scenario or task; see [load.md](load.md#waits). \
            Seconds are numbers here, not text.",
    tables: &[DECLARED, CALLS],
    notes: "A wait can also be a number of seconds, or a function that returns one: `wait(Fn(\"pause\"))`, \
            `wait(|| random::float(1, 2))`. Error: the function does not return a number of 0 or more.",
};

calls! {
    DECLARED: Owner::Global; ("call", "does");

    /// Sets the wait after each iteration of the scenario `default`. At the top level only.
    ///
    /// Errors: neither a wait, a function, nor a number of 0 or more.
    ///
    /// ```rhai
    /// wait(between(1, 3));
    /// ```
    fn wait(wait: Wait|number|function);
}

calls! {
    CALLS: Owner::Global; ("call", "waits");

    /// Always `seconds` seconds.
    ///
    /// Errors: negative.
    fn constant(seconds: number) -> Wait;

    /// A uniformly distributed time from `least` to `most` seconds.
    ///
    /// Errors: negative; `least` above `most`.
    fn between(least: number, most: number) -> Wait;

    /// Pacing: each VU starts an iteration every `seconds` seconds.
    ///
    /// Errors: negative.
    fn constant_pacing(seconds: number) -> Wait;

    /// Pacing: each VU starts `rate` iterations per second.
    ///
    /// Errors: 0 or negative.
    fn constant_throughput(rate: number) -> Wait;

    /// An exponentially distributed time, `1/rate` seconds on average.
    ///
    /// Errors: 0 or negative.
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
            return Err(
                format!("between({least}, {most}): the first must not be larger than the second").into()
            );
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
        Some(number) if (0.0..=LONGEST_DURATION.as_secs_f64()).contains(&number) => Ok(number),
        Some(number) if number > 0.0 => Err(format!("{function}: {what} is {number}; the maximum is a year")),
        Some(number) => Err(format!("{function}: {what} is {number}; it must be 0 or more")),
        None => Err(convert::expected(&format!("{function}: {what}"), "a number", value)),
    }
}

fn positive(function: &str, what: &str, value: &Dynamic) -> Result<f64, String> {
    match not_negative(function, what, value)? {
        number if number >= LONGEST_DURATION.as_secs_f64().recip() => Ok(number),
        0.0 => Err(format!("{function}: {what} is 0; it must be above 0")),
        number => Err(format!("{function}: {what} is {number}; the minimum is one a year")),
    }
}
