//! Starts runs for the page: the same as typing the command that the form stands for.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;

use clap::Parser;
use serde_json::{Value, json};

use super::editor::ScriptEditor;
use super::form::{self, Form};
use crate::cli::args::{Cli, ClusterArgs, Command, RunArgs, WebArgs};
use crate::cli::page::Page;
use crate::cli::run::{Begun, PlannedScenario};
use crate::cli::{config_file, output, run};
use crate::cluster::Coordinator;
use crate::credentials::masked_url;
use crate::plan::{Options, ScenarioPlan};
use crate::text::format::round;
use crate::text::shell_word;
use crate::web::{Editor, Launcher, Recruiting, Refusal};
use crate::{LoadTest, Param};

/// Most scripts that are listed: the first ones.
const MOST_SCRIPTS: usize = 10_000;

/// How deep folders are looked into.
const DEEPEST: usize = 6;

/// See the module's description.
pub(super) struct PageLauncher {
    folder: PathBuf,
    /// The script that is chosen at first.
    first: Option<String>,
    results_dir: PathBuf,
    config: Option<PathBuf>,
    /// Who has the agents that runs are on, and how they are used.
    cluster: Option<Arc<(Coordinator, ClusterArgs)>>,
    editor: Option<ScriptEditor>,
    page: OnceLock<Weak<Page>>,
    /// The run that is on.
    running: Mutex<Option<JoinHandle<()>>>,
}

impl PageLauncher {
    pub(super) fn new(
        folder: PathBuf,
        first: Option<String>,
        args: &WebArgs,
        cluster: Option<(Coordinator, ClusterArgs)>,
    ) -> PageLauncher {
        let editor = args.edit.then(|| ScriptEditor::new(folder.clone(), args.config.clone()));
        PageLauncher {
            editor,
            folder,
            first,
            results_dir: args.results_dir.clone(),
            config: args.config.clone(),
            cluster: cluster.map(Arc::new),
            page: OnceLock::new(),
            running: Mutex::new(None),
        }
    }

    /// Runs are shown on this page.
    pub(super) fn show_on(&self, page: &Arc<Page>) {
        // It is said once.
        let _ = self.page.set(Arc::downgrade(page));
    }

    /// Says how agents are started, where runs are made by agents.
    pub(super) fn invite(&self) {
        if let Some(cluster) = &self.cluster {
            run::tell_command(&cluster.0, &cluster.1.coordinator().nats);
        }
    }

    /// Waits for the run that is on.
    pub(super) fn wait(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = running {
            // It has told itself what went wrong.
            let _ = thread.join();
        }
    }

    /// What the form asks for, as arguments of `rhaid run`.
    fn arguments(&self, form: &Value) -> Result<(Form, RunArgs), Refusal> {
        let form = Form::read(form, &self.folder)?;
        let words = ["rhaid", "run"].into_iter().map(str::to_owned).chain(form.arguments.clone());
        let args = match Cli::try_parse_from(words) {
            Ok(Cli { command: Command::Run(args) }) => *args,
            Ok(_) => return Err(Refusal::Wrong("the form has no settings for a run".to_owned())),
            Err(error) => {
                // The first line says what is wrong; the rest is about the command line.
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                return Err(Refusal::Wrong(first.to_owned()));
            }
        };
        let mut args = RunArgs { config: self.config.clone(), ..args };
        args.output.results_dir = Some(self.results_dir.clone());
        args.output.only_summary = true;
        if let Some(cluster) = &self.cluster {
            args.cluster = args.cluster.or(cluster.1.clone());
        }
        Ok((form, args))
    }

    /// What somebody would type for the same run.
    fn command(&self, form: &Form) -> String {
        let command = form.command();
        let Some(cluster) = &self.cluster else { return command };
        let (coordinator, args) = &**cluster;
        let agents = args.agents.unwrap_or_else(|| coordinator.agents().max(1) as u64);
        let nats = args.nats.nats.as_ref().map(|url| format!(" --nats={}", shell_word(&masked_url(url))));
        format!("{command} --agents={agents}{}", nats.unwrap_or_default())
    }

    fn test(&self, script: &str) -> Result<LoadTest, Refusal> {
        let path = form::script(&self.folder, script)?;
        let wrong = |text: String| Refusal::Wrong(text);
        let config = config_file::load(self.config.as_ref()).map_err(wrong)?;
        let test = LoadTest::from_file(&path).map_err(|error| Refusal::Wrong(error.to_string()))?;
        Ok(config.args.lib.iter().fold(test, |test, root| test.lib_root(root)).options(config.options()))
    }
}

impl Launcher for PageLauncher {
    fn scripts(&self) -> Value {
        let mut scripts = Vec::new();
        collect(&self.folder, Path::new(""), 0, &self.results_dir, &mut scripts);
        let is_truncated = scripts.len() > MOST_SCRIPTS;
        scripts.truncate(MOST_SCRIPTS);
        scripts.sort();
        json!({ "scripts": scripts, "first": self.first, "truncated": is_truncated })
    }

    fn form(&self, script: &str) -> Result<Value, Refusal> {
        let test = self.test(script)?;
        let wrong = |error: crate::RunError| Refusal::Wrong(error.to_string());
        let (params, options) = (test.params().map_err(wrong)?, test.declared_options().map_err(wrong)?);
        let scenarios = test.declared_scenarios().map_err(wrong)?;
        Ok(json!({
            "script": script,
            "params": params.iter().map(param).collect::<Vec<_>>(),
            "scenarios": scenarios.iter().map(scenario).collect::<Vec<_>>(),
            "defaults": defaults(&options),
        }))
    }

    fn plan(&self, form: &Value) -> Result<Value, Refusal> {
        let (form, args) = self.arguments(form)?;
        let planned = run::planned(&args).map_err(Refusal::Wrong)?;
        let points: Vec<Value> =
            planned.load.points.iter().map(|&(at, users, rate)| json!([at, users, rate])).collect();
        Ok(json!({
            "command": self.command(&form),
            "end_s": planned.load.end_s,
            "is_asked": planned.load.is_asked,
            "columns": ["at_s", "users", "iterations_per_s"],
            "points": points,
            "scenarios": planned.scenarios.iter().map(planned_scenario).collect::<Vec<_>>(),
            "summary": planned.summary(),
            "thresholds": planned.thresholds,
        }))
    }

    fn start(&self, form: &Value) -> Result<Value, Refusal> {
        let (form, args) = self.arguments(form)?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Err(Refusal::NotNow("a run is on, or waits for agents; stop it first".to_owned()));
        }
        let page = self.page.get().and_then(Weak::upgrade);
        let Some(page) = page else { return Err(Refusal::NotNow("the page is being closed".to_owned())) };
        output::err(&format!("started from the page: {}\n", self.command(&form)));
        let (begun, has_begun) = sync_channel(1);
        let cluster = self.cluster.clone();
        let thread = std::thread::Builder::new().name("rhaid-started".to_owned()).spawn(move || {
            run::run_on(&args, &page, cluster.as_ref().map(|cluster| &cluster.0), &begun);
        });
        *running =
            Some(thread.map_err(|error| Refusal::NotNow(format!("the run cannot be started: {error}")))?);
        match has_begun.recv() {
            Ok(Begun::Load(id)) => Ok(json!({ "id": id, "command": self.command(&form) })),
            Ok(Begun::Recruiting(Recruiting { ready, wanted, .. })) => Ok(json!({
                "id": null,
                "command": self.command(&form),
                "state": "recruiting",
                "message": format!("waiting for agents, {} of {wanted}", ready.len()),
            })),
            Ok(Begun::Refused(problem)) => Err(Refusal::Wrong(problem)),
            Err(_) => {
                Err(Refusal::Wrong("the run ended before its load began; the terminal says why".to_owned()))
            }
        }
    }

    fn try_once(&self, form: &Value) -> Result<Value, Refusal> {
        let (form, args) = self.arguments(form)?;
        let (text, is_good) = run::tried_once(&args).map_err(Refusal::Wrong)?;
        Ok(json!({ "command": format!("{} --once", form.command()), "text": text, "passed": is_good }))
    }

    fn editor(&self) -> Option<&dyn Editor> {
        self.editor.as_ref().map(|editor| editor as &dyn Editor)
    }
}

fn param(param: &Param) -> Value {
    json!({
        "name": param.name,
        "help": param.help,
        "choices": param.choices,
        "secret": param.secret,
        "default": param.default.as_ref().filter(|_| !param.secret),
        "required": param.default.is_none(),
    })
}

/// A scenario as the script declares it: its weight, or what else decides its load.
fn scenario(scenario: &ScenarioPlan) -> Value {
    let load = match (&scenario.executor, scenario.fixed_count) {
        (Some(executor), _) => Some(executor.name().to_owned()),
        (None, Some(count)) => Some(format!("{count} {}", if count == 1 { "user" } else { "users" })),
        (None, None) => None,
    };
    json!({ "name": scenario.name, "weight": load.is_none().then_some(scenario.weight), "load": load })
}

fn planned_scenario(scenario: &PlannedScenario) -> Value {
    let PlannedScenario { name, users, executor, share } = scenario;
    json!({ "name": name, "users": users, "executor": executor, "share": share.map(|share| round(share, 4)) })
}

/// What the script says itself, as the form writes it.
fn defaults(options: &Options) -> Value {
    let seconds = |time: Option<std::time::Duration>| time.map(|time| format!("{}s", time.as_secs_f64()));
    json!({
        "host": options.host,
        "users": options.users,
        "spawn_rate": options.spawn_rate,
        "rate": options.rate,
        "run_time": seconds(options.run_time),
        "iterations": options.iterations,
    })
}

/// Adds the scripts of a folder, and of those in it, in the order of their names; one more than are listed at most.
fn collect(root: &Path, below: &Path, depth: usize, results: &Path, scripts: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(root.join(below)) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if scripts.len() > MOST_SCRIPTS {
            return;
        }
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = below.join(name);
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir()
            && depth < DEEPEST
            && !["target", "node_modules"].contains(&name)
            && !is_same(&entry.path(), results)
        {
            collect(root, &path, depth + 1, results, scripts);
        } else if kind.is_file() && name.ends_with(".rhai") {
            scripts.push(
                path.components()
                    .map(|part| part.as_os_str().to_string_lossy())
                    .collect::<Vec<_>>()
                    .join("/"),
            );
        }
    }
}

fn is_same(path: &Path, other: &Path) -> bool {
    path.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(path, other)| path == other)
}
