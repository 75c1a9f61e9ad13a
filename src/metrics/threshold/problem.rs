//! A problem of an expression and its position.

use std::fmt::Write;

/// A problem at a position of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Bytes from the start of the text.
    pub(super) at: usize,
    /// Bytes that are meant, at least 1 is shown.
    pub(super) length: usize,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(at: usize, length: usize, message: impl Into<String>) -> Self {
        Problem { at, length, message: message.into() }
    }

    /// Message, text and caret; `place` says where the text was set.
    pub(super) fn shown(&self, place: &str, text: &str) -> String {
        let mut shown = format!("{place}: {}\n    ", self.message);
        // A tab or line break would move the caret away from what it points at.
        shown.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
        let columns = |text: &str| text.chars().count();
        let before = columns(text.get(..self.at).unwrap_or(text));
        let meant = columns(text.get(self.at..self.at + self.length).unwrap_or_default()).max(1);
        let _ = write!(shown, "\n    {}{}", " ".repeat(before), "^".repeat(meant));
        shown
    }
}
