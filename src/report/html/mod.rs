//! The report of a run as one HTML file.
//!
//! Owns the order of the sections and the page around them. Leaves figures to `model` and drawings to
//! `charts`. Invariants: one file without external resources; readable without JavaScript, which only sorts,
//! filters and shows values under the pointer; all text from the run is escaped, and credentials are masked;
//! the page's content security policy allows only this style and this script. All HTML is made by `maud`, which escapes
//! what it is given; only our own style, script and SVG, and the figures of `data_script`, go in as they are.

mod agents;
mod capacity;
mod comparison;
mod data;
mod endpoints;
mod errors;
mod facts;
mod limits;
mod live;
mod table;
mod top;
mod trend;

#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;

pub use comparison::comparison_page;
pub use live::{live_page, live_parts, live_script, live_style, live_top, playground_script};
pub use trend::trend_page;

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::charts::{CHART_CSS, Chart, HATCH, class_css, distribution_charts, timeline_charts, variables};
use super::model::Model;
use crate::credentials::masked;
use crate::metrics::{Percentile, Summary};
use crate::text::utc::utc;
use crate::text::{clean_json, clean_line, clean_lines, clean_text, format};

const STYLE: &str = include_str!("report.css");
const REPORT_SCRIPT: &str = concat!(include_str!("report.js"), include_str!("timeline.js"));

const VERSION: &str = concat!("rhaid ", env!("CARGO_PKG_VERSION"));

/// The whole page.
pub fn html_report(model: &Model<'_>) -> String {
    let info = model.info;
    let page = Page {
        title: user(&info.name),
        about: about(model),
        links: html! {
            @if model.snapshot.capacity.is_some() { a href="#capacity" { "Capacity" } " " }
            a href="#endpoints" { "Endpoints" } " "
            a href="#errors" { "Errors" } " "
            a href="#timeline" { "Timeline" } " "
            a href="#distributions" { "Distribution" } " "
            @if !model.snapshot.agents.is_empty() { a href="#agents" { "Agents" } " " }
            @if model.comparison.is_some() { a href="#comparison" { "Comparison" } " " }
            @if model.last_runs.len() > 1 { a href="#last-runs" { "Last runs" } " " }
            a href="#facts" { "Run" } " "
        },
        main: html! { @for (_, section) in sections(model) { (section) } },
        footer: Some(html! { (user(&info.name)) " · " (utc(info.started_at)) " · created by " (VERSION) }),
        data: data::embedded(model),
        style: if model.snapshot.agents.is_empty() { "" } else { agents::STYLE },
    };
    page.html()
}

/// The sections of the page from top to bottom: the id of each, and its HTML. Each is one element with that id, made
/// from the model alone, and empty where the run has nothing for it, so that the page of a run that goes on can
/// replace them one by one.
fn sections(model: &Model<'_>) -> Vec<(&'static str, Markup)> {
    vec![
        ("verdict", top::verdict(model)),
        ("thresholds", limits::limits(model)),
        ("capacity", capacity::capacity(model)),
        ("findings", top::findings(model)),
        ("endpoints", endpoints::table(model)),
        ("errors", errors::failures(model)),
        ("script-errors", errors::script_errors(model)),
        ("checks", errors::checks(model)),
        ("timeline", timeline(model)),
        ("each", endpoints::details(model)),
        ("distributions", distributions(model)),
        ("scenarios", facts::scenarios(model)),
        ("comparison", comparison::comparison(model.comparison)),
        ("last-runs", trend::last_runs(&model.last_runs)),
        ("metrics", facts::own_metrics(model)),
        ("agents", agents::agents(model)),
        ("resources", facts::resources(model)),
        ("facts", facts::facts(model)),
        ("data", data::downloads()),
        ("terms", facts::terms()),
    ]
}

/// The line below the name: script, host, load, duration, and when it was. Its script shows that in the reader's time.
fn about(model: &Model<'_>) -> Markup {
    let info = model.info;
    let users = model.snapshot.users_max;
    html! {
        (wrapping(&info.script.display().to_string()))
        @if let Some(host) = &info.host { " → " (wrapping(host)) }
        @if let Some(label) = &info.origin.label { " · " (user(label)) }
        " · " (format::count(users)) @if users == 1 { " user" } @else { " users" }
        " · " (format::run_length(model.snapshot.elapsed))
        " · " (moment(info.started_at))
    }
}

/// A moment in UTC, which the script of the page shows in the reader's time and zone.
fn moment(at: SystemTime) -> Markup {
    let at = utc(at);
    html! { time datetime=(at) { (at.replace('T', " ").replace('Z', " UTC")) } }
}

/// What stands in the frame of a page.
#[derive(Default)]
struct Page {
    /// Its name, in the tab and as the heading.
    title: String,
    /// The line below that.
    about: Markup,
    /// Links to its sections.
    links: Markup,
    main: Markup,
    /// Its last line, where that says more than who made the page.
    footer: Option<Markup>,
    /// Figures for the script.
    data: Markup,
    /// Style of what only some pages have.
    style: &'static str,
}

impl Page {
    fn html(&self) -> String {
        let (style, script) = (style() + self.style, without_indents(REPORT_SCRIPT));
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
            hash(&style),
            hash(&script)
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content=(VERSION);
                    link rel="icon" href="data:,";
                    title { (self.title) " - rhaid report" }
                    style { (PreEscaped(style)) }
                }
                body {
                    a.skip href="#main" { "Skip to the verdict" }
                    svg.defs width="0" height="0" aria-hidden="true" { defs { (PreEscaped(HATCH)) } }
                    header {
                        div { h1 { (self.title) } p { (self.about) } }
                        nav aria-label=(if self.links.0.is_empty() { "Page" } else { "Sections" }) {
                            (self.links)
                            button #theme type="button" hidden { "Dark" }
                        }
                    }
                    main #main { (self.main) }
                    footer {
                        @if let Some(footer) = &self.footer { (footer) } @else { p { "Created by " (VERSION) "." } }
                    }
                    (self.data)
                    script { (PreEscaped(script)) }
                }
            }
            "\n"
        };
        // What is written by hand here has been cleaned; this is for what somebody forgets.
        clean_text(&page.into_string()).into_owned()
    }
}

/// Figures for the script. In its element only `<` could end it, or begin a comment that hides its end.
fn data_script(id: &str, figures: &Value) -> Markup {
    let json = clean_json(figures.to_string()).replace('<', "\\u003c");
    html! { script type="application/json" id=(id) { (PreEscaped(json)) } }
}

/// The script as it is sent, without what only its readers need. A line ends only where that may end a statement.
fn without_indents(script: &str) -> String {
    let lines = script.lines().map(str::trim_start);
    let mut sent = String::with_capacity(script.len());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        sent.push_str(line);
        if !line.ends_with(['{', '(', '[', ',', ';']) {
            sent.push('\n');
        }
    }
    sent
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
    masked(&clean_line(text)).into_owned()
}

/// The same of a text with paths in it, which break between their parts where they do not fit, not within one.
fn wrapping(text: &str) -> Markup {
    let text = user(text);
    let parts: Vec<&str> = text.split_inclusive('/').collect();
    html! {
        @for (index, part) in parts.iter().enumerate() {
            // `https://` and `/` at the beginning stay with what follows.
            @if index > 0 && parts[index - 1] != "/" && *part != "/" { wbr; }
            (part)
        }
    }
}

/// The same with its line breaks, for preformatted text.
fn user_lines(text: &str) -> String {
    masked(&clean_lines(text).join("\n")).into_owned()
}

/// The mark of what failed.
fn cross() -> Markup {
    html! { span.mark { "✗" } }
}

/// A percentile of times, when there are enough of them.
fn percentile(times: Option<Summary>, of: Percentile) -> Option<u64> {
    times.and_then(|times| times.telling_us(of))
}

/// A section with its heading; nothing when there is no content.
fn section(id: &str, title: &str, content: impl Render) -> Markup {
    let content = content.render();
    if content.0.is_empty() {
        return content;
    }
    html! {
        section id=(id) aria-labelledby={ (id) "-h" } {
            h2 id={ (id) "-h" } { (title) }
            (content)
        }
    }
}

/// What charts show, as tables.
fn data_of_charts(tables: impl Render) -> Markup {
    html! { details { summary { "Chart data" } (tables) } }
}

/// Charts beside or below one another.
fn figures(charts: &[Chart]) -> Markup {
    html! { div.charts { @for chart in charts { (figure(chart)) } } }
}

/// A chart with its legend.
fn figure(chart: &Chart) -> Markup {
    // The other scale of the latency chart is there for the button that shows it.
    let is_other = chart.id == "latency-linear" || chart.id == "latency-log";
    let (left, right) = chart.time_axis.unzip();
    let width = left.map(|_| chart.size.0);
    html! {
        figure #(chart.id) data-left=[left] data-right=[right] data-width=[width]
            hidden[is_other] data-other[is_other] {
            figcaption {
                h3 { (wrapping(&chart.title)) }
                span.note { (chart.unit) }
                @if chart.explained().next().is_some() {
                    ul.legend {
                        @for (role, shape, label) in chart.explained() {
                            li {
                                svg viewBox="0 0 50 20" aria-hidden="true" {
                                    (PreEscaped(shape.sample(role, 0, 10)))
                                }
                                " " (user(label))
                            }
                        }
                    }
                }
            }
            div.drawing { (chart.inline_svg()) }
            p.says { (user(&chart.description)) }
        }
    }
}

fn timeline(model: &Model<'_>) -> Markup {
    let charts = timeline_charts(model);
    if charts.is_empty() {
        return Markup::default();
    }
    let width = model.timeline.width_s;
    let content = html! {
        p.note {
            "Time since the start of the load. Each point covers "
            @if width == 1 { "one second" } @else { (width) " seconds, merged from per-second histograms" }
            ". Shaded: ramp-up and ramp-down. Numbers refer to What happened, above."
        }
        p #part hidden {}
        (figures(&charts))
        (data::timeline_table(model))
    };
    section("timeline", "Timeline", content)
}

fn distributions(model: &Model<'_>) -> Markup {
    let charts = distribution_charts(model);
    if charts.is_empty() {
        return Markup::default();
    }
    section("distributions", "Distribution", html! { (figures(&charts)) (data::distribution_table(model)) })
}
