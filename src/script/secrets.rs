//! What must not be shown: values that scripts declared secret, and how they are masked.
//!
//! Invariant: whatever leaves the engine as text goes through [`Secrets::mask`]: messages, script errors,
//! and once a second all names and failure messages that were counted. Requests themselves are not touched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for a secret.
pub(crate) const MASK: &str = "***";

/// Shortest value that is masked: shorter ones stand in too many words.
const SHORTEST: usize = 4;

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// Longest first, so that a secret inside another one does not leave the rest of it.
    values: RwLock<Vec<String>>,
    /// Whether there are any, to be asked without the lock.
    any: AtomicBool,
}

impl Secrets {
    /// Adds a value, and the forms in which JSON and URLs hold it.
    pub(crate) fn add(&self, value: &str) {
        if value.chars().count() < SHORTEST {
            return;
        }
        let json = serde_json::Value::from(value).to_string();
        let inner = json.trim_start_matches('"').trim_end_matches('"').to_owned();
        let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let path = crate::script::api::encode_url(value);
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for form in [value.to_owned(), inner, form, encoded, path] {
            if form.len() >= SHORTEST && !values.contains(&form) {
                values.push(form);
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.any.store(true, Ordering::Release);
    }

    /// Whether nothing has to be masked.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// The text without the secrets in it; `None` when it holds none.
    pub(crate) fn mask(&self, text: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let mut masked: Option<String> = None;
        for value in values.iter() {
            let text = masked.as_deref().unwrap_or(text);
            if text.contains(value.as_str()) {
                masked = Some(text.replace(value.as_str(), MASK));
            }
        }
        masked
    }

    /// The same for a text that is at hand.
    pub(crate) fn masked(&self, text: String) -> String {
        self.mask(&text).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_the_forms_they_take() {
        let secrets = Secrets::default();
        assert_eq!(secrets.mask("hunter2"), None);
        for secret in ["hunter2", "hunter2-long", "pass\"wo rd/ü"] {
            secrets.add(secret);
        }
        let check = |text: &str, expected: &str| assert_eq!(secrets.masked(text.to_owned()), expected);
        check("a hunter2 b hunter2", "a *** b ***");
        check("x=hunter2-long", "x=***");
        check(r#"{"p":"pass\"wo rd/ü"}"#, r#"{"p":"***"}"#);
        check("/login?p=pass%22wo+rd%2F%C3%BC", "/login?p=***");
        check("/p/pass%22wo%20rd%2F%C3%BC", "/p/***");
        check("hunter", "hunter");
    }

    #[test]
    fn short_values_are_left_alone() {
        let secrets = Secrets::default();
        secrets.add("abc");
        secrets.add("");
        assert!(secrets.is_empty());
        secrets.add("abcd");
        assert_eq!(secrets.masked("abc abcd".to_owned()), "abc ***");
    }
}
