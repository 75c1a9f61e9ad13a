//! Facts about a run that its reports repeat: what ran, how, where, and how it ended. Pure data.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::origin::{Machine, Origin};

/// What a run was asked to do and on what machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Name of the script without folder and extension.
    pub name: String,
    /// The script as it was named by the caller; empty when it was given as text.
    pub script: PathBuf,
    /// All files the script was read from: the name shown in messages, and the text.
    pub files: Vec<(String, String)>,
    /// Base URL; `None` when the script names whole URLs.
    pub host: Option<String>,
    /// Most virtual users at once.
    pub users: u64,
    /// Virtual users started per second.
    pub spawn_rate: f64,
    /// Time until ramp-down; `None` runs until stopped or out of iterations.
    pub run_time: Option<Duration>,
    /// Iterations of all virtual users together.
    pub iterations: Option<u64>,
    /// Time that running iterations get when the run stops.
    pub stop_timeout: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
    /// Scenarios that run: name and number of users, of an open model the most there may be.
    pub scenarios: Vec<(String, u64)>,
    /// How the iterations of each of them are started, in the same order.
    pub executors: Vec<String>,
    /// How long the load lasts as planned; `None` until it is stopped, or its iterations are done.
    pub planned: Option<Duration>,
    /// The script's parameters and their values; secret ones are masked.
    pub params: Vec<(String, String)>,
    /// When the run began (before `setup`).
    pub started_at: SystemTime,
    /// The script was tried out with one iteration: its figures say nothing about a service.
    #[serde(default)]
    pub is_trial: bool,
    /// HTTP version that was asked for: `auto`, `1.1` or `2`.
    #[serde(default)]
    pub http_version: String,
    /// The machine that the load came from.
    #[serde(default)]
    pub machine: Machine,
    /// Where the run was made, and of what.
    #[serde(default)]
    pub origin: Origin,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EndedBy {
    /// Its time was over.
    RunTime,
    /// All iterations were done.
    Iterations,
    /// Every virtual user had ended itself.
    UsersGone,
    /// The search for the capacity was over.
    CapacityFound,
    /// The caller stopped it through the run handle.
    Stopped,
    /// A signal (Ctrl-C, SIGTERM).
    Signal,
    /// The script called `abort` with this reason.
    Aborted(String),
    /// A threshold that is set to abort was broken: which, and by what.
    Threshold(String),
    /// `setup` failed with this error; no load was made.
    SetupFailed(String),
    /// Its process ended without writing an end: it was killed, or is still running.
    Unfinished,
}

impl EndedBy {
    /// One word or two for a report.
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
            EndedBy::Unfinished => "not finished",
        }
    }
}
