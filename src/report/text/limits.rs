//! Thresholds in a terminal: a few lines during the run, a table at its end, and the breached ones in the verdict.

use super::look::{Look, Mark, Tone};
use super::table::{Row, Table};
use crate::analysis::thresholds as words;
use crate::analysis::verdict::{breach, unreached_sentence};
use crate::metrics::{Phase, Snapshot, ThresholdState, ThresholdStats};
use crate::text::width;

/// Lines that thresholds take in the live block.
const MOST_LINES: usize = 3;

/// Columns of `  + 12 more`.
const ROOM_FOR_MORE: usize = 11;

/// Breached thresholds that the verdict names.
const MOST_NAMED: usize = 3;

/// The current state of the thresholds, breached ones first, in a few lines.
pub(super) fn limit_lines(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let mut sorted: Vec<&ThresholdStats> = snapshot.thresholds.iter().collect();
    sorted.sort_by_key(|stats| match stats.state {
        ThresholdState::Broken => 0,
        ThresholdState::NoData => 1,
        ThresholdState::Pending => 2,
        ThresholdState::Holds => 3,
    });
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    let first = " thresholds";
    for (index, stats) in sorted.iter().enumerate() {
        let (mark, tone) = mark(stats, snapshot);
        let sign = look.mark(mark);
        let text = look.user(&words::short_line(stats));
        let columns = width(sign) + width(&text) + 3;
        // The last line says how many are left out.
        let is_last_line = lines.len() + 1 == MOST_LINES && index + 1 < sorted.len();
        let room = if is_last_line { look.width.saturating_sub(ROOM_FOR_MORE) } else { look.width };
        if !line.is_empty() && used + columns > room {
            if lines.len() + 1 == MOST_LINES {
                // Never without saying so.
                line.push_str(&format!("  + {} more", sorted.len() - index));
                lines.push(std::mem::take(&mut line));
                return lines;
            }
            lines.push(std::mem::take(&mut line));
        }
        if line.is_empty() {
            line = if lines.is_empty() { first.to_owned() } else { " ".repeat(first.len()) };
            used = first.len();
        }
        line.push_str(&format!("  {} {text}", look.paint(tone, sign)));
        used += columns;
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}

/// The table at the end of a run.
pub(super) fn limits(snapshot: &Snapshot, look: Look) -> Vec<String> {
    if snapshot.thresholds.is_empty() {
        return Vec::new();
    }
    let row = |stats: &ThresholdStats| Row {
        mark: mark(stats, snapshot).0,
        name: look.user(&words::whole(&stats.threshold)),
        cells: vec![look.user(&words::measured(stats)), words::margin(stats), words::first_broken(stats)],
        notes: stats.aborted.then(|| "stopped the run".to_owned()).into_iter().collect(),
    };
    let rows = snapshot.thresholds.iter().map(row).collect();
    Table::new(&["thresholds", "actual", "margin", "breached"], rows).render(look)
}

/// The thresholds that were not met: `p95 is 1.20s, threshold < 500ms; failed is 7.3 %, threshold < 5 %`.
pub(super) fn broken_limits(snapshot: &Snapshot, look: Look) -> String {
    let broken: Vec<String> =
        snapshot.broken_thresholds().map(|stats| look.user(&breach(stats, snapshot))).collect();
    let unreached = unreached_sentence(snapshot).map(|sentence| look.user(&sentence));
    let mut text =
        unreached.iter().chain(broken.iter().take(MOST_NAMED)).cloned().collect::<Vec<_>>().join("; ");
    if broken.len() > MOST_NAMED {
        let more = broken.len() - MOST_NAMED;
        text.push_str(&format!(
            "; {more} more {}",
            if more == 1 { "threshold breached" } else { "thresholds breached" }
        ));
    }
    text
}

fn mark(stats: &ThresholdStats, snapshot: &Snapshot) -> (Mark, Tone) {
    match stats.state {
        ThresholdState::Holds => (Mark::Pass, Tone::Good),
        ThresholdState::Broken => (Mark::Fail, Tone::Bad),
        ThresholdState::NoData | ThresholdState::Pending if snapshot.phase == Phase::Done => {
            (Mark::Fail, Tone::Bad)
        }
        ThresholdState::NoData | ThresholdState::Pending => (Mark::Open, Tone::Faint),
    }
}
