//! Proxies: which requests go through one, and opening a tunnel.
//!
//! Owns the choice and the CONNECT exchange. Leaves the rules of `NO_PROXY` to hyper-util's matcher, but for ports,
//! which it does not know, SOCKS5 to `socks.rs` and TLS to the connector. Invariant: a proxy of another kind is an error that
//! says so.

use std::net::IpAddr;

use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::{self, ErrorKind, HttpError};
use super::options::ProxyChoice;
use super::setup_error::SetupError;
use super::socks::{self, Goal};
use super::target::{Destination, Origin};
use crate::text::clean_line;

/// The longest answer to CONNECT that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Which requests of a run go through which proxy.
pub(super) enum ProxyRule {
    Direct,
    Always(Proxy),
    Environment(Box<Environment>),
}

/// What the environment says.
pub(super) struct Environment {
    matcher: Matcher,
    /// Hosts with a port in `NO_PROXY`.
    direct: Vec<(String, u16)>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    /// HTTP inside TLS.
    Https,
    /// SOCKS5 with addresses.
    Socks,
    /// SOCKS5 with names, which the proxy looks up.
    SocksNames,
}

/// One proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) speaks: Speaks,
    /// An IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// For HTTP.
    pub(super) authorization: Option<HeaderValue>,
    /// User and password for SOCKS5.
    login: Option<(String, String)>,
}

impl ProxyRule {
    pub(super) fn new(choice: &ProxyChoice) -> Result<ProxyRule, SetupError> {
        match choice {
            ProxyChoice::None => Ok(ProxyRule::Direct),
            ProxyChoice::Environment => {
                let listed = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy"));
                let direct = with_ports(&listed.unwrap_or_default());
                Ok(ProxyRule::Environment(Box::new(Environment { matcher: Matcher::from_env(), direct })))
            }
            ProxyChoice::Url(url) => {
                // `proxy.example:3128` is a common way to write it.
                let full = if url.contains("://") { url.clone() } else { format!("http://{url}") };
                if let Some(proxy) = socks(&full) {
                    return Ok(ProxyRule::Always(proxy));
                }
                let target = Destination::parse(&full)
                    .map_err(|error| SetupError::Proxy { url: url.clone(), reason: error.to_string() })?;
                let origin = target.origin();
                Ok(ProxyRule::Always(Proxy {
                    speaks: if origin.is_https { Speaks::Https } else { Speaks::Http },
                    host: origin.host.to_string(),
                    port: origin.port,
                    authorization: origin.basic_auth.clone(),
                    login: None,
                }))
            }
        }
    }

    /// The proxy that requests to `origin` go through.
    pub(super) fn for_origin(&self, origin: &Origin) -> Result<Option<Proxy>, HttpError> {
        match self {
            ProxyRule::Direct => Ok(None),
            ProxyRule::Always(proxy) => Ok(Some(proxy.clone())),
            ProxyRule::Environment(environment) => {
                let Environment { matcher, direct } = &**environment;
                if direct.iter().any(|(host, port)| *port == origin.port && is_within(&origin.host, host)) {
                    return Ok(None);
                }
                let Some(intercept) = destination(origin).and_then(|uri| matcher.intercept(&uri)) else {
                    return Ok(None);
                };
                let uri = intercept.uri();
                let (speaks, default_port) = match uri.scheme_str() {
                    Some("http") => (Speaks::Http, 80),
                    Some("https") => (Speaks::Https, 443),
                    Some("socks5") => (Speaks::Socks, SOCKS_PORT),
                    Some("socks5h") => (Speaks::SocksNames, SOCKS_PORT),
                    other => {
                        return Err(HttpError::new(
                            ErrorKind::Other,
                            format!(
                                "the environment sets a proxy with the scheme '{}'; only http, https, socks5 and \
                                 socks5h proxies are supported",
                                other.unwrap_or_default()
                            ),
                        ));
                    }
                };
                let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
                Ok(Some(Proxy {
                    speaks,
                    host: host.to_owned(),
                    port: uri.port_u16().unwrap_or(default_port),
                    authorization: intercept.basic_auth().cloned(),
                    login: intercept
                        .raw_auth()
                        .map(|(user, password)| (user.to_owned(), password.to_owned())),
                }))
            }
        }
    }
}

const SOCKS_PORT: u16 = 1080;

/// The SOCKS5 proxy that this URL names; `None` when it has another scheme or no host.
fn socks(url: &str) -> Option<Proxy> {
    let url = url::Url::parse(url).ok()?;
    let speaks = match url.scheme() {
        "socks5" => Speaks::Socks,
        "socks5h" => Speaks::SocksNames,
        _ => return None,
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let login = (!url.username().is_empty())
        .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
    Some(Proxy {
        speaks,
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(SOCKS_PORT),
        authorization: None,
        login,
    })
}

/// The entries of `NO_PROXY` that name a port: `shop.example:8080`, `.example:80`, `[::1]:80`.
fn with_ports(list: &str) -> Vec<(String, u16)> {
    let entry = |text: &str| {
        let (host, port) = text.trim().rsplit_once(':')?;
        let is_address = host.contains(':');
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address,
            // An IPv6 address, not a port after it.
            None if is_address => return None,
            None => host.trim_start_matches("*.").trim_start_matches('.'),
        };
        Some((host.to_ascii_lowercase(), port.parse().ok()?))
    };
    list.split(',').filter_map(entry).collect()
}

/// Whether a host is this one or has a name below it.
fn is_within(host: &str, listed: &str) -> bool {
    host.strip_suffix(listed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The origin as the URI that the matcher wants to see.
fn destination(origin: &Origin) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if origin.is_https { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    parts.authority = Some(origin.authority.clone());
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).ok()
}

impl Proxy {
    /// Whether it reads requests, when it need not pass bytes through.
    pub(super) fn reads_requests(&self) -> bool {
        matches!(self.speaks, Speaks::Http | Speaks::Https)
    }

    /// Asks a SOCKS5 proxy at the other end of `stream` for a connection to `origin`, at this address or by its name.
    pub(super) async fn pass<S>(
        &self,
        stream: &mut S,
        origin: &Origin,
        address: Option<IpAddr>,
    ) -> Result<(), HttpError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let goal = match address.or_else(|| origin.host.parse().ok()) {
            Some(address) => Goal::Address(address),
            None => Goal::Name(&origin.host),
        };
        socks::connect(stream, self.login.as_ref(), goal, origin.port).await.map_err(|why| {
            let (host, port, to) = (&self.host, self.port, &origin.authority);
            HttpError::new(
                ErrorKind::Other,
                format!("the proxy {host}:{port} did not connect to {to}: {why}"),
            )
        })
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to `origin`.
    ///
    /// The answer is read byte by byte: what follows its head belongs to the server behind the tunnel.
    pub(super) async fn tunnel<S>(&self, stream: &mut S, origin: &Origin) -> Result<(), HttpError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let host =
            if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.to_string() };
        let destination = format!("{host}:{}", origin.port);
        let mut ask = format!("CONNECT {destination} HTTP/1.1\r\nhost: {destination}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            ask.extend_from_slice(b"proxy-authorization: ");
            ask.extend_from_slice(authorization.as_bytes());
            ask.extend_from_slice(b"\r\n");
        }
        ask.extend_from_slice(b"\r\n");
        let broken = |cause: &str| {
            HttpError::new(
                ErrorKind::Other,
                format!(
                    "the proxy {}:{} did not open a tunnel to {destination}: {cause}",
                    self.host, self.port
                ),
            )
        };
        let io = |cause: std::io::Error| broken(&error::describe_io(&cause));
        stream.write_all(&ask).await.map_err(io)?;
        stream.flush().await.map_err(io)?;
        let mut answer = Vec::with_capacity(256);
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER {
                return Err(broken("its response is incomplete"));
            }
            match stream.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(broken("it closed the connection"));
                }
                Err(cause) => return Err(io(cause)),
            }
        }
        let status_line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let text = String::from_utf8_lossy(status_line);
        match text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)) {
            Some(status) if status.starts_with('2') => Ok(()),
            Some(status) => Err(broken(&format!("it responded with {}", clean_line(status).trim_end()))),
            None => Err(broken("its response is not HTTP")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_with_ports() {
        let found =
            with_ports("shop.example:8080, .b.example:80,*.c:1,plain.example,[::1]:90,::1,10.0.0.0/8,x:y");
        let expected = [("shop.example", 8080), ("b.example", 80), ("c", 1), ("::1", 90)];
        assert_eq!(found, expected.map(|(host, port)| (host.to_owned(), port)));
        assert!(is_within("shop.example", "shop.example") && is_within("a.shop.example", "shop.example"));
        assert!(!is_within("workshop.example", "shop.example"));
    }
}
