//! `encoding::…`: base64, hexadecimal and URL encoding of text and bytes.

use std::rc::Rc;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext};

use super::{convert, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

/// RFC 4648, sections 4 and 5. Padding is optional when decoding.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT.with_encode_padding(false));
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Encode = fn(&[u8]) -> String;

type Decode = fn(&str) -> Result<Vec<u8>, String>;

const ENCODINGS: [(&str, Encode, Decode); 3] = [
    ("base64", base64, |text| BASE64.decode(text).map_err(|error| error.to_string())),
    ("base64url", base64url, |text| BASE64URL.decode(text).map_err(|error| error.to_string())),
    ("hex", hex, from_hex),
];

pub(super) const SECTION: Section = Section {
    name: "encoding",
    title: "`encoding`",
    is_part: false,
    about: "base64, hexadecimal and URLs",
    intro: "`data` is text or a blob. Errors: it is neither; the input is not validly encoded, or the decoded \
            bytes are not text.",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("encoding"); ("call", "gives");

    /// Base64 with padding.
    fn base64_encode(data: text|blob) -> text;

    /// Base64url without padding.
    fn base64url_encode(data: text|blob) -> text;

    /// Lower-case hexadecimal digits.
    fn hex_encode(data: text|blob) -> text;

    /// The decoded text; padding is optional. With `"blob"` as the second argument, a blob, for data that is not
    /// text.
    fn base64_decode(encoded: text) -> text;
    fn base64_decode(encoded: text, kind: text) -> text|blob;
    fn base64url_decode(encoded: text) -> text;
    fn base64url_decode(encoded: text, kind: text) -> text|blob;
    fn hex_decode(encoded: text) -> text;
    fn hex_decode(encoded: text, kind: text) -> text|blob;

    /// The value, percent-encoded: all but letters, digits and `-._~` is escaped.
    fn url_encode(value: text|number|bool) -> text;

    /// The percent-decoded text; `+` stays `+`.
    fn url_decode(encoded: text) -> text;
}

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    let mut module = Module::new();
    for (name, encode, decode) in ENCODINGS {
        module.set_native_fn(format!("{name}_encode"), move |context: NativeCallContext, data: Dynamic| {
            let bytes = convert::bytes(&format!("encoding::{name}_encode"), &data);
            placed(&context, bytes.map(|bytes| encode(&bytes)).map_err(Into::into))
        });
        module.set_native_fn(
            format!("{name}_decode"),
            move |context: NativeCallContext, text: ImmutableString| {
                placed(&context, decoded(&format!("encoding::{name}_decode"), decode, &text, "text"))
            },
        );
        module.set_native_fn(
            format!("{name}_decode"),
            move |context: NativeCallContext, text: ImmutableString, kind: ImmutableString| {
                placed(&context, decoded(&format!("encoding::{name}_decode"), decode, &text, &kind))
            },
        );
    }
    module.set_native_fn("url_encode", |context: NativeCallContext, text: Dynamic| {
        let text = convert::plain("encoding::url_encode", &text);
        placed(&context, text.map(|text| encode_url(&text)).map_err(Into::into))
    });
    module.set_native_fn("url_decode", |context: NativeCallContext, text: ImmutableString| {
        placed(&context, decode_url(&text))
    });
    engine.register_static_module("encoding", module.into());
}

/// Bytes as base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Bytes as base64url without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Text as a part of a URL: everything but letters, digits and `-._~` is escaped.
fn encode_url(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decode_url(text: &str) -> ScriptResult<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(format!("encoding::url_decode: \"{text}\" does not decode to UTF-8").into()),
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| "expected pairs of the digits 0-9 and a-f".to_owned())
}

/// As text, or as a blob when the script asks for one.
fn decoded(function: &str, decode: Decode, text: &str, kind: &str) -> ScriptResult<Dynamic> {
    let bytes = decode(text).map_err(|error| format!("{function}: {error}"))?;
    match kind {
        "blob" => Ok(Dynamic::from_blob(bytes)),
        "text" => match String::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                Err(format!("{function}: the bytes are not text; write {function}(…, \"blob\")").into())
            }
        },
        _ => Err(format!("{function}: \"{kind}\" is neither \"text\" nor \"blob\"").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn vectors_of_the_rfc() {
        let check = |text: &str, base: &str, digits: &str| {
            assert_eq!(base64(text.as_bytes()), base);
            assert_eq!(base64url(text.as_bytes()), base.trim_end_matches('='));
            assert_eq!(hex(text.as_bytes()), digits);
            assert_eq!(from_hex(digits), Ok(text.as_bytes().to_vec()));
            assert_eq!(from_hex(&digits.to_uppercase()), Ok(text.as_bytes().to_vec()));
            for (encoded, (_, _, decode)) in [base, base.trim_end_matches('=')].iter().zip(ENCODINGS) {
                assert_eq!(decode(encoded), Ok(text.as_bytes().to_vec()), "{encoded}");
            }
        };
        check("", "", "");
        check("f", "Zg==", "66");
        check("fo", "Zm8=", "666f");
        check("foo", "Zm9v", "666f6f");
        check("foob", "Zm9vYg==", "666f6f62");
        check("fooba", "Zm9vYmE=", "666f6f6261");
        check("foobar", "Zm9vYmFy", "666f6f626172");
        assert_eq!((base64(&[0xfb, 0xff]), base64url(&[0xfb, 0xff])), ("+/8=".to_owned(), "-_8".to_owned()));
    }

    #[test]
    fn what_is_not_encoded_is_refused() {
        assert!(from_hex("abc").is_err() && from_hex("zz").is_err() && from_hex("+f").is_err());
        assert!(BASE64.decode("a b").is_err() && BASE64.decode("a").is_err());
        assert_eq!(encode_url("a b/ü~"), "a%20b%2F%C3%BC~");
    }
}
