//! What a search for the capacity has found so far: the curve, a rate a step. Pure data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::Quantity;

/// A search for the highest rate at which a limit holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CapacityStats {
    /// The limit, as it was given.
    pub limit: String,
    /// What `measured` of the steps is; `None` before the first step was judged.
    pub quantity: Option<Quantity>,
    /// What `measured` is compared with, in the same unit; `None` before the first step was judged.
    pub limit_value: Option<f64>,
    /// The rates that have been judged, in their order.
    pub steps: Vec<CapacityStep>,
    /// The rate that is tried now; `None` when the search is over.
    pub trying: Option<f64>,
    /// The highest rate that held, iterations per second; `None` when none has.
    pub best: Option<f64>,
    /// No rate above the best one was tried, since it was the highest allowed.
    pub is_at_max: bool,
}

impl CapacityStats {
    /// The steps from the lowest rate to the highest, as one reads a curve.
    pub fn by_rate(&self) -> Vec<&CapacityStep> {
        let mut steps: Vec<&CapacityStep> = self.steps.iter().collect();
        steps.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        steps
    }
}

/// Why a rate did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NotHeld {
    /// What was measured is on the wrong side of the limit.
    #[serde(rename = "the limit is broken")]
    LimitBroken,
    /// Fewer iterations began than the rate asks for, so it is not the rate that was measured.
    #[serde(rename = "not all iterations could be started: no user was free")]
    RateNotReached,
    /// The step has no value that the limit is about.
    #[serde(rename = "nothing was measured")]
    NothingMeasured,
    /// A script error or `fail` ended most of the iterations, so that they did not do what the rate is about.
    #[serde(rename = "most iterations failed")]
    IterationsFailed,
}

impl NotHeld {
    /// The reason in words, as every report has it.
    pub fn as_str(self) -> &'static str {
        match self {
            NotHeld::LimitBroken => "the threshold was breached",
            NotHeld::RateNotReached => "not all iterations could be started: no user was free",
            NotHeld::NothingMeasured => "nothing was measured",
            NotHeld::IterationsFailed => "most iterations failed",
        }
    }

    /// The same in two words, for legends and tables.
    pub fn in_short(self) -> &'static str {
        match self {
            NotHeld::LimitBroken => "threshold breached",
            NotHeld::RateNotReached => "rate not reached",
            NotHeld::NothingMeasured => "nothing measured",
            NotHeld::IterationsFailed => "iterations failed",
        }
    }
}

/// One rate of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CapacityStep {
    /// Iterations per second that were to be started.
    pub rate: f64,
    /// Those that were.
    pub started_rate: f64,
    /// Requests per second.
    pub request_rate: f64,
    /// What the limit is about, as it was measured in the step, in its own unit; `None` without data.
    pub measured: Option<f64>,
    /// Share of requests that failed, 0 to 1; `None` without a request.
    pub failed_share: Option<f64>,
    /// Share of the iterations which ended that a script error or `fail` ended, 0 to 1; `None` when none ended.
    #[serde(default)]
    pub failed_iterations: Option<f64>,
    /// When it began and ended to be judged, as time since the load began.
    pub from: Duration,
    /// See `from`.
    pub to: Duration,
    /// Why it did not hold; `None` when it did.
    pub why_not: Option<NotHeld>,
    /// The load generator was at its limit: the step says nothing about the target.
    pub generator_saturated: bool,
}
