//! `metrics::…` and `measure`: a script's own measurements.

use std::rc::Rc;
use std::time::Instant;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, Module, NativeCallContext};

use super::{call_closure, convert, placed, sample};
use crate::metrics::{CustomId, MetricKind, builtin};
use crate::script::ending::{Ending, ScriptResult};
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

/// Longest name, as in k6.
const LONGEST_NAME: usize = 128;

/// A metric as a script value.
#[derive(Clone)]
struct Metric {
    id: CustomId,
    kind: MetricKind,
    name: ImmutableString,
    host: Rc<Host>,
}

impl Metric {
    fn of(host: &Rc<Host>, kind: MetricKind, name: ImmutableString, is_time: bool) -> ScriptResult<Metric> {
        check_name(&name)?;
        let id = host.recorder.borrow_mut().custom(&name, kind, is_time)?;
        Ok(Metric { id, kind, name, host: host.clone() })
    }

    fn add(&self, value: &Dynamic, tags: &[(String, String)]) -> ScriptResult<()> {
        let vu = self.host.vu(&format!("{}.add", self.name))?;
        let wanted = match self.kind {
            MetricKind::Rate => "true or false",
            _ => "a number",
        };
        let number = match (self.kind, value.as_bool()) {
            (MetricKind::Rate, Ok(is_true)) => Some(f64::from(u8::from(is_true))),
            (_, Ok(_)) => None,
            // As in k6: a number other than 0 is true.
            (_, Err(_)) => convert::number(value),
        };
        let number = number.ok_or_else(|| {
            convert::expected(&format!("{} '{}': the value", self.kind, self.name), wanted, value)
        })?;
        if vu.records {
            self.host.recorder.borrow_mut().custom_value(self.id, number, tags, &*vu)?;
        }
        Ok(())
    }
}

calls! {
    pub(super) MEASURE: Owner::Global; ("call", "does");

    /// Times the closure as a [transaction](metrics.md#transactions); returns its result. *VU*
    ///
    /// Errors: those of the closure; they fail the transaction.
    ///
    /// ```rhai
    /// measure("order", || {
    ///     http::get("/quality/insights");
    ///     http::post("/quality/analyze", #{ json: #{ source: "fn main() {}" } });
    /// });
    /// ```
    fn measure(name: text, body: function) -> any;
}

pub(super) const SECTION: Section = Section {
    name: "metrics",
    title: "`metrics`",
    is_part: false,
    about: "custom metrics, samples and measurements",
    intro: "Custom metrics. Create them at the top level or in a function; the same name is the same metric \
            on all threads. `metrics::sample` counts a request of a protocol that rhaid does not speak, \
            `metrics::start` times something that ends elsewhere.",
    tables: &[CALLS, METRIC, sample::CALLS, sample::KEYS, sample::MEASUREMENT],
    notes: r##"
```rhai
const ORDERS = metrics::counter("orders");
const SCORE = metrics::trend("score");

fn iteration() {
    measure("order", || {
        let response = http::post("/quality/analyze", #{ json: #{ source: "fn main() {}" } }).expect(200);
        ORDERS.add(1, #{ shop: "north" });
        SCORE.add(response.json("score"));
    });
}
```"##,
};

calls! {
    CALLS: Owner::Module("metrics"); ("call", "gives");

    /// A metric that sums its values.
    ///
    /// Errors: the name is invalid, built in, or already that of another kind of metric.
    fn counter(name: text) -> Metric;

    /// A metric that keeps the last, minimum and maximum value.
    ///
    /// Errors: as `counter`.
    fn gauge(name: text) -> Metric;

    /// A metric that keeps the share of true values.
    ///
    /// Errors: as `counter`.
    fn rate(name: text) -> Metric;

    /// A metric that keeps the distribution of its values; with `true`, they are milliseconds.
    ///
    /// Errors: as `counter`.
    fn trend(name: text) -> Metric;
    fn trend(name: text, is_time: bool) -> Metric;
}

calls! {
    METRIC: Owner::Type("Metric"); ("of a metric", "does");

    /// Adds a value to the metric, and to each of the tags: `orders.add(1, #{ shop: "north" })`. *VU*
    ///
    /// Errors: the value does not fit the [kind](metrics.md#metrics-of-a-script) of the metric.
    fn add(value: number|bool);
    fn add(value: number|bool, tags: map);

    /// Its name.
    get name -> text;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    for kind in [MetricKind::Counter, MetricKind::Gauge, MetricKind::Rate, MetricKind::Trend] {
        let h = host.clone();
        module.set_native_fn(kind.as_str(), move |context: NativeCallContext, name: ImmutableString| {
            placed(&context, Metric::of(&h, kind, name, false))
        });
    }
    let h = host.clone();
    module.set_native_fn("trend", move |context: NativeCallContext, name: ImmutableString, is_time: bool| {
        placed(&context, Metric::of(&h, MetricKind::Trend, name, is_time))
    });
    sample::register(engine, &mut module, host);
    engine.register_static_module("metrics", module.into());

    engine
        .register_type_with_name::<Metric>("Metric")
        .register_fn("add", |metric: &mut Metric, value: Dynamic| metric.add(&value, &[]))
        .register_fn("add", |metric: &mut Metric, value: Dynamic, tags: Map| -> ScriptResult<()> {
            let what = format!("{} '{}': tags", metric.kind, metric.name);
            metric.add(&value, &convert::text_map(&what, &Dynamic::from_map(tags))?)
        })
        .register_get("name", |metric: &mut Metric| metric.name.clone())
        .register_fn("to_string", |metric: &mut Metric| format!("{} {}", metric.kind, metric.name))
        .register_fn("to_debug", |metric: &mut Metric| format!("{} {}", metric.kind, metric.name));

    let h = host.clone();
    engine.register_fn(
        "measure",
        move |context: NativeCallContext, name: ImmutableString, body: FnPtr| -> ScriptResult<Dynamic> {
            let vu = h.vu("measure")?;
            let started = Instant::now();
            let result = call_closure(&h, &context, &body, []);
            let failed = match &result {
                Ok(_) => Some(false),
                Err(error) => has_failed(error),
            };
            if let (Some(failed), true) = (failed, vu.records) {
                h.recorder.borrow_mut().transaction(&name, started.elapsed(), failed, &*vu);
            }
            result
        },
    );
}

/// Whether an error fails the transaction; `None` when it was interrupted or left on purpose.
fn has_failed(error: &EvalAltResult) -> Option<bool> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            has_failed(inner)
        }
        EvalAltResult::ErrorTerminated(token, _) => match token.read_lock::<Ending>().as_deref() {
            Some(Ending::Stopped | Ending::Abort(_) | Ending::VuStop) => None,
            _ => Some(true),
        },
        _ => Some(true),
    }
}

/// Names as k6 has them, so that its readers of summaries and thresholds take them.
fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let is_word = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_word || name.len() > LONGEST_NAME {
        return Err(format!(
            "\"{name}\" is not a metric name: use letters, digits and _, no leading digit, and at most \
             {LONGEST_NAME} characters"
        ));
    }
    if builtin::named(name).is_some() {
        return Err(format!("'{name}' is a built-in metric (see docs/metrics.md); choose another name"));
    }
    match builtin::reserved_prefix(name) {
        Some(prefix) => Err(format!(
            "the metric name '{name}' begins with '{prefix}', which is reserved for built-in metrics (see docs/metrics.md); \
             choose another name"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["orders", "_x1", "Price_EUR"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in ["", "1st", "a-b", "a b", "größe", "http_reqs", "vus", "iterations", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
