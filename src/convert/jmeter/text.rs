//! Text of a JMeter plan: `${variable}` and `${__function(…)}` as expressions of the script.
//!
//! Owns which variables are fields of `this` and which are parameters. Invariant: what is not known becomes a parameter, and
//! is noted.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::convert::literal::{Value, text_literal};
use crate::convert::names::identifier;
use crate::convert::params::Params;
use crate::convert::request::{MARK, MARK_END, marked};
use crate::convert::script::Notes;
use crate::credentials::is_credential;

/// What is known about the variables of a plan.
#[derive(Default)]
pub(in crate::convert) struct Variables {
    /// User defined variables: they stay what they are.
    pub(in crate::convert) fixed: HashMap<String, String>,
    /// Variables that a run sets.
    pub(in crate::convert) fields: HashSet<String>,
    /// How many variables are being looked up, each for the one before.
    depth: Cell<usize>,
}

/// How deep variables and functions may refer to one another.
const MOST_DEPTH: usize = 5;

impl Variables {
    /// Text with the values of fixed variables that are no secrets, and of properties.
    pub(in crate::convert) fn known(&self, text: &str) -> String {
        self.known_below(text, 0)
    }

    fn known_below(&self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inner, after)) = next(rest) {
            out.push_str(before);
            match self.fixed.get(inner) {
                Some(value)
                    if depth < MOST_DEPTH && !is_credential(inner) && !self.fields.contains(inner) =>
                {
                    out.push_str(&self.known_below(value, depth + 1));
                }
                _ => out.push_str(&format!("${{{inner}}}")),
            }
            rest = after;
        }
        out + rest
    }

    /// Text as a value.
    pub(in crate::convert) fn value(&self, text: &str, params: &mut Params, notes: &mut Notes) -> Value {
        self.of_marks(&marks(text), params, notes)
    }

    /// Text with marks as a value.
    pub(in crate::convert) fn of_marks(&self, text: &str, params: &mut Params, notes: &mut Notes) -> Value {
        marked(text, |inner| self.expression(&unhexed(inner), params, notes))
    }

    /// The expression for what stands in `${…}`.
    fn expression(&self, inner: &str, params: &mut Params, notes: &mut Notes) -> String {
        let depth = self.depth.get();
        if depth > MOST_DEPTH {
            notes.add(format!("${{{inner}}} refers to itself: mend it by hand"));
            return text_literal(inner);
        }
        self.depth.set(depth + 1);
        let expression = self.expression_below(inner, params, notes);
        self.depth.set(depth);
        expression
    }

    fn expression_below(&self, inner: &str, params: &mut Params, notes: &mut Notes) -> String {
        if let Some(function) = inner.strip_prefix("__") {
            return self.function(function, params, notes);
        }
        if self.fields.contains(inner) {
            return field(inner);
        }
        match self.fixed.get(inner) {
            Some(value) if is_credential(inner) => params.secret(inner, value, "").inline(),
            Some(value) => {
                let value = self.known(value);
                match value.contains("${") && !value.contains(&format!("${{{inner}}}")) {
                    true => self.value(&value, params, notes).inline(),
                    false => params.plain(inner, &value, "").inline(),
                }
            }
            None => required(inner, params, notes),
        }
    }

    fn function(&self, text: &str, params: &mut Params, notes: &mut Notes) -> String {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let arguments = split(rest.strip_suffix(')').unwrap_or(rest));
        let argument = |at: usize| arguments.get(at).map_or("", |text| text.trim());
        let mut of = |text: &str| self.value(text, params, notes).inline();
        match (name, arguments.len()) {
            ("Random", 2..) => {
                format!("random::int({}, {})", whole(&of(argument(0))), whole(&of(argument(1))))
            }
            ("RandomString", 1) => format!("random::string({})", whole(&of(argument(0)))),
            ("UUID", _) => "random::uuid()".to_owned(),
            ("time", _) if argument(0).is_empty() => "time::unix_ms()".to_owned(),
            ("time", _) if argument(0) == "/1000" => "(time::unix_ms() / 1000)".to_owned(),
            ("threadNum", _) => "vu::id()".to_owned(),
            ("threadGroupName", _) => "vu::scenario()".to_owned(),
            ("iterationNum", _) => "vu::iteration()".to_owned(),
            ("counter", _) if argument(0).eq_ignore_ascii_case("true") => "vu::iteration()".to_owned(),
            ("P" | "property", 1..) => {
                let default = if name == "P" { argument(1) } else { argument(2) };
                let default = if default.is_empty() && name == "P" { "1" } else { default };
                if is_credential(argument(0)) {
                    params.required(argument(0), argument(0), "").inline()
                } else {
                    params.plain(argument(0), default, "").inline()
                }
            }
            ("V" | "eval", 1) => {
                of(&format!("${{{}}}", argument(0).trim_start_matches("${").trim_end_matches('}')))
            }
            ("env", 1..) => format!("env::get({}, \"\")", text_literal(argument(0))),
            ("urlencode", 1) => format!("encoding::url_encode({})", of(argument(0))),
            ("base64Encode", 1) => format!("encoding::base64_encode({})", of(argument(0))),
            ("base64Decode", 1) => format!("encoding::base64_decode({})", of(argument(0))),
            _ => required(&format!("__{text}"), params, notes),
        }
    }
}

/// The field of the user's map for a variable.
pub(in crate::convert) fn field(name: &str) -> String {
    format!("this.{}", identifier(name, "value"))
}

fn required(inner: &str, params: &mut Params, notes: &mut Notes) -> String {
    let name = inner.split('(').next().unwrap_or_default();
    let value = params.required(name, inner, "");
    notes.add(format!(
        "${{{inner}}} is not known here: it became the parameter {}",
        value.inline().to_lowercase()
    ));
    value.inline()
}

/// An expression for a whole number.
pub(in crate::convert) fn whole(code: &str) -> String {
    match code.trim_matches('"').parse::<i64>() {
        Ok(number) => number.to_string(),
        Err(_) if code.starts_with('"') => format!("parse_int({code})"),
        Err(_) => format!("parse_int(`${{{code}}}`)"),
    }
}

/// The text before the next `${…}`, what stands in it, and the text after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("${")?;
    let mut depth = 1;
    for (at, c) in text[start + 2..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let end = start + 2 + at;
            return Some((&text[..start], &text[start + 2..end], &text[end + 1..]));
        }
    }
    None
}

/// Text with marks for what stands in `${…}`.
pub(in crate::convert) fn marks(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c != MARK && *c != MARK_END).collect();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, inner, after)) = next(rest) {
        let hex: String = inner.bytes().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&format!("{before}{MARK}{hex}{MARK_END}"));
        rest = after;
    }
    out + rest
}

/// What stands in a mark.
pub(in crate::convert) fn unhexed(text: &str) -> String {
    let bytes: Vec<u8> = (0..text.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Arguments of a function: commas with a backslash before them do not part.
fn split(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut depth = 0_usize;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let Some(last) = out.last_mut() else { break };
        match c {
            '\\' => last.extend(chars.next()),
            ',' if depth == 0 => out.push(String::new()),
            c => last.push(c),
        }
    }
    if out.len() == 1 && out[0].is_empty() { Vec::new() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_functions() {
        let mut variables = Variables::default();
        variables.fixed.insert("base".into(), "v${n}".into());
        variables.fixed.insert("n".into(), "1".into());
        variables.fixed.insert("password".into(), "hunter2".into());
        variables.fields.insert("token".into());
        let (mut params, mut notes) = (Params::default(), Notes::default());
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("${token}", "this.token"),
            ("/${base}/x", "`/${BASE}/x`"),
            ("${password}", "PASSWORD"),
            ("${__Random(1,${n})}", "random::int(1, parse_int(`${N}`))"),
            ("${__P(rate\\,x,5)}", "RATE_X"),
            ("${__time()}-${__UUID}", "`${time::unix_ms()}-${random::uuid()}`"),
            ("${__groovy(1 + {2})}", "GROOVY"),
            ("${open", "\"${open\""),
            ("${unknown}", "UNKNOWN"),
        ] {
            assert_eq!(variables.value(text, &mut params, &mut notes).inline(), expected, "{text}");
        }
        assert_eq!(variables.known("${base}-${token}-${password}"), "v1-${token}-${password}");
        assert!(!params.lines().contains("hunter2"));
        assert_eq!(notes.into_list().len(), 2);
        variables.fixed.insert("a".into(), "${a}".into());
        let _ = variables.value("${a}", &mut params, &mut Notes::default());
        variables.fixed.insert("b".into(), "${c}".into());
        variables.fixed.insert("c".into(), "${b}".into());
        let _ = variables.value("${b}", &mut params, &mut Notes::default());
    }
}
