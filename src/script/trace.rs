//! Requests and responses as text, for whoever tries a script out (`--once`, `--http-debug`).
//!
//! Pure. Leaves showing them to the message sink. Invariants: no credential is shown, and no text is longer
//! than its parts allow: a body of 4 kB, a header of 8 kB each way.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Method, Version};

use crate::http::Exchange;

/// How much of a body is shown.
const BODY_BYTES: usize = 4096;

/// How much of a header is shown.
const HEADER_BYTES: usize = 8192;

/// What is shown of each request while a test runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpDebug {
    /// Nothing.
    #[default]
    Off,
    /// A line: method, URL, status, time, size.
    Lines,
    /// Request and response with their headers and times.
    Headers,
    /// The same with the first 4 kB of the bodies.
    Full,
}

/// A request before it is sent, as far as it is shown.
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request and what came of it.
pub(crate) fn describe(how: HttpDebug, sent: &Sent, exchange: &Exchange) -> String {
    let mut text = format!("{} {} -> {}", sent.method, mask(&sent.url), outcome(exchange));
    for hop in &exchange.hops {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  redirected with {} by {}", hop.status, mask(hop.url.as_str()));
    }
    if how < HttpDebug::Headers {
        return text;
    }
    let _ = write!(text, "\n  {}", timings(exchange));
    let _ = write!(text, "\n> {} {}", sent.method, mask(&sent.url));
    headers(&mut text, '>', &sent.headers);
    if how == HttpDebug::Full {
        body(&mut text, '>', &sent.body);
    }
    if exchange.status != 0 {
        let _ = write!(text, "\n< {} {}", version(exchange.version), exchange.status);
        headers(&mut text, '<', &exchange.headers);
        if how == HttpDebug::Full {
            match exchange.decoded_body() {
                Ok(decoded) => body(&mut text, '<', &decoded),
                Err(error) => {
                    let _ = write!(text, "\n< ({})", error.message);
                }
            }
        }
    }
    text
}

fn outcome(exchange: &Exchange) -> String {
    let ms = |duration: std::time::Duration| duration.as_micros() as f64 / 1000.0;
    match &exchange.error {
        Some(error) => {
            format!("{} after {} ms: {}", error.kind.as_str(), ms(exchange.timings.total), error.message)
        }
        None => {
            let reason = http::StatusCode::from_u16(exchange.status).ok().and_then(|s| s.canonical_reason());
            let space = if reason.is_some() { " " } else { "" };
            let (status, reason) = (exchange.status, reason.unwrap_or_default());
            format!(
                "{status}{space}{reason}, {} ms, {} B",
                ms(exchange.timings.service()),
                exchange.body.len()
            )
        }
    }
}

fn timings(exchange: &Exchange) -> String {
    let timings = &exchange.timings;
    let parts = [
        ("blocked", Some(timings.blocked)),
        ("dns", timings.dns),
        ("connecting", timings.connecting),
        ("tls", timings.tls),
        ("sending", Some(timings.sending)),
        ("waiting", Some(timings.waiting)),
        ("receiving", Some(timings.receiving)),
    ];
    let shown = parts.iter().filter_map(|(name, time)| {
        time.map(|time| format!("{name} {} ms", time.as_micros() as f64 / 1000.0))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn version(version: Version) -> String {
    format!("{version:?}")
}

fn headers(text: &mut String, sign: char, headers: &HeaderMap) {
    let mut left = HEADER_BYTES;
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let shown = if is_secret(name.as_str()) { masked_credential(&value) } else { mask(&value) };
        let line = format!("\n{sign} {name}: {shown}");
        let Some(rest) = left.checked_sub(line.len()) else {
            let _ = write!(text, "\n{sign} ... (the header is longer than {HEADER_BYTES} bytes)");
            return;
        };
        left = rest;
        text.push_str(&line);
    }
}

fn body(text: &mut String, sign: char, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let shown = &body[..body.len().min(BODY_BYTES)];
    let cut = body.len() - shown.len();
    // A character that was cut in two at the end does not make it binary.
    let valid = shown.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    if valid.len() + 4 <= shown.len() || valid.contains('\0') {
        let _ = write!(text, "\n{sign}\n{sign} ({} bytes that are not text)", body.len());
        return;
    }
    let _ = write!(text, "\n{sign}");
    // Masked before the lines are split: a value can span the rest of a line only.
    for line in mask(valid).lines() {
        let _ = write!(text, "\n{sign} {line}");
    }
    if cut > 0 {
        let _ = write!(text, "\n{sign} ... ({cut} bytes more)");
    }
}

/// Words in a name that make its value a secret.
const SECRET_WORDS: [&str; 11] = [
    "token",
    "password",
    "passwd",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "credential",
    "authorization",
    "cookie",
];

fn is_secret(header: &str) -> bool {
    header == "x-auth" || SECRET_WORDS.iter().any(|word| header.contains(word))
}

/// `Bearer ***`: the scheme is worth seeing, what follows is not.
fn masked_credential(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphabetic()) => format!("{scheme} ***"),
        _ => "***".to_owned(),
    }
}

/// Replaces the values of `token=…`, `"password": "…"` and their like, and of `user:password@` in URLs.
fn mask(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, end)) = next_secret(&lower, at) {
        masked.push_str(&text[at..start]);
        masked.push_str("***");
        at = end;
    }
    masked.push_str(&text[at..]);
    masked
}

/// Where the next secret value begins and ends.
fn next_secret(lower: &str, from: usize) -> Option<(usize, usize)> {
    let named = SECRET_WORDS.iter().filter_map(|word| value_after(lower, from, word));
    let in_url = lower[from..].find("://").and_then(|found| {
        let start = from + found + 3;
        let authority = lower[start..].find(['/', '?', '#', ' ', '"']).map_or(lower.len(), |end| start + end);
        lower[start..authority].rfind('@').map(|end| (start, start + end))
    });
    named.chain(in_url).filter(|(start, end)| start < end).min()
}

/// The value after the first `word=` or `"word": ` from an index on; the word may go on, as in `token_id`.
fn value_after(lower: &str, mut from: usize, word: &str) -> Option<(usize, usize)> {
    while let Some(found) = lower[from..].find(word) {
        from += found + word.len();
        let rest = &lower[from..];
        let name =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let after = rest[name..].trim_start_matches(['"', '\'', '\\', ' ', ']']);
        let Some(value) = after.strip_prefix([':', '=']) else { continue };
        let value = value.trim_start_matches([' ', '\t']);
        // JSON inside a string of JSON has its quotes escaped.
        let (value, ends): (&str, &[char]) = match value.trim_start_matches('\\').strip_prefix('"') {
            Some(quoted) => (quoted, &['"', '\\']),
            None => (value, &['&', ';', ',', ' ', '\n', '\r', '}', ']', '"', '\'']),
        };
        let value =
            ["bearer ", "basic "].iter().find_map(|scheme| value.strip_prefix(scheme)).unwrap_or(value);
        let start = lower.len() - value.len();
        let end = value.find(ends).map_or(lower.len(), |end| start + end);
        if start < end {
            return Some((start, end));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let check = |text: &str, expected: &str| assert_eq!(mask(text), expected);
        check("/a?token=abc&x=1", "/a?token=***&x=1");
        check("/a?access_token=abc", "/a?access_token=***");
        check(
            "{\"user\":\"u\",\"password\": \"p&w,d\",\"n\":1}",
            "{\"user\":\"u\",\"password\": \"***\",\"n\":1}",
        );
        check("{\"tokens\": 17, \"API_KEY\":\"k\"}", "{\"tokens\": ***, \"API_KEY\":\"***\"}");
        check("http://ann:secret@shop/x", "http://***@shop/x");
        check("a token of trust: none; größe=1", "a token of trust: none; größe=1");
        check("client_secret=a&client_secret=b", "client_secret=***&client_secret=***");
        check("{\"body\":\"{\\\"password\\\":\\\"p\\\"}\"}", "{\"body\":\"{\\\"password\\\":\\\"***\\\"}\"}");
        check("{\"authorization\":\"Bearer abc\"}", "{\"authorization\":\"Bearer ***\"}");
        check("token", "token");
        check("token=", "token=");
    }

    #[test]
    fn headers_with_credentials_show_their_scheme() {
        let mut map = HeaderMap::new();
        map.insert("authorization", "Bearer abc".parse().unwrap());
        map.insert("cookie", "session=abc".parse().unwrap());
        map.insert("x-csrf-token", "abc".parse().unwrap());
        map.insert("x-plain", "abc".parse().unwrap());
        let mut text = String::new();
        headers(&mut text, '>', &map);
        assert_eq!(text, "\n> authorization: Bearer ***\n> cookie: ***\n> x-csrf-token: ***\n> x-plain: abc");
    }

    #[test]
    fn bodies_are_cut_and_binary_ones_are_counted() {
        let shown = |bytes: &[u8]| {
            let mut text = String::new();
            body(&mut text, '<', bytes);
            text
        };
        assert_eq!(shown(b""), "");
        assert_eq!(shown(b"a\nb"), "\n<\n< a\n< b");
        assert_eq!(shown(&[0xff; 100]), "\n<\n< (100 bytes that are not text)");
        let long = "\u{e4}".repeat(4000);
        assert!(shown(long.as_bytes()).ends_with("... (3904 bytes more)"));
    }
}
