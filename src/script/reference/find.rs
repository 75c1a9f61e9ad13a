//! Finding what a reader asks for: a part, a name in it, a name anywhere.

use super::contents::all;
use super::entry::{Entry, Part};
use super::tables::Owner;
use crate::text::nearest;

/// What was found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A part as a whole.
    Part(Box<Part>),
    /// Single entries, each with the part it stands in.
    Entries(Vec<(Part, Entry)>),
}

/// Names that Locust, k6 and others have for what is here, and how it is asked for.
const ELSEWHERE: &[(&str, &str)] = &[
    ("__env", "env"),
    ("__iter", "vu::iteration"),
    ("__vu", "vu::id"),
    ("before_start", "scenario"),
    ("beautifulsoup", "strings::html"),
    ("browser", "http"),
    ("catch_response", "response::expect"),
    ("client", "http"),
    ("cookiejar", "http::cookies"),
    ("customcounter", "metrics"),
    ("events", "on"),
    ("execution", "vu"),
    ("faker", "std/fake"),
    ("fasthttpuser", "scenario"),
    ("formdata", "params::multipart"),
    ("httpuser", "scenario"),
    ("jslib", "std"),
    ("json.loads", "parse_json"),
    ("json.parse", "parse_json"),
    ("jsonpath", "response::json"),
    ("k6", "globals"),
    ("k6/crypto", "crypto"),
    ("k6/data", "data"),
    ("k6/encoding", "encoding"),
    ("k6/execution", "vu"),
    ("k6/html", "html"),
    ("k6/http", "http"),
    ("k6/metrics", "metrics"),
    ("k6/secrets", "secret"),
    ("k6/timers", "flow::sleep"),
    ("k6/websockets", "ws"),
    ("k6/ws", "ws"),
    ("locust", "scenario"),
    ("logging", "log"),
    ("markovtaskset", "scenario::transitions"),
    ("open", "data"),
    ("papaparse", "data::csv"),
    ("parsehtml", "html"),
    ("parser", "html"),
    ("raise_for_status", "params::raise"),
    ("redis", "store"),
    ("requests", "http"),
    ("res", "response"),
    ("sequentialtaskset", "scenario::sequence"),
    ("session", "http"),
    ("sharedarray", "data"),
    ("tag", "task"),
    ("taskset", "scenario"),
    ("urlparse", "url::parse"),
    ("urlsearchparams", "url::query"),
    ("uuid4", "random::uuid"),
    ("uuidv4", "random::uuid"),
    ("wait_time", "waits"),
    ("websocket", "ws"),
    ("websockets", "ws"),
];

/// Types of Rhai, and the parts about them. `map` and `int` are functions, too.
const TYPES: &[(&str, &str)] = &[
    ("array", "arrays"),
    ("blob", "blobs"),
    ("dict", "maps"),
    ("fn", "values"),
    ("list", "arrays"),
    ("number", "numbers"),
    ("object", "maps"),
    ("string", "strings"),
];

/// What a reader asks for; `None` when there is no such thing.
pub(crate) fn find(asked: &str) -> Option<Found> {
    let asked = clean(asked);
    // `http get` is as good as `http::get`.
    find_exactly(&asked)
        .or_else(|| asked.contains(' ').then(|| find_exactly(&asked.replace(' ', "::"))).flatten())
}

fn find_exactly(asked: &str) -> Option<Found> {
    let parts = all();
    if asked == "globals" {
        return Some(Found::Part(Box::new(globals(&parts))));
    }
    let of_type = TYPES.iter().find(|(name, _)| *name == asked).map(|(_, part)| *part);
    if let Some(part) = parts.iter().find(|part| is_part(part, of_type.unwrap_or(asked))) {
        return Some(Found::Part(Box::new(part.clone())));
    }
    let (scope, name) = split(asked);
    let mut found = Vec::new();
    for part in parts.iter().filter(|part| scope.is_none_or(|scope| is_scope(part, scope))) {
        for block in
            part.blocks.iter().filter(|block| scope.is_none_or(|scope| in_scope(part, block.owner, scope)))
        {
            let entries = block.entries.iter().filter(|entry| has(entry, name));
            found.extend(entries.map(|entry| (part.clone(), entry.clone())));
        }
    }
    (!found.is_empty()).then_some(Found::Entries(found))
}

/// What may have been meant by a name that does not exist: how it is asked for, and whether that is another tool's
/// name for it.
pub(crate) fn meant(asked: &str) -> Option<(String, bool)> {
    let asked = clean(asked);
    if let Some(&(_, ours)) = ELSEWHERE.iter().find(|&&(theirs, _)| theirs == asked) {
        return Some((ours.to_owned(), true));
    }
    let parts = all();
    let paths = parts.iter().flat_map(|part| {
        part.entries().flat_map(|entry| entry.names().into_iter().map(|name| entry.path(part, name)))
    });
    let mut known: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
    known.extend(paths);
    if !asked.contains("::") {
        // A name alone may be near the last part of a path.
        let names: Vec<&str> = parts.iter().flat_map(Part::entries).flat_map(|entry| entry.names()).collect();
        known.extend(names.into_iter().map(str::to_owned));
    }
    nearest(&asked, known.iter().map(String::as_str)).map(|name| (name.to_owned(), false))
}

/// Everything that stands behind no module, type or map, wherever it is described.
fn globals(parts: &[Part]) -> Part {
    let blocks = parts.iter().flat_map(|part| &part.blocks).filter(|block| block.owner == Owner::Global);
    Part {
        name: "globals".to_owned(),
        title: "Global functions".to_owned(),
        is_sub: false,
        about: "functions outside modules".to_owned(),
        intro: String::new(),
        blocks: blocks.cloned().collect(),
        notes: String::new(),
    }
}

/// Lower case, without what comes from code or speech around a name: `http::get("/")`, `.json`, `scenario keys`.
fn clean(asked: &str) -> String {
    let asked = asked.trim().to_lowercase();
    let asked = asked.split('(').next().unwrap_or_default().trim().trim_start_matches('.');
    let asked = asked.strip_suffix(" keys").or_else(|| asked.strip_suffix("-keys")).unwrap_or(asked);
    let asked = asked.strip_suffix("::").unwrap_or(asked);
    asked.replace("std::", "std/")
}

fn is_part(part: &Part, asked: &str) -> bool {
    let is_title = part.title.trim_matches('`').to_lowercase() == asked;
    part.name == asked || is_title || part.name.strip_prefix("std/") == Some(asked) || {
        // Rhai's own types have names that functions have too, as `map`.
        let is_type =
            |owner| matches!(owner, Owner::Type(name) if name.to_lowercase() == asked && name != asked);
        // "file" is a function rather than the type that it gives.
        part.blocks.first().is_some_and(|block| is_type(block.owner))
    }
}

/// `http::get` → (`http`, `get`); `response.json` too, and `options.http.proxy`.
fn split(asked: &str) -> (Option<&str>, &str) {
    match asked.rsplit_once("::").or_else(|| asked.rsplit_once('.')) {
        Some((scope, name)) => (Some(scope), name),
        None => (None, asked),
    }
}

fn is_scope(part: &Part, scope: &str) -> bool {
    is_part(part, scope) || part.blocks.iter().any(|block| is_owner(block.owner, scope))
}

/// Whether a table of a part is asked for by this name: all of them by the part's, else those of the type.
fn in_scope(part: &Part, owner: Owner, scope: &str) -> bool {
    is_part(part, scope) || is_owner(owner, scope)
}

fn is_owner(owner: Owner, scope: &str) -> bool {
    match owner {
        Owner::Global => false,
        Owner::Module(name) | Owner::Type(name) | Owner::Keys(name) => name.to_lowercase() == scope,
    }
}

fn has(entry: &Entry, name: &str) -> bool {
    entry.forms.iter().any(|form| form.name.to_lowercase() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(asked: &str) -> Vec<String> {
        match find(asked) {
            Some(Found::Part(part)) => vec![part.name],
            Some(Found::Entries(entries)) => {
                entries.iter().map(|(part, entry)| entry.path(part, entry.forms[0].name)).collect()
            }
            None => Vec::new(),
        }
    }

    #[test]
    fn what_is_asked_for_in_many_ways_is_found() {
        for (asked, expected) in [
            ("http", "http"),
            ("http::", "http"),
            ("HTTP", "http"),
            ("http get", "http::get"),
            ("http::get", "http::get"),
            ("http::get(\"/x\")", "http::get"),
            ("response", "response"),
            ("Response", "response"),
            ("response::status", "response::status"),
            ("response.status", "response::status"),
            ("scenario keys", "scenario"),
            ("scenario::exec", "scenario::exec"),
            ("options", "options"),
            ("options.http", "options.http"),
            ("options.http.proxy", "options.http::proxy"),
            ("std/auth", "std/auth"),
            ("std::auth", "std/auth"),
            ("auth", "std/auth"),
            ("auth::token", "auth::token"),
            ("std/auth::token", "auth::token"),
            ("globals", "globals"),
            ("sleep", "sleep"),
            ("discard_body", "params::discard_body"),
            ("Elements", "html"),
            ("Elements.texts", "html::texts"),
            ("webSocket::recv", "ws::recv"),
        ] {
            assert_eq!(paths(asked), [expected], "{asked}");
        }
        assert_eq!(paths(".json"), ["params::json", "response::json", "data::json", "strings::json"]);
        assert_eq!(paths("split"), ["strings::split", "arrays::split"]);
        assert_eq!(paths("parse_json"), ["parse_json"]);
        assert_eq!(
            (paths("array"), paths("maps"), paths("string.trim")),
            (vec!["arrays".to_owned()], vec!["maps".to_owned()], vec!["strings::trim".to_owned()])
        );
        assert_eq!(paths("keys"), ["response::keys", "maps::keys"]);
        assert_eq!(paths("map"), ["arrays::map", "maps::map"]);
        assert!(paths("regex").contains(&"strings::regex".to_owned()));
        assert!(paths("nosuch").is_empty() && paths("http::nosuch").is_empty());
    }

    #[test]
    fn what_is_called_otherwise_elsewhere_leads_here() {
        let found: Vec<_> = ELSEWHERE.iter().filter(|(theirs, _)| find(theirs).is_some()).collect();
        assert!(found.is_empty(), "they are found by themselves: {found:?}");
        let lost: Vec<_> = ELSEWHERE.iter().filter(|(_, ours)| find(ours).is_none()).collect();
        assert!(lost.is_empty(), "there is no such thing: {lost:?}");
        assert_eq!(meant("k6/http"), Some(("http".to_owned(), true)));
        assert_eq!(meant("HttpUser"), Some(("scenario".to_owned(), true)));
    }

    #[test]
    fn a_slip_is_told() {
        for (slip, ours) in
            [("htpt", "http"), ("http::gett", "http::get"), ("slep", "sleep"), ("std/auht", "std/auth")]
        {
            assert_eq!(meant(slip), Some((ours.to_owned(), false)), "{slip}");
        }
        assert_eq!(meant("xyzzy"), None);
    }
}
