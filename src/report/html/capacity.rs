//! A search for the capacity: its answer, what was measured at each rate, and the steps in figures.

use std::time::Duration;

use super::table::{Row, figures, table, text};
use super::{figure, section, user};
use crate::analysis::capacity::{answer, failed, measured};
use crate::metrics::{CapacityStats, CapacityStep, NotHeld};
use crate::report::charts::capacity_chart;
use crate::report::model::Model;
use crate::text::format;
use crate::text::format_clock;

/// The section; nothing for a run that is no search. The verdict is a landmark of the name `Capacity` already.
pub(super) fn capacity(model: &Model<'_>) -> String {
    let Some(capacity) = model.snapshot.capacity.as_deref() else { return String::new() };
    let (sentence, has_held) = answer(capacity);
    let (class, sign) = if has_held { ("good", "✓") } else { ("bad", "✗") };
    let mut content = format!("<p class=\"outcome {class}\">{sign} {}</p>\n", user(&sentence));
    if !capacity.steps.is_empty() {
        content.push_str(
            "<p class=\"note\">Each rate was given time to settle and then judged over its step alone.",
        );
        if capacity.steps.iter().any(|step| step.why_not == Some(NotHeld::RateNotReached)) {
            content.push_str(&format!(" Rate not reached: {}.", NotHeld::RateNotReached.as_str()));
        }
        content.push_str("</p>\n");
        if let Some(chart) = capacity_chart(model) {
            content.push_str(&figure(&chart, ""));
        }
        content.push_str(&steps(capacity));
    }
    section("capacity", "Search for the capacity", &content)
}

fn steps(capacity: &CapacityStats) -> String {
    let row = |step: &CapacityStep| {
        let sign = if step.why_not.is_none() { "✓" } else { "✗" };
        let cells = vec![
            format::rate(step.rate),
            format::rate(step.started_rate),
            format::rate(step.request_rate),
            failed(step),
            measured(capacity, step),
            format!("{sign} {}", step.why_not.map_or("held", NotHeld::in_short)),
            if step.generator_saturated { "saturated" } else { "kept up" }.to_owned(),
            format!("{}-{}", clock(step.from), clock(step.to)),
        ];
        Row { is_bad: step.why_not.is_some(), ..Row::new(cells) }
    };
    let columns = [
        text("Rate/s"),
        figures("Started/s"),
        figures("Requests/s"),
        figures("Failed"),
        figures("Measured"),
        text("Outcome"),
        text("Generator"),
        figures("Judged"),
    ];
    let rows: Vec<Row> = capacity.by_rate().into_iter().map(row).collect();
    table("capacity-table", "Rates that were tried", &columns, &rows, None)
}

/// The seconds of the history are a little longer or shorter than seconds.
fn clock(time: Duration) -> String {
    format_clock(Duration::from_secs_f64(time.as_secs_f64().round()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fixture;
    use crate::metrics::Snapshot;
    use crate::plan::EndedBy;
    use crate::report::html::html_report;

    fn page(snapshot: &Snapshot, ended_by: EndedBy) -> String {
        let intervals = snapshot.intervals.taker().take();
        let info = fixture::info();
        html_report(&Model::new(&info, &ended_by, snapshot, &intervals, &[]))
    }

    fn section_of(capacity: CapacityStats) -> Option<String> {
        let snapshot = Snapshot { capacity: Some(Arc::new(capacity)), ..fixture::finished() };
        let page = page(&snapshot, EndedBy::CapacityFound);
        assert!(!page.contains("id=\"limits\""), "its limit is told in its own section");
        assert!(page.contains("<a href=\"#capacity\">"));
        Some(page.split("<section id=\"capacity\"").nth(1)?.split("</section>").next()?.to_owned())
    }

    #[test]
    fn answer_chart_and_steps_of_a_search() {
        let section = section_of(fixture::capacity()).unwrap();
        for expected in [
            "<p class=\"outcome good\">✓ 120.0/s held http_resp_time: p(95) &lt; 200ms while 0.25 % of its requests failed, 140.0/s did not",
            "<figure id=\"capacity-curve\">",
            "<tr><th scope=\"row\">120.0<td>120.0<td>240.0<td>0.25 %<td>95.5ms<td class=\"w\">✓ held<td class=\"w\">kept up<td>00:02-00:12",
            "<tr class=\"bad\"><th scope=\"row\">160.0<td>160.0<td>320.0<td>50.0 %<td>810ms<td class=\"w\">✗ limit broken<td class=\"w\">saturated",
            "<tr class=\"bad\"><th scope=\"row\">140.0<td>131.0<td>280.0<td>0.25 %<td>181ms<td class=\"w\">✗ rate not reached<td",
            "<tr class=\"bad\"><th scope=\"row\">170.0<td>170.0<td>340.0<td>-<td>-<td class=\"w\">✗ nothing measured<td",
        ] {
            assert!(section.contains(expected), "{expected} in {section}");
        }
    }

    #[test]
    fn a_search_that_came_to_nothing_says_so() {
        let unjudged = CapacityStats {
            limit: "<b>".into(),
            steps: Vec::new(),
            best: None,
            quantity: None,
            ..fixture::capacity()
        };
        let section = section_of(unjudged).unwrap();
        assert!(section.contains("outcome bad\">✗ the search ended before a rate was judged"), "{section}");
        assert!(!section.contains("<figure") && !section.contains("<table"), "{section}");
        let none = CapacityStats { limit: "<b>".into(), best: None, ..fixture::capacity() };
        let section = section_of(none).unwrap();
        assert!(section.contains("✗ no rate held &lt;b&gt;") && !section.contains("<b>"), "{section}");
    }

    #[test]
    fn a_run_that_is_no_search_has_nothing_of_it() {
        let page = page(&fixture::finished(), EndedBy::RunTime);
        assert!(!page.contains("capacity"), "neither section nor link nor chart");
    }
}
