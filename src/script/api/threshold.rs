//! `threshold` and the key `thresholds` of `options`: pass/fail conditions on metrics.
//!
//! Thresholds are parsed once the metrics of the run are known, so that all problems are reported at once.

use std::rc::Rc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use super::convert;
use crate::metrics::ThresholdText;
use crate::plan::Options;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls, keys};

pub(super) const SECTION: Section = Section {
    name: "threshold",
    title: "`threshold`",
    is_part: false,
    about: "pass/fail conditions on metrics",
    intro: "At the top level only. The syntax is described in [thresholds.md](thresholds.md).",
    tables: &[CALLS, KEYS],
    notes: "",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// Declares a complete threshold: `METRIC[{tag:value}]: CONDITION`.
    ///
    /// Errors: an unknown metric, a statistic that the metric does not have, a unit that does not fit, an unknown
    /// scenario or phase. All are reported when the script is loaded.
    ///
    /// ```rhai
    /// threshold("http_req_failed: rate < 1% over 30s abort");
    /// ```
    fn threshold(threshold: text);
    /// Declares thresholds on one metric: `"p(95) < 200ms"`, a map with the k6 keys below, or an array of these.
    ///
    /// Errors: the same.
    ///
    /// ```rhai
    /// threshold("http_req_duration{name:/health}", ["p(95) < 50ms", "max < 1s"]);
    /// ```
    fn threshold(metric: text, thresholds: text|map|array);
}

keys! {
    KEYS: "threshold";

    /// The condition; required.
    threshold: "text";
    /// If true, the run ends when the threshold is breached.
    abortOnFail: "true or false";
    /// The run ends only after the load has lasted this long.
    delayAbortEval: "time";
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn(
        "threshold",
        move |context: NativeCallContext, text: ImmutableString| -> ScriptResult<()> {
            declare(&h, vec![ThresholdText::new(text.as_str(), place(&context, "threshold"))])
        },
    );
    let h = host.clone();
    engine.register_fn(
        "threshold",
        move |context: NativeCallContext, metric: ImmutableString, limits: Dynamic| -> ScriptResult<()> {
            let mut texts = Vec::new();
            read(&metric, &limits, &place(&context, "threshold"), &mut texts)?;
            declare(&h, texts)
        },
    );
}

fn declare(host: &Rc<Host>, thresholds: Vec<ThresholdText>) -> ScriptResult<()> {
    host.declare("threshold", |declarations| {
        // In one layer with the existing ones: several thresholds on one statistic all apply.
        declarations.options.thresholds.extend(thresholds);
        Ok(())
    })
}

/// The position of a call: `shop.rhai:3:1: threshold`.
pub(super) fn place(context: &NativeCallContext, function: &str) -> String {
    let position = context.call_position();
    let file = context.call_source().unwrap_or_default();
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {function}"),
        _ => function.to_owned(),
    }
}

/// All thresholds of `options`: a map from metrics to conditions, as in k6, or complete texts.
pub(super) fn read_all(value: &Dynamic, place: &str) -> Result<Vec<ThresholdText>, String> {
    let mut texts = Vec::new();
    if let Some(map) = value.read_lock::<Map>() {
        for (metric, limits) in map.iter() {
            read(metric, limits, place, &mut texts)?;
        }
    } else if let Some(array) = value.read_lock::<Array>() {
        for text in array.iter() {
            texts.push(ThresholdText::new(convert::text("each of options.thresholds", text)?, place));
        }
    } else if value.is_string() {
        texts.push(ThresholdText::new(value.to_string(), place));
    } else {
        let wanted = "a map from metrics to conditions, an array of texts, or text";
        return Err(convert::expected("options.thresholds", wanted, value));
    }
    Ok(texts)
}

/// The thresholds on one metric: text, a map as in k6, or an array of them.
fn read(metric: &str, limits: &Dynamic, place: &str, texts: &mut Vec<ThresholdText>) -> Result<(), String> {
    if let Some(array) = limits.read_lock::<Array>() {
        return array.iter().try_for_each(|limit| read(metric, limit, place, texts));
    }
    let what = format!("the threshold on '{metric}'");
    let Some(map) = limits.read_lock::<Map>() else {
        let wanted = "text such as \"p(95) < 200ms\", a map #{ threshold: … }, or an array of them";
        let text = convert::text(&what, limits).map_err(|_| convert::expected(&what, wanted, limits))?;
        texts.push(ThresholdText::new(format!("{metric}: {}", text.trim()), place));
        return Ok(());
    };
    let (mut text, mut aborts, mut after) = (None, false, Duration::ZERO);
    for (key, value) in map.iter() {
        let what = format!("{what}: {key}");
        match key.as_str() {
            "threshold" => text = Some(convert::text(&what, value)?),
            "abortOnFail" => aborts = convert::boolean(&what, value)?,
            "delayAbortEval" => after = convert::duration(&what, value)?,
            _ => return Err(KEYS.unknown(&what, key)),
        }
    }
    let text = text.ok_or_else(|| format!("{what} has no key 'threshold'"))?;
    let mut threshold = ThresholdText::new(format!("{metric}: {}", text.trim()), place);
    threshold.abort_after = aborts.then_some(after);
    texts.push(threshold);
    Ok(())
}

/// Options with the thresholds of two layers in one, because one script declares both.
pub(super) fn beside(upper: Options, lower: Options) -> Options {
    let mut thresholds = lower.thresholds.clone();
    thresholds.extend(upper.thresholds.clone());
    Options { thresholds, ..upper.or(lower) }
}
