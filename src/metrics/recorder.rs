//! Counting on a worker thread: plain additions, no lock, no channel, nothing sent per request.
//!
//! Owns the interval's histograms and counters. Leaves merging to the aggregator, which gets the
//! interval once a second as a [`Delta`]. Invariant: what was recorded is in exactly one delta.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;

use super::custom::{CustomId, CustomKind, CustomRecorder};
use super::delta::{Delta, ReversedDelta};
use super::groups::{
    CheckCount, FailureCount, FailureKey, FailureSample, GROUP_CAP, ScriptErrorCount, keep_message,
};
use super::histogram::Histogram;
use super::iterations::IterationRecorder;
use super::sample::{Failure, IterationEnd, RequestSample, ScriptError, TagId};
use super::series::{SeriesId, SeriesTable};
use super::series_counts::{PHASES, SeriesCounts, drain, grow, record_phases};
use super::tap::{Sample, Tap, context, short};
use super::watch::{Tagged, Watch, Watches};

/// The method under which transactions are shown.
pub(crate) const TRANSACTION: &str = "TX";

/// A worker thread's counters since the last [`Recorder::take`].
#[derive(Debug)]
pub struct Recorder {
    series: SeriesTable,
    counts: Vec<SeriesCounts>,
    tags: SeriesTable,
    tag_counts: Vec<SeriesCounts>,
    transactions: SeriesTable,
    transaction_counts: Vec<SeriesCounts>,
    custom: CustomRecorder,
    known_series: usize,
    known_tags: usize,
    known_transactions: usize,
    touched: Vec<SeriesId>,
    touched_tags: Vec<SeriesId>,
    touched_transactions: Vec<SeriesId>,
    phases: [Histogram; PHASES.len()],
    iterations: IterationRecorder,
    /// In order of first appearance; a script has few, so finding one is a short walk.
    checks: Vec<(Arc<str>, CheckCount)>,
    failures: BTreeMap<FailureKey, FailureCount>,
    script_errors: HashMap<(String, String), ScriptErrorCount>,
    reversed: Reversed,
    /// What thresholds ask for; `None` without any, so that it costs nothing then.
    watches: Option<Box<Watches>>,
    /// Where every sample goes besides; `None` unless somebody writes them down.
    tap: Option<Box<Tap>>,
}

/// What is to be taken back: counted like what is added, so that it too grows with the series only.
#[derive(Debug, Default)]
struct Reversed {
    series: Vec<(SeriesId, SeriesCounts)>,
    tags: Vec<(SeriesId, SeriesCounts)>,
    phases: [Histogram; PHASES.len()],
    failures: BTreeMap<FailureKey, u64>,
}

impl Recorder {
    /// A recorder that tells at most `series_cap` series apart.
    pub fn new(series_cap: usize) -> Self {
        Recorder {
            series: SeriesTable::new(series_cap),
            counts: Vec::new(),
            tags: SeriesTable::new(series_cap),
            tag_counts: Vec::new(),
            transactions: SeriesTable::new(series_cap),
            transaction_counts: Vec::new(),
            custom: CustomRecorder::default(),
            known_series: 0,
            known_tags: 0,
            known_transactions: 0,
            touched: Vec::new(),
            touched_tags: Vec::new(),
            touched_transactions: Vec::new(),
            phases: Default::default(),
            iterations: IterationRecorder::default(),
            checks: Vec::new(),
            failures: BTreeMap::new(),
            script_errors: HashMap::new(),
            reversed: Reversed::default(),
            watches: None,
            tap: None,
        }
    }

    /// Counts these samples apart from now on; to be called before the first series.
    pub(crate) fn watch(&mut self, watches: &[Watch]) {
        if !watches.is_empty() {
            let watches = Watches::new(watches, |key, value| self.tag(key, value));
            self.watches = Some(Box::new(watches));
        }
    }

    /// Passes every sample on as well, from now on.
    pub(crate) fn tap(&mut self, tap: Tap) {
        self.tap = Some(Box::new(tap));
    }

    /// Passes a sample on, when there is somebody to pass it on to.
    fn pass_on(&mut self, sample: impl FnOnce() -> Sample) {
        if let Some(tap) = &mut self.tap
            && tap.add(sample())
        {
            tap.send(self.series.keys(), self.tags.keys());
        }
    }

    /// The script's own metrics so far: name, kind, and whether the values are times.
    pub(crate) fn own_metrics(&self) -> Vec<(Arc<str>, CustomKind, bool)> {
        self.custom.metrics()
    }

    /// The series of a request.
    pub fn series(&mut self, scenario: &str, method: &str, name: &str) -> SeriesId {
        let id = self.series.id(scenario, method, name);
        grow(&mut self.counts, id);
        if let Some(watches) = &mut self.watches {
            for key in &self.series.keys()[watches.series()..] {
                watches.add_series(key);
            }
        }
        id
    }

    /// The name of a series.
    pub fn name(&self, series: SeriesId) -> Arc<str> {
        self.series.keys()[series.index()].name.clone()
    }

    /// The place where requests tagged `key:value` are counted.
    pub fn tag(&mut self, key: &str, value: &str) -> TagId {
        let id = self.tags.id("", key, value);
        grow(&mut self.tag_counts, id);
        TagId(id.0)
    }

    /// Counts a request.
    pub fn request(&mut self, sample: &RequestSample) {
        self.request_shown(sample, || None);
    }

    /// The same; of a failed request, `show` gives what is kept to be looked at. It is only called while there is room.
    pub fn request_shown(&mut self, sample: &RequestSample, show: impl FnOnce() -> Option<FailureSample>) {
        let counts = &mut self.counts[sample.series.index()];
        if !counts.touched {
            counts.touched = true;
            self.touched.push(sample.series);
        }
        counts.add(sample);
        for tag in &sample.tags {
            let counts = &mut self.tag_counts[tag.0 as usize];
            if !counts.touched {
                counts.touched = true;
                self.touched_tags.push(SeriesId(tag.0));
            }
            counts.add(sample);
        }
        record_phases(&mut self.phases, sample);
        if let Some(watches) = &mut self.watches {
            watches.request(sample);
        }
        if let Some(failure) = &sample.failure {
            let key = self.failure_key(sample, failure);
            self.failure(key, &failure.message, show);
        }
        self.pass_on(|| Sample::Request { sample: sample.clone(), taken_back: false });
    }

    fn failure(&mut self, mut key: FailureKey, message: &str, show: impl FnOnce() -> Option<FailureSample>) {
        let now = SystemTime::now();
        if self.failures.len() >= GROUP_CAP && !self.failures.contains_key(&key) {
            key.name = super::OTHER.into();
        }
        let group = self.failures.entry(key).or_insert_with(|| FailureCount {
            count: 0,
            first_seen: now,
            last_seen: now,
            messages: Vec::new(),
            samples: Vec::new(),
        });
        group.count += 1;
        group.last_seen = now;
        keep_message(&mut group.messages, message);
        group.keep_sample(show);
    }

    /// Takes back a request that was counted, because the script changed its verdict later;
    /// the changed sample is to be counted with [`Recorder::request`].
    pub fn reverse(&mut self, sample: &RequestSample) {
        reversed_counts(&mut self.reversed.series, sample.series).add(sample);
        for tag in &sample.tags {
            reversed_counts(&mut self.reversed.tags, SeriesId(tag.0)).add(sample);
        }
        record_phases(&mut self.reversed.phases, sample);
        if let Some(watches) = &mut self.watches {
            watches.reverse(sample);
        }
        if let Some(failure) = &sample.failure {
            let key = self.failure_key(sample, failure);
            *self.reversed.failures.entry(key).or_default() += 1;
        }
        self.pass_on(|| Sample::Request { sample: sample.clone(), taken_back: true });
    }

    fn failure_key(&self, sample: &RequestSample, failure: &Failure) -> FailureKey {
        let key = &self.series.keys()[sample.series.index()];
        FailureKey {
            method: key.method.clone(),
            name: key.name.clone(),
            kind: failure.kind,
            status: sample.status,
        }
    }

    /// Counts that an iteration of `scenario` begins.
    pub fn iteration_started(&mut self, scenario: &Arc<str>) {
        self.iterations.started(scenario);
    }

    /// Counts an iteration of `scenario`: how it ended, how long it ran, and how late it started.
    pub fn iteration(&mut self, scenario: &Arc<str>, end: IterationEnd, duration: Duration, lag: Duration) {
        self.iterations.ended(scenario, end, duration, lag);
        if end != IterationEnd::Interrupted {
            self.pass_on(|| Sample::Iteration { scenario: scenario.clone(), duration, lag });
        }
    }

    /// Counts iterations of `scenario` that were due and are never begun.
    pub fn dropped_iterations(&mut self, scenario: &Arc<str>, count: u64) {
        self.iterations.dropped(scenario, count);
    }

    /// Counts a transaction: a named stretch of a script, which is no request.
    pub(crate) fn transaction(&mut self, name: &str, duration: Duration, failed: bool, of: &dyn Tagged) {
        let id = self.transactions.id("", TRANSACTION, name);
        grow(&mut self.transaction_counts, id);
        let counts = &mut self.transaction_counts[id.index()];
        if !counts.touched {
            counts.touched = true;
            self.touched_transactions.push(id);
        }
        counts.add_transaction(duration, failed);
        if let Some(watches) = &mut self.watches {
            watches.transaction(name, duration, failed, of);
        }
        self.pass_on(|| Sample::Transaction { name: name.into(), duration, failed, of: context(of, &[]) });
    }

    /// A metric of the script's own.
    ///
    /// # Errors
    /// When the name is that of another kind of metric, in words.
    pub fn custom(&mut self, name: &str, kind: CustomKind, is_time: bool) -> Result<CustomId, String> {
        self.custom.metric(name, kind, is_time)
    }

    /// Counts a value of such a metric, and under each of the tags besides. Of a rate, 0 is false.
    ///
    /// # Errors
    /// When the metric cannot take it, in words.
    pub(crate) fn custom_value(
        &mut self,
        id: CustomId,
        value: f64,
        tags: &[(String, String)],
        of: &dyn Tagged,
    ) -> Result<(), String> {
        self.custom.record(id, value, tags)?;
        if let (Some(watches), Some(metric)) = (&mut self.watches, self.custom.name_and_kind(id)) {
            watches.own(metric, value, tags, of);
        }
        if self.tap.is_some()
            && let Some((metric, kind, is_time)) = self.custom.metric_of(id)
        {
            self.pass_on(|| Sample::Own { metric, kind, is_time, value, of: context(of, tags) });
        }
        Ok(())
    }

    /// Counts a check.
    pub(crate) fn check(&mut self, name: &str, passed: bool, of: &dyn Tagged) {
        if let Some(watches) = &mut self.watches {
            watches.check(name, passed, of);
        }
        self.pass_on(|| Sample::Check { name: name.into(), passed, of: context(of, &[]) });
        let index = match self.checks.iter().position(|(known, _)| **known == *name) {
            Some(index) => index,
            None if self.checks.len() < GROUP_CAP => self.add_check(name),
            None => match self.checks.iter().position(|(known, _)| **known == *super::OTHER) {
                Some(index) => index,
                None => self.add_check(super::OTHER),
            },
        };
        let count = &mut self.checks[index].1;
        if passed {
            count.passes += 1;
        } else {
            count.fails += 1;
        }
    }

    fn add_check(&mut self, name: &str) -> usize {
        self.checks.push((name.into(), CheckCount::default()));
        self.checks.len() - 1
    }

    /// Counts an error of a script.
    pub fn script_error(&mut self, error: &ScriptError) {
        let now = SystemTime::now();
        let mut key = (error.message.clone(), error.position.clone());
        if self.script_errors.len() >= GROUP_CAP && !self.script_errors.contains_key(&key) {
            key = (super::OTHER.to_owned(), String::new());
        }
        let group =
            self.script_errors.entry(key).or_insert_with_key(|(message, position)| ScriptErrorCount {
                count: 0,
                first_seen: now,
                last_seen: now,
                first: ScriptError {
                    message: message.clone(),
                    position: position.clone(),
                    trace: error.trace.clone(),
                },
            });
        group.count += 1;
        group.last_seen = now;
        self.pass_on(|| Sample::ScriptError { message: short(&error.message) });
    }

    /// Moves everything counted since the last call into a delta for the aggregator.
    pub fn take(&mut self) -> Delta {
        if let Some(tap) = &mut self.tap {
            tap.send(self.series.keys(), self.tags.keys());
        }
        let new_series = self.series.keys()[self.known_series..].to_vec();
        self.known_series += new_series.len();
        let new_tags = self.tags.keys()[self.known_tags..]
            .iter()
            .map(|key| (key.method.clone(), key.name.clone()))
            .collect::<Vec<_>>();
        self.known_tags += new_tags.len();
        let new_transactions = self.transactions.keys()[self.known_transactions..]
            .iter()
            .map(|key| key.name.clone())
            .collect::<Vec<_>>();
        self.known_transactions += new_transactions.len();
        Delta {
            new_series,
            new_tags,
            new_transactions,
            transactions: drain(&mut self.touched_transactions, &mut self.transaction_counts),
            custom: self.custom.take(),
            series: drain(&mut self.touched, &mut self.counts),
            tags: drain(&mut self.touched_tags, &mut self.tag_counts),
            phases: std::array::from_fn(|i| self.phases[i].take_sparse()),
            iterations: self.iterations.take(),
            checks: {
                // The names stay, so that one run has one order; only the counts go.
                let counted = self.checks.iter_mut().filter(|(_, count)| *count != CheckCount::default());
                counted.map(|(name, count)| (name.clone(), std::mem::take(count))).collect()
            },
            failures: std::mem::take(&mut self.failures).into_iter().collect(),
            script_errors: self.script_errors.drain().map(|(_, group)| group).collect(),
            reversed: self.reversed.take(),
            watched: self.watches.as_mut().map_or_else(Vec::new, |watches| watches.take()),
            folded: self.series.folded()
                || self.tags.folded()
                || self.transactions.folded()
                || self.custom.folded(),
        }
    }
}

impl Reversed {
    fn take(&mut self) -> ReversedDelta {
        let drain = |counts: &mut Vec<(SeriesId, SeriesCounts)>| {
            counts.drain(..).map(|(id, mut counts)| (id, counts.take())).collect()
        };
        ReversedDelta {
            series: drain(&mut self.series),
            tags: drain(&mut self.tags),
            phases: std::array::from_fn(|i| self.phases[i].take_sparse()),
            failures: std::mem::take(&mut self.failures).into_iter().collect(),
        }
    }
}

fn reversed_counts(reversed: &mut Vec<(SeriesId, SeriesCounts)>, id: SeriesId) -> &mut SeriesCounts {
    let index = match reversed.iter().position(|(known, _)| *known == id) {
        Some(index) => index,
        None => {
            reversed.push((id, SeriesCounts::default()));
            reversed.len() - 1
        }
    };
    &mut reversed[index].1
}
