//! Atomic replacement of a file: a reader sees the old or the new version, even if the run is killed.

use std::fs;
use std::io;
use std::path::Path;

use super::error::ResultsError;
use crate::system::temporary;

/// Writes a new file beside the old one, then puts it in its place.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), ResultsError> {
    let temporary = temporary(path);
    let replaced = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    replaced.map_err(|error| {
        // What is left of a full disk's attempt is of no use; the error that counts is the first one.
        let _: io::Result<()> = fs::remove_file(&temporary);
        ResultsError::write(path)(error)
    })
}
