//! The arguments of curl as requests: what each flag makes of one.
//!
//! Leaves the tables of flags to `flags`. Invariant: a flag changes the request, or it is one that changes nothing about it,
//! or it is noted by its name.

use crate::convert::body::type_of;
use crate::convert::curl::flags::{
    LEFT_OUT, SHORT, VALUE_WITHOUT_EFFECT, WITHOUT_EFFECT, takes_value, whole_name,
};
use crate::convert::curl::glob::expanded;
use crate::convert::curl::shell::{Input, Reading, Shell, Unknown};
use crate::convert::literal::Value;
use crate::convert::script::Notes;

/// What the flags of one request say.
#[derive(Clone, Default)]
pub(in crate::convert) struct Given {
    pub(in crate::convert) method: String,
    pub(in crate::convert) url: String,
    /// In the order in which they were given, names in lower case.
    pub(in crate::convert) headers: Vec<(String, String)>,
    /// Headers that curl was told not to send.
    pub(in crate::convert) removed: Vec<String>,
    pub(in crate::convert) cookies: Vec<String>,
    /// Pieces of the body, as they are sent.
    pub(in crate::convert) data: Vec<Data>,
    /// Between two pieces of data.
    pub(in crate::convert) data_joiner: &'static str,
    /// Pieces for the query.
    pub(in crate::convert) query: Vec<String>,
    pub(in crate::convert) content_type: Option<&'static str>,
    pub(in crate::convert) form: Vec<Form>,
    /// `user:password`.
    pub(in crate::convert) user: Option<String>,
    pub(in crate::convert) digest: bool,
    pub(in crate::convert) http2: bool,
    /// The body is that of `-T`, which has no content type by itself.
    pub(in crate::convert) uploads: bool,
    /// Redirects are followed.
    pub(in crate::convert) location: bool,
    /// Cookies of answers are kept.
    pub(in crate::convert) keeps_cookies: bool,
    /// Further parameters of the request.
    pub(in crate::convert) params: Vec<(&'static str, Value)>,
    /// Settings of the whole run.
    pub(in crate::convert) http: Vec<(String, Value)>,
    data_in_query: bool,
    explicit_method: Option<String>,
    head: bool,
    upload: Option<String>,
    globoff: bool,
}

/// A piece of what is sent.
#[derive(Clone)]
pub(in crate::convert) enum Data {
    /// Text, with marks for files in it.
    Text(String),
    /// A file that is sent as it is.
    File(String),
}

/// A field of `-F`.
#[derive(Clone)]
pub(in crate::convert) struct Form {
    pub(in crate::convert) name: String,
    pub(in crate::convert) content: Data,
    /// What the file is called, where the field is one.
    pub(in crate::convert) file_name: Option<String>,
    pub(in crate::convert) content_type: Option<String>,
}

/// Reads the flags of one command.
pub(in crate::convert) struct Reader<'a> {
    pub(in crate::convert) shell: &'a mut Shell,
    pub(in crate::convert) notes: &'a mut Notes,
    /// What the command reads from its standard input: a file or text, or why that is not known.
    pub(in crate::convert) input: Result<Input, String>,
}

impl Reader<'_> {
    /// The requests of one command; `--next` begins another. Nothing when one has no URL.
    ///
    /// # Errors
    /// When curl would refuse the command, or what it sends cannot be known.
    pub(in crate::convert) fn requests(&mut self, arguments: &[String]) -> Result<Vec<Given>, String> {
        let mut requests = Vec::new();
        for arguments in arguments.split(|word| word == "--next" || word == "-:") {
            let (mut given, urls) = self.flags(arguments)?;
            let upload = given.upload.take();
            given.method = given.method(upload.is_some(), self.notes)?;
            if urls.is_empty() {
                return Ok(Vec::new());
            }
            for url in urls {
                let shown = self.shell.shown(&url);
                let urls = if given.globoff {
                    vec![url]
                } else {
                    expanded(&url)
                        .map_err(|why| format!("the URL {shown} {why}; with -g it is taken as it stands"))?
                };
                for url in urls {
                    let mut request = given.clone();
                    request.url = match &upload {
                        Some(file) => self.upload(file, url, &mut request)?,
                        None => url,
                    };
                    requests.push(request);
                }
            }
        }
        Ok(requests)
    }

    fn flags(&mut self, arguments: &[String]) -> Result<(Given, Vec<String>), String> {
        let mut given = Given { data_joiner: "&", ..Given::default() };
        let mut urls = Vec::new();
        let mut words = arguments.iter();
        let mut only_urls = false;
        while let Some(word) = words.next() {
            if only_urls || word == "-" || !word.starts_with('-') {
                urls.push(word.clone());
            } else if word == "--" {
                only_urls = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let name = whole_name(name);
                if takes_value(name) {
                    let value =
                        value.or_else(|| words.next().cloned()).ok_or(format!("--{name} has no value"))?;
                    self.set(&mut given, name, value, &mut urls)?;
                } else {
                    self.switch(&mut given, name);
                }
            } else {
                let mut rest = word[1..].chars();
                while let Some(short) = rest.next() {
                    let Some((_, name)) = SHORT.iter().find(|(known, _)| *known == short) else {
                        self.notes.add(format!("left out: unknown flag -{short}"));
                        continue;
                    };
                    if takes_value(name) {
                        let value = Some(rest.as_str().to_owned()).filter(|rest| !rest.is_empty());
                        let value = value
                            .or_else(|| words.next().cloned())
                            .ok_or(format!("-{short} has no value"))?;
                        self.set(&mut given, name, value, &mut urls)?;
                        break;
                    }
                    self.switch(&mut given, name);
                }
            }
        }
        Ok((given, urls))
    }

    fn set(
        &mut self,
        given: &mut Given,
        name: &str,
        value: String,
        urls: &mut Vec<String>,
    ) -> Result<(), String> {
        let setting = |name: &str, value: Value| (name.to_owned(), value);
        match name {
            "url" => urls.push(value),
            "request" => given.explicit_method = Some(value),
            "header" => self.header(given, &value),
            "user-agent" => self.header(given, &format!("user-agent:{value}")),
            "referer" => {
                let (referer, auto) = match value.split_once(";auto") {
                    Some((referer, _)) => (referer, true),
                    None => (value.as_str(), false),
                };
                if auto {
                    self.notes.add("left out: ';auto' of -e, the referer after a redirect");
                }
                if !referer.is_empty() {
                    given.headers.push(("referer".to_owned(), referer.to_owned()));
                }
            }
            "oauth2-bearer" => given.headers.push(("authorization".to_owned(), format!("Bearer {value}"))),
            "range" => {
                // curl takes a lone number as the first byte that is wanted.
                let open = if value.bytes().all(|b| b.is_ascii_digit()) { "-" } else { "" };
                given.headers.push(("range".to_owned(), format!("bytes={value}{open}")));
            }
            "cookie" if value.contains('=') => given.cookies.push(value),
            "cookie" => {
                given.keeps_cookies = true;
                if !value.is_empty() {
                    self.notes.add(format!(
                        "left out: the cookies in the file {}; those that responses set are kept",
                        self.shell.shown(&value)
                    ));
                }
            }
            "cookie-jar" => given.keeps_cookies = true,
            "user" => given.user = Some(value),
            "data" | "data-ascii" | "data-binary" | "json" => {
                if name == "json" {
                    given.content_type = Some("application/json");
                    given.data_joiner = "";
                }
                let data = match value.strip_prefix('@') {
                    Some(file) => self.file(
                        file,
                        if name.starts_with("data-b") || name == "json" {
                            Reading::Whole
                        } else {
                            Reading::OneLine
                        },
                    )?,
                    None => Data::Text(value),
                };
                given.data.push(data);
            }
            "data-raw" => given.data.push(Data::Text(value)),
            "data-urlencode" => {
                let text = self.urlencoded(&value)?;
                given.data.push(Data::Text(text));
            }
            "url-query" => {
                let text = match value.strip_prefix('+') {
                    Some(raw) => raw.to_owned(),
                    None => self.urlencoded(&value)?,
                };
                given.query.push(text);
            }
            "form" | "form-string" => self.field(given, &value, name == "form")?,
            "upload-file" => {
                if given.upload.replace(value).is_some() {
                    return Err(
                        "a command with several -T cannot be converted; write a command for each".to_owned()
                    );
                }
            }
            // curl takes it for no limit.
            "max-time" | "connect-timeout" if value.parse() == Ok(0.0) => {}
            "max-time" => given.params.push(("timeout", seconds(&value))),
            "connect-timeout" => given.http.push(setting("connect_timeout", seconds(&value))),
            "max-redirs" => match value.parse::<i64>() {
                Ok(most) if most >= 0 => given.params.push(("redirects", Value::int(most))),
                _ => self.notes.add(format!("left out: --max-redirs {value}")),
            },
            // An empty one turns off what the environment says, which is not read here.
            "proxy" if value.is_empty() => {}
            "proxy" => {
                let url = if value.contains("://") { value } else { format!("http://{value}") };
                let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
                if matches!(scheme, "http" | "https" | "socks5" | "socks5h") {
                    given.http.push(setting("proxy", Value::text(url)));
                } else {
                    self.notes.add(format!("left out: the proxy {url}, which is none of HTTP or SOCKS5"));
                }
            }
            "socks5" => given.http.push(setting("proxy", Value::text(format!("socks5://{value}")))),
            "socks5-hostname" => given.http.push(setting("proxy", Value::text(format!("socks5h://{value}")))),
            "cacert" => given.http.push(setting("ca_file", Value::text(value))),
            "cert" => {
                let (file, password) = value.split_once(':').unwrap_or((&value, ""));
                if !password.is_empty() {
                    self.notes.add("left out: the password of the client certificate");
                }
                given.http.push(setting("client_cert", Value::text(file)));
            }
            "resolve" => {
                let entry = value.trim_start_matches(['+', '-']);
                match entry.splitn(3, ':').collect::<Vec<_>>().as_slice() {
                    [host, port, address] if *host != "*" => {
                        let address = address.split(',').next().unwrap_or_default();
                        let map = vec![((*host).to_owned(), Value::text(format!("{address}:{port}")))];
                        given.http.push(setting("resolve", Value::Map(map)));
                    }
                    _ => {
                        self.notes.add(format!("left out: --resolve {value}, which is not host:port:address"))
                    }
                }
            }
            // What curl shows or keeps is not for a script.
            _ if VALUE_WITHOUT_EFFECT.contains(&name) => {}
            _ => self.notes.add(format!("left out: the flag --{name}")),
        }
        Ok(())
    }

    fn switch(&mut self, given: &mut Given, name: &str) {
        match name {
            "get" => given.data_in_query = true,
            "head" => given.head = true,
            "digest" => given.digest = true,
            "basic" => given.digest = false,
            "globoff" => given.globoff = true,
            "location" => given.location = true,
            "location-trusted" => {
                given.location = true;
                self.notes.add("left out: --location-trusted: a redirect to another host is followed without credentials");
            }
            "insecure" => given.http.push(("insecure".to_owned(), Value::Bool(true))),
            "http1.0" => {
                self.notes.add("--http1.0: HTTP/1.1 is used");
                given.params.push(("http_version", Value::text("1.1")));
            }
            "http1.1" => given.params.push(("http_version", Value::text("1.1"))),
            "http2" => given.http2 = true,
            "http2-prior-knowledge" => given.params.push(("http_version", Value::text("2"))),
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => {
                let why = if LEFT_OUT.contains(&name) { "" } else { ", which is not known" };
                self.notes.add(format!("left out: the flag --{name}{why}"));
            }
        }
    }

    fn header(&mut self, given: &mut Given, text: &str) {
        match text.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                let name = name.trim().to_ascii_lowercase();
                // `name:` takes a header away.
                if value.trim().is_empty() {
                    given.removed.push(name);
                } else {
                    given.headers.push((name, value.trim().to_owned()));
                }
            }
            // `:authority: x`, as Chrome once wrote it.
            Some(_) => {}
            None if text.starts_with('@') => {
                self.notes.add(format!("left out: the headers in the file {}", self.shell.shown(&text[1..])));
            }
            None => match text.strip_suffix(';') {
                Some(name) => given.headers.push((name.trim().to_ascii_lowercase(), String::new())),
                None => {
                    self.notes.add(format!("left out: -H '{}', which has no colon", self.shell.shown(text)))
                }
            },
        }
    }

    /// A file of `-d @…`; `-` is the standard input.
    fn file(&mut self, path: &str, part: Reading) -> Result<Data, String> {
        if path != "-" {
            return Ok(match part {
                Reading::Whole => Data::File(self.path(path)?),
                part => Data::Text(self.content(path, part)?),
            });
        }
        Ok(match (self.input.clone()?, part) {
            (Input::File(path), Reading::Whole) => Data::File(self.path(&path)?),
            (Input::File(path), part) => Data::Text(self.content(&path, part)?),
            (Input::Text(text), Reading::OneLine) => Data::Text(text.replace(['\r', '\n', '\0'], "")),
            (Input::Text(text), _) => Data::Text(text),
            (Input::Later(_), _) => Data::Text(String::new()),
        })
    }

    fn path(&self, path: &str) -> Result<String, String> {
        if path.contains(crate::convert::request::MARK) {
            return Err(format!(
                "the name of the file {} is not known; write it out",
                self.shell.shown(path)
            ));
        }
        Ok(path.to_owned())
    }

    fn content(&mut self, path: &str, part: Reading) -> Result<String, String> {
        let path = self.path(path)?;
        Ok(self.shell.mark(Unknown::File { path, part }))
    }

    /// `content`, `=content`, `name=content`, `@file` or `name@file`.
    fn urlencoded(&mut self, value: &str) -> Result<String, String> {
        let encode = |text: &str| {
            use crate::convert::request::{MARK, MARK_END};
            // As curl does, and with the marks as they are.
            let mut out = String::new();
            let mut marked = false;
            for c in text.chars() {
                marked = (marked || c == MARK) && c != MARK_END;
                match c {
                    c if marked || c == MARK_END || c.is_ascii_alphanumeric() || "-._~".contains(c) => {
                        out.push(c)
                    }
                    ' ' => out.push('+'),
                    c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("%{b:02X}"))),
                }
            }
            out
        };
        let named = |name: &str, text: String| if name.is_empty() { text } else { format!("{name}={text}") };
        Ok(match value.find(['=', '@']) {
            Some(at) if value[at..].starts_with('@') => {
                let text = match &value[at + 1..] {
                    "-" => match self.file("-", Reading::Encoded)? {
                        Data::Text(text) if text.contains(crate::convert::request::MARK) => text,
                        Data::Text(text) => encode(&text),
                        Data::File(_) => String::new(),
                    },
                    path => self.content(path, Reading::Encoded)?,
                };
                named(&value[..at], text)
            }
            Some(at) => named(&value[..at], encode(&value[at + 1..])),
            None => encode(value),
        })
    }

    fn field(&mut self, given: &mut Given, text: &str, special: bool) -> Result<(), String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!(
                "the form field '{}' has no value: write name=value",
                self.shell.shown(text)
            ));
        };
        let mut form = Form {
            name: name.to_owned(),
            content: Data::Text(value.to_owned()),
            file_name: None,
            content_type: None,
        };
        if special {
            let mark = value.chars().next().filter(|c| matches!(c, '@' | '<'));
            let mut parts = parameters(&value[usize::from(mark.is_some())..]).into_iter();
            let content = parts.next().unwrap_or_default();
            if mark == Some('@') && content.contains(',') {
                return Err(format!("the form field {name} has several files: write a field for each"));
            }
            if mark.is_none() && content.starts_with('(') {
                return Err(format!("the form field {name} has parts of its own, which cannot be converted"));
            }
            for part in parts {
                match part.split_once('=') {
                    Some(("filename", name)) => form.file_name = Some(name.to_owned()),
                    Some(("type", kind)) => form.content_type = Some(kind.to_owned()),
                    _ => self
                        .notes
                        .add(format!("left out: ';{}' of the form field {name}", self.shell.shown(&part))),
                }
            }
            form.content = match mark {
                None => Data::Text(content.clone()),
                Some('@') => self.file(&content, Reading::Whole)?,
                Some(_) => match self.file(&content, Reading::Whole)? {
                    Data::File(path) => Data::Text(self.content(&path, Reading::Whole)?),
                    text => text,
                },
            };
            if mark == Some('@') {
                let own_name = || content.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                form.content_type.get_or_insert_with(|| type_of(&content).to_owned());
                form.file_name.get_or_insert_with(own_name);
            }
        }
        if form.file_name.is_none()
            && let Some(kind) = form.content_type.take()
        {
            self.notes.add(format!("the form field {name} is sent without its type {kind}"));
        }
        given.form.push(form);
        Ok(())
    }

    /// The URL that a file is sent to: its name is added where the URL ends with a slash.
    fn upload(&mut self, file: &str, url: String, given: &mut Given) -> Result<String, String> {
        if file != "-" && file.contains(['{', '[']) && !given.globoff {
            return Err(format!("-T {file} stands for several files; write a command for each"));
        }
        given.uploads = true;
        if file == "-" || file == "." {
            self.notes.add("-T - is sent with its length; curl sends it in chunks");
        }
        given.data = vec![self.file(if file == "." { "-" } else { file }, Reading::Whole)?];
        let (start, rest) = url.split_once("://").unwrap_or(("http", &url));
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        if file == "-" || file == "." || (path.contains('/') && !path.ends_with('/')) {
            return Ok(url);
        }
        let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = percent_encoding::utf8_percent_encode(name, UNRESERVED);
        let slash = if path.contains('/') { "" } else { "/" };
        Ok(format!("{start}://{path}{slash}{name}{after}"))
    }
}

/// What is not escaped in the name of a file.
const UNRESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands between semicolons, outside of quotes.
fn parameters(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    let mut start = true;
    while let Some(c) = chars.next() {
        let first = parts.len() == 1;
        let Some(part) = parts.last_mut() else { break };
        match c {
            '"' if start || part.ends_with('=') => {
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => part.extend(chars.next()),
                        c => part.push(c),
                    }
                }
            }
            ';' => {
                parts.push(String::new());
                start = true;
                continue;
            }
            c if c.is_whitespace() && start && !first => continue,
            c => part.push(c),
        }
        start = false;
    }
    parts
}

impl Given {
    /// The method, and where the data goes.
    fn method(&mut self, uploads: bool, notes: &mut Notes) -> Result<String, String> {
        if self.data_in_query {
            for data in std::mem::take(&mut self.data) {
                match data {
                    Data::Text(text) => self.query.push(text),
                    Data::File(file) => return Err(format!("-G with the file {file} cannot be converted")),
                }
            }
        }
        let kinds = [self.head, uploads, !self.form.is_empty(), !self.data.is_empty()];
        if kinds.iter().filter(|given| **given).count() > 1 {
            return Err("only one of -I, -T, -F and -d can be in a request".to_owned());
        }
        let implied = match kinds {
            [true, ..] => "HEAD",
            [_, true, ..] => "PUT",
            [_, _, true, _] | [.., true] => "POST",
            _ => "GET",
        };
        let Some(method) = &self.explicit_method else { return Ok(implied.to_owned()) };
        if method.is_empty()
            || !method.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        {
            return Err(format!("'{method}' of -X is not a method"));
        }
        let upper = method.to_ascii_uppercase();
        if upper != *method {
            notes.add(format!("the method {method} is sent as {upper}"));
        }
        if self.location && !matches!(upper.as_str(), "GET" | "HEAD") {
            notes.add("after a redirect the method is that of browsers; curl keeps the method of -X");
        }
        Ok(upper)
    }
}

/// A time as curl writes it.
fn seconds(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e9 => Value::int(number as i64),
        Ok(number) if number.is_finite() => Value::Number(format!("{number:?}")),
        _ => Value::text(text),
    }
}
