//! What the top level declares: options, tasks, scenarios, and which setting wins.

use std::time::Duration;

use rhaid::plan::{Options, RunInfo};
use rhaid::{LoadTest, RunError};

use crate::support::{Server, load_test, once, run};

fn info(test: LoadTest) -> RunInfo {
    match test.prepare() {
        Ok(prepared) => prepared.info().clone(),
        Err(error) => panic!("{error}"),
    }
}

fn refused(script: &str) -> String {
    match load_test(script).prepare() {
        Ok(_) => panic!("this loads, and should not: {script}"),
        Err(error) => error.to_string(),
    }
}

const OPTIONS: &str = r#"
    options(#{ host: "http://127.0.0.1:1", users: 7, spawn_rate: 3.5, run_time: "1m30s", iterations: 11,
               stop_timeout: 2.5, seed: 99 });
    fn iteration() {}
"#;

#[test]
fn options_of_the_script_are_the_settings_of_the_run() {
    let info = info(LoadTest::from_text("a/shop.rhai", OPTIONS));
    assert_eq!(info.name, "shop");
    assert_eq!(info.host.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!((info.users, info.spawn_rate, info.iterations, info.seed), (7, 3.5, Some(11), 99));
    assert_eq!(info.run_time, Some(Duration::from_secs(90)));
    assert_eq!(info.stop_timeout, Duration::from_millis(2500));
}

#[test]
fn the_caller_wins_over_the_script_and_the_script_over_defaults() {
    let lower = Options { users: Some(1), stop_timeout: Some(Duration::from_secs(9)), ..Options::default() };
    let info = info(
        LoadTest::from_text("a.rhai", "options(#{ users: 7, spawn_rate: 2 }); fn iteration() {}")
            .host("http://127.0.0.1:1")
            .users(20)
            .defaults(lower),
    );
    assert_eq!(info.users, 20, "set by the caller");
    assert_eq!(info.spawn_rate, 2.0, "set by the script");
    assert_eq!(info.stop_timeout, Duration::from_secs(9), "set by nobody but the defaults");
}

#[test]
fn of_two_calls_of_options_the_later_one_wins_key_by_key() {
    let info = info(LoadTest::from_text(
        "a.rhai",
        "options(#{ users: 7, iterations: 5 }); options(#{ users: 8 }); fn iteration() {}",
    ));
    assert_eq!((info.users, info.iterations), (8, Some(5)));
}

#[test]
fn unknown_keys_are_told_with_what_was_meant() {
    let check = |script: &str, parts: &[&str]| {
        let error = refused(script);
        for part in parts {
            assert!(error.contains(part), "{script}: no {part:?} in\n{error}");
        }
    };
    check("options(#{ usrs: 3 }); fn iteration() {}", &["test.rhai:1:1", "'usrs'", "did you mean 'users'"]);
    check("options(#{ http: #{ time_out: 3 } }); fn iteration() {}", &["options.http", "'timeout'"]);
    check(
        "scenario(\"a\", #{ exce: \"f\" }); fn f() {}",
        &["test.rhai:1:1", "scenario 'a'", "did you mean 'exec'"],
    );
    check("fn iteration() {}\nparam(\"a\", 1, #{ hlep: \"x\" });", &["test.rhai:2:1", "did you mean 'help'"]);
}

#[test]
fn values_of_the_wrong_kind_are_told_with_what_was_expected() {
    let check = |script: &str, part: &str| {
        let error = refused(&format!("{script}; fn iteration() {{}} fn f() {{}}"));
        assert!(error.contains(part), "{script}: no {part:?} in\n{error}");
    };
    check("options(#{ users: \"many\" })", "options.users must be a whole number, not the string \"many\"");
    check("options(#{ users: -1 })", "must not be negative");
    check("options(#{ run_time: \"5 parsecs\" })", "'5 parsecs' is not a duration");
    check("options(#{ tags: 5 })", "must be a map");
    check("task(\"f\", -2)", "the weight of task 'f' is -2");
    check("wait(\"soon\")", "wait");
    check("wait(between(3, 1))", "the first must not be larger");
    check("wait(constant_throughput(0))", "must be above 0");
    check("scenario(\"a\", #{ exec: \"f\", tasks: [\"f\"] })", "both exec and tasks");
    check("scenario(\"a\", #{})", "has no tasks");
    check("scenario(\"a\", #{ exec: \"f\" }); scenario(\"a\", #{ exec: \"f\" })", "declared twice");
    check("scenario(\"a\", #{ exec: \"f\", weight: -1 })", "must be 0 or more");
}

#[test]
fn all_settings_that_cannot_be_are_told_at_once() {
    let error =
        refused("options(#{ users: 0, spawn_rate: 0, run_time: 0, iterations: 0 }); fn iteration() {}");
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(error.contains("users is 0"), "{error}");
}

#[test]
fn a_host_that_is_no_url_is_refused_before_the_run() {
    let test = load_test("fn iteration() {}").host("::nowhere::");
    let Err(RunError::Host(error)) = test.prepare() else { panic!("it is accepted") };
    assert!(error.contains("'::nowhere::'") && error.contains("http://"), "{error}");
}

#[test]
fn a_script_that_declares_nothing_to_run_says_what_to_write() {
    let error = refused("const A = 1; fn other() {}");
    assert!(error.contains("fn iteration()") && error.contains("task("), "{error}");
}

#[test]
fn declaring_inside_a_function_is_an_error() {
    let ran = run(load_test(r#"fn iteration() { task("iteration"); }"#).iterations(1));
    assert_eq!(
        ran.only_error(),
        "test.rhai:1:18: task declares: call it at the top level of the script, not in a function"
    );
}

#[test]
fn requests_at_the_top_level_are_refused() {
    let error = refused("http::get(\"http://127.0.0.1:1/\"); fn iteration() {}");
    assert!(error.contains("test.rhai:1:7: http") && error.contains("at the top level"), "{error}");
}

#[test]
fn iteration_is_the_one_task_when_nothing_is_declared() {
    let server = Server::start();
    let ran = run(load_test("fn iteration() { http::get(\"/a\"); }").host(&server.url()).iterations(3));
    assert_eq!((ran.requests(), server.hits("/a")), (3, 3));
    assert_eq!(ran.report.info().scenarios, [("default".to_owned(), 1)]);
}

#[test]
fn iteration_is_not_run_when_tasks_are_declared() {
    let server = Server::start();
    let script = "task(\"a\"); fn a() { http::get(\"/a\"); } fn iteration() { http::get(\"/iteration\"); }";
    run(load_test(script).host(&server.url()).iterations(5));
    assert_eq!((server.hits("/a"), server.hits("/iteration")), (5, 0));
}

#[test]
fn tasks_can_be_named_by_text_or_by_function() {
    let ran = once(&Server::start(), "task(Fn(\"a\")); fn a() { print(\"ran\"); }").without_errors();
    assert_eq!(ran.printed(), ["ran"]);
}

#[test]
fn tasks_are_picked_by_weight() {
    let script = r#"
        task("often", 8); task("seldom"); task("never", 0); task("seldom");
        fn often() { http::get("/often"); }
        fn seldom() { http::get("/seldom"); }
        fn never() { http::get("/never-called"); }
    "#;
    let server = Server::start();
    run(load_test(script).host(&server.url()).iterations(1000)).without_errors();
    let (often, seldom) = (server.hits("/often"), server.hits("/seldom"));
    assert_eq!((often + seldom, server.hits("/never-called")), (1000, 0));
    // 800 expected; the standard deviation is 13, and the seed is fixed.
    assert!((740..=860).contains(&often), "{often} of 1000");
}

#[test]
fn one_seed_makes_one_sequence_of_tasks() {
    let script = r#"
        task("a", 2); task("b"); task("c");
        fn a() { http::get("/a"); } fn b() { http::get("/b"); } fn c() { http::get("/c"); }
    "#;
    let sequence = |seed| {
        let server = Server::start();
        run(load_test(script).host(&server.url()).iterations(60).seed(seed));
        server.seen().into_iter().map(|seen| seen.path).collect::<String>()
    };
    let first = sequence(5);
    assert_eq!(first, sequence(5));
    assert_ne!(first, sequence(6));
}

const SCENARIOS: &str = r#"
    options(#{ tags: #{ team: "web", kind: "any" } });
    scenario("buyers", #{ tasks: #{ buy: 1, look: 3 }, weight: 3, wait: constant(0.01), on_start: "enter",
                          on_stop: "leave", tags: #{ kind: "buyer" } });
    scenario("admins", #{ exec: "administer", fixed_count: 2 });
    fn on_start() { http::get("/default-start"); }
    fn enter() { http::get("/enter"); }
    fn leave() { http::get("/leave"); }
    fn buy() { http::get("/buy"); }
    fn look() { http::get("/look"); }
    fn administer() { http::get("/administer"); sleep(0.01); }
"#;

#[test]
fn scenarios_have_their_own_tasks_hooks_tags_and_users() {
    let server = Server::start();
    let test = load_test(SCENARIOS).host(&server.url()).users(5).run_time(Duration::from_millis(700));
    let ran = run(test.threads(2)).without_errors();
    assert_eq!(ran.report.info().scenarios, [("buyers".to_owned(), 3), ("admins".to_owned(), 2)]);
    assert_eq!((server.hits("/enter"), server.hits("/leave")), (3, 3));
    assert_eq!(server.hits("/default-start"), 2, "admins have no on_start of their own");
    assert!(server.hits("/look") > server.hits("/buy") && server.hits("/buy") > 0);
    assert!(server.hits("/administer") > 0);

    let snapshot = ran.snapshot();
    let of = |name: &str| snapshot.scenarios.iter().find(|scenario| &*scenario.name == name).unwrap();
    let buyers = 6 + server.hits("/buy") + server.hits("/look");
    assert_eq!(of("buyers").requests.requests, buyers);
    assert_eq!(of("admins").requests.requests, server.total() - buyers);
    let tagged = |key: &str, value: &str| {
        let mut tags = snapshot.tags.iter();
        tags.find(|tag| *tag.key == *key && *tag.value == *value).map_or(0, |tag| tag.requests.requests)
    };
    assert_eq!(tagged("kind", "buyer"), buyers, "a scenario's tag replaces the run's");
    assert_eq!(tagged("kind", "any"), server.total() - buyers);
    assert_eq!(tagged("team", "web"), server.total());
}

#[test]
fn a_scenario_has_a_host_of_its_own_unless_the_run_has_one() {
    let (own, other) = (Server::start(), Server::start());
    let script =
        format!(r#"scenario("own", #{{ exec: "f", host: "{}" }}); fn f() {{ http::get("/x"); }}"#, own.url());
    run(load_test(&script).iterations(2));
    assert_eq!((own.total(), other.total()), (2, 0));
    run(load_test(&script).host(&other.url()).iterations(3));
    assert_eq!((own.total(), other.total()), (2, 3));
}

#[test]
fn a_scenario_can_list_tasks_without_weights() {
    let server = Server::start();
    let script =
        r#"scenario("s", #{ tasks: ["a", "b"] }); fn a() { http::get("/a"); } fn b() { http::get("/b"); }"#;
    run(load_test(script).host(&server.url()).iterations(100));
    assert_eq!(server.hits("/a") + server.hits("/b"), 100);
    assert!((20..=80).contains(&server.hits("/a")), "{}", server.hits("/a"));
}

#[test]
fn a_selected_scenario_runs_alone() {
    let server = Server::start();
    let only = Options { scenarios: vec!["admins".to_owned()], ..Options::default() };
    run(load_test(SCENARIOS).options(only).host(&server.url()).users(5).iterations(10));
    assert_eq!(server.hits("/administer"), 10);
    assert_eq!(server.total(), 10 + server.hits("/default-start"), "nothing of the other scenario");
    let none = Options { scenarios: vec!["admin".to_owned()], ..Options::default() };
    let Err(error) = load_test(SCENARIOS).options(none).host(&server.url()).prepare() else { panic!() };
    assert!(error.to_string().contains("it has: buyers, admins"), "{error}");
}

#[test]
fn variables_of_the_top_level_are_readable_everywhere() {
    let script = r#"
        const LIMIT = 3;
        let words = ["a", "b"];
        let computed = words.len() + LIMIT;
        const NESTED = #{ deep: #{ x: 1.5 } };
        fn helper() { LIMIT * 2 }
        fn iteration() {
            let local = 10;
            print(`${LIMIT} ${words} ${computed} ${NESTED.deep.x} ${helper()} ${words[1]}`);
            group("g", || print(LIMIT + local));
            check(1, #{ "closure": |v| v + LIMIT == 4 });
            let LIMIT = 99;
            print(LIMIT);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["3 [\"a\", \"b\"] 5 1.5 6 b", "13", "99"]);
    assert_eq!(ran.check("closure"), (1, 0));
}

#[test]
fn writing_to_a_variable_of_the_top_level_is_a_clear_error() {
    for (write, column) in [("total = 1", 1), ("total += 1", 1), ("FIXED = 2", 1), ("list = []", 1)] {
        let script =
            format!("let total = 0; const FIXED = 1; let list = [1];\nfn iteration() {{\n{write};\n}}");
        let error = once(&Server::start(), &script).only_error();
        let name = write.split(' ').next().unwrap();
        assert!(
            error.starts_with(&format!("test.rhai:3:{column}: cannot write to '{name}'")),
            "{write}: {error}"
        );
        assert!(error.contains("read-only") && error.contains("this"), "it says what to do: {error}");
    }
}

#[test]
fn changing_what_a_variable_of_the_top_level_holds_is_an_error_too() {
    for change in ["list.push(2)", "list[0] = 7", "map.a = 5", "map.inner.b = 5", "list += 3"] {
        let script = format!(
            "let list = [1]; let map = #{{ a: 1, inner: #{{ b: 2 }} }};\nfn iteration() {{ {change}; print(list); }}"
        );
        let ran = once(&Server::start(), &script);
        assert_eq!(ran.printed(), [""; 0], "{change} goes unnoticed");
        let error = ran.only_error();
        assert!(error.starts_with("test.rhai:2:"), "{change}: {error}");
        assert!(error.contains("read-only") || error.contains("cannot write"), "{change}: {error}");
    }
}

#[test]
fn what_the_top_level_draws_at_random_is_the_same_on_every_thread() {
    let script = r#"
        const DRAWN = random::uuid();
        let number = random::int(1, 1000000);
        let words = [random::string(10), random::float(0, 1)];
        fn iteration() { print(`${DRAWN} ${number} ${words}`); sleep(0.05); }
    "#;
    let drawn = |seed| {
        let ran = run(load_test(script).users(8).threads(4).iterations(8).seed(seed)).without_errors();
        let mut printed: Vec<String> = ran.printed().into_iter().map(str::to_owned).collect();
        assert_eq!(printed.len(), 8);
        printed.dedup();
        assert_eq!(printed.len(), 1, "{printed:#?}");
        printed.remove(0)
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn a_seed_that_the_script_sets_itself_decides_what_its_top_level_draws() {
    let script = "options(#{ seed: 77 }); const DRAWN = random::uuid(); fn iteration() { print(DRAWN); }";
    let drawn = || {
        let test = LoadTest::from_text("a.rhai", script).iterations(1);
        run(test).printed().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(drawn(), drawn());
}

#[test]
fn what_is_printed_says_which_user_and_iteration_it_is_from() {
    let script = r#"
        print("at the top");
        fn on_start() { print("starting"); }
        fn iteration() { print("now"); debug(3); if vu::iteration() == 2 { vu::stop(); } }
    "#;
    let ran = run(load_test(script).users(2).threads(2));
    let from = |text: &str| {
        let of_text = ran.messages.iter().filter(|message| message.text == text);
        let mut from: Vec<_> = of_text.map(|message| message.from).collect();
        from.sort_unstable();
        from
    };
    assert_eq!(from("at the top"), [None], "once, although each thread loads the script");
    assert_eq!(from("starting"), [Some((1, 0)), Some((2, 0))]);
    assert_eq!(from("now"), [Some((1, 1)), Some((1, 2)), Some((2, 1)), Some((2, 2))]);
    let debug = ran.messages.iter().find(|message| message.level == rhaid::Level::Debug).unwrap();
    assert!(debug.text.contains(":4") && debug.text.ends_with('3'), "{}", debug.text);
}
