//! What the terminal can show, and how marks, colours and user text are adapted to it.

use crate::text::format;
use crate::text::{char_width, clean_line};

/// Ends a colour.
const RESET: &str = "\u{1b}[0m";

/// The capabilities of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of a line; [`Look::WHOLE`] where no line ends: in a file or a pipe.
    pub width: usize,
    /// Whether characters outside ASCII can be shown.
    pub unicode: bool,
    /// Whether ANSI colours are wanted.
    pub color: bool,
}

/// A sign before a line. The sign carries the meaning, not its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing to say.
    Blank,
    /// Something in this line failed.
    Failing,
    /// The condition of this line held.
    Pass,
    /// The condition of this line did not hold.
    Fail,
    /// The condition of this line cannot be judged yet.
    Open,
}

/// What a piece of text is, for the colour it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A heading.
    Strong,
    /// Something that explains.
    Faint,
    /// Something that failed.
    Bad,
    /// Something to look at.
    Warning,
    /// The verdict on a run that passed: the only use of green, next to the word.
    Pass,
    /// Something that passed. Blue, since one man in twelve confuses red and green.
    Good,
}

impl Look {
    /// The width of what is no terminal: names are whole, however long their lines get.
    pub const WHOLE: usize = 1 << 16;

    /// Whether lines may have any length.
    pub(crate) fn is_whole(self) -> bool {
        self.width >= Look::WHOLE
    }

    /// The text in the colour of its tone, if colours are wanted.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Bad => "31",
            Tone::Warning => "33",
            Tone::Pass => "32",
            Tone::Good => "34",
        };
        format!("\u{1b}[{code}m{text}{RESET}")
    }

    /// A mark as text, without colour.
    pub(crate) fn mark(self, mark: Mark) -> &'static str {
        match (mark, self.unicode) {
            (Mark::Blank, _) => "",
            (Mark::Open, true) => "·",
            (Mark::Open, false) => "...",
            (Mark::Failing | Mark::Fail, true) => "✗",
            (Mark::Pass, true) => "✓",
            (Mark::Failing, false) => "x",
            (Mark::Fail, false) => "FAIL",
            (Mark::Pass, false) => "PASS",
        }
    }

    /// How a number of times is written: `×3`.
    pub(crate) fn times(self, n: u64) -> String {
        format!("{}{}", if self.unicode { '×' } else { 'x' }, format::count(n))
    }

    /// What stands where a text was cut.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// A latency, see [`format::latency`].
    pub(crate) fn latency(self, us: u64) -> String {
        self.ascii(format::latency(us))
    }

    /// A latency that may be missing: `-`.
    pub(crate) fn latency_or_dash(self, us: Option<u64>) -> String {
        us.map_or_else(|| "-".to_owned(), |us| self.latency(us))
    }

    /// One line of text from outside, cleaned and, without Unicode, in ASCII.
    pub(crate) fn user(self, text: &str) -> String {
        self.ascii(clean_line(text))
    }

    fn ascii(self, text: String) -> String {
        if self.unicode || text.is_ascii() {
            return text;
        }
        let spelled = |c: char| match c {
            'µ' => 'u',
            '–' | '—' => '-',
            '‘' | '’' => '\'',
            '“' | '”' => '"',
            c if c.is_ascii() => c,
            _ => '?',
        };
        text.chars().map(spelled).collect()
    }

    /// A finished line in at most `width` columns; colours take none and are closed.
    pub(crate) fn clip(self, line: &str) -> String {
        if visible(line).map(|(_, c)| char_width(c)).sum::<usize>() <= self.width {
            return line.to_owned();
        }
        let mut room = self.width.saturating_sub(self.ellipsis().chars().count());
        let end = visible(line).find(|&(_, c)| {
            let fits = char_width(c) <= room;
            room = room.saturating_sub(char_width(c));
            !fits
        });
        let kept = &line[..end.map_or(line.len(), |(at, _)| at)];
        let mark: String = self.ellipsis().chars().take(self.width).collect();
        format!("{kept}{mark}{}", if self.color { RESET } else { "" })
    }
}

/// The characters that take room, with their places. Lines hold no escape but the colours of
/// [`Look::paint`], which end with an `m`: text from outside was cleaned.
fn visible(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut in_color = false;
    line.char_indices().filter(move |&(_, c)| {
        in_color |= c == '\u{1b}';
        let shown = !in_color;
        in_color &= c != 'm';
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { width: 8, unicode: true, color: false };

    #[test]
    fn clipping_counts_columns_and_not_colours() {
        assert_eq!(PLAIN.clip("12345678"), "12345678");
        assert_eq!(PLAIN.clip("123456789"), "1234567…");
        assert_eq!(Look { unicode: false, ..PLAIN }.clip("123456789"), "12345...");
        assert_eq!(Look { width: 1, unicode: false, ..PLAIN }.clip("123"), ".");
        let look = Look { color: true, ..PLAIN };
        let painted = look.paint(Tone::Bad, "345678");
        assert_eq!(look.clip(&format!("12{painted}")), format!("12{painted}"));
        assert_eq!(look.clip(&format!("12{painted}9")), "12\u{1b}[31m34567…\u{1b}[0m");
    }

    #[test]
    fn without_unicode_everything_is_ascii() {
        let look = Look { unicode: false, ..PLAIN };
        assert_eq!(look.latency(350), "350us");
        assert_eq!(look.user("naïve — “a”\u{1b}"), "na?ve - \"a\"?");
        assert!([Mark::Fail, Mark::Pass, Mark::Failing].iter().all(|&mark| look.mark(mark).is_ascii()));
    }
}
