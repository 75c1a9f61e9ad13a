//! The demo application's pages for people and files: a login form with a token, and an upload.
//!
//! Owns the form's fields and the counting of an upload's parts. Leaves latency and the other routes to `routes`.
//! Invariant: the token is one that this process gave out, so a login that skipped the form is refused.

use super::routes::{Refusal, fingerprint};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

/// What tokens are made of, besides the visitor's number.
const SALT: &str = "csrf";

/// The form, with a token and a cookie that belong together.
pub(super) fn login_form(visitor: u64) -> Response {
    let token = token(visitor);
    let page = format!(
        "<!doctype html>\n<title>Log in</title>\n<form id=\"login\" action=\"/login/form\" method=\"post\">\n  \
         <input type=\"hidden\" name=\"csrf\" value=\"{token}\">\n  <input name=\"user\" autofocus>\n  \
         <button>Log in</button>\n</form>\n"
    );
    ([(SET_COOKIE, format!("visitor={visitor}; Path=/; HttpOnly"))], Html(page)).into_response()
}

/// Lets those in who send the form with its token and the cookie that came with it.
pub(super) fn log_in(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    let body = body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
    let text = String::from_utf8_lossy(&body);
    let field = |name: &str| {
        text.split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    };
    let visitor = cookie(headers, "visitor").and_then(|number| number.parse().ok());
    let (Some(visitor), Some(csrf)) = (visitor, field("csrf")) else {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "expected the form's `csrf` and the cookie `visitor`",
        ));
    };
    if csrf != token(visitor) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the token does not match this visitor's form"));
    }
    match field("user") {
        Some(user) if !user.is_empty() => {
            let page = "<!doctype html>\n<title>Welcome</title>\n<h1>Welcome</h1>\n";
            let session = format!("session={:016x}; Path=/; HttpOnly", fingerprint(user));
            Ok(([(SET_COOKIE, session)], Html(page)).into_response())
        }
        _ => Err(Refusal::bad_request("expected a user name in `user`")),
    }
}

/// Counts the parts of an upload and their bytes.
pub(super) fn upload(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let body = body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = content_type
        .strip_prefix("multipart/form-data;")
        .and_then(|rest| rest.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'))
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| Refusal::bad_request("expected a body of multipart/form-data with a boundary"))?;
    let parts = parts(&body, boundary)
        .ok_or_else(|| Refusal::bad_request("the body does not end with its boundary"))?;
    let list: Vec<Value> = parts.iter().map(|(name, size)| json!({ "name": name, "bytes": size })).collect();
    let bytes: usize = parts.iter().map(|(_, size)| size).sum();
    Ok(Json(json!({ "parts": list, "bytes": bytes })))
}

/// Name and length of each part; `None` when the last boundary is missing.
fn parts(body: &[u8], boundary: &str) -> Option<Vec<(String, usize)>> {
    let delimiter = format!("\r\n--{boundary}");
    // As if a line ended before the first boundary, so that all of them look alike.
    let whole = [b"\r\n", body].concat();
    let mut rest = &whole[find(&whole, delimiter.as_bytes())? + delimiter.len()..];
    let mut found = Vec::new();
    while !rest.starts_with(b"--") {
        let end = find(rest, delimiter.as_bytes())?;
        let part = &rest[..end];
        let head_end = find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..head_end]);
        let name = head.split("; name=\"").nth(1).and_then(|text| text.split('"').next()).unwrap_or_default();
        found.push((name.to_owned(), end - head_end - 4));
        rest = &rest[end + delimiter.len()..];
    }
    Some(found)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(axum::http::header::COOKIE)?.to_str().ok()?;
    text.split(';')
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, v)| v)
}

fn token(visitor: u64) -> String {
    format!("{:016x}", fingerprint(&format!("{SALT}-{visitor}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--B\r\n\
            Content-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\r\n--B--\r\n";
        assert_eq!(parts(body, "B"), Some(vec![("a".to_owned(), 3), ("f".to_owned(), 0)]));
        assert_eq!(parts(b"--B--\r\n", "B"), Some(vec![]));
        for broken in [&b""[..], b"--B\r\n", b"--B\r\nno head\r\n--B--", b"--C\r\n\r\n\r\n--C--"] {
            assert_eq!(parts(broken, "B"), None, "{}", String::from_utf8_lossy(broken));
        }
    }
}
