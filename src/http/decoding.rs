//! Undoing `content-encoding`.
//!
//! Owns gzip, deflate and brotli. Leaves `transfer-encoding` to hyper and character sets to the script side.
//! Invariant: never puts out more than [`LIMIT`] bytes, however small the input.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::error::{ErrorKind, HttpError};

/// The most bytes a body may decode to, so that a small hostile one cannot take the machine's memory.
pub(super) const LIMIT: u64 = 1 << 30;

/// The body as it was before its encodings were applied.
pub(super) fn decode(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, HttpError> {
    // The answer to a HEAD and a 304 name the encoding of a body they do not carry.
    if body.is_empty() || !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body.clone());
    }
    let mut encodings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = value
            .to_str()
            .map_err(|_| HttpError::new(ErrorKind::Body, "the content-encoding header is not text"))?;
        encodings.extend(text.split(',').map(|name| name.trim().to_ascii_lowercase()));
    }
    let mut decoded = body.clone();
    // They are listed in the order they were applied.
    for encoding in encodings.iter().rev() {
        decoded = undo(encoding, &decoded, LIMIT)?;
    }
    Ok(decoded)
}

/// Undoes one encoding, given in lower case; `limit` is [`LIMIT`] but in tests.
pub(super) fn undo(encoding: &str, body: &Bytes, limit: u64) -> Result<Bytes, HttpError> {
    let input: &[u8] = body;
    let result = match encoding {
        "" | "identity" => return Ok(body.clone()),
        "gzip" | "x-gzip" => read_all(MultiGzDecoder::new(input), limit),
        // RFC 9110 says zlib; some servers send raw deflate under the same name.
        "deflate" if is_zlib(input) => read_all(ZlibDecoder::new(input), limit),
        "deflate" => read_all(DeflateDecoder::new(input), limit),
        "br" => read_all(brotli_decompressor::Decompressor::new(input, 4096), limit),
        other => {
            return Err(HttpError::new(
                ErrorKind::Body,
                format!("unsupported content-encoding '{other}'; only gzip, deflate and br can be decoded"),
            ));
        }
    };
    match result {
        Ok(Some(decoded)) => Ok(decoded),
        Ok(None) => Err(HttpError::new(
            ErrorKind::Body,
            format!("the {encoding} body decodes to more than {limit} bytes"),
        )),
        Err(error) => {
            Err(HttpError::new(ErrorKind::Body, format!("the {encoding} body is corrupt: {error}")))
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
