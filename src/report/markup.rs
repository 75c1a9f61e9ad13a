//! Escaping of text for HTML, SVG and XML. Pure.

use crate::text::clean_text;

/// Text for between tags and in quoted attributes, without control characters.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean_text(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not characters of XML, even as references, and of no use in HTML.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_markup() {
        let text = "<script>alert('1' & \"2\")</script>\u{ffff}\u{1b}\u{9b}\u{202e}";
        assert_eq!(
            escape(text),
            "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;\u{fffd}␛\u{fffd}\u{fffd}"
        );
    }
}
