//! What a request of Postman carries: its authorization, its body, and files.

use serde_json::Value as Json;

use crate::convert::body::{Uploads, body, file_of, type_of};
use crate::convert::literal::{Value, comment, text_literal};
use crate::convert::postman::collection::{Variable, enabled, is_enabled, text_of};
use crate::convert::postman::writer::Writer;

impl Writer<'_> {
    pub(in crate::convert) fn auth(
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
    /// A value that is a credential, and so are the variables that it is made of.
    fn secret(&mut self, name: &str, value: &str) -> Value {
        if !value.contains("{{") {
            return self.parts.params.secret(name, value, "");
        }
        for name in value.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim())) {
            let new = || Variable { value: String::new(), secret: true };
            self.variables.entry(name.to_owned()).or_insert_with(new).secret = true;
        }
        self.text(value)
    }

    pub(in crate::convert) fn body(
        &mut self,
        description: Option<&Json>,
        content_type: &str,
    ) -> crate::convert::body::Body {
        let kept = Some(content_type.to_owned()).filter(|kind| !kind.is_empty());
        let empty =
            |content_type| crate::convert::body::Body { params: Vec::new(), content_type, note: None };
        let Some(description) = description.filter(is_enabled) else { return empty(kept) };
        let with = |name, value, content_type| crate::convert::body::Body {
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
                let query = of("query").cloned().unwrap_or_default();
                let variables = match of("variables") {
                    Some(Json::String(text)) if text.trim().is_empty() => None,
                    Some(Json::String(text)) => Some(text.clone()),
                    other => other.map(Json::to_string),
                };
                // Postman fills in variables first: `{"n": {{n}}}` is JSON then.
                let is_json = |text: &String| {
                    let filled = Self::filled(text);
                    serde_json::from_str::<Json>(&filled).is_ok()
                };
                if variables.as_ref().is_some_and(|text| !is_json(text)) {
                    self.parts.notes.add("left out: variables of GraphQL that are not JSON");
                }
                let text = match variables.filter(is_json) {
                    Some(variables) => {
                        // On one line where that changes nothing.
                        let plain = serde_json::from_str::<Json>(&variables).map(|value| value.to_string());
                        format!("{{\"query\":{query},\"variables\":{}}}", plain.unwrap_or(variables))
                    }
                    None => format!("{{\"query\":{query}}}"),
                };
                let text = Self::marks(&text);
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

    /// Text with a number for each variable.
    fn filled(text: &str) -> String {
        let mut parts = text.split("{{");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.split_once("}}") {
                Some((_, rest)) => out.push_str(&format!("0{rest}")),
                None => out.push_str(&format!("{{{{{part}")),
            }
        }
        out
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
