//! The first screen: name, verdict, six figures, limits, and what happened.

use super::{escape, section, user};
use crate::analysis::findings::Finding;
use crate::analysis::warnings::warnings;
use crate::report::model::{Judgement, Model};
use crate::text::utc;

fn tone_class(tone: Judgement) -> &'static str {
    match tone {
        Judgement::Good => "good",
        Judgement::Warning => "warning",
        Judgement::Bad => "bad",
        Judgement::Neutral => "neutral",
    }
}

/// Colour is never alone: each verdict has its sign.
fn sign(tone: Judgement) -> &'static str {
    match tone {
        Judgement::Good => "✓",
        Judgement::Warning => "!",
        Judgement::Bad => "✗",
        Judgement::Neutral => "•",
    }
}

pub(super) fn header(model: &Model<'_>) -> String {
    let info = model.info;
    let target = info.host.as_deref().map(|host| format!(" → {}", user(host))).unwrap_or_default();
    let label = info.origin.label.as_ref().map(|label| format!(" · {}", user(label))).unwrap_or_default();
    format!(
        "<header><div><h1>{}</h1><p>{}{target}{label} · {}</p></div>\
         <nav aria-label=\"Sections\">{}<a href=\"#timeline\">Timeline</a> <a href=\"#endpoints\">Endpoints</a> \
         <a href=\"#distributions\">Distribution</a> <a href=\"#errors\">Errors</a> {}<a href=\"#facts\">Run</a> \
         <button type=\"button\" id=\"theme\" hidden>Dark</button></nav></header>",
        user(&info.name),
        user(&info.script.display().to_string()),
        escape(&utc(info.started_at)),
        if model.snapshot.capacity.is_some() { "<a href=\"#capacity\">Capacity</a> " } else { "" },
        [
            (model.comparison.is_some(), "<a href=\"#comparison\">Comparison</a> "),
            (model.last_runs.len() > 1, "<a href=\"#last-runs\">Last runs</a> "),
        ]
        .iter()
        .filter_map(|(is_there, link)| is_there.then_some(*link))
        .collect::<String>(),
    )
}

pub(super) fn verdict(model: &Model<'_>) -> String {
    let tone = model.verdict_tone;
    let mut html = format!(
        "<section class=\"verdict {}\" aria-labelledby=\"verdict-h\"><h2 id=\"verdict-h\"><span aria-hidden=\"true\">{}</span> \
         {}</h2><p>{}</p></section>\n",
        tone_class(tone),
        sign(tone),
        escape(model.verdict),
        user(&model.sentence)
    );
    for problem in model.problems {
        html.push_str(&format!("<p class=\"problem\">! {}</p>\n", user(problem)));
    }
    for warning in warnings(model.snapshot) {
        let lines: Vec<String> = warning.iter().map(|line| user(line)).collect();
        html.push_str(&format!("<p class=\"problem\">! {}</p>\n", lines.join("<br>")));
    }
    html.push_str("<dl class=\"tiles\">\n");
    for tile in &model.tiles {
        let change = tile
            .change
            .as_ref()
            .map_or_else(String::new, |change| format!("<dd class=\"change\">{}</dd>", escape(change)));
        html.push_str(&format!(
            "<div class=\"{}\"><dt>{}</dt><dd class=\"value\">{}</dd><dd>{}</dd>{change}</div>\n",
            tone_class(tile.tone),
            escape(tile.label),
            escape(&tile.value),
            escape(&tile.note)
        ));
    }
    html.push_str("</dl>\n");
    html
}

pub(super) fn findings(model: &Model<'_>) -> String {
    if model.findings.is_empty() {
        return String::new();
    }
    let mut list = String::from("<ol class=\"findings\">\n");
    for finding in &model.findings {
        list.push_str(&format!(
            "<li class=\"{}\"><a href=\"#{}\">{}</a></li>\n",
            escape(finding.kind),
            chart_of(finding),
            user(&finding.sentence())
        ));
    }
    list.push_str("</ol>\n");
    section("findings", "What happened", &list)
}

/// The place that shows what a finding tells.
fn chart_of(finding: &Finding) -> &'static str {
    match finding.kind {
        "stall" => "in-flight",
        "failing" | "first-error" => "errors",
        "burst" => "throughput",
        "knee" => "latency",
        "leak" => "memory",
        "generator" => "lag",
        "load" => "load",
        _ => "facts",
    }
}
