//! What a run leaves behind as files: the run directory, and CSV files where `--csv` says.
//!
//! Owns file formats and how they are kept whole while a run goes on. Leaves all counting to
//! `metrics` and all views for people to `report`. The formats are described in `docs/results.md` and
//! `docs/run.schema.json`. Invariant: after `finish`, every file holds the final snapshot's counts.

mod csv_files;
mod directory;
mod error;
mod history_file;
mod replace;
mod run_json;
mod script_copy;
mod tables;
mod utc;

#[cfg(test)]
mod tests;

pub use csv_files::CsvFiles;
pub use directory::RunDirectory;
pub use error::ResultsError;
pub use run_json::run_json;
