//! The reference of the script API: everything that a script can name, with words.
//!
//! The words stand beside the registrations in `api/` ([`tables`]) and, for the library, in the doc comments of
//! `stdlib/`. Owns bringing them together, finding a name, and writing Markdown and definition files.
//! Leaves printing and files to whoever asks. Invariant, held by tests: what an engine has is described with the
//! types it is registered with, and what is described is there.

mod contents;
mod definitions;
mod entry;
mod find;
mod library;
mod markdown;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use contents::sections;
pub(crate) use definitions::{DefinitionFile, MARK, definitions};
pub(crate) use entry::{Entry, Part};
pub(crate) use find::{Found, find, meant};
pub(crate) use markdown::markdown;
pub(crate) use tables::{Item, Kind, Owner, Section, Table, calls, keys, kind};
