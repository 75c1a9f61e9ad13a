//! Latency distribution: one line per endpoint, all on one logarithmic scale.
//!
//! Drawn from percentiles: each shade ends at its percentile.

use super::endpoints::labels;
use super::look::{Look, Tone};
use super::table::{beside_figures, on_its_own};
use crate::metrics::{EndpointStats, Percentile, Summary};
use crate::text::width;

/// Most lines that are drawn; the table has all endpoints.
const MOST_LINES: usize = 20;

/// Columns where lines may have any length.
const FILE_COLUMNS: usize = 100;

/// Columns that the label of the scale's last mark needs.
const LABEL_ROOM: usize = 6;

/// The lines of the endpoints that have successes, with the scale below; nothing without any.
pub(crate) fn distribution(endpoints: &[EndpointStats], look: Look) -> Vec<String> {
    let drawn: Vec<&EndpointStats> = endpoints.iter().filter(|stats| stats.ok.is_some()).collect();
    let more = drawn.len().saturating_sub(MOST_LINES);
    let drawn = &drawn[..drawn.len() - more];
    let summaries: Vec<Summary> = drawn.iter().filter_map(|stats| stats.ok).collect();
    let labels = labels(drawn, look);
    let longest = labels.iter().map(|label| width(label)).max().unwrap_or(0);
    let line = if look.is_whole() { FILE_COLUMNS } else { look.width };
    let name = longest.min(line * 2 / 5).max(12);
    let columns = line.saturating_sub(name + 5 + LABEL_ROOM).clamp(20, 80);
    let Some(scale) = Scale::over(&summaries, columns) else { return Vec::new() };

    let mut lines = vec![caption(look)];
    for (label, summary) in labels.iter().zip(&summaries) {
        let beside = beside_figures(label, name, look).filter(|label| width(label) <= name);
        if beside.is_none() {
            lines.push(format!("   {}", on_its_own(label, look.width.saturating_sub(3), look)));
        }
        let label = beside.unwrap_or_default();
        let pad = " ".repeat(name.saturating_sub(width(&label)));
        lines.push(format!("   {label}{pad}  {}", bar(summary, &scale, look)));
    }
    lines.push(format!("   {}  {}", " ".repeat(name), look.paint(Tone::Faint, &scale.axis(look))));
    if more > 0 {
        lines.push(format!("   + {more} more"));
    }
    lines
}

/// Shades from the fastest half to the slowest hundredth.
fn shades(look: Look) -> [char; 4] {
    if look.unicode { ['█', '▓', '▒', '░'] } else { ['#', '=', '-', '.'] }
}

fn caption(look: Look) -> String {
    let [half, p90, p99, max] = shades(look);
    let legend = format!("log scale: {half} from min to p50, {p90} to p90, {p99} to p99, {max} to max");
    format!("   {}  {}", look.paint(Tone::Strong, "distribution"), look.paint(Tone::Faint, &legend))
}

fn bar(summary: &Summary, scale: &Scale, look: Look) -> String {
    let ends = [
        summary.median_us(),
        summary.percentile_us(Percentile::P90),
        summary.percentile_us(Percentile::P99),
        summary.max_us,
    ];
    let mut column = scale.column(summary.min_us);
    let mut bar = " ".repeat(column);
    for (end, shade) in ends.into_iter().zip(shades(look)) {
        while column <= scale.column(end) {
            bar.push(shade);
            column += 1;
        }
    }
    bar
}

/// A logarithmic scale in microseconds whose ends are 1, 2 or 5 times a power of ten.
struct Scale {
    low_us: u64,
    high_us: u64,
    columns: usize,
}

impl Scale {
    fn over(summaries: &[Summary], columns: usize) -> Option<Scale> {
        let min = summaries.iter().map(|summary| summary.min_us).min()?;
        let max = summaries.iter().map(|summary| summary.max_us).max()?;
        let low_us = ladder().take_while(|&step| step <= min.max(1)).last()?;
        let high_us = ladder().find(|&step| step >= max && step > low_us)?;
        Some(Scale { low_us, high_us, columns })
    }

    fn column(&self, us: u64) -> usize {
        let log = |us: u64| (us.clamp(self.low_us, self.high_us) as f64).ln();
        let share = (log(us) - log(self.low_us)) / (log(self.high_us) - log(self.low_us));
        (share * (self.columns - 1) as f64).round() as usize
    }

    /// The marks of the scale, each with its value to the right of it, as many as fit.
    fn axis(&self, look: Look) -> String {
        let steps: Vec<u64> = ladder()
            .skip_while(|&step| step < self.low_us)
            .take_while(|&step| step <= self.high_us)
            .collect();
        // All steps or, when they would be crowded, powers of ten alone: a mix reads as irregular.
        let crowded = steps.len() * (LABEL_ROOM + 2) > self.columns;
        let mut axis = String::new();
        for step in steps {
            let column = self.column(step);
            let power_of_ten = step.to_string().trim_end_matches('0') == "1";
            let is_end = step == self.low_us || step == self.high_us;
            if (crowded && !power_of_ten && !is_end) || (column < width(&axis) + 1 && column > 0) {
                continue;
            }
            axis.push_str(&" ".repeat(column - width(&axis)));
            axis.push_str(&format!("|{}", look.latency(step)));
        }
        axis
    }
}

/// 1, 2, 5, 10, 20, 50 … microseconds, up to above an hour.
fn ladder() -> impl Iterator<Item = u64> {
    (0..11).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;

    fn summary(values_us: impl IntoIterator<Item = u64>) -> Summary {
        let mut histogram = Histogram::new();
        values_us.into_iter().for_each(|us| histogram.record(us));
        histogram.summary().unwrap()
    }

    const LOOK: Look = Look { width: 80, unicode: true, color: false };

    #[test]
    fn shades_end_where_their_percentiles_lie() {
        let spread =
            summary([1_000; 50].into_iter().chain([10_000; 40]).chain([100_000; 9]).chain([1_000_000]));
        let scale = Scale::over(&[spread], 31).unwrap();
        assert_eq!((scale.low_us, scale.high_us), (1_000, 1_000_000));
        assert_eq!(
            bar(&spread, &scale, LOOK),
            format!("█{}{}{}", "▓".repeat(10), "▒".repeat(10), "░".repeat(10))
        );
        assert_eq!(scale.axis(LOOK), "|1ms      |10ms     |100ms    |1.00s");
    }

    #[test]
    fn one_value_is_one_block() {
        for us in [0, 1, 5_000, 3_600_000_000] {
            let one = summary([us]);
            let scale = Scale::over(&[one], 40).unwrap();
            assert_eq!(bar(&one, &scale, LOOK).trim(), "█", "{us}");
        }
    }

    #[test]
    fn nothing_is_drawn_without_a_success() {
        assert_eq!(distribution(&[], LOOK), Vec::<String>::new());
    }
}
