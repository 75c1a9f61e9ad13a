//! Detecting credentials, and masking them in texts.
//!
//! Owns the names that mean a credential ([`is_credential`]), finding credentials in a text (`text.rs`), and
//! finding declared secrets in their escaped forms (`declared.rs`). Leaves which secrets a run has to `script`. A
//! leaf: it uses nothing else of the crate. Invariants: time and memory grow linearly with the text; masking is
//! idempotent; a text is searched before it is cut.

mod declared;
mod names;
mod text;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use declared::Declared;
pub use names::is_credential;

/// The replacement for a credential.
pub const MASK: &str = "***";

/// Stands where a text was cut. A declared secret that was cut there is recognized by the part that is left of it.
pub(crate) const CUT: char = '…';

/// How much of a text behind its shown part is searched, in bytes, so that what begins before the cut is found whole.
/// A longer credential is recognized by its beginning.
const BEYOND: usize = 8 << 10;

/// Masks credentials that are recognizable by name or shape: in headers, URLs, queries, forms, JSON, tokens.
pub fn masked(text: &str) -> Cow<'_, str> {
    rendered(text, text::spans(text, false), usize::MAX).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A URL, which may lack its scheme, without user and password.
pub fn masked_url(url: &str) -> Cow<'_, str> {
    let start = if url.contains("://") {
        None
    } else {
        url.split(['/', '?', '#']).next().and_then(|host| host.rfind('@'))
    };
    match start {
        Some(at) => Cow::Owned(format!("{MASK}{}", masked(&url[at..]))),
        None => masked(url),
    }
}

/// The value of a header, field or parameter as it may be shown. `Bearer` and the like stay.
pub fn masked_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if !is_credential(name) || value.is_empty() {
        return masked(value);
    }
    let credential = text::without_scheme(value, 0..value.len());
    Cow::Owned(format!("{}{MASK}", &value[..credential.start]))
}

/// The first `most` bytes of a text without credentials and without declared secrets; `None` when that is the text
/// as it is. Some of what follows is searched as well, so that nothing is shown of a secret that ends there; the time
/// that takes does not grow with the rest of the text.
pub(crate) fn masked_with(text: &str, declared: &Declared, most: usize) -> Option<String> {
    let searched = begin(text, most.saturating_add(BEYOND));
    let is_cut = searched.len() < text.len();
    let mut found = text::spans(searched, is_cut);
    declared.find(searched, is_cut, &mut found);
    rendered(searched, found, most)
}

/// The first `most` bytes of a text without declared secrets; `None` when that is the text as it is.
pub(crate) fn without_declared(text: &str, declared: &Declared, most: usize) -> Option<String> {
    let searched = begin(text, most.saturating_add(BEYOND));
    let mut found = Vec::new();
    declared.find(searched, searched.len() < text.len(), &mut found);
    rendered(searched, found, most)
}

/// The first characters of a text, with a mark when there are more: for messages that quote it.
pub(crate) fn excerpt(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}{CUT}", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The whole characters in the first `most` bytes of a text.
pub(crate) fn begin(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

fn rendered(text: &str, mut found: Vec<Range<usize>>, most: usize) -> Option<String> {
    let end = begin(text, most).len();
    if found.is_empty() && end == text.len() {
        return None;
    }
    found.sort_unstable_by_key(|span| span.start);
    let mut shown = String::with_capacity(end);
    let mut at = 0;
    for span in found {
        if span.start >= end {
            break;
        }
        if span.start >= at {
            shown.push_str(&text[at..span.start]);
            shown.push_str(MASK);
        }
        at = at.max(span.end);
    }
    shown.push_str(text.get(at..end).unwrap_or_default());
    Some(shown)
}
