//! The data files of a run: each is read and parsed once, however many threads and imports use it.
//!
//! Invariant: the same file read in the same way is the same value for all.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::cells::LARGEST_TEXT;
use super::delimited::{self, CsvOptions};
use super::folders::Folders;
use super::json_rows::{self, Json};
use super::read;
use super::table::{Table, Takers};
use crate::share::Share;
use crate::system::SteadyFile;

/// Largest file of rows.
const LARGEST_TABLE: u64 = 2 << 30;

/// Largest file that becomes one script value; the longest text of a script.
const LARGEST_VALUE: u64 = 256 << 20;

/// Largest file of bytes; the longest blob of a script.
const LARGEST_BYTES: u64 = 16 << 20;

const _: () = assert!(LARGEST_TABLE <= LARGEST_TEXT);

/// How rows are dealt: the share of this process, and who takes them.
type Dealt<'a> = (&'a Share, &'a Arc<OnceLock<Takers>>);

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

/// The data files of a script that came from another machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentFiles {
    /// The file that each path of the script means.
    pub(crate) meant: BTreeMap<String, PathBuf>,
    /// What those files hold.
    pub(crate) contents: BTreeMap<PathBuf, Arc<[u8]>>,
}

/// Where files are.
#[derive(Debug)]
enum Place {
    Folders(Folders),
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    Sent(SentFiles),
}

impl Default for Place {
    fn default() -> Place {
        Place::Folders(Folders::default())
    }
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    place: Place,
    /// The rows that this process hands out.
    share: Share,
    takers: Arc<OnceLock<Takers>>,
    /// The file that each path of the script means, as far as it has asked.
    meant: Mutex<BTreeMap<String, PathBuf>>,
    files: Mutex<HashMap<(PathBuf, Form), Loaded>>,
}

impl Registry {
    /// A registry of files below these folders, for a process that hands out this share of their rows.
    pub(crate) fn new(folders: Folders, share: Share) -> Registry {
        Registry { place: Place::Folders(folders), share, ..Registry::default() }
    }

    /// A registry of files that came from another machine; nothing is read from this one.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn sent(files: SentFiles, share: Share) -> Registry {
        Registry { place: Place::Sent(files), share, ..Registry::default() }
    }

    /// Says who will take rows. The first time counts.
    pub(crate) fn deal_rows(&self, takers: Takers) {
        self.takers.get_or_init(|| takers);
    }

    /// The file that each path of the script means, as far as it has asked.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "sent in a cluster only"))]
    pub(crate) fn meant(&self) -> BTreeMap<String, PathBuf> {
        self.meant.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        let key = (self.place.find(path)?, form);
        self.meant.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), key.0.clone());
        // Held while the file is read: another thread that wants it waits instead of reading it again.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = files.get(&key).filter(|loaded| loaded.is_current()) {
            return Ok(loaded.clone());
        }
        let loaded = self.place.read(&key.0, path, &key.1, (&self.share, &self.takers))?;
        files.insert(key, loaded.clone());
        Ok(loaded)
    }
}

impl Place {
    /// The file that a script means.
    fn find(&self, path: &str) -> Result<PathBuf, String> {
        match self {
            Place::Folders(folders) => folders.find(path),
            Place::Sent(sent) => sent.meant.get(path).cloned().ok_or_else(|| {
                format!(
                    "'{path}' did not come with the run: a run on several machines sends the data files that the script \
                     reads when it is loaded first"
                )
            }),
        }
    }

    fn read(&self, file: &Path, shown: &str, form: &Form, dealt: Dealt<'_>) -> Result<Loaded, String> {
        match self {
            Place::Folders(_) => {
                let open = || SteadyFile::open(file, shown);
                read(|limit| read::bytes(file, shown, limit), open, shown, form, dealt)
            }
            Place::Sent(sent) => {
                let lost = || format!("'{shown}' did not come with the run");
                let content = sent.contents.get(file).ok_or_else(lost)?;
                let bytes = |limit| read::sent(content, shown, limit);
                read(bytes, || Ok(SteadyFile::in_memory(content.clone(), shown)), shown, form, dealt)
            }
        }
    }
}

/// What a form makes of a file, given how its bytes are read up to a limit, and how it is opened.
fn read(
    bytes: impl Fn(u64) -> Result<Vec<u8>, String>,
    open: impl Fn() -> Result<SteadyFile, String>,
    shown: &str,
    form: &Form,
    (share, takers): Dealt<'_>,
) -> Result<Loaded, String> {
    let text = |limit| read::text(bytes(limit)?, shown);
    let table = |rows| Loaded::Table(Arc::new(Table::new(shown, rows, share.clone(), takers.clone())));
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
        Form::Bytes => Loaded::Bytes(bytes(LARGEST_BYTES)?.into()),
        Form::File => Loaded::File(Arc::new(open()?)),
    })
}
