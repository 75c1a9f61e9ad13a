//! The files that a run writes: the run directory, and CSV files for `--csv`.
//!
//! Owns file formats and keeping files consistent during a run. Leaves all counting to
//! `metrics` and all views for people to `report`. The formats are described in `docs/results.md` and
//! `docs/run.schema.json`. Invariant: after `finish`, every file holds the final snapshot's counts.

mod agents_json;
mod baseline;
mod csv_files;
mod directory;
mod error;
mod growing_file;
mod history_file;
mod hlog_file;
mod k6_metrics;
mod k6_summary;
mod last_run;
mod measured_run;
mod recording;
mod replace;
mod resources_file;
mod run_json;
mod samples_file;
mod script_copy;
mod state_file;
mod stored_run;
mod tables;
mod thresholds_json;
mod timeline_file;
mod trend;

/// The files in the folder of a run, besides the copies of its scripts.
#[cfg(feature = "cli")]
pub(crate) const RUN_FILES: [&str; 9] = [
    "run.json",
    state_file::NAME,
    "stats.csv",
    "stats_history.csv",
    "failures.csv",
    "exceptions.csv",
    "resources.csv",
    "timeline.csv",
    "latency.hlog",
];

#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;

pub use baseline::{BaselineError, baseline_names, find_run, save_baseline};
pub use csv_files::{CsvFiles, write_csv_files};
pub use directory::{RunDirectory, run_folder};
pub use error::ResultsError;
pub use k6_summary::{summary_data, summary_export};
pub use last_run::{nth_newest, runs_back};
pub use measured_run::{StoredRunError, compare};
pub use recording::{Recording, Window};
#[cfg(feature = "cli")]
pub(crate) use replace::replace;
pub use resources_file::ResourcesFile;
pub use run_json::{compared_run_json, endpoints_json, json_text, run_json};
pub use samples_file::{SamplesFile, SamplesFormat};
pub use stored_run::{NoRun, StoredRun};
#[cfg(feature = "web")]
pub(crate) use thresholds_json::threshold_json;
pub use timeline_file::TimelineRow;
pub use trend::Trend;
