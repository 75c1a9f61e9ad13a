//! What a JMeter plan does with an answer: assertions and extractors of a sampler.
//!
//! Invariant: an assertion or extractor that cannot be said is noted, and stands as a comment.

use crate::convert::jmeter::sampler::Request;
use crate::convert::jmeter::text::field;
use crate::convert::jmeter::tree::code_comment;
use crate::convert::jmeter::writer::Writer;
use crate::convert::jmeter::xml::Element;
use crate::convert::literal::{Value, comment, escaped_pattern, text_literal};
use crate::convert::request::Call;

impl Request<'_> {
    /// Assertions and extractors, which read the answer.
    pub(in crate::convert) fn after(
        &self,
        element: &Element,
        writer: &mut Writer,
        call: &mut Call,
        pad: &str,
        out: &mut String,
    ) {
        let done = match element.name.as_str() {
            "ResponseAssertion" => self.assertion(element, writer, call, pad, out),
            "DurationAssertion" => {
                element.text_of("DurationAssertion.duration").parse::<u64>().ok().map(|ms| {
                    fail_if(&format!("response.duration > {ms}"), &format!("slower than {ms} ms"), pad, out);
                })
            }
            "JSONPathAssertion" => self.json_assertion(element, writer, pad, out),
            "RegexExtractor" => self.regex(element, writer, pad, out),
            "JSONPostProcessor" => self.json(element, writer, pad, out),
            "HtmlExtractor" => self.html(element, writer, pad, out),
            "BoundaryExtractor" => {
                let (left, right) = (
                    element.text_of("BoundaryExtractor.lboundary"),
                    element.text_of("BoundaryExtractor.rboundary"),
                );
                let pattern = format!("(?s){}(.*?){}", escaped_pattern(left), escaped_pattern(right));
                let found = picked(&pattern, element.text_of("BoundaryExtractor.match_number"));
                found.map(|found| {
                    let names = [element.text_of("BoundaryExtractor.refname")];
                    assign(names[0], &found, element.text_of("BoundaryExtractor.default"), writer, pad, out);
                })
            }
            _ => None,
        };
        if done.is_none() {
            writer.note(element, "is left out: it stands as a comment");
            code_comment(element, pad, out);
        }
    }

    fn assertion(
        &self,
        element: &Element,
        writer: &mut Writer,
        call: &mut Call,
        pad: &str,
        out: &mut String,
    ) -> Option<()> {
        let kind = element.text_of("Assertion.test_type").parse::<u32>().ok()?;
        let (negated, either) = (kind & 4 != 0, kind & 32 != 0);
        let what = element.text_of("Assertion.test_field").trim_start_matches("Assertion.");
        let strings: Vec<&str> =
            element.entries("Asserion.test_strings").map(|entry| entry.text.as_str()).collect();
        if strings.is_empty() {
            return Some(());
        }
        if what == "response_code" && !negated {
            let codes: Option<Vec<i64>> = strings.iter().map(|text| text.trim().parse().ok()).collect();
            let codes = codes.filter(|codes| codes.len() == 1 || either);
            if let (Some(codes), None) = (codes, &call.expect) {
                call.expect = Some(match codes.as_slice() {
                    [one] => Value::int(*one),
                    several => Value::Array(several.iter().map(|code| Value::int(*code)).collect()),
                });
                return Some(());
            }
        }
        let mut conditions = Vec::new();
        for text in &strings {
            let value = writer.variables.value(text, &mut writer.parts.params, &mut writer.parts.notes);
            let is_fixed = matches!(value, Value::Text(_));
            let subject = match what {
                "response_data" | "response_data_as_document" => "response.body",
                "response_code" => "`${response.status}`",
                _ => return None,
            };
            let of_body = subject == "response.body";
            conditions.push(match kind & !(4 | 32) {
                8 => format!("{subject} == {}", value.inline()),
                16 => format!("{subject}.contains({})", value.inline()),
                2 if of_body && is_fixed && is_pattern(text) => {
                    format!("response.regex({}) != ()", text_literal(text))
                }
                1 if of_body && is_fixed && is_pattern(text) => {
                    format!("response.regex({}) != ()", text_literal(&format!("\\A(?:{text})\\z")))
                }
                // A text without signs of patterns is found as it is.
                2 if is_fixed && !text.contains(|c: char| "\\.[](){}*+?^$|".contains(c)) => {
                    format!("{subject}.contains({})", value.inline())
                }
                _ => return None,
            });
        }
        let fails = match (negated, either) {
            (true, false) => conditions.join(" || "),
            (true, true) => conditions.join(" && "),
            (false, false) => format!("!({})", conditions.join(" && ")),
            (false, true) => format!("!({})", conditions.join(" || ")),
        };
        let message = element.text_of("Assertion.custom_message");
        let message = if message.is_empty() { element.attribute("testname") } else { message };
        fail_if(&fails, &comment(message), pad, out);
        Some(())
    }

    fn json_assertion(
        &self,
        element: &Element,
        writer: &mut Writer,
        pad: &str,
        out: &mut String,
    ) -> Option<()> {
        let path = json_path(element.text_of("JSON_PATH"))?;
        let found = format!("response.json({})", text_literal(&path));
        let condition = if element.is_set("EXPECT_NULL") {
            format!("{found} == ()")
        } else if element.is_set("JSONVALIDATION") {
            if element.text_of("ISREGEX") != "false" {
                let text = element.text_of("EXPECTED_VALUE");
                if text.contains(|c: char| "\\[](){}*+?^$|".contains(c)) {
                    return None;
                }
            }
            let wanted = element.text_of("EXPECTED_VALUE");
            let wanted = writer.variables.value(wanted, &mut writer.parts.params, &mut writer.parts.notes);
            format!("`${{{found}}}` == {}", wanted.inline())
        } else {
            format!("{found} != ()")
        };
        let negated = if element.is_set("INVERT") { condition } else { format!("!({condition})") };
        fail_if(&negated, &comment(element.attribute("testname")), pad, out);
        Some(())
    }

    fn regex(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("RegexExtractor.{name}"));
        let pattern = of("regex");
        if !is_pattern(pattern) || pattern.contains("${") || !matches!(of("template"), "" | "$1$") {
            return None;
        }
        if !matches!(of("useHeaders"), "" | "false" | "unescaped" | "as_document") {
            return None;
        }
        let found = picked(pattern, of("match_number"))?;
        assign(of("refname"), &found, of("default"), writer, pad, out);
        Some(())
    }

    fn json(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("JSONPostProcessor.{name}"));
        let names: Vec<&str> = of("referenceNames").split(';').map(str::trim).collect();
        let paths: Option<Vec<String>> =
            of("jsonPathExprs").split(';').map(|path| json_path(path.trim())).collect();
        let paths = paths.filter(|paths| paths.len() == names.len())?;
        let numbers: Vec<&str> = of("match_numbers").split(';').map(str::trim).collect();
        if numbers.iter().any(|number| !matches!(*number, "" | "0" | "1")) {
            return None;
        }
        let defaults: Vec<&str> = of("defaultValues").split(';').collect();
        for (at, (name, path)) in names.iter().zip(paths).enumerate() {
            let found = format!("response.json({})", text_literal(&path));
            assign(name, &found, defaults.get(at).copied().unwrap_or_default(), writer, pad, out);
        }
        Some(())
    }

    fn html(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("HtmlExtractor.{name}"));
        let list = format!("response.css({})", text_literal(of("expr")));
        let one = match of("match_number") {
            "" | "1" | "0" => list,
            number => {
                let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
                // The element may not be there.
                assign_nth(of("refname"), &list, number, of("attribute"), of("default"), writer, pad, out);
                return Some(());
            }
        };
        let found = match of("attribute") {
            "" => format!("{one}.text()"),
            attribute => format!("{one}.attr({})", text_literal(attribute)),
        };
        assign(of("refname"), &found, of("default"), writer, pad, out);
        Some(())
    }
}

fn fail_if(condition: &str, message: &str, pad: &str, out: &mut String) {
    let message = if message.is_empty() { "assertion" } else { message };
    out.push_str(&format!("{pad}if {condition} {{ response.fail({}); }}\n", text_literal(message)));
}

/// A variable from an answer, with the value that it has when there is nothing.
fn assign(name: &str, found: &str, default: &str, writer: &mut Writer, pad: &str, out: &mut String) {
    let field = field(name);
    out.push_str(&format!("{pad}{field} = {found};\n"));
    let default = writer.variables.value(default, &mut writer.parts.params, &mut writer.parts.notes).inline();
    out.push_str(&format!("{pad}if {field} == () {{ {field} = {default}; }}\n"));
}

#[expect(clippy::too_many_arguments, reason = "the parts of one assignment")]
fn assign_nth(
    name: &str,
    list: &str,
    number: u32,
    attribute: &str,
    default: &str,
    writer: &mut Writer,
    pad: &str,
    out: &mut String,
) {
    let values = match attribute {
        "" => format!("{list}.texts()"),
        attribute => format!("{list}.attrs({})", text_literal(attribute)),
    };
    assign(name, &format!("{values}.get({})", number - 1), default, writer, pad, out);
}

/// What a pattern finds: the match with a number from 1, or any for 0.
fn picked(pattern: &str, number: &str) -> Option<String> {
    let pattern = text_literal(pattern);
    match number {
        "" | "1" => Some(format!("response.regex({pattern})")),
        "0" => Some(format!("random::pick(response.regex_all({pattern}))")),
        number => {
            let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
            Some(format!("response.regex_all({pattern}).get({})", number - 1))
        }
    }
}

/// Whether a pattern of Java is one here too.
fn is_pattern(pattern: &str) -> bool {
    crate::scrape::Patterns::default().first(pattern, "").is_ok()
}

/// A path such as `$.a.b[0]['c']` as `a.b[0].c`; `None` when it asks for more.
pub(in crate::convert) fn json_path(path: &str) -> Option<String> {
    let mut rest = path.trim().strip_prefix('$')?;
    let mut out = String::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "_-$@".contains(c)) {
                return None;
            }
            out.push_str(&format!("{}{name}", if out.is_empty() { "" } else { "." }));
            rest = &after[end..];
        } else {
            let after = rest.strip_prefix('[')?;
            let end = after.find(']')?;
            let inner = &after[..end];
            match inner.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')) {
                Some(name) if !name.contains(['"', '\\', '\'', '`']) => {
                    out.push_str(&format!("[\"{name}\"]"))
                }
                _ => out.push_str(&format!("[{}]", inner.parse::<i64>().ok()?)),
            }
            rest = &after[end + 1..];
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_paths_that_can_be_said() {
        for (path, expected) in
            [("$.a.b", "a.b"), ("$[0].id", "[0].id"), ("$.a['b c'][-1]", "a[\"b c\"][-1]")]
        {
            assert_eq!(json_path(path).as_deref(), Some(expected));
        }
        for path in ["a.b", "$..a", "$.a[*]", "$.a[?(@.b)]", "$", "$.a[0:2]", "$.a.length()", "$['a"] {
            assert_eq!(json_path(path), None, "{path}");
        }
    }

    #[test]
    fn patterns_that_can_be_said() {
        assert!(is_pattern("id=(.+?)") && !is_pattern("(?=a)b") && !is_pattern("(a)\\1"));
    }
}
