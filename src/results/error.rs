//! Errors when writing results.

use std::io;
use std::path::{Path, PathBuf};

/// A file or directory of the results could not be created or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// An output path cannot be used; found before the run.
    #[error("cannot create {what} {}: {source}; {}", .path.display(), advice(.source))]
    Create {
        /// What should have been created there.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written during the run or at its end.
    #[error("cannot write {}: {source}; {}", .path.display(), advice(.source))]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ResultsError {
    /// Makes the cause of a failed creation into an error.
    pub(crate) fn create(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| ResultsError::Create { what, path, source }
    }

    /// Makes the cause of a failed write into an error.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| ResultsError::Write { path, source }
    }
}

/// What the user can do about it.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a writable directory (--results-dir, or the flag that names the file)"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some disk space",
        io::ErrorKind::NotFound => "create the directory first",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way; choose another path (--results-dir, or the flag that names the file)"
        }
        _ => "check the path or choose another one (--results-dir, or the flag that names the file)",
    }
}
