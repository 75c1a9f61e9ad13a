//! `rhaid check`: finds problems in scripts without running them.
//!
//! Problems go to standard output, so that a good script prints nothing there; the count goes to standard error.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::CheckArgs;
use super::exit::Exit;
use super::{config_file, output};
use crate::plan::Options;
use crate::results::json_text;
use crate::{LoadTest, Problem, Severity};

/// The file that makes a folder one of results.
const RECORD: &str = "run.json";

/// Checks the scripts that the arguments name.
pub(super) fn check(args: &CheckArgs) -> Exit {
    let config = match config_file::load(args.config.as_ref()) {
        Ok(config) => config,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration;
        }
    };
    let options = Options {
        params: args.param.iter().cloned().collect(),
        env: args.env.iter().cloned().collect(),
        data_roots: args.data.clone(),
        ..Options::default()
    };
    let options = options.or(config.options());
    let roots = if args.lib.is_empty() { &config.args.lib } else { &args.lib };
    let mut checked = Checked::default();
    let scripts: Vec<PathBuf> =
        args.scripts.iter().flat_map(|path| scripts_of(path, &mut checked.results)).collect();
    for path in scripts {
        match LoadTest::from_file(&path) {
            Ok(test) => {
                let test = roots.iter().fold(test, |test, root| test.lib_root(root));
                let findings = test.options(options.clone()).find_problems();
                checked.add(findings.problems);
                if findings.is_library {
                    checked.libraries.push(path.display().to_string());
                }
            }
            Err(error) => {
                let file = path.display().to_string();
                checked.add(vec![Problem::of_file(&file, Severity::Error, "file", error.to_string())]);
            }
        }
    }
    if args.json {
        output::out(&json_text(&checked.json()));
    } else {
        output::out(&checked.text());
        output::err(&checked.count());
    }
    if checked.number_of(Severity::Error) == 0 { Exit::Passed } else { Exit::Configuration }
}

/// The script itself, or those below a folder by name. Folders in it with the results of a run have copies of scripts:
/// they are counted and left out, and so is what is hidden.
fn scripts_of(path: &Path, results: &mut usize) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut scripts = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Links are not followed, so that no folder is come to twice.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if entry.path().join(RECORD).is_file() {
                        *results += 1;
                    } else if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                        folders.push(entry.path());
                    }
                }
                Ok(_) if entry.path().extension().is_some_and(|extension| extension == "rhai") => {
                    scripts.push(entry.path());
                }
                _ => {}
            }
        }
    }
    scripts.sort();
    scripts
}

/// What came of all scripts.
#[derive(Default)]
struct Checked {
    scripts: usize,
    /// Folders of results that were left out.
    results: usize,
    /// Scripts that can only be imported.
    libraries: Vec<String>,
    problems: Vec<Problem>,
}

impl Checked {
    fn add(&mut self, problems: Vec<Problem>) {
        self.scripts += 1;
        for problem in problems {
            // Two scripts may import the same wrong file.
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn number_of(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            if problem.severity == Severity::Warning {
                text.push_str("warning: ");
            }
            text.push_str(&format!("{problem}\n"));
        }
        text
    }

    fn count(&self) -> String {
        let scripts = plural(self.scripts, "script");
        let found = match (self.number_of(Severity::Error), self.number_of(Severity::Warning)) {
            (0, 0) => "no problems".to_owned(),
            (errors, 0) => plural(errors, "problem"),
            (0, warnings) => plural(warnings, "warning"),
            (errors, warnings) => format!("{}, {}", plural(errors, "problem"), plural(warnings, "warning")),
        };
        let libraries = match self.libraries.as_slice() {
            [] => String::new(),
            [one] => format!(" ({one} declares nothing to run and can only be imported)"),
            several => {
                format!(" ({} of them declare nothing to run and can only be imported)", several.len())
            }
        };
        let results = match self.results {
            0 => String::new(),
            count => format!("; left out {} with the results of runs", plural(count, "folder")),
        };
        format!("{scripts} checked: {found}{libraries}{results}\n")
    }

    fn json(&self) -> Value {
        let problem = |problem: &Problem| {
            json!({
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "end_column": problem.end_column,
                "severity": problem.severity.as_str(),
                "code": problem.code,
                "message": problem.message,
                "hint": problem.hint,
            })
        };
        self.problems.iter().map(problem).collect()
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
