//! What the black-box tests share: a server with knobs, running tests in this process, running the command.

mod apps;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
mod command;
mod digest;
mod flood;
mod frames;
mod http2;
mod in_process;
mod pages;
mod results;
mod server;
mod tls;
mod uploads;
mod websocket;

use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) use command::{Output, Running, Sandbox};
pub(crate) use flood::{Flood, flooding};
pub(crate) use frames::{
    Act, CANCEL, ENHANCE_YOUR_CALM, FrameServer, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM,
};
pub(crate) use http2::Http2Server;
pub(crate) use in_process::{Ran, block_on, load_test, once, run, try_run};
pub(crate) use results::{RunDir, files_with, rows};
pub(crate) use server::{Seen, Server};
pub(crate) use tls::TlsServer;
pub(crate) use uploads::{UploadServer, hashed};

/// Everything that a run can write, in one sandbox.
pub(crate) const ALL_OUTPUTS: [&str; 16] = [
    "--csv",
    "run",
    "--csv-full-history",
    "--json",
    "--html",
    "r.html",
    "--junit",
    "j.xml",
    "--markdown",
    "m.md",
    "--summary-export",
    "s.json",
    "--out",
    "json=o.json",
    "--out",
    "csv=o.csv",
];

/// How long anything may take before a test fails; far above what is needed, so that a slow machine passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds; fails the test when it does not come true.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(5));
    }
}
