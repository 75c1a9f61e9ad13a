//! Meeting the agents of a distributed run before it starts.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::files::results_dir;
use super::refused::Refused;
use super::{Around, Begun, execute_on, resuming};
use crate::Prepared;
use crate::cli::args::RunArgs;
use crate::cli::exit::Exit;
use crate::cli::page::Page;
use crate::cli::signals::Signals;
use crate::cli::{config_file, control_file, output};
use crate::cluster::{Cluster, ClusterError, Coordinator, Left, Needs, Plan, Waiting};
use crate::web::Recruiting;

/// A coordinator for a run that asks for agents.
pub(super) fn coordinator(args: &RunArgs) -> Result<Option<Coordinator>, Refused> {
    if args.cluster.agents.is_none() {
        for flag in args.cluster.unused() {
            output::err(&format!(
                "warning: {flag} has no effect without --agents: this process makes the load\n"
            ));
        }
        return Ok(None);
    }
    refuse_local(args)?;
    let coordinator = Coordinator::open(args.cluster.coordinator());
    coordinator.map(Some).map_err(|error| Refused::Settings(error.to_string()))
}

/// Says how agents are started.
pub(in crate::cli) fn tell_command(coordinator: &Coordinator, nats: &Option<crate::cluster::NatsOptions>) {
    match coordinator.agent_command() {
        Some(command) => output::err(&format!("start agents with: {command}\n")),
        None => {
            let url = nats.as_ref().map(|nats| crate::credentials::masked_url(&nats.url).into_owned());
            output::err(&format!("waiting for agents at {}\n", url.unwrap_or_default()));
        }
    }
}

/// What only makes sense in this process.
fn refuse_local(args: &RunArgs) -> Result<(), Refused> {
    let flags = [
        (!args.output.out.is_empty(), "--out writes the samples of this process"),
        (args.http_debug.is_some(), "--http-debug shows the requests of this process"),
        (args.once, "--once is a trial in this process"),
    ];
    match flags.into_iter().find(|(is_set, _)| *is_set) {
        Some((_, why)) => Err(Refused::Usage(format!("{why}, so it does not go with --agents"))),
        None => Ok(()),
    }
}

/// Waits for the agents; a signal gives up, and so does whoever stops the run on the page.
pub(super) fn recruit(
    event_loop: &Runtime,
    coordinator: &Coordinator,
    prepared: &Prepared,
    wanted: usize,
    around: Around<'_>,
) -> Result<Cluster, Refused> {
    let needs = Needs::of(prepared).map_err(|error| Refused::Settings(error.to_string()))?;
    let name = prepared.info().name.clone();
    let (is_signalled, is_stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    let recruited = std::thread::scope(|scope| {
        let (done, mut is_done) = oneshot::channel();
        let (is_signalled, is_stopped) = (&is_signalled, &is_stopped);
        scope.spawn(move || {
            let mut told = Waiting::default();
            let mut shown = Recruiting { name, ..Recruiting::default() };
            let recruited = coordinator.recruit(needs, wanted, |waiting| {
                tell(waiting, &mut told);
                if waiting.wanted > 0 {
                    shown.ready.clone_from(&waiting.ready);
                    shown.refused.clone_from(&waiting.refused);
                    shown.wanted = waiting.wanted;
                }
                if let Some(page) = around.page
                    && !page.recruit(&shown)
                {
                    is_stopped.store(true, Ordering::Relaxed);
                }
                if shown.ready.len() < shown.wanted {
                    around.say(|| Begun::Recruiting(shown.clone()));
                }
                !is_signalled.load(Ordering::Relaxed) && !is_stopped.load(Ordering::Relaxed)
            });
            // The other side waits for it.
            let _ = done.send(recruited);
        });
        event_loop.block_on(async {
            let mut signals = Signals::new();
            loop {
                tokio::select! {
                    recruited = &mut is_done => break recruited,
                    () = signals.next() => is_signalled.store(true, Ordering::Relaxed),
                }
            }
        })
    });
    let is_stopped = is_stopped.load(Ordering::Relaxed);
    if is_stopped || is_signalled.load(Ordering::Relaxed) {
        if let Ok(Ok(cluster)) = recruited {
            coordinator.give_up(cluster);
        }
        let by = if is_stopped { "from the page" } else { "by a signal" };
        output::err(&format!("stopped {by} before the load began\n"));
        return Err(Refused::Told(Exit::Signal));
    }
    match recruited {
        Ok(Ok(cluster)) => Ok(cluster),
        Ok(Err(error)) => Err(Refused::Settings(error.to_string())),
        Err(_) => Err(Refused::Settings("the coordinator has ended while it waited for agents".to_owned())),
    }
}

fn tell(waiting: &Waiting, told: &mut Waiting) {
    if waiting.wanted == 0 || waiting == told {
        return;
    }
    waiting.refused.iter().filter(|refused| !told.refused.contains(refused)).for_each(|refused| {
        output::err(&format!("warning: {refused}\n"));
    });
    if waiting.ready != told.ready || told.wanted == 0 {
        let names =
            if waiting.ready.is_empty() { String::new() } else { format!(": {}", waiting.ready.join(", ")) };
        output::err(&format!("agents: {} of {}{names}\n", waiting.ready.len(), waiting.wanted));
    }
    told.clone_from(waiting);
}

/// Goes on with the run that a killed coordinator has left.
pub(super) fn resume(args: &RunArgs, named: &Path) -> Result<Exit, Refused> {
    let settings = |error: ClusterError| Refused::Settings(error.to_string());
    if let Some(problem) = resuming::refused(std::env::args_os()) {
        return Err(Refused::Usage(problem));
    }
    // What is said about the load belongs to the run, which has it; what is around it is as always.
    let file = config_file::load(args.config.as_ref())?.args;
    let args = RunArgs {
        output: args.output.clone().or(file.output),
        resources: args.resources.clone().or(file.resources),
        page: args.page.clone().or(file.page),
        cluster: args.cluster.clone().or(file.cluster),
        ..args.clone()
    };
    let left = Left::read(&resuming::found(named, results_dir(&args.output))?).map_err(settings)?;
    let page = Page::of_run(&args.page, results_dir(&args.output))?;
    let test = left.test().map_err(settings)?;
    let coordinator = left.coordinator(args.cluster.resuming()).map_err(settings)?;
    control_file::remove_stale(left.results());
    output::err(&format!("going on with the run in {}\n", left.results().display()));
    let around = Around {
        page: page.as_ref(),
        coordinator: Some(&coordinator),
        left: Some(&left),
        ..Around::default()
    };
    let ended = execute_on(test, &args, around);
    page.into_iter().for_each(Page::close);
    Ok(ended.exit)
}

/// The workers of that run.
pub(super) fn go_on(coordinator: &Coordinator, left: &Left, prepared: &Prepared) -> Result<Cluster, Refused> {
    coordinator.resume(left, Plan::of(prepared)).map_err(|error| Refused::Settings(error.to_string()))
}
