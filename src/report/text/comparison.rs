//! Two runs side by side in a terminal: what changed, endpoint by endpoint.

use super::look::{Look, Mark, Tone};
use super::table::{Row, Table};
use crate::analysis::comparison::{change_text, comparison_sentence, resolution_sentence};
use crate::analysis::{
    ChangeVerdict, ComparedFigure, Comparison, EndpointComparison, FigureComparison, Presence,
};
use crate::text::clean_line;
use crate::text::format;

/// Endpoints that are shown; the JSON has all of them.
const MOST_ENDPOINTS: usize = 40;

/// The comparison as lines: what is compared, warnings, a row for each endpoint, a sentence at the end.
///
/// A cell is the later figure with its change, if there is one; `~` means noise, nothing means too little data.
pub fn comparison_table(comparison: &Comparison, look: Look) -> Vec<String> {
    let steady = if comparison.steady_only { "; steady phases only" } else { "" };
    let mut lines = vec![format!(
        " {} against {}{steady}",
        clean_line(&comparison.after.folder),
        clean_line(&comparison.before.folder)
    )];
    for warning in &comparison.warnings {
        lines.push(look.paint(Tone::Faint, &format!(" ! {}", clean_line(warning))));
    }
    let shown = comparison.endpoints.iter().take(MOST_ENDPOINTS);
    let headers = ["endpoint", "rate/s", "failed", "p50", "p95", "p99"];
    lines.extend(Table::new(&headers, shown.map(|endpoint| row(endpoint, look)).collect()).render(look));
    if comparison.endpoints.len() > MOST_ENDPOINTS {
        lines.push(format!("   … and {} more", comparison.endpoints.len() - MOST_ENDPOINTS));
    }
    if comparison.changes(ChangeVerdict::Noise).next().is_some() {
        lines.push(look.paint(Tone::Faint, "   ~ no significant change"));
    }
    lines.push(look.paint(Tone::Faint, &format!("   {}", resolution_sentence(comparison))));
    lines.push(format!(" {}", comparison_sentence(comparison)));
    lines
}

fn row(endpoint: &EndpointComparison, look: Look) -> Row {
    let has = |verdict| endpoint.figures.iter().any(|figure| figure.verdict == verdict);
    let mark = if has(ChangeVerdict::Worse) { Mark::Fail } else { Mark::Blank };
    let name = match endpoint.method.as_str() {
        "" => "all requests".to_owned(),
        method => clean_line(&format!("{method:<4} {}", endpoint.name)),
    };
    let notes = match endpoint.presence {
        Presence::Both => Vec::new(),
        Presence::OnlyBefore => vec!["only in the earlier run".to_owned()],
        Presence::OnlyAfter => vec!["only in the later run".to_owned()],
    };
    Row { mark, name, cells: endpoint.figures.iter().map(|figure| cell(figure, look)).collect(), notes }
}

fn cell(figure: &FigureComparison, look: Look) -> String {
    let value = figure.after.map_or_else(|| "-".to_owned(), |value| amount(figure.figure, value, look));
    match (figure.verdict, figure.change) {
        (ChangeVerdict::TooLittleData, _) | (_, None) => value,
        (ChangeVerdict::Noise, _) => format!("{value} ~"),
        (verdict, Some(change)) => {
            format!("{value} {} {}", change_text(figure.figure, change), verdict.as_str())
        }
    }
}

fn amount(figure: ComparedFigure, value: f64, look: Look) -> String {
    match figure {
        ComparedFigure::Rate => format::rate(value),
        ComparedFigure::Failures => format!("{} %", format::percent(value)),
        ComparedFigure::P50 | ComparedFigure::P95 | ComparedFigure::P99 => {
            look.latency_or_dash(Some(value as u64))
        }
    }
}
