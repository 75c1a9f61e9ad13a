//! The parameters of a request, from the map a script gives to what the HTTP client takes.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rhai::{Array, Dynamic, Map};

use super::convert;
use super::request_body::RequestBody;
use crate::http::{BodyUse, DigestCredentials, Request, VersionChoice, basic_auth_value, field_text};
use crate::script::reference::{Section, keys};

pub(super) const SECTION: Section = Section {
    name: "params",
    title: "Parameters of a request",
    is_part: true,
    about: "headers, body, expectations and other settings of a request",
    intro: "The optional map after the URL.",
    tables: &[KEYS],
    notes: r##"
Plain values are text, numbers, and true or false. Fields of a map are sent in alphabetical order; where the order
matters, write pairs instead of a map: `form: [["user", "ann"], ["code", 7]]`. `json`, `form`, `body` and `multipart` are mutually exclusive. An
unknown key is an error.

```rhai
fn iteration() {
    let found = http::get("/quality/insights", #{
        query: #{ page: 2 },
        headers: #{ "accept-language": "en" },
        name: "/quality/insights?page",
        tags: #{ kind: "read" },
        expect: 200,
    });
    check("page 2", found.json("page") == 2);
}
```"##,
};

keys! {
    pub(super) KEYS: "a request";

    /// An array repeats the header. Overrides all defaults.
    headers: "map of names to plain values or arrays of them";
    /// Encoded and added to the query of the URL.
    query: "map of names to plain values or arrays of them, or pairs";
    /// Cookies of this request alone, besides those the VU keeps; one of the same name replaces the VU's for it. They are
    /// sent again after redirects within the same origin.
    cookies: "map of names to plain values, or pairs";
    /// JSON body, with `content-type: application/json`.
    json: "any value";
    /// Form body, `application/x-www-form-urlencoded`.
    form: "map of names to plain values or arrays of them, or pairs";
    /// Raw body, without a content type. A [`data::file`](#data) is streamed.
    body: "text, blob or file";
    /// Multipart body, `multipart/form-data`.
    multipart: "map of names to plain values, files (`http::file`, `data::file`) or arrays of them, or pairs";
    /// The same, for files only; the fields of `form` or `multipart` come first.
    files: "map of names to files or arrays of them, or pairs";
    /// Compresses the body and sets `content-encoding`. Not for a body with a `data::file`.
    compress: "`\"gzip\"`, `\"deflate\"` or `\"br\"`";
    /// `authorization: Bearer …`.
    bearer: "text";
    /// Basic authentication.
    basic: "`\"user:password\"`, `[user, password]` or `#{ user, password }`";
    /// Answers a digest challenge, see [http.md](http.md#digest-authentication).
    digest: "as `basic`";
    /// Timeout of this request, instead of the run's; more than 0.
    timeout: "time";
    /// Maximum number of redirects to follow; then the last 3xx response is the result.
    redirects: "whole number, or `false` for none";
    /// HTTP version of this request, instead of the run's.
    http_version: "`\"auto\"`, `\"1.1\"` or `\"2\"`";
    /// Reads and counts the body but does not keep it, so it may have any size. `.size` is its length; accessing
    /// the body is an error.
    discard_body: "true or false";
    /// Name that the request is counted under, instead of its path.
    name: "text";
    /// The request is also counted under each tag `key:value`.
    tags: "map of names to plain values";
    /// Expectation of the response, see `.expect`.
    expect: "status, array of statuses, or function";
    /// If true, a failed request is a script error; `expect` is applied first.
    raise: "true or false";
    /// If false, the request is not counted.
    record: "true or false";
}

/// Everything a script specifies besides method and URL.
#[derive(Default)]
pub(super) struct Params {
    headers: HeaderMap,
    query: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    body: RequestBody,
    digest: Option<DigestCredentials>,
    pub(super) timeout: Option<Duration>,
    redirects: Option<u32>,
    version: Option<VersionChoice>,
    body_use: BodyUse,
    pub(super) name: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    /// The request is not to be counted.
    pub(super) unrecorded: bool,
    demands: Demands,
}

/// What a script demands of the response, applied when it arrives.
#[derive(Default)]
pub(super) struct Demands {
    /// As given.
    pub(super) expect: Option<Dynamic>,
    /// A failed request is a script error.
    pub(super) raise: bool,
}

impl Params {
    /// Takes the demands on the response.
    pub(super) fn demands(&mut self) -> Demands {
        std::mem::take(&mut self.demands)
    }

    /// Writes everything that concerns the exchange into `request`.
    pub(super) fn fill(self, request: &mut Request) -> Result<(), String> {
        request.headers = self.headers;
        request.body = self.body.into_body(&mut request.headers)?;
        check_length(&request.headers, request.body.length())?;
        if !self.query.is_empty() {
            request.target = request.target.with_query(&self.query).map_err(|error| error.to_string())?;
        }
        if !self.cookies.is_empty() && request.headers.contains_key(COOKIE) {
            return Err("cookies and a cookie header exclude each other; write all of them in one".to_owned());
        }
        request.cookies = self.cookies;
        request.timeout = self.timeout;
        request.max_redirects = self.redirects;
        request.version = self.version;
        request.digest = self.digest;
        request.body_use = self.body_use;
        Ok(())
    }

    /// A parameter that a websocket handshake cannot have, if there is one.
    pub(super) fn needs_http(&self) -> Option<&'static str> {
        match self {
            _ if self.body.is_given() => Some("a body"),
            _ if self.redirects.is_some() => Some("redirects"),
            _ if self.version.is_some() => Some("an http_version"),
            _ if self.digest.is_some() => Some("digest authentication"),
            _ => None,
        }
    }

    fn authorize(
        &mut self,
        key: &str,
        value: Result<HeaderValue, http::header::InvalidHeaderValue>,
    ) -> Result<(), String> {
        let mut value = value.map_err(|_| format!("{key}: the value cannot be used in a header"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

/// A length that contradicts the body would cut it, or let the server wait for more.
fn check_length(headers: &HeaderMap, length: u64) -> Result<(), String> {
    let wrong = |value: &&HeaderValue| value.as_bytes() != length.to_string().as_bytes();
    match headers.get_all(CONTENT_LENGTH).iter().find(wrong) {
        Some(value) => Err(format!(
            "headers: content-length is {}, but the body has {length} bytes; leave it out, it is set from the body",
            field_text(value.as_bytes())
        )),
        None => Ok(()),
    }
}

/// Reads the map; unknown keys and wrong types are errors that name the key.
pub(super) fn read_params(map: Map) -> Result<Params, String> {
    let mut params = Params::default();
    for (key, value) in map {
        // On the path of every request, so only where it is built to be tested.
        if cfg!(debug_assertions) {
            KEYS.check("the request", &key)?;
        }
        match key.as_str() {
            "headers" => read_headers(&value, &mut params.headers)?,
            "query" => params.query = pairs("query", &value)?,
            "cookies" => params.cookies = cookies(&value)?,
            "json" => params.body.json(&value)?,
            "form" => params.body.form(pairs("form", &value)?)?,
            "body" => params.body.raw(&value)?,
            "multipart" => params.body.multipart(&value)?,
            "files" => params.body.files(&value)?,
            "compress" => params.body.compress(&value)?,
            "bearer" => {
                let token = convert::text("bearer", &value)?;
                params.authorize("bearer", HeaderValue::try_from(format!("Bearer {token}")))?;
            }
            "basic" => {
                let (user, password) = credentials("basic", &value)?;
                params.authorize("basic", Ok(basic_auth_value(&user, &password)))?;
            }
            "digest" => {
                let (user, password) = credentials("digest", &value)?;
                params.digest = Some(DigestCredentials { user, password });
            }
            "timeout" => params.timeout = Some(limit("timeout", &value)?),
            "redirects" => params.redirects = Some(redirects(&value)?),
            "http_version" => params.version = Some(version("http_version", &value)?),
            "discard_body" => {
                let discard = convert::boolean("discard_body", &value)?;
                params.body_use = if discard { BodyUse::Discard } else { BodyUse::Keep };
            }
            "name" => params.name = Some(convert::text("name", &value)?),
            "tags" => params.tags = convert::text_map("tags", &value)?,
            "expect" => params.demands.expect = Some(value),
            "raise" => params.demands.raise = convert::boolean("raise", &value)?,
            "record" => params.unrecorded = !convert::boolean("record", &value)?,
            _ => return Err(KEYS.unknown("the request", &key)),
        }
    }
    Ok(params)
}

fn read_headers(value: &Dynamic, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, value) in pairs("headers", value)? {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: \"{name}\" is not a header name"))?;
        let value = HeaderValue::try_from(value).map_err(|_| {
            format!("headers: the value of {name} contains a line break or a control character")
        })?;
        headers.append(header, value);
    }
    Ok(())
}

/// Names and values of cookies, checked: a `;` would begin another one.
fn cookies(value: &Dynamic) -> Result<Vec<(String, String)>, String> {
    let cookies = pairs("cookies", value)?;
    for (name, value) in &cookies {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(format!("cookies: \"{name}\" is not the name of a cookie"));
        }
        if value.contains(|c: char| c == ';' || c.is_control()) {
            return Err(format!("cookies: the value of {name} contains ';' or a control character"));
        }
    }
    Ok(cookies)
}

/// Names to plain values; an array repeats its name.
pub(super) fn pairs(what: &str, value: &Dynamic) -> Result<Vec<(String, String)>, String> {
    let named = convert::named_values(what, value)?.into_iter();
    named
        .map(|(name, value)| {
            let value = convert::plain(format_args!("{what}.{name}"), &value)?;
            Ok((name, value))
        })
        .collect()
}

/// `"user:password"`, `["user", "password"]` or `#{ user, password }`.
fn credentials(key: &str, value: &Dynamic) -> Result<(String, String), String> {
    const WANTED: &str = "\"user:password\", [user, password] or #{ user, password }";
    if let Ok(text) = value.as_immutable_string_ref() {
        return match text.split_once(':') {
            Some((user, password)) => Ok((user.to_owned(), password.to_owned())),
            None => Err(format!("{key} must be {WANTED}, not text without a colon")),
        };
    }
    if let Some(pair) = value.read_lock::<Array>()
        && let [user, password] = pair.as_slice()
    {
        return Ok((convert::plain(key, user)?, convert::plain(key, password)?));
    }
    if let Some(map) = value.read_lock::<Map>()
        && let (Some(user), Some(password), 2) = (map.get("user"), map.get("password"), map.len())
    {
        let part = |name: &str, value| convert::plain(format_args!("{key}.{name}"), value);
        return Ok((part("user", user)?, part("password", password)?));
    }
    Err(convert::expected(key, WANTED, value))
}

/// A time that something may take.
fn limit(what: &str, value: &Dynamic) -> Result<Duration, String> {
    match convert::duration(what, value)? {
        Duration::ZERO => Err(format!("{what} is 0: nothing is done in no time; omit it for the run's")),
        limit => Ok(limit),
    }
}

/// A number of redirects; `false` is none.
fn redirects(value: &Dynamic) -> Result<u32, String> {
    if value.as_bool() == Ok(false) {
        return Ok(0);
    }
    let count = convert::count("redirects", value)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `"auto"`, `"1.1"` or `"2"`; numbers too.
pub(super) fn version(what: &str, value: &Dynamic) -> Result<VersionChoice, String> {
    convert::plain(what, value)
        .and_then(|text| VersionChoice::parse(&text))
        .map_err(|_| convert::expected(what, "\"auto\", \"1.1\" or \"2\"", value))
}

/// A method as a script writes it.
pub(super) fn parse_method(method: &str) -> Result<Method, String> {
    // Methods are case-sensitive in HTTP, but "get" always means `GET`.
    Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("\"{method}\" is not an HTTP method"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_described_key_is_read() {
        for name in KEYS.names() {
            let map = Map::from([(name.into(), Dynamic::UNIT)]);
            let error = read_params(map).err().unwrap_or_default();
            assert!(!error.contains("has no key"), "'{name}' is described and not read: {error}");
        }
        let error = read_params(Map::from([("nosuch".into(), Dynamic::UNIT)])).err().unwrap();
        assert!(error.starts_with("the request has no key 'nosuch'"), "{error}");
    }
}
