//! Where a run was made, by which command, of which state of the code: for who reads its report later. Pure data.

use serde::{Deserialize, Serialize};

/// Facts around a run that its figures do not tell. None of them changes the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The command with its arguments; empty when a program made the run. Credentials are masked when the run is
    /// prepared.
    pub command: Vec<String>,
    /// State of the code that the script belongs to.
    pub commit: Option<Commit>,
    /// A word that runs of the same environment have in common, such as `staging`; runs with different ones are not
    /// compared without a warning.
    pub label: Option<String>,
    /// What else is to be known, a sentence each.
    pub notes: Vec<String>,
}

/// A state of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash, in hexadecimal digits.
    pub hash: String,
    /// The branch that it was on; `None` when that is not known.
    pub branch: Option<String>,
    /// Whether files had changed since; `None` when that is not known.
    pub has_changes: Option<bool>,
}

/// The machine that the load came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system: `linux`, `macos`, `windows`.
    pub os: String,
    /// Its name and version as it says them.
    pub os_version: Option<String>,
    /// Processor architecture, such as `x86_64`.
    pub arch: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// What the processor calls itself.
    pub cpu: Option<String>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
}
