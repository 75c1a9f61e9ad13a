//! The comparison of two runs: a section of a run's report, and a page of its own.

use maud::{Markup, html};

use super::table::{Table, keyed, or_dash};
use super::{Page, data_script, section, user, wrapping};
use crate::analysis::comparison::{
    amount, change_text, comparison_sentence, endpoint_name, interval_text, resolution_sentence, shown, sign,
};
use crate::analysis::{ChangeVerdict, Comparison, EndpointComparison, Presence, RunName};

/// Endpoints in the table; the JSON has all of them.
const MOST_ENDPOINTS: usize = 60;

/// The section; nothing without a comparison.
pub(super) fn comparison(comparison: Option<&Comparison>) -> Markup {
    comparison.map(|comparison| section("comparison", "Comparison", content(comparison))).unwrap_or_default()
}

/// A comparison of two runs as one HTML file.
pub fn comparison_page(comparison: &Comparison) -> String {
    let (before, after) = (&comparison.before, &comparison.after);
    let page = Page {
        title: format!("{} against {}", user(&after.folder), user(&before.folder)),
        about: html! { (user(&after.started_at)) " · " (user(&before.started_at)) },
        main: section("comparison", "Comparison", content(comparison)),
        data: data_script("comparison-figures", &comparison.json()),
        ..Page::default()
    };
    page.html()
}

fn content(comparison: &Comparison) -> Markup {
    let has = |verdict| comparison.changes(verdict).next().is_some();
    let (class, mark) = match (has(ChangeVerdict::Worse), has(ChangeVerdict::Better)) {
        (true, _) => ("bad", sign(ChangeVerdict::Worse)),
        (false, true) => ("good", sign(ChangeVerdict::Better)),
        (false, false) => ("neutral", sign(ChangeVerdict::Noise)),
    };
    let listed = shown(comparison, MOST_ENDPOINTS);
    let left_out = comparison.endpoints.len() - listed.len();
    let rows =
        listed.iter().flat_map(|endpoint| endpoint.figures.iter().map(move |figure| (endpoint, figure)));
    let table = Table::new("comparison-table", "Baseline and current run", rows)
        .bad_if(|(_, figure)| figure.verdict == ChangeVerdict::Worse)
        .text("Endpoint", |(endpoint, _)| wrapping(&name(endpoint)))
        .text("Figure", |(_, figure)| figure.figure.as_str())
        .figures("Baseline", |(_, figure)| keyed(amount(figure.figure, figure.before), figure.before))
        .figures("Current", |(_, figure)| keyed(amount(figure.figure, figure.after), figure.after))
        .figures("Change", |(_, figure)| {
            keyed(or_dash(figure.change, |change| change_text(figure.figure, change)), figure.change)
        })
        .figures("95 % interval", |(_, figure)| keyed(interval_text(figure), figure.change))
        .text("Verdict", |(_, figure)| verdict(figure.verdict));
    html! {
        p.outcome.(class) { span aria-hidden="true" { (mark) } " " (user(&comparison_sentence(comparison))) }
        p { "Current: " (run_name(&comparison.after)) ". Baseline: " (run_name(&comparison.before)) "." }
        @if !comparison.warnings.is_empty() {
            ul.warnings { @for warning in &comparison.warnings { li { "! " (user(warning)) } } }
        }
        p.note {
            @if comparison.steady_only { "Steady phases of both runs." } @else { "Both runs in full." }
            " Changes are relative to the baseline; pp means percentage points. The interval contains the \
             true change with 95 % confidence (block bootstrap over seconds). Noise: the change is explained by chance, given all \
             figures compared, or is smaller than the usual difference between identical runs. "
            (user(&first_upper(&resolution_sentence(comparison)))) "."
        }
        @if left_out > 0 {
            p.note {
                (listed.len()) " endpoints, changed ones first; " (left_out) " more are in run.json and in "
                code { "rhaid compare --json" } "."
            }
        }
        (table)
    }
}

fn first_upper(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn run_name(run: &RunName) -> Markup {
    html! { b { (user(&run.folder)) } " (" (user(&run.started_at)) ")" }
}

fn name(endpoint: &EndpointComparison) -> String {
    let only = match endpoint.presence {
        Presence::Both => "",
        Presence::OnlyBefore => " (baseline only)",
        Presence::OnlyAfter => " (current only)",
    };
    endpoint_name(endpoint) + only
}

fn verdict(verdict: ChangeVerdict) -> Markup {
    let class = match verdict {
        ChangeVerdict::Better => "better",
        ChangeVerdict::Worse => "worse",
        ChangeVerdict::Noise | ChangeVerdict::TooLittleData => "same",
    };
    html! { span.(class) { (sign(verdict)) " " (verdict.as_str()) } }
}
