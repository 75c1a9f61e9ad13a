//! What scripts can call besides their own functions: everything that is registered with the engine.
//!
//! Taken from the engine itself, so that functions of an embedding program are included. Leaves script functions
//! to `project`. Invariant: anything the engine would find is never reported as unknown.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Dynamic, Engine, FnNamespace};

/// How many arguments a function takes, for each of its forms.
pub(super) type Counts = BTreeSet<usize>;

/// What the language itself understands like functions; without counts it takes any number.
const KEYWORDS: &[(&str, &[usize])] = &[
    ("Fn", &[1]),
    ("call", &[]),
    ("curry", &[]),
    ("eval", &[1]),
    ("print", &[0, 1]),
    ("debug", &[0, 1]),
    ("type_of", &[1]),
    ("is_shared", &[1]),
    ("is_def_var", &[1]),
    ("is_def_fn", &[2, 3]),
];

/// See the module's description.
pub(super) struct Known<'a> {
    engine: &'a Engine,
    /// By name.
    plain: BTreeMap<String, Counts>,
    /// Properties that some type has.
    properties: BTreeSet<String>,
    /// Names that an embedding program added a function to.
    extended: BTreeSet<String>,
    /// By module, by name.
    modules: BTreeMap<String, BTreeMap<String, Counts>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(engine: &'a Engine) -> Known<'a> {
        let mut known = Known {
            engine,
            plain: BTreeMap::new(),
            properties: BTreeSet::new(),
            extended: BTreeSet::new(),
            modules: BTreeMap::new(),
        };
        let functions = engine.collect_fn_metadata(
            None,
            |info| {
                let is_global = info.metadata.namespace == FnNamespace::Global;
                let name = info.metadata.name.to_string();
                Some((info.namespace.to_string(), name, info.metadata.num_params, is_global))
            },
            true,
        );
        for (module, name, count, is_global) in functions {
            if let Some(property) = name.strip_prefix("get$") {
                known.properties.insert(property.to_owned());
            }
            // Operators, and what gets and sets properties, are not called by name.
            if !rhai::is_valid_identifier(&name) {
                continue;
            }
            if module.is_empty() || is_global {
                known.plain.entry(name.clone()).or_default().insert(count);
            }
            if !module.is_empty() {
                known.modules.entry(module).or_default().entry(name).or_default().insert(count);
            }
        }
        known
    }

    /// The same, knowing the functions that the engine had without the embedding program.
    pub(super) fn beyond(engine: &'a Engine, before: &BTreeMap<String, usize>) -> Known<'a> {
        let more = |(name, count): &(String, usize)| before.get(name).is_none_or(|before| before < count);
        let extended = overloads(engine).into_iter().filter(more).map(|(name, _)| name).collect();
        Known { extended, ..Known::of(engine) }
    }

    /// Whether an embedding program added a function of this name.
    pub(super) fn is_extended(&self, name: &str) -> bool {
        self.extended.contains(name)
    }

    /// Whether the language takes any number of arguments for this.
    pub(super) fn takes_anything(name: &str) -> bool {
        KEYWORDS.iter().any(|(known, counts)| *known == name && counts.is_empty())
    }

    /// The counts of a function outside modules; empty when there is none.
    pub(super) fn plain(&self, name: &str) -> Counts {
        let mut counts = self.plain.get(name).cloned().unwrap_or_default();
        let keyword = KEYWORDS.iter().find(|(known, _)| *known == name);
        counts.extend(keyword.iter().flat_map(|(_, counts)| counts.iter().copied()));
        counts
    }

    /// The functions of a module by name; `None` when there is no such module.
    pub(super) fn module(&self, name: &str) -> Option<&BTreeMap<String, Counts>> {
        self.modules.get(name)
    }

    /// Whether the engine knows a value by this name: an embedding program may have added some.
    pub(super) fn has_value(&self, name: &str) -> bool {
        self.engine.eval_expression::<Dynamic>(name).is_ok()
    }

    /// Whether some type has this property.
    pub(super) fn has_property(&self, name: &str) -> bool {
        self.properties.contains(name)
    }

    /// All properties.
    pub(super) fn properties(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(String::as_str)
    }

    /// All names outside modules.
    pub(super) fn plain_names(&self) -> impl Iterator<Item = &str> {
        let keywords = KEYWORDS.iter().map(|(name, _)| *name);
        self.plain.keys().map(String::as_str).chain(keywords)
    }

    /// All names of modules.
    pub(super) fn module_names(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }
}

/// How many functions of each name an engine has.
pub(super) fn overloads(engine: &Engine) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// `1 argument`, `1 or 2 arguments`, `1, 2 or 4 arguments`.
pub(super) fn in_words(counts: &Counts) -> String {
    let words: Vec<String> = counts.iter().map(usize::to_string).collect();
    match (words.as_slice(), counts.last()) {
        ([], _) | (_, Some(0)) => "no arguments".to_owned(),
        ([one], Some(1)) => format!("{one} argument"),
        ([one], _) => format!("{one} arguments"),
        ([first, second], Some(1)) => format!("{first} or {second} argument"),
        ([rest @ .., last], _) => format!("{} or {last} arguments", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_words() {
        let words = |counts: &[usize]| in_words(&counts.iter().copied().collect());
        assert_eq!(words(&[0]), "no arguments");
        assert_eq!(words(&[1]), "1 argument");
        assert_eq!(words(&[0, 1]), "0 or 1 argument");
        assert_eq!(words(&[1, 2]), "1 or 2 arguments");
        assert_eq!(words(&[1, 2, 4]), "1, 2 or 4 arguments");
    }

    #[test]
    fn what_is_registered_is_known() {
        let mut engine = Engine::new();
        let mut module = rhai::Module::new();
        module.set_native_fn("get", |_: i64| Ok(1_i64));
        module.set_var("LIMIT", 3_i64);
        engine.register_static_module("shop", module.into());
        engine.register_fn("sign", |_: &str, _: i64| 1_i64);
        engine.register_fn("sign", |_: &str| 1_i64);
        let known = Known::of(&engine);
        assert_eq!(known.plain("sign"), Counts::from([1, 2]));
        assert_eq!(known.plain("type_of"), Counts::from([1]));
        assert!(known.plain("nosuch").is_empty());
        assert_eq!(known.module("shop").unwrap()["get"], Counts::from([1]));
        assert!(known.module("nosuch").is_none());
        assert!(known.has_value("shop::LIMIT") && !known.has_value("shop::NOSUCH"));
    }
}
