//! The façade: put a test together, start it, watch it, stop it, get its report.
//!
//! The command line uses this and nothing else of the engine.

mod check;
mod control;
mod driver;
mod error;
mod facts;
mod handle;
mod http_options;
#[cfg(feature = "cluster")]
mod job;
mod lanes;
mod limits;
mod load_test;
mod planned_load;
mod preparation;
mod prepared;
mod pressure;
mod reload;
mod requests;
mod samples;
#[cfg(test)]
mod several_tests;
mod shapes;
#[cfg(test)]
mod shared_store_tests;
mod threads;
mod watchdog;
mod worker_loop;
mod workers;

pub use check::CheckReport;
pub use control::{Control, ControlError};
#[cfg(feature = "cluster")]
pub(crate) use driver::{Fleet, Heard, PATIENCE};
pub use error::RunError;
pub use handle::{Report, RunHandle, Stopper};
#[cfg(feature = "cluster")]
pub(crate) use job::Job;
pub use load_test::LoadTest;
pub use planned_load::PlannedLoad;
pub use prepared::Prepared;
#[cfg(feature = "cluster")]
pub(crate) use threads::Threads;
#[cfg(feature = "cluster")]
pub(crate) use watchdog::Watchdog;
#[cfg(feature = "cluster")]
pub(crate) use workers::{Command, LAST_PATIENCE, Notice, Workers};
