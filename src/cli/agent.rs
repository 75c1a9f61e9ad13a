//! `rhaid agent`: takes part in runs that a coordinator on another machine starts.

use super::args::AgentArgs;
use super::exit::Exit;
use super::signals::Signals;
use super::{event_loop, output};
use crate::cluster::{AgentSays, serve};

/// Serves runs until a signal comes.
pub(super) fn agent(args: &AgentArgs) -> Exit {
    let Some(options) = args.options() else {
        output::error(
            "no coordinator: give the URL that rhaid run --agents N prints, as in rhaid agent nats://TOKEN@HOST:4222",
        );
        return Exit::Usage;
    };
    // Each user holds a connection.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let event_loop = match event_loop() {
        Ok(event_loop) => event_loop,
        Err(exit) => return exit,
    };
    let served = event_loop.block_on(async {
        let mut signals = Signals::new();
        serve(options, say, async move { signals.next().await }).await
    });
    event_loop.shutdown_background();
    match served {
        Ok(()) => Exit::Passed,
        Err(error) => {
            output::error(&error.to_string());
            Exit::Configuration
        }
    }
}

fn say(says: AgentSays) {
    let line = match says {
        AgentSays::Waiting { name } => format!("agent '{name}': waiting for a run"),
        AgentSays::Begins { run, script } => format!("run {run}: {script}"),
        AgentSays::Ended { run, problem: None } => format!("run {run}: done"),
        AgentSays::Ended { run, problem: Some(problem) } => format!("run {run}: {problem}"),
        AgentSays::Warning(text) => format!("warning: {text}"),
    };
    output::err(&format!("{line}\n"));
}
