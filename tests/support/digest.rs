//! The server's side of digest authentication, written from RFC 7616 independently of the client's.

use md5::Md5;
use sha2::{Digest, Sha256};

use super::Seen;

const REALM: &str = "test realm, with a comma";
const NONCE: &str = "dcd98b7102dd2f0e8b11d0f600bfb0c093";

/// The header of a 401, unless the request answers it rightly as `ann` with the password `secret`.
pub(crate) fn challenge(seen: &Seen, algorithm: &str) -> Option<String> {
    let given = seen.header("authorization");
    let field = |name: &str| {
        let rest = given.split_once(&format!("{name}="))?.1;
        Some(match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?.to_owned(),
            None => rest.split(',').next()?.trim().to_owned(),
        })
    };
    let hash = |text: String| match algorithm {
        "SHA-256" => hex(&Sha256::digest(text)),
        _ => hex(&Md5::digest(text)),
    };
    let target = match seen.query.as_str() {
        "" => seen.path.clone(),
        query => format!("{}?{query}", seen.path),
    };
    let right = || {
        let first = hash(format!("ann:{REALM}:secret"));
        let second = hash(format!("{}:{target}", seen.method));
        let (nc, cnonce) = (field("nc")?, field("cnonce")?);
        let expected = hash(format!("{first}:{NONCE}:{nc}:{cnonce}:auth:{second}"));
        Some(field("response")? == expected && field("uri")? == target && field("opaque")? == "o=1")
    };
    if given.starts_with("Digest ") && right() == Some(true) {
        return None;
    }
    Some(format!(
        "www-authenticate: Basic realm=\"x\", Digest realm=\"{REALM}\", nonce=\"{NONCE}\", \
         algorithm={algorithm}, qop=\"auth,auth-int\", opaque=\"o=1\"\r\n"
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
