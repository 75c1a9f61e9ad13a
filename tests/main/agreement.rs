//! One picture: server, terminal, `run.json` and the CSV files agree to the last request.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Output, Sandbox, Server};

/// Compares every place that tells how many requests there were, and how many failed.
#[track_caller]
fn agree(output: &Output, server: &Server) -> Value {
    let run = output.run_dir();
    let json = run.json();
    let (requests, failures) = (number(&json["total"]["requests"]), number(&json["total"]["failures"]));
    let interrupted = number(&json["interrupted_requests"]);
    assert_eq!(requests + interrupted, server.total(), "the server's count\n{}", output.shown());

    // run.json within itself.
    let metric = |name: &str, value: &str| number(&json["metrics"][name]["values"][value]);
    assert_eq!(metric("http_reqs", "count"), requests);
    assert_eq!(metric("http_req_failed", "passes"), failures);
    assert_eq!(metric("http_req_failed", "fails"), requests - failures);
    for part in ["endpoints", "scenarios"] {
        assert_eq!(sum(&json[part], "requests"), requests, "{part}");
        assert_eq!(sum(&json[part], "failures"), failures, "{part}");
    }
    assert_eq!(sum(&json["failures"], "count"), failures);
    let statuses = json["total"]["statuses"].as_object().unwrap();
    assert_eq!(statuses.values().map(number).sum::<u64>(), requests);
    let count = |latency: &Value| if latency.is_null() { 0 } else { number(&latency["count"]) };
    assert_eq!(count(&json["total"]["latency_ms"]), requests - failures);
    assert_eq!(count(&json["total"]["failed_latency_ms"]), failures);
    assert_eq!(sum(&json["scenarios"], "iterations"), metric("iterations", "count"));

    // The CSV files.
    let aggregated = run.aggregated();
    assert_eq!(
        (cell(&aggregated["Request Count"]), cell(&aggregated["Failure Count"])),
        (requests, failures)
    );
    let stats = run.csv("stats.csv");
    let endpoints = &stats[..stats.len() - 1];
    assert_eq!(endpoints.iter().map(|row| cell(&row["Request Count"])).sum::<u64>(), requests);
    assert_eq!(endpoints.iter().map(|row| cell(&row["Failure Count"])).sum::<u64>(), failures);
    let history = run.csv("stats_history.csv");
    let last = history.last().unwrap();
    assert_eq!(cell(&last["Total Request Count"]), requests);
    assert_eq!(cell(&last["Total Failure Count"]), failures);
    let failed: u64 = run.csv("failures.csv").iter().map(|row| cell(&row["Occurrences"])).sum();
    assert_eq!(failed, failures);
    let exceptions: u64 = run.csv("exceptions.csv").iter().map(|row| cell(&row["Count"])).sum();
    assert_eq!(exceptions, metric("script_errors", "count"));

    // What happened, in words.
    let report = output.stderr.lines().find_map(|line| line.strip_prefix("report: ")).unwrap();
    let report = run.0.join("../../..").join(report);
    // Paths may break between their parts.
    let page = std::fs::read_to_string(report).unwrap().replace("<wbr>", "");
    let told =
        page.split("<ol class=\"findings\">").nth(1).map_or("", |list| list.split("</ol>").next().unwrap());
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(told.matches("<li").count(), findings.len(), "{told}\n{findings:#?}");
    for text in findings.iter().map(|finding| finding["text"].as_str().unwrap()) {
        assert!(output.stdout.contains(text), "{text}\n{}", output.shown());
        assert!(
            told.contains(&text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
            "{text}\n{told}"
        );
    }

    // The terminal.
    let row = output.stdout.lines().find(|line| line.contains("Aggregated")).unwrap_or_default();
    let mut cells = row.split_whitespace().skip_while(|cell| *cell != "Aggregated").skip(1);
    assert_eq!(cells.next().unwrap_or_default().replace(',', ""), requests.to_string(), "{}", output.shown());
    let verdict = output.stdout.lines().last().unwrap().replace(',', "");
    assert!(verdict.contains(&format!("{requests} requests")), "{verdict}");
    assert!(failures == 0 || verdict.contains(&format!("{failures} failed")), "{verdict}");

    // Percentiles are the same figures everywhere.
    if requests > failures {
        let median = json["total"]["latency_ms"]["p50"].as_f64().unwrap();
        // Locust's columns are whole milliseconds.
        let whole = median.round() as u64;
        assert_eq!((cell(&aggregated["50%"]), cell(&aggregated["Median Response Time"])), (whole, whole));
        assert_eq!(json["metrics"]["http_req_duration"]["values"]["med"].as_f64().unwrap(), median);
        assert_eq!(cell(&last["Total Median Response Time"]), whole);
        let mean = json["total"]["latency_ms"]["mean"].as_f64().unwrap();
        assert_eq!(aggregated["Average Response Time"].parse::<f64>().unwrap(), mean);
    }
    json
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn cell(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no count"))
}

fn sum(rows: &Value, column: &str) -> u64 {
    rows.as_array().unwrap().iter().map(|row| number(&row[column])).sum()
}

/// What thresholds measured over the whole run are the figures of the run.
#[track_caller]
fn agree_in_limits(json: &Value) {
    let rows = |part: &str, key: &str, name: &str| {
        json[part].as_array().unwrap().iter().find(|row| row[key] == name).unwrap().clone()
    };
    let metric = |name: &str, value: &str| json["metrics"][name]["values"][value].as_f64();
    for (selector, expected) in [
        ("http_req_duration", json["total"]["latency_ms"]["p95"].as_f64()),
        (
            "http_req_duration{name:/flaky/3/a}",
            rows("endpoints", "name", "/flaky/3/a")["latency_ms"]["p99"].as_f64(),
        ),
        ("http_req_failed", json["total"]["failed_share"].as_f64()),
        ("http_reqs", json["total"]["requests"].as_f64()),
        ("http_reqs{kind:late}", metric("http_reqs{kind:late}", "count")),
        ("http_reqs{scenario:plain}", rows("scenarios", "name", "plain")["requests"].as_f64()),
        ("iterations", metric("iterations", "count")),
        ("checks", metric("checks", "rate")),
    ] {
        let measured = rows("thresholds", "metric", selector)["measured"].as_f64();
        let (measured, expected) = (measured.unwrap(), expected.unwrap());
        assert!((measured - expected).abs() < 1e-6, "{selector}: {measured}, not {expected}");
    }
}

/// JUnit and Markdown tell the same totals, and the same percentiles to the digits that they show.
#[track_caller]
fn agree_in_texts(json: &Value, junit: &str, markdown: &str, output: &Output) {
    let requests = number(&json["total"]["requests"]);
    let plain = |text: &str| text.replace(',', "");
    assert!(plain(junit).contains(&format!(">{requests} requests in ")), "{junit}");
    assert!(plain(markdown).contains(&format!("**{requests}** requests")), "{markdown}");
    let verdict = output.stdout.lines().last().unwrap();
    let p95 = verdict.rsplit("p95 ").next().unwrap();
    assert!(
        markdown.contains(&format!("p95 {p95}")) && junit.contains(&format!("p95 {p95}")),
        "{verdict}\n{markdown}"
    );
    // The columns of the total: p50 p90 p95 p99 p99.9 max there, p50 p95 p99 max here.
    let row = output.stdout.lines().find(|line| line.contains("Aggregated")).unwrap();
    let there: Vec<&str> = row.split_whitespace().rev().collect();
    let row = markdown.lines().find(|line| line.contains("**Aggregated**")).unwrap();
    let here: Vec<&str> = row.split('|').map(str::trim).filter(|cell| !cell.is_empty()).rev().collect();
    assert_eq!([here[0], here[1], here[2], here[3]], [there[0], there[2], there[3], there[5]], "{row}");
    for endpoint in json["endpoints"].as_array().unwrap() {
        let case = format!(
            "name=\"{} {}\"",
            endpoint["method"].as_str().unwrap(),
            endpoint["name"].as_str().unwrap()
        );
        assert_eq!(junit.contains(&case), number(&endpoint["failures"]) > 0, "{case} in {junit}");
    }
}

/// The figures of an endpoint that every place has: requests, failures, and percentiles in milliseconds.
type Figures = (u64, u64, Vec<Option<f64>>);

/// The percentiles that are compared, as `run.json`, `stats.csv` and the report call them.
const SHOWN: [(&str, &str, &str); 4] = [
    ("p50", "50%", "p50_ms"),
    ("p95", "95%", "p95_ms"),
    ("p99", "99%", "p99_ms"),
    ("p100", "100%", "max_ms"),
];

fn of_json(endpoint: &Value) -> Figures {
    let latency = |(name, ..): &(&str, &str, &str)| endpoint["latency_ms"][*name].as_f64();
    (number(&endpoint["requests"]), number(&endpoint["failures"]), SHOWN.iter().map(latency).collect())
}

/// Each endpoint and the total have the same counts and percentiles in run.json, in stats.csv, in the report, and in
/// what is computed again from latency.hlog alone.
#[track_caller]
fn agree_by_endpoint(json: &Value, sandbox: &Sandbox, output: &Output, html: &str) {
    let run = output.run_dir();
    let (rows, total) = (json["endpoints"].as_array().unwrap(), &json["total"]);
    let key = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        (text("method"), text("name"))
    };
    let expected: BTreeMap<(String, String), Figures> =
        rows.iter().chain([total]).map(|row| (key(row), of_json(row))).collect();
    assert!(expected.len() > 5 && expected.values().any(|(_, failures, _)| *failures > 0));

    let stats = run.csv("stats.csv").into_iter().map(|row| {
        let latency = SHOWN.iter().map(|(_, column, _)| row[*column].parse::<f64>().ok()).collect();
        let counts = (cell(&row["Request Count"]), cell(&row["Failure Count"]));
        ((row["Type"].clone(), row["Name"].clone()), (counts.0, counts.1, latency))
    });
    // Percentiles are whole milliseconds there, as in Locust.
    let whole = |latency: &[Option<f64>]| latency.iter().map(|ms| ms.map(f64::round)).collect::<Vec<_>>();
    let in_csv = expected
        .iter()
        .map(|(key, (requests, failures, latency))| (key.clone(), (*requests, *failures, whole(latency))));
    assert_eq!(stats.collect::<BTreeMap<_, _>>(), in_csv.collect::<BTreeMap<_, _>>(), "stats.csv");

    let figures = html.split_once("id=\"figures\">").unwrap().1.split_once("</script>").unwrap().0;
    let figures: Value = serde_json::from_str(figures).unwrap();
    let columns = figures["endpoints"]["columns"].as_array().unwrap();
    let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let in_html = figures["endpoints"]["rows"].as_array().unwrap().iter().map(|row| {
        let text = |name: &str| row[column(name)].as_str().unwrap().to_owned();
        let latency = SHOWN.iter().map(|(_, _, name)| row[column(name)].as_f64()).collect();
        let counts = (number(&row[column("requests")]), number(&row[column("failures")]));
        ((text("method"), text("name")), (counts.0, counts.1, latency))
    });
    assert_eq!(in_html.collect::<BTreeMap<_, _>>(), expected, "the report");

    let folder = run.0.to_str().unwrap();
    let again = sandbox.run(&["report", folder, "--from", "0s", "--to", "1h", "--json"]).expect_code(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    let again = again.as_array().unwrap().iter().map(|row| (key(row), of_json(row)));
    assert_eq!(again.collect::<BTreeMap<_, _>>(), expected, "from latency.hlog");

    // As the run ended, and without the file that holds its end.
    let whole = sandbox.run(&["report", folder]).expect_code(0);
    assert_eq!(whole.stdout.lines().last(), output.stdout.lines().last(), "{}", whole.shown());
    std::fs::remove_file(run.0.join("state.json")).unwrap();
    let whole = sandbox.run(&["report", folder, "--json"]).expect_code(0);
    let whole: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(of_json(&whole["total"]), expected[&key(total)], "without state.json");
}

/// Successes, failures of several kinds, script errors, verdicts that change late, two scenarios.
const MIXED: &str = r#"
    scenario("mixed", #{ exec: "mixed", weight: 3, wait: between(0.001, 0.01) });
    scenario("plain", #{ exec: "plain", wait: constant(0.005) });
    fn on_start() { http::get("/start"); }
    fn mixed() {
        let first = http::get("/status/404", #{ tags: #{ kind: "late" } });
        let second = http::get("/flaky/3/a");
        http::post("/echo", #{ json: #{ n: vu::iteration() } }).expect(201);
        if vu::iteration() % 5 == 0 { http::get("/garbage"); }
        first.expect(404);
        second.expect("never a 503", |r| r.status != 503);
        if vu::iteration() % 7 == 0 { throw "odd"; }
        http::get(`/items/${vu::id()}`, #{ name: "/items/[id]" });
    }
    fn plain() { http::get("/x"); check("c", true); }
    fn on_stop() { http::get("/stop"); }
"#;

#[test]
fn over_a_run_of_three_seconds() {
    let server = Server::start();
    let sandbox = Sandbox::with(MIXED);
    let limits = "http_req_duration: p(95) < 1h; http_req_duration{name:/flaky/3/a}: p(99) < 1h; \
                  http_req_failed: rate < 100%; http_reqs: count > 1; http_reqs{kind:late}: count > 1; \
                  http_reqs{scenario:plain}: count > 1; iterations: count > 1; checks: rate > 0";
    let url = server.url();
    let arguments = [
        "-t",
        "3s",
        "-u",
        "8",
        "-r",
        "20",
        "--threads",
        "2",
        "--threshold",
        limits,
        "--junit",
        "out/junit.xml",
        "--markdown",
        "out/run.md",
        "--html",
        "out/run.html",
    ];
    let output = sandbox.run_against(&url, &arguments).expect_code(0);
    let json = agree(&output, &server);
    agree_in_limits(&json);
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    agree_in_texts(&json, &read("out/junit.xml"), &read("out/run.md"), &output);
    agree_by_endpoint(&json, &sandbox, &output, &read("out/run.html"));
    assert!(
        number(&json["total"]["failures"]) > 0 && number(&json["total"]["requests"]) > 100,
        "{}",
        output.shown()
    );
    assert_eq!(
        number(&json["metrics"]["http_reqs{kind:late}"]["values"]["count"]),
        server.hits("/status/404")
    );
    let history = output.run_dir().csv("stats_history.csv");
    assert!(history.len() >= 3, "{}", history.len());
    let totals: Vec<u64> = history.iter().map(|row| cell(&row["Total Request Count"])).collect();
    assert!(totals.windows(2).all(|pair| pair[0] <= pair[1]), "{totals:?}");
}

#[test]
fn after_an_interrupt() {
    let server = Server::start();
    let sandbox = Sandbox::with(MIXED);
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-u", "8", "-r", "1000", "--threads", "2"];
    let running = sandbox.start(&arguments);
    server.wait_for_hits("/flaky/3/a", 100);
    running.signal("INT");
    agree(&running.wait().expect_code(105), &server);
}

#[test]
fn after_two_interrupts_in_the_middle_of_requests() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); if vu::id() == 1 { http::get(\"/never\"); } }";
    let sandbox = Sandbox::with(script);
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-u", "6", "-r", "1000", "--threads", "2"];
    let running = sandbox.start(&arguments);
    server.wait_for_hits("/never", 1);
    server.wait_for_hits("/x", 100);
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(200));
    running.signal("INT");
    let json = agree(&running.wait().expect_code(105), &server);
    assert_eq!(number(&json["interrupted_requests"]), 1);
}

#[test]
fn over_a_run_shorter_than_a_second() {
    let server = Server::start();
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "-i", "40", "-u", "4", "-r", "1000", "--threads", "2"];
    let output = Sandbox::with(MIXED).run(&arguments).expect_code(0);
    let json = agree(&output, &server);
    let iterations = &json["iterations"];
    assert_eq!(number(&iterations["completed"]) + number(&iterations["failed"]), 40);
}

#[test]
fn when_the_script_aborts() {
    let server = Server::start();
    let script = format!(
        "{MIXED}\nscenario(\"breaks\", #{{ exec: \"breaks\", fixed_count: 1 }}); fn breaks() {{ sleep(1.3); abort(\"enough\"); }}"
    );
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-u", "6", "-r", "1000", "--threads", "2"];
    let output = Sandbox::with(&script).run(&arguments).expect_code(108);
    let run = output.run_dir();
    assert_eq!(number(&run.json()["total"]["requests"]), server.total());
    assert_eq!(cell(&run.aggregated()["Request Count"]), server.total());
}

#[test]
fn when_every_request_fails() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/status/500\"); http::get(\"/garbage\"); }";
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "-i", "20", "-u", "4", "-r", "1000", "--threads", "2"];
    let output = Sandbox::with(script).run(&arguments).expect_code(1);
    let json = agree(&output, &server);
    assert_eq!(number(&json["total"]["failures"]), 40);
    assert!(json["total"]["latency_ms"].is_null(), "no success, no latency");
    assert_eq!(output.run_dir().aggregated()["95%"], "N/A");
}

#[test]
fn with_more_names_than_are_told_apart() {
    let server = Server::start();
    let script = "fn iteration() { for n in 0..120 { http::get(`/items/${vu::id() * 100000 + vu::iteration() * 1000 + n}`); } }";
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "-i", "20", "-u", "4", "-r", "1000", "--threads", "2"];
    let output = Sandbox::with(script).run(&arguments).expect_code(0);
    let json = agree(&output, &server);
    assert_eq!((number(&json["total"]["requests"]), &json["series_folded"]), (2400, &true.into()));
    assert!(json["endpoints"].as_array().unwrap().len() <= 2001, "two threads, a thousand names each");
    assert!(output.stdout.contains("(other)"), "it is said: {}", output.shown());
}

#[test]
fn a_part_of_a_run_that_has_nothing_of_the_name_says_what_there_is() {
    let server = Server::start();
    let script = r#"fn iteration() { for n in 1..=10 { http::get("/page", #{ name: `page ${n}`, tags: #{ team: "red" } }); } }"#;
    let sandbox = Sandbox::with(script);
    sandbox.run_against(&server.url(), &["-i", "1"]).expect_code(0);
    let folder = sandbox.runs()[0].0.to_str().unwrap().to_owned();
    let part = |flag: &str, wanted: &str| sandbox.run(&["report", &folder, flag, wanted]);
    let output = part("--endpoint", "pgae").expect_code(97);
    let told = output.stderr.trim();
    assert!(
        told.starts_with("error: no endpoint in this part of the run contains 'pgae'; found GET page 1, ")
    );
    assert!(told.ends_with(" and 2 more") && !told.contains("Aggregated"), "{told}");
    part("--tag", "blue").expect_code(97).expect_stderr(&["no tag in this part", "found", "team:red"]);
    let output = part("--endpoint", "page 7").expect_code(0);
    assert!(output.stdout.contains("page 7") && !output.stdout.contains("page 6"), "{}", output.shown());
}
