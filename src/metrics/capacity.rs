//! What a search for the capacity has found so far: the curve, a rate a step. Pure data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Quantity;

/// A search for the highest rate at which a limit holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityStats {
    /// The limit, as it was given.
    pub limit: String,
    /// What `measured` of the steps is.
    pub quantity: Option<Quantity>,
    /// The rates that have been judged, in their order.
    pub steps: Vec<CapacityStep>,
    /// The rate that is tried now; `None` when the search is over.
    pub trying: Option<f64>,
    /// The highest rate that held, iterations per second; `None` when none has.
    pub best: Option<f64>,
    /// No rate above the best one was tried, since it was the highest allowed.
    pub is_at_max: bool,
}

/// One rate of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// When it began and ended to be judged, as time since the load began.
    pub from: Duration,
    /// See `from`.
    pub to: Duration,
    /// Why it did not hold; `None` when it did.
    pub why_not: Option<String>,
    /// The load generator was at its limit: the step says nothing about the target.
    pub generator_saturated: bool,
}
