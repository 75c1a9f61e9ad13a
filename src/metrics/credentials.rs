//! Credentials in texts of a run that no script declared secret: headers and parameters by their names. Pure.
//!
//! What scripts declare secret is masked besides. This is the second net, for a name or a message that repeats a
//! header, a URL or a body; everything that leaves the engine goes through it, and once more what reports show.
//! Invariant: a text without such a name comes back as it is.

use std::borrow::Cow;

/// What stands for a credential.
const MASK: &str = "***";

/// Headers whose whole line is masked.
const HEADERS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// Parameters and keys whose value is masked.
const KEYS: [&str; 9] = [
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "apikey",
    "password",
    "passwd",
    "secret",
];

/// Where a value ends after `name:`, after `name=`, and after `"name":`.
const LINE_ENDS: &[char] = &['\n', '\r', '"'];
const PARAMETER_ENDS: &[char] = &['&', ' ', '\n', '\r', '"', '\'', ';', ',', '<', ')'];
const JSON_ENDS: &[char] = &[',', '}', '\n'];

/// The text with the values of such headers and parameters masked. Takes time in proportion to the text.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(sign) = text[at..].find([':', '=']).map(|index| index + at) {
        at = sign + 1;
        let Some(ends) = ends_after(text, sign) else { continue };
        let rest = &text[at..];
        let value = rest.trim_start_matches([' ', '\t']);
        let start = text.len() - value.len();
        let length = quoted(value).filter(|_| ends == JSON_ENDS).or_else(|| value.find(ends));
        let end = start + length.unwrap_or(value.len());
        if end > start && &text[start..end] != MASK {
            masked.push_str(&text[copied..start]);
            masked.push_str(MASK);
            copied = end;
        }
        at = end.max(at);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[copied..]);
    Cow::Owned(masked)
}

/// Where the value ends, if a credential's name stands before the sign.
fn ends_after(text: &str, sign: usize) -> Option<&'static [char]> {
    let before = &text[..sign];
    let of = |names: &[&str], before: &str| names.iter().any(|name| ends_with_word(before, name));
    // No header has `_` in its name, but functions have: `http::set_cookie: …` is no credential.
    let of_header = |before: &str| {
        HEADERS
            .iter()
            .any(|name| ends_with_word(before, name) && !before[..before.len() - name.len()].ends_with('_'))
    };
    if text[sign..].starts_with('=') {
        return of(&KEYS, before).then_some(PARAMETER_ENDS);
    }
    // Inside a text of JSON, quotes have a backslash before them.
    match before.strip_suffix('"').map(|key| key.strip_suffix('\\').unwrap_or(key)) {
        Some(key) => (of(&KEYS, key) || of_header(key)).then_some(JSON_ENDS),
        None => of_header(before).then_some(LINE_ENDS),
    }
}

/// Whether the text ends with the name, in any case, and not as the end of another word such as `broken`.
fn ends_with_word(text: &str, name: &str) -> bool {
    let Some(start) = text.len().checked_sub(name.len()) else { return false };
    let (before, end) = text.as_bytes().split_at(start);
    end.eq_ignore_ascii_case(name.as_bytes()) && !before.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Length of the JSON text that the value begins with; `None` when it is no whole one.
fn quoted(value: &str) -> Option<usize> {
    const ESCAPED: &str = "\\\"";
    if let Some(inside) = value.strip_prefix(ESCAPED) {
        return inside.find(ESCAPED).map(|end| end + 2 * ESCAPED.len());
    }
    let mut is_escaped = false;
    let inside = value.strip_prefix('"')?;
    inside.char_indices().find_map(|(index, c)| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(index + 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_and_the_rest_stays() {
        for (text, expected) in [
            ("GET /a?token=abc&x=1", "GET /a?token=***&x=1"),
            ("sent Authorization: Bearer abc.def\nand more", "sent Authorization: ***\nand more"),
            ("cookie: a=b; token=c", "cookie: ***"),
            (r#"{"password": "p", "user": "u"}"#, r#"{"password": ***, "user": "u"}"#),
            (r#"{"cookie": "a=b, c=\"d\"", "x": 1}"#, r#"{"cookie": ***, "x": 1}"#),
            (r#"{"authorization":"Bearer abc"}"#, r#"{"authorization":***}"#),
            (
                r#"{"body":"{\"password\":\"p, q\",\"user\":\"u\"}"}"#,
                r#"{"body":"{\"password\":***,\"user\":\"u\"}"}"#,
            ),
            (r#"{"a":"{\"token\": \"cut off"#, r#"{"a":"{\"token\": ***"#),
            ("api_key=1 api_key=2", "api_key=*** api_key=***"),
            ("broken=yes, tokens=3", "broken=yes, tokens=3"),
            ("nothing here", "nothing here"),
            ("http::set_cookie: the value holds ';'", "http::set_cookie: the value holds ';'"),
            ("token=", "token="),
            ("ünïcödé TOKEN=ß&ü", "ünïcödé TOKEN=***&ü"),
        ] {
            assert_eq!(masked(text), expected);
            assert_eq!(masked(expected), expected, "once is enough");
        }
    }

    #[test]
    fn a_long_text_takes_no_longer_than_it_is() {
        // A million values; with a search from the begin for each, this would take days.
        let text = "token=abc&".repeat(1_000_000);
        assert_eq!(masked(&text), "token=***&".repeat(1_000_000));
    }
}
