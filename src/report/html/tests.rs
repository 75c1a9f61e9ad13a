//! The page as text; how it looks and behaves is seen in a browser by the black-box tests.

use super::*;
use crate::fixture::{self, NASTY};
use crate::metrics::AgentStats;
use crate::metrics::Percentile;
use crate::metrics::Snapshot;
use crate::plan::EndedBy;

fn page_of(snapshot: &Snapshot) -> String {
    let intervals = snapshot.intervals.taker().take();
    let record = fixture::record(EndedBy::RunTime, snapshot);
    html_report(&Model::new(&record, &intervals, &[]))
}

/// As it stands in a page.
fn escaped(text: &str) -> String {
    text.render().into_string()
}

#[test]
fn names_and_messages_are_text_and_nothing_else() {
    let page = page_of(&fixture::finished());
    assert!(page.contains(&escaped(&clean_line(NASTY))), "the name is there");
    assert_eq!(page.matches("<script").count(), 2, "the figures and our own");
    assert!(!page.contains("<b>out of"), "markup of a message is text");
    assert!(!page.contains('\u{1b}'), "no control character");
}

#[test]
fn of_executors_the_page_says_what_they_plan() {
    let mut snapshot = fixture::finished();
    snapshot.scenarios[0].iterations.planned = Some(4_321);
    let page_of = |executors: [&str; 2]| {
        let mut record = fixture::record(EndedBy::RunTime, &snapshot);
        let mut info = (*record.info).clone();
        info.executors = executors.map(str::to_owned).into();
        info.scenarios = vec![("browse".into(), 100), ("buy".into(), 3)];
        (info.users, info.run_time, info.planned) = (103, None, Some(std::time::Duration::from_secs(20)));
        record.info = info.into();
        html_report(&Model::new(&record, &[], &[]))
    };
    let page = page_of(["constant-arrival-rate", "per-vu-iterations"]);
    for told in [
        "Iterations planned",
        "up to 100",
        "4,321",
        "constant-arrival-rate, per-vu-iterations; at most 103 users; peak ",
        "at most 20s",
        "end of the load",
    ] {
        assert!(page.contains(told), "{told}");
    }
    for untrue in ["Planned %", "spawn rate", "until stopped", "<dd>run time</dd>"] {
        assert!(!page.contains(untrue), "{untrue}");
    }
    let users = page_of(["users", "users"]);
    assert!(users.contains("Planned %") && users.contains("103 users, spawn rate 5"));
}

#[test]
fn the_page_asks_for_nothing() {
    let page = page_of(&fixture::finished());
    for forbidden in ["http://www.w3.org/1999", "src=", "@import", "url(http", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(REPORT_SCRIPT.len() < 20_000, "{}", REPORT_SCRIPT.len());
    assert!(!page.contains(" style="), "the policy allows no style of single elements");
}

#[test]
fn iterations_that_were_due_are_a_column_of_an_open_load_only() {
    let open = page_of(&fixture::open().pop().unwrap());
    let table = open.split("id=\"timeline-table\"").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(table.contains("Iterations due/s"), "{table}");
    assert_eq!(table.matches(">200.0<").count(), 11, "{table}");
    assert!(!page_of(&fixture::finished()).contains("Iterations due/s"));
}

#[test]
fn figures_are_those_of_the_snapshot() {
    let snapshot = fixture::finished();
    let page = page_of(&snapshot);
    let total = &snapshot.total;
    let requests = crate::text::format::count(total.requests);
    assert!(page.contains(&format!("<dd class=\"value\">{requests}</dd>")), "tile");
    let row = page.split("<tfoot>").nth(1).unwrap().split("</tfoot>").next().unwrap();
    let p95 = crate::text::format::latency(total.ok.unwrap().percentile_us(Percentile::P95));
    assert!(row.contains(&format!(">{requests}<td")) && row.contains(&format!(">{p95}<td")), "{row}");
}

#[test]
fn a_table_alone_in_its_section_has_the_name_of_the_section_once_for_the_eye() {
    let page = page_of(&fixture::finished());
    for section in page.split("<section ").skip(1).map(|section| section.split("</section>").next().unwrap())
    {
        let title = section.split("</h2>").next().unwrap().rsplit('>').next().unwrap();
        let shown = section.matches(&format!("<caption>{title}</caption>")).count();
        assert_eq!(shown, 0, "{title}");
        let captions = section.matches("<caption").count();
        assert_eq!(captions, section.matches("<table").count(), "{title}: every table has a caption");
    }
    let caption =
        |id: &str| page.split(&format!("<table id=\"{id}\">")).nth(1).unwrap().split("</caption>").next();
    assert_eq!(caption("check-table"), Some("<caption class=\"unseen\">Checks"));
    assert_eq!(caption("percentile-table"), Some("<caption>Percentiles of the whole run"));
}

#[test]
fn what_makes_figures_doubtful_stands_above_them() {
    let mut snapshot = fixture::finished();
    snapshot.notes = vec!["samples are not in <b>".to_owned()];
    snapshot.generator.cpu = Some(0.957);
    snapshot.generator.busy_seconds = (12, 12);
    let page = page_of(&snapshot);
    let first = page.split("<dl class=\"tiles\">").next().unwrap();
    assert!(
        first
            .contains("! the load generator was saturated: latencies include its own delays<br>it used 96 %")
    );
    assert!(first.contains("<p class=\"problem\">! samples are not in &lt;b&gt;</p>"));
}

#[test]
fn the_agents_of_a_distributed_run_have_a_section_that_a_local_run_has_not() {
    let page = page_of(&fixture::distributed());
    let section = page.split("<section id=\"agents\"").nth(1).unwrap().split("</section>").next().unwrap();
    let rows: Vec<Vec<String>> = section.split("<tr").skip(2).map(cells).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    let row = ["a2", "done", "1", "33.3", "4", "562", "98 % of 2 cores", "90µs", "+2.00s ± 190µs", "13"];
    assert_eq!(rows[1][..10], row);
    assert_eq!(rows[1][10], "saturated: 98 % of 2 cores");
    assert!(section.contains("<span class=\"mark\">✗</span> lost at 00:06"), "{section}");
    assert_eq!(rows[3][6..9], ["-", "-", "-"], "nothing is known of it");
    assert_eq!(section.matches("<tr class=\"bad\"").count(), 2);
    assert!(page.contains("<a href=\"#agents\">Agents</a>"));
    assert!(
        page.contains("! agent &#39;a2&#39; was saturated") || page.contains("! agent 'a2' was saturated")
    );
    assert!(page.contains("00:06 agent 'a3' was lost: nothing was heard of it for 4.1 s"), "a finding");
    let alone = page_of(&fixture::finished());
    assert!(!alone.contains("id=\"agents\"") && !alone.contains("agent-table"));
}

#[test]
fn a_thousand_agents_have_a_table_that_fits() {
    let mut run = fixture::distributed();
    let fine = run.agents[0].clone();
    run.agents.extend((0..1_000).map(|number| AgentStats { name: format!("host-{number}"), ..fine.clone() }));
    let page = page_of(&run);
    let section = page.split("<section id=\"agents\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(section.matches("<tr").count(), 101);
    assert!(section.contains("904 more agents without problems are in run.json."), "{section}");
    assert!(section.contains(">a2<") && section.contains(">a3<"), "those with problems are shown");
    assert!(section.len() < 40_000, "{} bytes", section.len());
}

#[test]
fn a_run_without_a_request_has_a_page() {
    let page = page_of(&fixture::empty());
    assert!(page.contains("NO REQUESTS") && page.contains("No request failed."));
}

/// The texts of a row's cells.
fn cells(row: &str) -> Vec<String> {
    let cells = row.split("<t").filter(|cell| cell.starts_with(['h', 'd']));
    cells
        .map(|cell| cell.split_once('>').unwrap().1)
        .map(|cell| cell.split("</").next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_changed_is_in_tiles_tables_charts_and_a_section() {
    let snapshot = fixture::finished();
    let intervals = snapshot.intervals.taker().take();
    let record = fixture::record(EndedBy::RunTime, &snapshot);
    let stats = &snapshot.endpoints[0];
    let comparison = crate::analysis::made_comparison(&stats.method, &stats.name);
    let model = || Model::new(&record, &intervals, &[]);
    let curves = crate::report::BaselineCurves::new(&snapshot, &intervals);
    let page = html_report(&model().compared(&comparison, Some(curves)));
    assert!(page.contains("<dd class=\"change\">✗ +20% worse</dd>"), "the tile of p95");
    assert!(page.contains("<dd class=\"change\">~ +1.0% noise</dd>"), "the tile of the rate");
    let endpoints = page.split("id=\"endpoint-table\"").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(
        endpoints.contains("p95 change") && endpoints.matches("✗ +20% worse").count() == 2,
        "{endpoints}"
    );
    let section = page.split("id=\"comparison\"").nth(1).unwrap().split("</section>").next().unwrap();
    for expected in [
        "REGRESSION: p95 of all requests +20%",
        "Steady phases of both runs.",
        "! the host differs: a before, &lt;b&gt; after",
        "<td data-k=\"50000\">50ms<td data-k=\"60000\">60ms",
        ">+15% to +25%<td class=\"w\"><span class=\"worse\">✗ worse</span>",
        "- too little data",
        "~ noise",
    ] {
        assert!(section.contains(expected), "{expected} in {section}");
    }
    for chart in ["throughput", "latency", "percentiles"] {
        let figure = page.split(&format!("<figure id=\"{chart}\"")).nth(1).unwrap();
        let figure = figure.split("</figure>").next().unwrap();
        // Once in the legend, and in the drawing.
        assert!(figure.matches("class=\"l before\"").count() >= 2, "{chart}: {figure}");
    }
    // What is drawn of the baseline is in the tables too: the same as of the run, since they are the same.
    let table = |page: &str, id: &str| {
        let table = page.split(&format!("<table id=\"{id}\">")).nth(1)?.split("</table>").next()?;
        let rows = table.split("<tr>").skip(1);
        Some(rows.map(cells).collect::<Vec<_>>())
    };
    let timeline = table(&page, "timeline-table").unwrap();
    let column = |name: &str| timeline[0].iter().position(|cell| cell == name).unwrap();
    let (p95, then, rate) = (column("p95"), column("Baseline p95"), column("Baseline all/s"));
    assert!(timeline.len() > 10);
    assert!(timeline[1..].iter().all(|row| row[p95] == row[then]), "{timeline:#?}");
    assert!(
        timeline[1..].iter().any(|row| row[rate].parse::<f64>().is_ok_and(|rate| rate > 1.0)),
        "{timeline:#?}"
    );
    assert!(table(&page, "timeline-baseline-table").is_none());
    let percentiles = table(&page, "percentile-table").unwrap();
    assert_eq!(percentiles[0].last().unwrap(), "Baseline successes");
    assert!(percentiles[1..].iter().all(|row| row[1] == row[4] && row[4] != "-"), "{percentiles:#?}");
    // A baseline whose seconds are drawn together has a table of its own.
    let mut wider = crate::report::BaselineCurves::new(&snapshot, &intervals);
    wider.timeline.width_s = 2;
    let page = html_report(&model().compared(&comparison, Some(wider)));
    let own = table(&page, "timeline-baseline-table").unwrap();
    assert_eq!(
        (own.len(), &own[0][1..]),
        (timeline.len(), &["Baseline all/s".to_owned(), "Baseline p95".to_owned()][..])
    );
    assert!(!table(&page, "timeline-table").unwrap()[0].contains(&"Baseline p95".to_owned()));
    let alone = html_report(&model());
    assert!(
        !alone.contains("id=\"comparison\"")
            && !alone.contains("l before\"")
            && !alone.contains("p95 change")
    );
}

#[test]
fn a_comparison_is_a_page_of_its_own() {
    let page = comparison_page(&crate::analysis::made_comparison("GET", NASTY));
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<h1>now against then</h1>"));
    assert!(page.contains(&escaped(&clean_line(&format!("GET {NASTY}")))), "the name is text");
    assert_eq!(page.matches("<script").count(), 2, "the figures and our own");
    assert!(page.contains("id=\"comparison-table\""));
}

#[test]
fn endpoints_and_errors_come_before_the_timeline() {
    let snapshot = fixture::finished();
    let intervals = snapshot.intervals.taker().take();
    let record = fixture::record(EndedBy::RunTime, &snapshot);
    let mut sections = live_parts(&Model::new(&record, &intervals, &[]), true);
    sections.retain(|(id, _)| *id != "figures");
    let shown: Vec<&str> =
        sections.iter().filter(|(_, section)| !section.is_empty()).map(|(id, _)| *id).collect();
    let first =
        ["verdict", "thresholds", "findings", "endpoints", "errors", "script-errors", "checks", "timeline"];
    assert_eq!(shown[..first.len()], first);
    let page = html_report(&Model::new(&record, &intervals, &[]));
    for (id, section) in sections {
        // A page that shows a run while it lasts replaces them by these.
        assert!(section.is_empty() || section.starts_with(&format!("<section id=\"{id}\"")), "{id}");
        assert!(page.contains(&section), "{id}");
    }
}

#[test]
fn the_style_leaves_out_columns_of_endpoints_by_these_places() {
    let page = page_of(&fixture::finished());
    let table = page.split("id=\"endpoint-table\"").nth(1).unwrap().split("</tr>").next().unwrap();
    let heads = cells(table.split("<tbody>").next().unwrap().split("<tr>").nth(1).unwrap());
    let at = |place: usize| heads[place - 1].as_str();
    // Those that narrow windows leave out, in the order in which they go.
    let out = [12, 13, 16, 10, 14, 3, 15, 7, 5].map(at);
    assert_eq!(
        out,
        ["Mean", "Bytes", "p50 to max", "p99.9", "% of time", "Failed", "p95 over time", "p90", "Rate/s"]
    );
    assert!(!heads.iter().any(|head| head == "p75"), "it is in the details: {heads:?}");
    assert!(page.contains("<li>p75 "), "it is in the details");
}

#[test]
fn the_head_of_the_page_says_who_when_and_how_long() {
    let page = page_of(&fixture::finished());
    let head = page.split("<header>").nth(1).unwrap().split("</header>").next().unwrap();
    for part in
        [" · 10 users · 12.4 s · ", "<time datetime=\"2026-11-23T17:45:04Z\">2026-11-23 17:45:04 UTC</time>"]
    {
        assert!(head.contains(part), "{part} in {head}");
    }
}

#[test]
fn the_table_of_thresholds_has_no_column_without_content() {
    let heads = |limits: &[&str]| {
        let page = page_of(fixture::limited_by(limits).last().unwrap());
        let table =
            page.split("id=\"thresholds-table\"").nth(1).unwrap().split("<tbody>").next().unwrap().to_owned();
        cells(table.split("<tr>").nth(1).unwrap())
    };
    let met = "http_req_duration: p(95) < 10s";
    assert_eq!(heads(&[met]), ["Threshold", "Actual", "Margin", "Status"]);
    assert_eq!(
        heads(&[met, "http_req_failed: rate < 0.1%", "http_reqs: rate > 1 over 3s"]),
        ["Threshold", "Scope", "Actual", "Margin", "Status", "First breached"]
    );
}

#[test]
fn paths_break_between_their_parts() {
    let shown = |text: &str| wrapping(text).into_string();
    assert_eq!(shown("/a/b"), "/a/<wbr>b");
    assert_eq!(shown("https://host/x"), "https://host/<wbr>x");
    assert_eq!(shown("<b>"), "&lt;b&gt;");
}

#[test]
fn resources_have_names_and_units() {
    let (snapshot, intervals) = fixture::long_run(1, 120, 2);
    let record = fixture::record(EndedBy::RunTime, &snapshot);
    let page = html_report(&Model::new(&record, &intervals, &[]));
    let section = page.split("<section id=\"resources\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(section.contains(">Target: resident memory<") && section.contains(">Min<"), "{section}");
    assert!(!section.contains("target_") && !section.contains("system_"), "{section}");
}
