//! What is asked of a server.
//!
//! Owns the description of one request. Leaves defaults to the settings and sending to the client.
//! Invariant: pure data; cloning it copies no body.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

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
        }
    }
}
