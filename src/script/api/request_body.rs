//! The body of a request: from its parameters to what is sent.
//!
//! Invariant: a request has at most one body; two keys that each set one are an error that names both.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use rhai::{Blob, Dynamic};

use super::convert;
use super::multipart::{self, File, Part};
use crate::http::Body;

/// Brotli quality, 0 to 11; servers that compress on the fly use about this value.
const BROTLI_QUALITY: u32 = 5;

/// The body as the script describes it.
#[derive(Default)]
pub(super) struct RequestBody {
    source: Option<Source>,
    /// Parts of `files`, which go with `form` or `multipart` or alone.
    files: Vec<Part>,
    encoding: Option<Encoding>,
}

struct Source {
    /// The parameter it comes from.
    key: &'static str,
    content: Content,
}

enum Content {
    Raw(Body),
    Json(Bytes),
    Form(Vec<(String, String)>),
    Multipart(Vec<Part>),
}

#[derive(Clone, Copy)]
enum Encoding {
    Gzip,
    Deflate,
    Brotli,
}

impl RequestBody {
    /// `json`: any value.
    pub(super) fn json(&mut self, value: &Dynamic) -> Result<(), String> {
        let json = serde_json::to_vec(value).map_err(|error| format!("json: {error}"))?;
        self.set("json", Content::Json(Bytes::from(json)))
    }

    /// `form`: names and values.
    pub(super) fn form(&mut self, pairs: Vec<(String, String)>) -> Result<(), String> {
        self.set("form", Content::Form(pairs))
    }

    /// `body`: text, a blob or a file, as it is.
    pub(super) fn raw(&mut self, value: &Dynamic) -> Result<(), String> {
        if let Some(file) = value.read_lock::<File>() {
            return self.set("body", Content::Raw(file.to_body()));
        }
        let bytes = match value.read_lock::<Blob>() {
            Some(blob) => Bytes::copy_from_slice(&blob),
            None => convert::text("body", value).map(Bytes::from).map_err(|_| {
                convert::expected("body", "text, a blob or a file (use json: for maps)", value)
            })?,
        };
        self.set("body", Content::Raw(bytes.into()))
    }

    /// `multipart`: fields and files.
    pub(super) fn multipart(&mut self, value: &Dynamic) -> Result<(), String> {
        self.set("multipart", Content::Multipart(multipart::parts("multipart", value)?))
    }

    /// `files`: files alone.
    pub(super) fn files(&mut self, value: &Dynamic) -> Result<(), String> {
        self.files = multipart::parts("files", value)?;
        match self.files.iter().all(Part::is_file) {
            true => Ok(()),
            false => {
                Err("files: each value must be http::file(content, name) or data::file(path); put other fields in form".into())
            }
        }
    }

    /// `compress`: how it is encoded.
    pub(super) fn compress(&mut self, value: &Dynamic) -> Result<(), String> {
        self.encoding = match value.as_immutable_string_ref().as_deref().map(|text| text.as_str()) {
            Ok("gzip") => Some(Encoding::Gzip),
            Ok("deflate") => Some(Encoding::Deflate),
            Ok("br") => Some(Encoding::Brotli),
            _ => return Err(convert::expected("compress", "\"gzip\", \"deflate\" or \"br\"", value)),
        };
        Ok(())
    }

    /// Whether anything of it was given.
    pub(super) fn is_given(&self) -> bool {
        self.source.is_some() || !self.files.is_empty() || self.encoding.is_some()
    }

    fn set(&mut self, key: &'static str, content: Content) -> Result<(), String> {
        match self.source.replace(Source { key, content }) {
            Some(other) => {
                Err(format!("{} and {key}: a request has one body; use only one of them", other.key))
            }
            None => Ok(()),
        }
    }

    /// What is sent; sets the content headers, unless the script did.
    pub(super) fn into_body(self, headers: &mut HeaderMap) -> Result<Body, String> {
        let RequestBody { source, files, encoding } = self;
        let source = source.map(|source| (source.key, source.content));
        let (body, content_type) = match (source, files.is_empty()) {
            (None, true) => return Ok(Body::default()),
            (None, false) => multipart(files)?,
            (Some((_, Content::Multipart(mut parts))), _) => {
                parts.extend(files);
                multipart(parts)?
            }
            (Some((_, Content::Form(pairs))), false) => {
                let fields = pairs.into_iter().map(|(field, value)| Part::text(field, value));
                multipart(fields.chain(files).collect())?
            }
            (Some((key, _)), false) => {
                return Err(format!(
                    "{key} and files: a request has one body; combine files only with form or multipart"
                ));
            }
            (Some((_, Content::Form(pairs))), true) => {
                let encoded =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                (Bytes::from(encoded).into(), Some(content_type))
            }
            (Some((_, Content::Json(bytes))), true) => {
                (bytes.into(), Some(HeaderValue::from_static("application/json")))
            }
            (Some((_, Content::Raw(body))), true) => (body, None),
        };
        if let Some(content_type) = content_type {
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let Some(encoding) = encoding else { return Ok(body) };
        let whole = body.whole().ok_or(
            "compress: a data::file is sent as it is; compress the file itself, and set the header content-encoding",
        )?;
        let packed = encoding.pack(whole).map_err(|error| format!("compress: {error}"))?;
        headers.entry(CONTENT_ENCODING).or_insert(HeaderValue::from_static(encoding.name()));
        Ok(Bytes::from(packed).into())
    }
}

fn multipart(parts: Vec<Part>) -> Result<(Body, Option<HeaderValue>), String> {
    let (body, content_type) = multipart::encode(&parts);
    let content_type = HeaderValue::try_from(content_type).map_err(|error| error.to_string())?;
    Ok((body, Some(content_type)))
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Brotli => "br",
        }
    }

    fn pack(self, body: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(body)?;
                encoder.finish()
            }
            // What HTTP calls deflate is zlib (RFC 9110 section 8.4.1.2).
            Encoding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(body)?;
                encoder.finish()
            }
            Encoding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_QUALITY, 22);
                encoder.write_all(body)?;
                Ok(encoder.into_inner())
            }
        }
    }
}
