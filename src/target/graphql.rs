//! The demo application's GraphQL endpoint for the catalogue and the analysis.
//!
//! Owns running an operation: which fields there are, and what an answer looks like. Leaves the language to
//! `graphql_document`, the catalogue to `routes` and the heuristics to `analysis`.
//! Invariant: an operation that cannot be answered gives `errors` and never half of its data.

use super::analysis::analyze;
use super::graphql_document::{Field, Operation, parse};
use super::routes::{PROJECTS, project};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Projects in a list when the operation does not say.
const FIRST: u64 = 10;

/// The body of a request.
#[derive(Deserialize)]
pub(super) struct GraphqlRequest {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

/// Answers an operation: status and body.
pub(super) fn answer(request: &GraphqlRequest) -> (StatusCode, Value) {
    let variables = request.variables.clone().unwrap_or_default();
    let refused = |status, why: String| (status, json!({ "data": null, "errors": [{ "message": why }] }));
    let operation = match parse(&request.query, &variables) {
        Ok(operation) => operation,
        Err(why) => return refused(StatusCode::BAD_REQUEST, why),
    };
    match run(&operation) {
        Ok(data) => (StatusCode::OK, json!({ "data": data })),
        Err(why) => refused(StatusCode::OK, why),
    }
}

fn run(operation: &Operation) -> Result<Value, String> {
    let mut data = Map::new();
    for field in &operation.fields {
        let whole = if operation.mutates { mutation(field) } else { query(field) }?;
        data.insert(field.key.clone(), select(field, &whole)?);
    }
    Ok(Value::Object(data))
}

fn query(field: &Field) -> Result<Value, String> {
    match field.name.as_str() {
        "projects" => {
            let first = match field.arguments.get("first") {
                None | Some(Value::Null) => FIRST,
                Some(value) => value.as_u64().ok_or("`first` of `projects` must be a number from 0")?,
            };
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            Ok((1..=PROJECTS).take(first).map(project).collect())
        }
        "project" => {
            let name = text(field, "name")?.ok_or("`project` needs a `name`")?;
            Ok((1..=PROJECTS).map(project).find(|project| project["name"] == name).unwrap_or_default())
        }
        other => Err(format!("there is no query `{other}`; expected `projects` or `project`")),
    }
}

fn mutation(field: &Field) -> Result<Value, String> {
    if field.name != "analyze" {
        return Err(format!("there is no mutation `{}`; expected `analyze`", field.name));
    }
    let source = text(field, "source")?.ok_or("`analyze` needs a `source`")?;
    let found = analyze(source, text(field, "language")?);
    serde_json::to_value(found).map_err(|error| error.to_string())
}

/// An argument that is text, if it is given.
fn text<'a>(field: &'a Field, name: &str) -> Result<Option<&'a str>, String> {
    match field.arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` of `{}` must be a string", field.name)),
    }
}

/// Of a whole value the part that the operation asks for.
fn select(field: &Field, whole: &Value) -> Result<Value, String> {
    match whole {
        Value::Null => Ok(Value::Null),
        Value::Array(list) => list.iter().map(|item| select(field, item)).collect(),
        Value::Object(_) if field.fields.is_empty() => {
            Err(format!("select fields of `{}`: {} {{ … }}", field.name, field.name))
        }
        Value::Object(map) => {
            let part = field.fields.iter().map(|wanted| {
                let value = map.get(&wanted.name);
                let value =
                    value.ok_or_else(|| format!("`{}` has no field `{}`", field.name, wanted.name))?;
                Ok((wanted.key.clone(), select(wanted, value)?))
            });
            part.collect::<Result<Map<String, Value>, String>>().map(Value::Object)
        }
        _ if !field.fields.is_empty() => Err(format!("`{}` has no fields", field.name)),
        plain => Ok(plain.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &str, variables: Value) -> (u16, Value) {
        let variables = variables.as_object().cloned();
        let (status, answer) = answer(&GraphqlRequest { query: query.to_owned(), variables });
        (status.as_u16(), answer)
    }

    #[test]
    fn what_is_asked_for_is_answered() {
        let two = "query Two($n: Int = 2) { best: projects(first: $n) { name } }";
        let expected = json!({ "data": { "best": [{ "name": "project-01" }, { "name": "project-02" }] } });
        assert_eq!(ask(two, json!({})), (200, expected));
        assert_eq!(ask(two, json!({ "n": 1 })).1["data"]["best"].as_array().map(Vec::len), Some(1));
        let one = r#"{ project(name: "project-07") { name, score } none: project(name: "x") { score } }"#;
        let expected = json!({ "project": { "name": "project-07", "score": 75.9 }, "none": null });
        assert_eq!(ask(one, json!({})).1["data"], expected);
        let found = ask("mutation M($s: String!) { analyze(source: $s) { score } }", json!({ "s": "x" }));
        assert_eq!(found.1, json!({ "data": { "analyze": { "score": 100.0 } } }));
    }

    #[test]
    fn what_cannot_be_answered_gives_errors() {
        for (query, status, says) in [
            ("{ shops { name } }", 200, "no query `shops`"),
            ("mutation { drop { x } }", 200, "no mutation `drop`"),
            ("{ projects }", 200, "projects { … }"),
            ("{ projects { nosuch } }", 200, "no field `nosuch`"),
            ("{ projects { name { x } } }", 200, "`name` has no fields"),
            ("{ projects(first: -1) { name } }", 200, "a number from 0"),
            ("{ project { name } }", 200, "needs a `name`"),
            ("mutation { analyze(source: 7) { score } }", 200, "must be a string"),
            ("{ projects { name }", 400, "end"),
        ] {
            let (got, answer) = ask(query, json!({}));
            let why = answer["errors"][0]["message"].as_str().unwrap_or_default();
            assert!(got == status && why.contains(says) && answer["data"].is_null(), "{query}: {answer}");
        }
    }
}
