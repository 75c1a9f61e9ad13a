//! The parts of a URL, for scripts that look at one: any scheme, nothing is sent there. Pure.

use std::fmt::Write;

use url::{Url, form_urlencoded};

use super::target::{UrlError, invalid};

/// A URL taken apart. Percent-encoding is that of the URL, but for user information and the query, which are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlParts {
    pub(crate) scheme: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// An IPv6 address stands in brackets.
    pub(crate) host: Option<String>,
    /// That of the scheme, when the URL has none.
    pub(crate) port: Option<u16>,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) fragment: Option<String>,
}

impl UrlParts {
    /// Takes an absolute URL apart.
    ///
    /// # Errors
    /// When it is relative or no URL.
    pub(crate) fn parse(text: &str) -> Result<UrlParts, UrlError> {
        let url = Url::parse(text).map_err(|error| invalid(text, error))?;
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let username = decoded(url.username());
        Ok(UrlParts {
            scheme: url.scheme().to_owned(),
            username: (!username.is_empty()).then_some(username),
            password: url.password().map(decoded),
            host: url.host_str().filter(|host| !host.is_empty()).map(str::to_owned),
            port: url.port_or_known_default(),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            fragment: url.fragment().map(str::to_owned),
        })
    }
}

/// Resolves a reference against an absolute URL, as RFC 3986 section 5 says.
///
/// # Errors
/// When the base is not absolute, or the result is no URL.
pub(crate) fn join_urls(base: &str, reference: &str) -> Result<String, UrlError> {
    let parsed = Url::parse(base).map_err(|error| invalid(base, error))?;
    Ok(parsed.join(reference).map_err(|error| invalid(reference, error))?.into())
}

/// Pairs as a query, form-encoded: `a=1&b=x+y`.
pub(crate) fn query_of(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A URL, absolute or not, with these pairs at the end of its query.
pub(crate) fn with_query(url: &str, pairs: &[(String, String)]) -> String {
    let (before, fragment) = match url.split_once('#') {
        Some((before, fragment)) => (before, Some(fragment)),
        None => (url, None),
    };
    let mut text = before.to_owned();
    if !pairs.is_empty() {
        if !before.contains('?') {
            text.push('?');
        } else if !before.ends_with(['?', '&']) {
            text.push('&');
        }
        text.push_str(&query_of(pairs));
    }
    if let Some(fragment) = fragment {
        // Writing to a string does not fail.
        let _ = write!(text, "#{fragment}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let parts =
            UrlParts::parse("HTTPS://an%20n:se%3Acret@Shop.Example:8443/a%20b/c?q=x+y&q=2&e=#top").unwrap();
        assert_eq!((&*parts.scheme, parts.port, &*parts.path), ("https", Some(8443), "/a%20b/c"));
        assert_eq!(parts.host.as_deref(), Some("shop.example"));
        assert_eq!((parts.username.as_deref(), parts.password.as_deref()), (Some("an n"), Some("se:cret")));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parts.query, [pair("q", "x y"), pair("q", "2"), pair("e", "")]);
        assert_eq!(parts.fragment.as_deref(), Some("top"));
        let plain = UrlParts::parse("http://[::1]").unwrap();
        assert_eq!((plain.host.as_deref(), plain.port, &*plain.path), (Some("[::1]"), Some(80), "/"));
        assert_eq!((plain.username, plain.query.len(), plain.fragment), (None, 0, None));
        let mail = UrlParts::parse("mailto:ann@example.com").unwrap();
        assert_eq!((mail.host, mail.port, &*mail.path), (None, None, "ann@example.com"));
    }

    #[test]
    fn what_is_no_url_is_told() {
        for wrong in ["", "/path", "shop.example/x", "http://", "http://a:99999/", "http://a b/"] {
            let error = UrlParts::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{wrong}: {error}");
            assert!(join_urls(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn references_and_queries_are_added() {
        let joined = |reference| join_urls("http://a.example/b/c?d=1#e", reference).unwrap();
        assert_eq!(joined("x"), "http://a.example/b/x");
        assert_eq!(joined("../x?y"), "http://a.example/x?y");
        assert_eq!(joined("//other.example"), "http://other.example/");
        assert_eq!(joined("?z=2"), "http://a.example/b/c?z=2");
        let pairs = [("a".to_owned(), "1 2".to_owned()), ("ä".to_owned(), "&=".to_owned())];
        assert_eq!(query_of(&pairs), "a=1+2&%C3%A4=%26%3D");
        assert_eq!(with_query("/x", &pairs[..1]), "/x?a=1+2");
        assert_eq!(with_query("/x?", &pairs[..1]), "/x?a=1+2");
        assert_eq!(with_query("http://a/?b=1#c", &pairs[..1]), "http://a/?b=1&a=1+2#c");
        assert_eq!(with_query("/x#c", &[]), "/x#c");
    }
}
