//! `rhaid run`: starts a test, shows it, writes its results, says how it ended.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::alerts::Alerts;
use super::args::{OutputArgs, RunArgs};
use super::compare::{baseline_curves, baseline_of};
use super::exit::Exit;
use super::keys::{HINT, Keys, Wishes};
use super::messages::{self, Messages};
use super::origin::origin;
use super::progress::{ColorChoice, Progress, ProgressKind};
use super::report::{LAST_RUNS, write_file};
use super::signals::Signals;
use super::{config_file, event_loop, output, profiles, resources};
use crate::analysis::Comparison;
use crate::analysis::DEFAULT_NOISE;
use crate::metrics::Snapshot;
use crate::metrics::ThresholdText;
use crate::plan::{EndedBy, Options, RunInfo};
use crate::report::{Look, Model, compared_markdown, compared_summary, html_report, junit, short_summary};
use crate::results::{
    CsvFiles, ResultsError, RunDirectory, SamplesFile, StoredRun, Trend, compared_run_json,
};
use crate::{LoadTest, Prepared, Report, RunError};

/// Where runs are kept unless it is said otherwise.
const RESULTS_DIR: &str = "performance/results";

/// Where their reports are.
const REPORTS_DIR: &str = "performance/reports";

/// How often messages from scripts are looked for.
const MESSAGES_EVERY: Duration = Duration::from_millis(100);

/// Runs the test that the arguments and the settings file describe.
pub(super) fn run(args: &RunArgs) -> Exit {
    let config = match config_file::load(args.config.as_ref()) {
        Ok(config) => config,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration;
        }
    };
    let Some(script) = args.script().or(config.args.script()).cloned() else {
        output::error("no script: name one, as in rhaid run scripts/quickstart.rhai (rhaid run --help)");
        return Exit::Usage;
    };
    let file_options = config.options();
    let mut args = RunArgs {
        script: Some(script.clone()),
        script_flag: None,
        once: args.once || config.args.once,
        http_debug: args.http_debug.clone().or(config.args.http_debug),
        output: args.output.clone().or(config.args.output),
        resources: args.resources.clone().or(config.args.resources),
        ..args.clone()
    };
    // What is tried out is read as it goes; a live table would be in the way.
    args.output.only_summary |= args.once;
    let named = args.load.profile.as_ref().or(config.args.load.profile.as_ref());
    let scale = args.load.time_scale.or(config.args.load.time_scale);
    let shapes = match named.map(|named| profiles::shapes(named, scale.unwrap_or(1.0))).transpose() {
        Ok(shapes) => shapes,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration;
        }
    };
    if scale.is_some() && shapes.is_none() {
        output::error("--time-scale changes the times of a profile; name one with --profile");
        return Exit::Usage;
    }
    let roots = if args.lib.is_empty() { &config.args.lib } else { &args.lib };
    let run = |load: &Options, limits: &[ThresholdText], args: &RunArgs| {
        let test = match LoadTest::from_file(&script) {
            Ok(test) => test,
            Err(error) => return refuse(&error).into(),
        };
        let test = roots
            .iter()
            .fold(test, |test, root| test.lib_root(root))
            .http_debug(args.http_debug())
            .watch(args.watch || config.args.watch)
            .defaults(Options { thresholds: limits.to_vec(), ..Options::default() });
        execute(test.options(args.options().or(load.clone()).or(file_options.clone())), args)
    };
    match shapes {
        Some(shapes) => profiles::run_each(shapes, &args, run),
        None => run(&Options::default(), &[], &args).exit,
    }
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) exit: Exit,
    /// The one line that is the verdict; empty when there was no run, which `profiles` goes by.
    pub(super) verdict: String,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Ended {
        Ended { exit, verdict: String::new() }
    }
}

/// Runs a test and does everything around it that flags ask for.
pub(super) fn execute(test: LoadTest, args: &RunArgs) -> Ended {
    let (send, messages) = messages::channel();
    let folder = args.script().and_then(|script| script.parent()).unwrap_or(Path::new(""));
    let test = test.origin(origin(&args.output, folder));
    let prepared = match test.on_message(send).prepare() {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&error).into(),
    };
    let prepared = match resources::watch(prepared, &args.resources) {
        Ok(prepared) => prepared,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration.into();
        }
    };
    let baseline = match baseline(&args.output, &prepared) {
        Ok(baseline) => baseline,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration.into();
        }
    };
    let alerts = match Alerts::new(&args.output) {
        Ok(alerts) => alerts,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration.into();
        }
    };
    if alerts.are_asked_for() && !prepared.has_thresholds() {
        output::err("warning: there is no limit, so --on-breach is never called (see --threshold)\n");
    }
    if let Some(problem) = args.output.conflict() {
        output::error(&problem);
        return Exit::Usage.into();
    }
    let prepared = match with_samples(prepared, &args.output) {
        Ok(prepared) => prepared,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Configuration.into();
        }
    };
    let files = match Files::create(&args.output, prepared.info()) {
        Ok(files) => files,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Configuration.into();
        }
    };
    // Each user holds a connection, and the default of many systems is 1,024 files. Where the limit stays,
    // the requests that meet it say so.
    let _ = rlimit::increase_nofile_limit(rlimit::INFINITY);
    let runtime = match event_loop() {
        Ok(runtime) => runtime,
        Err(exit) => return exit.into(),
    };
    let session = Session {
        rate: args.load.rate,
        output: args.output.clone(),
        once: args.once,
        files,
        messages,
        baseline,
        alerts,
    };
    runtime.block_on(session.run(prepared))
}

/// Makes the files that every sample goes to.
fn with_samples(prepared: Prepared, output: &OutputArgs) -> Result<Prepared, ResultsError> {
    output.out.iter().try_fold(prepared, |prepared, target| {
        let file = if target.is_stdout() {
            SamplesFile::to(target.format, "standard output", std::io::stdout())
        } else {
            SamplesFile::create(target.format, &target.path)?
        };
        Ok(prepared.samples(file))
    })
}

/// The run that is to be compared with; found before the run, so that a typing error costs none.
fn baseline(output: &OutputArgs, prepared: &Prepared) -> Result<Option<PathBuf>, String> {
    let Some(named) = &output.baseline else {
        return if output.fail_on_regression {
            Err("--fail-on-regression needs a --baseline to compare with".to_owned())
        } else {
            Ok(None)
        };
    };
    let results = output.results_dir.as_deref().unwrap_or(Path::new(RESULTS_DIR));
    baseline_of(named, &prepared.info().name, results).map(Some)
}

fn has_failed_check(report: &Report) -> bool {
    report.snapshot().checks.iter().any(|(_, count)| count.fails > 0)
}

fn refuse(error: &RunError) -> Exit {
    output::error(&error.to_string());
    if let RunError::Load(first, others) = error {
        others.iter().for_each(|problem| output::error(&problem.to_string()));
        // What else loading found stands below the first error.
        let below = first.trace.lines().filter(|line| line.starts_with("error: ")).count();
        let problems = 1 + below + others.len();
        if problems > 1 {
            output::err(&format!("{problems} problems; nothing was run\n"));
        }
    }
    Exit::from(error)
}

/// A report that is one text.
type Single = fn(&RunInfo, &EndedBy, &Snapshot, Option<&Comparison>) -> String;

fn json_text(
    info: &RunInfo,
    ended_by: &EndedBy,
    snapshot: &Snapshot,
    comparison: Option<&Comparison>,
) -> String {
    format!("{:#}\n", compared_run_json(info, Some(ended_by), snapshot, comparison))
}

/// What changed has no test case: a limit on it is `--fail-on-regression`.
fn junit_text(info: &RunInfo, ended_by: &EndedBy, snapshot: &Snapshot, _: Option<&Comparison>) -> String {
    junit(info, ended_by, snapshot)
}

/// The files of a run.
struct Files {
    directory: RunDirectory,
    csv: Option<CsvFiles>,
    /// Single files that are written at the end, and what makes them.
    singles: Vec<(PathBuf, Single)>,
    /// The last problem with writing, told once.
    problem: Option<String>,
}

impl Files {
    fn create(output: &OutputArgs, info: &RunInfo) -> Result<Files, ResultsError> {
        let singles: [(&Option<PathBuf>, Single); 3] = [
            (&output.summary_export, json_text),
            (&output.junit, junit_text),
            (&output.markdown, compared_markdown),
        ];
        let mut asked = Vec::new();
        for (path, single) in singles {
            let Some(path) = path else { continue };
            // A place that cannot be written to is told before the run, not after it.
            write_file(path, b"").map_err(ResultsError::Place)?;
            asked.push((path.clone(), single));
        }
        if let Some(path) = &output.html {
            write_file(path, b"").map_err(ResultsError::Place)?;
        }
        let root = output.results_dir.as_deref().unwrap_or(Path::new(RESULTS_DIR));
        let directory = RunDirectory::create(root, info)?.full_history(output.csv_full_history);
        let csv = output.csv.as_deref().map(CsvFiles::create).transpose()?;
        let csv = csv.map(|csv| csv.full_history(output.csv_full_history));
        Ok(Files { directory, csv, singles: asked, problem: None })
    }

    /// Writes what is new; gives a problem the first time there is one.
    fn update(&mut self, snapshot: &Snapshot) -> Option<String> {
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
    fn finish(&mut self, report: &Report) -> Vec<ResultsError> {
        let (info, ended_by, snapshot) = (report.info(), report.ended_by(), report.snapshot());
        let directory = self.directory.finish(info, ended_by, snapshot);
        let csv = self.csv.as_mut().map_or(Ok(()), |csv| csv.finish(snapshot));
        [directory, csv].into_iter().filter_map(Result::err).collect()
    }

    /// Writes what needs the whole run, and what it is like against another one; gives what could not be written.
    fn finish_singles(&mut self, report: &Report, comparison: Option<&Comparison>) -> Vec<ResultsError> {
        let (info, ended_by, snapshot) = (report.info(), report.ended_by(), report.snapshot());
        let compared = comparison
            .map_or(Ok(()), |compared| self.directory.add_comparison(info, ended_by, snapshot, compared));
        let singles = self.singles.iter().map(|(path, single)| {
            let text = single(info, ended_by, snapshot, comparison);
            write_file(path, text.as_bytes()).map_err(ResultsError::Place)
        });
        std::iter::once(compared).chain(singles).filter_map(Result::err).collect()
    }
}

/// A run with everything that follows it.
struct Session {
    output: OutputArgs,
    /// Iterations per second that the caller asked for.
    rate: Option<f64>,
    /// The script is tried out: a short summary, and any failure counts.
    once: bool,
    files: Files,
    messages: Messages,
    /// The run that this one is compared with.
    baseline: Option<PathBuf>,
    alerts: Alerts,
}

impl Session {
    async fn run(mut self, prepared: Prepared) -> Ended {
        // Before the start: a signal that comes with the first request has to find somebody.
        let mut signals = Signals::new();
        let handle = match prepared.start().await {
            Ok(handle) => handle,
            Err(error) => return refuse(&error).into(),
        };
        let info = handle.info().clone();
        let stopper = handle.stopper();
        let mut stops = 0;
        let mut progress = Progress::new(self.progress_kind(), self.look(std::io::stderr().is_terminal()));
        // Keys are read where their effect is seen; what is tried out, or quiet, is left alone.
        let is_live = self.progress_kind() == ProgressKind::Live;
        let mut keys = if is_live { Keys::read() } else { Keys::none() };
        if keys.are_read() {
            progress.hint(HINT);
            // Otherwise it would leave the terminal as the keys need it.
            signals.listen_to_quit();
        }
        let mut wishes = Wishes::default();
        let mut snapshots = handle.snapshots();
        let mut result = std::pin::pin!(handle.wait());
        let mut messages_due = tokio::time::interval(MESSAGES_EVERY);
        let result = loop {
            tokio::select! {
                result = &mut result => break result,
                Ok(()) = snapshots.changed() => {
                    let snapshot = snapshots.borrow_and_update().clone();
                    self.show(&mut progress, &info, &snapshot);
                }
                at_once = signals.next_or_quit() => {
                    stopper.stop_on_signal();
                    if at_once {
                        stopper.stop_on_signal();
                        continue;
                    }
                    stops += 1;
                    if stops == 1 {
                        progress.message("stopping: running iterations may end; once more ends them at once");
                    }
                }
                key = keys.next() => {
                    let snapshot = snapshots.borrow().clone();
                    if let Some(text) = wishes.act(key, &stopper, &snapshot, self.rate).await {
                        progress.message(&text);
                    }
                }
                _ = messages_due.tick() => self.messages.take().iter().for_each(|line| progress.message(line)),
            }
        };
        self.messages.take().iter().for_each(|line| progress.message(line));
        // Before anything else is printed: the terminal is as it was.
        drop(keys);
        progress.finish();
        match result {
            Ok(report) => self.finish(&report),
            Err(error) => {
                self.files.directory.discard();
                refuse(&error).into()
            }
        }
    }

    fn show(&mut self, progress: &mut Progress, info: &Arc<RunInfo>, snapshot: &Snapshot) {
        progress.update(info, snapshot, info.planned);
        if let Some(problem) = self.files.update(snapshot) {
            progress.message(&format!("warning: {problem}; the run goes on"));
        }
        self.alerts.look(info, snapshot).iter().for_each(|problem| progress.message(problem));
    }

    /// Writes and prints what came of the run.
    fn finish(mut self, report: &Report) -> Ended {
        let mut unwritten = self.files.finish(report);
        let mut alerts = std::mem::take(&mut self.alerts);
        let mut trouble = alerts.look(report.info(), report.snapshot());
        let look = self.look(std::io::stdout().is_terminal());
        // The two runs are read from their folders, so this one has to be written.
        let comparison = self.compare();
        unwritten.extend(self.files.finish_singles(report, comparison.as_ref()));
        let text = if self.once {
            short_summary(report.info(), report.ended_by(), report.snapshot(), look)
        } else {
            compared_summary(report.info(), report.ended_by(), report.snapshot(), comparison.as_ref(), look)
        };
        let text =
            if self.output.quiet { text.lines().last().unwrap_or_default().to_owned() + "\n" } else { text };
        if self.output.json {
            output::out(&json_text(report.info(), report.ended_by(), report.snapshot(), comparison.as_ref()));
        }
        if self.output.stdout_is_taken() {
            output::err(&text);
        } else {
            output::out(&text);
        }
        if let Some(error) = report.teardown_error() {
            output::err(&format!("warning: teardown failed: {error}\n"));
        }
        unwritten.iter().for_each(|error| output::error(&error.to_string()));
        let all = if unwritten.is_empty() { "results" } else { "results, not all" };
        output::err(&format!("{all}: {}\n", self.files.directory.path().display()));
        let mut is_complete = unwritten.is_empty();
        // Also with --quiet, which leaves out the summary that says it.
        for file in &report.snapshot().samples {
            let Some(problem) = &file.problem else { continue };
            is_complete = false;
            output::error(&format!("the samples in {} are not complete: {problem}", file.name));
        }
        // What one iteration took is no picture of anything.
        if !self.once || self.output.html.is_some() {
            is_complete &= self.write_html(comparison.as_ref());
        }
        // To have been asked to judge a change and not to know is no pass.
        is_complete &= comparison.is_some() || !self.output.fail_on_regression;
        // Told while the summary was printed; the last ones may still be under way.
        trouble.extend(alerts.finish());
        trouble.iter().for_each(|problem| output::err(&format!("{problem}\n")));
        let errors_count = self.output.exit_code_on_error || self.once;
        let is_worse = comparison.is_some_and(|comparison| comparison.has_regression());
        let mut verdict = text.lines().last().unwrap_or_default().to_owned();
        let exit = match Exit::of(report, errors_count) {
            Exit::Passed if self.output.fail_on_regression && is_worse => Exit::Regression,
            Exit::Passed if self.once && has_failed_check(report) => Exit::Errors,
            Exit::Passed if !is_complete => {
                verdict.push_str("; but its results are not complete");
                Exit::Configuration
            }
            exit => exit,
        };
        Ended { exit, verdict }
    }

    /// Writes the report, from what the run's folder holds now: as `rhaid report` would. False when one that was
    /// asked for is missing.
    fn write_html(&self, comparison: Option<&Comparison>) -> bool {
        let folder = self.files.directory.path();
        let (path, is_asked_for) = match (&self.output.html, &self.output.results_dir) {
            (Some(path), _) => (path.clone(), true),
            // Who keeps results elsewhere finds the report with them.
            (None, Some(_)) => (folder.join("report.html"), true),
            (None, None) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                (Path::new(REPORTS_DIR).join(format!("{name}.html")), false)
            }
        };
        let written = StoredRun::read(folder).map_err(|error| error.to_string()).and_then(|run| {
            let StoredRun { info, ended_by, snapshot, recording, problems, .. } = &run;
            let model = Model::new(info, ended_by, snapshot, &recording.intervals, problems);
            let model = match (comparison, &self.baseline) {
                (Some(comparison), Some(baseline)) => model.compared(comparison, baseline_curves(baseline)),
                _ => model,
            };
            let model = model.among(Trend::up_to(folder, LAST_RUNS));
            write_file(&path, html_report(&model).as_bytes())
        });
        match &written {
            Ok(()) => output::err(&format!("report: {}\n", path.display())),
            Err(problem) if is_asked_for => output::error(&format!("there is no report: {problem}")),
            Err(problem) => output::err(&format!("warning: there is no report: {problem}\n")),
        }
        written.is_ok() || !is_asked_for
    }

    /// Compares the run, as its files have it now, with the baseline.
    fn compare(&self) -> Option<Comparison> {
        let baseline = self.baseline.as_ref()?;
        match crate::results::compare(baseline, self.files.directory.path(), DEFAULT_NOISE) {
            Ok(comparison) => Some(comparison),
            Err(error) => {
                output::err(&format!("warning: not compared with the baseline: {error}\n"));
                None
            }
        }
    }

    fn progress_kind(&self) -> ProgressKind {
        if self.output.quiet || self.output.only_summary {
            ProgressKind::Off
        } else if std::io::stderr().is_terminal() {
            ProgressKind::Live
        } else {
            ProgressKind::Plain
        }
    }

    fn look(&self, is_terminal: bool) -> Look {
        look_on(&self.output, is_terminal)
    }
}

/// What the terminal that the summary goes to can show.
pub(super) fn look_of(output: &OutputArgs) -> Look {
    look_on(output, std::io::stdout().is_terminal())
}

fn look_on(output: &OutputArgs, is_terminal: bool) -> Look {
    let choice = match output.color.as_deref() {
        _ if output.no_color => ColorChoice::Never,
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    Look::detect(choice, is_terminal)
}
