//! An HTTP/2 server (prior knowledge) that resets, refuses and goes away.
//!
//! Invariant: a request that RFC 9113 calls unprocessed (refused, or above the last stream of GOAWAY) is not in the
//! book: the client may send it again, and only then it counts.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::truth::{Fate, Truth};

pub(crate) async fn serve(tcp: TcpStream, truth: Arc<Truth>) {
    let extra = Arc::new(Mutex::new(Vec::new()));
    let Ok(mut connection) = h2::server::handshake(Beside { tcp, extra: extra.clone() }).await else {
        return;
    };
    let mut tasks = JoinSet::new();
    // The last stream that is served, once the connection goes away.
    let mut last: Option<u32> = None;
    // Waiting for the next request also moves the data of those before.
    loop {
        let accepted = match last {
            // When all is answered, the connection is over.
            Some(_) => tokio::select! {
                next = connection.accept() => next,
                () = async { while tasks.join_next().await.is_some() {} tokio::time::sleep(Duration::from_millis(30)).await } => return,
            },
            None => connection.accept().await,
        };
        let Some(Ok((request, mut respond))) = accepted else { return };
        let stream = respond.stream_id().as_u32();
        if last.is_some_and(|last| stream > last) {
            // Neither answered nor reset: the client knows from GOAWAY what that means.
            std::mem::forget(respond);
            continue;
        }
        let uri = request.uri();
        let id = uri.query().and_then(|query| query.strip_prefix("id=")).unwrap_or_default().to_owned();
        let failed = |truth: &Truth| truth.note(&id, Fate::Failed(None));
        let reason = match uri.path() {
            "/reset-internal" => Some(Reason::INTERNAL_ERROR),
            "/reset-cancel" => Some(Reason::CANCEL),
            "/reset-calm" => Some(Reason::ENHANCE_YOUR_CALM),
            "/reset-http11" => Some(Reason::HTTP_1_1_REQUIRED),
            _ => None,
        };
        if let Some(reason) = reason {
            failed(&truth);
            respond.send_reset(reason);
            continue;
        }
        match uri.path() {
            "/refused-once" if truth.refuse(&id) => respond.send_reset(Reason::REFUSED_STREAM),
            "/refused-always" => {
                failed(&truth);
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            "/never" => {
                failed(&truth);
                std::mem::forget(respond);
            }
            "/cut" => {
                failed(&truth);
                tasks.spawn(async move { cut(&mut respond).await });
            }
            "/kill" => {
                failed(&truth);
                return;
            }
            "/calm-down" => {
                // GOAWAY with an error and this stream as the last one: it was processed, and is not answered.
                failed(&truth);
                *extra.lock().unwrap() = go_away(stream, Reason::ENHANCE_YOUR_CALM);
                respond.send_reset(Reason::CANCEL);
                last = Some(0);
            }
            "/not-a-frame" => {
                failed(&truth);
                *extra.lock().unwrap() = vec![0xff; 64];
                answer(&mut respond, &truth, "", 200);
            }
            "/go-away" => {
                last = Some(stream);
                *extra.lock().unwrap() = go_away(stream, Reason::NO_ERROR);
                answer(&mut respond, &truth, &id, 200);
            }
            "/500" => {
                truth.note(&id, Fate::Failed(Some(500)));
                answer(&mut respond, &truth, "", 500);
            }
            _ => answer(&mut respond, &truth, &id, 200),
        }
    }
}

/// The client may leave at any time.
fn answer(respond: &mut SendResponse<Bytes>, truth: &Truth, id: &str, status: u16) {
    if !id.is_empty() {
        truth.note(id, Fate::Ok(200));
    }
    let head = http::Response::builder().status(status).body(()).unwrap();
    if let Ok(mut body) = respond.send_response(head, false) {
        let _ = body.send_data(Bytes::from_static(b"fine"), true);
    }
}

async fn cut(respond: &mut SendResponse<Bytes>) {
    if let Ok(mut body) = respond.send_response(http::Response::new(()), false) {
        let _ = body.send_data(Bytes::from_static(b"half"), false);
        tokio::time::sleep(Duration::from_millis(20)).await;
        body.send_reset(Reason::INTERNAL_ERROR);
    }
}

/// A frame GOAWAY (RFC 9113 6.8).
fn go_away(last: u32, reason: Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last.to_be_bytes());
    frame.extend_from_slice(&u32::from(reason).to_be_bytes());
    frame
}

/// A connection that can say something beside what h2 says, between its frames.
struct Beside {
    tcp: TcpStream,
    extra: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Beside {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Beside {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let Beside { tcp, extra } = self.get_mut();
        let mut extra = extra.lock().unwrap();
        while !extra.is_empty() {
            let written = ready!(Pin::new(&mut *tcp).poll_write(cx, &extra))?;
            extra.drain(..written);
        }
        Pin::new(tcp).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
