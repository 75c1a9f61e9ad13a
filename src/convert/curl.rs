//! `curl …` as a script: what the flags say, and one request for each command.
//!
//! Owns the table of curl's flags. Leaves quoting to `shell`, bodies to `body`. Invariant: a flag that is not carried
//! over is either one that changes nothing about the request, or it is noted by its name.

use url::Url;

use super::body::{self, body};
use super::curl_flags::{Data, Form, Given, read};
use super::literal::Value;
use super::params::{Params, each_leaf, protect};
use super::problem::Problem;
use super::request::{Call, MARK, group, grouped, is_noise, location, marked, origin, pairs};
use super::script::{Converted, Notes, Parts, count};
use super::shell::commands;
use crate::credentials::is_credential;

/// A script of the curl commands in a text.
///
/// # Errors
/// When there is no curl command in it, or one has no URL.
pub(crate) fn convert_curl(text: &str) -> Result<Converted, Problem> {
    let mut parts = Parts::default();
    let mut requests = Vec::new();
    let mut number = 0;
    for words in commands(text) {
        // What a documentation shows before a command, and variables set for it.
        let is_before = |word: &&String| *word == "$" || *word == "%" || is_assignment(word);
        let skipped = words.iter().take_while(is_before).count();
        let Some((program, arguments)) = words[skipped..].split_first() else { continue };
        let file = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        if file != "curl" && file != "curl.exe" {
            other_program(program, text)?;
            parts.notes.add(format!("left out: the command '{}'", plain(program)));
            continue;
        }
        number += 1;
        let Some(of_command) = read(arguments, &mut parts.notes) else {
            return Err(format!(
                "curl command {number} has no URL; add one, as in curl http://127.0.0.1:8000/"
            )
            .into());
        };
        requests.extend(of_command);
    }
    if requests.is_empty() {
        return Err(
            "no curl command found; it must start with `curl`, as from a browser's \"Copy as cURL\"".into()
        );
    }
    let urls: Vec<Url> = requests.iter().map(|request| url(&request.url)).collect::<Result<_, _>>()?;
    let host = origin(&urls[0]);
    let mut lines = Vec::new();
    for (request, url) in requests.into_iter().zip(urls) {
        let statement = statement(request, &url, &host, &mut parts)?;
        lines.push(statement);
    }
    parts.title = format!("{} of curl", count(lines.len(), "request"));
    parts.host = Some(host);
    parts.declarations.insert_str(0, "wait(between(1, 3)); // seconds between two iterations of a user\n");
    parts.functions.push(format!("fn iteration() {{\n{}\n}}", lines.join("\n")));
    Ok(parts.assemble())
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with('-')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Other forms that browsers copy a request in.
fn other_program(program: &str, text: &str) -> Result<(), String> {
    let powershell = text.contains("Invoke-WebRequest") || text.contains("Invoke-RestMethod");
    if powershell || program.starts_with("fetch(") {
        let what = if powershell { "a PowerShell command" } else { "a call of fetch" };
        return Err(format!("this is {what}; choose \"Copy as cURL\" in the browser"));
    }
    Ok(())
}

/// Marks as the shell writes variables.
fn plain(text: &str) -> String {
    text.replace(MARK, "$").replace(super::request::MARK_END, "")
}

fn url(text: &str) -> Result<Url, String> {
    // curl guesses the scheme too.
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let rest = whole.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains(MARK) {
        return Err(format!("the host of {} is a shell variable; write out the URL", plain(text)));
    }
    let url = Url::parse(&whole).map_err(|error| format!("invalid URL {}: {error}", plain(text)))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => {
            Err(format!("the URL {} has the scheme {other}; only http and https are supported", plain(text)))
        }
    }
}

/// The statement of one request; what holds for the whole run goes into the options.
fn statement(mut request: Given, url: &Url, host: &str, parts: &mut Parts) -> Result<String, String> {
    let Parts { notes, params, constants, http, .. } = parts;
    let mut out: Vec<(&'static str, Value)> = Vec::new();
    let mut headers: Vec<(String, Value)> = Vec::new();

    let (path, mut query) = location(url, host, request.data_in_query && !request.data.is_empty());
    if request.data_in_query {
        let text: Vec<String> =
            std::mem::take(&mut request.data).iter().map(|data| data.as_text(notes)).collect();
        add_to_query(&text.join("&"), &mut query, notes);
    }
    if let Some(query) = &mut query {
        protect(query, params);
    }
    out.extend(query.map(|query| ("query", query)));

    if let (Some(user), None) = (Some(url.username()).filter(|user| !user.is_empty()), &request.user) {
        request.user = Some(format!("{user}:{}", url.password().unwrap_or_default()));
    }
    let content_type = read_headers(&request, url, &mut headers, &mut out, params);
    let body = request_body(&mut request, content_type.as_deref(), constants, notes)?;
    if let Some(content_type) = body.content_type {
        headers.push(("content-type".to_owned(), Value::text(content_type)));
    }
    if let Some(note) = body.note {
        notes.add(note);
    }
    out.push(("headers", group(headers)));
    for (name, mut value) in body.params {
        protect(&mut value, params);
        out.push((name, value));
    }
    if let Some(user) = &request.user {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        let pair = [params.plain("user", name, ""), params.secret("password", password, "")];
        out.push((if request.digest { "digest" } else { "basic" }, Value::Array(pair.into())));
    }
    out.extend(request.params.iter().map(|(name, value)| (*name, value.clone())));
    for (name, value) in request.http {
        if !http.iter().any(|(known, _)| *known == name) {
            http.push((name, value));
        }
    }
    let mut call = Call { method: request.method, url: Value::text(path), params: out, expect: None };
    resolve_variables(&mut call, params, notes);
    Ok(call.statement(1, None))
}

/// Data that `-G` moves into the query.
fn add_to_query(text: &str, query: &mut Option<Value>, notes: &mut Notes) {
    let Some(pairs) = pairs(text) else {
        if !text.is_empty() {
            notes.add("left out: data of -G that is not name=value");
        }
        return;
    };
    match (query.take(), grouped(pairs)) {
        (Some(Value::Map(mut before)), Value::Map(more)) => {
            before.extend(more);
            *query = Some(group(before));
        }
        (_, more) => *query = Some(more),
    }
}

/// The headers that matter; returns the content type, which belongs to the body.
fn read_headers(
    request: &Given,
    url: &Url,
    headers: &mut Vec<(String, Value)>,
    out: &mut Vec<(&'static str, Value)>,
    params: &mut Params,
) -> Option<String> {
    let mut content_type = request.content_type.map(str::to_owned);
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        let own_host = || {
            url.host_str().is_some_and(|host| {
                value.eq_ignore_ascii_case(host) || value.starts_with(&format!("{host}:"))
            })
        };
        match lower.as_str() {
            "content-type" => content_type = Some(value.clone()),
            "cookie" => {
                let cookie = params.secret("cookie", value, "the header that the browser sent");
                headers.push((lower, cookie));
            }
            "host" if !own_host() => headers.push((lower, Value::text(value.clone()))),
            "authorization" => authorization(value, headers, out, params),
            _ if is_noise(&lower, value) => {}
            _ if is_credential(&lower) && !value.contains(MARK) => {
                let param = params.secret(lower.trim_start_matches("x-"), value, "");
                headers.push((lower, param));
            }
            _ => headers.push((lower, Value::text(value.clone()))),
        }
    }
    content_type
}

/// The header as `bearer` or `basic`, where it is one of them.
pub(super) fn authorization(
    value: &str,
    headers: &mut Vec<(String, Value)>,
    out: &mut Vec<(&'static str, Value)>,
    params: &mut Params,
) {
    use base64::Engine as _;
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        let token = if rest.contains(MARK) {
            Value::text(rest)
        } else {
            params.secret("token", rest, "bearer token")
        };
        out.push(("bearer", token));
        return;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(rest)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if scheme.eq_ignore_ascii_case("basic")
        && let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':'))
    {
        out.push((
            "basic",
            Value::Array(vec![params.plain("user", user, ""), params.secret("password", password, "")]),
        ));
        return;
    }
    let value = if value.contains(MARK) {
        Value::text(value)
    } else {
        params.secret("authorization", value, "the whole header")
    };
    headers.push(("authorization".to_owned(), value));
}

/// What `-d`, `-F` and `-T` send.
fn request_body(
    request: &mut Given,
    content_type: Option<&str>,
    constants: &mut String,
    notes: &mut Notes,
) -> Result<body::Body, String> {
    let mut constant = |function: &str, name: &str, notes: &mut Notes| {
        let constant = format!("FILE_{}", constants.matches("const FILE_").count() + 1);
        constants
            .push_str(&format!("const {constant} = data::{function}({});\n", Value::text(name).inline()));
        notes.add(format!(
            "{} is read when the script is loaded: it must be in or below the script's folder",
            plain(name)
        ));
        Value::Code(constant)
    };
    if !request.form.is_empty() {
        let mut fields = Vec::new();
        for Form { name, content } in std::mem::take(&mut request.form) {
            let value = match content {
                Data::Text(text) => Value::text(text),
                Data::Upload { file, name, content_type } => {
                    let content = constant("bytes", &file, notes);
                    body::file_of(&content, &name, content_type.as_deref())
                }
                Data::File(file) | Data::EncodedFile { file, .. } => constant("text", &file, notes),
            };
            fields.push((name, value));
        }
        return Ok(body::Body { params: vec![("multipart", group(fields))], content_type: None, note: None });
    }
    let data = std::mem::take(&mut request.data);
    let form = "application/x-www-form-urlencoded";
    match data.as_slice() {
        [] => Ok(body::Body { params: vec![], content_type: content_type.map(str::to_owned), note: None }),
        [Data::File(file)] => {
            let content = constant("text", file, notes);
            let content_type = content_type.unwrap_or(form).to_owned();
            Ok(body::Body { params: vec![("body", content)], content_type: Some(content_type), note: None })
        }
        [Data::Upload { file, .. }] => {
            let content = constant("bytes", file, notes);
            Ok(body::Body {
                params: vec![("body", content)],
                content_type: content_type.map(str::to_owned),
                note: None,
            })
        }
        several => {
            let text: Vec<String> = several.iter().map(|data| data.as_text(notes)).collect();
            Ok(body(content_type.unwrap_or(form), text.join(request.data_joiner).as_bytes()))
        }
    }
}

/// Variables of the shell become parameters.
fn resolve_variables(call: &mut Call, params: &mut Params, notes: &mut Notes) {
    let mut see = |_: &str, leaf: &mut Value| {
        if let Value::Text(text) = leaf
            && text.contains(MARK)
        {
            *leaf = marked(text, |name| {
                notes.add(format!("the shell variable ${name} became the parameter {}", name.to_lowercase()));
                params.required(name, &format!("${name}"), "").inline()
            });
        }
    };
    each_leaf(&mut call.url, "", &mut see);
    for (name, value) in &mut call.params {
        each_leaf(value, name, &mut see);
    }
}
