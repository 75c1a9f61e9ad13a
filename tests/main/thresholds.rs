//! Limits on what a run measures: where they come from, how they end a run, and what is said of them.

use std::time::Duration;

use rhaid::metrics::{ThresholdState, ThresholdStats};
use rhaid::plan::EndedBy;

use crate::support::{Ran, Sandbox, Server, load_test, run, try_run};

fn stats<'a>(ran: &'a Ran, whole: &str) -> &'a ThresholdStats {
    let name =
        |stats: &ThresholdStats| format!("{}: {}", stats.threshold.selector(), stats.threshold.expression);
    let all = &ran.snapshot().thresholds;
    let found = all.iter().find(|stats| name(stats) == whole);
    found.unwrap_or_else(|| panic!("no {whole} in {:?}", all.iter().map(name).collect::<Vec<_>>()))
}

#[test]
fn a_script_declares_them_in_every_form() {
    let server = Server::start();
    let script = r#"
        const ORDERS = metrics::counter("orders");
        options(#{ thresholds: #{
            "http_req_failed{name:bad}": ["rate<0.01", #{ threshold: "count<100", abortOnFail: true, delayAbortEval: "1m" }],
            http_req_duration: "p(95)<60000",
        } });
        options(#{ thresholds: ["checks: rate > 0.9"] });
        threshold("orders{shop:a,scenario:default}", "count == 10");
        threshold("http_reqs{method:GET,team:web}: count >= 20");
        threshold("iterations", ["count > 5", "rate > 0"]);
        options(#{ tags: #{ team: "web" } });
        fn iteration() {
            http::get("/x");
            http::get("/status/500", #{ name: "bad" });
            check("fine", true);
            ORDERS.add(1, #{ shop: "a" });
            ORDERS.add(1, #{ shop: "b" });
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(10)).without_errors();
    assert_eq!(ran.snapshot().thresholds.len(), 8);
    let held = |whole: &str| stats(&ran, whole).holds();
    assert!(held("http_req_duration: p(95)<60000") && held("checks: rate > 0.9"));
    assert!(held("iterations: count > 5") && held("iterations: rate > 0"));
    let orders = stats(&ran, "orders{shop:a,scenario:default}: count == 10");
    assert_eq!((orders.measured, orders.state), (Some(10.0), ThresholdState::Holds));
    assert_eq!(stats(&ran, "http_reqs{method:GET,team:web}: count >= 20").measured, Some(20.0));
    let failed = stats(&ran, "http_req_failed{name:bad}: rate<0.01");
    assert_eq!((failed.measured, failed.state), (Some(1.0), ThresholdState::Broken));
    let count = stats(&ran, "http_req_failed{name:bad}: count<100");
    assert_eq!((count.measured, count.threshold.abort_after), (Some(10.0), Some(Duration::from_secs(60))));
    assert!(!ran.report.passed());
}

#[test]
fn a_caller_replaces_what_the_script_sets_on_the_same_figure() {
    let server = Server::start();
    let script = r#"
        threshold("http_reqs", "count > 1000");
        threshold("http_req_failed", "rate < 1%");
        fn iteration() { http::get("/x"); }
    "#;
    let test = load_test(script).host(&server.url()).iterations(3).threshold("http_reqs: count > 2");
    let ran = run(test);
    assert_eq!(ran.snapshot().thresholds.len(), 2);
    assert!(ran.report.passed(), "{:#?}", ran.snapshot().thresholds);
}

#[test]
fn what_a_threshold_selects_is_counted_however_many_names_came_before() {
    let server = Server::start();
    let script = r#"
        for i in 0..220 { metrics::counter(`m${i}`); }
        threshold("http_req_failed{name:/critical}: rate < 1%");
        threshold("http_reqs{method:GET,name:/critical}: count == 2");
        threshold("http_reqs{method:DELETE}: count == 1");
        threshold("http_req_duration{team:web}: count == 1");
        threshold("call_failed{name:pay}: rate == 100%");
        threshold("transactions{name:buy}: count == 1");
        threshold("checks{check:late}: rate == 100%");
        threshold("group_duration: count == 1");
        fn iteration() {
            for i in 0..2100 {
                metrics::sample(`s${i}`, #{ method: `M${i}`, duration_ms: 1 });
                measure(`t${i}`, || {});
                check(`c${i}`, false);
                if i < 220 { metrics::counter(`m${i}`).add(1); }
            }
            for i in 0..2 { http::get("/status/500", #{ name: "/critical" }); }
            http::delete("/x/1");
            http::get("/x/2", #{ tags: #{ team: "web" } });
            metrics::sample("pay", #{ ok: false, duration_ms: 1 });
            measure("buy", || {});
            check("late", true);
            group("late", || {});
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(1)).without_errors();
    assert_eq!(ran.snapshot().thresholds.len(), 8);
    for stats in &ran.snapshot().thresholds {
        let is_met = stats.threshold.metric != "http_req_failed";
        assert_eq!(stats.holds(), is_met, "{} is {:?}", stats.threshold.selector(), stats.measured);
        assert!(stats.measured.is_some(), "{}", stats.threshold.selector());
    }
    let endpoints = &ran.snapshot().endpoints;
    let critical = endpoints.iter().find(|endpoint| &*endpoint.name == "/critical");
    assert_eq!(critical.map(|endpoint| endpoint.failures), Some(2), "a line of its own");
}

#[test]
fn no_data_fails() {
    let server = Server::start();
    let script =
        r#"threshold("http_req_duration{name:/nosuch}", "p(95) < 1h"); fn iteration() { http::get("/x"); }"#;
    let ran = run(load_test(script).host(&server.url()).iterations(1));
    assert_eq!(ran.snapshot().thresholds[0].state, ThresholdState::NoData);
    assert!(!ran.report.passed());
}

#[test]
fn one_iteration_that_is_tried_out_is_not_judged() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("threshold(\"http_reqs\", \"count > 100\"); fn iteration() { http::get(\"/x\"); }");
    sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--once"]).expect_code(0);
}

#[test]
fn all_mistakes_are_told_before_the_run_with_their_places() {
    let script = "options(#{ users: 0, thresholds: #{ http_req_duraton: \"p(95) < 1s\" } });\n\
                  threshold(\"http_reqs\", \"p(95) < 200ms\");\n  threshold(\"iterations{scenario:defalt}: count > 1\");\n\
                  fn iteration() { http::get(\"/x\"); }";
    let error = try_run(load_test(script).threshold("vus: avg < 5ms")).err().unwrap().to_string();
    for part in [
        "users is 0",
        "test.rhai:1:1: options.thresholds: unknown metric 'http_req_duraton' — did you mean 'http_req_duration'?\n",
        "\n    http_req_duraton: p(95) < 1s\n    ^^^^^^^^^^^^^^^^\n",
        "test.rhai:2:1: threshold: 'http_reqs' is a counter, which has no p(N); it has count, rate and sum\n",
        "test.rhai:3:3: threshold: the run has no scenario 'defalt' — did you mean 'default'?",
        "LoadTest::threshold: the unit 'ms' does not fit",
    ] {
        assert!(error.contains(part), "no {part:?} in\n{error}");
    }
    let wrong_type =
        try_run(load_test("threshold(\"vus\", 5); fn iteration() {}")).err().unwrap().to_string();
    assert!(wrong_type.contains("the threshold on 'vus' must be text such as"), "{wrong_type}");
    let script = "threshold(\"vus\", #{ treshold: \"max < 5\" }); fn iteration() {}";
    let wrong_key = try_run(load_test(script)).err().unwrap().to_string();
    assert!(wrong_key.contains("did you mean 'threshold'"), "{wrong_key}");
    let late = run(load_test("fn iteration() { threshold(\"vus\", \"max < 5\"); }").iterations(1));
    assert!(late.only_error().contains("at the top level"), "{}", late.only_error());
}

#[test]
fn a_metric_of_the_script_has_to_be_declared_at_the_top_level() {
    let script = "threshold(\"mine\", \"count > 1\"); fn iteration() { metrics::counter(\"mine\").add(1); }";
    let error = try_run(load_test(script)).err().unwrap().to_string();
    assert!(error.contains("declare a custom one at the top level"), "{error}");
}

#[test]
fn a_broken_limit_ends_the_run_and_is_told_to_the_script() {
    let server = Server::start();
    let script = r#"
        threshold("http_req_failed", "rate < 1% abort after 1s");
        on("threshold_failed", |e| print(`${e.event}: ${e.metric} ${e.threshold} ${e.measured} ${e.limit} ${e.unit}: ${e.text}`));
        fn teardown() { print("teardown"); }
        fn iteration() { http::get("/status/500"); sleep(0.02); }
    "#;
    let ran = run(load_test(script).host(&server.url()).users(2).run_time(Duration::from_secs(600)));
    let sentence = "failed is 100 %, threshold < 1 %";
    assert_eq!(*ran.report.ended_by(), EndedBy::Threshold(sentence.to_owned()));
    assert!(ran.snapshot().thresholds[0].aborted && !ran.report.passed());
    let printed = ran.printed();
    let event =
        format!("threshold_failed: http_req_failed rate < 1% abort after 1s 1.0 0.01 share: {sentence}");
    assert_eq!(printed, [event.as_str(), "teardown"]);
    assert!(ran.snapshot().elapsed >= Duration::from_secs(1), "after its time");
}

/// Five of its first six requests fail.
const FAILING: &str = "fn iteration() { if vu::iteration() == 1 { http::get(\"/x\"); } http::get(\"/status/500\"); sleep(0.01); }";

#[test]
fn the_command_exits_with_99_and_says_which_limit_last() {
    let server = Server::start();
    let url = server.url();
    let arguments = ["-i", "5", "--threshold", "http_req_failed: rate < 5%; http_reqs: count > 1"];
    let output = Sandbox::with(FAILING).run_against(&url, &arguments).expect_code(99);
    let last: Vec<&str> = output.stdout.lines().rev().take(6).collect();
    assert!(
        last[0].starts_with(" FAILED: 83.3 % of requests failed (threshold < 5 %), all of them GET /status/500: HTTP 500; 6 requests"),
        "{}",
        output.shown()
    );
    assert!(last[2].starts_with(" ✓ http_reqs: count > 1 "), "{}", output.shown());
    assert!(last[3].starts_with(" ✗ http_req_failed: rate < 5% "), "{}", output.shown());
    assert!(last[4].contains("thresholds") && last[4].contains("margin"), "{}", output.shown());

    let arguments = ["-i", "5", "--threshold", "http_reqs: count > 1"];
    let output = Sandbox::with(FAILING).run_against(&url, &arguments).expect_code(0);
    assert!(output.stdout.contains(" PASSED: the threshold was met; 6 requests"), "{}", output.shown());
}

#[test]
fn a_limit_ends_the_command_long_before_its_time() {
    let server = Server::start();
    let url = server.url();
    let arguments = ["-t", "10m", "--threshold", "http_req_failed: rate < 5% over 1s abort"];
    let output = Sandbox::with(FAILING).run_against(&url, &arguments).expect_code(99);
    assert!(output.stdout.contains("stopped the run"), "{}", output.shown());
    assert_eq!(output.run_dir().json()["ended_by"], "threshold");
}

#[test]
fn the_scripts_own_end_wins_over_a_limit() {
    let server = Server::start();
    let script =
        "threshold(\"http_reqs\", \"count > 100\"); fn iteration() { http::get(\"/x\"); abort(\"enough\"); }";
    let output = Sandbox::with(script).run(&["run", "test.rhai", "-H", &server.url()]).expect_code(108);
    assert!(output.stdout.contains("ABORTED: enough"), "{}", output.shown());
}

#[test]
fn limits_come_from_flag_environment_and_file_too() {
    let server = Server::start();
    let url = server.url();
    let arguments = ["run", "test.rhai", "-H", &url, "-i", "5"];
    let by_environment =
        Sandbox::with(FAILING).run_with(&arguments, &[("RHAID_THRESHOLD", "http_req_failed: rate < 5%")]);
    by_environment.expect_code(99);

    let sandbox = Sandbox::with(FAILING);
    sandbox.write("rhaid.toml", "threshold = [\"http_req_failed: rate < 5%\", \"http_reqs: count > 1\"]");
    let output = sandbox.run(&arguments).expect_code(99);
    assert!(output.stdout.contains("http_reqs: count > 1"), "{}", output.shown());

    let sandbox = Sandbox::with(FAILING);
    sandbox.write("rhaid.toml", "[thresholds]\n\"http_req_failed{name:/status/500}\" = \"rate < 5%\"\nhttp_reqs = [\"count > 1\", \"count < 100\"]");
    let output = sandbox.run(&arguments).expect_code(99);
    assert!(output.stdout.contains("http_reqs: count < 100"), "{}", output.shown());
    let overridden =
        [&arguments[..], &["--threshold", "http_req_failed{name:/status/500}: rate < 200%"]].concat();
    sandbox.run(&overridden).expect_code(0).expect_stderr(&["a share is never above 1"]);

    let wrong = [&arguments[..], &["--threshold", "http_req_failed rate < 5%"]].concat();
    Sandbox::with(FAILING)
        .run(&wrong)
        .expect_code(104)
        .expect_stderr(&["--threshold: expected ':'", "    ^"]);
}

#[test]
fn stages_can_be_limited_by_their_names_and_dropped_iterations_too() {
    let server = Server::start();
    let script = r#"
        scenario("open", #{
            exec: "iteration", executor: "ramping-arrival-rate", start_rate: 20, late: "drop", max_vus: 1,
            stages: [#{ duration: "1500ms", target: 20, name: "warm-up" }, #{ duration: "3s", target: 20, name: "peak" }],
        });
        threshold("http_reqs", "count > 1 in peak");
        threshold("http_req_duration", "max < 1h in 'warm-up'");
        threshold("dropped_iterations", "count < 1");
        threshold("iteration_resp_time{scenario:open}", "p(50) < 1h");
        fn iteration() { http::get("/x"); sleep(0.2); }
    "#;
    let ran = run(load_test(script).host(&server.url())).without_errors();
    let states: Vec<ThresholdState> = ran.snapshot().thresholds.iter().map(|stats| stats.state).collect();
    let (holds, broken) = (ThresholdState::Holds, ThresholdState::Broken);
    assert_eq!(states, [holds, holds, broken, holds], "{:#?}", ran.snapshot().thresholds);
    let dropped = stats(&ran, "dropped_iterations: count < 1").measured;
    assert_eq!(dropped, Some(ran.snapshot().iterations.dropped as f64));
    let wrong = try_run(load_test(&script.replace("in peak", "in peek"))).err().unwrap().to_string();
    assert!(wrong.contains("did you mean 'peak'"), "{wrong}");
}

#[test]
fn a_profile_brings_the_usual_limits_and_the_script_replaces_them_one_by_one() {
    let server = Server::start();
    let script = "threshold(\"http_req_failed\", \"rate <= 100%\"); fn iteration() { http::get(\"/status/500\"); sleep(0.02); }";
    let arguments = [
        "run",
        "test.rhai",
        "-H",
        &server.url(),
        "--profile",
        "stress",
        "--time-scale",
        "0.002",
        "--no-resources",
    ];
    // No request succeeded, whatever is met and what is not.
    let output = Sandbox::with(script).run(&arguments).expect_code(1);
    for line in [
        "http_reqs: rate > 50/s in steady",
        "http_req_duration: p(95) < 300ms",
        "http_req_failed: rate <= 100%",
    ] {
        assert!(output.stdout.contains(line), "no {line} in\n{}", output.shown());
    }
    assert!(
        !output.stdout.contains("rate < 1%") && !output.stdout.contains("target_cpu"),
        "{}",
        output.shown()
    );
}

#[test]
fn the_process_under_test_can_be_limited() {
    let server = Server::start();
    let script = r#"
        threshold("target_memory", ["max > 1MB", "max < 1kB over 1s"]);
        threshold("generator_threads: value > 1");
        fn iteration() { http::get("/x"); sleep(0.05); }
    "#;
    let pid = std::process::id().to_string();
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-t", "2s", "--target-pid", &pid];
    let output = Sandbox::with(script).run(&arguments).expect_code(99);
    let json = output.run_dir().json();
    let ok: Vec<Option<bool>> =
        json["thresholds"].as_array().unwrap().iter().map(|threshold| threshold["ok"].as_bool()).collect();
    assert_eq!(ok, [Some(true), Some(false), Some(true)], "{}", output.shown());
    assert_eq!(json["metrics"]["target_memory"]["thresholds"]["max > 1MB"]["ok"], true);
}

#[test]
fn reports_for_ci_are_written_and_a_bad_place_is_told_before_the_run() {
    let server = Server::start();
    let url = server.url();
    let sandbox = Sandbox::with(FAILING);
    sandbox.write("rhaid.toml", "junit = \"ci/junit.xml\"\nmarkdown = \"ci/comment.md\"");
    let arguments = ["-i", "5", "--threshold", "http_req_failed: rate < 5%"];
    let output = sandbox.run_against(&url, &arguments).expect_code(99);
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let (junit, markdown) = (read("ci/junit.xml"), read("ci/comment.md"));
    assert!(junit.contains("message=\"failed is 83.3 %, threshold &lt; 5 %\""), "{junit}");
    assert!(markdown.contains("### ❌ FAILED"), "{markdown}");

    let run = output.run_dir().0;
    let again = ["report", run.to_str().unwrap(), "--junit", "again.xml", "--markdown", "again.md"];
    sandbox.run(&again).expect_code(0);
    assert_eq!((read("again.xml"), read("again.md")), (junit, markdown), "the run's folder is enough");

    let seen = server.total();
    sandbox.write("file", "");
    let bad = [&arguments[..], &["--junit", "file/junit.xml"]].concat();
    sandbox.run_against(&url, &bad).expect_code(104).expect_stderr(&["cannot write file/junit.xml"]);
    assert_eq!(server.total(), seen, "before the run");
    assert_eq!(sandbox.runs().len(), 1, "and without a folder");
}

/// Fails for a while, then not.
const RECOVERING: &str = r#"
    threshold("http_req_failed", "rate < 50% over 1s");
    fn iteration() { http::get(if vu::elapsed() < 3.2 { "/status/500" } else { "/x" }); sleep(0.02); }
"#;

#[cfg(not(windows))]
#[test]
fn a_breach_and_its_recovery_run_a_command_and_are_posted_once_each() {
    let server = Server::start();
    let url = server.url();
    let hook = format!("{url}/hook?token=abc");
    let sandbox = Sandbox::with(RECOVERING);
    let command = "echo \"$RHAID_EVENT $RHAID_METRIC: $RHAID_LIMIT: $RHAID_MEASURED\" >> told; cat >> told.json; echo >> told.json";
    let arguments =
        ["run", "test.rhai", "-H", &url, "-t", "13s", "--on-breach", command, "--on-breach-url", &hook];
    let output = sandbox.run(&arguments).expect_code(99);
    let told = std::fs::read_to_string(sandbox.path().join("told")).unwrap();
    let expected = [
        "breach http_req_failed: rate < 50% over 1s: 100 %",
        "recovery http_req_failed: rate < 50% over 1s: 0.0 %",
    ];
    assert_eq!(told.lines().take(2).collect::<Vec<_>>(), expected, "{}", output.shown());
    assert_eq!(told.lines().count(), 2, "the end tells nothing new: {told}");
    let posted: Vec<_> = server.seen().into_iter().filter(|seen| seen.path == "/hook").collect();
    assert_eq!(posted.len(), 2);
    let json: serde_json::Value = serde_json::from_str(&posted[0].body).unwrap();
    assert_eq!((json["event"].as_str(), posted[0].method.as_str()), (Some("breach"), "POST"));
    assert_eq!(json["threshold"]["metric"], "http_req_failed");
    assert!(
        json["text"]
            .as_str()
            .unwrap()
            .starts_with("test: breach: failed is 100 %, threshold < 50 % in any 1s"),
        "{json}"
    );
    let by_command = std::fs::read_to_string(sandbox.path().join("told.json")).unwrap();
    assert_eq!(by_command.lines().next(), Some(posted[0].body.as_str()));
    assert!(!output.stderr.contains("warning: --on-breach"), "{}", output.shown());
}

#[cfg(not(windows))]
#[test]
fn an_alert_that_fails_is_told_and_the_run_goes_on() {
    let server = Server::start();
    let url = server.url();
    let (nowhere, refused) = ("http://127.0.0.1:1/secret-path", format!("{url}/status/500?secret-path"));
    for (hook, problem) in
        [(nowhere, "cannot reach 127.0.0.1"), (refused.as_str(), "responded with status 500")]
    {
        let arguments = [
            "-i",
            "5",
            "--threshold",
            "http_req_failed: rate < 5%",
            "--on-breach",
            "echo oh no >&2; exit 7",
            "--on-breach-url",
            hook,
        ];
        let output = Sandbox::with(FAILING).run_against(&url, &arguments).expect_code(99);
        let output =
            output.expect_stderr(&["--on-breach: the command failed (exit status: 7): oh no", problem]);
        assert!(!output.stderr.contains("secret-path"), "{}", output.shown());
    }
    let wrong = ["run", "test.rhai", "-H", &url, "--on-breach-url", "nonsense"];
    Sandbox::with(FAILING).run(&wrong).expect_code(104).expect_stderr(&["--on-breach-url: "]);
}

#[cfg(not(windows))]
#[test]
fn an_alert_that_takes_long_holds_up_neither_the_run_nor_its_end() {
    let server = Server::start();
    let url = server.url();
    let sandbox = Sandbox::with(FAILING);
    let arguments =
        ["-i", "5", "--threshold", "http_req_failed: rate < 5%", "--on-breach", "sleep 1000 & sleep 1000"];
    let output = sandbox.run_against(&url, &arguments).expect_code(99);
    let output = output.expect_stderr(&["--on-breach: the command was killed: it took more than 10 s"]);
    assert_eq!(output.run_dir().json()["total"]["requests"], 6);
}

#[test]
fn a_group_is_selected_by_its_path_as_in_k6_or_without_the_colons_before_it() {
    let server = Server::start();
    let script = r#"
        const ORDERS = metrics::counter("orders");
        threshold("http_reqs{group:::shop}", "count == 10");
        threshold("http_reqs{group:shop}", "count == 10");
        threshold("http_reqs{group:::shop::cart}", "count == 20");
        threshold("http_reqs{group:shop::cart,method:GET}", "count == 20");
        threshold("checks{group:::shop}", "count == 5");
        threshold("checks{group:shop,check:c}", "count == 5");
        threshold("orders{group:::shop::cart}", "count == 30");
        threshold("transactions{group:shop}", "count == 10");
        threshold("http_reqs{group:own}", "count == 10");
        threshold("group_duration", "count == 20");
        threshold("group_duration{group:::shop::cart}", ["count == 10", "avg > 0"]);
        fn iteration() {
            http::get("/outside");
            http::get("/x", #{ tags: #{ group: "own" } });
            group("shop", || {
                http::get("/a");
                check("c", vu::iteration() % 2 == 0);
                measure("m", || 1);
                group("cart", || { http::get("/a"); http::get("/b"); ORDERS.add(3); });
            });
            check("c", true);
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).users(1).iterations(10)).without_errors();
    for stats in &ran.snapshot().thresholds {
        assert!(stats.holds(), "{}: {:?}", stats.threshold.selector(), stats.measured);
    }
    assert_eq!(ran.snapshot().thresholds.len(), 12);
    let selector = "http_reqs{group:::none}: count > 0";
    let ran = run(load_test("fn iteration() { group(\"a\", || http::get(\"/\")); }")
        .host(&server.url())
        .iterations(1)
        .threshold(selector));
    assert_eq!(stats(&ran, selector).state, ThresholdState::NoData);
}
