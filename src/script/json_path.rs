//! Paths into JSON: `user.roles[0].name`, `[2]`, `items["a.b"]`. Pure.

use serde_json::Value;

/// The value at `path`, or `None` when there is none. A negative index counts from the end.
///
/// # Errors
/// When the path is invalid.
pub(crate) fn find<'a>(root: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let mut value = root;
    for step in steps(path)? {
        let next = match &step {
            Step::Key(key) => value.get(key.as_str()),
            Step::Index(index) => value.as_array().and_then(|array| {
                let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                let index = if *index < 0 { array.len().checked_sub(from_end)? } else { from_end };
                array.get(index)
            }),
        };
        match next {
            Some(found) => value = found,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

enum Step {
    Key(String),
    Index(i64),
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let wrong = |why: &str| format!("\"{path}\" is not a path such as a.b[0].c: {why}");
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let quote = inner.chars().next().filter(|c| *c == '"' || *c == '\'');
            let close = match quote {
                Some(quote) => inner[1..].find(quote).map(|end| end + 2),
                None => inner.find(']'),
            }
            .filter(|&end| inner[end..].starts_with(']'))
            .ok_or_else(|| wrong("a bracket is not closed"))?;
            steps.push(match quote {
                Some(_) => Step::Key(inner[1..close - 1].to_owned()),
                None => {
                    Step::Index(inner[..close].trim().parse().map_err(|_| wrong("an index is not a number"))?)
                }
            });
            rest = &inner[close + 1..];
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong("a name is empty"));
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err(wrong("a name is missing after the last dot"));
            }
            rest = after;
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_that_lead_somewhere_and_nowhere() {
        let root =
            json!({ "user": { "roles": [{ "name": "a" }, { "name": "b" }] }, "x.y": 1, "list": [[1, 2]] });
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(find(&root, path).unwrap(), expected.as_ref(), "{path}");
        };
        check("user.roles[1].name", Some(json!("b")));
        check("user.roles[-1].name", Some(json!("b")));
        check("[\"x.y\"]", Some(json!(1)));
        check("list[0][1]", Some(json!(2)));
        check("", Some(root.clone()));
        check("user.nobody", None);
        check("user.roles[7]", None);
        check("user.roles[-7]", None);
        check("user[0]", None);
    }

    #[test]
    fn paths_that_are_none() {
        for path in ["a[", "a[x]", ".a", "a..b", "a.", "a['b]", "a[\"b\"x]"] {
            let error = find(&json!({}), path).unwrap_err();
            assert!(error.contains("is not a path"), "{path}: {error}");
        }
    }
}
