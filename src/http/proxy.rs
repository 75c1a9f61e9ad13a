//! Proxies: which requests go through one, and opening a tunnel.
//!
//! Owns the choice and the CONNECT exchange. Leaves the rules of `NO_PROXY` to hyper-util's matcher and TLS to
//! the connector. Invariant: only `http` and `https` proxies; anything else is an error that says so.

use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::{self, ErrorKind, HttpError};
use super::options::ProxyChoice;
use super::setup_error::SetupError;
use super::target::{Destination, Origin};

/// The longest answer to CONNECT that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Which requests of a run go through which proxy.
pub(super) enum ProxyRule {
    Direct,
    Always(Proxy),
    Environment(Box<Matcher>),
}

/// One proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) is_https: bool,
    /// An IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) authorization: Option<HeaderValue>,
}

impl ProxyRule {
    pub(super) fn new(choice: &ProxyChoice) -> Result<ProxyRule, SetupError> {
        match choice {
            ProxyChoice::None => Ok(ProxyRule::Direct),
            ProxyChoice::Environment => Ok(ProxyRule::Environment(Box::new(Matcher::from_env()))),
            ProxyChoice::Url(url) => {
                // `proxy.example:3128` is a common way to write it.
                let full = if url.contains("://") { url.clone() } else { format!("http://{url}") };
                let target = Destination::parse(&full)
                    .map_err(|error| SetupError::Proxy { url: url.clone(), reason: error.to_string() })?;
                let origin = target.origin();
                Ok(ProxyRule::Always(Proxy {
                    is_https: origin.is_https,
                    host: origin.host.to_string(),
                    port: origin.port,
                    authorization: origin.basic_auth.clone(),
                }))
            }
        }
    }

    /// The proxy that requests to `origin` go through.
    pub(super) fn for_origin(&self, origin: &Origin) -> Result<Option<Proxy>, HttpError> {
        match self {
            ProxyRule::Direct => Ok(None),
            ProxyRule::Always(proxy) => Ok(Some(proxy.clone())),
            ProxyRule::Environment(matcher) => {
                let Some(intercept) = destination(origin).and_then(|uri| matcher.intercept(&uri)) else {
                    return Ok(None);
                };
                let uri = intercept.uri();
                let is_https = match uri.scheme_str() {
                    Some("http") => false,
                    Some("https") => true,
                    other => {
                        return Err(HttpError::new(
                            ErrorKind::Other,
                            format!(
                                "the environment sets a proxy with the scheme '{}'; only http and https \
                                 proxies are supported",
                                other.unwrap_or_default()
                            ),
                        ));
                    }
                };
                let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
                Ok(Some(Proxy {
                    is_https,
                    host: host.to_owned(),
                    port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
                    authorization: intercept.basic_auth().cloned(),
                }))
            }
        }
    }
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
            Some(status) => Err(broken(&format!("it responded with {status}"))),
            None => Err(broken("its response is not HTTP")),
        }
    }
}
