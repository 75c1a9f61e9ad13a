//! How the values of parameters and forms are written, in the style that the description gives them.

use serde_json::Value as Json;

use super::text_of;
use crate::convert::literal::Value;

/// What a parameter stands for in a path, in the style that it has.
pub(super) fn path_value(parameter: &Json, name: &str, value: &Json) -> String {
    let explode = parameter.get("explode").and_then(Json::as_bool) == Some(true);
    let one = |value: &Json| encoded(&plain_text(value, ","));
    let (start, between) = match text_of(parameter, "style") {
        "matrix" => (";", ";"),
        "label" => (".", "."),
        _ => return one(value),
    };
    let is_matrix = start == ";";
    let parts: Vec<String> = match value {
        Json::Array(values) if explode && is_matrix => {
            values.iter().map(|value| format!("{name}={}", one(value))).collect()
        }
        Json::Array(values) => values.iter().map(one).collect(),
        Json::Object(fields) if explode => {
            fields.iter().map(|(key, value)| format!("{}={}", encoded(key), one(value))).collect()
        }
        Json::Object(fields) => fields.iter().flat_map(|(key, value)| [encoded(key), one(value)]).collect(),
        value => vec![one(value)],
    };
    let is_one = !matches!(value, Json::Array(_) | Json::Object(_));
    let parts = parts.join(if explode { between } else { "," });
    if is_matrix && (is_one || !explode) { format!(";{name}={parts}") } else { format!("{start}{parts}") }
}

/// A query parameter in the style that it has.
pub(super) fn query(parameter: &Json, name: &str, value: &Json, out: &mut Vec<(String, Value)>) {
    let explode = parameter.get("explode").and_then(Json::as_bool);
    let style = text_of(parameter, "style");
    match value {
        Json::Array(values)
            if explode == Some(false) || matches!(style, "pipeDelimited" | "spaceDelimited") =>
        {
            let separator = match style {
                "pipeDelimited" => "|",
                "spaceDelimited" => " ",
                _ => ",",
            };
            let values: Vec<String> = values.iter().map(|value| plain_text(value, ",")).collect();
            out.push((name.to_owned(), Value::text(values.join(separator))));
        }
        Json::Array(values) => out.push((
            name.to_owned(),
            match values.as_slice() {
                [one] => one_value(one),
                several => Value::Array(several.iter().map(one_value).collect()),
            },
        )),
        Json::Object(fields) if explode == Some(false) && style != "deepObject" => {
            let parts = fields.iter().flat_map(|(key, value)| [key.clone(), plain_text(value, ",")]);
            out.push((name.to_owned(), Value::text(parts.collect::<Vec<_>>().join(","))));
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                let key = if style == "deepObject" { format!("{name}[{key}]") } else { key.clone() };
                out.push((key, one_value(value)));
            }
        }
        value => out.push((name.to_owned(), one_value(value))),
    }
}

/// The fields of a form.
pub(super) fn fields(example: Option<&Json>) -> Value {
    let Some(Json::Object(fields)) = example else { return Value::Map(Vec::new()) };
    let field = |(name, value): (&String, &Json)| {
        let value = match value {
            Json::Array(values) => Value::Array(values.iter().map(one_value).collect()),
            value => one_value(value),
        };
        (name.clone(), value)
    };
    Value::Map(fields.iter().map(field).collect())
}

/// A plain value as it is, anything else as JSON text.
pub(super) fn one_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::text(""),
        Json::Array(_) | Json::Object(_) => Value::text(value.to_string()),
        plain => Value::from_json(plain).unwrap_or_else(|| Value::text(plain.to_string())),
    }
}

/// A value as text; of several, with something between them.
pub(super) fn plain_text(value: &Json, separator: &str) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(values) => {
            values.iter().map(|value| plain_text(value, separator)).collect::<Vec<_>>().join(separator)
        }
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Text as part of a path.
pub(super) fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b',')
        .remove(b':')
        .remove(b'@');
    let encoded = utf8_percent_encode(text, KEPT).to_string();
    // Nothing would be another path.
    if encoded.is_empty() { "1".to_owned() } else { encoded }
}
