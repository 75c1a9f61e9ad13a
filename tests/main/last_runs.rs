//! The last runs of a test in the report of each of them.

use std::path::Path;

use crate::support::{Sandbox, Server};

const SCRIPT: &str = r#"fn iteration() { http::get("/x"); }"#;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The section of a page; `None` when it has none.
fn section(page: &str) -> Option<&str> {
    let start = page.find("<section id=\"last-runs\"")?;
    page[start..].split("</section>").next()
}

fn rows(page: &str) -> usize {
    section(page).map_or(0, |section| section.matches("<th scope=\"row\">").count())
}

/// The runs so far, by the place of their report.
fn report(sandbox: &Sandbox, index: usize) -> String {
    let name = sandbox.runs()[index].0.file_name().unwrap().to_string_lossy().into_owned();
    read(&sandbox.path().join(format!("performance/reports/{name}.html")))
}

#[test]
fn a_report_shows_the_runs_of_its_test_up_to_it() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("other.rhai", SCRIPT);
    let url = server.url();
    sandbox.run_against(&url, &["-i", "5"]).expect_code(0);
    sandbox.run_against(&url, &["--once"]).expect_code(0);
    sandbox.run(&["run", "other.rhai", "-i", "5", "-H", &url]).expect_code(0);
    sandbox.run_against(&url, &["-i", "5", "-u", "2", "-r", "2"]).expect_code(0);
    sandbox.run_against(&url, &["-i", "5", "-u", "2", "-r", "4"]).expect_code(0);
    sandbox.run_against(&url, &["-i", "5", "-u", "2", "-r", "4"]).expect_code(0);

    let mut runs = sandbox.runs();
    runs.retain(|run| run.json()["name"] == "test" && run.json()["settings"]["once"] == false);
    // Runs of one second are told apart by a number, after which they are sorted.
    runs.sort_by_key(|run| run.json()["settings"]["users"].as_u64());
    let names: Vec<String> =
        runs.iter().map(|run| run.0.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let page = |name: &str| read(&sandbox.path().join(format!("performance/reports/{name}.html")));
    assert_eq!(section(&page(&names[0])), None, "the first one has nothing to show");
    assert_eq!(section(&page(&names[1])), None, "nor has the first one under another load");

    let last = page(&names[3]);
    assert_eq!(rows(&last), 3, "neither the trial, nor another load, nor another test is one of them");
    let section = section(&last).unwrap();
    assert!(section.contains("<figure id=\"last-p95\"") && section.contains("<figure id=\"last-rate\""));
    assert!(section.contains("1: the spawn rate differs"), "{section}");
    assert!(!section.contains("2: "), "the third is as the second: {section}");
    assert!(
        section.contains(&format!("<a href=\"./{}.html\">", names[1])),
        "the way to its report: {section}"
    );

    // The same from the folder, and of an earlier one.
    sandbox.run(&["report", &names[3], "--html", "again.html", "--svg", "charts"]).expect_code(0);
    assert_eq!(rows(&read(&sandbox.path().join("again.html"))), 3);
    let svg = read(&sandbox.path().join("charts/last-p95.svg"));
    assert!(svg.contains("p95 of the last runs") && svg.contains("script, load or machine changed"), "{svg}");
    sandbox.run(&["report", &names[2], "--html", "second.html"]).expect_code(0);
    assert_eq!(rows(&read(&sandbox.path().join("second.html"))), 2);
}

#[test]
fn a_damaged_run_is_left_out_and_twenty_are_enough() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.run_against(&server.url(), &["-i", "5"]).expect_code(0);
    let first = sandbox.runs()[0].clone();
    let mut json = first.json();
    for day in 1..=25 {
        json["started_at"] = format!("2020-01-{day:02}T00:00:00Z").into();
        sandbox.write(
            &format!("performance/results/2020-01-{day:02}T00-00-00Z_test/run.json"),
            &json.to_string(),
        );
    }
    sandbox.write("performance/results/2020-01-25T00-00-00Z_test/run.json", "{ damaged");
    sandbox.run(&["report", &first.0.display().to_string(), "--html", "r.html"]).expect_code(0);
    let page = read(&sandbox.path().join("r.html"));
    assert_eq!(rows(&page), 20);
    let section = section(&page).unwrap();
    assert!(section.contains("2020-01-24") && section.contains("2020-01-06"), "{section}");
    assert!(!section.contains("2020-01-25") && !section.contains("2020-01-05"), "{section}");
}

#[test]
fn the_port_of_a_target_in_the_own_process_is_no_difference() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        sandbox.run(&["demo", "--run-time", "2s", "--users", "5", "--spawn-rate", "5"]).expect_code(0);
    }
    let page = report(&sandbox, 1);
    let section = section(&page).unwrap();
    assert_eq!(rows(&page), 2);
    assert!(!section.contains("the host differs"), "{section}");
}

#[test]
fn every_command_that_takes_a_run_takes_last() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("other.rhai", SCRIPT);
    let url = server.url();
    let refused = sandbox.run(&["report", "last"]).expect_code(104);
    refused.expect_stderr(&["there are no runs in performance/results"]);
    for (script, requests) in
        [("test.rhai", "1"), ("other.rhai", "2"), ("test.rhai", "3"), ("other.rhai", "4")]
    {
        sandbox.run(&["run", script, "-i", requests, "-H", &url]).expect_code(0);
    }
    let requests = |run: &str| {
        let shown = sandbox.run(&["report", run, "--json"]).expect_code(0).stdout;
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()["total"]["requests"].clone()
    };
    assert_eq!(["last", "last~0", "last~1", "last~3"].map(requests), [4, 4, 3, 1]);
    let shown = sandbox.run(&["report"]).expect_code(0);
    assert!(shown.stdout.contains("4 requests"), "the last one, if none is named: {}", shown.shown());
    let refused = sandbox.run(&["report", "last~4"]).expect_code(104);
    refused.expect_stderr(&["there are only 4 runs in performance/results: last to last~3"]);
    sandbox
        .run(&["report", "last~x"])
        .expect_code(104)
        .expect_stderr(&["no run 'last~x'", "the newest one is: last"]);
    let empty = Sandbox::new().run(&["report", "nothere"]).expect_code(104);
    let empty = empty.expect_stderr(&["no run 'nothere' here or in", "no run is stored there yet"]);
    assert!(!empty.stderr.contains("newest"), "{}", empty.shown());

    let compared = sandbox.run(&["compare", "last~2", "last", "--json"]).expect_code(0).stdout;
    let compared: serde_json::Value = serde_json::from_str(&compared).unwrap();
    assert!(compared["after"]["folder"].as_str().unwrap().contains("_other"), "{compared:#}");
    sandbox.run(&["baseline", "save", "last", "last~2"]).expect_code(0);
    assert_eq!(sandbox.run(&["baseline", "list"]).expect_code(0).stdout, "other\n");
    sandbox.run(&["run", "test.rhai", "-i", "5", "-H", &url, "--baseline=last~1"]).expect_code(0);
    assert_eq!(requests("last"), 5);

    let trend = |what: &[&str]| sandbox.run(&[&["trend"], what].concat()).expect_code(0).stdout;
    // A line for each load, and these differ in their iterations.
    let count = |shown: &str, name: &str| shown.matches(&format!(" {name}, 1 user, ")).count();
    let all = trend(&[]);
    assert_eq!((count(&all, "other"), count(&all, "test")), (2, 3), "{all}");
    let last = trend(&["last"]);
    assert_eq!((count(&last, "other"), count(&last, "test")), (0, 3), "{last}");
    let before = trend(&["last~1"]);
    assert_eq!((count(&before, "other"), count(&before, "test")), (2, 0), "{before}");
    assert_eq!(count(&trend(&["last~2"]), "test"), 2, "up to that run: {}", trend(&["last~2"]));
    sandbox
        .run(&["trend", "last~5"])
        .expect_code(104)
        .expect_stderr(&["performance/results has only 5 runs"]);
    // Elsewhere, and a folder of that name.
    sandbox.run(&["run", "test.rhai", "-i", "6", "-H", &url, "--results-dir", "last"]).expect_code(0);
    assert!(trend(&["last"]).contains(" test: 1 run\n"), "{}", trend(&["last"]));
    assert_eq!(count(&trend(&["last~0"]), "test"), 3);
    let there = sandbox.run_with(&["report", "last~0"], &[("RHAID_RESULTS_DIR", "last")]).expect_code(0);
    assert!(there.stdout.contains("6 requests"), "{}", there.shown());
}
