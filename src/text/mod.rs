//! Human-readable text: counts, durations, timestamps, figures with units, shell words, name suggestions.
//!
//! Owns rounding, units and cleaning. A leaf: it imports nothing of the crate, so that everything may use it.

mod count;
mod duration;
pub mod format;
mod shell;
mod suggest;
mod user_text;
pub(crate) mod utc;

pub use count::format_count;
pub use duration::{LONGEST_DURATION, format_clock, format_duration, parse_duration};
pub use shell::shell_word;
pub(crate) use suggest::{did_you_mean, nearest, one_of};
pub(crate) use user_text::{char_width, clean_json, clean_text, cut_path};
pub use user_text::{clean_line, clean_lines, cut_middle, width};
