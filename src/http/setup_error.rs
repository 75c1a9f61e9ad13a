//! Invalid HTTP settings, found before a request is sent.

use std::path::PathBuf;

use crate::credentials::masked_url;

/// An invalid HTTP setting.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file named in the settings cannot be read.
    #[error("cannot read '{}': {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// A file named in the settings has invalid content.
    #[error("'{}' is not a usable PEM file: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A header name contains invalid characters.
    #[error("'{name}' is not a valid header name; use letters, digits and '-'")]
    HeaderName {
        /// The value as given.
        name: String,
    },
    /// A header value contains invalid characters.
    #[error(
        "the value of the header '{name}' contains characters that headers do not allow, such as line breaks"
    )]
    HeaderValue {
        /// The header name.
        name: String,
    },
    /// A header of all requests describes the body of one.
    #[error("the header '{name}' cannot be set for all requests: each has a body of its own; leave it out")]
    HeaderOfOneRequest {
        /// The header name.
        name: String,
    },
    /// The proxy is invalid.
    #[error(
        "invalid proxy '{}': {reason} (write it as http://[USER:PASSWORD@]HOST:PORT, with http, https, socks5 or socks5h)",
        masked_url(url)
    )]
    Proxy {
        /// The value as given.
        url: String,
        /// The reason.
        reason: String,
    },
    /// An address in `resolve` is invalid.
    #[error("'{address}', the address of '{name}', is invalid; write IP or IP:PORT ([IP]:PORT for IPv6)")]
    Resolve {
        /// The host name.
        name: String,
        /// The value as given.
        address: String,
    },
}
