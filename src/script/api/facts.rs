//! Facts about host functions beyond their signatures: where they may be called, and which keys their maps take.
//! Used by the static analysis of scripts.
//!
//! Invariant: these facts agree with what the functions do; `tests/main/check.rs` calls them.

use super::{crypto, data, declare, executor, http_params, param, scenario};

/// Where a host function may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// Only while the top level runs, because it declares.
    Declares,
    /// Only while the top level runs, because it reads a file.
    Reads,
    /// Only on behalf of a virtual user.
    User,
    Anywhere,
}

const DECLARE: &[&str] = &["options", "task", "wait", "scenario", "param", "on"];

const NEED_USER: &[&str] = &["sleep", "think", "group", "check", "measure"];

const VU_NEED_USER: &[&str] = &["id", "iteration", "scenario", "elapsed", "tags"];

/// Where a function may be called; `module` is empty for those outside modules.
pub(crate) fn place_of(module: &str, function: &str) -> Where {
    match module {
        "" if DECLARE.contains(&function) => Where::Declares,
        "" if NEED_USER.contains(&function) => Where::User,
        "data" => Where::Reads,
        "http" if function != "file" => Where::User,
        "ws" | "store" => Where::User,
        "vu" if VU_NEED_USER.contains(&function) => Where::User,
        _ => Where::Anywhere,
    }
}

/// The keys that a map may have.
pub(crate) struct Keys {
    /// How messages refer to the map.
    pub(crate) of: &'static str,
    pub(crate) known: Vec<&'static str>,
}

/// The keys of a map that is the argument number `argument`, from 0; `None` when they are free.
pub(crate) fn keys_of(module: &str, function: &str, argument: usize) -> Option<Keys> {
    let (of, table) = match (module, function, argument) {
        ("", "options", 0) => ("options", declare::OPTION_KEYS),
        ("", "scenario", 1) => ("the scenario", scenario::SCENARIO_KEYS),
        ("", "task", 1 | 2) => ("task", scenario::TASK_KEYS),
        ("", "param", 1 | 2) => ("the parameter", param::KEYS),
        ("http", "get" | "post" | "put" | "patch" | "delete" | "head" | "options", 1)
        | ("http", "request", 2)
        | ("ws", "connect", 1) => ("the request", http_params::KEYS),
        ("data", "csv", 1) => ("data::csv", data::CSV_KEYS),
        ("crypto", "jwt_sign", 2) => ("crypto::jwt_sign", crypto::JWT_KEYS),
        _ => return None,
    };
    let mut known = table.names();
    // The load keys of a scenario are in the same map.
    if (module, function) == ("", "scenario") {
        known.extend(executor::LOAD_KEYS.names());
    }
    // With a weight argument, the map must not have one.
    known.retain(|key| (function, argument, *key) != ("task", 2, "weight"));
    Some(Keys { of, known })
}

/// The keys of a map inside such a map.
pub(crate) fn keys_inside(module: &str, function: &str, key: &str) -> Option<Keys> {
    match (module, function, key) {
        ("", "options", "http") => Some(Keys { of: "options.http", known: declare::HTTP_KEYS.names() }),
        _ => None,
    }
}

/// The error of a declaring function called outside the top level.
pub(crate) fn declares(function: &str) -> String {
    format!("{function} declares: call it at the top level of the script, not in a function")
}

/// The error of a file-reading function called outside the top level.
pub(crate) fn reads(function: &str) -> String {
    format!(
        "{function} reads a file: call it at the top level of the script, not in a function, and keep what it \
         returns in a variable or const"
    )
}

/// The error of a function that needs a virtual user, called at the top level.
pub(crate) fn needs_user(function: &str) -> String {
    format!("{function} needs a virtual user: call it inside a function, not at the top level of the script")
}
