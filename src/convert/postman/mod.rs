//! A Postman collection (v2.0 and v2.1) as a script: its folders as groups, its requests in their order.
//!
//! Owns items, variables, authorization and bodies. Leaves scripts to `script`. Invariant: what of a collection is
//! not in the script as code is there as a comment, or is noted.

mod collection;
mod javascript;
mod payload;
mod script;
mod writer;

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::convert::literal::comment;
use crate::convert::postman::collection::{Inherited, flatten, variables};
use crate::convert::postman::writer::Writer;
use crate::convert::problem::Problem;
use crate::convert::script::{Converted, Parts, count};

/// Folders in folders.
const MOST_DEPTH: usize = 20;

/// Requests that are converted.
const MOST_REQUESTS: usize = 5_000;

/// Stands for a host that a run has to be given.
const NO_HOST: &str = "http://postman.invalid";

/// An exported environment, whose values override those of a collection.
pub(crate) struct Environment(Json);

impl Environment {
    /// Reads one.
    ///
    /// # Errors
    /// When the text is none.
    pub(crate) fn parse(text: &str) -> Result<Environment, Problem> {
        let json = json(text, "a Postman environment")?;
        match json.get("values").and_then(Json::as_array) {
            Some(_) => Ok(Environment(json)),
            None => {
                Err("this is not a Postman environment: it has no `values`; export it from Postman".into())
            }
        }
    }
}

fn json(text: &str, what: &str) -> Result<Json, Problem> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| Problem::of_json(what, &error))
}

/// A script of a collection, with the values of an environment.
///
/// # Errors
/// When the text is no collection, or the collection has no requests.
pub(crate) fn convert_postman(text: &str, environment: Option<&Environment>) -> Result<Converted, Problem> {
    let root = json(text, "a Postman collection")?;
    let collection = root.get("collection").unwrap_or(&root);
    let items = match collection.get("item").and_then(Json::as_array) {
        Some(items) => items,
        None if collection.get("requests").is_some() => {
            return Err("this is a collection in Postman's format v1; export it as Collection v2.1".into());
        }
        None if collection.get("values").is_some() => {
            return Err(
                "this is an environment; give the collection, and this file with --environment".into()
            );
        }
        None => {
            return Err(
                "this is not a Postman collection: it has no `item`; export it as Collection v2.1".into()
            );
        }
    };
    let mut requests = Vec::new();
    flatten(items, &Inherited::of(collection, &Inherited::default()), 0, &mut requests);
    if requests.is_empty() {
        return Err("the collection has no requests".into());
    }
    let mut parts = Parts::default();
    if requests.len() > MOST_REQUESTS {
        parts.notes.add(format!("left out: requests beyond the first {MOST_REQUESTS}"));
        requests.truncate(MOST_REQUESTS);
    }
    let mut writer = Writer {
        variables: variables(collection, environment.map(|environment| &environment.0)),
        fields: requests
            .iter()
            .flat_map(|request| &request.scripts)
            .flat_map(|s| script::sets(&s.text))
            .collect(),
        host: None,
        base: None,
        comments: 0,
        starts: Vec::new(),
        depth: 0,
        constants: String::new(),
        files: HashMap::new(),
        parts: &mut parts,
    };
    writer.find_host(&requests);
    let functions = writer.functions(&requests);
    let Writer { host, starts, comments, constants, .. } = writer;
    let name = collection.pointer("/info/name").and_then(Json::as_str).unwrap_or_default();
    parts.title = format!("{}: {} of a Postman collection", comment(name), count(requests.len(), "request"));
    if comments > 0 {
        parts.notes.add(format!(
            "{} of scripts could not be converted and stand as comments: look for \"Postman:\"",
            count(comments, "part")
        ));
    }
    parts.host = host;
    parts.constants.push_str(&constants);
    parts.declarations.push_str("wait(between(1, 3)); // seconds between two iterations of a user\n");
    if !starts.is_empty() {
        parts.functions.push(format!("fn on_start() {{\n{}}}", starts.concat()));
    }
    parts.functions.extend(functions);
    Ok(parts.assemble())
}
