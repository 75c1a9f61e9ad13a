//! Values that fit a schema.
//!
//! Owns the choice: what the description gives as an example, else its default or first allowed value, else one made up
//! from type and format. Invariant: a value has a bounded size and depth, also for schemas that contain themselves.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use crate::convert::openapi::document::Document;
use crate::convert::script::Notes;

/// Values in an example, before only what is required is added.
const ENOUGH: usize = 60;

/// Values in an example at the very most.
const MOST: usize = 400;

/// Depth from which on only what is required is added.
const DEEP: usize = 4;

/// Depth at which everything ends.
const DEEPEST: usize = 8;

/// How often schemas may be put together from others, for one value.
const MOST_PARTS: usize = 200;

/// Makes examples of one document's schemas.
pub(in crate::convert) struct Examples<'a> {
    pub(in crate::convert) document: &'a Document,
    pub(in crate::convert) notes: &'a mut Notes,
    /// Values made so far.
    made: usize,
    /// Schemas put together so far.
    parts: usize,
    /// The schemas that the value being made is inside of.
    inside: Vec<*const Value>,
}

/// An object's schema with everything that `allOf` adds to it.
#[derive(Default)]
struct Object<'a> {
    properties: Vec<(&'a str, &'a Value)>,
    required: HashSet<&'a str>,
    /// The schemas that it is made of.
    parts: HashSet<*const Value>,
}

impl<'a> Examples<'a> {
    pub(in crate::convert) fn new(document: &'a Document, notes: &'a mut Notes) -> Examples<'a> {
        Examples { document, notes, made: 0, parts: 0, inside: Vec::new() }
    }

    /// The example of a parameter or a media type, else one of its schema.
    pub(in crate::convert) fn of_holder(&mut self, holder: &'a Value, name: &str) -> Option<Value> {
        if let Some(example) = holder.get("example") {
            return Some(example.clone());
        }
        let named = holder.get("examples").and_then(Value::as_object).and_then(|named| named.values().next());
        if let Some(example) = named.and_then(|named| self.document.resolve(named, self.notes))
            && let Some(value) = example.get("value")
        {
            return Some(value.clone());
        }
        self.of_schema(holder.get("schema")?, name, 0)
    }

    /// A value that fits the schema; `None` when there is none of a bounded size.
    fn of_schema(&mut self, schema: &'a Value, name: &str, depth: usize) -> Option<Value> {
        let schema = self.document.resolve(schema, self.notes)?;
        let place = std::ptr::from_ref(schema);
        if depth > DEEPEST || self.made >= MOST || self.inside.contains(&place) {
            return None;
        }
        self.made += 1;
        if let Some(given) = given(schema) {
            return Some(given.clone());
        }
        self.inside.push(place);
        let value = self.made_up(schema, name, depth);
        self.inside.pop();
        value
    }

    fn made_up(&mut self, schema: &'a Value, name: &str, depth: usize) -> Option<Value> {
        for key in ["oneOf", "anyOf"] {
            let choices = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            for choice in choices {
                let is_null = choice.get("type").and_then(Value::as_str) == Some("null");
                if !is_null && let Some(value) = self.of_schema(choice, name, depth) {
                    // What stands beside the choice belongs to the object too.
                    return Some(self.merged(schema, value, depth));
                }
            }
        }
        let all = schema.get("allOf").and_then(Value::as_array);
        if let Some([only]) = all.map(Vec::as_slice)
            && schema.get("properties").is_none()
        {
            return self.of_schema(only, name, depth);
        }
        match kind(schema) {
            Some("object") => Some(Value::Object(self.object(schema, depth))),
            Some("array") => Some(self.array(schema, name, depth)),
            Some("string") => Some(Value::String(text(schema, name))),
            Some("integer") => Some(Value::Number(number(schema, true))),
            Some("number") => Some(Value::Number(number(schema, false))),
            Some("boolean") => Some(Value::Bool(true)),
            Some("null") => Some(Value::Null),
            // A part of `allOf` may say more than its sum.
            _ if all.is_some() => {
                all.into_iter().flatten().find_map(|part| self.of_schema(part, name, depth))
            }
            _ => None,
        }
    }

    fn merged(&mut self, schema: &'a Value, value: Value, depth: usize) -> Value {
        match value {
            Value::Object(mut fields) if schema.get("properties").is_some() => {
                for (name, own) in self.object(schema, depth) {
                    fields.entry(name).or_insert(own);
                }
                Value::Object(fields)
            }
            value => value,
        }
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let mut object = Object::default();
        self.collect(schema, &mut object, 0);
        // What is required first.
        let (required, optional): (Vec<_>, Vec<_>) =
            object.properties.iter().partition(|(name, _)| object.required.contains(name));
        let mut fields = Map::new();
        for (is_required, (name, property)) in
            required.into_iter().map(|p| (true, p)).chain(optional.into_iter().map(|p| (false, p)))
        {
            if fields.contains_key::<str>(name) {
                continue;
            }
            if !is_required && (depth >= DEEP || self.made >= ENOUGH) {
                break;
            }
            let resolved = self.document.resolve(property, self.notes);
            let read_only = resolved.and_then(|p| p.get("readOnly")).and_then(Value::as_bool) == Some(true);
            if read_only {
                continue;
            }
            match self.of_schema(property, name, depth + 1) {
                Some(value) => drop(fields.insert((*name).to_owned(), value)),
                None if is_required => drop(fields.insert((*name).to_owned(), Value::Null)),
                None => {}
            }
        }
        fields
    }

    /// Properties of a schema and of all that it is put together from.
    fn collect(&mut self, schema: &'a Value, object: &mut Object<'a>, depth: usize) {
        self.parts += 1;
        if depth > DEEPEST || self.parts > MOST_PARTS {
            return;
        }
        let Some(schema) = self.document.resolve(schema, self.notes) else { return };
        if !object.parts.insert(std::ptr::from_ref(schema)) {
            return;
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.collect(part, object, depth + 1);
        }
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        object.properties.extend(properties.map(|(name, schema)| (name.as_str(), schema)));
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        object.required.extend(required.filter_map(Value::as_str));
    }

    fn array(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 3);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(3);
        let Some(items) = schema.get("items") else { return Value::Array(Vec::new()) };
        let item = self.of_schema(items, name.strip_suffix('s').unwrap_or(name), depth + 1);
        let count = usize::try_from(least.min(most)).unwrap_or(1);
        Value::Array(item.map_or(Vec::new(), |item| vec![item; count]))
    }
}

/// What the schema itself gives.
fn given(schema: &Value) -> Option<&Value> {
    let first = |key: &str| {
        schema.get(key).and_then(Value::as_array).and_then(|values| values.iter().find(|v| !v.is_null()))
    };
    schema
        .get("example")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("const"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()))
        .or_else(|| first("enum"))
}

/// The type, from what else is said when it is not named.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        // OpenAPI 3.1: several, one of which may be null.
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            let first = kinds.next();
            if first == Some("null") { kinds.next().or(first) } else { first }
        }
        _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => Some("object"),
        _ if schema.get("additionalProperties").is_some() => Some("object"),
        _ if schema.get("items").is_some() => Some("array"),
        _ if schema.get("format").is_some() || schema.get("pattern").is_some() => Some("string"),
        _ => None,
    }
}

fn text(schema: &Value, name: &str) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let known = match format {
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "uuid" => "3f2b0c1e-8d4a-4b6f-9a7d-5e1c2d3f4a5b",
        "email" | "idn-email" => "user@example.com",
        "uri" | "url" | "uri-reference" | "iri" => "https://example.com/",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" | "ip" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "ZXhhbXBsZQ==",
        _ if name.is_empty() => "text",
        _ => name,
    };
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let mut text = known.to_owned();
    if let Some(least) = length("minLength") {
        // A minimum of a million would not be an example.
        let missing = least.min(1_000).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('x', missing));
    }
    match length("maxLength") {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    }
}

fn number(schema: &Value, whole: bool) -> Number {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let is_exclusive = |key: &str| schema.get(key).and_then(Value::as_bool) == Some(true);
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let mut value: f64 = step.unwrap_or(1.0);
    // 3.0 has a flag beside the bound, 3.1 a bound of its own.
    let above =
        bound("exclusiveMinimum").or_else(|| bound("minimum").filter(|_| is_exclusive("exclusiveMinimum")));
    let below =
        bound("exclusiveMaximum").or_else(|| bound("maximum").filter(|_| is_exclusive("exclusiveMaximum")));
    let unit = step.unwrap_or(if whole { 1.0 } else { 0.5 });
    let least = match (bound("minimum"), above.map(|bound| bound + unit)) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    if let Some(least) = least {
        value = value.max(step.map_or(least, |step| (least / step).ceil() * step));
    }
    let most = match (bound("maximum"), below.map(|bound| bound - unit)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if let Some(most) = most {
        value = value.min(step.map_or(most, |step| (most / step).floor() * step));
    }
    let as_whole = value.fract() == 0.0 && value.abs() < 9e15;
    if as_whole { (value as i64).into() } else { Number::from_f64(value).unwrap_or_else(|| 1.into()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example(schema: Value) -> Option<Value> {
        let root = json!({ "components": { "schemas": {
            "Node": { "type": "object", "required": ["id", "children", "parent"], "properties": {
                "id": { "type": "integer" },
                "children": { "type": "array", "items": { "$ref": "#/components/schemas/Node" } },
                "parent": { "$ref": "#/components/schemas/Node" },
                "next": { "$ref": "#/components/schemas/Node" },
            } },
            "Named": { "properties": { "name": { "type": "string" } }, "required": ["name"] },
        } }, "it": { "schema": schema } });
        let document = Document::new(root);
        let mut notes = Notes::default();
        Examples::new(&document, &mut notes).of_holder(&document.root()["it"], "field")
    }

    #[track_caller]
    fn check(schema: Value, expected: Value) {
        assert_eq!(example(schema.clone()), Some(expected), "{schema}");
    }

    #[test]
    fn what_the_schema_gives_comes_first() {
        check(json!({ "type": "string", "example": "a", "default": "b" }), json!("a"));
        check(json!({ "type": "string", "examples": ["c"] }), json!("c"));
        check(json!({ "type": "string", "default": "b", "enum": ["x"] }), json!("b"));
        check(json!({ "enum": [null, "x"] }), json!("x"));
        check(json!({ "const": 7 }), json!(7));
    }

    #[test]
    fn types_and_formats() {
        check(json!({ "type": "string" }), json!("field"));
        check(json!({ "type": "string", "minLength": 8, "maxLength": 9 }), json!("fieldxxx"));
        check(json!({ "type": "string", "format": "email" }), json!("user@example.com"));
        check(json!({ "type": ["null", "boolean"] }), json!(true));
        check(json!({ "type": "integer", "minimum": 10, "multipleOf": 4 }), json!(12));
        check(json!({ "type": "integer", "minimum": 5, "exclusiveMinimum": true }), json!(6));
        check(json!({ "type": "number", "exclusiveMaximum": 1 }), json!(0.5));
        check(json!({ "type": "integer", "maximum": -3 }), json!(-3));
        check(json!({ "type": "array", "minItems": 2, "items": { "type": "integer" } }), json!([1, 1]));
        check(json!({ "items": { "type": "string" } }), json!(["field"]));
    }

    #[test]
    fn objects_with_what_is_required_first() {
        let schema = json!({ "required": ["b"], "properties": {
            "a": { "type": "integer" }, "b": { "type": "string" }, "id": { "type": "integer", "readOnly": true },
        } });
        let made = example(schema).unwrap();
        assert_eq!(made.to_string(), r#"{"b":"b","a":1}"#);
        let named = json!({ "$ref": "#/components/schemas/Named" });
        check(
            json!({ "allOf": [named, { "properties": { "age": { "type": "integer" } } }], "properties": { "ok": { "type": "boolean" } } }),
            json!({ "name": "name", "age": 1, "ok": true }),
        );
        check(json!({ "oneOf": [{ "type": "null" }, named] }), json!({ "name": "name" }));
        check(json!({ "allOf": [{ "type": "string" }] }), json!("field"));
    }

    #[test]
    fn schemas_that_contain_themselves_end() {
        check(
            json!({ "$ref": "#/components/schemas/Node" }),
            json!({ "id": 1, "children": [], "parent": null }),
        );
        assert_eq!(example(json!({ "$ref": "#/it/schema" })), None);
    }

    #[test]
    fn a_wide_schema_stays_small() {
        let wide: Map<String, Value> =
            (0..5_000).map(|n| (format!("p{n}"), json!({ "type": "integer" }))).collect();
        let made = example(json!({ "type": "object", "properties": wide })).unwrap();
        assert!(made.as_object().unwrap().len() <= ENOUGH);
    }
}
