//! Values as Rhai writes them: the one place where foreign text becomes script text.
//!
//! Owns escaping, numbers and the layout of nested maps. Leaves what the values mean to the formats.
//! Invariant: whatever text is given, the result is one expression that evaluates to that text and to nothing else.

use std::fmt::Write;

use super::names::is_name;

/// How long a line of a converted script should be at most.
pub(super) const WIDTH: usize = 110;

/// How deep maps and arrays may nest: Rhai's limit is 64 for an expression, of which a level takes several.
pub(super) const MAX_DEPTH: usize = 10;

/// A value of the script.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Unit,
    Bool(bool),
    /// A number as Rhai reads it.
    Number(String),
    Text(String),
    /// Text put together when the script runs.
    Joined(Vec<Piece>),
    /// An expression, as it is.
    Code(String),
    Array(Vec<Value>),
    /// In the order in which it is written; later keys of the same name are left out.
    Map(Vec<(String, Value)>),
    /// Names and values of a query or a body, which are sent in this order; names may come several times.
    Fields(Vec<(String, Value)>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// An expression that gives text or a number.
    Code(String),
}

impl Value {
    /// Text.
    pub(super) fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A whole number.
    pub(super) fn int(number: i64) -> Value {
        Value::Number(number.to_string())
    }

    /// Text of these pieces, in the simplest form that says the same.
    pub(super) fn joined(pieces: Vec<Piece>) -> Value {
        let mut merged: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (merged.last_mut(), piece) {
                (_, Piece::Text(text)) if text.is_empty() => {}
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => merged.push(piece),
            }
        }
        match merged.as_slice() {
            [] => Value::text(""),
            [Piece::Text(text)] => Value::text(text.clone()),
            _ => Value::Joined(merged),
        }
    }

    /// What JSON stands for; `None` when a map of Rhai would not give the same JSON again.
    pub(super) fn from_json(json: &serde_json::Value) -> Option<Value> {
        from_json(json, 0)
    }

    /// The deepest nesting of maps and arrays in it.
    pub(super) fn depth(&self) -> usize {
        match self {
            Value::Array(values) => 1 + values.iter().map(Value::depth).max().unwrap_or(0),
            Value::Map(fields) => 1 + fields.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            Value::Fields(fields) => in_order(fields).depth(),
            _ => 0,
        }
    }

    /// The expression on one line.
    pub(super) fn inline(&self) -> String {
        let mut out = String::new();
        self.write_inline(&mut out);
        out
    }

    /// The expression, on several lines when it does not fit into one that begins at `column`. Lines after
    /// the first are indented by `indent` levels.
    pub(super) fn laid_out(&self, indent: usize, column: usize) -> String {
        let inline = self.inline();
        if column + inline.chars().count() <= WIDTH || self.depth() == 0 {
            return inline;
        }
        let (open, close, lines): (&str, &str, Vec<String>) = match self {
            Value::Fields(fields) => return in_order(fields).laid_out(indent, column),
            Value::Array(values) => {
                ("[", "]", values.iter().map(|v| v.laid_out(indent + 1, (indent + 1) * 4)).collect())
            }
            Value::Map(fields) => {
                let line = |(name, value): &(String, Value)| {
                    let name = key(name);
                    let column = (indent + 1) * 4 + name.len() + 2;
                    format!("{name}: {}", value.laid_out(indent + 1, column))
                };
                ("#{", "}", unique(fields).map(line).collect())
            }
            _ => return inline,
        };
        let inner = "    ".repeat(indent + 1);
        let mut out = format!("{open}\n");
        for line in lines {
            let _ = writeln!(out, "{inner}{line},");
        }
        out.push_str(&"    ".repeat(indent));
        out.push_str(close);
        out
    }

    fn write_inline(&self, out: &mut String) {
        match self {
            Value::Unit => out.push_str("()"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => out.push_str(number),
            Value::Text(text) => out.push_str(&text_literal(text)),
            Value::Joined(pieces) => out.push_str(&joined_literal(pieces)),
            Value::Code(code) => out.push_str(code),
            Value::Array(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    value.write_inline(out);
                }
                out.push(']');
            }
            Value::Fields(fields) => in_order(fields).write_inline(out),
            Value::Map(fields) if fields.is_empty() => out.push_str("#{}"),
            Value::Map(fields) => {
                out.push_str("#{ ");
                for (i, (name, value)) in unique(fields).enumerate() {
                    let _ = write!(out, "{}{}: ", if i > 0 { ", " } else { "" }, key(name));
                    value.write_inline(out);
                }
                out.push_str(" }");
            }
        }
    }
}

/// A map where its alphabetical order is the order of the fields, else an array of pairs.
fn in_order(fields: &[(String, Value)]) -> Value {
    if fields.is_sorted_by(|(a, _), (b, _)| a <= b) {
        return group(fields.to_vec());
    }
    Value::Array(
        fields
            .iter()
            .map(|(name, value)| Value::Array(vec![Value::text(name.clone()), value.clone()]))
            .collect(),
    )
}

/// A map of pairs; a name that comes several times has an array.
pub(super) fn group(pairs: Vec<(String, Value)>) -> Value {
    let mut map: Vec<(String, Value)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (name, value) in pairs {
        match places.get(&name).and_then(|&at: &usize| map.get_mut(at)) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, before)) => *before = Value::Array(vec![before.clone(), value]),
            None => {
                places.insert(name.clone(), map.len());
                map.push((name, value));
            }
        }
    }
    Value::Map(map)
}

/// Rhai refuses a map that names a key twice.
fn unique(fields: &[(String, Value)]) -> impl Iterator<Item = &(String, Value)> {
    let mut seen = std::collections::HashSet::new();
    fields.iter().filter(move |(name, _)| seen.insert(name.as_str()))
}

fn from_json(json: &serde_json::Value, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match json {
        serde_json::Value::Null => Value::Unit,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            // Its digits alone are too many for the parser, which reads the sign apart.
            Some(i64::MIN) => return None,
            Some(number) => Value::int(number),
            None if number.is_f64() => Value::Number(float(number.as_f64()?)),
            None => return None,
        },
        serde_json::Value::String(text) => Value::text(text.clone()),
        serde_json::Value::Array(values) => {
            Value::Array(values.iter().map(|value| from_json(value, depth + 1)).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(fields) => {
            let field = |(name, value): (&String, &serde_json::Value)| {
                Some((name.clone(), from_json(value, depth + 1)?))
            };
            Value::Map(fields.iter().map(field).collect::<Option<_>>()?)
        }
    })
}

/// A number that is always read as one with a fraction.
fn float(number: f64) -> String {
    let text = format!("{number:?}");
    // `1e16` has no point; with one it cannot be taken for anything else.
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text,
    }
}

/// Whether JSON text holds a number with more digits than reading it keeps: a whole one of more than 64 bits, or one
/// with a fraction of more than 15 digits.
pub(super) fn has_long_number(json: &str) -> bool {
    let (mut in_text, mut escaped, mut digits, mut whole) = (false, false, 0_usize, true);
    for byte in json.bytes().chain([b' ']) {
        match byte {
            _ if in_text => {
                in_text = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
            }
            b'"' => in_text = true,
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' => whole = false,
            b'+' | b'-' if digits > 0 => {}
            _ => {
                if digits > if whole { 18 } else { 17 } {
                    return true;
                }
                (digits, whole) = (0, true);
            }
        }
    }
    false
}

/// Text in quotes.
pub(crate) fn text_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_invisible(c) && (c as u32) < 0x100 => drop(write!(out, "\\x{:02x}", c as u32)),
            c if is_invisible(c) && (c as u32) < 0x1_0000 => drop(write!(out, "\\u{:04x}", c as u32)),
            c if is_invisible(c) => drop(write!(out, "\\U{:08x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that an editor does not show, or that turn the direction of the text around them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Between back-ticks where the text allows it, since there is no escaping there, else with `+`.
fn joined_literal(pieces: &[Piece]) -> String {
    let is_plain = |piece: &Piece| match piece {
        Piece::Text(text) => !text.contains(['`', '$', '\\']) && !text.chars().any(is_invisible),
        Piece::Code(code) => !code.contains('`'),
    };
    if pieces.iter().all(is_plain) {
        let inner: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Code(code) => format!("${{{code}}}"),
            })
            .collect();
        return format!("`{inner}`");
    }
    let mut parts: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text_literal(text),
            Piece::Code(code) => code.clone(),
        })
        .collect();
    // Two numbers would be added up.
    if matches!(pieces.first(), Some(Piece::Code(_))) {
        parts.insert(0, "\"\"".to_owned());
    }
    format!("({})", parts.join(" + "))
}

/// A key of a map, in quotes where it has to be.
pub(super) fn key(name: &str) -> String {
    if is_name(name) { name.to_owned() } else { text_literal(name) }
}

/// Foreign text for a comment: one line, not too long.
pub(super) fn comment(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut out: String = text.chars().take(LONGEST).map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out.trim().to_owned()
}

/// Text as a regular expression that matches it.
pub(super) fn escaped_pattern(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::names::RESERVED;
    use super::*;
    use crate::rhai::{Dynamic, Engine};

    #[track_caller]
    fn eval(code: &str) -> Dynamic {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(64, 64);
        engine.eval::<Dynamic>(code).unwrap_or_else(|error| panic!("{code}\n{error}"))
    }

    #[test]
    fn any_text_comes_back_as_it_was() {
        let every: String = (0..0x3000_u32)
            .chain(0xf000..0x1_1000)
            .chain(0xe_0000..0xe_0100)
            .filter_map(char::from_u32)
            .collect();
        for text in ["", "a\"b\\c", "`${x}`", "\\x41\\", "line\r\n\ttab", "§ü€😀\u{202e}", "\0", &every]
        {
            assert_eq!(eval(&text_literal(text)).into_string().unwrap(), text);
            let joined = Value::joined(vec![
                Piece::Text(text.into()),
                Piece::Code("1 + 1".into()),
                Piece::Text(text.into()),
            ]);
            let code = joined.inline().replace("1 + 1", "(1 + 1)");
            assert_eq!(eval(&code).into_string().unwrap(), format!("{text}2{text}"), "{code:.100}");
        }
    }

    #[test]
    fn numbers_joined_are_not_added() {
        let joined =
            Value::joined(vec![Piece::Code("1".into()), Piece::Code("2".into()), Piece::Text("$".into())]);
        assert_eq!(eval(&joined.inline()).into_string().unwrap(), "12$");
        let plain = Value::joined(vec![Piece::Text("/a/".into()), Piece::Code("1".into())]);
        assert_eq!(plain.inline(), "`/a/${1}`");
        assert_eq!(Value::joined(vec![Piece::Text("a".into()), Piece::Text("b".into())]).inline(), "\"ab\"");
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let words: serde_json::Map<String, serde_json::Value> =
            RESERVED.iter().map(|word| ((*word).to_owned(), json!(1))).collect();
        for json in [
            json!({ "a": [1, -2, 1.5, 1e16, -1e-7, 1e300, true, null, "x"], "b c": {}, "": [], "ü": 1, "_": 2, "1": 3 }),
            json!([i64::MAX, i64::MIN + 1, 0.0, -0.5]),
            serde_json::Value::Object(words),
        ] {
            let value = Value::from_json(&json).unwrap();
            for code in [value.inline(), value.laid_out(1, 100)] {
                let back: serde_json::Value = serde_json::to_value(eval(&code)).unwrap();
                assert_eq!(back, json, "{code}");
            }
        }
    }

    #[test]
    fn what_a_map_cannot_say() {
        let mut deep = json!(1);
        for _ in 0..=MAX_DEPTH {
            deep = json!({ "a": deep });
        }
        for json in [json!(u64::MAX), json!(i64::MIN), deep] {
            assert_eq!(Value::from_json(&json), None, "{json}");
        }
        for (json, wide) in [
            (r#"{"a": 12345678901234567890}"#, true),
            (r#"[1,99999999999999999999999]"#, true),
            ("1234567890123456789", true),
            (r#"{"a": "12345678901234567890", "b": "\"12345678901234567890"}"#, false),
            ("[0.12345678901234567890]", true),
            ("[0.1234567890123456, 1234567890123e3, 12, -123456789012345678]", false),
        ] {
            assert_eq!(has_long_number(json), wide, "{json}");
        }
    }

    #[test]
    fn long_values_are_laid_out() {
        let value = Value::Map(vec![
            ("name".into(), Value::text("x".repeat(60))),
            ("list".into(), Value::Array(vec![Value::text("y".repeat(60)), Value::text("z".repeat(60))])),
            ("name".into(), Value::Unit),
        ]);
        let (x, y, z) = ("x".repeat(60), "y".repeat(60), "z".repeat(60));
        let expected = format!(
            "#{{\n        name: \"{x}\",\n        list: [\n            \"{y}\",\n            \"{z}\",\n        ],\n    }}"
        );
        assert_eq!(value.laid_out(1, 20), expected);
    }

    #[test]
    fn fields_keep_their_order() {
        let fields = |names: &[&str]| {
            let field = |name: &&str| ((*name).to_owned(), Value::text(name.to_uppercase()));
            Value::Fields(names.iter().map(field).collect()).inline()
        };
        assert_eq!(fields(&["a", "b", "b"]), "#{ a: \"A\", b: [\"B\", \"B\"] }");
        assert_eq!(fields(&["b", "a"]), "[[\"b\", \"B\"], [\"a\", \"A\"]]");
        assert_eq!(fields(&["a", "b", "a"]), "[[\"a\", \"A\"], [\"b\", \"B\"], [\"a\", \"A\"]]");
        assert_eq!(fields(&[]), "#{}");
    }

    #[test]
    fn comments_stay_on_their_line() {
        assert_eq!(comment(" a\nfn evil() {}\u{2028}b "), "a fn evil() {} b");
        assert_eq!(comment(&"x".repeat(200)).chars().count(), 101);
    }
}
