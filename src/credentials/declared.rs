//! Values that a script declared secret, found in a text however it escapes them.
//!
//! A value is looked for as it is, and once more with the escapes of URLs, forms, JSON and HTML taken out of both, so
//! that it does not matter which of its characters are escaped, how, or how often. Pure.

use std::borrow::Cow;
use std::ops::Range;

use super::{CUT, begin};

/// Shortest value that is looked for, in characters: shorter ones stand in too many words.
const SHORTEST: usize = 4;

/// Shortest part of a value that is looked for where a text was cut, in bytes.
const SHORTEST_PART: usize = 3;

/// How many places where a text was cut are looked at, from its end: what quotes a text cuts it last.
const MOST_CUTS: usize = 4;

/// Longest escape of a character, in bytes: `\\\\ud83d\\\\ude00`, and `%25252525C3`.
const LONGEST_ESCAPE: usize = 24;

/// Most signs that it begins and goes on with: those of the bytes of a character.
const MOST_SIGNS: usize = 4;

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    values: Vec<Value>,
}

#[derive(Debug)]
struct Value {
    raw: String,
    /// Without escapes, and without those of JSON and HTML only: what looks like an escape of a URL may be one, or mean
    /// itself. Those that are too short for a search are missing.
    plain: Vec<String>,
}

impl Declared {
    /// Adds a value, unless it is too short.
    pub(crate) fn add(&mut self, value: &str) {
        if value.chars().count() < SHORTEST || self.knows(value) {
            return;
        }
        // What follows in a text would change what an escape at the end means.
        let trimmed = value.trim_end_matches('%');
        let mut plain =
            vec![Plain::of(trimmed).text.into_owned(), Plain::with(value, literally).text.into_owned()];
        plain.dedup();
        plain.retain(|plain| plain.chars().count() >= SHORTEST);
        self.values.push(Value { raw: value.to_owned(), plain });
    }

    /// Whether this value was added.
    pub(crate) fn knows(&self, value: &str) -> bool {
        self.values.iter().any(|known| known.raw == value)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Adds where they stand in the text, and what is left of them where it was cut.
    pub(super) fn find(&self, text: &str, is_cut: bool, found: &mut Vec<Range<usize>>) {
        let plain =
            (!self.values.is_empty()).then(|| Plain::of(text)).filter(|plain| !plain.jumps.is_empty());
        for value in &self.values {
            found.extend(text.match_indices(&value.raw).map(|(at, raw)| at..at + raw.len()));
            for (text, value) in
                plain.iter().flat_map(|text| value.plain.iter().map(move |value| (text, value)))
            {
                let places = text.text.match_indices(value.as_str());
                found.extend(places.map(|(at, value)| text.source(at)..text.source(at + value.len())));
            }
        }
        if !self.values.is_empty() {
            self.find_parts(text, is_cut, found);
        }
    }

    /// Adds where their beginnings stand before a cut, and their ends behind one.
    fn find_parts(&self, text: &str, is_cut: bool, found: &mut Vec<Range<usize>>) {
        let cuts = text.rmatch_indices(CUT).take(MOST_CUTS).map(|(at, _)| at);
        for end in cuts.clone().chain(is_cut.then_some(text.len())) {
            // An escape that was cut stands for nothing: what counts is before it.
            let near = begin(text, end.saturating_sub(LONGEST_ESCAPE)).len();
            let escapes = text[near..end].rmatch_indices(['%', '\\', '&']).take(MOST_SIGNS);
            for whole in [end].into_iter().chain(escapes.map(|(at, _)| near + at)) {
                let head = Plain::of(&text[..whole]);
                for value in &self.values {
                    let raw = part_at_end(&text[..whole], &value.raw).map(|length| whole - length);
                    let plain = value.plain.iter().filter_map(|value| part_at_end(&head.text, value));
                    let plain = plain.map(|length| head.source(head.text.len() - length));
                    found.extend(plain.chain(raw).min().map(|start| start..end));
                }
            }
        }
        for cut in cuts {
            let start = cut + CUT.len_utf8();
            let part = |value: &Value| part_at_start(&text[start..], &value.raw);
            found.extend(self.values.iter().filter_map(part).map(|length| start..start + length));
        }
    }
}

/// The length of the longest beginning of the value, but not all of it, that the text ends with.
fn part_at_end(text: &str, value: &str) -> Option<usize> {
    let (text, value) = (text.as_bytes(), value.as_bytes());
    let longest = text.len().min(value.len().saturating_sub(1));
    (SHORTEST_PART..=longest).rev().find(|&length| text[text.len() - length..] == value[..length])
}

/// The length of the longest end of the value, but not all of it, that the text begins with.
fn part_at_start(text: &str, value: &str) -> Option<usize> {
    let (text, value) = (text.as_bytes(), value.as_bytes());
    let longest = text.len().min(value.len().saturating_sub(1));
    (SHORTEST_PART..=longest).rev().find(|&length| text[..length] == value[value.len() - length..])
}

/// What an escape begins with, and what [`unescaped`] writes in another way.
const ESCAPES: [char; 9] = ['%', '+', '\\', '&', '\n', '\r', '\t', '\u{8}', '\u{c}'];

/// What the escape at the beginning of a text stands for, if anything is left of it, and its length.
type Unescape = fn(&str) -> Option<(Option<char>, usize)>;

/// A text without its escapes.
struct Plain<'a> {
    text: Cow<'a, str>,
    /// Places here and there from which on both go on alike.
    jumps: Vec<(usize, usize)>,
}

impl Plain<'_> {
    fn of(source: &str) -> Plain<'_> {
        Plain::with(source, unescaped)
    }

    fn with(source: &str, unescaped: Unescape) -> Plain<'_> {
        let mut plain = Plain { text: Cow::Borrowed(source), jumps: Vec::new() };
        let (mut at, mut copied) = (0, 0);
        while let Some(next) = source[at..].find(ESCAPES).map(|next| next + at) {
            at = next + 1;
            let Some((decoded, length)) = unescaped(&source[next..]) else { continue };
            if plain.jumps.is_empty() {
                plain.text = Cow::Owned(String::with_capacity(source.len()));
            }
            let text = plain.text.to_mut();
            text.push_str(&source[copied..next]);
            plain.jumps.push((text.len(), next));
            text.extend(decoded);
            plain.jumps.push((text.len(), next + length));
            (at, copied) = (next + length, next + length);
        }
        if copied > 0 {
            plain.text.to_mut().push_str(&source[copied..]);
        }
        plain
    }

    /// The place in the source of a place here; one before backslashes rather than behind them.
    fn source(&self, at: usize) -> usize {
        let next = self.jumps.partition_point(|(plain, _)| *plain < at);
        let before = next.checked_sub(1).map_or((0, 0), |jump| self.jumps[jump]);
        match self.jumps.get(next) {
            Some((plain, source)) if *plain == at => *source,
            _ => before.1 + (at - before.0),
        }
    }
}

/// What the escape at the beginning stands for, however often it was escaped, and its length. Backslashes are left out
/// and control characters are the letters that stand behind them, as it is not known how many times JSON was in JSON.
fn unescaped(text: &str) -> Option<(Option<char>, usize)> {
    let (decoded, length) = match text.as_bytes().first()? {
        b'%' => percent(text)?,
        b'&' => entity(text)?,
        b'\\' => {
            let length = text.bytes().take_while(|byte| *byte == b'\\').count();
            text[length..].strip_prefix('u').and_then(|_| unicode(text, length + 1)).unwrap_or(('\\', length))
        }
        other => (char::from(*other), 1),
    };
    let plain = match decoded {
        '+' => ' ',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => other,
    };
    Some(((plain != '\\').then_some(plain), length))
}

/// The same, with what looks like an escape of a URL as it is.
fn literally(text: &str) -> Option<(Option<char>, usize)> {
    if text.starts_with('%') { None } else { unescaped(text) }
}

/// `%C3%BC`, `%25C3%25BC`: one character.
fn percent(text: &str) -> Option<(char, usize)> {
    let byte = |from: usize| {
        let mut at = from + 1;
        let hex = |at: usize| {
            let digits =
                text.get(at..at + 2).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()
        };
        let mut value = text.get(from..at).filter(|sign| *sign == "%").and_then(|_| hex(at))?;
        while let (b'%', Some(inner)) = (value, hex(at + 2)) {
            value = inner;
            at += 2;
        }
        Some((value, at + 2))
    };
    let (first, mut length) = byte(0)?;
    let mut bytes = vec![first];
    let expected = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let mut end = length;
    while let (true, Some((next, after))) = (bytes.len() < expected, byte(end)) {
        bytes.push(next);
        end = after;
    }
    let whole = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
    if whole.is_some() {
        length = end;
    }
    Some((whole.unwrap_or(char::from(first)), length))
}

/// `&amp;`, `&#39;`.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(9).position(|byte| byte == b';')?;
    let decoded = match &text[1..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((decoded, end + 1))
}

/// `\u00fc`, `\ud83d\ude00`: behind the `u`.
fn unicode(text: &str, at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let first = unit(at)?;
    let after = at + 4;
    let second = || {
        let rest = text.get(after..)?;
        let next = rest.trim_start_matches('\\').strip_prefix('u')?;
        let next = text.len() - next.len();
        Some((unit(next)?, next + 4))
    };
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, after));
    }
    let (second, after) = second()?;
    let c = char::decode_utf16([first, second]).next()?.ok()?;
    Some((c, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(values: &[&str]) -> Declared {
        let mut declared = Declared::default();
        values.iter().for_each(|value| declared.add(value));
        declared
    }

    fn masked(values: &[&str], text: &str) -> String {
        let declared = declared(values);
        crate::credentials::without_declared(text, &declared, usize::MAX).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn a_value_is_found_however_it_is_escaped() {
        let secret = "p@ss w\"rd!\\/ü+€😀";
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let whole =
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        let partly = percent_encoding::utf8_percent_encode(secret, percent_encoding::CONTROLS).to_string();
        for escaped in [
            secret.to_owned(),
            json(secret),
            json(&json(secret)),
            json(&json(&json(secret))),
            json(&form),
            form.clone(),
            whole.to_lowercase(),
            whole.replace('%', "%25"),
            whole,
            partly,
            "p@ss%20w\"rd!\\/ü+€😀".to_owned(),
            "p&#64;ss w&quot;rd!\\/&#xfc;+€😀".to_owned(),
            r#"p\u0040ss w\"rd!\\\/\u00fc+\u20ac\ud83d\ude00"#.to_owned(),
        ] {
            let text = masked(&[secret], &format!("ä {escaped} ö"));
            assert!(text.starts_with("ä ") && text.ends_with(" ö") && text.contains("***"), "{text}");
            assert!(!text.contains("rd") && text.len() < 24, "{escaped}: {text}");
        }
    }

    #[test]
    fn a_value_that_looks_escaped_is_found_in_both_meanings() {
        let secret = "p%41ss+w/%25x=";
        for escaped in [
            secret.to_owned(),
            secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string(),
            "p%41ss+w/%25x%3D".to_owned(),
            "pAss%20w/%25x=".to_owned(),
        ] {
            assert_eq!(masked(&[secret], &format!("/e/{escaped}/z")), "/e/***/z", "{escaped}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        let values = ["hunter2", "hunter2-long", "abc", "", "ends\\", "100%25sure"];
        for (text, expected) in [
            ("a hunter2 b hunter2", "a *** b ***"),
            ("x=hunter2-long", "x=***"),
            ("hunter abc 100% sure", "hunter abc 100% sure"),
            ("ends\\next, ends\\\\next", "***next, ***\\next"),
            ("ends", "ends"),
            ("100%25sure 100%2525sure", "*** ***"),
            ("%", "%"),
            ("\\", "\\"),
            ("&amp; %41 %zz %C3 \\u00 ü+", "&amp; %41 %zz %C3 \\u00 ü+"),
        ] {
            assert_eq!(masked(&values, text), expected);
        }
    }

    #[test]
    fn what_a_cut_leaves_of_a_value_is_found() {
        let secret = "p@ss w\"rd!/ü+€-0123456789";
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::Value::from(secret).to_string();
        for whole in [secret, &form, json.trim_matches('"')] {
            for (end, _) in whole.char_indices().skip(5) {
                let text = masked(&[secret], &format!("it starts with \"{}…\"", &whole[..end]));
                assert_eq!(text, "it starts with \"***…\"", "{}", &whole[..end]);
                let cut = format!("/x/{}{}", whole, "y".repeat(20_000));
                let shown = crate::credentials::masked_with(&cut, &declared(&[secret]), 3 + end).unwrap();
                assert_eq!(shown, "/x/***");
            }
        }
        assert_eq!(masked(&[secret], "…56789 and p@ and p@ss"), "…*** and p@ and p@ss");
        // Longer than what is searched.
        let key = "0123456789".repeat(5_000);
        let shown = crate::credentials::masked_with(&format!("a {key} b"), &declared(&[&key]), 100).unwrap();
        assert_eq!(shown, "a ***");
    }

    #[test]
    fn a_long_text_takes_no_longer_than_it_is() {
        for part in ["\\", "%25", "%C3", "&", "\\u", "+"] {
            let text = masked(&["hunter2"], &format!("{}hunter2", part.repeat(100_000)));
            assert!(text.ends_with("***"), "{part}");
        }
    }
}
