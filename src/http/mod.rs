//! The HTTP client of a virtual user: requests in, [`Exchange`]s with exact timings and byte counts out.
//!
//! Owns everything between a URL and the socket: DNS cache, TCP, TLS, proxies, HTTP/1.1 and HTTP/2,
//! redirects, cookies, body decoding and the wording of transport errors. Leaves to others what a failed
//! request means (metrics), how a script asks for one (script) and when (vu).
//!
//! Three lifetimes, from long to short:
//!
//! | type | one per | shared how |
//! |---|---|---|
//! | [`Transport`] | run | `Arc`, built once: settings, prepared headers, TLS configuration |
//! | [`Network`] | worker thread | `Rc`: transport, DNS cache |
//! | [`Client`] | virtual user | owns its connections and its cookies |
//!
//! The main path is [`Client::send`] (`client.rs`) → `pool.rs`, or `connector.rs` for a new connection →
//! `plain.rs`, `connection.rs` or `http2.rs`, which runs one request on it → `record.rs`, which makes the timings.
//!
//! Invariants: a failure is an [`Exchange`] with an error, never an `Err`; nothing here leaves its thread but
//! [`Transport`]; an HTTP/1.1 connection is polled only by the request that is using it, so an idle one costs
//! no task and no wake-ups; no `RefCell` stays borrowed across an await.

mod alarm;
mod basic_auth;
mod body;
mod client;
mod connection;
mod connector;
mod cookie_date;
mod cookies;
mod decoding;
mod digest;
mod error;
mod exchange;
mod headers;
mod http2;
mod limit;
mod link;
mod network;
mod nudge;
mod options;
mod plain;
mod pool;
mod proxy;
mod record;
mod redirect;
mod request;
mod resolver;
mod response_headers;
mod setup_error;
mod socks;
mod target;
mod tls;
mod transport;
mod upgrade;
mod url_parts;

#[cfg(test)]
mod tests;

pub use basic_auth::basic_auth_value;
pub use body::Body;
pub(crate) use body::BodyPart;
pub use client::Client;
pub use cookies::CookieRejected;
pub use digest::DigestCredentials;
pub use error::HttpError;
pub(crate) use error::broken_stream;
pub use exchange::{Exchange, Hop};
pub(crate) use headers::field_text;
pub(crate) use link::Wire;
pub use network::Network;
pub use options::{DnsChoice, HttpOptions, ProxyChoice, VersionChoice};
pub use request::{BodyUse, Request};
pub use response_headers::ResponseHeaders;
pub use setup_error::SetupError;
pub use target::{Destination, UrlError};
pub use transport::Transport;
pub(crate) use upgrade::Declined;
pub(crate) use url_parts::{UrlParts, join_urls, query_of, with_query};

pub use crate::metrics::{ErrorKind, Timings};
