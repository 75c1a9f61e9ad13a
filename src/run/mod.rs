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
mod lane_run;
mod lanes;
mod limits;
mod load_test;
mod prepared;
mod pressure;
mod reload;
mod requests;
mod samples;
mod shapes;
mod worker_loop;

pub use check::Findings;
pub use control::Control;
pub use error::RunError;
pub use handle::{Report, RunHandle, Stopper};
pub use load_test::LoadTest;
pub use prepared::Prepared;
