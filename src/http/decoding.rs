//! Undoing `content-encoding`.
//!
//! Owns gzip, deflate and brotli. Leaves `transfer-encoding` to hyper and character sets to the script side.
//! Invariant: never puts out more than [`LARGEST_KEPT`] bytes, however small the input.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::read::{DeflateDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;

use super::connection::LARGEST_KEPT;
use super::error::{DECODING, ErrorKind, HttpError};
use super::headers::field_text;
use super::response_headers::ResponseHeaders;

const KNOWN: [&str; 7] = ["", "identity", "gzip", "x-gzip", "deflate", "br", "none"];

/// The body as it was before its encodings were applied.
pub(super) fn decode(headers: &ResponseHeaders, body: &Bytes) -> Result<Bytes, HttpError> {
    // The answer to a HEAD and a 304 name the encoding of a body they do not carry.
    if body.is_empty() || !headers.is_encoded() {
        return Ok(body.clone());
    }
    let mut encodings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = field_text(value.as_bytes());
        encodings.extend(text.split(',').map(|name| name.trim().to_ascii_lowercase()));
    }
    // As clients do: what a word means that nobody knows is the script's affair.
    if !encodings.iter().all(|name| KNOWN.contains(&name.as_str())) {
        return Ok(body.clone());
    }
    let mut decoded = body.clone();
    // They are listed in the order they were applied.
    for encoding in encodings.iter().rev() {
        decoded = undo(encoding, &decoded, LARGEST_KEPT)?;
    }
    Ok(decoded)
}

/// Undoes one encoding, given in lower case; `limit` is [`LARGEST_KEPT`] but in tests.
pub(super) fn undo(encoding: &str, body: &Bytes, limit: u64) -> Result<Bytes, HttpError> {
    let input: &[u8] = body;
    let result = match encoding {
        "gzip" | "x-gzip" => gunzip(input, limit),
        // RFC 9110 says zlib; some servers send raw deflate under the same name.
        "deflate" if is_zlib(input) => read_all(ZlibDecoder::new(input), limit),
        "deflate" => read_all(DeflateDecoder::new(input), limit),
        "br" => read_all(brotli_decompressor::Decompressor::new(input, 4096), limit),
        _ => return Ok(body.clone()),
    };
    match result {
        Ok(Some(decoded)) => Ok(decoded),
        Ok(None) => Err(HttpError::new(
            ErrorKind::Body,
            format!("the {encoding} body decodes to more than {limit} bytes"),
        )
        .coded(DECODING)),
        Err(error) => {
            Err(HttpError::new(ErrorKind::Body, format!("the {encoding} body is corrupt: {error}"))
                .coded(DECODING))
        }
    }
}

/// All members of a gzip body. What follows the last one and is none is padding, as everybody takes it.
fn gunzip(mut input: &[u8], limit: u64) -> io::Result<Option<Bytes>> {
    let mut decoded = Vec::new();
    loop {
        let left = limit + 1 - decoded.len() as u64;
        let mut member = GzDecoder::new(input).take(left);
        member.read_to_end(&mut decoded)?;
        if decoded.len() as u64 > limit {
            return Ok(None);
        }
        input = member.into_inner().into_inner();
        if !input.starts_with(&[0x1f, 0x8b]) {
            return Ok(Some(Bytes::from(decoded)));
        }
    }
}

/// Everything the decoder gives, or `None` when that is more than `limit` bytes.
fn read_all(decoder: impl Read, limit: u64) -> io::Result<Option<Bytes>> {
    let mut decoded = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut decoded)?;
    Ok((decoded.len() as u64 <= limit).then(|| Bytes::from(decoded)))
}

/// Whether the data begins with a zlib header (RFC 1950 section 2.2).
fn is_zlib(data: &[u8]) -> bool {
    match data {
        [cmf, flags, ..] => cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flags)).is_multiple_of(31),
        _ => false,
    }
}
