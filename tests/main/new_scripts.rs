//! `rhaid new`: every template runs as it is written, and nothing is overwritten by accident.

use std::time::Duration;

use rhaid::LoadTest;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Ran, Sandbox, run};

/// The template written by the command and run against the demo application, as its last line says.
#[track_caller]
fn runs(template: &str) -> Ran {
    let sandbox = Sandbox::new();
    let written = sandbox.run(&["new", "shop.rhai", "--template", template]).expect_code(0);
    let next = written.stdout.lines().last().unwrap().trim();
    let script = next.strip_prefix("rhaid run ").unwrap_or_else(|| panic!("{}", written.shown()));
    // With the file that it imports, if it does.
    sandbox.run(&["check", "shop.rhai", script]).expect_code(0);
    let target = Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap();
    let test = LoadTest::from_file(sandbox.path().join(script)).unwrap().host(&target.url()).seed(1);
    let ran = run(test.users(4).spawn_rate(1000.0).threads(2).run_time(Duration::from_millis(3500)));
    let ran = ran.without_errors();
    assert!(ran.requests() >= 4 && ran.failures() == 0, "{:?}", ran.snapshot().failures);
    assert!(ran.snapshot().checks.iter().all(|(_, count)| count.fails == 0), "{:?}", ran.snapshot().checks);
    ran
}

#[test]
fn quickstart() {
    let ran = runs("quickstart");
    assert_eq!(ran.endpoint("/login"), (4, 0));
    assert!(ran.check("it has a score").0 == ran.endpoint("/quality/analyze").0);
}

#[test]
fn rest() {
    let ran = runs("rest");
    assert!(ran.check("it has projects").0 > 0 && ran.endpoint("/quality/analyze").0 > 0);
}

#[test]
fn login() {
    let ran = runs("login");
    assert_eq!((ran.endpoint("/login/form"), ran.check("logged in")), ((8, 0), (4, 0)));
}

#[test]
fn csv() {
    let ran = runs("csv");
    assert!(ran.endpoint("/login") == (4, 0) && ran.endpoint("/quality/insights").0 > 0);
}

#[test]
fn open() {
    let ran = runs("open");
    let (browse, analyze) = (ran.endpoint("/quality/insights").0, ran.endpoint("/quality/analyze").0);
    // 20 a second for 3.5 s, whatever the users of the run are.
    assert_eq!((browse + analyze, ran.snapshot().iterations.dropped), (70, 0), "{browse} and {analyze}");
    assert!(browse > analyze && analyze > 0, "{browse} and {analyze}");
}

#[test]
fn websocket() {
    assert!(runs("websocket").check("my own words come back").0 >= 4);
}

#[test]
fn library() {
    assert!(runs("library").check("there are projects").0 > 0);
}

#[test]
fn a_template_for_every_name_in_the_help() {
    let help = Sandbox::new().run(&["new", "--help"]).expect_code(0).stdout;
    let listed: Vec<&str> = help.lines().skip_while(|line| *line != "Templates:").skip(1).collect();
    let names: Vec<&str> = listed.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["quickstart", "rest", "login", "csv", "open", "websocket", "library"]);
}

#[test]
fn nothing_is_overwritten_unless_told_to() {
    let sandbox = Sandbox::with("// mine");
    sandbox.run(&["new", "test"]).expect_code(104).expect_stderr(&["test.rhai already exists", "--force"]);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("test.rhai")).unwrap(), "// mine");

    // The second file of a template counts too, and then the first is not begun.
    sandbox.write("shop-users.csv", "mine");
    sandbox
        .run(&["new", "shop", "-t", "csv"])
        .expect_code(104)
        .expect_stderr(&["shop-users.csv already exists"]);
    assert!(!sandbox.path().join("shop.rhai").exists());
    sandbox.run(&["new", "shop", "-t", "csv", "--force"]).expect_code(0);
    assert!(
        std::fs::read_to_string(sandbox.path().join("shop-users.csv")).unwrap().starts_with("user,page\n")
    );
}

#[test]
fn what_cannot_be_written_is_said() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["new", "a.rhai", "-t", "libary"]).expect_code(2);
    output.expect_stderr(&[
        "unknown template 'libary'",
        "did you mean 'library'?",
        "  csv         users from",
    ]);
    sandbox
        .run(&["new", "no/where.rhai"])
        .expect_code(104)
        .expect_stderr(&["directory no does not exist", "mkdir"]);
    sandbox.run(&["new", "no/"]).expect_code(2).expect_stderr(&["no/ is not a file name"]);
}
