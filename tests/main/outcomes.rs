//! What fails a run, and that every output says the same: terminal, exit code, JUnit, Markdown, report and `run.json`.

use crate::support::{Output, Sandbox, Server, load_test, run};

/// Every output of a run, and what is in it of the verdict.
struct Outcome {
    output: Output,
    junit: String,
    markdown: String,
    html: String,
}

impl Outcome {
    fn of(script: &str, host: &str, more: &[&str]) -> Outcome {
        let sandbox = Sandbox::with(script);
        let files = ["--junit", "j.xml", "--markdown", "m.md", "--html", "r.html"];
        let output = sandbox.run_against(host, &[&files, more].concat());
        let read = |file: &str| std::fs::read_to_string(sandbox.path().join(file)).unwrap();
        let (junit, markdown, html) = (read("j.xml"), read("m.md"), read("r.html"));
        // The same again from what is stored.
        let run = output.run_dir();
        let again = ["report", run.0.to_str().unwrap(), "--junit", "again.xml", "--markdown", "again.md"];
        sandbox.run(&again).expect_code(0);
        assert_eq!((read("again.xml"), read("again.md")), (junit.clone(), markdown.clone()));
        Outcome { output, junit, markdown, html }
    }

    /// Fails the test unless the run ended with this code, with these words at the end, and all outputs agree.
    #[track_caller]
    fn expect(self, code: i32, words: &str, sentence: &str) -> Outcome {
        let shown = self.output.shown();
        assert_eq!(self.output.code, Some(code), "{shown}");
        let last = self.output.stdout.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!(" {words}: ")) && last.contains(sentence), "{shown}");
        let verdict = &self.output.run_dir().json()["verdict"];
        assert_eq!(
            (&verdict["words"], &verdict["passed"]),
            (&words.into(), &(code == 0).into()),
            "{verdict}"
        );
        let counts = self.junit.lines().nth(1).unwrap_or_default();
        let is_red = !(counts.contains("failures=\"0\"") && counts.contains("errors=\"0\""));
        assert_eq!(is_red, code != 0, "{}", self.junit);
        assert_eq!(
            self.junit.contains("<failure") || self.junit.contains("<error"),
            is_red,
            "{}",
            self.junit
        );
        let sign = if code != 0 {
            "❌"
        } else if words == "PASSED" {
            "✅"
        } else {
            "⚪"
        };
        assert!(self.markdown.starts_with(&format!("### {sign} {words}: ")), "{}", self.markdown);
        let band = self.html.split("id=\"verdict-h\"").nth(1).unwrap().split("</h2>").next().unwrap();
        assert!(band.contains(words), "{band}");
        self
    }
}

const MET: &str = "threshold(\"http_req_duration\", \"p(95) < 10s\");\n";

#[test]
fn a_run_in_which_every_iteration_errs_has_failed_whatever_the_thresholds_say() {
    let server = Server::start();
    for (end, cause) in [
        ("throw \"broken\";", "test.rhai:2:47: broken"),
        ("fail(\"no luck\");", "no luck"),
        ("let x = []; x[3]", "test.rhai:2:"),
    ] {
        for limits in [MET, "\n"] {
            let script = format!("{limits}fn iteration() {{ http::get(\"/x\"); sleep(0.0); {end} }}");
            let outcome = Outcome::of(&script, &server.url(), &["-i", "7", "-u", "2", "-r", "99"]);
            let outcome = outcome.expect(1, "FAILED", "all 7 iterations failed; first script error: ");
            assert!(
                outcome.output.stdout.lines().last().unwrap().contains(cause),
                "{}",
                outcome.output.shown()
            );
            assert!(outcome.junit.contains("type=\"iterations\""), "{}", outcome.junit);
        }
    }
    // One iteration that works is enough.
    let script = "fn iteration() { http::get(\"/x\"); if vu::iteration() > 1 { throw \"e\" } }";
    Outcome::of(script, &server.url(), &["-i", "4"]).expect(
        0,
        "NO THRESHOLDS SET",
        "3 of 4 iterations failed",
    );
}

#[test]
fn a_target_that_never_answers_well_fails_the_run_without_thresholds() {
    let hit = "fn iteration() { http::get(\"/x\"); }";
    let refused = Outcome::of(hit, "http://127.0.0.1:9", &["-i", "3"]);
    refused.expect(
        1,
        "FAILED",
        "connection refused by 127.0.0.1:9 (is the server running there?); all 3 requests failed",
    );
    let server = Server::start();
    let broken = "fn iteration() { http::get(\"/status/503\"); }";
    Outcome::of(broken, &server.url(), &["-i", "1"]).expect(
        1,
        "FAILED",
        "the only request failed; status 503 GET",
    );
    let limited = format!("threshold(\"http_req_failed\", \"rate <= 1\");\n{broken}");
    Outcome::of(&limited, &server.url(), &["-i", "2"]).expect(1, "FAILED", "all 2 requests failed");
    // What is expected is no failure.
    let expected = "fn iteration() { http::get(\"/status/503\").expect(503); }";
    Outcome::of(expected, &server.url(), &["-i", "2"]).expect(0, "NO THRESHOLDS SET", "0 failed");
}

#[test]
fn a_run_in_which_no_user_can_begin_has_failed() {
    let server = Server::start();
    let script = format!(
        "{MET}fn on_start() {{ http::get(\"/login\"); throw \"no token\"; }}\nfn iteration() {{ http::get(\"/x\"); }}"
    );
    let outcome = Outcome::of(&script, &server.url(), &["-t", "300ms"]);
    outcome.expect(1, "FAILED", "no iteration began; first script error: test.rhai:2:");
}

#[test]
fn zero_requests_say_why_there_are_none() {
    let script = "fn iteration() { throw \"too early\"; }";
    let outcome = Outcome::of(script, "http://127.0.0.1:9", &["-i", "2"]);
    outcome.expect(
        97,
        "NO REQUESTS",
        "zero requests is never a pass; all 2 iterations failed; first script error: ",
    );
}

#[test]
fn any_error_fails_a_run_that_is_to_fail_on_errors_in_every_output() {
    let server = Server::start();
    let script = format!("{MET}fn iteration() {{ http::get(\"/x\"); http::get(\"/status/404\"); }}");
    let outcome = Outcome::of(&script, &server.url(), &["-i", "2", "--exit-code-on-error"]);
    let outcome = outcome.expect(1, "FAILED", "2 failed requests; any error fails this run");
    assert!(outcome.junit.contains("<failure message=\"2 of 2 failed (100 %)\" type=\"requests\">"));
    Outcome::of(&script, &server.url(), &["-i", "2"]).expect(0, "PASSED", "the threshold was met");
    let fine = "fn iteration() { http::get(\"/x\"); check(\"never\", false); }";
    Outcome::of(fine, &server.url(), &["--once"]).expect(
        1,
        "FAILED",
        "1 failed check; any error fails this run",
    );
}

#[test]
fn what_no_threshold_judges_is_neither_passed_nor_failed_in_junit() {
    let server = Server::start();
    let script = r#"
        threshold("http_req_failed{name:/ok}", "rate < 1%");
        threshold("checks{check:judged}", "rate > 0.4");
        fn iteration() {
            http::get("/ok");
            http::get("/status/500", #{ name: "/bad" });
            check("judged", vu::iteration() == 1);
            check("other", false);
        }
    "#;
    let outcome =
        Outcome::of(script, &server.url(), &["-i", "2"]).expect(0, "PASSED", "all thresholds were met");
    let case = |name: &str| {
        let case = outcome.junit.split(&format!("name=\"{name}\"")).nth(1).unwrap();
        case.split("</testcase>").next().unwrap().to_owned()
    };
    let bad = case("GET /bad");
    assert!(bad.contains("<skipped message=\"2 of 2 failed (100 %); no threshold judges it\""), "{bad}");
    assert!(case("other").contains("<skipped message=\"0 passed, 2 failed; no threshold judges it\""));
    assert!(case("judged").contains("<system-out>1 passed, 1 failed"), "{}", case("judged"));
    // Where a threshold on all of them says how many are too many, that is the judge.
    let all = script.replace("{name:/ok}", "").replace("rate < 1%", "rate < 60%");
    let outcome =
        Outcome::of(&all, &server.url(), &["-i", "2"]).expect(0, "PASSED", "all thresholds were met");
    assert!(outcome.junit.contains("<system-out>2 of 2 failed (100 %)"), "{}", outcome.junit);
    // And in a run that failed, all of it is red.
    let broken = format!("threshold(\"http_reqs\", \"count > 99\");\n{script}");
    let outcome = Outcome::of(&broken, &server.url(), &["-i", "2"]).expect(99, "FAILED", "threshold > 99");
    assert!(outcome.junit.contains("<failure message=\"2 of 2 failed (100 %)\" type=\"requests\">"));
}

#[test]
fn a_threshold_that_is_met_is_nowhere_shown_as_breached() {
    // The first second has failures, the whole run has few.
    let script = r#"
        threshold("http_req_failed", "rate < 50%");
        wait(0.02);
        fn iteration() { http::get(if run::elapsed() < 1.1 { "/status/500" } else { "/x" }); }
    "#;
    let server = Server::start();
    let outcome =
        Outcome::of(script, &server.url(), &["-t", "2800ms"]).expect(0, "PASSED", "the threshold was met");
    let threshold = &outcome.output.run_dir().json()["thresholds"][0];
    assert_eq!((&threshold["ok"], &threshold["first_broken_s"]), (&true.into(), &serde_json::Value::Null));
    assert!(threshold["breaches"].as_u64() <= Some(1), "it was for a while: {threshold}");
    assert!(!outcome.junit.contains("breached"), "{}", outcome.junit);
    for (text, end) in [(&outcome.output.stdout, " -"), (&outcome.markdown, "| - |")] {
        let row = text.lines().find(|line| line.contains("http_req_failed: rate")).unwrap();
        assert!(row.ends_with(end), "{row}");
    }
}

#[test]
fn a_threshold_that_ended_the_run_stays_breached_while_it_stops() {
    // When it stops, nine of ten requests are fine: over the whole run the threshold would be met again.
    let script = r#"
        threshold("http_req_failed", "rate < 50% abort");
        fn iteration() { http::get("/status/500"); }
        fn on_stop() { for i in 0..20 { http::get("/x"); } }
    "#;
    let server = Server::start();
    let outcome = Outcome::of(script, &server.url(), &["-t", "60s", "--rate", "4", "--max-vus", "1"]);
    outcome.expect(99, "FAILED", "100 % of requests failed (threshold < 50 %)");
}

#[test]
fn run_refuses_what_check_calls_an_error_before_any_load() {
    let server = Server::start();
    let url = server.url();
    let script = r#"
        task("often", 999);
        task("rarely", 1);
        fn often() { http::get("/x"); }
        fn rarely() { http::psot("/x"); let y = nosuch; }
    "#;
    let sandbox = Sandbox::with(script);
    let refused = sandbox.run_against(&url, &["-i", "5"]).expect_code(104);
    let refused = refused.expect_stderr(&[
        "error: test.rhai:5:29: ",
        "did you mean 'http::post'?",
        "nosuch",
        "2 problems; nothing was run (--no-check runs the script anyway)",
    ]);
    assert!(server.total() == 0 && sandbox.runs().is_empty(), "{}", refused.shown());
    let found = sandbox.run(&["check", "test.rhai"]).expect_code(104);
    for line in found.stdout.lines() {
        assert!(refused.stderr.contains(line), "no {line:?} in\n{}", refused.shown());
    }
    for arguments in [
        &["--once"][..],
        &["-q", "-i", "1"],
        &["--profile", "load"],
        &["--find-capacity", "http_req_duration: p(95) < 1s"],
    ] {
        sandbox.run_against(&url, arguments).expect_code(104).expect_stderr(&["nothing was run"]);
    }
    assert_eq!(server.total(), 0);
    sandbox.run_against(&url, &["-i", "5", "--no-check"]).expect_code(0);
    assert_eq!(server.total(), 5);
    sandbox.write("rhaid.toml", "no_check = true");
    sandbox.run_against(&url, &["-i", "1"]).expect_code(0);
    let variable = [("RHAID_NO_CHECK", "1")];
    let other = Sandbox::with(script);
    other.run_with(&["run", "test.rhai", "-H", &url, "-i", "1"], &variable).expect_code(0);
}

#[test]
fn an_imported_file_is_checked_before_the_run_and_warnings_do_not_stop_it() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("import \"lib\" as lib; fn iteration() { http::get(\"/x\"); if false { lib::hit() } }");
    sandbox.write("lib.rhai", "fn hit() { http::gte(\"/x\"); }");
    sandbox
        .run_against(&server.url(), &["-i", "1"])
        .expect_code(104)
        .expect_stderr(&["lib.rhai:1:18", "http::get"]);
    sandbox.write("lib.rhai", "fn hit() { http::get(\"/x\"); }");
    sandbox.run_against(&server.url(), &["-i", "1"]).expect_code(0);
}

/// Seconds that a run took, with what it printed.
fn seconds(script: &str, host: &str, more: &[&str]) -> (f64, Output) {
    let output = Sandbox::with(script).run_against(host, more);
    let json = output.run_dir().json();
    (json["elapsed_s"].as_f64().unwrap(), output)
}

#[test]
fn a_run_takes_its_run_time_however_many_users_there_are() {
    let server = Server::start();
    let script = "wait(0.05); fn iteration() { http::get(\"/x\"); }";
    for more in [&["-t", "1500ms", "-u", "8", "-r", "8"][..], &["-t", "1500ms", "-u", "50", "-r", "10"]] {
        let (elapsed, output) = seconds(script, &server.url(), more);
        assert!((1.5..2.2).contains(&elapsed), "{elapsed}: {}", output.shown());
    }
    // A wait is cut, a request that runs ends.
    let slow = "fn iteration() { http::get(\"/delay/300\"); sleep(60); }";
    let (elapsed, output) = seconds(slow, &server.url(), &["-t", "1100ms", "-u", "3", "-r", "2"]);
    assert!((1.1..2.2).contains(&elapsed), "{elapsed}: {}", output.shown());
}

#[test]
fn a_ramp_down_is_part_of_the_run_time_and_only_there_when_asked_for() {
    let server = Server::start();
    let script = "wait(0.05); fn iteration() { http::get(\"/x\"); }";
    let more = ["-t", "2500ms", "-u", "6", "-r", "60", "--ramp-down", "1200ms"];
    let (elapsed, output) = seconds(script, &server.url(), &more);
    assert!((2.5..3.2).contains(&elapsed), "{elapsed}: {}", output.shown());
    let phases = output.run_dir().json()["phases"].clone();
    let down = phases.as_array().unwrap().iter().find(|phase| phase["name"] == "ramp-down").unwrap();
    assert!((1.2..1.45).contains(&down["from_s"].as_f64().unwrap()), "{phases}");
    let sandbox = Sandbox::with(script);
    for (more, problem) in [
        (
            &["-t", "1s", "--ramp-down", "2s"][..],
            "ramp_down is the last part of run_time and cannot be longer",
        ),
        (&["--ramp-down", "2s"], "ramp_down is the last part of run_time, which is not set"),
        (&["-t", "3s", "--rate", "5", "--ramp-down", "2s"], "ramp_down is for a number of users"),
    ] {
        sandbox.run_against(&server.url(), more).expect_code(104).expect_stderr(&[problem]);
    }
}

#[test]
fn a_rate_that_only_ramps_lowered_is_told_with_what_to_write() {
    let server = Server::start();
    // Two seconds of ramp, three of 40 a second: 32 a second over all of it.
    let script = "threshold(\"http_reqs\", \"rate > 34/s\");\nfn iteration() { http::get(\"/x\"); }";
    let stages = ["--stages", "2s:40/s,3s:40/s"];
    let (_, output) = seconds(script, &server.url(), &stages);
    let output = output.expect_code(99);
    let hint = "http_reqs: rate > 34/s covers the whole run, ramps included; in steady it was ";
    assert!(output.stdout.contains(hint), "{}", output.shown());
    assert!(output.stdout.contains("write 'rate > 34/s in steady'"), "{}", output.shown());
    let as_told = script.replace("34/s", "34/s in steady");
    let (_, output) = seconds(&as_told, &server.url(), &stages);
    output.expect_code(0);
}

#[test]
fn a_load_of_nobody_lasts_until_its_end() {
    let server = Server::start();
    let script = |shape: &str| {
        format!("fn iteration() {{ http::get(\"/x\"); sleep(0.05); }}\nfn shape(t) {{ {shape} }}")
    };
    // At the start, and in the middle; only () ends the load.
    for (shape, least) in [
        ("if t < 1.5 { #{ users: 0 } } else if t < 2.5 { #{ users: 2 } } else { () }", 2.9),
        (
            "if t < 0.5 { #{ users: 2 } } else if t < 2.5 { #{ users: 0 } } else if t < 3.5 { #{ users: 1 } } else { () }",
            3.9,
        ),
        ("if t < 1.5 { #{ rate: 0 } } else if t < 2.5 { #{ rate: 20 } } else { () }", 2.9),
    ] {
        let (elapsed, output) = seconds(&script(shape), &server.url(), &["--shape", "shape"]);
        assert!(elapsed >= least && elapsed < least + 1.5, "{shape}: {elapsed} {}", output.shown());
        output.expect_code(0);
    }
    let script = "fn iteration() { http::get(\"/x\"); sleep(0.05); }";
    for (stages, least) in [
        ("300ms:2,300ms:0,1200ms:0", 1.8),
        ("300ms:20/s,300ms:0/s,1200ms:0/s", 1.8),
        ("0s:2,400ms:2,0s:0,600ms:0,0s:1,300ms:1", 1.3),
    ] {
        let (elapsed, output) = seconds(script, &server.url(), &["--stages", stages]);
        assert!(elapsed >= least && elapsed < least + 0.9, "{stages}: {elapsed} {}", output.shown());
    }
}

#[test]
fn a_rate_that_was_started_as_planned_is_not_called_less_than_planned() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); }";
    let less = |output: &Output| output.stdout.contains("load below plan");
    let (_, output) = seconds(script, &server.url(), &["--rate", "50", "-t", "1200ms"]);
    assert!(!less(&output), "{}", output.shown());
    let one_after_another = r#"
        scenario("a", #{ exec: "iteration", executor: "constant-vus", vus: 3, duration: "600ms" });
        scenario("b", #{ exec: "iteration", executor: "constant-vus", vus: 4, duration: "600ms", start_time: "700ms" });
        fn iteration() { http::get("/x"); sleep(0.01); }
    "#;
    let (_, output) = seconds(one_after_another, &server.url(), &[]);
    assert!(!less(&output), "{}", output.shown());
    let (_, output) = seconds(script, &server.url(), &["-u", "50", "-r", "5", "-t", "1200ms"]);
    assert!(less(&output), "a ramp that did not end is told: {}", output.shown());
}

#[test]
fn a_script_sees_the_users_that_run_now() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.3); print(run::users()); sleep(0.3); }";
    let ran = run(load_test(script).host(&server.url()).users(5).spawn_rate(1000.0).threads(2).iterations(5));
    assert_eq!(ran.printed(), ["5"; 5], "in the first second too");
}
