//! A file that grows during the run and only ever holds complete records.
//!
//! Owns what has been written in full. Invariant: up to `good_bytes` the file holds whole pieces, each
//! once, even when the disk was full in between, or when it was removed or replaced under the run.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::ResultsError;
use crate::system::{refuse_special_file, temporary};

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
        let file = create(&path).map_err(ResultsError::create("the file", &path))?;
        Ok(GrowingFile { path, file, good_bytes: 0 })
    }

    /// Appends a piece as a whole; after an error it is as if nothing had been tried.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), ResultsError> {
        self.write_at_end(piece).map_err(ResultsError::write(&self.path))?;
        self.good_bytes += piece.len() as u64;
        Ok(())
    }

    fn write_at_end(&mut self, piece: &[u8]) -> std::io::Result<()> {
        if !self.is_in_place() {
            self.put_in_place()?;
        }
        // What a failed attempt left behind is half a piece.
        self.file.seek(SeekFrom::Start(self.good_bytes))?;
        if self.file.metadata()?.len() > self.good_bytes {
            self.file.set_len(self.good_bytes)?;
        }
        self.file.write_all(piece)?;
        self.file.flush()
    }

    /// Whether what has its name is still this file.
    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (fs::symlink_metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(own)) => !there.is_file() || identity(there) == identity(own),
            (Err(error), _) => error.kind() != io::ErrorKind::NotFound,
            (_, Err(_)) => true,
        }
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        true
    }

    /// Writes it once more, to where it was: it was removed, or something else was put there. What is no file, such as
    /// a link or a pipe, was there from the start or is left alone.
    fn put_in_place(&mut self) -> io::Result<()> {
        let temporary = temporary(&self.path);
        let mut file = create(&temporary)?;
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut (&self.file).take(self.good_bytes), &mut file)?;
        fs::rename(&temporary, &self.path)?;
        self.file = file;
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<File> {
    refuse_special_file(path)?;
    File::options().read(true).write(true).create(true).truncate(true).open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_removed_or_replaced_is_whole_again_with_the_next_piece() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("run");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("a.csv");
        let mut file = GrowingFile::create(path.clone()).unwrap();
        file.append(b"1\n").unwrap();
        fs::remove_file(&path).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
        fs::write(inner.join("b"), "something else").unwrap();
        fs::rename(inner.join("b"), &path).unwrap();
        file.append(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_dir_all(&inner).unwrap();
        assert!(file.append(b"4\n").is_err(), "a folder that is gone is no place for results");
        fs::create_dir(&inner).unwrap();
        file.append(b"5\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n5\n");
    }
}
