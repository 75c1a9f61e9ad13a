//! `crypto::…`: digests, message authentication codes, random bytes and signed tokens.

use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rand::Rng;
use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::encoding::{base64, base64url, hex};
use super::random::with_rng;
use super::{convert, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

/// Most random bytes at once.
const MOST_BYTES: i64 = 1_000_000;

const ALGORITHMS: [&str; 5] = ["md5", "sha1", "sha256", "sha384", "sha512"];

/// RFC 7518, section 3.2: names of signatures, and the digests under them.
const SIGNATURES: [(&str, &str); 3] = [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")];

pub(super) const SECTION: Section = Section {
    name: "crypto",
    title: "`crypto`",
    is_part: false,
    about: "digests, HMACs, random bytes, signed tokens",
    intro: "`data` and `key` are text or a blob.",
    tables: &[CALLS, JWT_KEYS],
    notes: r##"
```rhai
fn on_start() {
    let claims = #{ sub: `user-${vu::id()}`, exp: time::unix_ms() / 1000 + 3600 };
    this.token = crypto::jwt_sign(claims, secret::get("JWT_KEY", "a key of the test system"));
}
fn iteration() { http::get("/quality/insights", #{ bearer: this.token }); }
```"##,
};

calls! {
    CALLS: Owner::Module("crypto"); ("call", "gives");

    /// The digest in hexadecimal.
    fn md5(data: text|blob) -> text;
    fn sha1(data: text|blob) -> text;
    fn sha256(data: text|blob) -> text;
    fn sha384(data: text|blob) -> text;
    fn sha512(data: text|blob) -> text;

    /// The HMAC in hexadecimal, or as `"base64"` or `"base64url"`; the algorithm is `"md5"`, `"sha1"`,
    /// `"sha256"`, `"sha384"` or `"sha512"`.
    ///
    /// Errors: unknown algorithm; unknown encoding.
    ///
    /// ```rhai
    /// let signature = crypto::hmac("sha256", "key", "message", "base64");
    /// ```
    fn hmac(algorithm: text, key: text|blob, data: text|blob) -> text;
    fn hmac(algorithm: text, key: text|blob, data: text|blob, encoding: text) -> text;

    /// A blob of `count` random bytes from the VU's own seeded sequence. Do not use it for real keys.
    ///
    /// Errors: `count` above 1,000,000.
    fn random_bytes(count: int) -> blob;

    /// A signed JSON Web Token; HS256 by default.
    ///
    /// Errors: claims that are not plain data; unknown algorithm.
    fn jwt_sign(claims: map, key: text|blob) -> text;
    fn jwt_sign(claims: map, key: text|blob, settings: map) -> text;
}

keys! {
    pub(super) JWT_KEYS: "crypto::jwt_sign";

    /// Signature algorithm.
    algorithm: "`\"HS256\"`, `\"HS384\"` or `\"HS512\"`";
    /// Additional header fields.
    header: "map";
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    for name in ALGORITHMS {
        module.set_native_fn(name, move |context: NativeCallContext, data: Dynamic| {
            let bytes = convert::bytes(&format!("crypto::{name}"), &data);
            placed(&context, bytes.map(|bytes| hex(&digest(name, &bytes))).map_err(Into::into))
        });
    }
    module.set_native_fn(
        "hmac",
        |context: NativeCallContext, algorithm: ImmutableString, key: Dynamic, data: Dynamic| {
            placed(&context, hmac(&algorithm, &key, &data, "hex"))
        },
    );
    module.set_native_fn(
        "hmac",
        |context: NativeCallContext,
         algorithm: ImmutableString,
         key: Dynamic,
         data: Dynamic,
         encoding: ImmutableString| { placed(&context, hmac(&algorithm, &key, &data, &encoding)) },
    );
    let h = host.clone();
    module.set_native_fn("random_bytes", move |context: NativeCallContext, count: i64| {
        placed(&context, random_bytes(&h, count))
    });
    module.set_native_fn("jwt_sign", |context: NativeCallContext, claims: Map, key: Dynamic| {
        placed(&context, jwt_sign(&claims, &key, &Map::new()))
    });
    module.set_native_fn(
        "jwt_sign",
        |context: NativeCallContext, claims: Map, key: Dynamic, options: Map| {
            placed(&context, jwt_sign(&claims, &key, &options))
        },
    );
    engine.register_static_module("crypto", module.into());
}

/// The digest of data; `algorithm` is one of [`ALGORITHMS`].
fn digest(algorithm: &str, data: &[u8]) -> Vec<u8> {
    match algorithm {
        "md5" => Md5::digest(data).to_vec(),
        "sha1" => Sha1::digest(data).to_vec(),
        "sha256" => Sha256::digest(data).to_vec(),
        "sha384" => Sha384::digest(data).to_vec(),
        _ => Sha512::digest(data).to_vec(),
    }
}

fn random_bytes(host: &Rc<Host>, count: i64) -> ScriptResult<Dynamic> {
    let length = usize::try_from(count)
        .ok()
        .filter(|_| count <= MOST_BYTES)
        .ok_or_else(|| format!("crypto::random_bytes({count}): the number must be 0 to {MOST_BYTES}"))?;
    let mut bytes = vec![0; length];
    with_rng(host, |rng| rng.fill_bytes(&mut bytes));
    Ok(Dynamic::from_blob(bytes))
}

fn hmac(algorithm: &str, key: &Dynamic, data: &Dynamic, encoding: &str) -> ScriptResult<String> {
    let algorithm = ALGORITHMS.iter().find(|known| **known == algorithm).ok_or_else(|| {
        format!("crypto::hmac: unknown algorithm '{algorithm}' (known: {})", ALGORITHMS.join(", "))
    })?;
    let key = convert::bytes("crypto::hmac: the key", key)?;
    let code = code(algorithm, &key, &convert::bytes("crypto::hmac: the data", data)?);
    match encoding {
        "hex" => Ok(hex(&code)),
        "base64" => Ok(base64(&code)),
        "base64url" => Ok(base64url(&code)),
        _ => {
            Err(format!("crypto::hmac: \"{encoding}\" is not one of \"hex\", \"base64\", \"base64url\"")
                .into())
        }
    }
}

/// RFC 2104; `algorithm` is one of [`ALGORITHMS`].
fn code(algorithm: &str, key: &[u8], data: &[u8]) -> Vec<u8> {
    fn of<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
        // A key may have any length here, so there is no error; an empty code would be noticed.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        "md5" => of::<Hmac<Md5>>(key, data),
        "sha1" => of::<Hmac<Sha1>>(key, data),
        "sha256" => of::<Hmac<Sha256>>(key, data),
        "sha384" => of::<Hmac<Sha384>>(key, data),
        _ => of::<Hmac<Sha512>>(key, data),
    }
}

/// A JSON Web Token (RFC 7519) in its compact form.
fn jwt_sign(claims: &Map, key: &Dynamic, options: &Map) -> ScriptResult<String> {
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    let mut algorithm = "sha256";
    for (name, value) in options {
        JWT_KEYS.check("crypto::jwt_sign", name)?;
        let what = format!("crypto::jwt_sign: {name}");
        match name.as_str() {
            "algorithm" => {
                let wanted = convert::text(&what, value)?;
                let (signature, digest) =
                    SIGNATURES.into_iter().find(|(known, _)| *known == wanted).ok_or_else(|| {
                        format!("{what} is \"{wanted}\"; it must be one of HS256, HS384, HS512")
                    })?;
                header["alg"] = signature.into();
                algorithm = digest;
            }
            "header" => {
                for (field, value) in &convert::map(&what, value)? {
                    if field == "alg" {
                        return Err(format!("{what}: set the field alg with the key algorithm").into());
                    }
                    header[field.as_str()] = json_of(&format!("{what}.{field}"), value)?;
                }
            }
            _ => return Err(JWT_KEYS.unknown("crypto::jwt_sign", name).into()),
        }
    }
    let claims = json_of("crypto::jwt_sign: the claims", &Dynamic::from_map(claims.clone()))?;
    let key = convert::bytes("crypto::jwt_sign: the key", key)?;
    Ok(token(&header, &claims, algorithm, &key))
}

fn json_of(what: &str, value: &Dynamic) -> Result<Value, String> {
    // Asked first, because a function would be written as the name of its type.
    crate::script::Value::from_dynamic(value)
        .map_err(|kind| format!("{what} contain a {kind}, which JSON cannot represent"))?;
    serde_json::to_value(value).map_err(|error| format!("{what}: {error}"))
}

fn token(header: &Value, claims: &Value, algorithm: &str, key: &[u8]) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = base64url(&code(algorithm, key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321 appendix A.5, RFC 3174 section 7.3, FIPS 180-4 (the examples of NIST).
    #[test]
    fn digests_of_the_standards() {
        let check =
            |algorithm, text: &str, expected| assert_eq!(hex(&digest(algorithm, text.as_bytes())), expected);
        check("md5", "", "d41d8cd98f00b204e9800998ecf8427e");
        check("md5", "abc", "900150983cd24fb0d6963f7d28e17f72");
        check("sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        check("sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(
            "sha384",
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        );
        check(
            "sha512",
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        );
    }

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn codes_of_the_rfcs() {
        let check = |algorithm, expected| {
            assert_eq!(hex(&code(algorithm, b"Jefe", b"what do ya want for nothing?")), expected);
        };
        check("md5", "750c783e6ab0b503eaa86e310a5db738");
        check("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        check(
            "sha384",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        );
        check(
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        );
    }

    /// RFC 7515, appendix A.1: the same parts give the same signature.
    #[test]
    fn the_signature_of_the_rfc() {
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0\
                      dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let key: Vec<u8> = [
            3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40, 230, 240, 84,
            201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146, 210, 6, 71, 239, 150, 138, 180,
            195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245, 103, 208, 128, 163,
        ]
        .into();
        let signature = base64url(&code("sha256", &key, signed.as_bytes()));
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_has_three_parts_that_say_what_was_given() {
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        let token = token(&header, &json!({ "sub": "u1" }), "sha256", b"key");
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!((parts[0], parts[1]), ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJzdWIiOiJ1MSJ9"));
    }
}
