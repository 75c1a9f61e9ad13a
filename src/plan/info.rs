//! Facts about a run for its reports: what ran, how, where, and how it ended. Pure data.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::origin::{Machine, Origin};

/// The settings of a run and the machine it ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Name of the script without folder and extension.
    pub name: String,
    /// The script path as given by the caller; empty when the script was given as text.
    pub script: PathBuf,
    /// All files of the script: the name shown in messages, and the text.
    pub files: Vec<(String, String)>,
    /// Base URL; `None` when the script uses absolute URLs.
    pub host: Option<String>,
    /// Maximum number of virtual users.
    pub users: u64,
    /// Virtual users started per second.
    pub spawn_rate: f64,
    /// Duration of the load; `None` runs until stopped or out of iterations.
    pub run_time: Option<Duration>,
    /// Total iterations of all virtual users.
    pub iterations: Option<u64>,
    /// Grace period for running iterations when the run stops.
    pub stop_timeout: Duration,
    /// Seed for all random values.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
    /// The scenarios: name and number of users, for an open model the maximum.
    pub scenarios: Vec<(String, u64)>,
    /// How the iterations of each of them are started, in the same order.
    pub executors: Vec<String>,
    /// Planned duration of the load; `None` if it lasts until it is stopped or its iterations are done.
    pub planned: Option<Duration>,
    /// The script's parameters and their values; secret ones are masked.
    pub params: Vec<(String, String)>,
    /// When the run started (before `setup`).
    pub started_at: SystemTime,
    /// A trial run of one iteration: its figures say nothing about the service.
    #[serde(default)]
    pub is_trial: bool,
    /// What fails the run besides its thresholds.
    #[serde(default)]
    pub fails_on: FailsOn,
    /// Requested HTTP version: `auto`, `1.1` or `2`.
    #[serde(default)]
    pub http_version: String,
    /// The machine that generated the load.
    #[serde(default)]
    pub machine: Machine,
    /// Origin of the run: command, code and environment.
    #[serde(default)]
    pub origin: Origin,
    /// Which streams of the process were terminals.
    #[serde(default)]
    pub terminals: Terminals,
}

#[cfg(feature = "charts")]
impl RunInfo {
    /// Whether iterations are started by anything else than a number of users.
    pub(crate) fn has_executors(&self) -> bool {
        self.executors.iter().any(|executor| executor != "users")
    }

    /// How the iterations of a scenario are started.
    pub(crate) fn executor_of(&self, scenario: &str) -> Option<&str> {
        let place = self.scenarios.iter().position(|(name, _)| name == scenario)?;
        self.executors.get(place).map(String::as_str)
    }
}

/// Which streams of a process are terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terminals {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

/// What fails a run besides its thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailsOn {
    /// Any failed request and any script error.
    pub errors: bool,
    /// Any figure that is worse than in the run it is compared with.
    pub regressions: bool,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EndedBy {
    /// The run time elapsed.
    RunTime,
    /// All iterations were done.
    Iterations,
    /// All virtual users ended themselves.
    UsersGone,
    /// The capacity search finished.
    CapacityFound,
    /// The caller stopped it through the run handle.
    Stopped,
    /// A signal (Ctrl-C, SIGTERM), or the key `q`.
    Signal,
    /// The script called `abort` with this reason.
    Aborted(String),
    /// A threshold set to abort was breached: which, and by which value.
    Threshold(String),
    /// `setup` failed with this error; no load was generated.
    SetupFailed(String),
    /// Agents of a distributed run were lost, or left, and for this reason it did not go on.
    AgentsLost(String),
    /// The process did not record an end: it was killed, or is still running.
    Unfinished,
}

impl EndedBy {
    /// What readers of a report are told: without a run time, the executors had an end.
    pub(crate) fn words(&self, info: &RunInfo) -> &'static str {
        match self {
            EndedBy::RunTime if info.run_time.is_none() => "end of the load",
            _ => self.as_str(),
        }
    }

    /// A short label for reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            EndedBy::RunTime => "run time",
            EndedBy::Iterations => "iterations",
            EndedBy::UsersGone => "users gone",
            EndedBy::CapacityFound => "capacity found",
            EndedBy::Stopped => "stopped",
            EndedBy::Signal => "signal",
            EndedBy::Aborted(_) => "aborted by the script",
            EndedBy::Threshold(_) => "threshold",
            EndedBy::SetupFailed(_) => "setup failed",
            EndedBy::AgentsLost(_) => "agents lost",
            EndedBy::Unfinished => "not finished",
        }
    }
}
