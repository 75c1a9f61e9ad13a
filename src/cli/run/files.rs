//! The files of a run: its folder, the CSV files and single files that flags ask for, its report.
//!
//! Owns that places which cannot be written to are told before the run. One place that fails does not keep the others
//! from being written.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::Comparison;
use crate::cli::args::OutputArgs;
use crate::cli::compare::baseline_curves;
use crate::cli::output::{check_file, write_file};
use crate::cli::report::last_runs_linked;
use crate::metrics::Snapshot;
use crate::plan::{RunInfo, RunRecord};
use crate::report::{Model, compared_markdown, html_report, junit};
use crate::results::{
    self, CsvFiles, ResultsError, RunDirectory, StoredRun, compared_run_json, summary_export,
};
use crate::system::check_stream;

/// Where runs are kept unless it is said otherwise.
const RESULTS_DIR: &str = "performance/results";

/// Where their reports are.
const REPORTS_DIR: &str = "performance/reports";

/// A report that is one text.
type Single = fn(&RunRecord, Option<&Comparison>) -> String;

pub(super) fn json_text(record: &RunRecord, comparison: Option<&Comparison>) -> String {
    results::json_text(&compared_run_json(record, comparison))
}

/// k6's form has no place for what changed.
fn summary_text(record: &RunRecord, _: Option<&Comparison>) -> String {
    results::json_text(&summary_export(record))
}

/// What changed has no test case: a limit on it is `--fail-on-regression`.
fn junit_text(record: &RunRecord, _: Option<&Comparison>) -> String {
    junit(record)
}

fn text(error: ResultsError) -> String {
    error.to_string()
}

/// The folder of results.
pub(super) fn results_dir(output: &OutputArgs) -> &Path {
    output.results_dir.as_deref().unwrap_or(Path::new(RESULTS_DIR))
}

/// The files of a run.
pub(super) struct Files {
    pub(super) directory: RunDirectory,
    csv: Option<CsvFiles>,
    /// Single files that are written at the end, and what makes them.
    singles: Vec<(PathBuf, Single)>,
    /// The last problem with writing, told once.
    problem: Option<String>,
}

impl Files {
    /// Whether all files can be made, also those of samples, without touching what is there: a run that is refused leaves the
    /// files of an earlier one. Pipes stay open for their readers as long as what this gives.
    ///
    /// # Errors
    /// When a place cannot be written to.
    pub(super) fn check(output: &OutputArgs) -> Result<Vec<File>, String> {
        let singles = [&output.summary_export, &output.junit, &output.markdown, &output.html];
        singles.into_iter().flatten().try_for_each(|path| check_file(path))?;
        output.csv.as_deref().map_or(Ok(()), CsvFiles::check).map_err(text)?;
        let mut pipes = Vec::new();
        for target in output.out.iter().filter(|target| !target.is_stdout()) {
            let pipe = check_stream(&target.path).map_err(ResultsError::create("the file", &target.path));
            pipes.extend(pipe.map_err(text)?);
        }
        Ok(pipes)
    }

    /// Makes those that are written during the run; of one that is resumed, the folder is the one that it has.
    ///
    /// # Errors
    /// When a place cannot be written to.
    pub(super) fn create(
        output: &OutputArgs,
        info: &RunInfo,
        folder: Option<&Path>,
    ) -> Result<Files, String> {
        let singles: [(&Option<PathBuf>, Single); 3] = [
            (&output.summary_export, summary_text),
            (&output.junit, junit_text),
            (&output.markdown, compared_markdown),
        ];
        let asked = singles.into_iter().filter_map(|(path, single)| Some((path.clone()?, single)));
        let directory = match folder {
            Some(folder) => RunDirectory::reopen(folder.to_owned(), info),
            None => RunDirectory::create(results_dir(output), info),
        };
        let directory = directory.map_err(text)?.full_history(output.csv_full_history);
        let csv = output.csv.as_deref().map(CsvFiles::create).transpose().map_err(text)?;
        let csv = csv.map(|csv| csv.full_history(output.csv_full_history));
        Ok(Files { directory, csv, singles: asked.collect(), problem: None })
    }

    /// Writes what is new; gives a problem the first time there is one.
    pub(super) fn update(&mut self, snapshot: &Arc<Snapshot>) -> Option<String> {
        let written = self.directory.update(snapshot).and_then(|()| match &mut self.csv {
            Some(csv) => csv.update(snapshot),
            None => Ok(()),
        });
        let problem = written.err()?.to_string();
        let is_new = self.problem.is_none();
        self.problem = Some(problem.clone());
        is_new.then_some(problem)
    }

    /// Gives what could not be written. One place that fails does not keep the others from being written.
    pub(super) fn finish(&mut self, record: &RunRecord) -> Vec<String> {
        let directory = self.directory.finish(record);
        let csv = self.csv.as_mut().map_or(Ok(()), |csv| csv.finish(&record.snapshot));
        [directory, csv].into_iter().filter_map(Result::err).map(text).collect()
    }

    /// Writes what needs the whole run, and what it is like against another one; gives what could not be written.
    pub(super) fn finish_singles(
        &mut self,
        record: &RunRecord,
        comparison: Option<&Comparison>,
    ) -> Vec<String> {
        let concluded = match (comparison, &record.incomplete) {
            (None, None) => Ok(()),
            (comparison, _) => self.directory.conclude(record, comparison).map_err(text),
        };
        let singles = self.singles.iter().map(|(path, single)| {
            let text = single(record, comparison);
            write_file(path, text.as_bytes())
        });
        std::iter::once(concluded).chain(singles).filter_map(Result::err).collect()
    }

    /// Where the report is, and whether it was asked for.
    pub(super) fn html_place(&self, output: &OutputArgs) -> (PathBuf, bool) {
        let folder = self.directory.path();
        match (&output.html, &output.results_dir) {
            (Some(path), _) => (path.clone(), true),
            // Who keeps results elsewhere finds the report with them.
            (None, Some(_)) => (folder.join("report.html"), true),
            (None, None) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                (Path::new(REPORTS_DIR).join(format!("{name}.html")), false)
            }
        }
    }

    /// Writes the report, from what the run's folder holds now: as `rhaid report` would.
    ///
    /// # Errors
    /// When it cannot be written, in words.
    pub(super) fn write_html(
        &self,
        path: &Path,
        record: &RunRecord,
        compared: Option<(&Comparison, &Path)>,
    ) -> Result<(), String> {
        let folder = self.directory.path();
        let mut run = StoredRun::read(folder).map_err(|error| error.to_string())?;
        if record.incomplete.is_some() {
            // The folder may have older figures, from before its disk was full.
            run.record = record.clone();
        }
        let model = Model::new(&run.record, &run.recording.intervals, &run.problems);
        let model = match compared {
            Some((comparison, baseline)) => model.compared(comparison, baseline_curves(baseline)),
            None => model,
        };
        let model = model.among(last_runs_linked(folder, path));
        write_file(path, html_report(&model).as_bytes())
    }
}
