//! Which task comes next: sequences, Markov chains, tags, waits of tasks, and what declarations refuse.

use std::time::Duration;

use rhaid::plan::Options;
use rhaid::{Level, RunError};

use crate::support::{Sandbox, Server, load_test, once, run, try_run};

/// Functions `a` to `d` that print their name.
const FUNCTIONS: &str = "fn a() { print(\"a\"); } fn b() { print(\"b\"); } fn c() { print(\"c\"); } \
                         fn d() { print(\"d\"); }";

fn refused(declarations: &str) -> String {
    match load_test(&format!("{declarations}\n{FUNCTIONS}")).prepare() {
        Ok(_) => panic!("this loads, and should not: {declarations}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn order(declarations: &str, iterations: u64) -> String {
    run(load_test(&format!("{declarations}\n{FUNCTIONS}")).iterations(iterations))
        .without_errors()
        .printed()
        .concat()
}

#[test]
fn a_sequence_runs_in_order_forever() {
    assert_eq!(
        order("scenario(\"s\", #{ tasks: [\"c\", \"a\", \"b\", \"a\"], sequence: true });", 9),
        "cabacabac"
    );
}

#[test]
fn every_user_has_its_own_place_in_a_sequence() {
    let script = r#"
        scenario("s", #{ tasks: ["first", "second"], sequence: true });
        fn first() { this.steps = if "steps" in this { this.steps } else { 0 } + 1; sleep(0.001); }
        fn second() { if this.steps != vu::iteration() - 1 { throw "out of step"; } this.steps += 1; }
    "#;
    let ran = run(load_test(script).users(7).threads(2).iterations(200)).without_errors();
    assert_eq!(ran.snapshot().iterations.completed, 200);
}

#[test]
fn a_step_that_fails_ends_its_pass() {
    let script = r#"
        scenario("s", #{ tasks: ["a", "b", "c"], sequence: true });
        fn a() { print("a"); }
        fn b() { print("b"); if vu::iteration() == 2 { fail("no"); } }
        fn c() { print("c"); }
    "#;
    assert_eq!(run(load_test(script).iterations(6)).printed().concat(), "ababca");
}

#[test]
fn a_chain_follows_its_transitions() {
    let chain = "scenario(\"s\", #{ tasks: [\"a\", \"b\", \"c\"], \
                 transitions: #{ a: #{ b: 3, c: 1 }, b: \"a\", c: [\"a\"] } });";
    let ran = order(chain, 401);
    assert!(ran.starts_with('a') && ran.bytes().step_by(2).all(|task| task == b'a'), "{ran}");
    let share = ran.matches('b').count();
    // 150 of 200 expected; the standard deviation is 6.
    assert!((125..175).contains(&share), "{share} of 200");
}

#[test]
fn a_chain_begins_at_exec_or_start() {
    let transitions = "transitions: #{ a: \"b\", b: \"c\", c: \"a\" }";
    assert_eq!(order(&format!("scenario(\"s\", #{{ exec: \"c\", {transitions} }});"), 4), "cabc");
    assert_eq!(order(&format!("scenario(\"s\", #{{ start: \"b\", {transitions} }});"), 4), "bcab");
}

#[test]
fn mistakes_in_a_chain_are_found_at_load() {
    let check = |keys: &str, part: &str| {
        let error = refused(&format!("scenario(\"s\", #{{ {keys} }});"));
        assert!(error.contains("test.rhai:1:1") && error.contains(part), "{keys}: no {part:?} in\n{error}");
    };
    check("tasks: [\"a\", \"b\"], transitions: #{ a: \"b\" }", "task 'b' has no transition");
    check(
        "tasks: [\"a\", \"b\"], transitions: #{ a: \"bb\", b: \"a\" }",
        "'bb', which is not one of its tasks",
    );
    check("tasks: [\"a\"], transitions: #{ a: \"a\", d: \"a\" }", "transitions names 'd'");
    check("tasks: [\"a\"], transitions: #{ a: #{ a: 0 } }", "has no target with a weight above 0");
    check("transitions: #{ a: \"a\" }", "add start: \"function\"");
    check("tasks: #{ a: 2 }, start: \"a\", transitions: #{ a: \"a\" }", "task 'a' has a weight");
    check("tasks: [\"a\"], start: \"c\", transitions: #{ a: \"a\" }", "start names 'c'");
    check("tasks: [\"a\"], start: \"a\"", "needs transitions");
    check("tasks: [\"a\"], sequence: true, transitions: #{ a: \"a\" }", "both sequence and transitions");
    check("tasks: #{ a: 1 }, sequence: true", "a map has no order");
    check("tasks: #{ a: #{ weigth: 1 } }", "did you mean 'weight'");
    check("tasks: #{ a: #{ tags: 5 } }", "an array of words");
    check("tasks: [\"a\"], sequense: true", "did you mean 'sequence'");
    check("tasks: #{ a: #{ tags: \"x\" } }, start: \"a\", transitions: #{ a: \"a\" }", "tags");
    assert!(refused("task(\"a\", 1, #{ wiat: 1 });").contains("did you mean 'wait'"));
}

#[test]
fn a_task_that_no_transition_leads_to_is_a_warning() {
    let script = "scenario(\"s\", #{ tasks: [\"a\", \"b\"], transitions: #{ a: \"a\", b: \"a\" } });";
    let ran = run(load_test(&format!("{script}\n{FUNCTIONS}")).iterations(1));
    let warnings: Vec<_> = ran.messages.iter().filter(|message| message.level == Level::Warning).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("task 'b' never runs"), "{}", warnings[0].text);
}

#[test]
fn a_task_has_the_wait_it_declares() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ tasks: ["a", "b"], sequence: true });
        fn a() { http::get("/a"); }
        fn b() { http::get("/b"); }
    "#;
    let with = |map: &str| script.replace("tasks: [\"a\", \"b\"], sequence: true", map);
    let chain = "start: \"a\", transitions: #{ a: \"b\", b: \"a\" }, wait: constant(0.01)";
    let script = with(&format!("tasks: #{{ a: #{{ wait: constant(0.2) }}, b: #{{}} }}, {chain}"));
    run(load_test(&script).host(&server.url()).iterations(4)).without_errors();
    let at: Vec<_> = server.seen().iter().map(|seen| seen.at).collect();
    assert!(at[1] - at[0] >= Duration::from_millis(199), "after a: {:?}", at[1] - at[0]);
    assert!(at[2] - at[1] < Duration::from_millis(150), "after b: {:?}", at[2] - at[1]);
    assert!(at[3] - at[2] >= Duration::from_millis(199), "after a again: {:?}", at[3] - at[2]);
}

#[test]
fn the_wait_of_a_task_can_be_a_function_and_is_what_think_waits() {
    let server = Server::start();
    let script = r#"
        wait(constant(60));
        task("a", 1, #{ wait: || { print("asked"); 0.05 } });
        fn a() { http::get("/a"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(2)).without_errors();
    assert_eq!(ran.printed(), ["asked", "asked"]);
    let script =
        "task(\"a\", #{ wait: 0.1 }); wait(60); fn a() { http::get(\"/x\"); think(); http::get(\"/y\"); }";
    run(load_test(script).host(&server.url()).iterations(1)).without_errors();
    let (x, y) = (server.seen()[2].at, server.seen()[3].at);
    assert!(y - x >= Duration::from_millis(99) && y - x < Duration::from_secs(30), "{:?}", y - x);
}

const TAGGED: &str = r#"
    task("a", 1, #{ tags: ["read"] });
    task("b", #{ tags: ["read", "slow"], weight: 1 });
    task("c");
    scenario("writers", #{ tasks: #{ d: #{ weight: 1, tags: "write" } } });
"#;

fn tagged(include: &[&str], exclude: &[&str]) -> Result<crate::support::Ran, RunError> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let options =
        Options { include_tags: words(include), exclude_tags: words(exclude), ..Options::default() };
    try_run(load_test(&format!("{TAGGED}\n{FUNCTIONS}")).users(2).iterations(60).options(options))
}

#[test]
fn tags_include_and_exclude() {
    let ran = |include: &[&str], exclude: &[&str]| {
        let ran = tagged(include, exclude).unwrap();
        let mut printed = ran.printed_sorted();
        printed.dedup();
        printed.concat()
    };
    assert_eq!(ran(&[], &[]), "abcd");
    assert_eq!(ran(&["read"], &[]), "ab");
    assert_eq!(ran(&["read", "write"], &["slow"]), "ad");
    assert_eq!(ran(&[], &["read"]), "cd");
}

#[test]
fn a_scenario_without_tasks_left_is_dropped_with_a_warning() {
    let ran = tagged(&["read"], &[]).unwrap();
    assert!(ran.messages.iter().any(|m| m.level == Level::Warning && m.text.contains("scenario 'writers'")));
    assert_eq!(ran.report.info().scenarios, [("default".to_owned(), 2)]);
    let Err(error) = tagged(&["nosuch"], &[]) else { panic!("it runs") };
    assert!(error.to_string().contains("nothing to run"), "{error}");
}

#[test]
fn tags_of_the_command_line() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        "task(\"a\", 1, #{ tags: [\"read\"] }); task(\"b\"); \
         fn a() { http::get(\"/a\"); } fn b() { http::get(\"/b\"); }",
    );
    let run = |flags: &[&str]| {
        let url = server.url();
        sandbox.run(&[&["run", "test.rhai", "-H", &url, "-i", "30", "-q"], flags].concat())
    };
    run(&["--tags", "read"]).expect_code(0);
    assert_eq!((server.hits("/a"), server.hits("/b")), (30, 0));
    run(&["--exclude-tags", "read,other"]).expect_code(0);
    assert_eq!((server.hits("/a"), server.hits("/b")), (30, 30));
    run(&["--tags", "nosuch"]).expect_code(104).expect_stderr(&["no task has a tag of nosuch", "read"]);
}

#[test]
fn env_of_a_scenario_wins_in_its_functions() {
    let script = r#"
        scenario("one", #{ exec: "who", env: #{ WHO: "one", N: 1 } });
        scenario("two", #{ exec: "who", env: #{ WHO: "two" } });
        fn who() { print(env::get("WHO") + env::get("N", "-")); http::get("/x"); }
    "#;
    let server = Server::start();
    let options = Options { env: [("WHO".to_owned(), "flag".to_owned())].into(), ..Options::default() };
    let ran =
        run(load_test(script).host(&server.url()).users(2).iterations(2).options(options)).without_errors();
    let printed = ran.printed_sorted();
    assert!(printed.iter().all(|line| ["one1", "two-"].contains(line)), "{printed:?}");
    let ran =
        once(&server, "fn setup() { env::get(\"WHO\", \"unset\") } fn iteration() { print(vu::data()); }");
    assert_eq!(ran.printed(), ["unset"]);
}
