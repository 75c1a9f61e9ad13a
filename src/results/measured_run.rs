//! A stored run, read for comparison.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::baseline::further_runs;
use super::recording::Recording;
use crate::analysis::{Comparison, MeasuredRun, RunName};

/// Why a directory is not a stored run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredRunError {
    /// `run.json` is missing or cannot be read.
    #[error("{} is not a run directory: cannot read its run.json: {source} (`rhaid run` creates run directories in performance/results)", .folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `run.json` is not JSON.
    #[error("{}: {source}", .path.display())]
    NoJson {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
}

/// Compares two run directories. `noise` is the relative difference to expect between identical runs, see
/// [`DEFAULT_NOISE`](crate::analysis::DEFAULT_NOISE).
///
/// # Errors
/// If one of them is not a run directory.
pub fn compare(before: &Path, after: &Path, noise: f64) -> Result<Comparison, StoredRunError> {
    let more: Result<Vec<_>, _> = further_runs(before).iter().map(|folder| read(folder)).collect();
    Ok(Comparison::between(&read(before)?, &more?, &read(after)?, noise))
}

fn read(folder: &Path) -> Result<MeasuredRun, StoredRunError> {
    let path = folder.join("run.json");
    let text = std::fs::read(&path)
        .map_err(|source| StoredRunError::Unreadable { folder: folder.to_owned(), source })?;
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|source| StoredRunError::NoJson { path, source })?;
    let Recording { intervals, timeline, problems, .. } = Recording::read(folder);
    let steady: Vec<_> = timeline.iter().filter(|row| row.phase == "steady").collect();
    let ends = steady.first().zip(steady.last());
    // `.` and `..` have no name of their own.
    let named = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    Ok(MeasuredRun {
        name: RunName {
            folder: named.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            started_at: json["started_at"].as_str().unwrap_or_default().to_owned(),
        },
        json,
        script: script_hash(folder),
        steady: ends.map(|(first, last)| (first.at.saturating_sub(first.length), last.at, steady.len())),
        intervals,
        problems,
    })
}

/// A hash of the copies of the files that ran, with their paths; `None` when they cannot be read.
pub(super) fn script_hash(folder: &Path) -> Option<u64> {
    let folder = folder.join("script");
    let mut found = Vec::new();
    let mut open = vec![folder.clone()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).ok()? {
            let path = entry.ok()?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(&folder).ok()?.to_owned(), std::fs::read(&path).ok()?));
            }
        }
    }
    found.sort();
    let mut hasher = DefaultHasher::new();
    found.hash(&mut hasher);
    Some(hasher.finish())
}
