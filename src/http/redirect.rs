//! Following redirects.
//!
//! Owns what a 3xx response turns a request into (RFC 9110 section 15.4, with what browsers do for 301 and
//! 302). Leaves counting them to the client. Invariant: credentials that the script set never reach another
//! origin.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, Method};

use super::body::Body;
use super::connection::RawResponse;
use super::digest::{self, DigestCredentials};
use super::error::{ErrorKind, HttpError};
use super::headers::drop_body_fields;
use super::request::{BodyUse, Request};
use super::target::Destination;

/// The request as it stands after the redirects so far.
pub(super) struct RedirectChain<'a> {
    pub(super) method: Method,
    pub(super) target: Destination,
    pub(super) headers: Cow<'a, HeaderMap>,
    /// Those of the request alone; they belong to its origin.
    pub(super) cookies: &'a [(String, String)],
    pub(super) body: Body,
    /// It has left the origin that the script chose.
    pub(super) without_credentials: bool,
    pub(super) body_use: BodyUse,
    digest: Option<&'a DigestCredentials>,
    /// The challenge of this place was answered; another 401 means that the answer was wrong.
    authorized: bool,
}

impl<'a> RedirectChain<'a> {
    pub(super) fn new(request: &'a Request) -> RedirectChain<'a> {
        RedirectChain {
            method: request.method.clone(),
            target: request.target.clone(),
            headers: Cow::Borrowed(&request.headers),
            cookies: &request.cookies,
            body: request.body.clone(),
            without_credentials: false,
            body_use: request.body_use,
            digest: request.digest.as_ref(),
            authorized: false,
        }
    }

    /// Answers a 401's digest challenge; false when nothing was asked that can be answered, or it was before.
    pub(super) fn authorize(&mut self, answer: &RawResponse) -> bool {
        let Some(credentials) = self.digest else { return false };
        if self.authorized || self.without_credentials {
            return false;
        }
        let uri = self.target.path_and_query();
        let Some(value) = digest::answer(credentials, &answer.headers, self.method.as_str(), uri) else {
            return false;
        };
        self.headers.to_mut().insert(AUTHORIZATION, value);
        self.authorized = true;
        true
    }

    /// Where this response leads to, or `None` when it is the answer.
    pub(super) fn destination(&self, answer: &RawResponse) -> Option<Result<Destination, HttpError>> {
        if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        // Without one, or with an empty one, there is nowhere to go; browsers show the response then, too.
        let mut locations = answer.headers.get_all(LOCATION).iter();
        let location = locations.find(|value| !value.as_bytes().trim_ascii().is_empty())?;
        let text = encoded(location.as_bytes());
        let refused = |why: String| {
            let message = format!("{} redirects to an invalid URL: {why}", self.target.path());
            HttpError::new(ErrorKind::Redirect, message)
        };
        Some(match self.target.join(&text) {
            // A server of the network must not reach the services of this machine.
            Ok(next)
                if next.origin().socket.is_some() && next.origin().socket != self.target.origin().socket =>
            {
                Err(refused("only the script can choose a socket of this machine".to_owned()))
            }
            next => next.map_err(|error| refused(error.to_string())),
        })
    }

    /// Turns the request into the one that follows a redirect with this status.
    pub(super) fn follow(&mut self, status: u16, next: Destination) {
        let becomes_get = match status {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::HEAD,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Body::default();
            if !self.headers.is_empty() {
                drop_body_fields(self.headers.to_mut());
            }
        }
        if !next.origin().same_as(self.target.origin()) {
            self.without_credentials = true;
            self.cookies = &[];
        }
        if self.authorized {
            // The answer holds for one URL; the next asks again.
            self.headers.to_mut().remove(AUTHORIZATION);
            self.authorized = false;
        }
        self.target = next;
    }
}

/// A location as plain ASCII. Servers send UTF-8 and other bytes as they are; browsers percent-encode each.
fn encoded(location: &[u8]) -> String {
    let mut text = String::with_capacity(location.len());
    for &byte in location {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    text
}
