//! The second argument of `scenario("name", #{ … })`: from a map to a scenario.
//!
//! Leaves which functions exist to `Declarations`. Invariant: a key that is unknown, or has no effect with the
//! other keys, is an error.

use rhai::{Array, Dynamic, FnPtr, Map, Position};

use super::convert;
use super::executor::{LOAD_KEYS, executor, is_load_key};
use super::wait::wait_from;
use crate::plan::{Executor, ScenarioPlan, TaskOrder, TaskPlan};
use crate::script::declare::{Declarations, DeclaredScenario, TaskSettings};
use crate::script::reference::{Owner, Section, calls, keys};
use crate::text::did_you_mean;

pub(super) const SECTION: Section = Section {
    name: "scenario",
    title: "`scenario`",
    is_part: false,
    about: "a named group of VUs: what they do and how often",
    intro: "At the top level only. If nothing is declared, `fn iteration()` is the only task of the scenario \
            `default`.",
    tables: &[CALL, SCENARIO_KEYS, LOAD_KEYS],
    notes: "For the order of tasks see [scripts.md](scripts.md#in-order); for how VUs are assigned to \
            scenarios see [load.md](load.md#scenarios-and-the-mix-of-users).",
};

calls! {
    CALL: Owner::Global; ("call", "does");

    /// Declares a scenario with its own VUs. A script may declare several.
    ///
    /// Errors: a key that is unknown or has no effect with the others; a function that the script does not
    /// define; two scenarios with the same name.
    ///
    /// ```rhai
    /// scenario("readers", #{ exec: "browse", weight: 4, wait: between(1, 3) });
    /// scenario("writers", #{ tasks: #{ analyze: 2, browse: 1 }, wait: constant_pacing(2), tags: #{ kind: "write" } });
    /// scenario("buyers", #{ tasks: ["browse", "analyze"], sequence: true, fixed_count: 1 });
    ///
    /// fn browse()  { http::get("/quality/insights"); }
    /// fn analyze() { http::post("/quality/analyze", #{ json: #{ source: "let x = 1;" } }); }
    /// ```
    fn scenario(name: text, settings: map);
}

keys! {
    pub(super) SCENARIO_KEYS: "scenario";

    /// The only task; in a [chain](scripts.md#by-a-chain), the first task.
    exec: "function or its name";
    /// The task functions with their weights or their own [settings](#task); in an array, all have equal weights.
    tasks: "map of functions to weights or maps, or array of functions";
    /// If true, the array of `tasks` runs [in order](scripts.md#in-order).
    sequence: "true or false";
    /// The possible successors of each task: a [Markov chain](scripts.md#by-a-chain).
    transitions: "map of functions to a function, an array of them or a map to weights";
    /// The first task of the chain.
    start: "function or its name";
    /// Relative share of the VUs; default 1.
    weight: "number of 0 or more";
    /// Fixed number of VUs instead of a share.
    fixed_count: "whole number";
    /// Wait after each iteration.
    wait: "a [wait](#waits), seconds, or a function that returns seconds";
    /// Base URL if the run has none: a host from the flag, the environment, the file or `options` overrides it.
    host: "text";
    /// Function that each VU calls first; default `on_start`, if the script defines it.
    on_start: "function or its name";
    /// Function that each VU calls last; default `on_stop`, if the script defines it.
    on_stop: "function or its name";
    /// Tags of every request of the scenario.
    tags: "map of names to plain values";
    /// Values for `env::get` in the functions of this scenario. They override `-e` and the environment, so that
    /// scenarios can share a function with different values.
    env: "map of names to plain values";
    /// Grace period for running iterations when the run stops, instead of the run's.
    stop_timeout: "time";
    /// Time that running iterations may go on, sleeps included, when the time of the load is over, instead of the run's;
    /// see [load.md](load.md#graceful-stop).
    graceful_stop: "time";
    /// Delay before its [executor](load.md#executors) starts, after the start of the load or the end of `after`;
    /// default 0.
    start_time: "time";
    /// The scenario that must end before this one's executor starts.
    after: "name of a scenario";
}

keys! {
    pub(super) TASK_KEYS: "task";

    /// Relative frequency; default 1. Not allowed together with a weight argument.
    weight: "whole number";
    /// Wait after this task, instead of the scenario's.
    wait: "a [wait](#waits), seconds, or a function that returns seconds";
    /// Tags for [selecting tasks](scripts.md#tags-of-tasks) with `--tags` and `--exclude-tags`.
    tags: "text or array of texts";
}

/// Reads a scenario; all its errors go to `problems`.
pub(super) fn scenario(
    declarations: &mut Declarations,
    name: &str,
    map: &Map,
    position: Position,
    problems: &mut Vec<String>,
) -> DeclaredScenario {
    let of = format!("scenario '{name}'");
    let mut plan = ScenarioPlan::new(name, Vec::new());
    let mut wait_fns = Vec::new();
    for (key, value) in map {
        let what = format!("{of}: {key}");
        let read = match key.as_str() {
            "exec" | "tasks" | "sequence" | "transitions" | "start" => Ok(()),
            "weight" => share(&what, value).map(|weight| plan.weight = weight),
            "fixed_count" => convert::count(&what, value).map(|count| plan.fixed_count = Some(count)),
            "wait" => wait_from(&what, value).map(|(wait, wait_fn)| {
                plan.wait = wait;
                wait_fns.extend(wait_fn.map(|wait_fn| (None, wait_fn)));
            }),
            "host" => convert::text(&what, value).map(|host| plan.host = Some(host)),
            "on_start" => convert::function_name(&what, value).map(|name| plan.on_start = Some(name)),
            "on_stop" => convert::function_name(&what, value).map(|name| plan.on_stop = Some(name)),
            "tags" => convert::text_map(&what, value).map(|tags| plan.tags = tags.into_iter().collect()),
            "env" => convert::text_map(&what, value).map(|env| plan.env = env.into_iter().collect()),
            "stop_timeout" => convert::duration(&what, value).map(|time| plan.stop_timeout = Some(time)),
            "graceful_stop" => convert::duration(&what, value).map(|time| plan.graceful_stop = Some(time)),
            "start_time" => convert::duration(&what, value).map(|time| plan.start_time = time),
            "after" => convert::text(&what, value).map(|name| plan.after = Some(name)),
            load if is_load_key(load) => Ok(()),
            _ => {
                let known: Vec<&str> = SCENARIO_KEYS.names().into_iter().chain(LOAD_KEYS.names()).collect();
                Err(convert::unknown_key(&of, key, &known))
            }
        };
        problems.extend(read.err());
    }
    plan.executor = executor(&of, map, problems);
    if let Some(executor) = &plan.executor {
        problems.extend(executor.problems(&of));
        for key in ["weight", "fixed_count"].into_iter().filter(|key| map.contains_key(*key)) {
            problems.push(format!(
                "{of}: {key} sets a share of the run's users, but the executor {} has its own",
                executor.name()
            ));
        }
        if let Executor::Shape { function, .. } = executor
            && !function.is_empty()
        {
            declarations.shapes.push((function.clone(), format!("{of}: shape"), position));
        }
    }
    let tasks = Tasks::read(&of, map).and_then(|mut tasks| Ok((tasks.order(&of, map)?, tasks)));
    match tasks {
        Ok((order, tasks)) => {
            plan.order = order;
            for (function, settings) in tasks.list {
                let (wait, wait_fn) = settings.wait.unzip();
                wait_fns.extend(wait_fn.flatten().map(|wait_fn: FnPtr| (Some(function.clone()), wait_fn)));
                plan.tasks.push(TaskPlan {
                    function,
                    weight: settings.weight.unwrap_or(1),
                    wait,
                    tags: settings.tags,
                });
            }
        }
        Err(problem) => problems.push(problem),
    }
    let functions = plan.tasks.iter().map(|task| &task.function);
    for function in functions.chain(&plan.on_start).chain(&plan.on_stop) {
        declarations.name_function(function, of.clone(), position);
    }
    DeclaredScenario { plan, wait_fns, position }
}

/// A weight that may be a fraction.
fn share(what: &str, value: &Dynamic) -> Result<f64, String> {
    match convert::number(value).ok_or_else(|| convert::expected(what, "a number", value))? {
        weight if (0.0..=1e9).contains(&weight) => Ok(weight),
        weight if weight > 0.0 => Err(format!("{what} is {weight}; the maximum is 1000000000")),
        weight => Err(format!("{what} is {weight}; it must be 0 or more")),
    }
}

/// The settings of one task: a map of `keys`.
pub(super) fn task_settings(of: &str, map: &Map, keys: &[&str]) -> Result<TaskSettings, String> {
    let mut settings = TaskSettings::default();
    for (key, value) in map {
        TASK_KEYS.check(of, key)?;
        let what = format!("{of}: {key}");
        match key.as_str() {
            known if !keys.contains(&known) => return Err(convert::unknown_key(of, key, keys)),
            "weight" => settings.weight = Some(weight(&what, value)?),
            "wait" => settings.wait = Some(wait_from(&what, value)?),
            _ => settings.tags = words(&what, value)?,
        }
    }
    Ok(settings)
}

/// One word, or an array of them.
fn words(what: &str, value: &Dynamic) -> Result<Vec<String>, String> {
    match value.read_lock::<Array>() {
        Some(list) => list.iter().map(|word| convert::text(what, word)).collect(),
        None => match convert::text(what, value) {
            Ok(word) => Ok(vec![word]),
            Err(_) => Err(convert::expected(what, "an array of words such as [\"read\"]", value)),
        },
    }
}

fn weight(what: &str, value: &Dynamic) -> Result<u32, String> {
    u32::try_from(convert::count(what, value)?).map_err(|_| format!("{what} is too large"))
}

/// The tasks of a scenario as written in the script.
struct Tasks {
    list: Vec<(String, TaskSettings)>,
    /// They have an order: an array, or one alone.
    is_ordered: bool,
}

impl Tasks {
    fn read(of: &str, map: &Map) -> Result<Tasks, String> {
        let tasks = match (map.get("exec"), map.get("tasks"), map.get("transitions")) {
            (Some(_), Some(_), _) => {
                return Err(format!("{of} has both exec and tasks; use only one of them"));
            }
            (Some(exec), None, None) => {
                let function = convert::function_name(&format!("{of}: exec"), exec)?;
                Tasks { list: vec![(function, TaskSettings::default())], is_ordered: true }
            }
            (None, Some(tasks), _) => Tasks::list(&format!("{of}: tasks"), tasks)?,
            // A chain names its tasks itself; `exec` is the first one.
            (exec, None, Some(transitions)) => {
                let transitions = convert::map(&format!("{of}: transitions"), transitions)?;
                let first = match exec {
                    Some(exec) => Some(convert::function_name(&format!("{of}: exec"), exec)?),
                    None => None,
                };
                let mut list: Vec<_> = transitions.keys().map(|key| key.to_string()).collect();
                if let Some(first) = &first {
                    list.retain(|function| function != first);
                    list.insert(0, first.clone());
                }
                let list = list.into_iter().map(|function| (function, TaskSettings::default())).collect();
                Tasks { list, is_ordered: first.is_some() }
            }
            (None, None, None) => Tasks { list: Vec::new(), is_ordered: false },
        };
        if tasks.list.is_empty() {
            return Err(format!(
                "{of} has no tasks: add exec: \"function\" or tasks: #{{ function: weight }}"
            ));
        }
        Ok(tasks)
    }

    fn list(what: &str, value: &Dynamic) -> Result<Tasks, String> {
        if let Some(list) = value.read_lock::<Array>() {
            let task = |function: &Dynamic| {
                Ok::<_, String>((convert::function_name(what, function)?, TaskSettings::default()))
            };
            return Ok(Tasks { list: list.iter().map(task).collect::<Result<_, _>>()?, is_ordered: true });
        }
        let map = convert::map(what, value).map_err(|_| {
            convert::expected(what, "a map #{ function: weight } or an array of functions", value)
        })?;
        let task = |(function, value): (&rhai::Identifier, &Dynamic)| {
            let of = format!("{what}.{function}");
            let settings = match value.read_lock::<Map>() {
                Some(map) => task_settings(&of, &map, &TASK_KEYS.names())?,
                None => TaskSettings { weight: Some(weight(&of, value)?), ..TaskSettings::default() },
            };
            Ok::<_, String>((function.to_string(), settings))
        };
        Ok(Tasks { list: map.iter().map(task).collect::<Result<_, _>>()?, is_ordered: false })
    }

    fn order(&mut self, of: &str, map: &Map) -> Result<TaskOrder, String> {
        let sequence = match map.get("sequence") {
            Some(value) => convert::boolean(&format!("{of}: sequence"), value)?,
            None => false,
        };
        let weighted = self.list.iter().find(|(_, settings)| settings.weight.is_some());
        match (sequence, map.get("transitions")) {
            (true, Some(_)) => {
                return Err(format!("{of} has both sequence and transitions; use only one of them"));
            }
            (true, None) if !self.is_ordered => {
                return Err(format!(
                    "{of}: a sequence needs an array of tasks, such as tasks: [\"first\", \"second\"]; a map \
                     has no order"
                ));
            }
            (true, _) | (_, Some(_)) => {
                if let Some((function, _)) = weighted {
                    return Err(format!(
                        "{of}: task '{function}' has a weight, which has no effect in a sequence or with \
                         transitions; remove it"
                    ));
                }
            }
            (false, None) => {}
        }
        let Some(transitions) = map.get("transitions") else {
            if map.contains_key("start") {
                return Err(format!("{of}: start is the first task of a chain and needs transitions"));
            }
            return Ok(if sequence { TaskOrder::Sequence } else { TaskOrder::Weighted });
        };
        self.chain(of, &convert::map(&format!("{of}: transitions"), transitions)?, map.get("start"))
    }

    /// Checks that each task has a transition, that each leads to a task, and where the chain begins.
    fn chain(&self, of: &str, transitions: &Map, start: Option<&Dynamic>) -> Result<TaskOrder, String> {
        if let Some((function, _)) = self.list.iter().find(|(_, settings)| !settings.tags.is_empty()) {
            return Err(format!(
                "{of}: task '{function}' of a chain has tags, but skipping it would break the chain; select \
                 whole scenarios with --scenario instead"
            ));
        }
        let start = match start {
            Some(start) => {
                self.index(of, "start", &convert::function_name(&format!("{of}: start"), start)?)?
            }
            None if self.is_ordered => 0,
            None => {
                return Err(format!(
                    "{of}: the chain has no start (a map has no first entry); add start: \"function\""
                ));
            }
        };
        for function in transitions.keys() {
            self.index(of, "transitions", function)?;
        }
        let next = self.list.iter().map(|(function, _)| {
            let what = format!("{of}: transitions.{function}");
            let Some(targets) = transitions.get(function.as_str()) else {
                return Err(format!("{of}: task '{function}' has no transition; add {function}: \"next\""));
            };
            self.targets(of, &what, targets)
        });
        Ok(TaskOrder::Markov { start, next: next.collect::<Result<_, _>>()? })
    }

    /// `"next"`, `["either", "or"]` or `#{ next: weight }`.
    fn targets(&self, of: &str, what: &str, value: &Dynamic) -> Result<Vec<(usize, u32)>, String> {
        let mut targets = Vec::new();
        if let Some(map) = value.read_lock::<Map>() {
            for (function, value) in map.iter() {
                let weight = weight(&format!("{what}.{function}"), value)?;
                targets.push((self.index(of, what, function)?, weight));
            }
        } else if let Some(list) = value.read_lock::<Array>() {
            for function in list.iter() {
                targets.push((self.index(of, what, &convert::function_name(what, function)?)?, 1));
            }
        } else {
            let function = convert::function_name(what, value).map_err(|_| {
                convert::expected(what, "a function, an array of them or a map #{ function: weight }", value)
            })?;
            targets.push((self.index(of, what, &function)?, 1));
        }
        targets.retain(|&(_, weight)| weight > 0);
        if targets.is_empty() {
            return Err(format!("{what} has no target with a weight above 0; add one"));
        }
        Ok(targets)
    }

    fn index(&self, of: &str, what: &str, function: &str) -> Result<usize, String> {
        self.list.iter().position(|(known, _)| known == function).ok_or_else(|| {
            let hint = did_you_mean(function, self.list.iter().map(|(known, _)| known.as_str()));
            let what = what.strip_prefix(&format!("{of}: ")).unwrap_or(what);
            format!("{of}: {what} names '{function}', which is not one of its tasks{hint}")
        })
    }
}
