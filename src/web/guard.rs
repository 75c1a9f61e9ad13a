//! Who may see and change what: the name a call comes under, the token, and the page that calls.
//!
//! A page of another site can make a browser call us, with whatever name its DNS gives our address. So calls without a
//! token only count under names of this machine, and changes only from our own page or from a program with the token.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use subtle::ConstantTimeEq;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 24;

/// See the module's description.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: String,
    /// Looking needs the token as well.
    is_closed: bool,
    port: u16,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

const WRONG_HOST: Denied = Denied {
    status: StatusCode::MISDIRECTED_REQUEST,
    reason: "this page answers only to names of this machine: open it as http://127.0.0.1:PORT",
};
const NO_TOKEN: Denied = Denied {
    status: StatusCode::UNAUTHORIZED,
    reason: "the token is missing or wrong: send 'Authorization: Bearer TOKEN', or open the address with ?token= that rhaid printed",
};
const OTHER_ORIGIN: Denied =
    Denied { status: StatusCode::FORBIDDEN, reason: "a page of another origin may not change anything here" };

/// A token that cannot be guessed.
pub(crate) fn random_token() -> String {
    let bytes: [u8; TOKEN_BYTES] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Guard {
    /// `is_closed` says that the token is needed for looking too, as it is when others than this machine can call.
    pub(super) fn new(token: String, is_closed: bool, address: SocketAddr) -> Guard {
        Guard { token, is_closed, port: address.port() }
    }

    /// Whether a call may be answered.
    pub(super) fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Denied> {
        let has_bearer = self.has_bearer(headers);
        let has_cookie = self.has_cookie(headers);
        if !self.is_closed && !has_bearer && !is_of_this_machine(headers) {
            return Err(WRONG_HOST);
        }
        let is_change = !matches!(*method, Method::GET | Method::HEAD);
        if (self.is_closed || is_change) && !has_bearer && !has_cookie {
            return Err(NO_TOKEN);
        }
        // A program sends the token itself; a browser sends the cookie along with whatever a page makes it call.
        if is_change && !has_bearer && !is_of_our_page(headers) {
            return Err(OTHER_ORIGIN);
        }
        // Nor may a page of another origin use a token that it has learnt.
        if is_change && headers.contains_key(header::ORIGIN) && !is_of_our_page(headers) {
            return Err(OTHER_ORIGIN);
        }
        Ok(())
    }

    /// Whether this is the token.
    pub(super) fn is_token(&self, shown: &str) -> bool {
        // In constant time: how long it takes does not tell how much of a guess is right.
        bool::from(self.token.as_bytes().ct_eq(shown.as_bytes()))
    }

    /// Whether the page itself may be given without a token.
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed
    }

    /// What makes a browser show the token from now on. Ports share cookies, so the port is in the name.
    pub(super) fn cookie(&self) -> Option<HeaderValue> {
        let text = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.token);
        HeaderValue::from_str(&text).ok()
    }

    fn cookie_name(&self) -> String {
        format!("rhaid_{}", self.port)
    }

    fn has_bearer(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_bearer =
            |value: &&str| value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer "));
        shown.filter(is_bearer).is_some_and(|value| self.is_token(value[7..].trim()))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(key, value)| key == name && self.is_token(value))
    }
}

/// Whether the call was made to a name that only means this machine, or to an address.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a browser says that our own page makes the call.
fn is_of_our_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    // Behind a proxy that adds TLS the scheme differs.
    let origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn guard(is_closed: bool) -> Guard {
        Guard::new("secret".to_owned(), is_closed, SocketAddr::from(([127, 0, 0, 1], 8089)))
    }

    fn status(guard: &Guard, method: Method, pairs: &[(&'static str, &str)]) -> u16 {
        guard.check(&method, &headers(pairs)).map_or_else(|denied| denied.status.as_u16(), |()| 200)
    }

    #[test]
    fn looking_needs_a_name_of_this_machine() {
        let guard = guard(false);
        for host in
            ["127.0.0.1:8089", "localhost:8089", "LOCALHOST", "[::1]:8089", "127.3.2.1", "localhost.:8089"]
        {
            assert_eq!(status(&guard, Method::GET, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:8089",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "192.0.2.1:8089",
            "a@127.0.0.1",
            "[::1",
            "::1",
        ] {
            assert_eq!(status(&guard, Method::GET, &[("host", host)]), 421, "{host}");
        }
        assert_eq!(status(&guard, Method::GET, &[]), 421);
        assert_eq!(
            status(&guard, Method::GET, &[("host", "evil.example"), ("authorization", "bearer secret")]),
            200
        );
    }

    #[test]
    fn changing_needs_the_token_and_our_own_page() {
        let guard = guard(false);
        let host = ("host", "127.0.0.1:8089");
        let (own, other) = (("origin", "http://127.0.0.1:8089"), ("origin", "http://evil.example"));
        let (bearer, cookie) = (("authorization", "Bearer secret"), ("cookie", "a=b; rhaid_8089=secret"));
        let post = |pairs: &[(&'static str, &str)]| status(&guard, Method::POST, pairs);
        assert_eq!(post(&[host]), 401);
        assert_eq!(post(&[host, own]), 401);
        assert_eq!(post(&[host, ("authorization", "Bearer guess"), own]), 401);
        assert_eq!(post(&[host, ("cookie", "rhaid_8090=secret"), own]), 401, "the cookie of another port");
        assert_eq!(post(&[host, bearer]), 200);
        assert_eq!(post(&[host, cookie, own]), 200);
        assert_eq!(post(&[host, cookie]), 403, "a form of another site may send no origin");
        assert_eq!(post(&[host, cookie, other]), 403);
        assert_eq!(post(&[host, cookie, ("origin", "null")]), 403);
        assert_eq!(post(&[host, bearer, other]), 403);
        assert_eq!(status(&guard, Method::PUT, &[host]), 401);
        assert_eq!(status(&guard, Method::DELETE, &[host]), 401);
    }

    #[test]
    fn a_closed_page_needs_the_token_for_looking_too() {
        let guard = guard(true);
        let host = ("host", "loadgen.example:8089");
        assert_eq!(status(&guard, Method::GET, &[host]), 401);
        assert_eq!(status(&guard, Method::GET, &[host, ("cookie", "rhaid_8089=secret")]), 200);
        assert_eq!(status(&guard, Method::GET, &[host, ("authorization", "Bearer secret")]), 200);
        assert_eq!(status(&guard, Method::GET, &[host, ("authorization", "Basic secret")]), 401);
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(random_token(), random_token());
        assert!(random_token().len() >= 32);
    }
}
