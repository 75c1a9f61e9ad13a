//! Everything in the reference, in its order: the script API, then the library.

use super::entry::Part;
use super::library;
use crate::script::api::SECTIONS;

/// All parts. Put together at each call: few ask, and an engine never does.
pub(crate) fn sections() -> Vec<Part> {
    let mut parts: Vec<Part> = SECTIONS.iter().map(Part::new).collect();
    parts.extend(library::parts());
    parts
}
