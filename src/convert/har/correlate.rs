//! Values that come in an answer and go out again in a later request.
//!
//! Owns what is looked for in answers (JSON, hidden fields and meta tags of HTML, headers, cookies), which values can be
//! told from chance, and how a script takes them out. Invariant: what the visitor had sent before it was answered is
//! never taken for the server's; time and memory grow with the recording only.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use crate::convert::har::read::Entry;
use crate::convert::literal::{escaped_pattern, text_literal};
use crate::convert::names::identifier;
use crate::convert::request::{MARK, MARK_END};
use crate::credentials::is_credential;
use crate::scrape::{Document, Patterns, Selectors};

/// Bodies larger than this are not looked into.
const MOST_BODY: usize = 4 * 1024 * 1024;

/// Values that are looked at in one answer.
const MOST_VALUES: usize = 50_000;

/// Names of tokens that are looked at in one page.
const MOST_INLINE: usize = 100;

/// Longer values are no tokens.
const LONGEST: usize = 8 * 1024;

/// Where a value is taken from.
pub(in crate::convert) struct Source {
    /// Number of the request whose answer has it.
    pub(in crate::convert) step: usize,
    pub(in crate::convert) from: From,
    /// What it is called there.
    key: String,
    /// What the variable is called, once it is used.
    pub(in crate::convert) variable: Option<usize>,
}

/// How the script takes it out of a response.
pub(in crate::convert) enum From {
    /// An expression after the response's variable.
    Response(String),
    /// A whole expression, which needs no response.
    Cookies(String),
}

/// A value that is used.
pub(in crate::convert) struct Variable {
    pub(in crate::convert) name: String,
    pub(in crate::convert) step: usize,
    /// What follows the response's name.
    pub(in crate::convert) expression: String,
    /// The pages that use it.
    pub(in crate::convert) pages: HashSet<usize>,
}

/// All values that answers had so far.
#[derive(Default)]
pub(in crate::convert) struct Values {
    known: HashMap<String, Source>,
    /// What requests had sent so far.
    sent: HashSet<String>,
    pub(in crate::convert) variables: Vec<Variable>,
    selectors: Selectors,
    patterns: Patterns,
}

/// Where in a request a value stands.
#[derive(Clone, Copy)]
pub(in crate::convert) enum Place<'a> {
    /// The whole URL.
    Link,
    Path,
    Field(&'a str),
}

impl Values {
    /// The expression for a value of a request, when an earlier answer had it.
    pub(in crate::convert) fn find(&mut self, value: &str, place: Place<'_>, page: usize) -> Option<String> {
        let source = self.known.get_mut(value)?;
        let short = value.len() < 5 || (value.len() < 6 && !value.bytes().all(|b| b.is_ascii_digit()));
        let fits = match place {
            Place::Link => true,
            Place::Path => !short || is_id(&source.key),
            Place::Field(name) => !short || is_id(name),
        };
        if !fits {
            return None;
        }
        let expression = match &source.from {
            From::Cookies(expression) => return Some(expression.clone()),
            From::Response(expression) => expression.clone(),
        };
        let number = *source.variable.get_or_insert_with(|| {
            self.variables.push(Variable {
                name: source.key.clone(),
                step: source.step,
                expression,
                pages: HashSet::new(),
            });
            self.variables.len() - 1
        });
        self.variables[number].pages.insert(page);
        // Whether it is a variable or a field of `this` is known at the end only.
        Some(format!("{MARK}{number}{MARK_END}"))
    }

    /// Remembers what a request sent.
    pub(in crate::convert) fn sent(&mut self, value: &str) {
        if value.len() <= LONGEST {
            self.sent.insert(value.to_owned());
        }
    }

    /// Looks into an answer. `resource` is what its URL is about.
    pub(in crate::convert) fn answered(&mut self, step: usize, entry: &Entry, resource: &str) {
        self.headers(step, entry);
        let Some(content) = entry.content.as_deref().filter(|content| content.len() <= MOST_BODY) else {
            return;
        };
        let start = content.trim_start();
        if entry.content_type.contains("html") {
            self.html(step, content);
        } else if start.starts_with(['{', '['])
            && let Ok(json) = serde_json::from_str::<Json>(content)
        {
            let mut left = MOST_VALUES;
            self.json(step, &json, &mut String::new(), resource, &mut left);
        }
    }

    fn learn(&mut self, value: &str, step: usize, from: From, key: &str) {
        if value.is_empty()
            || value.len() > LONGEST
            || self.sent.contains(value)
            || self.known.contains_key(value)
        {
            return;
        }
        let key = identifier(key.trim_start_matches("x-"), "value");
        self.known.insert(value.to_owned(), Source { step, from, key, variable: None });
    }

    fn json(&mut self, step: usize, json: &Json, path: &mut String, name: &str, left: &mut usize) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let length = path.len();
        match json {
            Json::Object(fields) => {
                for (key, value) in fields {
                    if !step_into(path, key) {
                        continue;
                    }
                    let vague = is_bare_id(key) || matches!(key.as_str(), "name" | "title" | "value");
                    let below = match key.as_str() {
                        // What they hold is what the URL is about.
                        "content" | "data" | "entries" | "items" | "list" | "records" | "result"
                        | "results" | "rows" => name.to_owned(),
                        _ if vague => format!("{} {key}", singular(name)),
                        _ => key.clone(),
                    };
                    self.json(step, value, path, &below, left);
                    path.truncate(length);
                }
            }
            Json::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    path.push_str(&format!("[{at}]"));
                    self.json(step, value, path, name, left);
                    path.truncate(length);
                }
            }
            Json::String(text) if is_telling(text, name) || is_telling_link(text) => {
                self.learn(text, step, From::Response(format!(".json({})", text_literal(path))), name);
            }
            Json::Number(number) => {
                let text = number.to_string();
                if number.is_u64() && is_telling(&text, name) {
                    self.learn(&text, step, From::Response(format!(".json({})", text_literal(path))), name);
                }
            }
            _ => {}
        }
    }

    fn html(&mut self, step: usize, content: &str) {
        if let Ok(document) = Document::parse(content, &mut || Ok::<_, String>(())) {
            self.hidden(step, &document);
        }
        self.inline(step, content);
    }

    fn hidden(&mut self, step: usize, document: &Document) {
        let mut go_on = || Ok::<_, String>(());
        let kinds = [
            ("input", "input[type=hidden][name][value]", "value"),
            ("meta", "meta[name][content]", "content"),
        ];
        for (tag, selector, attribute) in kinds {
            let Ok(elements) = document.css(&self.selectors, selector, &mut go_on) else { continue };
            for element in (0..elements.len().min(MOST_VALUES)).filter_map(|at| elements.get(at)) {
                let (Some(name), Some(value)) = (element.attr("name"), element.attr(attribute)) else {
                    continue;
                };
                let telling = is_credential(&name) || (tag == "input" && value.len() >= 4);
                if !telling || name.contains(['\'', '\\']) {
                    continue;
                }
                let bare = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let quoted = if bare { name.clone() } else { format!("'{name}'") };
                let selector = text_literal(&format!("{tag}[name={quoted}]"));
                self.learn(
                    &value,
                    step,
                    From::Response(format!(".css({selector}).attr(\"{attribute}\")")),
                    &name,
                );
            }
        }
    }

    /// Tokens in scripts of the page and in attributes: `nonce: "…"`, `window.csrf = '…'`, `data-token="…"`.
    fn inline(&mut self, step: usize, content: &str) {
        let mut left = MOST_INLINE;
        for (name_at, name, value) in named_texts(content) {
            let lower = name.to_ascii_lowercase();
            let names_token = is_credential(name)
                || ["nonce", "csrf", "xsrf"].iter().any(|part| lower.contains(part))
                || is_id(name);
            if !names_token || value.len() < 6 || self.known.contains_key(value) {
                continue;
            }
            let value_at = value.as_ptr() as usize - content.as_ptr() as usize;
            let before = &content[name_at..value_at];
            let quote = &content[value_at - 1..value_at];
            let pattern = format!("{}([^{quote}]+)", escaped_pattern(before));
            // Only what the script will find in the same way.
            if self.patterns.first(&pattern, content).ok().flatten().as_deref() == Some(value) {
                self.learn(value, step, From::Response(format!(".regex({})", text_literal(&pattern))), name);
            }
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }

    fn headers(&mut self, step: usize, entry: &Entry) {
        if let Some(url) = &entry.final_url {
            self.link(step, url.as_str(), ".url");
        }
        for (name, value) in &entry.response_headers {
            match name.as_str() {
                "set-cookie" => self.cookie(step, value),
                "location" if entry.final_url.is_none() => self.link(step, value, ".headers[\"location\"]"),
                _ if is_credential(name) || is_id(name) || name == "etag" => {
                    self.learn(
                        value,
                        step,
                        From::Response(format!(".headers[{}]", text_literal(name))),
                        name,
                    );
                }
                _ => {}
            }
        }
    }

    /// The last part of a path, and what stands in a query.
    fn link(&mut self, step: usize, link: &str, expression: &str) {
        let (path, query) = link.split_once('?').unwrap_or((link, ""));
        if let Some((before, last)) = path.rsplit_once('/')
            && is_id_like(last)
        {
            let whole = if query.is_empty() { "" } else { ".split(\"?\")[0]" };
            let from = From::Response(format!("{expression}{whole}.split(\"/\")[-1]"));
            let of = before.rsplit('/').next().unwrap_or_default();
            self.learn(last, step, from, &format!("{} id", singular(of)));
        }
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if value.len() >= 6 && !value.contains('%') {
                let from = From::Response(format!(
                    "{expression}.split({})[1].split(\"&\")[0]",
                    text_literal(&format!("{name}="))
                ));
                self.learn(value, step, from, name);
            }
        }
    }

    /// A cookie that scripts of the page read and send in another place, such as a token against forged requests.
    fn cookie(&mut self, step: usize, header: &str) {
        let pair = header.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { return };
        let (name, value) = (name.trim(), value.trim());
        if value.len() < 8 {
            return;
        }
        let expression = format!("http::cookies()[{}]", text_literal(name));
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        if decoded != value {
            self.learn(&decoded, step, From::Cookies(format!("encoding::url_decode({expression})")), name);
        }
        self.learn(value, step, From::Cookies(expression), name);
    }
}

/// Texts in quotes that follow a name and `:` or `=`, and where the name begins.
fn named_texts(content: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let bytes = content.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            at += 1;
            let quote = bytes[start];
            if quote != b'"' && quote != b'\'' {
                continue;
            }
            let Some(name_at) = name_before(bytes, start) else { continue };
            let length =
                bytes[at..].iter().take(LONGEST).position(|b| *b == quote || b"\\\r\n<>".contains(b));
            let Some(end) = length.map(|length| at + length).filter(|end| bytes[*end] == quote) else {
                continue;
            };
            let name = bytes[name_at..start].iter().take_while(|b| is_name_byte(**b)).count();
            let value = &content[at..end];
            at = end + 1;
            return Some((name_at, &content[name_at..name_at + name], value));
        }
        None
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-$".contains(&byte)
}

/// Where the name begins that stands before a text in quotes: `name="`, `"name": "`.
fn name_before(bytes: &[u8], quote: usize) -> Option<usize> {
    let blank_before = |mut at: usize| {
        while at > 0 && bytes[at - 1].is_ascii_whitespace() {
            at -= 1;
        }
        at
    };
    let mut at = blank_before(quote);
    at = at.checked_sub(1).filter(|at| b":=".contains(&bytes[*at]))?;
    at = blank_before(at);
    if at > 0 && b"\"'".contains(&bytes[at - 1]) {
        at -= 1;
    }
    let end = at;
    while at > 0 && end - at < 64 && is_name_byte(bytes[at - 1]) {
        at -= 1;
    }
    (at < end && quote - at < 100).then_some(at)
}

/// Whether a text is a URL, or a path, that the visitor could not have made up.
fn is_telling_link(text: &str) -> bool {
    let is_link = text.starts_with("http://") || text.starts_with("https://") || text.starts_with('/');
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    is_link
        && !text.contains(char::is_whitespace)
        && (query.contains('=') || path.split('/').skip(1).any(is_id_like))
}

/// Adds a key to a path such as `a.b[0]`; false when no path can name it.
fn step_into(path: &mut String, key: &str) -> bool {
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"', '\'']);
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else if !key.contains('"') {
        path.push_str(&format!("[\"{key}\"]"));
    } else {
        return false;
    }
    true
}

fn is_bare_id(key: &str) -> bool {
    matches!(
        key.to_ascii_lowercase().as_str(),
        "id" | "uuid" | "guid" | "_id" | "key" | "number" | "code" | "slug"
    )
}

/// Whether a name is that of something which has an identity.
fn is_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_bare_id(&lower)
        || lower.ends_with("_id")
        || lower.ends_with("-id")
        || lower.ends_with(" id")
        || (name.ends_with("Id") || name.ends_with("ID"))
        || lower.ends_with("uuid")
}

/// Whether a part of a path is an id rather than a word.
pub(in crate::convert) fn is_id_like(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let hex = segment.len() >= 8 && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    digits > 0 && plain && (digits == segment.len() || hex || (segment.len() >= 16 && digits >= 3))
}

/// Whether a value of this name, met again, is hardly so by chance.
fn is_telling(value: &str, name: &str) -> bool {
    if is_id(name) || is_credential(name) {
        return !value.is_empty();
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if digits == value.len() {
        return digits >= 5;
    }
    let is_date = value.len() >= 10 && value.is_char_boundary(10) && {
        let date = &value.as_bytes()[..10];
        date[4] == b'-' && date[7] == b'-' && date[..4].iter().all(u8::is_ascii_digit)
    };
    !is_date
        && !value.contains(char::is_whitespace)
        && ((value.len() >= 8 && digits > 0) || value.len() >= 24)
}

/// `orders` → `order`.
fn singular(name: &str) -> &str {
    match name.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_told_from_chance() {
        for (value, name) in
            [("7", "id"), ("7", "orderId"), ("abc", "csrf_token"), ("12345", "n"), ("project-01", "name")]
        {
            assert!(is_telling(value, name), "{value} {name}");
        }
        for (value, name) in [
            ("7", "page"),
            ("true", "ok"),
            ("Berlin", "city"),
            ("2026-11-25T10:00:00Z", "at"),
            ("a day 2026", "x"),
        ] {
            assert!(!is_telling(value, name), "{value} {name}");
        }
        for id in ["42", "3f2b0c1e-8d4a-4b6f-9a7d-5e1c2d3f4a5b", "5f43ab21", "V1StGXR8Z5jdHi6B12"] {
            assert!(is_id_like(id), "{id}");
        }
        for word in ["orders", "v1", "", "page-2", "ISO8859", "log_in"] {
            assert!(!is_id_like(word), "{word}");
        }
    }

    #[test]
    fn tokens_in_scripts_and_attributes() {
        let page = "<script>var a = {\"nonce\":\"5f3a9c12be\", x: 'y'}; window.csrfToken = 'abc.def-123';</script>\
            <body data-csrf=\"q1w2e3r4\"><p title=\"it's\">nonce: \"5f3a9c12be\"</p>";
        let mut values = Values::default();
        values.inline(0, page);
        for (value, expression) in [
            ("5f3a9c12be", r#".regex("nonce\":\"([^\"]+)")"#),
            ("abc.def-123", ".regex(\"csrfToken = '([^']+)\")"),
            ("q1w2e3r4", r#".regex("data-csrf=\"([^\"]+)")"#),
        ] {
            values.find(value, Place::Field("x"), 0).unwrap();
            assert_eq!(values.variables.last().unwrap().expression, expression);
        }
        assert!(values.find("y", Place::Field("id"), 0).is_none());
        values.inline(0, &"id=\"".repeat(10_000));
    }

    #[test]
    fn values_of_json_and_what_the_visitor_sent() {
        let mut values = Values::default();
        values.sent("known-0815");
        let json = serde_json::json!({ "items": [{ "id": 7 }], "a.b": { "token": "t0k3n-1" }, "echo": "known-0815" });
        values.json(3, &json, &mut String::new(), "orders", &mut 100);
        assert_eq!(values.find("known-0815", Place::Path, 0), None);
        assert_eq!(values.find("7", Place::Field("page"), 0), None);
        assert!(values.find("7", Place::Field("itemId"), 0).is_some());
        assert!(values.find("7", Place::Path, 1).is_some());
        assert!(values.find("t0k3n-1", Place::Field("x"), 1).is_some());
        let found: Vec<(&str, &str)> =
            values.variables.iter().map(|v| (v.name.as_str(), v.expression.as_str())).collect();
        assert_eq!(
            found,
            [("order_id", ".json(\"items[0].id\")"), ("token", ".json(\"[\\\"a.b\\\"].token\")")]
        );
        assert_eq!(values.variables[0].pages, HashSet::from([0, 1]));
        assert!(is_telling_link("/items?page=2") && is_telling_link("http://a.test/orders/17"));
        assert!(!is_telling_link("/orders") && !is_telling_link("x?a=b") && !is_telling_link("/a b?c=d"));
    }
}
