//! What a run looks like to a person: views of a snapshot, made of it alone.
//!
//! Owns wording, rounding and layout. Leaves printing to `cli` and files to `results`.
//! Invariant: pure functions of snapshot and run facts, without clock or I/O, so that two views of
//! one snapshot show the same figures.

mod format;
pub mod limits;
mod text;
mod user_text;
mod verdict;

#[cfg(test)]
pub(crate) mod fixture;

pub use format::{bytes, count, latency, percent, rate, run_length};
pub use limits::limit_sentence;
pub use text::{
    Look, compared_summary, comparison_sentence, comparison_table, generator_warning, live, plain_line,
    plain_resource_line, resource_line, resource_table, short_summary, summary, trend_table,
};
#[cfg(feature = "cli")]
pub(crate) use text::{Mark, Tone};
pub use user_text::{clean_line, clean_lines, cut_middle, width};
pub use verdict::Verdict;
