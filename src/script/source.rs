//! The files of a script: the main file, its imports, and the built-in library.
//!
//! Owns reading them and keeping their text, which error messages quote. Invariant: every engine of a run sees
//! the same text of a file, even if the file changes in the meantime: the first read is kept.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::system::read_file;
use crate::text::did_you_mean;

/// The library that scripts import as `std/…`.
pub(crate) const STDLIB: &[(&str, &str)] = &[
    ("std/auth", include_str!("../../stdlib/auth.rhai")),
    ("std/expect", include_str!("../../stdlib/expect.rhai")),
    ("std/fake", include_str!("../../stdlib/fake.rhai")),
    ("std/forms", include_str!("../../stdlib/forms.rhai")),
    ("std/graphql", include_str!("../../stdlib/graphql.rhai")),
    ("std/journey", include_str!("../../stdlib/journey.rhai")),
    ("std/links", include_str!("../../stdlib/links.rhai")),
    ("std/paginate", include_str!("../../stdlib/paginate.rhai")),
    ("std/profiles", include_str!("../../stdlib/profiles.rhai")),
];

/// Largest accepted script file; a wrong file name should not fill the memory.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// A script and the files it imports. Cheap to clone; clones share the files read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sources {
    main: Arc<str>,
    /// The main script was given as text and cannot be read again.
    is_text: bool,
    /// Folders that imports are looked for in after that of the importing file.
    roots: Vec<PathBuf>,
    /// It came from another machine: there are no files but those whose texts are here.
    #[serde(default)]
    is_closed: bool,
    texts: Arc<Mutex<BTreeMap<String, Arc<str>>>>,
}

impl Sources {
    /// A script from a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn from_file(path: &Path) -> Result<Sources, String> {
        let text = read(path)?;
        Ok(Sources { is_text: false, ..Sources::from_text(&path.display().to_string(), &text) })
    }

    /// A script given as text; `name` is used in messages, and imports are relative to it.
    pub(crate) fn from_text(name: &str, text: &str) -> Sources {
        let texts = BTreeMap::from([(name.to_owned(), Arc::from(text))]);
        Sources {
            main: name.into(),
            is_text: true,
            roots: Vec::new(),
            is_closed: false,
            texts: Arc::new(Mutex::new(texts)),
        }
    }

    /// Adds a folder in which imports are looked up.
    pub(crate) fn with_root(mut self, folder: &Path) -> Sources {
        self.roots.push(folder.to_owned());
        self
    }

    /// The same without the files of this machine, for a script that comes from another one.
    pub(crate) fn closed(self) -> Sources {
        Sources { is_closed: true, ..self }
    }

    /// A script from another machine, with the texts of all its files.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn sent(main: &str, roots: Vec<PathBuf>, texts: BTreeMap<String, Arc<str>>) -> Sources {
        Sources { roots, texts: Arc::new(Mutex::new(texts)), is_closed: true, ..Sources::from_text(main, "") }
    }

    /// Folders that imports are looked for in after that of the importing file.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether it came from another machine.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The script reread from its files. A script given as text stays the same.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn reread(&self) -> Result<Sources, String> {
        let text = if self.is_text { self.main_text() } else { Arc::from(read(Path::new(&*self.main))?) };
        let texts = BTreeMap::from([(self.main.to_string(), text)]);
        Ok(Sources { texts: Arc::new(Mutex::new(texts)), ..self.clone() })
    }

    /// An error in words when one of those folders is none.
    pub(crate) fn check_roots(&self) -> Result<(), String> {
        match self.roots.iter().find(|root| !self.is_closed && !root.is_dir()) {
            Some(root) => Err(format!("the library folder '{}' is not a folder", root.display())),
            None => Ok(()),
        }
    }

    /// Name of the main file.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// Text of the main file.
    pub(crate) fn main_text(&self) -> Arc<str> {
        self.text(&self.main).unwrap_or_default()
    }

    /// Text of a file that was read before.
    pub(crate) fn text(&self, name: &str) -> Option<Arc<str>> {
        self.texts.lock().ok()?.get(name).cloned()
    }

    /// All files read so far, by name.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        match self.texts.lock() {
            Ok(texts) => texts.iter().map(|(name, text)| (name.clone(), text.to_string())).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// What `import "path"` in the file `from` means: the name of the file and its text.
    ///
    /// # Errors
    /// When the file does not exist or cannot be read.
    pub(crate) fn import(&self, from: &str, path: &str) -> Result<(String, Arc<str>), String> {
        let name = if path.starts_with("std/") { path.to_owned() } else { self.locate(from, path) };
        if let Some(text) = self.text(&name) {
            return Ok((name, text));
        }
        if self.is_closed && !path.starts_with("std/") {
            return Err(format!(
                "the import of \"{path}\" is not among the files that came with the run; a run on several machines sends \
                 those that the script imports by a literal path"
            ));
        }
        if !path.starts_with("std/") {
            self.check_inside(path, Path::new(&name))?;
        }
        let text: Arc<str> = if path.starts_with("std/") {
            let built_in = STDLIB.iter().find(|(known, _)| *known == path);
            let Some((_, text)) = built_in else {
                let known: Vec<&str> = STDLIB.iter().map(|(name, _)| *name).collect();
                let hint = did_you_mean(path, known.iter().copied());
                return Err(format!("unknown library module '{path}'{hint} (known: {})", known.join(", ")));
            };
            Arc::from(*text)
        } else {
            let missing = |error| self.explain_missing(path, &name, error);
            Arc::from(read(Path::new(&name)).map_err(missing)?)
        };
        if let Ok(mut texts) = self.texts.lock() {
            texts.insert(name.clone(), text.clone());
        }
        Ok((name, text))
    }
}

impl Sources {
    /// The file that an import means: beside the importing file, or else below the first root that has it.
    fn locate(&self, from: &str, path: &str) -> String {
        let beside = relative(from, path);
        let is_on_disk = |name: &str| !self.is_closed && Path::new(name).exists();
        if self.text(&beside).is_some() || is_on_disk(&beside) {
            return beside;
        }
        let mut below = self.roots.iter().map(|root| in_folder(root, path));
        below.find(|name| self.text(name).is_some() || is_on_disk(name)).unwrap_or(beside)
    }

    /// That a file is in the script's folder or below one of the roots, also when links are followed: the same as
    /// for data files. A path outside is refused before the file system is asked whether it is there.
    fn check_inside(&self, path: &str, name: &Path) -> Result<(), String> {
        let own = folder_of(&self.main);
        let folders = || std::iter::once(own).chain(self.roots.iter().map(PathBuf::as_path));
        let is_below =
            |file: &Path, folder: Option<PathBuf>| folder.is_some_and(|folder| file.starts_with(folder));
        let refused = |why: &str| {
            let shown: Vec<String> = folders().map(|folder| format!("'{}'", folder.display())).collect();
            format!(
                "the import of \"{path}\" is refused{why}: scripts are imported only from {} (allow other folders with \
                 --lib DIR)",
                shown.join(", ")
            )
        };
        let absolute = |path: &Path| std::path::absolute(path).ok().map(|path| normal(&path));
        let file = absolute(name).unwrap_or_default();
        if !folders().any(|folder| is_below(&file, absolute(folder))) {
            return Err(refused(""));
        }
        match name.canonicalize() {
            Ok(real) if !folders().any(|folder| is_below(&real, folder.canonicalize().ok())) => {
                Err(refused(", because a symbolic link leads outside"))
            }
            // What is missing is told where it is read.
            _ => Ok(()),
        }
    }

    fn explain_missing(&self, path: &str, looked_for: &str, error: String) -> String {
        let message = explain_missing(path, looked_for, error);
        if self.roots.is_empty() || Path::new(looked_for).exists() {
            return message;
        }
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        format!("{message} (also looked in {})", roots.join(", "))
    }
}

/// The folder that a script is in.
fn folder_of(script: &str) -> &Path {
    Path::new(script).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file an import names, relative to the folder of the importing file, with `.rhai` added if need be.
fn relative(from: &str, path: &str) -> String {
    in_folder(Path::new(from).parent().unwrap_or(Path::new("")), path)
}

fn in_folder(folder: &Path, path: &str) -> String {
    let mut joined = folder.join(path);
    if joined.extension().is_none_or(|extension| extension != "rhai") {
        let mut name = joined.file_name().unwrap_or_default().to_owned();
        name.push(".rhai");
        joined.set_file_name(name);
    }
    normal(&joined).display().to_string()
}

/// Without `.` and `a/..`, so that one file has one name and is loaded once.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("cannot read '{shown}': {error}"))?;
    if metadata.is_dir() {
        return Err(format!("'{shown}' is a folder, not a script"));
    }
    let bytes = read_file(path, LARGEST_FILE).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => format!("'{shown}' is larger than 16 MB; is it a script?"),
        _ => format!("cannot read '{shown}': {error}"),
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("'{shown}' is not text (not valid UTF-8); is it a script?"))?;
    // Editors on Windows put a byte order mark first; Rhai would take it for a character of the script.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

fn explain_missing(path: &str, looked_for: &str, error: String) -> String {
    if Path::new(looked_for).exists() {
        return error;
    }
    let folder = Path::new(looked_for).parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rhai").map(str::to_owned))
        .collect();
    let wanted = Path::new(looked_for).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let hint = did_you_mean(&wanted.unwrap_or_default(), names.iter().map(String::as_str));
    format!("script '{path}' not found: looked for {looked_for}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_relative_to_the_importing_file() {
        assert_eq!(relative("scripts/shop.rhai", "lib/cart"), "scripts/lib/cart.rhai");
        assert_eq!(relative("scripts/lib/cart.rhai", "../money.rhai"), "scripts/money.rhai");
        assert_eq!(relative("shop.rhai", "./cart"), "cart.rhai");
        assert_eq!(relative("shop.rhai", "../v1.2"), "../v1.2.rhai");
    }

    #[test]
    fn what_is_missing_says_where_it_was_looked_for() {
        let sources = Sources::from_text("main.rhai", "");
        let error = sources.import("main.rhai", "nosuch").unwrap_err();
        assert_eq!(error, "script 'nosuch' not found: looked for nosuch.rhai");
        let error = sources.import("main.rhai", "std/jurney").unwrap_err();
        assert!(error.contains("did you mean 'std/journey'"), "{error}");
    }

    #[test]
    fn roots_come_after_the_folder_of_the_importing_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("main/a.rhai", "beside");
        write("one/a.rhai", "one");
        write("one/b.rhai", "one");
        write("two/b.rhai", "two");
        write("two/deep/c.rhai", "two");
        let main = folder.path().join("main/main.rhai").display().to_string();
        let sources = Sources::from_text(&main, "")
            .with_root(&folder.path().join("one"))
            .with_root(&folder.path().join("two"));
        assert_eq!(sources.check_roots(), Ok(()));
        let text = |path: &str| sources.import(&main, path).unwrap().1;
        assert_eq!((&*text("a"), &*text("b"), &*text("deep/c")), ("beside", "one", "two"));
        let error = sources.import(&main, "nosuch").unwrap_err();
        assert!(error.contains("main/nosuch.rhai") && error.contains("two)"), "{error}");
        assert!(sources.with_root(Path::new("/nosuch")).check_roots().unwrap_err().contains("/nosuch"));
    }

    #[test]
    fn a_script_from_another_machine_finds_what_came_with_it_and_nothing_of_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("main")).unwrap();
        std::fs::create_dir_all(path("lib")).unwrap();
        std::fs::write(path("lib/a.rhai"), "theirs").unwrap();
        let main = path("main/main.rhai").display().to_string();
        let sources = Sources::from_text(&main, "").with_root(&path("lib"));
        sources.import(&main, "a").unwrap();
        let sent: Sources = serde_json::from_str(&serde_json::to_string(&sources).unwrap()).unwrap();
        let sent = sent.closed();
        std::fs::remove_file(path("lib/a.rhai")).unwrap();
        std::fs::write(path("main/a.rhai"), "ours").unwrap();
        std::fs::write(path("main/b.rhai"), "ours").unwrap();
        assert_eq!(&*sent.import(&main, "a").unwrap().1, "theirs");
        assert!(sent.import(&main, "std/expect").is_ok());
        let error = sent.import(&main, "b").unwrap_err();
        assert!(error.contains("\"b\" is not among the files that came with the run"), "{error}");
        std::fs::remove_dir_all(path("lib")).unwrap();
        assert_eq!(sent.check_roots(), Ok(()));
    }

    #[cfg(unix)]
    #[test]
    fn imports_stay_in_the_folders_that_may_be_read() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        std::fs::create_dir_all(path("main/sub")).unwrap();
        for name in ["main/sub/a.rhai", "main/b.rhai", "out.rhai"] {
            std::fs::write(path(name), "text").unwrap();
        }
        std::os::unix::fs::symlink(path("out.rhai"), path("main/link.rhai")).unwrap();
        std::os::unix::fs::symlink("b.rhai", path("main/inner.rhai")).unwrap();
        let main = path("main/main.rhai").display().to_string();
        let sources = Sources::from_text(&main, "");
        let sub = path("main/sub/a.rhai").display().to_string();
        assert!(sources.import(&main, "inner").is_ok() && sources.import(&sub, "../b").is_ok());
        let outside = path("out").display().to_string();
        for name in ["../out", "sub/../../out", "../nosuch", &outside, "/etc/nosuch", "link"] {
            let error = sources.import(&main, name).unwrap_err();
            assert!(error.contains("is refused") && error.contains("--lib DIR"), "{name}: {error}");
        }
        assert!(sources.import(&main, "link").unwrap_err().contains("symbolic link"));
        let allowed = sources.with_root(top.path());
        for name in ["../out", "link", "out"] {
            assert!(allowed.import(&main, name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_first_reading_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("main.rhai");
        let lib = folder.path().join("lib.rhai");
        std::fs::write(&main, "\u{feff}import \"lib\" as l;").unwrap();
        std::fs::write(&lib, "fn a() { 1 }").unwrap();
        let sources = Sources::from_file(&main).unwrap();
        assert!(sources.main_text().starts_with("import"), "the byte order mark is gone");
        let first = sources.import(sources.main(), "lib").unwrap();
        std::fs::write(&lib, "fn a() { 2 }").unwrap();
        assert_eq!(sources.clone().import(sources.main(), "lib").unwrap(), first);
    }
}
