//! Which connection a request goes over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::sync::Notify;

use super::server::{Conversation, Server, not_plain, ok};
use super::{client, client_with, get, kind, message, request, run};
use crate::http::{Client, HttpOptions, Request};

#[test]
fn one_connection_serves_many_requests() {
    run(async {
        let server = Server::answering(|seen| ok(&seen.path)).await;
        let client = client();
        for number in 0..50 {
            let exchange = get(&client, server.url(&format!("/{number}"))).await;
            assert_eq!((exchange.status, &exchange.body[..]), (200, format!("/{number}").as_bytes()));
            assert_eq!(exchange.opened_connection, number == 0);
            assert_eq!(exchange.remote_addr, Some(server.addr));
        }
        assert_eq!(server.accepted(), 1);
    });
}

/// Connections that wait lose their buffers when another user of the thread is done, and work as before.
#[test]
fn a_connection_that_waits_goes_cold() {
    run(async {
        let server = Server::answering(|seen| not_plain(&seen.path)).await;
        let network = super::network_with(HttpOptions::default());
        let (one, two) = (Client::new(network.clone()), Client::new(network.clone()));
        for round in 0..3 {
            assert_eq!(get(&one, server.url("/one")).await.body, "/one");
            assert_eq!(one.cold_connections(), 0);
            // Longer than a connection stays warm.
            tokio::time::sleep(Duration::from_millis(30)).await;
            assert_eq!(get(&two, server.url("/two")).await.body, "/two");
            assert_eq!(one.cold_connections(), 1, "{round}");
            // A user that is gone is no obstacle.
            get(&Client::new(network.clone()), server.url("/gone")).await;
        }
        assert_eq!(server.accepted(), 2 + 3);
    });
}

/// A cold connection is watched by nobody, and still a request is not lost when it turns out to be dead.
#[test]
fn a_cold_connection_that_was_closed_is_replaced() {
    run(async {
        let (close, closed) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let signals = (close.clone(), closed.clone());
        let server = Server::start(move |number, stream| {
            let (close, closed) = signals.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                conversation.request().await;
                conversation.send(not_plain("x")).await;
                if number == 0 {
                    close.notified().await;
                    drop(conversation);
                    closed.notify_one();
                } else {
                    conversation.request().await;
                }
            }
        })
        .await;
        let other = Server::answering(|_| not_plain("x")).await;
        let network = super::network_with(HttpOptions::default());
        let (one, two) = (Client::new(network.clone()), Client::new(network));
        get(&one, server.url("/")).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        get(&two, other.url("/")).await;
        assert_eq!(one.cold_connections(), 1);
        close.notify_one();
        closed.notified().await;
        let exchange = one.send(request(Method::POST, server.url("/"))).await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        assert_eq!(exchange.retries, 1);
        assert_eq!(server.accepted(), 2);
    });
}

#[test]
fn clients_do_not_share_connections() {
    run(async {
        let server = Server::answering(|_| ok("x")).await;
        let network = super::network_with(HttpOptions::default());
        let (one, two) = (Client::new(network.clone()), Client::new(network));
        get(&one, server.url("/")).await;
        get(&two, server.url("/")).await;
        assert_eq!(server.accepted(), 2);
    });
}

#[test]
fn parallel_requests_have_a_connection_each() {
    run(async {
        let server = Server::answering(|seen| ok(&seen.path)).await;
        let client = client();
        let (a, b, c) = tokio::join!(
            get(&client, server.url("/a")),
            get(&client, server.url("/b")),
            get(&client, server.url("/c"))
        );
        assert_eq!([&a.body[..], &b.body[..], &c.body[..]], [b"/a", b"/b", b"/c"]);
        assert_eq!(server.accepted(), 3);
        get(&client, server.url("/d")).await;
        assert_eq!(server.accepted(), 3);
    });
}

#[test]
fn closed_connections_are_opened_again() {
    run(async {
        let server = Server::answering(|_| ok("x")).await;
        let client = client();
        get(&client, server.url("/")).await;
        client.close_connections();
        let exchange = get(&client, server.url("/")).await;
        assert!(exchange.opened_connection);
        assert_eq!(server.accepted(), 2);
    });
}

/// A server that closes each connection after its first answer, without saying so.
async fn closing_after_one(closed: Rc<Notify>) -> Server {
    Server::start(move |_, stream| {
        let closed = closed.clone();
        async move {
            let mut conversation = Conversation::new(stream);
            conversation.request().await;
            conversation.send(ok("x")).await;
            drop(conversation);
            closed.notify_one();
        }
    })
    .await
}

/// Whatever the method: nothing was sent on the dead connection.
#[test]
fn a_connection_closed_while_idle_is_replaced() {
    run(async {
        let closed = Rc::new(Notify::new());
        let server = closing_after_one(closed.clone()).await;
        let client = client();
        for (number, method) in [Method::GET, Method::POST, Method::GET, Method::POST].into_iter().enumerate()
        {
            let exchange = client.send(request(method, server.url("/"))).await;
            assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
            assert!(exchange.opened_connection);
            assert_eq!(server.accepted(), number + 1);
            closed.notified().await;
            // Lets the runtime see that the other side has closed.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
}

/// The server closes when the request before is over for good. Hyper then ends without a word about a request that
/// waits in its queue.
#[test]
fn a_connection_closed_later_is_replaced_too() {
    run(async {
        let (close, closed) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (ask, told) = (close.clone(), closed.clone());
        let server = Server::start(move |_, stream| {
            let (close, closed) = (ask.clone(), told.clone());
            async move {
                let mut conversation = Conversation::new(stream);
                conversation.request().await;
                conversation.send(not_plain("x")).await;
                close.notified().await;
                drop(conversation);
                closed.notify_one();
            }
        })
        .await;
        let client = client();
        for (number, method) in [Method::POST, Method::GET, Method::POST].into_iter().enumerate() {
            let work = client.send(request(method, server.url("/")));
            let exchange = tokio::time::timeout(Duration::from_secs(20), work).await.expect("an end");
            assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
            assert_eq!(server.accepted(), number + 1);
            tokio::time::sleep(Duration::from_millis(30)).await;
            assert_eq!(client.cold_connections(), 0, "hyper is still there");
            close.notify_one();
            closed.notified().await;
            // Lets the runtime see that the other side has closed.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
}

/// A server that answers the first request and closes the connection when it has read the second.
async fn dying_on_the_second(requests: Rc<Cell<usize>>) -> Server {
    Server::start(move |_, stream| {
        let requests = requests.clone();
        async move {
            let mut conversation = Conversation::new(stream);
            if conversation.request().await.is_some() {
                requests.set(requests.get() + 1);
                conversation.send(ok("x")).await;
            }
            if conversation.request().await.is_some() {
                requests.set(requests.get() + 1);
            }
        }
    })
    .await
}

/// Whatever the method: the server may have acted on it.
#[test]
fn a_request_that_was_sent_is_never_sent_again() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::POST, Method::PATCH] {
        run(async {
            let requests = Rc::new(Cell::new(0));
            let server = dying_on_the_second(requests.clone()).await;
            let client = client();
            get(&client, server.url("/")).await;
            let exchange = client.send(request(method, server.url("/"))).await;
            assert_eq!((kind(&exchange).as_str(), exchange.retries), ("reset", 0));
            assert_eq!((server.accepted(), requests.get()), (1, 2));
        });
    }
}

#[test]
fn a_new_connection_that_dies_is_not_tried_again() {
    run(async {
        let server = Server::start(|_, stream| async move {
            Conversation::new(stream).request().await;
        })
        .await;
        let exchange = get(&client(), server.url("/")).await;
        assert_eq!(kind(&exchange), "reset");
        assert_eq!(message(&exchange), format!("connection closed by {} before the response", server.addr));
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn connection_close_is_obeyed() {
    run(async {
        let server = Server::answering(|_| super::server::response(200, "connection: close\r\n", "x")).await;
        let client = client();
        for number in 1..=3 {
            assert_eq!(get(&client, server.url("/")).await.status, 200);
            assert_eq!(server.accepted(), number);
        }
    });
}

#[test]
fn dropping_a_request_closes_its_connection() {
    run(async {
        let ended = Rc::new(Notify::new());
        let notify = ended.clone();
        let server = Server::start(move |_, stream| {
            let ended = notify.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                conversation.request().await;
                // Answers nothing; the next read ends when the client closes.
                assert!(conversation.request().await.is_none());
                ended.notify_one();
            }
        })
        .await;
        let client = client();
        let request = request(Method::GET, server.url("/"));
        assert!(tokio::time::timeout(Duration::from_millis(50), client.send(request)).await.is_err());
        ended.notified().await;
    });
}

#[test]
fn names_resolve_to_what_the_settings_say() {
    run(async {
        let hosts = Rc::new(RefCell::new(Vec::new()));
        let seen_hosts = hosts.clone();
        let server = Server::answering(move |seen| {
            seen_hosts.borrow_mut().push(seen.header("host").unwrap().to_owned());
            ok("x")
        })
        .await;
        let port = server.addr.port();
        let client = client_with(HttpOptions {
            resolve: vec![
                ("Shop.Example".to_owned(), format!("127.0.0.1:{port}")),
                ("other.example".to_owned(), "127.0.0.1".to_owned()),
            ],
            ..HttpOptions::default()
        });
        let exchange = get(&client, "http://shop.example/x").await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        assert_eq!(exchange.timings.dns, None);
        let exchange = get(&client, format!("http://other.example:{port}/")).await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        assert_eq!(*hosts.borrow(), ["shop.example".to_owned(), format!("other.example:{port}")]);
    });
}

#[test]
fn every_address_of_a_name_is_tried() {
    run(async {
        // `localhost` is ::1 and 127.0.0.1 on most machines; the server listens on the second only.
        let server = Server::answering(|_| ok("x")).await;
        let exchange = get(&client(), format!("http://localhost:{}/", server.addr.port())).await;
        assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
        assert!(exchange.timings.dns.is_some());
    });
}

#[test]
fn a_name_is_looked_up_once_a_thread() {
    run(async {
        let server = Server::answering(|_| ok("x")).await;
        let network = super::network_with(HttpOptions::default());
        let url = format!("http://localhost:{}/", server.addr.port());
        let first = get(&Client::new(network.clone()), &url).await;
        let second = get(&Client::new(network), &url).await;
        assert!(first.timings.dns.is_some());
        assert_eq!(second.timings.dns, None);
        assert!(second.timings.connecting.is_some());
    });
}

/// A large body is written from where it lies, so the connection changes how it writes and back.
#[test]
fn small_and_large_requests_share_a_connection() {
    run(async {
        let server = Server::answering(|seen| ok(&seen.body.len().to_string())).await;
        let client = client();
        for length in [10, 200_000, 20, 300_000, 3_000_000, 0] {
            let request = Request {
                body: Bytes::from(vec![b'x'; length]).into(),
                ..request(Method::POST, server.url("/"))
            };
            let exchange = client.send(request).await;
            assert_eq!(exchange.body, length.to_string());
        }
        assert_eq!(server.accepted(), 1);
    });
}
