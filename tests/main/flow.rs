//! How an iteration goes on or ends: `sleep`, `think`, `fail`, `abort`.

use std::time::{Duration, Instant};

use rhaid::plan::EndedBy;

use crate::support::{Server, load_test, once, run};

#[test]
fn a_sleeping_user_does_not_hold_up_the_others() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.4); http::get(\"/x\"); }";
    let start = Instant::now();
    let ran =
        run(load_test(script).host(&server.url()).users(100).threads(1).iterations(100)).without_errors();
    assert_eq!((ran.requests(), server.total()), (100, 100));
    // One after the other they would take 40 s.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn sleep_takes_seconds_or_a_duration() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let t = time::now();
            sleep(0.05); sleep("50ms"); sleep(0);
            print(time::now() - t >= 0.099);
            sleep(-1);
        }
    "#;
    let ran = once(&server, script);
    assert_eq!(ran.printed(), ["true"]);
    assert!(ran.only_error().starts_with("test.rhai:6:13: sleep is -1"), "{}", ran.only_error());
}

#[test]
fn think_waits_as_the_scenario_says() {
    let server = Server::start();
    let script = "wait(constant(0.1)); fn iteration() { http::get(\"/a\"); think(); http::get(\"/b\"); }";
    let script = format!("task(\"iteration\"); {script}");
    run(load_test(&script).host(&server.url()).iterations(1)).without_errors();
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(99), "{:?}", seen[1].at - seen[0].at);
}

#[test]
fn think_says_when_it_has_no_meaning() {
    for wait in ["constant_pacing(1)", "|| 1"] {
        let script = format!("task(\"a\"); wait({wait}); fn a() {{ think(); }}");
        let error = once(&Server::start(), &script).only_error();
        assert!(error.contains("think()") && error.contains("sleep"), "{wait}: {error}");
    }
}

#[test]
fn the_wait_of_a_script_without_tasks_is_that_of_iteration() {
    let server = Server::start();
    let script = "wait(constant(0.1)); fn iteration() { http::get(\"/x\"); }";
    run(load_test(script).host(&server.url()).iterations(2)).without_errors();
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(99), "{:?}", seen[1].at - seen[0].at);
}

#[test]
fn fail_ends_the_iteration_and_is_counted_at_its_place() {
    let server = Server::start();
    let script = "fn iteration() {\n  http::get(\"/before\");\n  if true {\n    fail(\"no stock\");\n  }\n  \
                  http::get(\"/after\");\n}";
    let ran = run(load_test(script).host(&server.url()).iterations(4));
    assert_eq!(ran.errors(), [("test.rhai:4:5: failed: no stock".to_owned(), 4)].into());
    assert_eq!((server.hits("/before"), server.hits("/after")), (4, 0));
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.failed), (0, 4));
    assert_eq!(ran.failures(), 0, "no request failed");
}

#[test]
fn fail_cannot_be_caught() {
    let ran = once(&Server::start(), "fn iteration() { try { fail(\"x\"); } catch { print(\"caught\"); } }");
    assert_eq!(ran.printed(), [""; 0]);
    assert!(ran.only_error().ends_with("failed: x"));
}

#[test]
fn exit_of_rhai_is_no_riddle() {
    let ran = once(&Server::start(), "fn iteration() { http::get(\"/x\"); exit(); }");
    // Either it ends the iteration or it is an error; but not one that says it is none.
    let errors = ran.errors();
    assert!(!errors.keys().any(|error| error.contains("NOT AN ERROR")), "{errors:?}");
}

#[test]
fn what_a_script_throws_can_be_caught() {
    let script = r#"
        fn iteration() {
            try { throw "mine"; } catch (e) { print(e); }
            try { let x = [1][5]; } catch (e) { print("index"); }
            try { http::get("/x").json(); } catch (e) { print("json"); }
        }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["mine", "index", "json"]);
}

#[test]
fn abort_ends_the_whole_run() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/x");
            if vu::id() == 3 && vu::iteration() == 5 { abort("the target is broken"); }
            sleep(0.005);
        }
        fn teardown(data) { http::get("/teardown"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).users(6).threads(2)).without_errors();
    assert_eq!(*ran.report.ended_by(), EndedBy::Aborted("the target is broken".to_owned()));
    assert!(!ran.report.passed());
    assert_eq!(ran.requests() + 1, server.total(), "all but teardown's request");
    assert_eq!(server.hits("/teardown"), 1);
}

#[test]
fn abort_works_in_setup_and_as_run_abort() {
    let server = Server::start();
    let ran = once(&server, "fn setup() { run::abort(\"not here\"); } fn iteration() { http::get(\"/x\"); }");
    assert_eq!(*ran.report.ended_by(), EndedBy::Aborted("not here".to_owned()));
    assert_eq!(server.total(), 0);
}
