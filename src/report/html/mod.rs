//! The report of a run as one HTML file.
//!
//! Owns the order of the sections and the frame around them. Leaves figures to `model` and drawings to
//! `charts`. Invariants: one file that asks for nothing else; readable without script, which only sorts,
//! filters and shows values under the pointer; all text of the run is escaped, and credentials are masked;
//! the page's own policy allows this style and this script and nothing more.

mod capacity;
mod comparison;
mod data;
mod endpoints;
mod errors;
mod facts;
mod limits;
mod table;
mod top;
mod trend;

#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;

pub use comparison::comparison_page;
pub use trend::trend_page;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::charts::{CHART_CSS, Chart, HATCH, class_css, distribution_charts, timeline_charts, variables};
use super::markup::escape;
use super::model::Model;
use crate::metrics::masked;
use crate::text::{clean_line, clean_lines};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = concat!(include_str!("report.js"), include_str!("timeline.js"));

/// The whole page.
pub fn html_report(model: &Model<'_>) -> String {
    let sections = [
        top::verdict(model),
        limits::limits(model),
        capacity::capacity(model),
        top::findings(model),
        timeline(model),
        endpoints::table(model),
        endpoints::details(model),
        distributions(model),
        errors::failures(model),
        errors::script_errors(model),
        errors::checks(model),
        facts::scenarios(model),
        comparison::comparison(model.comparison),
        trend::last_runs(&model.last_runs),
        facts::own_metrics(model),
        facts::resources(model),
        facts::facts(model),
        data::downloads(),
        facts::terms(),
    ];
    page(
        &user(&model.info.name),
        &top::header(model),
        &sections.concat(),
        &facts::footer(model),
        &data::embedded(model),
    )
}

/// The frame of a page; everything that is given is HTML.
fn page(title: &str, header: &str, main: &str, footer: &str, data: &str) -> String {
    let (style, script) = (style(), without_indents(SCRIPT));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"rhaid {}\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title} - rhaid report</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the verdict</a>\n\
         <svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>{HATCH}</defs></svg>\n\
         {header}\n<main id=\"main\">\n{main}</main>\n{footer}\n{data}\n<script>{script}</script>\n</body>\n</html>\n",
        hash(&style),
        hash(&script),
        env!("CARGO_PKG_VERSION"),
    )
}

/// The script as it is sent: the same lines, without what only its readers need.
fn without_indents(script: &str) -> String {
    let lines = script.lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn style() -> String {
    let (light, dark) = (variables(false), variables(true));
    format!(
        ":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}:root[data-theme=light]{{{light}}}\
         :root[data-theme=dark]{{{dark}}}{}{CHART_CSS}{STYLE}@media print{{:root,:root[data-theme=dark]{{{light}}}}}",
        class_css()
    )
}

/// As a content security policy names a text it allows.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// One line of text that came from outside.
fn user(text: &str) -> String {
    escape(&masked(&clean_line(text)))
}

/// The same with its line breaks, for preformatted text.
fn user_lines(text: &str) -> String {
    escape(&masked(&clean_lines(text).join("\n")))
}

/// A section with its heading; nothing when there is no content.
fn section(id: &str, title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    let content = without_second_heading(title, content);
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{title}</h2>\n{content}</section>\n"
    )
}

/// A table that a section consists of has its name from the heading: its caption is left to those who do not see it.
fn without_second_heading<'a>(title: &str, content: &'a str) -> Cow<'a, str> {
    let caption = format!("<caption>{title}</caption>");
    if content.matches("<table").count() != 1 || !content.contains(&caption) {
        return content.into();
    }
    content.replacen(&caption, &format!("<caption class=\"unseen\">{title}</caption>"), 1).into()
}

/// A chart with its legend.
fn figure(chart: &Chart, extra: &str) -> String {
    let mut legend = String::new();
    if !chart.legend.is_empty() {
        legend.push_str("<ul class=\"legend\">");
    }
    for (role, shape, label) in &chart.legend {
        let mark = shape.sample(*role, 0, 10);
        legend.push_str(&format!(
            "<li><svg viewBox=\"0 0 50 20\" aria-hidden=\"true\">{mark}</svg> {}</li>",
            escape(label)
        ));
    }
    if !legend.is_empty() {
        legend.push_str("</ul>");
    }
    let axis = chart.time_axis.map(|(left, right)| {
        format!(" data-left=\"{left}\" data-right=\"{right}\" data-width=\"{}\"", chart.size.0)
    });
    format!(
        "<figure id=\"{id}\"{}{extra}><figcaption><h3>{}</h3><span class=\"note\">{}</span>{legend}</figcaption>\
         <div class=\"scroll drawing\" tabindex=\"0\" role=\"group\" aria-labelledby=\"{id}-t\">{}</div>\
         <p class=\"says\">{}</p></figure>\n",
        axis.unwrap_or_default(),
        user(&chart.title),
        escape(chart.unit),
        chart.inline_svg(),
        user(&chart.description),
        id = chart.id,
    )
}

fn timeline(model: &Model<'_>) -> String {
    let charts = timeline_charts(model);
    if charts.is_empty() {
        return String::new();
    }
    let width = model.timeline.width_s;
    let mut content = format!(
        "<p class=\"note\">Time from the start of the load. Each point stands for {}. Grey ground: users are added or \
         taken away. Numbers: what happened, above.</p>\n<p id=\"part\" hidden></p>\n<div class=\"charts\">\n",
        if width == 1 {
            "a second".to_owned()
        } else {
            format!("{width} seconds, merged from the histograms of each second")
        }
    );
    for chart in &charts {
        // The other scale of the latency chart is there for the button that shows it.
        let is_second = chart.id == "latency-linear" || chart.id == "latency-log";
        content.push_str(&figure(chart, if is_second { " hidden data-other" } else { "" }));
    }
    content.push_str("</div>\n");
    content.push_str(&data::timeline_table(model));
    section("timeline", "Timeline", &content)
}

fn distributions(model: &Model<'_>) -> String {
    let charts = distribution_charts(model);
    let mut content = String::new();
    if !charts.is_empty() {
        content.push_str("<div class=\"charts\">\n");
        charts.iter().for_each(|chart| content.push_str(&figure(chart, "")));
        content.push_str("</div>\n");
        content.push_str(&data::distribution_table(model));
    }
    section("distributions", "Distribution", &content)
}
