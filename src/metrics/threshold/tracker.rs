//! The status of one threshold: second by second, and at the end of the run.
//!
//! Owns the state and when its changes are reported. Leaves measuring to the measures. Pure.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use super::measure::Measure;
use super::{ThresholdStats, is_judged_at_the_end};
use crate::metrics::{MetricKind, Threshold};

/// Consecutive seconds in breach before it is reported: a single second is often noise.
const BREACH_AFTER: u32 = 2;

/// Consecutive seconds met before the recovery is reported.
const RECOVERY_AFTER: u32 = 5;

/// The state of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ThresholdState {
    /// No data yet; at the end of a run this is a failure.
    NoData,
    /// A count that has not been reached yet; never at the end of a run.
    Pending,
    /// The threshold is met.
    Holds,
    /// The threshold is breached.
    Broken,
}

impl ThresholdState {
    /// The word that outputs use.
    pub fn as_str(self) -> &'static str {
        match self {
            ThresholdState::NoData => "no data",
            ThresholdState::Pending => "pending",
            ThresholdState::Holds => "holds",
            ThresholdState::Broken => "broken",
        }
    }
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Tracker {
    threshold: Arc<Threshold>,
    kind: MetricKind,
    /// Place of what it measures.
    pub(super) measure: usize,
    /// Place of the same in steady, where that is worth knowing.
    steady: Option<usize>,
    in_steady: Option<f64>,
    waits_for_end: bool,
    measured: Option<f64>,
    /// Of a window: the worst so far.
    worst: Option<f64>,
    state: ThresholdState,
    first_broken: Option<Duration>,
    /// Judgements of the same kind in a row.
    in_a_row: u32,
    in_breach: bool,
    breaches: u32,
    pub(super) aborted: bool,
}

impl Tracker {
    pub(super) fn new(
        threshold: Threshold,
        kind: MetricKind,
        measure: usize,
        steady: Option<usize>,
    ) -> Tracker {
        Tracker {
            waits_for_end: is_judged_at_the_end(&threshold, kind),
            threshold: Arc::new(threshold),
            kind,
            measure,
            steady,
            in_steady: None,
            measured: None,
            worst: None,
            state: ThresholdState::NoData,
            first_broken: None,
            in_a_row: 0,
            in_breach: false,
            breaches: 0,
            aborted: false,
        }
    }

    /// Whether it counts at all: one that is set for what may not be measured does only when it is.
    pub(super) fn counts(&self) -> bool {
        !self.threshold.if_measured || self.measured.is_some() || self.first_broken.is_some()
    }

    pub(super) fn mask(&mut self, mask: &impl Fn(&str) -> Option<String>) {
        let shown = Arc::make_mut(&mut self.threshold);
        let values = shown.tags.iter_mut().map(|(_, value)| value);
        for text in values.chain([&mut shown.expression]) {
            if let Some(masked) = mask(text) {
                *text = masked;
            }
        }
    }

    /// What it would be in steady.
    pub(super) fn look_at_steady(&mut self, measures: &[Measure]) {
        let figures = self.steady.and_then(|place| measures[place].figures(false));
        self.in_steady =
            figures.and_then(|(figures, seconds)| figures.value(self.threshold.aggregation, seconds));
    }

    /// Judges what was measured until `at`; gives true for a breach that is to be told, false for a recovery.
    pub(super) fn judge(&mut self, measure: &Measure, at: Duration, last: bool) -> Option<bool> {
        if self.aborted {
            // It ended the run: what is measured while that stops makes nothing good.
            return if self.in_breach { None } else { self.breach() };
        }
        let threshold = self.threshold.clone();
        let is_window = threshold.window.is_some();
        // A run that is shorter than its window is judged by what there is.
        let even_partly = last && self.worst.is_none();
        let measured = measure
            .figures(even_partly)
            .and_then(|(figures, seconds)| figures.value(threshold.aggregation, seconds));
        let before = self.state;
        if let (true, Some(measured)) = (is_window, measured) {
            self.worst = Some(self.worst.map_or(measured, |worst| threshold.worse(worst, measured)));
        }
        self.measured = if is_window && last { self.worst } else { measured };
        self.state = match self.measured {
            None => ThresholdState::NoData,
            Some(measured) if threshold.holds(measured) => ThresholdState::Holds,
            Some(_) if self.waits_for_end && !last => ThresholdState::Pending,
            Some(_) => ThresholdState::Broken,
        };
        if self.state == ThresholdState::Broken {
            self.first_broken.get_or_insert(at);
        }
        self.in_a_row = if self.state == before { self.in_a_row.saturating_add(1) } else { 1 };
        self.tell(last)
    }

    fn tell(&mut self, last: bool) -> Option<bool> {
        let enough = |needed: u32| self.in_a_row >= needed;
        match (self.state, self.in_breach) {
            // A window that was broken and told before is broken at the end, but not once more.
            (ThresholdState::Broken, false) if last && self.worst.is_some() && self.breaches > 0 => None,
            (ThresholdState::Broken, false) if last || enough(BREACH_AFTER) => self.breach(),
            (ThresholdState::NoData, false) if last && self.counts() => self.breach(),
            (ThresholdState::Holds, true) if !last && enough(RECOVERY_AFTER) => {
                self.in_breach = false;
                Some(false)
            }
            _ => None,
        }
    }

    fn breach(&mut self) -> Option<bool> {
        self.in_breach = true;
        self.breaches += 1;
        Some(true)
    }

    /// Whether it is broken and ends the run for that.
    pub(super) fn ends_run(&self, at: Duration) -> bool {
        self.state == ThresholdState::Broken && self.threshold.abort_after.is_some_and(|after| at >= after)
    }

    pub(super) fn stats(&self) -> ThresholdStats {
        ThresholdStats {
            threshold: self.threshold.clone(),
            kind: self.kind,
            measured: self.measured,
            state: self.state,
            first_broken: self.first_broken,
            in_breach: self.in_breach,
            breaches: self.breaches,
            aborted: self.aborted,
            in_steady: self.in_steady,
        }
    }
}
