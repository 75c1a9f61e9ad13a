//! What a run would do, found out without running it.

use serde_json::{Value, json};

use super::Asked;
use super::refused::Refused;
use crate::cli::args::RunArgs;
use crate::{PlannedLoad, Prepared};

/// See the module's description.
pub(in crate::cli) struct Planned {
    pub(in crate::cli) load: PlannedLoad,
    /// Name, users and executor of each scenario.
    pub(in crate::cli) scenarios: Vec<Value>,
    pub(in crate::cli) thresholds: Vec<String>,
}

/// What the arguments ask for; of several loads, the first.
///
/// # Errors
/// Why no such run can be made, as text.
pub(in crate::cli) fn planned(args: &RunArgs) -> Result<Planned, String> {
    let prepared = prepared(args).map_err(|refused| refused.words())?;
    let info = prepared.info();
    let scenarios = info.scenarios.iter().zip(&info.executors);
    Ok(Planned {
        load: prepared.planned_load(),
        scenarios: scenarios
            .map(|((name, users), executor)| json!({ "name": name, "users": users, "executor": executor }))
            .collect(),
        thresholds: prepared.thresholds(),
    })
}

fn prepared(args: &RunArgs) -> Result<Prepared, Refused> {
    Ok(Asked::of(args)?.first_test()?.prepare()?)
}
