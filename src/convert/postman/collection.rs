//! What stands in a Postman collection: its requests in order with what they inherit, variables, URLs, headers.
//!
//! Leaves what becomes of them to `writer`.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::convert::postman::MOST_DEPTH;

/// What requests have from the folders around them.
#[derive(Clone, Default)]
pub(in crate::convert) struct Inherited<'a> {
    pub(in crate::convert) auth: Option<&'a Json>,
    pub(in crate::convert) scripts: Vec<Script>,
    pub(in crate::convert) folders: Vec<&'a str>,
}

#[derive(Clone)]
pub(in crate::convert) struct Script {
    pub(in crate::convert) before: bool,
    pub(in crate::convert) text: String,
}

impl<'a> Inherited<'a> {
    pub(in crate::convert) fn of(item: &'a Json, outer: &Inherited<'a>) -> Inherited<'a> {
        let mut inner = outer.clone();
        inner.auth = item.get("auth").filter(|auth| !auth.is_null()).or(outer.auth);
        for event in item.get("event").and_then(Json::as_array).into_iter().flatten() {
            let text = match event.pointer("/script/exec") {
                Some(Json::Array(lines)) => {
                    lines.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
                }
                Some(Json::String(text)) => text.clone(),
                _ => continue,
            };
            let disabled = event.get("disabled").and_then(Json::as_bool).unwrap_or(false);
            if !text.trim().is_empty() && !disabled {
                inner.scripts.push(Script { before: text_of(event, "listen") == "prerequest", text });
            }
        }
        inner
    }
}

/// A request of the collection.
pub(in crate::convert) struct Request<'a> {
    pub(in crate::convert) name: &'a str,
    pub(in crate::convert) item: &'a Json,
    pub(in crate::convert) request: &'a Json,
    pub(in crate::convert) auth: Option<&'a Json>,
    pub(in crate::convert) scripts: Vec<Script>,
    pub(in crate::convert) folders: Vec<&'a str>,
}

pub(in crate::convert) fn flatten<'a>(
    items: &'a [Json],
    outer: &Inherited<'a>,
    depth: usize,
    out: &mut Vec<Request<'a>>,
) {
    for item in items {
        let mut inner = Inherited::of(item, outer);
        let name = text_of(item, "name");
        match (item.get("item").and_then(Json::as_array), item.get("request")) {
            (Some(items), _) if depth < MOST_DEPTH => {
                inner.folders.push(name);
                flatten(items, &inner, depth + 1, out);
            }
            (_, Some(request)) => {
                let auth = request.get("auth").filter(|auth| !auth.is_null()).or(inner.auth);
                out.push(Request {
                    name,
                    item,
                    request,
                    auth,
                    scripts: inner.scripts,
                    folders: inner.folders,
                });
            }
            _ => {}
        }
    }
}

pub(in crate::convert) struct Variable {
    pub(in crate::convert) value: String,
    pub(in crate::convert) secret: bool,
}

/// The variables of a collection; those of the environment win.
pub(in crate::convert) fn variables(
    collection: &Json,
    environment: Option<&Json>,
) -> HashMap<String, Variable> {
    let mut all = HashMap::new();
    let own = collection.get("variable").and_then(Json::as_array).into_iter().flatten();
    let given = environment.and_then(|e| e.get("values")).and_then(Json::as_array).into_iter().flatten();
    for variable in own.chain(given) {
        let is_off = variable.get("enabled").and_then(Json::as_bool) == Some(false)
            || variable.get("disabled").and_then(Json::as_bool) == Some(true);
        let name = variable.get("key").or(variable.get("id")).and_then(Json::as_str).unwrap_or_default();
        let value = match variable.get("value") {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        if !is_off && !name.is_empty() {
            let secret = text_of(variable, "type") == "secret";
            all.insert(name.to_owned(), Variable { value, secret });
        }
    }
    all
}

pub(in crate::convert) fn text_of<'j>(value: &'j Json, key: &str) -> &'j str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

pub(in crate::convert) fn is_enabled(entry: &&Json) -> bool {
    entry.get("disabled").and_then(Json::as_bool) != Some(true)
}

/// Entries of a list that are not switched off.
pub(in crate::convert) fn enabled(value: Option<&Json>) -> impl Iterator<Item = &Json> {
    value.and_then(Json::as_array).into_iter().flatten().filter(is_enabled)
}

/// The URL as it was typed.
pub(in crate::convert) fn raw_url(request: &Json) -> String {
    let url = match request {
        Json::String(url) => return url.trim().to_owned(),
        request => request.get("url"),
    };
    match url {
        Some(Json::String(url)) => url.trim().to_owned(),
        Some(url) if !text_of(url, "raw").is_empty() => text_of(url, "raw").trim().to_owned(),
        Some(url) => {
            let joined = |key: &str, between: &str| match url.get(key) {
                Some(Json::Array(parts)) => {
                    parts.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(between)
                }
                Some(Json::String(text)) => text.clone(),
                _ => String::new(),
            };
            let query: Vec<String> = enabled(url.get("query"))
                .map(|pair| format!("{}={}", text_of(pair, "key"), text_of(pair, "value")))
                .collect();
            let protocol = Some(text_of(url, "protocol"))
                .filter(|p| !p.is_empty())
                .map_or(String::new(), |p| format!("{p}://"));
            let port = Some(text_of(url, "port"))
                .filter(|p| !p.is_empty())
                .map_or(String::new(), |p| format!(":{p}"));
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            format!("{protocol}{}{port}/{}{query}", joined("host", "."), joined("path", "/"))
        }
        None => String::new(),
    }
}

pub(in crate::convert) fn with_scheme(url: &str) -> String {
    if url.contains("://") || url.starts_with("{{") { url.to_owned() } else { format!("http://{url}") }
}

/// Headers in both of the forms that they have.
pub(in crate::convert) fn headers_of(request: &Json) -> Vec<(String, String)> {
    match request.get("header") {
        Some(Json::String(text)) => {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
        }
        header => enabled(header)
            .map(|pair| (text_of(pair, "key").to_owned(), text_of(pair, "value").to_owned()))
            .filter(|(name, _)| !name.trim().is_empty())
            .collect(),
    }
}
