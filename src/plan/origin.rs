//! Origin of a run, for its reports: command, machine and state of the code. Pure data.

use serde::{Deserialize, Serialize};

/// Context of a run that its figures do not show. None of it changes the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The command with its arguments; empty when an embedding program started the run. Credentials are masked
    /// when the run is prepared.
    pub command: Vec<String>,
    /// Git state of the code that the script belongs to.
    pub commit: Option<Commit>,
    /// Label of the environment, such as `staging`; comparing runs with different labels gives a warning.
    pub label: Option<String>,
    /// Notes, one sentence each.
    pub notes: Vec<String>,
    /// The load profile, such as `stress`; a trend keeps profiles apart.
    #[serde(default)]
    pub profile: Option<String>,
}

/// The state of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Commit hash in hexadecimal.
    pub hash: String,
    /// The branch; `None` when unknown.
    pub branch: Option<String>,
    /// Whether there were uncommitted changes; `None` when unknown.
    pub has_changes: Option<bool>,
}

/// The machine that generated the load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system: `linux`, `macos`, `windows`.
    pub os: String,
    /// Name and version of the operating system.
    pub os_version: Option<String>,
    /// Processor architecture, such as `x86_64`.
    pub arch: String,
    /// Number of processors available to this process.
    pub cores: usize,
    /// Processor model.
    pub cpu: Option<String>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
}
