//! Going through a proxy.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::server::{Conversation, Server, ok, response};
use super::{client_with, get, kind, message, run};
use crate::http::{Client, HttpOptions, ProxyChoice, VersionChoice};

fn through(proxy: &Server, credentials: &str, version: VersionChoice) -> Client {
    client_with(HttpOptions {
        proxy: ProxyChoice::Url(format!("http://{credentials}{}", proxy.addr)),
        insecure: true,
        version,
        ..HttpOptions::default()
    })
}

#[test]
fn plain_requests_go_in_absolute_form() {
    run(async {
        let heads = Rc::new(RefCell::new(Vec::new()));
        let seen_heads = heads.clone();
        let proxy = Server::answering(move |seen| {
            seen_heads.borrow_mut().push(seen.head.clone());
            ok("from the proxy")
        })
        .await;
        let client = through(&proxy, "us:pa@", VersionChoice::Auto);
        for _ in 0..2 {
            // The proxy resolves the name, so it need not exist here.
            let exchange = get(&client, "http://nohost.invalid:81/a?b").await;
            assert_eq!(exchange.body, "from the proxy", "{}", message(&exchange));
            assert_eq!(exchange.remote_addr, Some(proxy.addr));
        }
        assert_eq!(proxy.accepted(), 1);
        for head in heads.borrow().iter() {
            assert!(
                head.starts_with("GET http://nohost.invalid:81/a?b HTTP/1.1\r\nhost: nohost.invalid:81\r\n")
            );
            assert!(head.contains("\r\nproxy-authorization: Basic dXM6cGE=\r\n"), "{head}");
        }
    });
}

/// A proxy that opens the tunnels it is asked for, to wherever `to` listens.
async fn tunnelling(to: Server, asked: Rc<RefCell<Vec<String>>>) -> Server {
    Server::start(move |_, stream| {
        let (to, asked) = (to.clone(), asked.clone());
        async move {
            let mut conversation = Conversation::new(stream);
            let seen = conversation.request().await.unwrap();
            asked.borrow_mut().push(seen.head);
            conversation.send("HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n").await;
            let mut near = conversation.into_inner();
            let mut far = TcpStream::connect(to.addr).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    })
    .await
}

#[test]
fn encrypted_requests_go_through_a_tunnel() {
    for version in [VersionChoice::Http1, VersionChoice::Http2] {
        run(async {
            let server = super::tls::server(&["localhost"]).await;
            let asked = Rc::new(RefCell::new(Vec::new()));
            let proxy = tunnelling(server.server.clone(), asked.clone()).await;
            let client = through(&proxy, "us:pa@", version);
            for _ in 0..2 {
                let exchange = get(&client, "https://nohost.invalid/x").await;
                assert_eq!(kind(&exchange), "status 200", "{}", message(&exchange));
                assert_eq!(exchange.remote_addr, Some(proxy.addr));
            }
            assert_eq!(
                *asked.borrow(),
                ["CONNECT nohost.invalid:443 HTTP/1.1\r\nhost: nohost.invalid:443\r\n\
                  proxy-authorization: Basic dXM6cGE=\r\n\r\n"]
            );
        });
    }
}

#[test]
fn a_proxy_that_declines() {
    run(async {
        let proxy = Server::answering(|_| response(407, "", "no")).await;
        let client = through(&proxy, "", VersionChoice::Auto);
        let exchange = get(&client, "https://nohost.invalid/").await;
        assert_eq!(kind(&exchange), "other");
        assert_eq!(
            message(&exchange),
            format!(
                "the proxy {} did not open a tunnel to nohost.invalid:443: it responded with 407 X",
                proxy.addr
            )
        );
    });
}
