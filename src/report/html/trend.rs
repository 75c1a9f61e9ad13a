//! Many runs: a page with charts and one row per run, and a section in the report of the latest run.

use maud::{Markup, Render, html};

use super::table::{Table, or_dash};
use super::{Page, data_of_charts, figures, section, user};
use crate::analysis::TrendPoint;
use crate::report::charts::{trend_charts, trend_row};
use crate::text::format;

const ORDER: &str = "Evenly spaced runs, oldest first. Lines break where script, load or machine \
                     changed; the table explains the numbered marks.";

/// The runs of each test, profile and load, oldest first, as one HTML file; `problems` are the runs that could not be
/// read.
pub fn trend_page(groups: &[(String, Vec<&TrendPoint>)], problems: &[String]) -> String {
    let runs: usize = groups.iter().map(|(_, points)| points.len()).sum();
    let mut tests: Vec<&str> =
        groups.iter().flat_map(|(_, points)| points).map(|run| run.name.as_str()).collect();
    tests.sort_unstable();
    tests.dedup();
    let about = format!(
        "{} {} of {} {}",
        format::count(runs as u64),
        if runs == 1 { "run" } else { "runs" },
        tests.len(),
        if tests.len() == 1 { "test" } else { "tests" },
    );
    let main = html! {
        @for problem in problems { p.problem { "! skipped: " (user(problem)) } }
        @for (index, (name, points)) in groups.iter().enumerate() { (group(index, name, points)) }
    };
    Page { title: "Trend".to_owned(), about: about.render(), main, ..Page::default() }.html()
}

fn group(index: usize, name: &str, points: &[&TrendPoint]) -> Markup {
    let prefix = format!("trend-{}", index + 1);
    let content = html! {
        p.note { (ORDER) }
        (figures(&trend_charts(&prefix, name, points)))
        (table(&format!("{prefix}-table"), "Runs", points))
    };
    section(&prefix, &user(name), content)
}

/// The last runs of a test in the report of the newest of them; nothing while it is the only one.
pub(super) fn last_runs(points: &[TrendPoint]) -> Markup {
    if points.len() < 2 {
        return Markup::default();
    }
    let points: Vec<&TrendPoint> = points.iter().collect();
    let content = html! {
        p.note { (ORDER) " This run comes last; runs under another profile or load are not among them." }
        (figures(&trend_row(&points)))
        (data_of_charts(table("last-table", "Last runs", &points)))
    };
    section("last-runs", "Last runs of this test", content)
}

fn table(id: &str, caption: &str, points: &[&TrendPoint]) -> Markup {
    let latency = |point: &TrendPoint, index: usize| {
        or_dash(point.latency_ms, |all| format::latency((all[index] * 1e3).round() as u64))
    };
    let began = |point: &TrendPoint| {
        let began = user(&point.started_at);
        match &point.report {
            Some(link) => html! { a href=(link) { (began) } },
            None => began.render(),
        }
    };
    let limits = |point: &TrendPoint| match point.passed {
        Some(true) => "✓ met",
        Some(false) => "✗ breached",
        None => "-",
    };
    let hash = |hash: &String| user(&hash.chars().take(12).collect::<String>());
    let mut changes = 0;
    Table::new(id, caption, points.iter().enumerate())
        .bad_if(|(_, point)| point.passed == Some(false))
        .text("Started (UTC)", |(_, point)| began(point))
        .text("Thresholds", |(_, point)| limits(point))
        .figures("Users", |(_, point)| or_dash(point.users, format::count))
        .figures("Requests", |(_, point)| format::count(point.requests))
        .figures("Failed %", |(_, point)| or_dash(point.failed_share, format::percent))
        .figures("Rate/s", |(_, point)| format::rate(point.rate))
        .figures("p50", |(_, point)| latency(point, 0))
        .figures("p95", |(_, point)| latency(point, 1))
        .figures("p99", |(_, point)| latency(point, 2))
        .text("Commit", |(_, point)| or_dash(point.commit.as_ref(), hash))
        .text("Changed since the previous run", |&(index, point)| {
            if index == 0 || point.unlike.is_empty() {
                return String::new();
            }
            changes += 1;
            format!("{changes}: {}", user(&point.unlike.join("; ")))
        })
        .render()
}
