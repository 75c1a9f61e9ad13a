//! The limits: what was demanded, what was measured, and how far apart they are.

use super::table::{Row, figures, table, text};
use super::{section, user};
use crate::analysis::thresholds;
use crate::metrics::ThresholdState;
use crate::report::model::Model;

/// What somebody adds who has no limit yet.
const EXAMPLE: &str = "threshold(\"http_req_duration\", \"p(95) &lt; 200ms\");\n\
     threshold(\"http_req_failed\", \"rate &lt; 1%\");\n\
     threshold(\"http_reqs\", \"rate &gt; 50/s\");";

/// The table of limits, or how to set some.
pub(super) fn limits(model: &Model<'_>) -> String {
    let all = &model.snapshot.thresholds;
    if all.is_empty() {
        // Of a search it would not be true: its limit is told where its answer is.
        if model.snapshot.capacity.is_some() {
            return String::new();
        }
        let text =
            format!("<p>Nothing says what would be good enough. In the script:</p><pre>{EXAMPLE}</pre>\n");
        return section("limits", "Limits", &text);
    }
    let is_over = model.snapshot.phase == crate::metrics::Phase::Done;
    let rows: Vec<Row> = all
        .iter()
        .map(|stats| {
            let (is_bad, state) = match stats.state {
                ThresholdState::Holds => (false, "✓ kept"),
                ThresholdState::Broken => (true, "✗ broken"),
                ThresholdState::NoData => (is_over, if is_over { "✗ no data" } else { "no data yet" }),
                ThresholdState::Pending => {
                    (is_over, if is_over { "✗ not reached" } else { "not reached yet" })
                }
            };
            let cells = vec![
                user(&thresholds::whole(&stats.threshold)),
                user(&stats.threshold.scope()),
                user(&thresholds::demanded(&stats.threshold)),
                user(&thresholds::measured(stats)),
                user(&thresholds::margin(stats)),
                state.to_owned(),
                thresholds::first_broken(stats),
            ];
            Row { is_bad, ..Row::new(cells) }
        })
        .collect();
    let columns = [
        text("Limit"),
        text("Over"),
        figures("Demanded"),
        figures("Measured"),
        figures("Margin"),
        text("State"),
        figures("First broken"),
    ];
    section("limits", "Limits", &table("limits-table", "Limits", &columns, &rows, None))
}
