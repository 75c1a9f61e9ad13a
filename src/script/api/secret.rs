//! `secret::…`: values that are masked in all output.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::{convert, env, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "secret",
    title: "`secret`",
    is_part: false,
    about: "values that are masked in all output",
    intro: "",
    tables: &[CALLS],
    notes: "A declared parameter of that name takes precedence, then `-e NAME=VALUE`, then the environment. \
            Values shorter than 4 characters are not masked. [data.md](data.md#secrets) says what is masked \
            and what cannot be.",
};

calls! {
    CALLS: Owner::Module("secret"); ("call", "gives");

    /// The value as text, or `otherwise` if it is not set. From then on it is shown as `***` in all output.
    ///
    /// Errors: not set, and no `otherwise`; `otherwise` is not a plain value.
    fn get(name: text) -> text;
    fn get(name: text, otherwise: any) -> text;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("get", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, secret(&h, &name, None))
    });
    let h = host.clone();
    module.set_native_fn(
        "get",
        move |context: NativeCallContext, name: ImmutableString, default: Dynamic| {
            placed(&context, secret(&h, &name, Some(default)))
        },
    );
    engine.register_static_module("secret", module.into());
}

/// The value of a parameter, of `-e` or of the environment, masked from then on.
fn secret(host: &Rc<Host>, name: &str, default: Option<Dynamic>) -> ScriptResult<String> {
    let given = match host.inputs.params.get(name) {
        Some(given) => Some(given.clone()),
        None => env::lookup(host, name)?,
    };
    let default = default.map(|default| convert::plain("secret::get: the default", &default)).transpose()?;
    match given.or(default) {
        Some(value) => {
            host.inputs.common.secrets.add(&value)?;
            Ok(value)
        }
        None if host.inputs.listing => {
            host.inputs.common.incomplete.store(true, Ordering::Relaxed);
            Ok(String::new())
        }
        None => {
            Err(format!("the secret {name} is not set; set it in the environment or with -e {name}=VALUE")
                .into())
        }
    }
}
