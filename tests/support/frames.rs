//! An HTTP/2 server at the level of frames, without TLS, which decides about each request and knows what it did.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Error codes of RFC 9113 section 7.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// What is done about a request that has come in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// 200 without a body.
    Answer,
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY that announces the stream answered last, so not this one; the connection stays open.
    GoAwayBefore(u32),
    /// GOAWAY that announces this stream, which is not answered; the connection is closed.
    GoAwayWith(u32),
    /// The connection is closed.
    Close,
    /// 103, then RST_STREAM with this code.
    HintsThenReset(u32),
    /// GOAWAY that announces no stream, with this code and these words; the connection is closed.
    GoAwaySaying(u32, &'static str),
    /// A frame of data for no stream, which is an error of the connection.
    DataOfNoStream,
}

/// See the module's description. Lives as long as the tests' process.
pub(crate) struct FrameServer {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    act: Box<dyn Fn(u64) -> Act + Send + Sync>,
    /// How many streams the connection of this number allows.
    streams: Box<dyn Fn(u64) -> u32 + Send + Sync>,
    connections: AtomicU64,
    requests: AtomicU64,
    acts: Mutex<Vec<Act>>,
}

impl FrameServer {
    /// Does `act` about each request, by its number from 1 over all connections.
    pub(crate) fn start(act: impl Fn(u64) -> Act + Send + Sync + 'static) -> FrameServer {
        FrameServer::allowing(|_| 100, act)
    }

    /// The same, where each connection allows so many streams, by its number from 1.
    pub(crate) fn allowing(
        streams: impl Fn(u64) -> u32 + Send + Sync + 'static,
        act: impl Fn(u64) -> Act + Send + Sync + 'static,
    ) -> FrameServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            act: Box::new(act),
            streams: Box::new(streams),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            acts: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let state = shared.clone();
                // A client may leave at any time.
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        FrameServer { url, state }
    }

    /// How many requests came in full.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// How many of them it did something else about than answer them.
    pub(crate) fn refused(&self) -> u64 {
        self.state.acts.lock().unwrap().iter().filter(|act| **act != Act::Answer).count() as u64
    }
}

fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 24])?;
    let streams = (state.streams)(state.connections.fetch_add(1, Ordering::SeqCst) + 1);
    send(
        &mut stream,
        SETTINGS,
        0,
        0,
        &[&MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &streams.to_be_bytes()].concat(),
    )?;
    let mut answered = 0_u32;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            SETTINGS if flags & ACK == 0 => send(&mut stream, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => send(&mut stream, PING, ACK, 0, &payload)?,
            // What is sent before the client knows that it may not is not answered.
            HEADERS | DATA if flags & END_STREAM != 0 && streams > 0 => {
                let act = (state.act)(state.requests.fetch_add(1, Ordering::SeqCst) + 1);
                state.acts.lock().unwrap().push(act);
                match act {
                    Act::Answer => {
                        // `:status: 200` by its index in the static table.
                        send(&mut stream, HEADERS, END_HEADERS | END_STREAM, id, &[0x88])?;
                        answered = id;
                    }
                    Act::Reset(code) => send(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes())?,
                    Act::GoAwayBefore(code) => go_away(&mut stream, answered, code)?,
                    Act::GoAwayWith(code) => return go_away(&mut stream, id, code),
                    Act::Close => return Ok(()),
                    Act::HintsThenReset(code) => {
                        // `:status: 103`, its name by its index, its value as it is.
                        send(&mut stream, HEADERS, END_HEADERS, id, b"\x08\x03103")?;
                        send(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes())?;
                    }
                    Act::GoAwaySaying(code, words) => {
                        let frame = [&[0; 4][..], &code.to_be_bytes(), words.as_bytes()].concat();
                        return send(&mut stream, GOAWAY, 0, 0, &frame);
                    }
                    Act::DataOfNoStream => send(&mut stream, DATA, 0, 0, b"x")?,
                }
            }
            _ => {}
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn go_away(stream: &mut TcpStream, last: u32, code: u32) -> std::io::Result<()> {
    send(stream, GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

fn send(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> std::io::Result<()> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}
