//! `state.json`: the run's figures with everything in them, for `rhaid report`.
//!
//! `run.json` is for other programs and keeps its form; this file is for rhaid itself and follows its types,
//! so it may look different after an update. Pure but for reading the file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::metrics::Snapshot;
use crate::plan::{EndedBy, RunInfo};

/// Its name in the run directory.
pub(crate) const NAME: &str = "state.json";

#[derive(Serialize)]
struct Written<'a> {
    version: &'static str,
    info: &'a RunInfo,
    ended_by: Option<&'a EndedBy>,
    snapshot: &'a Snapshot,
}

/// What is read back.
#[derive(Deserialize)]
pub(crate) struct State {
    pub(crate) version: String,
    pub(crate) info: RunInfo,
    pub(crate) ended_by: Option<EndedBy>,
    pub(crate) snapshot: Snapshot,
}

/// The file's content; `ended_by` is `None` while the run goes on.
pub(crate) fn state_json(info: &RunInfo, ended_by: Option<&EndedBy>, snapshot: &Snapshot) -> Vec<u8> {
    let state = Written { version: env!("CARGO_PKG_VERSION"), info, ended_by, snapshot };
    // Fails for a map with keys that are no text, and there is none.
    serde_json::to_vec(&state).unwrap_or_default()
}

/// Reads it; the error is in words.
pub(crate) fn read_state(folder: &Path) -> Result<State, String> {
    let bytes =
        std::fs::read(folder.join(NAME)).map_err(|error| format!("{NAME} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{NAME} is not what this version wrote: {error}"))
}
