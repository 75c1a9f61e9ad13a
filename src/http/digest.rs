//! Digest authentication (RFC 7616): the answer to a server's challenge.
//!
//! Owns reading `www-authenticate` and computing the response, with MD5 or SHA-256 and `qop=auth`, and without
//! `qop` as RFC 2069 had it. Leaves when to answer to the client. Pure, but for the client nonce.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use md5::Md5;
use sha2::{Digest, Sha256};

/// User name and password for digest authentication.
#[derive(Clone)]
pub struct DigestCredentials {
    /// The user name.
    pub user: String,
    /// Never sent, only hashed.
    pub password: String,
}

impl std::fmt::Debug for DigestCredentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigestCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The value of `authorization` that answers the strongest challenge in these headers; `None` when there is none
/// that can be answered. `uri` is what stands in the request line.
pub(super) fn answer(
    credentials: &DigestCredentials,
    headers: &HeaderMap,
    method: &str,
    uri: &str,
) -> Option<HeaderValue> {
    let challenge = strongest(headers)?;
    let nonce = format!("{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
    let mut value = HeaderValue::try_from(challenge.respond(credentials, method, uri, &nonce)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// How a challenge wants its parts hashed, the stronger last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn of(self, text: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Hash::Md5 => hex(&Md5::digest(text)),
            Hash::Sha256 => hex(&Sha256::digest(text)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Hash::Md5 => "MD5",
            Hash::Sha256 => "SHA-256",
        }
    }
}

/// One digest challenge that can be answered.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    hash: Hash,
    /// The key is hashed with the nonces once more.
    session: bool,
    /// Whether the algorithm was named; then the answer names it too.
    named: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// The server offers `qop=auth`; without any `qop` it is from before RFC 2617.
    qop: bool,
}

fn strongest(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<Challenge> = None;
    for challenge in values.flat_map(challenges) {
        // Of equals the first: servers list what they like best first.
        if best.as_ref().is_none_or(|best| best.hash < challenge.hash) {
            best = Some(challenge);
        }
    }
    best
}

/// The digest challenges in one header value, which may hold several, of other schemes too.
fn challenges(value: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut fields: Option<Vec<(String, String)>> = None;
    for item in items(value) {
        // A scheme stands before the first of its parameters, separated by a space: `Digest realm="x"`.
        let (scheme, parameter) = match item.split_once([' ', '\t']) {
            Some((scheme, rest)) if !scheme.contains('=') => (Some(scheme), rest.trim_start()),
            None if !item.contains('=') => (Some(item), ""),
            _ => (None, item),
        };
        if let Some(scheme) = scheme {
            found.extend(fields.take().and_then(Challenge::new));
            fields = scheme.eq_ignore_ascii_case("digest").then(Vec::new);
        }
        if let (Some(fields), Some((name, value))) = (&mut fields, parameter.split_once('=')) {
            fields.push((name.trim().to_ascii_lowercase(), unquote(value.trim())));
        }
    }
    found.extend(fields.and_then(Challenge::new));
    found
}

/// Splits at commas outside quotes.
fn items(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |c| {
            let separates = c == ',' && !quoted;
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
            separates
        })
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    text
}

fn quote(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Challenge {
    /// `None` when it wants what is not known here, such as another algorithm or `qop=auth-int` alone.
    fn new(fields: Vec<(String, String)>) -> Option<Challenge> {
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let algorithm = field("algorithm");
        let (hash, session) = match algorithm.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("md5") => (Hash::Md5, false),
            Some("md5-sess") => (Hash::Md5, true),
            Some("sha-256") => (Hash::Sha256, false),
            Some("sha-256-sess") => (Hash::Sha256, true),
            Some(_) => return None,
        };
        let qop = match field("qop") {
            Some(offered) if offered.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
            None => false,
        };
        Some(Challenge {
            hash,
            session,
            named: algorithm.is_some(),
            realm: field("realm")?,
            nonce: field("nonce")?,
            opaque: field("opaque"),
            qop,
        })
    }

    /// The response of RFC 7616 section 3.4.1, as the value of `authorization`.
    fn respond(&self, credentials: &DigestCredentials, method: &str, uri: &str, cnonce: &str) -> String {
        /// A client nonce is used for one request only.
        const COUNT: &str = "00000001";
        let DigestCredentials { user, password } = credentials;
        let Challenge { hash, realm, nonce, .. } = self;
        let mut key = hash.of(&format!("{user}:{realm}:{password}"));
        if self.session {
            key = hash.of(&format!("{key}:{nonce}:{cnonce}"));
        }
        let request = hash.of(&format!("{method}:{uri}"));
        let response = match self.qop {
            true => hash.of(&format!("{key}:{nonce}:{COUNT}:{cnonce}:auth:{request}")),
            false => hash.of(&format!("{key}:{nonce}:{request}")),
        };
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\"",
            quote(user),
            quote(realm),
            quote(nonce),
        );
        if self.named {
            let session = if self.session { "-sess" } else { "" };
            text.push_str(&format!(", algorithm={}{session}", hash.name()));
        }
        if self.qop {
            text.push_str(&format!(", qop=auth, nc={COUNT}, cnonce=\"{cnonce}\""));
        } else if self.session {
            text.push_str(&format!(", cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(&format!(", opaque=\"{}\"", quote(opaque)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two challenges of RFC 7616 section 3.9.1.
    const SHA256: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    const MD5: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    fn mufasa() -> DigestCredentials {
        DigestCredentials { user: "Mufasa".into(), password: "Circle of Life".into() }
    }

    fn respond(challenge: &str) -> String {
        let challenge = challenges(challenge).remove(0);
        challenge.respond(&mufasa(), "GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    }

    #[test]
    fn the_examples_of_the_standard() {
        let sha256 = respond(SHA256);
        assert!(
            sha256.contains("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            "{sha256}"
        );
        assert!(sha256.contains("algorithm=SHA-256, qop=auth, nc=00000001, cnonce="), "{sha256}");
        let md5 = respond(MD5);
        assert!(md5.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{md5}");
        assert!(md5.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{md5}");
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"a, b\""));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(MD5));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(SHA256));
        let found = strongest(&headers).unwrap();
        assert_eq!(found.hash, Hash::Sha256);
    }

    #[test]
    fn several_challenges_may_stand_in_one_value() {
        let found = challenges("Negotiate, Digest realm=\"say \\\"x, y\\\"\", nonce=n, Basic realm=\"z\"");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&*found[0].realm, &*found[0].nonce), ("say \"x, y\"", "n"));
        assert!(!found[0].qop && !found[0].named);
        let text = found[0].respond(&mufasa(), "GET", "/", "c");
        assert!(text.contains("realm=\"say \\\"x, y\\\"\"") && !text.contains("qop"), "{text}");
    }

    #[test]
    fn what_cannot_be_answered_is_left() {
        for challenge in [
            "",
            "Basic realm=x",
            "Digest",
            "Digest realm=\"r\"",
            "Digest nonce=\"n\"",
            "Digest realm=r, nonce=n, algorithm=SHA-512-256",
            "Digest realm=r, nonce=n, qop=\"auth-int\"",
            "Digest realm=\"unclosed, nonce=n",
        ] {
            assert_eq!(challenges(challenge), [], "{challenge}");
        }
    }

    #[test]
    fn debug_output_holds_no_password() {
        assert!(!format!("{:?}", mufasa()).contains("Circle"));
    }
}
