//! `fn summary(data)`: called once with the final figures, and what it returns is written.

use std::time::Duration;

use crate::support::{Sandbox, Server, load_test, run};

const ITERATION: &str = "fn iteration() { http::get(\"/a\"); check(\"good\", true); }";

#[test]
fn a_summary_gets_the_final_figures_once_and_its_files_are_written() {
    let script = r#"
        threshold("http_reqs: count == 3");
        fn setup() { 7 }
        fn teardown(data) { store::set("torn down", data); }
        fn iteration() { http::get("/a"); check("good", true); metrics::counter("orders").add(2); }
        fn summary(data) {
            if store::get("torn down") != 7 { throw "teardown comes before"; }
            #{
                stdout: data.metrics.http_reqs.values.count + " requests\u001b[31m, " + data.verdict.words,
                "out/all.json": data,
                "short.txt": `${data.checks[0].name}: ${data.checks[0].passes} ${data.thresholds.len()}`,
                "none.txt": (),
                "list.json": ["a", 1],
            }
        }
    "#;
    let sandbox = Sandbox::with(script);
    let server = Server::start();
    let output = sandbox.run_against(&server.url(), &["-i", "3"]).expect_code(0);
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    assert_eq!(read("short.txt"), "good: 3 1");
    let all: serde_json::Value = serde_json::from_str(&read("out/all.json")).unwrap();
    let stored = output.run_dir().json();
    for key in ["metrics", "thresholds", "checks", "verdict", "total", "endpoints", "settings", "ended_by"] {
        assert_eq!(all[key], stored[key], "{key}");
    }
    assert_eq!(all["metrics"]["orders"]["values"]["count"], 6.0);
    assert_eq!(read("list.json"), "[\n  \"a\",\n  1\n]\n");
    assert!(!sandbox.path().join("none.txt").exists());
    // The run's own summary stays, and the verdict is the last line.
    assert!(output.stdout.contains("3 requests␛[31m, PASSED\n"), "{}", output.shown());
    assert!(output.stdout.lines().last().unwrap().starts_with(" PASSED"), "{}", output.shown());
    assert!(output.stderr.contains("summary: list.json, out/all.json, short.txt\n"), "{}", output.shown());
}

#[test]
fn a_summary_never_writes_over_inputs_or_results_or_outside() {
    let script = r#"
        const ROWS = data::csv("rows.csv");
        fn iteration() { http::get("/a"); }
        fn summary(data) {
            #{
                "test.rhai": "x", "./rows.csv": "x", "j.xml": "x", "sub/../up.txt": "x", "../up.txt": "x",
                "/tmp/rhaid-summary-test.txt": "x", ".hidden": "x", ".git/hooks/pre-commit": "x", "": "x", "sub/": "x",
                "folder": "x", "link/away.txt": "x", "soft": "x", "good.txt": "good", "./good.txt": "again",
            }
        }
    "#;
    let sandbox = Sandbox::with(script);
    let elsewhere = Sandbox::new();
    sandbox.write("rows.csv", "a\n1\n");
    std::fs::create_dir(sandbox.path().join("folder")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), sandbox.path().join("link")).unwrap();
    std::os::unix::fs::symlink("rows.csv", sandbox.path().join("soft")).unwrap();
    let server = Server::start();
    let output = sandbox.run_against(&server.url(), &["-i", "1", "--junit", "j.xml"]);
    let shown = output.shown();
    // What was asked for is missing: the run passed, its results are not complete.
    assert_eq!(output.code, Some(104), "{shown}");
    for (name, why) in [
        ("test.rhai", "it would overwrite the script"),
        ("./rows.csv", "it would overwrite the data file"),
        ("j.xml", "it would overwrite --junit"),
        ("sub/../up.txt", "must not contain '..'"),
        ("../up.txt", "must not contain '..'"),
        ("/tmp/rhaid-summary-test.txt", "below the current directory or the run's results"),
        (".hidden", "hidden files and folders are left alone"),
        (".git/hooks/pre-commit", "hidden files and folders are left alone"),
        ("", "not the name of a file"),
        ("sub/", "not the name of a file"),
        ("folder", "not a regular file"),
        ("link/away.txt", "below the current directory or the run's results"),
        ("soft", "not a regular file"),
        ("good.txt", "it would overwrite another file of the summary"),
    ] {
        let line = format!("error: summary: '{name}' is not written: ");
        let found = output.stderr.lines().find(|text| text.starts_with(&line));
        assert!(found.is_some_and(|text| text.contains(why)), "{name}: no {why:?} in\n{shown}");
    }
    assert_eq!(std::fs::read_to_string(sandbox.path().join("rows.csv")).unwrap(), "a\n1\n");
    assert_eq!(std::fs::read_to_string(sandbox.path().join("good.txt")).unwrap(), "again");
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    assert_eq!(output.run_dir().json()["total"]["requests"], 1, "the run's own results are whole");
}

#[test]
fn a_summary_may_write_in_the_results_but_not_over_them() {
    let script = format!(
        "{ITERATION} fn summary(data) {{ let dir = env::get(\"DIR\"); #{{ [dir + \"/mine.txt\"]: \"x\" }} }}"
    );
    let script =
        script.replace("#{ [dir + \"/mine.txt\"]: \"x\" }", "let m = #{}; m[dir + \"/mine.txt\"] = \"x\"; m");
    let sandbox = Sandbox::with(&script);
    let results = Sandbox::new();
    let folder = results.path().to_str().unwrap();
    let server = Server::start();
    let arguments = ["-i", "1", "--results-dir", folder, "-e", &format!("DIR={folder}")];
    let output = sandbox.run_against(&server.url(), &arguments);
    assert!(output.stderr.contains("below the current directory or the run's results"), "{}", output.shown());
}

#[test]
fn a_summary_that_fails_loses_nothing_and_is_said() {
    let server = Server::start();
    for (body, why) in [
        ("data.nosuch.x", "nosuch"),
        ("throw \"no idea\"", "no idea"),
        ("abort(\"stop\")", "stop"),
        ("42", "summary returned 42; it must return ()"),
        ("#{ \"a.txt\": 1 }", "'a.txt' must be text, a map or an array, not 1"),
        ("loop {}", "it was not done after 1s (see stop_timeout)"),
    ] {
        let script = format!("{ITERATION}\nfn summary(data) {{ {body} }}");
        let sandbox = Sandbox::with(&script);
        let arguments = ["-i", "2", "--stop-timeout", "200ms", "--no-check"];
        let output = sandbox.run_against(&server.url(), &arguments);
        let shown = output.shown();
        assert_eq!(output.code, Some(104), "{body}: {shown}");
        let failed = output.stderr.split("error: summary failed: ").nth(1);
        assert!(failed.is_some_and(|text| text.contains(why)), "{body}: {shown}");
        assert_eq!(output.run_dir().json()["total"]["requests"], 2, "{body}");
        assert!(output.stdout.contains("2 of 2") || output.stdout.contains("iterations"), "{shown}");
    }
}

#[test]
fn no_stop_timeout_fails_a_hook_that_does_its_work_or_is_not_there() {
    let server = Server::start();
    for hooks in [
        "",
        "fn teardown() { for n in 0..20_000 { } } fn summary(data) { sleep(\"50ms\"); for n in 0..20_000 { } }",
    ] {
        let sandbox = Sandbox::with(&format!("{ITERATION}\n{hooks}"));
        let output = sandbox.run_against(&server.url(), &["-i", "2", "--stop-timeout", "0", "--no-check"]);
        let output = output.expect_code(0);
        assert!(!output.stderr.contains("failed"), "{}", output.shown());
    }
}

#[test]
fn whatever_is_missing_of_the_results_fails_the_run_in_every_output() {
    let server = Server::start();
    let no_summary = "";
    for (summary, arguments, what) in [
        ("fn summary(data) { 42 }", &[][..], "summary failed: "),
        ("fn summary(data) { throw \"no idea\" }", &[], "no idea"),
        ("fn summary(data) { loop {} }", &["--stop-timeout", "100ms"], "not done after 1s"),
        ("fn summary(data) { #{ \"../a.txt\": \"x\" } }", &[], "'../a.txt' is not written"),
        (no_summary, &["--markdown", "/dev/full"], "/dev/full"),
        (no_summary, &["--summary-export", "/dev/full"], "/dev/full"),
        (no_summary, &["--html", "/dev/full"], "no report: "),
        (no_summary, &["--out", "json=/dev/full"], "samples in /dev/full"),
    ] {
        let sandbox = Sandbox::with(&format!("{ITERATION}\n{summary}"));
        let always = ["-i", "2", "--no-check", "--no-resources", "--junit", "j.xml"];
        let output = sandbox.run_against(&server.url(), &[&always[..], arguments].concat()).expect_code(104);
        let shown = output.shown();
        let last = output.stdout.lines().last().unwrap_or_default();
        assert!(
            last.contains("FAILED: its results are not complete: ") && last.contains(what),
            "{what}: {shown}"
        );
        let junit = std::fs::read_to_string(sandbox.path().join("j.xml")).unwrap();
        assert!(junit.contains("errors=\"1\"") && junit.contains(" type=\"results\""), "{what}: {junit}");
        let verdict = &output.run_dir().json()["verdict"];
        assert_eq!((&verdict["words"], &verdict["passed"]), (&"FAILED".into(), &false.into()), "{what}");
        // A report that is made of what was kept says the same.
        let again = sandbox.run(&["report", "last", "--junit", "again.xml"]);
        let again = again.expect_code(0);
        let junit = std::fs::read_to_string(sandbox.path().join("again.xml")).unwrap();
        assert!(junit.contains(" type=\"results\""), "{what}: {junit}{}", again.shown());
    }
}

#[test]
fn a_summary_comes_after_an_abort_and_a_failed_setup_too() {
    let server = Server::start();
    for (hook, ended_by) in [
        ("fn setup() { throw \"no\"; } fn iteration() {}", "setup failed"),
        ("fn iteration() { http::get(\"/a\"); abort(\"enough\"); }", "aborted by the script"),
    ] {
        let script = format!("{hook}\nfn summary(data) {{ print(\"SAID \" + data.ended_by); }}");
        let ran = run(load_test(&script).host(&server.url()).iterations(5));
        assert!(ran.printed().contains(&&*format!("SAID {ended_by}")), "{:?}", ran.messages);
        assert_eq!((ran.report.summary_outputs().len(), ran.report.summary_error()), (0, None));
    }
}

#[test]
fn secrets_are_masked_in_what_a_summary_writes() {
    let script = r#"
        const KEY = secret::get("KEY");
        fn iteration() { http::get("/a"); }
        fn summary() { #{ "a.json": #{ key: KEY }, "b.txt": "the key is " + KEY, stdout: KEY } }
    "#;
    let sandbox = Sandbox::with(script);
    let server = Server::start();
    let output = sandbox.run_against(&server.url(), &["-i", "1", "-e", "KEY=hush-hush-77"]).expect_code(0);
    for name in ["a.json", "b.txt"] {
        let text = std::fs::read_to_string(sandbox.path().join(name)).unwrap();
        assert!(text.contains("***") && !text.contains("hush-hush"), "{text}");
    }
    assert!(!output.stdout.contains("hush-hush"), "{}", output.stdout);
}

#[test]
fn a_summary_waits_for_nothing() {
    let script =
        "fn iteration() {} fn summary(data) { sleep(30); #{ \"a\": `${http::get(\"/end\").status}` } }";
    let server = Server::start();
    let started = std::time::Instant::now();
    let ran = run(load_test(script).host(&server.url()).iterations(1));
    let [output] = ran.report.summary_outputs() else { panic!("{:?}", ran.report.summary_error()) };
    assert_eq!((&*output.place, &*output.text), ("a", "200"));
    assert_eq!(ran.requests(), 0, "its requests are not counted");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn check_knows_the_summary_and_other_functions_that_are_called_by_name() {
    for (text, said) in [
        ("fn iteration() {} fn summary(data) {}", None),
        ("fn iteration() {} fn summary() {}", None),
        ("fn iteration() { summary(1, 2); } fn summary(a, b) {}", None),
        ("fn iteration() { [1].map(Fn(\"summary\")); } fn summary(a, b) {}", None),
        (
            "fn iteration() {}\nfn summary(a, b) {}",
            Some("test.rhai:2:18: 'summary' with 2 parameters is never called"),
        ),
        ("fn iteration() {}\nfn teardown(a, b) {}", Some("one parameter or none")),
        ("fn iteration() {}\nfn setup(a) {}", Some("'setup' with 1 parameter is never called")),
        ("fn iteration() {}\nfn on_stop(a) {}", Some("it takes no parameter")),
        ("fn iteration() {}\nfn handleSummary(data) {}", Some("rhaid calls fn summary(data)")),
        ("fn summary(a, b) { a + b }", None),
    ] {
        let sandbox = Sandbox::with(text);
        let output = sandbox.run(&["check", "test.rhai"]);
        let shown = output.shown();
        match said {
            None => assert!(!shown.contains("never called"), "{text}: {shown}"),
            Some(said) => assert!(shown.contains(said), "{text}: no {said:?} in {shown}"),
        }
        assert_eq!(output.code, Some(0), "{text}: {shown}");
    }
}
