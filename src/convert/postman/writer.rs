//! The requests of a Postman collection as statements of the script, with their variables.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;
use url::Url;

use crate::convert::literal::{Value, comment, text_literal};
use crate::convert::names::{identifier, unused};
use crate::convert::params::{each_leaf, protect};
use crate::convert::postman::collection::{Request, Variable, headers_of, raw_url, with_scheme};
use crate::convert::postman::script::{self, Meaning};
use crate::convert::postman::{MOST_DEPTH, NO_HOST};
use crate::convert::request::{Call, MARK, MARK_END, dropped, group, location, marked};
use crate::convert::script::Parts;
use crate::credentials::is_credential;

pub(in crate::convert) struct Writer<'p> {
    pub(in crate::convert) variables: HashMap<String, Variable>,
    /// Variables that scripts set: fields of `this`.
    pub(in crate::convert) fields: HashSet<String>,
    pub(in crate::convert) host: Option<String>,
    /// The variable that begins most URLs and has no value.
    pub(in crate::convert) base: Option<String>,
    /// Parts of scripts that stand as comments.
    pub(in crate::convert) comments: usize,
    /// What `on_start` does.
    pub(in crate::convert) starts: Vec<String>,
    /// How many variables are being looked up, each for the one before.
    pub(in crate::convert) depth: usize,
    pub(in crate::convert) constants: String,
    pub(in crate::convert) files: HashMap<String, usize>,
    pub(in crate::convert) parts: &'p mut Parts,
}

/// The variable that a URL begins with.
pub(in crate::convert) fn leading(url: &str) -> Option<&str> {
    url.strip_prefix("{{")?.split_once("}}").map(|(name, _)| name.trim())
}

impl Writer<'_> {
    /// Finds what the host is: that of most requests.
    pub(in crate::convert) fn find_host(&mut self, requests: &[Request]) {
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
    pub(in crate::convert) fn known(&self, text: &str, depth: usize) -> String {
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
    pub(in crate::convert) fn marks(text: &str) -> String {
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
    pub(in crate::convert) fn text(&mut self, text: &str) -> Value {
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
    pub(in crate::convert) fn functions(&mut self, requests: &[Request]) -> Vec<String> {
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
        let meanings = script::read(text, response, &mut variable);
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
            } else if dropped(&lower, &value) == Some(crate::convert::request::Dropped::Own)
                && lower != "cookie"
            {
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
pub(in crate::convert) fn uncut_comment(line: &str) -> String {
    line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Names stand in URLs, where anything but letters and digits would be escaped.
pub(in crate::convert) fn hex(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(in crate::convert) fn from_hex(text: &str) -> String {
    let bytes: Vec<u8> = (0..text.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
