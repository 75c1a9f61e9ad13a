//! Ctrl-C, SIGTERM and SIGHUP, as a stream: none is lost between two waits.

/// The signals that ask the process to end.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
    /// The terminal is gone. Not with `nohup`, which is to let the process outlive it.
    #[cfg(unix)]
    hang_up: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    quit: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Listens from now on; needs an event loop.
    pub(super) fn new() -> Signals {
        // Without a handler the system's default ends the process, which is all that is left to do then.
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            // Listening changes it, so this is asked first.
            let hang_up = (!ignores_hang_up()).then(|| signal(SignalKind::hangup()).ok()).flatten();
            Signals {
                terminate: signal(SignalKind::terminate()).ok(),
                interrupt: signal(SignalKind::interrupt()).ok(),
                hang_up,
                quit: None,
            }
        }
        #[cfg(not(unix))]
        Signals {}
    }

    /// Listens to SIGQUIT (Ctrl-\) too, whose own way is to end the process at once.
    pub(super) fn listen_to_quit(&mut self) {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            self.quit = signal(SignalKind::quit()).ok();
        }
    }

    /// Waits for the next one; true when it asks for an end at once.
    pub(super) async fn next_or_quit(&mut self) -> bool {
        #[cfg(unix)]
        {
            tokio::select! {
                () = one(&mut self.terminate) => false,
                () = one(&mut self.interrupt) => false,
                () = one(&mut self.hang_up) => false,
                () = one(&mut self.quit) => true,
            }
        }
        #[cfg(not(unix))]
        {
            self.next().await;
            false
        }
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            () = one(&mut self.terminate) => {}
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.hang_up) => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(unix)]
async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// Whether whoever started this process wants it to go on without its terminal, as `nohup` does.
#[cfg(target_os = "linux")]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first of the signals, so the lowest bit.
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

/// The system does not say; `nohup` leaves a process no stream that is a terminal.
#[cfg(all(unix, not(target_os = "linux")))]
fn ignores_hang_up() -> bool {
    use std::io::IsTerminal;
    !(std::io::stdin().is_terminal() || std::io::stdout().is_terminal() || std::io::stderr().is_terminal())
}
