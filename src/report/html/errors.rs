//! What went wrong: failed requests, script errors, checks.

use std::time::SystemTime;

use maud::{Markup, html};

use super::table::{Table, or_dash};
use super::{cross, section, user, user_lines, wrapping};
use crate::metrics::{EndpointStats, FailureCount, FailureKey, FailureSample};
use crate::report::model::Model;
use crate::text::{format, format_clock};

/// Maximum number of groups shown; the files hold all of them.
const MOST: usize = 100;

/// Groups that are shown with their messages.
const MOST_SAMPLES: usize = 20;

/// Bytes of bodies on a page; the files have the others.
const MOST_BODIES: usize = 12_000;

fn clock(model: &Model<'_>, moment: SystemTime) -> String {
    format_clock(moment.duration_since(model.snapshot.started_at).unwrap_or_default())
}

pub(super) fn failures(model: &Model<'_>) -> Markup {
    let failures = &model.snapshot.failures;
    if failures.is_empty() {
        return section("errors", "Errors", html! { p { "No request failed." } });
    }
    let share = |key: &FailureKey, group: &FailureCount| {
        let is_its = |stats: &&EndpointStats| stats.method == key.method && stats.name == key.name;
        let endpoint = model.snapshot.endpoints.iter().find(is_its)?;
        (endpoint.requests > 0).then(|| group.count as f64 / endpoint.requests as f64)
    };
    let table = Table::new("failure-table", "Failed requests by cause", failures.iter().take(MOST))
        .bad_if(|_| true)
        .text("Cause", |(key, _)| html! { (cross()) " " (cause(key)) })
        .text("Endpoint", |(key, _)| html! { b { (user(&key.method)) } " " (wrapping(&key.name)) })
        .figures("Count", |(_, group)| format::count(group.count))
        .figures("% of endpoint", |(key, group)| or_dash(share(key, group), format::percent))
        .figures("First", |(_, group)| clock(model, group.first_seen))
        .figures("Last", |(_, group)| clock(model, group.last_seen));
    let mut room = MOST_BODIES;
    let content = html! {
        (table)
        @if failures.len() > MOST { p.note { "+ " (failures.len() - MOST) " more kinds, in failures.csv" } }
        @for (key, group) in failures.iter().take(MOST_SAMPLES) {
            @if !group.samples.is_empty() || !group.messages.is_empty() {
                details {
                    summary { (cause(key)) " " (user(&key.method)) " " (wrapping(&key.name)) ": samples" }
                    @for sample in &group.samples { (failure_sample(model, key, sample, &mut room)) }
                    // Those that no request above tells.
                    @for message in &group.messages {
                        @if group.samples.iter().all(|sample| sample.message != *message) {
                            pre { (user_lines(message)) }
                        }
                    }
                }
            }
        }
    };
    section("errors", "Errors", content)
}

/// A failed request with the start of its body, while the page has room for bodies.
fn failure_sample(model: &Model<'_>, key: &FailureKey, sample: &FailureSample, room: &mut usize) -> Markup {
    let size = format::bytes(sample.body_bytes);
    let (rest, body) = match &sample.body {
        Some(body) if body.is_empty() => (", no body".to_owned(), None),
        Some(body) if body.len() <= *room => {
            *room -= body.len();
            let part =
                if (body.len() as u64) < sample.body_bytes { ", start of a body of " } else { ", body of " };
            (format!("{part}{size}"), Some(body))
        }
        Some(_) => (format!(", body of {size} in run.json"), None),
        None if sample.body_bytes > 0 => (format!(", body of {size} not kept or not text"), None),
        None => (String::new(), None),
    };
    html! {
        p {
            (clock(model, sample.seen)) " " code { (user(&key.method)) " " (user(&sample.url)) } ": "
            (user(&sample.message)) (rest)
        }
        @if let Some(body) = body { pre tabindex="0" { (user_lines(body)) } }
    }
}

fn cause(key: &FailureKey) -> String {
    user(&if key.status == 0 { key.kind.to_string() } else { format!("{} {}", key.kind, key.status) })
}

pub(super) fn script_errors(model: &Model<'_>) -> Markup {
    let errors = &model.snapshot.script_errors;
    let more = errors.len().saturating_sub(MOST_SAMPLES);
    let content = html! {
        @for group in errors.iter().take(MOST_SAMPLES) {
            article.bad {
                p {
                    (cross()) " "
                    @if !group.first.position.is_empty() { (user(&group.first.position)) ": " }
                    (user(&group.first.message)) " " b { "×" (format::count(group.count)) } " "
                    span.note {
                        "first " (clock(model, group.first_seen)) ", last " (clock(model, group.last_seen))
                    }
                }
                @if !group.first.trace.is_empty() { pre tabindex="0" { (user_lines(&group.first.trace)) } }
            }
        }
        @if more > 0 { p.note { "+ " (more) " more, in exceptions.csv" } }
    };
    section("script-errors", "Script errors", content)
}

pub(super) fn checks(model: &Model<'_>) -> Markup {
    let checks = &model.snapshot.checks;
    if checks.is_empty() {
        return Markup::default();
    }
    let table = Table::new("check-table", "Checks", checks.iter())
        .named_above()
        .bad_if(|(_, count)| count.fails > 0)
        .text("Check", |(name, count)| {
            html! { @if count.fails > 0 { (cross()) } @else { "✓" } " " (user(name)) }
        })
        .figures("Passed", |(_, count)| format::count(count.passes))
        .figures("Failed", |(_, count)| format::count(count.fails))
        .figures("Passed %", |(_, count)| {
            let all = count.passes + count.fails;
            or_dash((all > 0).then(|| count.passes as f64 / all as f64), format::percent)
        });
    section("checks", "Checks", table)
}
