//! What is to be run: options in layers, scenarios, the mix of users. Pure data, no clock, no I/O.

mod chain;
mod duration;
mod info;
mod mix;
mod options;
mod scenario;
mod selection;
mod test_plan;

pub use duration::{format_clock, format_duration, parse_duration};
pub use info::{EndedBy, RunInfo};
pub use mix::{Share, deal};
pub use options::{HttpLayer, Options};
pub use scenario::{ScenarioPlan, TaskOrder, TaskPlan, Wait};
pub use test_plan::{DEFAULT_STOP_TIMEOUT, PlanError, TestPlan};
