//! Baselines: runs saved under a name, for later runs to be compared with.
//!
//! Owns where they are and what of a run is kept. Invariant: a baseline is there as a whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ResultsError;
use super::last_run::{last_run, runs_back};
use super::script_copy::safe_name;

/// What a comparison reads; the script is kept to see whether it was the same.
const KEPT: [&str; 6] = ["run.json", "state.json", "latency.hlog", "timeline.csv", "resources.csv", "script"];

/// The folder of a baseline that holds all its runs but the first.
const FURTHER: &str = "more";

/// The runs of a baseline besides its first one; none of a run.
pub(super) fn further_runs(baseline: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(baseline.join(FURTHER)).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("run.json").is_file()).collect();
    runs.sort();
    runs
}

/// Why a run cannot be saved as a baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The run is not suitable as a baseline.
    #[error("{} cannot be a baseline: {why}", .folder.display())]
    Unfit {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        why: String,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] ResultsError),
}

/// Saves runs of the same test as the baseline `name` (by default the script's name) below `root`, replacing an older one.
/// Returns its directory. How much several runs differ says what chance can do.
///
/// # Errors
/// If one of them made no requests or did not finish, if they are of different tests, or if files cannot be copied.
pub fn save_baseline(
    run: &Path,
    more: &[PathBuf],
    name: Option<&str>,
    root: &Path,
) -> Result<PathBuf, BaselineError> {
    let test = fit_name(run)?;
    for other in more {
        let name = fit_name(other)?;
        if name != test {
            let why = format!("it is of the test '{name}', the first one of '{test}'");
            return Err(BaselineError::Unfit { folder: other.clone(), why });
        }
    }
    let unfit = |why: &str| BaselineError::Unfit { folder: run.to_owned(), why: why.to_owned() };
    let name = safe_name(name.unwrap_or(&test));
    // A name of dots alone would be another folder.
    let name = name.trim_start_matches('.');
    if name.is_empty() {
        return Err(unfit("it has no name; set one with --name"));
    }
    let place = root.join(name);
    let new = root.join(format!(".{name}.{}.new", std::process::id()));
    let old = root.join(format!(".{name}.{}.old", std::process::id()));
    let copied = || {
        copy_run(run, &new)?;
        for (index, other) in more.iter().enumerate() {
            copy_run(other, &new.join(FURTHER).join(format!("{:03}", index + 2)))?;
        }
        Ok(())
    };
    let written = copied().and_then(|()| {
        // The old one goes only when the new one is complete.
        if place.exists() {
            fs::rename(&place, &old)?;
        }
        fs::rename(&new, &place)
    });
    // What is left over is of no use, and none of it is the baseline.
    let _ = fs::remove_dir_all(&new);
    let _ = fs::remove_dir_all(&old);
    written.map_err(ResultsError::create("the baseline", &place))?;
    Ok(place)
}

/// The name of the test of a run that can be part of a baseline.
fn fit_name(run: &Path) -> Result<String, BaselineError> {
    let unfit = |why: String| BaselineError::Unfit { folder: run.to_owned(), why };
    let text = fs::read(run.join("run.json"))
        .map_err(|error| unfit(format!("its run.json cannot be read: {error}")))?;
    let json: Value = serde_json::from_slice(&text)
        .map_err(|error| unfit(format!("its run.json is not valid JSON: {error}")))?;
    if json["ended_by"].is_null() {
        return Err(unfit("the run did not finish or is still running".to_owned()));
    }
    if json["total"]["requests"].as_u64().unwrap_or(0) == 0 {
        return Err(unfit("it made no requests".to_owned()));
    }
    Ok(json["name"].as_str().unwrap_or_default().to_owned())
}

/// The directory of a run given by path, by its name as a baseline below `baselines` or as a run below `results`, or by its
/// age: `last` is the newest run below `results`, `last~1` the one before it.
///
/// # Errors
/// A sentence that says where it was searched and what exists.
pub fn find_run(named: &str, baselines: &Path, results: &Path) -> Result<PathBuf, String> {
    let places = [PathBuf::from(named), baselines.join(named), results.join(named)];
    if let Some(found) = places.iter().find(|place| place.join("run.json").is_file()) {
        return Ok(found.clone());
    }
    if let Some(back) = runs_back(named) {
        return last_run(back, results);
    }
    let known = baseline_names(baselines);
    let known = if known.is_empty() {
        format!("no baselines in {} (save one with `rhaid baseline save RUN`)", baselines.display())
    } else {
        format!("baselines in {}: {}", baselines.display(), known.join(", "))
    };
    Err(format!(
        "'{named}' is neither a run directory nor the name of a baseline (last is the newest run); {known}"
    ))
}

/// The names of the baselines below a folder, in A-Z order.
pub fn baseline_names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("run.json").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn copy_run(run: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for name in KEPT {
        let from = run.join(name);
        if from.is_dir() {
            copy_folder(&from, &to.join(name))?;
        } else if from.exists() {
            fs::copy(&from, to.join(name))?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
