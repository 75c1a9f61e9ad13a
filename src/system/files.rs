//! Files that are named by a person: read within bounds, and written without waiting for somebody to read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Links to links to links; more are a circle.
const MOST_LINKS: usize = 16;

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

/// Whether a file can be made or written, without touching what is there, or leaving anything. A named pipe is
/// refused: opening it waits until somebody reads, and closing it ends what that one reads. The process's own descriptors,
/// such as `/dev/stdout`, are none.
///
/// # Errors
/// When it cannot be written, or is not for reports.
pub(crate) fn check_file(path: &Path) -> io::Result<()> {
    refuse_special_file(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    let checked = make_folder(path).and_then(|()| {
        if is_own(path) {
            return Ok(());
        }
        if fs::metadata(path).is_ok() {
            return File::options().write(true).open(path).map(drop);
        }
        let place = led_to(path);
        // A name that is longer than its own may be too long.
        try_out(&temporary(&place)).or_else(|_| try_out(&place))
    });
    for folder in missing {
        // What somebody else has put something into meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    checked
}

/// Makes a file that is not there, and removes it again.
fn try_out(path: &Path) -> io::Result<()> {
    /// Enough to notice that a disk is full.
    const BLOCK: [u8; 4096] = [0; 4096];
    let mut file = File::options().write(true).create_new(true).open(path)?;
    let written = io::Write::write_all(&mut file, &BLOCK);
    fs::remove_file(path).and(written)
}

/// Writes a file whole, with the folders it needs: until it is written, the old one is there, or none. What is mounted, or
/// stands in a folder that nothing can be added to, is written where it is.
///
/// # Errors
/// When it cannot be written; the old one is kept unless it was written where it is.
#[cfg(feature = "cli")]
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    refuse_special_file(path)?;
    make_folder(path)?;
    let there = fs::metadata(path).ok();
    if is_own(path) || there.as_ref().is_some_and(|there| !there.is_file()) {
        return io::Write::write_all(&mut File::create(path)?, content);
    }
    let place = led_to(path);
    let beside = temporary(&place);
    let replaced = fs::write(&beside, content)
        .and_then(|()| there.map_or(Ok(()), |there| fs::set_permissions(&beside, there.permissions())))
        .and_then(|()| fs::rename(&beside, &place));
    replaced.or_else(|error| {
        // There may be none.
        let _ = fs::remove_file(&beside);
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Err(error);
        }
        let mut file = File::create(&place)?;
        io::Write::write_all(&mut file, content).inspect_err(|_| {
            // Half a file looks like a whole one.
            let _ = fs::remove_file(&place);
        })
    })
}

/// Where a file is written before it is put in place. In the same folder: a rename is only atomic within one file system.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn make_folder(path: &Path) -> io::Result<()> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), fs::create_dir_all)
}

/// Where links lead to, also when nothing is there.
fn led_to(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&at) {
            Ok(next) => at = at.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    at
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

/// As [`check_file`] for what [`create_stream`] makes. What it gives keeps a pipe open for its reader, until that is done.
///
/// # Errors
/// When it cannot be made, or is a pipe that nobody reads.
#[cfg(feature = "cli")]
pub(crate) fn check_stream(path: &Path) -> io::Result<Option<File>> {
    refuse_device(path)?;
    if is_pipe(path) && !is_own(path) { open_pipe(path).map(Some) } else { check_file(path).map(|()| None) }
}

/// Makes a file that is written from now on: a pipe is fine when somebody reads it.
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
            assert!(check_file(path).unwrap_err().to_string().contains("named pipe"));
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
        assert!(check_file(Path::new("/dev/null")).is_ok());
        assert!(is_own(Path::new("/dev/stdout")) && is_own(Path::new("/dev/fd/1")) && !is_own(&link));
    }

    #[test]
    fn to_ask_whether_a_file_can_be_written_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("old"), "old").unwrap();
        symlink("nowhere", path("link")).unwrap();
        for name in ["old", "new", "link"] {
            check_file(&path(name)).unwrap();
            assert!(check_stream(&path(name)).unwrap().is_none());
        }
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left");
        check_file(&path("deep/er/new")).unwrap();
        assert!(!path("deep").exists(), "not even a folder");
        assert!(check_file(folder.path()).is_err() && check_file(&path("old/new")).is_err());
        check_file(&path(&"n".repeat(250))).unwrap();
    }

    #[test]
    fn a_file_is_replaced_whole_with_its_rights_and_behind_its_links() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("old"), "old").unwrap();
        fs::set_permissions(path("old"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("old", path("link")).unwrap();
        // Whoever has the old one open goes on reading that.
        let mut open = File::open(path("old")).unwrap();
        replace_file(&path("link"), b"new").unwrap();
        let mut read = String::new();
        open.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), &*fs::read_to_string(path("old")).unwrap()), ("old", "new"));
        assert_eq!(fs::metadata(path("old")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        replace_file(&path("deep/new"), b"new").unwrap();
        replace_file(&path(&"n".repeat(250)), b"new").unwrap();
        assert!(replace_file(folder.path(), b"new").is_err());
        assert!(replace_file(Path::new("/dev/full"), b"new").is_err() || cfg!(not(target_os = "linux")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing is left beside them");
    }
}
