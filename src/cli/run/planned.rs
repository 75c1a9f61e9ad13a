//! What a run would do, found out without running it.

use std::time::Duration;

use super::Asked;
use super::refused::Refused;
use crate::cli::args::RunArgs;
use crate::text::format::{percent, round};
use crate::text::format_clock;
use crate::{PlannedLoad, Prepared};

/// See the module's description.
pub(in crate::cli) struct Planned {
    pub(in crate::cli) load: PlannedLoad,
    pub(in crate::cli) scenarios: Vec<PlannedScenario>,
    pub(in crate::cli) thresholds: Vec<String>,
}

/// A scenario that runs.
pub(in crate::cli) struct PlannedScenario {
    pub(in crate::cli) name: String,
    /// Its users; with a rate, the most that it can have.
    pub(in crate::cli) users: u64,
    pub(in crate::cli) executor: String,
    /// Its share of the load among those that share it.
    pub(in crate::cli) share: Option<f64>,
}

/// What the arguments ask for; of several loads, the first.
///
/// # Errors
/// Why no such run can be made, as text.
pub(in crate::cli) fn planned(args: &RunArgs) -> Result<Planned, String> {
    let prepared = prepared(args).map_err(|refused| refused.words())?;
    Ok(Planned {
        load: prepared.planned_load(),
        scenarios: scenarios(&prepared),
        thresholds: prepared.thresholds(),
    })
}

fn prepared(args: &RunArgs) -> Result<Prepared, Refused> {
    Ok(Asked::of(args)?.first_test()?.prepare()?)
}

fn scenarios(prepared: &Prepared) -> Vec<PlannedScenario> {
    let info = prepared.info();
    let share_load = prepared.scenarios().iter().filter(|one| one.shares_load());
    let sum: f64 = share_load.map(|one| one.weight).sum();
    let plans = prepared.scenarios().iter().zip(&info.scenarios).zip(&info.executors);
    plans
        .map(|((plan, (name, users)), executor)| PlannedScenario {
            name: name.clone(),
            users: *users,
            executor: executor.to_string(),
            share: (plan.shares_load() && sum > 0.0).then(|| plan.weight / sum),
        })
        .collect()
}

impl Planned {
    /// All of it on one line.
    pub(in crate::cli) fn summary(&self) -> String {
        let points = &self.load.points;
        let is_rate = points.iter().all(|&(_, users, _)| users == 0.0);
        let most =
            points.iter().map(|&(_, users, rate)| if is_rate { rate } else { users }).fold(0.0, f64::max);
        let unit = if is_rate { "iterations/s" } else { "users" };
        let time = |end_s| format!("over {}", format_clock(Duration::from_secs_f64(end_s)));
        let scenario = |one: &PlannedScenario| match one.share.filter(|_| is_rate) {
            Some(share) => format!("{} ({} %)", one.name, percent(share)),
            None => format!("{} ({})", one.name, one.users),
        };
        let mut parts = vec![
            format!("up to {} {unit}", round(most, 3)),
            self.load.end_s.map_or_else(|| "until it is stopped".to_owned(), time),
            self.scenarios.iter().map(scenario).collect::<Vec<_>>().join(", "),
            match self.thresholds.len() {
                0 => "no thresholds".to_owned(),
                1 => "1 threshold".to_owned(),
                many => format!("{many} thresholds"),
            },
        ];
        if self.load.is_asked {
            parts.push("the script decides during the run".to_owned());
        }
        parts.join(" · ")
    }
}
