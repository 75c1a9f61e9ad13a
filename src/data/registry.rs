//! The data files of a run: each is read and parsed once, however many threads and imports use it.
//!
//! Invariant: the same file read in the same way is the same value for all.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::cells::LARGEST_TEXT;
use super::delimited::{self, CsvOptions};
use super::folders::Folders;
use super::json_rows::{self, Json};
use super::read;
use super::table::Table;
use crate::system::SteadyFile;

/// Largest file of rows.
const LARGEST_TABLE: u64 = 2 << 30;

/// Largest file that becomes one script value; the longest text of a script.
const LARGEST_VALUE: u64 = 256 << 20;

/// Largest file of bytes; the longest blob of a script.
const LARGEST_BYTES: u64 = 16 << 20;

const _: () = assert!(LARGEST_TABLE <= LARGEST_TEXT);

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// Rows of cells.
    Csv(CsvOptions),
    /// Rows if it is an array, else a value.
    Json,
    /// A row a line.
    Lines,
    /// One text.
    Text,
    /// As it is.
    Bytes,
    /// Not read, but opened.
    File,
}

/// A file that has been read.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// Rows.
    Table(Arc<Table>),
    /// JSON that has been checked and is no array.
    Json(Arc<str>),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// An open file.
    File(Arc<SteadyFile>),
}

impl Loaded {
    /// Whether it is still what the file holds, where that matters: a script that is loaded again may go on with it.
    fn is_current(&self) -> bool {
        match self {
            Loaded::File(file) => file.check().is_ok(),
            _ => true,
        }
    }
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    folders: Folders,
    files: Mutex<HashMap<(PathBuf, Form), Loaded>>,
}

impl Registry {
    /// A registry of files below these folders.
    pub(crate) fn new(folders: Folders) -> Registry {
        Registry { folders, files: Mutex::default() }
    }

    /// The files that were read.
    #[cfg(feature = "cli")]
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().map(|(path, _)| path.clone()).collect()
    }

    /// The file that a script means by `path`.
    ///
    /// # Errors
    /// When it may not or cannot be read, in words.
    pub(crate) fn load(&self, path: &str, form: Form) -> Result<Loaded, String> {
        let key = (self.folders.find(path)?, form);
        // Held while the file is read: another thread that wants it waits instead of reading it again.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = files.get(&key).filter(|loaded| loaded.is_current()) {
            return Ok(loaded.clone());
        }
        let loaded = read(&key.0, path, &key.1)?;
        files.insert(key, loaded.clone());
        Ok(loaded)
    }
}

fn read(file: &std::path::Path, shown: &str, form: &Form) -> Result<Loaded, String> {
    let text = |limit| read::text(read::bytes(file, shown, limit)?, shown);
    let table = |rows| Loaded::Table(Arc::new(Table::new(shown, rows)));
    let about = |problem: String| format!("'{shown}' {problem}");
    Ok(match form {
        Form::Csv(options) => table(delimited::csv(&text(LARGEST_TABLE)?, options).map_err(about)?),
        Form::Lines => table(delimited::lines(&text(LARGEST_TABLE)?).map_err(about)?),
        Form::Json => match json_rows::json(text(LARGEST_TABLE)?).map_err(about)? {
            Json::Rows(rows) => table(rows),
            Json::Value(text) if text.len() as u64 > LARGEST_VALUE => {
                return Err(about(
                    "is a single value of more than 256 MB; use an array to read it as a table".into(),
                ));
            }
            Json::Value(text) => Loaded::Json(text.into()),
        },
        Form::Text => Loaded::Text(text(LARGEST_VALUE)?.into()),
        Form::Bytes => Loaded::Bytes(read::bytes(file, shown, LARGEST_BYTES)?.into()),
        Form::File => Loaded::File(Arc::new(SteadyFile::open(file, shown)?)),
    })
}
