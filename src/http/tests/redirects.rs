//! Following redirects.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderValue, Method};

use super::server::{Seen, Server, ok, response};
use super::{client, client_with, get, kind, message, request, run};
use crate::http::{Exchange, HttpOptions, Request};

type Log = Rc<RefCell<Vec<Seen>>>;

/// `/302?to=X` redirects to X with that status; everything else answers with method and body.
async fn redirecting(log: Log) -> Server {
    Server::answering(move |seen| {
        log.borrow_mut().push(seen.clone());
        match seen.path.split_once("?to=") {
            Some((status, to)) => {
                response(status[1..].parse().unwrap(), &format!("location: {to}\r\n"), "moved")
            }
            None => ok(&format!("{} {}", seen.method, String::from_utf8_lossy(&seen.body))),
        }
    })
    .await
}

async fn send(method: Method, status: u16) -> (Exchange, Vec<Seen>) {
    let log = Log::default();
    let server = redirecting(log.clone()).await;
    let request = Request {
        body: Bytes::from_static(b"data").into(),
        headers: [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))].into_iter().collect(),
        ..request(method, server.url(&format!("/{status}?to=/end")))
    };
    let exchange = client().send(request).await;
    assert_eq!(exchange.target.as_str(), server.url("/end"));
    assert_eq!(exchange.hops.len(), 1);
    assert_eq!(exchange.hops[0].status, status);
    assert_eq!(exchange.hops[0].url.path(), format!("/{status}"));
    assert_eq!(server.accepted(), 1);
    let log = log.take();
    (exchange, log)
}

#[test]
fn methods_and_bodies() {
    run(async {
        for (method, status, expected) in [
            (Method::POST, 301, "GET "),
            (Method::POST, 302, "GET "),
            (Method::POST, 303, "GET "),
            (Method::POST, 307, "POST data"),
            (Method::POST, 308, "POST data"),
            (Method::PUT, 301, "PUT data"),
            (Method::PUT, 302, "PUT data"),
            (Method::PUT, 303, "GET "),
            (Method::PUT, 308, "PUT data"),
            (Method::GET, 303, "GET "),
        ] {
            let (exchange, log) = send(method.clone(), status).await;
            assert_eq!(exchange.body, expected, "{method} {status}");
            let has_type = log[1].header("content-type").is_some();
            assert_eq!(has_type, expected.ends_with("data"), "{method} {status}");
        }
    });
}

#[test]
fn head_stays_head() {
    run(async {
        let log = Log::default();
        let server = Server::answering({
            let log = log.clone();
            move |seen| {
                log.borrow_mut().push(seen.clone());
                match seen.path.as_str() {
                    "/end" => "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_owned(),
                    _ => "HTTP/1.1 303 X\r\nlocation: /end\r\ncontent-length: 7\r\n\r\n".to_owned(),
                }
            }
        })
        .await;
        let exchange = client().send(request(Method::HEAD, server.url("/"))).await;
        assert_eq!((exchange.status, exchange.body.len()), (200, 0));
        assert!(log.borrow().iter().all(|seen| seen.method == "HEAD"));
    });
}

#[test]
fn locations_are_joined() {
    run(async {
        for (location, expected) in [
            ("/end", "/end"),
            ("end", "/end"),
            ("../end", "/end"),
            ("/end#part", "/end"),
            ("/end%20x", "/end%20x"),
            ("/ünï", "/%C3%BCn%C3%AF"),
        ] {
            let log = Log::default();
            let server = redirecting(log.clone()).await;
            let exchange =
                get(&client(), server.url(&format!("/302?to={location}").replace('#', "%23"))).await;
            // The server echoes the location percent-encoded; both forms lead to the same place.
            assert_eq!(kind(&exchange), "status 200", "{location}: {}", message(&exchange));
            assert!(
                exchange.target.path() == expected || location.contains('#'),
                "{location} → {}",
                exchange.target.path()
            );
        }
    });
}

#[test]
fn a_fragment_is_dropped() {
    run(async {
        let server = Server::answering(|seen| match seen.path.as_str() {
            "/" => response(302, "location: /end#part\r\n", ""),
            path => ok(path),
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(exchange.body, "/end");
        assert_eq!(exchange.target.as_str(), server.url("/end"));
    });
}

#[test]
fn the_limit() {
    run(async {
        // /n leads to /n-1, /0 is the answer.
        let server = Server::answering(|seen| match seen.path[1..].parse::<u32>().unwrap() {
            0 => ok("end"),
            left => response(302, &format!("location: /{}\r\n", left - 1), ""),
        })
        .await;
        let client = client();
        let exchange = get(&client, server.url("/10")).await;
        assert_eq!((exchange.status, exchange.hops.len()), (200, 10));
        let exchange = get(&client, server.url("/11")).await;
        assert_eq!((exchange.status, kind(&exchange).as_str()), (0, "redirect"));
        assert_eq!(message(&exchange), "more than 10 redirects (max_redirects sets this limit)");
        assert_eq!(exchange.hops.len(), 10);
        let two = Request { max_redirects: Some(2), ..request(Method::GET, server.url("/3")) };
        // A number for one request asks for what it leads to.
        let exchange = client.send(two).await;
        assert_eq!((exchange.status, exchange.hops.len()), (302, 2));
        assert_eq!(exchange.headers["location"], "/0");
        let none = Request { max_redirects: Some(0), ..request(Method::GET, server.url("/3")) };
        let exchange = client.send(none).await;
        assert_eq!((exchange.status, exchange.hops.len()), (302, 0));
        assert_eq!(exchange.headers["location"], "/2");
    });
}

#[test]
fn a_loop_ends_at_the_limit() {
    run(async {
        let server = Server::answering(|_| response(301, "location: /\r\n", "")).await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!((kind(&exchange).as_str(), exchange.hops.len()), ("redirect", 10));
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn places_that_cannot_be_requested() {
    run(async {
        let server = Server::answering(|seen| match seen.path.as_str() {
            "/ftp" => response(302, "location: ftp://x/\r\n", ""),
            "/bad" => response(302, "location: http://:x/\r\n", ""),
            "/socket" => response(307, "location: http+unix://%2Frun%2Fapp.sock/x\r\n", ""),
            "/none" => response(302, "", "no location"),
            _ => response(304, "location: /x\r\n", ""),
        })
        .await;
        let client = client();
        let exchange = get(&client, server.url("/ftp")).await;
        assert_eq!(kind(&exchange), "redirect");
        assert!(message(&exchange).contains("'ftp://x/' has the scheme 'ftp'"), "{}", message(&exchange));
        assert_eq!(kind(&get(&client, server.url("/bad")).await), "redirect");
        // There is no such socket; that it is asked for would be an error of another kind.
        let exchange = get(&client, server.url("/socket")).await;
        assert_eq!(kind(&exchange), "redirect");
        assert!(message(&exchange).contains("only the script can choose a socket"), "{}", message(&exchange));
        // Without a location, and with a status that is no redirect, the response is the answer.
        assert_eq!(kind(&get(&client, server.url("/none")).await), "status 302");
        assert_eq!(kind(&get(&client, server.url("/304")).await), "status 304");
    });
}

#[test]
fn credentials_stay_with_their_origin() {
    run(async {
        let log = Log::default();
        let other = redirecting(log.clone()).await;
        let server = redirecting(log.clone()).await;
        let with_credentials = |url: String| Request {
            headers: [
                (AUTHORIZATION, HeaderValue::from_static("Bearer t")),
                (COOKIE, HeaderValue::from_static("a=b")),
            ]
            .into_iter()
            .collect(),
            ..request(Method::GET, url)
        };
        let client = client();
        client.send(with_credentials(server.url("/302?to=/same"))).await;
        client.send(with_credentials(server.url(&format!("/302?to={}", other.url("/other"))))).await;
        let seen: Vec<_> = log
            .borrow()
            .iter()
            .map(|seen| (seen.header("authorization").is_some(), seen.header("cookie").is_some()))
            .collect();
        assert_eq!(seen, [(true, true), (true, true), (true, true), (false, false)]);
    });
}

/// Whatever is meant for the first origin alone: its name, its keys and tokens, those of all requests too.
#[test]
fn what_belongs_to_an_origin_stays_there() {
    run(async {
        let log = Log::default();
        let other = redirecting(log.clone()).await;
        let server = redirecting(log.clone()).await;
        let client = client_with(HttpOptions {
            headers: vec![("x-api-key".to_owned(), "k".to_owned()), ("x-plain".to_owned(), "p".to_owned())],
            ..HttpOptions::default()
        });
        let fields = [
            ("host", "shop.example"),
            ("x-auth-token", "t"),
            ("x-csrf-token", "t"),
            ("origin", "http://shop.example"),
            ("referer", "https://ann:secret@shop.example/cart"),
            ("x-from", "https://shop.example/?access_token=abcdef"),
            ("accept-language", "en"),
        ];
        let headers: http::HeaderMap = fields
            .into_iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect();
        let to = |url: String| Request { headers: headers.clone(), ..request(Method::GET, url) };
        client.send(to(server.url("/302?to=/same"))).await;
        client.send(to(server.url(&format!("/302?to={}", other.url("/other"))))).await;
        let log = log.borrow();
        let [_, same, _, other_origin] = log.as_slice() else { panic!("four requests") };
        for (name, value) in fields {
            assert_eq!(same.header(name), Some(value), "{name}");
        }
        assert_eq!(same.header("x-api-key"), Some("k"));
        assert_eq!(other_origin.header("host"), Some(other.addr.to_string().as_str()));
        for name in ["x-auth-token", "x-csrf-token", "origin", "referer", "x-from", "x-api-key"] {
            assert_eq!(other_origin.header(name), None, "{name}");
        }
        assert_eq!(
            (other_origin.header("accept-language"), other_origin.header("x-plain")),
            (Some("en"), Some("p"))
        );
    });
}
