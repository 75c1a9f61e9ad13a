//! Documents in JSON or YAML, and the references inside them.
//!
//! Owns reading and `$ref`. The only file that knows the YAML crate. Invariant: reading is bounded, whatever anchors and
//! aliases a document has; a reference is followed a bounded number of times.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use serde_saphyr::{Budget, Options};

use crate::convert::problem::Problem;
use crate::convert::script::Notes;

/// How many references may lead to one another.
const MOST_STEPS: usize = 32;

/// Nodes of a document: ten times what the largest known ones have.
const MOST_NODES: usize = 5_000_000;

/// Nesting of a document.
const MOST_DEPTH: usize = 64;

/// Reading recurses with the nesting: this is enough for [`MOST_DEPTH`] also where a thread has little.
const STACK: usize = 32 * 1024 * 1024;

/// Reads a document, in whichever of the two it is.
///
/// # Errors
/// When it is neither; the message says line and column.
pub(in crate::convert) fn parse(text: &str) -> Result<Value, Problem> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).map_err(|error| Problem::of_json("JSON", &error));
    }
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse_yaml(text));
        let read = reader.map_err(|error| format!("cannot start a thread: {error}"))?;
        read.join().unwrap_or_else(|_| Err("this is not YAML that can be read".into()))
    })
}

fn parse_yaml(text: &str) -> Result<Value, Problem> {
    let mut options = Options::default();
    let mut budget = Budget::default();
    budget.max_events = MOST_NODES * 2;
    budget.max_nodes = MOST_NODES;
    budget.max_depth = MOST_DEPTH;
    options.budget = Some(budget);
    // As YAML 1.2 has it: `yes` and `no` are text.
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| Problem::of_yaml(&error))
}

/// A document whose parts refer to one another.
pub(in crate::convert) struct Document {
    root: Value,
}

impl Document {
    pub(in crate::convert) fn new(root: Value) -> Document {
        Document { root }
    }

    pub(in crate::convert) fn root(&self) -> &Value {
        &self.root
    }

    /// What a value stands for: itself, or what its `$ref` leads to; `None`, and a note, when that is nowhere.
    pub(in crate::convert) fn resolve<'a>(
        &'a self,
        value: &'a Value,
        notes: &mut Notes,
    ) -> Option<&'a Value> {
        let mut value = value;
        for _ in 0..MOST_STEPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Some(value) };
            let Some(pointer) = reference.strip_prefix('#') else {
                notes.add(format!("left out: {reference}, which is in another document"));
                return None;
            };
            let pointer = percent_decode_str(pointer).decode_utf8_lossy();
            match self.root.pointer(&pointer) {
                Some(found) => value = found,
                None => {
                    notes.add(format!("left out: {reference}, which is not in the document"));
                    return None;
                }
            }
        }
        notes.add("left out: a circular reference");
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_and_json_are_the_same() {
        let yaml = "openapi: 3.0.3\nresponses:\n  200: { description: yes }\n  '404': &x\n    a: [1, 2.5, ~, true]\n  503: *x\n\
            date: 2024-01-31\ntext: |\n  two\n  lines\n";
        let expected = json!({
            "openapi": "3.0.3",
            "responses": { "200": { "description": "yes" }, "404": { "a": [1, 2.5, null, true] }, "503": { "a": [1, 2.5, null, true] } },
            "date": "2024-01-31",
            "text": "two\nlines\n",
        });
        assert_eq!(parse(yaml).unwrap(), expected);
        assert_eq!(parse(&format!("\u{feff}{expected}")).unwrap(), expected);
    }

    #[test]
    fn errors_have_a_place() {
        let error = parse("{\"a\": 1,\n \"b\": }").unwrap_err().told_of("x");
        assert!(error.starts_with("x:2:7: "), "{error}");
        let error = parse("a: 1\nb: [1,\nc: }\n").unwrap_err().told_of("x");
        assert!(error.starts_with("x:2:"), "{error}");
    }

    #[test]
    fn aliases_do_not_multiply() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        assert!(parse(&bomb).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("a: {}", "[".repeat(100_000))).is_err());
        assert!(parse(&"- ".repeat(100_000)).is_err());
    }

    #[test]
    fn references_lead_somewhere_or_are_noted() {
        let document = Document::new(json!({
            "a": { "$ref": "#/b" },
            "b": { "$ref": "#/paths/~1x~1%7Bid%7D" },
            "paths": { "/x/{id}": 7 },
            "loop": { "$ref": "#/loop" },
            "far": { "$ref": "http://a.test/x.yaml#/y" },
            "lost": { "$ref": "#/nosuch" },
        }));
        let mut notes = Notes::default();
        let of = |name: &str, notes: &mut Notes| document.resolve(&document.root()[name], notes).cloned();
        assert_eq!(of("a", &mut notes), Some(json!(7)));
        for name in ["loop", "far", "lost"] {
            assert_eq!(of(name, &mut notes), None);
        }
        let list = notes.into_list().join("\n");
        for part in [
            "a circular reference",
            "http://a.test/x.yaml#/y, which is in another document",
            "#/nosuch, which is not",
        ] {
            assert!(list.contains(part), "{list}");
        }
    }
}
