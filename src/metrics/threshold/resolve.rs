//! From texts of several layers to the thresholds of a run: parsed, validated against the run, merged.

use super::parse::parse;
use super::problem::Problem;
use super::{Quantity, Threshold, ThresholdText};
use crate::metrics::builtin::CustomMetric;
use crate::metrics::builtin::{TagUse, find};
use crate::text::did_you_mean;

/// The phases of every run.
const PHASES: [&str; 3] = ["ramp-up", "steady", "ramp-down"];

/// Tags that k6 sets on every sample and this engine does not.
const TAGS_OF_K6: [&str; 8] = ["url", "proto", "subproto", "error_code", "tls_version", "ip", "vu", "iter"];

/// Everything in a run that thresholds can refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Metrics of the script.
    pub(crate) own: Vec<CustomMetric>,
    pub(crate) scenarios: Vec<String>,
    /// Names of stages; `None` when the load is set wrongly, so that they are not known.
    pub(crate) stages: Option<Vec<String>>,
}

/// The thresholds that hold, and warnings.
///
/// A threshold replaces those of lower layers on the same statistic and side; those of one layer all apply.
///
/// # Errors
/// Every problem of every text, each with its place and a caret.
pub(crate) fn resolve(
    texts: &[ThresholdText],
    known: &Known,
) -> Result<(Vec<Threshold>, Vec<String>), Vec<String>> {
    let (mut kept, mut warnings, mut problems) = (Vec::<(u32, Threshold)>::new(), Vec::new(), Vec::new());
    let mut by_layer: Vec<&ThresholdText> = texts.iter().collect();
    by_layer.sort_by_key(|text| text.layer);
    for set in by_layer {
        let place = if set.place.is_empty() { "threshold" } else { &set.place };
        let read = parse(&set.text, &known.own).and_then(|threshold| check(&set.text, threshold, known));
        match read {
            Ok(mut threshold) => {
                threshold.abort_after = threshold.abort_after.or(set.abort_after);
                threshold.if_measured = set.if_measured;
                warnings
                    .extend(doubt(&threshold).map(|doubt| format!("{place}: {}: {doubt}", set.text.trim())));
                let replaced = kept.iter().any(|(layer, upper)| {
                    *layer < set.layer && upper.is_about_the_same(&threshold, set.is_default)
                });
                let repeated = kept.iter().any(|(_, known)| *known == threshold);
                if !replaced && !repeated {
                    kept.push((set.layer, threshold));
                }
            }
            Err(found) => problems.extend(found.iter().map(|problem| problem.shown(place, &set.text))),
        }
    }
    if problems.is_empty() {
        // The lowest layer first: the script's own thresholds come before those of a flag.
        kept.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));
        Ok((kept.into_iter().map(|(_, threshold)| threshold).collect(), warnings))
    } else {
        Err(problems)
    }
}

/// Checks what only the run can tell.
fn check(text: &str, threshold: Threshold, known: &Known) -> Result<Threshold, Vec<Problem>> {
    let mut problems = Vec::new();
    let place = |part: &str| text.find(part).unwrap_or(0);
    if let Some((_, scenario)) = threshold.tags.iter().find(|(key, _)| key == "scenario")
        && !known.scenarios.contains(scenario)
    {
        let names = known.scenarios.iter().map(String::as_str);
        let hint = did_you_mean(scenario, names);
        let message =
            format!("the run has no scenario '{scenario}'{hint} (it has: {})", known.scenarios.join(", "));
        problems.push(Problem::new(place(scenario), scenario.len(), message));
    }
    if let (Some(phase), Some(stages)) = (&threshold.phase, &known.stages) {
        let names = || PHASES.into_iter().chain(stages.iter().map(String::as_str));
        if !names().any(|name| name == phase) {
            let hint = did_you_mean(phase, names());
            let all: Vec<&str> = names().collect();
            let message =
                format!("the run has no phase or stage '{phase}'{hint} (it has: {})", all.join(", "));
            let at = text.rfind(phase.as_str()).unwrap_or(0);
            problems.push(Problem::new(at, phase.len(), message));
        }
    }
    if problems.is_empty() { Ok(threshold) } else { Err(problems) }
}

/// A likely mistake.
fn doubt(threshold: &Threshold) -> Option<String> {
    if threshold.quantity == Quantity::Share && threshold.limit > 1.0 {
        return Some(format!(
            "a share is never above 1, so this threshold has no effect; for percent write {}%",
            threshold.limit
        ));
    }
    let (key, _) = threshold.tags.iter().find(|(key, _)| TAGS_OF_K6.contains(&key.as_str()))?;
    let is_request = find(&threshold.metric, &[]).is_some_and(|metric| metric.tags() == TagUse::Request);
    let instead = if key == "url" && is_request { "; the path of a request is its 'name'" } else { "" };
    Some(format!(
        "there is no built-in tag '{key}'; unless the script sets it, there is no data and the threshold \
         fails{instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::over;
    use super::*;

    fn known() -> Known {
        Known {
            scenarios: vec!["browse".into(), "buy".into()],
            stages: Some(vec!["peak".into()]),
            own: Vec::new(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<ThresholdText> {
        texts.iter().map(|text| ThresholdText::new(*text, "here")).collect()
    }

    #[test]
    fn an_upper_layer_replaces_a_limit_on_the_same_figure_and_keeps_the_others() {
        let flags = texts(&["http_req_duration: p(95) < 1s", "http_reqs: count > 5"]);
        let script = texts(&[
            "http_req_duration: p(95) < 200ms",
            "http_req_duration{scenario:buy}: p(95) < 300ms",
            "http_reqs: count < 9",
        ]);
        let (resolved, _) = resolve(&over(flags, script), &known()).unwrap();
        let shown: Vec<String> = resolved
            .iter()
            .map(|threshold| format!("{}: {}", threshold.selector(), threshold.expression))
            .collect();
        assert_eq!(
            shown,
            [
                "http_req_duration{scenario:buy}: p(95) < 300ms",
                "http_reqs: count < 9",
                "http_req_duration: p(95) < 1s",
                "http_reqs: count > 5",
            ]
        );
    }

    #[test]
    fn limits_of_one_layer_stand_beside_each_other_once() {
        let script = texts(&["checks: rate > 0.9", "checks: rate > 0.5", "checks: rate > 0.9"]);
        assert_eq!(resolve(&script, &known()).unwrap().0.len(), 2);
    }

    #[test]
    fn all_problems_are_told_with_a_caret() {
        let script = texts(&[
            "http_req_durations: p(95) < 200ms",
            "iterations{scenario:by}: count > 1",
            "checks: rate > 0.9 in pek",
        ]);
        let problems = resolve(&script, &known()).unwrap_err();
        assert_eq!(
            problems,
            [
                "here: unknown metric 'http_req_durations' — did you mean 'http_req_duration'?\n    \
                 http_req_durations: p(95) < 200ms\n    ^^^^^^^^^^^^^^^^^^",
                "here: the run has no scenario 'by' — did you mean 'buy'? (it has: browse, buy)\n    \
                 iterations{scenario:by}: count > 1\n                        ^^",
                "here: the run has no phase or stage 'pek' — did you mean 'peak'? (it has: ramp-up, steady, ramp-down, \
                 peak)\n    checks: rate > 0.9 in pek\n                          ^^^",
            ]
        );
    }

    #[test]
    fn doubts_are_warnings() {
        let (resolved, warnings) =
            resolve(&texts(&["http_req_failed: rate < 5", "http_reqs{url:/x}: count > 1"]), &known())
                .unwrap();
        assert_eq!(resolved.len(), 2);
        assert!(warnings[0].contains("write 5%"), "{warnings:?}");
        assert!(warnings[1].contains("'name'"), "{warnings:?}");
    }

    #[test]
    fn profiles_have_the_usual_limits() {
        use crate::plan::Profile;
        let own = texts(&["http_req_duration: p(95) < 1s"]);
        let (resolved, warnings) = resolve(&over(own, Profile::Stress.limits()), &known()).unwrap();
        assert_eq!((resolved.len(), warnings.len()), (6, 0));
        assert!(!resolved.iter().any(|threshold| threshold.expression.contains("300ms")), "{resolved:#?}");
        assert!(Profile::Load.limits().iter().any(|limit| limit.text == "http_req_duration: p(95) < 200ms"));
        assert!(
            resolved.iter().all(|threshold| threshold.if_measured == threshold.metric.starts_with("target_"))
        );
    }

    #[test]
    fn the_usual_rate_is_one_in_steady_and_gives_way_to_any_other() {
        use crate::plan::Profile;
        let rates = |own: &[&str]| {
            let (resolved, _) = resolve(&over(texts(own), Profile::Load.limits()), &known()).unwrap();
            let rates = resolved.into_iter().filter(|threshold| threshold.metric == "http_reqs");
            rates.map(|threshold| threshold.expression).collect::<Vec<_>>()
        };
        assert_eq!(rates(&[]), ["rate > 50/s in steady"]);
        assert_eq!(rates(&["http_reqs: rate > 3/s"]), ["rate > 3/s"], "although it is on the whole run");
        assert_eq!(rates(&["http_reqs: rate > 3/s over 5s"]), ["rate > 3/s over 5s"]);
        assert_eq!(rates(&["http_reqs{name:/x}: rate > 3/s"]).len(), 2);
    }
}
