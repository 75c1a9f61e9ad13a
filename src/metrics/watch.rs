//! Samples that are counted apart because a threshold asks for them: any combination of tags.
//!
//! Owns which samples a watch selects and what it counted in the interval. Leaves to the recorder when a sample
//! is counted and to the thresholds what becomes of it. Invariants: without watches nothing is done per sample;
//! what a watch counted is exactly what the recorder counted of the samples it selects.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::builtin::MetricKind;
use super::counts::{PhaseTimes, RequestCounts};
use super::custom::CustomValues;
use super::groups::CheckCount;
use super::histogram::Histogram;
use super::sample::{PHASES, Protocol, RequestSample, TagId};
use super::series::SeriesKey;
use super::sparse::Sparse;

/// How the path of a group of the script begins; in a threshold it may be left out.
const PATH: &str = "::";

/// Which samples are to be counted apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    pub(crate) kind: WatchKind,
    pub(crate) tags: Vec<(String, String)>,
}

/// Samples of what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WatchKind {
    /// Over one protocol, or all.
    Requests(Option<Protocol>),
    Checks,
    Transactions,
    /// Values of the script's own metric of this name.
    Custom(String),
}

/// What a sample is besides what the recorder is told: looked up only when a watch asks for it.
pub(crate) trait Tagged {
    /// The value of a tag.
    fn tag(&self, key: &str) -> Option<Cow<'_, str>>;

    /// The group of the script that it belongs to: `::outer::inner`, `None` outside of any.
    fn group(&self) -> Option<Arc<str>> {
        None
    }

    /// The tags that were given to it, by key and value; what the engine knows besides is not among them.
    fn all(&self) -> &[(String, String)] {
        &[]
    }
}

/// Nothing else is known of the sample.
impl Tagged for () {
    fn tag(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// The watches of a worker thread.
#[derive(Debug)]
pub(super) struct Watches {
    requests: Vec<RequestWatch>,
    /// By series: the request watches that its name, method and scenario fit.
    by_series: Vec<Box<[usize]>>,
    others: Vec<OtherWatch>,
}

#[derive(Debug)]
struct RequestWatch {
    index: usize,
    protocol: Option<Protocol>,
    scenario: Option<String>,
    method: Option<String>,
    name: Option<String>,
    status: Option<u16>,
    expected: Option<bool>,
    tags: Vec<WatchedTag>,
    watched: RequestsWatched,
}

/// A tag, and another way to write it.
#[derive(Debug)]
struct WatchedTag(TagId, Option<TagId>);

impl WatchedTag {
    fn is_of(&self, sample: &RequestSample) -> bool {
        sample.tags.contains(&self.0) || self.1.is_some_and(|tag| sample.tags.contains(&tag))
    }
}

#[derive(Debug, Default)]
struct RequestsWatched {
    /// Requests that fit but for their status and verdict.
    candidates: u64,
    added: RequestCounts<Histogram>,
    removed: RequestCounts<Histogram>,
    phases_added: PhaseTimes,
    phases_removed: PhaseTimes,
}

#[derive(Debug)]
struct OtherWatch {
    index: usize,
    kind: WatchKind,
    tags: Vec<(String, String)>,
    check: CheckCount,
    transactions: RequestCounts<Histogram>,
    values: Option<CustomValues>,
}

/// What a watch counted in an interval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum WatchDelta {
    Requests(Box<RequestsDelta>),
    Checks(CheckCount),
    Transactions(Box<RequestCounts<Sparse>>),
    Custom(CustomValues),
}

/// See [`WatchDelta::Requests`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RequestsDelta {
    pub(crate) candidates: u64,
    pub(crate) added: RequestCounts<Sparse>,
    pub(crate) removed: RequestCounts<Sparse>,
    pub(crate) phases_added: [Sparse; PHASES.len()],
    pub(crate) phases_removed: [Sparse; PHASES.len()],
}

impl WatchDelta {
    /// Whether its parts fit together.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            WatchDelta::Requests(delta) => {
                let phases = delta.phases_added.iter().chain(&delta.phases_removed);
                delta.added.is_sound() && delta.removed.is_sound() && phases.into_iter().all(Sparse::is_sound)
            }
            WatchDelta::Transactions(counts) => counts.is_sound(),
            WatchDelta::Custom(values) => values.is_sound(),
            WatchDelta::Checks(_) => true,
        }
    }
}

impl Watches {
    /// `tag` gives the place where a tag is counted.
    pub(super) fn new(watches: &[Watch], mut tag: impl FnMut(&str, &str) -> TagId) -> Watches {
        let mut made = Watches { requests: Vec::new(), by_series: Vec::new(), others: Vec::new() };
        for (index, watch) in watches.iter().enumerate() {
            match &watch.kind {
                &WatchKind::Requests(protocol) => {
                    made.requests.push(RequestWatch::new(index, protocol, &watch.tags, &mut tag));
                }
                WatchKind::Checks | WatchKind::Transactions | WatchKind::Custom(_) => {
                    made.others.push(OtherWatch {
                        index,
                        kind: watch.kind.clone(),
                        tags: watch.tags.clone(),
                        check: CheckCount::default(),
                        transactions: RequestCounts::default(),
                        values: None,
                    });
                }
            }
        }
        made
    }

    /// A new series has appeared; they come in the order of their ids.
    pub(super) fn add_series(&mut self, key: &SeriesKey) {
        let fitting = self.requests.iter().enumerate().filter(|(_, watch)| watch.fits_series(key));
        self.by_series.push(fitting.map(|(place, _)| place).collect());
    }

    /// How many series are known.
    pub(super) fn series(&self) -> usize {
        self.by_series.len()
    }

    pub(super) fn request(&mut self, sample: &RequestSample) {
        for &place in self.by_series.get(sample.series.index()).into_iter().flatten() {
            let watch = &mut self.requests[place];
            if !watch.tags.iter().all(|tag| tag.is_of(sample)) {
                continue;
            }
            watch.watched.candidates += 1;
            if watch.fits_outcome(sample) {
                watch.watched.added.record(sample);
                watch.watched.phases_added.record(sample);
            }
        }
    }

    pub(super) fn reverse(&mut self, sample: &RequestSample) {
        for &place in self.by_series.get(sample.series.index()).into_iter().flatten() {
            let watch = &mut self.requests[place];
            if watch.tags.iter().all(|tag| tag.is_of(sample)) && watch.fits_outcome(sample) {
                watch.watched.removed.record(sample);
                watch.watched.phases_removed.record(sample);
            }
        }
    }

    pub(super) fn check(&mut self, name: &str, passed: bool, of: &dyn Tagged) {
        for watch in self.others.iter_mut().filter(|watch| watch.kind == WatchKind::Checks) {
            if fits(&watch.tags, of, |key| matches!(key, "check" | "name").then_some(name)) {
                let count = if passed { &mut watch.check.passes } else { &mut watch.check.fails };
                *count += 1;
            }
        }
    }

    pub(super) fn transaction(&mut self, name: &str, duration: Duration, failed: bool, of: &dyn Tagged) {
        for watch in self.others.iter_mut().filter(|watch| watch.kind == WatchKind::Transactions) {
            if fits(&watch.tags, of, |key| (key == "name").then_some(name)) {
                watch.transactions.record_transaction(duration, failed);
            }
        }
    }

    pub(super) fn own(
        &mut self,
        (name, kind): (&str, MetricKind),
        value: f64,
        tags: &[(String, String)],
        of: &dyn Tagged,
    ) {
        for watch in &mut self.others {
            let WatchKind::Custom(wanted) = &watch.kind else { continue };
            let its =
                |key: &str| tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
            if wanted == name && fits(&watch.tags, of, its) {
                super::custom::add(&mut watch.values, kind, value);
            }
        }
    }

    /// Moves what was counted since the last call out.
    pub(super) fn take(&mut self) -> Vec<(usize, WatchDelta)> {
        let mut taken = Vec::new();
        for RequestWatch { index, watched, .. } in &mut self.requests {
            let (added, removed) = (watched.added.take(), watched.removed.take());
            let candidates = std::mem::take(&mut watched.candidates);
            if candidates == 0 && removed.requests == 0 {
                continue;
            }
            let delta = RequestsDelta {
                candidates,
                added,
                removed,
                phases_added: watched.phases_added.take(),
                phases_removed: watched.phases_removed.take(),
            };
            taken.push((*index, WatchDelta::Requests(Box::new(delta))));
        }
        for watch in &mut self.others {
            let delta = match watch.kind {
                WatchKind::Checks if watch.check != CheckCount::default() => {
                    Some(WatchDelta::Checks(std::mem::take(&mut watch.check)))
                }
                WatchKind::Transactions if watch.transactions.requests > 0 => {
                    Some(WatchDelta::Transactions(Box::new(watch.transactions.take())))
                }
                _ => watch.values.take().map(WatchDelta::Custom),
            };
            taken.extend(delta.map(|delta| (watch.index, delta)));
        }
        taken
    }
}

impl RequestWatch {
    fn new(
        index: usize,
        protocol: Option<Protocol>,
        tags: &[(String, String)],
        tag: &mut impl FnMut(&str, &str) -> TagId,
    ) -> Self {
        let mut watch = RequestWatch {
            index,
            protocol,
            scenario: None,
            method: None,
            name: None,
            status: None,
            expected: None,
            tags: Vec::new(),
            watched: RequestsWatched::default(),
        };
        for (key, value) in tags {
            match key.as_str() {
                "scenario" => watch.scenario = Some(value.clone()),
                "method" => watch.method = Some(value.to_ascii_uppercase()),
                "name" => watch.name = Some(value.clone()),
                "status" => watch.status = value.parse().ok(),
                "expected_response" => watch.expected = Some(value == "true"),
                _ => {
                    let whole =
                        (key == "group" && !value.starts_with(PATH)).then(|| format!("{PATH}{value}"));
                    let other = whole.map(|value| tag(key, &value));
                    watch.tags.push(WatchedTag(tag(key, value), other));
                }
            }
        }
        watch
    }

    fn fits_series(&self, key: &SeriesKey) -> bool {
        let fits =
            |wanted: &Option<String>, is: &Arc<str>| wanted.as_ref().is_none_or(|wanted| **wanted == **is);
        self.protocol.is_none_or(|protocol| protocol == key.protocol)
            && fits(&self.scenario, &key.scenario)
            && fits(&self.method, &key.method)
            && fits(&self.name, &key.name)
    }

    fn fits_outcome(&self, sample: &RequestSample) -> bool {
        self.status.is_none_or(|status| status == sample.status)
            && self.expected.is_none_or(|expected| expected == sample.failure.is_none())
    }
}

/// Whether a sample has all tags: those of its own, or else those of what it belongs to.
fn fits<'a>(tags: &[(String, String)], of: &dyn Tagged, own: impl Fn(&str) -> Option<&'a str>) -> bool {
    tags.iter().all(|(key, value)| match own(key) {
        Some(is) => is == value,
        None => of
            .tag(key)
            .is_some_and(|is| is == value.as_str() || key == "group" && is.strip_prefix(PATH) == Some(value)),
    })
}
