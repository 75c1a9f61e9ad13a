//! The results of a capacity search so far: a curve with one rate per step. Pure data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::Quantity;

/// A search for the highest rate at which a threshold is met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CapacityStats {
    /// The threshold, as given.
    pub limit: String,
    /// The unit of `measured` in the steps; `None` before the first step was judged.
    pub quantity: Option<Quantity>,
    /// The threshold value in the same unit; `None` before the first step was judged.
    pub limit_value: Option<f64>,
    /// The rates judged so far, in order.
    pub steps: Vec<CapacityStep>,
    /// The rate being tried; `None` when the search is over.
    pub trying: Option<f64>,
    /// The highest rate that met the threshold, in iterations per second; `None` if none did.
    pub best: Option<f64>,
    /// Whether the best rate is the highest allowed, so that none above it was tried.
    pub is_at_max: bool,
}

impl CapacityStats {
    /// The steps in ascending order of rate.
    pub fn by_rate(&self) -> Vec<&CapacityStep> {
        let mut steps: Vec<&CapacityStep> = self.steps.iter().collect();
        steps.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        steps
    }
}

/// Why a rate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NotHeld {
    /// The threshold was breached.
    #[serde(rename = "the limit is broken")]
    LimitBroken,
    /// Fewer iterations started than the rate demands, so this rate was not measured.
    #[serde(rename = "not all iterations could be started: no user was free")]
    RateNotReached,
    /// The step has no data for the threshold.
    #[serde(rename = "nothing was measured")]
    NothingMeasured,
    /// A script error or `fail` ended most of the iterations, so the measurement is meaningless.
    #[serde(rename = "most iterations failed")]
    IterationsFailed,
}

impl NotHeld {
    /// The reason, as shown in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            NotHeld::LimitBroken => "the threshold was breached",
            NotHeld::RateNotReached => "not all iterations could be started: no user was free",
            NotHeld::NothingMeasured => "nothing was measured",
            NotHeld::IterationsFailed => "most iterations failed",
        }
    }

    /// A short form, for legends and tables.
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
    /// Planned iterations per second.
    pub rate: f64,
    /// Started iterations per second.
    pub started_rate: f64,
    /// Requests per second.
    pub request_rate: f64,
    /// The value of the threshold's statistic in this step, in its own unit; `None` without data.
    pub measured: Option<f64>,
    /// Share of failed requests, 0 to 1; `None` without requests.
    pub failed_share: Option<f64>,
    /// Share of ended iterations that failed with a script error or `fail`, 0 to 1; `None` when none ended.
    #[serde(default)]
    pub failed_iterations: Option<f64>,
    /// Start of the measured interval, as time since the load started.
    pub from: Duration,
    /// End of the measured interval.
    pub to: Duration,
    /// Why it failed; `None` if it met the threshold.
    pub why_not: Option<NotHeld>,
    /// The load generator was saturated: the step says nothing about the target.
    pub generator_saturated: bool,
    /// In a distributed run, the names of the agents that were.
    #[serde(default)]
    pub saturated_agents: Vec<String>,
}
