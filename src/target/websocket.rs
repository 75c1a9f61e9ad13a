//! The demo application's websockets: an echo, and a chat.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::broadcast::{self, Sender, error::RecvError};

/// Messages that a slow listener of the chat may be behind before it misses some.
const BEHIND: usize = 256;

/// Answers the handshake; the conversation goes on by itself.
pub(super) async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(talk)
}

async fn talk(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Everybody in the chat.
pub(super) fn room() -> Sender<String> {
    broadcast::channel(BEHIND).0
}

/// Lets somebody in: what one says all hear, the speaker too.
pub(super) fn chat(upgrade: WebSocketUpgrade, room: Sender<String>) -> Response {
    upgrade.on_upgrade(|socket| join(socket, room))
}

async fn join(mut socket: WebSocket, room: Sender<String>) {
    let mut said = room.subscribe();
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    // There is at least one listener: this one.
                    let _ = room.send(text.to_string());
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return,
            },
            heard = said.recv() => match heard {
                Ok(text) => if socket.send(Message::Text(text.into())).await.is_err() { return },
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
