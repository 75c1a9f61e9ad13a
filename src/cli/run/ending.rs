//! The end of a run: what it is compared with, what is printed and written, and the exit code.

use std::path::PathBuf;

use super::files::{Files, json_text};
use super::summary;
use crate::analysis::{Comparison, DEFAULT_NOISE, regression_sentence};
use crate::cli::alerts::Alerts;
use crate::cli::args::OutputArgs;
use crate::cli::exit::Exit;
use crate::cli::output::{self, look_of};
use crate::cli::page::Page;
use crate::cli::places::Places;
use crate::plan::RunRecord;
use crate::report::{compared_summary, short_summary};
use crate::text::clean_text;
use crate::{Report, results};

/// How a run ended.
pub(in crate::cli) struct Ended {
    pub(in crate::cli) exit: Exit,
    /// The one line that is the verdict; empty when there was no run, which `each` goes by.
    pub(in crate::cli) verdict: String,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Ended {
        Ended { exit, verdict: String::new() }
    }
}

/// See the module's description.
pub(super) struct Ending<'a> {
    pub(super) report: Report,
    pub(super) output: OutputArgs,
    /// The script was tried out: a short summary, and any failure counts.
    pub(super) once: bool,
    pub(super) files: Files,
    /// The run that this one is compared with.
    pub(super) baseline: Option<PathBuf>,
    pub(super) alerts: Alerts,
    /// Where the run is shown besides the terminal.
    pub(super) page: Option<&'a Page>,
    /// What the run reads and writes.
    pub(super) places: Places,
}

impl Ending<'_> {
    /// Writes and prints what came of the run.
    pub(super) fn told(mut self) -> Ended {
        let mut unwritten = self.files.finish(self.report.record());
        let mut alerts = std::mem::take(&mut self.alerts);
        let mut trouble = alerts.look(self.report.info(), self.report.snapshot());
        // The two runs are read from their folders, so this one has to be written.
        let comparison = self.compare();
        let mut record = self.report.record().clone();
        record.regression = comparison.as_ref().and_then(regression_sentence);
        unwritten.extend(self.files.finish_singles(&record, comparison.as_ref()));
        let text = self.summary(&record, comparison.as_ref());
        self.print(&text, &record, comparison.as_ref());
        unwritten.iter().for_each(|error| output::error(error));
        let all = if unwritten.is_empty() { "results" } else { "results, not all" };
        output::err(&format!("{all}: {}\n", self.files.directory.path().display()));
        let mut is_complete = unwritten.is_empty() & self.samples_are_complete();
        // What one iteration took is no picture of anything.
        if !self.once || self.output.html.is_some() {
            is_complete &= self.write_html(comparison.as_ref());
        }
        is_complete &= self.write_summary();
        // To have been asked to judge a change and not to know is no pass.
        is_complete &= comparison.is_some() || !self.output.fail_on_regression;
        // Told while the summary was printed; the last ones may still be under way.
        trouble.extend(alerts.finish());
        trouble.iter().for_each(|problem| output::err(&format!("{problem}\n")));
        if let Some(page) = self.page {
            page.finish(&record);
        }
        let mut verdict = text.lines().last().unwrap_or_default().to_owned();
        let exit = match Exit::of(&record) {
            Exit::Passed if !is_complete => {
                verdict.push_str("; but its results are not complete");
                Exit::Configuration
            }
            exit => exit,
        };
        Ended { exit, verdict }
    }

    /// What a person reads of the run; the last line is the verdict.
    fn summary(&self, record: &RunRecord, comparison: Option<&Comparison>) -> String {
        let look = look_of(&self.output);
        let text =
            if self.once { short_summary(record, look) } else { compared_summary(record, comparison, look) };
        if self.output.quiet { text.lines().last().unwrap_or_default().to_owned() + "\n" } else { text }
    }

    fn print(&self, text: &str, record: &RunRecord, comparison: Option<&Comparison>) {
        if self.output.json {
            output::out(&json_text(record, comparison));
        }
        let outputs = self.report.summary_outputs();
        // Texts of a script: unlike ours, they may hold what a terminal acts on.
        if let Some(own) = summary::printed(outputs, "stdout") {
            let own = clean_text(&own);
            if self.output.stdout_is_taken() { output::err(&own) } else { output::out(&own) }
        }
        if let Some(own) = summary::printed(outputs, "stderr") {
            output::err(&own);
        }
        if self.output.stdout_is_taken() {
            output::err_as_it_is(text);
        } else {
            output::out(text);
        }
        if let Some(error) = self.report.teardown_error() {
            output::err(&format!("warning: teardown failed: {error}\n"));
        }
    }

    /// Says which files of samples are not complete: also with --quiet, which leaves out the summary that says it.
    fn samples_are_complete(&self) -> bool {
        let files = self.report.snapshot().samples.iter();
        let problems: Vec<_> = files.filter_map(|file| Some((&file.name, file.problem.as_ref()?))).collect();
        for (name, problem) in &problems {
            output::error(&format!("the samples in {name} are not complete: {problem}"));
        }
        problems.is_empty()
    }

    /// Writes the files that the script's `summary` asks for; false when one is missing.
    fn write_summary(&mut self) -> bool {
        let folder = self.files.directory.path();
        let mut places = std::mem::take(&mut self.places);
        places.reads_run("the results of this run", folder);
        let (written, problems) = summary::write(self.report.summary_outputs(), folder, places);
        if !written.is_empty() {
            output::err(&format!("summary: {}\n", written.join(", ")));
        }
        problems.iter().for_each(|problem| output::error(problem));
        let failed = self.report.summary_error();
        if let Some(error) = failed {
            output::error(&format!("summary failed: {error}"));
        }
        problems.is_empty() && failed.is_none()
    }

    /// Writes the report; false when one that was asked for is missing.
    fn write_html(&mut self, comparison: Option<&Comparison>) -> bool {
        let (path, written, is_asked_for) =
            self.files.write_html(&self.output, comparison.zip(self.baseline.as_deref()));
        match &written {
            Ok(()) => {
                self.places.reads("the report", &path);
                output::err(&format!("report: {}\n", output::page(&path)));
            }
            Err(problem) if is_asked_for => output::error(&format!("there is no report: {problem}")),
            Err(problem) => output::err(&format!("warning: there is no report: {problem}\n")),
        }
        written.is_ok() || !is_asked_for
    }

    /// Compares the run, as its files have it now, with the baseline.
    fn compare(&self) -> Option<Comparison> {
        let baseline = self.baseline.as_ref()?;
        match results::compare(
            baseline,
            self.files.directory.path(),
            self.output.noise.unwrap_or(DEFAULT_NOISE),
        ) {
            Ok(comparison) => Some(comparison),
            Err(error) => {
                output::err(&format!("warning: not compared with the baseline: {error}\n"));
                None
            }
        }
    }
}
