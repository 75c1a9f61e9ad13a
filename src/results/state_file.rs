//! `state.json`: the complete figures of a run, for `rhaid report`.
//!
//! `run.json` is for other programs and keeps its form; this file is for rhaid itself and follows its types,
//! so it may look different after an update. Figures that came after the version that wrote it are missing from it, and
//! it is read with those it has. Pure but for reading the file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::metrics::Snapshot;
use crate::plan::{EndedBy, RunInfo, RunRecord};
use crate::text::clean_json;

/// Its name in the run directory.
pub(crate) const NAME: &str = "state.json";

#[derive(Serialize)]
struct Written<'a> {
    version: &'static str,
    info: &'a RunInfo,
    ended_by: Option<&'a EndedBy>,
    regression: Option<&'a str>,
    incomplete: Option<&'a str>,
    snapshot: &'a Snapshot,
}

/// What is read back.
#[derive(Deserialize)]
pub(crate) struct State {
    pub(crate) version: String,
    pub(crate) info: RunInfo,
    pub(crate) ended_by: Option<EndedBy>,
    #[serde(default)]
    pub(crate) regression: Option<String>,
    #[serde(default)]
    pub(crate) incomplete: Option<String>,
    pub(crate) snapshot: Snapshot,
}

/// The file's content.
pub(crate) fn state_json(record: &RunRecord) -> Vec<u8> {
    let RunRecord { info, ended_by, snapshot, regression, incomplete } = record;
    let (version, ended_by) = (env!("CARGO_PKG_VERSION"), ended_by.as_ref());
    let (regression, incomplete) = (regression.as_deref(), incomplete.as_deref());
    let state = Written { version, info, ended_by, regression, incomplete, snapshot };
    // Fails for a map with keys that are no text, and there is none.
    clean_json(serde_json::to_string(&state).unwrap_or_default()).into_bytes()
}

/// Reads it; the error is a message.
pub(crate) fn read_state(folder: &Path) -> Result<State, String> {
    let bytes =
        std::fs::read(folder.join(NAME)).map_err(|error| format!("{NAME} cannot be read: {error}"))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("{NAME} is damaged or from another version: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fixture;

    /// What is read of a file with this content.
    fn read(state: &Value) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), state.to_string()).unwrap();
        read_state(folder.path()).map(|state| serde_json::to_value(state.snapshot).unwrap())
    }

    fn whole() -> Value {
        let mut snapshot = fixture::limited().pop().unwrap();
        snapshot.notes = vec!["7 of 10 samples are missing from s.json".to_owned()];
        snapshot.users_max = 12;
        snapshot.interrupted_requests = 3;
        snapshot.series_folded = true;
        snapshot.capacity = Some(fixture::capacity().into());
        snapshot.agents = fixture::distributed().agents;
        serde_json::from_slice(&state_json(&fixture::record(EndedBy::RunTime, &snapshot))).unwrap()
    }

    #[test]
    fn figures_that_an_older_version_did_not_have_leave_the_others_as_they_are() {
        let whole = whole();
        let all = read(&whole).unwrap();
        let none = serde_json::to_value(Snapshot::default()).unwrap();
        let names: Vec<&String> = all.as_object().unwrap().keys().collect();
        assert!(names.len() > 30, "{names:?}");
        for missing in &names {
            let mut older = whole.clone();
            assert!(older["snapshot"].as_object_mut().unwrap().remove(*missing).is_some(), "{missing}");
            let kept = read(&older).unwrap_or_else(|error| panic!("without {missing}: {error}"));
            for name in &names {
                let expected = if name == missing { &none } else { &all };
                assert_eq!(kept[name.as_str()], expected[name.as_str()], "{name} without {missing}");
            }
        }
    }

    #[test]
    fn figures_of_a_part_may_be_missing_too() {
        let whole = whole();
        let all = read(&whole).unwrap();
        for part in [
            "/total",
            "/endpoints/0",
            "/scenarios/0",
            "/scenarios/0/iterations",
            "/recent",
            "/iterations",
            "/generator",
            "/generator/now",
            "/checks/0/1",
            "/capacity",
            "/agents/0",
            "/agents/1/generator",
        ] {
            let fields = all.pointer(part).and_then(Value::as_object).unwrap_or_else(|| panic!("no {part}"));
            for missing in fields.keys() {
                let mut older = whole.clone();
                let snapshot = &mut older["snapshot"];
                snapshot.pointer_mut(part).unwrap().as_object_mut().unwrap().remove(missing);
                let kept = read(&older).unwrap_or_else(|error| panic!("{part} without {missing}: {error}"));
                let others = |whole: &Value| {
                    let mut fields = whole.pointer(part).unwrap().as_object().unwrap().clone();
                    fields.remove(missing);
                    fields
                };
                assert_eq!(others(&kept), others(&all), "{part} without {missing}");
            }
        }
    }

    #[test]
    fn a_figure_of_another_kind_is_told_by_name() {
        let mut state = whole();
        state["snapshot"]["users"] = "many".into();
        let error = read(&state).unwrap_err();
        assert!(
            error.starts_with("state.json is damaged or from another version: ") && error.contains("many"),
            "{error}"
        );
    }
}
