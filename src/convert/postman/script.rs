//! The scripts of Postman: the lines that most of them are made of, as checks and assignments.
//!
//! Owns what of JavaScript is understood: `pm.test` with expectations, `tests[…]`, and variables that are set. Invariant:
//! a part that is not understood whole is handed back as it is.

use std::collections::HashMap;

use crate::convert::literal::{Value, text_literal};
use crate::convert::postman::javascript::{
    arguments, chain, closing, is_name, one_line, split_outside, statements, string,
};

/// What a part of a script means.
#[derive(Debug, PartialEq)]
pub(in crate::convert) enum Meaning {
    Check {
        name: String,
        condition: String,
        /// The status that it asks for.
        status: Option<i64>,
    },
    Set {
        name: String,
        value: String,
    },
    /// Not understood: the source.
    Unknown(String),
}

/// The objects that hold variables.
const SCOPES: &[&str] = &["pm.environment", "pm.collectionVariables", "pm.globals", "pm.variables"];

const OLD_SETTERS: &[&str] = &["postman.setEnvironmentVariable(", "postman.setGlobalVariable("];

/// Names of the variables that a script sets.
pub(in crate::convert) fn sets(script: &str) -> Vec<String> {
    let mut names = Vec::new();
    for statement in statements(script) {
        if let Some((name, _)) = setter(&statement) {
            names.push(name);
        }
        // Inside of conditions and tests too, so that all uses of a variable agree.
        let setters = SCOPES
            .iter()
            .map(|scope| format!("{scope}.set("))
            .chain(OLD_SETTERS.iter().map(|s| (*s).to_owned()));
        for setter in setters {
            for (at, _) in statement.match_indices(&setter) {
                let inner = &statement[at + setter.len()..];
                names.extend(arguments(inner).first().and_then(|argument| string(argument)));
            }
        }
    }
    names
}

/// What a script means; `response` is the name of the response in the script, `variable` gives the expression for one.
pub(in crate::convert) fn read(
    script: &str,
    response: &str,
    variable: &mut dyn FnMut(&str) -> String,
) -> Vec<Meaning> {
    let mut reader = Reader { response, variable, aliases: HashMap::new() };
    let mut meanings = Vec::new();
    for statement in statements(script) {
        match reader.statement(&statement) {
            Some(mut read) => meanings.append(&mut read),
            None => meanings.push(Meaning::Unknown(statement)),
        }
    }
    meanings
}

struct Reader<'a> {
    response: &'a str,
    variable: &'a mut dyn FnMut(&str) -> String,
    /// Names of values, and what they stand for.
    aliases: HashMap<String, String>,
}

impl Reader<'_> {
    fn statement(&mut self, statement: &str) -> Option<Vec<Meaning>> {
        let text = statement.trim().trim_end_matches(';').trim();
        if text.is_empty()
            || text.starts_with("console.")
            || text == "'use strict'"
            || text == "\"use strict\""
        {
            return Some(Vec::new());
        }
        if let Some(inner) = text.strip_prefix("pm.test(").and_then(|rest| rest.strip_suffix(')')) {
            return self.test(inner).map(|check| vec![check]);
        }
        if let Some(rest) = text.strip_prefix("tests[") {
            let (name, condition) = rest.split_once(']')?;
            let condition = condition.trim().strip_prefix('=')?;
            let (condition, status) = self.comparison(condition.trim())?;
            return Some(vec![Meaning::Check { name: string(name)?, condition, status }]);
        }
        if let Some((name, value)) = setter(text) {
            let value = self.value(&value)?;
            return Some(vec![Meaning::Set { name, value }]);
        }
        let declared = ["var ", "let ", "const "].iter().find_map(|word| text.strip_prefix(word));
        if let Some((name, value)) = declared.and_then(|rest| rest.split_once('='))
            && is_name(name.trim())
        {
            let value = self.value(value.trim())?;
            self.aliases.insert(name.trim().to_owned(), value);
            return Some(Vec::new());
        }
        // An expectation outside of a test.
        let (condition, status) = self.assertion(text)?;
        Some(vec![Meaning::Check { name: one_line(text), condition, status }])
    }

    /// `"name", function () { … }`.
    fn test(&mut self, inner: &str) -> Option<Meaning> {
        let arguments = arguments(inner);
        let [name, function] = arguments.as_slice() else { return None };
        let name = string(name)?;
        let function = function.trim();
        let body = match function.strip_prefix("function") {
            Some(rest) => rest.trim_start().strip_prefix("()")?.trim(),
            None => function.strip_prefix("()")?.trim_start().strip_prefix("=>")?.trim(),
        };
        let body = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')).unwrap_or(body);
        let known = self.aliases.clone();
        let mut conditions = Vec::new();
        let mut status = None;
        for statement in statements(body) {
            let text = statement.trim().trim_end_matches(';').trim();
            let read = if text.starts_with("pm.test(") || text.starts_with("tests[") || setter(text).is_some()
            {
                None
            } else {
                self.statement(text)
            };
            let Some(read) = read else {
                self.aliases = known;
                return None;
            };
            for meaning in read {
                if let Meaning::Check { condition, status: wanted, .. } = meaning {
                    conditions.push(condition);
                    status = wanted.or(status);
                }
            }
        }
        self.aliases = known;
        let condition = match conditions.as_slice() {
            [] => return None,
            [one] => one.clone(),
            several => several.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" && "),
        };
        Some(Meaning::Check { name, condition, status })
    }

    /// `pm.response.to…`, `pm.expect(…).to…`.
    fn assertion(&mut self, text: &str) -> Option<(String, Option<i64>)> {
        let text = text.replace('\n', " ");
        if let Some(rest) = text.strip_prefix("pm.response.") {
            let chain = chain(rest)?;
            return self.of_response(&chain);
        }
        let rest = text.strip_prefix("pm.expect(")?;
        let end = closing(rest, ')')?;
        let subject = self.value(rest[..end].trim())?;
        let chain = chain(rest[end + 1..].trim_start().strip_prefix('.')?)?;
        let is_status = subject == format!("{}.status", self.response);
        self.of_value(&subject, &chain, is_status)
    }

    fn of_response(&mut self, chain: &[(String, Option<String>)]) -> Option<(String, Option<i64>)> {
        let r = self.response;
        let mut negated = false;
        let mut found: Option<(String, Option<i64>)> = None;
        for (word, arguments_text) in chain {
            let given = arguments_text.as_deref().map(arguments);
            let is_status = |status: i64| Some((format!("{r}.status == {status}"), Some(status)));
            if found.is_some() {
                return None;
            }
            found = match (word.as_str(), given.as_deref()) {
                ("to" | "be" | "have" | "a" | "an" | "and", None) => continue,
                ("not", None) => {
                    negated = true;
                    continue;
                }
                ("status", Some([status])) => is_status(match string(status) {
                    Some(reason) => status_of(&reason)?,
                    None => status.trim().parse().ok()?,
                }),
                ("ok", None) => is_status(200),
                ("accepted", None) => is_status(202),
                ("badRequest", None) => is_status(400),
                ("unauthorized", None) => is_status(401),
                ("forbidden", None) => is_status(403),
                ("notFound", None) => is_status(404),
                ("rateLimited", None) => is_status(429),
                ("success", None) => Some((format!("{r}.status >= 200 && {r}.status < 300"), None)),
                ("error", None) => Some((format!("{r}.status >= 400"), None)),
                ("json", None) => Some((
                    format!(
                        "{r}.headers.contains(\"content-type\") && {r}.headers[\"content-type\"].contains(\"json\")"
                    ),
                    None,
                )),
                ("withBody", None) => Some((format!("{r}.body != \"\""), None)),
                ("body", Some([body])) => {
                    Some((format!("{r}.body == {}", text_literal(&string(body)?)), None))
                }
                ("header", Some([name])) => {
                    Some((format!("{r}.headers.contains({})", text_literal(&string(name)?)), None))
                }
                ("header", Some([name, value])) => Some((
                    format!("{r}.headers[{}] == {}", text_literal(&string(name)?), self.value(value)?),
                    None,
                )),
                ("jsonBody", Some([path])) => {
                    Some((format!("{r}.json({}) != ()", text_literal(&string(path)?)), None))
                }
                _ => return None,
            };
        }
        found.map(|(condition, status)| negation(condition, status, negated))
    }

    fn of_value(
        &mut self,
        subject: &str,
        chain: &[(String, Option<String>)],
        is_status: bool,
    ) -> Option<(String, Option<i64>)> {
        let mut negated = false;
        let mut subject = subject.to_owned();
        let mut found: Option<(String, Option<i64>)> = None;
        for (word, arguments_text) in chain {
            let given = arguments_text.as_deref().map(arguments);
            if found.is_some() {
                return None;
            }
            let mut compared = |operator: &str, value: &str| -> Option<(String, Option<i64>)> {
                let value = self.value(value)?;
                let status = if is_status && operator == "==" { value.parse().ok() } else { None };
                Some((format!("{subject} {operator} {value}"), status))
            };
            found = match (word.as_str(), given.as_deref()) {
                (
                    "to" | "be" | "been" | "is" | "that" | "which" | "and" | "has" | "have" | "with" | "at"
                    | "of" | "deep",
                    None,
                ) => {
                    continue;
                }
                ("not", None) => {
                    negated = true;
                    continue;
                }
                ("length", None) => {
                    subject = format!("{subject}.len()");
                    continue;
                }
                ("equal" | "equals" | "eql" | "eq", Some([value])) => compared("==", value),
                ("below" | "lessThan" | "lt", Some([value])) => compared("<", value),
                ("above" | "greaterThan" | "gt", Some([value])) => compared(">", value),
                ("least" | "gte", Some([value])) => compared(">=", value),
                ("most" | "lte", Some([value])) => compared("<=", value),
                ("within", Some([least, most])) => {
                    let (least, most) = (self.value(least)?, self.value(most)?);
                    Some((format!("{subject} >= {least} && {subject} <= {most}"), None))
                }
                ("lengthOf" | "length", Some([value])) => {
                    let value = self.value(value)?;
                    Some((format!("{subject}.len() == {value}"), None))
                }
                ("oneOf", Some([values])) => {
                    let values = values.trim().strip_prefix('[')?.strip_suffix(']')?;
                    let values: Option<Vec<String>> =
                        arguments(values).iter().map(|value| self.value(value)).collect();
                    Some((format!("{subject} in [{}]", values?.join(", ")), None))
                }
                ("include" | "includes" | "contain" | "contains", Some([value])) => {
                    let value = self.value(value)?;
                    Some((format!("{subject}.contains({value})"), None))
                }
                ("a" | "an", Some([kind])) => {
                    let kinds: &[&str] = match string(kind)?.to_lowercase().as_str() {
                        "string" => &["string"],
                        "array" => &["array"],
                        "object" => &["map"],
                        "boolean" => &["bool"],
                        "number" => &["i64", "f64"],
                        "null" | "undefined" => &["()"],
                        _ => return None,
                    };
                    let kinds: Vec<String> = kinds.iter().map(|kind| text_literal(kind)).collect();
                    Some((format!("type_of({subject}) in [{}]", kinds.join(", ")), None))
                }
                ("true", None) => Some((format!("{subject} == true"), None)),
                ("false", None) => Some((format!("{subject} == false"), None)),
                ("null" | "undefined", None) => Some((format!("{subject} == ()"), None)),
                ("exist", None) => Some((format!("{subject} != ()"), None)),
                ("empty", None) => Some((format!("{subject}.len() == 0"), None)),
                ("property", Some([name])) => {
                    Some((format!("{} != ()", self.below(&subject, &string(name)?)?), None))
                }
                ("property", Some([name, value])) => {
                    let value = self.value(value)?;
                    Some((format!("{} == {value}", self.below(&subject, &string(name)?)?), None))
                }
                ("match", Some([pattern])) if subject == format!("{}.body", self.response) => {
                    let pattern = pattern.trim().strip_prefix('/')?;
                    let (pattern, flags) = pattern.rsplit_once('/')?;
                    let flags = match flags {
                        "" | "g" => "",
                        "i" | "gi" => "(?i)",
                        _ => return None,
                    };
                    Some((
                        format!(
                            "{}.regex({}) != ()",
                            self.response,
                            text_literal(&format!("{flags}{pattern}"))
                        ),
                        None,
                    ))
                }
                _ => return None,
            };
        }
        found.map(|(condition, status)| negation(condition, status, negated))
    }

    /// `a === b` and the like, for `tests[…]`.
    fn comparison(&mut self, text: &str) -> Option<(String, Option<i64>)> {
        for (operator, rhai) in [
            ("===", "=="),
            ("!==", "!="),
            ("==", "=="),
            ("!=", "!="),
            ("<=", "<="),
            (">=", ">="),
            ("<", "<"),
            (">", ">"),
        ] {
            if let Some((left, right)) = split_outside(text, operator) {
                let (left, right) = (self.value(left.trim())?, self.value(right.trim())?);
                let is_status = rhai == "==" && left == format!("{}.status", self.response);
                let status = if is_status { right.parse().ok() } else { None };
                return Some((format!("{left} {rhai} {right}"), status));
            }
        }
        let (subject, argument) = [".has(", ".includes(", ".include("]
            .iter()
            .find_map(|call| text.strip_suffix(')')?.split_once(call))?;
        let (subject, argument) = (self.value(subject)?, self.value(argument)?);
        Some((format!("{subject}.contains({argument})"), None))
    }

    /// A value as an expression.
    fn value(&mut self, text: &str) -> Option<String> {
        let text = text.trim();
        let r = self.response;
        if let Some(value) = string(text) {
            // A variable inside of a text is replaced only where Postman sends it.
            return (!value.contains("{{")).then(|| text_literal(&value));
        }
        match text {
            "true" | "false" => return Some(text.to_owned()),
            "null" | "undefined" => return Some("()".to_owned()),
            "pm.response.code" | "responseCode.code" => return Some(format!("{r}.status")),
            "pm.response.responseTime" | "responseTime" => return Some(format!("{r}.duration")),
            "pm.response.responseSize" => return Some(format!("{r}.size")),
            "pm.response.text()" | "responseBody" => return Some(format!("{r}.body")),
            "pm.response.json()" | "JSON.parse(responseBody)" | "JSON.parse(pm.response.text())" => {
                return Some(format!("{r}.json()"));
            }
            "Date.now()" | "new Date().getTime()" | "+new Date()" => {
                return Some("time::unix_ms()".to_owned());
            }
            "Math.floor(Date.now()/1000)" | "Math.floor(Date.now() / 1000)" => {
                return Some("(time::unix_ms() / 1000)".to_owned());
            }
            "new Date().toISOString()" => return Some("time::iso()".to_owned()),
            "Math.random()" => return Some("random::float(0.0, 1.0)".to_owned()),
            _ => {}
        }
        if text.parse::<f64>().is_ok() && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let json: serde_json::Value = serde_json::from_str(text).ok()?;
            return Value::from_json(&json).map(|value| value.inline());
        }
        for scope in SCOPES {
            if let Some(inner) =
                text.strip_prefix(scope).and_then(|rest| rest.strip_prefix(".get(")?.strip_suffix(')'))
            {
                return string(inner).map(|name| (self.variable)(&name));
            }
        }
        for getter in ["pm.response.headers.get(", "postman.getResponseHeader("] {
            if let Some(inner) = text.strip_prefix(getter).and_then(|rest| rest.strip_suffix(')')) {
                return Some(format!("{r}.headers[{}]", text_literal(&string(inner)?)));
            }
        }
        if let Some(inner) =
            text.strip_prefix("pm.variables.replaceIn(").and_then(|rest| rest.strip_suffix(')'))
        {
            let inner = string(inner)?;
            let name = inner.strip_prefix("{{")?.strip_suffix("}}")?;
            return Some((self.variable)(name.trim()));
        }
        // A path into the answer, or into a value with a name.
        let start =
            ["pm.response.json()", "JSON.parse(responseBody)"].iter().find(|start| text.starts_with(**start));
        let (base, mut rest) = match start {
            Some(start) => (format!("{r}.json()"), &text[start.len()..]),
            None => {
                let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                (self.aliases.get(&text[..length])?.clone(), &text[length..])
            }
        };
        let mut value = base;
        while !rest.is_empty() {
            rest = rest.strip_prefix('?').unwrap_or(rest);
            if rest == ".length" {
                return Some(format!("{value}.len()"));
            }
            if let Some(after) = rest.strip_prefix('.') {
                let length = after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                if length == 0 || after[length..].starts_with('(') {
                    return None;
                }
                value = self.below(&value, &after[..length])?;
                rest = &after[length..];
            } else {
                let after = rest.strip_prefix('[')?;
                let end = closing(after, ']')?;
                let key = &after[..end];
                value = match (key.parse::<u32>(), string(key)) {
                    (Ok(index), _) => self.deeper(&value, &format!("[{index}]"))?,
                    (_, Some(name)) => self.below(&value, &name)?,
                    _ => return None,
                };
                rest = &after[end + 1..];
            }
        }
        Some(value)
    }

    /// A field of a value that comes from JSON.
    fn below(&self, value: &str, name: &str) -> Option<String> {
        if name.contains(['"', '\\', '\'']) {
            return None;
        }
        let plain = !name.is_empty() && !name.contains(['.', '[', ']']);
        self.deeper(value, &if plain { format!(".{name}") } else { format!("[\"{name}\"]") })
    }

    /// One step further in `response.json("path")`.
    fn deeper(&self, value: &str, step: &str) -> Option<String> {
        let path = value.strip_prefix(self.response)?.strip_prefix(".json(")?.strip_suffix(')')?;
        let path = if path.is_empty() { String::new() } else { serde_json::from_str(path).ok()? };
        let whole = format!("{path}{step}");
        Some(format!("{}.json({})", self.response, text_literal(whole.strip_prefix('.').unwrap_or(&whole))))
    }
}

fn negation(condition: String, status: Option<i64>, negated: bool) -> (String, Option<i64>) {
    if negated { (format!("!({condition})"), None) } else { (condition, status) }
}

/// `SCOPE.set("name", value)`.
fn setter(text: &str) -> Option<(String, String)> {
    let text = text.trim().trim_end_matches(';').trim();
    let inner = SCOPES
        .iter()
        .find_map(|scope| text.strip_prefix(scope)?.strip_prefix(".set("))
        .or_else(|| OLD_SETTERS.iter().find_map(|setter| text.strip_prefix(setter)))?;
    let end = closing(inner, ')')?;
    if end + 1 != inner.len() {
        return None;
    }
    let mut arguments = arguments(&inner[..end]).into_iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(name), Some(value), None) => Some((string(&name)?, value.trim().to_owned())),
        _ => None,
    }
}

/// The status of a reason.
fn status_of(reason: &str) -> Option<i64> {
    (100..600)
        .find(|status| {
            let known = http::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            known.is_some_and(|known| known.eq_ignore_ascii_case(reason))
        })
        .map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn condition(assertion: &str) -> String {
        let script =
            format!("const body = pm.response.json();\npm.test(\"t\", function () {{ {assertion} }});");
        let read = read(&script, "r", &mut |name| name.to_uppercase());
        match read.as_slice() {
            [Meaning::Check { condition, .. }] => condition.clone(),
            other => panic!("{assertion}: {other:?}"),
        }
    }

    #[test]
    fn expectations_as_people_write_them() {
        for (assertion, expected) in [
            ("pm.response.to.have.status(200);", "r.status == 200"),
            ("pm.response.to.have.status('Created')", "r.status == 201"),
            ("pm.response.to.not.be.error;", "!(r.status >= 400)"),
            ("pm.expect(pm.response.code).to.be.oneOf([200, 201]);", "r.status in [200, 201]"),
            ("pm.expect(pm.response.responseTime).to.be.below(500);", "r.duration < 500"),
            ("pm.expect(pm.response.text()).to.include(\"a, b\");", "r.body.contains(\"a, b\")"),
            ("pm.response.to.have.header(\"Content-Type\");", "r.headers.contains(\"Content-Type\")"),
            ("pm.expect(body.items[0].id).to.eql(7);", "r.json(\"items[0].id\") == 7"),
            ("pm.expect(body.items.length).to.be.above(0);", "r.json(\"items\").len() > 0"),
            ("pm.expect(body).to.have.property('token');", "r.json(\"token\") != ()"),
            ("pm.expect(body.name).to.be.a('string');", "type_of(r.json(\"name\")) in [\"string\"]"),
            ("pm.expect(body['a b']).to.not.equal(null);", "!(r.json(\"a b\") == ())"),
            ("pm.expect(body.n).to.equal(pm.environment.get('n'))", "r.json(\"n\") == N"),
            ("pm.expect(pm.response.text()).to.match(/a\\d/i)", "r.regex(\"(?i)a\\\\d\") != ()"),
            (
                "const x = body.x; pm.expect(x).to.be.true; pm.response.to.be.ok",
                "(r.json(\"x\") == true) && (r.status == 200)",
            ),
        ] {
            assert_eq!(condition(assertion), expected, "{assertion}");
        }
    }

    #[test]
    fn what_is_not_understood_stays_whole() {
        let script = "// a note\npm.test('a', () => {\n  pm.expect(f(1)).to.be.ok;\n});\nif (x) {\n  pm.environment.set('b', 1);\n}\nelse { y(); }\n\
            tests[\"old\"] = responseCode.code === 404;\npm.globals.set(\"c\", body.c);\nvar body = JSON.parse(responseBody);\npm.globals.set(\"c\", body.c);";
        let read = read(script, "r", &mut str::to_owned);
        assert!(
            matches!(&read[0], Meaning::Unknown(text) if text.starts_with("pm.test('a'") && text.ends_with("});")),
            "{read:?}"
        );
        assert!(
            matches!(&read[1], Meaning::Unknown(text) if text.starts_with("if") && text.contains("else")),
            "{read:?}"
        );
        assert_eq!(
            read[2],
            Meaning::Check { name: "old".into(), condition: "r.status == 404".into(), status: Some(404) }
        );
        assert!(matches!(&read[3], Meaning::Unknown(_)));
        assert_eq!(read[4], Meaning::Set { name: "c".into(), value: "r.json(\"c\")".into() });
        assert_eq!(sets(script), ["b", "c", "c", "c", "c"]);
        for hostile in [
            "pm.test(",
            "pm.test('",
            "))))",
            "tests[",
            "pm.expect(",
            "pm.response.",
            "`${",
            "\\",
            "/*",
            "var =",
            "pm.environment.set('é",
        ] {
            let _ = super::read(hostile, "r", &mut str::to_owned);
        }
    }
}
