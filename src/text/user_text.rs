//! Untrusted text (names, error messages, response bodies) made safe to show in a terminal.
//!
//! Pure. Owns cleaning, measuring and cutting. Invariant: the result contains no control characters,
//! so no response can colour, clear or rewrite the terminal.

use unicode_width::UnicodeWidthChar;

/// One line: line breaks and tabs become spaces, other control characters visible stand-ins.
pub fn clean_line(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).replace("\r\n", " ").chars().map(visible).collect()
}

/// The lines of a text, each cleaned; columns keep their place, so a caret still points right.
pub fn clean_lines(text: &str) -> Vec<String> {
    text.lines().map(clean_line).collect()
}

fn visible(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        // Unicode has a picture for each control character: U+241B is the one of ESC.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('?'),
        '\u{7f}' => '\u{2421}',
        // C1 controls (CSI in one character), and marks that reverse the direction of what follows.
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        c => c,
    }
}

/// Terminal columns of a cleaned text: East Asian characters and emoji take two, combining marks none.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Columns of one character. Widths of texts are sums of these, as most terminals count, so a text can be cut anywhere.
pub(crate) fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The text in at most `columns` columns; a longer one loses its middle to `mark`.
pub fn cut_middle(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(mark));
    // The end of a name tells more than its middle: /api/v2/customers/…/orders.
    let tail_room = room / 2;
    let head = take_columns(text.chars(), room - tail_room);
    let tail: String = take_columns(text.chars().rev(), tail_room).chars().rev().collect();
    format!("{head}{mark}{tail}")
}

fn take_columns(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|&c| {
            used += char_width(c);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_survives() {
        let evil = "a\u{1b}[2Jb\r\nc\td\u{9b}31m\u{202e}e\u{7f}\0\n";
        assert_eq!(clean_line(evil), "a␛[2Jb c d\u{fffd}31m\u{fffd}e␡␀");
        for code in 0..=0x9f_u8 {
            let cleaned = clean_line(&format!("x{}y", char::from(code)));
            assert!(!cleaned.contains(char::is_control), "{code:#x}");
        }
    }

    #[test]
    fn lines_keep_their_columns() {
        assert_eq!(clean_lines("1 |\tlet x\n  |\t^"), ["1 | let x", "  | ^"]);
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(cut_middle("/short", 6, "…"), "/short");
        assert_eq!(cut_middle("/api/customers/17/orders", 12, "…"), "/api/c…rders");
        assert_eq!(cut_middle("/api/customers", 9, "..."), "/ap...ers");
        assert_eq!(cut_middle("顧客一覧表示画面", 9, "…"), "顧客…画面");
        assert_eq!(cut_middle("abc", 0, "…"), "…");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("顧客"), 4);
        assert_eq!(width("e\u{301}"), 1);
        // Outside the blocks that come to mind: a Hangul vowel that joins, a watch, a variation selector.
        assert_eq!(["ᄒ\u{1161}", "⌚", "✓\u{fe0e}"].map(width), [2, 2, 1]);
    }
}
