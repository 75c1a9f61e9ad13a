//! An HTTP/1.1 server on a free port of 127.0.0.1 that does what the path says.
//!
//! Owns its thread and what it has seen. Every request is noted when it has been read to its end, before
//! it is answered, so that tests compare what was received with what rhaid reports.
//!
//! | path | answer |
//! |---|---|
//! | `/status/N` | that status, with a short body |
//! | `/refuse/N` | that status, with the body of the request |
//! | `/delay/MS` | 200 after so many milliseconds |
//! | `/echo…` | the request as JSON: method, path, query, headers, body |
//! | `/bytes/N` | a body of so many bytes |
//! | `/chunked/N` | the same, in chunks |
//! | `/redirect/N` | 302, N times, then 200 |
//! | `/redirect/loop` | 302 to itself |
//! | `/redirect/post/CODE` | that code, to `/echo/redirected` |
//! | `/cookies/set?a=b` | sets the cookies of its query |
//! | `/cookies/get` | the cookies that came, as a JSON object |
//! | `/gzip` | `{"packed":true}`, compressed |
//! | `/cut` | a body that ends before its length |
//! | `/reset` | the connection is reset |
//! | `/drop/MS` | the connection is closed after so many milliseconds, without an answer |
//! | `/last` | 200; a little later, the connection is closed without a word |
//! | `/garbage` | bytes that are not HTTP |
//! | `/never` | no answer |
//! | `/flaky/N/…` | 503 to every Nth request of that path, 200 to the others |
//! | `/login` | a JSON token, `token-` and the `user` of the JSON body |
//! | `/raw/bom`, `/raw/latin1` | JSON after a byte order mark; a header in Latin-1 |
//! | `/count` | how often each path was hit, as JSON |
//! | `/concurrency` | most requests in service at once |
//! | `/unpack` | the request's body without its content encoding, and what that was, as JSON |
//! | `/zeros/N` | a body of so many zeros, made while it is sent |
//! | `/digest/ALGORITHM` | 401 with a challenge, until `ann` with the password `secret` answers it |
//! | `/page/NAME` | a page or other text of `pages.rs` |
//! | `/app/…` | an application of `apps.rs` |
//! | `/ws/NAME` | a websocket that does what `websocket.rs` says |
//! | other | 200, `ok` |

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::{apps, digest, pages, wait_until, websocket};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it had been read.
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) raw: Vec<u8>,
}

impl Seen {
    /// A header's value; empty when it did not come.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// See the module's description. Stops when it is dropped.
pub(crate) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    in_service: AtomicU64,
    peak: AtomicU64,
    frozen: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_at("127.0.0.1")
    }

    /// Starts it at an address of this machine.
    pub(crate) fn start_at(ip: &str) -> Server {
        let listener = std::net::TcpListener::bind((ip, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            in_service: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            frozen: watch::Sender::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let state = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, state) => {}
                    _ = stopped => {}
                }
            });
        });
        Server { addr, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Its base URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything it has received, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many requests it has received.
    pub(crate) fn total(&self) -> u64 {
        self.shared.seen.lock().unwrap().len() as u64
    }

    /// The requests to this path.
    pub(crate) fn hits(&self, path: &str) -> u64 {
        self.shared.seen.lock().unwrap().iter().filter(|seen| seen.path == path).count() as u64
    }

    /// Most requests in service at once.
    pub(crate) fn concurrency(&self) -> u64 {
        self.shared.peak.load(Ordering::Relaxed)
    }

    /// Waits until a path was hit so often.
    pub(crate) fn wait_for_hits(&self, path: &str, least: u64) {
        wait_until(&format!("{least} requests to {path}"), || self.hits(path) >= least);
    }

    /// Answers nothing until [`Server::thaw`].
    pub(crate) fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, shared.clone()));
    }
}

/// What is done about a request.
enum Answer {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes; then the connection is closed.
    Last(Vec<u8>),
    Reset,
    Never,
    /// A body of so many zeros.
    Zeros(u64),
    /// A websocket from here on.
    WebSocket(String),
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    // Without it an answer may wait 40 ms for the client's delayed acknowledgement.
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer).await {
        let in_service = InService::enter(&shared);
        shared.seen.lock().unwrap().push(seen.clone());
        let mut frozen = shared.frozen.subscribe();
        let answering = async {
            let _ = frozen.wait_for(|frozen| !frozen).await;
            answer(&seen, &shared).await
        };
        let mut answering = pin!(answering);
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut answering => break answer,
                // A client that has gone away is not served any more.
                _ = stream.readable() => if gone(&stream) { return },
            }
        };
        match answer {
            Answer::Bytes(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Answer::Last(bytes) => {
                let _ = stream.write_all(&bytes).await;
                if seen.path == "/last" {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                return;
            }
            Answer::Zeros(length) => {
                if send_zeros(&mut stream, length).await.is_err() {
                    return;
                }
            }
            Answer::WebSocket(name) => {
                websocket::serve(stream, seen.header("sec-websocket-key"), &name).await;
                return;
            }
            Answer::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Answer::Never => {
                // Until the client hangs up.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
        }
        drop(in_service);
    }
}

fn gone(stream: &TcpStream) -> bool {
    // A request that is sent before its predecessor was answered would be lost here; rhaid sends none.
    !matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

struct InService<'a>(&'a Shared);

impl InService<'_> {
    fn enter(shared: &Shared) -> InService<'_> {
        let now = shared.in_service.fetch_add(1, Ordering::Relaxed) + 1;
        shared.peak.fetch_max(now, Ordering::Relaxed);
        InService(shared)
    }
}

impl Drop for InService<'_> {
    fn drop(&mut self) {
        self.0.in_service.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The first byte of a client that speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if buffer[0] == TLS_HANDSHAKE {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(value);
            })
            .or_insert(value.to_owned());
    }
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let raw: Vec<u8> = buffer.drain(..length).collect();
    let body = String::from_utf8_lossy(&raw).into_owned();
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Seen { at: Instant::now(), method, path, query, headers, body, raw })
}

async fn answer(seen: &Seen, shared: &Shared) -> Answer {
    let parts: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    match parts.as_slice() {
        ["status", status] => respond(seen, number(status) as u16, "", format!("status {status}")),
        ["refuse", status] => respond(seen, number(status) as u16, "", &seen.body),
        ["delay", ms] => {
            tokio::time::sleep(Duration::from_millis(number(ms))).await;
            respond(seen, 200, "", format!("after {ms} ms"))
        }
        ["echo", ..] => respond(seen, 200, JSON, echo(seen).to_string()),
        ["bytes", length] => respond(seen, 200, "", "x".repeat(number(length) as usize)),
        ["chunked", length] => chunked(number(length) as usize),
        ["redirect", "loop"] => respond(seen, 302, "location: /redirect/loop\r\n", ""),
        ["redirect", "post", code] => {
            respond(seen, number(code) as u16, "location: /echo/redirected\r\n", "")
        }
        ["redirect", "0"] => respond(seen, 200, "", "arrived"),
        ["redirect", left] => {
            let next = format!("location: /redirect/{}\r\n", number(left) - 1);
            respond(seen, 302, &next, "")
        }
        ["cookies", "set"] => {
            let fields: String =
                seen.query.split('&').map(|pair| format!("set-cookie: {pair}; Path=/\r\n")).collect();
            respond(seen, 200, &fields, "set")
        }
        ["cookies", "get"] => respond(seen, 200, JSON, cookies(seen).to_string()),
        ["gzip"] => {
            let fields = "content-encoding: gzip\r\ncontent-type: application/json\r\n";
            respond(seen, 200, fields, gzip(br#"{"packed":true}"#))
        }
        ["cut"] => Answer::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it".to_vec()),
        ["reset"] => Answer::Reset,
        ["drop", ms] => {
            tokio::time::sleep(Duration::from_millis(number(ms))).await;
            Answer::Last(Vec::new())
        }
        ["last"] => Answer::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()),
        ["garbage"] => Answer::Last(b"this is not HTTP at all\r\n\r\n".to_vec()),
        ["never"] => Answer::Never,
        ["flaky", every, ..] => {
            let nth = shared.seen.lock().unwrap().iter().filter(|other| other.path == seen.path).count();
            let status = if (nth as u64).is_multiple_of(number(every)) { 503 } else { 200 };
            respond(seen, status, "", "flaky")
        }
        ["login"] => {
            let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
            let user = body["user"].as_str().unwrap_or("nobody");
            respond(seen, 200, JSON, json!({ "token": format!("token-{user}") }).to_string())
        }
        ["raw", "bom"] => respond(seen, 200, JSON, "\u{feff}{\"a\":1}"),
        ["raw", _] => {
            Answer::Bytes(b"HTTP/1.1 200 OK\r\nx-name: caf\xe9\r\ncontent-length: 0\r\n\r\n".to_vec())
        }
        ["count"] => {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for seen in shared.seen.lock().unwrap().iter() {
                *counts.entry(seen.path.clone()).or_default() += 1;
            }
            respond(seen, 200, JSON, json!(counts).to_string())
        }
        ["unpack"] => {
            let encoding = seen.header("content-encoding");
            let text = unpack(encoding, &seen.raw);
            respond(seen, 200, JSON, json!({ "encoding": encoding, "text": text }).to_string())
        }
        ["zeros", length] => Answer::Zeros(number(length)),
        ["digest", algorithm] => match digest::challenge(seen, algorithm) {
            Some(challenge) => respond(seen, 401, &challenge, "who are you?"),
            None => respond(seen, 200, "", "welcome"),
        },
        ["page", name] => respond(seen, 200, "", pages::page(name)),
        ["app", rest @ ..] => {
            let nth = shared.seen.lock().unwrap().iter().filter(|other| other.path == seen.path).count();
            let (status, fields, body) = apps::answer(seen, rest, nth);
            respond(seen, status, &fields, body)
        }
        ["ws", name] => Answer::WebSocket((*name).to_owned()),
        ["concurrency"] => respond(seen, 200, "", shared.peak.load(Ordering::Relaxed).to_string()),
        _ => respond(seen, 200, "", "ok"),
    }
}

const JSON: &str = "content-type: application/json\r\n";

/// A complete response; `fields` are whole lines, each with its line end.
fn respond(seen: &Seen, status: u16, fields: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status} Test\r\n{fields}content-length: {}\r\n\r\n", body.len()).into_bytes();
    if seen.method != "HEAD" && status != 204 && status != 304 {
        bytes.extend_from_slice(body);
    }
    Answer::Bytes(bytes)
}

async fn send_zeros(stream: &mut TcpStream, mut left: u64) -> std::io::Result<()> {
    const ZEROS: &[u8] = &[0; 64 * 1024];
    let head = format!("HTTP/1.1 200 Test\r\ncontent-length: {left}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    while left > 0 {
        let piece = left.min(ZEROS.len() as u64);
        stream.write_all(&ZEROS[..piece as usize]).await?;
        left -= piece;
    }
    Ok(())
}

fn unpack(encoding: &str, body: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder: Box<dyn Read> = match encoding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(body)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(body)),
        "br" => Box::new(brotli_decompressor::Decompressor::new(body, 4096)),
        _ => Box::new(body),
    };
    let read = decoder.read_to_string(&mut text);
    read.map_or_else(|error| error.to_string(), |_| text)
}

fn chunked(length: usize) -> Answer {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let mut left = length;
    while left > 0 {
        let chunk = left.min(1000);
        bytes.extend_from_slice(format!("{chunk:x}\r\n{}\r\n", "x".repeat(chunk)).as_bytes());
        left -= chunk;
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    Answer::Bytes(bytes)
}

fn echo(seen: &Seen) -> Value {
    json!({
        "method": seen.method,
        "path": seen.path,
        "query": seen.query,
        "headers": seen.headers,
        "body": seen.body,
    })
}

fn cookies(seen: &Seen) -> Value {
    let pairs = seen.header("cookie").split(';').filter_map(|pair| pair.trim().split_once('='));
    let map: BTreeMap<&str, &str> = pairs.collect();
    json!(map)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
