//! A browser's recording (HAR 1.2) as a script: its pages as functions, its requests in their order.
//!
//! Owns how an entry becomes a call and the calls become a script. Leaves reading to `har_read`, and values that come from
//! earlier answers to `har_correlate`. Invariant: a value that the server made up is taken from its answer, or it is
//! noted that it stands in the script.

mod correlate;
mod raw;
mod read;

pub(crate) use read::HarOptions;

use std::collections::{HashMap, HashSet};

use crate::convert::body::{Uploads, body, file, random};
use crate::convert::har::correlate::{Place, Values, is_id_like};
use crate::convert::har::read::{Entry, Recording, read};
use crate::convert::literal::{Piece, Value, comment, text_literal};
use crate::convert::names::{identifier, unused};
use crate::convert::params::authorization;
use crate::convert::params::{each_leaf, protect};
use crate::convert::problem::Problem;
use crate::convert::request::{
    Call, Dropped, MARK, MARK_END, dropped, fields, group, location, origin, query_note,
};
use crate::convert::script::{Converted, Parts, count};
use crate::credentials::is_credential;

/// Pauses inside a page shorter than this are the page's own.
const LEAST_PAUSE_MS: f64 = 2_000.0;

/// A request of the script.
struct Step {
    number: usize,
    page: usize,
    /// Seconds that the visitor waited before.
    pause: u32,
    call: Call,
    /// What the response is called, if it is kept.
    response: String,
}

/// A script of a recording.
///
/// # Errors
/// When the text is no HAR, or nothing of it is left.
pub(crate) fn convert_har(text: &str, options: &HarOptions) -> Result<Converted, Problem> {
    let mut parts = Parts { uploads: Uploads::new(options.folder.clone()), ..Parts::default() };
    let recording = read(text, options, &mut parts.notes)?;
    let Recording { entries, pages } = recording;
    let host = most_frequent(entries.iter().map(|entry| origin(&entry.url))).unwrap_or_default();
    let mut values = Values::default();
    let mut steps = Vec::new();
    let mut end_ms = f64::MAX;
    for (number, entry) in entries.iter().enumerate() {
        let first_of_page = number > 0 && entries[number - 1].page != entry.page;
        let pause = pause(entry.started_ms - end_ms, first_of_page, options.max_think);
        end_ms = entry.started_ms + entry.duration_ms;
        let call = call(entry, &host, &mut values, &mut parts);
        let resource = resource(entry);
        values.answered(number, entry, &resource);
        steps.push(Step {
            number,
            page: entry.page,
            pause,
            call,
            response: identifier(&resource, "response"),
        });
    }
    hoist_headers(&mut steps, &mut parts);
    name_headers(&mut steps, &mut parts);
    let has_cookies =
        entries.iter().any(|entry| entry.response_headers.iter().any(|(name, _)| name == "set-cookie"));
    parts.title = match pages.len() {
        1 => count(steps.len(), "recorded request"),
        several => format!("{} of {}", count(steps.len(), "recorded request"), count(several, "page")),
    };
    parts.host = Some(host);
    parts.declarations.push_str("wait(between(1, 3)); // seconds between two visits of a user\n");
    parts.functions = functions(&steps, &pages, &values, has_cookies);
    Ok(parts.assemble())
}

fn most_frequent(items: impl Iterator<Item = String>) -> Option<String> {
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for (at, item) in items.enumerate() {
        counts.entry(item).or_insert((0, usize::MAX - at)).0 += 1;
    }
    // Of equals the one that came first.
    counts.into_iter().max_by_key(|(_, rank)| *rank).map(|(item, _)| item)
}

/// Whole seconds that somebody waited.
fn pause(gap_ms: f64, between_pages: bool, most: u32) -> u32 {
    if !gap_ms.is_finite() || (!between_pages && gap_ms < LEAST_PAUSE_MS) {
        return 0;
    }
    let seconds = (gap_ms / 1000.0).round().clamp(0.0, f64::from(most));
    seconds as u32
}

/// What a request is about: the last word of its path.
fn resource(entry: &Entry) -> String {
    let mut words = entry.url.path().split('/').filter(|part| !part.is_empty() && !is_id_like(part));
    let name = words.next_back().unwrap_or("home");
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// An entry as a call; what earlier answers had is taken from them.
fn call(entry: &Entry, host: &str, values: &mut Values, parts: &mut Parts) -> Call {
    let mut params: Vec<(&'static str, Value)> = Vec::new();
    let (url, name, query) = address(entry, host, values, parts);
    if let Some(name) = name {
        params.push(("name", Value::text(name)));
    }
    params.extend(query.map(|query| ("query", query)));
    let mut headers: Vec<(String, Value)> = Vec::new();
    let mut auth: Vec<(&'static str, Value)> = Vec::new();
    let mut content_type = String::new();
    for (name, value) in &entry.headers {
        match name.as_str() {
            "content-type" => content_type.clone_from(value),
            _ if dropped(name, value) == Some(Dropped::Browser) => {
                let _ = parts.browser_headers.insert(name.clone());
            }
            _ if dropped(name, value).is_some() => {}
            "authorization" => authorize(value, entry.page, values, &mut headers, &mut auth, parts),
            _ => headers.push((name.clone(), header(name, value, entry.page, values, parts))),
        }
    }
    let mut sent = sent_body(entry, &content_type, parts);
    for (_, value) in &mut sent.0 {
        substitute(value, entry, values);
        protect(value, &mut parts.params);
    }
    headers.extend(sent.1.map(|content_type| ("content-type".to_owned(), Value::text(content_type))));
    params.push(("headers", group(headers)));
    params.append(&mut sent.0);
    params.append(&mut auth);
    Call { method: entry.method.clone(), url, params, expect: entry.status.map(Value::int) }
}

/// URL, the name it is counted under when it holds an id, and the query where it is a map.
fn address(
    entry: &Entry,
    host: &str,
    values: &mut Values,
    parts: &mut Parts,
) -> (Value, Option<String>, Option<Value>) {
    let whole = links(entry, host);
    let found = whole.iter().find_map(|link| values.find(link, Place::Link, entry.page));
    whole.iter().for_each(|link| values.sent(link));
    if let Some(code) = found {
        return (Value::Code(code), template(entry), None);
    }
    let pairs: Vec<(String, String)> = entry.url.query_pairs().into_owned().collect();
    let mut dynamic = false;
    for (name, value) in &pairs {
        dynamic |= values.find(value, Place::Field(name), entry.page).is_some() || is_clock(value, entry);
    }
    let (path, mut query) = location(&entry.url, host, dynamic);
    if let Some(query) = &mut query {
        parts.notes.add_all(query_note(&entry.url));
        substitute(query, entry, values);
        protect(query, &mut parts.params);
    }
    let (whole, inline_query) = match path.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (path, None),
    };
    let start = whole.find("://").map_or(0, |at| at + 3);
    let path_start = whole[start..].find('/').map_or(whole.len(), |at| start + at);
    let mut pieces = vec![Piece::Text(whole[..path_start].to_owned())];
    let mut name = String::new();
    let mut has_id = false;
    for segment in whole[path_start..].split('/').skip(1) {
        let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
        pieces.push(Piece::Text("/".to_owned()));
        name.push('/');
        let found = if segment.is_empty() { None } else { values.find(&decoded, Place::Path, entry.page) };
        let id = is_id_like(segment);
        match found {
            Some(code) => {
                pieces.push(Piece::Code(code));
                name.push_str("{id}");
                has_id = true;
            }
            None => {
                if id {
                    let about = "ids in paths that no earlier response contains are kept as recorded";
                    parts.notes.add(format!("{about}, the first in {}", comment(entry.url.path())));
                }
                has_id |= id;
                name.push_str(if id { "{id}" } else { segment });
                pieces.push(Piece::Text(segment.to_owned()));
                values.sent(&decoded);
            }
        }
    }
    pairs.iter().for_each(|(_, value)| values.sent(value));
    if let Some(query) = inline_query {
        pieces.push(Piece::Text(format!("?{query}")));
    }
    (Value::joined(pieces), has_id.then_some(name), query)
}

/// The URL of an entry as answers may have it: whole, and from the path on.
fn links(entry: &Entry, host: &str) -> Vec<String> {
    let whole = entry.url.as_str().to_owned();
    let own = whole.strip_prefix(host).filter(|path| path.starts_with('/')).map(str::to_owned);
    std::iter::once(whole).chain(own).collect()
}

/// The path with `{id}` for what looks like one, if there is any.
fn template(entry: &Entry) -> Option<String> {
    let path = entry.url.path();
    path.split('/').any(is_id_like).then(|| {
        let part = |part| if is_id_like(part) { "{id}" } else { part };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    })
}

/// A time of the clock in milliseconds, as pages add it so that nothing is cached.
fn is_clock(value: &str, entry: &Entry) -> bool {
    const DAY_MS: f64 = 86_400_000.0;
    value.len() == 13 && value.parse::<f64>().is_ok_and(|ms| (ms - entry.started_ms).abs() < DAY_MS)
}

/// Replaces what earlier answers had, and remembers the rest as sent.
fn substitute(value: &mut Value, entry: &Entry, values: &mut Values) {
    each_leaf(value, "", &mut |name, leaf| {
        let text = match leaf {
            Value::Text(text) | Value::Number(text) => text.clone(),
            _ => return,
        };
        if is_clock(&text, entry) {
            *leaf = Value::Code("time::unix_ms()".to_owned());
        } else if let Some(code) = values.find(&text, Place::Field(name), entry.page) {
            *leaf = Value::Code(code);
        } else if name.is_empty() {
            *leaf = in_text(&text, entry, values);
        } else {
            values.sent(&text);
        }
    });
}

/// Text that is no map: the words in it are looked at one by one.
fn in_text(text: &str, entry: &Entry, values: &mut Values) -> Value {
    let mut pieces = Vec::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        let code = if word.len() >= 8 { values.find(word, Place::Path, entry.page) } else { None };
        pieces.push(Piece::Text(rest[..start].to_owned()));
        pieces.push(code.map_or_else(|| Piece::Text(word.to_owned()), Piece::Code));
        rest = &rest[end..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Value::joined(pieces)
}

fn header(name: &str, value: &str, page: usize, values: &mut Values, parts: &mut Parts) -> Value {
    if let Some(code) = values.find(value, Place::Field(name), page) {
        return Value::Code(code);
    }
    values.sent(value);
    if is_credential(name) {
        return parts.params.secret(name.trim_start_matches("x-"), value, "");
    }
    Value::text(value)
}

fn authorize(
    value: &str,
    page: usize,
    values: &mut Values,
    headers: &mut Vec<(String, Value)>,
    auth: &mut Vec<(&'static str, Value)>,
    parts: &mut Parts,
) {
    let (scheme, token) = value.split_once(' ').unwrap_or(("", value));
    match values.find(token.trim(), Place::Field("token"), page) {
        Some(code) if scheme.eq_ignore_ascii_case("bearer") => auth.push(("bearer", Value::Code(code))),
        Some(code) => {
            let start = if scheme.is_empty() { String::new() } else { format!("{scheme} ") };
            let value = Value::joined(vec![Piece::Text(start), Piece::Code(code)]);
            headers.push(("authorization".to_owned(), value));
        }
        None => authorization(value, headers, auth, &mut parts.params),
    }
}

/// The body as parameters, and its content type where they do not set it.
type Sent = (Vec<(&'static str, Value)>, Option<String>);

fn sent_body(entry: &Entry, content_type: &str, parts: &mut Parts) -> Sent {
    let Some(post) = &entry.post else { return (Vec::new(), None) };
    let Parts { notes, uploads, .. } = parts;
    let content_type = if content_type.is_empty() { &post.content_type } else { content_type };
    let multipart = content_type.starts_with("multipart/form-data");
    if !post.bytes.is_empty() {
        let mut read = body(content_type, &post.bytes, uploads);
        let is_whole = !multipart || read.params.iter().any(|(name, _)| *name == "multipart");
        if is_whole || post.fields.is_empty() {
            if let Some(whole) = post.whole {
                let missing = whole.saturating_sub(post.bytes.len());
                let filled = missing > 0 && read.params.iter_mut().any(|(_, value)| fill(value, missing));
                let what = if filled { "; random text stands for the file" } else { "" };
                notes.add(format!(
                    "the recording has {} of the {whole} bytes that {} {} sent{what}",
                    post.bytes.len(),
                    entry.method,
                    comment(entry.url.path())
                ));
            }
            notes.add_all(read.note);
            return (read.params, read.content_type);
        }
    }
    if post.fields.is_empty() {
        let Some(whole) = post.whole else { return (Vec::new(), None) };
        let path = comment(entry.url.path());
        notes.add(format!(
            "the body of {} {path} was not recorded: random text stands for its {whole} bytes",
            entry.method
        ));
        return (
            vec![("body", random(whole))],
            Some(content_type.to_owned()).filter(|kind| !kind.is_empty()),
        );
    }
    if !multipart {
        // Some tools write nothing but the fields.
        let pairs = post.fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        return (vec![("form", fields(pairs))], None);
    }
    let mut sent = Vec::new();
    for field in &post.fields {
        let value = match &field.file_name {
            Some(name) => {
                if field.value.is_empty() {
                    notes.add(format!(
                        "the content of the file {} was not recorded: placeholder content is used",
                        comment(name)
                    ));
                }
                let content = if field.value.is_empty() { "content of the file" } else { &field.value };
                file(content.as_bytes(), name, field.content_type.as_deref(), uploads).0
            }
            None => Value::text(field.value.clone()),
        };
        sent.push((field.name.clone(), value));
    }
    (vec![("multipart", Value::Fields(sent))], None)
}

/// Puts random text into the only file of a body if it is empty: browsers leave out what files hold.
fn fill(value: &mut Value, length: usize) -> bool {
    const EMPTY: &str = "http::file(\"\", ";
    let Value::Fields(fields) = value else { return false };
    let empty = |value: &Value| matches!(value, Value::Code(code) if code.starts_with(EMPTY));
    let mut files = fields.iter_mut().filter(|(_, value)| empty(value));
    let (Some((_, Value::Code(code))), None) = (files.next(), files.next()) else { return false };
    *code = format!("http::file({}, {}", random(length).inline(), &code[EMPTY.len()..]);
    true
}

/// Headers that all requests have go into the options.
fn hoist_headers(steps: &mut [Step], parts: &mut Parts) {
    if steps.len() < 2 {
        return;
    }
    let headers = |step: &Step| match step.call.params.iter().find(|(name, _)| *name == "headers") {
        Some((_, Value::Map(headers))) => headers.clone(),
        _ => Vec::new(),
    };
    let mut common = headers(&steps[0]);
    common.retain(|(_, value)| matches!(value, Value::Text(_)));
    for step in steps.iter() {
        let own = headers(step);
        common.retain(|header| own.contains(header));
    }
    if common.is_empty() {
        return;
    }
    for step in steps {
        for (name, value) in &mut step.call.params {
            if let ("headers", Value::Map(headers)) = (*name, value) {
                headers.retain(|header| !common.contains(header));
            }
        }
    }
    parts.http.push(("headers".to_owned(), Value::Map(common)));
}

/// Headers that many requests have become a constant.
fn name_headers(steps: &mut [Step], parts: &mut Parts) {
    const MANY: usize = 3;
    let mut alike: Vec<(Value, usize)> = Vec::new();
    let is_fixed = |value: &Value| match value {
        Value::Map(headers) => {
            !headers.is_empty() && headers.iter().all(|(_, value)| matches!(value, Value::Text(_)))
        }
        _ => false,
    };
    let all = steps.iter().flat_map(|step| &step.call.params);
    for (_, value) in all.filter(|(name, value)| *name == "headers" && is_fixed(value)) {
        let full = alike.len() >= 50;
        match alike.iter_mut().find(|(known, _)| known == value) {
            Some((_, uses)) => *uses += 1,
            // Recordings of many kinds of headers are left as they are.
            None if !full => alike.push((value.clone(), 1)),
            None => {}
        }
    }
    alike.retain(|(_, uses)| *uses >= MANY);
    for (number, (headers, _)) in alike.iter().enumerate() {
        let name = if number == 0 { "HEADERS".to_owned() } else { format!("HEADERS_{}", number + 1) };
        let start = format!("const {name} = ");
        parts.constants.push_str(&format!("{start}{};\n", headers.laid_out(0, start.len() + 1)));
        for (_, value) in
            steps.iter_mut().flat_map(|step| &mut step.call.params).filter(|(key, _)| *key == "headers")
        {
            if value == headers {
                *value = Value::Code(name.clone());
            }
        }
    }
}

/// The functions: one of all requests, or one for each page and one that goes through them.
fn functions(steps: &[Step], pages: &[String], values: &Values, has_cookies: bool) -> Vec<String> {
    let names = variable_names(steps, values);
    let fresh = if has_cookies { "    http::clear_cookies(); // each visit is somebody new\n" } else { "" };
    if pages.len() == 1 {
        return vec![format!("fn iteration() {{\n{fresh}{}}}", statements(steps, values, &names))];
    }
    let mut taken = HashSet::new();
    let mut course = format!("fn iteration() {{\n{fresh}");
    let mut functions = Vec::new();
    for (page, title) in pages.iter().enumerate() {
        let own: &[Step] = {
            let start = steps.iter().position(|step| step.page == page).unwrap_or(steps.len());
            let length = steps[start..].iter().take_while(|step| step.page == page).count();
            &steps[start..start + length]
        };
        let Some(first) = own.first() else { continue };
        let function = unused(identifier(title, "home"), &mut taken);
        if first.pause > 0 && page > 0 {
            course.push_str(&format!("    sleep({});\n", first.pause));
        }
        course.push_str(&format!("    group({}, || this.{function}());\n", text_literal(&comment(title))));
        functions.push(format!("fn {function}() {{\n{}}}", statements(own, values, &names)));
    }
    functions.insert(0, format!("{course}}}"));
    functions
}

/// What each variable is called: a name of its own in one page, a field of `this` over several.
fn variable_names(steps: &[Step], values: &Values) -> Vec<String> {
    let mut taken: HashSet<String> = steps.iter().map(|step| step.response.clone()).collect();
    values
        .variables
        .iter()
        .map(|variable| {
            let name = unused(variable.name.clone(), &mut taken);
            let page = steps[variable.step].page;
            let everywhere = variable.pages.iter().any(|used| *used != page);
            if everywhere { format!("this.{name}") } else { name }
        })
        .collect()
}

/// The requests of a page, and what is taken from their answers.
fn statements(steps: &[Step], values: &Values, names: &[String]) -> String {
    let mut out = String::new();
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    for (at, step) in steps.iter().enumerate() {
        if step.pause > 0 && at > 0 {
            out.push_str(&format!("    sleep({});\n", step.pause));
        }
        let taken_out =
            values.variables.iter().zip(names).filter(|(variable, _)| variable.step == step.number);
        let taken_out: Vec<_> = taken_out.collect();
        let response = (!taken_out.is_empty()).then(|| unused(step.response.clone(), &mut taken));
        out.push_str(&named(&step.call.statement(1, response.as_deref()), names));
        out.push('\n');
        for (variable, name) in taken_out {
            let start = if name.starts_with("this.") { "" } else { "let " };
            let response = response.as_deref().unwrap_or_default();
            out.push_str(&format!("    {start}{name} = {response}{};\n", variable.expression));
        }
    }
    out
}

/// A statement with the names of its variables. Marks in it are ours: those in foreign text are escaped.
fn named(statement: &str, names: &[String]) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some((before, after)) = rest.split_once(MARK) {
        let Some((number, after)) = after.split_once(MARK_END) else { break };
        out.push_str(before);
        out.push_str(number.parse().ok().and_then(|n: usize| names.get(n)).map_or("", String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}
