//! The declared secrets of a script, for the duration of its run.
//!
//! Owns the values; leaves finding them in a text to `credentials`. Invariant: all text that leaves the engine
//! goes through [`Secrets::mask`]: errors, and once per second all counted names and failure messages. In
//! messages that a script prints and in copies of scripts only declared secrets are masked. Requests themselves
//! are not changed.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::credentials::{CUT, Declared, begin, masked_with, without_declared};
use crate::text::format::bytes;

/// Most values.
const MOST: usize = 5_000;

/// Longest error or reason that is shown, with what explains it, in bytes.
const LONGEST_TEXT: usize = 10_000;

/// Longest message of a script that is shown, in bytes: up to a thousand of them wait for the terminal.
const LONGEST_PRINTED: usize = 64 << 10;

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    declared: RwLock<Declared>,
    /// Whether there are any, to be asked without the lock.
    any: AtomicBool,
}

impl Secrets {
    /// Adds a value.
    ///
    /// # Errors
    /// When there are too many; leaving one unmasked would be worse.
    pub(crate) fn add(&self, value: &str) -> Result<(), String> {
        // Asked first, because scripts may ask for the same secret in every iteration.
        if self.declared().knows(value) {
            return Ok(());
        }
        let mut declared = self.declared.write().unwrap_or_else(PoisonError::into_inner);
        declared.add(value);
        self.any.store(declared.len() > 0, Ordering::Release);
        if declared.len() > MOST {
            return Err(
                "too many different secrets: all output is searched for each of them. Put values that differ \
                 per user in a data file"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn declared(&self) -> RwLockReadGuard<'_, Declared> {
        self.declared.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without the secrets that were declared; `None` when it holds none.
    pub(crate) fn mask_declared(&self, text: &str) -> Option<String> {
        let mask = || without_declared(text, &self.declared(), usize::MAX);
        self.any.load(Ordering::Acquire).then(mask).flatten()
    }

    /// The text without those, and without what is a credential by its name; `None` when it holds neither.
    pub(crate) fn mask(&self, text: &str) -> Option<String> {
        self.mask_begin(text, usize::MAX)
    }

    /// The same for the first `most` bytes of a text; what follows is searched for secrets that end there.
    pub(crate) fn mask_begin(&self, text: &str, most: usize) -> Option<String> {
        masked_with(text, &self.declared(), most)
    }

    /// The same for a text that is at hand and is shown or kept. It is cut when it is longer than anybody reads.
    pub(crate) fn masked(&self, text: String) -> String {
        self.cut(text, LONGEST_TEXT, |text, most| self.mask_begin(text, most))
    }

    /// What a script prints, without the secrets that were declared. It is cut as well.
    pub(crate) fn printed(&self, text: String) -> String {
        let any = self.any.load(Ordering::Acquire);
        self.cut(text, LONGEST_PRINTED, |text, most| {
            any.then(|| without_declared(text, &self.declared(), most)).flatten()
        })
    }

    fn cut(&self, text: String, most: usize, mask: impl Fn(&str, usize) -> Option<String>) -> String {
        if text.len() <= most {
            return mask(&text, usize::MAX).unwrap_or(text);
        }
        let mut kept = mask(&text, most).unwrap_or_else(|| begin(&text, most).to_owned());
        let _ = write!(kept, "{CUT} ({} in all)", bytes(text.len() as u64));
        kept
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
        assert_eq!(secrets.mask_declared("abc"), None);
        secrets.add("abcd").unwrap();
        assert_eq!(secrets.mask_declared("abc abcd").unwrap(), "abc ***");
    }

    #[test]
    fn what_is_cut_is_searched_before() {
        let secrets = Secrets::default();
        secrets.add("hunter2").unwrap();
        let check = |most, expected: &str| {
            assert_eq!(secrets.mask_begin("a hunter2 token=abc", most).unwrap(), expected)
        };
        check(1, "a");
        check(2, "a ");
        check(3, "a ***");
        check(9, "a ***");
        check(16, "a *** token=");
        check(17, "a *** token=***");
        assert_eq!(secrets.mask_begin("short", 5), None);
    }

    #[test]
    fn a_text_without_end_is_cut_and_says_so() {
        let secrets = Secrets::default();
        secrets.add("hunter2").unwrap();
        let text = format!("{}hunter2{}", "x".repeat(LONGEST_TEXT - 3), "y".repeat(1_000_000));
        let shown = secrets.masked(text);
        assert!(
            shown.ends_with("x***… (1.0 MB in all)") && shown.len() < LONGEST_TEXT + 30,
            "{}",
            shown.len()
        );
        let printed = secrets.printed(format!("hunter2 {}", "ü".repeat(1_000_000)));
        assert!(printed.starts_with("*** ü") && printed.ends_with("ü… (2.0 MB in all)"));
        assert_eq!(secrets.printed("token=abc".to_owned()), "token=abc");
    }

    #[test]
    fn there_is_an_end_to_their_number() {
        let secrets = Secrets::default();
        let error = (0..MOST + 1).find_map(|n| secrets.add(&format!("secret{n}")).err()).unwrap();
        assert!(error.contains("too many different secrets"), "{error}");
        secrets.add("secret1").unwrap();
        assert_eq!(secrets.masked("secret77".to_owned()), "***");
    }
}
