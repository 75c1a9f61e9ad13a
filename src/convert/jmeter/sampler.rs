//! HTTP samplers of a JMeter plan, with their assertions and extractors.
//!
//! Owns what one sampler sends and what is done with its answer. Leaves the tree to `writer`. Invariant: an assertion or
//! extractor that cannot be said is noted, and stands as a comment.

use url::Url;

use crate::convert::body::{Body, Uploads, body, file_of};
use crate::convert::jmeter::text::{marks, unhexed};
use crate::convert::jmeter::tree::Node;
use crate::convert::jmeter::writer::{Scope, Writer};
use crate::convert::jmeter::xml::Element;
use crate::convert::literal::{Value, comment};
use crate::convert::params::{each_leaf, protect};
use crate::convert::request::{
    Call, Dropped, MARK, MARK_END, dropped, fields, group, location, origin, pairs,
};
use crate::credentials::is_credential;

/// A sampler and what holds for it.
pub(in crate::convert) struct Request<'a> {
    pub(in crate::convert) sampler: &'a Element,
    pub(in crate::convert) scope: &'a Scope<'a>,
}

/// The host of most samplers.
pub(in crate::convert) fn most_frequent_host(
    nodes: &[Node],
    variables: &crate::convert::jmeter::text::Variables,
) -> Option<String> {
    fn walk<'a>(
        nodes: &'a [Node<'a>],
        outer: &[&'a Element],
        out: &mut Vec<(Vec<&'a Element>, &'a Element)>,
    ) {
        let mut defaults = outer.to_vec();
        defaults.extend(
            nodes.iter().map(|node| node.element).filter(|element| element.name == "ConfigTestElement"),
        );
        for node in nodes {
            if node.element.name.starts_with("HTTPSampler") {
                out.push((defaults.clone(), node.element));
            }
            walk(&node.below, &defaults, out);
        }
    }
    let mut samplers = Vec::new();
    walk(nodes, &[], &mut samplers);
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (defaults, sampler) in samplers {
        let Some(url) = parsed(&marks(&variables.known(&address(sampler, &defaults)))) else { continue };
        let host = origin(&url);
        match counts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, number)) => *number += 1,
            None => counts.push((host, 1)),
        }
    }
    counts.reverse();
    counts.into_iter().max_by_key(|(_, number)| *number).map(|(host, _)| host)
}

/// A URL whose host is known.
fn parsed(marks: &str) -> Option<Url> {
    let authority = marks.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let known = !authority.contains(MARK) && !authority.is_empty();
    Url::parse(marks).ok().filter(|url| known && matches!(url.scheme(), "http" | "https"))
}

/// A property of the sampler, else of the defaults nearest to it.
fn setting<'a>(sampler: &'a Element, defaults: &[&'a Element], name: &str) -> &'a str {
    let own = sampler.text_of(name);
    if !own.is_empty() {
        return own;
    }
    defaults
        .iter()
        .rev()
        .map(|element| element.text_of(name))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The URL as it is typed; without a host it begins with a slash.
fn address(sampler: &Element, defaults: &[&Element]) -> String {
    let of = |name: &str| setting(sampler, defaults, &format!("HTTPSampler.{name}")).trim().to_owned();
    let path = of("path");
    if path.starts_with("http://") || path.starts_with("https://") {
        return path;
    }
    let path = if path.starts_with('/') || path.starts_with('?') { path } else { format!("/{path}") };
    let (protocol, domain, port) = (of("protocol"), of("domain"), of("port"));
    if domain.is_empty() {
        return path;
    }
    let protocol = if protocol.is_empty() { "http" } else { &protocol };
    let port = if port.is_empty() || port == "0" { String::new() } else { format!(":{port}") };
    format!("{protocol}://{domain}{port}{path}")
}

/// The variables that an extractor sets.
pub(in crate::convert) fn extracted(element: &Element) -> Vec<String> {
    let names = match element.name.as_str() {
        "RegexExtractor" => element.text_of("RegexExtractor.refname"),
        "JSONPostProcessor" => element.text_of("JSONPostProcessor.referenceNames"),
        "HtmlExtractor" => element.text_of("HtmlExtractor.refname"),
        "BoundaryExtractor" => element.text_of("BoundaryExtractor.refname"),
        _ => return Vec::new(),
    };
    names.split(';').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// An argument of a sampler.
struct Argument {
    name: String,
    value: String,
    /// It is percent-encoded when it is sent.
    encode: bool,
    /// There is a `=` even when the value is empty.
    equals: bool,
}

impl Request<'_> {
    pub(in crate::convert) fn write(&self, writer: &mut Writer, indent: usize, out: &mut String) {
        let label = comment(self.sampler.attribute("testname"));
        writer.note_name(self.sampler);
        let mut call = self.call(writer, &label);
        let mut after = String::new();
        let pad = "    ".repeat(indent);
        for element in &self.scope.after {
            self.after(element, writer, &mut call, &pad, &mut after);
        }
        let statement = call.statement(indent, None);
        if after.lines().any(|line| !line.trim_start().starts_with("//")) {
            out.push_str(&format!("{pad}let response = {}\n", statement.trim_start()));
        } else {
            out.push_str(&format!("{statement}\n"));
        }
        out.push_str(&after);
    }

    fn is_set(&self, name: &str) -> bool {
        setting(self.sampler, &self.scope.defaults, name) == "true"
    }

    fn call(&self, writer: &mut Writer, label: &str) -> Call {
        let address = address(self.sampler, &self.scope.defaults);
        let method = setting(self.sampler, &self.scope.defaults, "HTTPSampler.method");
        let method = if method.is_empty() { "GET".to_owned() } else { method.to_ascii_uppercase() };
        let mut params: Vec<(&'static str, Value)> = vec![("name", Value::text(label))];
        let arguments = self.arguments();
        let is_raw = self.is_set("HTTPSampler.postBodyRaw")
            || (!arguments.is_empty() && arguments.iter().all(|argument| argument.name.is_empty()));
        let in_query = !is_raw && !matches!(method.as_str(), "POST" | "PUT" | "PATCH");
        let mut address = address;
        if in_query && !arguments.is_empty() {
            let query: Vec<String> = arguments.iter().map(Argument::encoded).collect();
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(&query.join("&"));
        }
        let (url, query) = self.url(&address, writer);
        params.extend(query.map(|query| ("query", query)));
        let (mut headers, content_type) = self.headers(writer);
        let files = self.files();
        let mut sent = if in_query && files.is_empty() {
            Body { params: Vec::new(), content_type: content_type.clone(), note: None }
        } else {
            self.body(writer, &arguments, is_raw, &files, content_type)
        };
        headers.extend(sent.content_type.take().map(|kind| ("content-type".to_owned(), Value::text(kind))));
        writer.parts.notes.add_all(sent.note.take());
        params.push(("headers", group(headers)));
        for (name, mut value) in sent.params {
            protect(&mut value, &mut writer.parts.params);
            self.resolve(&mut value, name, writer);
            params.push((name, value));
        }
        self.auth(writer, &mut params);
        if setting(self.sampler, &self.scope.defaults, "HTTPSampler.follow_redirects") == "false"
            && setting(self.sampler, &self.scope.defaults, "HTTPSampler.auto_redirects") != "true"
        {
            params.push(("redirects", Value::Bool(false)));
        }
        let timeout = setting(self.sampler, &self.scope.defaults, "HTTPSampler.response_timeout");
        // JMeter takes 0 for no limit.
        if let Ok(ms) = writer.variables.known(timeout).parse::<f64>()
            && ms > 0.0
        {
            params.push(("timeout", Value::Number(format!("{:?}", ms / 1000.0))));
        }
        if self.is_set("HTTPSampler.image_parser") {
            writer.note(self.sampler, "does not fetch what the page embeds: use http::batch");
        }
        let proxy = setting(self.sampler, &self.scope.defaults, "HTTPSampler.proxyHost");
        if !proxy.is_empty() {
            writer.note(self.sampler, "is sent without its proxy: use --proxy");
        }
        let is_token = method.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_token {
            writer.note(self.sampler, "has a method that is not known here: GET is sent");
        }
        let method = if is_token { method } else { "GET".to_owned() };
        Call { method, url, params, expect: None }
    }

    fn resolve(&self, value: &mut Value, name: &str, writer: &mut Writer) {
        let Writer { variables, parts, .. } = writer;
        each_leaf(value, name, &mut |_, leaf| {
            if let Value::Text(text) = leaf
                && text.contains(MARK)
            {
                *leaf = variables.of_marks(text, &mut parts.params, &mut parts.notes);
            }
        });
    }

    fn url(&self, address: &str, writer: &mut Writer) -> (Value, Option<Value>) {
        let (start, rest) = address.split_at(address.find("://").map_or(0, |at| at + 3));
        let end = if start.is_empty() { 0 } else { rest.find(['/', '?']).unwrap_or(rest.len()) };
        let known =
            format!("{}{}", writer.variables.known(&format!("{start}{}", &rest[..end])), &rest[end..]);
        // Without a host the script's counts.
        const NO_HOST: &str = "http://jmeter.invalid";
        let whole = if start.is_empty() { format!("{NO_HOST}{known}") } else { known };
        let marked = marks(&whole);
        let Some(url) = parsed(&marked) else {
            let Writer { variables, parts, .. } = writer;
            return (variables.of_marks(&marked, &mut parts.params, &mut parts.notes), None);
        };
        let host =
            if start.is_empty() { NO_HOST.to_owned() } else { writer.host.clone().unwrap_or_default() };
        let (path, mut query) = location(&url, &host, false);
        if let Some(query) = &mut query {
            writer.parts.notes.add_all(crate::convert::request::query_note(&url));
            protect(query, &mut writer.parts.params);
            self.resolve(query, "query", writer);
        }
        let mut path = Value::text(path);
        self.resolve(&mut path, "", writer);
        (path, query)
    }

    fn headers(&self, writer: &mut Writer) -> (Vec<(String, Value)>, Option<String>) {
        let mut headers: Vec<(String, Value)> = Vec::new();
        let mut content_type = None;
        let entries = self.scope.headers.iter().flat_map(|manager| manager.entries("HeaderManager.headers"));
        for entry in entries {
            let name = entry.text_of("Header.name").to_ascii_lowercase();
            let value = entry.text_of("Header.value");
            // An inner manager overrides an outer one.
            headers.retain(|(known, _)| *known != name);
            if name.is_empty() || name.contains("${") {
                writer
                    .parts
                    .notes
                    .add(format!("left out: the header {}, whose name is not known", comment(&name)));
            } else if name == "content-type" {
                content_type = Some(value.to_owned());
            } else if dropped(&name, value) == Some(Dropped::Own) && name != "cookie" && name != "host" {
                if name != "accept" {
                    writer
                        .parts
                        .notes
                        .add(format!("left out: the header {name}, which the client sets itself"));
                }
            } else if is_credential(&name) && !value.contains("${") && !value.is_empty() {
                let param = writer.parts.params.secret(name.trim_start_matches("x-"), value, "");
                headers.push((name, param));
            } else {
                let value = writer.variables.value(value, &mut writer.parts.params, &mut writer.parts.notes);
                headers.push((name, value));
            }
        }
        (headers, content_type)
    }

    fn auth(&self, writer: &mut Writer, params: &mut Vec<(&'static str, Value)>) {
        let mut entries = self.scope.auth.iter().flat_map(|manager| manager.entries("AuthManager.auth_list"));
        let Some(entry) = entries.next() else { return };
        if entries.next().is_some() {
            writer.parts.notes.add("of several authorizations, the first is used for all requests");
        }
        let (user, password) =
            (entry.text_of("Authorization.username"), entry.text_of("Authorization.password"));
        let parts = &mut *writer.parts;
        let user = match user.contains("${") {
            true => writer.variables.value(user, &mut parts.params, &mut parts.notes),
            false => parts.params.plain("user", user, ""),
        };
        let password = match password.contains("${") {
            true => writer.variables.value(password, &mut parts.params, &mut parts.notes),
            false => parts.params.secret("password", password, ""),
        };
        let kind = match entry.text_of("Authorization.mechanism") {
            "DIGEST" => "digest",
            "" | "BASIC" | "BASIC_DIGEST" => "basic",
            other => {
                parts.notes.add(format!("left out: the authorization {}", comment(other)));
                return;
            }
        };
        params.push((kind, Value::Array(vec![user, password])));
    }

    fn arguments(&self) -> Vec<Argument> {
        let arguments = self.sampler.property("HTTPsampler.Arguments");
        let mut all = Vec::new();
        for entry in arguments.into_iter().flat_map(|list| list.entries("Arguments.arguments")) {
            all.push(Argument {
                name: entry.text_of("Argument.name").to_owned(),
                // Blanks at the ends may be meant.
                value: entry.property("Argument.value").map(|value| value.text.clone()).unwrap_or_default(),
                encode: entry.is_set("HTTPArgument.always_encode"),
                equals: entry.text_of("HTTPArgument.use_equals") != "false",
            });
        }
        all
    }

    /// Files that are sent: path, name of the field, type.
    fn files(&self) -> Vec<(String, String, String)> {
        let files = self.sampler.property("HTTPsampler.Files");
        let entries = files.into_iter().flat_map(|list| list.entries("HTTPFileArgs.files"));
        entries
            .map(|file| {
                let of = |name: &str| file.text_of(name).to_owned();
                (of("File.path"), of("File.paramname"), of("File.mimetype"))
            })
            .filter(|(path, ..)| !path.is_empty())
            .collect()
    }

    fn body(
        &self,
        writer: &mut Writer,
        arguments: &[Argument],
        is_raw: bool,
        files: &[(String, String, String)],
        content_type: Option<String>,
    ) -> Body {
        let mut file = |path: &str| {
            let path = writer.variables.known(path);
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            writer.parts.notes.add(format!("put {} beside the script", comment(&path)));
            let number = writer.files.iter().position(|known| *known == name).unwrap_or_else(|| {
                writer.files.push(name.clone());
                writer.files.len() - 1
            });
            (Value::Code(format!("FILE_{}", number + 1)), name)
        };
        if let [(path, name, kind)] = files
            && name.is_empty()
        {
            let kind = content_type.or(Some(kind.clone()).filter(|kind| !kind.is_empty()));
            return Body { params: vec![("body", file(path).0)], content_type: kind, note: None };
        }
        if !files.is_empty() || self.is_set("HTTPSampler.DO_MULTIPART_POST") {
            let fields =
                arguments.iter().map(|argument| (argument.name.clone(), Value::text(marks(&argument.value))));
            let mut fields: Vec<(String, Value)> = fields.collect();
            for (path, name, kind) in files {
                let (content, file_name) = file(path);
                let kind = Some(kind.as_str()).filter(|kind| !kind.is_empty());
                fields.push((name.clone(), file_of(&content, &file_name, kind)));
            }
            return Body {
                params: vec![("multipart", Value::Fields(fields))],
                content_type: None,
                note: None,
            };
        }
        if is_raw {
            let text: String = arguments.iter().map(|argument| argument.value.as_str()).collect();
            let kind = content_type.unwrap_or_else(|| "text/plain".to_owned());
            return match text.is_empty() {
                true => Body { params: Vec::new(), content_type: Some(kind), note: None },
                false => body(&kind, marks(&text).as_bytes(), &mut Uploads::default()),
            };
        }
        if arguments.is_empty() {
            return Body { params: Vec::new(), content_type, note: None };
        }
        let text: Vec<String> = arguments.iter().map(Argument::encoded).collect();
        let text = marks(&text.join("&"));
        let kind = content_type.unwrap_or_else(|| "application/x-www-form-urlencoded".to_owned());
        match pairs(&text) {
            Some(pairs) if kind == "application/x-www-form-urlencoded" => {
                Body { params: vec![("form", fields(pairs))], content_type: None, note: None }
            }
            _ => body(&kind, text.as_bytes(), &mut Uploads::default()),
        }
    }
}

impl Argument {
    /// As it stands in a query, with variables as they are.
    fn encoded(&self) -> String {
        let equals = if self.equals || !self.value.is_empty() { "=" } else { "" };
        if !self.encode {
            return format!("{}{equals}{}", self.name, self.value);
        }
        format!("{}{equals}{}", encoded(&self.name), encoded(&self.value))
    }
}

/// Percent-encoded but for variables.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    let marked = marks(text);
    let mut rest = marked.as_str();
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    while let Some((before, after)) = rest.split_once(MARK) {
        let Some((inner, after)) = after.split_once(MARK_END) else { break };
        out.push_str(&encode(before));
        out.push_str(&format!("${{{}}}", unhexed(inner)));
        rest = after;
    }
    out + encode(rest).as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_keep_their_variables() {
        assert_eq!(encoded("a b&${x y}/ü"), "a+b%26${x y}%2F%C3%BC");
    }
}
