//! Names for what a converted script declares, made of foreign text. Pure.

use std::collections::HashSet;

use crate::script::is_taken;

/// Whether it can be the name of a variable or a function.
pub(super) fn is_name(text: &str) -> bool {
    let first = text.trim_start_matches('_').chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&text)
}

/// Words that Rhai keeps for itself.
pub(super) const RESERVED: &[&str] = &[
    "Fn",
    "as",
    "async",
    "await",
    "break",
    "call",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "exit",
    "export",
    "false",
    "fn",
    "for",
    "global",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "self",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "use",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// A name in lower case with underscores, made of any text; `fallback` when nothing of it can be used.
pub(crate) fn identifier(text: &str, fallback: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            let starts_word =
                c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
            if starts_word && !name.ends_with('_') {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        before = c;
        if name.len() >= 48 {
            break;
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() {
        return fallback.to_owned();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("{fallback}_{name}");
    }
    if RESERVED.contains(&name) || is_taken(name) { format!("{name}_1") } else { name.to_owned() }
}

/// The name, or the name with a number, that is not among those taken; it is taken then.
pub(super) fn unused(name: String, taken: &mut HashSet<String>) -> String {
    let mut free = name.clone();
    let mut n = 1;
    while !taken.insert(free.clone()) {
        n += 1;
        free = format!("{name}_{n}");
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rhai::Engine;

    #[test]
    fn every_word_that_rhai_keeps_is_known() {
        let engine = Engine::new();
        let words = "abstract and any class def del enum final func function impl interface lambda macro mod move mut \
            not or priv pub ref self static struct sub trait type typeof unsafe where xor end elif var let default \
            match case is new with use go spawn sync async await thread shared module package protected public global";
        for word in words.split_whitespace().chain(RESERVED.iter().copied()) {
            let compiles = engine.compile(format!("let x = #{{ {word}: 1 }}; x.{word}")).is_ok();
            assert!(compiles || RESERVED.contains(&word), "{word} is reserved");
        }
    }

    #[test]
    fn names_of_any_text() {
        for (text, name) in [
            ("listPets", "list_pets"),
            ("GET /pets/{petId}", "get_pets_pet_id"),
            ("HTTPServer2Go", "httpserver2_go"),
            ("new", "new_1"),
            ("setup", "setup_1"),
            ("Größe", "gr_e"),
            ("日本", "x"),
            ("42nd", "x_42nd"),
            ("__a--b__", "a_b"),
        ] {
            assert_eq!(identifier(text, "x"), name, "{text}");
        }
        assert!(!is_name("_") && !is_name("1a") && !is_name("ü") && is_name("_a1"));
    }
}
