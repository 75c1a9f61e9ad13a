//! One request as a call of `http::…`, whatever format it came from.
//!
//! Owns the order and layout of a call, how a URL becomes path and query, and which headers are noise. Invariant: a
//! call says nothing that the client does by itself.

use url::Url;

use super::literal::{Piece, Value};
use crate::credentials::is_credential;

/// A URL with its query is written as one text up to this length.
const SHORT_URL: usize = 60;

/// A request.
pub(super) struct Call {
    /// In upper case.
    pub(super) method: String,
    pub(super) url: Value,
    /// Parameters in the order in which they are written; an empty query and no headers are left out.
    pub(super) params: Vec<(&'static str, Value)>,
    /// The status or statuses that it must have.
    pub(super) expect: Option<Value>,
}

impl Call {
    /// The call as a statement; with a variable, the response is kept and a failure ends the iteration, because what
    /// follows needs it.
    pub(super) fn statement(&self, indent: usize, variable: Option<&str>) -> String {
        let mut params: Vec<(String, Value)> = self
            .params
            .iter()
            .filter(|(name, value)| {
                !(matches!(*name, "query" | "headers") && *value == Value::Map(Vec::new()))
            })
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let mut chained = String::new();
        match (&self.expect, variable) {
            (Some(status), Some(_)) => params.push(("expect".to_owned(), status.clone())),
            (Some(status), None) => chained = format!(".expect({})", status.inline()),
            (None, _) => {}
        }
        if variable.is_some() {
            params.push(("raise".to_owned(), Value::Bool(true)));
        }
        let function = self.method.to_ascii_lowercase();
        let start = match function.as_str() {
            "get" | "post" | "put" | "patch" | "delete" | "head" | "options" => format!("http::{function}("),
            _ => format!("http::request({}, ", Value::text(self.method.clone()).inline()),
        };
        let assigned = variable.map_or(String::new(), |name| format!("let {name} = "));
        let head = format!("{}{assigned}{start}{}", "    ".repeat(indent), self.url.inline());
        if params.is_empty() {
            return format!("{head}){chained};");
        }
        let column = head.chars().count() + 2;
        // What follows the map on its last line.
        let after = chained.len() + 2;
        let map = Value::Map(params).laid_out(indent, column + after);
        // A map of one long entry reads better when only the entry is broken up.
        format!("{head}, {map}){chained};")
    }
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Path, and the query in it or as parameters; `base` is the origin that is written as the host.
///
/// The query becomes a map when the URL would be long, or when something in it may change or must not be shown.
pub(super) fn location(url: &Url, base: &str, force_map: bool) -> (String, Option<Value>) {
    let path = unmarked(url.path());
    let path = if origin(url) == base { path } else { format!("{}{path}", origin(url)) };
    let Some(query) = url.query().filter(|query| !query.is_empty()) else { return (path, None) };
    let pairs = pairs(query);
    let whole = format!("{path}?{query}");
    let plain = |pairs: &[(String, String)]| {
        pairs.iter().all(|(name, value)| !is_credential(name) && !value.contains(MARK))
    };
    match pairs {
        Some(pairs) if force_map || whole.len() > SHORT_URL || !plain(&pairs) => (path, Some(grouped(pairs))),
        _ => (unmarked(&whole), None),
    }
}

/// Names and values of a query or a form, when it is made of such.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let whole = text.split('&').all(|part| part.find('=').is_some_and(|at| at > 0));
    whole.then(|| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
}

/// A map of pairs; a name that comes several times has an array. Numbers are written as such.
pub(super) fn grouped(pairs: Vec<(String, String)>) -> Value {
    group(pairs.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

/// A map of pairs; a name that comes several times has an array.
pub(super) fn group(pairs: Vec<(String, Value)>) -> Value {
    let mut map: Vec<(String, Value)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (name, value) in pairs {
        match places.get(&name).and_then(|&at: &usize| map.get_mut(at)) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, before)) => *before = Value::Array(vec![before.clone(), value]),
            None => {
                places.insert(name.clone(), map.len());
                map.push((name, value));
            }
        }
    }
    Value::Map(map)
}

/// A number when it is written as one writes numbers, else text.
fn plain(text: String) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text && text.len() < 10 => Value::int(number),
        _ => Value::text(text),
    }
}

/// Whether the client sets this header by itself, or a browser sends it and no test needs it.
pub(super) fn is_noise(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "accept" => value == "*/*" || value.starts_with("text/html,") || value.starts_with("image/"),
        "user-agent" => value.starts_with("Mozilla/"),
        "accept-encoding"
        | "accept-language"
        | "alt-used"
        | "cache-control"
        | "connection"
        | "content-length"
        | "cookie"
        | "dnt"
        | "host"
        | "if-modified-since"
        | "if-none-match"
        | "keep-alive"
        | "origin"
        | "pragma"
        | "priority"
        | "proxy-connection"
        | "referer"
        | "te"
        | "transfer-encoding"
        | "upgrade"
        | "upgrade-insecure-requests"
        | "x-client-data" => true,
        _ => name.starts_with(':') || name.starts_with("sec-") || name.is_empty(),
    }
}

/// Begins a shell's variable in text that was read from a command; its name ends with [`MARK_END`].
pub(super) const MARK: char = '\u{e000}';
pub(super) const MARK_END: char = '\u{e001}';

/// URLs escape the marks.
fn unmarked(text: &str) -> String {
    text.replace("%EE%80%80", "\u{e000}").replace("%EE%80%81", "\u{e001}")
}

/// Text with marked variables as the text that a script puts together.
pub(super) fn marked(text: &str, mut variable: impl FnMut(&str) -> String) -> Value {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK) {
        let Some((name, after)) = after.split_once(MARK_END) else { break };
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Code(variable(name)));
        rest = after;
    }
    if let (0, [Piece::Text(before), Piece::Code(code)]) = (rest.len(), pieces.as_slice())
        && before.is_empty()
    {
        return Value::Code(code.clone());
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Value::joined(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(url: &str) -> String {
        let (path, query) = location(&Url::parse(url).unwrap(), "http://a.test", false);
        query.map_or(path.clone(), |query| format!("{path} {}", query.inline()))
    }

    #[test]
    fn short_queries_stay_in_the_url() {
        assert_eq!(located("http://a.test/x?page=2&sort=a"), "/x?page=2&sort=a");
        assert_eq!(located("http://a.test"), "/");
        assert_eq!(located("https://b.test:8/x#top"), "https://b.test:8/x");
        assert_eq!(located("http://a.test/x?token=abc"), "/x #{ token: \"abc\" }");
        let long = "x".repeat(60);
        assert_eq!(
            located(&format!("http://a.test/x?a=1&b=007&a=2&q={long}%20y")),
            format!("/x #{{ a: [1, 2], b: \"007\", q: \"{long} y\" }}")
        );
        assert_eq!(located(&format!("http://a.test/x?{long}")), format!("/x?{long}"));
    }

    #[test]
    fn calls_of_every_kind() {
        let mut call = Call {
            method: "GET".into(),
            url: Value::text("/a"),
            params: vec![("headers", Value::Map(vec![]))],
            expect: Some(Value::int(200)),
        };
        assert_eq!(call.statement(1, None), "    http::get(\"/a\").expect(200);");
        assert_eq!(call.statement(0, Some("r")), "let r = http::get(\"/a\", #{ expect: 200, raise: true });");
        call.method = "PURGE".into();
        call.expect = None;
        call.params = vec![("body", Value::text("x"))];
        assert_eq!(call.statement(0, None), "http::request(\"PURGE\", \"/a\", #{ body: \"x\" });");
    }

    #[test]
    fn variables_in_text() {
        let shown = |text: &str| marked(text, str::to_uppercase).inline();
        assert_eq!(shown("plain"), "\"plain\"");
        assert_eq!(shown("\u{e000}a\u{e001}"), "A");
        assert_eq!(shown("/x/\u{e000}a\u{e001}/\u{e000}b\u{e001}"), "`/x/${A}/${B}`");
        assert_eq!(shown("\u{e000}a"), "\"\\ue000a\"");
    }
}
