//! The keys of a scenario, and of `options`, that define how iterations are started.
//!
//! Leaves which values make sense together to `plan::Executor`. Invariant: a key that the executor does not have
//! is an error; all errors of a scenario are reported at once.

use std::time::Duration;

use rhai::{Array, Dynamic, Map};

use super::convert;
use super::table::TableRef;
use crate::plan::{
    Arrivals, DEFAULT_MAX_DURATION, DEFAULT_MAX_VUS, Executor, Late, Open, RunStages, Stage, parse_rate,
    parse_stages,
};
use crate::script::reference::keys;
use crate::text::{did_you_mean, one_of};

/// By executor, the keys it has.
const EXECUTORS: [(&str, &[&str]); 9] = [
    ("users", &[]),
    ("constant-vus", &["vus", "duration"]),
    ("ramping-vus", &["start_vus", "stages", "graceful_ramp_down"]),
    ("per-vu-iterations", &["vus", "iterations", "max_duration"]),
    ("shared-iterations", &["vus", "iterations", "max_duration"]),
    (
        "constant-arrival-rate",
        &["rate", "time_unit", "duration", "pre_allocated_vus", "max_vus", "arrivals", "late"],
    ),
    (
        "ramping-arrival-rate",
        &["start_rate", "time_unit", "stages", "pre_allocated_vus", "max_vus", "arrivals", "late"],
    ),
    ("trace", &["trace", "pre_allocated_vus", "max_vus", "arrivals", "late"]),
    ("shape", &["shape", "pre_allocated_vus", "max_vus", "arrivals", "late"]),
];

keys! {
    pub(super) LOAD_KEYS: "scenario";

    /// How iterations are started, see [load.md](load.md#executors). Without one, the scenario gets a share of
    /// the run's VUs or rate.
    executor: "name of an executor";
    /// Number of VUs for `constant-vus`, `per-vu-iterations` and `shared-iterations`; default 1.
    vus: "whole number";
    /// Duration of `constant-vus` or `constant-arrival-rate`; default: the whole run.
    duration: "time";
    /// Initial number of VUs for `ramping-vus`; default 0.
    start_vus: "whole number";
    /// Stages of the number of VUs or the rate, interpolated linearly from target to target.
    stages: "array of maps `duration`, `target`, `name`, or text such as `\"30s:20,1m:20\"`";
    /// Time that the running iteration of a VU that `ramping-vus` removes may go on, sleeps included.
    graceful_ramp_down: "time";
    /// Iterations per VU (`per-vu-iterations`; default 1), or in total (`shared-iterations`).
    iterations: "whole number";
    /// Time limit for these iterations; default 10 minutes. Iterations not started by then are dropped.
    max_duration: "time";
    /// Iterations started per `time_unit` for `constant-arrival-rate`.
    rate: "number, or text such as `\"600/m\"`";
    /// The period that `rate`, `start_rate` and stage targets refer to; default 1 s.
    time_unit: "time";
    /// Initial rate of `ramping-arrival-rate`; default 0.
    start_rate: "number, or text such as `\"600/m\"`";
    /// A recorded arrival rate to replay, with columns `time` and `rate`.
    trace: "table of `data::csv`, or array of maps";
    /// Function that returns the load, called every second; see [load.md](load.md#shapes).
    shape: "function or its name";
    /// With a rate: VUs created at the start; default 0.
    pre_allocated_vus: "whole number";
    /// With a rate: maximum number of VUs; default 1,000.
    max_vus: "whole number";
    /// With a rate: how arrivals are spread over time: evenly, or as a Poisson process.
    arrivals: "`\"uniform\"` or `\"poisson\"`";
    /// With a rate: what happens to an iteration when no VU is free: it waits for one, or it is dropped and
    /// counted.
    late: "`\"queue\"` or `\"drop\"`";
}

/// Whether a key concerns the load of a scenario.
pub(super) fn is_load_key(key: &str) -> bool {
    LOAD_KEYS.names().contains(&key)
}

/// Reads the load of a scenario; `None` if it shares the run's load with others that have no executor.
pub(super) fn executor(of: &str, map: &Map, problems: &mut Vec<String>) -> Option<Executor> {
    let name = kind(of, map, problems)?;
    let known = EXECUTORS.iter().find(|(known, _)| *known == name).map_or(&[] as &[&str], |(_, keys)| *keys);
    for key in map.keys().filter(|key| is_load_key(key) && *key != "executor") {
        if !known.contains(&key.as_str()) {
            problems.push(misplaced(of, &name, key));
        }
    }
    let mut keys = Keys { of, map, problems };
    Some(match name.as_str() {
        "constant-vus" => {
            Executor::ConstantVus { vus: keys.count("vus").unwrap_or(1), duration: keys.time("duration") }
        }
        "ramping-vus" => Executor::RampingVus {
            start_vus: keys.count("start_vus").unwrap_or(0),
            stages: keys.stages(1.0),
            graceful_ramp_down: keys.time("graceful_ramp_down"),
        },
        "per-vu-iterations" => Executor::PerVuIterations {
            vus: keys.count("vus").unwrap_or(1),
            iterations: keys.count("iterations").unwrap_or(1),
            max_duration: keys.time("max_duration").unwrap_or(DEFAULT_MAX_DURATION),
        },
        "shared-iterations" => Executor::SharedIterations {
            vus: keys.count("vus").unwrap_or(1),
            iterations: keys.required("iterations", Keys::count).unwrap_or(u64::MAX),
            max_duration: keys.time("max_duration").unwrap_or(DEFAULT_MAX_DURATION),
        },
        "constant-arrival-rate" => {
            let unit = keys.time_unit();
            Executor::ConstantArrivalRate {
                rate: keys.required("rate", |keys, key| keys.rate(key, unit)).unwrap_or(1.0),
                duration: keys.time("duration"),
                open: keys.open(),
            }
        }
        "ramping-arrival-rate" => {
            let unit = keys.time_unit();
            Executor::RampingArrivalRate {
                start_rate: keys.rate("start_rate", unit).unwrap_or(0.0),
                stages: keys.stages(unit),
                open: keys.open(),
            }
        }
        "trace" => Executor::Trace {
            steps: keys.required("trace", Keys::trace).unwrap_or_else(|| two_steps().to_vec()),
            open: keys.open(),
        },
        "shape" => Executor::Shape {
            function: keys.required("shape", Keys::function).unwrap_or_default(),
            open: keys.open(),
        },
        _ => return None,
    })
}

/// Stands in for a trace that could not be read, so that no further problem is reported for it.
fn two_steps() -> [(Duration, f64); 2] {
    [(Duration::ZERO, 1.0), (Duration::from_secs(1), 1.0)]
}

/// The executor's name: as it is given, or what `shape` and `trace` imply.
fn kind(of: &str, map: &Map, problems: &mut Vec<String>) -> Option<String> {
    if let Some(value) = map.get("executor") {
        let names = || EXECUTORS.iter().map(|(name, _)| *name);
        return match convert::text(&format!("{of}: executor"), value) {
            Ok(name) if name == "externally-controlled" => {
                problems.push(format!(
                    "{of}: there is no executor 'externally-controlled'; the load of every executor can be \
                     changed during the run"
                ));
                None
            }
            Ok(name) if names().any(|known| known == name) => (name != "users").then_some(name),
            Ok(name) => {
                let (hint, all) = (did_you_mean(&name, names()), names().collect::<Vec<_>>().join(", "));
                problems.push(format!("{of}: unknown executor '{name}'{hint} (known: {all})"));
                None
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
    }
    if let Some(implied) = ["shape", "trace"].into_iter().find(|key| map.contains_key(*key)) {
        return Some(implied.to_owned());
    }
    for key in map.keys().filter(|key| is_load_key(key)) {
        problems.push(misplaced(of, "users", key));
    }
    None
}

fn misplaced(of: &str, executor: &str, key: &str) -> String {
    let owners: Vec<&str> =
        EXECUTORS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name).collect();
    if owners.is_empty() {
        return format!(
            "{of}: '{key}' is set for the whole run, with options or --{}",
            key.replace('_', "-")
        );
    }
    format!("{of}: '{key}' belongs to the executor {}, not to {executor}", owners.join(" or "))
}

/// Reads keys and collects problems.
struct Keys<'a> {
    of: &'a str,
    map: &'a Map,
    problems: &'a mut Vec<String>,
}

impl Keys<'_> {
    fn read<T>(&mut self, key: &str, read: impl FnOnce(&str, &Dynamic) -> Result<T, String>) -> Option<T> {
        let value = self.map.get(key)?;
        read(&format!("{}: {key}", self.of), value).map_err(|problem| self.problems.push(problem)).ok()
    }

    /// As `read`, but the key is required.
    fn required<T>(&mut self, key: &str, read: impl FnOnce(&mut Self, &str) -> Option<T>) -> Option<T> {
        if !self.map.contains_key(key) {
            self.problems.push(format!("{}: {key} is missing", self.of));
        }
        read(self, key)
    }

    fn count(&mut self, key: &str) -> Option<u64> {
        self.read(key, convert::count)
    }

    fn time(&mut self, key: &str) -> Option<Duration> {
        self.read(key, convert::duration)
    }

    fn function(&mut self, key: &str) -> Option<String> {
        self.read(key, convert::function_name)
    }

    /// The seconds that a rate without its own unit refers to.
    fn time_unit(&mut self) -> f64 {
        let unit = self.time("time_unit").map_or(1.0, |unit| unit.as_secs_f64());
        if unit > 0.0 {
            return unit;
        }
        self.problems.push(format!("{}: time_unit is 0; it must be above 0", self.of));
        1.0
    }

    fn rate(&mut self, key: &str, unit: f64) -> Option<f64> {
        self.read(key, |what, value| rate(what, value, unit))
    }

    fn open(&mut self) -> Open {
        let pre_allocated_vus = self.count("pre_allocated_vus").unwrap_or(0);
        Open {
            pre_allocated_vus,
            max_vus: self.count("max_vus").unwrap_or(DEFAULT_MAX_VUS.max(pre_allocated_vus)),
            arrivals: self.read("arrivals", arrivals).unwrap_or_default(),
            late: self.read("late", late).unwrap_or_default(),
        }
    }

    fn stages(&mut self, unit: f64) -> Vec<Stage> {
        let of = self.of;
        if !self.map.contains_key("stages") {
            self.problems.push(format!("{of}: stages is missing"));
            return vec![placeholder()];
        }
        if let Some(text) = self.map.get("stages").and_then(|value| value.clone().into_string().ok()) {
            let read =
                parse_stages(&text).map_err(|problem| self.problems.push(format!("{of}: stages: {problem}")));
            return read.map_or_else(|()| vec![placeholder()], |read| read.stages);
        }
        let Some(list) = self.read("stages", convert::array) else { return vec![placeholder()] };
        let mut stages = Vec::new();
        for (index, value) in list.iter().enumerate() {
            stages.push(stage(&format!("{of}: stage {}", index + 1), value, unit, self.problems));
        }
        stages
    }

    fn trace(&mut self, key: &str) -> Option<Vec<(Duration, f64)>> {
        self.read(key, |what, value| {
            let rows = trace_rows(what, value)?;
            let start = rows.first().map_or(0.0, |(time, _)| *time);
            rows.iter()
                .enumerate()
                .map(|(row, (time, rate))| {
                    let time = Duration::try_from_secs_f64(time - start).map_err(|_| {
                        let why = if *time < start { "before that of the first row" } else { "too large" };
                        format!("{what}: the time of row {} is {why}", row + 1)
                    })?;
                    Ok((time, *rate))
                })
                .collect()
        })
    }
}

/// Stands in for a stage that could not be read.
fn placeholder() -> Stage {
    Stage { duration: Duration::from_secs(1), target: 1.0, name: None }
}

fn stage(what: &str, value: &Dynamic, unit: f64, problems: &mut Vec<String>) -> Stage {
    const KEYS: [&str; 3] = ["duration", "target", "name"];
    let mut stage = placeholder();
    let map = match convert::map(what, value) {
        Ok(map) => map,
        Err(problem) => {
            problems.push(problem);
            return stage;
        }
    };
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        problems.push(convert::unknown_key(what, key, &KEYS));
    }
    for key in ["duration", "target"].into_iter().filter(|key| !map.contains_key(*key)) {
        problems.push(format!("{what} has no {key}"));
    }
    let mut keep = |problem: Result<(), String>| problems.extend(problem.err());
    if let Some(value) = map.get("duration") {
        keep(convert::duration(&format!("{what}: duration"), value).map(|time| stage.duration = time));
    }
    if let Some(value) = map.get("target") {
        keep(rate(&format!("{what}: target"), value, unit).map(|target| stage.target = target));
    }
    if let Some(value) = map.get("name") {
        keep(convert::text(&format!("{what}: name"), value).map(|name| stage.name = Some(name)));
    }
    stage
}

/// A number of iterations in `unit` seconds, or text with its own unit; gives it per second.
fn rate(what: &str, value: &Dynamic, unit: f64) -> Result<f64, String> {
    if let Some(number) = convert::number(value) {
        return Ok(number / unit);
    }
    match value.as_immutable_string_ref() {
        Ok(text) => parse_rate(&text).map_err(|problem| format!("{what}: {problem}")),
        Err(_) => Err(convert::expected(what, "a number, or text such as \"137/s\"", value)),
    }
}

pub(super) fn arrivals(what: &str, value: &Dynamic) -> Result<Arrivals, String> {
    choice(what, value, &Arrivals::CHOICES)
}

pub(super) fn late(what: &str, value: &Dynamic) -> Result<Late, String> {
    choice(what, value, &Late::CHOICES)
}

fn choice<T: Copy>(what: &str, value: &Dynamic, choices: &[(&str, T)]) -> Result<T, String> {
    let word = convert::text(what, value)?;
    one_of(&word, choices).map_err(|problem| format!("{what} is \"{word}\"; {problem}"))
}

/// A rate of the run: a number per second, or text with a unit.
pub(super) fn run_rate(what: &str, value: &Dynamic) -> Result<f64, String> {
    rate(what, value, 1.0)
}

/// Stages of the run: text as for the flag, or an array of maps; `are_rates` is then decided by the first target.
pub(super) fn run_stages(what: &str, value: &Dynamic) -> Result<RunStages, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return parse_stages(&text).map_err(|problem| format!("{what}: {problem}"));
    }
    let list: Array = convert::array(what, value)?;
    let mut problems = Vec::new();
    let stages: Vec<Stage> = list
        .iter()
        .enumerate()
        .map(|(index, value)| stage(&format!("{what}: stage {}", index + 1), value, 1.0, &mut problems))
        .collect();
    let is_rate = |value: &Dynamic| {
        let target = convert::map(what, value).ok().and_then(|map| map.get("target").cloned());
        target.is_some_and(|target| target.is_string())
    };
    let rates = list.iter().filter(|value| is_rate(value)).count();
    if rates > 0 && rates < list.len() {
        problems.push(format!("{what}: some targets are rates (\"100/s\") and some are users (100)"));
    }
    if problems.is_empty() {
        Ok(RunStages { stages, are_rates: rates > 0 })
    } else {
        Err(problems.join("; "))
    }
}

/// Rows of time in seconds and rate per second, from a table of `data::csv` or an array of maps.
fn trace_rows(what: &str, value: &Dynamic) -> Result<Vec<(f64, f64)>, String> {
    let rows: Vec<Dynamic> = if let Some(table) = value.read_lock::<TableRef>() {
        let rows: Result<_, _> = table.clone().into_iter().collect();
        rows.map_err(|error| format!("{what}: {error}"))?
    } else {
        convert::array(what, value).map_err(|_| {
            convert::expected(what, "a table such as data::csv(\"rate.csv\") or an array of maps", value)
        })?
    };
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let what = format!("{what}: row {}", index + 1);
            let map = convert::map(&what, row)?;
            let cell = |column: &str| {
                let cell = map.get(column).ok_or_else(|| {
                    let columns = map.keys().map(|key| key.as_str());
                    let hint = did_you_mean(column, columns.clone());
                    format!(
                        "{what} has no column '{column}'{hint} (it has: {})",
                        columns.collect::<Vec<_>>().join(", ")
                    )
                })?;
                trace_number(&format!("{what}: {column}"), cell)
            };
            Ok((cell("time")?, cell("rate")?))
        })
        .collect()
}

fn trace_number(what: &str, value: &Dynamic) -> Result<f64, String> {
    if let Some(number) = convert::number(value) {
        return Ok(number);
    }
    let text = convert::text(what, value)?;
    // A plain number first: a moment in seconds since 1970 is longer than any duration.
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number.map_or_else(
        || {
            crate::text::parse_duration(&text)
                .map(|time| time.as_secs_f64())
                .map_err(|problem| format!("{what}: {problem}"))
        },
        Ok,
    )
}
