//! The reference of the script API as terminal text: Markdown wrapped to the width.
//!
//! Pure. Invariant: a line is no wider than the look says, but for code and words that are.

use crate::report::{Look, Tone};
use crate::script_reference::{Entry, Kind, Part, all};
use crate::text::width;

/// What lines of text are moved in by.
const INDENT: &str = "  ";

/// The widest text is; longer lines are hard to read.
const WIDEST: usize = 100;

/// The list of parts.
pub(super) fn contents(look: Look) -> String {
    let parts = all();
    let widest = parts.iter().map(|part| part.name.len()).max().unwrap_or(0);
    let mut text = format!("{}\n\n", look.paint(Tone::Strong, "Script API"));
    for part in &parts {
        let name = look.paint(Tone::Strong, &part.name);
        let gap = " ".repeat(widest - part.name.len());
        let head = format!("{INDENT}{name}{gap}  ");
        hang(&mut text, look, &head, widest + 4, &part.about);
    }
    text.push_str("\nrhaid docs http             a module, a type, or a map\n");
    text.push_str("rhaid docs http::get        a function in detail\n");
    text.push_str("rhaid docs globals          functions without a module\n");
    ascii(look, text)
}

/// A part with everything in it, briefly.
pub(super) fn part(look: Look, part: &Part) -> String {
    let mut text = format!("{} — {}\n", look.paint(Tone::Strong, &part.name), part.about);
    prose(&mut text, look, "", &part.intro);
    for blocks in part.blocks.chunk_by(|a, b| a.owner == b.owner && a.columns == b.columns) {
        text.push('\n');
        if let Some(head) = head(blocks[0].columns.0) {
            text.push_str(&format!("{}\n", look.paint(Tone::Faint, head)));
        }
        for entry in blocks.iter().flat_map(|block| &block.entries) {
            forms(&mut text, look, entry);
            wrap(&mut text, look, &INDENT.repeat(3), &entry.lead);
            if is_namesake(part, entry) {
                details(&mut text, look, &INDENT.repeat(3), entry);
            }
        }
    }
    prose(&mut text, look, "", &part.notes);
    let has_more = |entry: &&Entry| !entry.example.is_empty() || entry.errors.is_some();
    let more = part.entries().filter(|entry| !is_namesake(part, entry)).find(has_more);
    if let Some(entry) = more {
        let path = entry.path(part, entry.forms[0].name);
        text.push_str(&format!("\nFor errors and examples: rhaid docs {path}, and so on\n"));
    }
    ascii(look, text)
}

/// What stands over a block, where its lines do not say it.
fn head(column: &'static str) -> Option<&'static str> {
    match column {
        "call" => None,
        "key" => Some("keys"),
        "property" => Some("properties"),
        "method" => Some("methods"),
        other => Some(other),
    }
}

/// The forms of an entry, in one line when they fit.
fn forms(text: &mut String, look: Look, entry: &Entry) {
    let mut forms: Vec<String> = entry
        .forms
        .iter()
        .map(|form| {
            plain(&if form.kind == Kind::Key { form.signature(entry.owner) } else { form.short(entry.owner) })
        })
        .collect();
    forms.dedup();
    let line = forms.join(", ");
    let fits = width(&line) + INDENT.len() <= look.width.min(WIDEST);
    for form in if fits { vec![line] } else { forms } {
        text.push_str(&format!("{INDENT}{}\n", look.paint(Tone::Strong, &form)));
    }
}

/// All about one entry.
pub(super) fn entry(look: Look, part: &Part, entry: &Entry) -> String {
    let mut text = String::new();
    for form in &entry.forms {
        text.push_str(&look.paint(Tone::Strong, &plain(&form.signature(entry.owner))));
        text.push('\n');
    }
    let place = look.paint(Tone::Faint, &format!("({} — {})", part.name, part.about));
    text.push_str(&format!("{INDENT}{place}\n\n"));
    wrap(&mut text, look, INDENT, &entry.lead);
    details(&mut text, look, INDENT, entry);
    ascii(look, text)
}

/// Whether a function is asked for by the name of its part: then the part shows all of it.
fn is_namesake(part: &Part, entry: &Entry) -> bool {
    entry.path(part, entry.forms[0].name) == part.name
}

/// What comes after the first paragraph.
fn details(text: &mut String, look: Look, indent: &str, entry: &Entry) {
    if let Some(errors) = &entry.errors {
        text.push('\n');
        wrap(text, look, indent, &format!("Errors: {errors}"));
    }
    prose(text, look, indent, &entry.more);
    if !entry.example.is_empty() {
        text.push('\n');
        code(text, &format!("{indent}{INDENT}{INDENT}"), entry.example.lines());
    }
}

/// Paragraphs, tables and code of Markdown.
fn prose(text: &mut String, look: Look, indent: &str, markdown: &str) {
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        text.push('\n');
        if line.starts_with("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            code(text, &format!("{indent}{INDENT}{INDENT}"), inside.into_iter());
            continue;
        }
        let mut paragraph = vec![line];
        while let Some(next) = lines.next_if(|next| !next.is_empty() && !next.starts_with("```")) {
            paragraph.push(next);
        }
        if line.starts_with('|') {
            table(text, look, indent, &paragraph);
        } else {
            wrap(text, look, indent, &paragraph.join(" "));
        }
    }
}

fn code<'a>(text: &mut String, indent: &str, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        text.push_str(format!("{indent}{line}").trim_end());
        text.push('\n');
    }
}

/// A table of two columns: the first as wide as it needs, the rest beside it.
fn table(text: &mut String, look: Look, indent: &str, lines: &[&str]) {
    let rows: Vec<Vec<String>> =
        lines.iter().filter(|line| !line.starts_with("|---")).map(|line| cells(line)).collect();
    let widest = rows.iter().filter_map(|row| row.first()).map(|cell| width(cell)).max().unwrap_or(0);
    for row in &rows {
        let Some((first, rest)) = row.split_first() else { continue };
        let gap = " ".repeat(widest - width(first));
        hang(text, look, &format!("{indent}{first}{gap}  "), width(indent) + widest + 2, &rest.join("; "));
    }
}

fn cells(line: &str) -> Vec<String> {
    // A bar with a backslash before it is part of the cell.
    let line = line.trim_matches('|').replace("\\|", "\u{0}");
    line.split('|').map(|cell| plain(&cell.replace('\u{0}', "|")).trim().to_owned()).collect()
}

/// A head of `at` columns and, beside it, a text.
fn hang(text: &mut String, look: Look, head: &str, at: usize, beside: &str) {
    let mut wrapped = String::new();
    wrap(&mut wrapped, look, &" ".repeat(at), beside);
    text.push_str(head);
    let first = wrapped.get(at..).unwrap_or("\n");
    text.push_str(first);
}

/// A paragraph, in lines of the width.
fn wrap(text: &mut String, look: Look, indent: &str, paragraph: &str) {
    let room = look.width.min(WIDEST).saturating_sub(indent.len()).max(20);
    let mut line = String::new();
    let mut columns = 0;
    for word in plain(paragraph).split_whitespace() {
        let needed = width(word);
        if columns > 0 && columns + 1 + needed > room {
            text.push_str(&format!("{indent}{line}\n"));
            line.clear();
            columns = 0;
        }
        if columns > 0 {
            line.push(' ');
            columns += 1;
        }
        line.push_str(word);
        columns += needed;
    }
    if columns > 0 {
        text.push_str(&format!("{indent}{line}\n"));
    }
}

/// Without the marks of Markdown that mean nothing in a terminal: emphasis and the targets of links.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    let mut in_code = false;
    while let Some(c) = rest.chars().next() {
        if !in_code
            && c == '['
            && let Some((label, after)) = rest[1..].split_once("](")
            && !label.contains('[')
            && let Some((_, after)) = after.split_once(')')
        {
            text.push_str(&plain(label));
            rest = after;
            continue;
        }
        in_code ^= c == '`';
        if in_code || c != '*' {
            text.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    text
}

/// What cannot be shown without Unicode, spelled otherwise.
fn ascii(look: Look, text: String) -> String {
    if look.unicode {
        return text;
    }
    text.replace('…', "...").replace('—', "-").replace('→', "->").replace('·', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script_reference::{Found, find};

    const NARROW: Look = Look { width: 60, unicode: true, color: false };

    #[test]
    fn links_and_emphasis_are_taken_off_and_code_is_left() {
        assert_eq!(plain("*VU.* see [http.md](http.md#x), `a[*](b)`"), "VU. see http.md, `a[*](b)`");
        assert_eq!(plain("the [`regex`](https://docs.rs) crate [1]"), "the `regex` crate [1]");
    }

    #[test]
    fn prose_is_no_wider_than_the_terminal() {
        for part_of in all() {
            let mut text = String::new();
            for entry in part_of.entries() {
                wrap(&mut text, NARROW, "      ", &entry.lead);
            }
            for line in text.lines() {
                let is_one_word = !line.trim().contains(' ');
                assert!(is_one_word || width(line) <= NARROW.width, "{}: {line}", part_of.name);
            }
        }
    }

    #[test]
    fn a_function_is_shown_whole() {
        let Some(Found::Entries(found)) = find("http::batch") else { panic!("not found") };
        let shown = entry(NARROW, &found[0].0, &found[0].1);
        for part in [
            "http::batch(requests: array) -> array\n",
            "Errors: an invalid entry",
            "At most six",
            "      fn iteration() {",
        ] {
            assert!(shown.contains(part), "no {part:?} in\n{shown}");
        }
        assert!(!shown.contains("]("), "{shown}");
    }
}
