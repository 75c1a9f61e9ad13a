//! Rhai's own functions, as far as scripts use them, in words of this reference.
//!
//! Leaves operators and statements to the book of the language. Invariant, checked by a test: an engine has everything
//! that stands here, and here stands every function of Rhai but those in `UNUSUAL`.

mod collections;
mod numbers;
mod text;
mod values;

use self::collections::{ARRAYS, MAPS, RANGES};
use self::numbers::{MATHS, NUMBERS};
use self::text::{BLOBS, STRINGS};
use self::values::{FUNCTIONS, VALUES};
use super::tables::{Section, Table};

/// What a part of this reference gets besides what it has. A section that it lacks is added.
pub(super) const SECTIONS: &[Section] = &[
    section("strings", "Strings", "", &[STRINGS]),
    section("arrays", "Arrays", "", &[ARRAYS]),
    section("maps", "Maps", "maps #{ … }: reading and changing", &[MAPS]),
    section("numbers", "Numbers", "numbers: rounding, parsing, mathematics", &[NUMBERS, MATHS]),
    section("blobs", "Blobs", "bytes", &[BLOBS]),
    section(
        "values",
        "Values, functions and ranges",
        "types, conversions, closures, ranges",
        &[VALUES, FUNCTIONS, RANGES],
    ),
];

const fn section(
    name: &'static str,
    title: &'static str,
    about: &'static str,
    tables: &'static [Table],
) -> Section {
    Section { name, title, is_part: false, about, intro: "", tables, notes: "" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::tables::Owner;
    use super::*;
    use crate::metrics::Recorder;
    use crate::script::engine::new_engine;
    use crate::script::host::{Host, ScriptInputs};
    use crate::script::run_state::RunState;
    use crate::script::source::Sources;

    /// Functions of Rhai that load tests have no use for.
    const UNUSUAL: &[&str] = &[
        "acosh",
        "asinh",
        "atanh",
        "bits",
        "cosh",
        "elapsed",
        "get_bit",
        "get_bits",
        "get_fn_metadata_list",
        "hypot",
        "set_bit",
        "set_bits",
        "set_tag",
        "sinh",
        "sleep",
        "tag",
        "tanh",
    ];

    /// Part of the language: no engine lists them as functions.
    const KEYWORDS: &[&str] = &["call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of"];

    fn described() -> BTreeSet<&'static str> {
        SECTIONS.iter().flat_map(|section| section.tables).flat_map(|table| table.names()).collect()
    }

    #[test]
    fn every_function_of_rhai_is_described_and_nothing_else() {
        let mut engine = rhai::Engine::new_raw();
        rhai::packages::Package::register_into_engine(&rhai::packages::StandardPackage::new(), &mut engine);
        let names = engine.collect_fn_metadata(
            None,
            |function| {
                let name = function.metadata.name.trim_start_matches("get$").to_owned();
                rhai::is_valid_identifier(&name).then_some(name)
            },
            true,
        );
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let described = described();
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !described.contains(**name) && !UNUSUAL.contains(name))
            .filter(|name| !["print", "debug", "format_array", "format_map"].contains(name))
            .collect();
        assert!(missing.is_empty(), "not described in src/script/reference/language/: {missing:?}");
        let invented: Vec<_> =
            described.iter().filter(|name| !names.contains(**name) && !KEYWORDS.contains(name)).collect();
        assert!(invented.is_empty(), "Rhai has no {invented:?}");
        assert!(described.len() > 120, "{}", described.len());
    }

    #[test]
    fn examples_run() {
        let host = Host::new(
            Recorder::new(1),
            Arc::new(RunState::default()),
            Arc::new(|_| {}),
            ScriptInputs::default(),
        );
        let engine = new_engine(&Sources::from_text("main.rhai", ""), &host);
        let mut seen = 0;
        for part in crate::script::reference::contents::all() {
            for entry in part.entries() {
                let is_of_rhai = matches!(entry.owner, Owner::Type("string" | "array" | "map" | "function"))
                    || part.name == "numbers";
                if is_of_rhai && !entry.example.is_empty() {
                    engine
                        .run(&entry.example)
                        .unwrap_or_else(|error| panic!("{error} in\n{}", entry.example));
                    seen += 1;
                }
            }
        }
        assert!(seen > 12, "{seen}");
    }
}
