//! The library's part of the reference, from the doc comments of `stdlib/`.
//!
//! Leaves Rhai's grammar to Rhai: a function begins at the start of a line, as everywhere in `stdlib/`.

use super::entry::{Block, Entry, Form, Part};
use super::tables::{Kind, Owner};
use crate::script::source::STDLIB;

/// What is said before the modules.
const INTRO: &str = r#"
Modules written in Rhai and built into the binary. Import each under its own name: `import "std/auth" as auth;`. The
source is in `stdlib/`."#;

/// A heading for the library and a part for each of its modules.
pub(super) fn parts() -> Vec<Part> {
    let modules = STDLIB.iter().map(|&(name, text)| module(name, text));
    let heading = Part {
        name: "std".to_owned(),
        title: "The library".to_owned(),
        is_sub: false,
        about: "modules written in Rhai, imported as `std/…`".to_owned(),
        intro: INTRO.trim().to_owned(),
        blocks: Vec::new(),
        notes: String::new(),
    };
    std::iter::once(heading).chain(modules).collect()
}

fn module(name: &'static str, text: &'static str) -> Part {
    let head: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let head = head.join("\n");
    // "std/name — what it is about. More of it.", then paragraphs.
    let (first, rest) = head.split_once("\n\n").unwrap_or((&head, ""));
    let first = first.split_once(" — ").map_or(first, |(_, about)| about).replace('\n', " ");
    let (about, more) = match first.split_once(". ") {
        Some((about, more)) => (about.to_owned(), more),
        None => (first.trim_end_matches('.').to_owned(), ""),
    };
    let intro = [more, rest].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
    let owner = Owner::Module(name.strip_prefix("std/").unwrap_or(name));
    Part {
        name: name.to_owned(),
        title: format!("`{name}`"),
        is_sub: false,
        about,
        intro,
        blocks: vec![Block { owner, columns: ("call", "does"), entries: functions(owner, text) }],
        notes: String::new(),
    }
}

/// Its functions, private ones left out.
fn functions(owner: Owner, text: &'static str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("///") {
            comment.push(words.strip_prefix(' ').unwrap_or(words));
            continue;
        }
        if let Some(form) = line.strip_prefix("fn ").and_then(form) {
            entries.push(Entry::new(owner, form, comment.iter().copied()));
        }
        comment.clear();
    }
    entries
}

/// `name(a, b) { …`
fn form(head: &'static str) -> Option<Form> {
    let (name, rest) = head.split_once('(')?;
    let (params, _) = rest.split_once(')')?;
    let params = params.split(',').map(str::trim).filter(|param| !param.is_empty());
    Some(Form {
        kind: Kind::Function,
        name,
        params: params.map(|param| (param, vec!["any"])).collect(),
        returns: vec!["any"],
        value: "",
    })
}
