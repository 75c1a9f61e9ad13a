//! The end of a run: what it is compared with, what is printed and written, and the exit code.

use std::path::{Path, PathBuf};

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
        let comparison = comparison.as_ref();
        let mut record = self.report.record().clone();
        record.regression = comparison.and_then(regression_sentence);
        // To have been asked to judge a change and not to know is no pass.
        if comparison.is_none() && self.report.info().fails_on.regressions {
            record.lacks("not compared with the baseline");
        }
        let (report, is_asked_for) = self.files.html_place(&self.output);
        // What one iteration took is no picture of anything.
        let report = (!self.once || self.output.html.is_some()).then_some(report);
        report.iter().for_each(|path| self.places.reads("the report", path));
        let (summary, problems) = self.write_summary();
        for problem in problems.iter().chain(&unwritten) {
            record.lacks(problem);
        }
        // All that shows the verdict. What cannot be written changes it, so what can is written once more.
        let mut shown = self.write_verdict(&record, comparison, report.as_deref());
        if shown.is_missing(is_asked_for) {
            for problem in &shown.unwritten {
                record.lacks(problem);
            }
            if let (Err(problem), true) = (&shown.html, is_asked_for) {
                record.lacks(&format!("no report: {problem}"));
            }
            self.write_verdict(&record, comparison, report.as_deref());
        }
        unwritten.append(&mut shown.unwritten);
        if self.output.json {
            output::out(&json_text(&record, comparison));
        }
        self.print_summary();
        self.heed_stdout(&mut record, comparison, report.as_deref());
        let text = self.summary(&record, comparison);
        self.print(&text);
        self.heed_stdout(&mut record, comparison, report.as_deref());
        unwritten.iter().for_each(|error| output::error(error));
        let all = if unwritten.is_empty() { "results" } else { "results, not all" };
        output::err(&format!("{all}: {}\n", self.files.directory.path().display()));
        self.tell_of_samples();
        if let Some(path) = report {
            tell_of_report(&path, &shown.html, is_asked_for);
        }
        if !summary.is_empty() {
            output::err(&format!("summary: {}\n", summary.join(", ")));
        }
        problems.iter().for_each(|problem| output::error(problem));
        if let Some(error) = self.report.summary_error() {
            output::error(&format!("summary failed: {error}"));
        }
        // Told while the summary was printed; the last ones may still be under way.
        trouble.extend(alerts.finish());
        trouble.iter().for_each(|problem| output::err(&format!("{problem}\n")));
        if let Some(page) = self.page {
            page.finish(&record);
        }
        let verdict = text.lines().last().unwrap_or_default().to_owned();
        Ended { exit: Exit::of(&record), verdict }
    }

    /// Writes what shows the verdict.
    fn write_verdict(
        &mut self,
        record: &RunRecord,
        comparison: Option<&Comparison>,
        report: Option<&Path>,
    ) -> Shown {
        let unwritten = self.files.finish_singles(record, comparison);
        let compared = comparison.zip(self.baseline.as_deref());
        let html = report.map_or(Ok(()), |path| self.files.write_html(path, record, compared));
        Shown { unwritten, html }
    }

    /// What a person reads of the run; the last line is the verdict.
    fn summary(&self, record: &RunRecord, comparison: Option<&Comparison>) -> String {
        let look = look_of(&self.output);
        let text =
            if self.once { short_summary(record, look) } else { compared_summary(record, comparison, look) };
        if self.output.quiet { text.lines().last().unwrap_or_default().to_owned() + "\n" } else { text }
    }

    /// What did not get to standard output changes the verdict too.
    fn heed_stdout(
        &mut self,
        record: &mut RunRecord,
        comparison: Option<&Comparison>,
        report: Option<&Path>,
    ) {
        if let Some(problem) = output::problem()
            && record.lacks(&problem)
        {
            self.write_verdict(record, comparison, report);
        }
    }

    /// Prints what the script's `summary` has for the terminal.
    fn print_summary(&self) {
        let outputs = self.report.summary_outputs();
        // Texts of a script: unlike ours, they may hold what a terminal acts on.
        if let Some(own) = summary::printed(outputs, "stdout") {
            let own = clean_text(&own);
            if self.output.stdout_is_taken() { output::err(&own) } else { output::out(&own) }
        }
        if let Some(own) = summary::printed(outputs, "stderr") {
            output::err(&own);
        }
    }

    fn print(&self, text: &str) {
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
    fn tell_of_samples(&self) {
        for file in &self.report.snapshot().samples {
            if let Some(problem) = &file.problem {
                output::error(&format!("the samples in {} are not complete: {problem}", file.name));
            }
        }
    }

    /// Writes the files that the script's `summary` asks for; gives those that were written, and why others were not.
    fn write_summary(&mut self) -> (Vec<String>, Vec<String>) {
        let folder = self.files.directory.path();
        let mut places = std::mem::take(&mut self.places);
        places.reads_run("the results of this run", folder);
        summary::write(self.report.summary_outputs(), folder, places)
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

/// What could not be written of what shows the verdict.
struct Shown {
    unwritten: Vec<String>,
    html: Result<(), String>,
}

impl Shown {
    /// Whether something that was asked for is missing; `html` says that the report was.
    fn is_missing(&self, html: bool) -> bool {
        !self.unwritten.is_empty() || html && self.html.is_err()
    }
}

fn tell_of_report(path: &Path, written: &Result<(), String>, is_asked_for: bool) {
    match written {
        Ok(()) => output::err(&format!("report: {}\n", output::page(path))),
        Err(problem) if is_asked_for => output::error(&format!("there is no report: {problem}")),
        Err(problem) => output::err(&format!("warning: there is no report: {problem}\n")),
    }
}
