//! Counting on a worker thread: plain additions, no lock, no channel, nothing sent per request.
//!
//! Owns the interval's histograms and counters. Leaves merging to the aggregator, which gets the
//! interval once a second as a [`Delta`]. Invariant: what was recorded is in exactly one delta.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;

use super::builtin::{Builtin, MetricKind};
use super::check_groups::CheckGroups;
use super::counted::Counted;
use super::counts::{PhaseTimes, RequestCounts};
use super::custom::{CustomId, CustomRecorder};
use super::delta::{Delta, ReversedDelta};
use super::groups::{
    CheckCount, FailureCount, FailureKey, GROUP_CAP, NotEnded, ScriptErrorCount, keep_message,
};
use super::histogram::Histogram;
use super::iterations::IterationRecorder;
use super::sample::{Failure, IterationEnd, Protocol, RequestDetails, RequestSample, ScriptError, TagId};
use super::series::{SeriesId, SeriesKey, SeriesRef};
use super::tap::{Sample, Tap, context};
use super::texts::{MaskBegin, Texts};
use super::threshold::Quantity;
use super::watch::{Tagged, Watch, WatchKind, Watches};

/// The method under which transactions are shown.
pub(crate) const TRANSACTION: &str = "TX";

/// A worker thread's counters since the last [`Recorder::take`].
#[derive(Debug)]
pub struct Recorder {
    /// Deltas taken so far.
    sequence: u64,
    series: Counted,
    tags: Counted,
    transactions: Counted,
    custom: CustomRecorder,
    /// Of HTTP requests.
    phases: PhaseTimes,
    iterations: IterationRecorder,
    /// A script has few, so finding one is a short walk.
    checks: CheckGroups,
    failures: BTreeMap<FailureKey, FailureCount>,
    script_errors: HashMap<(String, String), ScriptErrorCount>,
    reversed: Reversed,
    /// What thresholds ask for; `None` without any, so that it costs nothing then.
    watches: Option<Box<Watches>>,
    /// Where every sample goes besides; `None` unless somebody writes them down.
    tap: Option<Box<Tap>>,
    /// What is kept of long texts.
    texts: Texts,
    /// There were more failures, script errors or checks than are kept apart.
    groups_folded: bool,
    /// Transactions that were begun and given up.
    not_ended: Option<NotEnded>,
}

/// What is to be taken back: counted like what is added, so that it too grows with the series only.
#[derive(Debug, Default)]
struct Reversed {
    series: Vec<(SeriesId, RequestCounts<Histogram>)>,
    tags: Vec<(SeriesId, RequestCounts<Histogram>)>,
    phases: PhaseTimes,
    failures: BTreeMap<FailureKey, u64>,
}

impl Recorder {
    /// A recorder that tells at most `series_cap` series apart.
    pub fn new(series_cap: usize) -> Self {
        Recorder {
            sequence: 0,
            series: Counted::new(series_cap),
            tags: Counted::new(series_cap),
            transactions: Counted::new(series_cap),
            custom: CustomRecorder::default(),
            phases: PhaseTimes::default(),
            iterations: IterationRecorder::default(),
            checks: CheckGroups::default(),
            failures: BTreeMap::new(),
            script_errors: HashMap::new(),
            reversed: Reversed::default(),
            watches: None,
            tap: None,
            texts: Texts::default(),
            groups_folded: false,
            not_ended: None,
        }
    }

    /// Masks with this what is cut from long texts.
    pub(crate) fn mask_with(&mut self, mask: MaskBegin) {
        self.texts.mask_with(mask);
    }

    /// Counts these samples apart from now on; to be called before the first series.
    pub(crate) fn watch(&mut self, watches: &[Watch]) {
        if watches.is_empty() {
            return;
        }
        // As they will be recorded: a longer name is cut.
        let mut watches = watches.to_vec();
        for watch in &mut watches {
            match &watch.kind {
                WatchKind::Requests(_) => {}
                WatchKind::Custom(metric) => {
                    self.custom.keep(&self.texts.name(metric));
                    continue;
                }
                WatchKind::Checks | WatchKind::Transactions => continue,
            }
            for (key, value) in &mut watch.tags {
                let kept = self.texts.name(value).into_owned();
                match key.as_str() {
                    "name" => self.series.table.keep_name(&kept),
                    "method" => self.series.table.keep_method(&kept.to_ascii_uppercase()),
                    "scenario" => {}
                    _ => continue,
                }
                *value = kept;
            }
        }
        // Tags that are known before the first series are told apart however many come.
        let watches = Watches::new(&watches, |key, value| self.tag(key, value));
        self.watches = Some(Box::new(watches));
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
            tap.send(self.series.table.keys(), self.tags.table.keys());
        }
    }

    /// The script's own metrics so far: name, kind, and whether the values are times.
    pub(crate) fn own_metrics(&self) -> Vec<(Arc<str>, MetricKind, bool)> {
        self.custom.metrics()
    }

    /// The series of a request.
    pub fn series(&mut self, protocol: Protocol, scenario: &str, method: &str, name: &str) -> SeriesId {
        let (scenario, method, name) =
            (self.texts.name(scenario), self.texts.name(method), self.texts.name(name));
        let id = self.series.id(SeriesRef { protocol, scenario: &scenario, method: &method, name: &name });
        if let Some(watches) = &mut self.watches {
            for key in &self.series.table.keys()[watches.series()..] {
                watches.add_series(key);
            }
        }
        id
    }

    /// The name of a series.
    pub fn name(&self, series: SeriesId) -> Arc<str> {
        self.key(series).name.clone()
    }

    fn key(&self, series: SeriesId) -> &SeriesKey {
        &self.series.table.keys()[series.index()]
    }

    /// The place where requests tagged `key:value` are counted.
    pub fn tag(&mut self, key: &str, value: &str) -> TagId {
        let (key, value) = (self.texts.name(key), self.texts.name(value));
        TagId(
            self.tags.id(SeriesRef { protocol: Protocol::Http, scenario: "", method: &key, name: &value }).0,
        )
    }

    /// Counts a request.
    pub fn request(&mut self, sample: &RequestSample) {
        self.request_of(sample, &());
    }

    /// The same of a request of which more is known.
    pub fn request_of(&mut self, sample: &RequestSample, details: &impl RequestDetails) {
        self.series.of(sample.series).record(sample);
        for tag in &sample.tags {
            self.tags.of(SeriesId(tag.0)).record(sample);
        }
        if sample.protocol == Protocol::Http {
            self.phases.record(sample);
        }
        if let Some(watches) = &mut self.watches {
            watches.request(sample);
        }
        let sample = self.texts.request(sample);
        if let Some(failure) = &sample.failure {
            let key = self.failure_key(&sample, failure);
            self.failure(key, &failure.message, details);
        }
        self.pass_on_request(sample, details, false);
    }

    fn pass_on_request(
        &mut self,
        sample: Cow<'_, RequestSample>,
        details: &impl RequestDetails,
        taken_back: bool,
    ) {
        if self.tap.is_some() {
            let mut facts = details.facts();
            facts.url = facts.url.map(|url| self.texts.message(&url).into_owned());
            let sample = sample.into_owned();
            self.pass_on(|| Sample::Request { sample, facts: Box::new(facts), taken_back });
        }
    }

    fn failure(&mut self, mut key: FailureKey, message: &str, details: &impl RequestDetails) {
        let now = SystemTime::now();
        self.groups_folded |= key.fold(self.failures.len(), |key| self.failures.contains_key(key));
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
        let texts = &mut self.texts;
        group.keep_sample(|| Some(texts.shown(details.shown()?)));
    }

    /// Takes back a request that was counted, because the script changed its verdict later;
    /// the changed sample is to be counted with [`Recorder::request_of`].
    pub fn reverse(&mut self, sample: &RequestSample, details: &impl RequestDetails) {
        reversed_counts(&mut self.reversed.series, sample.series).record(sample);
        for tag in &sample.tags {
            reversed_counts(&mut self.reversed.tags, SeriesId(tag.0)).record(sample);
        }
        if sample.protocol == Protocol::Http {
            self.reversed.phases.record(sample);
        }
        if let Some(watches) = &mut self.watches {
            watches.reverse(sample);
        }
        if let Some(failure) = &sample.failure {
            let mut key = self.failure_key(sample, failure);
            let reversed = &self.reversed.failures;
            key.fold(reversed.len(), |key| reversed.contains_key(key));
            *self.reversed.failures.entry(key).or_default() += 1;
        }
        let sample = self.texts.request(sample);
        self.pass_on_request(sample, details, true);
    }

    fn failure_key(&self, sample: &RequestSample, failure: &Failure) -> FailureKey {
        let SeriesKey { method, name, .. } = self.key(sample.series);
        let (method, name, kind) = (method.clone(), name.clone(), failure.kind.clone());
        FailureKey { method, name, kind, status: sample.status }
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
        if let Some(watches) = &mut self.watches {
            watches.transaction(name, duration, failed, of);
        }
        let name = &*self.texts.name(name);
        let key = SeriesRef { protocol: Protocol::Call, scenario: "", method: TRANSACTION, name };
        let id = self.transactions.id(key);
        self.transactions.of(id).record_transaction(duration, failed);
        if self.tap.is_some() {
            let of = context(of, &[], &mut self.texts);
            self.pass_on(|| Sample::Transaction { name: name.into(), duration, failed, of });
        }
    }

    /// Counts that a transaction was begun and will never end.
    pub(crate) fn not_ended(&mut self, name: &str) {
        let name = self.texts.name(name);
        NotEnded::add(&mut self.not_ended, NotEnded { count: 1, name: (*name).into() });
    }

    /// A metric of the script's own.
    ///
    /// # Errors
    /// When the name is that of another kind of metric, in words.
    pub fn custom(&mut self, name: &str, kind: MetricKind, is_time: bool) -> Result<CustomId, String> {
        self.custom.metric(&self.texts.name(name), kind, is_time)
    }

    /// A metric of the engine whose values are recorded one by one.
    pub(crate) fn builtin(&mut self, metric: &Builtin) -> Result<CustomId, String> {
        self.custom.metric(metric.name, metric.kind(), metric.quantity() == Quantity::Time)
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
        let whole = tags;
        let tags = &*self.texts.tags(tags);
        self.custom.record(id, value, tags)?;
        if let (Some(watches), Some(metric)) = (&mut self.watches, self.custom.name_and_kind(id)) {
            watches.own(metric, value, whole, of);
        }
        if self.tap.is_some()
            && let Some((metric, kind, is_time)) = self.custom.metric_of(id)
        {
            let of = context(of, tags, &mut self.texts);
            self.pass_on(|| Sample::Custom { metric, kind, is_time, value, of });
        }
        Ok(())
    }

    /// Counts a check.
    pub(crate) fn check(&mut self, name: &str, passed: bool, of: &dyn Tagged) {
        if let Some(watches) = &mut self.watches {
            watches.check(name, passed, of);
        }
        let name = &*self.texts.name(name);
        if self.tap.is_some() {
            let of = context(of, &[], &mut self.texts);
            self.pass_on(|| Sample::Check { name: name.into(), passed, of });
        }
        let group = of.group();
        let count = CheckCount { passes: u64::from(passed), fails: u64::from(!passed) };
        self.checks.add(group.as_deref().unwrap_or_default(), name, count);
    }

    /// The path of a group of the script as it is kept; `counts` says that the group is to be known.
    pub(crate) fn group(&mut self, path: &str, counts: bool) -> Arc<str> {
        let path = self.texts.name(path);
        if counts {
            self.checks.enter(&path);
        }
        path.into()
    }

    /// Counts an error of a script.
    pub fn script_error(&mut self, error: &ScriptError) {
        let now = SystemTime::now();
        let error = self.texts.script_error(error);
        let mut key = (error.message.clone(), error.position.clone());
        if self.script_errors.len() >= GROUP_CAP && !self.script_errors.contains_key(&key) {
            key = (super::OTHER.to_owned(), String::new());
            self.groups_folded = true;
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
        self.pass_on(|| Sample::ScriptError { message: error.message.clone() });
    }

    /// Moves everything counted since the last call into a delta for the aggregator.
    pub fn take(&mut self) -> Delta {
        if let Some(tap) = &mut self.tap {
            tap.send(self.series.table.keys(), self.tags.table.keys());
        }
        let sequence = self.sequence;
        self.sequence += 1;
        let transactions = self.transactions.take().into_iter();
        Delta {
            sequence,
            series: self.series.take(),
            tags: self.tags.take().into_iter().map(|(key, counts)| (tag_of(key), counts)).collect(),
            transactions: transactions.map(|(key, counts)| (key.name, counts)).collect(),
            custom: self.custom.take(),
            phases: self.phases.take(),
            iterations: self.iterations.take(),
            checks: self.checks.take(),
            failures: std::mem::take(&mut self.failures).into_iter().collect(),
            script_errors: self.script_errors.drain().map(|(_, group)| group).collect(),
            reversed: self.reversed.take(&self.series, &self.tags),
            watched: self.watches.as_mut().map_or_else(Vec::new, |watches| watches.take()),
            folded: [&self.series, &self.tags, &self.transactions].into_iter().any(|all| all.table.folded())
                || self.custom.folded(),
            groups_folded: self.groups_folded || self.checks.folded,
            not_ended: self.not_ended.take(),
            texts_cut: self.texts.take_cut(),
        }
    }
}

impl Reversed {
    fn take(&mut self, series: &Counted, tags: &Counted) -> ReversedDelta {
        let key = |table: &Counted, id: SeriesId| table.table.keys()[id.index()].clone();
        ReversedDelta {
            series: self.series.drain(..).map(|(id, mut counts)| (key(series, id), counts.take())).collect(),
            tags: self
                .tags
                .drain(..)
                .map(|(id, mut counts)| (tag_of(key(tags, id)), counts.take()))
                .collect(),
            phases: self.phases.take(),
            failures: std::mem::take(&mut self.failures).into_iter().collect(),
        }
    }
}

/// Tags are kept in a table of series: the key as the method, the value as the name.
fn tag_of(key: SeriesKey) -> (Arc<str>, Arc<str>) {
    (key.method, key.name)
}

fn reversed_counts(
    reversed: &mut Vec<(SeriesId, RequestCounts<Histogram>)>,
    id: SeriesId,
) -> &mut RequestCounts<Histogram> {
    let index = match reversed.iter().position(|(known, _)| *known == id) {
        Some(index) => index,
        None => {
            reversed.push((id, RequestCounts::default()));
            reversed.len() - 1
        }
    };
    &mut reversed[index].1
}
