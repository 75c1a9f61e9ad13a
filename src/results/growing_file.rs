//! A file that grows during the run and only ever holds complete records.
//!
//! Owns what has been written in full. Invariant: up to `good_bytes` the file holds whole pieces, each
//! once, even when the disk was full in between.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::error::ResultsError;
use crate::system::create_file;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct GrowingFile {
    path: PathBuf,
    file: File,
    /// Length of what was written in full.
    good_bytes: u64,
}

impl GrowingFile {
    /// Makes the file, empty.
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let file = create_file(&path).map_err(ResultsError::create("the file", &path))?;
        Ok(GrowingFile { path, file, good_bytes: 0 })
    }

    /// Appends a piece as a whole; after an error it is as if nothing had been tried.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), ResultsError> {
        self.write_at_end(piece).map_err(ResultsError::write(&self.path))?;
        self.good_bytes += piece.len() as u64;
        Ok(())
    }

    fn write_at_end(&mut self, piece: &[u8]) -> std::io::Result<()> {
        // What a failed attempt left behind is half a piece.
        self.file.seek(SeekFrom::Start(self.good_bytes))?;
        if self.file.metadata()?.len() > self.good_bytes {
            self.file.set_len(self.good_bytes)?;
        }
        self.file.write_all(piece)?;
        self.file.flush()
    }
}
