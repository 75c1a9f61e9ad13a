//! The body of a request: from the bytes that were sent to the parameter that sends them again.
//!
//! Owns what is recognised: JSON, forms, multipart, text. Invariant: what cannot be said as a map without changing it
//! is sent as it was.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::literal::{Value, has_wide_integer, text_literal};
use super::request::{group, grouped, pairs};
use crate::credentials::masked;

/// Bytes that are no text may stand in a script up to this many.
const MOST_BYTES: usize = 64 * 1024;

/// A body as parameters of a request.
pub(super) struct Body {
    /// `json`, `form`, `multipart` or `body`, and its value.
    pub(super) params: Vec<(&'static str, Value)>,
    /// The content type, where the parameter does not set it.
    pub(super) content_type: Option<String>,
    /// What a person has to know about it.
    pub(super) note: Option<String>,
}

/// The body that was sent with this content type.
pub(super) fn body(content_type: &str, bytes: &[u8]) -> Body {
    let (kind, keep) = (essence(content_type), Some(content_type.to_owned()).filter(|text| !text.is_empty()));
    let Ok(text) = std::str::from_utf8(bytes) else { return binary(content_type, bytes, keep) };
    if is_json(&kind)
        && let Some(value) = json(text)
    {
        return Body {
            params: vec![("json", value)],
            content_type: keep.filter(|_| kind != "application/json"),
            note: None,
        };
    }
    if kind == "application/x-www-form-urlencoded"
        && let Some(pairs) = pairs(text)
    {
        return Body { params: vec![("form", grouped(pairs))], content_type: None, note: None };
    }
    if let Some(parts) = multipart(content_type, bytes) {
        return parts;
    }
    Body { params: vec![("body", Value::text(text))], content_type: keep, note: revealing(text) }
}

/// Text that is no map is kept as it is: a person has to see whether it gives something away.
fn revealing(text: &str) -> Option<String> {
    const NOTE: &str = "a request body in the script contains what looks like a credential: check it";
    matches!(masked(text), Cow::Owned(_)).then(|| NOTE.to_owned())
}

/// JSON as a map, when sending the map gives the same JSON.
pub(super) fn json(text: &str) -> Option<Value> {
    if has_wide_integer(text) {
        return None;
    }
    Value::from_json(&serde_json::from_str(text).ok()?)
}

/// A content type without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a content type stands for JSON.
pub(super) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn binary(content_type: &str, bytes: &[u8], keep: Option<String>) -> Body {
    if let Some(parts) = multipart(content_type, bytes) {
        return parts;
    }
    let (value, note) = blob(bytes);
    Body { params: vec![("body", value)], content_type: keep, note }
}

/// Bytes as an expression that gives them, or as random text of their length when they are too many.
pub(super) fn blob(bytes: &[u8]) -> (Value, Option<String>) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes.len() <= MOST_BYTES
    {
        return (Value::text(text), None);
    }
    if bytes.len() > MOST_BYTES {
        let note =
            format!("a body or file of {} bytes was replaced by random text of the same length", bytes.len());
        return (Value::Code(format!("random::string({})", bytes.len().min(1_000_000))), Some(note));
    }
    (
        Value::Code(format!("encoding::base64_decode({}, \"blob\")", text_literal(&STANDARD.encode(bytes)))),
        None,
    )
}

/// `multipart/form-data`, when it is whole.
fn multipart(content_type: &str, bytes: &[u8]) -> Option<Body> {
    if essence(content_type) != "multipart/form-data" {
        return None;
    }
    let boundary =
        content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    let mut fields = Vec::new();
    let mut note = None;
    for part in parts(bytes, boundary)? {
        let (value, about) = match part.file_name {
            Some(file_name) => file(part.content, &file_name, part.content_type.as_deref()),
            None => (Value::text(String::from_utf8_lossy(part.content)), None),
        };
        note = note.or(about);
        fields.push((part.name, value));
    }
    Some(Body { params: vec![("multipart", group(fields))], content_type: None, note })
}

/// A file that is uploaded.
pub(super) fn file(content: &[u8], name: &str, content_type: Option<&str>) -> (Value, Option<String>) {
    let (content, note) = blob(content);
    (file_of(&content, name, content_type), note)
}

/// A file whose content is an expression.
pub(super) fn file_of(content: &Value, name: &str, content_type: Option<&str>) -> Value {
    let content_type = content_type.filter(|text| *text != "application/octet-stream");
    let content_type = content_type.map_or(String::new(), |text| format!(", {}", text_literal(text)));
    Value::Code(format!("http::file({}, {}{content_type})", content.inline(), text_literal(name)))
}

struct Part<'a> {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    content: &'a [u8],
}

fn parts<'a>(bytes: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    if boundary.is_empty() {
        return None;
    }
    let first = format!("--{boundary}");
    let next = format!("\r\n--{boundary}");
    let mut rest = &bytes[find(bytes, first.as_bytes())? + first.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let end = find(rest, next.as_bytes())?;
        let head_end = find(&rest[..end], b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        let content = &rest[head_end + 4..end];
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
        };
        let disposition = header("content-disposition")?;
        parts.push(Part {
            name: quoted(&disposition, "name")?,
            file_name: quoted(&disposition, "filename"),
            content_type: header("content-type"),
            content,
        });
        rest = &rest[end + next.len()..];
    }
    Some(parts)
}

/// `name="value"` among the parameters of a header.
fn quoted(header: &str, name: &str) -> Option<String> {
    header.split(';').find_map(|part| {
        let value = part.trim().strip_prefix(name)?.strip_prefix('=')?;
        Some(value.trim_matches('"').replace("%22", "\""))
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, bytes: &[u8], expected: &str, kept: Option<&str>) {
        let body = body(content_type, bytes);
        let shown: Vec<String> =
            body.params.iter().map(|(name, value)| format!("{name}: {}", value.inline())).collect();
        assert_eq!(shown.join(", "), expected);
        assert_eq!(body.content_type.as_deref(), kept);
    }

    #[test]
    fn bodies_are_recognised() {
        check("application/json; charset=utf-8", br#"{"a":[1]}"#, "json: #{ a: [1] }", None);
        check("application/vnd.api+json", b"{}", "json: #{}", Some("application/vnd.api+json"));
        check("application/x-www-form-urlencoded", b"a=1&b=x+y", "form: #{ a: 1, b: \"x y\" }", None);
        check("text/plain", "\u{fc}".as_bytes(), "body: \"\u{fc}\"", Some("text/plain"));
        check("", b"x", "body: \"x\"", None);
        check(
            "image/png",
            &[0xff, 0],
            "body: encoding::base64_decode(\"/wA=\", \"blob\")",
            Some("image/png"),
        );
    }

    #[test]
    fn what_would_change_is_sent_as_it_was() {
        let kept = Some("application/json");
        check(
            "application/json",
            br#"{"id":12345678901234567890}"#,
            r#"body: "{\"id\":12345678901234567890}""#,
            kept,
        );
        check("application/json", b"{broken", "body: \"{broken\"", kept);
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        check("application/json", deep.as_bytes(), &format!("body: \"{deep}\""), kept);
        let form = "application/x-www-form-urlencoded";
        check(form, b"{\"a\": 1}", "body: \"{\\\"a\\\": 1}\"", Some(form));
    }

    #[test]
    fn text_that_may_hold_a_secret_is_noted() {
        let note = body("application/xml", b"<Password>hunter2</Password>").note.unwrap();
        assert!(note.contains("credential"), "{note}");
        assert_eq!(body("application/xml", b"<a/>").note, None);
    }

    #[test]
    fn multipart_in_its_parts() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--B\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n\r\n--B--\r\n";
        let expected = "multipart: #{ note: \"hello\", f: http::file(\"a,b\\n\", \"a.csv\", \"text/csv\") }";
        check("multipart/form-data; boundary=B", body, expected, None);
        let cut = "multipart/form-data; boundary=B";
        check(cut, b"--B\r\nx", "body: \"--B\\r\\nx\"", Some(cut));
    }

    #[test]
    fn large_bytes_do_not_become_script() {
        let body = body("application/octet-stream", &vec![0xff; 100_000]);
        assert_eq!(body.params[0].1.inline(), "random::string(100000)");
        assert!(body.note.unwrap().contains("100000 bytes"));
    }
}
