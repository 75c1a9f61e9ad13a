//! From script values to what host functions need; an error says what was expected and what was given.

use std::fmt::Display;
use std::time::Duration;

use rhai::{Array, Blob, Dynamic, FnPtr, Map};

use crate::script::habits;
use crate::text::did_you_mean;
use crate::text::{LONGEST_DURATION, parse_duration};

/// Describes a value for an error message: its type, and the value when it is short and plain.
pub(crate) fn describe(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".to_owned();
    }
    if value.is_string() {
        return format!("the string \"{value}\"");
    }
    if value.is_int() || value.is_float() || value.is_bool() {
        return format!("{value}");
    }
    format!("a value of type {}", value.type_name())
}

/// A number, whole or not.
pub(crate) fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|int| int as f64))
}

/// A time: a number of seconds, or text such as `300ms`.
pub(crate) fn duration(what: &str, value: &Dynamic) -> Result<Duration, String> {
    if let Some(seconds) = number(value) {
        return match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if duration <= LONGEST_DURATION => Ok(duration),
            _ if seconds > 0.0 => Err(format!("{what} is {seconds} seconds; the maximum is a year")),
            _ => Err(format!("{what} is {seconds}; it is a time in seconds and must not be negative")),
        };
    }
    match value.as_immutable_string_ref() {
        Ok(text) => parse_duration(&text).map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(expected(what, "seconds, or text such as \"300ms\"", value)),
    }
}

/// A whole number of 0 or more.
pub(crate) fn count(what: &str, value: &Dynamic) -> Result<u64, String> {
    let int = value.as_int().map_err(|_| expected(what, "a whole number", value))?;
    u64::try_from(int).map_err(|_| format!("{what} is {int}; it must not be negative"))
}

/// Text.
pub(crate) fn text(what: &str, value: &Dynamic) -> Result<String, String> {
    value.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| expected(what, "text", value))
}

/// Text or a blob, as bytes.
pub(crate) fn bytes(what: &str, value: &Dynamic) -> Result<Vec<u8>, String> {
    if let Some(blob) = value.read_lock::<Blob>() {
        return Ok(blob.clone());
    }
    let text = value.as_immutable_string_ref().map_err(|_| expected(what, "text or a blob", value))?;
    Ok(text.as_bytes().to_vec())
}

/// True or false.
pub(crate) fn boolean(what: &str, value: &Dynamic) -> Result<bool, String> {
    value.as_bool().map_err(|_| expected(what, "true or false", value))
}

/// A map.
pub(crate) fn map(what: &str, value: &Dynamic) -> Result<Map, String> {
    value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| expected(what, "a map #{ … }", value))
}

/// An array.
pub(crate) fn array(what: &str, value: &Dynamic) -> Result<Array, String> {
    value
        .read_lock::<Array>()
        .map(|array| array.clone())
        .ok_or_else(|| expected(what, "an array [ … ]", value))
}

/// The name of a function, given as text or as a function itself.
pub(crate) fn function_name(what: &str, value: &Dynamic) -> Result<String, String> {
    match value.read_lock::<FnPtr>() {
        Some(function) => Ok(function.fn_name().to_owned()),
        None => text(what, value).map_err(|_| expected(what, "the name of a function", value)),
    }
}

/// Names and values in an order: a map, or an array of pairs `[name, value]`; an array as a value repeats its name.
pub(crate) fn named_values(what: &str, value: &Dynamic) -> Result<Vec<(String, Dynamic)>, String> {
    let mut named = Vec::new();
    let mut add = |name: String, value: &Dynamic| match value.read_lock::<Array>() {
        Some(values) => named.extend(values.iter().map(|value| (name.clone(), value.clone()))),
        None => named.push((name, value.clone())),
    };
    if let Some(map) = value.read_lock::<Map>() {
        map.iter().for_each(|(name, value)| add(name.to_string(), value));
    } else if let Some(pairs) = value.read_lock::<Array>() {
        for (at, pair) in pairs.iter().enumerate() {
            let read = pair.read_lock::<Array>();
            let Some([name, value]) = read.as_ref().map(|pair| pair.as_slice()) else {
                return Err(expected(&format!("{what}[{at}]"), "a pair [name, value]", pair));
            };
            add(text(&format!("{what}[{at}][0]"), name)?, value);
        }
    } else {
        return Err(expected(what, "a map #{ … } or an array of pairs [name, value]", value));
    }
    Ok(named)
}

/// A map of texts: keys to plain values, which are written as text.
pub(crate) fn text_map(what: &str, value: &Dynamic) -> Result<Vec<(String, String)>, String> {
    let map = value.read_lock::<Map>().ok_or_else(|| expected(what, "a map #{ … }", value))?;
    map.iter()
        .map(|(key, value)| Ok((key.to_string(), plain(format_args!("{what}.{key}"), value)?)))
        .collect()
}

/// A plain value as text.
pub(crate) fn plain(what: impl Display, value: &Dynamic) -> Result<String, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        Ok(text.as_str().to_owned())
    } else if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        Ok(value.to_string())
    } else {
        Err(expected(&what.to_string(), "text, a number or true/false", value))
    }
}

/// "what must be …, not …".
pub(crate) fn expected(what: &str, wanted: &str, came: &Dynamic) -> String {
    format!("{what} must be {wanted}, not {}", describe(came))
}

/// The message for a key that means nothing.
pub(crate) fn unknown_key(what: &str, key: &str, known: &[&str]) -> String {
    let hint = match habits::key(key) {
        Some(hint) => format!(" — {hint}"),
        None => did_you_mean(key, known.iter().copied()),
    };
    format!("{what} has no key '{key}'{hint} (known: {})", known.join(", "))
}
