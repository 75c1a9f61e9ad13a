//! The allowed folders of data files: the script's folder and those given with `--data`.
//!
//! Invariant: a returned path is free of symbolic links and below one of the folders. A path outside of them is
//! refused before the file system is accessed.

use std::path::{Component, Path, PathBuf};

use crate::text::did_you_mean;

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folders {
    /// The script's folder, then the others, as they were given.
    given: Vec<PathBuf>,
}

impl Folders {
    /// The folder of the script, and others.
    pub(crate) fn new(script: &Path, others: &[PathBuf]) -> Folders {
        let own = script.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Folders { given: std::iter::once(own.to_owned()).chain(others.iter().cloned()).collect() }
    }

    /// The file that a script means by `path`: relative to the script's folder, or else to one of the others.
    ///
    /// # Errors
    /// When it is not below a folder that may be read, or is not there, in words.
    pub(super) fn find(&self, path: &str) -> Result<PathBuf, String> {
        if path.is_empty() {
            return Err("the file name is missing".to_owned());
        }
        let roots = self.roots()?;
        let candidates: Vec<PathBuf> = roots.iter().map(|root| normal(&root.join(path))).collect();
        let inside = |path: &Path| roots.iter().any(|root| path.starts_with(root));
        let allowed: Vec<&PathBuf> = candidates.iter().filter(|candidate| inside(candidate)).collect();
        if allowed.is_empty() {
            return Err(format!("'{path}' is refused: {}", self.explain()));
        }
        for candidate in &allowed {
            match candidate.canonicalize() {
                Ok(real) if inside(&real) => return Ok(real),
                Ok(_) => {
                    return Err(format!(
                        "'{path}' is refused, because a symbolic link leads outside: {}",
                        self.explain()
                    ));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read '{path}': {error}")),
            }
        }
        Err(missing(path, &allowed))
    }

    fn roots(&self) -> Result<Vec<PathBuf>, String> {
        let root = |(index, folder): (usize, &PathBuf)| match folder.canonicalize() {
            Ok(root) => Ok(Some(root)),
            // A script that is given as text may be named after a folder that is not there.
            Err(_) if index == 0 => Ok(None),
            Err(error) => Err(format!("the data folder '{}' cannot be read: {error}", folder.display())),
        };
        self.given.iter().enumerate().map(root).filter_map(Result::transpose).collect()
    }

    fn explain(&self) -> String {
        let given: Vec<String> = self.given.iter().map(|folder| format!("'{}'", folder.display())).collect();
        format!("data is read only from {} (allow other folders with --data DIR)", given.join(", "))
    }
}

/// Without `.` and `a/..`: what the path means as long as no symbolic link is involved.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // The path is absolute: above the root is the root.
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

fn missing(path: &str, looked_for: &[&PathBuf]) -> String {
    let wanted = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folders = looked_for.iter().filter_map(|file| file.parent());
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let hint = did_you_mean(&wanted, names.iter().map(String::as_str));
    let looked_for: Vec<String> = looked_for.iter().map(|file| file.display().to_string()).collect();
    format!("file '{path}' not found: looked for {}{hint}", looked_for.join(", "))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A script's folder, a folder beside it, and a secret above both.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("scripts/data")).unwrap();
        fs::create_dir_all(top.path().join("shared")).unwrap();
        for file in ["secret.txt", "scripts/data/users.csv", "shared/cards.csv"] {
            fs::write(top.path().join(file), "x").unwrap();
        }
        let script = top.path().join("scripts/shop.rhai");
        (top, script)
    }

    #[test]
    fn files_below_the_folders_are_found() {
        let (top, script) = tree();
        let shared = top.path().join("shared");
        let folders = Folders::new(&script, std::slice::from_ref(&shared));
        let users = top.path().join("scripts/data/users.csv").canonicalize().unwrap();
        let cards = shared.join("cards.csv").canonicalize().unwrap();
        assert_eq!(folders.find("data/users.csv"), Ok(users.clone()));
        assert_eq!(folders.find("./data/../data//users.csv"), Ok(users.clone()));
        assert_eq!(folders.find(users.to_str().unwrap()), Ok(users));
        assert_eq!(folders.find("cards.csv"), Ok(cards.clone()));
        assert_eq!(folders.find("../shared/cards.csv"), Ok(cards));
    }

    #[test]
    fn what_lies_outside_is_refused_whether_it_is_there_or_not() {
        let (top, script) = tree();
        let folders = Folders::new(&script, &[]);
        let secret = top.path().join("secret.txt");
        let outside = [
            "../secret.txt",
            "data/../../secret.txt",
            "../../../../../../../../etc/passwd",
            "/etc/passwd",
            "/etc/nosuch",
            "../nosuch",
            "..",
            secret.to_str().unwrap(),
        ];
        for path in outside {
            let error = folders.find(path).unwrap_err();
            assert!(error.contains("is refused") && error.contains("--data DIR"), "{path}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        use std::os::unix::fs::symlink;
        let (top, script) = tree();
        let folder = top.path().join("scripts");
        symlink(top.path().join("secret.txt"), folder.join("link.txt")).unwrap();
        symlink(top.path(), folder.join("up")).unwrap();
        symlink("data/users.csv", folder.join("fine.csv")).unwrap();
        let folders = Folders::new(&script, &[]);
        for path in ["link.txt", "up/secret.txt"] {
            assert!(folders.find(path).unwrap_err().contains("symbolic link"), "{path}");
        }
        assert!(folders.find("fine.csv").unwrap().ends_with("data/users.csv"));
    }

    #[test]
    fn what_is_missing_says_where_it_was_looked_for() {
        let (top, script) = tree();
        let error = Folders::new(&script, &[]).find("data/user.csv").unwrap_err();
        assert!(error.contains("looked for") && error.contains("did you mean 'users.csv'"), "{error}");
        let error = Folders::new(&script, &[top.path().join("nosuch")]).find("x").unwrap_err();
        assert!(error.contains("the data folder") && error.contains("nosuch"), "{error}");
    }
}
