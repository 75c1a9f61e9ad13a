//! How `rhaid ctl` finds the runs of this machine: a small file for each, which only its user can read.
//!
//! One lies in a folder for all runs of the user, another in the run's own folder. Both are gone when the process ends; one
//! that was killed leaves them behind, which is noticed when nobody answers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::system::create_private;
use crate::web::CONTROL_FILE;

/// What it takes to steer a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Address {
    /// `http://ADDRESS:PORT`.
    pub(super) url: String,
    pub(super) token: String,
    /// The process that runs it.
    pub(super) pid: u32,
    /// The folder of the run that is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<PathBuf>,
}

/// The files of this process; removed when it is dropped.
pub(super) struct ControlFile {
    address: Address,
    shared: Option<PathBuf>,
    in_folder: Mutex<Option<PathBuf>>,
}

impl ControlFile {
    pub(super) fn write(url: &str, token: &str) -> ControlFile {
        let pid = std::process::id();
        let address = Address { url: url.to_owned(), token: token.to_owned(), pid, folder: None };
        let shared = shared_folder().map(|folder| folder.join(format!("{pid}.json")));
        // Without it, ctl needs --url and --token; the run does not suffer.
        let shared = shared.filter(|path| write_private(path, &address).is_ok());
        ControlFile { address, shared, in_folder: Mutex::new(None) }
    }

    /// Writes it into the folder of a run too.
    pub(super) fn write_in(&self, folder: &Path) {
        self.remove_from_folder();
        let path = folder.join(CONTROL_FILE);
        if write_private(&path, &self.address).is_ok() {
            *self.in_folder() = Some(path);
        }
        self.share(folder.canonicalize().ok());
    }

    /// Says in the shared folder which run is on.
    fn share(&self, folder: Option<PathBuf>) {
        if let Some(path) = &self.shared {
            // As when it was made: ctl can be told where the run is.
            let _ = write_private(path, &Address { folder, ..self.address.clone() });
        }
    }

    fn in_folder(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.in_folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run is over.
    pub(super) fn remove_from_folder(&self) {
        let path = self.in_folder().take();
        if let Some(path) = path {
            let _ = fs::remove_file(path);
            self.share(None);
        }
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        self.remove_from_folder();
        if let Some(path) = &self.shared {
            let _ = fs::remove_file(path);
        }
    }
}

/// A run goes on whose process was killed: what that one left in its folder leads nowhere.
pub(super) fn remove_stale(folder: &Path) {
    let _ = fs::remove_file(folder.join(CONTROL_FILE));
}

/// The runs of this user that were not ended yet as far as the files tell, the newest first.
pub(super) fn known() -> Vec<Address> {
    let Some(entries) = shared_folder().and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    files.iter().filter_map(|(_, path)| read(path)).collect()
}

/// The run with this folder.
pub(super) fn of_folder(folder: &Path) -> Option<Address> {
    read(&folder.join(CONTROL_FILE))
}

fn read(path: &Path) -> Option<Address> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Forgets a run whose process is gone.
pub(super) fn forget(address: &Address) {
    if let Some(folder) = shared_folder() {
        let _ = fs::remove_file(folder.join(format!("{}.json", address.pid)));
    }
}

/// A folder that belongs to the user alone.
fn shared_folder() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let folder = match runtime {
        Some(runtime) => PathBuf::from(runtime).join("rhaid"),
        None => std::env::temp_dir().join(format!("rhaid-{}", user())),
    };
    is_private(&folder).then_some(folder)
}

#[cfg(unix)]
fn user() -> String {
    rustix::process::getuid().as_raw().to_string()
}

#[cfg(not(unix))]
fn user() -> String {
    std::env::var("USERNAME").unwrap_or_default()
}

/// Makes the folder if it is not there; somebody else's is not used, who could then read or change what is in it.
#[cfg(unix)]
fn is_private(folder: &Path) -> bool {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    let is_ours = metadata.uid() == rustix::process::getuid().as_raw();
    metadata.is_dir() && is_ours && metadata.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(folder: &Path) -> bool {
    fs::create_dir_all(folder).is_ok()
}

fn write_private(path: &Path, address: &Address) -> std::io::Result<()> {
    let mut file = create_private(path)?;
    file.write_all(serde_json::to_string(address)?.as_bytes())
}
