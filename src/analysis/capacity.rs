//! The wording of a capacity search: the answer, and the figures of a step.
//!
//! Pure. Owns how both are written. Leaves layout to the views. Invariant: the actual value of a step that did not hold
//! is never written like the threshold.

use std::collections::BTreeSet;

use super::agents::agents_named;
use super::thresholds::{amount, told_apart};
use crate::metrics::{CapacityStats, CapacityStep, NotHeld};
use crate::text::format;

/// The answer in a sentence, and whether a rate held.
pub(crate) fn answer(capacity: &CapacityStats) -> (String, bool) {
    let Some(best) = capacity.best else {
        let lowest = capacity.steps.iter().map(|step| step.rate).reduce(f64::min);
        return match lowest {
            Some(rate) => (
                format!(
                    "no rate held {}; the lowest rate tried was {}/s",
                    capacity.limit,
                    format::rate(rate)
                ),
                false,
            ),
            None => ("the search ended before any rate was evaluated".to_owned(), false),
        };
    };
    let mut text = format!("{}/s held {}", format::rate(best), capacity.limit);
    // Errors are answered fast, so a limit on times alone holds for them.
    let failed = capacity.steps.iter().find(|step| step.rate == best).and_then(|step| step.failed_share);
    if let Some(share) = failed.filter(|share| *share > 0.0) {
        text.push_str(&format!(" with {} % of requests failing", format::percent(share)));
    }
    let broke =
        capacity.steps.iter().filter(|step| step.why_not.is_some() && step.rate > best).map(|step| step.rate);
    match broke.reduce(f64::min) {
        Some(broke) => text.push_str(&format!(", {}/s did not", format::rate(broke))),
        None if capacity.is_at_max => text.push_str("; this is the highest rate allowed"),
        None => text.push_str("; the search ended before a rate failed to hold"),
    }
    let broke = capacity.steps.iter().filter(|step| step.why_not.is_some());
    if let Some(saturated) = saturated_in(broke) {
        text.push_str(&format!(" ({saturated}: the target may hold more)"));
    }
    (text, true)
}

/// `the generator was saturated`, or which agents were; `None` when it kept up.
pub(crate) fn saturated(step: &CapacityStep) -> Option<String> {
    saturated_in([step])
}

fn saturated_in<'a>(steps: impl IntoIterator<Item = &'a CapacityStep>) -> Option<String> {
    let saturated: Vec<_> = steps.into_iter().filter(|step| step.generator_saturated).collect();
    let agents: BTreeSet<&str> =
        saturated.iter().flat_map(|step| step.saturated_agents.iter().map(String::as_str)).collect();
    let agents: Vec<&str> = agents.into_iter().collect();
    match agents.len() {
        _ if saturated.is_empty() => None,
        0 => Some("the generator was saturated".to_owned()),
        1 => Some(format!("{} was saturated", agents_named(&agents))),
        _ => Some(format!("{} were saturated", agents_named(&agents))),
    }
}

/// What was measured in a step, with its unit; `-` without data.
pub(crate) fn measured(capacity: &CapacityStats, step: &CapacityStep) -> String {
    match (step.measured, capacity.quantity, capacity.limit_value) {
        (Some(measured), Some(quantity), Some(limit)) => told_apart(measured, limit, quantity),
        (Some(measured), Some(quantity), None) => amount(measured, quantity),
        _ => "-".to_owned(),
    }
}

/// Share of requests that failed in a step; `-` without a request.
pub(crate) fn failed(step: &CapacityStep) -> String {
    step.failed_share.map_or_else(|| "-".to_owned(), |share| format!("{} %", format::percent(share)))
}

/// `held`, or why it did not.
pub(crate) fn outcome(step: &CapacityStep) -> String {
    match (step.why_not, step.failed_iterations) {
        (Some(NotHeld::IterationsFailed), Some(share)) => {
            format!("{} % of the iterations failed", format::percent(share))
        }
        (why_not, _) => why_not.map_or("held", NotHeld::as_str).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{capacity, capacity_step};

    #[test]
    fn every_end_has_its_sentence() {
        let (sentence, held) = answer(&capacity());
        assert!(held);
        assert_eq!(
            sentence,
            "120.0/s held http_resp_time: p(95) < 200ms with 0.25 % of requests failing, 140.0/s did not (the generator was saturated: the target \
             may hold more)"
        );
        let mut on_agents = capacity();
        for (step, name) in on_agents.steps.iter_mut().skip(1).zip(["a2", "a1", "a3"]) {
            (step.generator_saturated, step.saturated_agents) = (true, vec![name.to_owned()]);
        }
        assert_eq!(saturated(&on_agents.steps[1]).unwrap(), "agent 'a2' was saturated");
        assert_eq!(saturated(&on_agents.steps[0]), None);
        let sentence = answer(&on_agents).0;
        assert!(
            sentence.ends_with(" (agents 'a2' and 'a3' were saturated: the target may hold more)"),
            "{sentence}"
        );
        let none = CapacityStats {
            best: None,
            steps: vec![capacity_step(10.0, Some(900.0), Some(NotHeld::LimitBroken))],
            ..capacity()
        };
        assert!(answer(&none).0.starts_with("no rate held") && !answer(&none).1);
        let most = CapacityStats {
            steps: vec![capacity_step(80.0, Some(9.0), None)],
            best: Some(80.0),
            is_at_max: true,
            ..capacity()
        };
        assert!(answer(&most).0.ends_with("this is the highest rate allowed"));
        assert!(!answer(&CapacityStats { steps: Vec::new(), best: None, ..capacity() }).1);
    }

    #[test]
    fn a_step_says_why_it_did_not_hold() {
        let step = capacity_step(10.0, Some(9.0), None);
        assert_eq!(outcome(&step), "held");
        let failed = CapacityStep { why_not: Some(NotHeld::IterationsFailed), ..step };
        assert_eq!(outcome(&failed), "most iterations failed", "as an older file has it");
        let failed = CapacityStep { failed_iterations: Some(0.6), ..failed };
        assert_eq!(outcome(&failed), "60.0 % of the iterations failed");
    }

    #[test]
    fn a_value_beside_the_limit_is_not_written_like_it() {
        let written = |value| measured(&capacity(), &capacity_step(10.0, value, Some(NotHeld::LimitBroken)));
        assert_eq!(written(Some(200.04)), "200.04ms");
        assert_eq!(written(Some(810.0)), "810ms");
        assert_eq!(written(None), "-");
        let without_limit = CapacityStats { limit_value: None, ..capacity() };
        assert_eq!(measured(&without_limit, &capacity_step(10.0, Some(200.04), None)), "200ms");
    }
}
