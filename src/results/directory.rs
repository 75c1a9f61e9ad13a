//! The run directory, which holds everything about one run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::csv_files::{CsvFiles, FirstError, RewritePace};
use super::error::ResultsError;
use super::hlog_file::HlogFile;
use super::replace::replace;
use super::resources_file::ResourcesFile;
use super::run_json::{compared_run_json, json_text, run_json};
use super::script_copy::{copy_files, safe_name};
use super::state_file::{self, state_json};
use super::timeline_file::TimelineFile;
use crate::analysis::Comparison;
use crate::metrics::Snapshot;
use crate::plan::{RunInfo, RunRecord};
use crate::text::utc::utc;

/// Runs of one script that may begin in one second.
const MOST_IN_ONE_SECOND: usize = 1_000;

/// Longest part of a folder's name that the script's name makes up.
const LONGEST_NAME: usize = 80;

/// The folder of a run: `run.json`, the CSV files and `script/`, kept up to date as the run goes.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    info: Arc<RunInfo>,
    csv: CsvFiles,
    hlog: HlogFile,
    timeline: TimelineFile,
    resources: ResourcesFile,
    pace: RewritePace,
    trouble: FirstError,
    /// The run was begun before this process.
    is_older: bool,
}

impl RunDirectory {
    /// Creates `<root>/<UTC time>_<script name>/` with the script's files in it. An existing directory is
    /// left alone: the new one gets the suffix `-2`, `-3` and so on.
    ///
    /// # Errors
    /// [`ResultsError`] if the directory cannot be written; better now than after the run.
    pub fn create(root: &Path, info: &RunInfo) -> Result<Self, ResultsError> {
        let path = run_folder(root, &info.name, info.started_at)?;
        copy_files(&path.join("script"), &info.files)?;
        RunDirectory::in_folder(path, info)
    }

    /// Goes on in the directory of a run whose process was killed. Its files are written again from the beginning, but for the
    /// copy of the script; what they said stays until there is more.
    ///
    /// # Errors
    /// As [`RunDirectory::create`].
    pub fn reopen(path: PathBuf, info: &RunInfo) -> Result<Self, ResultsError> {
        let mut directory = RunDirectory::in_folder(path, info)?;
        directory.is_older = true;
        Ok(directory)
    }

    fn in_folder(path: PathBuf, info: &RunInfo) -> Result<Self, ResultsError> {
        let csv = CsvFiles::in_folder(&path)?;
        let resources = ResourcesFile::new(&path.join("resources.csv"));
        Ok(RunDirectory {
            hlog: HlogFile::create(path.join("latency.hlog"))?,
            timeline: TimelineFile::create(path.join("timeline.csv"))?,
            path,
            info: Arc::new(info.clone()),
            csv,
            resources,
            pace: RewritePace::default(),
            trouble: FirstError::default(),
            is_older: false,
        })
    }

    /// See [`CsvFiles::full_history`].
    #[must_use]
    pub fn full_history(mut self, wanted: bool) -> Self {
        self.csv = self.csv.full_history(wanted);
        self
    }

    /// Removes the directory again, for a run that never started. One that was reopened stays, with what is left in it.
    pub fn discard(self) {
        if self.is_older {
            return;
        }
        // What cannot be removed does no harm.
        let _ = std::fs::remove_dir_all(&self.path);
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for the intervals of a run that has begun; [`RunDirectory::update`] does so too, unless others came before.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        self.hlog.follow(snapshot);
    }

    /// Updates the files from a snapshot; call it once a second, see [`CsvFiles::update`].
    ///
    /// # Errors
    /// The first [`ResultsError`] of the run; the run can continue, and every write is retried.
    pub fn update(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), ResultsError> {
        let csv = self.csv.update(snapshot);
        let json = if self.pace.is_due(snapshot) {
            write_json(&self.path, &RunRecord::new(self.info.clone(), None, snapshot.clone()))
        } else {
            Ok(())
        };
        let hlog = self.hlog.update(snapshot);
        let timeline = self.timeline.update(snapshot);
        let resources = self.resources.update(&snapshot.resources.samples, snapshot.started_at);
        self.trouble.only_once(csv.and(json).and(hlog).and(timeline).and(resources))
    }

    /// Writes the final state of all files.
    ///
    /// # Errors
    /// [`ResultsError`] if a file could not be written. The other files are written anyway.
    pub fn finish(&mut self, record: &RunRecord) -> Result<(), ResultsError> {
        let snapshot = &*record.snapshot;
        let csv = self.csv.finish(snapshot);
        let hlog = self.hlog.finish(snapshot);
        let timeline = self.timeline.update(snapshot);
        let resources = self.resources.update(&snapshot.resources.samples, snapshot.started_at);
        let json = write_json(&self.path, record);
        csv.and(hlog).and(timeline).and(resources).and(json)
    }

    /// Adds what came of the finished run to its `run.json` and its state: the comparison with an earlier one, and what is
    /// missing.
    ///
    /// # Errors
    /// [`ResultsError`] if the file could not be written; it still holds the run without that.
    pub fn conclude(
        &mut self,
        record: &RunRecord,
        comparison: Option<&Comparison>,
    ) -> Result<(), ResultsError> {
        let json = compared_run_json(record, comparison);
        let json = replace(&self.path.join("run.json"), json_text(&json).as_bytes());
        json.and(replace(&self.path.join(state_file::NAME), &state_json(record)))
    }
}

/// What the name of a script becomes in the name of a folder.
pub(super) fn script_part(name: &str) -> String {
    let mut name = safe_name(name);
    name.truncate(LONGEST_NAME);
    if name.is_empty() { "script".to_owned() } else { name }
}

/// Makes `<root>/<UTC time>_<name>/`; see [`RunDirectory::create`].
///
/// # Errors
/// [`ResultsError`] when the place cannot be written to.
pub fn run_folder(root: &Path, name: &str, started_at: SystemTime) -> Result<PathBuf, ResultsError> {
    fs::create_dir_all(root).map_err(ResultsError::create("the results directory", root))?;
    // A colon is not allowed in names on Windows, and needs quoting elsewhere.
    let time = utc(started_at).replace(':', "-");
    let name = script_part(name);
    let mut path = root.join(format!("{time}_{name}"));
    let mut n = 1;
    loop {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && n < MOST_IN_ONE_SECOND => {
                n += 1;
                path = root.join(format!("{time}_{name}-{n}"));
            }
            Err(error) => return Err(ResultsError::create("the run directory", &path)(error)),
        }
    }
}

fn write_json(folder: &Path, record: &RunRecord) -> Result<(), ResultsError> {
    let text = json_text(&run_json(record));
    let json = replace(&folder.join("run.json"), text.as_bytes());
    let state = replace(&folder.join(state_file::NAME), &state_json(record));
    json.and(state)
}
