//! The reference as it is read: parts, their tables, entries, and the words of an entry taken apart.

use super::tables::{Item, Kind, Owner, Section, Table};

/// One heading with everything under it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What a reader asks for.
    pub(crate) name: String,
    pub(crate) title: String,
    /// It belongs to the part before.
    pub(crate) is_sub: bool,
    /// One line about it.
    pub(crate) about: String,
    pub(crate) intro: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) notes: String,
}

/// One table.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) owner: Owner,
    pub(crate) columns: (&'static str, &'static str),
    pub(crate) entries: Vec<Entry>,
}

/// Names that are described together.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) owner: Owner,
    pub(crate) forms: Vec<Form>,
    /// The first paragraph, without line breaks.
    pub(crate) lead: String,
    /// What raises an error.
    pub(crate) errors: Option<String>,
    /// Further paragraphs, in Markdown.
    pub(crate) more: String,
    /// Code, without its fences.
    pub(crate) example: String,
}

/// One way to write a name.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    /// Names and, for each, its possible types. The words for types are `text`, `int`, `float`, `number` (one of
    /// both), `bool`, `map`, `array`, `blob`, `function`, `time` (a number of seconds or text), `any`, `unit` (`()`)
    /// and the names of the API's own types.
    pub(crate) params: Vec<(&'static str, Vec<&'static str>)>,
    /// Its possible types; none for `()`.
    pub(crate) returns: Vec<&'static str>,
    /// What a key takes, in words.
    pub(crate) value: &'static str,
}

impl Part {
    pub(super) fn new(section: &Section) -> Part {
        Part {
            name: section.name.to_owned(),
            title: section.title.to_owned(),
            is_sub: section.is_part,
            about: section.about.to_owned(),
            intro: section.intro.trim().to_owned(),
            blocks: section.tables.iter().map(Block::new).collect(),
            notes: section.notes.trim().to_owned(),
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.blocks.iter().flat_map(|block| &block.entries)
    }
}

impl Block {
    fn new(table: &Table) -> Block {
        let mut entries: Vec<Entry> = Vec::new();
        for item in table.items {
            match entries.last_mut() {
                Some(entry) if item.doc.is_empty() => entry.forms.push(Form::new(item)),
                _ => {
                    let lines = item.doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line));
                    entries.push(Entry::new(table.owner, Form::new(item), lines));
                }
            }
        }
        Block { owner: table.owner, columns: table.columns, entries }
    }
}

impl Entry {
    /// From the lines of a doc comment.
    pub(super) fn new<'a>(owner: Owner, form: Form, lines: impl Iterator<Item = &'a str>) -> Entry {
        let mut entry = Entry {
            owner,
            forms: vec![form],
            lead: String::new(),
            errors: None,
            more: String::new(),
            example: String::new(),
        };
        let mut paragraph: Vec<&str> = Vec::new();
        let mut in_code = false;
        for line in lines {
            if line.starts_with("```") {
                in_code = !in_code;
                entry.take(&mut paragraph);
            } else if in_code {
                entry.example.push_str(line);
                entry.example.push('\n');
            } else if line.is_empty() {
                entry.take(&mut paragraph);
            } else {
                paragraph.push(line);
            }
        }
        entry.take(&mut paragraph);
        entry
    }

    /// Puts a paragraph where it belongs.
    fn take(&mut self, paragraph: &mut Vec<&str>) {
        if paragraph.is_empty() {
            return;
        }
        if let Some(errors) = paragraph[0].strip_prefix("Errors: ") {
            paragraph[0] = errors;
            self.errors = Some(paragraph.join(" "));
        } else if self.lead.is_empty() {
            self.lead = paragraph.join(" ");
        } else {
            if !self.more.is_empty() {
                self.more.push_str("\n\n");
            }
            self.more.push_str(&paragraph.join("\n"));
        }
        paragraph.clear();
    }

    /// The names in it, each once.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.forms.iter().map(|form| form.name).collect();
        names.dedup();
        names
    }

    /// How a name in it is asked for: `http::get`, `response::status`.
    pub(crate) fn path(&self, part: &Part, name: &str) -> String {
        match self.owner {
            Owner::Global => name.to_owned(),
            Owner::Module(module) => format!("{module}::{name}"),
            Owner::Type(_) | Owner::Keys(_) => format!("{}::{name}", part.name),
        }
    }
}

impl Form {
    fn new(item: &Item) -> Form {
        Form {
            kind: item.kind,
            name: item.name,
            params: item.params.iter().map(|&(name, types)| (name, types.to_vec())).collect(),
            returns: item.returns.to_vec(),
            value: item.value,
        }
    }

    /// As a script writes it: `http::get(url, params)`, `.status`.
    pub(crate) fn short(&self, owner: Owner) -> String {
        let params: Vec<&str> = self.params.iter().map(|&(name, _)| name).collect();
        self.written(owner, &params.join(", "))
    }

    /// The same with types: `http::get(url: text, params: map) -> Response`.
    pub(crate) fn signature(&self, owner: Owner) -> String {
        if self.kind == Kind::Key {
            return format!("{}: {}", self.name, self.value);
        }
        let params: Vec<String> =
            self.params.iter().map(|(name, types)| format!("{name}: {}", types.join(" | "))).collect();
        let written = self.written(owner, &params.join(", "));
        match self.returns.as_slice() {
            [] => written,
            types => {
                let types: Vec<&str> =
                    types.iter().map(|&name| if name == "unit" { "()" } else { name }).collect();
                format!("{written} -> {}", types.join(" | "))
            }
        }
    }

    fn written(&self, owner: Owner, params: &str) -> String {
        let name = self.name;
        match (self.kind, owner) {
            (Kind::Function, Owner::Module(module)) => format!("{module}::{name}({params})"),
            (Kind::Function, Owner::Type(_)) => format!(".{name}({params})"),
            (Kind::Function, _) => format!("{name}({params})"),
            (Kind::Property, _) => format!(".{name}"),
            (Kind::Index, _) => format!("[{params}]"),
            (Kind::Each, Owner::Type(of)) => format!("for {name} in {}", of.to_lowercase()),
            (Kind::Each, _) => format!("for {name} in …"),
            (Kind::Key, _) => name.to_owned(),
        }
    }
}
