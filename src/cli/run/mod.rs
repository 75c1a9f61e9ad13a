//! `rhaid run`: what flags, environment and settings file ask for becomes a test and what is done around it.
//!
//! Leaves the run itself to `session`, its end to `ending`, what is written to `files`, several runs to `each`.

mod agents;
mod each;
mod ending;
mod files;
mod planned;
mod refused;
mod resuming;
mod session;
mod summary;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::SyncSender;

pub(in crate::cli) use self::agents::tell_command;
use self::each::run_each;
use self::ending::{Ended, Ending};
use self::files::{Files, results_dir};
pub(super) use self::planned::{PlannedScenario, planned};
use self::refused::Refused;
use self::session::{Session, Told};
pub(super) use self::trial::tried_once;
use super::alerts::Alerts;
use super::args::{OutputArgs, RunArgs};
use super::compare::baseline_of;
use super::config_file::Config;
use super::exit::Exit;
use super::origin::{look_for_commit, origin};
use super::page::Page;
use super::places::Places;
use super::profiles::Shape;
use super::resources::{self, ComingSampler};
use super::{config_file, event_loop, messages, output, profiles};
use crate::cluster::{Coordinator, Left};
use crate::metrics::ThresholdText;
use crate::plan::{FailsOn, Options};
use crate::results::{ResultsError, SamplesFile};
use crate::system::can_open;
use crate::web::Recruiting;
use crate::{LoadTest, Prepared, RunError};

/// Runs the test that the arguments and the settings file describe.
pub(super) fn run(args: &RunArgs) -> Exit {
    let refused = |args: &RunArgs, refused| Around::default().refused(args, refused).exit;
    if let Some(run) = &args.resume {
        return agents::resume(args, run).unwrap_or_else(|why| refused(args, why));
    }
    let asked = match Asked::of(args) {
        Ok(asked) => asked,
        Err(why) => return refused(args, why),
    };
    let args = asked.args.clone();
    run_asked(asked).unwrap_or_else(|why| refused(&args, why))
}

fn run_asked(asked: Asked) -> Result<Exit, Refused> {
    let page = Page::of_run(&asked.args.page, results_dir(&asked.args.output))?;
    // A script that cannot be read needs nobody to wait for it.
    asked.first_test()?;
    let coordinator = agents::coordinator(&asked.args)?;
    let invites = Once::new();
    let exit = asked.run(Around {
        page: page.as_ref(),
        coordinator: coordinator.as_ref(),
        invites: Some(&invites),
        ..Around::default()
    });
    page.into_iter().for_each(Page::close);
    Ok(exit)
}

/// What becomes of a run that somebody starts.
pub(super) enum Begun {
    /// Its load begins; its id.
    Load(String),
    /// It waits for agents.
    Recruiting(Recruiting),
    /// No run is made; why.
    Refused(String),
}

/// The same on a page that is there already. Says first what becomes of it.
pub(super) fn run_on(
    args: &RunArgs,
    page: &Page,
    coordinator: Option<&Coordinator>,
    begun: &SyncSender<Begun>,
) -> Exit {
    let around = Around { page: Some(page), begun: Some(begun), coordinator, ..Around::default() };
    match Asked::of(args) {
        Ok(asked) => asked.run(around),
        Err(refused) => around.refused(args, refused).exit,
    }
}

/// What is around a run besides the terminal.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    /// The page that shows it.
    page: Option<&'a Page>,
    /// Who waits for its beginning.
    begun: Option<&'a SyncSender<Begun>>,
    /// Who has the agents that it runs on.
    coordinator: Option<&'a Coordinator>,
    /// The run that is gone on with.
    left: Option<&'a Left>,
    /// To say how agents are started, before the first run that needs some.
    invites: Option<&'a Once>,
}

impl Around<'_> {
    /// Tells who waits for the beginning; only the first answer is waited for.
    fn say(self, begun: impl FnOnce() -> Begun) {
        if let Some(waits) = self.begun {
            let _ = waits.try_send(begun());
        }
    }

    /// Says why no run was made.
    fn refused(self, args: &RunArgs, refused: Refused) -> Ended {
        refused.write_junit(args);
        self.say(|| Begun::Refused(refused.words()));
        if let Some(page) = self.page {
            page.end_recruiting(refused.words());
        }
        refused.tell().into()
    }
}

/// What arguments and settings file say together.
struct Asked {
    script: PathBuf,
    args: RunArgs,
    config: Config,
    shapes: Option<Vec<Shape>>,
}

impl Asked {
    fn of(args: &RunArgs) -> Result<Asked, Refused> {
        let config = config_file::load(args.config.as_ref())?;
        let Some(script) = args.script().or(config.args.script()).cloned() else {
            let text = "no script: name one, as in rhaid run test.rhai; rhaid new test.rhai writes one to start from";
            return Err(Refused::Usage(text.to_owned()));
        };
        let mut args = RunArgs {
            script: Some(script.clone()),
            script_flag: None,
            once: args.once || config.args.once || args.each_task || config.args.each_task,
            each_task: args.each_task || config.args.each_task,
            http_debug: args.http_debug.or(config.args.http_debug),
            output: args.output.clone().or(config.args.output.clone()),
            resources: args.resources.clone().or(config.args.resources.clone()),
            page: args.page.clone().or(config.args.page.clone()),
            cluster: args.cluster.clone().or(config.args.cluster.clone()),
            ..args.clone()
        };
        // What is tried out is read as it goes; a live table would be in the way.
        args.output.only_summary |= args.once;
        let named = args.load.profile.as_ref().or(config.args.load.profile.as_ref());
        let scale = args.load.time_scale.or(config.args.load.time_scale);
        let shapes = named.map(|named| profiles::shapes(named, scale.unwrap_or(1.0))).transpose()?;
        if scale.is_some() && shapes.is_none() {
            let text = "--time-scale changes the times of a profile; name one with --profile";
            return Err(Refused::Usage(text.to_owned()));
        }
        Ok(Asked { script, args, config, shapes })
    }

    fn run(self, around: Around<'_>) -> Exit {
        let run = |load: &Options, limits: &[ThresholdText], args: &RunArgs| match self.test(load, limits) {
            Ok(test) => execute_on(test, args, around),
            Err(error) => around.refused(args, Refused::from(error)),
        };
        match &self.shapes {
            Some(shapes) => run_each(shapes, &self.args, run),
            None => run(&Options::default(), &[], &self.args).exit,
        }
    }

    /// The test with a load and its thresholds, which give way to others.
    fn test(&self, load: &Options, limits: &[ThresholdText]) -> Result<LoadTest, RunError> {
        let (args, config) = (&self.args, &self.config);
        let roots = if args.lib.is_empty() { &config.args.lib } else { &args.lib };
        let test = roots.iter().fold(LoadTest::from_file(&self.script)?, |test, root| test.lib_root(root));
        Ok(test
            .http_debug(args.http_debug())
            .watch(args.watch || config.args.watch)
            .check_first(!args.no_check && !config.args.no_check)
            .defaults(Options { thresholds: limits.to_vec(), ..Options::default() })
            .options(args.options().or(load.clone()).or(config.options())))
    }

    /// The test with the first of its loads.
    fn first_test(&self) -> Result<LoadTest, RunError> {
        match self.shapes.as_ref().and_then(|shapes| shapes.first()) {
            Some(shape) => self.test(&shape.options, &shape.limits),
            None => self.test(&Options::default(), &[]),
        }
    }
}

/// Runs a test and does everything around it that flags ask for.
pub(super) fn execute(test: LoadTest, args: &RunArgs) -> Ended {
    execute_on(test, args, Around::default())
}

fn execute_on(test: LoadTest, args: &RunArgs, around: Around<'_>) -> Ended {
    execute_as_told(test, args, around).unwrap_or_else(|refused| around.refused(args, refused))
}

fn execute_as_told(test: LoadTest, args: &RunArgs, around: Around<'_>) -> Result<Ended, Refused> {
    let (send, messages) = messages::channel();
    let folder = args.script().and_then(|script| script.parent()).unwrap_or(Path::new(""));
    let fails_on =
        FailsOn { errors: args.output.exit_code_on_error, regressions: args.output.fail_on_regression };
    let (commit, sampler) = (look_for_commit(folder), ComingSampler::of(&args.resources));
    let test = test.origin(origin(&args.output, args.load.profile.as_deref())).fails_on(fails_on);
    let mut prepared = test.on_message(send).prepare()?;
    // A run that is resumed has the commit that it began with.
    if around.left.is_none() {
        prepared = prepared.commit(commit.found());
    }
    let prepared = resources::watch(prepared, &args.resources, sampler)?;
    let baseline = baseline(&args.output, &prepared)?;
    let alerts = Alerts::new(&args.output, prepared.mask())?;
    if alerts.are_asked_for() && !prepared.has_thresholds() {
        output::err("warning: no thresholds are set, so --on-breach is never called (see --threshold)\n");
    }
    if let Some(problem) = args.output.conflict() {
        return Err(Refused::Usage(problem));
    }
    let places = places(args, &prepared, baseline.as_deref());
    places.check().map_err(Refused::Usage)?;
    // Each user holds a connection, and the default of many systems is 1,024 files. Where the limit stays,
    // the requests that meet it say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    check_files(prepared.info().threads)?;
    let pipes = Files::check(&args.output)?;
    let event_loop = event_loop()?;
    let mut cluster = match (around.coordinator, around.left) {
        (Some(coordinator), Some(left)) => Some(agents::go_on(coordinator, left, &prepared)?),
        (Some(coordinator), None) => {
            let wanted = args.cluster.agents.and_then(|agents| usize::try_from(agents).ok());
            let wanted = wanted.unwrap_or_else(|| coordinator.agents().max(1));
            if let Some(invites) = around.invites {
                invites.call_once(|| tell_command(coordinator, &args.cluster.coordinator().nats));
            }
            Some(agents::recruit(&event_loop, coordinator, &prepared, wanted, around)?)
        }
        (None, _) => None,
    };
    let files = Files::create(&args.output, prepared.info(), around.left.map(Left::results))?;
    let prepared = match with_samples(prepared, &args.output) {
        Ok(prepared) => prepared,
        Err(error) => {
            files.directory.discard();
            return Err(error.into());
        }
    };
    drop(pipes);
    if let Some(cluster) = &mut cluster {
        let kept = cluster.keep(files.directory.path());
        kept.map_err(|error| format!("what --resume needs cannot be kept: {error}"))?;
    }
    let session = Session {
        rate: args.load.rate,
        output: args.output.clone(),
        files,
        messages,
        alerts,
        around,
        told: Told::default(),
    };
    let ran = event_loop.block_on(session.run(prepared, cluster));
    // Not waiting for what it may still do aside, such as looking up a name.
    event_loop.shutdown_background();
    let (session, report) = ran?;
    let Session { output, files, alerts, .. } = session;
    let page = around.page;
    Ok(Ending { report, output, once: args.once, files, baseline, alerts, page, places }.told())
}

/// What the run reads and writes.
fn places(args: &RunArgs, prepared: &Prepared, baseline: Option<&Path>) -> Places {
    let mut places = Places::default();
    args.script().into_iter().for_each(|script| places.reads("the script", script));
    config_file::path(args.config.as_ref())
        .into_iter()
        .for_each(|path| places.reads("the settings file", path));
    baseline.into_iter().for_each(|folder| places.reads_run("the baseline's", folder));
    prepared.files_read().iter().for_each(|(what, path)| places.reads(what, path));
    args.output.add_to(&mut places);
    places
}

/// Files that a run opens besides its connections, and for each thread.
const FILES: usize = 24;
const FILES_PER_THREAD: usize = 5;

/// Whether the run can open what it needs, so that it does not fail half-way for lack of it.
fn check_files(threads: usize) -> Result<(), Refused> {
    let needed = FILES + FILES_PER_THREAD * threads;
    can_open(needed, true).map_err(|files| {
        Refused::Settings(format!(
            "only {files} more files can be opened, which is too few for a run with {threads} worker threads; raise the \
             limit (ulimit -n 1024), or use fewer threads (--threads)"
        ))
    })
}

/// Makes the files that every sample goes to.
fn with_samples(prepared: Prepared, output: &OutputArgs) -> Result<Prepared, ResultsError> {
    output.out.iter().try_fold(prepared, |prepared, target| {
        let file = if target.is_stdout() {
            SamplesFile::to(target.format, "standard output", std::io::stdout())
        } else {
            SamplesFile::create(target.format, &target.path)?
        };
        Ok(prepared.samples(file))
    })
}

/// The run that is to be compared with; found before the run, so that a typing error costs none.
fn baseline(output: &OutputArgs, prepared: &Prepared) -> Result<Option<PathBuf>, String> {
    let Some(named) = &output.baseline else {
        return if prepared.info().fails_on.regressions {
            // Of a run that is resumed, the flag is that of its start.
            Err("--fail-on-regression needs a --baseline to compare with; with --resume too".to_owned())
        } else {
            Ok(None)
        };
    };
    baseline_of(named, &prepared.info().name, results_dir(output)).map(Some)
}
