//! What is asked of a server.
//!
//! Owns the description of one request. Leaves defaults to the settings and sending to the client.
//! Invariant: pure data; cloning it copies no body.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::digest::DigestCredentials;
use super::options::VersionChoice;
use super::target::Target;

/// One request, as a script describes it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method; any token.
    pub method: Method,
    /// Where to.
    pub target: Target,
    /// The script's own header fields. They win over the defaults, over the URL's user information and, in the
    /// case of `cookie`, over the cookie store.
    pub headers: HeaderMap,
    /// Empty means no body; POST, PUT and PATCH then say `content-length: 0`.
    pub body: Bytes,
    /// Limit of the whole request, instead of the run's.
    pub timeout: Option<Duration>,
    /// How many redirects to follow, instead of the run's number.
    pub max_redirects: Option<u32>,
    /// HTTP version, instead of the run's.
    pub version: Option<VersionChoice>,
    /// Answers a 401 that asks for digest authentication, with a second request.
    pub digest: Option<DigestCredentials>,
    /// What becomes of the response's body.
    pub body_use: BodyUse,
}

/// What becomes of a response's body. It is read to its end and counted in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyUse {
    /// Kept in memory, whole.
    #[default]
    Keep,
    /// Dropped piece by piece, so that a body of any size takes little memory.
    Discard,
}

impl Request {
    /// A request without own header fields, body or limits.
    pub fn new(method: Method, target: Target) -> Request {
        Request {
            method,
            target,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            max_redirects: None,
            version: None,
            digest: None,
            body_use: BodyUse::Keep,
        }
    }
}
