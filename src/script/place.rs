//! A position in a script for display: `file:line:column`, and the source line with a caret under it.
//!
//! Pure. Invariant: shown lines fit a terminal, however long they are in the file.

use std::fmt::Write as _;

use rhai::Position;

use super::source::Sources;

/// How much of a long line is shown, in characters.
const WIDTH: usize = 150;

/// How much of it stands before the caret, when that is far from its beginning.
const BEFORE: usize = 60;

/// Where something stands.
pub(super) struct Place<'a> {
    sources: &'a Sources,
    file: &'a str,
    position: Position,
}

impl<'a> Place<'a> {
    pub(super) fn new(sources: &'a Sources, file: &'a str, position: Position) -> Place<'a> {
        Place { sources, file, position: within_text(sources, file, position) }
    }

    /// Line and column, from 1, as far as they are known.
    pub(super) fn line_and_column(&self) -> (Option<usize>, Option<usize>) {
        (self.position.line(), self.position.position())
    }

    /// `file:line:column`, as far as it is known.
    pub(super) fn name(&self) -> String {
        match self.line_and_column() {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", self.file),
            (Some(line), None) => format!("{}:{line}", self.file),
            _ => self.file.to_owned(),
        }
    }

    /// The source line with a caret under the column; empty when the line is not known.
    pub(super) fn quoted(&self) -> String {
        let mut quoted = String::new();
        let (Some(line), column) = self.line_and_column() else { return quoted };
        let Some(text) = self.sources.text(self.file) else { return quoted };
        let Some(source) = text.lines().nth(line - 1) else { return quoted };
        let (source, column) = cut(&source.replace('\t', " "), column);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Writing to a string does not fail.
        let _ = writeln!(quoted, "  {margin} |\n  {number} | {source}");
        if let Some(column) = column {
            let _ = writeln!(quoted, "  {margin} | {}^", " ".repeat(column.saturating_sub(1)));
        }
        quoted
    }
}

/// The part of a long line around a column, and the column in that part.
fn cut(line: &str, column: Option<usize>) -> (String, Option<usize>) {
    let length = line.chars().count();
    if length <= WIDTH {
        return (line.to_owned(), column);
    }
    let from = column.map_or(0, |column| column.saturating_sub(BEFORE)).min(length - WIDTH);
    let from = if from < 2 { 0 } else { from };
    let mut part: String = line.chars().skip(from).take(WIDTH).collect();
    if from + WIDTH < length {
        part.push('…');
    }
    match from {
        0 => (part, column),
        _ => (format!("…{part}"), column.map(|column| column - from + 1)),
    }
}

/// Rhai puts "the script ends too early" behind the last line; there is nothing to show there, so it moves to
/// the end of the last line that holds something.
fn within_text(sources: &Sources, file: &str, position: Position) -> Position {
    let (Some(line), Some(text)) = (position.line(), sources.text(file)) else { return position };
    if line <= text.lines().count() {
        return position;
    }
    let last = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).last();
    let Some((index, last)) = last else { return position };
    let column = last.trim_end().chars().count() + 1;
    match (u16::try_from(index + 1), u16::try_from(column)) {
        (Ok(line), Ok(column)) => Position::new(line, column),
        _ => position,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str, line: u16, column: u16) -> String {
        let sources = Sources::from_text("a.rhai", text);
        Place::new(&sources, "a.rhai", Position::new(line, column)).quoted()
    }

    #[test]
    fn the_caret_stands_under_the_column() {
        assert_eq!(quoted("let a;\n\tb", 2, 2), "    |\n  2 |  b\n    |  ^\n");
    }

    #[test]
    fn what_lies_behind_the_text_is_at_its_end() {
        assert_eq!(quoted("fn a() {\n\n", 4, 1), "    |\n  1 | fn a() {\n    |         ^\n");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = quoted(&line, 1, 501);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].chars().count() < WIDTH + 10, "{shown}");
        let caret = lines[2].chars().position(|c| c == '^');
        assert_eq!(caret, lines[1].chars().position(|c| c == 'X'), "{shown}");
        let end = quoted(&line, 1, 1001);
        assert!(end.contains("bbb\n"), "{end}");
        let start = quoted(&line, 1, 1);
        assert!(start.contains("1 | aaa") && start.contains("a…\n"), "{start}");
    }
}
