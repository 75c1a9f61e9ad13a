//! The life of a run and of a virtual user: `setup`, `on_start`, `this`, `on_stop`, `teardown`.

use std::time::Duration;

use rhaid::LoadTest;
use rhaid::plan::EndedBy;

use crate::support::{Sandbox, Server, block_on, load_test, once, run};

/// Two attempts of `on_start` fail, the third succeeds.
const THIRD_TIME_LUCKY: &str = r#"
    fn on_start() {
        let tries = if "tries" in this { this.tries } else { 0 };
        this.tries = tries + 1;
        if this.tries < 3 { throw "not yet"; }
    }
    fn iteration() { print(`${vu::id()}: ${vu::iteration()} after ${this.tries}`); }
"#;

#[test]
fn this_belongs_to_one_user_and_lives_as_long_as_it() {
    let script = r#"
        fn on_start() { this.id = vu::id(); this.count = 0; }
        fn iteration() {
            this.count += 1;
            sleep(0.001);
            if this.id != vu::id() || this.count != vu::iteration() { throw "somebody else's state"; }
            if vu::iteration() == 50 { vu::stop(); }
        }
        fn on_stop() { print(`${this.id}: ${this.count > 1}`); }
    "#;
    let ran = run(load_test(script).users(6).threads(2)).without_errors();
    assert_eq!(ran.printed_sorted(), ["1: true", "2: true", "3: true", "4: true", "5: true", "6: true"]);
    assert_eq!(ran.snapshot().iterations.completed, 300);
}

#[test]
fn this_works_inside_closures_and_methods() {
    let script = r#"
        fn helper() { this.n += 100; this.n }
        fn with_argument(by) { this.n += by; }
        fn iteration() {
            this.n = 1;
            group("outer", || { this.n += 1; group("inner", || { this.n += 10; }); });
            check(5, #{ "sees this": |v| { this.n += v; this.n == 17 } });
            print(this.n);
            print(this.helper());
            this.with_argument(3);
            group("method", || this.with_argument(1));
            print(this.n);
            let r = http::get("/x");
            r.check(#{ "response": |r| { this.seen = r.status; true } });
            r.expect("condition", |r| { this.seen += 1; true });
            print(this.seen);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["17", "117", "121", "201"]);
    assert_eq!((ran.check("sees this"), ran.check("response")), ((1, 0), (1, 0)));
}

#[test]
fn a_closure_in_a_method_has_its_this() {
    let script = r#"
        import "std/journey" as journey;
        import "std/expect" as expect;
        fn on_start() { this.n = 1; this.list = [1, 2, 3]; this.user = #{ name: "ann", roles: ["a", "b"] }; }
        fn iteration() {
            this.step();
            this.nested();
            this.arrays();
            this.imported();
            this.taking(|x| this.n + x);
            this.n = 7;
            group("outer", || this.step());
            let cart = #{ n: 100, items: [1] };
            cart.step();
            cart.arrays_of_cart();
            print(`${cart.n} ${cart.items}`);
            this.user.greet();
            this.run = |x| group("run", || this.n + x);
            print(this.run(1));
            print(`${type_of(this)} ${this.n} ${this.list}`);
            5.times_two();
        }
        fn step() {
            group("g", || print(this.n));
            measure("m", || { this.n += 1; });
            check(this.n, #{ "sees this": |v| v == this.n });
            print(this.n);
        }
        fn nested() {
            group("a", || { this.inner(10); group("b", || { this.n += 1; this.inner(20); }); });
            print(this.n);
        }
        fn inner(by) { group("c", || { this.n += by; }); [1].for_each(|x| this.n += x); }
        fn arrays() {
            let n = 2;
            print([1, 2].map(|x| x + this.n));
            print(this.list.map(|x| x + this.n));
            print(this.list.filter(|x| x < this.n && x > n));
            print(this.list.map(|x| [x].map(|y| y * this.n)[0]).len());
            print(this.user.roles.some(|r| r == this.user.name));
            this.list.for_each(|| this += 1);
            print([3, 1, 2].order(|a, b| (b - a) * this.n));
            print([1, 2, 3].reduce(|sum, x| sum + x + this.n, 0));
            let f = |x| x * this.n;
            print(f.call(2));
            group("named", Fn("bump"));
        }
        fn bump() { this.n += 1000; group("bumped", || print(this.n)); this.n -= 1000; }
        fn imported() {
            print(journey::retry(2, 0.0, || { this.n += 1; true }));
            journey::funnel([["look", 1.0, || { this.inner(0); true }]]);
            let r = http::get("/x");
            this.last = r;
            this.last.expect("last", |r| r.status == 200 && this.n > 0);
            this.last.check(#{ "last": |r| this.n > 0 });
            expect::that(r, #{ status: 200 });
        }
        fn taking(f) { group("taking", || print(f.call(1))); print([1].map(f)); }
        fn arrays_of_cart() { this.items = this.items.map(|x| x + this.n); group("cart", || this.n += 1); }
        fn greet() { group("greet", || print(this.name)); }
        fn times_two() { print([1].map(|x| x + this)); this *= 2; print(this); }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    let expected = [
        "1",
        "2",
        "35",
        "[36, 37]",
        "[36, 37, 38]",
        "[3]",
        "3",
        "false",
        "[3, 2, 1]",
        "111",
        "70",
        "1035",
        "true",
        "38",
        "[38]",
        "7",
        "8",
        "100",
        "101",
        "102 [102]",
        "ann",
        "9",
        "map 8 [2, 3, 4]",
        "[6]",
        "10",
    ];
    assert_eq!(printed, expected);
    assert_eq!((ran.check("sees this"), ran.check("last")), ((3, 0), (1, 0)));
}

#[test]
fn this_in_a_method_of_an_imported_file_and_of_listeners() {
    let script = r#"
        import "lib" as lib;
        on("request", |e| this.seen += 1);
        fn on_start() { this.seen = 0; this.n = 1; }
        fn iteration() { this.step(); lib::run(|| this.n + 1); print(this.seen); }
        fn step() { http::get("/x"); sleep(0.001); group("g", || { http::get("/y"); sleep(0.001); print(this.seen); }); }
    "#;
    let lib = r#"
        fn run(f) { let map = #{ n: 5 }; map.mine(); print(f.call()); print(call_as_user(f)); group("lib", || print(f.call())); }
        fn mine() { group("m", || print(this.n)); }
    "#;
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", script);
    sandbox.write("lib.rhai", lib);
    let server = Server::start();
    let load_test = LoadTest::from_file(sandbox.path().join("main.rhai")).unwrap();
    let ran = run(load_test.host(&server.url()).iterations(1)).without_errors();
    assert_eq!(ran.printed(), ["2", "5", "2", "2", "2", "2"]);
}

#[test]
fn this_is_whole_after_an_iteration_that_was_cut_in_a_method() {
    let script = r#"
        fn on_start() { this.list = [1]; }
        fn iteration() { this.step(); }
        fn step() { this.list.push(2); group("g", || { this.deep(); }); }
        fn deep() { this.cut = true; vu::stop(); sleep(60); }
        fn on_stop() { this.after(); }
        fn after() { group("g", || print(`${type_of(this)} ${this.list} ${this.cut}`)); }
    "#;
    let ran = once(&Server::start(), script);
    assert_eq!(ran.printed(), ["map [1, 2] true"]);
    let fails = "fn iteration() { try { this.step(); } catch { } print(this.x); this.step(); }
                 fn step() { this.x = 1; group(\"g\", || { this.x = 2; throw \"no\"; }); }";
    let ran = once(&Server::start(), fails);
    assert_eq!(ran.printed(), ["2"]);
    assert!(ran.only_error().starts_with("test.rhai:2:"), "{}", ran.only_error());
}

#[test]
fn setup_runs_once_and_its_value_reaches_every_user_and_teardown() {
    let server = Server::start();
    let script = r#"
        fn setup() { http::get("/setup"); #{ token: "t" + random::int(1, 1000000), list: [1, 2.5, "x", true, ()] } }
        fn on_start() { print(`start ${vu::data().token}`); }
        fn iteration() { print(`data ${vu::data().token} ${vu::data().list}`); if vu::iteration() == 2 { vu::stop(); } }
        fn teardown(data) { http::get("/teardown", #{ query: #{ token: data.token } }); }
    "#;
    let ran = run(load_test(script).host(&server.url()).users(4).threads(2)).without_errors();
    assert_eq!((server.hits("/setup"), server.hits("/teardown")), (1, 1));
    let token = server.seen()[1].query.replace("token=", "");
    let data = format!("data {token} [1, 2.5, \"x\", true, ()]");
    let start = format!("start {token}");
    assert_eq!(ran.printed().iter().filter(|line| **line == data).count(), 8, "{:#?}", ran.printed());
    assert_eq!(ran.printed().iter().filter(|line| **line == start).count(), 4);
    assert_eq!(ran.requests(), 0, "requests of setup and teardown are not load");
}

#[test]
fn the_value_of_setup_is_shared_and_cannot_be_changed_by_a_user() {
    let script = r#"
        fn setup() { #{ n: 1 } }
        fn iteration() { let data = vu::data(); data.n += 1; print(vu::data().n); }
    "#;
    let ran = run(load_test(script).iterations(3)).without_errors();
    assert_eq!(ran.printed(), ["1", "1", "1"]);
}

#[test]
fn a_setup_that_fails_keeps_the_load_from_being_made() {
    let server = Server::start();
    let script = "fn setup() {\n  http::get(\"/setup\");\n  throw \"no database\";\n}\n\
                  fn iteration() { http::get(\"/x\"); } fn teardown(data) { http::get(\"/teardown\"); }";
    let ran = once(&server, script);
    let EndedBy::SetupFailed(error) = ran.report.ended_by() else { panic!("{:?}", ran.report.ended_by()) };
    assert!(error.contains("test.rhai:3:3: no database"), "{error}");
    assert_eq!((server.hits("/setup"), server.total()), (1, 1));
    assert!(!ran.report.passed());
}

#[test]
fn setup_may_end_with_a_request() {
    let server = Server::start();
    let script = r#"fn setup() { http::get("/seed"); } fn iteration() { print(vu::data() == ()); }"#;
    let ran = once(&server, script).without_errors();
    assert_eq!((server.hits("/seed"), ran.printed()), (1, vec!["true"]));
}

#[test]
fn setup_can_only_return_what_all_threads_can_share() {
    let ran = once(&Server::start(), "fn setup() { #{ f: || 1 } } fn iteration() {}");
    let EndedBy::SetupFailed(error) = ran.report.ended_by() else { panic!("{:?}", ran.report.ended_by()) };
    assert!(error.contains("plain data"), "{error}");
}

#[test]
fn a_teardown_that_fails_is_in_the_report_and_the_figures_stay() {
    let server = Server::start();
    let ran = once(&server, "fn iteration() { http::get(\"/x\"); }\nfn teardown(data) { 1 / 0 }");
    let error = ran.report.teardown_error().unwrap();
    assert!(error.contains("test.rhai:2:") && error.contains("division by zero"), "{error}");
    assert_eq!(ran.requests(), 1);
}

#[test]
fn teardown_may_take_no_argument() {
    let server = Server::start();
    once(&server, "fn iteration() {} fn teardown() { http::get(\"/teardown\"); }");
    assert_eq!(server.hits("/teardown"), 1);
}

#[test]
fn on_start_is_tried_again_and_each_error_is_counted() {
    let script = format!("{THIRD_TIME_LUCKY} wait(0.2);");
    let ran = run(load_test(&script).run_time(Duration::from_secs(4)));
    assert_eq!(ran.printed()[0], "1: 1 after 3", "iterations begin when it has succeeded");
    assert_eq!(ran.errors(), [("test.rhai:5:29: not yet".to_owned(), 2)].into());
    assert_eq!(
        ran.snapshot().iterations.failed,
        0,
        "on_start is no iteration where their number has no limit"
    );
}

#[test]
fn an_on_start_that_fails_is_one_of_the_runs_iterations() {
    let ran = run(load_test(THIRD_TIME_LUCKY).iterations(5));
    assert_eq!(ran.printed(), ["1: 1 after 3", "1: 2 after 3", "1: 3 after 3"]);
    let iterations = &ran.snapshot().iterations;
    assert_eq!((iterations.started, iterations.completed, iterations.failed), (5, 3, 2));
    assert_eq!(*ran.report.ended_by(), EndedBy::Iterations);
}

#[test]
fn an_on_start_that_fails_is_one_of_the_executors_iterations() {
    let check = |executor: &str, per_user: &[u64], completed: u64| {
        let script = format!(
            "{THIRD_TIME_LUCKY} scenario(\"s\", #{{ exec: \"iteration\", executor: \"{executor}\", vus: 2, \
             iterations: {} }});",
            per_user[0]
        );
        let ran = run(load_test(&script));
        let iterations = &ran.snapshot().iterations;
        assert_eq!((iterations.completed, iterations.failed), (completed, 4), "{executor}");
        assert_eq!((iterations.started, iterations.dropped), (completed + 4, 0), "{executor}");
        assert_eq!(ran.errors(), [("test.rhai:5:29: not yet".to_owned(), 4)].into(), "{executor}");
        assert_eq!(*ran.report.ended_by(), EndedBy::Iterations, "{executor}");
        if let [_, each] = per_user {
            let last = [1, 2].map(|vu| format!("{vu}: {each} after 3"));
            assert!(last.iter().all(|line| ran.printed().contains(&line.as_str())), "{:?}", ran.printed());
        }
    };
    check("per-vu-iterations", &[4, 2], 4);
    check("shared-iterations", &[7], 3);
}

#[test]
fn a_run_of_so_many_iterations_ends_although_no_user_can_begin() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let check = |script: &str, arguments: &[&str], code: i32, errors: &str| {
        let output = Sandbox::with(script).run_against(&url, arguments);
        assert_eq!(output.code, Some(code), "{script}: {}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains(errors), "{script}: {}", output.stdout);
    };
    let login = "fn on_start() { this.token = http::get(\"/login\").json(\"token\"); } fn iteration() { http::get(\"/\"); }";
    check(login, &["-i", "3", "-u", "2"], 1, "0 completed, 3 failed, 0 interrupted");
    check(login, &["-i", "2", "--exit-code-on-error"], 1, "0 completed, 2 failed, 0 interrupted");
    check("fn on_start() { fail(\"shut\"); } fn iteration() { http::get(\"/\"); }", &["-i", "2"], 97, "shut");
    check(
        "scenario(\"s\", #{ exec: \"iteration\", executor: \"per-vu-iterations\", iterations: 2 });\n\
         fn on_start() { fail(\"shut\"); } fn iteration() { http::get(\"/\"); }",
        &[],
        97,
        "shut",
    );
}

#[test]
fn an_error_ends_the_iteration_and_the_user_goes_on() {
    let script = r#"
        fn iteration() {
            if vu::iteration() % 2 == 0 { let x = 1 / 0; }
            http::get("/x");
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).iterations(10));
    assert_eq!(ran.errors(), [("test.rhai:3:53: division by zero: 1 / 0".to_owned(), 5)].into());
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.failed), (5, 5));
    assert_eq!((ran.requests(), server.total()), (5, 5));
}

#[test]
fn on_stop_runs_after_the_last_iteration_of_each_user() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.01); } fn on_stop() { http::get(\"/stop\"); sleep(5); http::get(\"/end\"); }";
    let ran = run(load_test(script).host(&server.url()).users(3).run_time(Duration::from_millis(200)));
    assert_eq!(
        (server.hits("/stop"), server.hits("/end"), ran.requests()),
        (3, 3, 6),
        "its pauses are skipped"
    );
}

#[test]
fn on_stop_runs_also_when_the_iteration_was_interrupted() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/never\"); } fn on_stop() { http::get(\"/stop\"); }";
    let test = load_test(script).host(&server.url()).users(2).run_time(Duration::from_millis(200));
    let ran = run(test.stop_timeout(Duration::from_millis(100))).without_errors();
    assert_eq!(server.hits("/stop"), 2);
    assert_eq!((ran.requests(), ran.snapshot().interrupted_requests), (2, 2));
    assert_eq!(ran.snapshot().iterations.interrupted, 2);
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
}

#[test]
fn a_sleep_is_cut_when_the_run_ends() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/before\"); sleep(3600); http::get(\"/after\"); } fn on_stop() { http::get(\"/stop\"); }";
    let ran = run(load_test(script).host(&server.url()).run_time(Duration::from_millis(200)));
    assert_eq!((server.hits("/before"), server.hits("/after"), server.hits("/stop")), (1, 0, 1));
    assert_eq!(ran.snapshot().iterations.interrupted, 1);
}

#[test]
fn the_last_of_the_iterations_are_finished_undisturbed() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.2); http::get(\"/done\"); }";
    let ran = run(load_test(script).host(&server.url()).users(5).iterations(5));
    assert_eq!((server.hits("/done"), ran.snapshot().iterations.completed), (5, 5));
    assert_eq!(*ran.report.ended_by(), EndedBy::Iterations);
}

#[test]
fn a_user_can_leave_and_the_run_ends_with_the_last() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); if vu::iteration() == 3 { vu::stop(); } }";
    let ran = run(load_test(script).host(&server.url()).users(4)).without_errors();
    assert_eq!((ran.requests(), server.total()), (12, 12));
    assert_eq!(*ran.report.ended_by(), EndedBy::UsersGone);
    assert!(ran.report.passed());
}

#[test]
fn stopping_during_setup_ends_the_run_without_load() {
    let server = Server::start();
    let script = "fn setup() { http::get(\"/never\"); } fn iteration() { http::get(\"/x\"); }";
    let test = load_test(script).host(&server.url());
    let report = block_on(async {
        let handle = test.start().await.unwrap();
        while server.hits("/never") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        handle.stop();
        handle.wait().await.unwrap()
    });
    assert_eq!(*report.ended_by(), EndedBy::Stopped);
    assert_eq!((server.total(), report.snapshot().total.requests), (1, 0));
    assert!(!report.passed());
}

#[test]
fn a_graceful_stop_lets_sleeping_iterations_finish_at_the_end_of_the_time() {
    let server = Server::start();
    let script =
        "fn iteration() { sleep(0.4); http::get(\"/done\"); } fn on_stop() { http::get(\"/stop\"); }";
    let test = || load_test(script).host(&server.url()).users(2).run_time(Duration::from_millis(150));
    let ran = run(test().graceful_stop(Duration::from_secs(20))).without_errors();
    let iterations = &ran.snapshot().iterations;
    assert_eq!((iterations.completed, iterations.interrupted, iterations.started), (2, 0, 2));
    assert_eq!((server.hits("/done"), server.hits("/stop")), (2, 2));
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
    // Without one, they end in their sleep.
    let ran = run(test()).without_errors();
    assert_eq!((ran.snapshot().iterations.interrupted, server.hits("/done")), (2, 2));
}

#[test]
fn what_has_not_ended_after_the_graceful_stop_is_cut_off() {
    let server = Server::start();
    let script = r#"
        scenario("short", #{ exec: "sleeps", graceful_stop: "100ms", fixed_count: 1 });
        scenario("long", #{ exec: "naps", graceful_stop: "20s", fixed_count: 1 });
        scenario("none", #{ exec: "waits", graceful_stop: 0, fixed_count: 1 });
        fn sleeps() { sleep(3600); http::get("/never"); }
        fn naps() { sleep(0.3); http::get("/done"); }
        fn waits() { http::get("/delay/60000"); }
        fn on_stop() { http::get("/stop"); }
    "#;
    let started = std::time::Instant::now();
    let test = load_test(script).host(&server.url()).users(3).run_time(Duration::from_millis(100));
    let ran = run(test).without_errors();
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.interrupted), (1, 2));
    assert_eq!((server.hits("/done"), server.hits("/stop")), (1, 3), "on_stop has a time of its own");
    assert!(started.elapsed() < Duration::from_secs(15), "nobody waits for the stop timeout");
}

#[test]
fn a_graceful_stop_is_for_every_kind_of_load_and_not_for_a_run_that_is_stopped() {
    let server = Server::start();
    let sleeps = "fn f() { sleep(0.4); http::get(\"/done\"); }";
    for (executor, done) in [
        ("executor: \"constant-vus\", vus: 2, duration: \"150ms\", graceful_stop: \"20s\"", 2),
        (
            "executor: \"per-vu-iterations\", vus: 2, iterations: 9, max_duration: \"150ms\", graceful_stop: \"20s\"",
            2,
        ),
        (
            "executor: \"shared-iterations\", vus: 2, iterations: 9, max_duration: \"150ms\", graceful_stop: \"20s\"",
            2,
        ),
        (
            "executor: \"ramping-vus\", start_vus: 2, graceful_ramp_down: \"20s\", stages: [#{ duration: \"150ms\", target: 0 }]",
            2,
        ),
        (
            "executor: \"ramping-vus\", start_vus: 2, graceful_stop: \"20s\", stages: [#{ duration: \"150ms\", target: 0 }]",
            2,
        ),
        // The last iterations of a rate finish anyway; here they are given less time than by default.
        ("executor: \"constant-arrival-rate\", rate: 10, duration: \"200ms\", graceful_stop: \"50ms\"", 0),
    ] {
        let before = server.hits("/done");
        let script = format!("scenario(\"s\", #{{ exec: \"f\", {executor} }}); {sleeps}");
        let ran = run(load_test(&script).host(&server.url())).without_errors();
        assert_eq!(server.hits("/done") - before, done, "{executor}: {:?}", ran.snapshot().iterations);
    }
    let script = "fn iteration() { sleep(3600); }";
    let test = load_test(script).graceful_stop(Duration::from_secs(3600)).run_time(Duration::from_secs(3600));
    let report = block_on(async {
        let handle = test.start().await.unwrap();
        let mut snapshots = handle.snapshots();
        while snapshots.borrow_and_update().users == 0 {
            snapshots.changed().await.unwrap();
        }
        handle.stop();
        handle.wait().await.unwrap()
    });
    assert_eq!(report.snapshot().iterations.interrupted, 1);
}
