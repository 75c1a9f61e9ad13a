//! The wording of a comparison of two runs, shared by terminal, Markdown and HTML.
//!
//! Pure. Leaves the figures to `results::compare` and the layout to each report.

use crate::analysis::{ChangeVerdict, ComparedFigure, Comparison, EndpointComparison, FigureComparison};
use crate::text::clean_line;
use crate::text::format;

/// The result of the comparison in one sentence.
pub fn comparison_sentence(comparison: &Comparison) -> String {
    let changes = |verdict: ChangeVerdict| -> Vec<String> {
        let mut all: Vec<_> = comparison.changes(verdict).collect();
        all.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)));
        all.iter()
            .map(|(endpoint, figure)| {
                let change = change_text(figure.figure, figure.change.unwrap_or(0.0));
                format!("{} of {} {change}", figure.figure.as_str(), endpoint_name(endpoint))
            })
            .collect()
    };
    let listed = |changes: Vec<String>| {
        let more = changes.len().saturating_sub(3);
        let shown = changes[..changes.len() - more].join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    let (worse, better) = (changes(ChangeVerdict::Worse), changes(ChangeVerdict::Better));
    match (worse.is_empty(), better.is_empty()) {
        (true, true) => "no significant change".to_owned(),
        (false, true) => format!("REGRESSION: {}", listed(worse)),
        (true, false) => format!("better: {}", listed(better)),
        (false, false) => format!("REGRESSION: {}; better: {}", listed(worse), listed(better)),
    }
}

fn size(figure: &FigureComparison) -> f64 {
    figure.change.map_or(0.0, f64::abs)
}

/// Its method and name, on one line.
pub(crate) fn endpoint_name(endpoint: &EndpointComparison) -> String {
    match endpoint.method.as_str() {
        "" => "all requests".to_owned(),
        method => clean_line(&format!("{method} {}", endpoint.name)),
    }
}

/// The endpoints that fit into a report: all requests together, then those that changed, then the others.
pub(crate) fn shown(comparison: &Comparison, most: usize) -> Vec<&EndpointComparison> {
    let mut all: Vec<&EndpointComparison> = comparison.endpoints.iter().collect();
    let has = |endpoint: &EndpointComparison, verdict| endpoint.figures.iter().any(|f| f.verdict == verdict);
    all.sort_by_key(|endpoint| match endpoint {
        _ if endpoint.method.is_empty() => 0,
        _ if has(endpoint, ChangeVerdict::Worse) => 1,
        _ if has(endpoint, ChangeVerdict::Better) => 2,
        _ => 3,
    });
    all.truncate(most);
    all
}

/// A figure of a run with its unit; `-` without data.
pub(crate) fn amount(figure: ComparedFigure, value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match figure {
        ComparedFigure::Rate => format!("{}/s", format::rate(value)),
        ComparedFigure::Failures => format!("{} %", format::percent(value)),
        ComparedFigure::P50 | ComparedFigure::P95 | ComparedFigure::P99 => format::latency(value as u64),
    }
}

/// `+12%`, or for shares `+0.3pp` (percentage points).
pub(crate) fn change_text(figure: ComparedFigure, change: f64) -> String {
    let per_cent = change * 100.0;
    if figure == ComparedFigure::Failures {
        format!("{per_cent:+.1}pp")
    } else if per_cent.abs() < 9.95 {
        format!("{per_cent:+.1}%")
    } else {
        format!("{per_cent:+.0}%")
    }
}

#[cfg(feature = "charts")]
/// The confidence interval of a change: `+5.0% to +19%`.
pub(crate) fn interval_text(figure: &FigureComparison) -> String {
    figure.interval.map_or_else(
        || "-".to_owned(),
        |(low, high)| format!("{} to {}", change_text(figure.figure, low), change_text(figure.figure, high)),
    )
}

/// A change with its verdict: `+12% worse`, `+0.4% noise`; `None` without enough data.
pub(crate) fn judged_change(figure: &FigureComparison) -> Option<String> {
    let change = figure.change.filter(|_| figure.verdict != ChangeVerdict::TooLittleData)?;
    Some(format!("{} {}", change_text(figure.figure, change), figure.verdict.as_str()))
}

/// A sign for each verdict, since colour never carries meaning alone.
pub(crate) fn sign(verdict: ChangeVerdict) -> &'static str {
    match verdict {
        ChangeVerdict::Better => "✓",
        ChangeVerdict::Worse => "✗",
        ChangeVerdict::Noise => "~",
        ChangeVerdict::TooLittleData => "-",
    }
}
