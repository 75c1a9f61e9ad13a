//! Many runs: a page of their own with charts and a row a run, and a section in the report of the last of them.

use super::table::{Column, Row, figures, table as html_table, text};
use super::{escape, figure, page, section, user};
use crate::analysis::TrendPoint;
use crate::report::charts::{trend_charts, trend_row};
use crate::text::format;

const COLUMNS: [Column; 11] = [
    text("Began (UTC)"),
    text("Limits"),
    figures("Users"),
    figures("Requests"),
    figures("Failed %"),
    figures("Rate/s"),
    figures("p50"),
    figures("p95"),
    figures("p99"),
    text("Commit"),
    text("Changed since the run before"),
];

const ORDER: &str = "A place a run, oldest first, whatever time lies between. Lines are broken where script, load or machine \
                     changed: the numbered marks, told in the table.";

/// The runs of each test, oldest first, as one HTML file. `link` gives the address of a run's report, when there is one;
/// `problems` are the runs that could not be read.
pub fn trend_page(
    tests: &[(&str, Vec<&TrendPoint>)],
    problems: &[String],
    link: impl Fn(&TrendPoint) -> Option<String>,
) -> String {
    let runs: usize = tests.iter().map(|(_, points)| points.len()).sum();
    let header = format!(
        "<header><div><h1>Trend</h1><p>{} {} of {} {}</p></div><nav aria-label=\"Page\">\
         <button type=\"button\" id=\"theme\" hidden>Dark</button></nav></header>",
        format::count(runs as u64),
        if runs == 1 { "run" } else { "runs" },
        tests.len(),
        if tests.len() == 1 { "test" } else { "tests" },
    );
    let mut main: String = problems
        .iter()
        .map(|problem| format!("<p class=\"problem\">! left out: {}</p>\n", user(problem)))
        .collect();
    for (index, (name, points)) in tests.iter().enumerate() {
        main.push_str(&test(index, name, points, &link));
    }
    let footer = format!("<footer><p>Made by rhaid {}.</p></footer>", env!("CARGO_PKG_VERSION"));
    page("Trend", &header, &main, &footer, "")
}

fn test(
    index: usize,
    name: &str,
    points: &[&TrendPoint],
    link: &impl Fn(&TrendPoint) -> Option<String>,
) -> String {
    let prefix = format!("trend-{}", index + 1);
    let mut content = format!("<p class=\"note\">{ORDER}</p>\n<div class=\"charts\">\n");
    trend_charts(&prefix, name, points).iter().for_each(|chart| content.push_str(&figure(chart, "")));
    content.push_str("</div>\n");
    content.push_str(&html_table(&format!("{prefix}-table"), "Runs", &COLUMNS, &rows(points, link), None));
    section(&prefix, &user(name), &content)
}

/// The last runs of a test in the report of the newest of them; nothing while it is the only one.
pub(super) fn last_runs(points: &[TrendPoint]) -> String {
    if points.len() < 2 {
        return String::new();
    }
    let points: Vec<&TrendPoint> = points.iter().collect();
    let mut content =
        format!("<p class=\"note\">{ORDER} This run is the last.</p>\n<div class=\"charts\">\n");
    trend_row(&points).iter().for_each(|chart| content.push_str(&figure(chart, "")));
    let table = html_table("last-table", "The last runs", &COLUMNS, &rows(&points, &|_| None), None);
    content.push_str(&format!("</div>\n<details><summary>Data of these charts</summary>{table}</details>\n"));
    section("last-runs", "Last runs of this test", &content)
}

fn rows(points: &[&TrendPoint], link: &impl Fn(&TrendPoint) -> Option<String>) -> Vec<Row> {
    let mut changes = 0;
    points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let is_change = index > 0 && !point.unlike.is_empty();
            changes += usize::from(is_change);
            row(point, is_change.then_some(changes), link(point))
        })
        .collect()
}

fn row(point: &TrendPoint, change: Option<usize>, link: Option<String>) -> Row {
    let dash = || "-".to_owned();
    let latency = |index: usize| {
        point.latency_ms.map_or_else(dash, |all| format::latency((all[index] * 1e3).round() as u64))
    };
    let began = user(&point.started_at);
    let began = match link {
        Some(link) => format!("<a href=\"{}\">{began}</a>", escape(&link)),
        None => began,
    };
    let limits = match point.passed {
        Some(true) => "✓ kept",
        Some(false) => "✗ broken",
        None => "-",
    };
    let mut row = Row::new(vec![
        began,
        limits.to_owned(),
        point.users.map_or_else(dash, format::count),
        format::count(point.requests),
        point.failed_share.map_or_else(dash, format::percent),
        format::rate(point.rate),
        latency(0),
        latency(1),
        latency(2),
        point.commit.as_ref().map_or_else(dash, |hash| user(&hash.chars().take(12).collect::<String>())),
        change.map_or_else(String::new, |number| format!("{number}: {}", user(&point.unlike.join("; ")))),
    ]);
    row.is_bad = point.passed == Some(false);
    row
}
