//! Untrusted text (names, error messages, response bodies) made safe to show: in a terminal, a file, a page.
//!
//! Pure. Owns cleaning, measuring and cutting. Invariant: the result contains no control characters and no marks that
//! reorder text, so that nobody's text can colour, clear or rewrite a terminal, or be read as something else.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// One line: line breaks and tabs become spaces, other control characters visible stand-ins.
pub fn clean_line(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).replace("\r\n", " ").chars().map(visible).collect()
}

/// The same for a text whose lines and tabs stay. What is clean is not copied.
pub(crate) fn clean_text(text: &str) -> Cow<'_, str> {
    let stays = |c| matches!(c, '\n' | '\t') || visible(c) == c;
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    Cow::Owned(text.chars().map(|c| if stays(c) { c } else { visible(c) }).collect())
}

/// JSON whose texts hold no character that a terminal or an editor acts on: those that JSON allows as they are, are
/// written as escapes, so that a reader gets the same text.
pub(crate) fn clean_json(json: String) -> String {
    let stays = |c| matches!(c, '\n' | '\t') || visible(c) == c;
    if json.chars().all(stays) {
        return json;
    }
    let mut clean = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        // They stand inside of texts only, and none of them takes more than one unit of UTF-16.
        if stays(c) {
            clean.push(c);
        } else {
            // Writing to a string does not fail.
            let _ = write!(clean, "\\u{:04x}", u32::from(c));
        }
    }
    clean
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
        // C1 controls (CSI in one character), and marks that change the direction or the shape of what follows.
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}' => '\u{fffd}',
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

/// A name in at most `columns` columns: its path loses its middle to `mark`, by whole segments if possible, and what stands around the path (a method, a
/// host, a condition) stays, if `least` columns are left for the path. `None` if they are not, or there is no path.
pub(crate) fn cut_path(name: &str, columns: usize, least: usize, mark: &str) -> Option<String> {
    if width(name) <= columns {
        return Some(name.to_owned());
    }
    // The first slash after a host, if there is one.
    let host = name.find("://").map_or(0, |at| at + 3);
    let start = host + name[host..].find('/')?;
    let end = start + name[start..].find([' ', '}', ',']).unwrap_or(name.len() - start);
    let around = width(&name[..start]) + width(&name[end..]);
    let room = columns.checked_sub(around).filter(|&room| room >= least)?;
    let path = &name[start..end];
    let path = without_segments(path, room, mark).unwrap_or_else(|| cut_middle(path, room, mark));
    Some(format!("{}{path}{}", &name[..start], &name[end..]))
}

/// A path in at most `columns` columns that has lost whole segments in its middle: `/api/v2/…/orders`. `None` if not even its
/// first and its last segment fit.
fn without_segments(path: &str, columns: usize, mark: &str) -> Option<String> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    (2..segments.len()).rev().find_map(|kept| {
        let (tail, head) = (kept / 2, kept - kept / 2);
        let (head, tail) = (&segments[..head], &segments[segments.len() - tail..]);
        let cut = format!("/{}/{mark}/{}", head.join("/"), tail.join("/"));
        (width(&cut) <= columns).then_some(cut)
    })
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
    fn texts_keep_their_lines_and_json_its_meaning() {
        assert!(matches!(clean_text("a\tb\nü😀"), Cow::Borrowed(_)));
        assert_eq!(clean_text("a\r\nb\rc\u{1b}[m\u{9b}\u{202e}\u{2028}\td"), "a\nb c␛[m\u{fffd}\u{fffd} \td");
        let text = "a\u{9b}\u{202e}\u{61c}\u{7f}\u{2028}\u{85}\n\u{1b}ü";
        let json = clean_json(format!("{:#}", serde_json::json!({ text: [text] })));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
            serde_json::json!({ text: [text] })
        );
        assert!(json.chars().all(|c| c == '\n' || visible(c) == c), "{json}");
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
    fn a_path_loses_its_middle_and_method_and_host_stay() {
        let cut = |name, columns| cut_path(name, columns, 8, "…");
        assert_eq!(cut("GET  /quality/export", 20).unwrap(), "GET  /quality/export");
        assert_eq!(cut("GET  /quality/export", 15).unwrap(), "GET  /qual…port");
        assert_eq!(cut("GET  /quality/export", 12), None, "too little would be left");
        let url = "GET http://localhost:8080/api/v1/items/17/detail";
        assert_eq!(cut(url, 47).unwrap(), "GET http://localhost:8080/api/v1/…/17/detail");
        assert_eq!(cut(url, 42).unwrap(), "GET http://localhost:8080/api/v1/…/detail");
        assert_eq!(cut(url, 40).unwrap(), "GET http://localhost:8080/api/…/detail");
        assert_eq!(cut(url, 34).unwrap(), "GET http://localhost:8080/api…tail");
        assert_eq!(cut(url, 30), None, "rather than a part of the host");
        assert_eq!(
            cut("http://a.example/items/17/owner failed", 33).unwrap(),
            "http://a.example/item…wner failed"
        );
        assert_eq!(
            cut("http://a.example/items/17/owner failed", 37).unwrap(),
            "http://a.example/items/…/owner failed"
        );
        assert_eq!(cut("a name without a path that is long", 12), None);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("顧客"), 4);
        assert_eq!(width("e\u{301}"), 1);
        // Outside the blocks that come to mind: a Hangul vowel that joins, a watch, a variation selector.
        assert_eq!(["ᄒ\u{1161}", "⌚", "✓\u{fe0e}"].map(width), [2, 2, 1]);
    }
}
