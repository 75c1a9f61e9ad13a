//! `http::cookies`, `set_cookie`, `clear_cookies`, `close_connections`: what a user's client keeps.

use std::rc::Rc;

use rhai::{ImmutableString, Map, Module, NativeCallContext};

use super::pending::target;
use super::placed;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, calls};

calls! {
    pub(super) CALLS: Owner::Module("http"); ("call", "does");

    /// Map of the cookies that a request to this URL would send; without a URL, a request to the host.
    fn cookies() -> map;
    fn cookies(url: text) -> map;

    /// Stores a cookie as if the URL had set it: `set_cookie(url, "a=b; Path=/")`, or a name and a value, with
    /// `Path=/`.
    ///
    /// Errors: that URL may not set this cookie.
    ///
    /// ```rhai
    /// http::set_cookie("/", "session", "4f1a");
    /// ```
    fn set_cookie(url: text, cookie: text);
    fn set_cookie(url: text, name: text, value: text);

    /// Deletes all cookies.
    fn clear_cookies();

    /// Closes the VU's idle connections, so that its next request opens a new one.
    fn close_connections();
}

pub(super) fn register(module: &mut Module, host: &Rc<Host>) {
    let h = host.clone();
    module.set_native_fn("cookies", move |context: NativeCallContext| placed(&context, cookies(&h, "")));
    let h = host.clone();
    module.set_native_fn("cookies", move |context: NativeCallContext, url: ImmutableString| {
        placed(&context, cookies(&h, &url))
    });
    let h = host.clone();
    module.set_native_fn(
        "set_cookie",
        move |context: NativeCallContext, url: ImmutableString, cookie: ImmutableString| {
            placed(&context, set_cookie(&h, &url, &cookie))
        },
    );
    let h = host.clone();
    module.set_native_fn(
        "set_cookie",
        move |context: NativeCallContext,
              url: ImmutableString,
              name: ImmutableString,
              value: ImmutableString| { placed(&context, set_pair(&h, &url, &name, &value)) },
    );
    let h = host.clone();
    module.set_native_fn("clear_cookies", move |context: NativeCallContext| -> ScriptResult<()> {
        placed(&context, h.vu("http::clear_cookies"))?.client.clear_cookies();
        Ok(())
    });
    let h = host.clone();
    module.set_native_fn("close_connections", move |context: NativeCallContext| -> ScriptResult<()> {
        placed(&context, h.vu("http::close_connections"))?.client.close_connections();
        Ok(())
    });
}

/// What a request there would carry.
fn cookies(host: &Host, url: &str) -> ScriptResult<Map> {
    let vu = host.vu("http::cookies")?;
    let pairs = vu.client.cookies_for(&target(host, &vu, url)?);
    let mut map = Map::new();
    for (name, value) in pairs {
        // Of two with the same name the more specific comes first; servers use that one.
        map.entry(name.into()).or_insert_with(|| value.into());
    }
    Ok(map)
}

fn set_cookie(host: &Host, url: &str, cookie: &str) -> ScriptResult<()> {
    let vu = host.vu("http::set_cookie")?;
    Ok(vu.client.set_cookie(&target(host, &vu, url)?, cookie).map_err(|error| error.to_string())?)
}

fn set_pair(host: &Host, url: &str, name: &str, value: &str) -> ScriptResult<()> {
    if value.contains([';', '\r', '\n']) {
        return Err(format!("http::set_cookie: the value of {name} contains ';' or a line break").into());
    }
    set_cookie(host, url, &format!("{name}={value}; Path=/"))
}
