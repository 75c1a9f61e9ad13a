//! The top of the page: verdict, six tiles, and what happened.

use maud::{Markup, html};

use super::{section, user, wrapping};
use crate::analysis::Finding;
use crate::analysis::warnings::warnings;
use crate::report::model::{Judgement, Model};

fn tone_class(tone: Judgement) -> &'static str {
    match tone {
        Judgement::Good => "good",
        Judgement::Warning => "warning",
        Judgement::Bad => "bad",
        Judgement::Neutral => "neutral",
    }
}

/// Each verdict has a sign, since colour never carries meaning alone.
fn sign(tone: Judgement) -> &'static str {
    match tone {
        Judgement::Good => "✓",
        Judgement::Warning => "!",
        Judgement::Bad => "✗",
        Judgement::Neutral => "•",
    }
}

pub(super) fn verdict(model: &Model<'_>) -> Markup {
    let tone = model.verdict_tone;
    html! {
        section #verdict aria-labelledby="verdict-h" {
            div.verdict.(tone_class(tone)) {
                h2 #verdict-h { span aria-hidden="true" { (sign(tone)) } " " (model.verdict) }
                p { (wrapping(&model.sentence)) }
            }
            (warnings_of(model))
            dl.tiles {
                @for tile in &model.tiles {
                    div.(tone_class(tile.tone)) {
                        dt { (tile.label) }
                        dd.value { (tile.value) }
                        @if !tile.note.is_empty() { dd { (tile.note) } }
                        @if let Some(change) = &tile.change { dd.change { (change) } }
                    }
                }
            }
            p.note { "Whole run; percentiles are of the latency of successful requests." }
        }
    }
}

/// What the figures have to be read with.
pub(super) fn warnings_of(model: &Model<'_>) -> Markup {
    html! {
        @for problem in model.problems { p.problem { "! " (user(problem)) } }
        @for warning in warnings(model.snapshot) {
            p.problem {
                @for (index, line) in warning.iter().enumerate() {
                    @if index == 0 { "! " } @else { br; }
                    (user(line))
                }
            }
        }
    }
}

pub(super) fn findings(model: &Model<'_>) -> Markup {
    if model.findings.is_empty() {
        return Markup::default();
    }
    let list = html! {
        ol.findings {
            @for finding in &model.findings {
                li.(finding.kind) { a href={ "#" (chart_of(finding)) } { (wrapping(&finding.sentence())) } }
            }
        }
    };
    section("findings", "What happened", list)
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
        "agent-lost" | "agents-lost" => "agents",
        _ => "facts",
    }
}
