//! Files that are named by a person: read within bounds, and written without waiting for somebody to read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Reads a file whole. One that has no end, such as `/dev/zero`, is an error after `most` bytes.
///
/// # Errors
/// When it cannot be read or is longer.
pub(crate) fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it is larger than {} MB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// Also when it is not UTF-8.
#[cfg(feature = "cli")]
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let text = String::from_utf8(read_file(path, most)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8"))
}

/// Makes a file, empty, to be written when the run is over. A named pipe is refused: opening it waits until somebody
/// reads, and closing it ends what that one reads. The process's own descriptors, such as `/dev/stdout`, are none.
///
/// # Errors
/// When it cannot be made, or is not for reports.
#[cfg(feature = "cli")]
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    refuse_special_file(path)?;
    File::create(path)
}

/// Makes a file that nobody else can read, in place of one that an ended process, or somebody else, left there.
///
/// # Errors
/// When it cannot be made.
#[cfg(feature = "cli")]
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // There may be none.
    let _ = std::fs::remove_file(path);
    options.open(path)
}

/// An error for a device or a named pipe.
pub(crate) fn refuse_special_file(path: &Path) -> io::Result<()> {
    refuse_device(path)?;
    if is_pipe(path) && !is_own(path) {
        let text = "it is a named pipe, and nobody may be reading; name a file, or /dev/stdout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// The same for a file that is written from now on: a pipe is fine when somebody reads it.
///
/// # Errors
/// When it cannot be made, or is a pipe that nobody reads.
pub(crate) fn create_stream(path: &Path) -> io::Result<File> {
    refuse_device(path)?;
    if !is_pipe(path) || is_own(path) {
        return File::create(path);
    }
    // Held until the pipe is open: as long as there is a reader, that does not wait.
    let _probe = open_pipe(path)?;
    File::create(path)
}

fn refuse_device(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a block device; name a file"));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn open_pipe(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let opened = open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    opened.map(File::from).map_err(|error| match error {
        rustix::io::Errno::NXIO => io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a named pipe that nobody reads yet; start the reader first",
        ),
        other => other.into(),
    })
}

#[cfg(not(unix))]
fn open_pipe(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whether a path leads to a descriptor that this process has open already, as `>(command)` of a shell does.
fn is_own(path: &Path) -> bool {
    /// Links to links to links; more are a circle.
    const MOST_LINKS: usize = 16;
    let process = format!("/proc/{}/fd", std::process::id());
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        let is_own = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc/self/fd", &process]
            .iter()
            .any(|own| at.starts_with(own));
        if is_own {
            return true;
        }
        match fs::read_link(&at) {
            Ok(next) => at = at.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return false,
        }
    }
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_has_no_end_is_read_within_bounds() {
        assert!(
            read_file(Path::new("/dev/zero"), 1 << 20).unwrap_err().to_string().contains("larger than 1 MB")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "abc").unwrap();
        assert_eq!(read_file(&path, 3).unwrap(), b"abc");
        assert!(read_file(&path, 2).is_err());
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
            .unwrap();
        let link = folder.path().join("link");
        symlink("pipe", &link).unwrap();
        for path in [&pipe, &link] {
            assert!(create_file(path).unwrap_err().to_string().contains("named pipe"));
            assert!(create_stream(path).unwrap_err().to_string().contains("start the reader first"));
        }
        let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
        // The reader waits in opening it; until it does there is none.
        let mut file = loop {
            match create_stream(&link) {
                Ok(file) => break file,
                Err(_) => std::thread::yield_now(),
            }
        };
        io::Write::write_all(&mut file, b"through").unwrap();
        drop(file);
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(create_file(Path::new("/dev/null")).is_ok());
        assert!(is_own(Path::new("/dev/stdout")) && is_own(Path::new("/dev/fd/1")) && !is_own(&link));
    }
}
