//! The wording of a comparison of two runs, shared by terminal, Markdown and HTML.
//!
//! Pure. Leaves the figures to `results::compare` and the layout to each report.

use crate::analysis::{ChangeVerdict, ComparedFigure, Comparison, EndpointComparison, FigureComparison};
use crate::text::clean_line;
use crate::text::format;

/// Changes that a sentence names.
const MOST_LISTED: usize = 3;

/// The result of the comparison in one sentence.
pub fn comparison_sentence(comparison: &Comparison) -> String {
    let (worse, better) =
        (listed(comparison, ChangeVerdict::Worse), listed(comparison, ChangeVerdict::Better));
    match (worse, better) {
        (None, None) if comparison.least_change.is_none() => "too little data to tell a change".to_owned(),
        (None, None) => "no significant change".to_owned(),
        (Some(worse), None) => format!("REGRESSION: {worse}"),
        (None, Some(better)) => format!("better: {better}"),
        (Some(worse), Some(better)) => format!("REGRESSION: {worse}; better: {better}"),
    }
}

/// How much the comparison can tell at all.
pub(crate) fn resolution_sentence(comparison: &Comparison) -> String {
    let few = if comparison.baseline_runs == 1 {
        "; the baseline is a single run, and one of several tells more (rhaid baseline save RUN RUN …)"
            .to_owned()
    } else {
        format!("; the baseline is {} runs", comparison.baseline_runs)
    };
    match &comparison.least_change {
        Some(least) => format!(
            "a change of {} of all requests below {} cannot be told from chance{few}",
            least.figure.as_str(),
            change_text(least.figure, least.change).trim_start_matches('+')
        ),
        None => {
            "too little data to tell a change from chance: it takes eight seconds and 30 requests".to_owned()
        }
    }
}

/// What got worse since which run, as a reason to fail; `None` if nothing did.
pub fn regression_sentence(comparison: &Comparison) -> Option<String> {
    let worse = listed(comparison, ChangeVerdict::Worse)?;
    Some(format!("worse than {}: {worse}", clean_line(&comparison.before.folder)))
}

/// The figures with this verdict, the largest change first; `None` if there are none.
fn listed(comparison: &Comparison, verdict: ChangeVerdict) -> Option<String> {
    let mut all: Vec<_> = comparison.changes(verdict).collect();
    all.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)));
    let text = |(endpoint, figure): &(&EndpointComparison, &FigureComparison)| {
        let change = change_text(figure.figure, figure.change.unwrap_or(0.0));
        format!("{} of {} {change}", figure.figure.as_str(), endpoint_name(endpoint))
    };
    let shown = all.iter().take(MOST_LISTED).map(text).collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => None,
        count if count > MOST_LISTED => Some(format!("{shown} and {} more", count - MOST_LISTED)),
        _ => Some(shown),
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
