//! Runs against each other: `compare`, `baseline`, `trend`, and a run against its baseline.

use serde_json::Value;

use crate::support::{Output, Sandbox, Server};

/// A run of half a hundred requests a second against a server that takes `ms` for each, for twelve seconds.
fn run(sandbox: &Sandbox, server: &Server, ms: u32, more: &[&str]) -> Output {
    let script = "wait(constant_throughput(25)); fn iteration() { http::get(\"/delay/\" + env::get(\"MS\"), #{ name: \"/x\" }); }";
    sandbox.write("test.rhai", script);
    let variable = format!("MS={ms}");
    let url = server.url();
    let mut arguments =
        vec!["run", "test.rhai", "-H", &url, "-u", "2", "-r", "100", "-t", "12", "--only-summary"];
    arguments.extend(["-e", &variable]);
    arguments.extend(more);
    sandbox.run(&arguments)
}

#[test]
fn a_slower_run_is_a_regression_against_the_baseline() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    let runs = "performance/results";
    run(&sandbox, &server, 10, &[]).expect_code(0);
    let first = sandbox.runs()[0].0.file_name().unwrap().to_str().unwrap().to_owned();
    let saved = sandbox.run(&["baseline", "save", &first]).expect_code(0);
    assert!(saved.stdout.starts_with("performance/benchmarks/baselines/test\n"), "{}", saved.shown());
    assert_eq!(sandbox.run(&["baseline", "list"]).expect_code(0).stdout, "test\n");

    let worse = run(&sandbox, &server, 20, &["--baseline", "--fail-on-regression"]).expect_code(98);
    assert!(worse.stdout.contains("REGRESSION: p"), "{}", worse.shown());
    let last = worse.stdout.lines().last().unwrap();
    assert!(last.starts_with(" FAILED: worse than test: p"), "the verdict stays last: {}", worse.shown());

    let own: Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.runs()[1].0.join("run.json")).unwrap())
            .unwrap();
    let second = sandbox.runs()[1].0.file_name().unwrap().to_str().unwrap().to_owned();
    let compared = sandbox.run(&["compare", "test", &second, "--json"]).expect_code(0);
    let json: Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(json["regression"], true);
    assert_eq!(own["comparison"], json, "one computation, in run.json and by compare");
    let files = ["compare", "test", &second, "--html", "c/c.html", "--markdown", "c/c.md"];
    sandbox.run(&files).expect_code(0).expect_stderr(&["comparison: c/c.html", "comparison: c/c.md"]);
    let again = ["report", &second, "--baseline", "--html", "r.html", "--markdown", "r.md", "--json"];
    let again = sandbox.run(&again).expect_code(0);
    let read = |file: &str| std::fs::read_to_string(sandbox.path().join(file)).unwrap();
    let p50 = |text: &str, what: &str| assert!(text.contains("worse"), "{what}: {text}");
    for file in ["c/c.html", "c/c.md", "r.html", "r.md"] {
        p50(&read(file), file);
    }
    let exported: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(exported["comparison"], json, "the same again from the folders");
    assert!(read("r.html").contains("class=\"l before\""), "the baseline's line");
    let total = &json["endpoints"][0];
    assert_eq!(total["name"], "Aggregated");
    assert_eq!(total["figures"]["p50"]["verdict"], "worse", "{total:#}");
    let [before, after] = ["before", "after"].map(|side| total["figures"]["p50"][side].as_f64().unwrap());
    assert!(before >= 10.0 && after >= 20.0 && after > before, "{total:#}");
    // The other way round it is an improvement, which is no reason to fail.
    let back = sandbox.run(&["compare", &second, "test", "--fail-on-regression"]).expect_code(0);
    assert!(back.stdout.contains("better: p"), "{}", back.shown());
    // A run is itself.
    let same = sandbox.run(&["compare", &first, "test", "--fail-on-regression"]).expect_code(0);
    assert!(same.stdout.contains("no significant change"), "{}", same.shown());

    let trend = sandbox.run(&["trend", runs]).expect_code(0);
    assert!(trend.stdout.contains("test: 2 runs"), "{}", trend.shown());
    assert_eq!(sandbox.run(&["trend", runs, "--last", "1"]).expect_code(0).stdout.matches('Z').count(), 1);

    let quiet = ["--baseline", "--fail-on-regression", "-q", "--junit", "j.xml", "--noise", "3%"];
    let quiet = run(&sandbox, &server, 20, &quiet).expect_code(98);
    assert_eq!(quiet.stdout.lines().count(), 1, "{}", quiet.shown());
    assert!(quiet.stdout.starts_with(" FAILED: worse than test: p"), "{}", quiet.shown());
    let junit = std::fs::read_to_string(sandbox.path().join("j.xml")).unwrap();
    assert!(junit.contains("<failure message=\"worse than test: p"), "{junit}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let server = Server::start();
    let url = server.url();
    for (arguments, code, expected) in [
        (
            &["compare", "nothing", "nowhere"][..],
            104,
            "'nothing' is neither a run directory nor the name of a baseline",
        ),
        (&["compare", "nothing"][..], 2, "AFTER"),
        (&["baseline", "save", "nothing"][..], 104, "save one with `rhaid baseline save RUN`"),
        (&["trend", "nowhere"][..], 104, "cannot read nowhere"),
        (&["trend", "."][..], 104, "no runs in ."),
        (&["run", "test.rhai", "-H", &url, "-i", "1", "--baseline"][..], 104, "'test' is neither"),
        (&["run", "test.rhai", "-H", &url, "-i", "1", "--fail-on-regression"][..], 104, "needs a --baseline"),
        (&["compare", "a", "b", "--noise", "often"][..], 2, "a percentage from 0 to 100"),
    ] {
        sandbox.run(arguments).expect_code(code).expect_stderr(&[expected]);
    }
    assert!(sandbox.runs().is_empty(), "nothing was run");
    sandbox.write(
        "performance/results/cut/run.json",
        r#"{ "name": "cut", "ended_by": null, "total": { "requests": 5 } }"#,
    );
    sandbox.write(
        "performance/results/none/run.json",
        r#"{ "name": "none", "ended_by": "run time", "total": { "requests": 0 } }"#,
    );
    sandbox.write("performance/results/broken/run.json", "{ \"name\": ");
    for (run, expected) in
        [("cut", "the run did not finish"), ("none", "made no requests"), ("broken", "is not valid JSON")]
    {
        sandbox.run(&["baseline", "save", run]).expect_code(104).expect_stderr(&[expected]);
    }
    sandbox.run(&["compare", "cut", "broken"]).expect_code(104).expect_stderr(&["run.json"]);
    let trend = sandbox.run(&["trend"]).expect_code(0).expect_stderr(&["skipped", "broken"]);
    assert!(trend.stdout.contains("cut: 1 run"), "{}", trend.shown());
    // Runs without their logs have nothing to compare, and say so.
    let compared = sandbox.run(&["compare", "cut", "none"]).expect_code(0);
    assert!(compared.stdout.contains("latency.hlog cannot be read"), "{}", compared.shown());
}

/// A stored run as far as a trend reads it: begun in this minute, with this p95 (0: no success), this many users, and
/// a generator that has a new processor from the thirtieth minute on.
fn stored(sandbox: &Sandbox, minute: usize, p95: u32, users: u32) {
    let latency = match p95 {
        0 => serde_json::json!({ "count": 0 }),
        _ => serde_json::json!({ "p50": p95 / 2, "p95": p95, "p99": p95 * 2 }),
    };
    let json = serde_json::json!({
        "name": "shop",
        "started_at": format!("2026-03-04T{:02}:{:02}:00Z", minute / 60, minute % 60),
        "settings": { "users": users, "run_time_s": 90.0 },
        "origin": { "profile": if users == 10 { "load" } else { "stress" } },
        "machine": { "cpu": if minute < 30 { "old" } else { "new" } },
        "total": { "requests": 100, "rate": 50.0, "failed_share": 0.01, "latency_ms": latency },
    });
    sandbox.write(&format!("performance/results/run-{minute:03}/run.json"), &json.to_string());
}

#[test]
fn a_trend_is_a_page_and_pictures() {
    let sandbox = Sandbox::new();
    let read = |file: &str| std::fs::read_to_string(sandbox.path().join(file)).unwrap();
    let arguments = ["trend", "--html", "out/trend.html", "--svg", "out/svg", "--last", "500"];
    // A single run, broken ones beside it.
    stored(&sandbox, 0, 20, 10);
    sandbox.write("performance/results/broken/run.json", "{");
    sandbox.write("performance/results/run-000/report.html", "a report");
    let one = sandbox.run(&arguments).expect_code(0);
    one.expect_stderr(&["skipped: performance/results/broken", "trend: out/trend.html", "charts: out/svg"]);
    let page = read("out/trend.html");
    assert!(page.contains("href=\"./../performance/results/run-000/report.html\""), "the way to its report");
    assert!(page.contains("! skipped: performance/results/broken"), "a page says what it lacks");
    assert!(!page.contains("l flag"), "nothing changed");

    // Many: one without a success, and more users from the hundredth on.
    for minute in 1..200 {
        stored(
            &sandbox,
            minute,
            if minute == 50 { 0 } else { 20 + minute as u32 % 7 },
            if minute < 100 { 10 } else { 30 },
        );
    }
    sandbox.run(&arguments).expect_code(0);
    let page = read("out/trend.html");
    assert_eq!(page.matches("<th scope=\"row\">").count(), 200);
    assert!(page.contains("1: the CPU differs: old before, new after"), "the mark is told");
    for (index, load) in ["load, 10 users, 1m 30s", "stress, 30 users, 1m 30s"].iter().enumerate() {
        let heading = format!("<h2 id=\"trend-{}-h\">shop, {load}</h2>", index + 1);
        assert!(page.contains(&heading), "{heading}: runs under another load are another line");
    }
    let table = sandbox.run(&["trend"]).expect_code(0).stdout;
    assert!(table.contains("shop, stress, 30 users, 1m 30s: 20 runs"), "{table}");
    let svg = read("out/svg/trend-1-latency.svg");
    let p95 = svg.split("<path class=\"l p95\" d=\"").skip(1).map(|path| path.split('"').next().unwrap());
    let strokes: usize = p95.filter(|path| path.len() > 20).map(|path| path.matches('M').count()).sum();
    assert_eq!(strokes, 3, "broken at the run without a success and where the machine changed: {svg}");
    assert!(
        read("out/svg/trend-1-failed.svg").contains("1.0 %")
            && read("out/svg/trend-1-rate.svg").contains("</svg>")
    );
}
