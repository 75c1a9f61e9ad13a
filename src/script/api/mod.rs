//! The script API: everything a script can call. One file per module, all listed in [`MODULES`].
//!
//! Each file registers its functions with an engine and reaches the running virtual user through the [`Host`].
//! Invariant: a function that waits does so through `Host::wait`, so it never blocks the thread.

mod array;
mod batch;
mod check;
mod convert;
mod cookies;
mod crypto;
mod data;
mod declare;
mod encoding;
mod env;
mod executor;
mod extension;
pub(crate) mod facts;
mod flow;
mod http;
mod http_params;
mod log;
mod metrics;
mod multipart;
mod on;
mod param;
mod pending;
mod random;
mod request_body;
pub(crate) mod response;
mod response_headers;
mod run;
mod sample;
mod scenario;
mod scrape;
mod secret;
mod store;
mod table;
mod text;
mod threshold;
mod time;
mod url;
mod vu;
pub(crate) mod wait;
pub(crate) mod ws;

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};

pub(crate) use convert::{describe, number, unknown_key};
pub(crate) use extension::Extension;
pub use extension::{AsyncCall, Sample};

use super::ending::ScriptResult;
use super::host::Host;
use super::reference::Section;

/// Registers one module's functions, which its tables of the reference describe.
type Register = fn(&mut Engine, &Rc<Host>);

/// All modules of the script API, in the order in which they are documented.
pub(crate) const MODULES: &[(&str, Register)] = &[
    ("declare", declare::register),
    ("threshold", threshold::register),
    ("on", on::register),
    ("wait", wait::register),
    ("http", http::register),
    ("response", response::register),
    ("scrape", scrape::register),
    ("ws", ws::register),
    ("check", check::register),
    ("flow", flow::register),
    ("vu", vu::register),
    ("run", run::register),
    ("env", env::register),
    ("secret", secret::register),
    ("param", param::register),
    ("data", data::register),
    ("table", table::register),
    ("store", store::register),
    ("random", random::register),
    ("text", text::register),
    ("array", array::register),
    ("url", url::register),
    ("encoding", encoding::register),
    ("crypto", crypto::register),
    ("metrics", metrics::register),
    ("time", time::register),
    ("log", log::register),
];

/// Their descriptions, in the order of the reference.
pub(crate) const SECTIONS: &[Section] = &[
    declare::OPTIONS,
    declare::OPTIONS_HTTP,
    declare::TASK,
    scenario::SECTION,
    threshold::SECTION,
    on::SECTION,
    wait::SECTION,
    http::SECTION,
    http_params::SECTION,
    response::SECTION,
    scrape::SECTION,
    ws::SECTION,
    flow::SECTION,
    vu::SECTION,
    run::SECTION,
    metrics::SECTION,
    env::SECTION,
    param::SECTION,
    secret::SECTION,
    data::SECTION,
    table::SECTION,
    store::SECTION,
    random::SECTION,
    url::SECTION,
    encoding::SECTION,
    crypto::SECTION,
    time::SECTION,
    log::SECTION,
    text::SECTION,
    array::SECTION,
];

/// Names that scripts cannot use for an import, because API modules have them.
pub(crate) const NAMESPACES: &[&str] = &[
    "http", "ws", "vu", "run", "env", "secret", "data", "store", "metrics", "log", "random", "encoding",
    "crypto", "time", "url",
];

/// Adds the position of the call to an error. Rhai does this for plain functions, but not for those of a module.
pub(crate) fn placed<T>(context: &NativeCallContext, result: ScriptResult<T>) -> ScriptResult<T> {
    result.map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(context.call_position());
        }
        error
    })
}

/// Calls a script function with the `this` of the function that passed it on, which Rhai does not tell a native one.
pub(crate) fn call_closure<const N: usize>(
    host: &Host,
    context: &NativeCallContext,
    function: &FnPtr,
    mut args: [Dynamic; N],
) -> ScriptResult<Dynamic> {
    // See `script/this.rs`.
    let mut this = context.tag().filter(|this| !this.is_unit()).cloned();
    let called = host
        .running_script()
        .and_then(|script| script.call_closure(context, function, this.as_mut(), &mut args));
    called.unwrap_or_else(|| function.call_raw(context, this.as_mut(), args))
}
