//! Why no run was made, told in one place.

use std::ffi::OsStr;
use std::path::Path;

use crate::RunError;
use crate::cli::args::RunArgs;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::report::refused_junit;
use crate::results::ResultsError;
use crate::system::read_file;

/// A JUnit file has less.
const MOST_READ: u64 = 64 << 20;

/// See the module's description.
pub(super) enum Refused {
    /// The arguments do not make sense together, in words.
    Usage(String),
    /// A setting is wrong, or a place cannot be written to, in words.
    Settings(String),
    /// The test cannot be run.
    Test(Box<RunError>),
    /// It has been told already.
    Told(Exit),
}

impl Refused {
    /// Says why; gives the exit code.
    pub(super) fn tell(self) -> Exit {
        match self {
            Refused::Usage(problem) => {
                output::error(&problem);
                Exit::Usage
            }
            Refused::Settings(problem) => {
                output::error(&problem);
                Exit::Configuration
            }
            Refused::Test(error) => tell_error(&error),
            Refused::Told(exit) => exit,
        }
    }
}

impl Refused {
    /// Why, as text.
    pub(super) fn words(&self) -> String {
        match self {
            Refused::Usage(problem) | Refused::Settings(problem) => problem.clone(),
            Refused::Test(error) => match &**error {
                RunError::Check(problems) => {
                    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
                }
                error => error.to_string(),
            },
            Refused::Told(_) => "the run was ended before its load began".to_owned(),
        }
    }
}

impl Refused {
    /// Writes the JUnit file that was asked for: one of an earlier run would say that this one passed. Any other file in
    /// its place is left alone, since it may be what the run was refused for.
    pub(super) fn write_junit(&self, args: &RunArgs) {
        let Some(path) = &args.output.junit else { return };
        match std::fs::metadata(path) {
            // A pipe, a device or a folder.
            Ok(there) if !there.is_file() => return,
            Ok(there) if there.len() > 0 && !is_junit(path) => {
                return output::err(&format!(
                    "warning: {} is left as it is, because it is no JUnit file\n",
                    path.display()
                ));
            }
            _ => {}
        }
        let name = args.script().and_then(|script| script.file_stem()).map(OsStr::to_string_lossy);
        let why = self.words();
        let text = refused_junit(name.as_deref().unwrap_or("script"), &why);
        // That it cannot be written may be what the run was refused for.
        if let Err(problem) =
            output::write_file(path, text.as_bytes()).map_err(|problem| (problem != why).then_some(problem))
        {
            problem.iter().for_each(|problem| output::error(problem));
        }
    }
}

fn is_junit(path: &Path) -> bool {
    let text = read_file(path, MOST_READ).unwrap_or_default();
    String::from_utf8_lossy(&text).contains("<testsuites")
}

fn tell_error(error: &RunError) -> Exit {
    if let RunError::Check(problems) = error {
        problems.iter().for_each(|problem| output::error(&problem.to_string()));
        let count = match problems.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        output::err(&format!("{count}; nothing was run (--no-check runs the script anyway)\n"));
        return Exit::from(error);
    }
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

impl From<String> for Refused {
    fn from(problem: String) -> Refused {
        Refused::Settings(problem)
    }
}

impl From<ResultsError> for Refused {
    fn from(error: ResultsError) -> Refused {
        Refused::Settings(error.to_string())
    }
}

impl From<RunError> for Refused {
    fn from(error: RunError) -> Refused {
        Refused::Test(Box::new(error))
    }
}

impl From<Exit> for Refused {
    fn from(exit: Exit) -> Refused {
        Refused::Told(exit)
    }
}
