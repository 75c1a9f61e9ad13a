//! `options`, `task`, `wait`, `scenario`: what the top level of a script declares.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext, Position};

use super::convert;
use super::wait::{WaitSpec, wait_from};
use crate::plan::{HttpLayer, Options, ScenarioPlan, TaskPlan};
use crate::script::declare::{Declarations, DeclaredScenario};
use crate::script::host::{Host, ScriptResult};

const OPTION_KEYS: &[&str] =
    &["host", "users", "spawn_rate", "run_time", "iterations", "stop_timeout", "tags", "seed", "http"];

const HTTP_KEYS: &[&str] = &[
    "headers",
    "resolve",
    "insecure",
    "ca_file",
    "client_cert",
    "proxy",
    "user_agent",
    "max_redirects",
    "timeout",
    "connect_timeout",
    "http_version",
];

const SCENARIO_KEYS: &[&str] = &[
    "exec",
    "tasks",
    "weight",
    "fixed_count",
    "wait",
    "host",
    "on_start",
    "on_stop",
    "tags",
    "stop_timeout",
];

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn("options", move |map: Map| -> ScriptResult<()> {
        h.declare("options", |declarations| {
            let layer = options(&map)?;
            // Of two calls the later one wins, key by key.
            declarations.options = layer.or(std::mem::take(&mut declarations.options));
            Ok(())
        })
    });

    let h = host.clone();
    engine.register_fn("task", move |context: NativeCallContext, function: Dynamic| -> ScriptResult<()> {
        task(&h, &context, &function, 1)
    });
    let h = host.clone();
    engine.register_fn(
        "task",
        move |context: NativeCallContext, function: Dynamic, weight: i64| -> ScriptResult<()> {
            task(&h, &context, &function, weight)
        },
    );

    let h = host.clone();
    engine.register_fn("wait", move |spec: WaitSpec| declare_wait(&h, Dynamic::from(spec)));
    let h = host.clone();
    engine.register_fn("wait", move |function: FnPtr| declare_wait(&h, Dynamic::from(function)));
    let h = host.clone();
    engine.register_fn("wait", move |seconds: i64| declare_wait(&h, seconds.into()));
    let h = host.clone();
    engine.register_fn("wait", move |seconds: f64| declare_wait(&h, seconds.into()));

    let h = host.clone();
    engine.register_fn(
        "scenario",
        move |context: NativeCallContext, name: ImmutableString, map: Map| -> ScriptResult<()> {
            h.declare("scenario", |declarations| {
                let scenario = scenario(declarations, &name, &map, context.call_position())?;
                declarations.add_scenario(scenario)
            })
        },
    );
}

fn task(host: &Rc<Host>, context: &NativeCallContext, function: &Dynamic, weight: i64) -> ScriptResult<()> {
    host.declare("task", |declarations| {
        let name = convert::function_name("task", function)?;
        declarations.add_task(&name, weight, context.call_position())
    })
}

fn declare_wait(host: &Rc<Host>, value: Dynamic) -> ScriptResult<()> {
    host.declare("wait", |declarations| {
        declarations.default_wait = Some(wait_from("wait", &value)?);
        Ok(())
    })
}

fn options(map: &Map) -> Result<Options, String> {
    let mut options = Options::default();
    for (key, value) in map {
        let what = format!("options.{key}");
        match key.as_str() {
            "host" => options.host = Some(convert::text(&what, value)?),
            "users" => options.users = Some(convert::count(&what, value)?),
            "spawn_rate" => options.spawn_rate = Some(number(&what, value)?),
            "run_time" => options.run_time = Some(convert::duration(&what, value)?),
            "iterations" => options.iterations = Some(convert::count(&what, value)?),
            "stop_timeout" => options.stop_timeout = Some(convert::duration(&what, value)?),
            "tags" => options.tags = convert::text_map(&what, value)?.into_iter().collect(),
            "seed" => options.seed = Some(convert::count(&what, value)?),
            "http" => options.http = http(&convert::map(&what, value)?)?,
            _ => return Err(convert::unknown_key("options", key, OPTION_KEYS)),
        }
    }
    Ok(options)
}

fn number(what: &str, value: &Dynamic) -> Result<f64, String> {
    convert::number(value).ok_or_else(|| convert::expected(what, "a number", value))
}

fn http(map: &Map) -> Result<HttpLayer, String> {
    let mut http = HttpLayer::default();
    for (key, value) in map {
        let what = format!("options.http.{key}");
        match key.as_str() {
            "headers" => http.headers = convert::text_map(&what, value)?.into_iter().collect(),
            "resolve" => http.resolve = convert::text_map(&what, value)?.into_iter().collect(),
            "insecure" => http.insecure = Some(convert::boolean(&what, value)?),
            "ca_file" => http.ca_file = Some(PathBuf::from(convert::text(&what, value)?)),
            "client_cert" => http.client_cert = Some(PathBuf::from(convert::text(&what, value)?)),
            "proxy" => http.proxy = Some(convert::text(&what, value)?),
            "user_agent" => http.user_agent = Some(convert::text(&what, value)?),
            "max_redirects" => {
                let count = convert::count(&what, value)?;
                http.max_redirects = Some(u32::try_from(count).unwrap_or(u32::MAX));
            }
            "timeout" => http.timeout = Some(convert::duration(&what, value)?),
            "connect_timeout" => http.connect_timeout = Some(convert::duration(&what, value)?),
            "http_version" => http.http_version = Some(convert::plain(&what, value)?),
            _ => return Err(convert::unknown_key("options.http", key, HTTP_KEYS)),
        }
    }
    Ok(http)
}

fn scenario(
    declarations: &mut Declarations,
    name: &str,
    map: &Map,
    position: Position,
) -> Result<DeclaredScenario, String> {
    let of = format!("scenario '{name}'");
    let mut plan = ScenarioPlan {
        name: name.to_owned(),
        tasks: Vec::new(),
        weight: 1.0,
        fixed_count: None,
        wait: crate::plan::Wait::None,
        host: None,
        on_start: None,
        on_stop: None,
        tags: BTreeMap::new(),
        stop_timeout: None,
    };
    let mut wait_fn = None;
    for (key, value) in map {
        let what = format!("{of}: {key}");
        match key.as_str() {
            "exec" => {
                let function = convert::function_name(&what, value)?;
                plan.tasks.push(TaskPlan { function, weight: 1 });
            }
            "tasks" => plan.tasks.extend(tasks(&what, value)?),
            "weight" => {
                plan.weight = number(&what, value)?;
                if !(plan.weight.is_finite() && plan.weight >= 0.0) {
                    return Err(format!("{what} is {}; it must be 0 or more", plan.weight));
                }
            }
            "fixed_count" => plan.fixed_count = Some(convert::count(&what, value)?),
            "wait" => (plan.wait, wait_fn) = wait_from(&what, value)?,
            "host" => plan.host = Some(convert::text(&what, value)?),
            "on_start" => plan.on_start = Some(convert::function_name(&what, value)?),
            "on_stop" => plan.on_stop = Some(convert::function_name(&what, value)?),
            "tags" => plan.tags = convert::text_map(&what, value)?.into_iter().collect(),
            "stop_timeout" => plan.stop_timeout = Some(convert::duration(&what, value)?),
            _ => return Err(convert::unknown_key(&of, key, SCENARIO_KEYS)),
        }
    }
    if map.contains_key("exec") && map.contains_key("tasks") {
        return Err(format!("{of} has both exec and tasks; one of them says what it does"));
    }
    if plan.tasks.is_empty() {
        return Err(format!(
            "{of} does nothing: give it exec: \"function\" or tasks: #{{ function: weight }}"
        ));
    }
    let functions = plan.tasks.iter().map(|task| &task.function);
    for function in functions.chain(&plan.on_start).chain(&plan.on_stop) {
        declarations.name_function(function, of.clone(), position);
    }
    Ok(DeclaredScenario { plan, wait_fn })
}

fn tasks(what: &str, value: &Dynamic) -> Result<Vec<TaskPlan>, String> {
    if let Some(list) = value.read_lock::<Array>() {
        let task = |function: &Dynamic| {
            Ok(TaskPlan { function: convert::function_name(what, function)?, weight: 1 })
        };
        return list.iter().map(task).collect();
    }
    let map = convert::map(what, value).map_err(|_| {
        convert::expected(what, "a map #{ function: weight } or an array of functions", value)
    })?;
    let task = |(function, weight): (&rhai::Identifier, &Dynamic)| {
        let weight = convert::count(&format!("{what}.{function}"), weight)?;
        let weight = u32::try_from(weight).map_err(|_| format!("{what}.{function} is too large a weight"))?;
        Ok(TaskPlan { function: function.to_string(), weight })
    };
    map.iter().map(task).collect()
}
