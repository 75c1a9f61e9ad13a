//! TLS, and what is agreed on inside it.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Conversation, Server, ok};
use super::{client, client_with, get, kind, message, request, run};
use crate::http::{ErrorKind, HttpOptions, Request, VersionChoice};

/// A server that speaks TLS with a certificate nobody knows, and HTTP/2 or HTTP/1.1 inside it.
pub(super) struct TlsServer {
    pub(super) server: Server,
    certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
    /// What HTTP/2 requests asked for.
    seen: Rc<RefCell<Vec<http::request::Parts>>>,
}

impl TlsServer {
    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server.addr.port())
    }
}

pub(super) async fn server(names: &[&str]) -> TlsServer {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    serving(rcgen::generate_simple_self_signed(names).unwrap()).await
}

/// A server with this certificate.
async fn serving(certificate: rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsServer {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let server = Server::start(move |_, stream| {
        let (acceptor, log) = (acceptor.clone(), log.clone());
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_http2(stream, log).await;
            } else {
                let mut conversation = Conversation::new(stream);
                while let Some(seen) = conversation.request().await {
                    conversation.send(ok(&seen.path)).await;
                }
            }
        }
    })
    .await;
    TlsServer { server, certificate, seen }
}

/// Starts hyper's tasks on the thread of the test.
#[derive(Clone, Copy)]
struct LocalTasks;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

/// Answers with the length of the body it got, or its path.
async fn serve_http2<S>(stream: S, log: Rc<RefCell<Vec<http::request::Parts>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let log = log.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let answer = match body.len() {
                0 => Bytes::copy_from_slice(parts.uri.path().as_bytes()),
                _ => body,
            };
            log.borrow_mut().push(parts);
            Ok::<_, hyper::Error>(http::Response::new(Full::new(answer)))
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(LocalTasks)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn insecure() -> HttpOptions {
    HttpOptions { insecure: true, ..HttpOptions::default() }
}

#[test]
fn an_unknown_certificate_is_refused() {
    run(async {
        let server = server(&["localhost"]).await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "tls");
        assert_eq!(
            message(&exchange),
            "the certificate of localhost is not trusted: its issuer is unknown or it is self-signed \
             (use --insecure or --ca-file to accept it)"
        );
        assert!(exchange.timings.tls.is_some());
        assert!(exchange.bytes_received > 0);
    });
}

#[test]
fn anyone_is_accepted_when_asked_for() {
    run(async {
        let server = server(&["elsewhere.example"]).await;
        let client = client_with(insecure());
        let exchange = get(&client, server.url("/a")).await;
        assert_eq!(exchange.body, "/a", "{}", message(&exchange));
        assert!(exchange.timings.tls.is_some());
        let again = get(&client, server.url("/b")).await;
        assert_eq!((again.timings.tls, again.timings.connecting), (None, None));
        assert!(again.bytes_received < exchange.bytes_received);
    });
}

#[test]
fn a_ca_file_is_trusted_for_the_names_it_vouches_for() {
    run(async {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let good = server(&["localhost"]).await;
        let other = server(&["elsewhere.example"]).await;
        for server in [&good, &other] {
            file.write_all(server.certificate.cert.pem().as_bytes()).unwrap();
        }
        let client =
            client_with(HttpOptions { ca_file: Some(file.path().to_owned()), ..HttpOptions::default() });
        let exchange = get(&client, good.url("/")).await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        let exchange = get(&client, other.url("/")).await;
        assert_eq!(kind(&exchange), "tls");
        assert!(message(&exchange).contains("it was issued for another name"), "{}", message(&exchange));
    });
}

/// As `openssl req -x509` makes them: an authority that has signed itself, and is the server's own certificate as well.
fn openssl(names: &[&str], until: i32) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    rcgen::CertifiedKey { cert, signing_key }
}

#[test]
fn a_servers_own_certificate_is_trusted_when_the_file_has_it() {
    run(async {
        for (names, until, expected) in [
            (&["localhost"][..], 2090, "status 200"),
            (&[], 2090, "status 200"),
            (&["elsewhere.example"], 2090, "it was issued for another name"),
            (&["localhost"], 2020, "it has expired"),
        ] {
            let server = serving(openssl(names, until)).await;
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(server.certificate.cert.pem().as_bytes()).unwrap();
            let client =
                client_with(HttpOptions { ca_file: Some(file.path().to_owned()), ..HttpOptions::default() });
            let exchange = get(&client, server.url("/")).await;
            let said = format!("{} {}", kind(&exchange), message(&exchange));
            assert!(said.contains(expected), "{names:?}: {said}");
            // Another one of the same kind is not in the file.
            let stranger = serving(openssl(&["localhost"], 2090)).await;
            let exchange = get(&client, stranger.url("/")).await;
            assert_eq!(kind(&exchange), "tls");
            assert!(
                message(&exchange).is_ascii() && !message(&exchange).contains("Error"),
                "{}",
                message(&exchange)
            );
        }
    });
}

#[test]
fn a_client_certificate_is_read_and_checked() {
    let one = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let two = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
    let check = |text: String| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let options = HttpOptions { client_cert: Some(file.path().to_owned()), ..HttpOptions::default() };
        crate::http::Transport::new(options).err().map(|error| error.to_string())
    };
    let pem = one.cert.pem();
    assert_eq!(check(format!("{pem}{}", one.signing_key.serialize_pem())), None);
    let missing = check(pem.clone()).unwrap();
    assert!(missing.contains("it contains no usable private key"), "{missing}");
    let foreign = check(format!("{pem}{}", two.signing_key.serialize_pem())).unwrap();
    assert!(foreign.contains("is not a usable PEM file"), "{foreign}");
}

#[test]
fn alpn_chooses_the_version() {
    run(async {
        let server = server(&["localhost"]).await;
        for (version, expected) in [
            (VersionChoice::Auto, Version::HTTP_2),
            (VersionChoice::Http1, Version::HTTP_11),
            (VersionChoice::Http2, Version::HTTP_2),
        ] {
            let client = client_with(HttpOptions { version, ..insecure() });
            let exchange = get(&client, server.url("/x")).await;
            assert_eq!((exchange.status, exchange.version), (200, expected), "{}", message(&exchange));
        }
        // A request may ask for another version than the run's; then it has its own connection.
        let client = client_with(insecure());
        get(&client, server.url("/")).await;
        let http1 = Request { version: Some(VersionChoice::Http1), ..request(Method::GET, server.url("/")) };
        assert_eq!(client.send(http1).await.version, Version::HTTP_11);
    });
}

#[test]
fn http2_requests_share_one_connection() {
    run(async {
        let server = server(&["localhost"]).await;
        let client = client_with(insecure());
        get(&client, server.url("/first")).await;
        let (a, b, c) = tokio::join!(
            get(&client, server.url("/a")),
            get(&client, server.url("/b")),
            get(&client, server.url("/c"))
        );
        assert_eq!([&a.body[..], &b.body[..], &c.body[..]], [b"/a", b"/b", b"/c"]);
        assert_eq!(server.server.accepted(), 1);
        let parts = server.seen.borrow();
        let authority = format!("localhost:{}", server.server.addr.port());
        assert_eq!(parts[0].uri.authority().unwrap().as_str(), authority);
        assert!(!parts[0].headers.contains_key("host"));
        assert_eq!(parts[0].headers["accept"], "*/*");
    });
}

#[test]
fn http2_closed_connections_are_opened_again() {
    run(async {
        let server = server(&["localhost"]).await;
        let client = client_with(insecure());
        get(&client, server.url("/")).await;
        client.close_connections();
        let exchange = get(&client, server.url("/")).await;
        assert_eq!((exchange.status, exchange.opened_connection), (200, true));
    });
}

#[test]
fn http2_with_prior_knowledge() {
    run(async {
        let server = Server::start(|_, stream| serve_http2(stream, Rc::default())).await;
        let client = client_with(HttpOptions { version: VersionChoice::Http2, ..HttpOptions::default() });
        let data = Bytes::from(vec![b'x'; 3 << 20]);
        for body in [Bytes::new(), Bytes::from_static(b"small"), data] {
            let request = Request { body: body.clone().into(), ..request(Method::POST, server.url("/path")) };
            let exchange = client.send(request).await;
            assert_eq!((kind(&exchange).as_str(), exchange.version), ("status 200", Version::HTTP_2));
            let expected = if body.is_empty() { Bytes::from_static(b"/path") } else { body };
            assert!(exchange.body == expected);
            assert!(exchange.bytes_received > expected.len() as u64);
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn tls_to_a_plain_port() {
    run(async {
        let server = Server::start(|_, stream| async move {
            // Answers the client's hello with plain HTTP.
            let mut conversation = Conversation::new(stream);
            conversation.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            conversation.request().await;
        })
        .await;
        let exchange = get(&client_with(insecure()), format!("https://{}/", server.addr)).await;
        assert_eq!(exchange.error.as_ref().map(|error| error.kind.clone()), Some(ErrorKind::Tls));
        assert_eq!(message(&exchange), "127.0.0.1 does not answer with TLS (is this an http:// port?)");
    });
}
