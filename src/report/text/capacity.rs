//! The curve of a capacity search as a table.

use super::look::{Look, Mark, Tone};
use crate::analysis::capacity::{failed, measured, outcome, saturated};
use crate::metrics::CapacityStats;
use crate::text::format;

/// The curve, by rate.
pub(super) fn curve(capacity: &CapacityStats, look: Look) -> Vec<String> {
    let mut lines = vec![look.paint(Tone::Strong, &format!(" capacity  {}", look.user(&capacity.limit)))];
    lines.push(look.paint(Tone::Faint, "          rate   started    requests      failed     actual"));
    for step in capacity.by_rate() {
        let (mark, tone) =
            if step.why_not.is_none() { (Mark::Pass, Tone::Good) } else { (Mark::Fail, Tone::Bad) };
        let per_s = |rate: f64| format!("{}/s", format::rate(rate));
        let mut line = format!(
            " {} {:>11} {:>9} {:>11} {:>11} {:>10}",
            look.paint(tone, look.mark(mark)),
            per_s(step.rate),
            per_s(step.started_rate),
            per_s(step.request_rate),
            failed(step),
            measured(capacity, step)
        );
        if step.why_not.is_some() {
            line.push_str(&format!("   {}", outcome(step)));
        }
        if let Some(saturated) = saturated(step) {
            line.push_str(&format!("   ({})", look.user(&saturated)));
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_curve_is_in_the_order_of_the_rates() {
        let look = Look { width: 100, unicode: true, color: false };
        let lines = curve(&fixture::capacity(), look);
        assert_eq!(lines[0], " capacity  http_resp_time: p(95) < 200ms");
        assert!(lines[2].contains("80.0/s") && lines[2].ends_with("9.5ms"), "{}", lines[2]);
        assert!(lines[3].starts_with(" ✓") && lines[3].contains("95.5ms"), "{}", lines[3]);
        assert!(lines[4].starts_with(" ✗") && lines[4].contains("no user was free"), "{}", lines[4]);
        assert!(lines[5].contains("810ms   the threshold was breached"), "{}", lines[5]);
        assert!(lines[5].ends_with("(the generator was saturated)"), "{}", lines[5]);
        assert!(lines[6].contains("        -          -   nothing was measured"), "{}", lines[6]);
    }
}
