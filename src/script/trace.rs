//! Requests and responses as text, for debugging scripts (`--once`, `--http-debug`).
//!
//! Leaves showing them to the message sink. Invariants: no credential is shown, and no text is longer
//! than its parts allow: a body of 4 kB, that of an error in a line 1 kB, a header of 8 kB each way.

use std::fmt::Write as _;

use http::{HeaderMap, Method, Version};

use super::host::Host;
use super::message::{Level, Message};
use super::secrets::Secrets;
use super::vu_context::VuContext;
use crate::credentials::masked_value;
use crate::http::{Body, BodyPart, Exchange, Request, field_text};
use crate::text::format_count;

/// How much of a body is shown.
const BODY_BYTES: usize = 4096;

/// How much of the body of an error is shown where bodies are not.
const ERROR_BYTES: usize = 1024;

/// How much of it is searched for secrets: a secret that ends beyond the shown part must not be shown in part.
const SEARCHED_BYTES: usize = 4 * BODY_BYTES;

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
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Body,
}

impl Sent {
    /// What is kept of a request, if requests are shown.
    pub(crate) fn of(host: &Host, vu: &VuContext, request: &Request) -> Option<Sent> {
        (host.inputs.http_debug != HttpDebug::Off).then(|| Sent {
            method: request.method.clone(),
            url: request.target.as_str().to_owned(),
            headers: vu.client.header_of(request),
            body: request.body.clone(),
        })
    }

    /// Shows it with what came of it.
    pub(crate) fn show(&self, host: &Host, vu: &VuContext, exchange: &Exchange) {
        let text = describe(host.inputs.http_debug, self, exchange, &host.inputs.common.secrets);
        host.message(Message { level: Level::Info, text, from: Some((vu.id, vu.iteration.get())) });
    }
}

/// A request and what came of it.
fn describe(how: HttpDebug, sent: &Sent, exchange: &Exchange, secrets: &Secrets) -> String {
    let mask = |text: &str| secrets.masked(text.to_owned());
    let mut text = format!("{} {} -> {}", sent.method, mask(&sent.url), mask(&outcome(exchange)));
    for hop in &exchange.hops {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  redirected with {} by {}", hop.status, mask(hop.url.as_str()));
    }
    if how < HttpDebug::Headers {
        error_body(&mut text, exchange, secrets);
        return text;
    }
    let _ = write!(text, "\n  {}", timings(exchange));
    let _ = write!(text, "\n> {} {}", sent.method, mask(&sent.url));
    headers(&mut text, '>', &sent.headers, secrets);
    if how == HttpDebug::Full {
        sent_body(&mut text, &sent.body, secrets);
    }
    if exchange.status != 0 {
        let _ = write!(text, "\n< {} {}", version(exchange.version), exchange.status);
        headers(&mut text, '<', &exchange.headers, secrets);
        if how == HttpDebug::Full {
            match exchange.decoded_body() {
                Ok(decoded) => body(&mut text, '<', &decoded, BODY_BYTES, secrets),
                Err(error) => {
                    let _ = write!(text, "\n< ({})", error.message);
                }
            }
        } else {
            error_body(&mut text, exchange, secrets);
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

fn headers(text: &mut String, sign: char, headers: &HeaderMap, secrets: &Secrets) {
    let mut left = HEADER_BYTES;
    for (name, value) in headers {
        let value = field_text(value.as_bytes());
        let shown = secrets.masked(masked_value(name.as_str(), &value).into_owned());
        let line = format!("\n{sign} {name}: {shown}");
        let Some(rest) = left.checked_sub(line.len()) else {
            let _ = write!(text, "\n{sign} ... (the header is longer than {HEADER_BYTES} bytes)");
            return;
        };
        left = rest;
        text.push_str(&line);
    }
}

/// Of a body that is streamed, what is in memory, and which files come between.
fn sent_body(text: &mut String, sent: &Body, secrets: &Secrets) {
    if let Some(whole) = sent.whole() {
        body(text, '>', whole, BODY_BYTES, secrets);
    }
    for part in sent.parts() {
        match part {
            BodyPart::Bytes(bytes) => body(text, '>', bytes, BODY_BYTES, secrets),
            BodyPart::File(file) => {
                let (name, size) = (secrets.masked(file.name().to_owned()), format_count(file.size()));
                let _ = write!(text, "\n>\n> (file '{name}', {size} bytes)");
            }
        }
    }
}

/// What the server says about an error: the begin of its body.
fn error_body(text: &mut String, exchange: &Exchange, secrets: &Secrets) {
    if exchange.status >= 400
        && let Ok(decoded) = exchange.decoded_body()
    {
        body(text, '<', &decoded, ERROR_BYTES, secrets);
    }
}

fn body(text: &mut String, sign: char, body: &[u8], most: usize, secrets: &Secrets) {
    if body.is_empty() {
        return;
    }
    let cut = body.len().saturating_sub(most);
    // A character that was cut in two at the end does not make it binary.
    let searched = &body[..body.len().min(SEARCHED_BYTES)];
    let valid = searched.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    if valid.len() + 4 <= searched.len().min(most) || valid.contains('\0') {
        let _ = write!(text, "\n{sign}\n{sign} ({} bytes of binary data)", body.len());
        return;
    }
    let _ = write!(text, "\n{sign}");
    let shown = secrets.mask_begin(valid, most);
    for line in shown.as_deref().unwrap_or(valid).lines() {
        let _ = write!(text, "\n{sign} {line}");
    }
    if cut > 0 {
        let _ = write!(text, "\n{sign} ... ({cut} more bytes)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_credentials_show_their_scheme() {
        let mut map = HeaderMap::new();
        map.insert("authorization", "Bearer abc".parse().unwrap());
        map.insert("cookie", "session=abc".parse().unwrap());
        map.insert("x-csrf-token", "abc".parse().unwrap());
        map.insert("x-plain", "abc".parse().unwrap());
        let mut text = String::new();
        headers(&mut text, '>', &map, &Secrets::default());
        assert_eq!(text, "\n> authorization: Bearer ***\n> cookie: ***\n> x-csrf-token: ***\n> x-plain: abc");
    }

    #[test]
    fn bodies_are_cut_and_binary_ones_are_counted() {
        let secrets = Secrets::default();
        secrets.add("hunter2").unwrap();
        let shown = |bytes: &[u8]| {
            let mut text = String::new();
            body(&mut text, '<', bytes, BODY_BYTES, &secrets);
            text
        };
        assert_eq!(shown(b""), "");
        assert_eq!(shown(b"a\nb"), "\n<\n< a\n< b");
        assert_eq!(shown(&[0xff; 100]), "\n<\n< (100 bytes of binary data)");
        let long = "\u{e4}".repeat(4000);
        assert!(shown(long.as_bytes()).ends_with("... (3904 more bytes)"));
        let split = format!("{}hunter2", "a".repeat(BODY_BYTES - 3));
        assert!(shown(split.as_bytes()).ends_with("a***\n< ... (4 more bytes)"));
    }
}
