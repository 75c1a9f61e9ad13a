//! Times and bytes. Only what holds on any machine is asserted: what is there, what is not, and the sums.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::server::{Conversation, Server, ok, response};
use super::{client, get, kind, message, request, run};
use crate::http::{Client, Exchange, HttpOptions, Request, VersionChoice};

fn check_sum(exchange: &Exchange) {
    let timings = &exchange.timings;
    let opening = [timings.dns, timings.connecting, timings.tls].into_iter().flatten().sum::<Duration>();
    let sum = timings.blocked + opening + timings.service();
    assert!(sum <= timings.total, "{timings:?}");
    // The parts leave nothing out.
    assert_eq!(sum, timings.total, "{timings:?}");
}

#[test]
fn parts_add_up() {
    run(async {
        let server = Server::answering(|seen| match seen.path.as_str() {
            "/away" => response(302, "location: /\r\n", ""),
            _ => ok("x"),
        })
        .await;
        let client = client();
        let first = get(&client, server.url("/")).await;
        assert!(first.timings.connecting.is_some());
        assert_eq!((first.timings.dns, first.timings.tls), (None, None));
        check_sum(&first);
        let second = get(&client, server.url("/")).await;
        assert_eq!(
            (second.timings.connecting, second.timings.dns, second.timings.blocked),
            (None, None, Duration::ZERO)
        );
        assert!(second.timings.waiting > Duration::ZERO);
        check_sum(&second);
        check_sum(&get(&client, server.url("/away")).await);
    });
}

#[test]
fn a_slow_answer_is_waiting_and_a_slow_body_is_receiving() {
    run(async {
        let pause = Duration::from_millis(60);
        let server = Server::start(move |_, stream| async move {
            let mut conversation = Conversation::new(stream);
            while let Some(seen) = conversation.request().await {
                if seen.path == "/wait" {
                    tokio::time::sleep(pause).await;
                }
                conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n").await;
                if seen.path == "/receive" {
                    tokio::time::sleep(pause).await;
                }
                conversation.send("x").await;
            }
        })
        .await;
        let client = client();
        get(&client, server.url("/")).await;
        let waited = get(&client, server.url("/wait")).await;
        assert!(waited.timings.waiting >= pause, "{:?}", waited.timings);
        let received = get(&client, server.url("/receive")).await;
        assert!(received.timings.receiving >= pause, "{:?}", received.timings);
        check_sum(&waited);
        check_sum(&received);
    });
}

#[test]
fn bytes_are_counted_exactly() {
    run(async {
        let read = Rc::new(Cell::new(0));
        let written = Rc::new(Cell::new(0));
        let counters = (read.clone(), written.clone());
        let server = Server::start(move |_, stream| {
            let (read, written) = counters.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                while let Some(seen) = conversation.request().await {
                    // Counted before the client can see the answer.
                    let answer = match seen.path.as_str() {
                        "/away" => response(302, "location: /end\r\n", "moved"),
                        _ => ok(&"x".repeat(seen.body.len() * 3)),
                    };
                    read.set(conversation.bytes_read);
                    written.set(conversation.bytes_written + answer.len() as u64);
                    conversation.send(answer).await;
                }
            }
        })
        .await;
        let client = client();
        let (mut sent, mut received) = (0, 0);
        for (path, length) in [("/", 0), ("/", 5), ("/away", 7), ("/", 100_000), ("/", 1)] {
            let request = Request {
                body: Bytes::from(vec![b'y'; length]).into(),
                ..request(Method::POST, server.url(path))
            };
            let exchange = client.send(request).await;
            sent += exchange.bytes_sent;
            received += exchange.bytes_received;
            assert_eq!((sent, received), (read.get(), written.get()), "{path} {length}");
        }
    });
}

#[test]
fn a_request_that_failed_counts_its_bytes() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "body");
        assert_eq!(exchange.bytes_received, 41);
        assert!(exchange.bytes_sent > 0);
        check_sum(&exchange);
    });
}

/// The bytes and the time of the first try belong to the request that was sent again.
#[test]
fn a_second_try_counts_both() {
    run(async {
        const DELAY: Duration = Duration::from_millis(30);
        let server = Server::start(|number, stream| async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if number == 0 {
                    tokio::time::sleep(DELAY).await;
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                } else {
                    respond.send_response(http::Response::new(()), true).unwrap();
                }
            }
        })
        .await;
        let again = Request { version: Some(VersionChoice::Http2), ..request(Method::POST, server.url("/")) };
        let client = client();
        let twice = client.send(again.clone()).await;
        assert_eq!((twice.status, twice.retries, server.accepted()), (200, 1, 2), "{}", message(&twice));
        assert!(twice.timings.service() >= DELAY);
        check_sum(&twice);
        let once = client.send(again).await;
        assert_eq!((once.status, once.retries, server.accepted()), (200, 0, 2));
        assert!(twice.bytes_sent >= 2 * once.bytes_sent);
    });
}

#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 128, "{} bytes", size_of::<Client>());
    let network = super::network_with(HttpOptions::default());
    let future = size_of_val(&Client::new(network).send(request(Method::GET, "http://x/")));
    assert!(future <= 4096, "{future} bytes");
}
