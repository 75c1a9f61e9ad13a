//! Undoing content encodings.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};

use crate::http::decoding::{decode, undo};
use crate::http::{ErrorKind, HttpError};

const TEXT: &[u8] = b"hello hello hello hello";

/// `TEXT` as brotli: one uncompressed meta-block (RFC 7932 section 9.2), written by hand, and the empty last one.
fn brotli() -> Vec<u8> {
    // From the lowest bit: window 16 (0), not the last (0), four nibbles of length (00), the length less one
    // (16 bits), uncompressed (1).
    let header = ((TEXT.len() as u32 - 1) << 4) | 1 << 20;
    [&header.to_le_bytes()[..3], TEXT, &[0x03]].concat()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn check(encoding: &str, body: impl Into<Bytes>) -> Result<Bytes, HttpError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
    decode(&headers.into(), &body.into())
}

#[test]
fn every_encoding() {
    for (encoding, body) in [
        ("gzip", gzip(TEXT)),
        ("GZIP", gzip(TEXT)),
        ("x-gzip", gzip(TEXT)),
        ("deflate", zlib(TEXT)),
        ("deflate", deflate(TEXT)),
        ("br", brotli()),
        ("identity", TEXT.to_vec()),
        ("deflate, gzip", gzip(&zlib(TEXT))),
        // Two gzip members one after the other are one body (RFC 1952 section 2.2).
        ("gzip", [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat()),
    ] {
        assert_eq!(check(encoding, body).unwrap(), TEXT, "{encoding}");
    }
}

#[test]
fn without_an_encoding_nothing_is_copied() {
    let body = Bytes::from_static(TEXT);
    let decoded = decode(&HeaderMap::new().into(), &body).unwrap();
    assert_eq!(decoded.as_ptr(), body.as_ptr());
}

#[test]
fn an_empty_body_is_left_alone() {
    assert_eq!(check("gzip", Bytes::new()).unwrap(), "");
}

#[test]
fn damage_is_told() {
    for (encoding, body) in [
        ("gzip", b"nonsense".to_vec()),
        ("br", b"\xff\xff\xff".to_vec()),
        ("gzip", gzip(TEXT)[..15].to_vec()),
    ] {
        let error = check(encoding, body).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Body);
        assert!(error.message.starts_with(&format!("the {encoding} body is corrupt: ")), "{error}");
    }
}

/// As browsers and curl do; what it means is the script's affair.
#[test]
fn an_encoding_that_nobody_knows_leaves_the_body_as_it_came() {
    let body = Bytes::from(gzip(TEXT));
    for encoding in ["zstd", "utf-8", "aws-chunked", "gzip, zstd", "\u{e4}", "*"] {
        assert_eq!(check(encoding, body.clone()).unwrap(), body, "{encoding}");
    }
}

#[test]
fn what_follows_a_gzip_body_is_padding() {
    for padding in [&[0; 600][..], b"\r\n", b"\x1f"] {
        assert_eq!(check("gzip", [&gzip(TEXT), padding].concat()).unwrap(), TEXT);
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    let bomb: Bytes = gzip(&vec![0; 1 << 20]).into();
    assert!(bomb.len() < 2000);
    assert_eq!(undo("gzip", &bomb, 1 << 20).unwrap().len(), 1 << 20);
    let error = undo("gzip", &bomb, (1 << 20) - 1).unwrap_err();
    assert_eq!(error.message, "the gzip body decodes to more than 1048575 bytes");
}
