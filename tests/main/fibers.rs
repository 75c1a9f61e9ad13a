//! Scripts on stacks of their own: what they must survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rhaid::LoadTest;

use crate::support::{Sandbox, Server, block_on, load_test, once, run};

/// Runs a script whose first iteration recurses without end; the second one has to work.
#[track_caller]
fn recurses(test: LoadTest) {
    let server = Server::start();
    let ran = run(test.host(&server.url()).iterations(2));
    let error = ran.only_error();
    assert!(error.contains("too deeply") && error.contains("endless recursion"), "{error}");
    assert_eq!(server.hits("/still-alive"), 1);
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.failed), (1, 1));
}

const BODY: &str = "fn iteration() { if vu::iteration() == 1 { f(0); } http::get(\"/still-alive\"); }\n";

#[test]
fn endless_recursion_is_a_script_error() {
    recurses(load_test(&format!("{BODY} fn f(n) {{ f(n + 1) + 1 }}")));
}

#[test]
fn endless_recursion_through_closures_of_host_functions_is_a_script_error() {
    recurses(load_test(&format!("{BODY} fn f(n) {{ group(\"g\", || f(n + 1)) }}")));
    recurses(load_test(&format!("{BODY} fn f(n) {{ check(n, #{{ \"c\": |v| f(v + 1) }}) }}")));
    recurses(load_test(&format!("{BODY} fn f(n) {{ http::get(\"/x\").expect(\"e\", |r| f(n + 1)) }}")));
    recurses(load_test(&format!("{BODY} fn f(n) {{ [1].map(|x| f(n + 1)) }}")));
}

#[test]
fn endless_recursion_through_expressions_is_a_script_error() {
    recurses(load_test(&format!(
        "{BODY} fn f(n) {{ [#{{ a: [1 + (2 * (if true {{ switch n {{ -1 => 0, _ => f(n + 1) }} }} else {{ 0 }}))] }}] }}"
    )));
}

#[test]
fn endless_recursion_through_an_imported_function_is_a_script_error() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", &format!("import \"lib\" as lib;\n{BODY} fn f(n) {{ lib::g(n, |n| n) }}"));
    sandbox.write("lib.rhai", "fn g(n, f) { g(n + 1, |n| g(f.call(n), f)) + 1 }");
    recurses(LoadTest::from_file(sandbox.path().join("main.rhai")).unwrap());
}

#[test]
fn deep_recursion_in_wait_functions_and_hooks_is_a_script_error() {
    let script = "wait(|| deep(0)); fn deep(n) { deep(n + 1) } fn iteration() {}";
    let ran = run(load_test(script).users(1).run_time(Duration::from_millis(300)));
    assert!(ran.only_error().contains("too deeply"), "{}", ran.only_error());
    let script = "fn on_stop() { deep(0); } fn deep(n) { deep(n + 1) } fn iteration() {}";
    assert!(once(&Server::start(), script).only_error().contains("too deeply"));
}

#[test]
fn endless_recursion_at_the_top_level_is_an_error_of_loading() {
    let test = load_test("fn f(n) { f(n + 1) + 1 } let x = f(0); fn iteration() {}");
    let Err(error) = test.prepare() else { panic!("it loads") };
    assert!(error.to_string().contains("too deeply"), "{error}");
}

#[test]
fn recursion_of_a_sane_depth_works() {
    let script = "fn sum(n) { if n == 0 { 0 } else { n + sum(n - 1) } } fn iteration() { print(sum(60)); }";
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["1830"]);
}

#[test]
fn an_endless_loop_is_stopped_and_told() {
    let server = Server::start();
    let script = "fn iteration() {\n  loop {}\n}\nfn on_stop() { http::get(\"/stop\"); }";
    let test = load_test(script).host(&server.url()).run_time(Duration::from_millis(300));
    let ran = run(test.stop_timeout(Duration::from_millis(200)));
    let error = ran.only_error();
    assert!(error.starts_with("test.rhai:1:") && error.contains("endless loop"), "{error}");
    assert_eq!(ran.snapshot().iterations.interrupted, 1);
    assert_eq!(server.hits("/stop"), 1);
}

#[test]
fn an_endless_loop_does_not_starve_the_other_users_of_its_thread() {
    let server = Server::start();
    let script = r#"
        scenario("greedy", #{ exec: "greedy", fixed_count: 2 });
        scenario("normal", #{ exec: "normal" });
        fn greedy() { let x = 0; while true { x += 1; } }
        fn normal() { http::get("/x"); }
    "#;
    let test = load_test(script).host(&server.url()).users(3).threads(1).run_time(Duration::from_secs(2));
    let ran = run(test.stop_timeout(Duration::from_millis(100)));
    // Two slices of half a millisecond between two polls: a thousand if the machine has nothing else to do.
    assert!(ran.requests() >= 50, "{} requests beside two endless loops", ran.requests());
    assert_eq!(ran.requests() + ran.snapshot().interrupted_requests, server.total());
}

#[test]
fn a_script_that_catches_everything_is_stopped_too() {
    for pause in ["sleep(0.01);", ""] {
        let script = format!("fn iteration() {{ loop {{ try {{ {pause} throw 1; }} catch {{}} }} }}");
        let test = load_test(&script).run_time(Duration::from_millis(200));
        let ran = run(test.stop_timeout(Duration::from_millis(100)));
        let iterations = &ran.snapshot().iterations;
        assert_eq!((iterations.interrupted, iterations.failed, iterations.completed), (1, 0, 0), "{pause:?}");
    }
}

#[test]
fn on_stop_that_does_not_end_is_stopped_too() {
    let script = "fn iteration() { sleep(0.01); } fn on_stop() { loop {} }";
    let test = load_test(script).run_time(Duration::from_millis(100));
    run(test.stop_timeout(Duration::from_millis(100)));
}

#[test]
fn a_panic_in_a_host_function_ends_that_iteration_only() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/before");
            if vu::iteration() == 2 { group("g", || explode()); }
            http::get("/after");
        }
    "#;
    let test = load_test(script)
        .with_engine(|engine| {
            engine
                .register_fn("explode", || -> i64 { std::panic::resume_unwind(Box::new("boom".to_owned())) });
        })
        .host(&server.url())
        .users(3)
        .iterations(9);
    let ran = run(test);
    let error = ran.only_error();
    assert!(error.contains("a host function panicked: boom"), "{error}");
    assert_eq!(ran.errors().values().sum::<u64>(), 3);
    assert_eq!((server.hits("/before"), server.hits("/after")), (9, 6));
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.failed), (6, 3));
}

#[test]
fn a_panic_while_the_script_is_loaded_is_an_error_of_loading() {
    let test = load_test("explode(); fn iteration() {}").with_engine(|engine| {
        engine.register_fn("explode", || -> i64 { std::panic::resume_unwind(Box::new("boom")) });
    });
    let Err(error) = test.prepare() else { panic!("it loads") };
    assert!(error.to_string().contains("panicked while the script was loaded"), "{error}");
}

/// Counts how many of it there are.
struct Guard(Arc<AtomicU64>);

impl Clone for Guard {
    fn clone(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(self.0.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn with_guards(script: &str) -> (LoadTest, Arc<AtomicU64>, Arc<AtomicU64>) {
    let (alive, made) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (a, m) = (alive.clone(), made.clone());
    let test = load_test(script).with_engine(move |engine| {
        let (a, m) = (a.clone(), m.clone());
        engine.register_type_with_name::<Guard>("Guard").register_fn("guard", move || {
            a.fetch_add(1, Ordering::SeqCst);
            m.fetch_add(1, Ordering::SeqCst);
            Guard(a.clone())
        });
    });
    (test, alive, made)
}

#[test]
fn a_script_that_is_stopped_while_it_waits_is_unwound() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let local = guard();
            let kept = [guard()];
            this.own = guard();
            group("g", || { let inner = guard(); http::get("/never"); print(kept); });
            print("never here");
        }
    "#;
    let (test, alive, made) = with_guards(script);
    let (report, alive_before) = block_on(async {
        let handle = test.host(&server.url()).users(4).threads(2).start().await.unwrap();
        while server.hits("/never") < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let alive_before = alive.load(Ordering::SeqCst);
        handle.stop();
        handle.stop();
        (handle.wait().await.unwrap(), alive_before)
    });
    assert!(alive_before >= 16, "{alive_before} of {}", made.load(Ordering::SeqCst));
    assert_eq!(alive.load(Ordering::SeqCst), 0, "every value of the four scripts is dropped");
    assert_eq!(report.snapshot().iterations.interrupted, 4);
    assert_eq!(report.snapshot().interrupted_requests, 4);
}

#[test]
fn values_are_dropped_when_a_run_ends_by_itself_or_a_host_function_panics() {
    let script = "fn iteration() { let local = guard(); this.own = guard(); if vu::id() == 2 { let x = [guard()]; explode(); } }";
    let (test, alive, made) = with_guards(script);
    let test = test.with_engine(|engine| {
        engine.register_fn("explode", || -> i64 { std::panic::resume_unwind(Box::new("boom")) });
    });
    run(test.users(3).iterations(30));
    assert!(made.load(Ordering::SeqCst) >= 60);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn imports_and_constants_of_the_top_level_are_there_in_every_call() {
    let sandbox = Sandbox::new();
    sandbox.write("lib.rhai", "fn twice(n) { n * 2 }");
    sandbox.write(
        "main.rhai",
        r#"
            import "lib" as lib;
            const BASE = 20;
            task("a"); task("b"); wait(|| lib::twice(0));
            fn setup() { lib::twice(BASE) }
            fn on_start() { this.n = lib::twice(BASE); }
            fn a() { sleep(0.01); check("a", lib::twice(BASE + 1) == 42 && this.n == 40); }
            fn b() { check("b", group("g", || lib::twice(BASE)) == 40 && vu::data() == 40); }
            fn on_stop() { print(lib::twice(1)); }
            fn teardown(data) { print(lib::twice(data)); }
        "#,
    );
    let test = LoadTest::from_file(sandbox.path().join("main.rhai")).unwrap();
    let ran = run(test.users(4).spawn_rate(1000.0).threads(2).iterations(40).seed(3)).without_errors();
    let (a, b) = (ran.check("a"), ran.check("b"));
    assert_eq!((a.0 + b.0, a.1 + b.1), (40, 0));
    assert!(a.0 > 0 && b.0 > 0);
    assert_eq!(ran.printed_sorted(), ["2", "2", "2", "2", "80"]);
}

#[test]
fn a_variable_that_a_suspended_script_holds_does_not_make_another_user_fail() {
    // `list` is shared between the function and its closures while they wait; `DATA` and setup's value are
    // read by everybody at all times.
    let script = r#"
        const DATA = #{ list: [1, 2, 3], text: "t" };
        fn setup() { #{ items: [1, 2, 3, 4] } }
        fn iteration() {
            let list = [];
            let add = |n| { list.push(n); http::get("/delay/2"); list.push(DATA.list[0] + vu::data().items[1]); };
            for n in DATA.list { group("g", || { add.call(n); sleep(0.001); list.push(0); }); }
            check("complete", list.len() == 9);
            this.list = list;
            group("this", || { this.list.push(1); sleep(0.001); this.list.push(2); });
            check("this", this.list.len() == 11);
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).users(12).threads(1).iterations(60)).without_errors();
    assert_eq!((ran.check("complete"), ran.check("this")), ((60, 0), (60, 0)));
}

#[test]
fn waiting_inside_a_method_on_a_shared_value_does_not_lock_the_user_out() {
    // The closure is called while the array it captures is being walked.
    let script = r#"
        fn iteration() {
            let seen = [];
            this.count = 0;
            [1, 2, 3].for_each(|| { sleep(0.001); });
            let doubled = [1, 2, 3].map(|x| { http::get("/x"); seen.push(x); x * 2 });
            print(`${doubled} ${seen}`);
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).users(5).iterations(5)).without_errors();
    assert!(ran.printed().iter().all(|line| *line == "[2, 4, 6] [1, 2, 3]"), "{:?}", ran.printed());
}

#[test]
fn a_thousand_users_can_wait_in_the_middle_of_an_iteration() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.3); http::get(\"/x\"); sleep(0.1); }";
    let ran =
        run(load_test(script).host(&server.url()).users(1000).threads(2).iterations(1000)).without_errors();
    assert_eq!((ran.requests(), server.total()), (1000, 1000));
    assert_eq!(ran.snapshot().users_max, 1000);
}
