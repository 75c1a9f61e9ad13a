//! `options`, `task`, `wait`, `scenario`: what the top level of a script declares.

use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::convert;
use super::scenario::{TASK_KEYS, scenario, task_settings};
use super::wait::{WaitSpec, wait_from};
use crate::plan::{HttpLayer, Options};
use crate::script::declare::TaskSettings;
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
        task(&h, &context, &function, TaskSettings::default())
    });
    let h = host.clone();
    engine.register_fn(
        "task",
        move |context: NativeCallContext, function: Dynamic, weight: i64| -> ScriptResult<()> {
            task(&h, &context, &function, weighted(&function, weight)?)
        },
    );
    let h = host.clone();
    engine.register_fn(
        "task",
        move |context: NativeCallContext,
              function: Dynamic,
              weight: i64,
              settings: Map|
              -> ScriptResult<()> {
            let settings = TaskSettings {
                weight: weighted(&function, weight)?.weight,
                ..task_settings("task", &settings, &["wait", "tags"])?
            };
            task(&h, &context, &function, settings)
        },
    );
    let h = host.clone();
    engine.register_fn(
        "task",
        move |context: NativeCallContext, function: Dynamic, settings: Map| -> ScriptResult<()> {
            task(&h, &context, &function, task_settings("task", &settings, TASK_KEYS)?)
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

fn task(
    host: &Rc<Host>,
    context: &NativeCallContext,
    function: &Dynamic,
    settings: TaskSettings,
) -> ScriptResult<()> {
    host.declare("task", |declarations| {
        let name = convert::function_name("task", function)?;
        declarations.add_task(&name, settings, context.call_position());
        Ok(())
    })
}

fn weighted(function: &Dynamic, weight: i64) -> Result<TaskSettings, String> {
    let name = convert::function_name("task", function)?;
    let weight = u32::try_from(weight)
        .map_err(|_| format!("the weight of task '{name}' is {weight}; it must be 0 or more"))?;
    Ok(TaskSettings { weight: Some(weight), ..TaskSettings::default() })
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
