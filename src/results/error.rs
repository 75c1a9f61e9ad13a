//! Why results could not be written.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder of the results could not be made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// A place for results cannot be used; found before the run.
    #[error("cannot create {what} {}: {source}; {}", .path.display(), advice(.source))]
    Create {
        /// What was to be made there.
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

/// What a person can do about it.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that may be written to (--results-dir, or the flag that named the file)"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the disk",
        io::ErrorKind::NotFound => "create the folder first",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way; choose another place (--results-dir, or the flag that named the file)"
        }
        _ => "check the place or choose another one (--results-dir, or the flag that named the file)",
    }
}
