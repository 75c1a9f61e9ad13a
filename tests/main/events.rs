//! What scripts hear of the run with `on`, and what they say with `log`.

use std::time::Duration;

use rhaid::Level;
use rhaid::plan::EndedBy;

use crate::support::{Sandbox, Server, load_test, once, run};

#[test]
fn events_of_the_run_come_once_and_in_order() {
    let server = Server::start();
    let script = r#"
        fn setup() { print("setup"); 7 }
        fn teardown(data) { print("teardown " + data); }
        fn said(e) { print(e.event); }
        on("test_start", || print("start " + vu::data() + " of vu " + vu::id()));
        on("test_stop", "said");
        // The last one may be over before it is told of.
        on("stage", |e| print(`${e.previous} to ${e.stage}` + if e.stage == "ramp-down" { "" } else { ", " + run::phase() }));
        on("spawning_complete", |e| { sleep(0.01); print("complete " + e.users); });
        fn iteration() { http::get("/x"); sleep(0.02); }
    "#;
    let test = load_test(script).host(&server.url()).users(4).spawn_rate(20.0).threads(2);
    let ran = run(test.run_time(Duration::from_millis(400))).without_errors();
    assert_eq!(
        ran.printed(),
        [
            "setup",
            "start 7 of vu 0",
            "starting to ramp-up, ramp-up",
            "ramp-up to steady, steady",
            "complete 4",
            "steady to ramp-down",
            "test_stop",
            "teardown 7",
        ]
    );
}

#[test]
fn a_request_is_told_after_it_was_counted_by_the_user_that_made_it() {
    let server = Server::start();
    let script = r#"
        on("request", |r| {
            print(`${r.method} ${r.name} ${r.status} ${r.ok} ${r.error}`);
            if r.duration <= 0.0 { throw "no duration"; }
            if !r.url.starts_with("http://127.0.0.1:") || !r.url.contains(r.url.split("/").pop()) { throw r.url; }
            if r.size < 1 { throw `size ${r.size}`; }
            this.told += 1;
            http::get("/own");
        });
        fn on_start() { this.told = 0; }
        fn iteration() {
            http::post("/a?x=1");
            http::get("/status/500", #{ name: "bad" });
            http::get("/b").fail("wrong");
            print("last");
        }
        fn on_stop() { print(this.told); }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(1)).without_errors();
    let expected = [
        "POST /a 200 true ",
        "GET bad 500 false HTTP 500 Internal Server Error",
        "last",
        "GET /b 200 false wrong",
        "3",
    ];
    assert_eq!(ran.printed(), expected);
    assert_eq!((ran.requests(), server.hits("/own")), (6, 3), "its own requests are counted and not told");
}

#[test]
fn script_errors_are_told() {
    let script = r#"
        on("script_error", |e| print(`${e.vu} ${e.iteration} ${e.message} at ${e.position}`));
        on("script_error", |e| { throw "again"; });
        fn iteration() { if vu::iteration() == 2 { fail("no"); } }
    "#;
    let ran = run(load_test(script).iterations(3));
    assert_eq!(ran.printed(), ["1 2 failed: no at test.rhai:4:52"]);
    let errors = ran.errors();
    assert_eq!(errors.values().sum::<u64>(), 2, "the listener's own error is counted, not told: {errors:#?}");
}

#[test]
fn an_error_in_a_listener_stops_nothing() {
    let script = r#"
        on("test_start", || { throw "start"; });
        on("test_start", || print("second"));
        on("test_stop", || { throw "stop"; });
        on("request", |r| { throw "request"; });
        fn iteration() { http::get("/x"); print("after"); }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).iterations(2));
    assert_eq!(ran.printed(), ["second", "after", "after"]);
    let errors: Vec<String> = ran.errors().into_keys().collect();
    assert!(errors.iter().any(|e| e.ends_with(": start")) && errors.iter().any(|e| e.ends_with(": request")));
    assert_eq!(ran.errors().values().sum::<u64>(), 3);
    assert!(ran.report.teardown_error().unwrap().contains("stop"));
}

#[test]
fn a_listener_can_end_the_run() {
    let server = Server::start();
    for event in ["test_start", "spawning_complete", "stage", "request", "script_error"] {
        let script = format!(
            "on(\"{event}\", || abort(\"enough\")); fn iteration() {{ http::get(\"/x\"); sleep(0.01); nosuch(); }}"
        );
        let ran = run(load_test(&script).host(&server.url()));
        assert_eq!(*ran.report.ended_by(), EndedBy::Aborted("enough".to_owned()), "{event}");
    }
}

#[test]
fn events_and_listeners_that_do_not_exist_are_told_at_load() {
    let check = |declaration: &str, part: &str| {
        let error = load_test(&format!("{declaration} fn iteration() {{}} fn f(a, b) {{}}")).prepare().err();
        let error = error.unwrap().to_string();
        assert!(
            error.contains("test.rhai:1:1") && error.contains(part),
            "{declaration}: no {part:?} in\n{error}"
        );
    };
    check("on(\"test_strat\", || 1);", "did you mean 'test_start'");
    check("on(\"threshold_fails\", || 1);", "unknown event 'threshold_fails'");
    check("on(\"request\", \"nosuch\");", "names a function 'nosuch'");
    check("on(\"request\", \"f\");", "takes 2 arguments");
    let ran = once(&Server::start(), "fn iteration() { on(\"stage\", || 1); }");
    assert!(ran.only_error().contains("at the top level"), "{}", ran.only_error());
}

#[test]
fn log_says_how_much_it_matters() {
    let ran =
        once(&Server::start(), "fn iteration() { log::info(1); log::warn(\"two\"); log::error(#{ a: 3 }); }")
            .without_errors();
    let said: Vec<_> = ran.messages.iter().map(|m| (m.level, m.text.as_str(), m.from)).collect();
    let from = Some((1, 1));
    let expected =
        [(Level::Info, "1", from), (Level::Warning, "two", from), (Level::Error, "#{\"a\": 3}", from)];
    assert_eq!(said, expected);
    let sandbox = Sandbox::with("fn iteration() { log::warn(\"w\"); for i in 0..3 { log::error(\"e\"); } }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-q"]).expect_code(97);
    assert!(output.stderr.contains("warning: [vu 1, iteration 1] w"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("error: [vu 1, iteration 1] e").count(), 3, "{}", output.stderr);
}
