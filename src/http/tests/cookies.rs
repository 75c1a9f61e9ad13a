//! A user's cookies.

use http::header::COOKIE;
use http::{HeaderValue, Method};

use super::server::{Seen, Server, ok, response};
use super::{client, get, request, run, target};
use crate::http::{Client, HttpOptions, Request};

/// `/set?a=1` sets a cookie and redirects to `/show`; anything else shows the cookies it got.
async fn server() -> Server {
    Server::answering(|seen: &Seen| match seen.path.split_once('?') {
        Some(("/set", cookie)) => {
            response(302, &format!("set-cookie: {cookie}; Path=/\r\nlocation: /show\r\n"), "")
        }
        _ => ok(seen.header("cookie").unwrap_or("none")),
    })
    .await
}

#[test]
fn they_are_kept_and_sent_also_on_redirects() {
    run(async {
        let server = server().await;
        let client = client();
        assert_eq!(get(&client, server.url("/show")).await.body, "none");
        assert_eq!(get(&client, server.url("/set?b=2")).await.body, "b=2");
        assert_eq!(get(&client, server.url("/set?a=1")).await.body, "a=1; b=2");
        assert_eq!(get(&client, server.url("/show")).await.body, "a=1; b=2");
        let url = target(server.url("/"));
        assert_eq!(
            client.cookies_for(&url),
            [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]
        );
        client.clear_cookies();
        assert_eq!(get(&client, server.url("/show")).await.body, "none");
        assert!(client.cookies_for(&url).is_empty());
    });
}

#[test]
fn each_client_has_its_own() {
    run(async {
        let server = server().await;
        let network = super::network_with(HttpOptions::default());
        let (one, two) = (Client::new(network.clone()), Client::new(network));
        get(&one, server.url("/set?a=1")).await;
        assert_eq!(get(&two, server.url("/show")).await.body, "none");
    });
}

#[test]
fn the_rules_are_kept() {
    run(async {
        let server = server().await;
        let client = client();
        let url = target(server.url("/shop/cart"));
        client.set_cookie(&url, "deep=1; Path=/shop").unwrap();
        client.set_cookie(&url, "top=2; Path=/").unwrap();
        // Longer paths first (RFC 6265 section 5.4).
        assert_eq!(get(&client, server.url("/shop/x")).await.body, "deep=1; top=2");
        assert_eq!(get(&client, server.url("/other")).await.body, "top=2");
        client.set_cookie(&url, "top=3; Path=/").unwrap();
        assert_eq!(get(&client, server.url("/other")).await.body, "top=3");
        client.set_cookie(&url, "top=; Path=/; Max-Age=0").unwrap();
        assert_eq!(get(&client, server.url("/other")).await.body, "none");
        let error = client.set_cookie(&url, "x=1; Domain=elsewhere.example").unwrap_err();
        assert!(
            error.to_string().starts_with(
                "the cookie 'x=1; Domain=elsewhere.example' was not accepted for http://127.0.0.1:"
            ),
            "{error}"
        );
    });
}

#[test]
fn the_scripts_own_header_wins() {
    run(async {
        let server = server().await;
        let client = client();
        get(&client, server.url("/set?a=1")).await;
        let own = Request {
            headers: [(COOKIE, HeaderValue::from_static("mine=1"))].into_iter().collect(),
            ..request(Method::GET, server.url("/show"))
        };
        assert_eq!(client.send(own).await.body, "mine=1");
    });
}

/// A logout is a cookie of the past, in whatever words a server says so.
#[test]
fn a_date_of_the_past_deletes_a_cookie_however_it_is_written() {
    run(async {
        let server = server().await;
        let client = client();
        let url = target(server.url("/"));
        for date in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Thu, 01-Jan-1970 00:00:00 GMT",
            "Thu Jan  1 00:00:00 1970",
            "1 jan 70 0:0:0",
            "Thu, 01 Jan 1970 00:00:00 +0000",
            "Mon, 01 Jan 1601 00:00:00 GMT",
        ] {
            client.set_cookie(&url, "id=1; Path=/").unwrap();
            assert_eq!(get(&client, server.url("/")).await.body, "id=1");
            client.set_cookie(&url, &format!("id=; Path=/; expires={date}; HttpOnly")).unwrap();
            assert_eq!(get(&client, server.url("/")).await.body, "none", "{date}");
        }
        // A date of the future keeps it, one that is none makes it last as long as the user, and Max-Age wins.
        for attributes in [
            "Expires=Fri, 31 Dec 9999 23:59:59 UTC",
            "Expires=tomorrow",
            "Expires=Thu, 01 Jan 1970 00:00:00 UTC; Max-Age=60",
            "Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 UTC",
            "Expires=Thu, 01 Jan 1970 00:00:00 UTC; Expires=Fri, 31 Dec 9999 23:59:59 UTC",
        ] {
            client.clear_cookies();
            client.set_cookie(&url, &format!("expires=1; Path=/; {attributes}")).unwrap();
            assert_eq!(get(&client, server.url("/")).await.body, "expires=1", "{attributes}");
        }
    });
}

#[test]
fn a_cookie_goes_out_with_the_bytes_it_came_with() {
    run(async {
        let server = Server::start(|_, stream| async move {
            let mut stream = stream;
            for answer in [&b"set-cookie: a=\xff\xe9\r\nset-cookie: b=\xc3\xbc\r\n"[..], b""] {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    tokio::io::AsyncReadExt::read_buf(&mut stream, &mut head).await.unwrap();
                }
                let sent = head.windows(9).any(|part| part == b"a=\xff\xe9; b=\xc3");
                let status = if sent { "201" } else { "200" };
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n");
                let answer = [head.as_bytes(), answer, b"\r\n"];
                tokio::io::AsyncWriteExt::write_all(&mut stream, &answer.concat()).await.unwrap();
            }
        })
        .await;
        let client = client();
        assert_eq!(get(&client, server.url("/")).await.status, 200);
        assert_eq!(get(&client, server.url("/")).await.status, 201);
        let found = client.cookies_for(&target(server.url("/")));
        assert_eq!(
            found,
            [("a".to_owned(), "\u{ff}\u{e9}".to_owned()), ("b".to_owned(), "\u{fc}".to_owned())]
        );
    });
}

#[test]
fn cookies_are_bounded() {
    run(async {
        let server = server().await;
        let client = client();
        let url = target(server.url("/"));
        client.set_cookie(&url, &format!("a={}", "x".repeat(4095))).unwrap();
        assert!(client.set_cookie(&url, &format!("b={}", "x".repeat(4096))).is_err());
        let mut kept = 1;
        while client.set_cookie(&url, &format!("c{kept}=1")).is_ok() {
            kept += 1;
        }
        assert_eq!(kept, 3000);
        client.set_cookie(&url, "a=2").unwrap();
    });
}
