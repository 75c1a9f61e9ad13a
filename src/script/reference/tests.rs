//! What an engine has is described, what is described is there, and the page is what the descriptions say.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

use super::*;
use crate::metrics::Recorder;
use crate::script::api::MODULES;
use crate::script::api::wait::WaitSpec;
use crate::script::host::{Host, ScriptInputs};
use crate::script::run_state::RunState;

/// What Rhai prints values with; every type has them.
const EVERYWHERE: [&str; 2] = ["to_string", "to_debug"];

/// Described, but no functions of the engine: Rhai's own keywords, whose output is redirected.
const KEYWORDS: [&str; 2] = ["print", "debug"];

/// A function of the script API as an engine has it.
struct Registered {
    /// Empty without a module.
    module: String,
    name: String,
    /// Types of its parameters, and what Rhai calls them.
    params: Vec<(TypeId, String)>,
}

/// An engine with the script API, and nothing of Rhai's own.
fn engine() -> rhai::Engine {
    engine_and_host().0
}

fn engine_and_host() -> (rhai::Engine, std::rc::Rc<Host>) {
    let run = Arc::new(RunState::default());
    let host = Host::new(Recorder::new(1), run, Arc::new(|_| {}), ScriptInputs::default());
    host.begin_load();
    let mut engine = rhai::Engine::new_raw();
    MODULES.iter().for_each(|(_, register)| register(&mut engine, &host));
    (engine, host)
}

/// What is said of a call: the error it makes, or the problems of what it declares.
fn said(call: &str) -> String {
    let (engine, host) = engine_and_host();
    match engine.run(call) {
        Err(error) => error.to_string(),
        Ok(()) => {
            let declared = host.declarations.borrow();
            declared.as_ref().map(|declared| declared.problem_texts().join("\n")).unwrap_or_default()
        }
    }
}

/// All functions that an engine has.
fn registered() -> Vec<Registered> {
    let engine = engine();
    engine.collect_fn_metadata(
        None,
        |function| {
            let shown = |at: usize| {
                let shown = function.metadata.params_info.get(at).map_or("", |shown| shown);
                let (_, shown) = shown.split_once(": ").unwrap_or(("", shown));
                shown.trim_start_matches("&mut ").to_owned()
            };
            Some(Registered {
                module: function.namespace.to_string(),
                name: function.metadata.name.to_string(),
                params: function
                    .metadata
                    .param_types
                    .iter()
                    .enumerate()
                    .map(|(at, id)| (*id, shown(at)))
                    .collect(),
            })
        },
        false,
    )
}

/// The word for a type of Rhai; `None` for `Dynamic`, which takes what the description says.
fn word(id: TypeId, shown: &str) -> Option<String> {
    let known = [
        (TypeId::of::<i64>(), "int"),
        (TypeId::of::<f64>(), "float"),
        (TypeId::of::<bool>(), "bool"),
        (TypeId::of::<ImmutableString>(), "text"),
        (TypeId::of::<Map>(), "map"),
        (TypeId::of::<Array>(), "array"),
        (TypeId::of::<Blob>(), "blob"),
        (TypeId::of::<FnPtr>(), "function"),
        (TypeId::of::<WaitSpec>(), "Wait"),
    ];
    if id == TypeId::of::<Dynamic>() {
        return None;
    }
    let found = known.iter().find(|(known, _)| *known == id);
    Some(found.map_or_else(|| shown.to_owned(), |(_, word)| (*word).to_owned()))
}

/// `http::get/1`, `Response.status/1`, `Table[]/2`.
fn key(owner: &str, name: &str, params: usize) -> String {
    format!("{owner}{name}/{params}")
}

/// Every described form, with the types of its parameters.
fn described() -> BTreeMap<String, Vec<Vec<Vec<&'static str>>>> {
    let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for part in sections().iter().filter(|part| !part.name.starts_with("std")) {
        for entry in part.entries() {
            for form in &entry.forms {
                let types: Vec<_> = form.params.iter().map(|(_, types)| types.clone()).collect();
                let count = types.len();
                let name = match (form.kind, entry.owner) {
                    (Kind::Function, Owner::Global) => key("", form.name, count),
                    (Kind::Function, Owner::Module(module)) => key(&format!("{module}::"), form.name, count),
                    (Kind::Function, Owner::Type(name)) => key(&format!("{name}."), form.name, count + 1),
                    (Kind::Property, Owner::Type(name)) => key(&format!("{name}.get$"), form.name, 1),
                    (Kind::Index, Owner::Type(name)) => key(name, "[]", 2),
                    (Kind::Each | Kind::Key, _) => continue,
                    (kind, owner) => panic!("{kind:?} of {owner:?}: '{}'", form.name),
                };
                all.entry(name).or_default().push(types);
            }
        }
    }
    all
}

#[test]
fn every_function_is_described_with_its_types_and_nothing_else_is() {
    let described = described();
    let types: BTreeSet<&str> = super::sections()
        .iter()
        .flat_map(|part| &part.blocks)
        .filter_map(|block| match block.owner {
            Owner::Type(name) => Some(name),
            _ => None,
        })
        .collect();
    let mut found = BTreeSet::new();
    for function in registered() {
        if EVERYWHERE.contains(&&*function.name) {
            continue;
        }
        let words: Vec<Option<String>> = function.params.iter().map(|(id, shown)| word(*id, shown)).collect();
        // A method is a function whose first argument is of one of the described types.
        let receiver = words.first().cloned().flatten().map(|word| match &*word {
            // What parameters call text is a string before the dot.
            "text" => "string".to_owned(),
            _ => word,
        });
        let receiver = receiver.filter(|word| types.contains(&**word));
        let is_method = function.module.is_empty() && receiver.is_some();
        let name = match receiver {
            Some(of_type) if is_method && function.name == "index$get$" => key(&of_type, "[]", 2),
            Some(of_type) if is_method => key(&format!("{of_type}."), &function.name, words.len()),
            _ if function.module.is_empty() => key("", &function.name, words.len()),
            _ => key(&format!("{}::", function.module), &function.name, words.len()),
        };
        // A value of the API's own as an argument, as in `wait(between(1, 3))`, is no method of it.
        let as_argument = key("", &function.name, words.len());
        let name = if described.contains_key(&name) { name } else { as_argument };
        let Some(forms) = described.get(&name) else {
            panic!(
                "'{}' with {} parameters {words:?} (module '{}') has no description: add it to the table beside its \
                 registration, in src/script/api",
                function.name,
                words.len(),
                function.module
            );
        };
        let own = if is_method && !name.starts_with(&function.name) { &words[1..] } else { &words[..] };
        let fits = |types: &Vec<Vec<&str>>| {
            types.iter().zip(own).all(|(types, registered)| match registered {
                None => true,
                Some(word) => types.iter().any(|&described| described == word || includes(described, word)),
            })
        };
        let is_property = name.contains("get$") || name.contains("[]");
        assert!(
            is_property || forms.iter().any(fits),
            "'{name}' is registered with {own:?} and described with {forms:?}"
        );
        found.insert(name);
    }
    for name in described.keys() {
        let is_keyword = KEYWORDS.iter().any(|keyword| *name == key("", keyword, 1));
        assert!(is_keyword || found.contains(name), "'{name}' is described, and no engine has it");
    }
    assert!(found.len() > 150, "{}", found.len());
}

/// Whether a word for several types takes this one.
fn includes(described: &str, word: &str) -> bool {
    match described {
        "any" => true,
        "number" => ["int", "float"].contains(&word),
        "time" => ["int", "float", "text"].contains(&word),
        _ => false,
    }
}

#[test]
fn descriptions_are_whole() {
    let parts = sections();
    let own: BTreeSet<&str> = parts
        .iter()
        .flat_map(|part| &part.blocks)
        .filter_map(|block| if let Owner::Type(name) = block.owner { Some(name) } else { None })
        .collect();
    let words = [
        "text", "int", "float", "number", "bool", "map", "array", "blob", "function", "time", "any", "unit",
        "Wait",
    ];
    let mut names = BTreeSet::new();
    for part in &parts {
        assert!(names.insert(part.name.clone()), "'{}' stands twice", part.name);
        assert!(!part.about.is_empty() && !part.about.ends_with('.'), "{}: {}", part.name, part.about);
        for entry in part.entries() {
            let path = entry.path(part, entry.forms[0].name);
            assert!(
                entry.lead.ends_with(['.', '`', '!']) || entry.lead.ends_with("*VU*"),
                "{path}: {}",
                entry.lead
            );
            assert!(entry.lead.chars().next().is_some_and(|c| !c.is_lowercase()), "{path}: {}", entry.lead);
            assert!(!entry.example.contains("\t"), "{path}");
            for form in &entry.forms {
                let types = form.params.iter().flat_map(|(_, types)| types).chain(&form.returns);
                for name in types {
                    assert!(words.contains(name) || own.contains(name), "{path}: '{name}' is no type");
                }
            }
        }
    }
}

/// How a map of these keys is given where no virtual user is needed.
fn call_with(keys: &str, map: &str) -> Option<String> {
    Some(match keys {
        "options" => format!("options({map})"),
        "options.http" => format!("options(#{{ http: {map} }})"),
        "scenario" => format!("scenario(\"s\", {map})"),
        "task" => format!("task(\"f\", {map})"),
        "param" => format!("param(\"p\", 1, {map})"),
        "data::csv" => format!("data::csv(\"nosuch.csv\", {map})"),
        "crypto::jwt_sign" => format!("crypto::jwt_sign(#{{}}, \"key\", {map})"),
        _ => return None,
    })
}

#[test]
fn every_described_key_is_read_and_no_other() {
    let mut read = 0;
    for part in sections() {
        for entry in part.entries() {
            let Owner::Keys(keys) = entry.owner else { continue };
            let name = entry.forms[0].name;
            let Some(call) = call_with(keys, &format!("#{{ {name}: () }}")) else { continue };
            let error = said(&call);
            assert!(!error.contains("has no key"), "'{name}' is described and not read: {error}");
            read += 1;
            let other = call_with(keys, "#{ nosuch: () }").unwrap();
            let error = said(&other);
            assert!(error.contains("has no key 'nosuch'") && error.contains(name), "{other}: {error}");
        }
    }
    assert!(read > 40, "{read}");
}

#[test]
fn the_page_in_docs_is_what_the_descriptions_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/script-api.md");
    let page = markdown();
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    let differs = there.lines().zip(page.lines()).find(|(there, page)| there != page);
    assert!(
        there == page,
        "docs/script-api.md is not what `rhaid docs --markdown` prints; write it again with RHAID_BLESS=1 cargo test \
         --lib. The first difference: {differs:?}"
    );
}

#[test]
fn examples_are_scripts() {
    let mut seen = 0;
    for part in sections() {
        let prose = [&part.intro, &part.notes].into_iter().flat_map(|text| code_in(text));
        let examples = part.entries().map(|entry| entry.example.clone()).filter(|text| !text.is_empty());
        for example in examples.chain(prose) {
            let mut engine = rhai::Engine::new_raw();
            engine.set_max_expr_depths(64, 64);
            // Lines of a function and whole scripts are both examples.
            let inside = format!("fn example() {{ {example}\n}}");
            if let Err(error) = engine.compile(&example).or_else(|_| engine.compile(&inside)) {
                panic!("{}: {error} in\n{example}", part.name);
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

fn code_in(markdown: &str) -> Vec<String> {
    let pieces = markdown.split("```rhai\n").skip(1);
    pieces.filter_map(|piece| piece.split_once("\n```").map(|(code, _)| code.to_owned())).collect()
}

#[test]
fn definition_files_have_the_shape_of_the_language_server() {
    let files = definitions();
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| &**name).collect();
    for name in ["rhaid.d.rhai", "rhai.d.rhai", "http.d.rhai", "std-auth.d.rhai", "store.d.rhai"] {
        assert!(names.contains(name), "{names:?}");
    }
    assert_eq!(names.len(), files.len());
    for (name, text) in &files {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(MARK), "{name}");
        let mut in_type = false;
        let mut modules = 0;
        for line in lines {
            let line = line.trim();
            match line {
                "" => assert!(!in_type, "{name}: a gap in a type"),
                "};" => in_type = false,
                _ if line.starts_with("///") => {}
                _ if line.starts_with("module ") => modules += 1,
                _ if line.starts_with("type ") => {
                    assert!(line.ends_with(" = #{"), "{name}: {line}");
                    in_type = true;
                }
                _ if in_type => assert!(line.ends_with(',') && line.contains(": "), "{name}: {line}"),
                _ => {
                    let head =
                        ["fn get ", "fn set ", "fn "].iter().find_map(|start| line.strip_prefix(start));
                    let head = head.unwrap_or_else(|| panic!("{name}: {line}"));
                    let (function, rest) = head.split_once('(').unwrap();
                    assert!(function.chars().all(|c| c.is_alphanumeric() || c == '_'), "{name}: {line}");
                    assert!(rest.ends_with(';') && rest.contains(')'), "{name}: {line}");
                }
            }
        }
        assert_eq!(modules, 1, "{name}");
    }
    let http = &files.iter().find(|(name, _)| name == "http.d.rhai").unwrap().1;
    assert!(http.contains("\nmodule http;\n"), "{http}");
    assert!(http.contains("/// GET.\n"), "{http}");
    assert!(http.contains("\nfn get(url: String, params: Map) -> Response;\n"), "{http}");
    let globals = &files.iter().find(|(name, _)| name == "rhaid.d.rhai").unwrap().1;
    assert!(globals.contains("\nfn get status(self_: Response) -> int;\n"), "{globals}");
    assert!(globals.contains("\nfn sleep(time: int | float | String);\n"), "{globals}");
    assert!(globals.contains("type ScenarioKeys = #{\n"), "{globals}");
}

/// The heads without their types are functions that Rhai itself parses: no name in them is reserved.
#[test]
fn names_in_definition_files_can_be_written_in_scripts() {
    let engine = rhai::Engine::new_raw();
    for part in sections() {
        for entry in part.entries() {
            for form in entry.forms.iter().filter(|form| form.kind == Kind::Function) {
                if KEYWORDS.contains(&form.name) {
                    continue;
                }
                let params: Vec<&str> = form.params.iter().map(|(name, _)| *name).collect();
                let script = format!("fn f({}) {{}} x.{}();", params.join(", "), form.name);
                assert!(engine.compile(&script).is_ok(), "{script}");
            }
        }
    }
}
