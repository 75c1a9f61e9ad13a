//! The demo application under test: a code-quality service with believable latency.
//!
//! Owns the knobs, the listener's life and the in-process handle. Leaves routes to `routes`, the latency
//! model to `latency` and the heuristics to `analysis`. Knows nothing of the load test engine.
//!
//! Invariant: the listener and the stop signal are given, so tests bind port 0 and nothing outlives its handle.

mod analysis;
mod forms;
mod graphql;
mod graphql_document;
mod latency;
mod pages;
mod routes;
#[cfg(test)]
mod tests;
mod trouble;
mod websocket;

pub use routes::app;

use axum::serve::ListenerExt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long open connections may hold up a shutdown.
const LINGER: Duration = Duration::from_secs(1);

/// How the demo application behaves under load.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetOptions {
    /// Median latency of a lone analysis; the other routes scale with it (health 1/20, login 3/10, insights 2/5).
    /// Zero adds no latency at all.
    pub median: Duration,
    /// Spread of the log-normal latency: the standard deviation of its logarithm, 0 to 3. Zero makes it constant.
    pub sigma: f64,
    /// Requests already in service at which the median doubles; above 0. Each further `knee` adds one more median.
    pub knee: f64,
    /// Share of requests to known routes that are answered with 500, 0 to 1.
    pub error_rate: f64,
    /// The only route that fails, such as `/quality/insights`; `None`: every known route does.
    pub error_route: Option<String>,
    /// When, after the first request, all answers stop for [`stall_length`](Self::stall_length); `None`: never.
    pub stall_at: Option<Duration>,
    /// How long that lasts. What arrives meanwhile waits for its end.
    pub stall_length: Duration,
    /// Memory that is kept for ever, bytes for each second since the first request, up to 1 GB in all.
    pub leak_per_s: u64,
    /// What latencies and failures are drawn from: the same seed gives the n-th request the same draw.
    pub seed: u64,
}

impl Default for TargetOptions {
    /// A service that is comfortable with some tens of requests at a time and never fails.
    fn default() -> Self {
        TargetOptions {
            median: Duration::from_millis(20),
            sigma: 0.4,
            knee: 50.0,
            error_rate: 0.0,
            error_route: None,
            stall_at: None,
            stall_length: Duration::from_secs(2),
            leak_per_s: 0,
            seed: 42,
        }
    }
}

impl TargetOptions {
    /// Checks every knob.
    ///
    /// # Errors
    /// A sentence for each knob that is out of range, joined with "; ": what was expected and what came.
    pub fn validate(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        if !(0.0..=1.0).contains(&self.error_rate) {
            wrong.push(format!("error_rate: expected a share from 0 to 1, got {}", self.error_rate));
        }
        if !(0.0..=3.0).contains(&self.sigma) {
            wrong.push(format!("sigma: expected 0 to 3, got {}", self.sigma));
        }
        if !(self.knee > 0.0 && self.knee.is_finite()) {
            wrong.push(format!("knee: expected a number of requests above 0, got {}", self.knee));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// Serves the application on `listener` until `shutdown` completes, then lets requests in service finish for at most
/// a second. Idle keep-alive connections are closed at once.
///
/// # Errors
/// Those of the listener's local address; errors of single connections are not reported.
pub async fn serve(
    listener: TcpListener,
    options: TargetOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Without TCP_NODELAY an answer can wait 40 ms for the client's delayed acknowledgement, which would be measured
    // as latency. A socket on which it cannot be set is on its way out; its own error says so soon enough.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));

    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        // The receiver is gone only when `serve` itself was dropped, and then nobody waits for the signal.
        let _ = stopping.send(());
    };
    let give_up = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(LINGER).await,
            // The server ended without the signal: its own branch of the select has the result.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = axum::serve(listener, app(options)).with_graceful_shutdown(signal).into_future() => served,
        () = give_up => Ok(()),
    }
}

/// The application running inside this process, on a thread and a runtime of its own, for tests and `rhaid demo`.
///
/// Dropping it stops the server and waits for its thread, a little over a second at the most.
#[derive(Debug)]
pub struct Target {
    addr: SocketAddr,
    /// `Some` until dropped; sending or dropping it is the stop signal.
    stop: Option<oneshot::Sender<()>>,
    /// `Some` until joined.
    thread: Option<JoinHandle<()>>,
}

impl Target {
    /// Starts the application on a free port of 127.0.0.1. It accepts connections when this returns.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the options are out of range, and whatever keeps a port from being bound
    /// or a thread from being started.
    pub fn start(options: TargetOptions) -> io::Result<Target> {
        options.validate().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        // Bound here, so that a failure is returned and the address is known before the thread runs.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };

        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("rhaid-target".to_owned()).spawn(move || {
            let shutdown = async { drop(stopped.await) };
            // Nobody is left to tell an error to: clients see their connections refused. Dropping the runtime ends
            // the connections that outstayed the linger.
            drop(runtime.block_on(serve(listener, options, shutdown)));
        })?;
        Ok(Target { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, without a trailing slash: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server thread was already printed; panicking again in a drop would abort.
            let _ = thread.join();
        }
    }
}
