//! A server whose answers are written by hand, byte by byte, over TCP or TLS.
//!
//! Owns what is done about each path (`answer`) and the states of the whole server (`Server::set`). Invariant: a
//! request is in the book before the first byte of its answer is sent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http2;
use crate::tls::{self, Certificate};
use crate::truth::{Fate, Truth};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Https(Certificate),
    Http2,
    /// What it does with a connection, whatever comes.
    Raw(Raw),
}

/// What is done with a connection whatever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Closed at once.
    Close,
    /// Reset at once.
    Reset,
    /// Never read and never closed.
    Silent,
    /// Closed when the client has said something.
    CloseAfterFirst,
    /// Answered with bytes that are nothing.
    Garbage,
    /// Nobody accepts: the queue of the listener is full.
    FullQueue,
}

/// The state of the whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    /// Reads and answers nothing.
    Frozen,
    /// All connections are reset, and nobody listens.
    Dead,
}

/// A server on a free port of 127.0.0.1.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) truth: Arc<Truth>,
    state: watch::Sender<State>,
    speaks: Speaks,
}

impl Server {
    pub(crate) fn url(&self) -> String {
        match self.speaks {
            Speaks::Https(_) => format!("https://localhost:{}", self.addr.port()),
            _ => format!("http://{}", self.addr),
        }
    }

    /// Starts it on the runtime around.
    pub(crate) async fn start(speaks: Speaks, ip: IpAddr) -> Server {
        let (state, watched) = watch::channel(State::Up);
        let truth = Arc::new(Truth::default());
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::new(ip, 0)).unwrap();
        let queue = if speaks == Speaks::Raw(Raw::FullQueue) { 0 } else { 1024 };
        let listener = socket.listen(queue).unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(live(listener, addr, speaks, truth.clone(), watched));
        Server { addr, truth, state, speaks }
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn live(
    listener: TcpListener,
    addr: SocketAddr,
    speaks: Speaks,
    truth: Arc<Truth>,
    mut state: watch::Receiver<State>,
) {
    let acceptor = match speaks {
        Speaks::Https(certificate) => Some(tls::acceptor(certificate)),
        _ => None,
    };
    let mut listener = Some(listener);
    if speaks == Speaks::Raw(Raw::FullQueue) {
        // A queue of 0 takes one connection; it is filled, so that the next one is not answered.
        let _first = TcpStream::connect(addr).await;
        let _ = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(addr)).await;
        let _ = state.wait_for(|state| *state == State::Dead).await;
        return;
    }
    let mut connections = JoinSet::new();
    loop {
        let now = *state.borrow_and_update();
        if now == State::Dead {
            // Connections see the state themselves: one that is answering has to say what became of it.
            listener = None;
        } else if listener.is_none() {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(addr).unwrap();
            listener = Some(socket.listen(1024).unwrap());
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            Ok((tcp, _)) = accept(listener.as_ref()) => {
                let (truth, acceptor, state) = (truth.clone(), acceptor.clone(), state.clone());
                connections.spawn(connection(tcp, speaks, acceptor, truth, state));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn connection(
    mut tcp: TcpStream,
    speaks: Speaks,
    acceptor: Option<TlsAcceptor>,
    truth: Arc<Truth>,
    state: watch::Receiver<State>,
) {
    let number = truth.connected();
    // Without it an answer may wait 40 ms for the client's delayed acknowledgement.
    let _ = tcp.set_nodelay(true);
    match speaks {
        Speaks::Http1 => serve(tcp, number, truth, state).await,
        // A client that does not trust the certificate hangs up.
        Speaks::Https(_) => {
            if let Some(acceptor) = acceptor
                && let Ok(stream) = acceptor.accept(tcp).await
            {
                serve(stream, number, truth, state).await;
            }
        }
        Speaks::Http2 => http2::serve(tcp, truth).await,
        Speaks::Raw(Raw::Close) => {}
        Speaks::Raw(Raw::Reset) => tcp.reset(),
        Speaks::Raw(Raw::Silent | Raw::FullQueue) => std::future::pending().await,
        Speaks::Raw(Raw::CloseAfterFirst) => {
            let _ = tcp.read(&mut [0; 16]).await;
        }
        Speaks::Raw(Raw::Garbage) => {
            let _ = tcp.read(&mut [0; 4096]).await;
            let _ = tcp.write_all(&[0xee; 300]).await;
            let _ = tcp.read(&mut [0; 4096]).await;
        }
    }
}

/// A stream that can be reset.
pub(crate) trait Peer: AsyncRead + AsyncWrite + Unpin + Send {
    /// What is not sent yet is lost, and the client gets RST when this is dropped.
    fn reset(&mut self);
    /// Below TLS, if there is any.
    fn tcp(&mut self) -> &mut TcpStream;
}

impl Peer for TcpStream {
    fn reset(&mut self) {
        let _ = self.set_zero_linger();
    }

    fn tcp(&mut self) -> &mut TcpStream {
        self
    }
}

impl Peer for TlsStream<TcpStream> {
    fn reset(&mut self) {
        let _ = self.get_ref().0.set_zero_linger();
    }

    fn tcp(&mut self) -> &mut TcpStream {
        self.get_mut().0
    }
}

/// A step of an answer.
#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    /// A byte at a time, this many milliseconds apart.
    Drip(Vec<u8>, u64),
    Wait(u64),
    /// Again and again, as fast as the client takes them, until it hangs up.
    Flood(Vec<u8>),
    /// Bytes below TLS.
    SendRaw(Vec<u8>),
    Close,
    /// As a process that dies: no farewell of TLS.
    Cut,
    Reset,
    /// The server's side is closed; the client's is read on.
    HalfClose,
    /// No answer, and no end of the connection before the client's.
    Hang,
}

/// A request, as far as its head.
struct Request {
    method: String,
    path: String,
    id: String,
    length: usize,
}

async fn serve<S: Peer>(mut stream: S, connection: u64, truth: Arc<Truth>, state: watch::Receiver<State>) {
    let mut buffer = Vec::new();
    let mut dead = state.clone();
    for nth in 0.. {
        let mut id = String::new();
        let request = async {
            let mut state = state.clone();
            state.wait_for(|state| *state == State::Up).await.ok()?;
            let request = read_head(&mut stream, &mut buffer).await?;
            let (fate, early, steps) = answer(&request, connection, nth);
            if !early && !read_body(&mut stream, &mut buffer, request.length).await {
                return None;
            }
            if !request.id.is_empty() {
                truth.note(&request.id, fate);
            }
            id = request.id;
            // A frozen server has read what was sent, as its kernel does, and does nothing about it.
            state.wait_for(|state| *state == State::Up).await.ok()?;
            take(&mut stream, steps).await.then_some(())
        };
        tokio::select! {
            biased;
            _ = dead.wait_for(|state| *state == State::Dead) => {
                truth.nobody_knows(&id);
                stream.reset();
                return;
            }
            answered = request => if answered.is_none() { return },
        }
    }
}

/// Takes the steps; false is the end of the connection.
async fn take<S: Peer>(stream: &mut S, steps: Vec<Step>) -> bool {
    for step in steps {
        let done = match step {
            Step::Send(bytes) => match stream.write_all(&bytes).await {
                Ok(()) => stream.flush().await.is_ok(),
                Err(_) => false,
            },
            Step::SendRaw(bytes) => stream.tcp().write_all(&bytes).await.is_ok(),
            Step::Drip(bytes, pause) => {
                let mut sent = true;
                for byte in bytes {
                    sent = sent && stream.write_all(&[byte]).await.is_ok() && stream.flush().await.is_ok();
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                sent
            }
            Step::Wait(pause) => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                true
            }
            Step::Flood(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {}
                false
            }
            Step::Close => {
                let _ = stream.shutdown().await;
                false
            }
            Step::Cut => false,
            Step::Reset => {
                stream.reset();
                false
            }
            Step::HalfClose => {
                let _ = stream.shutdown().await;
                drain(stream).await;
                false
            }
            Step::Hang => {
                drain(stream).await;
                false
            }
        };
        if !done {
            return false;
        }
    }
    true
}

/// Reads until the client hangs up.
async fn drain<S: Peer>(stream: &mut S) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

async fn read_head<S: Peer>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.first() == Some(&0x16) {
            // The client speaks TLS.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            return None;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let length =
        lines.find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let id = query.strip_prefix("id=").unwrap_or_default().to_owned();
    Some(Request { method, path: path.to_owned(), id, length: length.unwrap_or(0) })
}

async fn read_body<S: Peer>(stream: &mut S, buffer: &mut Vec<u8>, length: usize) -> bool {
    while buffer.len() < length {
        if !stream.read_buf(buffer).await.is_ok_and(|read| read > 0) {
            return false;
        }
    }
    buffer.drain(..length);
    true
}

/// A whole answer; `fields` are whole lines, each with its end.
fn whole(status: u16, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Test\r\n{fields}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What becomes of a request, whether its body is left unread, and what is sent.
fn answer(request: &Request, connection: u64, nth: u64) -> (Fate, bool, Vec<Step>) {
    use Step::{Close, Cut, Drip, Flood, HalfClose, Hang, Reset, Send, SendRaw, Wait};
    let ok = Fate::Ok(200);
    let failed = Fate::Failed(None);
    let text = |text: &str| Send(text.as_bytes().to_vec());
    let fine = || Send(whole(200, "", b"fine"));
    let read = |fate, steps| (fate, false, steps);
    match request.path.as_str() {
        "/500" => read(Fate::Failed(Some(500)), vec![Send(whole(500, "", b"broken"))]),
        "/503-close" => read(
            Fate::Failed(Some(503)),
            vec![Send(whole(503, "connection: close\r\nretry-after: 1\r\n", b"")), Close],
        ),
        "/429" => read(Fate::Failed(Some(429)), vec![Send(whole(429, "retry-after: 1\r\n", b"later"))]),
        // Connections that end.
        "/reset" => read(failed, vec![Reset]),
        "/close" => read(failed, vec![Close]),
        "/late-reset" => read(failed, vec![Wait(150), Reset]),
        "/late-close" => read(failed, vec![Wait(150), Close]),
        "/half-close" => read(failed, vec![HalfClose]),
        "/close-in-head" => read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-le"), Close]),
        "/reset-in-head" => read(failed, vec![text("HTTP/1.1 200 OK\r\n"), Wait(20), Reset]),
        "/cut" => read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"), Close]),
        "/cut-dead" => {
            read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"), Wait(20), Cut])
        }
        "/cut-reset" => {
            read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"), Wait(20), Reset])
        }
        "/cut-chunk" => {
            read(failed, vec![text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc"), Close])
        }
        "/until-close" => read(ok, vec![text("HTTP/1.0 200 OK\r\n\r\nall of it"), Close]),
        "/until-reset" => read(failed, vec![text("HTTP/1.1 200 OK\r\n\r\nsome of it"), Wait(20), Reset]),
        // The connection ends after a whole answer: the next request finds it dead, or dies with it unread.
        "/fine-close" => read(ok, vec![fine(), Close]),
        "/fine-reset" => read(ok, vec![fine(), Wait(20), Reset]),
        "/fine-said" => read(ok, vec![Send(whole(200, "connection: close\r\n", b"fine")), Close]),
        "/every-third-dies" if nth % 3 == 2 => read(failed, vec![Reset]),
        // Not HTTP.
        "/garbage" => read(failed, vec![text("this is not HTTP at all\r\n\r\n"), Close]),
        "/nothing-said" => read(failed, vec![Send(vec![0; 64]), Close]),
        "/bad-chunk" => read(
            failed,
            vec![text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"), Close],
        ),
        "/two-lengths" => read(
            failed,
            vec![text("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 7\r\n\r\nfine"), Close],
        ),
        "/bad-length" => read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\nfine"), Close]),
        "/endless-head" => {
            let line = format!("x-filler: {}\r\n", "x".repeat(1000));
            read(failed, vec![text(&format!("HTTP/1.1 200 OK\r\n{}", line.repeat(4000))), Close])
        }
        "/bad-gzip" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n";
            // Decoded when a script looks at it; this one does not.
            read(ok, vec![text(&format!("{head}not gzipped!"))])
        }
        // Slow.
        "/slow" => read(ok, vec![Wait(120), fine()]),
        "/slow-head" => read(ok, vec![Drip(whole(200, "", b"fine"), 2)]),
        "/slow-body" => read(
            failed,
            vec![text("HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n"), Drip(vec![b'x'; 200], 10), Hang],
        ),
        "/never" => read(failed, vec![Hang]),
        "/too-long" => read(failed, vec![text("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"), Hang]),
        // More than was asked for.
        "/two-answers" => {
            read(ok, vec![Send([whole(200, "", b"fine"), whole(500, "", b"not asked for")].concat())])
        }
        "/unasked-later" => read(ok, vec![fine(), Wait(20), Send(whole(500, "", b"not asked for"))]),
        "/continues" => read(ok, vec![text(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(50)), Wait(10), fine()]),
        "/early-hints" => {
            read(ok, vec![text("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), Wait(10), fine()])
        }
        "/endless-continues" => read(failed, vec![Flood(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100))]),
        "/endless-fields" => read(
            failed,
            vec![text("HTTP/1.1 200 OK\r\n"), Flood(b"x-filler: aaaaaaaaaaaaaaaa\r\n".repeat(100))],
        ),
        "/endless-body" => read(
            failed,
            vec![
                text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
                Flood(b"8\r\naaaaaaaa\r\n".repeat(200)),
            ],
        ),
        // Bodies that are hard to digest.
        "/deep-html" => read(ok, vec![Send(whole(200, "", "<div>".repeat(20_000).as_bytes()))]),
        "/deep-lists" => read(ok, vec![Send(whole(200, "", "<ul><li>".repeat(10_000).as_bytes()))]),
        "/deep-json" => read(
            ok,
            vec![Send(whole(200, "", ["[".repeat(100_000), "]".repeat(100_000)].concat().as_bytes()))],
        ),
        // Redirects.
        "/loop" => {
            let location = format!("location: /loop?id={}\r\n", request.id);
            // Every hop is one request to the server and part of one request of the script.
            read(failed, vec![Send(whole(302, &location, b""))])
        }
        "/to-nowhere" => read(failed, vec![Send(whole(302, "location: http://127.0.0.1:1/\r\n", b""))]),
        // Uploads.
        "/too-large" => (
            Fate::Failed(Some(413)),
            true,
            vec![Send(whole(413, "connection: close\r\n", b"too large")), HalfClose],
        ),
        "/upload-reset" => (failed, true, vec![Wait(20), Reset]),
        // TLS.
        "/bad-record" => read(
            failed,
            vec![SendRaw(vec![0x17, 3, 3, 0, 32].into_iter().chain([7; 32]).collect()), Wait(20), Cut],
        ),
        "/first-connection-dies" if connection == 0 => read(failed, vec![Reset]),
        _ if request.method == "HEAD" => read(ok, vec![Send(whole(200, "", b""))]),
        _ => read(ok, vec![fine()]),
    }
}
