//! The page of a run that goes on: its frame, and the report of what there is so far, part by part.
//!
//! The frame is sent once, and its script fills it. Each part is what the report of the finished run has at that place, so
//! that the page of a run that is over is its report.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{HATCH, REPORT_SCRIPT, VERSION, agents, data, sections, style, top, user, without_indents};
use crate::analysis::thresholds;
use crate::metrics::{HistoryPoint, Percentile, Snapshot, Summary, ThresholdState};
use crate::plan::RunRecord;
use crate::report::charts::sparkline;
use crate::report::model::Model;
use crate::text::format;

/// Seconds in a sparkline.
const SECONDS: usize = 60;

/// What the page needs besides the report's style.
const LIVE_STYLE: &str = include_str!("live.css");

/// What the page does besides what a report does.
const LIVE_SCRIPT: &str = concat!(include_str!("live.js"), include_str!("start.js"));

/// The page's style.
pub fn live_style() -> String {
    style() + agents::STYLE + LIVE_STYLE
}

/// The page's script.
pub fn live_script() -> String {
    [without_indents(REPORT_SCRIPT), without_indents(LIVE_SCRIPT)].join("\n")
}

/// The script of the editor's surroundings.
pub fn playground_script() -> String {
    without_indents(include_str!("playground.js"))
}

/// The parts of the report, by the name of the place they have on the page. While the run goes on, there is no verdict.
pub fn live_parts(model: &Model<'_>, is_over: bool) -> Vec<(&'static str, String)> {
    let html = sections(model).into_iter().map(|(name, part)| match name {
        "verdict" if !is_over => (name, top::warnings_of(model).into_string()),
        _ => (name, part.into_string()),
    });
    html.chain([("figures", data::figures(model).to_string())]).collect()
}

/// The frame of the page. With `starts_runs`, it has a form for that; with `edits`, an editor of scripts too.
pub fn live_page(starts_runs: bool, edits: bool) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-live data-starts[starts_runs] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(VERSION);
                link rel="icon" href="data:,";
                link rel="stylesheet" href="live.css";
                title { "rhaid" }
                script src="live.js" defer {}
                @if edits { script src="editor.js" defer {} script src="playground.js" defer {} }
            }
            body {
                a.skip href="#main" { "Skip to the figures" }
                svg.defs width="0" height="0" aria-hidden="true" { defs { (PreEscaped(HATCH)) } }
                (head(starts_runs))
                main #main {
                    p #closed .problem hidden {}
                    @if starts_runs { (start_form()) }
                    @if edits { (playground()) }
                    div data-part="top" {}
                    nav #sections aria-label="Sections" hidden {}
                    (log())
                    div #parts {}
                    @if !starts_runs { p #empty .note { "Waiting for the run to begin." } }
                }
                footer { p { "rhaid live page · " (VERSION) } }
                div #said .unseen role="status" aria-live="polite" {}
            }
        }
        "\n"
    };
    page.into_string()
}

/// A field of the form: its name, its label, its kind, and an example.
type Field = (&'static str, &'static str, &'static str, &'static str);

/// The load in fields.
const LOAD: [Field; 5] = [
    ("users", "Users", "number", "1"),
    ("spawn_rate", "Users started per second", "number", "1"),
    ("run_time", "Duration", "text", "30s, 5m, 1h"),
    ("rate", "Or an arrival rate", "text", "50/s"),
    ("stages", "Or stages", "text", "30s:20,1m:20,10s:0"),
];

/// What few runs need.
const MORE: [Field; 7] = [
    ("iterations", "Iterations in all", "number", ""),
    ("scenario", "Only these scenarios", "text", "browse,buy"),
    ("tags", "Only tasks with these tags", "text", ""),
    ("exclude_tags", "No tasks with these tags", "text", ""),
    ("threshold", "Thresholds, one per line", "lines", "http_req_duration: p(95) < 200ms"),
    ("label", "Environment", "text", "staging"),
    ("note", "Note", "text", ""),
];

fn field((name, label, kind, example): Field) -> Markup {
    html! {
        label {
            span { (label) }
            @if kind == "lines" {
                textarea name=(name) rows="3" placeholder=(example) spellcheck="false" {}
            } @else {
                input name=(name) type=(kind) placeholder=(example) autocomplete="off" spellcheck="false"
                    min=[(kind == "number").then_some("0")] step=[(kind == "number").then_some("any")];
            }
        }
    }
}

/// Where a run is set up and started, and past runs are found.
fn start_form() -> Markup {
    html! {
        section #start aria-labelledby="start-h" {
            h2 #start-h { "Start a run" }
            form #start-form {
                div.fields {
                    label { span { "Script" } select name="script" {} }
                    (field(("host", "Host", "text", "http://127.0.0.1:8000")))
                    label {
                        span { "Profile" }
                        select name="profile" {
                            option value="" { "none" }
                            @for profile in ["load", "stress", "spike", "endurance", "all"] { option { (profile) } }
                        }
                    }
                }
                div.fields { @for one in LOAD { (field(one)) } }
                div #params .fields {}
                fieldset #scenarios hidden { legend { "Scenarios and their weights" } div.fields {} }
                details { summary { "More" } div.fields { @for one in MORE { (field(one)) } } }
                p #form-problem .problem role="alert" hidden {}
                figure #plan hidden {
                    figcaption { h3 { "Planned load" } span #plan-note .note {} }
                    svg viewBox="0 0 600 120" role="img" aria-labelledby="plan-t" { title #plan-t { "Planned load" } path {} }
                }
                p.actions {
                    button type="submit" { "Start" }
                    button type="button" data-do="try" { "Try once" }
                    button type="button" data-do="copy" { "Copy command" }
                }
                pre #command .command tabindex="0" {}
                pre #tried hidden tabindex="0" aria-label="What the trial did" {}
            }
        }
        section #runs aria-labelledby="runs-h" hidden {
            h2 #runs-h { "Past runs" }
            div.scroll tabindex="0" role="group" aria-labelledby="runs-h" {
                table #runs-table {
                    thead {
                        tr {
                            th.w scope="col" { "Run" } th scope="col" { "Compare" } th scope="col" { "Users" }
                            th scope="col" { "Requests" } th scope="col" { "Rate/s" } th scope="col" { "Failed %" }
                            th scope="col" { "p50" } th scope="col" { "p95" } th scope="col" { "p99" }
                            th.w scope="col" { "Result" }
                        }
                    }
                    tbody {}
                }
            }
            p.actions { button type="button" data-do="compare" disabled { "Compare the two chosen runs" } }
        }
    }
}

/// What the run says; it moves below the report when the run is over.
fn log() -> Markup {
    html! {
        section #log aria-labelledby="log-h" hidden {
            h2 #log-h { "Log" }
            label { input #log-few type="checkbox"; span { "Warnings and errors only" } }
            ol #log-lines tabindex="0" aria-labelledby="log-h" {}
        }
    }
}

/// Where a script is changed and tried.
fn playground() -> Markup {
    html! {
        section #edit aria-labelledby="edit-h" {
            h2 #edit-h { "Script" }
            p.actions {
                button type="button" data-do="save" { "Save" }
                button type="button" data-do="save-try" { "Save and try once" }
                button type="button" data-do="save-reload" hidden { "Save and reload into the run" }
                span #edit-state .note role="status" {}
            }
            div.split {
                div #editor {}
                pre #word-docs .docs tabindex="0" aria-label="Reference" { "The reference of the word under the cursor stands here." }
            }
        }
    }
}

/// What stays in view: where the run stands, and how it is steered.
fn head(starts_runs: bool) -> Markup {
    html! {
        header.live {
            div.what {
                h1 #name { "rhaid" }
                p #about {}
            }
            p #state .state { "connecting" }
            p.clock {
                span #clock {} " "
                progress #progress max="1" value="0" hidden aria-label="Progress" {}
            }
            p #users .users {}
            div #steer .steer role="group" aria-label="Steer the run" hidden {
                form #load .change {
                    label for="load-value" #load-name { "Users" }
                    button type="button" data-step="-1" aria-label="Fewer" { "−" }
                    input #load-value type="number" min="0" inputmode="numeric" autocomplete="off";
                    button type="button" data-step="1" aria-label="More" { "+" }
                    button type="submit" { "Set" }
                }
                button type="button" data-do="pause" { "Pause" }
                button type="button" data-do="next" { "Next stage" }
                button type="button" data-do="reload" { "Reload script" }
                button type="button" .stop data-do="stop" { "Stop" }
            }
            @if starts_runs { button #new type="button" aria-expanded="false" hidden { "New run" } }
            a #report .button href="#" hidden { "Save report" }
            button #theme type="button" hidden { "Dark" }
            p #connection .note role="status" {}
        }
    }
}

/// The figures of now beside those of the whole run, and the state of the thresholds; nothing when it is over.
pub fn live_top(record: &RunRecord) -> String {
    let snapshot = &*record.snapshot;
    if record.ended_by.is_some() {
        return String::new();
    }
    let shown = snapshot.history.len().min(SECONDS);
    let points = snapshot.history.since(snapshot.history.len() - shown);
    html! { (tiles(snapshot, &points)) (limits(snapshot)) }.into_string()
}

/// A figure of the last seconds, the same of the whole run, and its last minute.
struct Tile {
    label: &'static str,
    now: String,
    whole: String,
    is_bad: bool,
    line: Markup,
}

fn tiles(snapshot: &Snapshot, points: &[std::sync::Arc<HistoryPoint>]) -> Markup {
    let (recent, total) = (&snapshot.recent, &snapshot.total);
    let line = |value: &dyn Fn(&HistoryPoint) -> Option<u64>| {
        sparkline(&points.iter().map(|point| value(point)).collect::<Vec<_>>())
    };
    let per_second = |count: i64, length: Duration| {
        (!length.is_zero()).then(|| (count.max(0) as f64 / length.as_secs_f64()).round() as u64)
    };
    let dash = || "-".to_owned();
    let rate = |rate: Option<f64>| rate.map_or_else(dash, |rate| format!("{}/s", format::rate(rate)));
    let share = |share: Option<f64>| share.map_or_else(dash, |share| format!("{} %", format::percent(share)));
    let latency = |times: Option<Summary>, of| {
        times.and_then(|times| times.telling_us(of)).map_or_else(dash, format::latency)
    };
    let percentile = |of: Percentile| Tile {
        label: of.name(),
        now: latency(recent.ok, of),
        whole: latency(total.ok, of),
        is_bad: false,
        line: line(&|point| point.total.ok.map(|ok| ok.percentile_us(of))),
    };
    let tiles = [
        Tile {
            label: "Rate",
            now: rate(recent.rate),
            whole: rate((total.requests > 0).then_some(total.rate)),
            is_bad: false,
            line: line(&|point| per_second(point.total.requests, point.length)),
        },
        Tile {
            label: "Failed",
            now: share(recent.failed_share),
            whole: share(total.failed_share()),
            is_bad: recent.failed_share.is_some_and(|share| share > 0.0),
            line: line(&|point| per_second(point.total.failures, point.length)),
        },
        percentile(Percentile::P50),
        percentile(Percentile::P95),
        percentile(Percentile::P99),
        Tile {
            label: "In flight",
            now: format::count(snapshot.in_flight),
            whole: String::new(),
            is_bad: false,
            line: line(&|point| Some(point.in_flight)),
        },
    ];
    html! {
        dl.tiles.now {
            @for tile in tiles {
                div.bad[tile.is_bad] {
                    dt { (tile.label) @if tile.whole.is_empty() { ", now" } @else { ", last " (recent.seconds) " s" } }
                    dd.value { (tile.now) }
                    dd { @if !tile.whole.is_empty() { "whole run " (tile.whole) } }
                    dd { (tile.line) }
                }
            }
        }
    }
}

fn limits(snapshot: &Snapshot) -> Markup {
    let sign = |state: ThresholdState| match state {
        ThresholdState::Holds => ("good", "✓"),
        ThresholdState::Broken => ("bad", "✗"),
        ThresholdState::NoData | ThresholdState::Pending => ("neutral", "•"),
    };
    html! {
        @if !snapshot.thresholds.is_empty() {
            ul.pills aria-label="Thresholds" {
                @for stats in &snapshot.thresholds {
                    @let (tone, mark) = sign(stats.state);
                    li.(tone) {
                        span aria-hidden="true" { (mark) } " " (user(&thresholds::whole(&stats.threshold)))
                        ": " b { (user(&thresholds::measured(stats))) }
                    }
                }
            }
        }
    }
}
