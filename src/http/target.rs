//! The URL of a request.
//!
//! Owns parsing, joining and everything a request needs from a URL, computed once. Leaves cookies' view of a
//! URL to the `url` crate. Invariant: a [`Destination`] is always absolute, `http` or `https`, has a host, holds no
//! user information and no fragment, and is plain ASCII.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use url::{ParseError, Url, form_urlencoded};

use super::basic_auth::basic_auth_value;

/// An absolute `http`, `https` or `http+unix` URL, parsed once and cheap to clone.
#[derive(Clone)]
pub struct Destination(Rc<Inner>);

struct Inner {
    origin: Rc<Origin>,
    path_and_query: PathAndQuery,
    /// The whole URL; made when first asked for, because the hot path never does.
    text: OnceCell<Box<str>>,
    /// The `url` crate's form, for cookies and for joins that are not plain.
    url: OnceCell<Box<Url>>,
}

/// Scheme, host and port: what a connection is opened to. Shared by all targets that were joined to one another.
pub(super) struct Origin {
    pub(super) is_https: bool,
    /// Lower case; an IPv6 address stands without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// `host[:port]`, without the port when it is the scheme's own.
    pub(super) authority: Authority,
    /// `authority` as the value of the `host` header.
    pub(super) host_header: HeaderValue,
    /// `scheme://authority`.
    prefix: Box<str>,
    /// From `user:password@` in the URL.
    pub(super) basic_auth: Option<HeaderValue>,
    /// The socket in the file system that stands in for host and port (`http+unix`); it is also the host, as the URL has
    /// it.
    pub(super) socket: Option<Rc<Path>>,
}

/// Why a text is not a valid request URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is not supported.
    #[error("'{url}' has the scheme '{scheme}'; only http and https are supported{hint}")]
    Scheme {
        /// The URL as given.
        url: String,
        /// The scheme.
        scheme: String,
        /// A suggestion, or empty.
        hint: String,
    },
    /// A path was given where an absolute URL is needed.
    #[error("'{url}' is not an absolute URL; write http://HOST{url} or set a host")]
    Relative {
        /// The URL as given.
        url: String,
    },
    /// The host is not the path of a socket.
    #[error("'{url}' names no socket; write its path percent-encoded: http+unix://%2Frun%2Fapp.sock/path")]
    Socket {
        /// The URL as given.
        url: String,
    },
    /// It cannot be parsed.
    #[error("'{url}' is not a valid URL: {reason}")]
    Invalid {
        /// The URL as given.
        url: String,
        /// The parser's error.
        reason: String,
    },
}

impl Destination {
    /// Parses an absolute URL.
    ///
    /// `user:password@` becomes basic authentication, a fragment is dropped, and non-ASCII characters are
    /// percent-encoded (IDNA for host names).
    pub fn parse(url: &str) -> Result<Destination, UrlError> {
        let parsed = Url::parse(url).map_err(|error| invalid(url, error))?;
        Destination::from_url(url, parsed, None)
    }

    /// Resolves a reference against this URL, as RFC 3986 section 5 says. A path like `/a?b=c` of plain
    /// characters takes a short way; the result is the same.
    pub fn join(&self, reference: &str) -> Result<Destination, UrlError> {
        if is_plain_path(reference) {
            return self.with_path_and_query(Bytes::copy_from_slice(reference.as_bytes()), reference);
        }
        let joined = self.url().join(reference).map_err(|error| invalid(reference, error))?;
        Destination::from_url(reference, joined, Some(&self.0.origin))
    }

    /// The same URL with these pairs, form-encoded, at the end of its query.
    pub fn with_query(&self, pairs: &[(String, String)]) -> Result<Destination, UrlError> {
        if pairs.is_empty() {
            return Ok(self.clone());
        }
        let current = self.0.path_and_query.as_str();
        let mut text = String::with_capacity(current.len() + 16 * pairs.len());
        text.push_str(current);
        let mut separator = match self.0.path_and_query.query() {
            None => '?',
            Some("") => '\0',
            Some(_) => '&',
        };
        for (name, value) in pairs {
            if separator != '\0' {
                text.push(separator);
            }
            separator = '&';
            text.extend(form_urlencoded::byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        let bytes = Bytes::from(text);
        self.with_path_and_query(bytes, self.as_str())
    }

    /// The full URL, without user information and fragment.
    pub fn as_str(&self) -> &str {
        self.0.text.get_or_init(|| {
            let (prefix, path) = (&self.0.origin.prefix, self.0.path_and_query.as_str());
            [prefix, path].concat().into_boxed_str()
        })
    }

    /// The path without the query: the default name of a series.
    pub fn path(&self) -> &str {
        self.0.path_and_query.path()
    }

    /// Path and query as text: what stands in the request line.
    pub(super) fn path_and_query(&self) -> &str {
        self.0.path_and_query.as_str()
    }

    /// The host in lower case; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.0.origin.host
    }

    /// The port, also when the URL does not say it.
    pub fn port(&self) -> u16 {
        self.0.origin.port
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.origin.is_https
    }

    /// Whether both are the same URL, without building the text.
    pub(super) fn same_url(&self, other: &Destination) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || (self.0.origin.same_as(&other.0.origin)
                && self.0.path_and_query.as_str() == other.0.path_and_query.as_str())
    }

    pub(super) fn origin(&self) -> &Rc<Origin> {
        &self.0.origin
    }

    /// Path and query alone: what HTTP/1.1 sends to a server.
    pub(super) fn origin_form(&self) -> Uri {
        Uri::from(self.0.path_and_query.clone())
    }

    /// With scheme and authority: what a proxy and HTTP/2 want.
    pub(super) fn absolute_form(&self, authority: Authority) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.is_https() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority);
        parts.path_and_query = Some(self.0.path_and_query.clone());
        // All three are given, which is the one thing that can be wrong with parts.
        Uri::from_parts(parts).unwrap_or_else(|_| self.origin_form())
    }

    /// The `url` crate's form of this URL.
    pub(super) fn url(&self) -> &Url {
        self.0.url.get_or_init(|| match Url::parse(self.as_str()) {
            Ok(url) => Box::new(url),
            // Cannot happen: the text was made from parts that this parser or `is_plain_path` let through.
            Err(_) => Box::new(unreachable_url()),
        })
    }

    /// The URL that cookies are kept for: that of `localhost` for a socket in the file system.
    pub(super) fn cookie_url(&self) -> Cow<'_, Url> {
        match &self.0.origin.socket {
            None => Cow::Borrowed(self.url()),
            Some(_) => {
                let local = format!("http://localhost{}", self.path_and_query());
                Cow::Owned(Url::parse(&local).unwrap_or_else(|_| unreachable_url()))
            }
        }
    }

    fn with_path_and_query(&self, text: Bytes, given: &str) -> Result<Destination, UrlError> {
        let path_and_query = PathAndQuery::from_maybe_shared(text).map_err(|error| invalid(given, error))?;
        Ok(Destination::new(self.0.origin.clone(), path_and_query))
    }

    fn new(origin: Rc<Origin>, path_and_query: PathAndQuery) -> Destination {
        Destination(Rc::new(Inner { origin, path_and_query, text: OnceCell::new(), url: OnceCell::new() }))
    }

    /// `given` is what a message quotes. `base` lends its origin when it is the same, and with it the user
    /// information, which a relative reference keeps.
    fn from_url(given: &str, url: Url, base: Option<&Rc<Origin>>) -> Result<Destination, UrlError> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" | SOCKETS => false,
            scheme => return Err(foreign_scheme(given, scheme)),
        };
        let is_socket = url.scheme() == SOCKETS;
        let port = if is_socket { Some(0) } else { url.port_or_known_default() };
        let (Some(host), Some(port)) = (url.host_str(), port) else {
            return Err(invalid(given, ParseError::EmptyHost));
        };
        let socket = if is_socket { Some(socket_path(given, host)?) } else { None };
        // Only schemes that the `url` crate knows have a path always.
        let path = if url.path().is_empty() { "/" } else { url.path() };
        let path = match url.query() {
            Some(query) => Bytes::from([path, "?", query].concat()),
            None => Bytes::copy_from_slice(path.as_bytes()),
        };
        let path_and_query = PathAndQuery::from_maybe_shared(path).map_err(|error| invalid(given, error))?;
        let bare_host = host.trim_start_matches('[').trim_end_matches(']');
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        if let Some(base) = base
            && !has_userinfo
            && base.is(is_https, bare_host, port)
        {
            return Ok(Destination::new(base.clone(), path_and_query));
        }
        let authority_text = match url.port() {
            _ if is_socket => "localhost".to_owned(),
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let authority: Authority = authority_text.parse().map_err(|error| invalid(given, error))?;
        let host_header = HeaderValue::from_str(&authority_text).map_err(|error| invalid(given, error))?;
        let basic_auth = has_userinfo.then(|| {
            let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
            basic_auth_value(decode(url.username()), decode(url.password().unwrap_or_default()))
        });
        let origin = Origin {
            is_https,
            host: bare_host.into(),
            port,
            prefix: match is_socket {
                true => format!("{SOCKETS}://{host}").into(),
                false => format!("{}://{authority_text}", url.scheme()).into(),
            },
            authority,
            host_header,
            basic_auth,
            socket,
        };
        Ok(Destination::new(Rc::new(origin), path_and_query))
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Destination").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Origin {
    /// Whether both lead to the same connections. User information does not matter: it travels in a header.
    pub(super) fn same_as(&self, other: &Origin) -> bool {
        std::ptr::eq(self, other) || self.is(other.is_https, &other.host, other.port)
    }

    fn is(&self, is_https: bool, host: &str, port: u16) -> bool {
        self.port == port && self.is_https == is_https && *self.host == *host
    }
}

/// Whether the `url` crate would take this reference as path and query exactly as it stands: one leading slash,
/// nothing to encode, no fragment, and no dot segments (written plainly or as `%2e`).
fn is_plain_path(reference: &str) -> bool {
    let bytes = reference.as_bytes();
    if bytes.first() != Some(&b'/') || bytes.get(1) == Some(&b'/') {
        return false;
    }
    let mut previous = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let plain = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
            b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            b':' | b'@' | b'/' | b'?' => true,
            b'.' => previous != b'/',
            b'%' => !matches!(bytes.get(at + 1..at + 3), Some([b'2', b'e' | b'E'])),
            _ => false,
        };
        if !plain {
            return false;
        }
        previous = byte;
    }
    true
}

pub(super) fn invalid(url: &str, reason: impl fmt::Display + 'static) -> UrlError {
    let any: &dyn std::any::Any = &reason;
    if any.downcast_ref::<ParseError>() == Some(&ParseError::RelativeUrlWithoutBase) {
        return UrlError::Relative { url: url.to_owned() };
    }
    UrlError::Invalid { url: url.to_owned(), reason: reason.to_string() }
}

/// The scheme of URLs whose host is a socket in the file system: `http+unix://%2Frun%2Fapp.sock/path`.
const SOCKETS: &str = "http+unix";

fn socket_path(url: &str, host: &str) -> Result<Rc<Path>, UrlError> {
    let path = percent_encoding::percent_decode_str(host).decode_utf8_lossy().into_owned();
    if path.starts_with('/') {
        return Ok(Rc::from(PathBuf::from(path)));
    }
    Err(UrlError::Socket { url: url.to_owned() })
}

/// `localhost:8000/x` parses as a URL of the scheme `localhost`; say what was meant.
fn foreign_scheme(url: &str, scheme: &str) -> UrlError {
    let after = url.trim_start().get(scheme.len() + 1..).unwrap_or_default();
    let hint = match after.as_bytes().first() {
        Some(b'0'..=b'9') => format!(" (did you mean http://{}?)", url.trim_start()),
        _ => String::new(),
    };
    UrlError::Scheme { url: url.to_owned(), scheme: scheme.to_owned(), hint }
}

/// A URL to nowhere, for a branch that cannot be reached: it sends nothing and matches no cookie.
fn unreachable_url() -> Url {
    match Url::parse("http://invalid.invalid/") {
        Ok(url) => url,
        Err(_) => unreachable!("a constant URL parses"),
    }
}
