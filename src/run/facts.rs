//! What reports repeat of a run: read off its plan, with secrets masked. Pure but for the time of day.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::plan::{Executor, RunInfo, TestPlan};
use crate::script::{Param, Secrets};
use crate::vu::host_of;

/// The facts of a run whose script has these files and parameters.
pub(super) fn run_info(
    plan: &TestPlan,
    script: PathBuf,
    files: Vec<(String, String)>,
    params: &[Param],
) -> RunInfo {
    let name = script.file_stem().map_or("script".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let users = |index: usize| match plan.executor(index) {
        Some(Executor::Users { .. }) | None => {
            plan.mix.iter().filter(|&&dealt| dealt == index).count() as u64
        }
        Some(executor) => executor.most_vus(),
    };
    let executor = |index| plan.executor(index).map_or("users", Executor::name).to_owned();
    let shown = |param: &Param| match (&param.value, param.secret) {
        (Some(_), true) => "***".to_owned(),
        (value, _) => value.clone().unwrap_or_default(),
    };
    RunInfo {
        name,
        script,
        files,
        host: plan.scenarios.iter().find_map(|scenario| host_of(plan, Some(scenario))).map(without_password),
        users: plan.users,
        spawn_rate: plan.spawn_rate,
        run_time: plan.run_time,
        iterations: plan.iterations,
        stop_timeout: plan.stop_timeout,
        seed: plan.seed,
        threads: plan.threads,
        scenarios: plan.scenarios.iter().enumerate().map(|(i, s)| (s.name.clone(), users(i))).collect(),
        executors: (0..plan.scenarios.len()).map(executor).collect(),
        planned: plan.planned(),
        params: params.iter().map(|param| (param.name.clone(), shown(param))).collect(),
        started_at: SystemTime::now(),
    }
}

/// What is known of the run at its start, as it may be shown.
pub(super) fn without_secrets(mut info: RunInfo, secrets: &Secrets) -> RunInfo {
    let mask = |text: &mut String| {
        if let Some(masked) = secrets.mask(text) {
            *text = masked;
        }
    };
    info.files.iter_mut().for_each(|(_, text)| mask(text));
    info.params.iter_mut().for_each(|(_, value)| mask(value));
    info.scenarios.iter_mut().for_each(|(name, _)| mask(name));
    info.host.iter_mut().for_each(mask);
    info
}

/// A host as reports show it: `user:password@` is a secret.
fn without_password(host: &str) -> String {
    match (host.split_once("://"), host.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => host.to_owned(),
    }
}
