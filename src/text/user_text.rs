//! Text that came from outside (names, error messages, response bodies) made safe to show in a terminal.
//!
//! Pure. Owns cleaning, measuring and cutting. Invariant: what leaves here holds no control character,
//! so no response can colour, clear or rewrite the terminal.

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

/// The blocks that matter rather than the whole Unicode table: a wrong guess shifts one row by a column.
pub(crate) fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
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
    }
}
