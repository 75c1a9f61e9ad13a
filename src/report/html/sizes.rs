//! A report stays small enough to be mailed, and to open at once: 10 minutes of 20 endpoints, an hour of 500.
//!
//! `RHAID_SIZES=FOLDER cargo test --lib sizes` leaves the pages in that folder, to be looked at in a browser.

use super::*;
use crate::fixture;
use crate::plan::EndedBy;

/// The page of a run so long; it has everything that a page of such a run has.
fn page(endpoints: u64, seconds: u64, step_s: u64) -> String {
    let (snapshot, intervals) = fixture::long_run(endpoints, seconds, step_s);
    assert_eq!((snapshot.endpoints.len() as u64, snapshot.elapsed.as_secs()), (endpoints, seconds));
    let record = fixture::record(EndedBy::RunTime, &snapshot);
    let model = Model::new(&record, &intervals, &[]);
    let page = html_report(&model.among(fixture::last_runs(20)));
    if let Some(folder) = std::env::var_os("RHAID_SIZES") {
        let name = format!("{endpoints}-endpoints-{seconds}-s.html");
        std::fs::write(std::path::Path::new(&folder).join(name), &page).unwrap();
    }
    for part in [
        "target memory grows steadily",
        "answer 11 is complete",
        "basket_value",
        "id=\"heat\"",
        "id=\"endpoint-table\"",
        "id=\"last-rate\"",
        "<figure id=\"endpoint-",
    ] {
        assert!(page.contains(part), "{part} of {endpoints} endpoints");
    }
    assert_eq!(page.matches("class=\"spark\"").count(), endpoints as usize);
    page
}

/// Where the bytes are, for the message of a page that is too large.
fn parts(page: &str) -> String {
    let sections = page.split("<section ").skip(1).map(|part| {
        let id = part.split('"').nth(1).unwrap_or_default();
        format!("{id} {} kB", part.len() / 1_000)
    });
    sections.collect::<Vec<_>>().join(", ")
}

#[test]
fn ten_minutes_of_twenty_endpoints_take_less_than_300_kb() {
    // Steps of two seconds, as wide as the buckets of the run.
    let page = page(20, 600, 2);
    assert!(page.contains("503 Service Unavailable"), "messages of failures");
    assert!(page.len() < 300_000, "{} bytes: {}", page.len(), parts(&page));
}

#[test]
fn an_hour_of_five_hundred_endpoints_takes_less_than_2_mb() {
    // Steps of a minute, as wide as the buckets of an endpoint: a snapshot of 500 endpoints takes its time.
    let page = page(500, 3_600, 60);
    assert!(page.contains(
        "<div class=\"scroll many\" tabindex=\"0\" role=\"region\" aria-label=\"Table: Endpoints\">"
    ));
    assert!(page.len() < 2_000_000, "{} bytes: {}", page.len(), parts(&page));
}
