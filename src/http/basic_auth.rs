//! Basic authentication (RFC 7617) as the value of a header.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;

/// The value of an `authorization` header for basic authentication (RFC 7617), marked as sensitive.
pub fn basic_auth_value(user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> HeaderValue {
    let credentials = [user.as_ref(), b":", password.as_ref()].concat();
    let text = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    // Base64 is visible ASCII, so this always is a header value.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic Og=="));
    value.set_sensitive(true);
    value
}
