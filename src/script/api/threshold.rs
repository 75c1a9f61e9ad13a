//! `threshold` and the key `thresholds` of `options`: limits on what the run measures.
//!
//! What they say is read when it is known what the run has, so that all problems are told at once.

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
    about: "limits on what the run measures",
    intro: "At the top level only. What a limit says is in [thresholds.md](thresholds.md).",
    tables: &[CALLS, KEYS],
    notes: "",
};

calls! {
    CALLS: Owner::Global; ("call", "does");

    /// A limit, whole: `METRIC[{tag:value}]: LIMIT`.
    ///
    /// Errors: told when the script is loaded, all at once: an unknown metric, a figure that it has not, a unit that does
    /// not fit, an unknown scenario or phase.
    ///
    /// ```rhai
    /// threshold("http_req_failed: rate < 1% over 30s abort");
    /// ```
    fn threshold(limit: text);
    /// Limits on one metric: `"p(95) < 200ms"`, a map with the keys of k6 below, or an array of them.
    ///
    /// Errors: the same.
    ///
    /// ```rhai
    /// threshold("http_req_duration{name:/health}", ["p(95) < 50ms", "max < 1s"]);
    /// ```
    fn threshold(metric: text, limits: text|map|array);
}

keys! {
    KEYS: "threshold";

    /// The limit; required.
    threshold: "text";
    /// The run ends when the limit is broken.
    abortOnFail: "true or false";
    /// It does so only once the load is that old.
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
        // In one layer with what is there: several limits on one figure stand beside each other.
        declarations.options.thresholds.extend(thresholds);
        Ok(())
    })
}

/// Where a call stands: `shop.rhai:3:1: threshold`.
pub(super) fn place(context: &NativeCallContext, function: &str) -> String {
    let position = context.call_position();
    let file = context.call_source().unwrap_or_default();
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {function}"),
        _ => function.to_owned(),
    }
}

/// All thresholds of `options`: a map of metrics to limits, as in k6, or whole texts.
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
        let wanted = "a map of metrics to limits, an array of texts, or a text";
        return Err(convert::expected("options.thresholds", wanted, value));
    }
    Ok(texts)
}

/// The limits on one metric: a text, a map as in k6, or an array of them.
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
    let text = text.ok_or_else(|| format!("{what} lacks the key 'threshold'"))?;
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
