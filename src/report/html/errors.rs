//! What went wrong: failed requests, script errors, checks.

use std::time::SystemTime;

use super::table::{Row, figures, table, text};
use super::{escape, section, user, user_lines};
use crate::metrics::{FailureCount, FailureKey};
use crate::plan::format_clock;
use crate::report::format;
use crate::report::model::Model;

/// Groups that are shown; the files have all of them.
const MOST: usize = 100;

/// Groups that are shown with their messages.
const MOST_SAMPLES: usize = 20;

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
    for (key, group) in failures.iter().take(MOST_SAMPLES).filter(|(_, group)| !group.messages.is_empty()) {
        content.push_str(&format!(
            "<details><summary>{} {} {}: {}</summary>\n",
            user(&cause(key)),
            user(&key.method),
            user(&key.name),
            if group.messages.len() == 1 { "its message" } else { "some of its messages" }
        ));
        for message in &group.messages {
            content.push_str(&format!("<pre>{}</pre>\n", user_lines(message)));
        }
        content.push_str("</details>\n");
    }
    section("errors", "Errors", &content)
}

fn cause(key: &FailureKey) -> String {
    if key.status == 0 { key.kind.to_owned() } else { format!("{} {}", key.kind, key.status) }
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
