//! A server on port 0 that runs a given function for every connection.
//!
//! Owns listening, counting and taking requests apart. Leaves every byte of an answer to the test.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

/// A server that lives as long as the test's local tasks.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    accepted: Rc<Cell<usize>>,
}

impl Server {
    /// Calls `handle` with each connection and its number, from 0.
    pub(super) async fn start<F>(handle: impl Fn(usize, TcpStream) -> F + 'static) -> Server
    where
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Rc::new(Cell::new(0));
        let count = accepted.clone();
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.get();
                count.set(number + 1);
                spawn_local(handle(number, stream));
            }
        });
        Server { addr, accepted }
    }

    /// Answers every request on every connection with what `answer` makes of it.
    pub(super) async fn answering(answer: impl Fn(&Seen) -> String + 'static) -> Server {
        let answer = Rc::new(answer);
        Server::start(move |_, stream| {
            let answer = answer.clone();
            async move {
                let mut conversation = Conversation::new(stream);
                while let Some(seen) = conversation.request().await {
                    conversation.send(answer(&seen)).await;
                }
            }
        })
        .await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many connections were opened.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.get()
    }
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    /// As in the request line.
    pub(super) path: String,
    /// The whole head.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    /// The value of the first field with this name (lower case), or nothing.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The server's side of one connection.
pub(super) struct Conversation<S> {
    stream: S,
    buffer: Vec<u8>,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(super) fn new(stream: S) -> Conversation<S> {
        Conversation { stream, buffer: Vec::new(), bytes_read: 0, bytes_written: 0 }
    }

    /// The next request, or `None` when the client is gone.
    pub(super) async fn request(&mut self) -> Option<Seen> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut line = head.lines().next().unwrap().split(' ');
        let (method, path) = (line.next().unwrap().to_owned(), line.next().unwrap().to_owned());
        let mut seen = Seen { method, path, head, body: Vec::new() };
        let length: usize = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.buffer.len() < length {
            self.fill().await?;
        }
        seen.body = self.buffer.drain(..length).collect();
        Some(seen)
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have gone away; the test looks at the client's side.
        if self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok() {
            self.bytes_written += bytes.as_ref().len() as u64;
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    async fn fill(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        self.bytes_read += read as u64;
        (read > 0).then_some(())
    }
}

/// A complete 200 response with this body.
pub(super) fn ok(body: &str) -> String {
    response(200, "", body)
}

/// A complete response; `fields` are whole lines, each with its line end.
pub(super) fn response(status: u16, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{fields}content-length: {}\r\n\r\n{body}", body.len())
}

/// A complete 200 response with this body that only hyper reads.
pub(super) fn not_plain(body: &str) -> String {
    response(200, "connection: keep-alive, x\r\n", body)
}
