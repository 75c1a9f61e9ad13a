//! An HTTP/2 server without TLS on a free port of 127.0.0.1.

use std::future::poll_fn;

use bytes::Bytes;
use h2::server::SendResponse;
use tokio::net::{TcpListener, TcpStream};

/// Answers `/zeros/N` with so many bytes, as fast as the client takes them. Lives as long as the tests' process.
pub(crate) struct Http2Server {
    pub(crate) url: String,
}

impl Http2Server {
    pub(crate) fn start() -> Http2Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream));
                }
            });
        });
        Http2Server { url }
    }
}

async fn serve(stream: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    // Waiting for the next request also moves the data of those before.
    while let Some(Ok((request, respond))) = connection.accept().await {
        let length = request.uri().path().strip_prefix("/zeros/").and_then(|n| n.parse().ok()).unwrap_or(0);
        tokio::spawn(send(respond, length));
    }
}

async fn send(mut respond: SendResponse<Bytes>, mut left: usize) {
    const CHUNK: Bytes = Bytes::from_static(&[0; 65_536]);
    let Ok(mut body) = respond.send_response(http::Response::new(()), left == 0) else { return };
    while left > 0 {
        body.reserve_capacity(left.min(CHUNK.len()));
        // The client may leave at any time.
        let Some(Ok(room)) = poll_fn(|context| body.poll_capacity(context)).await else { return };
        let sent = room.min(left).min(CHUNK.len());
        left -= sent;
        if body.send_data(CHUNK.slice(..sent), left == 0).is_err() {
            return;
        }
    }
}
