//! Values, pages and calls without end, from a script or from the network: a script error, and the run goes on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rhaid::LoadTest;
use rhaid::rhai::{Array, Dynamic, Engine, FnPtr, Map};

use crate::support::{Sandbox, Server, block_on, load_test, once, run};

/// Far more levels than fit on any stack that is not made for them.
const LEVELS: i64 = 200_000;

fn nested(levels: i64, level: impl Fn(i64, Dynamic) -> Dynamic) -> Dynamic {
    (0..levels).fold(Dynamic::from(1_i64), |inner, at| level(at, inner))
}

fn array(inner: Dynamic) -> Dynamic {
    Dynamic::from_array(Array::from([inner]))
}

fn map(inner: Dynamic) -> Dynamic {
    Dynamic::from_map(Map::from([("a".into(), inner)]))
}

fn curried(inner: Dynamic) -> Dynamic {
    let mut function = FnPtr::new("f").unwrap();
    function.add_curry(inner);
    Dynamic::from(function)
}

/// Scripts can make deep values only slowly in a build without optimisation.
fn deep_values(engine: &mut Engine) {
    engine
        .register_fn("arrays", |levels: i64| nested(levels, |_, inner| array(inner)))
        .register_fn("maps", |levels: i64| nested(levels, |_, inner| map(inner)))
        .register_fn("functions", |levels: i64| nested(levels, |_, inner| curried(inner)))
        .register_fn("mixed", |levels: i64| {
            nested(levels, |at, inner| if at % 2 == 0 { array(inner) } else { map(inner) })
        });
}

/// Runs two iterations, of which the first meets a value that is nested too deeply.
#[track_caller]
fn ends_the_iteration_only(first: &str) {
    let server = Server::start();
    let script = format!(
        "fn f(x) {{ x }} fn iteration() {{ if vu::iteration() == 1 {{ {first} }} http::get(\"/still-alive\"); }}"
    );
    let ran = run(load_test(&script).with_engine(deep_values).host(&server.url()).iterations(2));
    let error = ran.only_error();
    assert!(error.starts_with("test.rhai:1:") && error.contains("nested too deeply"), "{first}: {error}");
    let iterations = &ran.snapshot().iterations;
    assert_eq!((iterations.completed, iterations.failed), (1, 1), "{first}");
    assert_eq!(server.hits("/still-alive"), 1, "{first}");
}

#[test]
fn a_value_nested_too_deeply_ends_the_iteration_and_not_the_process() {
    for kind in ["arrays", "maps", "functions", "mixed"] {
        ends_the_iteration_only(&format!("let x = {kind}({LEVELS}); let y = x; print(1);"));
    }
}

#[test]
fn whatever_is_done_with_a_value_nested_too_deeply_is_survived() {
    for what in [
        "print(arrays(200000)); print(1);",
        "debug(maps(200000)); print(1);",
        "let x = arrays(200000); print(x == x);",
        "let x = maps(200000); let s = x.to_json(); print(1);",
        "let x = mixed(200000).to_string(); print(1);",
        "http::post(\"/x\", #{ json: mixed(200000) }); print(1);",
        "throw arrays(200000);",
        "let x = arrays(200000); let g = || x; g.call(); print(1);",
        "this.last = #{ prev: maps(200000) }; print(1);",
        "store::set(\"x\", arrays(200000)); print(1);",
    ] {
        let server = Server::start();
        let script = format!("fn iteration() {{ {what} }} fn on_stop() {{ http::get(\"/stopped\"); }}");
        let ran = run(load_test(&script).with_engine(deep_values).host(&server.url()).iterations(2));
        assert_eq!(ran.snapshot().iterations.failed, 2, "{what}");
        assert_eq!(server.hits("/stopped"), 1, "{what}");
    }
}

#[test]
fn a_state_that_gets_deeper_with_each_iteration_is_dropped_in_the_end() {
    let script = "fn iteration() { this.last = maps(20000); }";
    run(load_test(script).with_engine(deep_values).users(2).iterations(4));
    // Innocent: one level an iteration.
    let script = "fn iteration() { for i in 0..20 { this.last = #{ prev: this.last }; } }";
    run(load_test(script).iterations(20)).without_errors();
}

#[test]
fn a_recursion_of_native_code_without_end_starts_the_user_afresh() {
    fn forever(engine: &mut Engine) {
        fn recurse(n: i64) -> i64 {
            let frame = std::hint::black_box([n; 4096]);
            if n < 0 { 0 } else { recurse(n + 1) + frame[7] }
        }
        engine.register_fn("forever", || recurse(1));
    }
    let server = Server::start();
    let script = "fn on_start() { http::get(\"/start\"); }
        fn iteration() {
            if vu::iteration() == 2 { this.state = 1; forever(); }
            if vu::iteration() == 3 { check(\"fresh\", this.state == ()); }
            http::get(\"/x\");
        }";
    let ran = run(load_test(script).with_engine(forever).host(&server.url()).iterations(4));
    assert!(ran.only_error().contains("nested too deeply"), "{}", ran.only_error());
    assert_eq!((server.hits("/start"), server.hits("/x")), (2, 3));
    assert_eq!(ran.check("fresh"), (1, 0));
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.failed), (3, 1));
}

#[test]
fn what_crosses_threads_is_not_nested_deeply() {
    let test = |script: &str| run(load_test(script).with_engine(deep_values).iterations(1));
    let ran = test("fn iteration() { store::set(\"x\", arrays(300)); }");
    assert!(ran.only_error().contains("nested more than 200 levels"), "{}", ran.only_error());
    test("fn iteration() { store::set(\"x\", arrays(150)); print(store::get(\"x\")); }").without_errors();
    let ran = test("fn setup() { this.x = maps(200000); mixed(200000) } fn iteration() {}");
    assert_eq!(ran.snapshot().iterations.completed, 0);
}

#[test]
fn a_script_that_nests_without_end_at_its_top_level_does_not_load() {
    for script in ["let x = arrays(200000); fn iteration() {}", "maps(200000); print(1); fn iteration() {}"] {
        let Err(error) = load_test(script).with_engine(deep_values).prepare() else {
            panic!("{script} loads")
        };
        assert!(error.to_string().contains("nested too deeply"), "{error}");
    }
}

/// A server that answers one connection with this body.
fn serves(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
    });
    url
}

/// What a script gets that does something with a response.
fn error_with(body: String, what: &str) -> String {
    let script = format!("fn iteration() {{ let r = http::get(\"/\"); {what} }}");
    run(load_test(&script).host(&serves(body)).iterations(1)).only_error()
}

#[test]
fn json_from_the_network_nested_without_end_is_a_script_error() {
    for levels in [1_000, 20_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let body = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            for what in ["print(r.json());", "print(r.json(\"a[0]\"));", "print(parse_json(r.body));"] {
                let error = error_with(body.clone(), what);
                assert!(error.contains("recursion limit") || error.contains("complexity"), "{what}: {error}");
            }
        }
    }
}

#[test]
fn a_page_nested_without_end_is_a_script_error() {
    for levels in [2_000, 20_000, 1_000_000] {
        for (tag, selector) in
            [("<div>", "div:has(span)"), ("<ul><li>", "li"), ("<table><td>", "table:has(b)")]
        {
            let error = error_with(tag.repeat(levels), &format!("r.css(\"{selector}\");"));
            assert!(error.contains("nests its elements more than 1000 deep"), "{error}");
        }
    }
}

#[test]
fn numbers_at_the_edge_are_errors_and_the_run_ends() {
    for (script, expected) in [
        ("fn iteration() { sleep(9223372036854775807); }", "the maximum is a year"),
        ("fn iteration() { sleep(1e300); }", "the maximum is a year"),
        ("wait(|| 9223372036854775807); fn iteration() {}", "from 0 to a year"),
        ("wait(|| 1e308); fn iteration() {}", "from 0 to a year"),
        ("fn iteration() { http::get(\"/x\", #{ timeout: 1e18 }); }", "the maximum is a year"),
    ] {
        let test = load_test(script).host("http://127.0.0.1:1").run_time(Duration::from_millis(300));
        let ran = run(test.stop_timeout(Duration::from_millis(100)));
        assert!(ran.only_error().contains(expected), "{script}: {}", ran.only_error());
    }
    for (script, expected) in [
        ("wait(constant_throughput(1e-320)); fn iteration() {}", "the minimum is one a year"),
        ("wait(poisson(1e-320)); fn iteration() {}", "the minimum is one a year"),
        ("wait(constant_pacing(1e300)); fn iteration() {}", "the maximum is a year"),
        ("scenario(\"a\", #{ exec: \"f\", weight: 1e308 }); fn f() {}", "the maximum is 1000000000"),
    ] {
        let Err(error) = load_test(script).prepare() else { panic!("{script} loads") };
        assert!(error.to_string().contains(expected), "{script}: {error}");
    }
    let script = "fn iteration() {
        let x = random::float(-1.7e308, 1.7e308);
        check(\"between\", x >= -1.7e308 && x <= 1.7e308);
        check(\"drawn\", [\"a\", \"b\"].contains(random::weighted(#{ a: 1e308, b: 1.7e308 })));
    }";
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!((ran.check("between"), ran.check("drawn")), ((1, 0), (1, 0)));
}

#[test]
fn a_shape_has_the_limits_of_the_flags() {
    for answer in ["users: 1e18", "rate: 1e18", "users: 1, spawn_rate: 1e300"] {
        let script =
            format!("options(#{{ shape: \"s\" }}); fn s(t) {{ #{{ {answer} }} }} fn iteration() {{}}");
        let Err(error) = block_on(load_test(&script).run()) else { panic!("{answer} is run") };
        assert!(error.to_string().contains("the maximum is"), "{answer}: {error}");
    }
}

#[test]
fn setup_and_listeners_to_the_start_have_a_time_limit() {
    for script in [
        "options(#{ setup_timeout: 0.2 }); fn setup() { loop {} } fn iteration() {}",
        "options(#{ setup_timeout: 0.2 }); fn setup() { sleep(100); } fn iteration() {}",
        "options(#{ setup_timeout: 0.2 }); on(\"test_start\", |e| { sleep(100) }); fn iteration() {}",
    ] {
        let ran = run(load_test(script).iterations(1));
        assert_eq!(ran.snapshot().iterations.completed, 0, "{script}");
        let ended = format!("{:?}", ran.report.ended_by());
        assert!(ended.contains("setup_timeout"), "{script}: {ended}");
    }
}

#[test]
fn a_script_that_fills_the_memory_gets_an_error_and_the_next_iteration_runs() {
    let sandbox = Sandbox::with(
        "fn iteration() {
            print(`iteration ${vu::iteration()}, state ${this.list == ()}`);
            if vu::iteration() == 1 { this.list = []; loop { let s = \"\"; s.pad(100000000, 'x'); this.list.push(s); } }
        }",
    );
    let output = sandbox.run(&["run", "test.rhai", "-i", "2", "--threads", "1"]);
    output.expect_stderr(&["took more than 1 GB of memory", "iteration 2, state true"]);
}

#[test]
fn a_large_array_is_not_counted_anew_at_each_call() {
    // With Rhai's own limits this takes minutes.
    let sandbox = Sandbox::with(
        "fn iteration() { this.rows = []; for i in 0..100000 { this.rows.push(#{ id: i }); } print(this.rows.len); }",
    );
    sandbox.run(&["run", "test.rhai", "-i", "1", "--threads", "1"]).expect_stderr(&["100000"]);
}

#[test]
fn too_many_functions_are_refused_at_once() {
    let script: String = (0..10_100).map(|n| format!("fn f{n}() {{}}\n")).collect();
    let problems = LoadTest::from_text("test.rhai", &script).find_problems().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
}

/// The parser compares each attribute of an element with all before it.
#[test]
fn an_element_with_too_many_attributes_is_a_script_error() {
    let script = r#"fn iteration() { http::get("/page/attributes").css("p"); }"#;
    let error = once(&Server::start(), script).only_error();
    assert!(error.contains("an element of the page has more than 1000 attributes"), "{error}");
}
