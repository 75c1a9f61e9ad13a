//! One request of curl as a statement of the script, with what only a shell knows as a parameter.

use url::Url;

use crate::convert::body::{self, body, essence};
use crate::convert::curl::is_browser;
use crate::convert::curl::reader::{Data, Form, Given};
use crate::convert::curl::shell::{Reading, Shell, Unknown};
use crate::convert::literal::Value;
use crate::convert::params::authorization;
use crate::convert::params::{Params, each_leaf, protect};
use crate::convert::request::{Call, Dropped, MARK, dropped, group, location, marked, query_note, unmarked};
use crate::convert::script::{Notes, Parts};
use crate::credentials::is_credential;

/// Files that are read, as constants.
#[derive(Default)]
pub(in crate::convert) struct Files {
    pub(in crate::convert) constants: String,
    pub(in crate::convert) known: Vec<(String, Option<Reading>)>,
}

impl Files {
    /// The constant for a file's bytes, or for its text.
    fn constant(&mut self, path: &str, part: Option<Reading>, notes: &mut Notes) -> String {
        let key = (path.to_owned(), part);
        let number = self.known.iter().position(|known| *known == key).unwrap_or_else(|| {
            let path = Value::text(path).inline();
            let text = format!("data::text({path})");
            let value = match part {
                None => format!("data::bytes({path})"),
                Some(Reading::Whole) => text,
                Some(Reading::Trimmed) => format!("without_last_newlines({text})"),
                Some(Reading::OneLine) => format!("without_newlines({text})"),
                Some(Reading::Encoded) => format!("form_encoded({text})"),
            };
            self.constants.push_str(&format!("const FILE_{} = {value};\n", self.known.len() + 1));
            self.known.push(key);
            self.known.len() - 1
        });
        notes.add(format!(
            "{path} is read when the script is loaded: it must be in or below the script's folder"
        ));
        format!("FILE_{}", number + 1)
    }

    /// What the constants call.
    pub(in crate::convert) fn functions(&self) -> Vec<String> {
        let uses = |part| self.known.iter().any(|(_, known)| *known == Some(part));
        let mut functions = Vec::new();
        if uses(Reading::Trimmed) {
            functions.push(
                "// As the shell's $(cat FILE).\n\
                 fn without_last_newlines(text) {\n    while text.ends_with(\"\\n\") { text.pop(); }\n    text\n}",
            );
        }
        if uses(Reading::OneLine) {
            functions.push(
                "// As curl's -d @FILE.\n\
                 fn without_newlines(text) {\n    text.replace(\"\\r\", \"\");\n    text.replace(\"\\n\", \"\");\n    text\n}",
            );
        }
        if uses(Reading::Encoded) {
            functions.push(
                "// As curl's --data-urlencode @FILE.\n\
                 fn form_encoded(text) {\n    let encoded = encoding::url_encode(text);\n    encoded.replace(\"%20\", \"+\");\n    encoded\n}",
            );
        }
        functions.into_iter().map(str::to_owned).collect()
    }
}

/// Writes the requests.
pub(in crate::convert) struct Writer<'a> {
    pub(in crate::convert) host: &'a str,
    pub(in crate::convert) shell: &'a mut Shell,
    pub(in crate::convert) parts: &'a mut Parts,
    pub(in crate::convert) files: Files,
}

/// The content type that curl sends with `-d`.
const FORM: &str = "application/x-www-form-urlencoded";

impl Writer<'_> {
    /// The statement of one request.
    pub(in crate::convert) fn statement(&mut self, mut request: Given, url: &Url) -> Result<String, String> {
        let mut out: Vec<(&'static str, Value)> = Vec::new();
        let mut headers: Vec<(String, Value)> = Vec::new();
        let (path, mut query) = location(url, self.host, false);
        if let Some(query) = &mut query {
            protect(query, &mut self.parts.params);
            self.parts.notes.add_all(query_note(url));
        }
        out.extend(query.map(|query| ("query", query)));
        if let (Some(user), None) = (Some(url.username()).filter(|user| !user.is_empty()), &request.user) {
            request.user = Some(format!("{user}:{}", url.password().unwrap_or_default()));
        }
        self.note_url(&request, url);
        if request.http2 && url.scheme() == "http" {
            self.parts.notes.add("left out: --http2 on http, which asks for an upgrade: HTTP/1.1 is used");
        }
        let content_type = self.headers(&request, url, &mut headers, &mut out);
        let body = self.body(&mut request, content_type.as_deref());
        headers.extend(body.content_type.map(|kind| ("content-type".to_owned(), Value::text(kind))));
        self.parts.notes.add_all(body.note);
        out.push(("headers", group(headers)));
        for (name, mut value) in body.params {
            protect(&mut value, &mut self.parts.params);
            out.push((name, value));
        }
        if let Some(user) = request.user.as_ref().filter(|_| !has_header(&request, "authorization")) {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let params = &mut self.parts.params;
            let name = if name.contains(MARK) { Value::text(name) } else { params.plain("user", name, "") };
            let password = if password.contains(MARK) || user.ends_with(':') {
                Value::text(password)
            } else {
                params.secret("password", password, "")
            };
            out.push((if request.digest { "digest" } else { "basic" }, Value::Array(vec![name, password])));
        }
        // The last of several counts.
        for (name, value) in request.params.drain(..) {
            out.retain(|(known, _)| *known != name);
            out.push((name, value));
        }
        let mut call = Call { method: request.method, url: Value::text(path), params: out, expect: None };
        self.resolve(&mut call);
        Ok(call.statement(1, None))
    }

    /// Notes where the client writes a URL in another way than it was typed.
    fn note_url(&mut self, request: &Given, url: &Url) {
        let typed = request.url.split_once("://").map_or(request.url.as_str(), |(_, rest)| rest);
        let typed = typed.split('#').next().unwrap_or_default();
        let typed = &typed[typed.find(['/', '?']).unwrap_or(typed.len())..];
        let sent = unmarked(&url[url::Position::BeforePath..url::Position::AfterQuery]);
        let is_same = sent.starts_with(typed) || sent == format!("/{typed}");
        if !is_same {
            let (typed, sent) = (self.shell.shown(typed), self.shell.shown(&sent));
            self.parts.notes.add(format!("{typed} of a URL is sent as {sent}"));
        }
    }

    /// The headers that matter; returns the content type, which belongs to the body.
    fn headers(
        &mut self,
        request: &Given,
        url: &Url,
        headers: &mut Vec<(String, Value)>,
        out: &mut Vec<(&'static str, Value)>,
    ) -> Option<String> {
        let Parts { notes, params, browser_headers, .. } = &mut *self.parts;
        let browser = is_browser(request);
        let mut content_type = request.content_type.map(str::to_owned);
        if content_type.is_some() && !has_header(request, "accept") {
            // What --json says too.
            headers.push(("accept".to_owned(), Value::text("application/json")));
        }
        for name in &request.removed {
            if matches!(name.as_str(), "accept" | "user-agent" | "host") && !has_header(request, name) {
                notes.add(format!("left out: -H '{name}:', since every request has this header"));
            }
        }
        let mut cookies = request.cookies.clone();
        for (name, value) in &request.headers {
            let own_host = || {
                let port = url.port().map_or(String::new(), |port| format!(":{port}"));
                url.host_str().is_some_and(|host| value.eq_ignore_ascii_case(&format!("{host}{port}")))
            };
            match (name.as_str(), dropped(name, value)) {
                ("content-type", _) => {
                    if content_type
                        .as_ref()
                        .is_some_and(|known| known != value && request.content_type.is_none())
                    {
                        notes.add("left out: a second content-type of one request");
                    }
                    content_type = Some(value.clone());
                }
                ("cookie", _) => cookies.push(value.clone()),
                (name, _) if name.contains(MARK) => {
                    notes.add(format!(
                        "left out: the header {}, whose name is not known",
                        self.shell.shown(name)
                    ));
                }
                ("host", _) if !own_host() => headers.push((name.clone(), Value::text(value.clone()))),
                ("host", _) => {}
                ("authorization", _) => authorization(value, headers, out, params),
                // The client sends this one.
                ("accept", Some(Dropped::Own)) => {}
                (_, Some(Dropped::Browser)) if browser => {
                    let _ = browser_headers.insert(name.clone());
                }
                (_, Some(Dropped::Own)) if browser => {}
                (_, Some(Dropped::Own)) => {
                    notes.add(format!("left out: the header {name}, which the client sets itself"));
                }
                _ if is_credential(name) && !value.contains(MARK) && !value.is_empty() => {
                    let param = params.secret(name.trim_start_matches("x-"), value, "");
                    headers.push((name.clone(), param));
                }
                _ => headers.push((name.clone(), Value::text(value.clone()))),
            }
        }
        if !cookies.is_empty() {
            let cookies = cookies.join(";");
            let value = if cookies.contains(MARK) {
                Value::text(cookies)
            } else {
                params.secret("cookie", &cookies, "the whole header")
            };
            headers.push(("cookie".to_owned(), value));
        }
        content_type
    }

    /// What `-d`, `-F` and `-T` send.
    fn body(&mut self, request: &mut Given, content_type: Option<&str>) -> body::Body {
        let removed = request.removed.iter().any(|name| name == "content-type") && content_type.is_none();
        if !request.form.is_empty() {
            let fields =
                std::mem::take(&mut request.form).into_iter().map(|field| self.field(field)).collect();
            return body::Body {
                params: vec![("multipart", Value::Fields(fields))],
                content_type: None,
                note: None,
            };
        }
        let kept = content_type.map(str::to_owned);
        let raw = |value: Value, content_type: Option<String>| body::Body {
            params: vec![("body", value)],
            content_type: content_type.filter(|kind| !kind.is_empty()),
            note: None,
        };
        let default = || (!removed && !request.uploads).then(|| FORM.to_owned());
        match request.data.as_slice() {
            [] => body::Body { params: vec![], content_type: kept, note: None },
            [Data::File(file)] => {
                let content = self.files.constant(file, None, &mut self.parts.notes);
                raw(Value::Code(content), kept.or_else(default))
            }
            several => {
                let mut pieces = Vec::new();
                for data in several {
                    pieces.push(match data {
                        Data::Text(text) => text.clone(),
                        Data::File(path) => {
                            let path = path.clone();
                            self.shell.mark(Unknown::File { path, part: Reading::Whole })
                        }
                    });
                }
                let text = pieces.join(request.data_joiner);
                match kept.or_else(default).filter(|kind| !kind.is_empty()) {
                    Some(kind) if !self.is_raw(&text, &kind) => {
                        let mut body = body(&kind, text.as_bytes(), &mut body::Uploads::default());
                        for (name, value) in &mut body.params {
                            if *name == "form" {
                                self.decode(value);
                            }
                        }
                        body
                    }
                    kind => raw(Value::text(text), kind),
                }
            }
        }
    }

    /// Whether files stand in a body that would be written differently in a map.
    fn is_raw(&self, text: &str, kind: &str) -> bool {
        let is_form = essence(kind) == FORM;
        self.marks(text).any(|unknown| match unknown {
            Unknown::File { part: Reading::Encoded, .. } => !is_form,
            Unknown::File { .. } => is_form,
            _ => false,
        })
    }

    fn marks(&self, text: &str) -> impl Iterator<Item = &Unknown> {
        let numbers = text
            .split(MARK)
            .skip(1)
            .filter_map(|rest| rest.split(crate::convert::request::MARK_END).next()?.parse().ok());
        let numbers: Vec<usize> = numbers.collect();
        numbers.into_iter().filter_map(|number| self.shell.unknown.get(number))
    }

    /// A map encodes by itself.
    fn decode(&mut self, form: &mut Value) {
        let shell = &mut *self.shell;
        each_leaf(form, "", &mut |_, leaf| {
            if let Value::Text(text) = leaf {
                for number in 0..shell.unknown.len() {
                    let Some(Unknown::File { path, part: Reading::Encoded }) =
                        shell.unknown.get(number).cloned()
                    else {
                        continue;
                    };
                    let encoded = format!("{MARK}{number}{}", crate::convert::request::MARK_END);
                    if text.contains(&encoded) {
                        let plain = shell.mark(Unknown::File { path, part: Reading::Whole });
                        *text = text.replace(&encoded, &plain);
                    }
                }
            }
        });
    }

    fn field(&mut self, field: Form) -> (String, Value) {
        let Form { name, content, file_name, content_type } = field;
        let content = match content {
            Data::Text(text) => Value::text(text),
            Data::File(file) => Value::Code(self.files.constant(&file, None, &mut self.parts.notes)),
        };
        let content = match (content, &file_name) {
            // Inside of http::file it is an expression already.
            (Value::Text(text), Some(_)) => self.text(&text),
            (content, _) => content,
        };
        let value = match file_name {
            Some(file_name) => {
                body::file_of(&content, &self.shell.shown(&file_name), content_type.as_deref())
            }
            None => content,
        };
        (name, value)
    }

    /// What only the shell knows becomes parameters.
    fn resolve(&mut self, call: &mut Call) {
        let mut see = |_: &str, leaf: &mut Value| {
            if let Value::Text(text) = leaf
                && text.contains(MARK)
            {
                let text = text.clone();
                *leaf = self.text(&text);
            }
        };
        each_leaf(&mut call.url, "", &mut see);
        for (name, value) in &mut call.params {
            each_leaf(value, name, &mut see);
        }
    }

    /// Text with what stands for its marks.
    fn text(&mut self, text: &str) -> Value {
        let Writer { shell, parts, files, .. } = self;
        marked(text, |number| {
            let Some(unknown) = number.parse::<usize>().ok().and_then(|number| shell.unknown.get(number))
            else {
                return "\"\"".to_owned();
            };
            parameter(unknown, &mut parts.params, &mut parts.notes, files)
        })
    }
}

/// The expression for what only the shell knows.
pub(in crate::convert) fn parameter(
    unknown: &Unknown,
    params: &mut Params,
    notes: &mut Notes,
    files: &mut Files,
) -> String {
    let shown = unknown.shown();
    match unknown {
        Unknown::File { path, part } => files.constant(path, Some(*part), notes),
        Unknown::Output(command) => match command.as_str() {
            "uuidgen" => "random::uuid()".to_owned(),
            "date +%s" => "(time::unix_ms() / 1000)".to_owned(),
            "date +%s%3N" => "time::unix_ms()".to_owned(),
            _ => {
                let program = command.split_whitespace().next().unwrap_or_default();
                let value = params.required(program, &shown, "");
                notes.add(format!(
                    "the output of `{command}` became the parameter {}, one value for the whole run",
                    value.inline().to_lowercase()
                ));
                value.inline()
            }
        },
        Unknown::Variable { name, default, .. } => {
            let value = match default {
                Some(default) if !is_credential(name) => params.plain(name, default, ""),
                _ => params.required(name, &shown, ""),
            };
            notes.add(format!(
                "the shell variable {shown} became the parameter {}",
                value.inline().to_lowercase()
            ));
            value.inline()
        }
    }
}

pub(in crate::convert) fn has_header(request: &Given, wanted: &str) -> bool {
    request.headers.iter().any(|(name, _)| name == wanted)
}
