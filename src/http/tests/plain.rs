//! What is exchanged without hyper is what hyper would have exchanged: whatever a server says, the results are the same
//! without it, with it from the start, and when it takes over what was read.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::server::{Conversation, Server, not_plain, ok};
use super::{client, network_with, request, run};
use crate::http::plain::Moment;
use crate::http::{Body, BodyUse, Client, Exchange, HttpOptions, Request};

const WAYS: [Option<Moment>; 3] = [None, Some(Moment::Before), Some(Moment::After)];

/// A client whose exchanges are handed over to hyper at this moment.
fn client_that(hands_over: Option<Moment>) -> Client {
    let network = network_with(HttpOptions::default());
    network.scratch.hands_over.set(hands_over);
    Client::new(network)
}

/// What a person can see of it, but for the times and this server's address.
fn seen_of(exchange: &Exchange, server: &Server) -> String {
    let Exchange { status, version, headers, trailers, body, body_size, error, bytes_sent, .. } = exchange;
    let error = error.as_ref().map(|error| error.to_string().replace(&server.addr.to_string(), "PEER"));
    format!("{status} {version:?} {headers:?} {trailers:?} {body:?} {body_size} {error:?} {bytes_sent}")
}

/// What comes of a request to a server that answers it with these bytes and ends the connection, in each way.
async fn in_each_way(bytes: &[u8], body_use: BodyUse) -> Vec<String> {
    let mut results = Vec::new();
    for way in WAYS {
        let said = bytes.to_vec();
        let server = Server::start(move |_, stream| {
            let said = said.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                conversation.request().await;
                conversation.send(&said).await;
            }
        })
        .await;
        let asked = Request { body_use, ..request(Method::GET, server.url("/")) };
        results.push(seen_of(&client_that(way).send(asked).await, &server));
    }
    results
}

#[test]
fn every_response_reads_the_same_with_and_without_hyper() {
    run(async {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nok",
            "HTTP/1.1 200\r\nContent-Length: 0\r\nX-Empty:\r\nx-two: 1\r\nX-TWO: 2\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 20 Odd\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length : 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nx: \u{e9}\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nx y: 1\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\nA\r\n0123456789\r\n00\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-after: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok!\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nmore",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "SSH-2.0-OpenSSH_9\r\n",
            "HTTP/1.1 200 OK\r\nx: y",
            "",
        ] {
            for body_use in [BodyUse::Keep, BodyUse::Discard] {
                let results = in_each_way(text.as_bytes(), body_use).await;
                assert_eq!(results[0], results[1], "{text:?}");
                assert_eq!(results[0], results[2], "{text:?}, handed over");
            }
        }
    });
}

/// Valid responses with a byte changed, put in or left out.
#[test]
fn damaged_responses_read_the_same_with_and_without_hyper() {
    let mut random = StdRng::seed_from_u64(16);
    let whole = [
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
        "HTTP/1.1 404 Not Found\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ];
    run(async {
        for round in 0..400 {
            let mut bytes = whole[round % 2].as_bytes().to_vec();
            for _ in 0..random.random_range(1..3) {
                let at = random.random_range(0..bytes.len());
                let byte = b"\r\n :;,0129aA\0\x7f\xff\t"[random.random_range(0..16)];
                match random.random_range(0..4) {
                    0 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, byte),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes[at] = byte,
                }
            }
            let results = in_each_way(&bytes, BodyUse::Keep).await;
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(results[0], results[1], "{text:?}");
            assert_eq!(results[0], results[2], "{text:?}, handed over");
        }
    });
}

#[test]
fn requests_look_as_those_of_hyper() {
    run(async {
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::start(move |_, stream| {
            let say = say.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                while let Some(seen) = conversation.request().await {
                    conversation.send(ok("x")).await;
                    let _ = say.send((seen.head, seen.body));
                }
            }
        })
        .await;
        let fields = [("x-one", "1"), ("content-type", "text/plain"), ("cookie", "a=b; c=d")];
        let with = |request: Request, number: usize| {
            let mut request = request;
            for (name, value) in &fields[..number] {
                request.headers.append(*name, value.parse().unwrap());
            }
            request
        };
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD] {
            let bodies = ["".to_owned(), "{}".to_owned(), "x".repeat(15_000), "x".repeat(20_000)];
            for (body, number) in bodies.into_iter().flat_map(|body| [(body.clone(), 0), (body, 3)]) {
                let mut requests = Vec::new();
                for way in WAYS {
                    let client = client_that(way);
                    let request = request(method.clone(), server.url("/a%20b?c=d&e=%C3%A9#f"));
                    let body = Body::from(Bytes::from(body.clone()));
                    let exchange = client.send(with(Request { body, ..request }, number)).await;
                    assert_eq!(exchange.status, 200, "{:?}", exchange.error);
                    requests.push(said.recv().await.unwrap());
                }
                assert_eq!(requests[0], requests[1]);
                assert_eq!(requests[0], requests[2]);
            }
        }
    });
}

/// A response may come in pieces, and one connection is used by hyper and without it in turn.
#[test]
fn responses_in_pieces_and_of_both_kinds_on_one_connection() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            let mut number = 0;
            while conversation.request().await.is_some() {
                let body = format!("{number}{}", "x".repeat(number * 37));
                let text = if number % 5 == 4 { not_plain(&body) } else { ok(&body) };
                for piece in text.as_bytes().chunks(text.len().div_ceil(1 + number % 12)) {
                    conversation.send(piece).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                number += 1;
            }
        })
        .await;
        let client = client();
        for number in 0..40 {
            // Long enough for a connection of hyper's to go cold in between.
            if number % 7 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            }
            let exchange = client.send(request(Method::GET, server.url("/"))).await;
            assert_eq!(exchange.body, format!("{number}{}", "x".repeat(number * 37)));
            assert_eq!((exchange.retries, exchange.opened_connection), (0, number == 0));
            let received = exchange.bytes_received;
            assert!(received > exchange.body_size && received < exchange.body_size + 100, "{received}");
        }
        assert_eq!(server.accepted(), 1);
    });
}

/// The socket must not wake the task that used the connection before.
#[test]
fn a_connection_that_hyper_has_left_wakes_the_task_that_uses_it() {
    run(async {
        let server =
            Server::answering(|seen| if seen.path == "/first" { not_plain("1") } else { ok("2") }).await;
        let network = network_with(HttpOptions::default());
        let client = std::rc::Rc::new(Client::new(network.clone()));
        let (first, url) = (client.clone(), server.url("/first"));
        let other_task = tokio::task::spawn_local(async move {
            assert_eq!(first.send(request(Method::GET, url)).await.body, "1");
        });
        other_task.await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        // Cools what has waited.
        Client::new(network).send(request(Method::GET, server.url("/first"))).await;
        assert_eq!(client.cold_connections(), 1);
        // A task of its own: the one of the test is polled whenever another is.
        let work = async move { client.send(request(Method::GET, server.url("/second"))).await };
        let work = tokio::time::timeout(Duration::from_secs(20), tokio::task::spawn_local(work));
        let exchange = work.await.expect("an end").unwrap();
        assert_eq!((&exchange.body[..], exchange.opened_connection), (&b"2"[..], false));
    });
}

#[test]
fn what_comes_before_the_request_is_no_answer_to_it() {
    run(async {
        for way in WAYS {
            let server = Server::start(|_, stream| async move {
                let mut conversation = Conversation::new(stream);
                conversation.send(ok("nobody asked")).await;
                conversation.request().await;
            })
            .await;
            let exchange = client_that(way).send(request(Method::GET, server.url("/"))).await;
            assert!(exchange.status == 0 || exchange.body == "nobody asked", "{way:?}");
        }
    });
}
