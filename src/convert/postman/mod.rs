//! A Postman collection (v2.0 and v2.1) as a script: its folders as groups, its requests in their order.
//!
//! Owns items, variables, authorization and bodies. Leaves scripts to `postman_script`. Invariant: what of a collection is
//! not in the script as code is there as a comment, or is noted.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;
use url::Url;

use super::body::{Uploads, body, file_of};
use super::literal::{Value, comment, identifier, text_literal, unused};
use super::params::{each_leaf, protect};
use super::postman_script::{self, Meaning};
use super::problem::Problem;
use super::request::{Call, MARK, MARK_END, dropped, group, location, marked};
use super::script::{Converted, Parts, count};
use crate::credentials::is_credential;

/// Folders in folders.
const MOST_DEPTH: usize = 20;

/// Requests that are converted.
const MOST_REQUESTS: usize = 5_000;

/// Stands for a host that a run has to be given.
const NO_HOST: &str = "http://postman.invalid";

/// A script of a collection, with the values of an environment.
///
/// # Errors
/// When one of the texts is not what it should be, or the collection has no requests.
pub(crate) fn convert_postman(text: &str, environment: Option<&str>) -> Result<Converted, Problem> {
    let json = |text: &str, what| {
        serde_json::from_str::<Json>(text.trim_start_matches('\u{feff}'))
            .map_err(|error| Problem::of_json(what, &error))
    };
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
    let environment = match environment {
        None => None,
        Some(text) => {
            let json = json(text, "a Postman environment")?;
            if json.get("values").and_then(Json::as_array).is_none() {
                return Err("the environment has no `values`; export it from Postman".into());
            }
            Some(json)
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
        variables: variables(collection, environment.as_ref()),
        fields: requests
            .iter()
            .flat_map(|request| &request.scripts)
            .flat_map(|s| postman_script::sets(&s.text))
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

/// What requests have from the folders around them.
#[derive(Clone, Default)]
struct Inherited<'a> {
    auth: Option<&'a Json>,
    scripts: Vec<Script>,
    folders: Vec<&'a str>,
}

#[derive(Clone)]
struct Script {
    before: bool,
    text: String,
}

impl<'a> Inherited<'a> {
    fn of(item: &'a Json, outer: &Inherited<'a>) -> Inherited<'a> {
        let mut inner = outer.clone();
        inner.auth = item.get("auth").filter(|auth| !auth.is_null()).or(outer.auth);
        for event in item.get("event").and_then(Json::as_array).into_iter().flatten() {
            let text = match event.pointer("/script/exec") {
                Some(Json::Array(lines)) => {
                    lines.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
                }
                Some(Json::String(text)) => text.clone(),
                _ => continue,
            };
            let disabled = event.get("disabled").and_then(Json::as_bool).unwrap_or(false);
            if !text.trim().is_empty() && !disabled {
                inner.scripts.push(Script { before: text_of(event, "listen") == "prerequest", text });
            }
        }
        inner
    }
}

/// A request of the collection.
struct Request<'a> {
    name: &'a str,
    item: &'a Json,
    request: &'a Json,
    auth: Option<&'a Json>,
    scripts: Vec<Script>,
    folders: Vec<&'a str>,
}

fn flatten<'a>(items: &'a [Json], outer: &Inherited<'a>, depth: usize, out: &mut Vec<Request<'a>>) {
    for item in items {
        let mut inner = Inherited::of(item, outer);
        let name = text_of(item, "name");
        match (item.get("item").and_then(Json::as_array), item.get("request")) {
            (Some(items), _) if depth < MOST_DEPTH => {
                inner.folders.push(name);
                flatten(items, &inner, depth + 1, out);
            }
            (_, Some(request)) => {
                let auth = request.get("auth").filter(|auth| !auth.is_null()).or(inner.auth);
                out.push(Request {
                    name,
                    item,
                    request,
                    auth,
                    scripts: inner.scripts,
                    folders: inner.folders,
                });
            }
            _ => {}
        }
    }
}

struct Variable {
    value: String,
    secret: bool,
}

/// The variables of a collection; those of the environment win.
fn variables(collection: &Json, environment: Option<&Json>) -> HashMap<String, Variable> {
    let mut all = HashMap::new();
    let own = collection.get("variable").and_then(Json::as_array).into_iter().flatten();
    let given = environment.and_then(|e| e.get("values")).and_then(Json::as_array).into_iter().flatten();
    for variable in own.chain(given) {
        let is_off = variable.get("enabled").and_then(Json::as_bool) == Some(false)
            || variable.get("disabled").and_then(Json::as_bool) == Some(true);
        let name = variable.get("key").or(variable.get("id")).and_then(Json::as_str).unwrap_or_default();
        let value = match variable.get("value") {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        if !is_off && !name.is_empty() {
            let secret = text_of(variable, "type") == "secret";
            all.insert(name.to_owned(), Variable { value, secret });
        }
    }
    all
}

fn text_of<'j>(value: &'j Json, key: &str) -> &'j str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn is_enabled(entry: &&Json) -> bool {
    entry.get("disabled").and_then(Json::as_bool) != Some(true)
}

/// Entries of a list that are not switched off.
fn enabled(value: Option<&Json>) -> impl Iterator<Item = &Json> {
    value.and_then(Json::as_array).into_iter().flatten().filter(is_enabled)
}

struct Writer<'p> {
    variables: HashMap<String, Variable>,
    /// Variables that scripts set: fields of `this`.
    fields: HashSet<String>,
    host: Option<String>,
    /// The variable that begins most URLs and has no value.
    base: Option<String>,
    /// Parts of scripts that stand as comments.
    comments: usize,
    /// What `on_start` does.
    starts: Vec<String>,
    /// How many variables are being looked up, each for the one before.
    depth: usize,
    constants: String,
    files: HashMap<String, usize>,
    parts: &'p mut Parts,
}

/// The variable that a URL begins with.
fn leading(url: &str) -> Option<&str> {
    url.strip_prefix("{{")?.split_once("}}").map(|(name, _)| name.trim())
}

impl Writer<'_> {
    /// Finds what the host is: that of most requests.
    fn find_host(&mut self, requests: &[Request]) {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for request in requests {
            let url = self.known(&raw_url(request.request), 0);
            let host = match leading(&url) {
                Some(name) => format!("{{{{{name}}}}}"),
                None => match Url::parse(&with_scheme(&url)) {
                    Ok(url)
                        if matches!(url.scheme(), "http" | "https") && !url.as_str().contains("%7B%7B") =>
                    {
                        url.origin().ascii_serialization()
                    }
                    _ => continue,
                },
            };
            match counts.iter_mut().find(|(known, _)| *known == host) {
                Some((_, number)) => *number += 1,
                None => counts.push((host, 1)),
            }
        }
        counts.reverse();
        match counts.into_iter().max_by_key(|(_, number)| *number).map(|(host, _)| host) {
            Some(host) if host.starts_with("{{") => {
                let name = host.trim_matches(['{', '}']).to_owned();
                self.parts.notes.add(format!("{host} has no value: the host is that of --host"));
                self.base = Some(name);
            }
            other => self.host = other,
        }
    }

    /// Text with the values of variables that are known and stay what they are.
    fn known(&self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            out.push_str(before);
            match self.variables.get(name.trim()) {
                Some(variable)
                    if depth < 5
                        && !variable.value.is_empty()
                        && !self.is_hidden(name.trim(), variable)
                        && !self.fields.contains(name.trim()) =>
                {
                    out.push_str(&self.known(&variable.value, depth + 1));
                }
                _ => out.push_str(&format!("{{{{{name}}}}}")),
            }
            rest = after;
        }
        out + rest
    }

    fn is_hidden(&self, name: &str, variable: &Variable) -> bool {
        variable.secret || is_credential(name)
    }

    /// Text with marks for its variables.
    fn marks(text: &str) -> String {
        let text: String = text.chars().filter(|c| *c != MARK && *c != MARK_END).collect();
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            match after.split_once("}}") {
                Some((name, after)) if !name.trim().is_empty() && !name.contains(['{', '"', '\n']) => {
                    out.push_str(&format!("{before}{MARK}{}{MARK_END}", hex(name.trim())));
                    rest = after;
                }
                _ => {
                    out.push_str(&format!("{before}{{{{"));
                    rest = after;
                }
            }
        }
        out + rest
    }

    /// Text of a collection as a value.
    fn text(&mut self, text: &str) -> Value {
        let marks = Self::marks(text);
        self.of_marks(&marks)
    }

    fn of_marks(&mut self, text: &str) -> Value {
        marked(text, |name| {
            let name = from_hex(name);
            self.variable(&name)
        })
    }

    /// The expression for a variable.
    fn variable(&mut self, name: &str) -> String {
        if let Some(code) = dynamic(name) {
            return code.to_owned();
        }
        if self.fields.contains(name) {
            let field = format!("this.{}", identifier(name, "value"));
            let start = self.variables.get(name).filter(|variable| !variable.value.is_empty());
            let value = match start {
                None => "\"\"".to_owned(),
                Some(variable) if self.is_hidden(name, variable) => {
                    self.parts.params.secret(name, &variable.value.clone(), "its first value").inline()
                }
                Some(variable) => text_literal(&variable.value),
            };
            let line = format!("    {field} = {value};\n");
            if !self.starts.contains(&line) {
                self.starts.push(line);
            }
            return field;
        }
        let found =
            self.variables.get(name).map(|variable| (self.is_hidden(name, variable), variable.value.clone()));
        match found {
            Some((true, value)) => self.parts.params.secret(name, &value, "").inline(),
            Some((false, value)) if !value.is_empty() => {
                let value = self.known(&value, 0);
                if value.contains("{{") && self.depth < MOST_DEPTH {
                    self.depth += 1;
                    let code = self.text(&value).inline();
                    self.depth -= 1;
                    return code;
                }
                self.parts.params.plain(name, &value, "").inline()
            }
            _ => {
                let value = self.parts.params.required(name, &format!("{{{{{name}}}}}"), "");
                let what = if name.starts_with('$') { "is not known here" } else { "has no value" };
                self.parts.notes.add(format!(
                    "the variable {{{{{name}}}}} {what}: it became the parameter {}",
                    value.inline().to_lowercase()
                ));
                value.inline()
            }
        }
    }

    /// A function of all requests outside of folders and one for each folder.
    fn functions(&mut self, requests: &[Request]) -> Vec<String> {
        let mut course = String::new();
        let mut functions: Vec<(String, String)> = Vec::new();
        let mut taken = HashSet::new();
        let mut before: Option<&[&str]> = None;
        for request in requests {
            let statements = self.request(request);
            if request.folders.is_empty() {
                course.push_str(&statements);
                before = None;
                continue;
            }
            if before != Some(&request.folders) {
                let title = request.folders.join(" / ");
                let function = unused(identifier(&title, "folder"), &mut taken);
                course.push_str(&format!(
                    "    group({}, || this.{function}());\n",
                    text_literal(&comment(&title))
                ));
                functions.push((function, String::new()));
                before = Some(&request.folders);
            }
            if let Some((_, body)) = functions.last_mut() {
                body.push_str(&statements);
            }
        }
        let mut all = vec![format!("fn iteration() {{\n{course}}}")];
        all.extend(functions.into_iter().map(|(name, body)| format!("fn {name}() {{\n{body}}}")));
        all
    }

    fn request(&mut self, request: &Request) -> String {
        let mut out = format!("    // {}\n", comment(request.name));
        for script in request.scripts.iter().filter(|script| script.before) {
            self.script(&script.text, "response", &mut out, &mut None);
        }
        let mut call = self.call(request);
        let mut after = String::new();
        let mut status = None;
        for script in request.scripts.iter().filter(|script| !script.before) {
            self.script(&script.text, "response", &mut after, &mut status);
        }
        // A status of 400 or more is a failure unless it is expected.
        call.expect = status.filter(|status| *status >= 400).map(Value::int);
        let statement = call.statement(1, None);
        if after.contains("response") {
            out.push_str(&format!("    let response = {}\n", statement.trim_start()));
        } else {
            out.push_str(&format!("{statement}\n"));
        }
        out + after.as_str()
    }

    /// What a script does, as statements and comments.
    fn script(&mut self, text: &str, response: &str, out: &mut String, status: &mut Option<i64>) {
        let mut variable = |name: &str| self.variable(name);
        let meanings = postman_script::read(text, response, &mut variable);
        for meaning in meanings {
            match meaning {
                Meaning::Check { name, condition, status: wanted } => {
                    *status = wanted.or(*status);
                    out.push_str(&format!("    check({}, {condition});\n", text_literal(&name)));
                }
                Meaning::Set { name, value } => {
                    out.push_str(&format!("    this.{} = {value};\n", identifier(&name, "value")));
                }
                Meaning::Unknown(text) => {
                    self.comments += 1;
                    out.push_str("    // Postman:\n");
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        out.push_str(&format!("    //   {}\n", uncut_comment(line)));
                    }
                }
            }
        }
    }

    fn call(&mut self, request: &Request) -> Call {
        let description = request.request;
        let mut params: Vec<(&'static str, Value)> = Vec::new();
        let (url, name, mut query) = self.url(description);
        let mut headers: Vec<(String, Value)> = Vec::new();
        let mut content_type = String::new();
        for (name, value) in headers_of(description) {
            let lower = name.trim().to_ascii_lowercase();
            if lower.contains("{{") {
                self.parts
                    .notes
                    .add(format!("left out: the header {}, whose name is a variable", comment(&name)));
            } else if lower == "content-type" {
                content_type = value;
            } else if dropped(&lower, &value) == Some(super::request::Dropped::Own) && lower != "cookie" {
                self.parts
                    .notes
                    .add(format!("left out: the header {}, which the client sets itself", comment(&lower)));
            } else if is_credential(&lower) && !value.contains("{{") && !value.is_empty() {
                let param = self.parts.params.secret(lower.trim_start_matches("x-"), &value, "");
                headers.push((lower, param));
            } else {
                let value = self.text(&value);
                headers.push((lower, value));
            }
        }
        let has_authorization = headers.iter().any(|(name, _)| name == "authorization");
        if let Some(auth) = request.auth.filter(|_| !has_authorization) {
            self.auth(auth, &mut params, &mut headers, &mut query);
        }
        let made = self.body(description.get("body"), &content_type);
        let mut query_params = Vec::new();
        if let Some(name) = name {
            query_params.push(("name", Value::text(name)));
        }
        if !query.is_empty() {
            let mut query = Value::Fields(query);
            protect(&mut query, &mut self.parts.params);
            query_params.push(("query", query));
        }
        headers.extend(made.content_type.map(|kind| ("content-type".to_owned(), Value::text(kind))));
        self.parts.notes.add_all(made.note);
        query_params.push(("headers", group(headers)));
        for (name, mut value) in made.params {
            protect(&mut value, &mut self.parts.params);
            self.resolve(&mut value, name);
            query_params.push((name, value));
        }
        query_params.append(&mut params);
        for (setting, value) in
            request.item.get("protocolProfileBehavior").and_then(Json::as_object).into_iter().flatten()
        {
            match (setting.as_str(), value) {
                ("followRedirects", Json::Bool(false)) => {
                    query_params.push(("redirects", Value::Bool(false)))
                }
                ("followRedirects" | "disableBodyPruning", _) => {}
                ("maxRedirects", Json::Number(most)) => {
                    query_params.push(("redirects", Value::Number(most.to_string())));
                }
                _ => self.parts.notes.add(format!("left out: the setting {setting} of requests")),
            }
        }
        for key in ["proxy", "certificate"] {
            if description.get(key).is_some_and(|value| !value.is_null()) {
                self.parts.notes.add(format!("left out: the {key} of a request"));
            }
        }
        let method =
            description.get("method").and_then(Json::as_str).unwrap_or("GET").trim().to_ascii_uppercase();
        let is_token =
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_token {
            self.parts.notes.add(format!("the method {} is none: GET is sent", comment(&method)));
        }
        let method = if is_token { method } else { "GET".to_owned() };
        Call { method, url, params: query_params, expect: None }
    }

    fn resolve(&mut self, value: &mut Value, name: &str) {
        each_leaf(value, name, &mut |_, leaf| {
            if let Value::Text(text) = leaf
                && text.contains(MARK)
            {
                let text = text.clone();
                *leaf = self.of_marks(&text);
            }
        });
    }

    /// The URL, the name it is counted under when it holds variables, and its query where it is a map.
    fn url(&mut self, request: &Json) -> (Value, Option<String>, Vec<(String, Value)>) {
        let mut raw = raw_url(request);
        for variable in request.pointer("/url/variable").and_then(Json::as_array).into_iter().flatten() {
            let key = variable.get("key").or(variable.get("id")).and_then(Json::as_str).unwrap_or_default();
            let value = match variable.get("value") {
                Some(Json::String(text)) => text.clone(),
                Some(Json::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            let value = if value.is_empty() { format!("{{{{{key}}}}}") } else { value };
            let (path, query) =
                raw.split_once('?').map_or((raw.as_str(), None), |(path, query)| (path, Some(query)));
            let segment = |part: &str| match part.strip_prefix(':') {
                Some(name) if name == key && !key.is_empty() => value.clone(),
                _ => part.to_owned(),
            };
            let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
            raw = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        }
        let raw = match leading(&raw) {
            Some(name) if Some(name) == self.base.as_deref() => {
                let rest = raw.split_once("}}").map_or("", |(_, rest)| rest);
                format!(
                    "{NO_HOST}{}{rest}",
                    if rest.is_empty() || rest.starts_with(['/', '?']) { "" } else { "/" }
                )
            }
            _ => {
                let (start, rest) = raw.split_at(raw.find("://").map_or(0, |at| at + 3));
                let end = rest.find('/').unwrap_or(rest.len());
                // What the host is has to be known; the rest may change.
                format!("{}{}", self.known(&format!("{start}{}", &rest[..end]), 0), &rest[end..])
            }
        };
        let raw = with_scheme(&raw);
        let marks = Self::marks(&raw);
        let authority =
            marks.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or("");
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
        let parsed = Url::parse(&marks).ok().filter(|url| is_http(url) && !authority.contains(MARK));
        let Some(url) = parsed else {
            if !authority.contains(MARK) {
                self.parts.notes.add(format!("the URL {} is none of HTTP: mend it by hand", comment(&raw)));
            }
            return (self.of_marks(&marks), None, Vec::new());
        };
        let host =
            if self.base.is_some() { NO_HOST.to_owned() } else { self.host.clone().unwrap_or_default() };
        let (path, query) = location(&url, &host, false);
        let query = match query {
            Some(mut query) => {
                self.resolve(&mut query, "query");
                match query {
                    Value::Fields(fields) => fields,
                    _ => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        let path_only = path.split('?').next().unwrap_or_default();
        let name = path_only.contains(MARK).then(|| {
            let mut name = String::new();
            for (at, part) in path_only.split(MARK).enumerate() {
                match part.split_once(MARK_END) {
                    Some((variable, rest)) if at > 0 => {
                        name.push_str(&format!("{{{}}}{rest}", from_hex(variable)))
                    }
                    _ => name.push_str(part),
                }
            }
            name
        });
        (self.of_marks(&path), name, query)
    }

    fn auth(
        &mut self,
        auth: &Json,
        params: &mut Vec<(&'static str, Value)>,
        headers: &mut Vec<(String, Value)>,
        query: &mut Vec<(String, Value)>,
    ) {
        let kind = text_of(auth, "type");
        let value = |key: &str| match auth.get(kind) {
            Some(Json::Array(pairs)) => pairs
                .iter()
                .find(|pair| text_of(pair, "key") == key)
                .map(|pair| text_of(pair, "value").to_owned())
                .unwrap_or_default(),
            Some(pairs) => text_of(pairs, key).to_owned(),
            None => String::new(),
        };
        match kind {
            "noauth" | "" => {}
            "bearer" => {
                let token = self.secret("token", &value("token"));
                params.push(("bearer", token));
            }
            "basic" | "digest" => {
                let (name, password) = (value("username"), value("password"));
                let name = if name.contains("{{") {
                    self.text(&name)
                } else {
                    self.parts.params.plain("user", &name, "")
                };
                let password = self.secret("password", &password);
                let key = if kind == "basic" { "basic" } else { "digest" };
                params.push((key, Value::Array(vec![name, password])));
            }
            "apikey" => {
                let name = value("key");
                let key = self.secret(&name, &value("value"));
                if value("in") == "query" {
                    query.push((name, key));
                } else {
                    headers.push((name.to_ascii_lowercase(), key));
                }
            }
            "oauth2" => {
                let token = value("accessToken");
                if token.is_empty() {
                    self.parts
                        .notes
                        .add("OAuth 2: get a token in on_start, or give one as the parameter token");
                }
                let token = self.secret("token", &token);
                match value("addTokenTo").as_str() {
                    "queryParams" => query.push(("access_token".to_owned(), token)),
                    _ => params.push(("bearer", token)),
                }
            }
            other => self.parts.notes.add(format!("left out: the authorization of type {}", comment(other))),
        }
    }

    /// A secret: a parameter, unless it is a variable already.
    fn secret(&mut self, name: &str, value: &str) -> Value {
        if value.contains("{{") { self.text(value) } else { self.parts.params.secret(name, value, "") }
    }

    fn body(&mut self, description: Option<&Json>, content_type: &str) -> super::body::Body {
        let kept = Some(content_type.to_owned()).filter(|kind| !kind.is_empty());
        let empty = |content_type| super::body::Body { params: Vec::new(), content_type, note: None };
        let Some(description) = description.filter(is_enabled) else { return empty(kept) };
        let with = |name, value, content_type| super::body::Body {
            params: vec![(name, value)],
            content_type,
            note: None,
        };
        match text_of(description, "mode") {
            "raw" => {
                let text = Self::marks(text_of(description, "raw"));
                if text.is_empty() {
                    return empty(kept);
                }
                let default = match description.pointer("/options/raw/language").and_then(Json::as_str) {
                    Some("json") => "application/json",
                    Some("xml") => "application/xml",
                    Some("html") => "text/html",
                    Some("javascript") => "application/javascript",
                    _ => "text/plain",
                };
                let kind = if content_type.is_empty() { default } else { content_type };
                body(kind, text.as_bytes(), &mut Uploads::default())
            }
            "urlencoded" => {
                let fields = enabled(description.get("urlencoded"));
                let fields = fields.map(|field| {
                    (text_of(field, "key").to_owned(), Value::text(Self::marks(text_of(field, "value"))))
                });
                with("form", Value::Fields(fields.collect()), None)
            }
            "formdata" => {
                let mut fields = Vec::new();
                for field in enabled(description.get("formdata")) {
                    let name = text_of(field, "key").to_owned();
                    if text_of(field, "type") != "file" {
                        if field.get("contentType").is_some_and(|kind| !kind.is_null()) {
                            self.parts
                                .notes
                                .add(format!("the form field {} is sent without its type", comment(&name)));
                        }
                        fields.push((name, Value::text(Self::marks(text_of(field, "value")))));
                        continue;
                    }
                    let sources = match field.get("src") {
                        Some(Json::Array(sources)) => sources.iter().filter_map(Json::as_str).collect(),
                        Some(Json::String(source)) => vec![source.as_str()],
                        _ => Vec::new(),
                    };
                    if sources.is_empty() {
                        self.parts
                            .notes
                            .add(format!("the file of the form field {} is not named", comment(&name)));
                    }
                    for source in sources {
                        let (content, file) = self.file(source);
                        let kind = field.get("contentType").and_then(Json::as_str);
                        fields.push((name.clone(), file_of(&content, &file, kind.or(Some(type_of(&file))))));
                    }
                }
                with("multipart", Value::Fields(fields), None)
            }
            "file" => match description.pointer("/file/src").and_then(Json::as_str) {
                Some(source) => {
                    let content = self.file(source).0;
                    with("body", content, kept)
                }
                None => {
                    self.parts.notes.add("left out: a body from a file that is not named");
                    empty(kept)
                }
            },
            "graphql" => {
                let graphql = description.get("graphql");
                let of = |key| graphql.and_then(|g| g.get(key));
                let mut fields = serde_json::Map::new();
                fields.insert("query".to_owned(), of("query").cloned().unwrap_or_default());
                let variables = match of("variables") {
                    Some(Json::String(text)) if !text.trim().is_empty() => serde_json::from_str(text).ok(),
                    Some(Json::String(_)) | None => None,
                    Some(other) => Some(other.clone()),
                };
                if variables.is_none()
                    && of("variables").and_then(Json::as_str).is_some_and(|t| !t.trim().is_empty())
                {
                    self.parts.notes.add("left out: variables of GraphQL that are not JSON");
                }
                fields.extend(variables.map(|variables| ("variables".to_owned(), variables)));
                let text = Self::marks(&Json::Object(fields).to_string());
                let kind = if content_type.is_empty() { "application/json" } else { content_type };
                body(kind, text.as_bytes(), &mut Uploads::default())
            }
            "" => empty(kept),
            other => {
                self.parts.notes.add(format!("left out: a body of the kind {}", comment(other)));
                empty(kept)
            }
        }
    }

    /// The content of a file as a constant, and its name.
    fn file(&mut self, source: &str) -> (Value, String) {
        let name = source.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        let next = self.files.len() + 1;
        let number = *self.files.entry(source.to_owned()).or_insert(next);
        if number == next {
            self.constants
                .push_str(&format!("const FILE_{number} = data::bytes({});\n", text_literal(&name)));
            self.parts.notes.add(format!("put the file {} beside the script", comment(source)));
        }
        (Value::Code(format!("FILE_{number}")), name)
    }
}

/// The type that a file of this name is sent with.
fn type_of(file: &str) -> &'static str {
    super::curl_flags::type_of(file)
}

/// The URL as it was typed.
fn raw_url(request: &Json) -> String {
    let url = match request {
        Json::String(url) => return url.trim().to_owned(),
        request => request.get("url"),
    };
    match url {
        Some(Json::String(url)) => url.trim().to_owned(),
        Some(url) if !text_of(url, "raw").is_empty() => text_of(url, "raw").trim().to_owned(),
        Some(url) => {
            let joined = |key: &str, between: &str| match url.get(key) {
                Some(Json::Array(parts)) => {
                    parts.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(between)
                }
                Some(Json::String(text)) => text.clone(),
                _ => String::new(),
            };
            let query: Vec<String> = enabled(url.get("query"))
                .map(|pair| format!("{}={}", text_of(pair, "key"), text_of(pair, "value")))
                .collect();
            let protocol = Some(text_of(url, "protocol"))
                .filter(|p| !p.is_empty())
                .map_or(String::new(), |p| format!("{p}://"));
            let port = Some(text_of(url, "port"))
                .filter(|p| !p.is_empty())
                .map_or(String::new(), |p| format!(":{p}"));
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            format!("{protocol}{}{port}/{}{query}", joined("host", "."), joined("path", "/"))
        }
        None => String::new(),
    }
}

fn with_scheme(url: &str) -> String {
    if url.contains("://") || url.starts_with("{{") { url.to_owned() } else { format!("http://{url}") }
}

/// Headers in both of the forms that they have.
fn headers_of(request: &Json) -> Vec<(String, String)> {
    match request.get("header") {
        Some(Json::String(text)) => {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
        }
        header => enabled(header)
            .map(|pair| (text_of(pair, "key").to_owned(), text_of(pair, "value").to_owned()))
            .filter(|(name, _)| !name.trim().is_empty())
            .collect(),
    }
}

/// What Postman makes up anew for each request.
fn dynamic(name: &str) -> Option<&'static str> {
    Some(match name {
        "$guid" | "$randomUUID" => "random::uuid()",
        "$timestamp" => "(time::unix_ms() / 1000)",
        "$isoTimestamp" => "time::iso()",
        "$randomInt" => "random::int(0, 1000)",
        "$randomBoolean" => "random::pick([true, false])",
        "$randomAlphaNumeric" => "random::string(1)",
        "$randomPassword" => "random::string(15)",
        "$randomIP" => {
            "`${random::int(1, 254)}.${random::int(0, 255)}.${random::int(0, 255)}.${random::int(1, 254)}`"
        }
        "$randomEmail" | "$randomExampleEmail" => "(random::string(10) + \"@example.com\")",
        "$randomUserName" => "random::string(10)",
        _ => return None,
    })
}

/// A line of a script as a comment, whole.
fn uncut_comment(line: &str) -> String {
    line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Names stand in URLs, where anything but letters and digits would be escaped.
fn hex(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> String {
    let bytes: Vec<u8> = (0..text.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
