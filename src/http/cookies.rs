//! A virtual user's cookies.
//!
//! Owns what is kept and the `cookie` header made of it. Leaves dates to `cookie_date.rs`, and the other rules of
//! RFC 6265 (domains, paths, expiry, `Secure`) to the `cookie_store` crate. Invariants: a user that never met a cookie
//! has no jar; a value goes out with the bytes it came with.
//!
//! The store keeps text, and a cookie is bytes: it is given each byte as the character of that number.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::cookie_date;
use super::headers::{field_text, latin1, octets};
use super::target::Destination;

/// The most bytes of a cookie's name and value together, and the most cookies of a user: what browsers keep. More are
/// ignored, so that a server cannot fill the memory.
const LARGEST: usize = 4096;
const MOST: usize = 3000;

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
    /// How many were ever added to it.
    count: usize,
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
        for value in headers.get_all(SET_COOKIE) {
            // What the rules refuse is of no interest to anybody.
            let _ = self.keep(target, value.as_bytes());
        }
    }

    /// Keeps one cookie, written like the value of `set-cookie`.
    pub(super) fn set(&mut self, target: &Destination, cookie: &str) -> Result<(), CookieRejected> {
        self.keep(target, cookie.as_bytes()).map_err(|reason| CookieRejected {
            cookie: cookie.to_owned(),
            url: target.as_str().to_owned(),
            reason,
        })
    }

    fn keep(&mut self, target: &Destination, cookie: &[u8]) -> Result<(), String> {
        let text = latin1(cookie);
        let pair = text.split(';').next().unwrap_or_default();
        if pair.chars().count() > LARGEST + 1 {
            return Err(format!("name and value have more than {LARGEST} bytes"));
        }
        let full = self.count >= MOST;
        if full && !self.store.iter_any().any(|known| pair.trim().starts_with(&format!("{}=", known.name())))
        {
            return Err(format!("there are {MOST} cookies already"));
        }
        let action = self
            .store
            .parse(&with_max_age(&text), &target.cookie_url())
            .map_err(|error| error.to_string())?;
        self.memo = None;
        self.count += usize::from(action == StoreAction::Inserted);
        Ok(())
    }

    /// Names and values that a request to `target` carries, in the order RFC 6265 section 5.4 wants: longer
    /// paths first (then by name, because the store does not know the order of arrival).
    pub(super) fn matching(&self, target: &Destination) -> Vec<(String, String)> {
        let found = self.found(target);
        let text = |latin1: &str| field_text(&octets(latin1)).into_owned();
        found.iter().map(|cookie| (text(cookie.name()), text(cookie.value()))).collect()
    }

    fn found(&self, target: &Destination) -> Vec<&Cookie<'static>> {
        let mut found = self.store.matches(&target.cookie_url());
        found.sort_by(|a, b| (b.path.len(), a.name()).cmp(&(a.path.len(), b.name())));
        found
    }

    /// The `cookie` header of a request to `target`, if any cookie goes there.
    pub(super) fn header(&mut self, target: &Destination, now: Instant) -> Option<HeaderValue> {
        if let Some(memo) = &self.memo
            && now.saturating_duration_since(memo.made) < MEMO_LIFETIME
            && memo.target.same_url(target)
        {
            return memo.header.clone();
        }
        let header = header_of(self.found(target).into_iter().map(|cookie| cookie.name_value()));
        self.memo = Some(Memo { target: target.clone(), header: header.clone(), made: now });
        header
    }
}

/// The `cookie` header of a request that has cookies of its own, besides those of its user.
pub(super) fn with_jar(
    own: &[(String, String)],
    jar: Option<&Jar>,
    target: &Destination,
) -> Option<HeaderValue> {
    // As bytes, as those of the jar are.
    let own: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        own.iter().map(|(name, value)| (latin1(name.as_bytes()), latin1(value.as_bytes()))).collect();
    let kept = jar.map(|jar| jar.found(target)).unwrap_or_default();
    let kept = kept.into_iter().filter(|cookie| !own.iter().any(|(name, _)| name == cookie.name()));
    let own = own.iter().map(|(name, value)| (&**name, &**value));
    header_of(own.chain(kept.map(|cookie| cookie.name_value())))
}

fn header_of<'a>(cookies: impl Iterator<Item = (&'a str, &'a str)>) -> Option<HeaderValue> {
    let mut text = String::new();
    for (name, value) in cookies {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    if text.is_empty() { None } else { HeaderValue::from_bytes(&octets(&text)).ok() }
}

/// The cookie with `Max-Age` instead of `Expires`, whose date the store's parser knows in a few formats only. A
/// `Max-Age` that is there wins, as it should; a date that is none is left out, as RFC 6265 section 5.2.1 says.
fn with_max_age(cookie: &str) -> Cow<'_, str> {
    let value_of = |part: &str, wanted: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
    };
    let mut parts: Vec<&str> = cookie.split(';').collect();
    let attributes = parts.get(1..).unwrap_or_default();
    let Some(expires) =
        attributes.iter().rev().find_map(|part| cookie_date::parse(&value_of(part, "expires")?))
    else {
        return Cow::Borrowed(cookie);
    };
    let is_age = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if attributes.iter().any(|part| value_of(part, "max-age").is_some_and(|text| is_age(&text))) {
        return Cow::Borrowed(cookie);
    }
    // Only after the pair: a cookie may have the name `expires`.
    let pair = parts.remove(0);
    parts.retain(|part| value_of(part, "expires").is_none());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let left = expires.saturating_sub(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).max(0);
    let mut text = pair.to_owned();
    for part in parts {
        text.push(';');
        text.push_str(part);
    }
    text.push_str(&format!("; Max-Age={left}"));
    Cow::Owned(text)
}
