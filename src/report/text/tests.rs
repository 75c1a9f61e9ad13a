//! The text views against goldens, and their figures against the snapshot.

use std::time::Duration;

use super::{Look, live, plain_line, summary};
use crate::fixture::{self, assert_golden};
use crate::metrics::{AgentState, Snapshot};
use crate::plan::EndedBy;
use crate::text::width;

const LOOK: Look = Look { width: 80, unicode: true, color: false };
const ASCII: Look = Look { width: 80, unicode: false, color: false };
const WIDE_COLOR: Look = Look { width: 120, unicode: true, color: true };

fn text(look: Look) -> String {
    summary(&fixture::record(EndedBy::RunTime, &fixture::finished()), look)
}

#[test]
fn the_summary_looks_as_it_should() {
    assert_golden("summary.txt", &text(LOOK));
    assert_golden("summary_ascii.txt", &text(ASCII));
    assert_golden("summary_wide_color.txt", &text(WIDE_COLOR));
}

#[test]
fn ascii_means_ascii_and_no_colour_means_no_escape() {
    assert!(text(ASCII).is_ascii());
    assert!(!text(LOOK).contains('\u{1b}'));
    let block = live(&fixture::info(), &fixture::finished(), None, ASCII, 22).join("\n");
    assert!(block.is_ascii() && !block.contains('\u{1b}'));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let colored = text(WIDE_COLOR);
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        rest = &rest[start + rest[start..].find('m').unwrap() + 1..];
    }
    plain.push_str(rest);
    let trimmed: Vec<_> = plain.lines().map(str::trim_end).collect();
    let without = text(Look { color: false, ..WIDE_COLOR });
    assert_eq!(trimmed, without.lines().collect::<Vec<_>>());
}

#[test]
fn the_summary_shows_the_exact_counts_and_ends_with_the_verdict() {
    let snapshot = fixture::finished();
    let text = text(LOOK);
    assert_eq!((snapshot.total.requests, snapshot.total.failures), (1_325, 4));
    let aggregated = text.lines().find(|line| line.contains("Aggregated")).unwrap();
    assert!(aggregated.starts_with(" ✗ Aggregated") && aggregated.contains(" 1,325 "), "{aggregated}");
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        " NO THRESHOLDS SET: 1,325 requests in 12.4 s, 4 failed (0.30 %), 2 of 122 iterations failed, p95 84.4ms"
    );
}

#[test]
fn a_run_of_a_part_of_a_second() {
    let text = summary(&fixture::record(EndedBy::Iterations, &fixture::partial_second()), LOOK);
    assert_golden("summary_partial_second.txt", &text);
}

#[test]
fn every_way_to_end_has_its_verdict() {
    let verdict = |ended_by: &EndedBy, snapshot| {
        let text = summary(&fixture::record(ended_by.clone(), &snapshot), LOOK);
        text.lines().last().unwrap().trim().to_owned()
    };
    assert_eq!(
        verdict(&EndedBy::SetupFailed("shop.rhai:3:1: no such user\n  3 | x".into()), fixture::empty()),
        "SETUP FAILED: shop.rhai:3:1: no such user"
    );
    assert_eq!(
        verdict(&EndedBy::Aborted("out of\u{7} stock".into()), fixture::partial_second()),
        "ABORTED: out of␇ stock; 3 requests in 0.4 s, 0 failed (0.0 %), p95 5ms"
    );
    assert_eq!(
        verdict(&EndedBy::Signal, fixture::partial_second()),
        "STOPPED by signal: 3 requests in 0.4 s, 0 failed (0.0 %), p95 5ms"
    );
    assert_eq!(
        verdict(&EndedBy::Signal, fixture::empty()),
        "STOPPED by signal: 0 requests in 0.0 s, 0 failed"
    );
    assert_eq!(verdict(&EndedBy::RunTime, fixture::empty()), "NO REQUESTS: zero requests is never a pass");
}

#[test]
fn an_empty_run_shows_no_figure_it_does_not_have() {
    let text = summary(&fixture::record(EndedBy::RunTime, &fixture::empty()), LOOK);
    assert_golden("summary_empty.txt", &text);
    assert!(!text.contains("p95"), "{text}");
}

#[test]
fn the_agents_of_a_run_are_a_table_of_the_summary_and_a_line_of_the_live_block() {
    let run = fixture::distributed();
    let text = summary(&fixture::record(EndedBy::RunTime, &run), LOOK);
    assert_golden("summary_agents.txt", &text);
    assert!(!text.contains("   generator   "), "each agent has its own figures: {text}");
    let ascii = summary(&fixture::record(EndedBy::RunTime, &run), ASCII);
    let table: Vec<&str> = ascii.lines().skip_while(|line| !line.starts_with("   agents")).take(8).collect();
    assert!(table.iter().all(|line| line.is_ascii()), "{table:#?}");
    assert!(table.iter().any(|line| line.contains("-1.5ms +/- 110us")), "{table:#?}");
    let mut now = fixture::snapshots().swap_remove(9);
    now.agents = run.agents;
    now.agents[1].state = AgentState::Running;
    let lines = live(&fixture::info(), &now, None, LOOK, 22);
    let of_agents: Vec<&String> = lines.iter().filter(|line| line.contains("agent")).collect();
    assert_eq!(of_agents.len(), 2, "{lines:#?}");
    assert_eq!(of_agents[0], " agents     4, 1 lost, 1 saturated");
    assert_eq!(of_agents[1], " ! agent 'a2' is saturated: 97 % of 2 cores");
}

#[test]
fn the_live_block_looks_as_it_should_and_fits() {
    let snapshot = &fixture::snapshots()[9];
    for (name, look) in [("live.txt", LOOK), ("live_ascii.txt", ASCII), ("live_wide_color.txt", WIDE_COLOR)] {
        let lines = live(&fixture::info(), snapshot, Some(Duration::from_secs(12)), look, 22);
        assert_golden(name, &(lines.join("\n") + "\n"));
    }
    for columns in [1, 20, 40, 80, 200] {
        let look = Look { width: columns, ..LOOK };
        for line in live(&fixture::info(), snapshot, Some(Duration::from_secs(12)), look, 22) {
            assert!(width(&line) <= columns, "{columns}: {line}");
        }
    }
}

/// The live block of a run whose target stalls and errs, with resources, in a terminal of this size.
fn live_in(snapshot: &Snapshot, columns: usize, rows: usize) -> Vec<String> {
    let mut info = fixture::info();
    info.host = Some("https://shop.staging.example.com:8443".to_owned());
    let look = Look { width: columns, ..LOOK };
    live(&info, snapshot, Some(Duration::from_secs(60)), look, rows)
}

#[test]
fn the_live_block_fits_80x24_and_uses_120x40() {
    let snapshot = &fixture::troubled();
    for (name, columns, rows) in [("live_80x24.txt", 80, 22), ("live_120x40.txt", 120, 38)] {
        let lines = live_in(snapshot, columns, rows);
        assert!(lines.len() <= rows, "{} lines", lines.len());
        assert_golden(name, &(lines.join("\n") + "\n"));
        let text = lines.join("\n");
        assert!(text.contains(" -> https://shop.staging.example.com:8443"), "the host is whole: {text}");
        assert!(text.contains("stall: 0 responses in 2 s"), "{text}");
        assert!(text.contains("\n target     CPU "), "{text}");
    }
    let tall = live_in(snapshot, 120, 38).join("\n");
    assert!(tall.contains("\n machine    CPU ") && tall.contains("\n generator  CPU "), "{tall}");
    for rows in 6..60 {
        for columns in [40, 80, 120] {
            let lines = live_in(snapshot, columns, rows);
            assert!(lines.len() <= rows.max(8), "{columns}x{rows}: {lines:#?}");
            assert!(lines.iter().all(|line| width(line) <= columns), "{columns}x{rows}: {lines:#?}");
            let host = lines.iter().any(|line| line.contains("https://shop.staging.example.com:8443"));
            assert!(host, "{columns}x{rows}: {lines:#?}");
        }
    }
    // However small, state and thresholds stay.
    let small = live_in(snapshot, 80, 5).join("\n");
    assert!(small.contains("in flight") && small.contains(" thresholds "), "{small}");
}

#[test]
fn the_live_block_knows_what_it_does_not_know() {
    let mut info = fixture::info();
    info.iterations = Some(1_000);
    let lines = live(&info, &fixture::empty(), None, LOOK, 22);
    assert_golden("live_empty.txt", &(lines.join("\n") + "\n"));
}

#[test]
fn the_line_for_logs() {
    let snapshots = fixture::snapshots();
    assert_eq!(
        plain_line(&snapshots[9], None),
        "time=00:10 phase=steady users=10/10 requests=994 rate=99.4/s failed=0.40% in_flight=5 p50=2.78ms \
         p95=84.4ms p99=88.8ms max=1.50s"
    );
    assert_eq!(
        plain_line(&fixture::empty(), Some(Duration::from_secs(90))),
        "time=00:00/01:30 phase=done users=0/10 requests=0 rate=- failed=- in_flight=0 p50=- p95=- p99=- max=-"
    );
}

#[test]
fn tables_fit_eighty_columns() {
    let text = text(LOOK);
    let tables = text.split("script errors").next().unwrap();
    let widest = tables.lines().max_by_key(|line| width(line)).unwrap();
    assert!(width(widest) <= 80, "{widest}");
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let mut load = fixture::Load::new();
    for i in 0..25 {
        let name = format!("/item/{i:02}");
        load.request("browse", ("GET", &name), 1_000 * (i + 1), fixture::Verdict::Ok);
        let kind = if i < 12 { fixture::Verdict::Failed(404, "status", "no") } else { fixture::Verdict::Ok };
        load.request("browse", ("GET", &name), 1_000, kind);
    }
    let snapshot = load.close(1_000, crate::metrics::Phase::Steady, 1);
    let text = summary(&fixture::record(EndedBy::RunTime, &snapshot), LOOK);
    assert!(text.contains("GET /item/24"), "the table has all endpoints: {text}");
    assert!(text.contains("\n   + 5 more\n"), "the distribution has twenty: {text}");
    assert!(text.contains("\n   + 2 more kinds of failure\n"), "{text}");
    let block = live(&fixture::info(), &snapshot, None, LOOK, 22);
    assert!(block.contains(&"   + 11 more".to_owned()), "{block:#?}");
    assert!(block.len() < 24, "the block fits a small terminal: {block:#?}");
}

#[test]
fn limits_come_last_before_the_verdict() {
    let run = fixture::limited();
    let looks = [("limits", LOOK), ("limits_ascii", Look { unicode: false, ..LOOK })];
    for (name, look) in looks {
        let text = summary(&fixture::record(EndedBy::RunTime, run.last().unwrap()), look);
        let at = text.find("   thresholds").unwrap();
        let lines: Vec<String> = live(&fixture::info(), &run[10], None, look, 22);
        let from = lines.iter().position(|line| line.starts_with(" thresholds")).unwrap();
        let shown = format!(
            "{}\n\n{}\n\n{}\n",
            &text[at..].trim_end(),
            lines[from..].join("\n"),
            plain_line(&run[10], None)
        );
        assert_golden(&format!("{name}.txt"), &shown);
    }
}

#[test]
fn a_run_that_keeps_its_limits_has_passed() {
    let mut snapshot = fixture::limited().pop().unwrap();
    snapshot.thresholds.retain(|stats| stats.holds());
    let text = summary(&fixture::record(EndedBy::RunTime, &snapshot), Look { color: true, ..LOOK });
    let verdict = text.lines().last().unwrap();
    assert!(
        verdict.starts_with(" \u{1b}[32mPASSED\u{1b}[0m: all thresholds were met; 1,325 requests"),
        "{verdict}"
    );
}
