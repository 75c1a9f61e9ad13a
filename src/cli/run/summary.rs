//! The files that a script's `summary` asks for: where they may be, and writing them.
//!
//! Owns the rules, because a script may come from somebody else. Invariants: nothing is written outside of the current
//! directory and the run's own, nor over what the run reads or has written; a file is whole or not there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::SummaryOutput;
use crate::cli::places::Places;
use crate::results::replace;

/// Outputs that are no files.
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// What is to be printed on a stream, with a line break at its end.
pub(super) fn printed(outputs: &[SummaryOutput], stream: &str) -> Option<String> {
    let text = &outputs.iter().find(|output| output.place == stream)?.text;
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    Some(format!("{text}{end}"))
}

/// Writes the files; gives those that were written, and for each other one why it was not.
pub(super) fn write(
    outputs: &[SummaryOutput],
    results: &Path,
    mut places: Places,
) -> (Vec<String>, Vec<String>) {
    let (mut written, mut problems) = (Vec::new(), Vec::new());
    for output in outputs.iter().filter(|output| !STREAMS.contains(&&*output.place)) {
        let name = output.place.as_str();
        let put = place(name, results).and_then(|path| {
            if let Some(whose) = places.taken(&path) {
                return Err(format!("it would overwrite {whose}; name another file"));
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| error.to_string())?;
            }
            replace(&path, output.text.as_bytes()).map_err(|error| error.to_string())?;
            Ok(path)
        });
        match put {
            Ok(path) => {
                places.writes("another file of the summary", &path);
                written.push(name.to_owned());
            }
            Err(why) => problems.push(format!("summary: '{name}' is not written: {why}")),
        }
    }
    (written, problems)
}

/// Where a file is to be, without links on the way.
fn place(name: &str, results: &Path) -> Result<PathBuf, String> {
    let path = Path::new(name);
    let Some(file) = path.file_name().filter(|_| !name.ends_with('/')) else {
        return Err("this is not the name of a file".to_owned());
    };
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("its path must not contain '..'".to_owned());
    }
    let whole = std::path::absolute(path).map_err(|error| error.to_string())?;
    let folder = whole.parent().unwrap_or(&whole);
    // Of folders that are made on the way, the first that exists says where they are.
    let exists = folder.ancestors().find_map(|above| Some((above.canonicalize().ok()?, above)));
    let Some((real, above)) = exists else { return Err("its folder cannot be found".to_owned()) };
    let made = real.join(folder.strip_prefix(above).unwrap_or(Path::new(""))).join(file);
    let roots = [Path::new("."), results].into_iter().filter_map(|root| root.canonicalize().ok());
    let Some(below) = roots.into_iter().find_map(|root| made.strip_prefix(root).ok().map(Path::to_owned))
    else {
        return Err("files may only be below the current directory or the run's results".to_owned());
    };
    if below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.')) {
        return Err("hidden files and folders are left alone".to_owned());
    }
    match fs::symlink_metadata(&made) {
        Ok(metadata) if !metadata.is_file() => {
            Err("there is something else of this name, which is not a regular file".to_owned())
        }
        _ => Ok(made),
    }
}
