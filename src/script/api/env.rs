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
    module.set_native_fn("get", move |name: ImmutableString| -> ScriptResult<Dynamic> {
        Ok(lookup(&h, &name).map_or(Dynamic::UNIT, Dynamic::from))
    });
    let h = host.clone();
    module.set_native_fn("get", move |name: ImmutableString, default: Dynamic| -> ScriptResult<Dynamic> {
        Ok(lookup(&h, &name).map_or(default, Dynamic::from))
    });
    let h = host.clone();
    module.set_native_fn("require", move |context: NativeCallContext, name: ImmutableString| {
        let missing = || {
            let hint = "set it in the environment or with -e";
            format!("the variable {name} is not set; {hint} {name}=VALUE").into()
        };
        placed(&context, lookup(&h, &name).ok_or_else(missing))
    });
    engine.register_static_module("env", module.into());
}

/// A given value (the scenario's first), or one from the environment.
pub(super) fn lookup(host: &Rc<Host>, name: &str) -> Option<String> {
    let of_scenario = host.current().and_then(|vu| vu.env.get(name).cloned());
    of_scenario.or_else(|| host.inputs.env.get(name).cloned()).or_else(|| std::env::var(name).ok())
}
