//! What tells files apart, however they are named.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// What tells two files apart, however they are named: `None` for what may be named twice, such as `/dev/null`, and for
/// what cannot be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileId {
    /// One that exists, by its file system and its number there.
    Known(u64, u64),
    /// One that does not, by its folder without links, and its name.
    New(PathBuf),
}

impl FileId {
    /// The file of this name.
    pub(crate) fn of(path: &Path) -> Option<FileId> {
        match fs::metadata(path) {
            Ok(metadata) => metadata.is_file().then(|| known(path, &metadata)).flatten(),
            Err(_) => {
                // A link to nothing is made where it leads.
                let path = fs::read_link(path).map_or_else(|_| path.to_owned(), |to| beside(path, &to));
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = std::path::absolute(folder.unwrap_or(Path::new("."))).ok()?;
                // Of folders that are made on the way, the first that exists counts.
                let exists =
                    folder.ancestors().find_map(|above| Some((above.canonicalize().ok()?, above)))?;
                let mut made = exists.0;
                // Folders that are made are no links, so `..` leads back.
                for part in folder.strip_prefix(exists.1).ok()?.components() {
                    match part {
                        Component::ParentDir => drop(made.pop()),
                        part => made.push(part),
                    }
                }
                Some(FileId::New(made.join(path.file_name()?)))
            }
        }
    }
}

fn beside(path: &Path, to: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(to)
}

#[cfg(unix)]
fn known(_: &Path, metadata: &fs::Metadata) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    Some(FileId::Known(metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn known(path: &Path, _: &fs::Metadata) -> Option<FileId> {
    path.canonicalize().ok().map(FileId::New)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_the_same_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "").unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        symlink("a", path("soft")).unwrap();
        symlink("new", path("dangling")).unwrap();
        fs::create_dir(path("sub")).unwrap();
        let id = |name: &str| FileId::of(&path(name)).unwrap();
        for name in ["hard", "soft", "./sub/../a"] {
            assert_eq!(id(name), id("a"), "{name}");
        }
        assert_eq!(id("dangling"), id("new"));
        assert_eq!(id("sub/../new"), id("new"));
        assert_eq!(id("none/yet/b"), id("none/../none/yet/./b"));
        assert!(id("new") != id("new2") && id("a") != id("new"));
        assert_eq!(FileId::of(Path::new("/dev/null")), None);
    }
}
