//! What went wrong: failed requests, script errors, checks.

use std::time::SystemTime;

use super::table::{Row, figures, table, text};
use super::{escape, section, user, user_lines};
use crate::metrics::{FailureCount, FailureKey, FailureSample};
use crate::report::model::Model;
use crate::text::format;
use crate::text::format_clock;

/// Groups that are shown; the files have all of them.
const MOST: usize = 100;

/// Groups that are shown with their messages.
const MOST_SAMPLES: usize = 20;

/// Bytes of bodies on a page; the files have the others.
const MOST_BODIES: usize = 12_000;

fn clock(model: &Model<'_>, moment: SystemTime) -> String {
    format_clock(moment.duration_since(model.snapshot.started_at).unwrap_or_default())
}

pub(super) fn failures(model: &Model<'_>) -> String {
    let failures = &model.snapshot.failures;
    if failures.is_empty() {
        return section("errors", "Errors", "<p>No request failed.</p>\n");
    }
    let columns = [
        text("Cause"),
        text("Endpoint"),
        figures("Count"),
        figures("% of endpoint"),
        figures("First"),
        figures("Last"),
    ];
    let rows: Vec<Row> = failures.iter().take(MOST).map(|(key, group)| row(model, key, group)).collect();
    let mut content = table("failure-table", "Failed requests by cause", &columns, &rows, None);
    if failures.len() > MOST {
        content.push_str(&format!(
            "<p class=\"note\">+ {} more kinds, in failures.csv</p>\n",
            failures.len() - MOST
        ));
    }
    let mut room = MOST_BODIES;
    for (key, group) in failures.iter().take(MOST_SAMPLES) {
        let samples: String =
            group.samples.iter().map(|sample| failure_sample(model, key, sample, &mut room)).collect();
        // Those that no request above tells.
        let is_told = |message: &String| group.samples.iter().any(|sample| sample.message == *message);
        let messages: String = group
            .messages
            .iter()
            .filter(|message| !is_told(message))
            .map(|message| format!("<pre>{}</pre>\n", user_lines(message)))
            .collect();
        if samples.is_empty() && messages.is_empty() {
            continue;
        }
        content.push_str(&format!(
            "<details><summary>{} {} {}: some of them</summary>\n{samples}{messages}</details>\n",
            user(&cause(key)),
            user(&key.method),
            user(&key.name),
        ));
    }
    section("errors", "Errors", &content)
}

/// A failed request with the begin of its body, as long as the page has room for bodies.
fn failure_sample(model: &Model<'_>, key: &FailureKey, sample: &FailureSample, room: &mut usize) -> String {
    let size = format::bytes(sample.body_bytes);
    let (rest, body) = match &sample.body {
        Some(body) if body.is_empty() => (", no body".to_owned(), None),
        Some(body) if body.len() <= *room => {
            *room -= body.len();
            let part =
                if (body.len() as u64) < sample.body_bytes { ", begin of a body of " } else { ", body of " };
            (format!("{part}{size}"), Some(body))
        }
        Some(_) => (format!(", body of {size} in run.json"), None),
        None if sample.body_bytes > 0 => (format!(", body of {size} not kept or no text"), None),
        None => (String::new(), None),
    };
    let body =
        body.map_or_else(String::new, |body| format!("<pre tabindex=\"0\">{}</pre>\n", user_lines(body)));
    format!(
        "<p>{} <code>{} {}</code>: {}{rest}</p>\n{body}",
        clock(model, sample.seen),
        user(&key.method),
        user(&sample.url),
        user(&sample.message)
    )
}

fn cause(key: &FailureKey) -> String {
    if key.status == 0 { key.kind.to_string() } else { format!("{} {}", key.kind, key.status) }
}

fn row(model: &Model<'_>, key: &FailureKey, group: &FailureCount) -> Row {
    let endpoint =
        model.snapshot.endpoints.iter().find(|stats| stats.method == key.method && stats.name == key.name);
    let share =
        endpoint.filter(|stats| stats.requests > 0).map(|stats| group.count as f64 / stats.requests as f64);
    Row {
        is_bad: true,
        ..Row::new(vec![
            format!("<span class=\"mark\">✗</span> {}", user(&cause(key))),
            format!("<b>{}</b> {}", user(&key.method), user(&key.name)),
            format::count(group.count),
            share.map_or_else(|| "-".to_owned(), format::percent),
            clock(model, group.first_seen),
            clock(model, group.last_seen),
        ])
    }
}

pub(super) fn script_errors(model: &Model<'_>) -> String {
    let mut content = String::new();
    for group in model.snapshot.script_errors.iter().take(MOST_SAMPLES) {
        let position = if group.first.position.is_empty() {
            String::new()
        } else {
            format!("{}: ", user(&group.first.position))
        };
        content.push_str(&format!(
            "<article class=\"bad\"><p><span class=\"mark\">✗</span> {position}{} <b>×{}</b> \
             <span class=\"note\">first {}, last {}</span></p>",
            user(&group.first.message),
            format::count(group.count),
            clock(model, group.first_seen),
            clock(model, group.last_seen),
        ));
        if !group.first.trace.is_empty() {
            content.push_str(&format!("<pre tabindex=\"0\">{}</pre>", user_lines(&group.first.trace)));
        }
        content.push_str("</article>\n");
    }
    let more = model.snapshot.script_errors.len().saturating_sub(MOST_SAMPLES);
    if more > 0 {
        content.push_str(&format!("<p class=\"note\">+ {more} more, in exceptions.csv</p>\n"));
    }
    section("script-errors", "Script errors", &content)
}

pub(super) fn checks(model: &Model<'_>) -> String {
    let checks = &model.snapshot.checks;
    if checks.is_empty() {
        return String::new();
    }
    let columns = [text("Check"), figures("Passed"), figures("Failed"), figures("Passed %")];
    let rows: Vec<Row> = checks
        .iter()
        .map(|(name, count)| {
            let all = count.passes + count.fails;
            let share = (all > 0).then(|| count.passes as f64 / all as f64);
            let mark = if count.fails > 0 { "<span class=\"mark\">✗</span> " } else { "✓ " };
            Row {
                is_bad: count.fails > 0,
                ..Row::new(vec![
                    format!("{mark}{}", user(name)),
                    format::count(count.passes),
                    format::count(count.fails),
                    share.map_or_else(|| "-".to_owned(), format::percent),
                ])
            }
        })
        .collect();
    section("checks", "Checks", &table("check-table", &escape("Checks"), &columns, &rows, None))
}
