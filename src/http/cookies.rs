//! A virtual user's cookies.
//!
//! Owns what is kept and the `cookie` header made of it. Leaves the rules of RFC 6265 (domains, paths, expiry,
//! `Secure`) to the `cookie_store` crate. Invariant: a user that never met a cookie has no jar.

use std::time::{Duration, Instant};

use cookie_store::CookieStore;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::target::Destination;

/// How long a `cookie` header is used again for the same URL before it is made anew, so that cookies which
/// expire are noticed soon without searching the store for every request.
const MEMO_LIFETIME: Duration = Duration::from_millis(500);

/// A cookie that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cookie '{cookie}' was not accepted for {url}: {reason}")]
pub struct CookieRejected {
    /// The cookie as given.
    pub cookie: String,
    /// The URL it was set for.
    pub url: String,
    /// Why it was rejected.
    pub reason: String,
}

/// The cookies of one virtual user.
#[derive(Default)]
pub(super) struct Jar {
    store: CookieStore,
    /// The header last made: a user asks for the same few URLs again and again.
    memo: Option<Memo>,
}

struct Memo {
    target: Destination,
    header: Option<HeaderValue>,
    made: Instant,
}

impl Jar {
    /// Keeps what the response to `target` sets. What the rules do not allow is ignored, as browsers do.
    pub(super) fn store(&mut self, target: &Destination, headers: &HeaderMap) {
        let mut changed = false;
        for value in headers.get_all(SET_COOKIE) {
            if let Ok(text) = std::str::from_utf8(value.as_bytes()) {
                changed |= self.store.parse(text, target.url()).is_ok();
            }
        }
        if changed {
            self.memo = None;
        }
    }

    /// Keeps one cookie, written like the value of `set-cookie`.
    pub(super) fn set(&mut self, target: &Destination, cookie: &str) -> Result<(), CookieRejected> {
        self.memo = None;
        match self.store.parse(cookie, target.url()) {
            Ok(_) => Ok(()),
            Err(error) => Err(CookieRejected {
                cookie: cookie.to_owned(),
                url: target.as_str().to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    /// Names and values that a request to `target` carries, in the order RFC 6265 section 5.4 wants: longer
    /// paths first (then by name, because the store does not know the order of arrival).
    pub(super) fn matching(&self, target: &Destination) -> Vec<(String, String)> {
        let mut found = self.store.matches(target.url());
        found.sort_by(|a, b| (b.path.len(), a.name()).cmp(&(a.path.len(), b.name())));
        found.iter().map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())).collect()
    }

    /// The `cookie` header of a request to `target`, if any cookie goes there.
    pub(super) fn header(&mut self, target: &Destination, now: Instant) -> Option<HeaderValue> {
        if let Some(memo) = &self.memo
            && now.saturating_duration_since(memo.made) < MEMO_LIFETIME
            && memo.target.same_url(target)
        {
            return memo.header.clone();
        }
        let mut text = String::new();
        for (name, value) in self.matching(target) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&name);
            text.push('=');
            text.push_str(&value);
        }
        let header = if text.is_empty() { None } else { HeaderValue::from_bytes(text.as_bytes()).ok() };
        self.memo = Some(Memo { target: target.clone(), header: header.clone(), made: now });
        header
    }
}
