//! The reference of the script API: a description of everything that a script can name.
//!
//! Descriptions are kept next to the registrations in `api/` ([`tables`]) and, for the library, in the doc
//! comments of `stdlib/`. Owns collecting them, looking up a name, and generating Markdown and definition files.
//! Leaves printing and files to the caller. Invariant, checked by tests: everything an engine registers is
//! described with its types, and everything described exists.

mod contents;
mod definitions;
mod entry;
mod find;
mod language;
mod library;
mod markdown;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use contents::all;
#[cfg(test)]
use contents::sections;
pub(crate) use definitions::{DefinitionFile, MARK, definitions};
pub(crate) use entry::{Entry, Part};
pub(crate) use find::{Found, find, meant};
pub(crate) use markdown::markdown;
pub(crate) use tables::{Item, Kind, Owner, Section, Table, calls, keys, kind};
