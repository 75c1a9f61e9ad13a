//! `metrics::sample` and `metrics::start`: what a script times itself.
//!
//! Owns how an operation of a protocol that rhaid does not speak becomes a request of the protocol
//! [`Protocol::Call`], also for functions of an embedding program. Leaves metrics by name to `metrics`. Invariant: a
//! measurement is counted once, when it ends; one that is dropped before that is counted as not ended, and nowhere else.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::pending::group_tag;
use super::{convert, placed};
use crate::metrics::{ErrorKind, Failure, Protocol, RequestSample, Timings};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::message::{Level, Message};
use crate::script::reference::{Owner, calls, keys};
use crate::script::vu_context::VuContext;

/// Longest sample: what histograms hold.
const LONGEST: Duration = Duration::from_secs(3600);

/// The method of a sample whose script names none, as of functions of an embedding program.
pub(super) const METHOD: &str = "CALL";

/// The method under which transactions are shown.
const TRANSACTION: &str = "TX";

calls! {
    pub(super) CALLS: Owner::Module("metrics"); ("call", "does");

    /// Counts an operation that the script timed itself, as a request of the protocol
    /// [`call`](metrics.md#samples-of-a-script). *VU*
    ///
    /// Errors: an unknown key; neither `duration_ms` nor `started`, or both; a time that is negative or above an hour.
    ///
    /// ```rhai
    /// let started = timestamp();
    /// let found = "…"; // what the script does here is not counted by itself
    /// metrics::sample("find user", #{ method: "LDAP", started: started, ok: found != "", size: found.len() });
    /// ```
    fn sample(name: text, sample: map);

    /// Starts a [transaction](metrics.md#transactions) that ends elsewhere: in another function, task or iteration of
    /// the same VU. *VU*
    ///
    /// ```rhai
    /// task("browse");
    /// task("pay");
    ///
    /// fn browse() {
    ///     if this.checkout == () { this.checkout = metrics::start("checkout"); }
    ///     http::get("/quality/insights");
    /// }
    ///
    /// fn pay() {
    ///     let checkout = this.remove("checkout");
    ///     if checkout == () { return; }
    ///     let paid = http::post("/quality/analyze", #{ json: #{ source: "fn main() {}" } });
    ///     if paid.ok { checkout.end(); } else { checkout.fail("not paid"); }
    /// }
    /// ```
    fn start(name: text) -> Measurement;
}

calls! {
    pub(super) MEASUREMENT: Owner::Type("Measurement"); ("of a measurement", "does");

    /// Ends it and counts it as a successful transaction. *VU*
    ///
    /// Errors: it has already ended.
    fn end();

    /// Ends it and counts it as a failed transaction; the reason is shown as by `log::warn`. The script goes on. *VU*
    ///
    /// Errors: it has already ended.
    fn fail(why: text);

    /// Ends it without counting it.
    ///
    /// Errors: it has already ended.
    fn cancel();

    /// Its name.
    get name -> text;

    /// Milliseconds since its start.
    get elapsed -> float;

    /// Whether it has ended.
    get ended -> bool;
}

keys! {
    pub(super) KEYS: "metrics::sample";

    /// How long the operation took. Required, unless `started` is given.
    duration_ms: "milliseconds, from 0 to an hour";
    /// When it started, if it ends now. `timestamp()` is unaffected by changes of the wall clock.
    started: "what `timestamp()`, `time::now()` or `time::unix_ms()` returned";
    /// Kind of operation, as the HTTP method of a request; shown in capitals. Default: `CALL`.
    method: "text";
    /// If false, the operation failed.
    ok: "true or false";
    /// Why it failed; then it is failed without `ok`.
    error: "text";
    /// Bytes received; counted in `data_received`.
    size: "whole number";
    /// The sample is also counted under each tag `key:value`, as a request is.
    tags: "map of names to plain values";
}

/// An operation of a protocol that rhaid does not speak.
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    pub(super) name: &'a str,
    pub(super) duration: Duration,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) tags: &'a [(String, String)],
    pub(super) failure: Option<Failure>,
}

impl Operation<'_> {
    /// Counts it for the VU, if the VU's requests are counted.
    pub(super) fn count(self, host: &Rc<Host>, vu: &VuContext) {
        if !vu.records {
            return;
        }
        let group = group_tag(host, vu);
        let mut recorder = host.recorder.borrow_mut();
        let mut tags = vu.tags.ids.clone();
        tags.extend(self.tags.iter().map(|(key, value)| recorder.tag(key, value)));
        tags.extend(group);
        let sample = RequestSample {
            protocol: Protocol::Call,
            series: recorder.series(Protocol::Call, &vu.scenario, self.method, self.name),
            tags,
            // A success must not look like a missing response.
            status: if self.failure.is_none() { 200 } else { 0 },
            service: self.duration,
            response: self.duration + vu.lag.get(),
            timings: Timings::waited(self.duration),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            failure: self.failure.map(Box::new),
        };
        recorder.request(&sample);
    }
}

/// A transaction that has begun, as a script value; clones are the same one.
#[derive(Clone)]
struct Measurement(Rc<Begun>);

struct Begun {
    host: Rc<Host>,
    name: ImmutableString,
    started: Instant,
    ended: Cell<bool>,
    /// It is counted: its user's requests are.
    recorded: bool,
}

impl Measurement {
    fn start(host: &Rc<Host>, name: ImmutableString) -> ScriptResult<Measurement> {
        let vu = host.vu("metrics::start")?;
        check_name("metrics::start", &name)?;
        Ok(Measurement(Rc::new(Begun {
            host: host.clone(),
            name,
            started: Instant::now(),
            ended: Cell::new(false),
            recorded: vu.records,
        })))
    }

    fn end(&self, function: &str, failed: Option<&str>) -> ScriptResult<()> {
        let begun = &self.0;
        let vu = begun.host.vu(function)?;
        let duration = begun.started.elapsed();
        self.finish()?;
        if begun.recorded && vu.records {
            begun.host.recorder.borrow_mut().transaction(&begun.name, duration, failed.is_some(), &*vu);
        }
        if let Some(why) = failed {
            let text = format!("transaction '{}' failed: {why}", begun.name);
            let from = Some((vu.id, vu.iteration.get()));
            begun.host.message(Message { level: Level::Warning, text, from });
        }
        Ok(())
    }

    fn finish(&self) -> ScriptResult<()> {
        if self.0.ended.replace(true) {
            return Err(format!("the measurement '{}' has already ended", self.0.name).into());
        }
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // A script value can be dropped anywhere; one that is not told of is better than a panic.
        if !self.ended.get()
            && self.recorded
            && let Ok(mut recorder) = self.host.recorder.try_borrow_mut()
        {
            recorder.not_ended(&self.name);
        }
    }
}

/// Adds the functions to the module `metrics`, and the type of what they give.
pub(super) fn register(engine: &mut Engine, module: &mut Module, host: &Rc<Host>) {
    let h = host.clone();
    module.set_native_fn("sample", move |context: NativeCallContext, name: ImmutableString, sample: Map| {
        placed(&context, count_sample(&h, &name, &sample))
    });
    let h = host.clone();
    module.set_native_fn("start", move |context: NativeCallContext, name: ImmutableString| {
        placed(&context, Measurement::start(&h, name))
    });
    engine
        .register_type_with_name::<Measurement>("Measurement")
        .register_fn("end", |measurement: &mut Measurement| measurement.end("end", None))
        .register_fn("fail", |measurement: &mut Measurement, why: ImmutableString| {
            measurement.end("fail", Some(&why))
        })
        .register_fn("cancel", |measurement: &mut Measurement| measurement.finish())
        .register_get("name", |measurement: &mut Measurement| measurement.0.name.clone())
        .register_get("elapsed", |measurement: &mut Measurement| {
            measurement.0.started.elapsed().as_secs_f64() * 1e3
        })
        .register_get("ended", |measurement: &mut Measurement| measurement.0.ended.get())
        .register_fn("to_string", |measurement: &mut Measurement| shown(measurement))
        .register_fn("to_debug", |measurement: &mut Measurement| shown(measurement));
}

fn shown(measurement: &Measurement) -> String {
    format!("measurement {}", measurement.0.name)
}

fn count_sample(host: &Rc<Host>, name: &str, sample: &Map) -> ScriptResult<()> {
    let vu = host.vu("metrics::sample")?;
    check_name("metrics::sample", name)?;
    let what = |key: &str| format!("metrics::sample '{name}': {key}");
    let mut duration = None;
    let mut started = None;
    let mut method = METHOD.to_owned();
    let mut ok = None;
    let mut error = None;
    let mut size = 0;
    let mut tags = Vec::new();
    for (key, value) in sample {
        KEYS.check("metrics::sample", key)?;
        match key.as_str() {
            "duration_ms" => duration = Some(milliseconds(&what(key), value)?),
            "started" => started = Some(since(&what(key), value)?),
            "method" => method = convert::text(&what(key), value)?.to_ascii_uppercase(),
            "ok" => ok = Some(convert::boolean(&what(key), value)?),
            // `()`: what `r.error` is of a response without one.
            "error" if value.is_unit() => {}
            "error" => error = Some(convert::text(&what(key), value)?),
            "size" => size = convert::count(&what(key), value)?,
            "tags" => tags = convert::text_map(&what(key), value)?,
            _ => return Err(KEYS.unknown("metrics::sample", key).into()),
        }
    }
    let duration = match (duration, started) {
        (Some(duration), None) | (None, Some(duration)) => duration,
        (Some(_), Some(_)) => {
            return Err(format!("{}: give one of duration_ms and started, not both", what("time")).into());
        }
        (None, None) => {
            return Err(format!(
                "{} is missing: how long it took in milliseconds, or started: timestamp()",
                what("duration_ms")
            )
            .into());
        }
    };
    if method.trim().is_empty() || method == TRANSACTION {
        let why = if method == TRANSACTION { "that of transactions" } else { "empty" };
        return Err(format!("{} is {why}; give another one, such as \"SQL\"", what("method")).into());
    }
    if let (Some(true), Some(error)) = (ok, &error) {
        return Err(format!("{} is true, but there is an error: \"{error}\"", what("ok")).into());
    }
    let failed = ok == Some(false) || error.is_some();
    let failure = failed.then(|| Failure {
        kind: ErrorKind::Call,
        message: error.unwrap_or_else(|| format!("{method} {name} failed")),
    });
    let operation = Operation {
        method: &method,
        name,
        duration,
        bytes_sent: 0,
        bytes_received: size,
        tags: &tags,
        failure,
    };
    operation.count(host, &vu);
    Ok(())
}

fn check_name(function: &str, name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err(format!("{function}: the name is empty; give one that the figures are shown under"));
    }
    Ok(())
}

fn milliseconds(what: &str, value: &Dynamic) -> Result<Duration, String> {
    let number =
        convert::number(value).ok_or_else(|| convert::expected(what, "a number of milliseconds", value))?;
    match Duration::try_from_secs_f64(number / 1e3) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(format!(
            "{what} is {number}; it must be from 0 to 3,600,000, an hour in milliseconds (a trend takes more)"
        )),
    }
}

/// How long ago a moment is that a script noted.
fn since(what: &str, value: &Dynamic) -> Result<Duration, String> {
    if let Some(started) = value.read_lock::<Instant>() {
        return match started.elapsed() {
            elapsed if elapsed <= LONGEST => Ok(elapsed),
            _ => Err(format!("{what} is more than an hour ago")),
        };
    }
    let moments = "what timestamp(), time::now() or time::unix_ms() returned at its start";
    // Whole numbers are the milliseconds of `time::unix_ms`, others the seconds of `time::now`.
    let started = match (value.as_int(), value.as_float()) {
        (Ok(ms), _) => u64::try_from(ms).ok().map(Duration::from_millis),
        (_, Ok(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        _ => return Err(convert::expected(what, moments, value)),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let elapsed = started.and_then(|started| now.checked_sub(started));
    match elapsed {
        Some(elapsed) if elapsed <= LONGEST => Ok(elapsed),
        Some(_) => Err(format!("{what} is {value}, more than an hour ago; it must be {moments}")),
        None => Err(format!("{what} is {value}, which lies in the future; it must be {moments}")),
    }
}
