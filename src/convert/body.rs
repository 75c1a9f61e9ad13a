//! The body of a request: from the bytes that were sent to the parameter that sends them again.
//!
//! Owns what is recognised: JSON, forms, multipart, text. Invariant: what cannot be said as a map without changing it
//! is sent as it was; where the map is sent in other bytes that mean the same, a note says so.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::literal::{Value, has_long_number, text_literal};
use super::request::{MARK, encoded, fields, pairs};
use crate::credentials::masked;

/// Bytes that are no text may stand in a script up to this many.
const MOST_BYTES: usize = 64 * 1024;

/// Longest random text that a script can ask for.
const MOST_RANDOM: usize = 1_000_000;

/// A body as parameters of a request.
pub(super) struct Body {
    /// `json`, `form`, `multipart` or `body`, and its value.
    pub(super) params: Vec<(&'static str, Value)>,
    /// The content type, where the parameter does not set it.
    pub(super) content_type: Option<String>,
    /// What a person has to know about it.
    pub(super) note: Option<String>,
}

/// Bytes that are too many, or no text, for the script: files beside it.
#[derive(Default)]
pub(super) struct Uploads {
    /// The folder of the files, from that of the script; without one there are none.
    folder: Option<String>,
    pub(super) files: Vec<SideFile>,
}

/// A file beside the script.
#[derive(Debug, PartialEq)]
pub(crate) struct SideFile {
    /// From the script's folder.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// Fewer bytes are written into the script.
const LEAST_FILE: usize = 256;

/// A file that a script reads as bytes is no larger.
const MOST_FILE: usize = 16 * 1024 * 1024;

impl Uploads {
    pub(super) fn new(folder: Option<String>) -> Uploads {
        Uploads { folder, files: Vec::new() }
    }

    /// The constant that holds these bytes, if they become a file.
    fn constant(&mut self, content: &[u8], name: &str) -> Option<Value> {
        let folder = self.folder.as_ref()?;
        if !(LEAST_FILE..=MOST_FILE).contains(&content.len()) {
            return None;
        }
        let known = self.files.iter().position(|file| file.content == content);
        let at = known.unwrap_or_else(|| {
            let safe: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' })
                .collect();
            let safe: String = safe.trim_matches('.').chars().take(60).collect();
            let safe = if safe.is_empty() { "body.bin" } else { &safe };
            let path = format!("{folder}/{}-{safe}", self.files.len() + 1);
            self.files.push(SideFile { path, content: content.to_vec() });
            self.files.len() - 1
        });
        Some(Value::Code(format!("UPLOAD_{}", at + 1)))
    }

    /// The declarations of the constants.
    pub(super) fn constants(&self) -> String {
        let line = |(at, file): (usize, &SideFile)| {
            format!("const UPLOAD_{} = data::bytes({});\n", at + 1, text_literal(&file.path))
        };
        self.files.iter().enumerate().map(line).collect()
    }
}

/// The body that was sent with this content type.
pub(super) fn body(content_type: &str, bytes: &[u8], uploads: &mut Uploads) -> Body {
    let (kind, keep) = (essence(content_type), Some(content_type.to_owned()).filter(|text| !text.is_empty()));
    let Ok(text) = std::str::from_utf8(bytes) else { return binary(content_type, bytes, keep, uploads) };
    if is_json(&kind)
        && let Some(value) = json(text)
    {
        return Body {
            params: vec![("json", value)],
            content_type: keep.filter(|text| text != "application/json"),
            note: json_note(text),
        };
    }
    if kind == "application/x-www-form-urlencoded"
        && let Some(pairs) = pairs(text)
    {
        let note = (encoded(&pairs) != text).then(|| FORM_NOTE.to_owned());
        let content_type = keep.filter(|text| *text != kind);
        return Body { params: vec![("form", fields(pairs))], content_type, note };
    }
    if let Some(parts) = multipart(content_type, bytes, uploads) {
        return parts;
    }
    Body { params: vec![("body", Value::text(text))], content_type: keep, note: revealing(text) }
}

const FORM_NOTE: &str =
    "forms are sent percent-encoded as browsers do it: the same names and values, not always the same bytes";

const JSON_NOTE: &str =
    "JSON is sent without blanks, its fields in alphabetical order: the same values, other bytes";

/// What is to be known about JSON that is sent as a map.
fn json_note(text: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut sent = String::new();
    write_sorted(&json, &mut sent);
    (sent != text).then(|| JSON_NOTE.to_owned())
}

/// JSON as it comes out of a map of the script.
fn write_sorted(json: &serde_json::Value, out: &mut String) {
    let between = |at: usize| if at > 0 { "," } else { "" };
    match json {
        serde_json::Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(between(at));
                write_sorted(value, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (at, name) in names.into_iter().enumerate() {
                out.push_str(&format!("{}{}:", between(at), serde_json::Value::from(name.as_str())));
                write_sorted(&fields[name], out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// Whether something in JSON would be lost in a map: a name that comes twice, or that a reader wants to see first, such
/// as the type of what follows (`$type`, `@type`, `__type`), or that is not known.
fn needs_its_order(text: &str, json: &serde_json::Value) -> bool {
    fn count(json: &serde_json::Value) -> (usize, bool) {
        let of_all = |values: &mut dyn Iterator<Item = &serde_json::Value>| {
            values.map(count).fold((0, false), |(n, first), (m, other)| (n + m, first || other))
        };
        match json {
            serde_json::Value::Array(values) => of_all(&mut values.iter()),
            serde_json::Value::Object(fields) => {
                let (below, marked) = of_all(&mut fields.values());
                let moved = fields.keys().next().is_some_and(|first| {
                    !first.starts_with(char::is_alphanumeric) && fields.keys().any(|name| name < first)
                });
                let unknown = fields.keys().any(|name| name.contains(MARK));
                (below + fields.len(), marked || moved || unknown)
            }
            _ => (0, false),
        }
    }
    let (fields, moved) = count(json);
    moved || colons(text) != fields
}

/// Colons outside of texts: one for each field.
fn colons(json: &str) -> usize {
    let (mut in_text, mut escaped, mut colons) = (false, false, 0);
    for byte in json.bytes() {
        match byte {
            _ if in_text => {
                in_text = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
            }
            b'"' => in_text = true,
            b':' => colons += 1,
            _ => {}
        }
    }
    colons
}

/// Text that is no map is kept as it is: a person has to see whether it gives something away.
fn revealing(text: &str) -> Option<String> {
    const NOTE: &str = "a request body in the script contains what looks like a credential: check it";
    matches!(masked(text), Cow::Owned(_)).then(|| NOTE.to_owned())
}

/// JSON as a map, when sending the map gives the same JSON.
pub(super) fn json(text: &str) -> Option<Value> {
    if has_long_number(text) {
        return None;
    }
    let json = serde_json::from_str(text).ok()?;
    if needs_its_order(text, &json) { None } else { Value::from_json(&json) }
}

/// A content type without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a content type stands for JSON.
pub(super) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn binary(content_type: &str, bytes: &[u8], keep: Option<String>, uploads: &mut Uploads) -> Body {
    if let Some(parts) = multipart(content_type, bytes, uploads) {
        return parts;
    }
    let (value, note) = blob(bytes, "body.bin", uploads);
    Body { params: vec![("body", value)], content_type: keep, note }
}

/// Bytes as an expression that gives them, or as random text of their length when they are too many.
pub(super) fn blob(bytes: &[u8], name: &str, uploads: &mut Uploads) -> (Value, Option<String>) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && bytes.len() <= MOST_BYTES
    {
        return (Value::text(text), None);
    }
    if let Some(constant) = uploads.constant(bytes, name) {
        return (constant, None);
    }
    if bytes.len() > MOST_BYTES {
        let (length, sent) = (bytes.len(), bytes.len().min(MOST_RANDOM));
        let note = format!(
            "a body or file of {length} bytes was replaced by {sent} random characters; with -o it becomes a file \
             beside the script"
        );
        return (random(length), Some(note));
    }
    (
        Value::Code(format!("encoding::base64_decode({}, \"blob\")", text_literal(&STANDARD.encode(bytes)))),
        None,
    )
}

/// Text that stands for so many bytes that are not known.
pub(super) fn random(length: usize) -> Value {
    Value::Code(format!("random::string({})", length.min(MOST_RANDOM)))
}

/// `multipart/form-data`, when it is whole.
fn multipart(content_type: &str, bytes: &[u8], uploads: &mut Uploads) -> Option<Body> {
    if essence(content_type) != "multipart/form-data" {
        return None;
    }
    let boundary =
        content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    let mut fields = Vec::new();
    let mut note = None;
    for part in parts(bytes, boundary)? {
        let (value, about) = match part.file_name {
            Some(file_name) => file(part.content, &file_name, part.content_type.as_deref(), uploads),
            None => (Value::text(std::str::from_utf8(part.content).ok()?), None),
        };
        note = note.or(about);
        fields.push((part.name, value));
    }
    Some(Body { params: vec![("multipart", Value::Fields(fields))], content_type: None, note })
}

/// A file that is uploaded.
pub(super) fn file(
    content: &[u8],
    name: &str,
    content_type: Option<&str>,
    uploads: &mut Uploads,
) -> (Value, Option<String>) {
    let (content, note) = blob(content, name, uploads);
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
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let content = &rest[head_end + 4..end];
        let (mut disposition, mut content_type) = (None, None);
        for line in head.lines().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            match name.trim().to_ascii_lowercase().as_str() {
                "content-disposition" => disposition = Some(value.trim()),
                "content-type" => content_type = Some(value.trim().to_owned()),
                // What the client would not send.
                _ => return None,
            }
        }
        let (name, file_name) = named(disposition?)?;
        if file_name.is_some() != content_type.is_some() {
            return None;
        }
        parts.push(Part { name, file_name, content_type, content });
        rest = &rest[end + next.len()..];
    }
    Some(parts)
}

/// The names of `form-data; name="…"; filename="…"`; `None` when it says anything else.
fn named(disposition: &str) -> Option<(String, Option<String>)> {
    let mut rest = disposition.strip_prefix("form-data")?;
    let (mut name, mut file_name) = (None, None);
    while !rest.is_empty() {
        let (key, after) = rest.trim_start().strip_prefix(';')?.trim_start().split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        let value = Some(value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
        match key {
            "name" => name = value,
            "filename" => file_name = value,
            _ => return None,
        }
        rest = after;
    }
    Some((name?, file_name))
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

/// The type that a file of this name is sent with, as curl and Postman have it.
pub(super) fn type_of(file: &str) -> &'static str {
    let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "htm" | "html" => "text/html",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, bytes: &[u8], expected: &str, kept: Option<&str>) {
        let body = body(content_type, bytes, &mut Uploads::default());
        let shown: Vec<String> =
            body.params.iter().map(|(name, value)| format!("{name}: {}", value.inline())).collect();
        assert_eq!(shown.join(", "), expected);
        assert_eq!(body.content_type.as_deref(), kept);
    }

    #[test]
    fn bodies_are_recognised() {
        let kept = Some("application/json; charset=utf-8");
        check("application/json; charset=utf-8", br#"{"a":[1]}"#, "json: #{ a: [1] }", kept);
        check("application/json", br#"{"a":[1]}"#, "json: #{ a: [1] }", None);
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
    fn json_whose_order_matters_stays_text() {
        for text in [
            r#"{"__type":"Cat","Name":"Tom"}"#,
            r#"[{"$type":"a","!":1}]"#,
            r#"{"a":1,"a":2}"#,
            r#"{"n":0.12345678901234567}"#,
        ] {
            assert_eq!(
                body("application/json", text.as_bytes(), &mut Uploads::default()).params,
                [("body", Value::text(text))]
            );
        }
        for (text, noted) in [
            (r#"{"a":1,"b":{"c":"\"x:y"}}"#, false),
            (r#"{"$type":"a","b":1}"#, false),
            (r#"{"b":1,"a":2}"#, true),
            (r#"{"a": 1}"#, true),
            (r#"{"a":1.50}"#, true),
        ] {
            let body = body("application/json", text.as_bytes(), &mut Uploads::default());
            assert_eq!((body.params[0].0, body.note.is_some()), ("json", noted), "{text}");
        }
    }

    #[test]
    fn text_that_may_hold_a_secret_is_noted() {
        let note =
            body("application/xml", b"<Password>hunter2</Password>", &mut Uploads::default()).note.unwrap();
        assert!(note.contains("credential"), "{note}");
        assert_eq!(body("application/xml", b"<a/>", &mut Uploads::default()).note, None);
    }

    #[test]
    fn multipart_in_its_parts() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--B\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n\r\n--B--\r\n";
        let expected =
            "multipart: [[\"note\", \"hello\"], [\"f\", http::file(\"a,b\\n\", \"a.csv\", \"text/csv\")]]";
        check("multipart/form-data; boundary=B", body, expected, None);
        // What has more in it than the client would send goes as it was.
        for head in
            ["name=\"a\"\r\nContent-Type: a/b", "name=\"a\"; filename*=utf-8''x", "name=\"a\"\r\nX-A: b"]
        {
            let text = format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\nx\r\n--B--\r\n");
            let made =
                super::body("multipart/form-data; boundary=B", text.as_bytes(), &mut Uploads::default());
            assert_eq!(made.params, [("body", Value::text(text))]);
        }
        let names = named("form-data; name=\"a;b\"; filename=\"c%22.txt\"").unwrap();
        assert_eq!(names, ("a;b".to_owned(), Some("c\".txt".to_owned())));
        let cut = "multipart/form-data; boundary=B";
        check(cut, b"--B\r\nx", "body: \"--B\\r\\nx\"", Some(cut));
    }

    #[test]
    fn large_bytes_do_not_become_script() {
        let large = vec![0xff; 100_000];
        let body = |uploads: &mut Uploads| body("application/octet-stream", &large, uploads);
        let replaced = body(&mut Uploads::default());
        assert_eq!(replaced.params[0].1.inline(), "random::string(100000)");
        assert!(replaced.note.unwrap().contains("100000 bytes"));
        let mut uploads = Uploads::new(Some("x-files".to_owned()));
        for _ in 0..2 {
            let kept = body(&mut uploads);
            assert_eq!((kept.params[0].1.inline().as_str(), kept.note), ("UPLOAD_1", None));
        }
        let name = uploads.constant(&[0xfe; 300], "../../a b.png").unwrap();
        assert_eq!(name.inline(), "UPLOAD_2");
        assert_eq!(
            uploads.constants(),
            "const UPLOAD_1 = data::bytes(\"x-files/1-body.bin\");\n\
             const UPLOAD_2 = data::bytes(\"x-files/2-_.._a_b.png\");\n"
        );
    }
}
