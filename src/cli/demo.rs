//! `rhaid demo`: a load test without any setup.

use super::args::{DemoArgs, RunArgs};
use super::exit::Exit;
use super::{output, run};
use crate::LoadTest;
use crate::plan::Options;
use crate::target::{Target, TargetOptions};

/// Name and text of the demo's script, so that an installed binary needs no file.
const SCRIPT: (&str, &str) = ("scripts/quality.rhai", include_str!("../../scripts/quality.rhai"));

/// Starts the demo application in this process and runs `scripts/quality.rhai` against it.
pub(super) fn demo(args: &DemoArgs) -> Exit {
    let target = match Target::start(TargetOptions::default()) {
        Ok(target) => target,
        Err(error) => {
            output::error(&format!("cannot start the demo application: {error}"));
            return Exit::Configuration;
        }
    };
    let test = || {
        LoadTest::from_text(SCRIPT.0, SCRIPT.1).options(Options {
            host: Some(target.url()),
            users: Some(args.users),
            spawn_rate: Some(args.spawn_rate),
            run_time: Some(args.run_time),
            ..Options::default()
        })
    };
    // A load that is refused is not announced.
    if !args.output.quiet && test().prepare().is_ok() {
        output::err(&format!(
            "The demo application runs at {} in this process; {} users load it for {} s with the bundled {}.\n\n",
            target.url(),
            args.users,
            args.run_time.as_secs_f64(),
            SCRIPT.0,
        ));
    }
    let exit = run::execute(test(), &RunArgs { output: args.output.clone(), ..RunArgs::default() }).exit;
    if exit == Exit::Passed && !args.output.quiet {
        output::err("\nNext, start a script of your own; it says how to go on:\n  rhaid new shop.rhai\n");
    }
    exit
}
