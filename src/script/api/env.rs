//! `env::…`: values of the scenario's `env`, from `-e KEY=VALUE` and from the environment of the process.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::placed;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "env",
    title: "`env`",
    is_part: false,
    about: "environment variables and `-e`",
    intro: "",
    tables: &[CALLS],
    notes: "The scenario's `env` takes precedence, then `-e NAME=VALUE` or `[env]` in `rhaid.toml`, then \
            the process environment.",
};

calls! {
    CALLS: Owner::Module("env"); ("call", "gives");

    /// The variable as text; if it is not set, `otherwise`, or `()`.
    fn get(name: text) -> text|unit;
    fn get(name: text, otherwise: any) -> any;

    /// The variable as text.
    ///
    /// Errors: it is not set.
    fn require(name: text) -> text;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("get", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, get(&h, &name, Dynamic::UNIT))
    });
    let h = host.clone();
    module.set_native_fn(
        "get",
        move |context: NativeCallContext, name: ImmutableString, default: Dynamic| {
            placed(&context, get(&h, &name, default))
        },
    );
    let h = host.clone();
    module.set_native_fn("require", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, require(&h, &name))
    });
    engine.register_static_module("env", module.into());
}

fn get(host: &Rc<Host>, name: &str, default: Dynamic) -> ScriptResult<Dynamic> {
    Ok(lookup(host, name)?.map_or(default, Dynamic::from))
}

fn require(host: &Rc<Host>, name: &str) -> ScriptResult<String> {
    let hint = "set it in the environment or with -e";
    Ok(lookup(host, name)?.ok_or_else(|| format!("the variable {name} is not set; {hint} {name}=VALUE"))?)
}

/// A given value (the scenario's first), or one from the environment.
///
/// # Errors
/// When the run came from another machine, and this variable did not come with it.
pub(super) fn lookup(host: &Rc<Host>, name: &str) -> Result<Option<String>, String> {
    let of_scenario = host.current().and_then(|vu| vu.env.get(name).cloned());
    match of_scenario.or_else(|| host.inputs.env.get(name).cloned()) {
        Some(given) => Ok(Some(given)),
        None => host.inputs.common.environment.get(name, host.is_loading()),
    }
}
