//! The header fields of a request.
//!
//! Owns how defaults, the script's own fields, credentials and cookies come together. Leaves what the bytes
//! look like to hyper. Invariant: what the script set wins over everything.

use std::borrow::Cow;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_TYPE, COOKIE, EXPECT, HOST, ORIGIN, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::setup_error::SetupError;
use super::target::Origin;
use crate::credentials::{is_credential, masked};

/// What every request of a run starts from; made once.
pub(super) struct Defaults {
    /// In the order they are sent; `host` is first and empty unless the settings give it.
    fields: HeaderMap,
    /// Whether the settings replace the URL's host.
    host_is_set: bool,
    /// All but the host, as lines; `None` where one of them is for the connection.
    lines: Option<Vec<u8>>,
}

impl Defaults {
    pub(super) fn new(user_agent: &str, own_fields: &[(String, String)]) -> Result<Defaults, SetupError> {
        let mut defaults = HeaderMap::new();
        // First, because servers and people look for it there; each request puts its own host here.
        defaults.insert(HOST, HeaderValue::from_static(""));
        defaults.insert(USER_AGENT, value("user-agent", user_agent)?);
        defaults.insert(ACCEPT, HeaderValue::from_static("*/*"));
        defaults.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br"));
        let mut host_is_set = false;
        let mut own: Vec<HeaderName> = Vec::new();
        for (name, text) in own_fields {
            let field = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| SetupError::HeaderName { name: name.clone() })?;
            if field == CONTENT_LENGTH || field == TRANSFER_ENCODING {
                return Err(SetupError::HeaderOfOneRequest { name: name.clone() });
            }
            let value = value(name, text)?;
            host_is_set |= field == HOST;
            if own.contains(&field) {
                defaults.append(field, value);
            } else {
                own.push(field.clone());
                defaults.insert(field, value);
            }
        }
        let lines = lines_of(&defaults);
        Ok(Defaults { fields: defaults, host_is_set, lines })
    }
}

/// Fields that say more than hyper-less HTTP/1.1 (`plain.rs`) knows of.
pub(super) const FOR_THE_CONNECTION: [HeaderName; 4] = [TRANSFER_ENCODING, CONNECTION, UPGRADE, EXPECT];

/// The lines of all fields but the host.
fn lines_of(fields: &HeaderMap) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != HOST) {
        if FOR_THE_CONNECTION.contains(name) {
            return None;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    Some(lines)
}

fn value(name: &str, text: &str) -> Result<HeaderValue, SetupError> {
    HeaderValue::from_str(text).map_err(|_| SetupError::HeaderValue { name: name.to_owned() })
}

/// What one hop of a request adds to the defaults.
pub(super) struct Fields<'a> {
    /// The script's own.
    pub(super) own: &'a HeaderMap,
    pub(super) origin: &'a Origin,
    pub(super) method: &'a Method,
    pub(super) has_body: bool,
    /// A redirect led to another origin: what belongs to the first one must not go there.
    pub(super) without_credentials: bool,
    pub(super) cookies: Option<HeaderValue>,
    /// For a proxy that reads the request itself.
    pub(super) proxy_authorization: Option<&'a HeaderValue>,
}

/// A header that adds nothing to the defaults but its host: the lines that follow that one.
pub(super) struct Prepared<'a> {
    pub(super) host: &'a HeaderValue,
    pub(super) lines: &'a [u8],
    /// `content-length: 0` follows.
    pub(super) says_no_body: bool,
}

impl<'a> Fields<'a> {
    /// The header as it was prepared for the run, if it is that one.
    pub(super) fn prepared(&self, defaults: &'a Defaults) -> Option<Prepared<'a>> {
        let differs = !self.own.is_empty()
            || self.without_credentials
            || self.cookies.is_some()
            || self.proxy_authorization.is_some()
            || self.origin.basic_auth.is_some()
            || defaults.host_is_set;
        let lines = defaults.lines.as_ref().filter(|_| !differs)?;
        Some(Prepared { host: &self.origin.host_header, lines, says_no_body: self.misses_body() })
    }

    /// RFC 9110 section 8.6: where a body is expected, its absence is said. Hyper says nothing by itself.
    fn misses_body(&self) -> bool {
        !self.has_body && matches!(*self.method, Method::POST | Method::PUT | Method::PATCH)
    }

    /// The complete header of the request.
    pub(super) fn assemble(self, defaults: &Defaults) -> HeaderMap {
        // Cheaper than filling a new map of the right size, although it grows when the response has more fields.
        let mut map = defaults.fields.clone();
        let misses_body = self.misses_body();
        if !defaults.host_is_set
            && let Some(host) = map.get_mut(HOST)
        {
            *host = self.origin.host_header.clone();
        }
        if !self.own.is_empty() {
            overlay(&mut map, self.own);
        }
        if self.without_credentials {
            drop_origin_fields(&mut map);
            map.insert(HOST, self.origin.host_header.clone());
        }
        if let Some(credentials) = &self.origin.basic_auth
            && !map.contains_key(AUTHORIZATION)
        {
            map.insert(AUTHORIZATION, credentials.clone());
        }
        if let Some(cookies) = self.cookies
            && !map.contains_key(COOKIE)
        {
            map.insert(COOKIE, cookies);
        }
        if let Some(credentials) = self.proxy_authorization {
            map.insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        if misses_body && !map.contains_key(TRANSFER_ENCODING) {
            map.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        map
    }
}

/// Removes what was meant for one origin alone: credentials under any name and in any value (`referer` with a password or
/// a token), and what names the origin.
fn drop_origin_fields(map: &mut HeaderMap) {
    let belongs = |(name, value): &(&HeaderName, &HeaderValue)| {
        **name == ORIGIN || is_credential(name.as_str()) || holds_credential(value)
    };
    let names: Vec<HeaderName> = map.iter().filter(belongs).map(|(name, _)| name.clone()).collect();
    for name in names {
        map.remove(name);
    }
}

fn holds_credential(value: &HeaderValue) -> bool {
    matches!(masked(&field_text(value.as_bytes())), Cow::Owned(_))
}

/// The value of a header field as text: UTF-8, or else Latin-1, which every sequence of bytes is.
pub(crate) fn field_text(value: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(value).map_or_else(|_| latin1(value), Cow::Borrowed)
}

/// Bytes as characters of the same numbers. [`octets`] gets them back.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// The bytes of a text made by [`latin1`].
pub(super) fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect()
}

/// Puts `own` over `map`: a name given once or more replaces all of that name below it.
fn overlay(map: &mut HeaderMap, own: &HeaderMap) {
    let mut previous: Option<&HeaderName> = None;
    // A map yields the values of one name one after another.
    for (name, value) in own {
        if previous == Some(name) {
            map.append(name, value.clone());
        } else {
            map.insert(name, value.clone());
            previous = Some(name);
        }
    }
}

/// Removes what describes a body that a redirect has dropped.
pub(super) fn drop_body_fields(map: &mut HeaderMap) {
    for name in [
        CONTENT_TYPE,
        CONTENT_LENGTH,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LOCATION,
        TRANSFER_ENCODING,
    ] {
        map.remove(name);
    }
}
