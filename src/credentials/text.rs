//! Where credentials stand in a text, by the names before them and by their shape. Pure.
//!
//! One pass over the text. From each place it looks back over a name of [`LONGEST_NAME`] at most, and forward over what
//! it then skips or over [`NEARBY`], so the time grows with the text only.

use std::ops::Range;

use super::names::is_credential;
use super::{MASK, begin};

/// Longest name that is looked at, in bytes.
const LONGEST_NAME: usize = 64;

/// How far behind `name="password"` its value may begin, in bytes.
const NEARBY: usize = 256;

/// Longest host with its port, in bytes.
const LONGEST_HOST: usize = 260;

/// What stands before a credential and is worth seeing.
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];

/// Where a value without quotes ends: in a query or a form, in JSON, and anywhere else.
const QUERY_ENDS: &[char] = &['&', ' ', '\t', '\n', '\r', '"', '<', '>', '#', '\\', '`'];
const JSON_ENDS: &[char] = &[',', '}', ']', ' ', '\t', '\n', '\r', '"', '\\'];
const PLAIN_ENDS: &[char] =
    &['&', ' ', '\t', '\n', '\r', '"', '\'', '`', ';', ',', '<', '>', ')', '}', ']', '\\', '|'];

/// The credentials in the text, in order, without those that are masked already. What follows it is not known when it
/// was cut.
pub(super) fn spans(text: &str, is_cut: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let span = match byte {
            b':' if rest.starts_with(b"://") => user_of_url(text, at + 3, is_cut),
            b':' | b'=' => named(text, at, 1),
            b'%' if rest.starts_with(b"%3D") || rest.starts_with(b"%3d") => named(text, at, 3),
            b'%' if rest.len() > 9 && rest[..9].eq_ignore_ascii_case(b"%3A%2F%2F") => {
                user_of_escaped_url(text, at + 9)
            }
            b'>' => element(text, at, is_cut),
            b' ' => after_scheme(text, at),
            b'e' if rest.starts_with(b"eyJ") => jwt(text, at),
            _ => None,
        };
        at += 1;
        if let Some(span) = span {
            at = at.max(span.end);
            if !span.is_empty() && &text[span.clone()] != MASK {
                found.push(span);
            }
        }
    }
    found
}

/// `user:password` in `http://user:password@host`.
fn user_of_url(text: &str, start: usize, is_cut: bool) -> Option<Range<usize>> {
    let rest = &text[start..];
    let end = rest.find(['/', '?', '#', ' ', '"', '\'', '<', '>', '\\', '\n']);
    match (rest[..end.unwrap_or(rest.len())].rfind('@'), end) {
        (Some(at), _) => Some(start..start + at),
        // A host is not that long: the @ was cut off.
        (None, None) if is_cut && rest.len() > LONGEST_HOST => Some(start..text.len()),
        _ => None,
    }
}

/// The same in `http%3A%2F%2Fuser%3Apassword%40host`.
fn user_of_escaped_url(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    let ends = |(at, c): (usize, char)| {
        let is_path = rest[at..]
            .get(..3)
            .is_some_and(|sign| ["%2f", "%3f", "%23", "%20"].contains(&sign.to_ascii_lowercase().as_str()));
        matches!(c, '/' | '?' | '#' | ' ' | '&' | '"' | '\'' | '<' | '>' | '\\' | '\n') || is_path
    };
    let end = rest.char_indices().find(|place| ends(*place)).map_or(rest.len(), |(at, _)| at);
    rest[..end].rfind("%40").map(|at| start..start + at)
}

/// The token after `Bearer` or `Basic`; words of a sentence are none.
fn after_scheme(text: &str, space: usize) -> Option<Range<usize>> {
    let before = &text.as_bytes()[..space];
    let is_scheme = |scheme: &[u8]| {
        let start = before.len().checked_sub(scheme.len())?;
        let is_word = !start.checked_sub(1).is_some_and(|at| before[at].is_ascii_alphanumeric());
        (is_word && before[start..].eq_ignore_ascii_case(scheme)).then_some(())
    };
    is_scheme(b"bearer").or_else(|| is_scheme(b"basic"))?;
    let start = space + 1;
    let value = &text[start..];
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=%".contains(c);
    let end = value.find(|c| !is_token(c)).unwrap_or(value.len());
    let is_prose = value[..end].trim_end_matches('.').bytes().skip(1).all(|byte| byte.is_ascii_lowercase());
    (end > 0 && (!is_prose || end >= 20)).then_some(start..start + end)
}

/// A JSON web token: `eyJ…` with dots between its parts.
fn jwt(text: &str, start: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let bytes = text.as_bytes();
    if start
        .checked_sub(1)
        .is_some_and(|before| is_part(bytes[before]) && bytes[before] != b'=' || bytes[before] == b'.')
    {
        return None;
    }
    let length = bytes[start..].iter().take_while(|byte| is_part(**byte) || **byte == b'.').count();
    let token = &text[start..start + length];
    let (head, rest) = token.split_once('.')?;
    (head.len() >= 10 && rest.len() >= 4).then_some(start..start + length)
}

/// What stands in `<password>…</password>`.
fn element(text: &str, close: usize, is_cut: bool) -> Option<Range<usize>> {
    let name = Name::before(text, close);
    let before = name.start.checked_sub(1).map(|before| text.as_bytes()[before]);
    if !matches!(before, Some(b'<' | b':')) || !is_credential(name.text) {
        return None;
    }
    let start = close + 1;
    match text[start..].find('<') {
        Some(length) => text[start + length..].starts_with("</").then_some(start..start + length),
        None => is_cut.then_some(start..text.len()),
    }
}

/// The value after `name:`, `name=`, `"name":` or `name%3D`, and the one that `name="password"` tells of.
fn named(text: &str, sign: usize, width: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_colon = bytes[sign] == b':';
    let before = |at: usize| at.checked_sub(1).map(|at| bytes[at]);
    if is_colon && (before(sign) == Some(b':') || bytes.get(sign + 1) == Some(&b':')) {
        return None;
    }
    let name = Name::before(text, sign);
    let first = before(name.start);
    let is_header = is_colon && !name.is_quoted;
    // A path, a part of a URL, a function, or what an error is about.
    let ahead = &text[..name.start];
    if is_header && (ahead.ends_with(['/', '@']) || ahead.ends_with("::") || name.text == "auth") {
        return None;
    }
    let is_plural = name.is_quoted && name.text.strip_suffix(['s', 'S']).is_some_and(is_credential);
    let is_name = name.text.eq_ignore_ascii_case("name");
    if !is_name && !is_plural && !is_credential(name.text) {
        return None;
    }
    let value = text[sign + width..].trim_start_matches(|c| match c {
        ' ' | '\t' => true,
        '\r' | '\n' => name.is_quoted,
        '=' | '>' => !is_colon,
        _ => false,
    });
    let start = text.len() - value.len();
    if is_name {
        return partner(text, start);
    }
    // Of several there is a list; a number of them is none.
    if is_plural && !is_credential(name.text) && !value.starts_with(['"', '[', '\\']) {
        return None;
    }
    if let Some(content) = quoted(text, start) {
        return Some(without_scheme(text, content));
    }
    if name.is_quoted && value.starts_with(['{', '[']) {
        return Some(start..container(text, start));
    }
    if is_header && is_line(name.text) {
        return Some(without_scheme(text, start..line_end(text, start, first)));
    }
    let is_tight = name.start + name.text.len() == sign && start == sign + width;
    let in_query = !is_colon && is_tight && matches!(first, None | Some(b'?' | b'&'));
    let ends = match (name.is_quoted, in_query) {
        (true, _) => JSON_ENDS,
        (_, true) => QUERY_ENDS,
        _ => PLAIN_ENDS,
    };
    let mut value = start..plain_end(text, start, ends, width == 3);
    if SCHEMES.iter().any(|scheme| text[value.clone()].eq_ignore_ascii_case(scheme))
        && text[value.end..].starts_with(' ')
    {
        value = value.end + 1..plain_end(text, value.end + 1, ends, false);
    }
    let shown = &text[value.clone()];
    let is_statement = !is_tight && text[value.end..].starts_with(';');
    let is_code = !in_query && (shown.contains('(') || shown.starts_with("this.") || is_statement);
    let is_none =
        matches!(shown, "null" | "true" | "false" | "None" | "True" | "False" | "undefined" | "nil");
    (!is_code && !is_none).then_some(value)
}

/// A name before a sign.
struct Name<'a> {
    text: &'a str,
    start: usize,
    /// In quotes, as a key of JSON is.
    is_quoted: bool,
}

impl Name<'_> {
    fn before(text: &str, sign: usize) -> Name<'_> {
        let before = text[..sign].trim_end_matches(' ');
        let before = before
            .strip_suffix("\"]")
            .or_else(|| before.strip_suffix("']"))
            .map_or(before, |key| &text[..key.len() + 1]);
        let name = before.trim_end_matches(['"', '\'']);
        let is_quoted = name.len() < before.len();
        let name = if is_quoted { name.trim_end_matches('\\') } else { name };
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%$".contains(byte);
        let length = name.bytes().rev().take(LONGEST_NAME).take_while(is_part).count();
        let start = name.len() - length;
        // An escaped query in a query.
        let signs = ["%26", "%3D", "%3d", "%3F", "%3f"];
        let start =
            start + signs.iter().filter_map(|sign| name[start..].rfind(sign)).max().map_or(0, |at| at + 3);
        Name { text: &name[start..], start, is_quoted }
    }
}

/// Whether the value of a header of this name may have spaces in it.
fn is_line(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.contains('_') && (name.contains('-') || name == "authorization" || name == "cookie")
}

/// Where the line of a header ends: at its end, written out or escaped, or where the text that it is quoted in does.
fn line_end(text: &str, start: usize, before: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    let quote = before.filter(|before| matches!(before, b'"' | b'\'' | b'`'));
    let ends = |at: &usize| match bytes[*at] {
        b'\n' | b'\r' => true,
        b'\\' => matches!(bytes.get(at + 1), Some(b'n' | b'r')),
        b'"' => {
            matches!(bytes.get(at + 1), None | Some(b',' | b'}' | b']' | b')' | b'\n')) || quote == Some(b'"')
        }
        other => Some(other) == quote,
    };
    (start..bytes.len()).find(ends).unwrap_or(bytes.len())
}

fn plain_end(text: &str, start: usize, ends: &[char], is_escaped: bool) -> usize {
    let value = &text[start..];
    let end = value.find(ends).unwrap_or(value.len());
    let end = if is_escaped { value[..end].find("%26").unwrap_or(end) } else { end };
    start + end
}

/// The content of the quoted text that begins here, at whatever depth of texts in texts; all the rest when it has no end.
fn quoted(text: &str, start: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let depth = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = *bytes.get(start + depth).filter(|quote| b"\"'`".contains(quote))?;
    let content = start + depth + 1;
    let mut backslashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(content) {
        // At depth 0, 1, 3, … a quote with as many backslashes ends the text, and so does one of a text around it.
        if *byte == quote && (backslashes < depth || (backslashes - depth) / (depth + 1) % 2 == 0) {
            return Some(content..at - backslashes.min(depth));
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
    }
    Some(content..bytes.len())
}

/// Where the object or array that begins here ends.
fn container(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let backslashes =
                    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').take(16).count();
                at = quoted(text, at - backslashes).map_or(bytes.len(), |content| content.end);
                at += bytes[at.min(bytes.len())..].iter().take_while(|byte| **byte == b'\\').count();
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at.min(bytes.len());
        }
    }
    bytes.len()
}

/// The value of the field whose name stands here: a part of a multipart body, an input of a form, a pair of JSON.
fn partner(text: &str, start: usize) -> Option<Range<usize>> {
    let near = begin(text, start + NEARBY);
    let name = quoted(near, start).unwrap_or(start..plain_end(near, start, PLAIN_ENDS, false));
    if name.len() > LONGEST_NAME || !is_credential(&text[name.clone()]) {
        return None;
    }
    let window = &near[name.end..];
    let window = &window[..window.find(['>', '{', '}']).unwrap_or(window.len())];
    for blank in ["\r\n\r\n", "\n\n", "\\r\\n\\r\\n", "\\n\\n"] {
        if let Some(at) = window.find(blank) {
            let content = name.end + at + blank.len();
            let rest = &text[content..];
            let end = rest.find(&blank[..blank.len() / 2]).unwrap_or(rest.len());
            return Some(content..content + end);
        }
    }
    let value = ["value", "content"].iter().find_map(|key| Some(window.find(key)? + key.len()))?;
    let rest = text[name.end + value..].trim_start_matches(['"', '\\', ' ']).strip_prefix(['=', ':'])?;
    let start = text.len() - rest.trim_start_matches(' ').len();
    Some(quoted(text, start).unwrap_or(start..plain_end(text, start, PLAIN_ENDS, false)))
}

/// The credential in a value: what follows `Bearer` and the like, else all of it.
pub(super) fn without_scheme(text: &str, value: Range<usize>) -> Range<usize> {
    match text[value.clone()].split_once(' ') {
        Some((scheme, _)) if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            value.start + scheme.len() + 1..value.end
        }
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use crate::credentials::masked;

    #[test]
    fn credentials_are_masked_and_the_rest_stays() {
        for (text, expected) in [
            // Queries and forms.
            ("GET /a?token=abc&x=1", "GET /a?token=***&x=1"),
            ("/a?access_token=abc#top", "/a?access_token=***#top"),
            ("api_key=1 api_key=2", "api_key=*** api_key=***"),
            ("client_secret=it's(so)&b=1", "client_secret=***&b=1"),
            ("user=u&user%5Bpassword%5D=p;w&n=1", "user=u&user%5Bpassword%5D=***&n=1"),
            ("/login?next=%2Fcb%3Ftoken%3Dabc%26x%3D1", "/login?next=%2Fcb%3Ftoken%3D***%26x%3D1"),
            ("ünïcödé TOKEN=ß&ü", "ünïcödé TOKEN=***&ü"),
            ("a=b; token=c, d", "a=b; token=***, d"),
            ("password=\"a b\" 'pwd' = 'c d'", "password=\"***\" 'pwd' = '***'"),
            ("headers[\"x-api-key\"] = \"abc\"", "headers[\"x-api-key\"] = \"***\""),
            // URLs.
            ("to http://ann:secret@shop/x", "to http://***@shop/x"),
            ("https://t0ken@host and ws://a:b@c", "https://***@host and ws://***@c"),
            ("/x?u=http%3A%2F%2Fann%3Ap%40h%2Fa&b=x%40y", "/x?u=http%3A%2F%2F***%40h%2Fa&b=x%40y"),
            ("/x?u=http%3a%2f%2fh%2fx%40y", "/x?u=http%3a%2f%2fh%2fx%40y"),
            // Headers.
            ("sent Authorization: Bearer abc.def\nand more", "sent Authorization: Bearer ***\nand more"),
            ("cookie: a=\"b\"; token=c\nx: y", "cookie: ***\nx: y"),
            ("Set-Cookie: a=b; Path=/", "Set-Cookie: ***"),
            ("x-csrf-token: a b", "x-csrf-token: ***"),
            ("-H 'x-auth-token: abc' -d x", "-H 'x-auth-token: ***' -d x"),
            (r#"{"log":"> cookie: a=b\n> x: y","n":1}"#, r#"{"log":"> cookie: ***\n> x: y","n":1}"#),
            (r#"{"log":"cookie: a=b","n":1}"#, r#"{"log":"cookie: ***","n":1}"#),
            ("Bearer abc123 and Basic dXNlcjpwdw==", "Bearer *** and Basic ***"),
            ("authorization=Bearer abc x", "authorization=Bearer *** x"),
            // JSON.
            (r#"{"password": "p&w,d", "user": "u"}"#, r#"{"password": "***", "user": "u"}"#),
            (r#"{"a":[{"refreshToken":"r\"s","n":1}]}"#, r#"{"a":[{"refreshToken":"***","n":1}]}"#),
            (r#"{"pin":1234,"otp": 99}"#, r#"{"pin":***,"otp": ***}"#),
            (r#"{"authorization":"Bearer abc"}"#, r#"{"authorization":"Bearer ***"}"#),
            (r#"{"credentials":{"u":"a}","p":[1]},"n":1}"#, r#"{"credentials":***,"n":1}"#),
            (r#"{"tokens":["a","b"],"n":1}"#, r#"{"tokens":***,"n":1}"#),
            ("{\"secret\":\n  \"s\"}", "{\"secret\":\n  \"***\"}"),
            ("{'password': 'p'}", "{'password': '***'}"),
            (
                r#"{"b":"{\"password\":\"p, \\\"q\",\"user\":\"u\"}"}"#,
                r#"{"b":"{\"password\":\"***\",\"user\":\"u\"}"}"#,
            ),
            (r#"{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1"#, r#"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1"#),
            (r#"{"b":"{\"tokens\":[\"a]\"],\"n\":1}"}"#, r#"{"b":"{\"tokens\":***,\"n\":1}"}"#),
            (r#"{"a":"{\"token\": \"cut off"#, r#"{"a":"{\"token\": \"***"#),
            (r#"{"name":"x-api-key","value":"abc"}"#, r#"{"name":"x-api-key","value":"***"}"#),
            // Others.
            ("password: hunter2, user: ann", "password: ***, user: ann"),
            ("see eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-1 there", "see *** there"),
            ("<a:Password>p</a:Password><n>1</n>", "<a:Password>***</a:Password><n>1</n>"),
            (
                "<input name=\"csrf\" type=hidden value=\"abc\"><b>",
                "<input name=\"csrf\" type=hidden value=\"***\"><b>",
            ),
            (
                "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--B\r\n",
                "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n***\r\n--B\r\n",
            ),
        ] {
            assert_eq!(masked(text), expected);
            assert_eq!(masked(expected), expected, "once is enough");
        }
    }

    #[test]
    fn what_is_no_credential_stays() {
        for text in [
            "nothing here",
            "GET /token/refresh 200",
            "POST /v1/token:exchange",
            "monkey=1&keyboard=2&sort_key=3",
            "broken=yes, tokens=3, max_tokens: 17",
            r#"{"tokens": 17, "has_password": true, "token": null, "token_type": "bearer", "expires_in": 1}"#,
            "http::set_cookie: the value holds ';'",
            "secret::get(\"x\")",
            "a token of trust: none; größe=1",
            "token",
            "token=",
            "this.token = http::post(\"/login\").json(\"token\")",
            "#{ bearer: this.token, n: 1 }",
            "    this.token = nosuch;",
            "auth: get_token returned no token",
            "expected <token> but got x",
            "Bearer token is missing, Basic authentication. Basic",
            "http://shop/a@b?x=1",
            "eyJhbGciOi",
            "<input name=\"user\" value=\"ann\">",
            "csrf_errors: count < 1",
            "authors: 3, passenger=1",
            "{}:=%3D\"'\\",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_long_text_takes_no_longer_than_it_is() {
        let check = |text: &str, expected: &str| assert!(masked(text) == expected);
        check(&"token=abc&".repeat(200_000), &"token=***&".repeat(200_000));
        for part in [
            "\\",
            "\"",
            "{\"token\":",
            "{\"token\":{",
            "\"token\":\"",
            "token: ",
            "name=\"token\" ",
            "eyJ",
            "eyJ.",
            "://",
            "bearer ",
            "<token>",
            " ",
            "=",
            "a",
            "cookie:",
            "%3D",
            "token\\",
            "name=\\",
            "'\\'",
        ] {
            let text = part.repeat(30_000);
            assert!(masked(&text).len() <= text.len(), "{part}");
        }
    }
}
