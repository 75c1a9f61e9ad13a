//! A description of an API (OpenAPI 3) as a script: a task for each operation.
//!
//! Owns operations, their parameters, bodies and security, and how they become tasks. Leaves reading and references to
//! `document`, made-up values to `example`, how values are
//! written into a URL to `style`. Invariant: an operation that cannot be said whole is noted.

mod document;
mod example;
mod style;

use std::collections::HashSet;

use serde_json::Value as Json;
use url::Url;

use crate::convert::body::{essence, file_of, is_json};
use crate::convert::literal::{Value, comment, text_literal};
use crate::convert::names::{identifier, unused};
use crate::convert::openapi::document::{Document, parse};
use crate::convert::openapi::example::Examples;
use crate::convert::openapi::style::{encoded, fields, one_value, path_value, plain_text, query};
use crate::convert::params::{Params, protect};
use crate::convert::problem::Problem;
use crate::convert::request::{Call, group};
use crate::convert::script::{Converted, Notes, Parts, count};

/// Operations that are converted; a script may have 10,000 functions.
const MOST_OPERATIONS: usize = 2_000;

/// How much more often a read is picked than a write.
const READ_WEIGHT: u32 = 3;

/// A script with a task for each operation of an API's description; `from` is where it was fetched, which relative
/// servers refer to.
///
/// # Errors
/// When the text is no OpenAPI 3 document, or one without operations.
pub(crate) fn convert_openapi(text: &str, from: Option<&Url>) -> Result<Converted, Problem> {
    if text.trim_start().starts_with('<') {
        return Err(
            "this is HTML or XML, not an OpenAPI document; a page that shows an API loads the document from \
             another address, often /openapi.json"
                .into(),
        );
    }
    let root = parse(text)?;
    check_version(&root)?;
    let document = Document::new(root);
    let mut parts = Parts { params: Params::by_name(), ..Parts::default() };
    let server = server(document.root().get("servers"), from, &mut parts.notes);
    let operations = operations(&document, &mut parts.notes);
    if operations.is_empty() {
        return Err("the document has no operations: `paths` is missing or empty".into());
    }
    let info = document.root().get("info");
    let of_info = |key: &str| info.and_then(|info| info.get(key)).and_then(Json::as_str).unwrap_or_default();
    let title = format!("{} {}", of_info("title"), of_info("version"));
    parts.title = format!("{}: a task for each of {}", comment(&title), count(operations.len(), "operation"));
    parts.declarations.push_str("wait(between(1, 3)); // seconds between two tasks of a user\n");

    let mut names = HashSet::new();
    let mut tag = None;
    for operation in &operations {
        let name = unused(operation.name(), &mut names);
        if tag != Some(operation.tag) {
            tag = Some(operation.tag);
            let title = operation.tag.map_or("without a tag".to_owned(), comment);
            parts.declarations.push_str(&format!("\n// {title}\n"));
        }
        parts.declarations.push_str(&operation.task(&name));
        let body =
            Writer { document: &document, server: &server, parts: &mut parts }.function(operation, &name);
        parts.functions.push(body);
    }
    if operations.iter().any(|operation| operation.method == "DELETE") {
        parts.notes.add("some tasks delete data: remove those that must not run against your system");
    }
    if operations.iter().any(|operation| operation.path.contains('{')) {
        parts.notes.add(
            "values in paths, queries and bodies are examples: replace them with ones that exist in your \
                  system",
        );
    }
    parts.host = server.origin;
    Ok(parts.assemble())
}

fn check_version(root: &Json) -> Result<(), String> {
    if let Some(version) = root.get("swagger") {
        let version = version.as_str().map_or(version.to_string(), str::to_owned);
        return Err(format!(
            "this is Swagger {version}, the predecessor of OpenAPI 3; convert it to OpenAPI 3 first, for example with swagger2openapi"
        ));
    }
    match root.get("openapi") {
        Some(Json::String(version)) if version.starts_with("3.") => Ok(()),
        Some(version) => Err(format!("`openapi` is {version}; only 3.0 and 3.1 are supported")),
        None => Err("this is not an OpenAPI document: it has no `openapi: 3.…`".into()),
    }
}

/// Where the API is.
struct Server {
    /// `None` when the document does not say.
    origin: Option<String>,
    /// What stands before each path, without a slash at its end.
    prefix: String,
}

fn server(servers: Option<&Json>, from: Option<&Url>, notes: &mut Notes) -> Server {
    let servers = servers.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let origin = || from.map(|from| from.origin().ascii_serialization());
    let Some(first) = servers.first() else { return Server { origin: origin(), prefix: String::new() } };
    let mut url = first.get("url").and_then(Json::as_str).unwrap_or_default().to_owned();
    for (name, variable) in first.get("variables").and_then(Json::as_object).into_iter().flatten() {
        let value = variable.get("default").and_then(Json::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), value);
    }
    if servers.len() > 1 {
        notes.add(format!(
            "the host is the first of {}; use --host for another one",
            count(servers.len(), "server")
        ));
    }
    let prefix = |path: &str| path.trim_end_matches('/').to_owned();
    match from.map_or_else(|| Url::parse(&url), |from| from.join(&url)) {
        Ok(url) if url.has_host() => {
            Server { origin: Some(url.origin().ascii_serialization()), prefix: prefix(url.path()) }
        }
        _ if url.starts_with('/') || url.is_empty() => Server { origin: None, prefix: prefix(&url) },
        _ => {
            notes.add(format!("left out: the server {url}, which is not a URL"));
            Server { origin: None, prefix: String::new() }
        }
    }
}

/// One operation.
struct Operation<'a> {
    /// In upper case.
    method: String,
    path: &'a str,
    item: &'a Json,
    operation: &'a Json,
    tag: Option<&'a str>,
}

/// All operations, those of one tag together, in the order of the document.
fn operations<'a>(document: &'a Document, notes: &mut Notes) -> Vec<Operation<'a>> {
    const METHODS: &[&str] = &["get", "head", "options", "post", "put", "patch", "delete", "trace"];
    /// What else a path may have.
    const OTHERS: &[&str] = &["$ref", "summary", "description", "servers", "parameters"];
    let mut found: Vec<Operation> = Vec::new();
    let paths = document.root().get("paths").and_then(Json::as_object).into_iter().flatten();
    for (path, item) in paths.filter(|(path, _)| path.starts_with('/')) {
        let Some(item) = document.resolve(item, notes) else { continue };
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) || !operation.is_object() {
                if !OTHERS.contains(&method.as_str()) && !method.starts_with("x-") {
                    notes.add(format!("left out: {} of {}", comment(method), comment(path)));
                }
                continue;
            }
            let tag = operation.get("tags").and_then(|tags| tags.get(0)).and_then(Json::as_str);
            found.push(Operation { method: method.to_uppercase(), path, item, operation, tag });
        }
    }
    if document.root().get("webhooks").is_some() {
        notes.add("left out: webhooks, which are called by the server");
    }
    if found.len() > MOST_OPERATIONS {
        notes.add(format!(
            "left out: {} beyond the first {MOST_OPERATIONS}",
            count(found.len() - MOST_OPERATIONS, "operation")
        ));
        found.truncate(MOST_OPERATIONS);
    }
    let mut order: Vec<Option<&str>> = Vec::new();
    let mut known = HashSet::new();
    for operation in &found {
        if known.insert(operation.tag) {
            order.push(operation.tag);
        }
    }
    let places: std::collections::HashMap<_, _> =
        order.iter().enumerate().map(|(at, tag)| (*tag, at)).collect();
    found.sort_by_key(|operation| places.get(&operation.tag).copied());
    found
}

impl Operation<'_> {
    fn name(&self) -> String {
        let id = self.operation.get("operationId").and_then(Json::as_str).filter(|id| !id.is_empty());
        let fallback = format!("{} {}", self.method.to_lowercase(), self.path);
        identifier(id.unwrap_or(&fallback), "operation")
    }

    /// Its declaration.
    fn task(&self, name: &str) -> String {
        let is_read = matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let weight = if is_read { format!(", {READ_WEIGHT}") } else { String::new() };
        let tags: Vec<Value> = self
            .operation
            .get("tags")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .filter(|tag| !tag.trim().is_empty())
            .map(Value::text)
            .collect();
        let settings = if tags.is_empty() {
            String::new()
        } else {
            format!(", {}", Value::Map(vec![("tags".to_owned(), Value::Array(tags))]).inline())
        };
        format!("task(\"{name}\"{weight}{settings});\n")
    }
}

/// Writes the functions.
struct Writer<'a, 'p> {
    document: &'a Document,
    server: &'a Server,
    parts: &'p mut Parts,
}

/// What the parameters of an operation add to its request.
#[derive(Default)]
struct Inputs {
    path: Vec<(String, String)>,
    query: Vec<(String, Value)>,
    headers: Vec<(String, Value)>,
    cookies: Vec<String>,
}

impl<'a> Writer<'a, '_> {
    fn function(&mut self, operation: &Operation<'a>, name: &str) -> String {
        let mut inputs = self.inputs(operation);
        let mut body = self.body(operation, &mut inputs.headers);
        let security = self.security(operation, &mut inputs);

        let template = format!("{}{}", self.server.prefix, operation.path);
        let mut path = template.clone();
        for (name, value) in &inputs.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut params: Vec<(&'static str, Value)> = Vec::new();
        if path != template {
            params.push(("name", Value::text(template)));
        }
        if !inputs.cookies.is_empty() {
            inputs.headers.push(("cookie".to_owned(), Value::Code(inputs.cookies.join(" + \"; \" + "))));
        }
        params.push(("query", group(inputs.query)));
        params.push(("headers", group(inputs.headers)));
        for (_, value) in &mut body {
            protect(value, &mut self.parts.params);
        }
        params.extend(body);
        params.extend(security);
        let expect = self.expected(operation);
        let call = Call { method: operation.method.clone(), url: Value::text(path), params, expect };

        let about = ["summary", "description"]
            .iter()
            .find_map(|key| operation.operation.get(key).and_then(Json::as_str));
        let mut about = about.map(comment).unwrap_or_default();
        if operation.operation.get("deprecated").and_then(Json::as_bool) == Some(true) {
            about = format!("deprecated: {about}").trim_end_matches([' ', ':']).to_owned();
        }
        let about = if about.is_empty() { String::new() } else { format!("// {about}\n") };
        format!("{about}fn {name}() {{\n{}\n}}", call.statement(1, None))
    }

    /// Parameters of the path and of the operation, which win.
    fn inputs(&mut self, operation: &Operation<'a>) -> Inputs {
        let mut list: Vec<&'a Json> = Vec::new();
        let mut known = HashSet::new();
        for holder in [operation.operation, operation.item] {
            for parameter in holder.get("parameters").and_then(Json::as_array).into_iter().flatten() {
                let Some(parameter) = self.document.resolve(parameter, &mut self.parts.notes) else {
                    continue;
                };
                if known.insert((text_of(parameter, "name"), text_of(parameter, "in"))) {
                    list.push(parameter);
                }
            }
        }
        let mut inputs = Inputs::default();
        for parameter in list {
            self.input(parameter, &mut inputs);
        }
        inputs
    }

    fn input(&mut self, parameter: &'a Json, inputs: &mut Inputs) {
        let (name, place) = (text_of(parameter, "name"), text_of(parameter, "in"));
        let required = place == "path" || parameter.get("required").and_then(Json::as_bool) == Some(true);
        let schema_has = |key: &str| parameter.get("schema").is_some_and(|schema| schema.get(key).is_some());
        let has_example =
            ["example", "examples"].iter().any(|key| parameter.get(key).is_some() || schema_has(key));
        if name.is_empty() || !(required || has_example) {
            return;
        }
        let mut examples = Examples::new(self.document, &mut self.parts.notes);
        let content =
            parameter.get("content").and_then(Json::as_object).and_then(|types| types.values().next());
        let found = examples.of_holder(content.unwrap_or(parameter), name);
        let value = found.unwrap_or_else(|| Json::String(name.to_owned()));
        let style = text_of(parameter, "style");
        let styles: &[&str] = match place {
            "path" => &["simple", "label", "matrix"],
            "query" => &["form", "spaceDelimited", "pipeDelimited", "deepObject"],
            "header" => &["simple"],
            _ => &["form"],
        };
        if !style.is_empty() && !styles.contains(&style) {
            self.parts.notes.add(format!(
                "the parameter {} is sent without its style {}",
                comment(name),
                comment(style)
            ));
        }
        match place {
            "path" => inputs.path.push((name.to_owned(), path_value(parameter, name, &value))),
            "query" if content.is_some() => {
                inputs.query.push((name.to_owned(), Value::text(value.to_string())))
            }
            "query" => query(parameter, name, &value, &mut inputs.query),
            "header"
                if !matches!(
                    name.to_ascii_lowercase().as_str(),
                    "accept" | "content-type" | "authorization"
                ) =>
            {
                inputs.headers.push((name.to_ascii_lowercase(), Value::text(plain_text(&value, ","))));
            }
            "cookie" => {
                inputs.cookies.push(text_literal(&format!("{name}={}", encoded(&plain_text(&value, ",")))))
            }
            _ => {}
        }
    }

    /// The body, by the content type that is read best.
    fn body(
        &mut self,
        operation: &Operation<'a>,
        headers: &mut Vec<(String, Value)>,
    ) -> Vec<(&'static str, Value)> {
        let Some(body) = operation.operation.get("requestBody") else { return Vec::new() };
        let Some(body) = self.document.resolve(body, &mut self.parts.notes) else { return Vec::new() };
        let types = body.get("content").and_then(Json::as_object).into_iter().flatten();
        let rank = |kind: &str| match kind {
            kind if is_json(kind) => 0,
            "*/*" | "application/*" => 1,
            "application/x-www-form-urlencoded" => 2,
            "multipart/form-data" => 3,
            _ => 4,
        };
        let Some((content_type, media)) = types.min_by_key(|(kind, _)| rank(&essence(kind))) else {
            return Vec::new();
        };
        let found = Examples::new(self.document, &mut self.parts.notes).of_holder(media, "");
        let kind = essence(content_type);
        let keep = |headers: &mut Vec<(String, Value)>| {
            headers.push(("content-type".to_owned(), Value::text(content_type.clone())))
        };
        match rank(&kind) {
            0 | 1 => {
                let example = found.unwrap_or_else(|| Json::Object(serde_json::Map::new()));
                let value = Value::from_json(&example);
                if kind != "application/json" && rank(&kind) == 0 || value.is_none() {
                    headers.push((
                        "content-type".to_owned(),
                        Value::text(if rank(&kind) == 0 { content_type } else { "application/json" }),
                    ));
                }
                vec![
                    value.map_or_else(|| ("body", Value::text(example.to_string())), |value| ("json", value)),
                ]
            }
            2 => vec![("form", fields(found.as_ref()))],
            3 => vec![("multipart", self.multipart(media, found.as_ref()))],
            _ => {
                keep(headers);
                let example = found.unwrap_or_else(|| Json::String(String::new()));
                if !example.is_string() {
                    self.parts
                        .notes
                        .add(format!("the body of {} is not {kind}: add it by hand", operation.name()));
                }
                vec![("body", Value::text(plain_text(&example, "")))]
            }
        }
    }

    /// Fields, and files where the schema has bytes.
    fn multipart(&mut self, media: &'a Json, example: Option<&Json>) -> Value {
        let schema =
            media.get("schema").and_then(|schema| self.document.resolve(schema, &mut self.parts.notes));
        let properties = schema.and_then(|schema| schema.get("properties"));
        let Some(Json::Object(example)) = example else { return Value::Map(Vec::new()) };
        let field = |(name, value): (&String, &Json)| {
            let property = properties
                .and_then(|all| all.get(name))
                .and_then(|p| self.document.resolve(p, &mut self.parts.notes));
            let property = property.map(|p| p.get("items").unwrap_or(p));
            let is_file = property
                .is_some_and(|p| text_of(p, "format") == "binary" || p.get("contentMediaType").is_some());
            let value = if is_file {
                file_of(&Value::text("content of the file"), &format!("{name}.bin"), None)
            } else {
                one_value(value)
            };
            (name.clone(), value)
        };
        Value::Map(example.iter().map(field).collect())
    }

    /// The first way to be allowed in that is not nothing.
    fn security(&mut self, operation: &Operation<'a>, inputs: &mut Inputs) -> Vec<(&'static str, Value)> {
        let security = operation.operation.get("security").or_else(|| self.document.root().get("security"));
        let ways = security.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object);
        let Some(way) = ways.into_iter().find(|way| !way.is_empty()) else { return Vec::new() };
        let schemes = self.document.root().pointer("/components/securitySchemes");
        let mut out = Vec::new();
        for name in way.keys() {
            let scheme = schemes
                .and_then(|all| all.get(name))
                .and_then(|s| self.document.resolve(s, &mut self.parts.notes));
            let Some(scheme) = scheme else {
                self.parts.notes.add(format!("left out: the security scheme {name}, which is not defined"));
                continue;
            };
            let Parts { params, notes, .. } = &mut *self.parts;
            out.extend(credentials(name, scheme, inputs, params, notes));
        }
        out
    }

    /// The success statuses that are documented.
    fn expected(&self, operation: &Operation<'a>) -> Option<Value> {
        let responses = operation.operation.get("responses").and_then(Json::as_object)?;
        let mut statuses: Vec<i64> = responses.keys().filter_map(|key| key.parse().ok()).collect();
        statuses.retain(|status| (200..300).contains(status));
        statuses.sort_unstable();
        match statuses.as_slice() {
            [] => None,
            // Any of them is a success then.
            _ if responses.keys().any(|key| key.eq_ignore_ascii_case("2xx")) => None,
            [one] => Some(Value::int(*one)),
            several => Some(Value::Array(several.iter().map(|status| Value::int(*status)).collect())),
        }
    }
}

/// What a scheme adds to the request.
fn credentials(
    name: &str,
    scheme: &Json,
    inputs: &mut Inputs,
    params: &mut Params,
    notes: &mut Notes,
) -> Option<(&'static str, Value)> {
    let http = text_of(scheme, "scheme").to_ascii_lowercase();
    match (text_of(scheme, "type"), http.as_str()) {
        ("http", scheme @ ("basic" | "digest")) => {
            let pair = vec![params.plain("user", "user", ""), params.secret("password", "", "")];
            Some((if scheme == "basic" { "basic" } else { "digest" }, Value::Array(pair)))
        }
        ("http" | "oauth2" | "openIdConnect", _) => {
            Some(("bearer", params.secret("token", "", &format!("bearer token ({})", comment(name)))))
        }
        ("apiKey", _) => {
            let key = text_of(scheme, "name");
            let param = params.secret(identifier(name, "api_key").trim_start_matches("x_"), key, "");
            match text_of(scheme, "in") {
                "query" => inputs.query.push((key.to_owned(), param)),
                "cookie" => {
                    inputs.cookies.push(format!("{} + {}", text_literal(&format!("{key}=")), param.inline()))
                }
                _ => inputs.headers.push((key.to_ascii_lowercase(), param)),
            }
            None
        }
        ("mutualTLS", _) => {
            notes.add("the API requires a client certificate: --client-cert FILE");
            None
        }
        (kind, _) => {
            notes.add(format!("left out: the security scheme {name} of type '{kind}'"));
            None
        }
    }
}

fn text_of<'j>(value: &'j Json, key: &str) -> &'j str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}
