//! The reference as definition files of Rhai's language server: names, types and words for editors.
//!
//! Operators and indexers are left out: the server does not complete them.

use std::fmt::Write;

use rhai::Engine;
use rhai::packages::{Package, StandardPackage};

use super::contents::sections;
use super::entry::{Entry, Form, Part};
use super::tables::{Kind, Owner};

/// The first line of each file, by which it is known as ours.
pub(crate) const MARK: &str = "// Written by `rhaid definitions`, which writes it again; do not edit.";

/// A file: its name and its text.
pub(crate) type DefinitionFile = (String, String);

/// All files: one for what needs no module, one for each module, one for what Rhai itself has.
pub(crate) fn definitions() -> Vec<DefinitionFile> {
    let parts = sections();
    let mut files = vec![
        (
            "rhai.d.rhai".to_owned(),
            format!("{MARK}\n/// Built-in functions of Rhai.\nmodule static;\n\n{}", of_rhai()),
        ),
        ("rhaid.d.rhai".to_owned(), of_globals(&parts)),
    ];
    for part in &parts {
        if let Some(name) = module_of(part) {
            let file = format!("{}.d.rhai", part.name.replace('/', "-"));
            files.push((file, of_module(part, name)));
        }
    }
    files
}

fn module_of(part: &Part) -> Option<&'static str> {
    part.blocks.iter().find_map(|block| match block.owner {
        Owner::Module(name) => Some(name),
        _ => None,
    })
}

fn of_module(part: &Part, name: &str) -> String {
    let import = if part.name.starts_with("std/") {
        format!(" Imported with `import \"{}\" as {name};`.", part.name)
    } else {
        String::new()
    };
    let mut text = format!("{MARK}\n");
    comment(&mut text, "", &format!("{}: {}.{import}", part.name, part.about));
    text.push_str(&format!("module {name};\n"));
    for block in part.blocks.iter().filter(|block| matches!(block.owner, Owner::Module(_))) {
        block.entries.iter().for_each(|entry| functions(&mut text, entry));
    }
    text
}

/// Types, methods, and functions without a module.
fn of_globals(parts: &[Part]) -> String {
    let mut text =
        format!("{MARK}\n/// The script API of rhaid: everything outside modules.\nmodule static;\n");
    for part in parts {
        for block in &part.blocks {
            match block.owner {
                Owner::Module(_) => continue,
                Owner::Global => {}
                Owner::Type(_) | Owner::Keys(_) => continue,
            }
            block.entries.iter().for_each(|entry| functions(&mut text, entry));
        }
    }
    for part in parts {
        for name in types_of(part) {
            // The server knows Rhai's own types.
            if union(&[name]) != name {
                part.entries()
                    .filter(|entry| entry.owner == Owner::Type(name))
                    .for_each(|entry| functions(&mut text, entry));
                continue;
            }
            let of_type = |entry: &&Entry| entry.owner == Owner::Type(name);
            let about = format!("{} ({}).", name, part.about);
            let properties = part.entries().filter(of_type).flat_map(|entry| {
                let properties = entry.forms.iter().filter(|form| form.kind == Kind::Property);
                properties.map(move |form| (entry.lead.clone(), form.name, union(&form.returns)))
            });
            object(&mut text, name, &about, properties);
            part.entries().filter(of_type).for_each(|entry| functions(&mut text, entry));
        }
        let keys = part.entries().filter(|entry| matches!(entry.owner, Owner::Keys(_)));
        let mut keys = keys
            .map(|entry| {
                let form = &entry.forms[0];
                (format!("{} Takes: {}.", entry.lead, form.value), form.name, "?".to_owned())
            })
            .peekable();
        if keys.peek().is_some() {
            object(&mut text, &keys_name(part), &format!("{}: keys of the map.", part.name), keys);
        }
    }
    text
}

/// The API's own types that a part describes, each once.
fn types_of(part: &Part) -> Vec<&'static str> {
    let mut types = Vec::new();
    for block in &part.blocks {
        if let Owner::Type(name) = block.owner
            && !types.contains(&name)
        {
            types.push(name);
        }
    }
    types
}

/// `options.http` → `OptionsHttpKeys`.
fn keys_name(part: &Part) -> String {
    let words = part.name.split('.').map(|word| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "Keys"
}

fn object(
    text: &mut String,
    name: &str,
    about: &str,
    fields: impl Iterator<Item = (String, &'static str, String)>,
) {
    text.push('\n');
    comment(text, "", about);
    text.push_str(&format!("type {name} = #{{\n"));
    for (words, field, of_type) in fields {
        comment(text, "    ", &words);
        text.push_str(&format!("    {field}: {of_type},\n"));
    }
    text.push_str("};\n");
}

/// The functions and getters of an entry, each with its words.
fn functions(text: &mut String, entry: &Entry) {
    for form in &entry.forms {
        let Some(head) = head(entry.owner, form) else { continue };
        text.push('\n');
        comment(text, "", &entry.lead);
        if let Some(errors) = &entry.errors {
            comment(text, "", &format!("\nErrors: {errors}"));
        }
        if !entry.more.is_empty() {
            comment(text, "", &format!("\n{}", entry.more));
        }
        if !entry.example.is_empty() {
            comment(text, "", &format!("\n```rhai\n{}```", entry.example));
        }
        text.push_str(&head);
        text.push('\n');
    }
}

fn head(owner: Owner, form: &Form) -> Option<String> {
    let mut params: Vec<String> =
        form.params.iter().map(|(name, types)| format!("{name}: {}", union(types))).collect();
    if let Owner::Type(name) = owner {
        params.insert(0, format!("self_: {}", union(&[name])));
    }
    let kind = match form.kind {
        Kind::Function => "",
        Kind::Property => "get ",
        Kind::Index | Kind::Each | Kind::Key => return None,
    };
    let mut head = format!("fn {kind}{}({})", form.name, params.join(", "));
    if !form.returns.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(head, " -> {}", union(&form.returns));
    }
    Some(head + ";")
}

/// Types as the language server has them.
fn union(types: &[&str]) -> String {
    let mut union: Vec<&str> = Vec::new();
    for &name in types {
        let names: &[&str] = match name {
            "text" | "string" => &["String"],
            "number" => &["int", "float"],
            "map" => &["Map"],
            "array" => &["Array"],
            "blob" => &["Blob"],
            "function" => &["FnPtr"],
            "time" => &["int", "float", "String"],
            "any" => &["?"],
            "unit" => &["()"],
            _ => &[name],
        };
        union.extend(names);
    }
    union.join(" | ")
}

fn comment(text: &mut String, indent: &str, words: &str) {
    for line in words.lines() {
        text.push_str(format!("{indent}/// {line}").trim_end());
        text.push('\n');
    }
}

/// The functions of the language and of its standard package, as Rhai describes them itself.
fn of_rhai() -> String {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    let definitions = engine.definitions();
    let all = format!("{}\n\n{}", definitions.builtin_functions().trim(), definitions.static_module());
    let items = all.split("\n\n").map(str::trim).filter(|item| {
        let head = item.lines().last().unwrap_or_default();
        // `sleep`, `print` and `debug` are the script API's here.
        let is_ours = ["fn sleep(", "fn print(", "fn debug("].iter().any(|ours| head.starts_with(ours));
        head.starts_with("fn ") && !head.contains('$') && !is_ours
    });
    items.collect::<Vec<_>>().join("\n\n") + "\n"
}
