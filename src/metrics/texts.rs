//! How long the texts that a run keeps are: names, tags, messages, traces, URLs.
//!
//! Owns the lengths. Leaves to the caller what in a text must not be shown. Invariants: a longer text is cut where it is
//! recorded, before it is stored, and searched for secrets before that; a text that fits costs nothing; the time to cut
//! one does not grow with its length.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::groups::FailureSample;
use super::sample::{RequestSample, ScriptError};
use crate::credentials::{CUT, begin};

/// Longest name, tag, method or check, in bytes.
pub(crate) const LONGEST_NAME: usize = 500;

/// Longest message, URL or place in a script, in bytes.
pub(crate) const LONGEST_MESSAGE: usize = 2_000;

/// Longest trace of a script error, in bytes.
const LONGEST_TRACE: usize = 8_000;

/// The first bytes of a text, this many at most, without secrets; `None` when that is the text as it is.
pub(crate) type MaskBegin = Arc<dyn Fn(&str, usize) -> Option<String> + Send + Sync>;

/// Cuts texts, and counts those that it cut.
#[derive(Default)]
pub(crate) struct Texts {
    mask: Option<MaskBegin>,
    cut: u64,
}

impl Texts {
    /// Masks with this what is cut from now on.
    pub(crate) fn mask_with(&mut self, mask: MaskBegin) {
        self.mask = Some(mask);
    }

    /// How many texts were cut since the last call.
    pub(crate) fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }

    /// The name as it is kept.
    #[inline]
    pub(crate) fn name<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        self.kept(name, LONGEST_NAME)
    }

    /// The message as it is kept.
    #[inline]
    pub(crate) fn message<'a>(&mut self, message: &'a str) -> Cow<'a, str> {
        self.kept(message, LONGEST_MESSAGE)
    }

    /// Keys and values of tags as they are kept.
    pub(crate) fn tags<'a>(&mut self, tags: &'a [(String, String)]) -> Cow<'a, [(String, String)]> {
        if tags.iter().all(|(key, value)| key.len().max(value.len()) <= LONGEST_NAME) {
            return Cow::Borrowed(tags);
        }
        let kept =
            |(key, value): &(String, String)| (self.name(key).into_owned(), self.name(value).into_owned());
        Cow::Owned(tags.iter().map(kept).collect())
    }

    /// The error as it is kept.
    pub(crate) fn script_error<'a>(&mut self, error: &'a ScriptError) -> Cow<'a, ScriptError> {
        let ScriptError { message, position, trace } = error;
        if message.len() <= LONGEST_MESSAGE
            && position.len() <= LONGEST_MESSAGE
            && trace.len() <= LONGEST_TRACE
        {
            return Cow::Borrowed(error);
        }
        Cow::Owned(ScriptError {
            message: self.message(message).into_owned(),
            position: self.message(position).into_owned(),
            trace: self.kept(trace, LONGEST_TRACE).into_owned(),
        })
    }

    /// The sample with its message as it is kept.
    pub(crate) fn request<'a>(&mut self, sample: &'a RequestSample) -> Cow<'a, RequestSample> {
        let too_long = |failure: &str| failure.len() > LONGEST_MESSAGE;
        match &sample.failure {
            Some(failure) if too_long(&failure.message) => {
                let mut short = sample.clone();
                if let Some(kept) = &mut short.failure {
                    kept.message = self.message(&failure.message).into_owned();
                }
                Cow::Owned(short)
            }
            _ => Cow::Borrowed(sample),
        }
    }

    /// The request to be looked at as it is kept. Of its body, [`FailureSample::cut`] keeps the begin.
    pub(crate) fn shown(&mut self, mut sample: FailureSample) -> FailureSample {
        for text in [&mut sample.url, &mut sample.message] {
            if let Cow::Owned(kept) = self.message(text) {
                *text = kept;
            }
        }
        sample
    }

    #[inline]
    fn kept<'a>(&mut self, text: &'a str, most: usize) -> Cow<'a, str> {
        if text.len() <= most { Cow::Borrowed(text) } else { Cow::Owned(self.cut(text, most)) }
    }

    #[cold]
    fn cut(&mut self, text: &str, most: usize) -> String {
        self.cut = self.cut.saturating_add(1);
        let most = most - CUT.len_utf8();
        let masked = self.mask.as_ref().and_then(|mask| mask(text, most));
        let mut kept = masked.unwrap_or_else(|| begin(text, most).to_owned());
        kept.push(CUT);
        kept
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("cut", &self.cut).finish_non_exhaustive()
    }
}
