//! A cluster on this machine, as processes: NATS with a storage of its own, agents, and a wire between them that can be cut.
//!
//! Everything is on free ports and in folders of its own, and is gone when it is dropped.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::{Running, Sandbox, wait_until};

/// A `nats-server` with JetStream that lets in who has the token.
pub(crate) struct Nats {
    folder: TempDir,
    addr: SocketAddr,
    child: Option<Child>,
}

const TOKEN: &str = "a-token-of-the-tests";

impl Nats {
    pub(crate) fn start() -> Nats {
        Nats::start_at("127.0.0.1")
    }

    /// Starts one at an address of this machine.
    pub(crate) fn start_at(ip: &str) -> Nats {
        let addr = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap();
        let mut nats = Nats { folder: tempfile::tempdir().unwrap(), addr, child: None };
        nats.start_again();
        nats
    }

    /// Starts it where it was, with what it has stored.
    pub(crate) fn start_again(&mut self) {
        let settings = self.folder.path().join("nats.conf");
        let text = format!(
            "host: \"{}\"\nport: {}\nauthorization {{ token: \"{TOKEN}\" }}\njetstream {{ store_dir: {:?} }}\n",
            self.addr.ip(),
            self.addr.port(),
            self.store().display()
        );
        std::fs::write(&settings, text).unwrap();
        let log = std::fs::File::create(self.folder.path().join("nats.log")).unwrap();
        let started =
            Command::new("nats-server").arg("-c").arg(settings).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(started.expect("nats-server is needed: apt install nats-server"));
        wait_until("nats-server listens", || TcpStream::connect(self.addr).is_ok());
    }

    /// Kills it; what it has stored stays.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How it is reached.
    pub(crate) fn url(&self) -> String {
        url(self.addr)
    }

    /// The folder of its storage.
    pub(crate) fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The URL, with the token, of what listens at an address.
pub(crate) fn url(addr: SocketAddr) -> String {
    format!("nats://{TOKEN}@{addr}")
}

/// A process that takes part in runs, in an empty folder.
pub(crate) struct Agent {
    pub(crate) running: Running,
}

impl Agent {
    /// Starts one with one thread that ends after its first run.
    pub(crate) fn start(nats: &str, name: &str) -> Agent {
        Agent::start_with(nats, name, &[], &["--once"])
    }

    /// Starts one with so many threads that ends after its first run.
    pub(crate) fn with_threads(nats: &str, name: &str, threads: usize) -> Agent {
        let sandbox = Sandbox::new();
        let threads = threads.to_string();
        let command = sandbox.command(&["agent", nats, "--name", name, "--threads", &threads, "--once"]);
        Agent { running: sandbox.attach(spawn(command)) }
    }

    /// Starts one as the last argument of another command: of `env`, of `ip netns exec`.
    pub(crate) fn start_with(nats: &str, name: &str, before: &[&str], more: &[&str]) -> Agent {
        let sandbox = Sandbox::new();
        let arguments = [&["agent", nats, "--name", name, "--threads", "1"], more].concat();
        let command = behind(before, sandbox.command(&arguments), sandbox.path());
        Agent { running: sandbox.attach(spawn(command)) }
    }

    /// Starts so many, `a1`, `a2` and so on.
    pub(crate) fn several(nats: &str, count: usize) -> Vec<Agent> {
        (1..=count).map(|number| Agent::start(nats, &format!("a{number}"))).collect()
    }
}

/// The same command as the last argument of another one.
pub(crate) fn behind(before: &[&str], command: Command, folder: &Path) -> Command {
    let Some((program, first)) = before.split_first() else { return command };
    let mut all = Command::new(program);
    all.args(first).arg(command.get_program()).args(command.get_args());
    all.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    all.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    all
}

fn spawn(mut command: Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()))
}

/// Starts the sandbox's script on agents, over a NATS server that runs.
pub(crate) fn coordinator<S: AsRef<OsStr>>(sandbox: &Sandbox, nats: &str, arguments: &[S]) -> Running {
    sandbox.attach(spawn(coordinating(sandbox, nats, arguments)))
}

/// The command for that.
pub(crate) fn coordinating<S: AsRef<OsStr>>(sandbox: &Sandbox, nats: &str, arguments: &[S]) -> Command {
    let mut command = sandbox.command(&["run", "test.rhai", "--nats", nats]);
    command.args(arguments);
    command
}

/// A wire to a server, which can be cut: then nothing gets through, in either direction, and nobody is told.
pub(crate) struct Wire {
    addr: SocketAddr,
    shared: Arc<WireState>,
}

#[derive(Default)]
struct WireState {
    is_cut: Mutex<bool>,
    changed: Condvar,
    is_over: AtomicBool,
    /// Everything that has gone through.
    seen: Mutex<Vec<u8>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    pub(crate) fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire { addr: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = wire.shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || {
                    shared.wait();
                    // A server that is not there is as one behind the wire that is not there.
                    let Ok(server) = TcpStream::connect(server) else { return };
                    let (there, here) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                    shared
                        .open
                        .lock()
                        .unwrap()
                        .extend([server.try_clone().unwrap(), client.try_clone().unwrap()]);
                    let back = shared.clone();
                    std::thread::spawn(move || back.carry(there, here));
                    shared.carry(client, server);
                });
            }
        });
        wire
    }

    pub(crate) fn url(&self) -> String {
        url(self.addr)
    }

    pub(crate) fn cut(&self) {
        *self.shared.is_cut.lock().unwrap() = true;
    }

    pub(crate) fn restore(&self) {
        *self.shared.is_cut.lock().unwrap() = false;
        self.shared.changed.notify_all();
    }

    /// Everything that has gone through until now.
    pub(crate) fn seen(&self) -> Vec<u8> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl WireState {
    fn wait(&self) {
        let mut is_cut = self.is_cut.lock().unwrap();
        while *is_cut {
            is_cut = self.changed.wait(is_cut).unwrap();
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut part = [0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut part) {
            self.wait();
            self.seen.lock().unwrap().extend_from_slice(&part[..length]);
            if to.write_all(&part[..length]).is_err() {
                break;
            }
        }
        self.wait();
        // The other side has often closed it already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.restore();
        // Wakes the thread that listens.
        let _ = TcpStream::connect(self.addr);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A client that speaks NATS' own protocol, and so can say what rhaid would not.
pub(crate) struct RawClient {
    stream: TcpStream,
}

impl RawClient {
    pub(crate) fn connect(nats: &Nats) -> RawClient {
        let mut stream = TcpStream::connect(nats.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "CONNECT {{\"verbose\":false,\"auth_token\":\"{TOKEN}\"}}\r\nPING\r\n").unwrap();
        let mut client = RawClient { stream };
        client.read_until("PONG");
        client
    }

    pub(crate) fn publish(&mut self, subject: &str, payload: &[u8]) {
        write!(self.stream, "PUB {subject} {}\r\n", payload.len()).unwrap();
        self.stream.write_all(payload).unwrap();
        self.stream.write_all(b"\r\nPING\r\n").unwrap();
        self.read_until("PONG");
    }

    pub(crate) fn subscribe(&mut self, subject: &str) {
        write!(self.stream, "SUB {subject} 1\r\nPING\r\n").unwrap();
        self.read_until("PONG");
    }

    /// Reads until this has come; gives all that came.
    #[track_caller]
    pub(crate) fn read_until(&mut self, part: &str) -> String {
        let (mut text, mut bytes) = (String::new(), [0; 4096]);
        while !text.contains(part) {
            let length =
                self.stream.read(&mut bytes).unwrap_or_else(|error| panic!("no {part}: {error}: {text}"));
            assert_ne!(length, 0, "no {part}: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        text
    }
}
