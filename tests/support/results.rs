//! Reading what a run has written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunDir(pub(crate) PathBuf);

/// A row of a CSV file by its columns.
pub(crate) type Row = BTreeMap<String, String>;

impl RunDir {
    /// `run.json`.
    pub(crate) fn json(&self) -> Value {
        let text = std::fs::read_to_string(self.0.join("run.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The rows of one of its CSV files.
    pub(crate) fn csv(&self, name: &str) -> Vec<Row> {
        rows(&self.0.join(name))
    }

    /// The total of `stats.csv`.
    pub(crate) fn aggregated(&self) -> Row {
        let rows = self.csv("stats.csv");
        let last = rows.last().expect("stats.csv has rows").clone();
        assert_eq!(last["Name"], "Aggregated");
        last
    }
}

/// The rows of a CSV file.
pub(crate) fn rows(path: &Path) -> Vec<Row> {
    let mut reader =
        csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// All files below a folder that hold a text.
pub(crate) fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}
