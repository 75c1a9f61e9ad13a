//! A `nats-server` of our own, for a run that is given none.
//!
//! Its settings, with the token, are in a file that only this user can read. Invariant: it is gone when this is dropped, unless it
//! was told to stay.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ClusterError;
use crate::system::create_private;

/// How long it may take to start.
const START_WITHIN: Duration = Duration::from_secs(10);

/// The program.
const PROGRAM: &str = "nats-server";

/// See the module's description.
pub(super) struct NatsServer {
    /// `None` when another process has started it.
    child: Option<Child>,
    process: u32,
    folder: PathBuf,
    address: SocketAddr,
}

impl NatsServer {
    /// Starts one that listens at an address, port 0 for any free one, and lets in who has the token.
    ///
    /// # Errors
    /// When there is none on the path, or it does not start.
    pub(super) fn start(listen: SocketAddr, token: &str, run: &str) -> Result<NatsServer, ClusterError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            ClusterError::Server(format!("cannot start {PROGRAM}: {what}: {error}"))
        };
        let address =
            free(listen).map_err(|error| failed(&format!("{listen} cannot be listened at"), &error))?;
        let folder = std::env::temp_dir().join(format!("rhaid-nats-{run}"));
        std::fs::create_dir_all(&folder)
            .map_err(|error| failed(&format!("no folder {}", folder.display()), &error))?;
        let settings = folder.join("nats.conf");
        let text = settings_of(address, token, &folder);
        create_private(&settings)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| failed(&format!("cannot write {}", settings.display()), &error))?;
        let log = std::fs::File::create(folder.join("nats.log"))
            .map_err(|error| failed("cannot write its log", &error))?;
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C in the terminal is for the run, which needs the server until its end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|error| {
            let _ = std::fs::remove_dir_all(&folder);
            if error.kind() == std::io::ErrorKind::NotFound {
                let text = format!(
                    "there is no {PROGRAM} on the path: install one (apt install nats-server), or name a server that runs \
                     with --nats nats://HOST:4222"
                );
                ClusterError::Server(text)
            } else {
                failed("it cannot be run", &error)
            }
        })?;
        let process = child.id();
        let mut server = NatsServer { child: Some(child), process, folder, address };
        server.wait()?;
        Ok(server)
    }

    /// One that a coordinator before has started.
    pub(super) fn adopt(process: u32, folder: PathBuf, address: SocketAddr) -> NatsServer {
        NatsServer { child: None, process, folder, address }
    }

    /// What is needed to adopt it: its process and its folder.
    pub(super) fn whereabouts(&self) -> (u32, PathBuf) {
        (self.process, self.folder.clone())
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait(&mut self) -> Result<(), ClusterError> {
        let here = match self.address.ip() {
            ip if ip.is_unspecified() && ip.is_ipv4() => {
                SocketAddr::from(([127, 0, 0, 1], self.address.port()))
            }
            ip if ip.is_unspecified() => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], self.address.port())),
            _ => self.address,
        };
        let deadline = Instant::now() + START_WITHIN;
        loop {
            if TcpStream::connect_timeout(&here, Duration::from_millis(200)).is_ok() {
                return Ok(());
            }
            let ended = self.child.as_mut().is_some_and(|child| child.try_wait().ok().flatten().is_some());
            if ended || Instant::now() >= deadline {
                let log = std::fs::read_to_string(self.folder.join("nats.log")).unwrap_or_default();
                let last =
                    log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").to_owned();
                let what = if ended { "ended at once" } else { "does not listen" };
                return Err(ClusterError::Server(format!("{PROGRAM} {what}: {last}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        match &mut self.child {
            Some(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            None => end_process(self.process, &self.folder),
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Ends a server that is not our child, if the process is still that server.
fn end_process(process: u32, folder: &Path) {
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let names_folder = String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy());
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw)
        && names_folder
    {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// The address with a port that is free.
fn free(listen: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(listen)?.local_addr()
}

fn settings_of(address: SocketAddr, token: &str, folder: &Path) -> String {
    let store = serde_json::Value::from(folder.join("store").display().to_string());
    let host = serde_json::Value::from(address.ip().to_string());
    format!(
        "host: {host}\nport: {}\nauthorization {{ token: \"{token}\" }}\njetstream {{ store_dir: {store} }}\n",
        address.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_quote_what_they_are_given() {
        let text = settings_of(([127, 0, 0, 1], 4222).into(), "abc", Path::new("/tmp/a \"b\""));
        assert!(text.contains(r#"store_dir: "/tmp/a \"b\"/store""#), "{text}");
        assert!(text.contains("port: 4222\n"));
    }
}
