//! A run in a terminal: the live block, the line for CI logs, and the final summary.
//!
//! Owns layout for a given width, with Unicode or ASCII, with or without colour. Leaves printing and
//! redrawing to `cli`. Invariant: colour never carries meaning alone, and with neither colour nor
//! Unicode the same facts are given as text.

mod agents;
mod capacity;
mod ci_line;
mod comparison;
mod distribution;
mod endpoints;
mod generator;
mod limits;
mod live;
mod look;
mod resources;
mod sparkline;
mod summary;
mod table;
mod trend;

#[cfg(test)]
mod tests;

pub use ci_line::plain_line;
pub use comparison::comparison_table;
pub use endpoints::percentile_table;
pub(crate) use endpoints::percentile_text;
pub use generator::generator_warning;
pub use live::live;
pub use look::Look;
#[cfg(feature = "cli")]
pub(crate) use look::{Mark, Tone};
pub use resources::{plain_resource_line, resource_line, resource_table};
pub(crate) use summary::figures_of;
pub use summary::{compared_summary, first_failure, short_summary, summary};
pub use trend::trend_table;
