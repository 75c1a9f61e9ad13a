//! A file that stays as it is: opened once, read in pieces at any place, by any thread. One that came from another machine
//! is in memory.
//!
//! Invariant: what is read is what the file held when it was opened; a file that has changed since is an error. Whoever
//! reads a file to its end calls [`SteadyFile::check`] before and after.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct SteadyFile {
    content: Content,
    /// As messages name it.
    name: String,
    size: u64,
}

#[derive(Debug)]
enum Content {
    Disk {
        file: File,
        modified: Option<SystemTime>,
    },
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "files are sent in a cluster only"))]
    Memory(Arc<[u8]>),
}

impl SteadyFile {
    /// Opens a file; `name` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read or is no ordinary file, in words.
    pub(crate) fn open(path: &Path, name: &str) -> Result<SteadyFile, String> {
        let failed = |error: io::Error| format!("cannot read '{name}': {error}");
        // Asked before it is opened: opening a pipe waits until somebody writes.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(format!("'{name}' is a folder, not a file"));
        }
        if !metadata.is_file() {
            return Err(format!("'{name}' is not a regular file"));
        }
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let content = Content::Disk { file, modified: metadata.modified().ok() };
        Ok(SteadyFile { content, name: name.to_owned(), size: metadata.len() })
    }

    /// A file whose content is at hand.
    pub(crate) fn in_memory(bytes: Arc<[u8]>, name: &str) -> SteadyFile {
        SteadyFile { size: bytes.len() as u64, content: Content::Memory(bytes), name: name.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// In bytes, as long as it stays as it is.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is what it was when it was opened.
    ///
    /// # Errors
    /// When it is not, in words that are the same for the same change.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Content::Disk { file, modified } = &self.content else { return Ok(()) };
        let metadata = file.metadata().map_err(|error| self.unreadable(&error))?;
        if metadata.len() < self.size {
            return Err(self.changed("has become shorter"));
        }
        if metadata.len() > self.size {
            return Err(self.changed("has become longer"));
        }
        if metadata.modified().ok() != *modified {
            return Err(self.changed("has changed"));
        }
        if is_removed(&metadata) {
            return Err(self.changed("has been removed or replaced"));
        }
        Ok(())
    }

    /// Reads so many bytes from this place, all of which lie within its size.
    ///
    /// # Errors
    /// When they are not there, in words.
    pub(crate) fn read(&self, place: u64, length: usize) -> Result<Vec<u8>, String> {
        let file = match &self.content {
            Content::Disk { file, .. } => file,
            Content::Memory(bytes) => {
                let start = usize::try_from(place).ok();
                let piece = start.and_then(|start| bytes.get(start..start.checked_add(length)?));
                return piece.map(<[u8]>::to_vec).ok_or_else(|| self.changed("has become shorter"));
            }
        };
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match read_at(file, &mut bytes[filled..], place + filled as u64) {
                Ok(0) => return Err(self.changed("has become shorter")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        Ok(bytes)
    }

    fn changed(&self, how: &str) -> String {
        format!(
            "the file '{}' {how} since the script was loaded; leave it alone while the test runs",
            self.name
        )
    }

    fn unreadable(&self, error: &io::Error) -> String {
        format!("cannot read the file '{}': {error}", self.name)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, place)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], place: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, place)
}

/// Whether no name leads to it any more.
#[cfg(unix)]
fn is_removed(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

/// An open file cannot be removed there.
#[cfg(windows)]
fn is_removed(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn opened(folder: &Path) -> (std::path::PathBuf, SteadyFile) {
        let path = folder.join("f.bin");
        fs::write(&path, b"0123456789").unwrap();
        // So that a write in the same instant shows.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let file = SteadyFile::open(&path, "f.bin").unwrap();
        (path, file)
    }

    #[test]
    fn pieces_are_read_at_any_place() {
        let folder = tempfile::tempdir().unwrap();
        let (_, file) = opened(folder.path());
        assert_eq!((file.name(), file.size(), file.check()), ("f.bin", 10, Ok(())));
        assert_eq!(file.read(7, 3), Ok(b"789".to_vec()));
        assert_eq!(file.read(0, 2), Ok(b"01".to_vec()));
    }

    #[test]
    fn so_are_those_of_a_file_in_memory() {
        let file = SteadyFile::in_memory(Arc::from(*b"0123456789"), "f.bin");
        assert_eq!((file.name(), file.size(), file.check()), ("f.bin", 10, Ok(())));
        assert_eq!(file.read(7, 3), Ok(b"789".to_vec()));
        assert!(file.read(7, 4).is_err() && file.read(u64::MAX, 1).is_err());
    }

    #[test]
    fn a_file_that_changed_says_how() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("has become shorter", |path| fs::write(path, "012").unwrap()),
            ("has become longer", |path| fs::write(path, "0123456789A").unwrap()),
            ("has changed", |path| fs::write(path, "9876543210").unwrap()),
            ("has been removed", |path| fs::remove_file(path).unwrap()),
            ("has been removed or replaced", |path| {
                fs::write(path.with_extension("new"), "0123456789").unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            }),
        ];
        for (expected, change) in changes {
            let folder = tempfile::tempdir().unwrap();
            let (path, file) = opened(folder.path());
            change(&path);
            let error = file.check().unwrap_err();
            assert!(error.starts_with(&format!("the file 'f.bin' {expected}")), "{expected}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = opened(folder.path());
        fs::write(path, "012").unwrap();
        assert!(file.read(0, 10).unwrap_err().contains("has become shorter"));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(SteadyFile::open(folder.path(), "d").unwrap_err().contains("is a folder"));
        assert!(SteadyFile::open(&folder.path().join("x"), "x").unwrap_err().contains("cannot read 'x'"));
        #[cfg(unix)]
        assert!(SteadyFile::open(Path::new("/dev/zero"), "z").unwrap_err().contains("not a regular file"));
    }
}
