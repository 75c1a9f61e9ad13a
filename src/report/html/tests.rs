//! The page as text; how it looks and behaves is seen in a browser by the black-box tests.

use super::super::fixture::{self, NASTY};
use super::*;
use crate::metrics::Snapshot;
use crate::plan::EndedBy;

fn page_of(snapshot: &Snapshot) -> String {
    let intervals = snapshot.intervals.take();
    let (info, ended_by) = (fixture::info(), EndedBy::RunTime);
    html_report(&Model::new(&info, &ended_by, snapshot, &intervals, &[]))
}

#[test]
fn names_and_messages_are_text_and_nothing_else() {
    let page = page_of(&fixture::finished());
    assert!(page.contains(&escape(&clean_line(NASTY))), "the name is there");
    assert_eq!(page.matches("<script").count(), 2, "the figures and our own");
    assert!(!page.contains("<b>out of"), "markup of a message is text");
    assert!(!page.contains('\u{1b}'), "no control character");
}

#[test]
fn the_page_asks_for_nothing() {
    let page = page_of(&fixture::finished());
    for forbidden in ["http://www.w3.org/1999", "src=", "@import", "url(http", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(SCRIPT.len() < 20_000, "{}", SCRIPT.len());
    assert!(!page.contains(" style="), "the policy allows no style of single elements");
}

#[test]
fn figures_are_those_of_the_snapshot() {
    let snapshot = fixture::finished();
    let page = page_of(&snapshot);
    let total = &snapshot.total;
    let requests = crate::report::count(total.requests);
    assert!(page.contains(&format!("<dd class=\"value\">{requests}</dd>")), "tile");
    let row = page.split("<tfoot>").nth(1).unwrap().split("</tfoot>").next().unwrap();
    let p95 = crate::report::latency(total.ok.unwrap().percentile_us(95.0));
    assert!(row.contains(&format!(">{requests}<td")) && row.contains(&format!(">{p95}<td")), "{row}");
}

#[test]
fn a_run_without_a_request_has_a_page() {
    let page = page_of(&fixture::empty());
    assert!(page.contains("NO REQUESTS") && page.contains("No request failed."));
}
