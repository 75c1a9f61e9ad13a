//! An HTTPS server on a free port of 127.0.0.1 with a certificate that nobody has signed.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Answers every request with 200 and `secure`, and a websocket's handshake as `super::websocket` does by the last part
/// of the path. Lives as long as the tests' process.
pub(crate) struct TlsServer {
    pub(crate) addr: SocketAddr,
    /// Its certificate, as PEM.
    pub(crate) certificate: String,
}

impl TlsServer {
    pub(crate) fn start() -> TlsServer {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, TlsAcceptor::from(Arc::new(config))));
        });
        TlsServer { addr, certificate: own.cert.pem() }
    }
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not trust the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut buffer = Vec::new();
            while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
                if buffer.ends_with(b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&buffer).into_owned();
                    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
                    let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
                    if let Some((_, key)) = key {
                        let path = head.split(' ').nth(1).unwrap_or_default();
                        return super::websocket::serve(stream, key, path.rsplit('/').next().unwrap()).await;
                    }
                    buffer.clear();
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecure";
                    if stream.write_all(answer).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}
