//! Descriptions of the script API next to its registration: tables of names, signatures and texts.
//!
//! [`calls!`] describes functions, getters and types, [`keys!`] the keys of a map that a script passes. All of it
//! is static text that no engine reads. Invariant: a key that is in no table is rejected, so none can be added
//! without a description.

use crate::text::did_you_mean;

/// A part of the reference: one heading.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    /// What a reader asks for: `http`.
    pub(crate) name: &'static str,
    /// Its heading in Markdown. Other pages link to it, so it stays as it is.
    pub(crate) title: &'static str,
    /// It is a part of the section before.
    pub(crate) is_part: bool,
    /// One line, for the list of sections.
    pub(crate) about: &'static str,
    /// What is said before the tables, in Markdown.
    pub(crate) intro: &'static str,
    pub(crate) tables: &'static [Table],
    /// What is said after them.
    pub(crate) notes: &'static str,
}

/// Things of one kind that belong together.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) owner: Owner,
    /// How the first two columns are called.
    pub(crate) columns: (&'static str, &'static str),
    pub(crate) items: &'static [Item],
}

/// Where a name is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Everywhere.
    Global,
    /// Behind `name::`.
    Module(&'static str),
    /// Behind the dot of a value of this type.
    Type(&'static str),
    /// In the map that this takes.
    Keys(&'static str),
}

/// One name. Without words it shares those of the item before it.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    /// The lines of its doc comment.
    pub(crate) doc: &'static [&'static str],
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    /// Names and, for each, its possible types.
    pub(crate) params: &'static [(&'static str, &'static [&'static str])],
    /// Its possible types; none for `()`.
    pub(crate) returns: &'static [&'static str],
    /// What a key takes, in words.
    pub(crate) value: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `name(…)`.
    Function,
    /// `.name`.
    Property,
    /// `[…]`.
    Index,
    /// `for … in`.
    Each,
    /// `name: …`.
    Key,
}

impl Table {
    /// The names in it, each once.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::with_capacity(self.items.len());
        for item in self.items {
            if !names.contains(&item.name) {
                names.push(item.name);
            }
        }
        names
    }

    /// Refuses a key that has no description, whether or not a reader knows it.
    ///
    /// # Errors
    /// In words, with the nearest key.
    pub(crate) fn check(&self, of: &str, key: &str) -> Result<(), String> {
        if self.items.iter().any(|item| item.name == key) { Ok(()) } else { Err(self.unknown(of, key)) }
    }

    /// The message for a key that means nothing.
    pub(crate) fn unknown(&self, of: &str, key: &str) -> String {
        let names = self.names();
        let hint = did_you_mean(key, names.iter().copied());
        format!("{of} has no key '{key}'{hint} (known: {})", names.join(", "))
    }
}

/// Describes functions (`fn`), getters (`get`), indexers (`index`) and what `for` goes through (`each`).
///
/// The doc comment is Markdown: a first paragraph that stands in tables, a paragraph that begins with `Errors: `
/// where there are any, further paragraphs, an example in ```` ```rhai ````. A form without a comment shares that of
/// the one before it. Types are in the words of `Form::types`, several with `|`.
macro_rules! calls {
    ($vis:vis $table:ident: $owner:expr; $columns:expr; $(
        $(#[doc = $doc:literal])*
        $kind:ident $name:ident $(($($param:ident: $($type:ident)|+),*))? $(-> $($returns:ident)|+)?;
    )+) => {
        $vis const $table: $crate::script::reference::Table = $crate::script::reference::Table {
            owner: $owner,
            columns: $columns,
            items: &[$($crate::script::reference::Item {
                doc: &[$($doc),*],
                kind: $crate::script::reference::kind!($kind),
                name: stringify!($name),
                params: &[$($((stringify!($param), &[$(stringify!($type)),+])),*)?],
                returns: &[$($(stringify!($returns)),+)?],
                value: "",
            }),+],
        };
    };
}

/// Describes the keys of a map: a doc comment, the key, and what it takes.
macro_rules! keys {
    ($vis:vis $table:ident: $of:literal; $(
        $(#[doc = $doc:literal])+
        $name:ident: $value:literal;
    )+) => {
        $vis const $table: $crate::script::reference::Table = $crate::script::reference::Table {
            owner: $crate::script::reference::Owner::Keys($of),
            columns: ("key", "meaning"),
            items: &[$($crate::script::reference::Item {
                doc: &[$($doc),*],
                kind: $crate::script::reference::Kind::Key,
                name: stringify!($name),
                params: &[],
                returns: &[],
                value: $value,
            }),+],
        };
    };
}

macro_rules! kind {
    (fn) => {
        $crate::script::reference::Kind::Function
    };
    (get) => {
        $crate::script::reference::Kind::Property
    };
    (index) => {
        $crate::script::reference::Kind::Index
    };
    (each) => {
        $crate::script::reference::Kind::Each
    };
}

pub(crate) use {calls, keys, kind};
