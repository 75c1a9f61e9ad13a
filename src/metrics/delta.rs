//! What a worker thread counted in an interval, on its way to the aggregator.
//!
//! Pure data, small: of a histogram only the values that occurred. Invariant: what was recorded is in exactly
//! one delta.

use std::sync::Arc;

use super::custom::{CustomKey, CustomValues};
use super::groups::{CheckCount, FailureCount, FailureKey, ScriptErrorCount};
use super::iterations::IterationDelta;
use super::series::{SeriesId, SeriesKey};
use super::series_counts::PHASES;
use super::sparse::Sparse;
use super::watch::WatchDelta;

/// One interval of one worker thread, on its way to the aggregator.
#[derive(Debug)]
pub struct Delta {
    pub(crate) new_series: Vec<SeriesKey>,
    pub(crate) new_tags: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) new_transactions: Vec<Arc<str>>,
    pub(crate) series: Vec<(SeriesId, SeriesDelta)>,
    pub(crate) transactions: Vec<(SeriesId, SeriesDelta)>,
    pub(crate) custom: Vec<(CustomKey, CustomValues)>,
    pub(crate) tags: Vec<(SeriesId, SeriesDelta)>,
    pub(crate) phases: [Sparse; PHASES.len()],
    pub(crate) iterations: Vec<IterationDelta>,
    pub(crate) checks: Vec<(Arc<str>, CheckCount)>,
    pub(crate) failures: Vec<(FailureKey, FailureCount)>,
    pub(crate) script_errors: Vec<ScriptErrorCount>,
    pub(crate) reversed: ReversedDelta,
    /// What thresholds ask for, by the place of the watch.
    pub(crate) watched: Vec<(usize, WatchDelta)>,
    pub(crate) folded: bool,
}

/// What an interval takes back of earlier ones.
#[derive(Debug)]
pub(crate) struct ReversedDelta {
    pub(crate) series: Vec<(SeriesId, SeriesDelta)>,
    pub(crate) tags: Vec<(SeriesId, SeriesDelta)>,
    pub(crate) phases: [Sparse; PHASES.len()],
    pub(crate) failures: Vec<(FailureKey, u64)>,
}

impl Delta {
    /// Replaces every text for which `replace` gives another one: names, tags, messages, script errors.
    pub(crate) fn replace_texts(&mut self, replace: impl Fn(&str) -> Option<String>) {
        let shared = |text: &mut Arc<str>| {
            if let Some(other) = replace(text) {
                *text = other.into();
            }
        };
        let owned = |text: &mut String| {
            if let Some(other) = replace(text) {
                *text = other;
            }
        };
        for key in &mut self.new_series {
            [&mut key.scenario, &mut key.method, &mut key.name].into_iter().for_each(shared);
        }
        for (key, value) in &mut self.new_tags {
            [key, value].into_iter().for_each(shared);
        }
        self.new_transactions.iter_mut().for_each(shared);
        for (key, _) in &mut self.custom {
            shared(&mut key.name);
            if let Some((tag, value)) = &mut key.tag {
                [tag, value].into_iter().for_each(shared);
            }
        }
        self.iterations.iter_mut().for_each(|delta| shared(&mut delta.scenario));
        self.checks.iter_mut().for_each(|(name, _)| shared(name));
        for (key, count) in &mut self.failures {
            [&mut key.method, &mut key.name].into_iter().for_each(shared);
            count.messages.iter_mut().for_each(owned);
            for sample in &mut count.samples {
                [&mut sample.url, &mut sample.message].into_iter().chain(&mut sample.body).for_each(owned);
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

#[derive(Debug)]
pub(crate) struct SeriesDelta {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) ok: Sparse,
    pub(crate) failed: Sparse,
    pub(crate) response: Sparse,
    pub(crate) phase_us: [u64; PHASES.len()],
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) statuses: Vec<(u16, u64)>,
}
