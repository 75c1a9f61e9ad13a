//! The limits: what was demanded, what was measured, and how far apart they are.

use maud::{Markup, html};

use super::table::Table;
use super::{section, user};
use crate::analysis::thresholds;
use crate::metrics::{Phase, ThresholdState};
use crate::report::model::Model;

/// What somebody adds who has no limit yet.
const EXAMPLE: &str = r#"threshold("http_req_duration", "p(95) < 200ms");
threshold("http_req_failed", "rate < 1%");
threshold("http_reqs", "rate > 50/s");"#;

/// The table of limits, or how to set some.
pub(super) fn limits(model: &Model<'_>) -> Markup {
    let all = &model.snapshot.thresholds;
    if all.is_empty() {
        // Of a search it would not be true: its limit is told where its answer is.
        if model.snapshot.capacity.is_some() {
            return Markup::default();
        }
        let how = html! {
            p { "Nothing says what would be good enough. In the script:" }
            pre { (EXAMPLE) }
        };
        return section("limits", "Limits", how);
    }
    let is_over = model.snapshot.phase == Phase::Done;
    let state = |state: ThresholdState| match state {
        ThresholdState::Holds => (false, "✓ kept"),
        ThresholdState::Broken => (true, "✗ broken"),
        ThresholdState::NoData => (is_over, if is_over { "✗ no data" } else { "no data yet" }),
        ThresholdState::Pending => (is_over, if is_over { "✗ not reached" } else { "not reached yet" }),
    };
    let table = Table::new("limits-table", "Limits", all.iter())
        .named_above()
        .bad_if(|stats| state(stats.state).0)
        .text("Limit", |stats| user(&thresholds::whole(&stats.threshold)))
        .text("Over", |stats| user(&stats.threshold.scope()))
        .figures("Demanded", |stats| user(&thresholds::demanded(&stats.threshold)))
        .figures("Measured", |stats| user(&thresholds::measured(stats)))
        .figures("Margin", |stats| user(&thresholds::margin(stats)))
        .text("State", |stats| state(stats.state).1)
        .figures("First broken", |stats| thresholds::first_broken(stats));
    section("limits", "Limits", table)
}
