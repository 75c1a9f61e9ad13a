//! The page of a process: its server on a thread of its own, and what the process tells it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use super::connections::Door;
use super::guard::{Guard, random_token};
use super::hub::{Hub, Recruiting};
use super::launcher::Launcher;
use super::live::{LiveRun, LogLevel};
use super::server::{Site, router};
use crate::metrics::IntervalTaker;
use crate::plan::RunRecord;
use crate::run::RunHandle;

/// How long viewers get to take the last state of the page, and its report, when the process is about to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Most connections that the system holds until they are accepted. The usual 128 make somebody who knocks while a chart is
/// drawn wait for a second.
const QUEUE: u32 = 4096;

/// How often it is looked whether they are done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a page is served.
#[derive(Clone, Debug)]
pub struct PageSettings {
    /// Where it listens; with port 0, the system chooses one.
    pub address: SocketAddr,
    /// What callers have to show; without one, changes need a token that is made here.
    pub token: Option<String>,
    /// Where runs are.
    pub results_dir: PathBuf,
}

/// A page that is being served. Dropping it closes all its connections.
pub struct LivePage {
    hub: Arc<Hub>,
    address: SocketAddr,
    token: String,
    is_closed: bool,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LivePage {
    /// Serves the page from now on. With a launcher, runs can be started there.
    ///
    /// # Errors
    /// When the address is not free, or is none of this machine.
    pub fn open(settings: &PageSettings, launcher: Option<Arc<dyn Launcher>>) -> io::Result<LivePage> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let listener = {
            // Sockets belong to the runtime in which they are made.
            let _inside = runtime.enter();
            listen(settings.address)?
        };
        let address = listener.local_addr()?;
        let is_closed = settings.token.is_some() || !address.ip().is_loopback();
        let token = settings.token.clone().unwrap_or_else(random_token);
        let hub = Arc::new(Hub::new(launcher, &settings.results_dir));
        let site = Site { hub: hub.clone(), guard: Guard::new(token.clone(), is_closed, address) };
        let (stop, stopped) = oneshot::channel();
        let followed = hub.clone();
        let serve = move || {
            let served = async {
                let server = axum::serve(Door::new(listener), router(Arc::new(site)));
                tokio::select! {
                    ended = server => ended,
                    () = followed.follow() => Ok(()),
                    _ = stopped => Ok(()),
                }
            };
            // A page that cannot be served is no reason to end a run; whoever opens it sees that it is gone.
            let _: io::Result<()> = runtime.block_on(served);
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("rhaid-web".to_owned()).spawn(serve)?;
        Ok(LivePage { hub, address, token, is_closed, stop: Some(stop), thread: Some(thread) })
    }

    /// Its address for a browser, with the token where looking needs it.
    pub fn url(&self) -> String {
        let base = self.base_url();
        if self.is_closed { format!("{base}/?token={}", self.token) } else { format!("{base}/") }
    }

    /// Its address for programs, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What programs have to show.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Shows that a run waits for agents, which is to be said until it begins; false once somebody has stopped it there.
    pub fn recruit(&self, recruiting: &Recruiting) -> bool {
        self.hub.recruit(recruiting)
    }

    /// Shows that this run does not begin, and why.
    pub fn end_recruiting(&self, problem: String) {
        self.hub.end_recruiting(Some(problem));
    }

    /// Shows a run that has begun, with the intervals that `taker` gives.
    pub fn begin(&self, run: &RunHandle, taker: IntervalTaker, folder: &Path) {
        self.hub.begin(LiveRun::new(run, taker, folder.to_owned()));
    }

    /// Adds to the log of the run what it says at this time of its load.
    pub fn say(&self, level: LogLevel, at: Duration, text: &str) {
        if let Some(run) = self.hub.run() {
            run.log().say(level, at, text);
        }
    }

    /// Shows what came of it.
    pub fn finish(&self, record: &RunRecord) {
        if let Some(run) = self.hub.run() {
            run.finish(record.clone());
        }
    }

    /// Gives viewers a moment to take what there is, and ends.
    pub fn close(self) {
        let mut waited = Duration::ZERO;
        while self.hub.viewers() > 0 && waited < FAREWELL {
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A page that has just been closed does not keep the next one from the same port. Windows would let two have it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

impl Drop for LivePage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at its next step, which is no longer than a drawing.
            let _ = thread.join();
        }
    }
}
