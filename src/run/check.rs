//! Everything that can be said about a script before a run: `LoadTest::find_problems`.
//!
//! Owns the order: first the text is looked through, and only when nothing is wrong there the top level runs,
//! as it would for a run. Makes no load.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use super::error::RunError;
use super::load_test::LoadTest;
use super::reload::{LOADING_STACK, panicked};
use crate::metrics::Recorder;
use crate::script::{
    Analysis, Extension, Host, Problem, RunState, ScriptInputs, Secrets, Severity, Sources, analyse,
};
use crate::vu::{nested_too_deeply, on_large_stack};

/// What [`LoadTest::find_problems`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// All problems, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// The script declares nothing and has no `iteration`, so it can only be imported by others.
    pub is_library: bool,
}

impl CheckReport {
    /// Whether the script is fit to run, or to be imported: it has warnings at most.
    pub fn passed(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

impl LoadTest {
    /// Looks for everything that can be found wrong without making load.
    ///
    /// The script is read with all it imports, and each function is looked through: syntax, names of functions,
    /// modules and variables, numbers of arguments, keys of settings, functions that declarations name, and what is
    /// called where it cannot be. When nothing is wrong there, the top level runs as it would for a run, but a
    /// parameter without a value is no problem. A script that works has no problems.
    pub fn find_problems(&self) -> CheckReport {
        let file = self.sources.main().to_owned();
        if let Err(text) = self.sources.check_roots() {
            return CheckReport::of(vec![Problem::of_settings(&file, Severity::Error, text)]);
        }
        let analysis = match self.analyse() {
            Ok(thread) => thread.join(),
            Err(error) => {
                let text = RunError::Thread(error).to_string();
                return CheckReport::of(vec![Problem::of_settings(&file, Severity::Error, text)]);
            }
        };
        let analysis = match analysis {
            Ok(analysis) => analysis,
            Err(_) => return CheckReport::of(vec![Problem::from_error(&panicked(&self.sources))]),
        };
        let mut problems = analysis.problems;
        if problems.is_empty() && !analysis.is_library {
            problems = self.problems_of_loading(&file);
        }
        CheckReport { problems, is_library: analysis.is_library }
    }

    pub(super) fn analyse(&self) -> std::io::Result<JoinHandle<Analysis>> {
        analyse_aside(self.sources.clone(), self.extensions.clone(), self.inputs(0))
    }

    /// The error that keeps a script from loading, with everything else that is wrong in it.
    pub(super) fn with_others(&self, error: RunError, inputs: &ScriptInputs) -> RunError {
        let RunError::Load(mut first, _) = error else { return error };
        let found = match self.analyse().map(JoinHandle::join) {
            Ok(Ok(analysis)) => analysis.problems,
            _ => Vec::new(),
        };
        let mut others = Vec::new();
        let mut is_first_told = false;
        for problem in found.into_iter().map(|problem| problem.masked(&inputs.common.secrets)) {
            // A file that does not parse fails to load for its first syntax error, which the analysis explains better.
            let is_same_file =
                first.position.strip_prefix(&problem.file).is_some_and(|rest| rest.starts_with(':'));
            if problem.code == "syntax" && is_same_file && !is_first_told {
                is_first_told = true;
                first.position = problem.place();
                first.message = problem.message_and_hint();
                let callers = first.trace.lines().filter(|line| line.starts_with("  in "));
                first.trace =
                    std::iter::once(problem.trace.as_str()).chain(callers).collect::<Vec<_>>().join("\n");
            } else if problem.place() == first.position {
                // The same mistake, told twice.
            } else if !problem.is_said_by(&first) {
                others.push(problem);
            }
        }
        RunError::Load(first, others)
    }

    fn problems_of_loading(&self, file: &str) -> Vec<Problem> {
        let test = self.aside();
        let inputs: ScriptInputs = test.inputs(0);
        let common = inputs.common.clone();
        let prepared = test.load(inputs).and_then(|_| test.prepare());
        let is_incomplete = common.incomplete.load(Ordering::Relaxed);
        match prepared {
            Ok(prepared) => {
                let warnings = prepared.warnings().iter();
                warnings.map(|text| Problem::of_settings(file, Severity::Warning, text.clone())).collect()
            }
            // What follows from a value that is not there says nothing about the script.
            Err(_) if is_incomplete => Vec::new(),
            Err(RunError::Load(error, _)) => vec![Problem::from_error(&error)],
            Err(RunError::Plan(error)) => {
                let texts = error.0.into_iter();
                texts.map(|text| Problem::of_settings(file, Severity::Error, text)).collect()
            }
            Err(error) => vec![Problem::of_settings(file, Severity::Error, error.to_string())],
        }
    }
}

/// Looks through the text of a script, on a thread of its own as loading does.
pub(super) fn analyse_aside(
    sources: Sources,
    extensions: Vec<Extension>,
    inputs: ScriptInputs,
) -> std::io::Result<JoinHandle<Analysis>> {
    std::thread::Builder::new().name("rhaid-check".into()).stack_size(LOADING_STACK).spawn(move || {
        let host = Host::new(Recorder::new(1), Arc::new(RunState::default()), Arc::new(|_| {}), inputs);
        let mark = Cell::new(0);
        let analysis = on_large_stack(&mark, || analyse(&sources, &host, &extensions));
        match (analysis, mark.get()) {
            (Ok(analysis), 0) => analysis,
            _ => {
                let problem = Problem::from_error(&nested_too_deeply(&sources));
                Analysis { problems: vec![problem], is_library: false, env_names: BTreeSet::new() }
            }
        }
    })
}

/// What it found that keeps a script from working. What cannot be looked through is left to loading.
pub(super) fn errors_of(analysis: JoinHandle<Analysis>, secrets: &Secrets) -> Vec<Problem> {
    let problems = analysis.join().map(|analysis| analysis.problems).unwrap_or_default();
    let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.masked(secrets)).collect()
}

impl CheckReport {
    fn of(problems: Vec<Problem>) -> CheckReport {
        CheckReport { problems, is_library: false }
    }
}
