//! `url::…`: the parts of a URL, and URLs made of parts.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::http_params::pairs;
use super::placed;
use crate::http::{UrlError, UrlParts, join_urls, query_of, with_query};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "url",
    title: "`url`",
    is_part: false,
    about: "parts of URLs",
    intro: "Any scheme; nothing is requested. `encoding::url_encode` encodes a single part.",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("url"); ("call", "gives");

    /// Map of the parts of an absolute URL: `scheme`, `username`, `password`, `host`, `port`, `path`, `query` and
    /// `fragment`.
    ///
    /// A part that is missing is `()`. `port` is that of the scheme if the URL has none. `query` is a map of the decoded
    /// fields; a name that stands several times has an array. `path` stays percent-encoded. A response has its URL in
    /// `.url`.
    ///
    /// Errors: not an absolute URL.
    ///
    /// ```rhai
    /// let code = url::parse("https://shop.example/cb?code=4f1a&state=x").query.code;
    /// ```
    fn parse(url: text) -> map;

    /// A reference such as `"../next?page=2"`, resolved against an absolute URL as a browser does.
    ///
    /// Errors: `base` is not an absolute URL; the result is not a URL.
    ///
    /// ```rhai
    /// let next = url::join(http::get("/orders").url, "?page=2");
    /// ```
    fn join(base: text, reference: text) -> text;

    /// The URL or path with these fields at the end of its query: a map of names to plain values or arrays of them, or an
    /// array of pairs.
    ///
    /// Errors: a field that is neither.
    ///
    /// ```rhai
    /// let path = url::with_query("/search", #{ q: "red shoes", page: 2 });
    /// ```
    fn with_query(url: text, fields: map|array) -> text;

    /// The fields as a query, form-encoded: `"page=2&q=red+shoes"`.
    ///
    /// Errors: as `with_query`.
    fn query(fields: map|array) -> text;
}

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    let mut module = Module::new();
    module.set_native_fn("parse", |context: NativeCallContext, url: ImmutableString| {
        placed(&context, parse(&url))
    });
    module.set_native_fn(
        "join",
        |context: NativeCallContext, base: ImmutableString, reference: ImmutableString| {
            let joined = join_urls(&base, &reference);
            placed(&context, joined.map_err(|error| said("url::join", error).into()))
        },
    );
    module.set_native_fn(
        "with_query",
        |context: NativeCallContext, url: ImmutableString, fields: Dynamic| -> ScriptResult<String> {
            let pairs = pairs("url::with_query: the fields", &fields);
            placed(&context, pairs.map(|pairs| with_query(&url, &pairs)).map_err(Into::into))
        },
    );
    module.set_native_fn("query", |context: NativeCallContext, fields: Dynamic| -> ScriptResult<String> {
        let pairs = pairs("url::query: the fields", &fields);
        placed(&context, pairs.map(|pairs| query_of(&pairs)).map_err(Into::into))
    });
    engine.register_static_module("url", module.into());
}

/// What a request would be told, but for the host that can be set for one.
fn said(function: &str, error: UrlError) -> String {
    match error {
        UrlError::Relative { url } => {
            format!("{function}: '{url}' is not an absolute URL, such as https://shop.example/path")
        }
        other => format!("{function}: {other}"),
    }
}

fn parse(url: &str) -> ScriptResult<Map> {
    let parts = UrlParts::parse(url).map_err(|error| said("url::parse", error))?;
    let mut query = Map::new();
    for (name, value) in parts.query {
        match query.get_mut(name.as_str()) {
            None => {
                query.insert(name.into(), value.into());
            }
            Some(values) => {
                let before = std::mem::take(values);
                let mut all = before.clone().try_cast::<Array>().unwrap_or_else(|| vec![before]);
                all.push(value.into());
                *values = Dynamic::from_array(all);
            }
        }
    }
    let text = |part: Option<String>| part.map_or(Dynamic::UNIT, Dynamic::from);
    let parts = [
        ("scheme", parts.scheme.into()),
        ("username", text(parts.username)),
        ("password", text(parts.password)),
        ("host", text(parts.host)),
        ("port", parts.port.map_or(Dynamic::UNIT, |port| i64::from(port).into())),
        ("path", parts.path.into()),
        ("query", query.into()),
        ("fragment", text(parts.fragment)),
    ];
    Ok(parts.into_iter().map(|(name, part)| (name.into(), part)).collect())
}
