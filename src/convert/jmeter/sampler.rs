//! HTTP samplers of a JMeter plan, with their assertions and extractors.
//!
//! Owns what one sampler sends and what is done with its answer. Leaves the tree to `jmeter`. Invariant: an assertion or
//! extractor that cannot be said is noted, and stands as a comment.

use url::Url;

use super::body::{Body, Uploads, body, file_of};
use super::jmeter::{Node, Scope, Writer, code_comment};
use super::jmeter_text::{field, marks, unhexed};
use super::jmeter_xml::Element;
use super::literal::{Value, comment, text_literal};
use super::params::{each_leaf, protect};
use super::request::{Call, Dropped, MARK, MARK_END, dropped, fields, group, location, origin, pairs};
use crate::credentials::is_credential;

/// A sampler and what holds for it.
pub(super) struct Request<'a> {
    pub(super) sampler: &'a Element,
    pub(super) scope: &'a Scope<'a>,
}

/// The host of most samplers.
pub(super) fn most_frequent_host(
    nodes: &[Node],
    variables: &super::jmeter_text::Variables,
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
pub(super) fn extracted(element: &Element) -> Vec<String> {
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
    pub(super) fn write(&self, writer: &mut Writer, indent: usize, out: &mut String) {
        let label = comment(self.sampler.attribute("testname"));
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
        if let Ok(ms) = writer.variables.known(timeout).parse::<f64>() {
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
            writer.parts.notes.add_all(super::request::query_note(&url));
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

    /// Assertions and extractors, which read the answer.
    fn after(&self, element: &Element, writer: &mut Writer, call: &mut Call, pad: &str, out: &mut String) {
        let done = match element.name.as_str() {
            "ResponseAssertion" => self.assertion(element, writer, call, pad, out),
            "DurationAssertion" => {
                element.text_of("DurationAssertion.duration").parse::<u64>().ok().map(|ms| {
                    fail_if(&format!("response.duration > {ms}"), &format!("slower than {ms} ms"), pad, out);
                })
            }
            "JSONPathAssertion" => self.json_assertion(element, writer, pad, out),
            "RegexExtractor" => self.regex(element, writer, pad, out),
            "JSONPostProcessor" => self.json(element, writer, pad, out),
            "HtmlExtractor" => self.html(element, writer, pad, out),
            "BoundaryExtractor" => {
                let (left, right) = (
                    element.text_of("BoundaryExtractor.lboundary"),
                    element.text_of("BoundaryExtractor.rboundary"),
                );
                let pattern = format!("(?s){}(.*?){}", escaped(left), escaped(right));
                let found = picked(&pattern, element.text_of("BoundaryExtractor.match_number"));
                found.map(|found| {
                    let names = [element.text_of("BoundaryExtractor.refname")];
                    assign(names[0], &found, element.text_of("BoundaryExtractor.default"), writer, pad, out);
                })
            }
            _ => None,
        };
        if done.is_none() {
            writer.note(element, "is left out: it stands as a comment");
            code_comment(element, pad, out);
        }
    }

    fn assertion(
        &self,
        element: &Element,
        writer: &mut Writer,
        call: &mut Call,
        pad: &str,
        out: &mut String,
    ) -> Option<()> {
        let kind = element.text_of("Assertion.test_type").parse::<u32>().ok()?;
        let (negated, either) = (kind & 4 != 0, kind & 32 != 0);
        let what = element.text_of("Assertion.test_field").trim_start_matches("Assertion.");
        let strings: Vec<&str> =
            element.entries("Asserion.test_strings").map(|entry| entry.text.as_str()).collect();
        if strings.is_empty() {
            return Some(());
        }
        if what == "response_code" && !negated {
            let codes: Option<Vec<i64>> = strings.iter().map(|text| text.trim().parse().ok()).collect();
            let codes = codes.filter(|codes| codes.len() == 1 || either);
            if let (Some(codes), None) = (codes, &call.expect) {
                call.expect = Some(match codes.as_slice() {
                    [one] => Value::int(*one),
                    several => Value::Array(several.iter().map(|code| Value::int(*code)).collect()),
                });
                return Some(());
            }
        }
        let mut conditions = Vec::new();
        for text in &strings {
            let value = writer.variables.value(text, &mut writer.parts.params, &mut writer.parts.notes);
            let is_fixed = matches!(value, Value::Text(_));
            let subject = match what {
                "response_data" | "response_data_as_document" => "response.body",
                "response_code" => "`${response.status}`",
                _ => return None,
            };
            let of_body = subject == "response.body";
            conditions.push(match kind & !(4 | 32) {
                8 => format!("{subject} == {}", value.inline()),
                16 => format!("{subject}.contains({})", value.inline()),
                2 if of_body && is_fixed && is_pattern(text) => {
                    format!("response.regex({}) != ()", text_literal(text))
                }
                1 if of_body && is_fixed && is_pattern(text) => {
                    format!("response.regex({}) != ()", text_literal(&format!("\\A(?:{text})\\z")))
                }
                // A text without signs of patterns is found as it is.
                2 if is_fixed && !text.contains(|c: char| "\\.[](){}*+?^$|".contains(c)) => {
                    format!("{subject}.contains({})", value.inline())
                }
                _ => return None,
            });
        }
        let fails = match (negated, either) {
            (true, false) => conditions.join(" || "),
            (true, true) => conditions.join(" && "),
            (false, false) => format!("!({})", conditions.join(" && ")),
            (false, true) => format!("!({})", conditions.join(" || ")),
        };
        let message = element.text_of("Assertion.custom_message");
        let message = if message.is_empty() { element.attribute("testname") } else { message };
        fail_if(&fails, &comment(message), pad, out);
        Some(())
    }

    fn json_assertion(
        &self,
        element: &Element,
        writer: &mut Writer,
        pad: &str,
        out: &mut String,
    ) -> Option<()> {
        let path = json_path(element.text_of("JSON_PATH"))?;
        let found = format!("response.json({})", text_literal(&path));
        let condition = if element.is_set("EXPECT_NULL") {
            format!("{found} == ()")
        } else if element.is_set("JSONVALIDATION") {
            if element.text_of("ISREGEX") != "false" {
                let text = element.text_of("EXPECTED_VALUE");
                if text.contains(|c: char| "\\[](){}*+?^$|".contains(c)) {
                    return None;
                }
            }
            let wanted = element.text_of("EXPECTED_VALUE");
            let wanted = writer.variables.value(wanted, &mut writer.parts.params, &mut writer.parts.notes);
            format!("`${{{found}}}` == {}", wanted.inline())
        } else {
            format!("{found} != ()")
        };
        let negated = if element.is_set("INVERT") { condition } else { format!("!({condition})") };
        fail_if(&negated, &comment(element.attribute("testname")), pad, out);
        Some(())
    }

    fn regex(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("RegexExtractor.{name}"));
        let pattern = of("regex");
        if !is_pattern(pattern) || pattern.contains("${") || !matches!(of("template"), "" | "$1$") {
            return None;
        }
        if !matches!(of("useHeaders"), "" | "false" | "unescaped" | "as_document") {
            return None;
        }
        let found = picked(pattern, of("match_number"))?;
        assign(of("refname"), &found, of("default"), writer, pad, out);
        Some(())
    }

    fn json(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("JSONPostProcessor.{name}"));
        let names: Vec<&str> = of("referenceNames").split(';').map(str::trim).collect();
        let paths: Option<Vec<String>> =
            of("jsonPathExprs").split(';').map(|path| json_path(path.trim())).collect();
        let paths = paths.filter(|paths| paths.len() == names.len())?;
        let numbers: Vec<&str> = of("match_numbers").split(';').map(str::trim).collect();
        if numbers.iter().any(|number| !matches!(*number, "" | "0" | "1")) {
            return None;
        }
        let defaults: Vec<&str> = of("defaultValues").split(';').collect();
        for (at, (name, path)) in names.iter().zip(paths).enumerate() {
            let found = format!("response.json({})", text_literal(&path));
            assign(name, &found, defaults.get(at).copied().unwrap_or_default(), writer, pad, out);
        }
        Some(())
    }

    fn html(&self, element: &Element, writer: &mut Writer, pad: &str, out: &mut String) -> Option<()> {
        let of = |name: &str| element.text_of(&format!("HtmlExtractor.{name}"));
        let list = format!("response.css({})", text_literal(of("expr")));
        let one = match of("match_number") {
            "" | "1" | "0" => list,
            number => {
                let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
                // The element may not be there.
                assign_nth(of("refname"), &list, number, of("attribute"), of("default"), writer, pad, out);
                return Some(());
            }
        };
        let found = match of("attribute") {
            "" => format!("{one}.text()"),
            attribute => format!("{one}.attr({})", text_literal(attribute)),
        };
        assign(of("refname"), &found, of("default"), writer, pad, out);
        Some(())
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

fn fail_if(condition: &str, message: &str, pad: &str, out: &mut String) {
    let message = if message.is_empty() { "assertion" } else { message };
    out.push_str(&format!("{pad}if {condition} {{ response.fail({}); }}\n", text_literal(message)));
}

/// A variable from an answer, with the value that it has when there is nothing.
fn assign(name: &str, found: &str, default: &str, writer: &mut Writer, pad: &str, out: &mut String) {
    let field = field(name);
    out.push_str(&format!("{pad}{field} = {found};\n"));
    let default = writer.variables.value(default, &mut writer.parts.params, &mut writer.parts.notes).inline();
    out.push_str(&format!("{pad}if {field} == () {{ {field} = {default}; }}\n"));
}

#[expect(clippy::too_many_arguments, reason = "the parts of one assignment")]
fn assign_nth(
    name: &str,
    list: &str,
    number: u32,
    attribute: &str,
    default: &str,
    writer: &mut Writer,
    pad: &str,
    out: &mut String,
) {
    let values = match attribute {
        "" => format!("{list}.texts()"),
        attribute => format!("{list}.attrs({})", text_literal(attribute)),
    };
    assign(name, &format!("{values}.get({})", number - 1), default, writer, pad, out);
}

/// What a pattern finds: the match with a number from 1, or any for 0.
fn picked(pattern: &str, number: &str) -> Option<String> {
    let pattern = text_literal(pattern);
    match number {
        "" | "1" => Some(format!("response.regex({pattern})")),
        "0" => Some(format!("random::pick(response.regex_all({pattern}))")),
        number => {
            let number = number.parse::<u32>().ok().filter(|number| *number > 0)?;
            Some(format!("response.regex_all({pattern}).get({})", number - 1))
        }
    }
}

/// Whether a pattern of Java is one here too.
fn is_pattern(pattern: &str) -> bool {
    crate::scrape::Patterns::default().first(pattern, "").is_ok()
}

/// Text as a pattern that matches it.
fn escaped(text: &str) -> String {
    super::har_correlate::escaped(text)
}

/// A path such as `$.a.b[0]['c']` as `a.b[0].c`; `None` when it asks for more.
fn json_path(path: &str) -> Option<String> {
    let mut rest = path.trim().strip_prefix('$')?;
    let mut out = String::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "_-$@".contains(c)) {
                return None;
            }
            out.push_str(&format!("{}{name}", if out.is_empty() { "" } else { "." }));
            rest = &after[end..];
        } else {
            let after = rest.strip_prefix('[')?;
            let end = after.find(']')?;
            let inner = &after[..end];
            match inner.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')) {
                Some(name) if !name.contains(['"', '\\', '\'', '`']) => {
                    out.push_str(&format!("[\"{name}\"]"))
                }
                _ => out.push_str(&format!("[{}]", inner.parse::<i64>().ok()?)),
            }
            rest = &after[end + 1..];
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_paths_that_can_be_said() {
        for (path, expected) in
            [("$.a.b", "a.b"), ("$[0].id", "[0].id"), ("$.a['b c'][-1]", "a[\"b c\"][-1]")]
        {
            assert_eq!(json_path(path).as_deref(), Some(expected));
        }
        for path in ["a.b", "$..a", "$.a[*]", "$.a[?(@.b)]", "$", "$.a[0:2]", "$.a.length()", "$['a"] {
            assert_eq!(json_path(path), None, "{path}");
        }
    }

    #[test]
    fn arguments_keep_their_variables() {
        assert_eq!(encoded("a b&${x y}/ü"), "a+b%26${x y}%2F%C3%BC");
        assert!(is_pattern("id=(.+?)") && !is_pattern("(?=a)b") && !is_pattern("(a)\\1"));
    }
}
