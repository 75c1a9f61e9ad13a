//! The thresholds: required and actual values, and the margin between them.

use maud::{Markup, html};

use super::table::Table;
use super::{section, user};
use crate::analysis::thresholds;
use crate::metrics::{Phase, ThresholdState};
use crate::report::model::Model;

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
        .text("Threshold", |stats| user(&thresholds::whole(&stats.threshold)))
        .text("Scope", |stats| user(&stats.threshold.scope()))
        .figures("Required", |stats| user(&thresholds::demanded(&stats.threshold)))
        .figures("Actual", |stats| user(&thresholds::measured(stats)))
        .figures("Margin", |stats| user(&thresholds::margin(stats)))
        .text("Status", |stats| state(stats.state).1)
        .figures("First breached", |stats| thresholds::first_broken(stats));
    section("thresholds", "Thresholds", table)
}
