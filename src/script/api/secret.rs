//! `secret::…`: values that are masked wherever they would be shown.

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
    about: "values that are masked wherever they would be shown",
    intro: "",
    tables: &[CALLS],
    notes: "A declared parameter of that name comes first, then `-e NAME=VALUE`, then the environment. Values shorter than 4 \
            characters are not masked. What is masked, and what cannot be: [data.md](data.md#secrets).",
};

calls! {
    CALLS: Owner::Module("secret"); ("call", "gives");

    /// The value as text, or the other one when it is not set; masked as `***` from now on wherever it would be shown.
    ///
    /// Errors: it is not set and there is no other; the other is not plain.
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

/// The value of a parameter, of `-e` or of the environment, which is masked from now on.
fn secret(host: &Rc<Host>, name: &str, default: Option<Dynamic>) -> ScriptResult<String> {
    let given = host.inputs.params.get(name).cloned().or_else(|| env::lookup(host, name));
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
