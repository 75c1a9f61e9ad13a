//! Mistakes in the settings of a client, found before a request is sent.

use std::path::PathBuf;

use crate::credentials::masked_url;

/// Settings that no request could be sent with.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file that the settings name cannot be read.
    #[error("cannot read '{}': {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file that the settings name does not hold what it should.
    #[error("'{}' is not a PEM file that can be used: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name of a header has characters that names cannot have.
    #[error("'{name}' cannot be the name of a header; use letters, digits and '-'")]
    HeaderName {
        /// As it was given.
        name: String,
    },
    /// The value of a header has characters that values cannot have.
    #[error("the value of the header '{name}' has characters that a header cannot hold, like line ends")]
    HeaderValue {
        /// Of the header.
        name: String,
    },
    /// The proxy is not one that can be used.
    #[error(
        "the proxy '{}' cannot be used: {reason} (write it as http://[USER:PASSWORD@]HOST:PORT)",
        masked_url(url)
    )]
    Proxy {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A fixed address is none.
    #[error(
        "'{address}', which '{name}' should resolve to, is not an address; write IP or IP:PORT ([IP]:PORT for IPv6)"
    )]
    Resolve {
        /// The host name.
        name: String,
        /// As it was given.
        address: String,
    },
}
