//! The description of a request.
//!
//! Owns the description of one request. Leaves defaults to the settings and sending to the client.
//! Invariant: pure data; cloning it copies no body.

use std::time::Duration;

use http::{HeaderMap, Method};

use super::body::Body;
use super::digest::DigestCredentials;
use super::options::VersionChoice;
use super::target::Destination;

/// A request, as described by a script.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method; any valid token.
    pub method: Method,
    /// The URL.
    pub target: Destination,
    /// The script's own header fields. They override the defaults, the URL's user information and, in the case of
    /// `cookie`, the cookie store.
    pub headers: HeaderMap,
    /// Cookies of this request alone, as names and values. One that the cookie store has too is sent as it is here.
    pub cookies: Vec<(String, String)>,
    /// Empty means no body; POST, PUT and PATCH then send `content-length: 0`.
    pub body: Body,
    /// Timeout of the whole request, instead of the run's.
    pub timeout: Option<Duration>,
    /// Maximum number of redirects to follow, instead of the run's.
    pub max_redirects: Option<u32>,
    /// HTTP version, instead of the run's.
    pub version: Option<VersionChoice>,
    /// Credentials to answer a digest challenge (401), with a second request.
    pub digest: Option<DigestCredentials>,
    /// How the response body is handled.
    pub body_use: BodyUse,
}

/// How a response body is handled. It is always read completely and counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyUse {
    /// Kept in memory.
    #[default]
    Keep,
    /// Discarded chunk by chunk, so that a body of any size takes little memory.
    Discard,
}

impl Request {
    /// A request without its own header fields, body or timeout.
    pub fn new(method: Method, target: Destination) -> Request {
        Request {
            method,
            target,
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            body: Body::default(),
            timeout: None,
            max_redirects: None,
            version: None,
            digest: None,
            body_use: BodyUse::Keep,
        }
    }
}
