//! `rhaid new FILE`: a script from a template, ready to run against the demo application.
//!
//! Owns the templates, where their files go, and what is said about them. Invariant: nothing that exists is
//! overwritten without `--force`, and either all files of a template are written or none was begun.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::output;
use crate::convert::{identifier, text_literal};
use crate::text::did_you_mean;

/// Arguments of `rhaid new`.
#[derive(Clone, Debug, Args)]
#[command(after_help = TEMPLATE_HELP)]
pub(super) struct NewArgs {
    /// Script to write; `.rhai` is added if there is no extension
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Template to use, one of those listed below
    #[arg(short, long, value_name = "TEMPLATE", default_value = "quickstart")]
    template: String,

    /// Overwrite existing files
    #[arg(long)]
    force: bool,
}

/// What the help says; a test holds it to [`TEMPLATES`].
const TEMPLATE_HELP: &str = "\
Templates:
  quickstart  two weighted tasks and a login per user
  rest        a JSON API: parameters, queries, bodies, checks and expectations
  login       form login with a hidden token; a secret parameter
  csv         users from a CSV file, which is created too
  open        an arrival rate: iterations start when they are due
  websocket   a conversation over a websocket
  library     functions shared by several tests, and a test that imports them";

/// One template.
struct Template {
    name: &'static str,
    about: &'static str,
    script: &'static str,
    /// A second file: what its name adds to that of the script, its text, and whether it is the one to run.
    companion: Option<(&'static str, &'static str, bool)>,
}

const TEMPLATES: &[Template] = &[
    Template {
        name: "quickstart",
        about: "two weighted tasks and a login per user",
        script: include_str!("templates/quickstart.rhai"),
        companion: None,
    },
    Template {
        name: "rest",
        about: "a JSON API: parameters, queries, bodies, checks and expectations",
        script: include_str!("templates/rest.rhai"),
        companion: None,
    },
    Template {
        name: "login",
        about: "form login with a hidden token; a secret parameter",
        script: include_str!("templates/login.rhai"),
        companion: None,
    },
    Template {
        name: "csv",
        about: "users from a CSV file, which is created too",
        script: include_str!("templates/csv.rhai"),
        companion: Some(("-users.csv", include_str!("templates/csv.users.csv"), false)),
    },
    Template {
        name: "open",
        about: "an arrival rate: iterations start when they are due",
        script: include_str!("templates/open.rhai"),
        companion: None,
    },
    Template {
        name: "websocket",
        about: "a conversation over a websocket",
        script: include_str!("templates/websocket.rhai"),
        companion: None,
    },
    Template {
        name: "library",
        about: "functions shared by several tests, and a test that imports them",
        script: include_str!("templates/library.rhai"),
        companion: Some(("-test.rhai", include_str!("templates/library.test.rhai"), true)),
    },
];

/// Writes the files of a template.
pub(super) fn new(args: &NewArgs) -> Exit {
    let Some(template) = TEMPLATES.iter().find(|template| template.name == args.template) else {
        let near = did_you_mean(&args.template, TEMPLATES.iter().map(|template| template.name));
        output::error(&format!("unknown template '{}'{near}\n\n{TEMPLATE_HELP}", args.template));
        return Exit::Usage;
    };
    let files = match files(template, &args.file) {
        Ok(files) => files,
        Err(problem) => {
            output::error(&problem);
            return Exit::Usage;
        }
    };
    match write_all(&files, args.force) {
        Ok(()) => {
            output::out(&farewell(template, &files));
            Exit::Passed
        }
        Err(problem) => {
            output::error(&problem);
            Exit::Configuration
        }
    }
}

/// A file to be written.
struct NewFile {
    path: PathBuf,
    text: String,
    /// Whether it is the script to run.
    runs: bool,
}

/// The files of a template under the name that was asked for.
fn files(template: &Template, wanted: &Path) -> Result<Vec<NewFile>, String> {
    let shown = wanted.display();
    let (Some(stem), false) =
        (wanted.file_stem(), wanted.as_os_str().to_string_lossy().ends_with(['/', '\\']))
    else {
        return Err(format!("{shown} is not a file name; write for example: rhaid new shop.rhai"));
    };
    let path = match wanted.extension() {
        Some(_) => wanted.to_owned(),
        None => wanted.with_extension("rhai"),
    };
    let stem = stem.to_string_lossy().into_owned();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let companion = template.companion.map(|(suffix, text, runs)| {
        let name = format!("{stem}{suffix}");
        NewFile { path: path.with_file_name(&name), text: text.to_owned(), runs }
    });
    let data = format!("{stem}{}", template.companion.map_or("", |(suffix, ..)| suffix));
    let fill = |text: &str, file: &str| {
        text.replace("{file}", &one_line(file))
            .replace("{library}", &one_line(&name))
            .replace("{data}", &text_literal(&data))
            // With another extension than the one that imports add, the whole name is needed.
            .replace("{import}", &text_literal(if name.ends_with(".rhai") { &stem } else { &name }))
            .replace("{module}", &module_name(&stem))
    };
    let runs = companion.as_ref().is_none_or(|file| !file.runs);
    let mut files = vec![NewFile { text: fill(template.script, &name), path, runs }];
    if let Some(file) = companion {
        let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push(NewFile { text: fill(&file.text, &name), ..file });
    }
    Ok(files)
}

/// What a module is imported as; names of the script API cannot be.
fn module_name(stem: &str) -> String {
    const TAKEN: &[&str] = &[
        "http", "vu", "run", "env", "log", "metrics", "random", "time", "data", "store", "secret", "ws",
        "crypto", "encoding",
    ];
    let name = identifier(stem, "shared_functions");
    if TAKEN.contains(&name.as_str()) { format!("my_{name}") } else { name }
}

/// A name for a comment.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn write_all(files: &[NewFile], force: bool) -> Result<(), String> {
    for file in files {
        if file.path.exists() && !force {
            return Err(format!(
                "{} already exists; overwrite it with --force, or choose another name",
                file.path.display()
            ));
        }
    }
    for NewFile { path, text, .. } in files {
        let mut file =
            open(path, force).map_err(|error| match path.parent().filter(|folder| !folder.exists()) {
                Some(folder) => {
                    format!(
                        "the directory {0} does not exist; create it first: mkdir -p {0}",
                        folder.display()
                    )
                }
                None => format!("cannot write {}: {error}", path.display()),
            })?;
        file.write_all(text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// Without force, what appeared in the meantime is not overwritten either.
fn open(path: &Path, force: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(path)
}

/// What was written, and the two commands to go on with.
fn farewell(template: &Template, files: &[NewFile]) -> String {
    let written: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    let script = files.iter().find(|file| file.runs).map(|file| argument(&file.path)).unwrap_or_default();
    format!(
        "Wrote {}: {}.\n\nNext, in two terminals:\n  rhaid target\n  rhaid run {script}\n",
        written.join(" and "),
        template.about
    )
}

/// A path as a word of a shell.
fn argument(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_template() {
        let listed: Vec<String> = TEMPLATES.iter().map(|t| format!("  {:<12}{}", t.name, t.about)).collect();
        assert_eq!(TEMPLATE_HELP, format!("Templates:\n{}", listed.join("\n")));
    }

    #[test]
    fn names_that_scripts_cannot_have() {
        assert_eq!(module_name("http"), "my_http");
        assert_eq!(module_name("shop functions"), "shop_functions");
        assert_eq!(module_name("1st"), "shared_functions_1st");
        assert_eq!(argument(Path::new("it's.rhai")), r"'it'\''s.rhai'");
    }
}
