//! Keys that control a run: read on a thread of their own, and applied to the run.
//!
//! Only where standard input and standard error are a terminal. Invariant: the terminal is as it was found when
//! this is dropped, whatever ended the run.

#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::thread::JoinHandle;
#[cfg(unix)]
use std::time::Duration;

use tokio::sync::mpsc;

use crate::metrics::Snapshot;
use crate::plan::RunInfo;
use crate::text::format::plural;
use crate::{Control, ControlError, Stopper};

/// What the line under the display says.
const HINT: &str = "keys: + - load   p pause   s next stage   q stop";

/// The same while the run is paused, when nothing else can be changed.
const PAUSED_HINT: &str = "keys: p resume   q stop";

/// How many keys may wait to be acted on.
#[cfg(unix)]
const WAITING: usize = 16;

/// How often the reading thread looks whether the run is over.
#[cfg(unix)]
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Least share by which `+` and `-` change the load.
const STEP: f64 = 0.1;

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// More users, or a higher rate.
    More,
    /// Fewer users, or a lower rate.
    Less,
    /// Pause, or go on.
    Pause,
    /// Go on to the next stage.
    NextStage,
    /// Stop the run.
    Stop,
}

impl Key {
    fn of(byte: u8) -> Option<Key> {
        match byte {
            b'+' | b'=' => Some(Key::More),
            b'-' | b'_' => Some(Key::Less),
            b'p' | b'P' => Some(Key::Pause),
            b's' | b'S' => Some(Key::NextStage),
            b'q' | b'Q' => Some(Key::Stop),
            _ => None,
        }
    }
}

/// The keys that are pressed during a run.
pub(super) struct Keys {
    #[cfg(unix)]
    thread: Option<JoinHandle<()>>,
    #[cfg(unix)]
    is_over: Arc<AtomicBool>,
    pressed: Option<mpsc::Receiver<Key>>,
}

impl Keys {
    /// No keys are read.
    pub(super) fn none() -> Keys {
        Keys {
            #[cfg(unix)]
            thread: None,
            #[cfg(unix)]
            is_over: Arc::default(),
            pressed: None,
        }
    }

    /// Reads keys from now on, where that is possible.
    #[cfg(unix)]
    pub(super) fn read() -> Keys {
        let Some(keyboard) = crate::system::Keyboard::open() else { return Keys::none() };
        let (sender, pressed) = mpsc::channel(WAITING);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let read = move || {
            while !over.load(Ordering::Relaxed) {
                if let Some(key) = keyboard.next(LOOK_EVERY).and_then(Key::of) {
                    // Whoever holds a key down presses more than can be acted on.
                    let _ = sender.try_send(key);
                }
            }
        };
        match std::thread::Builder::new().name("rhaid-keys".into()).spawn(read) {
            Ok(thread) => Keys { thread: Some(thread), is_over, pressed: Some(pressed) },
            Err(_) => Keys::none(),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn read() -> Keys {
        Keys::none()
    }

    /// Whether keys are read.
    pub(super) fn are_read(&self) -> bool {
        self.pressed.is_some()
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Key {
        if let Some(pressed) = &mut self.pressed
            && let Some(key) = pressed.recv().await
        {
            return key;
        }
        self.pressed = None;
        std::future::pending().await
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It puts the terminal back when it ends, a moment from now.
            let _ = thread.join();
        }
    }
}

/// The load that a run was started with, as far as one number tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Started {
    /// Iterations per second.
    pub(super) rate: Option<f64>,
    /// Virtual users, where their number does not follow stages.
    pub(super) users: Option<u64>,
}

impl Started {
    /// Of a run with these facts, for which this rate was asked.
    pub(super) fn of(info: &RunInfo, rate: Option<f64>) -> Started {
        let is_constant = info.executors.iter().all(|executor| executor == "users");
        Started { rate, users: is_constant.then_some(info.users) }
    }
}

/// What the keys have asked for so far.
#[derive(Debug, Default)]
pub(super) struct KeyActions {
    /// Users or rate as last set by a key; the snapshot of a second ago may not know it yet.
    users: Option<u64>,
    rate: Option<f64>,
    is_paused: bool,
}

impl KeyActions {
    /// What can be pressed now.
    pub(super) fn hint(&self) -> &'static str {
        if self.is_paused { PAUSED_HINT } else { HINT }
    }

    /// Does what a key asks for; gives what to say about it, if the run does not show it itself. `load` is what the run
    /// was started with.
    pub(super) async fn act(
        &mut self,
        key: Key,
        stopper: &Stopper,
        snapshot: &Snapshot,
        load: Started,
    ) -> Option<String> {
        let done = match key {
            Key::More => self.change(true, stopper, snapshot, load).await,
            Key::Less => self.change(false, stopper, snapshot, load).await,
            Key::Pause => {
                let control = if self.is_paused { Control::Resume } else { Control::Pause };
                let done = stopper.control(control).await;
                if done.is_ok() {
                    self.is_paused = !self.is_paused;
                }
                done.map(|()| if self.is_paused { "paused; press p to resume" } else { "resumed" }.to_owned())
            }
            Key::NextStage => {
                stopper.control(Control::NextStage).await.map(|()| "skipped to the next stage".to_owned())
            }
            Key::Stop => {
                // As Ctrl-C does it, exit code included.
                stopper.stop_on_signal();
                Ok("stopping: waiting for running iterations; press q again to stop at once".to_owned())
            }
        };
        Some(done.unwrap_or_else(|why| format!("not possible now: {why}")))
    }

    async fn change(
        &mut self,
        more: bool,
        stopper: &Stopper,
        snapshot: &Snapshot,
        load: Started,
    ) -> Result<String, ControlError> {
        if let Some(now) = self.rate.or(load.rate) {
            let rate = stepped(now, more, 0.0);
            stopper.control(Control::Rate { scenario: None, rate }).await?;
            self.rate = Some(rate);
            return Ok(format!("rate {rate}/s"));
        }
        // While users are still being added, the change is to what was asked for.
        let now = self.users.or(load.users).unwrap_or(snapshot.users_target);
        let users = stepped(now as f64, more, 1.0) as u64;
        stopper.control(Control::Users { scenario: None, users, spawn_rate: None }).await?;
        self.users = Some(users);
        Ok(plural(users, "user"))
    }
}

/// A tenth more or less, at least one, and not below `least`.
fn stepped(now: f64, more: bool, least: f64) -> f64 {
    let step = (now * STEP).round().max(1.0);
    if more { now + step } else { (now - step).max(least) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_neighbours_without_shift() {
        let keys: Vec<_> = b"+=-_pPsSqQ".iter().filter_map(|&byte| Key::of(byte)).collect();
        assert_eq!(keys.len(), 10);
        assert_eq!((keys[1], keys[9]), (Key::More, Key::Stop));
        assert_eq!(Key::of(b'x'), None);
        assert_eq!(Key::of(27), None, "an arrow is no key");
    }

    #[test]
    fn a_step_is_a_tenth_and_one_at_least() {
        assert_eq!((stepped(3.0, true, 1.0), stepped(3.0, false, 1.0)), (4.0, 2.0));
        assert_eq!((stepped(500.0, true, 1.0), stepped(500.0, false, 1.0)), (550.0, 450.0));
        assert_eq!(stepped(1.0, false, 1.0), 1.0);
        assert_eq!(stepped(0.5, false, 0.0), 0.0);
    }
}
