//! What a run means: findings, warnings, the verdict, the wording of thresholds, and the comparison of two runs.
//!
//! Pure functions of snapshot and run facts. Owns the rules and their sentences. Leaves layout to `report` and files to
//! `results`; imports neither.

pub(crate) mod agents;
pub(crate) mod blocking;
pub(crate) mod capacity;
mod compare;
pub(crate) mod comparison;
mod finding;
mod findings;
mod leak;
mod slope;
mod stall;
pub mod thresholds;
mod trend;
pub(crate) mod verdict;
pub(crate) mod warnings;

#[cfg(test)]
pub(crate) use compare::made::comparison as made_comparison;
pub use compare::{
    ChangeVerdict, ComparedFigure, Comparison, DEFAULT_NOISE, EndpointComparison, FigureComparison,
    LeastChange, Presence, RunName,
};
pub(crate) use compare::{MeasuredRun, RunFacts, circumstances};
pub use comparison::{comparison_sentence, regression_sentence};
pub use finding::Finding;
pub use findings::findings;
pub(crate) use findings::last_stall;
pub use leak::leak;
pub use thresholds::limit_sentence;
pub use trend::TrendPoint;
pub use verdict::{Broken, Verdict};
