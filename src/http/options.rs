//! HTTP settings of a run.
//!
//! Owns the plain values and their defaults. Leaves checking them to [`Transport::new`](super::Transport::new).
//! Invariant: pure data; nothing here reads a file or the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// HTTP settings of a run; pure data.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Headers sent with every request unless the request sets the same header. A name may occur more than once;
    /// a name that is also a default header (`accept`, `user-agent` …) replaces that default.
    pub headers: Vec<(String, String)>,
    /// Host name → `ip` or `ip:port` to connect to, instead of a DNS lookup; several are separated by commas. Names
    /// are case-insensitive.
    pub resolve: Vec<(String, String)>,
    /// Which address of a name a new connection goes to.
    pub dns: DnsChoice,
    /// How long the addresses of a name are used before it is looked up again; with zero, each connection looks it up.
    pub dns_ttl: Duration,
    /// Accept any certificate.
    pub insecure: bool,
    /// PEM file of certificates to trust, in addition to the system's and the bundled roots.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client certificate chain and its private key.
    pub client_cert: Option<PathBuf>,
    /// What those two files hold, where that is at hand, by their paths; others are read.
    pub contents: BTreeMap<PathBuf, Arc<[u8]>>,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// Value of the `user-agent` header.
    pub user_agent: String,
    /// Maximum number of redirects to follow; with 0, a 3xx response is final.
    pub max_redirects: u32,
    /// Timeout of a whole request: connection, redirects and body.
    pub timeout: Duration,
    /// Timeout for opening a connection: DNS, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// The HTTP version to use.
    pub version: VersionChoice,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            headers: Vec::new(),
            resolve: Vec::new(),
            dns: DnsChoice::RoundRobin,
            dns_ttl: Duration::from_secs(5 * 60),
            insecure: false,
            ca_file: None,
            client_cert: None,
            contents: BTreeMap::new(),
            proxy: ProxyChoice::None,
            user_agent: concat!("rhaid/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_redirects: 10,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            version: VersionChoice::Auto,
        }
    }
}

/// The proxy for requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProxyChoice {
    /// No proxy, whatever the environment says: a load test measures the target, not a proxy in front of it.
    #[default]
    None,
    /// This proxy for every request: `http://[user:password@]host:port` or `https://…`.
    Url(String),
    /// As set in `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    Environment,
}

impl ProxyChoice {
    /// Parses a proxy setting: a URL, `env`, or `none`. The URL is validated when it is used.
    pub fn named(text: &str) -> ProxyChoice {
        match text {
            "" | "none" => ProxyChoice::None,
            "env" => ProxyChoice::Environment,
            url => ProxyChoice::Url(url.to_owned()),
        }
    }
}

/// The HTTP version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VersionChoice {
    /// Negotiated by ALPN on `https`, HTTP/1.1 on `http`.
    #[default]
    Auto,
    /// HTTP/1.1 always.
    Http1,
    /// HTTP/2 always; on `http` with prior knowledge, that is, without negotiation.
    Http2,
}

impl VersionChoice {
    /// The version that settings and scripts name so: `auto`, `1.1` or `2`.
    ///
    /// # Errors
    /// A message with the valid names.
    pub fn parse(name: &str) -> Result<VersionChoice, String> {
        match name {
            "auto" => Ok(VersionChoice::Auto),
            "1.1" | "1" => Ok(VersionChoice::Http1),
            "2" | "2.0" => Ok(VersionChoice::Http2),
            _ => Err("it is one of auto, 1.1, 2".to_owned()),
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            VersionChoice::Auto => "auto",
            VersionChoice::Http1 => "1.1",
            VersionChoice::Http2 => "2",
        }
    }
}

/// Which address of a name a new connection goes to. Those that did not answer lately are left out, and if the one chosen
/// does not answer, the next is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DnsChoice {
    /// The first one.
    First,
    /// One after the other, over all virtual users.
    #[default]
    RoundRobin,
    /// Any.
    Random,
}

impl DnsChoice {
    /// The choices by name, as settings and scripts write them.
    pub const CHOICES: [(&'static str, DnsChoice); 3] =
        [("first", DnsChoice::First), ("round-robin", DnsChoice::RoundRobin), ("random", DnsChoice::Random)];

    /// The choice that settings and scripts name so.
    ///
    /// # Errors
    /// A message with the valid names.
    pub fn parse(name: &str) -> Result<DnsChoice, String> {
        let found = DnsChoice::CHOICES.iter().find(|(known, _)| *known == name);
        found.map(|(_, choice)| *choice).ok_or_else(|| "it is one of first, round-robin, random".to_owned())
    }
}
