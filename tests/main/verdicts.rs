//! When a request counts as failed: statuses, `expect`, `.fail`, `.succeed`; and `check`, which decides nothing.

use std::time::Duration;

use rhaid::analysis::Verdict;
use rhaid::plan::Options;

use crate::support::{Server, load_test, once, run};

#[test]
fn statuses_from_400_fail_and_are_grouped() {
    let script = r#"
        fn iteration() { for status in [200, 204, 301, 399, 400, 404, 404, 500] { http::get(`/status/${status}`); } }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!((ran.requests(), ran.failures()), (8, 4));
    let mut groups = ran.failure_groups();
    groups.sort_unstable();
    assert_eq!(groups, [("status", 400, 1), ("status", 404, 2), ("status", 500, 1)]);
    let first = &ran.snapshot().failures[0];
    assert_eq!(
        (&*first.0.name, &*first.0.method, first.0.status),
        ("/status/404", "GET", 404),
        "most frequent first"
    );
    assert_eq!(first.1.messages, ["HTTP 404 Not Found"]);
    assert!(first.1.first_seen <= first.1.last_seen);
}

#[test]
fn no_requests_says_why_where_it_is_known() {
    let server = Server::start();
    for (script, why) in [
        ("fn on_start() { sleep(60); } fn iteration() { http::get(\"/x\"); }", "on_start had not ended"),
        (
            "scenario(\"late\", #{ executor: \"constant-vus\", vus: 1, duration: \"1s\", start_time: \"1m\", exec: \"f\" }); \
             fn f() { http::get(\"/x\"); }",
            "no scenario had begun at the end",
        ),
        (
            "fn iteration() { http::get(\"/delay/60000\"); }",
            "1 request still waited for a response at the end",
        ),
        (
            "fn iteration() { sleep(60); http::get(\"/x\"); }",
            "1 iteration had begun and made none until the end",
        ),
        ("fn iteration() { sleep(0.1); }", "completed without one"),
    ] {
        let ended = Options {
            run_time: Some(Duration::from_millis(400)),
            stop_timeout: Some(Duration::from_millis(50)),
            ..Options::default()
        };
        let ran = run(load_test(script).host(&server.url()).options(ended)).without_errors();
        let record = ran.report.record();
        assert_eq!(Verdict::of(record), Verdict::NoRequests, "{script}");
        let reason = Verdict::reason(record).unwrap();
        assert!(
            reason.starts_with("zero requests is never a pass; ") && reason.contains(why),
            "{script}: {reason}"
        );
    }
}

/// Whether the request that `call` makes failed, and its failure's message.
fn verdict(call: &str) -> (bool, Vec<String>) {
    let server = Server::start();
    let ran = once(&server, &format!("fn iteration() {{ let r = {call}; print(r.ok); }}")).without_errors();
    assert_eq!(ran.requests(), 1);
    let failed = ran.failures() == 1;
    assert_eq!(ran.printed(), [if failed { "false" } else { "true" }], "{call}: .ok says what is counted");
    (failed, ran.snapshot().failures.iter().flat_map(|(_, group)| group.messages.clone()).collect())
}

#[test]
fn an_expected_status_is_a_success_and_any_other_a_failure() {
    assert!(!verdict("http::get(\"/status/404\").expect(404)").0);
    assert!(!verdict("http::get(\"/status/404\", #{ expect: 404 })").0);
    assert!(!verdict("http::get(\"/status/500\").expect([200, 500])").0);
    assert!(!verdict("http::get(\"/status/500\", #{ expect: [200, 500] })").0);
    let (failed, messages) = verdict("http::get(\"/status/200\").expect(201)");
    assert!(failed && messages == ["expected status 201, got HTTP 200 OK"], "{messages:?}");
    let (failed, messages) = verdict("http::get(\"/status/503\", #{ expect: [200, 201] })");
    assert!(
        failed && messages == ["expected status 200 or 201, got HTTP 503 Service Unavailable"],
        "{messages:?}"
    );
}

#[test]
fn an_expectation_can_be_a_condition() {
    assert!(!verdict("http::get(\"/x\").expect(\"ok body\", |r| r.body == \"ok\")").0);
    let (failed, messages) = verdict("http::get(\"/x\").expect(\"empty body\", |r| r.body == \"\")");
    assert!(failed && messages == ["expectation not met: empty body"], "{messages:?}");
    assert!(verdict("http::get(\"/x\", #{ expect: |r| r.size > 100 })").0);
}

#[test]
fn expectations_can_be_chained_and_the_first_that_fails_counts() {
    let (failed, messages) = verdict(
        "http::get(\"/status/404\").expect(404).expect(\"a\", |r| false).expect(404).expect(\"b\", |r| false)",
    );
    assert!(failed && messages == ["expectation not met: a"], "{messages:?}");
}

#[test]
fn the_script_can_decide_by_itself() {
    let (failed, messages) = verdict("http::get(\"/x\").fail(\"stale data\")");
    assert!(failed && messages == ["stale data"], "{messages:?}");
    assert!(!verdict("http::get(\"/status/500\").succeed()").0);
    assert!(verdict("http::get(\"/x\").fail(\"a\").succeed().fail(\"b\")").0);
}

#[test]
fn an_expectation_that_is_none_is_a_script_error() {
    let check = |call: &str, part: &str| {
        let error = once(&Server::start(), &format!("fn iteration() {{\n{call};\n}}")).only_error();
        assert!(error.starts_with("test.rhai:2:") && error.contains(part), "{call}: {error}");
    };
    check("http::get(\"/x\").expect(\"200\")", "a status, an array of them or a function");
    check(
        "http::get(\"/x\").expect(\"name\", |r| 5)",
        "expect 'name': its function's result must be true or false",
    );
    check("http::get(\"/x\").expect(\"name\", |r| r.nosuch)", "nosuch");
}

#[test]
fn a_verdict_can_change_after_later_requests() {
    let script = r#"
        fn iteration() {
            let first = http::get("/status/404");
            let second = http::get("/a");
            sleep(0.01);
            first.expect(404);
            second.fail("no good after all");
            let third = http::get("/status/500");
            group("g", || http::get("/b"));
            third.succeed();
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).iterations(50)).without_errors();
    assert_eq!((ran.requests(), ran.failures(), server.total()), (200, 50, 200));
    assert_eq!(ran.failure_groups(), [("expect", 200, 50)]);
    assert_eq!(ran.endpoint("/status/404"), (50, 0));
    assert_eq!(ran.endpoint("/a"), (50, 50));
    let total = &ran.snapshot().total;
    assert_eq!((total.ok.unwrap().count, total.failed.unwrap().count), (150, 50));
}

#[test]
fn a_verdict_can_change_even_in_a_later_second() {
    // The interval in which the request was counted is over when its verdict changes.
    let script = r#"
        fn iteration() {
            let r = http::get("/status/404");
            let good = http::get("/a");
            sleep(1.2);
            r.expect(404);
            good.fail("late");
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!((ran.requests(), ran.failures()), (2, 1));
    assert_eq!(ran.failure_groups(), [("expect", 200, 1)]);
    let total = &ran.snapshot().total;
    assert_eq!((total.ok.unwrap().count, total.failed.unwrap().count), (1, 1));
    let last = ran.snapshot().history.since(0).pop().unwrap();
    assert_eq!((last.so_far.requests, last.so_far.failures), (2, 1));
}

#[test]
fn failures_do_not_enter_the_latency_of_successes() {
    let script = r#"
        fn iteration() {
            http::get("/delay/120");
            http::get("/status/500");
            http::get("/reset");
            http::get("/never", #{ timeout: 0.02 });
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let total = &ran.snapshot().total;
    let ok = total.ok.unwrap();
    assert_eq!((total.requests, total.failures, ok.count), (4, 3, 1));
    assert!(ok.min_us >= 119_000, "no failure pulls it down: {}", ok.min_us);
    assert_eq!(total.failed.unwrap().count, 3);
}

#[test]
fn checks_count_and_stop_nothing() {
    let script = r#"
        fn iteration() {
            let r = http::get("/status/500");
            let all = check(r, #{ "is 200": |r| r.status == 200, "has body": |r| r.size > 0, "plain": true });
            print(all);
            print(check("by name", 1 < 2));
            print(r.check(#{ "of response": |r| r.ok }));
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(3)).without_errors();
    assert_eq!(&ran.printed()[..3], ["false", "true", "false"]);
    let counts = ["is 200", "has body", "plain", "by name", "of response"].map(|name| ran.check(name));
    assert_eq!(counts, [(0, 3), (3, 0), (3, 0), (3, 0), (0, 3)]);
    assert_eq!(ran.snapshot().checks.len(), 5);
    assert_eq!(ran.snapshot().iterations.completed, 3);
}

#[test]
fn a_check_that_breaks_counts_as_not_held_and_shows_its_error() {
    let script = "fn iteration() {\n  check(5, #{ \"broken\": |v| v.nosuch() });\n}";
    let ran = once(&Server::start(), script);
    assert_eq!(ran.check("broken"), (0, 1));
    assert!(ran.only_error().contains("nosuch"), "{}", ran.only_error());
    let not_bool = once(&Server::start(), "fn iteration() { check(5, #{ \"odd\": |v| v }); }");
    assert!(not_bool.only_error().contains("check 'odd'"), "{}", not_bool.only_error());
}

#[test]
fn a_group_of_failures_keeps_a_few_different_messages() {
    let script = "fn iteration() { http::get(\"/x\").fail(`reason ${vu::iteration()}`); }";
    let ran = run(load_test(script).host(&Server::start().url()).iterations(100));
    assert_eq!(ran.failure_groups(), [("expect", 200, 100)]);
    let messages = &ran.snapshot().failures[0].1.messages;
    assert!((2..=20).contains(&messages.len()), "{messages:?}");
    assert_eq!(messages[0], "reason 1");
}
