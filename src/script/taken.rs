//! Names that mean something to the engine, so that a script made by a program gives none of them to a function of its own.
//!
//! Taken from what the engine itself goes by: the hooks it calls, and the reference, which tests hold complete.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::check::HOOKS;
use super::reference::{Kind, Owner, all};

static TAKEN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let parts = all();
    let entries = parts.iter().flat_map(|part| part.entries());
    let functions = entries
        .filter(|entry| entry.owner == Owner::Global)
        .flat_map(|entry| &entry.forms)
        .filter(|form| form.kind == Kind::Function)
        .map(|form| form.name);
    HOOKS.iter().map(|(hook, _)| *hook).chain(functions).collect()
});

/// Whether the engine calls a function of this name by itself, or has one that is called without a module.
pub(crate) fn is_taken(name: &str) -> bool {
    TAKEN.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_functions_are_taken() {
        for name in
            ["summary", "setup", "on_stop", "iteration", "check", "group", "sleep", "print", "parse_int"]
        {
            assert!(is_taken(name), "{name}");
        }
        assert!(!is_taken("checkout") && !is_taken("url") && !is_taken("get"));
    }
}
