//! Credentials in texts of a run that no script declared secret: headers and parameters by their names. Pure.
//!
//! What scripts declare secret is masked by the engine before it gets here. This is the second net, for a
//! message that repeats a header or a URL. Invariant: a text without such a name comes back as it is.

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

/// The text with the values of such headers and parameters masked.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut masked: Option<String> = None;
    let mut from = 0;
    loop {
        let current = masked.as_deref().unwrap_or(text);
        let Some((start, end)) = next(current, from) else { break };
        let mut replaced = String::with_capacity(current.len());
        replaced.push_str(&current[..start]);
        replaced.push_str(MASK);
        replaced.push_str(&current[end..]);
        from = start + MASK.len();
        masked = Some(replaced);
    }
    masked.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Where the next credential stands at or after `from`.
fn next(text: &str, from: usize) -> Option<(usize, usize)> {
    // Lower case of ASCII only, so that places stay the same.
    let lower = text.to_ascii_lowercase();
    let mut best: Option<(usize, usize)> = None;
    let mut offer = |found: Option<(usize, usize)>| {
        if let Some(found) = found.filter(|&(start, end)| end > start)
            && best.is_none_or(|best| found.0 < best.0)
        {
            best = Some(found);
        }
    };
    for header in HEADERS {
        offer(find(text, &lower, from, header, ":", &['\n', '\r', '"']));
    }
    for key in KEYS {
        offer(find(text, &lower, from, key, "=", &['&', ' ', '\n', '\r', '"', '\'', ';', ',', '<', ')']));
        offer(find(text, &lower, from, key, "\":", &[',', '}', '\n']));
    }
    best
}

/// The value after `name` and `sign`, up to one of the ends.
fn find(
    text: &str,
    lower: &str,
    from: usize,
    name: &str,
    sign: &str,
    ends: &[char],
) -> Option<(usize, usize)> {
    let mut search = 0;
    while let Some(index) = lower[search..].find(name).map(|index| index + search) {
        search = index + name.len();
        // Not the end of another word, such as `broken=`.
        let is_word = !lower[..index].ends_with(|c: char| c.is_ascii_alphanumeric());
        let Some(rest) = text[search..].strip_prefix(sign) else { continue };
        let value = rest.trim_start_matches([' ', '\t']);
        let start = text.len() - value.len();
        let end = start + value.find(ends).unwrap_or(value.len());
        if is_word && start >= from && &text[start..end] != MASK {
            return Some((start, end));
        }
    }
    None
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
            ("api_key=1 api_key=2", "api_key=*** api_key=***"),
            ("broken=yes, tokens=3", "broken=yes, tokens=3"),
            ("nothing here", "nothing here"),
            ("token=", "token="),
            ("ünïcödé TOKEN=ß&ü", "ünïcödé TOKEN=***&ü"),
        ] {
            assert_eq!(masked(text), expected);
            assert_eq!(masked(expected), expected, "once is enough");
        }
    }
}
