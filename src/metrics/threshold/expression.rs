//! Limits on what a run measures: `http_req_duration{name:/x}: p(95) < 200ms over 30s in steady abort`.
//!
//! Owns what a threshold says, how it is read, and which of several settings of one limit wins. Leaves
//! measuring to `metrics`. Pure. Invariant: a [`Threshold`] names a metric that exists, a figure that
//! metric has, and a limit in the unit of that figure.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::unit::Quantity;
use crate::text::format_duration;

/// A limit, ready to be evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Name of the metric.
    pub metric: String,
    /// Tags that a sample must have, all of them, in the order in which they were written.
    pub tags: Vec<(String, String)>,
    /// Which figure of the metric is compared.
    pub aggregation: Aggregation,
    /// How it is compared.
    pub comparison: Operator,
    /// What it is compared with, in the unit of `quantity`.
    pub limit: f64,
    /// What the figure is: its unit.
    pub quantity: Quantity,
    /// Only the last so many seconds count, at every second.
    pub window: Option<Duration>,
    /// Only seconds of this phase or stage count.
    pub phase: Option<String>,
    /// The run ends when the limit is broken and this much of it is over.
    pub abort_after: Option<Duration>,
    /// It counts only when there is data, instead of failing without.
    pub if_measured: bool,
    /// The expression as it was written, without the metric: `p(95) < 200ms`.
    pub expression: String,
}

impl Threshold {
    /// The metric with its tags, as k6 writes submetrics: `http_req_duration{name:/x}`.
    pub fn selector(&self) -> String {
        if self.tags.is_empty() {
            return self.metric.clone();
        }
        let tags: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        format!("{}{{{}}}", self.metric, tags.join(","))
    }

    /// What is measured over: `whole run`, `any 30s`, `steady`, `any 30s of steady`.
    pub fn scope(&self) -> String {
        let window = self.window.map(format_duration);
        match (window, &self.phase) {
            (None, None) => "whole run".to_owned(),
            (Some(window), None) => format!("any {window}"),
            (None, Some(phase)) => phase.clone(),
            (Some(window), Some(phase)) => format!("any {window} of {phase}"),
        }
    }

    /// Whether a measured value keeps the limit.
    pub fn holds(&self, measured: f64) -> bool {
        match self.comparison {
            Operator::Less => measured < self.limit,
            Operator::LessOrEqual => measured <= self.limit,
            Operator::Greater => measured > self.limit,
            Operator::GreaterOrEqual => measured >= self.limit,
            Operator::Equal => measured == self.limit,
            Operator::NotEqual => measured != self.limit,
        }
    }

    /// How far a measured value is on the right side of the limit, as a share of the limit; below 0 when it
    /// is on the wrong side. `None` for a limit of 0 and for comparisons that know no distance.
    pub fn margin(&self, measured: f64) -> Option<f64> {
        let distance = match self.comparison {
            Operator::Less | Operator::LessOrEqual => self.limit - measured,
            Operator::Greater | Operator::GreaterOrEqual => measured - self.limit,
            Operator::Equal | Operator::NotEqual => return None,
        };
        (self.limit != 0.0).then(|| distance / self.limit.abs())
    }

    /// Of two values the one that is farther on the wrong side, or nearer to it.
    pub(crate) fn worse(&self, a: f64, b: f64) -> f64 {
        match self.comparison {
            Operator::Less | Operator::LessOrEqual => a.max(b),
            Operator::Greater | Operator::GreaterOrEqual => a.min(b),
            Operator::Equal | Operator::NotEqual => {
                if self.holds(a) {
                    b
                } else {
                    a
                }
            }
        }
    }

    /// Whether it limits the same figure from the same side as another one, so that one replaces the other.
    pub(super) fn is_about_the_same(&self, other: &Threshold) -> bool {
        let sorted = |threshold: &Threshold| {
            let mut tags = threshold.tags.clone();
            tags.sort_unstable();
            tags
        };
        self.metric == other.metric
            && self.aggregation == other.aggregation
            && self.comparison.side() == other.comparison.side()
            && self.window == other.window
            && self.phase == other.phase
            && sorted(self) == sorted(other)
    }
}

/// A figure of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregation {
    /// Mean.
    Avg,
    /// Smallest value.
    Min,
    /// Median.
    Med,
    /// Largest value.
    Max,
    /// Value at this percentile, 0 to 100.
    Percentile(f64),
    /// Number of values; of a counter their sum, of a rate those that are true.
    Count,
    /// Of a rate the share that is true; of everything else the count per second.
    Rate,
    /// Sum of the values.
    Sum,
    /// Last value of a gauge.
    Value,
}

impl Aggregation {
    /// As it is written, with `N` for the number of a percentile.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Aggregation::Avg => "avg",
            Aggregation::Min => "min",
            Aggregation::Med => "med",
            Aggregation::Max => "max",
            Aggregation::Percentile(_) => "p(N)",
            Aggregation::Count => "count",
            Aggregation::Rate => "rate",
            Aggregation::Sum => "sum",
            Aggregation::Value => "value",
        }
    }
}

/// A comparison of a measured value (left) with the limit (right).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
        }
    }

    /// `<` and `<=` limit from above, `>` and `>=` from below.
    fn side(self) -> i8 {
        match self {
            Operator::Less | Operator::LessOrEqual => -1,
            Operator::Greater | Operator::GreaterOrEqual => 1,
            Operator::Equal => 0,
            Operator::NotEqual => 2,
        }
    }
}

/// A threshold as it was set, to be read when it is known what the run measures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThresholdText {
    /// `METRIC[{tag:value}]: EXPRESSION`.
    pub text: String,
    /// Where it was set, for messages: a flag, a place in a script.
    pub place: String,
    /// What `abortOnFail` and `delayAbortEval` of k6 say, besides the text.
    pub abort_after: Option<Duration>,
    /// It counts only when there is data, instead of failing without.
    pub if_measured: bool,
    /// Layer of settings; the lowest number wins over the others.
    pub(crate) layer: u32,
}

impl ThresholdText {
    /// A threshold that was set at some place.
    pub fn new(text: impl Into<String>, place: impl Into<String>) -> Self {
        ThresholdText { text: text.into(), place: place.into(), ..ThresholdText::default() }
    }
}

/// Thresholds of a layer of settings over those of a lower one.
pub(crate) fn over(mut upper: Vec<ThresholdText>, lower: Vec<ThresholdText>) -> Vec<ThresholdText> {
    let below = upper.iter().map(|threshold| threshold.layer + 1).max().unwrap_or(0);
    let lowered = |threshold: ThresholdText| ThresholdText { layer: threshold.layer + below, ..threshold };
    upper.extend(lower.into_iter().map(lowered));
    upper
}
