//! Test data from files: looked up in the allowed folders, read once per run, handed out to virtual users.
//!
//! Owns files, tables and who gets which row. Leaves to `script` how a row looks to a script, and waiting
//! for a row. Invariant: a table is the same for all threads of a run, and its rows are stored once.

#[cfg(feature = "cluster")]
mod blobs;
mod cells;
mod delimited;
mod folders;
mod free_rows;
mod json_rows;
mod lease;
mod read;
mod registry;
mod rows;
mod table;

#[cfg(feature = "cluster")]
pub(crate) use blobs::{Blob, Blobs, Hash};
pub(crate) use delimited::CsvOptions;
pub(crate) use folders::Folders;
pub(crate) use lease::Lease;
#[cfg(feature = "cluster")]
pub(crate) use registry::SentFiles;
pub(crate) use registry::{Form, Loaded, Registry};
pub(crate) use rows::Row;
pub(crate) use table::{Table, Takers};
