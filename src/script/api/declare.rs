//! `options`, `task`, `wait`, `scenario`: the declarations at the top level of a script.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::convert;
use super::executor;
use super::http_params;
use super::scenario::{TASK_KEYS, scenario, task_settings};
use super::threshold::{beside, place, read_all};
use super::wait::{WaitSpec, wait_from};
use crate::http::{DnsChoice, ProxyChoice};
use crate::plan::{HttpLayer, Options};
use crate::script::declare::TaskSettings;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const OPTIONS: Section = Section {
    name: "options",
    title: "`options`",
    is_part: false,
    about: "default settings of the run",
    intro: "At the top level only.",
    tables: &[OPTIONS_CALL, OPTION_KEYS],
    notes: "",
};

calls! {
    OPTIONS_CALL: Owner::Global; ("call", "does");

    /// Sets defaults for the run. Flags, environment variables and `rhaid.toml` override them. A later call
    /// overrides an earlier one, key by key.
    ///
    /// Errors: an unknown key; a value of the wrong type.
    ///
    /// ```rhai
    /// options(#{ host: "http://127.0.0.1:8000", users: 20, spawn_rate: 2, run_time: "5m", tags: #{ team: "shop" } });
    /// ```
    fn options(settings: map);
}

keys! {
    pub(super) OPTION_KEYS: "options";

    /// Base URL for relative URLs.
    host: "text";
    /// Maximum number of concurrent VUs, see [load.md](load.md).
    users: "whole number";
    /// VUs started per second during ramp-up.
    spawn_rate: "number";
    /// Arrival rate: iterations started per second, however fast the target responds, instead of a number of VUs;
    /// see [load.md](load.md#rates).
    rate: "number per second, or text such as `\"600/m\"`";
    /// Stages of the number of VUs, or of the rate; see [load.md](load.md#stages).
    stages: "text such as `\"30s:20,1m:20\"`, or array of maps `duration`, `target`, `name`";
    /// Function that returns the load, called every second; see [load.md](load.md#shapes).
    shape: "function or its name";
    /// With a rate: maximum number of VUs; default 1,000.
    max_vus: "whole number";
    /// With a rate: VUs created at the start; default 0.
    pre_allocated_vus: "whole number";
    /// With a rate: how arrivals are spread over time.
    arrivals: "`\"uniform\"` or `\"poisson\"`";
    /// With a rate: what happens to an iteration when no VU is free.
    late: "`\"queue\"` or `\"drop\"`";
    /// Time after which no iteration begins, and the running ones end.
    run_time: "time";
    /// The last part of `run_time`, in which the VUs leave one by one; by default, all leave at its end.
    ramp_down: "time";
    /// The same, counted from the end of the ramp-up.
    hold: "time";
    /// Total number of iterations of all VUs, after which the run ends.
    iterations: "whole number";
    /// Grace period for running iterations when the run stops.
    stop_timeout: "time";
    /// Time that running iterations may go on, sleeps included, when the time of the load is over; see
    /// [load.md](load.md#graceful-stop). By default, they end at their next `sleep`.
    graceful_stop: "time";
    /// Time that `setup`, and the listeners to `test_start`, may take; then the run does not begin. Default 60 s.
    setup_timeout: "time";
    /// Pass/fail conditions: a map from metrics to conditions, as in k6, or an array of complete thresholds; see
    /// [thresholds.md](thresholds.md).
    thresholds: "map, array or text";
    /// Tags of every request.
    tags: "map of names to plain values";
    /// Seed for all random values, see [load.md](load.md#seeds).
    seed: "whole number";
    /// HTTP settings, see [below](#optionshttp).
    http: "map";
}

pub(super) const OPTIONS_HTTP: Section = Section {
    name: "options.http",
    title: "`options.http`",
    is_part: true,
    about: "HTTP settings of the run",
    intro: "The key `http` of `options`. File paths are relative to the working directory. [http.md](http.md) \
            explains the effect of each setting.",
    tables: &[HTTP_KEYS],
    notes: "```rhai\noptions(#{ http: #{ timeout: \"10s\", headers: #{ \"accept-language\": \"en\" } } });\n```",
};

keys! {
    pub(super) HTTP_KEYS: "options.http";

    /// Headers of every request; a request's own headers override them.
    headers: "map of names to plain values";
    /// Addresses to use for host names instead of a DNS lookup; several make an array.
    resolve: "map of names to `\"IP\"`, `\"IP:PORT\"` or arrays of them";
    /// Which of a name's addresses a new connection goes to, see [http.md](http.md#names-and-addresses); default
    /// `"round-robin"`.
    dns: "`\"first\"`, `\"round-robin\"` or `\"random\"`";
    /// How long the addresses of a name are used before it is looked up again; default 5 min.
    dns_ttl: "time";
    /// Accept any certificate.
    insecure: "true or false";
    /// PEM file of certificates to trust in addition to the system's.
    ca_file: "path";
    /// PEM file with the client certificate chain and its key.
    client_cert: "path";
    /// The proxy; `"env"` uses `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. Default: none.
    proxy: "URL";
    /// The `user-agent` header; default `rhaid/VERSION`.
    user_agent: "text";
    /// Maximum number of redirects to follow; default 10.
    max_redirects: "whole number";
    /// Timeout of a whole request, more than 0; default 60 s.
    timeout: "time";
    /// Timeout for opening a connection, more than 0; default 10 s.
    connect_timeout: "time";
    /// HTTP version; default `"auto"`.
    http_version: "`\"auto\"`, `\"1.1\"` or `\"2\"`";
}

pub(super) const TASK: Section = Section {
    name: "task",
    title: "`task`",
    is_part: false,
    about: "a weighted task of the scenario `default`",
    intro: "At the top level only. `task` and `wait` declare a single scenario, `default`.",
    tables: &[TASK_CALL, TASK_KEYS],
    notes: "",
};

calls! {
    TASK_CALL: Owner::Global; ("call", "does");

    /// Adds a function to the tasks of `default`. Each iteration calls one task, picked by weight; the default
    /// weight is 1. `task("browse")` and `task(Fn("browse"))` are the same. A task function takes no arguments.
    ///
    /// Errors: the function is not defined; a negative weight; both `scenario("default", …)` and `task`.
    ///
    /// ```rhai
    /// task("browse", 3);
    /// task("analyze", 1, #{ wait: between(5, 10), tags: ["slow"] });
    ///
    /// fn browse()  { http::get("/quality/insights"); }
    /// fn analyze() { http::post("/quality/analyze", #{ json: #{ source: "let x = 1;" } }); }
    /// ```
    fn task(function: text|function);
    fn task(function: text|function, weight: int);
    fn task(function: text|function, weight: int, settings: map);
    fn task(function: text|function, settings: map);
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn("options", move |context: NativeCallContext, map: Map| -> ScriptResult<()> {
        h.declare("options", |declarations| {
            let mut problems = Vec::new();
            let mut layer = options(&map, &mut problems);
            if let Some(thresholds) = map.get("thresholds") {
                let read = read_all(thresholds, &place(&context, "options.thresholds"));
                layer.thresholds = read.unwrap_or_else(|problem| {
                    problems.push(problem);
                    Vec::new()
                });
            }
            let position = context.call_position();
            if let Some(function) = &layer.shape {
                declarations.shapes.push((function.clone(), "options.shape".to_owned(), position));
            }
            // A later call overrides an earlier one, key by key.
            declarations.options = beside(layer, std::mem::take(&mut declarations.options));
            declarations.add_problems(problems, position);
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
            task(&h, &context, &function, task_settings("task", &settings, &TASK_KEYS.names())?)
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
                let (mut problems, position) = (Vec::new(), context.call_position());
                let scenario = scenario(declarations, &name, &map, position, &mut problems);
                problems.extend(declarations.add_scenario(scenario).err());
                // All problems are reported together after the top level has run.
                declarations.add_problems(problems, position);
                Ok(())
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
        .map_err(|_| format!("the weight of task '{name}' is {weight}; it must be 0 to {}", u32::MAX))?;
    Ok(TaskSettings { weight: Some(weight), ..TaskSettings::default() })
}

fn declare_wait(host: &Rc<Host>, value: Dynamic) -> ScriptResult<()> {
    host.declare("wait", |declarations| {
        declarations.default_wait = Some(wait_from("wait", &value)?);
        Ok(())
    })
}

fn options(map: &Map, problems: &mut Vec<String>) -> Options {
    let mut options = Options::default();
    for (key, value) in map {
        problems.extend(option(&mut options, key, value).err());
    }
    options
}

fn option(options: &mut Options, key: &str, value: &Dynamic) -> Result<(), String> {
    OPTION_KEYS.check("options", key)?;
    let what = format!("options.{key}");
    match key {
        "host" => options.host = Some(convert::text(&what, value)?),
        "users" => options.users = Some(convert::count(&what, value)?),
        "spawn_rate" => options.spawn_rate = Some(number(&what, value)?),
        "rate" => options.rate = Some(executor::run_rate(&what, value)?),
        "stages" => options.stages = Some(executor::run_stages(&what, value)?),
        "shape" => options.shape = Some(convert::function_name(&what, value)?),
        "max_vus" => options.max_vus = Some(convert::count(&what, value)?),
        "pre_allocated_vus" => options.pre_allocated_vus = Some(convert::count(&what, value)?),
        "arrivals" => options.arrivals = Some(executor::arrivals(&what, value)?),
        "late" => options.late = Some(executor::late(&what, value)?),
        "run_time" => options.run_time = Some(convert::duration(&what, value)?),
        "ramp_down" => options.ramp_down = Some(convert::duration(&what, value)?),
        "hold" => options.hold = Some(convert::duration(&what, value)?),
        "iterations" => options.iterations = Some(convert::count(&what, value)?),
        "stop_timeout" => options.stop_timeout = Some(convert::duration(&what, value)?),
        "graceful_stop" => options.graceful_stop = Some(convert::duration(&what, value)?),
        "setup_timeout" => options.setup_timeout = Some(convert::duration(&what, value)?),
        "tags" => options.tags = convert::text_map(&what, value)?.into_iter().collect(),
        "seed" => options.seed = Some(convert::count(&what, value)?),
        "http" => options.http = http(&convert::map(&what, value)?)?,
        // Thresholds need their position in the script; see the caller.
        "thresholds" => {}
        _ => return Err(OPTION_KEYS.unknown("options", key)),
    }
    Ok(())
}

fn number(what: &str, value: &Dynamic) -> Result<f64, String> {
    convert::number(value).ok_or_else(|| convert::expected(what, "a number", value))
}

fn http(map: &Map) -> Result<HttpLayer, String> {
    let mut http = HttpLayer::default();
    for (key, value) in map {
        HTTP_KEYS.check("options.http", key)?;
        let what = format!("options.http.{key}");
        match key.as_str() {
            "headers" => http.headers = convert::text_map(&what, value)?.into_iter().collect(),
            "resolve" => {
                let mut several: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for (name, address) in http_params::pairs(&what, value)? {
                    several.entry(name).or_default().push(address);
                }
                http.resolve = several.into_iter().map(|(name, list)| (name, list.join(","))).collect();
            }
            "dns" => {
                let wanted = "\"first\", \"round-robin\" or \"random\"";
                let name = convert::text(&what, value)?;
                http.dns =
                    Some(DnsChoice::parse(&name).map_err(|_| convert::expected(&what, wanted, value))?);
            }
            "dns_ttl" => http.dns_ttl = Some(convert::duration(&what, value)?),
            "insecure" => http.insecure = Some(convert::boolean(&what, value)?),
            "ca_file" => http.ca_file = Some(PathBuf::from(convert::text(&what, value)?)),
            "client_cert" => http.client_cert = Some(PathBuf::from(convert::text(&what, value)?)),
            "proxy" => http.proxy = Some(ProxyChoice::named(&convert::text(&what, value)?)),
            "user_agent" => http.user_agent = Some(convert::text(&what, value)?),
            "max_redirects" => {
                let count = convert::count(&what, value)?;
                http.max_redirects = Some(u32::try_from(count).unwrap_or(u32::MAX));
            }
            "timeout" => http.timeout = Some(convert::duration(&what, value)?),
            "connect_timeout" => http.connect_timeout = Some(convert::duration(&what, value)?),
            "http_version" => http.http_version = Some(http_params::version(&what, value)?),
            _ => return Err(HTTP_KEYS.unknown("options.http", key)),
        }
    }
    Ok(http)
}
