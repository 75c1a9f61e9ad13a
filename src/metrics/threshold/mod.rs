//! Thresholds during a run: measured on the run's own counts, evaluated every second and at the end.
//!
//! Owns the measured value of each threshold, whether it is met, and when that changed. Leaves the reaction to a
//! breach to the run. Invariants: at the end a threshold is either met or breached, and no data is a breach;
//! values over the whole run equal those in all outputs.

mod expression;
mod figures;
mod measure;
mod parse;
mod problem;
mod resolve;
mod tracker;
mod unit;

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use super::builtin::{CustomMetric, IterationFigure, MetricKind, Source, find as find_metric};
use super::custom::CustomFigures;
use super::delta::Delta;
use super::histogram::Summary;
use super::resources::ResourceSample;
use super::sample::Protocol;
use super::snapshot::Phase;
use super::watch::{Watch, WatchKind};
pub(crate) use expression::over;
pub use expression::{Aggregation, Operator, Threshold, ThresholdText};
use figures::Figures;
use measure::{Measure, Subject};
pub(crate) use resolve::{Known, resolve};
pub use tracker::ThresholdState;
use tracker::Tracker;
pub use unit::Quantity;

/// The run knows these, not its workers.
const DROPPED: Source = Source::Iterations(IterationFigure::Dropped);

/// A threshold and its status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ThresholdStats {
    /// The threshold.
    pub threshold: Arc<Threshold>,
    /// The kind of its metric.
    pub kind: MetricKind,
    /// The measured value, in the unit of the threshold's quantity; `None` without data. For a sliding window,
    /// that of the current window, and at the end of the run that of the worst one.
    pub measured: Option<f64>,
    /// Whether it is met.
    pub state: ThresholdState,
    /// End of the first second in which it was breached, even if it has recovered since.
    pub first_broken: Option<Duration>,
    /// Set from the breach to the recovery, as reported to listeners and alerts.
    #[serde(default)]
    pub in_breach: bool,
    /// Number of reported breaches so far.
    #[serde(default)]
    pub breaches: u32,
    /// It ended the run.
    #[serde(default)]
    pub aborted: bool,
    /// Of a rate that is to be reached over the whole run: what it was in steady.
    #[serde(default)]
    pub in_steady: Option<f64>,
}

impl ThresholdStats {
    /// The margin of the measured value, as a share of the threshold value; negative when breached.
    pub fn margin(&self) -> Option<f64> {
        self.measured.and_then(|measured| self.threshold.margin(measured))
    }

    /// The rate in steady, of a threshold that was breached over the whole run, ramps included, and would have been met
    /// there.
    pub fn would_hold_in_steady(&self) -> Option<f64> {
        self.in_steady.filter(|&rate| self.state == ThresholdState::Broken && self.threshold.holds(rate))
    }

    /// When it was first breached, if it is not met; one that has recovered passes, and is not shown as breached.
    pub fn first_breach(&self) -> Option<Duration> {
        self.first_broken.filter(|_| !self.holds())
    }

    /// Whether it is met; after the run, whether it passed.
    pub fn holds(&self) -> bool {
        self.state == ThresholdState::Holds
    }
}

/// A breach or a recovery to report: a threshold that stays breached, or is met again for some time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThresholdEvent {
    /// The threshold and its status at that time.
    pub(crate) stats: ThresholdStats,
    /// False is a recovery.
    pub(crate) is_breach: bool,
}

/// Figures of the samples that a threshold selects by tags, and of gauges: over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmetricStats {
    /// As k6 writes it: `http_req_duration{name:/x}`.
    pub selector: String,
    /// What its values are.
    pub quantity: Quantity,
    /// What they add up to.
    pub figures: SubmetricFigures,
}

/// See [`SubmetricStats::figures`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SubmetricFigures {
    /// Times.
    Times(Summary),
    /// Everything else.
    Values(CustomFigures),
}

/// The thresholds of a run.
#[derive(Debug, Default)]
pub(crate) struct Thresholds {
    measures: Vec<Measure>,
    trackers: Vec<Tracker>,
    /// Measure of the whole run and selector as written, of everything that has tags or no other output.
    submetrics: Vec<(usize, String)>,
    dropped_so_far: u64,
}

impl Thresholds {
    /// Thresholds on metrics of the engine and the script's own, and what workers have to watch for them.
    pub(crate) fn new(thresholds: &[Threshold], own: &[CustomMetric]) -> (Thresholds, Vec<Watch>) {
        let mut made = Thresholds::default();
        let mut watches: Vec<Watch> = Vec::new();
        for threshold in thresholds {
            // One that is not there was refused when the threshold was read.
            let Some(metric) = find_metric(&threshold.metric, own) else { continue };
            let mut tags = threshold.tags.clone();
            tags.sort_unstable();
            // A metric that is recorded by its name is watched without tags as well: there may be many names.
            let watch = watch_kind(metric.source, &threshold.metric)
                .filter(|kind| !tags.is_empty() || matches!(kind, WatchKind::Custom(_)))
                .map(|kind| place_of(&mut watches, Watch { kind, tags: tags.clone() }));
            let subject = Subject {
                metric: threshold.metric.clone(),
                kind: metric.kind,
                quantity: metric.quantity,
                source: metric.source,
                tags,
                watch,
            };
            let measure = made.measure(&subject, threshold.window, threshold.phase.clone());
            let steady = is_lowered_by_ramps(threshold, metric.kind)
                .then(|| made.measure(&subject, None, Some(Phase::Steady.as_str().to_owned())));
            made.trackers.push(Tracker::new(threshold.clone(), metric.kind, measure, steady));
            let is_elsewhere = subject.tags.is_empty()
                && !matches!(metric.source, Source::Users { .. } | Source::Resource(..) | DROPPED);
            let selector = threshold.selector();
            if !is_elsewhere && !made.submetrics.iter().any(|(_, known)| *known == selector) {
                let whole = made.measure(&subject, None, None);
                made.submetrics.push((whole, selector));
            }
        }
        (made, watches)
    }

    /// Replaces what may not be shown in the texts of outputs.
    #[must_use]
    pub(crate) fn masked(mut self, mask: impl Fn(&str) -> Option<String>) -> Self {
        for tracker in &mut self.trackers {
            tracker.mask(&mask);
        }
        for (_, selector) in &mut self.submetrics {
            if let Some(masked) = mask(selector) {
                *selector = masked;
            }
        }
        self
    }

    fn measure(&mut self, subject: &Subject, window: Option<Duration>, phase: Option<String>) -> usize {
        let known = self.measures.iter().position(|measure| {
            measure.subject == *subject && measure.window == window && measure.phase == phase
        });
        known.unwrap_or_else(|| {
            self.measures.push(Measure::new(subject.clone(), window, phase));
            self.measures.len() - 1
        })
    }

    /// Whether there is a threshold on this metric.
    pub(crate) fn is_on(&self, metric: &str) -> bool {
        self.measures.iter().any(|measure| measure.subject.metric == metric)
    }

    /// Whether there is one on the samples with this tag.
    pub(crate) fn select(&self, key: &str, value: &str) -> bool {
        let mut tags = self.measures.iter().flat_map(|measure| &measure.subject.tags);
        tags.any(|(known, wanted)| {
            known == key && (wanted == value || key == "method" && wanted.eq_ignore_ascii_case(value))
        })
    }

    /// Takes over what a worker counted in the interval that is open.
    pub(crate) fn add(&mut self, delta: &Delta) {
        self.measures.iter_mut().for_each(|measure| measure.add(delta));
    }

    /// What was measured of machine, generator and target in the interval that is open.
    pub(crate) fn resources(&mut self, sample: &ResourceSample) {
        for measure in &mut self.measures {
            if let Source::Resource(whose, resource) = measure.subject.source
                && let Some(value) = sample.of(whose, resource)
            {
                measure.gauge(value);
            }
        }
    }

    /// Virtual users at the end of the interval that is open, and most of them so far.
    pub(crate) fn users(&mut self, now: u64, most: u64) {
        for measure in &mut self.measures {
            if let Source::Users { most: is_most } = measure.subject.source {
                measure.gauge(if is_most { most } else { now } as f64);
            }
        }
    }

    /// Iterations that were dropped since the start.
    pub(crate) fn dropped(&mut self, so_far: u64) {
        let more = so_far.saturating_sub(self.dropped_so_far);
        self.dropped_so_far = so_far;
        let measures = self.measures.iter_mut();
        measures
            .filter(|measure| measure.subject.source == DROPPED)
            .for_each(|measure| measure.count(more as f64));
    }

    /// Ends the interval of this length, of which the load was not paused for `active`, and which was part of these phases,
    /// and judges; `last` says that the run is over.
    pub(crate) fn close(
        &mut self,
        at: Duration,
        (length, active): (Duration, Duration),
        phases: &[&str],
        last: bool,
    ) -> Vec<ThresholdEvent> {
        self.measures.iter_mut().for_each(|measure| measure.close((length, active), phases));
        let mut events = Vec::new();
        for tracker in &mut self.trackers {
            tracker.look_at_steady(&self.measures);
            let told = tracker.judge(&self.measures[tracker.measure], at, last);
            events.extend(told.map(|is_breach| ThresholdEvent { stats: tracker.stats(), is_breach }));
        }
        events
    }

    /// What is added from now on is of an earlier second, until [`close_late`](Self::close_late).
    pub(crate) fn set_aside(&mut self) {
        self.measures.iter_mut().for_each(Measure::set_aside);
    }

    /// It was of the second that is so many before the last one, which was part of these phases.
    pub(crate) fn close_late(&mut self, behind: usize, phases: &[&str]) {
        self.measures.iter_mut().for_each(|measure| measure.close_late(behind, phases));
    }

    /// The first broken threshold that demands the end of the run, once in a run.
    pub(crate) fn abort(&mut self, at: Duration) -> Option<ThresholdStats> {
        if self.trackers.iter().any(|tracker| tracker.aborted) {
            return None;
        }
        let tracker = self.trackers.iter_mut().find(|tracker| tracker.ends_run(at))?;
        tracker.aborted = true;
        Some(tracker.stats())
    }

    pub(crate) fn stats(&self) -> Vec<ThresholdStats> {
        self.trackers.iter().filter(|tracker| tracker.counts()).map(Tracker::stats).collect()
    }

    pub(crate) fn submetrics(&self) -> Vec<SubmetricStats> {
        let stats = |(measure, selector): &(usize, String)| {
            let measure = &self.measures[*measure];
            let (figures, seconds) = measure.whole();
            let figures = match figures {
                Figures::Times(_) => SubmetricFigures::Times(figures.summary()?),
                Figures::Numbers(numbers) => {
                    SubmetricFigures::Values(CustomFigures::Trend(numbers.summary()?))
                }
                Figures::Count { seen: false, .. } => return None,
                Figures::Count { sum, .. } => {
                    let rate = if seconds > 0.0 { sum / seconds } else { 0.0 };
                    SubmetricFigures::Values(CustomFigures::Counter { count: *sum, rate })
                }
                Figures::Share { passes, all } => {
                    let passes = (*passes).max(0) as u64;
                    let fails = ((*all).max(0) as u64).saturating_sub(passes);
                    SubmetricFigures::Values(CustomFigures::Rate { passes, fails })
                }
                Figures::State(state) => {
                    let (value, min, max) = state.as_ref()?.values();
                    SubmetricFigures::Values(CustomFigures::Gauge { value, avg: None, min, max })
                }
            };
            let quantity = measure.subject.quantity;
            Some(SubmetricStats { selector: selector.clone(), quantity, figures })
        };
        self.submetrics.iter().filter_map(stats).collect()
    }
}

/// What has to be watched for samples of a source to be told apart by tags.
fn watch_kind(source: Source, metric: &str) -> Option<WatchKind> {
    match source {
        Source::Requests(protocol, _) => Some(WatchKind::Requests(protocol)),
        Source::RequestPhase(_) => Some(WatchKind::Requests(Some(Protocol::Http))),
        Source::Checks => Some(WatchKind::Checks),
        Source::Transactions(_) => Some(WatchKind::Transactions),
        Source::Recorded | Source::Groups => Some(WatchKind::Custom(metric.to_owned())),
        // They are counted by scenario in any case.
        Source::Iterations(_) => None,
        Source::ScriptErrors | Source::Users { .. } | Source::Resource(..) => None,
    }
}

fn place_of(watches: &mut Vec<Watch>, watch: Watch) -> usize {
    let known = watches.iter().position(|known| *known == watch);
    known.unwrap_or_else(|| {
        watches.push(watch);
        watches.len() - 1
    })
}

/// Whether a rate is to be reached over the whole run, although there is less of it while users come and go.
fn is_lowered_by_ramps(threshold: &Threshold, kind: MetricKind) -> bool {
    use crate::metrics::{Aggregation, Operator};
    kind == MetricKind::Counter
        && threshold.aggregation == Aggregation::Rate
        && matches!(threshold.comparison, Operator::Greater | Operator::GreaterOrEqual)
        && threshold.window.is_none()
        && threshold.phase.is_none()
}

/// Whether a limit can only be judged when all is counted: a number that is still to be reached.
fn is_judged_at_the_end(threshold: &Threshold, kind: MetricKind) -> bool {
    use crate::metrics::{Aggregation, Operator};
    let adds_up = matches!(threshold.aggregation, Aggregation::Count | Aggregation::Sum)
        && matches!(kind, MetricKind::Counter | MetricKind::Trend | MetricKind::Rate);
    let from_below =
        matches!(threshold.comparison, Operator::Greater | Operator::GreaterOrEqual | Operator::Equal);
    adds_up && from_below && threshold.window.is_none()
}

#[cfg(test)]
mod tests;
