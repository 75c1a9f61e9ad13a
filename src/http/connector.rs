//! Opening connections.
//!
//! Owns the way from an origin to a connection that speaks HTTP: address, TCP, proxy, TLS, version. Leaves
//! keeping them to `pool.rs`. Invariants: the whole way is within `connect_timeout`; every part of it is
//! noted in the record as it happens.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::{self, ErrorKind, HttpError};
use super::http2::Http2;
use super::limit::within;
use super::link::{Forward, Link, Peer, Pipe, Stream, Wire};
use super::network::Network;
use super::options::VersionChoice;
use super::proxy::{Proxy, Speaks};
use super::record::{Phase, Record};
use super::resolver::Addresses;
use super::target::Origin;
use crate::system::{takes_reserved_file, too_many_files};
use crate::text::format_duration;

/// A connection that was just opened.
pub(super) enum Opened {
    /// On which nothing was said yet.
    Http1(Wire),
    Http2(Rc<Http2>),
}

/// Opens a connection to `origin`.
pub(super) async fn open(
    network: &Network,
    origin: &Origin,
    version: VersionChoice,
    record: &mut Record,
) -> Result<Opened, HttpError> {
    let tunnelled = origin.is_https || version == VersionChoice::Http2;
    let opening = Opening { network, origin, version, tunnelled, record };
    within_limit(opening, async |opening| opening.connection().await).await
}

/// Opens a stream to `origin` that leads there, through a proxy too, and speaks nothing on it.
pub(super) async fn open_stream(
    network: &Network,
    origin: &Origin,
    record: &mut Record,
) -> Result<Wire, HttpError> {
    let opening = Opening { network, origin, version: VersionChoice::Http1, tunnelled: true, record };
    within_limit(opening, async |opening| opening.wire().await).await
}

/// Opens something, within `connect_timeout`.
async fn within_limit<T>(
    mut opening: Opening<'_>,
    open: impl AsyncFnOnce(&mut Opening<'_>) -> Result<T, HttpError>,
) -> Result<T, HttpError> {
    let limit = opening.network.transport.options.connect_timeout;
    let started = tokio::time::Instant::now();
    match within(limit, started, open(&mut opening)).await {
        Some(result) => {
            opening.record.end_phase();
            result
        }
        None => Err(too_slow(opening.origin, opening.record.phase(), limit)),
    }
}

fn too_slow(origin: &Origin, phase: Option<Phase>, limit: Duration) -> HttpError {
    let (host, authority) = (&origin.host, &origin.authority);
    let what = match phase {
        Some(Phase::Dns) => format!("DNS lookup of '{host}' did not finish"),
        Some(Phase::Tls) => format!("TLS handshake with {authority} did not finish"),
        _ => format!("connection to {authority} was not established"),
    };
    let told = HttpError::new(ErrorKind::Timeout, format!("{what} within {}", format_duration(limit)));
    if phase == Some(Phase::Tls) { told } else { told.coded(error::DIAL_TIMEOUT) }
}

/// A connection on its way.
struct Opening<'a> {
    network: &'a Network,
    origin: &'a Origin,
    version: VersionChoice,
    /// A proxy is to pass bytes through instead of reading requests.
    tunnelled: bool,
    record: &'a mut Record,
}

impl Opening<'_> {
    /// A connection that speaks HTTP.
    async fn connection(&mut self) -> Result<Opened, HttpError> {
        let wire = self.wire().await?;
        self.speak(wire).await
    }

    /// A stream on which nothing was said to the server yet.
    async fn wire(&mut self) -> Result<Wire, HttpError> {
        let origin = self.origin;
        if let Some(path) = &origin.socket {
            return self.local(path).await;
        }
        let proxy = self.network.transport.proxies.for_origin(origin)?;
        let (host, port) = match &proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (&*origin.host, origin.port),
        };
        let addresses = self.addresses(host).await?;
        self.record.begin_phase(Phase::Connecting);
        let tcp = self.connect(&addresses, port).await?;
        let peer = tcp.peer_addr().map_err(|cause| error::connecting(&cause, &origin.authority))?;
        let forward = match &proxy {
            Some(proxy) if !self.tunnelled && proxy.reads_requests() => {
                Some(Forward { authorization: proxy.authorization.clone() })
            }
            _ => None,
        };
        let link = Link::new(Peer::Tcp(peer), forward);
        self.record.opened(&link);
        let mut stream = Stream::new(Pipe::Tcp(tcp), link.clone());
        if let Some(proxy) = &proxy {
            stream = self.reach_through(proxy, stream).await?;
        }
        if origin.is_https {
            self.record.begin_phase(Phase::Tls);
            stream = self.encrypt(stream, &origin.host, self.version).await?;
            link.note_tls(stream.tls_version());
        }
        self.record.end_phase();
        Ok(Wire::new(stream, link))
    }

    /// A stream over a socket in the file system.
    #[cfg(unix)]
    async fn local(&mut self, path: &Rc<Path>) -> Result<Wire, HttpError> {
        self.record.begin_phase(Phase::Connecting);
        let socket =
            UnixStream::connect(path).await.map_err(|cause| error::connecting(&cause, &path.display()))?;
        let link = Link::new(Peer::Unix(path.clone()), None);
        self.record.opened(&link);
        self.record.end_phase();
        Ok(Wire::new(Stream::new(Pipe::Unix(socket), link.clone()), link))
    }

    #[cfg(not(unix))]
    async fn local(&mut self, path: &Rc<Path>) -> Result<Wire, HttpError> {
        let message = format!("there are no sockets like {} on this system", path.display());
        Err(HttpError::new(ErrorKind::Other, message))
    }

    /// The addresses to try.
    async fn addresses(&mut self, host: &str) -> Result<Rc<Addresses>, HttpError> {
        if let Some(addresses) = self.network.resolver.cached(host) {
            return Ok(addresses);
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Addresses::one(address));
        }
        self.record.begin_phase(Phase::Dns);
        self.network.resolver.look_up(host).await
    }

    /// Tries each address in turn, each with its share of the time that is left.
    async fn connect(&self, addresses: &Addresses, port: u16) -> Result<TcpStream, HttpError> {
        let limit = self.network.transport.options.connect_timeout;
        let started = Instant::now();
        let mut last = None;
        let order = addresses.in_turn();
        for (tried, (index, address)) in order.iter().enumerate() {
            let peer = SocketAddr::new(address.ip, address.port.unwrap_or(port));
            let left = order.len() - tried;
            let attempt = if left == 1 {
                // The limit around the whole way ends this one.
                open_tcp(peer).await
            } else {
                let share = limit.saturating_sub(started.elapsed()) / u32::try_from(left).unwrap_or(u32::MAX);
                match timeout(share, open_tcp(peer)).await {
                    Ok(result) => result,
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                }
            };
            let attempt = attempt.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
            addresses.note(*index, attempt.is_ok());
            match attempt {
                Ok(tcp) => return Ok(tcp),
                Err(cause) => last = Some(error::connecting(&cause, &peer)),
            }
        }
        // Addresses are never empty, so there was an error.
        Err(last.unwrap_or_else(|| HttpError::new(ErrorKind::Dns, "the host has no address")))
    }

    /// Talks to the proxy until the stream leads to the server, or the proxy waits for requests.
    async fn reach_through(&mut self, proxy: &Proxy, mut stream: Stream) -> Result<Stream, HttpError> {
        match proxy.speaks {
            Speaks::Http => {}
            Speaks::Https => {
                self.record.begin_phase(Phase::Tls);
                stream = self.encrypt(stream, &proxy.host, VersionChoice::Http1).await?;
            }
            Speaks::Socks | Speaks::SocksNames => {
                let address = match proxy.speaks {
                    Speaks::Socks => self.addresses(&self.origin.host).await?.in_turn().first().copied(),
                    _ => None,
                };
                self.record.begin_phase(Phase::Connecting);
                proxy.pass(&mut stream, self.origin, address.map(|(_, address)| address.ip)).await?;
                return Ok(stream);
            }
        }
        if self.tunnelled {
            self.record.begin_phase(Phase::Connecting);
            proxy.tunnel(&mut stream, self.origin).await?;
        }
        Ok(stream)
    }

    async fn encrypt(&self, stream: Stream, host: &str, version: VersionChoice) -> Result<Stream, HttpError> {
        let tls = |message: String| HttpError::new(ErrorKind::Tls, message);
        let config = self
            .network
            .transport
            .tls
            .config(version)
            .map_err(|reason| tls(format!("TLS is not available: {reason}")))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| tls(format!("'{host}' is not a valid host name for a certificate")))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|cause| error::handshaking(&cause, host))?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn speak(&self, wire: Wire) -> Result<Opened, HttpError> {
        let asked_http2 = self.version == VersionChoice::Http2;
        let speaks_http2 = wire.negotiated_http2() || (asked_http2 && !self.origin.is_https);
        if asked_http2 && !speaks_http2 {
            return Err(HttpError::new(
                ErrorKind::Protocol,
                format!("{} does not offer HTTP/2, which was requested", self.origin.authority),
            ));
        }
        if speaks_http2 {
            Ok(Opened::Http2(Rc::new(Http2::over(wire).await?)))
        } else {
            Ok(Opened::Http1(wire))
        }
    }
}

/// Connects, but leaves the last files that this process may open to its results.
async fn open_tcp(peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if takes_reserved_file(&socket) {
        return Err(too_many_files());
    }
    socket.connect(peer).await
}
