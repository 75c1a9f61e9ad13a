//! Ctrl-C and SIGTERM, as a stream: none is lost between two waits.

/// The signals that ask the process to end.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
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
            Signals {
                terminate: signal(SignalKind::terminate()).ok(),
                interrupt: signal(SignalKind::interrupt()).ok(),
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
