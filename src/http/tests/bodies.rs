//! Reading bodies.

use bytes::Bytes;
use http::{Method, Version};

use super::server::{Conversation, Server, ok};
use super::{client, get, kind, message, request, run};
use crate::http::Request;

#[test]
fn chunked() {
    run(async {
        let server = Server::answering(|_| {
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nhello\r\n1;ext=1\r\n \r\n5\r\nworld\r\n0\r\nx-trailer: y\r\n\r\n"
                .to_owned()
        })
        .await;
        let client = client();
        for _ in 0..3 {
            assert_eq!(get(&client, server.url("/")).await.body, "hello world");
        }
        assert_eq!(server.accepted(), 1);
    });
}

/// Each piece arrives by itself, so that the connection has to be polled between them.
#[test]
fn in_pieces() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            while conversation.request().await.is_some() {
                for piece in ["HTTP/1.1 200 O", "K\r\ncontent-length: 6\r\n", "\r\n", "ab", "cd", "ef"] {
                    conversation.send(piece).await;
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
        let client = client();
        for _ in 0..20 {
            assert_eq!(get(&client, server.url("/")).await.body, "abcdef");
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn until_the_connection_closes() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send("HTTP/1.0 200 OK\r\n\r\nall there is").await;
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(exchange.body, "all there is");
        assert_eq!(exchange.version, Version::HTTP_10);
    });
}

#[test]
fn none_where_none_belongs() {
    run(async {
        let server = Server::answering(|seen| match seen.path.as_str() {
            "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned(),
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            _ => "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n".to_owned(),
        })
        .await;
        let client = client();
        for (method, path, status) in
            [(Method::HEAD, "/head", 200), (Method::GET, "/204", 204), (Method::GET, "/304", 304)]
        {
            let exchange = client.send(request(method, server.url(path))).await;
            assert_eq!((exchange.status, exchange.body.len()), (status, 0), "{}", message(&exchange));
        }
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn interim_responses_are_skipped() {
    run(async {
        let server = Server::answering(|_| {
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{}", ok("end"))
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!((exchange.status, &exchange.body[..]), (200, &b"end"[..]));
    });
}

#[test]
fn ten_megabytes_both_ways() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut conversation = Conversation::new(stream);
            while let Some(seen) = conversation.request().await {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", seen.body.len());
                conversation.send(head).await;
                conversation.send(seen.body).await;
            }
        })
        .await;
        let data: Bytes = (0..10_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<_>>().into();
        let client = client();
        for _ in 0..2 {
            let request = Request { body: data.clone().into(), ..request(Method::POST, server.url("/")) };
            let exchange = client.send(request).await;
            assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
            assert!(exchange.body == data);
            assert!(exchange.bytes_received > data.len() as u64);
        }
        assert_eq!(server.accepted(), 1);
    });
}
