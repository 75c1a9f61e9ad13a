//! What must not be shown: values that scripts declared secret, and how they are masked.
//!
//! Invariant: whatever leaves the engine as text goes through [`Secrets::mask`]: messages, script errors,
//! and once a second all names and failure messages that were counted. Requests themselves are not touched.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::api::encode_url;
use crate::metrics::masked as credentials;

/// What stands for a secret.
pub(crate) const MASK: &str = "***";

/// Shortest value that is masked: shorter ones stand in too many words.
const SHORTEST: usize = 4;

/// Most values, in all their forms.
const MOST_FORMS: usize = 5_000;

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
    ///
    /// # Errors
    /// When there are too many, in words: one that is not masked would be worse.
    pub(crate) fn add(&self, value: &str) -> Result<(), String> {
        if value.chars().count() < SHORTEST || self.is_known(value) {
            return Ok(());
        }
        let json = serde_json::Value::from(value).to_string();
        let inside_json =
            json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
        let in_form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let escaped = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let in_path = encode_url(value);
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        for form in [value.to_owned(), inside_json, in_form, escaped, in_path] {
            if !values.contains(&form) {
                values.push(form);
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.any.store(true, Ordering::Release);
        if values.len() > MOST_FORMS {
            return Err(
                "there are too many different secrets: every text that is shown is searched for all of \
                        them. What differs from user to user belongs into a data file"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Asked first, because scripts may ask for the same secret in every iteration.
    fn is_known(&self, value: &str) -> bool {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.iter().any(|known| known == value)
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

    /// The same for a text that was counted, which may repeat headers, URLs and bodies: what is a credential by its
    /// name is masked as well.
    pub(crate) fn mask_counted(&self, text: &str) -> Option<String> {
        let masked = self.mask(text);
        match credentials(masked.as_deref().unwrap_or(text)) {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => masked,
        }
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
        for secret in ["hunter2", "hunter2-long", "pass\"wo rd/ü", "\"quoted\""] {
            secrets.add(secret).unwrap();
        }
        let check = |text: &str, expected: &str| assert_eq!(secrets.masked(text.to_owned()), expected);
        check("a hunter2 b hunter2", "a *** b ***");
        check("x=hunter2-long", "x=***");
        check(r#"{"p":"pass\"wo rd/ü"}"#, r#"{"p":"***"}"#);
        check("/login?p=pass%22wo+rd%2F%C3%BC", "/login?p=***");
        check("/p/pass%22wo%20rd%2F%C3%BC", "/p/***");
        check(r#"["\"quoted\""]"#, r#"["***"]"#);
        check("hunter", "hunter");
    }

    #[test]
    fn short_values_are_left_alone() {
        let secrets = Secrets::default();
        secrets.add("abc").unwrap();
        secrets.add("").unwrap();
        assert!(secrets.is_empty());
        secrets.add("abcd").unwrap();
        assert_eq!(secrets.masked("abc abcd".to_owned()), "abc ***");
    }

    #[test]
    fn there_is_an_end_to_their_number() {
        let secrets = Secrets::default();
        let error = (0..MOST_FORMS + 1).find_map(|n| secrets.add(&format!("secret{n}")).err()).unwrap();
        assert!(error.contains("too many different secrets"), "{error}");
        secrets.add("secret1").unwrap();
        assert_eq!(secrets.masked("secret77".to_owned()), MASK);
    }
}
