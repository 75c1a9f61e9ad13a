//! Threshold expressions: `http_req_duration{name:/x}: p(95) < 200ms over 30s in steady abort`.
//!
//! Owns the meaning of a threshold, its parsing, and precedence between layers of settings. Leaves measuring to
//! `metrics`. Pure. Invariant: a [`Threshold`] names an existing metric, a statistic that the metric has, and a
//! value in the unit of that statistic.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::unit::Quantity;
use crate::text::format_duration;

/// A parsed threshold, ready to be evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Name of the metric.
    pub metric: String,
    /// Tags that a sample must have (all of them), in the order in which they were written.
    pub tags: Vec<(String, String)>,
    /// The statistic of the metric that is compared.
    pub aggregation: Aggregation,
    /// The comparison.
    pub comparison: Operator,
    /// The value to compare with, in the unit of `quantity`.
    pub limit: f64,
    /// The quantity, which determines the unit.
    pub quantity: Quantity,
    /// Sliding window: at every second, only the last seconds count.
    pub window: Option<Duration>,
    /// Only this phase or stage counts.
    pub phase: Option<String>,
    /// The run ends when the threshold is breached, but not before this time.
    pub abort_after: Option<Duration>,
    /// Without data it is ignored instead of failing.
    pub if_measured: bool,
    /// The expression as written, without the metric: `p(95) < 200ms`.
    pub expression: String,
}

impl Threshold {
    /// The metric with its tags, in the submetric syntax of k6: `http_req_duration{name:/x}`.
    pub fn selector(&self) -> String {
        if self.tags.is_empty() {
            return self.metric.clone();
        }
        let tags: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        format!("{}{{{}}}", self.metric, tags.join(","))
    }

    /// The scope: `whole run`, `any 30s`, `steady`, `any 30s of steady`.
    pub fn scope(&self) -> String {
        let window = self.window.map(format_duration);
        match (window, &self.phase) {
            (None, None) => "whole run".to_owned(),
            (Some(window), None) => format!("any {window}"),
            (None, Some(phase)) => phase.clone(),
            (Some(window), Some(phase)) => format!("any {window} of {phase}"),
        }
    }

    /// Whether a measured value meets the threshold.
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

    /// The margin of a measured value, as a share of the threshold value; negative when breached. `None` for a
    /// threshold value of 0 and for comparisons without a distance.
    pub fn margin(&self, measured: f64) -> Option<f64> {
        let distance = match self.comparison {
            Operator::Less | Operator::LessOrEqual => self.limit - measured,
            Operator::Greater | Operator::GreaterOrEqual => measured - self.limit,
            Operator::Equal | Operator::NotEqual => return None,
        };
        (self.limit != 0.0).then(|| distance / self.limit.abs())
    }

    /// The worse of two values.
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

    /// Whether it is on the same statistic and side as another threshold, so that one replaces the other.
    /// On any part of the run, if `anywhere`.
    pub(super) fn is_about_the_same(&self, other: &Threshold, anywhere: bool) -> bool {
        let sorted = |threshold: &Threshold| {
            let mut tags = threshold.tags.clone();
            tags.sort_unstable();
            tags
        };
        self.metric == other.metric
            && self.aggregation == other.aggregation
            && self.comparison.side() == other.comparison.side()
            && (anywhere || (self.window == other.window && self.phase == other.phase))
            && sorted(self) == sorted(other)
    }
}

/// A statistic of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregation {
    /// Mean.
    Avg,
    /// Minimum.
    Min,
    /// Median.
    Med,
    /// Maximum.
    Max,
    /// Value at this percentile, 0 to 100.
    Percentile(f64),
    /// Number of values; for a counter their sum, for a rate the number of true values.
    Count,
    /// For a rate the share of true values; otherwise the count per second.
    Rate,
    /// Sum of the values.
    Sum,
    /// Last value of a gauge.
    Value,
}

impl Aggregation {
    /// Its name, with `N` for the number of a percentile.
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

/// A comparison of a measured value (left) with the threshold value (right).
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
    /// Its symbol.
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

    /// `<` and `<=` are upper bounds, `>` and `>=` lower bounds.
    fn side(self) -> i8 {
        match self {
            Operator::Less | Operator::LessOrEqual => -1,
            Operator::Greater | Operator::GreaterOrEqual => 1,
            Operator::Equal => 0,
            Operator::NotEqual => 2,
        }
    }
}

/// A threshold as text, parsed once the metrics of the run are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThresholdText {
    /// `METRIC[{tag:value}]: EXPRESSION`.
    pub text: String,
    /// Where it was set, for messages: a flag or a position in a script.
    pub place: String,
    /// The k6 keys `abortOnFail` and `delayAbortEval`, in addition to the text.
    pub abort_after: Option<Duration>,
    /// Without data it is ignored instead of failing.
    pub if_measured: bool,
    /// One of the usual ones: any on the same statistic replaces it, whatever part of the run it is on.
    pub(crate) is_default: bool,
    /// Layer of settings; the lowest number takes precedence.
    pub(crate) layer: u32,
}

impl ThresholdText {
    /// A threshold that was set at this place.
    pub fn new(text: impl Into<String>, place: impl Into<String>) -> Self {
        ThresholdText { text: text.into(), place: place.into(), ..ThresholdText::default() }
    }
}

/// Overlays the thresholds of a layer on those of a lower one.
pub(crate) fn over(mut upper: Vec<ThresholdText>, lower: Vec<ThresholdText>) -> Vec<ThresholdText> {
    let below = upper.iter().map(|threshold| threshold.layer + 1).max().unwrap_or(0);
    let lowered = |threshold: ThresholdText| ThresholdText { layer: threshold.layer + below, ..threshold };
    upper.extend(lower.into_iter().map(lowered));
    upper
}
