//! Regular expressions, compiled once.

use regex::{Captures, Regex, RegexBuilder};

use super::bounded::Bounded;

/// Largest compiled pattern, in bytes: the time of compiling and searching grows with it.
const LARGEST: usize = 4 << 20;

/// The patterns of a worker thread's scripts.
#[derive(Default)]
pub(crate) struct Patterns(Bounded<Regex>);

impl Patterns {
    /// What the first match captures in its first group, or the whole match of a pattern without groups. A group
    /// that takes no part in the match gives an empty text.
    ///
    /// # Errors
    /// When the pattern is none; the message quotes it.
    pub(crate) fn first(&self, pattern: &str, text: &str) -> Result<Option<String>, String> {
        Ok(self.compiled(pattern)?.captures(text).map(|captures| part(&captures)))
    }

    /// The same of every match, in order.
    ///
    /// # Errors
    /// As [`Patterns::first`].
    pub(crate) fn all(&self, pattern: &str, text: &str) -> Result<Vec<String>, String> {
        Ok(self.compiled(pattern)?.captures_iter(text).map(|captures| part(&captures)).collect())
    }

    fn compiled(&self, pattern: &str) -> Result<std::rc::Rc<Regex>, String> {
        self.0.get(pattern, |pattern| {
            RegexBuilder::new(pattern).size_limit(LARGEST).build().map_err(|error| {
                // The crate draws the pattern with a marker below it; its last line says what is wrong.
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("\"{pattern}\" is not a regular expression: {why}")
            })
        })
    }
}

fn part(captures: &Captures) -> String {
    let group = if captures.len() > 1 { captures.get(1) } else { captures.get(0) };
    group.map_or_else(String::new, |found| found.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_or_the_whole_match() {
        let patterns = Patterns::default();
        let text = "id=7; id=12; name=ä";
        assert_eq!(patterns.first(r"id=(\d+)", text).unwrap().as_deref(), Some("7"));
        assert_eq!(patterns.first(r"id=\d+", text).unwrap().as_deref(), Some("id=7"));
        assert_eq!(patterns.first(r"(x)?name=(.)", text).unwrap().as_deref(), Some(""));
        assert_eq!(patterns.first("nosuch", text).unwrap(), None);
        assert_eq!(patterns.all(r"id=(\d+)", text).unwrap(), ["7", "12"]);
        assert!(patterns.all("nosuch", text).unwrap().is_empty());
    }

    #[test]
    fn a_pattern_that_is_none_is_quoted() {
        let error = Patterns::default().first("a(b", "ab").unwrap_err();
        assert_eq!(error, "\"a(b\" is not a regular expression: unclosed group");
        let error = Patterns::default().all(r"(?:x{1000}){1000}", "x").unwrap_err();
        assert!(error.contains("size limit"), "{error}");
    }
}
