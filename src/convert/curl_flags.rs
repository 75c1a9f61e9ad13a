//! The flags of curl, and what they make of a request.
//!
//! Owns the tables. Invariant: each flag is in exactly one of them, or it is noted as unknown.

use super::literal::Value;
use super::script::Notes;

/// What the flags of one request say.
#[derive(Clone, Default)]
pub(super) struct Given {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Vec<Data>,
    /// Between two pieces of data.
    pub(super) data_joiner: &'static str,
    pub(super) data_in_query: bool,
    pub(super) content_type: Option<&'static str>,
    pub(super) form: Vec<Form>,
    /// `user:password`.
    pub(super) user: Option<String>,
    pub(super) digest: bool,
    /// Further parameters of the request.
    pub(super) params: Vec<(&'static str, Value)>,
    /// Settings of the whole run.
    pub(super) http: Vec<(String, Value)>,
    explicit_method: Option<String>,
    head: bool,
    upload: bool,
}

/// A piece of what is sent.
#[derive(Clone)]
pub(super) enum Data {
    Text(String),
    File(String),
    /// A file whose content is to be encoded, with what stands before it.
    EncodedFile {
        name: String,
        file: String,
    },
    /// A file that is sent as such.
    Upload {
        file: String,
        name: String,
        content_type: Option<String>,
    },
}

/// A field of `-F`.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) content: Data,
}

impl Data {
    /// The text, where it is known here.
    pub(super) fn as_text(&self, notes: &mut Notes) -> String {
        match self {
            Data::Text(text) => text.clone(),
            Data::File(file) | Data::EncodedFile { file, .. } | Data::Upload { file, .. } => {
                notes.add(format!("left out: the file {file} as one of several pieces of data"));
                match self {
                    Data::EncodedFile { name, .. } if !name.is_empty() => format!("{name}="),
                    _ => String::new(),
                }
            }
        }
    }
}

/// Short flags and what they are called when written out.
const SHORT: &[(char, &str)] = &[
    ('X', "request"),
    ('H', "header"),
    ('d', "data"),
    ('F', "form"),
    ('u', "user"),
    ('b', "cookie"),
    ('A', "user-agent"),
    ('e', "referer"),
    ('m', "max-time"),
    ('x', "proxy"),
    ('T', "upload-file"),
    ('E', "cert"),
    ('o', "output"),
    ('w', "write-out"),
    ('c', "cookie-jar"),
    ('K', "config"),
    ('r', "range"),
    ('D', "dump-header"),
    ('L', "location"),
    ('G', "get"),
    ('k', "insecure"),
    ('s', "silent"),
    ('S', "show-error"),
    ('i', "include"),
    ('I', "head"),
    ('v', "verbose"),
    ('f', "fail"),
    ('g', "globoff"),
    ('N', "no-buffer"),
    ('#', "progress-bar"),
    ('O', "remote-name"),
    ('J', "remote-header-name"),
    ('0', "http1.0"),
    ('4', "ipv4"),
    ('6', "ipv6"),
    ('Z', "parallel"),
    ('q', "disable"),
    ('j', "junk-session-cookies"),
    ('R', "remote-time"),
    ('n', "netrc"),
    ('U', "proxy-user"),
    ('z', "time-cond"),
    ('C', "continue-at"),
    ('y', "speed-time"),
    ('Y', "speed-limit"),
    ('V', "version"),
    ('p', "proxytunnel"),
];

/// Flags that are carried over and take a value.
const WITH_VALUE: &[&str] = &[
    "request",
    "header",
    "data",
    "data-raw",
    "data-ascii",
    "data-binary",
    "data-urlencode",
    "form",
    "form-string",
    "user",
    "cookie",
    "user-agent",
    "referer",
    "max-time",
    "proxy",
    "upload-file",
    "cert",
    "url",
    "url-query",
    "json",
    "oauth2-bearer",
    "resolve",
    "connect-timeout",
    "cacert",
    "max-redirs",
    "range",
];

/// Flags that are carried over and take none.
const WITHOUT: &[&str] =
    &["get", "head", "insecure", "digest", "basic", "http1.0", "http1.1", "http2", "http2-prior-knowledge"];

/// Flags that change what curl shows or keeps, or say what is so anyway, and take no value.
const WITHOUT_EFFECT: &[&str] = &[
    "location",
    "location-trusted",
    "silent",
    "show-error",
    "include",
    "verbose",
    "fail",
    "fail-with-body",
    "fail-early",
    "globoff",
    "no-buffer",
    "progress-bar",
    "no-progress-meter",
    "remote-name",
    "remote-header-name",
    "remote-time",
    "compressed",
    "disable",
    "junk-session-cookies",
    "parallel",
    "path-as-is",
    "tcp-nodelay",
    "no-keepalive",
    "styled-output",
    "show-headers",
    "no-silent",
    "create-dirs",
    "post301",
    "post302",
    "post303",
    "trace-time",
];

/// The same with a value.
const VALUE_WITHOUT_EFFECT: &[&str] = &[
    "output",
    "output-dir",
    "write-out",
    "cookie-jar",
    "dump-header",
    "stderr",
    "trace",
    "trace-ascii",
    "keepalive-time",
    "max-filesize",
    "parallel-max",
];

/// Flags with a value that are noted and left out.
const LEFT_OUT_WITH_VALUE: &[&str] = &[
    "config",
    "proxy-user",
    "time-cond",
    "continue-at",
    "speed-time",
    "speed-limit",
    "limit-rate",
    "retry",
    "retry-delay",
    "retry-max-time",
    "key",
    "key-type",
    "cert-type",
    "pass",
    "ciphers",
    "tls-max",
    "interface",
    "noproxy",
    "unix-socket",
    "abstract-unix-socket",
    "connect-to",
    "dns-servers",
    "proxy-header",
    "socks5",
    "socks5-hostname",
    "socks4",
    "preproxy",
    "aws-sigv4",
    "netrc-file",
    "capath",
    "pinnedpubkey",
    "local-port",
    "hsts",
    "alt-svc",
    "request-target",
    "variable",
    "expand-data",
    "rate",
    "etag-save",
    "etag-compare",
    "tls13-ciphers",
    "curves",
    "engine",
    "doh-url",
    "expect100-timeout",
    "happy-eyeballs-timeout-ms",
];

/// The requests of one command; `--next` begins another. `None` when one has no URL.
pub(super) fn read(arguments: &[String], notes: &mut Notes) -> Option<Vec<Given>> {
    let mut requests = Vec::new();
    for arguments in arguments.split(|word| word == "--next" || word == "-:") {
        let (given, urls) = read_one(arguments, notes);
        if urls.is_empty() {
            return None;
        }
        for url in urls {
            let mut request = given.clone();
            request.url = url;
            request.method = given.method();
            requests.push(request);
        }
    }
    Some(requests)
}

fn read_one(arguments: &[String], notes: &mut Notes) -> (Given, Vec<String>) {
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
            if takes_value(name) {
                let value = value.or_else(|| words.next().cloned());
                given.set(name, value.unwrap_or_default(), &mut urls, notes);
            } else {
                given.switch(name, notes);
            }
        } else {
            let mut rest = word[1..].chars();
            while let Some(short) = rest.next() {
                let Some((_, name)) = SHORT.iter().find(|(known, _)| *known == short) else {
                    notes.add(format!("left out: unknown flag -{short}"));
                    continue;
                };
                if takes_value(name) {
                    let value = Some(rest.as_str().to_owned()).filter(|rest| !rest.is_empty());
                    let value = value.or_else(|| words.next().cloned()).unwrap_or_default();
                    given.set(name, value, &mut urls, notes);
                    break;
                }
                given.switch(name, notes);
            }
        }
    }
    (given, urls)
}

fn takes_value(name: &str) -> bool {
    WITH_VALUE.contains(&name) || VALUE_WITHOUT_EFFECT.contains(&name) || LEFT_OUT_WITH_VALUE.contains(&name)
}

impl Given {
    fn set(&mut self, name: &str, value: String, urls: &mut Vec<String>, notes: &mut Notes) {
        let setting = |name: &str, value: Value| (name.to_owned(), value);
        match name {
            "url" => urls.push(value),
            "request" => self.explicit_method = Some(value.to_ascii_uppercase()),
            "header" => self.header(&value, notes),
            "user-agent" => self.headers.push(("user-agent".to_owned(), value)),
            "referer" => self.headers.push(("referer".to_owned(), value)),
            "oauth2-bearer" => self.headers.push(("authorization".to_owned(), format!("Bearer {value}"))),
            "range" => self.headers.push(("range".to_owned(), format!("bytes={value}"))),
            "cookie" if value.contains('=') => self.headers.push(("cookie".to_owned(), value)),
            "cookie" if value.is_empty() => {}
            "cookie" => notes.add(format!("left out: the cookies in the file {value}")),
            "user" => self.user = Some(value),
            "data" | "data-ascii" | "data-binary" | "json" => {
                if name == "json" {
                    self.content_type = Some("application/json");
                    self.data_joiner = "";
                }
                self.data.push(match value.strip_prefix('@') {
                    Some(file) if name == "data-binary" => upload(file),
                    Some(file) => Data::File(file.to_owned()),
                    None => Data::Text(value),
                });
            }
            "data-raw" => self.data.push(Data::Text(value)),
            "data-urlencode" => self.data.push(urlencoded(&value)),
            "url-query" => {
                self.data_in_query |= self.data.is_empty();
                self.data.push(urlencoded(&value));
            }
            "form" | "form-string" => self.field(&value, name == "form", notes),
            "upload-file" => {
                self.upload = true;
                self.data.push(upload(&value));
            }
            "max-time" => self.params.push(("timeout", seconds(&value))),
            "connect-timeout" => self.http.push(setting("connect_timeout", seconds(&value))),
            "max-redirs" => match value.parse::<i64>() {
                Ok(most) if most >= 0 => self.params.push(("redirects", Value::int(most))),
                _ => {}
            },
            "proxy" => {
                let url = if value.contains("://") { value } else { format!("http://{value}") };
                self.http.push(setting("proxy", Value::text(url)));
            }
            "cacert" => self.http.push(setting("ca_file", Value::text(value))),
            "cert" => self.http.push(setting("client_cert", Value::text(value))),
            "resolve" => match value.splitn(3, ':').collect::<Vec<_>>().as_slice() {
                [host, port, address] => {
                    let address = address.split(',').next().unwrap_or_default();
                    let map = vec![((*host).to_owned(), Value::text(format!("{address}:{port}")))];
                    self.http.push(setting("resolve", Value::Map(map)));
                }
                _ => notes.add(format!("left out: --resolve {value}, which is not host:port:address")),
            },
            _ if LEFT_OUT_WITH_VALUE.contains(&name) => notes.add(format!("left out: the flag --{name}")),
            // What curl shows or keeps is not for a script.
            _ => {}
        }
    }

    fn switch(&mut self, name: &str, notes: &mut Notes) {
        match name {
            "get" => self.data_in_query = true,
            "head" => self.head = true,
            "digest" => self.digest = true,
            "basic" => self.digest = false,
            "insecure" => self.http.push(("insecure".to_owned(), Value::Bool(true))),
            "http1.0" | "http1.1" => self.params.push(("http_version", Value::text("1.1"))),
            "http2" | "http2-prior-knowledge" => self.params.push(("http_version", Value::text("2"))),
            _ if WITHOUT_EFFECT.contains(&name) => {}
            _ => {
                let known = SHORT.iter().any(|(_, known)| *known == name) || WITHOUT.contains(&name);
                let why = if known { "" } else { ", which is not known" };
                notes.add(format!("left out: the flag --{name}{why}"));
            }
        }
    }

    fn header(&mut self, text: &str, notes: &mut Notes) {
        match text.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                // `name:` takes a header away.
                if !value.trim().is_empty() {
                    self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
            // `:authority: x`, as Chrome once wrote it.
            Some(_) => {}
            None if text.starts_with('@') => {
                notes.add(format!("left out: the headers in the file {}", &text[1..]))
            }
            None => {
                if let Some(name) = text.strip_suffix(';') {
                    self.headers.push((name.trim().to_owned(), String::new()));
                }
            }
        }
    }

    fn field(&mut self, text: &str, special: bool, notes: &mut Notes) {
        let Some((name, value)) = text.split_once('=') else {
            notes.add(format!("left out: the form field '{text}', which has no value"));
            return;
        };
        let content = match value.chars().next() {
            Some(mark @ ('@' | '<')) if special => {
                let mut parts = value[1..].split(';');
                let file = parts.next().unwrap_or_default().trim_matches('"').to_owned();
                let mut file_name = file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
                let mut content_type = None;
                for part in parts {
                    match part.trim().split_once('=') {
                        Some(("filename", name)) => file_name = name.trim_matches('"').to_owned(),
                        Some(("type", kind)) => content_type = Some(kind.to_owned()),
                        _ => {}
                    }
                }
                match mark {
                    '@' => Data::Upload { file, name: file_name, content_type },
                    _ => Data::File(file),
                }
            }
            _ => Data::Text(value.to_owned()),
        };
        self.form.push(Form { name: name.to_owned(), content });
    }

    fn method(&self) -> String {
        let implied = match () {
            () if self.head => "HEAD",
            () if self.upload => "PUT",
            () if !self.form.is_empty() || (!self.data.is_empty() && !self.data_in_query) => "POST",
            () => "GET",
        };
        let valid =
            |method: &&String| method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        self.explicit_method.as_ref().filter(valid).map_or(implied.to_owned(), Clone::clone)
    }
}

fn upload(file: &str) -> Data {
    let name = file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    Data::Upload { file: file.to_owned(), name, content_type: None }
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`.
fn urlencoded(value: &str) -> Data {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match value.find(['=', '@']) {
        Some(at) if value[at..].starts_with('@') => {
            Data::EncodedFile { name: value[..at].to_owned(), file: value[at + 1..].to_owned() }
        }
        Some(0) => Data::Text(encode(&value[1..])),
        Some(at) => Data::Text(format!("{}={}", &value[..at], encode(&value[at + 1..]))),
        None => Data::Text(encode(value)),
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
