//! A capacity search: its answer, the actual value at each rate, and the figures of each step.

use std::time::Duration;

use maud::{Markup, Render, html};

use super::table::Table;
use super::{figure, section, user};
use crate::analysis::capacity::{answer, failed, measured, saturated};
use crate::metrics::{CapacityStats, NotHeld};
use crate::report::charts::capacity_chart;
use crate::report::model::Model;
use crate::text::{format, format_clock};

/// The section; empty if the run is not a capacity search. The verdict already is a landmark named `Capacity`.
pub(super) fn capacity(model: &Model<'_>) -> Markup {
    let Some(capacity) = model.snapshot.capacity.as_deref() else { return Markup::default() };
    let (sentence, has_held) = answer(capacity);
    let (class, sign) = if has_held { ("good", "✓") } else { ("bad", "✗") };
    let missed = NotHeld::RateNotReached;
    let content = html! {
        p.outcome.(class) { (sign) " " (user(&sentence)) }
        @if !capacity.steps.is_empty() {
            p.note {
                "Each rate was given time to settle, then evaluated over its own step."
                @if capacity.steps.iter().any(|step| step.why_not == Some(missed)) {
                    " Rate not reached: " (missed.as_str()) "."
                }
            }
            @if let Some(chart) = capacity_chart(model) { (figure(&chart)) }
            (steps(capacity))
        }
    };
    section("capacity", "Capacity search", content)
}

fn steps(capacity: &CapacityStats) -> impl Render {
    Table::new("capacity-table", "Rates tried", capacity.by_rate())
        .bad_if(|step| step.why_not.is_some())
        .text("Rate/s", |step| format::rate(step.rate))
        .figures("Started/s", |step| format::rate(step.started_rate))
        .figures("Requests/s", |step| format::rate(step.request_rate))
        .figures("Failed", |step| failed(step))
        .figures("Actual", |step| measured(capacity, step))
        .text("Outcome", |step| {
            step.why_not.map_or("✓ held".to_owned(), |why| format!("✗ {}", why.in_short()))
        })
        .text("Generator", |step| match saturated(step) {
            Some(_) if step.saturated_agents.is_empty() => "saturated".to_owned(),
            saturated => saturated.unwrap_or_else(|| "kept up".to_owned()),
        })
        .figures("Evaluated", |step| format!("{}-{}", clock(step.from), clock(step.to)))
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
        let record = fixture::record(ended_by, snapshot);
        html_report(&Model::new(&record, &intervals, &[]))
    }

    fn section_of(capacity: CapacityStats) -> Option<String> {
        let snapshot = Snapshot { capacity: Some(Arc::new(capacity)), ..fixture::finished() };
        let page = page(&snapshot, EndedBy::CapacityFound);
        assert!(!page.contains("id=\"thresholds\""), "its threshold is shown in its own section");
        assert!(page.contains("<a href=\"#capacity\">"));
        Some(page.split("<section id=\"capacity\"").nth(1)?.split("</section>").next()?.to_owned())
    }

    #[test]
    fn answer_chart_and_steps_of_a_search() {
        let section = section_of(fixture::capacity()).unwrap();
        for expected in [
            "<p class=\"outcome good\">✓ 120.0/s held http_resp_time: p(95) &lt; 200ms with 0.25 % of requests failing, 140.0/s did not",
            "<figure id=\"capacity-curve\">",
            "<tr><th scope=\"row\">120.0<td>120.0<td>240.0<td>0.25 %<td>95.5ms<td class=\"w\">✓ held<td class=\"w\">kept up<td>00:02-00:12",
            "<tr class=\"bad\"><th scope=\"row\">160.0<td>160.0<td>320.0<td>50.0 %<td>810ms<td class=\"w\">✗ threshold breached<td class=\"w\">saturated",
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
        assert!(
            section.contains("outcome bad\">✗ the search ended before any rate was evaluated"),
            "{section}"
        );
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
