//! What authors write out of habit of Python, JavaScript and other tools, and what `check` says to it. Each block of
//! `tests/goldens/habits.txt` is a script, a line `----`, and all that is said; blocks are separated by `====`.
//!
//! `RHAID_BLESS=1` rewrites what is said.

use std::path::Path;

use rhaid::LoadTest;

use crate::support::Sandbox;

/// The script of a block, and the block as it should be.
fn told(block: &str) -> (String, String) {
    let script = block.split("\n----").next().unwrap().trim_start_matches('\n').to_owned();
    let report = LoadTest::from_text("test.rhai", &script).host("http://127.0.0.1:1").find_problems();
    let problems: String = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let block = format!("{script}\n----\n{problems}");
    (script, block)
}

#[test]
fn habits_of_other_languages_are_explained_with_the_rhai_form() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/habits.txt");
    let golden = std::fs::read_to_string(&path).unwrap();
    let blocks: Vec<(String, String)> = golden.split("====\n").map(told).collect();
    for (script, block) in &blocks {
        assert!(!block.ends_with("----\n"), "nothing is said about\n{script}");
        assert!(block.contains(" — "), "it is not said what to write instead of\n{script}\n{block}");
    }
    let actual: Vec<String> = blocks.into_iter().map(|(_, block)| block).collect();
    let actual = actual.join("====\n");
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&path, &actual).unwrap();
        return;
    }
    for (now, golden) in actual.split("====\n").zip(golden.split("====\n")) {
        assert_eq!(now, golden, "if that is meant, run the test with RHAID_BLESS=1");
    }
}

#[test]
fn what_only_looks_like_a_habit_is_no_problem() {
    let script = r##"
        // # no comment, 'single', f"x" === ++
        const TEXT = "# 'a' => ${x} f'";
        let raw = #"C:\ 'x' # "#;
        fn trim(x) { x }
        fn iteration() {
            let c = 'x';
            let data = #{ status_code: 1, "größe": 2, status: "200" };
            print(data.status_code + data.status);
            if data.status == "200" { print(c); }
            let r = http::get("/");
            r = #{ status: "200", content: 1 };
            if r.status == "200" { print(r.content); }
            let f = |r| r.status_code;
            print(f.call(data) + TEXT + raw);
            let kept = "a".trim();
            let x = 1;
            let late = || {};
            late.call();
            print(kept);
            switch x { 1 => print(1), _ => () }
            print(`${x} 'y' # ${x == 1}`);
        }
    "##;
    let report = LoadTest::from_text("test.rhai", script).host("http://127.0.0.1:1").find_problems();
    let wrong: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn run_explains_a_habit_as_check_does_before_any_load() {
    let sandbox = Sandbox::new();
    sandbox.write("test.rhai", "fn iteration() {\n  let a = 1\n  let b = 2;\n}\n");
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", "http://127.0.0.1:1"]).expect_code(104);
    assert!(
        output.stderr.contains("test.rhai:2:12: this statement does not end with a ';'"),
        "{}",
        output.stderr
    );
    sandbox.write("test.py", "from locust import task\n");
    let output = sandbox.run(&["run", "test.py"]).expect_code(104);
    assert!(output.stderr.contains("test.py is a Python file") && output.stderr.contains("from-locust.md"));
    let output = sandbox.run(&["check", "test.py"]).expect_code(104);
    assert!(format!("{}{}", output.stdout, output.stderr).contains("test.py is a Python file"));
}
