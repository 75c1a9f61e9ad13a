//! Responses that are not quite as the standards want them, and that browsers and curl take all the same; and the limits
//! of what is taken.

use super::server::{Conversation, Server, response};
use super::{client, get, kind, message, run};

/// A server that answers each request with these bytes.
async fn saying(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    Server::start(move |_, stream| {
        let bytes = bytes.clone();
        async move {
            let mut conversation = Conversation::new(stream);
            while conversation.request().await.is_some() {
                conversation.send(&bytes).await;
            }
        }
    })
    .await
}

#[test]
fn folded_lines_and_spaces_before_the_colon() {
    run(async {
        let server = saying(
            "HTTP/1.1 200 OK\r\nx-folded: one\r\n two\r\n\tthree\r\nx-space : yes\r\ncontent-length : 2\r\n\r\nok",
        )
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        let folded = exchange.headers["x-folded"].to_str().unwrap();
        assert_eq!(folded.split_whitespace().collect::<Vec<_>>(), ["one", "two", "three"]);
        assert_eq!((&exchange.headers["x-space"], &exchange.body[..]), (&"yes".parse().unwrap(), &b"ok"[..]));
    });
}

#[test]
fn a_head_of_many_lines_and_many_bytes() {
    run(async {
        for (lines, length) in [(101, 10), (2_000, 10), (60, 6_000)] {
            let fields: String = (0..lines).map(|n| format!("x-{n}: {}\r\n", "v".repeat(length))).collect();
            let server = saying(response(200, &fields, "ok")).await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
            assert_eq!(exchange.headers.len(), lines + 1);
        }
    });
}

#[test]
fn a_head_that_is_too_large_says_how_large_it_may_be() {
    run(async {
        for (lines, length) in [(3_000, 10), (100, 6_000)] {
            let fields: String = (0..lines).map(|n| format!("x-{n}: {}\r\n", "v".repeat(length))).collect();
            let server = saying(response(200, &fields, "ok")).await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!(kind(&exchange), "protocol");
            assert!(message(&exchange).contains("2048 lines or 408 KiB"), "{}", message(&exchange));
        }
    });
}

#[test]
fn an_empty_location_leads_nowhere() {
    run(async {
        for fields in ["location:\r\n", "location: \r\n", ""] {
            let server = saying(response(302, fields, "here")).await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!((kind(&exchange).as_str(), exchange.hops.len()), ("status 302", 0));
            assert_eq!(&exchange.body[..], b"here");
        }
    });
}

/// Each byte goes out as it came.
#[test]
fn a_location_may_hold_any_byte() {
    run(async {
        for (location, path) in [
            (&b"/caf\xe9?q=\xff"[..], "/caf%E9?q=%FF"),
            ("/cafe\u{301}".as_bytes(), "/cafe%CC%81"),
            (b"/a b", "/a%20b"),
        ] {
            let head = [b"HTTP/1.1 302 X\r\ncontent-length: 0\r\nlocation: ", location, b"\r\n\r\n"].concat();
            let server = Server::start(move |_, stream| {
                let head = head.clone();
                async move {
                    let mut conversation = Conversation::new(stream);
                    while let Some(seen) = conversation.request().await {
                        match seen.path.as_str() {
                            "/" => conversation.send(&head).await,
                            path => conversation.send(super::server::ok(path)).await,
                        }
                    }
                }
            })
            .await;
            let exchange = get(&client(), server.url("/")).await;
            assert_eq!(exchange.body, path, "{}", message(&exchange));
        }
    });
}
