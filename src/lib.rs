//! rhaid: an embeddable scripting engine for load tests.
//!
//! A virtual user is a [Rhai](rhai) script that calls HTTP and assertion functions; the engine runs thousands
//! of copies of it, measures, and reports.
//!
//! ```no_run
//! # async fn example() -> Result<(), rhaid::RunError> {
//! let report = rhaid::LoadTest::from_file("scripts/quickstart.rhai")?
//!     .host("http://127.0.0.1:8000")
//!     .users(10)
//!     .iterations(1000)
//!     .run()
//!     .await?;
//! assert!(report.passed());
//! # Ok(())
//! # }
//! ```
//!
//! [`LoadTest`] puts a test together, [`RunHandle`] watches and stops it, [`Report`] is what came of it, and
//! everything shown or written is made from a [`metrics::Snapshot`]. Functions of your own are added with
//! [`LoadTest::with_engine`] and [`LoadTest::with_async_fn`].
//!
//! Features: `cli` (default) is the command line; parts of it are `target`, the demo application, `resources`,
//! CPU and memory beside a run, `charts`, SVG, and `junit`, the report for CI.

pub mod analysis;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "cli")]
mod convert;
pub mod credentials;
mod data;
mod executor;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fixture_load;
#[cfg(any(test, rhaid_fuzzing))]
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod metrics;
#[cfg(feature = "outbound")]
mod outbound;
pub mod plan;
pub mod report;
#[cfg(feature = "resources")]
pub mod resources;
pub mod results;
mod run;
mod scrape;
mod script;
mod share;
mod system;
#[cfg(feature = "target")]
pub mod target;
pub mod text;
mod vu;
#[cfg(feature = "web")]
pub mod web;
mod ws;

/// The script language, for [`LoadTest::with_engine`] and [`LoadTest::with_async_fn`].
pub use rhai;
pub use run::{
    CheckReport, Control, ControlError, LoadTest, PlannedLoad, Prepared, Report, RunError, RunHandle, Stopper,
};
#[cfg(feature = "cli")]
pub(crate) use script::reference as script_reference;
pub use script::{AsyncCall, HttpDebug, Level, Message, Param, Problem, Sample, Severity, SummaryOutput};
pub use system::CountedAllocator;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use system::Mimalloc;
