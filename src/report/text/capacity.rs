//! What a search for the capacity found: the curve as a table, and the answer.

use super::look::{Look, Mark, Tone};
use crate::metrics::{CapacityStats, CapacityStep};
use crate::report::format;
use crate::report::limits::amount;

/// The curve, by rate.
pub(super) fn curve(capacity: &CapacityStats, look: Look) -> Vec<String> {
    let mut lines = vec![look.paint(Tone::Strong, &format!(" capacity  {}", look.user(&capacity.limit)))];
    lines.push(look.paint(Tone::Faint, "          rate   started    requests      failed   measured"));
    let mut steps: Vec<&CapacityStep> = capacity.steps.iter().collect();
    steps.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    for step in steps {
        let (mark, tone) =
            if step.why_not.is_none() { (Mark::Pass, Tone::Good) } else { (Mark::Fail, Tone::Bad) };
        let measured = match (step.measured, capacity.quantity) {
            (Some(measured), Some(quantity)) => amount(measured, quantity),
            _ => "-".to_owned(),
        };
        let failed =
            step.failed_share.map_or("-".to_owned(), |share| format!("{} %", format::percent(share)));
        let per_s = |rate: f64| format!("{}/s", format::rate(rate));
        let mut line = format!(
            " {} {:>11} {:>9} {:>11} {:>11} {:>10}",
            look.paint(tone, look.mark(mark)),
            per_s(step.rate),
            per_s(step.started_rate),
            per_s(step.request_rate),
            failed,
            measured
        );
        if let Some(why) = &step.why_not {
            line.push_str(&format!("   {why}"));
        }
        if step.generator_saturated {
            line.push_str("   (the generator was saturated)");
        }
        lines.push(line);
    }
    lines
}

/// The answer in a sentence, and whether a rate held.
pub(crate) fn answer(capacity: &CapacityStats) -> (String, bool) {
    let Some(best) = capacity.best else {
        let lowest = capacity.steps.iter().map(|step| step.rate).reduce(f64::min);
        return match lowest {
            Some(rate) => (
                format!(
                    "no rate held {}; the lowest that was tried is {}/s",
                    capacity.limit,
                    format::rate(rate)
                ),
                false,
            ),
            None => ("the search ended before a rate was judged".to_owned(), false),
        };
    };
    let mut text = format!("{}/s held {}", format::rate(best), capacity.limit);
    let broke =
        capacity.steps.iter().filter(|step| step.why_not.is_some() && step.rate > best).map(|step| step.rate);
    match broke.reduce(f64::min) {
        Some(broke) => text.push_str(&format!(", {}/s did not", format::rate(broke))),
        None if capacity.is_at_max => text.push_str("; it is the highest that was allowed"),
        None => text.push_str("; the search ended before a rate did not"),
    }
    if capacity.steps.iter().any(|step| step.generator_saturated && step.why_not.is_some()) {
        text.push_str(" (while the generator was saturated: the target may hold more)");
    }
    (text, true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Quantity;

    fn step(rate: f64, measured: f64, held: bool) -> CapacityStep {
        CapacityStep {
            rate,
            started_rate: rate,
            request_rate: rate,
            measured: Some(measured),
            failed_share: Some(0.0),
            from: Duration::from_secs(2),
            to: Duration::from_secs(12),
            why_not: (!held).then(|| "the limit is broken".to_owned()),
            generator_saturated: false,
        }
    }

    fn found() -> CapacityStats {
        CapacityStats {
            limit: "http_resp_time: p(95) < 200ms".into(),
            quantity: Some(Quantity::Time),
            steps: vec![step(80.0, 31.0, true), step(160.0, 810.0, false), step(120.0, 95.5, true)],
            trying: None,
            best: Some(120.0),
            is_at_max: false,
        }
    }

    #[test]
    fn the_curve_is_in_the_order_of_the_rates() {
        let look = Look { width: 100, unicode: true, color: false };
        let lines = curve(&found(), look);
        assert_eq!(lines[0], " capacity  http_resp_time: p(95) < 200ms");
        assert!(lines[2].contains("80.0/s") && lines[2].ends_with("31ms"), "{}", lines[2]);
        assert!(lines[3].starts_with(" ✓") && lines[3].contains("95.5ms"), "{}", lines[3]);
        assert!(lines[4].starts_with(" ✗") && lines[4].ends_with("the limit is broken"), "{}", lines[4]);
    }

    #[test]
    fn every_end_has_its_sentence() {
        assert_eq!(
            answer(&found()),
            ("120.0/s held http_resp_time: p(95) < 200ms, 160.0/s did not".to_owned(), true)
        );
        let none = CapacityStats { best: None, steps: vec![step(10.0, 900.0, false)], ..found() };
        assert!(answer(&none).0.starts_with("no rate held") && !answer(&none).1);
        let most = CapacityStats {
            steps: vec![step(80.0, 9.0, true)],
            best: Some(80.0),
            is_at_max: true,
            ..found()
        };
        assert!(answer(&most).0.ends_with("it is the highest that was allowed"));
        assert!(!answer(&CapacityStats { steps: Vec::new(), best: None, ..found() }).1);
    }
}
