//! The headers of a response as a script sees them, with case-insensitive names.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use super::response::{Response, ResponseData};
use crate::http::field_text;
use crate::script::reference::{Owner, calls};

calls! {
    pub(super) HEADERS: Owner::Type("Headers"); ("of `.headers`", "gives");

    /// The header, or `()`; names are case-insensitive, several values are joined with `, `.
    index name(name: text) -> text|unit;

    /// Whether the header is present.
    fn contains(name: text) -> bool;

    /// The names of all headers.
    fn keys() -> array;

    /// All headers as a map.
    fn to_map() -> map;
}

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Headers>("Headers")
        .register_get("headers", |r: &mut Response| Headers(r.data.clone()))
        .register_indexer_get(|headers: &mut Headers, name: ImmutableString| headers.get(&name))
        .register_fn("contains", |headers: &mut Headers, name: ImmutableString| {
            headers.0.exchange.headers.contains_key(name.as_str())
        })
        .register_fn("keys", |headers: &mut Headers| -> Array {
            headers.to_map().keys().map(|name| name.as_str().into()).collect()
        })
        .register_fn("to_map", |headers: &mut Headers| headers.to_map())
        .register_fn("to_string", |headers: &mut Headers| Dynamic::from_map(headers.to_map()).to_string());
}

/// The headers of a response, with case-insensitive lookup.
#[derive(Clone)]
struct Headers(Rc<ResponseData>);

impl Headers {
    /// The value of a header, or `()`; several values are joined as HTTP specifies.
    fn get(&self, name: &str) -> Dynamic {
        let values = self.0.exchange.headers.get_all(name);
        let mut joined: Option<String> = None;
        for value in values {
            let value = field_text(value.as_bytes());
            joined = Some(match joined {
                Some(before) => format!("{before}, {value}"),
                None => value.into_owned(),
            });
        }
        joined.map_or(Dynamic::UNIT, Dynamic::from)
    }

    fn to_map(&self) -> Map {
        self.0.exchange.headers.keys().map(|name| (name.as_str().into(), self.get(name.as_str()))).collect()
    }
}
