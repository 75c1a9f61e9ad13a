//! Why a text is not a CSS selector: what in it, and where.
//!
//! The parser says neither, so parts of the text are given to it again. Pure. Positions are characters, from 1.

/// Longer selectors are not searched for the place: that parses each of their beginnings.
const LONGEST_SEARCHED: usize = 500;

/// Pseudo-classes of jQuery and of pages that somebody uses, and what is written instead.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["contains", "has-text", "icontains"],
        "search the elements for text: for e in page.css(\"li\") { if e.text().contains(\"…\") { … } }",
    ),
    (&["first"], "take the first of the list: page.css(\"li\").first()"),
    (&["last"], "take the last of the list: page.css(\"li\")[-1]"),
    (&["eq", "gt", "lt", "nth"], "take an element of the list: page.css(\"li\")[2], or write :nth-child(3)"),
    (&["even", "odd"], "write :nth-child(even) or :nth-child(odd)"),
    (&["checked", "disabled", "selected", "required"], "write the attribute: input[checked]"),
    (&["input", "button", "submit", "checkbox", "radio", "password"], "write input[type=…]"),
    (
        &["hover", "focus", "active", "visited", "visible", "hidden", "target"],
        "a page that nobody looks at has no such state",
    ),
    (&["before", "after", "text", "attr"], "take it of the element: .text(), .attr(\"href\")"),
];

/// What is wrong with this selector; `parses` says whether a text is one.
pub(super) fn why(selector: &str, parses: impl Fn(&str) -> bool) -> String {
    let chars: Vec<char> = selector.chars().collect();
    if selector.trim().is_empty() {
        return "it is empty".to_owned();
    }
    let before_attributes = selector.split('[').next().unwrap_or_default();
    if selector.trim_start().starts_with(['/', '(']) || before_attributes.contains("//") {
        return "it is XPath — write CSS: body > div a[href]".to_owned();
    }
    let brackets = match Brackets::of(&chars) {
        Ok(brackets) => brackets,
        Err(why) => return why,
    };
    if let Some(why) = pseudo(&chars, &brackets, &parses) {
        return why;
    }
    let place_of = |at: usize| format!("the {} at {}", chars[at], at + 1);
    let is_combinator = |c: &char| ['>', '+', '~', ','].contains(c);
    if let Some(at) = chars.iter().rposition(|c| !c.is_whitespace()).filter(|at| is_combinator(&chars[*at])) {
        return format!("nothing follows {}", place_of(at));
    }
    if let Some(at) = chars.iter().position(|c| !c.is_whitespace()).filter(|at| is_combinator(&chars[*at])) {
        return format!("nothing stands before {}", place_of(at));
    }
    let mut before = None;
    for (at, c) in chars.iter().enumerate().filter(|(at, _)| brackets.around(*at).is_none()) {
        if is_combinator(c)
            && let Some(before) = before.replace(at)
        {
            return format!("nothing stands between {} and {}", place_of(before), place_of(at));
        }
        if !is_combinator(c) && !c.is_whitespace() {
            before = None;
        }
    }
    if selector.len() > LONGEST_SEARCHED {
        return "a part of it is not understood".to_owned();
    }
    let beginning = |end: usize| chars[..end].iter().collect::<String>();
    let read = (1..chars.len()).rev().find(|&end| parses(&beginning(end))).unwrap_or(0);
    let at = (read..chars.len())
        .find(|&at| !chars[at].is_whitespace() && !is_combinator(&chars[at]))
        .unwrap_or(read);
    if let Some(open) = brackets.around(at).filter(|open| chars[*open] == '[') {
        return format!(
            "what stands in the [ at {} is not understood — write [name=\"value\"], with the value in quotes",
            open + 1
        );
    }
    let begins_with_digit =
        matches!(chars[at], '#' | '.') && chars.get(at + 1).is_some_and(char::is_ascii_digit);
    if begins_with_digit {
        let name = if chars[at] == '#' { "id" } else { "class" };
        let text: String = chars[at + 1..].iter().take_while(|c| c.is_alphanumeric() || **c == '-').collect();
        let operator = if chars[at] == '#' { "=" } else { "~=" };
        return format!(
            "a name after {} cannot begin with a digit — write [{name}{operator}\"{text}\"]",
            place_of(at)
        );
    }
    format!("{} is not expected there", place_of(at))
}

/// Where brackets open and close, outside of quotes.
struct Brackets(Vec<(usize, usize)>);

impl Brackets {
    fn of(chars: &[char]) -> Result<Brackets, String> {
        let (mut open, mut pairs, mut quote) = (Vec::new(), Vec::new(), None);
        let mut escaped = false;
        for (at, &c) in chars.iter().enumerate() {
            if std::mem::take(&mut escaped) {
                continue;
            }
            match (quote, c) {
                (_, '\\') => escaped = true,
                (Some((_, other)), _) if c == other => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some((at, c)),
                (None, '[' | '(') => open.push(at),
                (None, ']' | ')') => {
                    let wanted = if c == ']' { '[' } else { '(' };
                    match open.pop() {
                        Some(start) if chars[start] == wanted => pairs.push((start, at)),
                        _ => return Err(format!("the {c} at {} closes nothing", at + 1)),
                    }
                }
                _ => {}
            }
        }
        let unclosed = quote.map(|(at, _)| at).or(open.pop());
        match unclosed {
            Some(at) => Err(format!("the {} at {} is not closed", chars[at], at + 1)),
            None => Ok(Brackets(pairs)),
        }
    }

    fn end_of(&self, start: usize) -> Option<usize> {
        self.0.iter().find(|(open, _)| *open == start).map(|(_, close)| *close)
    }

    /// Where the innermost bracket around a place opens.
    fn around(&self, at: usize) -> Option<usize> {
        self.0.iter().filter(|(open, close)| (*open..=*close).contains(&at)).map(|(open, _)| *open).max()
    }
}

/// A pseudo-class that is none here: the innermost, which is the last.
fn pseudo(chars: &[char], brackets: &Brackets, parses: &impl Fn(&str) -> bool) -> Option<String> {
    for at in (0..chars.len()).rev() {
        if chars[at] != ':' || at > 0 && matches!(chars[at - 1], ':' | '\\') || is_quoted(chars, at) {
            continue;
        }
        let start = (at..chars.len()).find(|&at| chars[at] != ':').unwrap_or(chars.len());
        let is_name = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let end = (start..chars.len()).find(|&at| !is_name(&chars[at])).unwrap_or(chars.len());
        if start == end {
            return Some(format!("a name is missing after the : at {}", at + 1));
        }
        let name: String = chars[start..end].iter().collect();
        let whole = brackets.end_of(end).map_or(end, |close| close + 1);
        let text: String = chars[at..whole].iter().collect();
        if parses(&format!("*{text}")) {
            continue;
        }
        let colons: String = chars[at..start].iter().collect();
        let instead = INSTEAD.iter().find(|(names, _)| names.contains(&&*name.to_ascii_lowercase()));
        let hint = instead.map_or(String::new(), |(_, instead)| format!(" — {instead}"));
        let is_known = ["not", "is", "where", "has"].contains(&&*name) || name.starts_with("nth-");
        return Some(match is_known {
            true => format!("what stands in {colons}{name}(…) at {} is not understood{hint}", at + 1),
            false => format!("there is no {colons}{name}, at {}{hint}", at + 1),
        });
    }
    None
}

/// Whether a place stands in quotes, or in square brackets.
fn is_quoted(chars: &[char], at: usize) -> bool {
    let mut quote = None;
    let mut square = 0_usize;
    for &c in &chars[..at] {
        match (quote, c) {
            (Some(other), _) if c == other => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => square += 1,
            (None, ']') => square = square.saturating_sub(1),
            _ => {}
        }
    }
    quote.is_some() || square > 0
}

#[cfg(test)]
mod tests {
    use scraper::Selector;

    use super::*;

    #[test]
    fn what_is_wrong_and_where() {
        let check = |selector: &str, expected: &str| {
            assert!(Selector::parse(selector).is_err(), "{selector} is a selector");
            let why = why(selector, |text| Selector::parse(text).is_ok());
            assert!(why.starts_with(expected), "{selector}: {why}");
        };
        check("", "it is empty");
        check("  ", "it is empty");
        check("//a[@href]", "it is XPath");
        check("li:contains('x')", "there is no :contains, at 3 — search the elements");
        check("ul li:first", "there is no :first, at 6 — take the first");
        check("a:not(:hover)", "there is no :hover, at 7");
        check("p::before", "there is no ::before, at 2 — take it of the element");
        check("li:nosuch(1)", "there is no :nosuch, at 3");
        check("p:nth-child(x)", "what stands in :nth-child(…) at 2 is not understood");
        check("li:", "a name is missing after the : at 3");
        check("::", "a name is missing after the : at 1");
        check("a >", "nothing follows the > at 3");
        check("a,", "nothing follows the , at 2");
        check("> a", "nothing stands before the > at 1");
        check("a[", "the [ at 2 is not closed");
        check("a)", "the ) at 2 closes nothing");
        check("a[href^=http://x]", "what stands in the [ at 2 is not understood");
        check("p::text", "there is no ::text, at 2 — take it of the element");
        check("a[href=/x]", "what stands in the [ at 2 is not understood — write [name=\"value\"]");
        check("#1a", "a name after the # at 1 cannot begin with a digit — write [id=\"1a\"]");
        check("div .2b", "a name after the . at 5 cannot begin with a digit — write [class~=\"2b\"]");
        check("div..x", "the . at 4 is not expected there");
        check("a { color: red }", "");
        check("ä!", "the ! at 2 is not expected there");
        check("a, , b", "nothing stands between the , at 2 and the , at 4");
        check("a > {", "the { at 5 is not expected there");
        check("@media", "the @ at 1 is not expected there");
    }
}
