//! URLs that stand for several: `{a,b}` and `[1-3]`, which curl goes through one after another.
//!
//! Invariant: the number of URLs is bounded.

/// URLs of one argument.
const MOST_URLS: usize = 100;

/// The URLs that one with braces and brackets stands for, in curl's order.
///
/// # Errors
/// When curl would not accept it, or it stands for too many.
pub(in crate::convert) fn expanded(url: &str) -> Result<Vec<String>, String> {
    let chars: Vec<char> = url.chars().collect();
    let mut urls = vec![String::new()];
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let rest = &chars[at + 1..];
        let end = |close: char| rest.iter().position(|c| *c == close);
        let choices = match c {
            '{' => {
                let end = end('}').ok_or("has a { that nothing closes")?;
                let inner: String = rest[..end].iter().collect();
                if inner.contains(['{', '[']) || inner.is_empty() {
                    return Err(format!("has {{{inner}}}, which curl does not take as a list"));
                }
                at += end + 1;
                inner.split(',').map(str::to_owned).collect()
            }
            '[' if rest.first() == Some(&']') => {
                at += 1;
                vec!["[]".to_owned()]
            }
            '[' => {
                let end = end(']').ok_or("has a [ that nothing closes")?;
                let inner: String = rest[..end].iter().collect();
                at += end + 1;
                if inner.parse::<std::net::Ipv6Addr>().is_ok() {
                    vec![format!("[{inner}]")]
                } else {
                    range(&inner)
                        .ok_or_else(|| format!("has [{inner}], which curl does not take as a range"))?
                }
            }
            '}' | ']' => return Err(format!("has a {c} that closes nothing")),
            '\\' if rest.first().is_some_and(|c| "{}[]".contains(*c)) => {
                at += 1;
                vec![rest[0].to_string()]
            }
            c => vec![c.to_string()],
        };
        at += 1;
        if urls.len() * choices.len() > MOST_URLS {
            return Err(format!(
                "stands for more than {MOST_URLS} URLs: write a loop into the script instead"
            ));
        }
        match choices.as_slice() {
            [one] => urls.iter_mut().for_each(|url| url.push_str(one)),
            several => {
                let with = |url: &String| several.iter().map(|c| format!("{url}{c}")).collect::<Vec<_>>();
                urls = urls.iter().flat_map(with).collect();
            }
        }
    }
    Ok(urls)
}

/// `1-10`, `001-100:5`, `a-z` or `a-z:2`.
fn range(text: &str) -> Option<Vec<String>> {
    let (bounds, step) = match text.split_once(':') {
        Some((bounds, step)) => (bounds, step.parse::<usize>().ok().filter(|step| *step > 0)?),
        None => (text, 1),
    };
    let (first, last) = bounds.split_once('-')?;
    let letter = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(char::is_ascii_alphabetic).filter(|_| chars.next().is_none())
    };
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let values: Vec<String> = (first..=last).step_by(step).map(String::from).collect();
        return Some(values).filter(|values| !values.is_empty());
    }
    let whole =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let width = if first.starts_with('0') { first.len() } else { 1 };
    let values = (whole(first)?..=whole(last)?).step_by(step);
    // One more than may be is enough to be refused.
    let values: Vec<String> = values.take(MOST_URLS + 1).map(|number| format!("{number:0width$}")).collect();
    Some(values).filter(|values| !values.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_as_curl_reads_them() {
        let check = |url: &str, expected: &[&str]| assert_eq!(expanded(url).unwrap(), expected, "{url}");
        check("http://a/x", &["http://a/x"]);
        check("http://a/[1-2]/{x,y}", &["http://a/1/x", "http://a/1/y", "http://a/2/x", "http://a/2/y"]);
        check("[01-10:4]", &["01", "05", "09"]);
        check("[a-c:2]{,z}", &["a", "az", "c", "cz"]);
        check("http://[::1]:80/x[]=\\[1\\]", &["http://[::1]:80/x[]=[1]"]);
        for wrong in [
            "{a",
            "a}",
            "[1-2",
            "]",
            "[x]",
            "[5-1]",
            "{}",
            "{a{b,c}}",
            "[1-101]",
            "[1-50]{a,b,c}",
            "[1-99999999999]",
        ] {
            assert!(expanded(wrong).is_err(), "{wrong}");
        }
    }
}
