//! Messages from scripts to the terminal: bounded, with repeats folded.
//!
//! Invariant: a script that prints or fails a thousand times a second costs neither memory nor a readable
//! terminal; what is not shown is counted.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::{Level, Message};

/// How many messages may wait to be shown.
const WAITING: usize = 1024;

/// How many different errors are shown while the run goes on; the summary has the rest.
const MOST_ERRORS: usize = 10;

/// The receiving end.
pub(super) struct Messages {
    receiver: Receiver<Message>,
    dropped: Arc<AtomicU64>,
    shown_errors: HashSet<String>,
}

/// A sink for `LoadTest::on_message` and the end where the messages arrive.
pub(super) fn channel() -> (impl Fn(Message) + Send + Sync + 'static, Messages) {
    let (sender, receiver): (SyncSender<Message>, _) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let counter = dropped.clone();
    let send = move |message| {
        if let Err(TrySendError::Full(_)) = sender.try_send(message) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    (send, Messages { receiver, dropped, shown_errors: HashSet::new() })
}

impl Messages {
    /// What has arrived and is to be shown: everything that is printed, each error once.
    pub(super) fn take(&mut self) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        while let Ok(message) = self.receiver.try_recv() {
            let text = match message.level {
                // What a script itself says is shown as often as it says it.
                Level::Error if message.from.is_some() => format!("error: {message}"),
                Level::Error if !self.is_new(&message.text) => continue,
                Level::Error => format!("script error: {message}"),
                Level::Warning => format!("warning: {message}"),
                Level::Debug => format!("debug: {message}"),
                Level::Info => message.to_string(),
            };
            lines.push((message.level, text));
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("({dropped} more messages arrived too fast to show)");
            lines.push((Level::Warning, text));
        }
        lines
    }

    /// An error is identified by its first line: position and message.
    fn is_new(&mut self, text: &str) -> bool {
        let first_line = text.lines().next().unwrap_or_default();
        self.shown_errors.len() < MOST_ERRORS && self.shown_errors.insert(first_line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: Level, text: &str) -> Message {
        Message { level, text: text.to_owned(), from: Some((3, 7)) }
    }

    #[test]
    fn an_error_is_shown_once_and_what_is_printed_always() {
        let (send, mut messages) = channel();
        for vu in 0..3 {
            let error = message(Level::Error, &format!("a.rhai:1:2: bad\n  virtual user {vu}"));
            send(Message { from: None, ..error });
            send(message(Level::Error, "said by the script"));
            send(message(Level::Info, "hello"));
        }
        let lines: Vec<String> = messages.take().into_iter().map(|(_, text)| text).collect();
        assert_eq!(lines.iter().filter(|line| line.contains("bad")).count(), 1);
        assert_eq!(lines.iter().filter(|line| line.contains("hello")).count(), 3);
        assert_eq!(lines.iter().filter(|line| line.contains("said by the script")).count(), 3);
        assert_eq!(lines[1], "error: [vu 3, iteration 7] said by the script");
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let (send, mut messages) = channel();
        (0..WAITING + 500).for_each(|_| send(message(Level::Info, "x")));
        let lines = messages.take();
        assert_eq!(lines.len(), WAITING + 1);
        assert!(lines[WAITING].1.contains("500 more"), "{}", lines[WAITING].1);
    }
}
