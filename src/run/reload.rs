//! Loading a changed script while its run goes on.
//!
//! Owns noticing a change, compiling on the side and deciding whether the new script can take over. Leaves
//! the exchange to the workers. Invariant: a script that does not load changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::check::{analyse_aside, errors_of};
use crate::metrics::{Recorder, ScriptError};
use crate::plan::ScenarioPlan;
use crate::script::{
    Extension, Host, LastHooks, Level, Message, MessageSink, RunState, ScriptInputs, ScriptPlan, Secrets,
    Sources, Value,
};
use crate::vu::{Shared, load_script};

/// How often the files of the script are looked at, when that is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Stack of a thread that loads scripts: Rhai's own limits are set for this one.
pub(super) const LOADING_STACK: usize = 16 << 20;

/// Loads a script on a thread of its own, because the caller's stack may be small.
pub(super) fn load_aside(
    sources: Sources,
    extensions: Vec<Extension>,
    messages: MessageSink,
    inputs: ScriptInputs,
) -> std::io::Result<std::thread::JoinHandle<Result<ScriptPlan, ScriptError>>> {
    let common = inputs.common.clone();
    std::thread::Builder::new().name("rhaid-load".into()).stack_size(LOADING_STACK).spawn(move || {
        let host = Host::new(Recorder::new(1), Arc::new(RunState::default()), messages, inputs);
        let loaded = load_script(&sources, &host, &extensions, &BTreeMap::new(), |script, loaded| {
            loaded.into_plan(&script)
        });
        loaded.map_err(|error| masked(*error, &common.secrets))
    })
}

/// A script error without the secrets that its text may quote.
pub(super) fn masked(error: ScriptError, secrets: &Secrets) -> ScriptError {
    ScriptError {
        message: secrets.masked(error.message),
        position: secrets.masked(error.position),
        trace: secrets.masked(error.trace),
    }
}

/// What a script that panicked a host function while it was loaded gets.
pub(super) fn panicked(sources: &Sources) -> ScriptError {
    ScriptError {
        message: "a host function panicked while the script was loaded".to_owned(),
        position: sources.main().to_owned(),
        trace: String::new(),
    }
}

/// A script that can take over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    pub(super) sources: Sources,
    pub(super) variables: Arc<BTreeMap<String, Value>>,
    /// Set when it declares other scenarios than those that run.
    pub(super) other_scenarios: bool,
    /// Only the driver asks.
    #[serde(skip)]
    pub(super) last_hooks: LastHooks,
}

/// Reads the files of a script again and loads it; an error in words when it cannot take over.
fn reload(
    old: &Sources,
    extensions: Vec<Extension>,
    inputs: ScriptInputs,
    declared: &[ScenarioPlan],
    check_first: bool,
) -> Result<Reloaded, String> {
    let sources = old.reread()?;
    let looked_through = check_first
        .then(|| analyse_aside(sources.clone(), extensions.clone(), inputs.clone()))
        .transpose()
        .map_err(|error| format!("cannot start a thread to check it: {error}"))?;
    let common = inputs.common.clone();
    // Its top level has printed what it prints.
    let loading = load_aside(sources.clone(), extensions, Arc::new(|_| {}), inputs);
    let loaded = loading.map_err(|error| format!("cannot start a thread to load it: {error}"))?.join();
    let plan = loaded.unwrap_or_else(|_| Err(panicked(&sources))).map_err(|error| shown(&error))?;
    if let Some(error) = looked_through.and_then(|found| errors_of(found, &common.secrets).into_iter().next())
    {
        return Err(error.to_string());
    }
    for scenario in declared {
        let tasks = scenario.tasks.iter().map(|task| &task.function);
        for function in tasks.chain(&scenario.on_start).chain(&scenario.on_stop) {
            if !plan.functions.iter().any(|(name, params)| name == function && *params == 0) {
                let name = &scenario.name;
                return Err(format!(
                    "it has no function '{function}', which scenario '{name}' of this run calls"
                ));
            }
        }
    }
    let other_scenarios = plan.scenarios != declared;
    Ok(Reloaded {
        sources,
        variables: Arc::new(plan.variables),
        other_scenarios,
        last_hooks: plan.last_hooks,
    })
}

fn shown(error: &ScriptError) -> String {
    format!("{}: {}\n{}", error.position, error.message, error.trace)
}

/// Changed scripts on their way into a run.
pub(super) struct Reloads {
    shared: Arc<Shared>,
    /// The script that runs.
    sources: Sources,
    watcher: Watcher,
    /// When the files are looked at next, if that is asked for.
    next_look: Option<Duration>,
    /// What was loaded comes here.
    sender: mpsc::Sender<Result<Reloaded, String>>,
    loaded: mpsc::Receiver<Result<Reloaded, String>>,
}

impl Reloads {
    pub(super) fn new(shared: &Arc<Shared>) -> Reloads {
        let (sender, loaded) = mpsc::channel(1);
        Reloads {
            shared: shared.clone(),
            sources: shared.sources.clone(),
            watcher: Watcher::new(&shared.sources),
            next_look: shared.watch.then_some(LOOK_EVERY),
            sender,
            loaded,
        }
    }

    /// When the files are to be looked at, in time since the start of the load.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.next_look
    }

    /// Looks at the files, and loads the script again if they have changed.
    pub(super) fn look(&mut self, now: Duration) {
        self.next_look = Some(now + LOOK_EVERY);
        if self.watcher.has_changed() {
            self.begin();
        }
    }

    /// Loads the script as its files are now, on a thread of its own: the run keeps its time meanwhile.
    pub(super) fn begin(&self) {
        let (shared, sources, answer) = (self.shared.clone(), self.sources.clone(), self.sender.clone());
        let load = move || {
            let (extensions, inputs) = (shared.extensions.clone(), shared.inputs.clone());
            let reloaded = reload(&sources, extensions, inputs, &shared.declared, shared.check_first);
            // Nobody waits for it when the run has ended meanwhile, or when another change is being loaded.
            let _ = answer.blocking_send(reloaded);
        };
        if let Err(error) = std::thread::Builder::new().name("rhaid-reload".into()).spawn(load) {
            let text = format!("the changed script is not loaded: {error}");
            (self.shared.messages)(Message { level: Level::Warning, text, from: None });
        }
    }

    /// The next script that was loaded, or why it was not. Can be dropped without losing one.
    pub(super) async fn next(&mut self) -> Result<Reloaded, String> {
        match self.loaded.recv().await {
            Some(reloaded) => reloaded,
            None => std::future::pending().await,
        }
    }

    /// This is the script that runs now.
    pub(super) fn take_over(&mut self, sources: &Sources) {
        self.sources = sources.clone();
        self.watcher.add(sources);
    }
}

/// Notices saved changes by looking at the files.
struct Watcher {
    seen: BTreeMap<String, Stamp>,
}

/// When a file was changed last and how long it is; `None` while there is none.
type Stamp = Option<(SystemTime, u64)>;

impl Watcher {
    fn new(sources: &Sources) -> Watcher {
        let mut watcher = Watcher { seen: BTreeMap::new() };
        watcher.add(sources);
        watcher
    }

    /// Watches the files of these sources too.
    fn add(&mut self, sources: &Sources) {
        for (name, _) in sources.all() {
            let now = stamp(&name);
            self.seen.entry(name).or_insert(now);
        }
    }

    /// Whether a file has changed since the last look.
    fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (name, seen) in &mut self.seen {
            let now = stamp(name);
            // A file that is gone is being replaced; it counts when it is there again.
            if now.is_some() && now != *seen {
                *seen = now;
                changed = true;
            }
        }
        changed
    }
}

fn stamp(name: &str) -> Stamp {
    let metadata = std::fs::metadata(Path::new(name)).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_change_is_seen_once_and_a_file_that_is_gone_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("main.rhai");
        std::fs::write(&main, "1").unwrap();
        let sources = Sources::from_file(&main).unwrap();
        let mut watcher = Watcher::new(&sources);
        assert!(!watcher.has_changed());
        std::fs::write(&main, "22").unwrap();
        assert!(watcher.has_changed() && !watcher.has_changed());
        std::fs::remove_file(&main).unwrap();
        assert!(!watcher.has_changed());
        std::fs::write(&main, "333").unwrap();
        assert!(watcher.has_changed());
    }
}
