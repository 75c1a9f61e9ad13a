//! What authors write out of habit of other languages (Python, JavaScript, Rust) and tools, and its Rhai form.
//!
//! Owns the tables of names and the rules for syntax. Pure: texts in, texts out. Leaves finding a mistake to `check` and
//! to Rhai. Invariant: a form that is proposed is a valid script (the tests check each).

mod names;
mod syntax;

pub(crate) use names::{count, foreign_file, function, in_place, key, member, method, property, variable};
pub(crate) use syntax::{Habit, of_syntax};

/// The error of an import of what is no file.
pub(crate) const IMPORT: &str = "'import' takes a file in quotes — delete this line for http, check, sleep and all other \
                                 modules, which are there; a file is imported by import \"lib/cart\" as cart;";
