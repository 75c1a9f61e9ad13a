//! How many attributes the elements of a page have.
//!
//! The parser compares each attribute of an element with all before it, so their number is looked at first. Invariants: the
//! time grows only with the text; what only looks like an element, in a comment, a script or the like, is not one.

/// The most attributes of an element; pages have some dozens.
pub(super) const MOST_ATTRIBUTES: usize = 1_000;

/// Elements whose content is text.
const OF_TEXT: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// Whether an element of the page has more than [`MOST_ATTRIBUTES`].
pub(super) fn has_too_many(page: &str) -> bool {
    let bytes = page.as_bytes();
    let mut at = 0;
    while let Some(found) = find(bytes, at, b"<") {
        at = found + 1;
        if bytes[at..].starts_with(b"!--") {
            at = find(bytes, at, b"-->").unwrap_or(bytes.len());
            continue;
        }
        let is_end = bytes.get(at) == Some(&b'/');
        let start = at + usize::from(is_end);
        if !bytes.get(start).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let name = bytes[start..].iter().position(|byte| is_space(*byte) || matches!(byte, b'/' | b'>'));
        let end = name.map_or(bytes.len(), |length| start + length);
        let Some(after) = after_attributes(bytes, end) else { return true };
        at = after;
        let of_text = OF_TEXT.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(&bytes[start..end]));
        if let (Some(name), false) = (of_text, is_end) {
            at = end_of_text(bytes, at, name);
        }
    }
    false
}

/// Where the tag ends whose name ends here; `None` when it has too many attributes.
fn after_attributes(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut attributes = 0;
    loop {
        at = skip(bytes, at, |byte| is_space(byte) || byte == b'/');
        if at >= bytes.len() || bytes[at] == b'>' {
            return Some(at);
        }
        attributes += 1;
        if attributes > MOST_ATTRIBUTES {
            return None;
        }
        // A name may begin with an equals sign.
        at = skip(bytes, at + 1, |byte| !is_space(byte) && !matches!(byte, b'/' | b'>' | b'='));
        let equals = skip(bytes, at, is_space);
        if bytes.get(equals) != Some(&b'=') {
            continue;
        }
        at = skip(bytes, equals + 1, is_space);
        at = match bytes.get(at) {
            Some(quote @ (b'"' | b'\'')) => skip(bytes, at + 1, |byte| byte != *quote) + 1,
            _ => skip(bytes, at, |byte| !is_space(byte) && byte != b'>'),
        };
    }
}

/// Where the end tag of an element of text begins.
fn end_of_text(bytes: &[u8], mut at: usize, name: &str) -> usize {
    while let Some(found) = find(bytes, at, b"</") {
        at = found + 2;
        if bytes[at..].get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes())) {
            return found;
        }
    }
    bytes.len()
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// The first place from `at` on where this does not hold.
fn skip(bytes: &[u8], at: usize, holds: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| !holds(*byte)).map_or(bytes.len(), |length| at + length)
}

fn find(bytes: &[u8], at: usize, what: &[u8]) -> Option<usize> {
    let rest = bytes.get(at..)?;
    rest.windows(what.len()).position(|window| window == what).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attributes_of_elements_count() {
        let many =
            |between: &str| (0..=MOST_ATTRIBUTES).map(|n| format!("{between}a{n}")).collect::<String>();
        for page in [
            format!("<p{}>", many(" ")),
            format!("<p>x</p><DIV{}", many("/")),
            format!("<p{}>", many("=\"1\" ")),
            format!("<p{}>", many(" b='>' ")),
            format!("</p{}>", many("\n")),
            format!("<script>a<b</script ><p{}>", many("=1\t")),
        ] {
            assert!(has_too_many(&page), "{:.60}", page);
        }
        for page in [
            format!("<p d=\"M {}\">", many(" ")),
            format!("<script>if(a<b {}</script><p>", many(" ")),
            format!("<STYLE>a<b {}", many(" ")),
            format!("<!-- <p {} --><p>", many(" ")),
            format!("a < b {}", many(" ")),
            "<p a>".repeat(2 * MOST_ATTRIBUTES),
            "<".to_owned(),
            "<p a='".to_owned(),
            "<p =".to_owned(),
        ] {
            assert!(!has_too_many(&page), "{:.60}", page);
        }
    }
}
