//! Settings of a run's HTTP side.
//!
//! Owns the plain values and their defaults. Leaves checking them to [`Transport::new`](super::Transport::new).
//! Invariant: pure data; nothing here reads a file or the environment.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the run's HTTP side; pure data.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Headers sent with every request unless the request sets the same. The same name may stand here twice;
    /// a name that is also a default header (`accept`, `user-agent` …) replaces that default.
    pub headers: Vec<(String, String)>,
    /// Host name → `ip` or `ip:port` to connect to, instead of asking DNS. Names compare without case.
    pub resolve: Vec<(String, String)>,
    /// Accept any certificate.
    pub insecure: bool,
    /// PEM file of certificates to trust, in addition to the system's and the bundled roots.
    pub ca_file: Option<PathBuf>,
    /// PEM file holding the client's certificate chain and its private key.
    pub client_cert: Option<PathBuf>,
    /// Where requests go through.
    pub proxy: ProxyChoice,
    /// Value of the `user-agent` header.
    pub user_agent: String,
    /// How many redirects a request follows; 0 makes a 3xx response the answer.
    pub max_redirects: u32,
    /// Limit of a whole request: connection, redirects and body.
    pub timeout: Duration,
    /// Limit of opening one connection: DNS, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// Which HTTP version to speak.
    pub version: VersionChoice,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            headers: Vec::new(),
            resolve: Vec::new(),
            insecure: false,
            ca_file: None,
            client_cert: None,
            proxy: ProxyChoice::None,
            user_agent: concat!("rhaid/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_redirects: 10,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            version: VersionChoice::Auto,
        }
    }
}

/// Which proxy requests go through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// No proxy, whatever the environment says: a load test measures the target, not what stands before it.
    #[default]
    None,
    /// This proxy for every request: `http://[user:password@]host:port` or `https://…`.
    Url(String),
    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
}

impl ProxyChoice {
    /// The proxy that settings name so: a URL, `env`, or `none`. Whether the URL is one is seen when it is used.
    pub fn named(text: &str) -> ProxyChoice {
        match text {
            "" | "none" => ProxyChoice::None,
            "env" => ProxyChoice::Environment,
            url => ProxyChoice::Url(url.to_owned()),
        }
    }
}

/// Which HTTP version is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VersionChoice {
    /// What the server picks by ALPN on `https`, HTTP/1.1 on `http`.
    #[default]
    Auto,
    /// HTTP/1.1 always.
    Http1,
    /// HTTP/2 always; on `http` with prior knowledge, that is without asking the server first.
    Http2,
}

impl VersionChoice {
    /// The version that settings and scripts name so: `auto`, `1.1` or `2`.
    ///
    /// # Errors
    /// The names that there are, in words.
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
