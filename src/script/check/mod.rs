//! Static analysis of a script, for `rhaid check`.
//!
//! Reads the script with all its imports (`project`) and walks through it (`walk`), given everything that is
//! registered with the engine (`known`). Pure except for reading files; leaves running the top level to `engine`,
//! and the order of the two to `run`. Invariant: no false positives. A working script has no problems; a script
//! without problems may still not work.

mod calls;
mod host_calls;
mod known;
mod names;
mod project;
mod reach;
mod responses;
mod syntax;
mod walk;

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use rhai::{OptimizationLevel, Position};

use super::api::Extension;
use super::engine::new_engine;
use super::host::Host;
use super::problem::{Problem, Severity};
use super::source::Sources;
pub(super) use host_calls::HOOKS;
use host_calls::HostCalls;
use known::{Known, overloads};
use project::Project;
use reach::{Reach, Unit};
use walk::Walk;

/// Codes of what runs, but probably not as intended.
const DOUBTS: &[&str] = &["not-interpolated", "never-called"];

/// The result of the analysis.
pub(crate) struct Analysis {
    /// In the order of files and lines.
    pub(crate) problems: Vec<Problem>,
    /// The script declares nothing and has no `iteration`: it can only be imported.
    pub(crate) is_library: bool,
    /// Environment variables that it asks for by a literal name.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) env_names: BTreeSet<String>,
}

/// Analyses a script and the files it imports.
pub(crate) fn analyse(sources: &Sources, host: &Rc<Host>, extensions: &[Extension]) -> Analysis {
    let mut engine = new_engine(sources, host);
    let before = overloads(&engine);
    extensions.iter().for_each(|extension| extension.apply(&mut engine, host));
    // Unoptimised: the optimiser removes dead code, and with it the mistakes there.
    engine.set_optimization_level(OptimizationLevel::None);
    let mut findings = Problems { sources, problems: Vec::new(), seen: HashSet::new() };
    let project = Project::read(&engine, sources, &mut findings);
    let known = Known::beyond(&engine, &before);
    let mut reach = Reach::default();
    let mut host_calls = HostCalls::default();
    for (index, file) in project.files.iter().enumerate() {
        let walk = |unit: Unit| Walk::new(&project, &known, unit);
        let mut passes = vec![walk(Unit::Top(index))];
        passes[0].statements(&file.statements);
        for function in &file.functions {
            let mut pass = walk(Unit::Function(index, function.name.clone(), function.params.len()));
            pass.function(function);
            passes.push(pass);
        }
        for pass in passes {
            pass.finish(&mut findings, &mut reach, &mut host_calls);
        }
    }
    // A library may sum something up.
    let mut hooks = HOOKS.iter().filter(|(hook, _)| *hook != "summary");
    let has_hook = hooks.any(|(hook, _)| project.main().has_function(hook, None));
    let is_library = host_calls.is_empty() && !has_hook;
    if !is_library {
        reach.hooks(&project, &host_calls, &mut findings);
    }
    reach.finish(&project, &host_calls, &mut findings);
    let mut problems = findings.problems;
    let order = |file: &str| project.files.iter().position(|known| known.name == file);
    problems.sort_by_key(|problem| (order(&problem.file), problem.line, problem.column));
    Analysis { problems, is_library, env_names: project.env_names }
}

/// What was found so far.
pub(super) struct Problems<'a> {
    sources: &'a Sources,
    problems: Vec<Problem>,
    seen: HashSet<(String, Position, &'static str)>,
}

impl Problems<'_> {
    /// One problem; `place` is its position and the length of the faulty text.
    fn add(
        &mut self,
        file: &str,
        place: (Position, usize),
        code: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        if self.seen.insert((file.to_owned(), place.0, code)) {
            let problem = Problem::at(self.sources, file, place, code, (message, hint));
            let severity = if DOUBTS.contains(&code) { Severity::Warning } else { Severity::Error };
            self.problems.push(Problem { severity, ..problem });
        }
    }

    /// The same from the text of an error, in which the hint stands behind a dash.
    fn add_text(&mut self, file: &str, place: (Position, usize), code: &'static str, text: &str) {
        match text.split_once(" — ") {
            Some((message, hint)) => self.add(file, place, code, message.to_owned(), Some(hint.to_owned())),
            None => self.add(file, place, code, text.to_owned(), None),
        }
    }
}

/// "did you mean 'x'?", if something known is near.
fn perhaps<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    crate::text::nearest(name, known).map(|nearest| format!("did you mean '{nearest}'?"))
}
