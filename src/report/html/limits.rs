//! The thresholds, their actual values, and the margin between the two.

use maud::{Markup, html};

use super::table::Table;
use super::{section, user, wrapping};
use crate::analysis::thresholds;
use crate::metrics::{Phase, ThresholdState, ThresholdStats};
use crate::report::model::Model;
use crate::text::format_clock;

/// What to add to a script without thresholds.
const EXAMPLE: &str = r#"threshold("http_req_duration", "p(95) < 200ms");
threshold("http_req_failed", "rate < 1%");
threshold("http_reqs", "rate > 50/s");"#;

/// The table of thresholds, or how to set some.
pub(super) fn limits(model: &Model<'_>) -> Markup {
    let all = &model.snapshot.thresholds;
    if all.is_empty() {
        // A capacity search has a threshold; it is shown with its answer.
        if model.snapshot.capacity.is_some() {
            return Markup::default();
        }
        let how = html! {
            p { "No thresholds, so no pass or fail. Add some to the script:" }
            pre { (EXAMPLE) }
        };
        return section("thresholds", "Thresholds", how);
    }
    let is_over = model.snapshot.phase == Phase::Done;
    let state = |state: ThresholdState| match state {
        ThresholdState::Holds => (false, "✓ met"),
        ThresholdState::Broken => (true, "✗ breached"),
        ThresholdState::NoData => (is_over, if is_over { "✗ no data" } else { "no data yet" }),
        ThresholdState::Pending => (is_over, if is_over { "✗ not reached" } else { "not reached yet" }),
    };
    let table = Table::new("thresholds-table", "Thresholds", all.iter())
        .named_above()
        .bad_if(|stats| state(stats.state).0)
        .text("Threshold", |stats| wrapping(&thresholds::whole(&stats.threshold)));
    // What most thresholds cover is said once, and a column in which nothing stands is left out.
    let covers_part =
        |stats: &&ThresholdStats| stats.threshold.window.is_some() || stats.threshold.phase.is_some();
    let has_parts = all.iter().any(|stats| covers_part(&stats));
    let table = match has_parts {
        false => table,
        true => table.text("Scope", |stats| {
            if covers_part(stats) { user(&stats.threshold.scope()) } else { String::new() }
        }),
    };
    let table = table
        .figures("Actual", |stats| user(&thresholds::measured(stats)))
        .figures("Margin", |stats| user(&thresholds::margin(stats)))
        .text("Status", |stats| state(stats.state).1);
    let table = match all.iter().any(|stats| stats.first_breach().is_some()) {
        false => table,
        true => table
            .figures("First breached", |stats| stats.first_breach().map(format_clock).unwrap_or_default()),
    };
    let content = html! {
        p.note { @if has_parts { "Scope: the whole run, unless it says otherwise." } @else { "Over the whole run." } }
        (table)
    };
    section("thresholds", "Thresholds", content)
}
