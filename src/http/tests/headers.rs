//! What a request looks like on the wire.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use super::server::{Seen, Server, ok};
use super::{client, client_with, request, run, target};
use crate::http::{Client, HttpOptions, Request, basic_auth_value};

/// The head of what a server sees.
async fn seen(client: &Client, change: impl FnOnce(&mut Request)) -> Seen {
    let log = Rc::new(RefCell::new(None));
    let seen = log.clone();
    let server = Server::answering(move |request| {
        *seen.borrow_mut() = Some(request.clone());
        ok("")
    })
    .await;
    let mut request = request(Method::GET, server.url("/a?b=c"));
    change(&mut request);
    // The port differs from run to run.
    let mut request_seen = {
        client.send(request).await;
        log.take().unwrap()
    };
    request_seen.head = request_seen.head.replace(&server.addr.to_string(), "SERVER");
    request_seen
}

#[test]
fn defaults() {
    run(async {
        let version = env!("CARGO_PKG_VERSION");
        let seen = seen(&client(), |_| ()).await;
        assert_eq!(
            seen.head,
            format!(
                "GET /a?b=c HTTP/1.1\r\nhost: SERVER\r\nuser-agent: rhaid/{version}\r\naccept: */*\r\n\
                 accept-encoding: gzip, deflate, br\r\n\r\n"
            )
        );
    });
}

#[test]
fn settings_over_defaults_and_script_over_settings() {
    run(async {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let client = client_with(HttpOptions {
            headers: vec![
                own("Accept", "text/html"),
                own("X-Team", "a"),
                own("X-Team", "b"),
                own("X-Env", "dev"),
            ],
            user_agent: "me".to_owned(),
            ..HttpOptions::default()
        });
        let team = HeaderName::from_static("x-team");
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.append(team.clone(), HeaderValue::from_static("c"));
        headers.append(team, HeaderValue::from_static("d"));
        let seen_plain = seen(&client, |_| ()).await;
        for line in ["accept: text/html", "user-agent: me", "x-team: a\r\nx-team: b", "x-env: dev"] {
            assert!(seen_plain.head.contains(&format!("\r\n{line}\r\n")), "{}", seen_plain.head);
        }
        let seen_own = seen(&client, |request| request.headers = headers).await;
        for line in ["accept: application/json", "x-team: c", "x-team: d", "x-env: dev"] {
            assert!(seen_own.head.contains(&format!("\r\n{line}\r\n")), "{}", seen_own.head);
        }
        assert_eq!(seen_own.head.matches("x-team").count(), 2);
        assert_eq!(seen_own.head.matches("accept:").count(), 1);
    });
}

#[test]
fn the_host_can_be_set() {
    run(async {
        let by_settings = client_with(HttpOptions {
            headers: vec![("Host".to_owned(), "shop.example".to_owned())],
            ..HttpOptions::default()
        });
        assert_eq!(seen(&by_settings, |_| ()).await.header("host"), Some("shop.example"));
        let seen = seen(&client(), |request| {
            request.headers.insert(HOST, HeaderValue::from_static("own.example"));
        })
        .await;
        assert_eq!(seen.header("host"), Some("own.example"));
        assert_eq!(seen.head.matches("host:").count(), 1);
    });
}

#[test]
fn lengths_of_bodies() {
    run(async {
        let client = client();
        for (method, body, expected) in [
            (Method::GET, "", None),
            (Method::DELETE, "", None),
            (Method::POST, "", Some("0")),
            (Method::PUT, "", Some("0")),
            (Method::PATCH, "", Some("0")),
            (Method::POST, "abc", Some("3")),
            (Method::GET, "abc", Some("3")),
        ] {
            let seen = seen(&client, |request| {
                request.method = method.clone();
                request.body = Bytes::from_static(body.as_bytes()).into();
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            })
            .await;
            assert_eq!(seen.header("content-length"), expected, "{method}");
            assert_eq!(seen.body, body.as_bytes());
        }
    });
}

#[test]
fn user_information_becomes_basic_authentication() {
    run(async {
        let client = client();
        let in_url = |request: &mut Request| {
            let with_user = request.target.as_str().replace("http://", "http://us%40er:p%C3%A4ss@");
            request.target = target(with_user);
            assert!(!request.target.as_str().contains('@'));
        };
        let seen_user = seen(&client, in_url).await;
        let expected = basic_auth_value("us@er", "päss");
        assert_eq!(seen_user.header("authorization"), Some(expected.to_str().unwrap()));
        // Joined paths belong to the same user.
        let joined = seen(&client, |request| {
            in_url(request);
            request.target = request.target.join("/x?y").unwrap().join("z").unwrap();
        })
        .await;
        assert_eq!(joined.header("authorization"), Some(expected.to_str().unwrap()));
        assert_eq!(joined.path, "/z");
        let own = seen(&client, |request| {
            in_url(request);
            request.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        })
        .await;
        assert_eq!(own.header("authorization"), Some("Bearer t"));
    });
}

#[test]
fn basic_authentication_is_as_in_the_rfc() {
    let value = basic_auth_value("Aladdin", "open sesame");
    assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert!(value.is_sensitive());
}
