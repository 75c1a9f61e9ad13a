//! The files that a command reads and writes, so that none is written over by mistake.
//!
//! Owns the comparison, by what the names lead to. Devices and pipes may be named several times.

use std::path::{Path, PathBuf};

use crate::results::RUN_FILES;
use crate::system::FileId;

/// See the module's description.
#[derive(Default)]
pub(super) struct Places {
    read: Vec<(String, PathBuf)>,
    written: Vec<(String, PathBuf)>,
}

impl Places {
    /// The command reads this file.
    pub(super) fn reads(&mut self, what: &str, path: &Path) {
        self.read.push((what.to_owned(), path.to_owned()));
    }

    /// The command reads this stored run. Reports that were made in its folder are not part of it.
    pub(super) fn reads_run(&mut self, what: &str, folder: &Path) {
        RUN_FILES.iter().for_each(|name| self.reads(what, &folder.join(name)));
        let scripts = std::fs::read_dir(folder.join("script")).into_iter().flatten().flatten();
        self.read.extend(scripts.map(|entry| (what.to_owned(), entry.path())));
    }

    /// The command writes this file, because of this flag.
    pub(super) fn writes(&mut self, flag: &str, path: &Path) {
        self.written.push((flag.to_owned(), path.to_owned()));
    }

    /// The same of a file that may have been asked for.
    pub(super) fn may_write(&mut self, flag: &str, path: Option<&PathBuf>) {
        path.into_iter().for_each(|path| self.writes(flag, path));
    }

    /// The CSV files with this prefix.
    pub(super) fn writes_csv(&mut self, prefix: Option<&PathBuf>) {
        if let Some(prefix) = prefix {
            for name in ["stats", "stats_history", "failures", "exceptions"] {
                let mut path = prefix.clone().into_os_string();
                path.push(format!("_{name}.csv"));
                self.writes("--csv", Path::new(&path));
            }
        }
    }

    /// What is read or written at this place, if anything is.
    pub(super) fn taken(&self, path: &Path) -> Option<&str> {
        let wanted = FileId::of(path)?;
        let mut all = self.read.iter().chain(&self.written);
        all.find(|(_, other)| FileId::of(other).as_ref() == Some(&wanted)).map(|(what, _)| what.as_str())
    }

    /// What would be lost, if anything, and what to do.
    ///
    /// # Errors
    /// When an output is an input or another output.
    pub(super) fn check(&self) -> Result<(), String> {
        let id = |(what, path): &(String, PathBuf)| Some((what.clone(), path.clone(), FileId::of(path)?));
        let read: Vec<_> = self.read.iter().filter_map(id).collect();
        let mut written: Vec<(String, PathBuf, FileId)> = Vec::new();
        for (flag, path, id) in self.written.iter().filter_map(id) {
            if let Some((what, _, _)) = read.iter().find(|(_, _, other)| *other == id) {
                return Err(format!("{flag} would overwrite {what} '{}'; name another file", path.display()));
            }
            if let Some((other, _, _)) = written.iter().find(|(_, _, other)| *other == id) {
                let both = if *other == flag { format!("two {flag}") } else { format!("{other} and {flag}") };
                return Err(format!("{both} write to '{}'; give each its own file", path.display()));
            }
            written.push((flag, path, id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_no_input_and_no_other_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.rhai"), "").unwrap();
        let check = |html: &str, junit: &str, csv: &str| {
            let mut places = Places::default();
            places.reads("the script", &path("a.rhai"));
            places.may_write("--html", Some(&path(html)));
            places.may_write("--junit", Some(&path(junit)));
            places.writes_csv(Some(&path(csv)));
            places.check()
        };
        assert_eq!(check("r.html", "r.xml", "r"), Ok(()));
        assert!(
            check("./a.rhai", "r.xml", "r").unwrap_err().starts_with("--html would overwrite the script '")
        );
        assert!(check("o", "./o", "r").unwrap_err().starts_with("--html and --junit write to '"));
        assert!(check("o", "x_stats.csv", "x").unwrap_err().contains("--junit and --csv"));
        assert_eq!(check("/dev/null", "/dev/null", "r"), Ok(()));
    }
}
