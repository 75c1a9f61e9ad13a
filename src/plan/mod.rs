//! The test plan: layered options, scenarios, the mix of users. Pure data, no clock, no I/O.

mod capacity;
mod chain;
mod executor;
mod info;
mod lane;
mod load;
mod mix;
mod options;
mod origin;
mod profile;
mod record;
mod scenario;
mod selection;
mod stage;
mod test_plan;

pub use capacity::CapacityPlan;
pub(crate) use capacity::Search;
pub(crate) use executor::MOST_RATE;
pub use executor::{Arrivals, DEFAULT_MAX_DURATION, DEFAULT_MAX_VUS, Executor, Late, Open};
pub use info::{EndedBy, FailsOn, RunInfo, Terminals};
pub use lane::{LanePlan, MIX, RateShare, circle};
pub use mix::{Share, deal, deal_on};
pub use options::{HttpLayer, Options};
pub use origin::{Commit, Machine, Origin};
pub use profile::Profile;
pub use record::RunRecord;
pub use scenario::{ScenarioPlan, TaskOrder, TaskPlan, Wait};
pub use stage::{RunStages, Stage, parse_rate, parse_stages};
pub(crate) use test_plan::MOST_USERS;
#[cfg(feature = "cluster")]
pub(crate) use test_plan::cores;
pub use test_plan::{DEFAULT_STOP_TIMEOUT, PlanError, TestPlan};
