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
