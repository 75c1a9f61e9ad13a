//! Two runs against each other: a section of a run's report, and a page of its own.

use super::table::{Column, Row, figures, table as html_table, text};
use super::{escape, page, section, user};
use crate::analysis::comparison::{
    amount, change_text, comparison_sentence, endpoint_name, interval_text, shown, sign,
};
use crate::analysis::{ChangeVerdict, Comparison, EndpointComparison, FigureComparison, Presence, RunName};

/// Endpoints in the table; the JSON has all of them.
const MOST_ENDPOINTS: usize = 60;

const COLUMNS: [Column; 7] = [
    text("Endpoint"),
    text("Figure"),
    figures("Then"),
    figures("Now"),
    figures("Change"),
    figures("95 % interval"),
    text("Verdict"),
];

/// The section; nothing without a comparison.
pub(super) fn comparison(comparison: Option<&Comparison>) -> String {
    comparison
        .map_or_else(String::new, |comparison| section("comparison", "Comparison", &content(comparison)))
}

/// A comparison of two runs as one HTML file.
pub fn comparison_page(comparison: &Comparison) -> String {
    let title = format!("{} against {}", user(&comparison.after.folder), user(&comparison.before.folder));
    let header = format!(
        "<header><div><h1>{title}</h1><p>{} · {}</p></div><nav aria-label=\"Page\">\
         <button type=\"button\" id=\"theme\" hidden>Dark</button></nav></header>",
        user(&comparison.after.started_at),
        user(&comparison.before.started_at)
    );
    let version = env!("CARGO_PKG_VERSION");
    let footer = format!("<footer><p>Made by rhaid {version}.</p></footer>");
    let figures = comparison.json().to_string().replace('<', "\\u003c");
    let data = format!("<script type=\"application/json\" id=\"comparison-figures\">{figures}</script>");
    page(&title, &header, &section("comparison", "Comparison", &content(comparison)), &footer, &data)
}

fn content(comparison: &Comparison) -> String {
    let sentence = comparison_sentence(comparison);
    let has = |verdict| comparison.changes(verdict).next().is_some();
    let (class, mark) = match (has(ChangeVerdict::Worse), has(ChangeVerdict::Better)) {
        (true, _) => ("bad", sign(ChangeVerdict::Worse)),
        (false, true) => ("good", sign(ChangeVerdict::Better)),
        (false, false) => ("neutral", sign(ChangeVerdict::Noise)),
    };
    let mut html = format!(
        "<p class=\"outcome {class}\"><span aria-hidden=\"true\">{mark}</span> {}</p>\n\
         <p>Now: {}. Then: {}.</p>\n",
        user(&sentence),
        run_name(&comparison.after),
        run_name(&comparison.before)
    );
    if !comparison.warnings.is_empty() {
        html.push_str("<ul class=\"warnings\">\n");
        for warning in &comparison.warnings {
            html.push_str(&format!("<li>! {}</li>\n", user(warning)));
        }
        html.push_str("</ul>\n");
    }
    let part = if comparison.steady_only { "The steady phases of both runs." } else { "Both runs whole." };
    html.push_str(&format!(
        "<p class=\"note\">{part} Changes are those of the run now against the run then; pp is percentage points. The \
         interval holds the true change with 95 % confidence (block bootstrap over seconds). Noise: chance explains the \
         change, all figures taken together, or it is smaller than what equal runs show anyway.</p>\n"
    ));
    let listed = shown(comparison, MOST_ENDPOINTS);
    let left_out = comparison.endpoints.len() - listed.len();
    if left_out > 0 {
        html.push_str(&format!(
            "<p class=\"note\">{} endpoints, those that changed first; {left_out} more are in run.json and in \
             <code>rhaid compare --json</code>.</p>\n",
            listed.len()
        ));
    }
    let rows: Vec<Row> = listed.iter().flat_map(|endpoint| endpoint_rows(endpoint)).collect();
    html.push_str(&html_table("comparison-table", "Then and now", &COLUMNS, &rows, None));
    html
}

fn run_name(run: &RunName) -> String {
    format!("<b>{}</b> ({})", user(&run.folder), user(&run.started_at))
}

fn endpoint_rows(endpoint: &EndpointComparison) -> Vec<Row> {
    let only = match endpoint.presence {
        Presence::Both => "",
        Presence::OnlyBefore => " (only then)",
        Presence::OnlyAfter => " (only now)",
    };
    let name = format!("{}{only}", user(&endpoint_name(endpoint)));
    endpoint.figures.iter().map(|figure| figure_row(&name, figure)).collect()
}

fn figure_row(name: &str, figure: &FigureComparison) -> Row {
    let kind = figure.figure;
    let mut row = Row::new(vec![
        name.to_owned(),
        kind.as_str().to_owned(),
        amount(kind, figure.before),
        amount(kind, figure.after),
        figure.change.map_or_else(|| "-".to_owned(), |change| change_text(kind, change)),
        interval_text(figure),
        verdict_cell(figure.verdict),
    ]);
    row.keys = vec![None, None, figure.before, figure.after, figure.change, figure.change, None];
    row.is_bad = figure.verdict == ChangeVerdict::Worse;
    row
}

fn verdict_cell(verdict: ChangeVerdict) -> String {
    let class = match verdict {
        ChangeVerdict::Better => "better",
        ChangeVerdict::Worse => "worse",
        ChangeVerdict::Noise | ChangeVerdict::TooLittleData => "same",
    };
    format!("<span class=\"{class}\">{} {}</span>", sign(verdict), escape(verdict.as_str()))
}
