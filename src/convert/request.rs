//! One request as a call of `http::…`, whatever format it came from.
//!
//! Owns the order and layout of a call, how a URL becomes path and query, and which headers are noise. Invariant: a
//! call says nothing that the client does by itself.

use url::Url;

pub(super) use super::literal::group;
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
                !matches!((*name, value), ("query" | "headers", Value::Map(v) | Value::Fields(v)) if v.is_empty())
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
/// The query becomes a map when the URL would be long and the map says the same, or when something in it may change or
/// must not be shown.
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
        Some(pairs)
            if force_map || !plain(&pairs) || (whole.len() > SHORT_URL && same_query(&pairs, query)) =>
        {
            (path, Some(fields(pairs)))
        }
        _ => (unmarked(&whole), None),
    }
}

/// Whether the client writes the pairs as they stand in this query, but for how a blank is written.
fn same_query(pairs: &[(String, String)], query: &str) -> bool {
    let plain = |text: &str| text.replace("%20", "+").to_ascii_lowercase();
    plain(&encoded(pairs)) == plain(query)
}

/// What is to be known about a query that is sent as a map.
pub(super) fn query_note(url: &Url) -> Option<String> {
    let query = url.query()?;
    let same = pairs(query).is_some_and(|pairs| encoded(&pairs) == query);
    (!same).then(|| {
        "queries are sent percent-encoded as browsers do it: the same names and values, not always the same bytes".to_owned()
    })
}

/// Names and values of a query or a form, when it is made of such and they can be written again.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let whole = text.split('&').all(|part| part.find('=').is_some_and(|at| at > 0));
    let pairs: Vec<(String, String)> =
        whole.then(|| url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())?;
    // What is no UTF-8 would be lost.
    let lost = |text: &str| text.contains('\u{fffd}');
    pairs.iter().all(|(name, value)| !lost(name) && !lost(value) && !name.contains(MARK)).then_some(pairs)
}

/// Names and values in their order. Numbers are written as such.
pub(super) fn fields(pairs: Vec<(String, String)>) -> Value {
    Value::Fields(pairs.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

/// Pairs as the client writes a query or a form.
pub(super) fn encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A number when it is written as one writes numbers, else text.
fn plain(text: String) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text && text.len() < 10 => Value::int(number),
        _ => Value::text(text),
    }
}

/// Why a header of a recorded request is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The client sends it by itself.
    Own,
    /// Browsers send it, and hardly a test needs it.
    Browser,
}

/// Whether a header is not written, and why.
pub(super) fn dropped(name: &str, value: &str) -> Option<Dropped> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "accept" if value == "*/*" => Some(Dropped::Own),
        "accept" => {
            (value.starts_with("text/html,") || value.starts_with("image/")).then_some(Dropped::Browser)
        }
        "user-agent" => value.starts_with("Mozilla/").then_some(Dropped::Browser),
        "connection" | "content-length" | "cookie" | "expect" | "host" | "keep-alive"
        | "proxy-connection" | "te" | "transfer-encoding" | "upgrade" => Some(Dropped::Own),
        "accept-encoding"
        | "accept-language"
        | "alt-used"
        | "cache-control"
        | "dnt"
        | "if-modified-since"
        | "if-none-match"
        | "origin"
        | "pragma"
        | "priority"
        | "referer"
        | "upgrade-insecure-requests"
        | "x-client-data" => Some(Dropped::Browser),
        _ if name.starts_with(':') || name.is_empty() => Some(Dropped::Own),
        _ => name.starts_with("sec-").then_some(Dropped::Browser),
    }
}

/// Begins something in text that is only known when the script runs; it ends with [`MARK_END`].
pub(super) const MARK: char = '\u{e000}';
pub(super) const MARK_END: char = '\u{e001}';

/// URLs escape the marks.
pub(super) fn unmarked(text: &str) -> String {
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
            format!("/x [[\"a\", 1], [\"b\", \"007\"], [\"a\", 2], [\"q\", \"{long} y\"]]")
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
