//! The kinds of failures, as short stable words. Pure data.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The kinds of failures: short, stable words for scripts and reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "String")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The status is an error.
    Status,
    /// An expectation of the script was not met.
    Expect,
    /// A function of the host failed.
    Call,
    /// The host name could not be resolved.
    Dns,
    /// The connection was refused.
    Refused,
    /// The connection was closed or reset before a response came.
    Reset,
    /// A timeout was reached.
    Timeout,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The response violates the protocol.
    Protocol,
    /// The body of the response was incomplete or could not be decoded.
    Body,
    /// Too many redirects, or an invalid one.
    Redirect,
    /// Anything else: no file descriptors or ports left, a proxy that refuses, …
    Other,
    /// A custom kind of a protocol or host function.
    Named(Arc<str>),
}

impl ErrorKind {
    /// The kinds that have a word of the engine, in the order of the documentation.
    const WORDS: [(ErrorKind, &str); 12] = [
        (ErrorKind::Status, "status"),
        (ErrorKind::Expect, "expect"),
        (ErrorKind::Call, "call"),
        (ErrorKind::Dns, "dns"),
        (ErrorKind::Refused, "refused"),
        (ErrorKind::Reset, "reset"),
        (ErrorKind::Timeout, "timeout"),
        (ErrorKind::Tls, "tls"),
        (ErrorKind::Protocol, "protocol"),
        (ErrorKind::Body, "body"),
        (ErrorKind::Redirect, "redirect"),
        (ErrorKind::Other, "other"),
    ];

    /// The word that scripts and reports use.
    pub fn as_str(&self) -> &str {
        match self {
            ErrorKind::Named(word) => word,
            known => Self::WORDS.iter().find(|(kind, _)| kind == known).map_or("other", |(_, word)| word),
        }
    }

    /// The number that k6 has for errors of this kind where nothing more is known; `None` for what is no error of a transport.
    pub fn k6_code(&self) -> Option<u16> {
        match self {
            ErrorKind::Status | ErrorKind::Expect | ErrorKind::Call | ErrorKind::Named(_) => None,
            ErrorKind::Dns => Some(1100),
            ErrorKind::Refused => Some(1212),
            ErrorKind::Reset => Some(1220),
            ErrorKind::Timeout => Some(1050),
            ErrorKind::Tls => Some(1300),
            ErrorKind::Protocol | ErrorKind::Body | ErrorKind::Redirect | ErrorKind::Other => Some(1000),
        }
    }

    /// The kinds of failed transports: what a script finds in `error_kind`.
    pub fn transport() -> impl Iterator<Item = ErrorKind> {
        Self::WORDS.into_iter().skip(3).map(|(kind, _)| kind)
    }
}

impl From<Arc<str>> for ErrorKind {
    fn from(word: Arc<str>) -> ErrorKind {
        let known = Self::WORDS.into_iter().find(|(_, known)| **known == *word);
        known.map_or(ErrorKind::Named(word), |(kind, _)| kind)
    }
}

impl From<ErrorKind> for String {
    fn from(kind: ErrorKind) -> String {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_to_its_kind_and_back() {
        for word in ["status", "dns", "other", "deadline_exceeded"] {
            assert_eq!(ErrorKind::from(Arc::from(word)).as_str(), word);
        }
        assert_eq!(ErrorKind::from(Arc::from("tls")), ErrorKind::Tls);
        assert_eq!(ErrorKind::transport().count(), 9);
    }
}
