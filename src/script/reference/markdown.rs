//! The reference as Markdown: `docs/script-api.md`.

use std::fmt::Write;

use super::contents::sections;
use super::entry::{Block, Entry, Part};
use super::tables::Kind;

/// Where prose is broken.
const WIDTH: usize = 120;

const HEAD: &str = "\
# The script API

<!-- Written by `rhaid docs --markdown` from the descriptions in src/script/api and stdlib; do not edit. -->

How a script is written is in [scripts.md](scripts.md).
`rhaid docs` shows the same on the terminal: `rhaid docs http`, `rhaid docs http::get`. [editors.md](editors.md) says how an
editor gets to know it.

A call with wrong arguments is a script error that says what was expected and what came. Functions marked *VU* need a
virtual user: at the top level they are an error. A time is seconds (`2`, `0.5`) or text (`\"300ms\"`, `\"1m30s\"`). A plain
value is text, a number, or true or false.
";

/// All of it.
pub(crate) fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for part in sections() {
        write_part(&mut page, &part);
    }
    page
}

fn write_part(page: &mut String, part: &Part) {
    let level = if part.is_sub { "###" } else { "##" };
    paragraph(page, &format!("{level} {}", part.title));
    paragraph(page, &part.intro);
    for blocks in part.blocks.chunk_by(|a, b| a.owner == b.owner && a.columns == b.columns) {
        write_table(page, blocks);
    }
    let (described, brief): (Vec<&Entry>, Vec<&Entry>) =
        part.entries().partition(|entry| !entry.more.is_empty());
    examples(page, &brief);
    paragraph(page, &part.notes);
    for entry in described {
        let calls: Vec<String> = entry.names().iter().map(|name| entry.path(part, name)).collect();
        paragraph(page, &format!("### `{}`", calls.join("`, `")));
        paragraph(page, &entry.more);
        code(page, &entry.example);
    }
}

fn paragraph(page: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    page.push('\n');
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if is_code || line.starts_with('|') || line.chars().count() <= WIDTH {
            page.push_str(line);
        } else {
            page.push_str(&broken(line));
        }
        page.push('\n');
    }
}

/// A long line, broken at spaces.
fn broken(line: &str) -> String {
    let mut text = String::new();
    let mut columns = 0;
    for word in line.split(' ') {
        let needed = word.chars().count();
        if columns > 0 && columns + 1 + needed > WIDTH {
            text.push('\n');
            columns = 0;
        } else if columns > 0 {
            text.push(' ');
            columns += 1;
        }
        text.push_str(word);
        columns += needed;
    }
    text
}

fn code(page: &mut String, code: &str) {
    if !code.is_empty() {
        paragraph(page, &format!("```rhai\n{}\n```", code.trim_end()));
    }
}

/// The examples of several entries: those of some lines in one block, where what is imported is imported once, and
/// each that defines functions in its own.
fn examples(page: &mut String, entries: &[&Entry]) {
    let (scripts, lines): (Vec<&str>, Vec<&str>) = entries
        .iter()
        .map(|entry| &*entry.example)
        .filter(|example| !example.is_empty())
        .partition(|example| example.lines().any(|line| line.starts_with("fn ")));
    let mut joined = String::new();
    let mut imported: Vec<&str> = Vec::new();
    for example in lines {
        if !joined.is_empty() {
            joined.push('\n');
        }
        for line in example.lines() {
            if line.starts_with("import ") {
                if imported.contains(&line) {
                    continue;
                }
                imported.push(line);
            }
            joined.push_str(line);
            joined.push('\n');
        }
    }
    code(page, &joined);
    scripts.iter().for_each(|script| code(page, script));
}

/// One table of blocks that are alike.
fn write_table(page: &mut String, blocks: &[Block]) {
    let entries: Vec<&Entry> = blocks.iter().flat_map(|block| &block.entries).collect();
    let is_keys = entries.iter().flat_map(|entry| &entry.forms).any(|form| form.kind == Kind::Key);
    let has_errors = entries.iter().any(|entry| entry.errors.is_some());
    let columns = blocks[0].columns;
    let mut heads = vec![columns.0];
    if is_keys {
        heads.push("value");
    }
    heads.push(columns.1);
    if has_errors {
        heads.push("errors");
    }
    page.push('\n');
    row(page, heads.iter().map(|head| (*head).to_owned()));
    page.push_str(&format!("|{}\n", "---|".repeat(heads.len())));
    for entry in entries {
        let mut cells = vec![written(entry)];
        if is_keys {
            cells.push(entry.forms[0].value.to_owned());
        }
        cells.push(entry.lead.clone());
        if has_errors {
            cells.push(entry.errors.clone().unwrap_or_default());
        }
        row(page, cells.into_iter());
    }
}

/// All its forms as a script writes them.
fn written(entry: &Entry) -> String {
    let mut forms: Vec<String> =
        entry.forms.iter().map(|form| format!("`{}`", form.short(entry.owner))).collect();
    forms.dedup();
    forms.join(", ")
}

fn row(page: &mut String, cells: impl Iterator<Item = String>) {
    page.push('|');
    for cell in cells {
        if cell.is_empty() {
            page.push_str(" |");
        } else {
            // Writing to a string cannot fail.
            let _ = write!(page, " {} |", cell.trim_end_matches('.').replace('|', "\\|"));
        }
    }
    page.push('\n');
}
