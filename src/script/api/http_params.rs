//! The parameters of a request, from the map a script gives to what the HTTP client takes.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use rhai::{Array, Blob, Dynamic, Map};

use super::convert;
use crate::http::{Request, basic_auth_value};

const KEYS: &[&str] = &[
    "headers",
    "query",
    "json",
    "form",
    "body",
    "bearer",
    "basic",
    "timeout",
    "redirects",
    "name",
    "tags",
    "expect",
];

/// What a script asks for besides method and URL.
#[derive(Default)]
pub(super) struct Params {
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Option<Bytes>,
    /// Content type that the body implies unless the script sets one.
    content_type: Option<HeaderValue>,
    timeout: Option<Duration>,
    redirects: Option<u32>,
    pub(super) name: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    /// As given; applied when the response is there.
    pub(super) expect: Option<Dynamic>,
}

impl Params {
    /// Writes everything that concerns the exchange into `request`.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), String> {
        request.headers = self.headers;
        if let Some(content_type) = self.content_type
            && !request.headers.contains_key(CONTENT_TYPE)
        {
            request.headers.insert(CONTENT_TYPE, content_type);
        }
        if !self.query.is_empty() {
            request.target = request.target.with_query(&self.query).map_err(|error| error.to_string())?;
        }
        if let Some(body) = self.body {
            request.body = body;
        }
        request.timeout = self.timeout;
        request.max_redirects = self.redirects;
        Ok(())
    }

    fn set_body(&mut self, key: &str, body: Bytes, content_type: Option<&'static str>) -> Result<(), String> {
        if self.body.replace(body).is_some() {
            return Err(format!("{key}: a request has one body; give json, form or body"));
        }
        self.content_type = content_type.map(HeaderValue::from_static);
        Ok(())
    }

    fn authorize(
        &mut self,
        key: &str,
        value: Result<HeaderValue, http::header::InvalidHeaderValue>,
    ) -> Result<(), String> {
        let mut value = value.map_err(|_| format!("{key}: the value cannot stand in a header"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

/// Reads the map; unknown keys and wrong types are errors that name the key.
pub(super) fn read_params(map: Map) -> Result<Params, String> {
    let mut params = Params::default();
    for (key, value) in map {
        match key.as_str() {
            "headers" => read_headers(&value, &mut params.headers)?,
            "query" => params.query = pairs("query", &value)?,
            "json" => params.set_body("json", json(&value)?, Some("application/json"))?,
            "form" => {
                let form = form(&pairs("form", &value)?);
                params.set_body("form", form, Some("application/x-www-form-urlencoded"))?;
            }
            "body" => params.set_body("body", body(&value)?, None)?,
            "bearer" => {
                let token = convert::text("bearer", &value)?;
                params.authorize("bearer", HeaderValue::try_from(format!("Bearer {token}")))?;
            }
            "basic" => {
                let (user, password) = credentials(&value)?;
                params.authorize("basic", Ok(basic_auth_value(&user, &password)))?;
            }
            "timeout" => params.timeout = Some(convert::duration("timeout", &value)?),
            "redirects" => params.redirects = Some(redirects(&value)?),
            "name" => params.name = Some(convert::text("name", &value)?),
            "tags" => params.tags = convert::text_map("tags", &value)?,
            "expect" => params.expect = Some(value),
            _ => return Err(convert::unknown_key("the request", &key, KEYS)),
        }
    }
    Ok(params)
}

fn read_headers(value: &Dynamic, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, value) in pairs("headers", value)? {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: \"{name}\" is not a header name"))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("headers: the value of {name} holds a line break or a control character"))?;
        headers.append(header, value);
    }
    Ok(())
}

/// Keys to plain values; an array repeats its key.
fn pairs(what: &str, value: &Dynamic) -> Result<Vec<(String, String)>, String> {
    let map = convert::map(what, value)?;
    let mut pairs = Vec::with_capacity(map.len());
    for (key, value) in &map {
        let what = format!("{what}.{key}");
        match value.read_lock::<Array>() {
            Some(values) => {
                for value in values.iter() {
                    pairs.push((key.to_string(), convert::plain(&what, value)?));
                }
            }
            None => pairs.push((key.to_string(), convert::plain(&what, value)?)),
        }
    }
    Ok(pairs)
}

fn json(value: &Dynamic) -> Result<Bytes, String> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| format!("json: {error}"))
}

fn form(pairs: &[(String, String)]) -> Bytes {
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Bytes::from(encoded)
}

fn body(value: &Dynamic) -> Result<Bytes, String> {
    match value.read_lock::<Blob>() {
        Some(blob) => Ok(Bytes::copy_from_slice(&blob)),
        None => convert::text("body", value)
            .map(Bytes::from)
            .map_err(|_| convert::expected("body", "text or a blob (use json: for maps)", value)),
    }
}

/// `"user:password"`, `["user", "password"]` or `#{ user, password }`.
fn credentials(value: &Dynamic) -> Result<(String, String), String> {
    const WANTED: &str = "\"user:password\", [user, password] or #{ user, password }";
    if let Ok(text) = value.as_immutable_string_ref() {
        return match text.split_once(':') {
            Some((user, password)) => Ok((user.to_owned(), password.to_owned())),
            None => Err(format!("basic must be {WANTED}, not text without a colon")),
        };
    }
    if let Some(pair) = value.read_lock::<Array>()
        && let [user, password] = pair.as_slice()
    {
        return Ok((convert::plain("basic", user)?, convert::plain("basic", password)?));
    }
    if let Some(map) = value.read_lock::<Map>()
        && let (Some(user), Some(password), 2) = (map.get("user"), map.get("password"), map.len())
    {
        return Ok((convert::plain("basic.user", user)?, convert::plain("basic.password", password)?));
    }
    Err(convert::expected("basic", WANTED, value))
}

/// A number of redirects; `false` is none.
fn redirects(value: &Dynamic) -> Result<u32, String> {
    if value.as_bool() == Ok(false) {
        return Ok(0);
    }
    let count = convert::count("redirects", value)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
