//! Going through a proxy.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
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

/// A SOCKS5 proxy that connects to this server whatever it is asked for, and tells what that was.
async fn socks(server: std::net::SocketAddr, login: bool, asked: Rc<RefCell<Vec<String>>>) -> Server {
    Server::start(move |_, mut stream| {
        let asked = asked.clone();
        async move {
            let mut head = [0; 2];
            stream.read_exact(&mut head).await.unwrap();
            let mut methods = vec![0; usize::from(head[1])];
            stream.read_exact(&mut methods).await.unwrap();
            stream.write_all(&[5, if login { 2 } else { 0 }]).await.unwrap();
            if login {
                let mut bytes = [0; 2 + 3 + 1 + 4];
                stream.read_exact(&mut bytes).await.unwrap();
                let right = bytes == *b"\x01\x03ann\x04p:wd";
                stream.write_all(&[1, u8::from(!right)]).await.unwrap();
            }
            let mut head = [0; 4];
            stream.read_exact(&mut head).await.unwrap();
            let name = match head[3] {
                1 => {
                    let mut ip = [0; 4];
                    stream.read_exact(&mut ip).await.unwrap();
                    std::net::Ipv4Addr::from(ip).to_string()
                }
                _ => {
                    let mut name = vec![0; usize::from(stream.read_u8().await.unwrap())];
                    stream.read_exact(&mut name).await.unwrap();
                    String::from_utf8(name).unwrap()
                }
            };
            let port = stream.read_u16().await.unwrap();
            let refused = name == "no.example";
            asked.borrow_mut().push(format!("{name}:{port}"));
            stream.write_all(&[5, if refused { 5 } else { 0 }, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            if !refused {
                let mut target = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut target).await;
            }
        }
    })
    .await
}

#[test]
fn socks5_with_names_or_addresses_and_a_login() {
    run(async {
        let server = Server::answering(|seen| ok(&seen.path)).await;
        for (scheme, login, expected) in [
            ("socks5h", false, "shop.example:80"),
            ("socks5h", true, "shop.example:80"),
            ("socks5", false, "127.0.0.9:80"),
        ] {
            let asked = Rc::default();
            let proxy = socks(server.addr, login, Rc::clone(&asked)).await;
            let user = if login { "ann:p%3Awd@" } else { "" };
            let client = client_with(HttpOptions {
                proxy: ProxyChoice::Url(format!("{scheme}://{user}{}", proxy.addr)),
                resolve: match scheme {
                    "socks5" => vec![("shop.example".to_owned(), "127.0.0.9".to_owned())],
                    _ => Vec::new(),
                },
                ..HttpOptions::default()
            });
            let exchange = get(&client, "http://shop.example/x").await;
            assert_eq!(exchange.body, "/x", "{}", message(&exchange));
            assert_eq!(*asked.borrow(), [expected]);
            if scheme == "socks5h" {
                let exchange = get(&client, "http://no.example/x").await;
                assert!(
                    message(&exchange).ends_with("the server refused the connection"),
                    "{}",
                    message(&exchange)
                );
            }
        }
        let proxy = socks(server.addr, true, Rc::default()).await;
        let client = client_with(HttpOptions {
            proxy: ProxyChoice::Url(format!("socks5h://ann:wrong@{}", proxy.addr)),
            ..HttpOptions::default()
        });
        let exchange = get(&client, "http://shop.example/x").await;
        assert_eq!(exchange.status, 0);
    });
}
