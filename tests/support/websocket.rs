//! The server's side of a websocket.
//!
//! | name | does |
//! |---|---|
//! | `echo` | sends each message back |
//! | `silent` | reads and never answers |
//! | `mute` | does not even answer the handshake |
//! | `greet` | sends `hello` unasked, then echoes |
//! | `ping` | pings on each message and answers it when the pong is there |
//! | `bye` | closes with code 4000 on the first message |
//! | `linger` | closes as `bye` does, and does not close the connection under it |
//! | `feed` | sends `tick 1`, `tick 2` … unasked, every 10 ms, and echoes |
//! | `push` | sends `push` at once and the message 100 ms later; answers `note` with the push alone |
//! | `reverse` | answers two messages at a time, the later one first |
//! | `cut` | drops the connection on the first message |
//! | `refuse` | answers the handshake with 403 |
//! | `page` | answers the handshake with 200 |

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// Answers a handshake with this key and goes on until the client leaves.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, key: &str, name: &str) {
    let head = match name {
        "mute" => {
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        "refuse" => "HTTP/1.1 403 Test\r\ncontent-length: 2\r\n\r\nno".to_owned(),
        "page" => "HTTP/1.1 200 Test\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        _ => format!(
            "HTTP/1.1 101 Test\r\nupgrade: websocket\r\nconnection: Upgrade\r\nset-cookie: ws=1; Path=/\r\n\
             sec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        ),
    };
    if stream.write_all(head.as_bytes()).await.is_err() || !head.starts_with("HTTP/1.1 101") {
        return;
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    // The client may leave at any time; then nobody is left to tell.
    let _ = talk(&mut socket, name).await;
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    name: &str,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    if name == "greet" {
        socket.send(Message::text("hello")).await?;
    }
    if name == "feed" {
        return feed(socket).await;
    }
    let mut held = None;
    while let Some(message) = socket.next().await {
        let message = message?;
        match (name, message) {
            ("ping", Message::Pong(_)) => {
                if let Some(held) = held.take() {
                    socket.send(held).await?;
                }
            }
            (_, message) if !(message.is_text() || message.is_binary()) => {}
            ("silent", _) => {}
            ("bye", _) => {
                let frame = CloseFrame { code: 4000.into(), reason: "bye".into() };
                socket.close(Some(frame)).await?;
            }
            ("linger", _) => {
                socket.close(None).await?;
                std::future::pending::<()>().await;
            }
            ("cut", _) => return Ok(()),
            ("push", message) => {
                socket.send(Message::text("push")).await?;
                if message != Message::text("note") {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    socket.send(message).await?;
                }
            }
            ("reverse", message) => match held.take() {
                Some(earlier) => {
                    socket.send(message).await?;
                    socket.send(earlier).await?;
                }
                None => held = Some(message),
            },
            ("ping", message) => {
                held = Some(message);
                socket.send(Message::Ping("x".into())).await?;
            }
            (_, message) => socket.send(message).await?,
        }
    }
    Ok(())
}

async fn feed<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut ticks = 0;
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(message) => {
                    let message = message?;
                    if message.is_text() {
                        socket.send(message).await?;
                    }
                }
                None => return Ok(()),
            },
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                ticks += 1;
                socket.send(Message::text(format!("tick {ticks}"))).await?;
            }
        }
    }
}
