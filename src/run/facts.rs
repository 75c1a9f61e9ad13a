//! What reports repeat of a run: read off its plan, with secrets masked. Pure but for the time of day, the machine and the terminals.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::credentials::{MASK, is_credential};
use crate::plan::{Executor, FailsOn, Machine, Origin, RunInfo, Terminals, TestPlan};
use crate::script::{Param, Secrets};
use crate::vu::host_of;

/// The facts of a run whose script has these files and parameters.
pub(super) fn run_info(
    plan: &TestPlan,
    script: PathBuf,
    files: Vec<(String, String)>,
    params: &[Param],
    origin: Origin,
) -> RunInfo {
    let name = script.file_stem().map_or("script".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let users = |index: usize| match plan.executor(index) {
        Some(Executor::Users { .. }) | None => {
            plan.mix.iter().filter(|&&dealt| dealt == index).count() as u64
        }
        Some(executor) => executor.most_vus(),
    };
    let executor = |index| plan.executor(index).map_or("users", Executor::name).to_owned();
    let shown = |param: &Param| match (&param.value, param.secret || is_credential(&param.name)) {
        (Some(_), true) => MASK.to_owned(),
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
        is_trial: false,
        fails_on: FailsOn::default(),
        http_version: plan.http.http_version.unwrap_or_default().as_str().to_owned(),
        machine: machine(),
        origin: Origin { command: without_secret_params(origin.command, params), ..origin },
        terminals: Terminals { stdout: io::stdout().is_terminal(), stderr: io::stderr().is_terminal() },
    }
}

/// The arguments of a command, those without the value that set a secret parameter. Values are masked wherever they
/// stand, but for short ones, which stand in too many words.
fn without_secret_params(command: Vec<String>, params: &[Param]) -> Vec<String> {
    let secret = |argument: &str| {
        let setting = argument.strip_prefix("--param=").unwrap_or(argument);
        let (name, value) = setting.split_once('=')?;
        let is_secret = !value.is_empty() && params.iter().any(|param| param.secret && param.name == name);
        is_secret.then(|| argument.len() - value.len())
    };
    let masked = |argument: String| match secret(&argument) {
        Some(start) => format!("{}{MASK}", &argument[..start]),
        None => argument,
    };
    command.into_iter().map(masked).collect()
}

/// This machine.
fn machine() -> Machine {
    let machine = Machine {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        ..Machine::default()
    };
    #[cfg(feature = "resources")]
    let machine = crate::resources::described(machine);
    machine
}

/// What is known of the run at its start, as it may be shown.
pub(super) fn without_secrets(mut info: RunInfo, secrets: &Secrets) -> RunInfo {
    let mask = |text: &mut String| {
        if let Some(masked) = secrets.mask(text) {
            *text = masked;
        }
    };
    for (_, text) in &mut info.files {
        // A script that sets `password` would be no script any more.
        if let Some(masked) = secrets.mask_declared(text) {
            *text = masked;
        }
    }
    info.params.iter_mut().for_each(|(_, value)| mask(value));
    info.scenarios.iter_mut().for_each(|(name, _)| mask(name));
    info.host.iter_mut().for_each(mask);
    let origin = &mut info.origin;
    origin.command.iter_mut().chain(&mut origin.label).chain(&mut origin.notes).for_each(mask);
    info
}

/// A host as reports show it: `user:password@` is a secret.
fn without_password(host: &str) -> String {
    match (host.split_once("://"), host.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => host.to_owned(),
    }
}
