//! What is counted by kind and not by time: checks, failures, script errors.
//!
//! Invariant: there are at most [`GROUP_CAP`] groups of each; what comes later is counted under [`OTHER`].

use std::sync::Arc;
use std::time::SystemTime;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::check_groups::{CheckGroup, CheckGroups};
use super::error_kind::ErrorKind;
use super::sample::ScriptError;
use super::series::OTHER;
use crate::credentials::begin;

/// How many different messages a group of failures keeps as examples.
const MESSAGES_PER_GROUP: usize = 3;

/// How many of its requests it keeps.
const SAMPLES_PER_GROUP: usize = 3;

/// How many groups of failures, of script errors and of checks are kept apart.
pub(crate) const GROUP_CAP: usize = 500;

/// How often a check passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckCount {
    /// Times the condition held.
    pub passes: u64,
    /// Times it did not.
    pub fails: u64,
}

/// Transactions that a script began with `metrics::start` and did not end: they are counted nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotEnded {
    /// How many.
    pub count: u64,
    /// The name of one of them.
    pub name: Arc<str>,
}

impl NotEnded {
    /// Adds later ones.
    pub(super) fn add(all: &mut Option<NotEnded>, more: NotEnded) {
        match all {
            Some(all) => all.count = all.count.saturating_add(more.count),
            None => *all = Some(more),
        }
    }
}

/// What failed requests are grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureKey {
    /// Method of the request.
    pub method: Arc<str>,
    /// Name of the request.
    pub name: Arc<str>,
    /// Why they failed.
    pub kind: ErrorKind,
    /// HTTP status, 0 without a response.
    pub status: u16,
}

impl FailureKey {
    /// Makes it the group of the rest when there are `count` groups and none is its own; true when it was changed.
    /// Statuses and methods without end must not make groups without end either.
    pub(super) fn fold(&mut self, count: usize, has: impl Fn(&FailureKey) -> bool) -> bool {
        if count < GROUP_CAP || has(self) {
            return false;
        }
        self.name = OTHER.into();
        if count >= 2 * GROUP_CAP && !has(self) {
            *self =
                FailureKey { method: OTHER.into(), name: OTHER.into(), kind: ErrorKind::Other, status: 0 };
        }
        true
    }
}

/// A group of failed requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureCount {
    /// How many.
    pub count: u64,
    /// When the first of them was counted.
    pub first_seen: SystemTime,
    /// When the last of them was counted.
    pub last_seen: SystemTime,
    /// The first few different messages.
    #[serde(default)]
    pub messages: Vec<String>,
    /// The first few of them that differ in URL or body.
    #[serde(default)]
    pub samples: Vec<FailureSample>,
}

/// A failed request as it can be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureSample {
    /// When it was counted.
    pub seen: SystemTime,
    /// The URL that was asked for, after redirects.
    pub url: String,
    /// Why it failed, in a line.
    pub message: String,
    /// The begin of the body, at most [`SAMPLE_BODY`] bytes; `None` when it is no text, was not kept, or never came.
    pub body: Option<String>,
    /// Length of the whole body as received, in bytes.
    pub body_bytes: u64,
}

/// Most bytes of a body that a [`FailureSample`] repeats.
pub const SAMPLE_BODY: usize = 1_024;

/// Bytes of a body that are searched for secrets before the rest is cut off: a secret in two halves is not found.
pub(crate) const SAMPLE_SEARCHED: usize = 10 * SAMPLE_BODY;

/// A group of script errors with one message at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScriptErrorCount {
    /// How many.
    pub count: u64,
    /// When the first of them happened.
    pub first_seen: SystemTime,
    /// When the last of them happened.
    pub last_seen: SystemTime,
    /// The first of them.
    pub first: ScriptError,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By name, in order of first appearance.
    pub(super) checks: Vec<(Arc<str>, CheckCount)>,
    /// The same by group.
    pub(super) check_groups: CheckGroups,
    failures: HashMap<FailureKey, FailureCount>,
    script_errors: Vec<ScriptErrorCount>,
    /// There were more of one of them than are kept apart.
    pub(super) folded: bool,
}

impl Groups {
    /// Adds the checks of a group.
    pub(super) fn add_checks(&mut self, group: CheckGroup) {
        self.check_groups.enter(&group.path);
        for (name, count) in group.checks {
            self.check_groups.add(&group.path, &name, count);
            self.add_check(name, count);
        }
        self.folded |= self.check_groups.folded;
    }

    fn add_check(&mut self, mut name: Arc<str>, count: CheckCount) {
        if self.checks.len() >= GROUP_CAP && !self.checks.iter().any(|(known, _)| *known == name) {
            self.folded = true;
            name = OTHER.into();
        }
        match self.checks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => {
                sum.passes = sum.passes.saturating_add(count.passes);
                sum.fails = sum.fails.saturating_add(count.fails);
            }
            None => self.checks.push((name, count)),
        }
    }

    pub(super) fn add_failure(&mut self, mut key: FailureKey, count: FailureCount) {
        self.folded |= key.fold(self.failures.len(), |key| self.failures.contains_key(key));
        match self.failures.get_mut(&key) {
            Some(sum) => {
                sum.count = sum.count.saturating_add(count.count);
                sum.first_seen = sum.first_seen.min(count.first_seen);
                sum.last_seen = sum.last_seen.max(count.last_seen);
                count.messages.iter().for_each(|message| keep_message(&mut sum.messages, message));
                count.samples.into_iter().for_each(|sample| sum.keep_sample(|| Some(sample)));
            }
            None => {
                self.failures.insert(key, count);
            }
        }
    }

    pub(super) fn add_script_error(&mut self, mut group: ScriptErrorCount) {
        let is_known = self.script_errors.iter().any(|known| {
            known.first.message == group.first.message && known.first.position == group.first.position
        });
        if !is_known && self.script_errors.len() >= GROUP_CAP {
            self.folded = true;
            group.first.message = OTHER.to_owned();
            group.first.position = String::new();
        }
        let known = self.script_errors.iter_mut().find(|known| {
            known.first.message == group.first.message && known.first.position == group.first.position
        });
        match known {
            Some(sum) => {
                sum.count = sum.count.saturating_add(group.count);
                if group.first_seen < sum.first_seen {
                    sum.first_seen = group.first_seen;
                    sum.first = group.first;
                }
                sum.last_seen = sum.last_seen.max(group.last_seen);
            }
            None => self.script_errors.push(group),
        }
    }

    /// Takes back failures whose verdict the script changed later.
    pub(super) fn take_back_failures(&mut self, reversed: &[(FailureKey, u64)]) {
        for (key, count) in reversed {
            // A failure whose group came too late stands under the name of the rest.
            let mut key = key.clone();
            key.fold(self.failures.len().max(GROUP_CAP), |key| self.failures.contains_key(key));
            if let Some(group) = self.failures.get_mut(&key) {
                group.count = group.count.saturating_sub(*count);
                if group.count == 0 {
                    self.failures.remove(&key);
                }
            }
        }
    }

    /// The failures, most frequent first.
    pub(super) fn failures(&self) -> Vec<(FailureKey, FailureCount)> {
        let mut failures: Vec<_> = self.failures.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        failures.sort_by(|(a, m), (b, n)| n.count.cmp(&m.count).then_with(|| a.cmp(b)));
        failures
    }

    /// The script errors, most frequent first.
    pub(super) fn script_errors(&self) -> Vec<ScriptErrorCount> {
        let mut script_errors = self.script_errors.clone();
        let place = |group: &ScriptErrorCount| (group.first.position.clone(), group.first.message.clone());
        script_errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| place(a).cmp(&place(b))));
        script_errors
    }
}

impl FailureCount {
    /// Keeps one of the requests unless there are enough, or one like it; it is only made when it may be kept.
    pub(super) fn keep_sample(&mut self, make: impl FnOnce() -> Option<FailureSample>) {
        if self.samples.len() < SAMPLES_PER_GROUP
            && let Some(sample) = make()
            && !self.samples.iter().any(|known| known.url == sample.url && known.body == sample.body)
        {
            self.samples.push(sample);
        }
    }
}

impl FailureSample {
    /// Cuts the body to the length that is kept.
    pub(super) fn cut(&mut self) {
        if let Some(body) = &mut self.body {
            body.truncate(begin(body, SAMPLE_BODY).len());
        }
    }
}

/// Adds a message to a group's examples unless it is there or there are enough.
pub(crate) fn keep_message(messages: &mut Vec<String>, message: &str) {
    if messages.len() < MESSAGES_PER_GROUP && !messages.iter().any(|known| known == message) {
        messages.push(message.to_owned());
    }
}
