//! JavaScript in pieces: statements, calls and their arguments, chains of members, texts.
//!
//! Owns finding where they end. Leaves what they mean to `script`.

/// Statements at the outermost level, without comments.
pub(in crate::convert) fn statements(script: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut statement = String::new();
    let mut depth = 0_usize;
    let chars: Vec<char> = script.chars().collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            '/' if chars.get(at + 1) == Some(&'/') => {
                while chars.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
                continue;
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at += 2;
                while at < chars.len() && !(chars[at] == '*' && chars.get(at + 1) == Some(&'/')) {
                    at += 1;
                }
                at += 2;
                continue;
            }
            '"' | '\'' | '`' => {
                let end = quoted_end(&chars, at);
                statement.extend(&chars[at..end]);
                at = end;
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        statement.push(c);
        at += 1;
        let goes_on = || {
            // A line that begins with a point goes on with the one before, as does an `else`.
            let rest: String = chars[at..].iter().skip_while(|c| c.is_whitespace()).take(5).collect();
            rest.starts_with('.') || rest.starts_with("else") || rest.starts_with("catch")
        };
        if depth == 0 && (c == ';' || (c == '\n' && !goes_on())) {
            if !statement.trim().trim_matches(';').trim().is_empty() {
                out.push(statement.trim().to_owned());
            }
            statement.clear();
        }
    }
    if !statement.trim().is_empty() {
        out.push(statement.trim().to_owned());
    }
    out
}

/// Where a text in quotes ends, after its last quote.
pub(in crate::convert) fn quoted_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(c) = chars.get(at) {
        match c {
            '\\' => at += 1,
            c if *c == chars[start] => return at + 1,
            _ => {}
        }
        at += 1;
    }
    chars.len()
}

/// Where the bracket that is open at the start closes, in bytes.
pub(in crate::convert) fn closing(text: &str, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) => quote = Some(open).filter(|open| *open != c),
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, c) if depth == 0 && c == close => return Some(at),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// What stands between commas, up to the parenthesis that closes.
pub(in crate::convert) fn arguments(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let comma = closing(rest, ',');
        let end = closing(rest, ')').unwrap_or(rest.len());
        match comma.filter(|comma| *comma < end) {
            Some(comma) => {
                out.push(rest[..comma].trim().to_owned());
                rest = &rest[comma + 1..];
            }
            None => {
                let last = rest[..end].trim();
                if !last.is_empty() {
                    out.push(last.to_owned());
                }
                return out;
            }
        }
    }
}

/// The two sides of an operator outside of quotes and brackets.
pub(in crate::convert) fn split_outside<'t>(text: &'t str, operator: &str) -> Option<(&'t str, &'t str)> {
    let first = operator.chars().next()?;
    let at = closing(text, first)?;
    text[at..].starts_with(operator).then(|| (&text[..at], &text[at + operator.len()..]))
}

/// `to.have.status(200)` as words, each with the text of its arguments.
pub(in crate::convert) fn chain(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    loop {
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        if length == 0 {
            return None;
        }
        let word = rest[..length].to_owned();
        rest = rest[length..].trim_start();
        let arguments = match rest.strip_prefix('(') {
            Some(inner) => {
                let end = closing(inner, ')')?;
                rest = inner[end + 1..].trim_start();
                Some(inner[..end].to_owned())
            }
            None => None,
        };
        words.push((word, arguments));
        if rest.is_empty() {
            return Some(words);
        }
        rest = rest.strip_prefix('.')?.trim_start();
    }
}

/// A text in quotes, alone.
pub(in crate::convert) fn string(text: &str) -> Option<String> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if quote == '`' && inner.contains("${") {
        return None;
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                c @ ('\\' | '"' | '\'' | '`' | '/') => out.push(c),
                _ => return None,
            },
            c if c == quote => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

pub(in crate::convert) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(in crate::convert) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
