//! Facts about host functions beyond their signatures: where they may be called, and which keys their maps take.
//! Used by the static analysis of scripts.
//!
//! Invariant: these facts agree with what the functions do; `tests/main/check.rs` calls them.

use rhai::{Dynamic, Map};

use super::{crypto, data, declare, executor, http_params, param, sample, scenario};
use crate::script::call_site::CallSite;

const DECLARE: &[&str] = &["options", "task", "wait", "scenario", "param", "on"];

const NEED_USER: &[&str] = &["sleep", "think", "group", "check", "measure"];

const VU_NEED_USER: &[&str] = &["id", "iteration", "scenario", "elapsed", "tags"];

/// Where a function may be called; `module` is empty for those outside modules.
pub(crate) fn place_of(module: &str, function: &str) -> CallSite {
    match module {
        "" if DECLARE.contains(&function) => CallSite::Declares,
        "" if NEED_USER.contains(&function) => CallSite::User,
        "data" => CallSite::Reads,
        "http" if function != "file" => CallSite::User,
        "ws" | "store" => CallSite::User,
        "metrics" if matches!(function, "sample" | "start") => CallSite::User,
        "vu" if VU_NEED_USER.contains(&function) => CallSite::User,
        _ => CallSite::Anywhere,
    }
}

/// The keys that a map may have.
pub(crate) struct Keys {
    /// How messages refer to the map.
    pub(crate) of: &'static str,
    pub(crate) known: Vec<&'static str>,
    /// Whether [`problem_of_request`] knows their values.
    pub(crate) are_of_a_request: bool,
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
        ("metrics", "sample", 1) => ("metrics::sample", sample::KEYS),
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
    Some(Keys { of, known, are_of_a_request: of == "the request" })
}

/// The keys of a map inside such a map.
pub(crate) fn keys_inside(module: &str, function: &str, key: &str) -> Option<Keys> {
    match (module, function, key) {
        ("", "options", "http") => {
            Some(Keys { of: "options.http", known: declare::HTTP_KEYS.names(), are_of_a_request: false })
        }
        _ => None,
    }
}

/// What is wrong with a value of a request, whatever else the request has.
pub(crate) fn problem_of_request(key: &str, value: Dynamic) -> Option<String> {
    http_params::read_params(Map::from([(key.into(), value)])).err()
}
