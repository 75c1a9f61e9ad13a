//! `http::file` and bodies of `multipart/form-data` (RFC 7578).

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use rhai::{Blob, Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::{convert, placed};
use crate::http::{Body, BodyPart};
use crate::script::ending::ScriptResult;
use crate::script::reference::{Owner, calls};
use crate::system::SteadyFile;
use crate::text::format_count;

/// A file to be uploaded; clones share its content.
#[derive(Clone, Debug)]
pub(super) struct File {
    content: Content,
    name: ImmutableString,
    content_type: ImmutableString,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Rc<[u8]>),
    /// Never read whole.
    Disk(Arc<SteadyFile>),
}

/// One part of the body.
#[derive(Debug)]
pub(super) struct Part {
    field: String,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Text(String),
    File(File),
}

calls! {
    pub(super) CALLS: Owner::Module("http"); ("call", "does");

    /// A file for `multipart`, `files` and `body`, from text, a blob, or another file (such as a
    /// [`data::file`](#data)) under a new name; default type `application/octet-stream`.
    ///
    /// Errors: the content is none of these; the type contains a line break.
    ///
    /// ```rhai
    /// http::post("/upload", #{ files: #{ report: http::file("a,b\n1,2\n", "report.csv", "text/csv") } });
    /// ```
    fn file(content: text|blob|File, name: text) -> File;
    fn file(content: text|blob|File, name: text, content_type: text) -> File;
}

calls! {
    pub(super) FILE: Owner::Type("File"); ("of a file", "gives");

    /// Its name.
    get name -> text;

    /// Its type.
    get content_type -> text;

    /// Its length in bytes.
    get size -> int;
}

pub(super) fn register(engine: &mut Engine, module: &mut Module) {
    engine
        .register_type_with_name::<File>("File")
        .register_get("name", |file: &mut File| file.name.clone())
        .register_get("content_type", |file: &mut File| file.content_type.clone())
        .register_get("size", |file: &mut File| i64::try_from(file.size()).unwrap_or(i64::MAX))
        .register_fn("to_string", |file: &mut File| file.describe())
        .register_fn("to_debug", |file: &mut File| file.describe());
    module.set_native_fn("file", |context: NativeCallContext, content: Dynamic, name: ImmutableString| {
        placed(&context, new_file(&content, name, "application/octet-stream".into()))
    });
    module.set_native_fn(
        "file",
        |context: NativeCallContext,
         content: Dynamic,
         name: ImmutableString,
         content_type: ImmutableString| { placed(&context, new_file(&content, name, content_type)) },
    );
}

fn new_file(content: &Dynamic, name: ImmutableString, content_type: ImmutableString) -> ScriptResult<File> {
    let content = if let Some(blob) = content.read_lock::<Blob>() {
        Content::Memory(Rc::from(blob.as_slice()))
    } else if let Some(file) = content.read_lock::<File>() {
        file.content.clone()
    } else if let Ok(text) = content.as_immutable_string_ref() {
        Content::Memory(Rc::from(text.as_bytes()))
    } else {
        return Err(convert::expected("http::file: the content", "text, a blob or a file", content).into());
    };
    if content_type.chars().any(char::is_control) {
        return Err("http::file: the content type contains a line break or a control character".into());
    }
    Ok(File { content, name, content_type })
}

impl File {
    /// A file that is read while it is sent.
    pub(super) fn on_disk(file: Arc<SteadyFile>) -> File {
        let name = Path::new(file.name()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content_type = "application/octet-stream".into();
        File { content: Content::Disk(file), name: name.into(), content_type }
    }

    fn size(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(file) => file.size(),
        }
    }

    /// The file alone as a body.
    pub(super) fn to_body(&self) -> Body {
        match &self.content {
            Content::Memory(bytes) => Bytes::copy_from_slice(bytes).into(),
            Content::Disk(file) => Body::of_parts(vec![BodyPart::File(file.clone())]),
        }
    }

    fn describe(&self) -> String {
        format!("file '{}' ({} bytes)", self.name, format_count(self.size()))
    }
}

/// The parts of fields: plain values, files, or arrays of them, which repeat the field.
pub(super) fn parts(what: &str, value: &Dynamic) -> Result<Vec<Part>, String> {
    let named = convert::named_values(what, value)?;
    named.iter().map(|(field, value)| part(&format!("{what}.{field}"), field, value)).collect()
}

fn part(what: &str, field: &str, value: &Dynamic) -> Result<Part, String> {
    let value = match value.read_lock::<File>() {
        Some(file) => Value::File(file.clone()),
        None => Value::Text(convert::plain(what, value).map_err(|_| {
            convert::expected(
                what,
                "text, a number, true/false, http::file(content, name) or data::file(path)",
                value,
            )
        })?),
    };
    Ok(Part { field: field.to_owned(), value })
}

impl Part {
    /// A field without a file.
    pub(super) fn text(field: String, value: String) -> Part {
        Part { field, value: Value::Text(value) }
    }

    /// Whether it is a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.value, Value::File(_))
    }
}

/// The body of these parts and its content type, which names the boundary between them.
pub(super) fn encode(parts: &[Part]) -> (Body, String) {
    // Enough random bits that no content contains them by chance.
    let boundary = format!("rhaid-{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
    (encode_with(parts, &boundary), format!("multipart/form-data; boundary={boundary}"))
}

fn encode_with(parts: &[Part], boundary: &str) -> Body {
    let mut before = Vec::new();
    let mut body = Vec::new();
    for Part { field, value } in parts {
        let field = escape(field);
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"");
        body.extend_from_slice(head.as_bytes());
        let content = match value {
            Value::Text(text) => {
                body.extend_from_slice(b"\r\n\r\n");
                text.as_bytes()
            }
            Value::File(file) => {
                let (name, content_type) = (escape(&file.name), &file.content_type);
                let rest = format!("; filename=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n");
                body.extend_from_slice(rest.as_bytes());
                match &file.content {
                    Content::Memory(bytes) => bytes,
                    Content::Disk(file) => {
                        before.push(BodyPart::Bytes(std::mem::take(&mut body).into()));
                        before.push(BodyPart::File(file.clone()));
                        b"".as_slice()
                    }
                }
            }
        };
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    if before.is_empty() {
        return Bytes::from(body).into();
    }
    before.push(BodyPart::Bytes(body.into()));
    Body::of_parts(before)
}

/// As browsers write names (HTML, "multipart form data"): what would end the quotes or the line is encoded.
fn escape(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use rhai::Map;

    use super::*;

    #[test]
    fn a_body_of_fields_and_files() {
        let file = new_file(&Dynamic::from_blob(vec![0, 255]), "a\"b\n.bin".into(), "x/y".into()).unwrap();
        let mut map = Map::new();
        map.insert("a".into(), Dynamic::from("text"));
        map.insert("f".into(), Dynamic::from(file));
        map.insert("n".into(), Dynamic::from(vec![Dynamic::from(1_i64), Dynamic::from(true)]));
        let body = encode_with(&parts("multipart", &Dynamic::from(map)).unwrap(), "B");
        let expected: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ntext\r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a%22b%0A.bin\"\r\nContent-Type: x/y\r\n\r\n\
            \x00\xff\r\n\
            --B\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n\
            --B\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\ntrue\r\n--B--\r\n";
        let body = body.whole().unwrap();
        assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(expected));
    }

    #[test]
    fn what_cannot_be_a_part() {
        let mut map = Map::new();
        map.insert("a".into(), Dynamic::UNIT);
        let error = parts("multipart", &Dynamic::from(map)).unwrap_err();
        assert!(error.starts_with("multipart.a must be text") && error.contains("http::file"), "{error}");
        assert!(new_file(&Dynamic::UNIT, "x".into(), "a/b".into()).is_err());
        assert!(new_file(&"".into(), "x".into(), "a/b\r\nx: y".into()).is_err());
    }
}
