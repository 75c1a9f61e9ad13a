//! Everything in the reference, in its order: the script API, then the library.

use super::entry::Part;
use super::{language, library};
use crate::script::api::SECTIONS;

/// The same with what Rhai itself has.
pub(crate) fn all() -> Vec<Part> {
    let mut parts = sections();
    let place = parts.iter().position(|part| part.name == "std").unwrap_or(parts.len());
    let mut added = 0;
    for section in language::SECTIONS {
        let more = Part::new(section);
        match parts.iter_mut().find(|part| part.name == more.name) {
            Some(part) => part.blocks.extend(more.blocks),
            None => {
                parts.insert(place + added, more);
                added += 1;
            }
        }
    }
    parts
}

/// All parts of the script API and of the library. Put together at each call: few ask, and an engine never does.
pub(crate) fn sections() -> Vec<Part> {
    let mut parts: Vec<Part> = SECTIONS.iter().map(Part::new).collect();
    parts.extend(library::parts());
    parts
}
