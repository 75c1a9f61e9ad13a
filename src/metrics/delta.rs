//! What a worker thread counted in an interval, on its way to the aggregator.
//!
//! Pure data, small: of a histogram only the values that occurred. Invariant: what was recorded is in exactly
//! one delta.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check_groups::CheckGroup;
use super::counts::RequestCounts;
use super::custom::{CustomKey, CustomValues};
use super::groups::{FailureCount, FailureKey, NotEnded, SAMPLE_BODY, ScriptErrorCount};
use super::iterations::IterationDelta;
use super::sample::PHASES;
use super::series::SeriesKey;
use super::sparse::Sparse;
use super::watch::WatchDelta;
use crate::credentials::{MASK, is_credential};
use crate::text::{clean_line, clean_text};

/// Counters by what they are of.
pub(crate) type Counts<K> = Vec<(K, RequestCounts<Sparse>)>;

/// Key and value of a tag.
pub(crate) type Tag = (Arc<str>, Arc<str>);

/// One interval of one worker, on its way to the aggregator. It names everything in full, so that one that is lost, late
/// or repeated harms no other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delta {
    /// Its place among the deltas of its worker: 0, 1, 2, ….
    pub(crate) sequence: u64,
    pub(crate) series: Counts<SeriesKey>,
    pub(crate) transactions: Counts<Arc<str>>,
    pub(crate) custom: Vec<(CustomKey, CustomValues)>,
    pub(crate) tags: Counts<Tag>,
    pub(crate) phases: [Sparse; PHASES.len()],
    pub(crate) iterations: Vec<IterationDelta>,
    /// By group; a group is also there when it is new.
    pub(crate) checks: Vec<CheckGroup>,
    pub(crate) failures: Vec<(FailureKey, FailureCount)>,
    pub(crate) script_errors: Vec<ScriptErrorCount>,
    pub(crate) reversed: ReversedDelta,
    /// What thresholds ask for, by the number of the watch.
    pub(crate) watched: Vec<(usize, WatchDelta)>,
    pub(crate) folded: bool,
    #[serde(default)]
    pub(crate) groups_folded: bool,
    /// Transactions that were begun and given up.
    #[serde(default)]
    pub(crate) not_ended: Option<NotEnded>,
    /// How many texts were cut.
    #[serde(default)]
    pub(crate) texts_cut: u64,
}

/// What an interval takes back of earlier ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ReversedDelta {
    pub(crate) series: Counts<SeriesKey>,
    pub(crate) tags: Counts<Tag>,
    pub(crate) phases: [Sparse; PHASES.len()],
    pub(crate) failures: Vec<(FailureKey, u64)>,
}

impl Delta {
    /// Gives it another place among the deltas of its worker.
    #[cfg(feature = "cluster")]
    pub(crate) fn renumber(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Requests that it counts.
    #[cfg(feature = "cluster")]
    pub(crate) fn requests(&self) -> u64 {
        self.series.iter().map(|(_, counts)| counts.requests).sum()
    }

    /// Whether its parts fit together; those of another machine may not.
    pub(crate) fn is_sound(&self) -> bool {
        let ReversedDelta { series, tags, phases, .. } = &self.reversed;
        let counts = self.series.iter().chain(series).map(|(_, counts)| counts);
        let counts = counts.chain(self.tags.iter().chain(tags).map(|(_, counts)| counts));
        let mut counts = counts.chain(self.transactions.iter().map(|(_, counts)| counts));
        counts.all(RequestCounts::is_sound)
            && self.phases.iter().chain(phases).all(Sparse::is_sound)
            && self.iterations.iter().all(IterationDelta::is_sound)
            && self.custom.iter().all(|(_, values)| values.is_sound())
            && self.watched.iter().all(|(_, watched)| watched.is_sound())
    }

    /// Replaces every text for which `mask` gives another one: names, tags, messages, script errors; and what a terminal
    /// would act on by what can be seen. Names become one line.
    pub(crate) fn replace_texts(&mut self, mask: impl Fn(&str, usize) -> Option<String>) {
        let replace = |text: &str, most| match mask(text, most) {
            Some(masked) => Some(clean_text(&masked).into_owned()),
            None => match clean_text(text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(clean) => Some(clean),
            },
        };
        let shared = |text: &mut Arc<str>| {
            if let Some(other) = replace(text, usize::MAX) {
                *text = other.into();
            }
            if text.contains(['\n', '\t']) {
                *text = clean_line(text).into();
            }
        };
        let owned = |text: &mut String| {
            if let Some(other) = replace(text, usize::MAX) {
                *text = other;
            }
        };
        let tag = |key: &mut Arc<str>, value: &mut Arc<str>| {
            if is_credential(key) {
                *value = MASK.into();
            }
            [key, value].into_iter().for_each(shared);
        };
        for (key, _) in self.series.iter_mut().chain(&mut self.reversed.series) {
            [&mut key.scenario, &mut key.method, &mut key.name].into_iter().for_each(shared);
        }
        for ((key, value), _) in self.tags.iter_mut().chain(&mut self.reversed.tags) {
            tag(key, value);
        }
        self.transactions.iter_mut().for_each(|(name, _)| shared(name));
        self.not_ended.iter_mut().for_each(|not_ended| shared(&mut not_ended.name));
        for (key, _) in &mut self.custom {
            shared(&mut key.name);
            if let Some((key, value)) = &mut key.tag {
                tag(key, value);
            }
        }
        self.iterations.iter_mut().for_each(|delta| shared(&mut delta.scenario));
        for group in &mut self.checks {
            shared(&mut group.path);
            group.checks.iter_mut().for_each(|(name, _)| shared(name));
        }
        for (key, count) in &mut self.failures {
            [&mut key.method, &mut key.name].into_iter().for_each(shared);
            count.messages.iter_mut().for_each(owned);
            for sample in &mut count.samples {
                [&mut sample.url, &mut sample.message].into_iter().for_each(owned);
                if let Some(other) = sample.body.as_deref().and_then(|body| replace(body, SAMPLE_BODY)) {
                    sample.body = Some(other);
                }
                sample.cut();
            }
        }
        for (key, _) in &mut self.reversed.failures {
            [&mut key.method, &mut key.name].into_iter().for_each(shared);
        }
        for error in &mut self.script_errors {
            let first = &mut error.first;
            [&mut first.message, &mut first.position, &mut first.trace].into_iter().for_each(owned);
        }
    }
}
