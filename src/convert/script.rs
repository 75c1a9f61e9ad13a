//! A converted script as a whole: what stands around the requests.
//!
//! Owns the order of a script's parts and what is said at its head. Invariant: what a person has to know stands both in
//! the script and in the notes.

use std::collections::BTreeSet;

use super::body::{SideFile, Uploads};
use super::literal::{Value, comment};
use super::params::Params;

/// A script made of something else.
#[derive(Debug)]
pub(crate) struct Converted {
    /// The script's text.
    pub(crate) script: String,
    /// What was left out or guessed, a sentence each.
    pub(crate) notes: Vec<String>,
    /// Parameters without a default, which a run has to be given.
    pub(crate) required: Vec<String>,
    /// Whether the script knows the host, or a run has to be given it.
    pub(crate) has_host: bool,
    /// What the script reads.
    pub(crate) files: Vec<SideFile>,
}

/// The parts of a script.
#[derive(Default)]
pub(super) struct Parts {
    /// What it is and where it comes from.
    pub(super) title: String,
    pub(super) notes: Notes,
    pub(super) host: Option<String>,
    /// Further options.
    pub(super) options: Vec<(String, Value)>,
    /// `http` of the options.
    pub(super) http: Vec<(String, Value)>,
    pub(super) params: Params,
    /// Further declarations, whole lines.
    pub(super) declarations: String,
    /// Constants, whole lines.
    pub(super) constants: String,
    /// Scenarios, whole lines, which may use parameters.
    pub(super) scenarios: String,
    /// Files beside the script.
    pub(super) uploads: Uploads,
    /// Names of headers that were left out because browsers add them.
    pub(super) browser_headers: BTreeSet<String>,
    /// Functions, with an empty line between them.
    pub(super) functions: Vec<String>,
}

/// Sentences about what was left out or guessed, each once.
#[derive(Default)]
pub(super) struct Notes {
    list: Vec<String>,
    /// How many were too many to be listed.
    more: usize,
}

impl Notes {
    /// More would not be read.
    const MOST: usize = 20;

    pub(super) fn add(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.list.contains(&note) {
            return;
        }
        if self.list.len() < Notes::MOST { self.list.push(note) } else { self.more += 1 }
    }

    pub(super) fn add_all(&mut self, notes: impl IntoIterator<Item = String>) {
        notes.into_iter().for_each(|note| self.add(note));
    }

    pub(super) fn into_list(mut self) -> Vec<String> {
        if self.more > 0 {
            self.list.push(format!("{} more such notes", self.more));
        }
        self.list
    }
}

impl Parts {
    /// The script.
    pub(super) fn assemble(mut self) -> Converted {
        let names: Vec<&str> = self.browser_headers.iter().map(String::as_str).collect();
        if !names.is_empty() {
            self.notes.add(format!("left out: headers that browsers add: {}", names.join(", ")));
        }
        let notes = self.notes.into_list();
        let mut script = format!("// {}\n", comment(&self.title));
        if !notes.is_empty() {
            script.push_str("//\n");
            for note in &notes {
                script.push_str(&format!("// - {}\n", wrapped(note)));
            }
        }
        script.push('\n');
        let has_host = self.host.is_some();
        let mut options = Vec::new();
        options.extend(self.host.map(|host| ("host".to_owned(), Value::Text(host))));
        options.extend(self.options);
        if !self.http.is_empty() {
            options.push(("http".to_owned(), Value::Map(self.http)));
        }
        if !options.is_empty() {
            script.push_str(&format!("options({});\n", Value::Map(options).laid_out(0, 10)));
        }
        script.push_str(&self.declarations);
        let params = format!("{}{}{}", self.params.lines(), self.constants, self.uploads.constants());
        if !params.is_empty() {
            script.push_str(&format!("\n{params}"));
        }
        if !self.scenarios.is_empty() {
            script.push_str(&format!("\n{}", self.scenarios));
        }
        for function in self.functions {
            script.push_str(&format!("\n{}\n", function.trim_end()));
        }
        Converted {
            script,
            notes,
            required: self.params.names_required(),
            has_host,
            files: self.uploads.files,
        }
    }
}

/// A note on as many lines as it needs.
fn wrapped(note: &str) -> String {
    const WIDTH: usize = 104;
    let note: String = note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = String::new();
    let mut column = 0;
    for word in note.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if column > 0 && column + length + 1 > WIDTH {
            out.push_str("\n//   ");
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// `1 request`, `2 requests`.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    };
    if number == 1 { format!("1 {what}") } else { format!("{number} {plural}") }
}
