//! Names of headers, fields, keys, cookies, flags and variables that hold a credential. Pure.

/// Words that make a name one of a credential, also as a part of a longer word such as `userpassword`.
const PARTS: &str = "password passwd passphrase passcode apikey secretkey accesskey privatekey credential csrf xsrf \
    sessid";

/// The same at the end of a word, such as `accesstoken`: `tokenizer` and `tokens` are none.
const ENDS: &str = "token secret cookie authorization jwt sessionid signature";

/// Words that mean a credential where the name ends with them.
const LAST: &str = "pwd pass auth authentication bearer otp totp cvv cvc verifier";

/// Words that are a credential only when they are the whole name.
const WHOLE: &str = "pin sid sig";

/// What a key is for when it is no key of a table: `sort_key` is none.
const KEYS: &str = "api access account app auth encryption functions hmac license master private secret session signing \
    subscription";

/// Last words of names that tell something about a credential: `token_type`, `password_policy`, `csrf_errors`.
const ABOUT: &str = "age alg algorithm attempts avg banner check checks consent count counts domain duration enabled \
    endpoint error errors expired expires expiration expiry failed failure failures field at header hint \
    in index invalid label latency len length limit location max method min missing ms name names number \
    page param path policy present rate refresh requests required reset seconds size status time title \
    total ttl type uri url";

/// Whether a header, field, key, cookie, flag or variable of this name holds a credential, in any naming style:
/// `refreshToken`, `X-API-Key`, `user[password]`, `DB_PASS`.
pub fn is_credential(name: &str) -> bool {
    let name = words(name);
    let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    let Some(last) = words.last() else { return false };
    if has(ABOUT, last) {
        return false;
    }
    let is_key = |pair: &[&str]| {
        pair[1] == "key" && (has(KEYS, pair[0]) || pair[0].ends_with("api")) || pair == ["session", "id"]
    };
    has(LAST, last)
        || (words.len() == 1 && has(WHOLE, last))
        || words.windows(2).any(is_key)
        || words.iter().any(|word| {
            PARTS.split(' ').any(|part| word.contains(part)) || ENDS.split(' ').any(|end| word.ends_with(end))
        })
}

fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// The words of a name in lower case with spaces between: a new one begins at an upper-case letter and after whatever
/// is no letter.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let bytes = name.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        let after = bytes.get(at + 1).copied().unwrap_or(b' ');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_uppercase() && after.is_ascii_lowercase());
        if begins || !byte.is_ascii_alphabetic() {
            words.push(' ');
        }
        if byte.is_ascii_alphabetic() {
            words.push(char::from(byte.to_ascii_lowercase()));
        }
        // The brackets of `user%5Bpassword%5D`.
        let is_escape = byte == b'%'
            && bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        at += if is_escape { 3 } else { 1 };
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials() {
        let names = "password PASSWORD_2 passwordConfirm user[password] user%5Bpassword%5D userpassword DB_PASS pwd \
            token refreshToken accesstoken x-secret-token X-CSRF-Token _csrf csrfmiddlewaretoken XSRF-TOKEN \
            api_key apiKey APIKey X-Api-Key apikey aws_secret_access_key AWSSecretAccessKey session_id \
            PHPSESSID Set-Cookie cookie authorization Proxy-Authorization x-auth client_secret id_token \
            token_id credentials code_verifier otp pin sid jwt X-Amz-Signature API_KEY_PROD oauth2Token X-RapidAPI-Key authentication";
        for name in names.split(' ') {
            assert!(is_credential(name), "{name}");
        }
    }

    #[test]
    fn names_of_something_else() {
        let names = "user monkey keyboard keyword sort_key key tokens max_tokens tokenizer token_type tokenType \
            token_refresh_time csrf_errors broken passenger compass author authors secretary page \
            bypass_count pins session cookie_consent expires_in passed pinned side";
        for name in names.split(' ') {
            assert!(!is_credential(name), "{name}");
        }
    }
}
