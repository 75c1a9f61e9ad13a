//! Websockets (RFC 6455): the one folder that knows `tokio-tungstenite`.
//!
//! Owns the handshake and messages. Leaves streams (names, proxies, TLS, timings) to `http`, and what is a
//! sample to the script side. Pings are answered while something is received or sent; nothing runs in the
//! background. Invariant: a connection that failed or was closed is never read or written again.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, header};
use tokio::task::coop;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::http::{Client, Declined, ErrorKind, Exchange, HttpError, Request, Wire, broken_stream};

/// Memory each open connection holds for reading; a load test has many, with small messages.
const READ_BUFFER: usize = 8 * 1024;

/// The largest accepted message, so that a hostile server cannot exhaust memory.
const LARGEST_MESSAGE: usize = 64 << 20;

/// How long to wait for the peer's close frame.
const CLOSING: Duration = Duration::from_secs(2);

/// A message sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Bytes),
}

/// The result of waiting for a message.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// The peer closed the connection, for this reason.
    Closed(String),
}

/// An open websocket.
pub(crate) struct WebSocket {
    stream: WebSocketStream<Wire>,
    peer: String,
}

/// Opens a websocket where `request` goes to: its target is `http` for `ws` and `https` for `wss`.
pub(crate) async fn connect(client: &Client, request: Request) -> (Exchange, Option<WebSocket>) {
    let target = request.target.clone();
    let peer = format!("{}:{}", target.host(), target.port());
    client
        .upgrade(request, async |headers, wire| {
            let request = handshake_request(target.as_str(), headers)
                .map_err(|message| Declined::Error(HttpError::new(ErrorKind::Other, message)))?;
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .max_message_size(Some(LARGEST_MESSAGE))
                .max_frame_size(Some(LARGEST_MESSAGE));
            match client_async_with_config(request, wire, Some(config)).await {
                Ok((stream, response)) => Ok((WebSocket { stream, peer }, response.map(drop))),
                Err(Error::Http(response)) => {
                    Err(Declined::Response(response.map(|body| body.map(Bytes::from).unwrap_or_default())))
                }
                Err(error) => Err(Declined::Error(explain(error, &peer))),
            }
        })
        .await
}

/// `url` is that of the target, with `http` or `https`.
fn handshake_request(url: &str, mut headers: HeaderMap) -> Result<http::Request<()>, String> {
    // What a websocket has no use for: its messages are not encoded.
    headers.remove(header::ACCEPT_ENCODING);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::try_from(generate_key()).map_err(|error| error.to_string())?;
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    let url = url.replacen("http", "ws", 1);
    let mut request = http::Request::get(url).body(()).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    Ok(request)
}

impl WebSocket {
    /// Sends a message and waits until the system has taken it.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), HttpError> {
        let frame = match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(bytes),
        };
        let sent = self.stream.send(frame).await;
        sent.map_err(|error| explain(error, &self.peer))
    }

    /// Waits for the next message; answers pings meanwhile.
    pub(crate) async fn receive(&mut self) -> Result<Received, HttpError> {
        let received = poll_fn(|cx| self.poll_receive(cx)).await;
        if let Ok(Received::Closed(_)) = &received {
            // What `poll_receive` could not send yet.
            let _ = tokio::time::timeout(CLOSING, self.stream.flush()).await;
        }
        received
    }

    /// The same for one who waits for something else as well.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, HttpError>> {
        loop {
            // A server that sends without end must not keep the thread.
            let turn = ready!(coop::poll_proceed(cx));
            let Some(frame) = ready!(self.stream.poll_next_unpin(cx)) else {
                return Poll::Ready(Ok(Received::Closed("no code".to_owned())));
            };
            turn.made_progress();
            return Poll::Ready(match frame {
                Ok(Frame::Text(text)) => Ok(Received::Message(Message::Text(text.as_str().to_owned()))),
                Ok(Frame::Binary(bytes)) => Ok(Received::Message(Message::Binary(bytes))),
                Ok(Frame::Close(frame)) => {
                    // Sends the frame that answers it; whether that arrives is of no matter. The end of the TCP connection,
                    // for which a server may leave the client waiting, is not waited for.
                    let _ = Pin::new(&mut self.stream).poll_flush(cx);
                    let why = match frame {
                        Some(frame) if frame.reason.is_empty() => format!("code {}", u16::from(frame.code)),
                        Some(frame) => format!("code {}: {}", u16::from(frame.code), frame.reason.as_str()),
                        None => "no code".to_owned(),
                    };
                    Ok(Received::Closed(why))
                }
                Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_)) => continue,
                Err(error) => Err(explain(error, &self.peer)),
            });
        }
    }

    /// Sends a close frame and waits up to two seconds for the peer's. Messages still in flight are lost.
    pub(crate) async fn close(mut self) {
        let goodbye = async {
            // An error means that the connection is gone, which is what was wanted.
            if self.stream.close(None).await.is_ok() {
                while let Some(Ok(frame)) = self.stream.next().await {
                    if frame.is_close() {
                        break;
                    }
                    coop::consume_budget().await;
                }
            }
        };
        let _ = tokio::time::timeout(CLOSING, goodbye).await;
    }

    /// Bytes written and read on the network since this was last asked.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        self.stream.get_ref().traffic()
    }
}

/// One cause gives one text, as for requests.
fn explain(error: Error, peer: &dyn fmt::Display) -> HttpError {
    match error {
        Error::Io(cause) if cause.kind() != io::ErrorKind::Other => broken_stream(&cause, peer),
        Error::ConnectionClosed | Error::AlreadyClosed => {
            HttpError::new(ErrorKind::Reset, format!("the websocket was closed by {peer}"))
        }
        Error::Protocol(
            cause @ (tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
            | tokio_tungstenite::tungstenite::error::ProtocolError::HandshakeIncomplete),
        ) => HttpError::new(ErrorKind::Reset, format!("the websocket connection to {peer} broke: {cause}")),
        Error::Capacity(cause) => HttpError::new(
            ErrorKind::Protocol,
            format!("a websocket message from {peer} is larger than {LARGEST_MESSAGE} bytes: {cause}"),
        ),
        cause => {
            HttpError::new(ErrorKind::Protocol, format!("{peer} violated the websocket protocol: {cause}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_asks_for_the_upgrade() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("shop"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let request = handshake_request("https://shop/http/live?a=b", headers).unwrap();
        assert_eq!(request.uri().to_string(), "wss://shop/http/live?a=b");
        assert_eq!(request.headers()[header::UPGRADE], "websocket");
        assert_eq!(request.headers()[header::SEC_WEBSOCKET_KEY].len(), 24);
        assert!(!request.headers().contains_key(header::ACCEPT_ENCODING));
    }

    #[test]
    fn errors_have_the_kinds_of_requests() {
        let kind = |error| explain(error, &"peer").kind;
        assert_eq!(kind(Error::Io(io::ErrorKind::ConnectionReset.into())), ErrorKind::Reset);
        assert_eq!(kind(Error::ConnectionClosed), ErrorKind::Reset);
        assert_eq!(kind(Error::AttackAttempt), ErrorKind::Protocol);
    }
}
