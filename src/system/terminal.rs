//! The terminal as a keyboard: keys one by one, without the line that they would be part of.
//!
//! Owns the mode of the terminal while keys are read. Leaves what they mean to others. Invariants: the mode is put
//! back when this is dropped, so also when the program panics; signals from the keyboard (Ctrl-C, Ctrl-Z) work as
//! ever; a process in the background neither changes the mode nor reads, which would stop it.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

/// See the module's description.
pub(crate) struct Keyboard {
    /// The mode that was found.
    found: Termios,
}

impl Keyboard {
    /// The terminal that standard input is; `None` when it is none, or this process is in its background.
    pub(crate) fn open() -> Option<Keyboard> {
        let input = rustix::stdio::stdin();
        if !isatty(input) || !is_in_foreground() {
            return None;
        }
        let keyboard = Keyboard { found: tcgetattr(input).ok()? };
        keyboard.take_over().then_some(keyboard)
    }

    /// Waits for a key, but no longer than this.
    pub(crate) fn next(&self, patience: Duration) -> Option<u8> {
        let input = rustix::stdio::stdin();
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        let polled = poll(&mut ready, Some(&patience));
        if !is_in_foreground() {
            // Polling it again at once would be a busy loop.
            std::thread::sleep(Duration::from_millis(100));
            return None;
        }
        // A shell that had stopped this process may have left its own mode.
        if tcgetattr(input).is_ok_and(|mode| mode.local_modes.contains(LocalModes::ICANON)) {
            self.take_over();
        }
        if !polled.is_ok_and(|count| count > 0) {
            return None;
        }
        let mut key = [0];
        match rustix::io::read(input, &mut key) {
            Ok(1) => Some(key[0]),
            // The terminal is gone: every further poll would return at once.
            _ => {
                std::thread::sleep(Duration::from_millis(100));
                None
            }
        }
    }

    fn take_over(&self) -> bool {
        let mut mode = self.found.clone();
        mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        mode.special_codes[SpecialCodeIndex::VMIN] = 0;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &mode).is_ok()
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if is_in_foreground() {
            // Fails when the terminal is gone; then there is no mode to put back.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.found);
        }
    }
}

fn is_in_foreground() -> bool {
    tcgetpgrp(rustix::stdio::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}
