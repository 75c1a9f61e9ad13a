//! What failures look like: their kinds and their words.

use std::time::Duration;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{Conversation, Server, ok};
use super::{client, client_with, get, kind, message, request, run};
use crate::http::{ErrorKind, HttpOptions, ProxyChoice, Request, SetupError, Transport};

/// A port that nobody listens on.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// A server that reads one request, sends these bytes and closes.
async fn sending(bytes: &'static str) -> Server {
    Server::start(move |_, stream| async move {
        let mut conversation = Conversation::new(stream);
        conversation.request().await;
        conversation.send(bytes).await;
    })
    .await
}

#[test]
fn kinds_have_stable_names() {
    let names: Vec<_> = ErrorKind::transport().map(|kind| kind.to_string()).collect();
    assert_eq!(names.join(" "), "dns refused reset timeout tls protocol body redirect other");
}

#[test]
fn refused() {
    run(async {
        let port = free_port().await;
        let exchange = get(&client(), format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(
            message(&exchange),
            format!("connection refused by 127.0.0.1:{port} (is the server running there?)")
        );
        assert_eq!((kind(&exchange).as_str(), exchange.status), ("refused", 0));
        assert_eq!((exchange.bytes_sent, exchange.bytes_received), (0, 0));
        assert!(exchange.timings.connecting.is_some());
        assert!(!exchange.opened_connection);
    });
}

#[test]
fn unresolvable() {
    run(async {
        let exchange = get(&client(), "http://nohost.invalid/").await;
        assert_eq!(kind(&exchange), "dns");
        assert!(
            message(&exchange).starts_with("cannot resolve 'nohost.invalid': "),
            "{}",
            message(&exchange)
        );
        assert!(!message(&exchange).contains("os error"));
        assert!(exchange.timings.dns.is_some());
        assert_eq!(exchange.timings.connecting, None);
    });
}

#[test]
fn too_slow() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            while conversation.request().await.is_some() {}
        })
        .await;
        let request =
            Request { timeout: Some(Duration::from_millis(80)), ..request(Method::GET, server.url("/")) };
        let client = client();
        let exchange = client.send(request.clone()).await;
        assert_eq!((kind(&exchange).as_str(), exchange.status), ("timeout", 0));
        assert_eq!(message(&exchange), "no complete response within 80ms");
        // What is known up to the limit is told.
        assert!(exchange.timings.waiting > Duration::ZERO);
        assert!(exchange.timings.total >= Duration::from_millis(80));
        assert!(exchange.bytes_sent > 0);
        assert!(exchange.opened_connection);
        // Its connection is gone with it.
        client.send(request).await;
        assert_eq!(server.accepted(), 2);
    });
}

#[test]
fn a_response_that_is_read_after_the_limit_is_too_late() {
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let is_asked = Arc::new(AtomicBool::new(false));
    let asked = is_asked.clone();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]).unwrap();
        asked.store(true, Ordering::Release);
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").unwrap();
    });
    run(async {
        let limit = Duration::from_millis(200);
        let request = Request { timeout: Some(limit), ..request(Method::GET, url) };
        let client = client();
        // The thread is busy from when the server has the request until after the limit: then both are there.
        let busy = async {
            while !is_asked.load(Ordering::Acquire) {
                tokio::task::yield_now().await;
            }
            std::thread::sleep(limit + Duration::from_millis(50));
        };
        let (exchange, ()) = tokio::join!(client.send(request), busy);
        assert_eq!((kind(&exchange).as_str(), exchange.status), ("timeout", 0));
        assert_eq!(message(&exchange), "no complete response within 200ms");
        assert!(exchange.timings.total > limit);
    });
    server.join().unwrap();
}

#[test]
fn too_slow_inside_the_body() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
            conversation.request().await;
        })
        .await;
        let request =
            Request { timeout: Some(Duration::from_millis(80)), ..request(Method::GET, server.url("/")) };
        let exchange = client().send(request).await;
        assert_eq!((kind(&exchange).as_str(), exchange.status), ("timeout", 0));
        assert!(exchange.timings.receiving > Duration::ZERO);
    });
}

#[test]
fn the_timer_is_set_anew_for_each_request() {
    run(async {
        let server = Server::answering(|_| ok("x")).await;
        let client = client();
        for timeout in [60_000, 100, 60_000, 100] {
            let limit = Some(Duration::from_millis(timeout));
            let request = Request { timeout: limit, ..request(Method::GET, server.url("/")) };
            assert_eq!(kind(&client.send(request).await), "status 200");
            // Longer than the short limit: it must not strike the next request.
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        let endless = Request { timeout: Some(Duration::MAX), ..request(Method::GET, server.url("/")) };
        assert_eq!(kind(&client.send(endless).await), "status 200");
    });
}

#[test]
fn too_slow_to_connect() {
    run(async {
        // Nobody accepts TLS: the connection opens, the handshake never ends.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = client_with(HttpOptions {
            connect_timeout: Duration::from_millis(80),
            insecure: true,
            ..HttpOptions::default()
        });
        let exchange = get(&client, format!("https://{addr}/")).await;
        assert_eq!(kind(&exchange), "timeout");
        assert_eq!(message(&exchange), format!("TLS handshake with {addr} did not finish within 80ms"));
        assert!(exchange.timings.tls.is_some());
    });
}

#[test]
fn closed_before_the_response() {
    run(async {
        let server = sending("").await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "reset");
        assert_eq!(message(&exchange), format!("connection closed by {} before the response", server.addr));
    });
}

#[test]
fn closed_inside_the_head() {
    run(async {
        let server = sending("HTTP/1.1 200 OK\r\ncontent-").await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "reset", "{}", message(&exchange));
    });
}

#[test]
fn reset_inside_the_body() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await;
            let stream = conversation.into_inner();
            // Closing with linger 0 sends RST.
            stream.set_zero_linger().unwrap();
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!((kind(&exchange).as_str(), exchange.status), ("body", 0));
        assert_eq!(
            message(&exchange),
            format!("connection closed by {} inside the body of its 200 response", server.addr)
        );
    });
}

#[test]
fn closed_inside_the_body() {
    run(async {
        for bytes in [
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        ] {
            let server = sending(bytes).await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!(kind(&exchange), "body", "{}", message(&exchange));
        }
    });
}

#[test]
fn nonsense_instead_of_a_response() {
    run(async {
        for bytes in
            ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
        {
            let server = sending(bytes).await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!(kind(&exchange), "protocol", "{bytes}: {}", message(&exchange));
        }
    });
}

#[test]
fn nonsense_inside_the_body() {
    run(async {
        let server = sending("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n").await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "protocol", "{}", message(&exchange));
    });
}

/// What the server says after a response, without being asked, spoils the connection but not the request.
#[test]
fn a_talkative_server() {
    run(async {
        let server = Server::start(|_, mut stream| async move {
            let mut conversation = Conversation::new(&mut stream);
            conversation.request().await;
            conversation.send(format!("{}and more", ok("x"))).await;
            stream.flush().await.unwrap();
            Conversation::new(stream).request().await;
        })
        .await;
        let client = client();
        for number in 1..=2 {
            assert_eq!(kind(&get(&client, server.url("/")).await), "status 200");
            assert_eq!(server.accepted(), number);
        }
    });
}

#[test]
fn http2_against_a_server_that_does_not_know_it() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            // Closing before everything was read would reset the connection.
            let _ = tokio::io::copy(&mut conversation.into_inner(), &mut tokio::io::sink()).await;
        })
        .await;
        let request = Request {
            version: Some(crate::http::VersionChoice::Http2),
            ..request(Method::GET, server.url("/"))
        };
        let exchange = client().send(request).await;
        assert_eq!(kind(&exchange), "protocol", "{}", message(&exchange));
    });
}

fn refused_settings(options: HttpOptions) -> String {
    match Transport::new(options) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("the settings were accepted"),
    }
}

#[test]
fn settings_that_cannot_work_say_so() {
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let base = HttpOptions::default;
    for (options, expected) in [
        (
            HttpOptions { ca_file: Some("/nonexistent/ca.pem".into()), ..base() },
            "cannot read '/nonexistent/ca.pem': ",
        ),
        (
            HttpOptions {
                ca_file: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into()),
                ..base()
            },
            "is not a usable PEM file: it contains no '-----BEGIN CERTIFICATE-----'",
        ),
        (HttpOptions { headers: pair("a b", "x"), ..base() }, "'a b' is not a valid header name"),
        (HttpOptions { headers: pair("x-a", "x\r\ny"), ..base() }, "the value of the header 'x-a' contains"),
        (
            HttpOptions { user_agent: "\n".to_owned(), ..base() },
            "the value of the header 'user-agent' contains",
        ),
        (
            HttpOptions { resolve: pair("shop.example", "nowhere"), ..base() },
            "'nowhere', the address of 'shop.example', is invalid",
        ),
        (
            HttpOptions { proxy: ProxyChoice::Url("socks4://p:1".to_owned()), ..base() },
            "invalid proxy 'socks4://p:1': 'socks4://p:1' has the scheme 'socks4'",
        ),
    ] {
        let message = refused_settings(options);
        assert!(message.contains(expected), "{message}");
    }
    let error = Transport::new(HttpOptions { client_cert: Some("/nonexistent".into()), ..base() });
    assert!(matches!(error, Err(SetupError::File { .. })));
}
