//! The four CSV files of a run, with Locust's names.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ResultsError;
use super::history_file::HistoryFile;
use super::replace::replace;
use super::tables;
use crate::metrics::Snapshot;
use crate::system::check_file;

/// How often files that are rewritten as a whole are rewritten: they grow with the number of endpoints.
const REWRITE_EVERY: Duration = Duration::from_secs(5);

/// `stats.csv`, `stats_history.csv`, `failures.csv` and `exceptions.csv` of one run.
#[derive(Debug)]
pub struct CsvFiles {
    stats: PathBuf,
    failures: PathBuf,
    exceptions: PathBuf,
    history: HistoryFile,
    pace: RewritePace,
    trouble: FirstError,
}

impl CsvFiles {
    /// The files of `--csv PREFIX`: `PREFIX_stats.csv` and so on. They are created immediately, with their headers and
    /// the folders they need; if one cannot be, none is touched.
    ///
    /// # Errors
    /// [`ResultsError`] if a file cannot be created.
    pub fn create(prefix: &Path) -> Result<Self, ResultsError> {
        Self::check(prefix)?;
        if let Some(folder) = prefix.parent() {
            fs::create_dir_all(folder).map_err(ResultsError::create("the directory", folder))?;
        }
        let mut base = prefix.as_os_str().to_owned();
        base.push("_");
        Self::named(base)
    }

    /// Whether [`CsvFiles::create`] can create them, without touching those that are there.
    ///
    /// # Errors
    /// [`ResultsError`] if a file cannot be created.
    pub fn check(prefix: &Path) -> Result<(), ResultsError> {
        Self::NAMES.iter().try_for_each(|name| {
            let mut path = prefix.as_os_str().to_owned();
            path.push(format!("_{name}"));
            let path = PathBuf::from(path);
            check_file(&path).map_err(ResultsError::create("the file", &path))
        })
    }

    const NAMES: [&str; 4] = ["stats_history.csv", "stats.csv", "failures.csv", "exceptions.csv"];

    /// The files in a folder, without prefix.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, ResultsError> {
        Self::named(folder.join("").into_os_string())
    }

    fn named(base: OsString) -> Result<Self, ResultsError> {
        let path = |name: &str| {
            let mut path = base.clone();
            path.push(name);
            PathBuf::from(path)
        };
        let [history, stats, failures, exceptions] = Self::NAMES.map(path);
        let history = HistoryFile::create(history)?;
        let files = CsvFiles {
            stats,
            failures,
            exceptions,
            history,
            pace: RewritePace::default(),
            trouble: FirstError::default(),
        };
        // Headers alone: each place is tried before the run, and no figures of an earlier run stay.
        files.rewrite(None)?;
        Ok(files)
    }

    /// Whether `stats_history.csv` has rows for each endpoint besides the total (`--csv-full-history`).
    #[must_use]
    pub fn full_history(mut self, wanted: bool) -> Self {
        self.history.with_endpoints(wanted);
        self
    }

    /// Updates the files from a snapshot; call it once a second. The history grows with each call, the
    /// other files are rewritten every five seconds.
    ///
    /// # Errors
    /// The first [`ResultsError`] of the run. Later ones are not returned, but every write is retried
    /// with each call, so nothing is missing once a full disk has space again.
    pub fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let written = self.try_update(snapshot);
        self.trouble.only_once(written)
    }

    /// Writes the final state of all files.
    ///
    /// # Errors
    /// [`ResultsError`] if a file could not be written. The other files are written anyway.
    pub fn finish(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let history = self.history.update(snapshot);
        history.and(self.rewrite(Some(snapshot)))
    }

    fn try_update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let history = self.history.update(snapshot);
        let rewritten = if self.pace.is_due(snapshot) { self.rewrite(Some(snapshot)) } else { Ok(()) };
        history.and(rewritten)
    }

    fn rewrite(&self, snapshot: Option<&Snapshot>) -> Result<(), ResultsError> {
        let stats = replace(&self.stats, &tables::stats(snapshot));
        let failures = replace(&self.failures, &tables::failures(snapshot));
        let exceptions = replace(&self.exceptions, &tables::exceptions(snapshot));
        stats.and(failures).and(exceptions)
    }
}

/// Writes the files of `--csv PREFIX` from a stored run's snapshot, whose history has no rows of endpoints.
///
/// # Errors
/// [`ResultsError`] if a file cannot be written.
pub fn write_csv_files(prefix: &Path, snapshot: &Snapshot) -> Result<(), ResultsError> {
    CsvFiles::create(prefix)?.finish(snapshot)
}

/// When whole files are rewritten: with the first update, then every five seconds of the run.
#[derive(Debug, Default)]
pub(crate) struct RewritePace {
    last: Option<Duration>,
}

impl RewritePace {
    /// Whether it is time; a yes counts as done.
    pub(crate) fn is_due(&mut self, snapshot: &Snapshot) -> bool {
        let due = self.last.is_none_or(|last| snapshot.elapsed >= last + REWRITE_EVERY);
        if due {
            self.last = Some(snapshot.elapsed);
        }
        due
    }
}

/// Passes on only the first error: a full disk is reported once, not every second.
#[derive(Debug, Default)]
pub(crate) struct FirstError {
    told: bool,
}

impl FirstError {
    /// The result, or `Ok` for an error after the first.
    pub(crate) fn only_once(&mut self, result: Result<(), ResultsError>) -> Result<(), ResultsError> {
        match result {
            Err(_) if self.told => Ok(()),
            Err(error) => {
                self.told = true;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}
