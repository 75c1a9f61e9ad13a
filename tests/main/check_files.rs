//! `rhaid check` and what a script is among: its imports, the folders of scripts, and what ships.

use std::path::{Path, PathBuf};

use crate::check::{Files, check_with, finds, finds_with, heads};
use crate::support::Sandbox;

/// All scripts below a folder of the repository.
fn shipped(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rhai") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn imports_that_cannot_be_found() {
    finds_with(
        "import \"lib/cort\" as cart;\nimport \"std/jurney\" as journey;\nimport \"lib/cart\" as http;\nfn iteration() { cart::add(); }",
        &[("lib/cart.rhai", "fn add() {}")],
        &[
            "test.rhai:1:8: script 'lib/cort' not found: looked for lib/cort.rhai — did you mean 'cart'?",
            "test.rhai:2:8: unknown library module 'std/jurney' — did you mean 'std/journey'?",
            "test.rhai:3:22: an import cannot be named 'http'",
        ],
    );
}

#[test]
fn functions_of_imported_files() {
    finds_with(
        "import \"lib\" as lib;\nimport \"std/journey\" as journey;\nfn iteration() {\n  lib::totl(1);\n  lib::total();\n  lib::hidden();\n  \
         total(1);\n  journey::retri(1, 2, || 1);\n  print(lib::LIMIT);\n  lib::inner::f(1);\n}",
        &[
            (
                "lib.rhai",
                "import \"inner\" as inner;\nconst LIMIT = 3;\nfn total(n) { n }\nprivate fn hidden() { LIMIT }",
            ),
            ("inner.rhai", "fn f() { 1 }"),
        ],
        &[
            "test.rhai:4:8: unknown function 'lib::totl': lib.rhai has no 'totl' — did you mean 'total'?",
            "test.rhai:5:8: 'lib::total' takes 1 argument, not 0",
            "test.rhai:6:8: 'lib::hidden' is private: it can be called only within lib.rhai",
            "test.rhai:7:3: unknown function 'total' — did you mean 'lib::total'?",
            "test.rhai:8:12: unknown function 'journey::retri': std/journey has no 'retri' — did you mean 'retry'?",
            "test.rhai:9:14: lib.rhai does not export 'LIMIT' — write `export const LIMIT = …` there",
            "test.rhai:10:15: 'lib::inner::f' takes no arguments, not 1",
        ],
    );
}

#[test]
fn mistakes_in_imported_files_are_told_there() {
    let files: Files = &[
        ("a.rhai", "import \"b\" as b;\nfn f() {\n  b::g();\n  nosuch();\n}"),
        ("b.rhai", "fn g() { let = 1; }\nfn h() { missing }"),
    ];
    let output = check_with("import \"a\" as a;\nfn iteration() { a::f(); }", files).expect_code(104);
    let expected =
        ["a.rhai:4:3: unknown function 'nosuch'", "b.rhai:1:14: ", "b.rhai:2:10: unknown variable 'missing'"];
    for (head, expected) in heads(&output).iter().zip(expected) {
        assert!(head.starts_with(expected), "{}", output.shown());
    }
    assert!(output.stdout.contains("  4 |   nosuch();\n    |   ^\n"), "{}", output.shown());
    assert_eq!(output.stderr, "1 script checked: 3 problems\n");
}

#[test]
fn imports_in_a_circle() {
    finds_with(
        "import \"a\" as a;\nfn iteration() {}",
        &[("a.rhai", "import \"b\" as b;\nfn f() {}"), ("b.rhai", "fn g() {}\nimport \"a\" as a;")],
        &["b.rhai:2:8: circular import: a.rhai → b.rhai → a.rhai"],
    );
    finds("import \"test\" as me;\nfn iteration() {}", &["test.rhai:1:8: test.rhai imports itself"]);
}

#[test]
fn a_script_that_is_not_there() {
    let sandbox = Sandbox::with("fn iteration() {}");
    let output = sandbox.run(&["check", "nosuch.rhai", "test.rhai"]).expect_code(104);
    assert!(output.stdout.starts_with("nosuch.rhai: cannot read 'nosuch.rhai'"), "{}", output.shown());
    sandbox.run(&["check"]).expect_code(2);
}

#[test]
fn nothing_is_said_about_what_ships() {
    let mut scripts = Vec::new();
    for folder in ["scripts", "stdlib", "examples", "docs", "tests", "performance/benchmarks"] {
        scripts.extend(shipped(folder));
    }
    assert!(scripts.len() > 15, "{scripts:?}");
    let mut arguments: Vec<&str> = vec!["check"];
    arguments.extend(scripts.iter().map(|path| path.to_str().unwrap()));
    let output = Sandbox::new().run(&arguments);
    assert!(output.stdout.is_empty(), "{}", output.shown());
    output.expect_code(0);
}

#[test]
fn results_of_runs_in_a_folder_are_left_out_and_counted() {
    let sandbox = Sandbox::with("fn iteration() {}");
    for name in ["performance/results/a", "performance/results/b", "elsewhere/c"] {
        sandbox.write(&format!("{name}/run.json"), "{}");
        sandbox.write(&format!("{name}/script/test.rhai"), "fn iteration() { nosuch(); }");
    }
    sandbox.write(".hidden/x.rhai", "(((");
    let output = sandbox.run(&["check", "."]).expect_code(0);
    assert_eq!(output.stderr, "1 script checked: no problems; left out 3 folders with the results of runs\n");
    let output = sandbox.run(&["check", "elsewhere/c"]).expect_code(104);
    assert_eq!(output.stderr, "1 script checked: 1 problem\n", "asked for by its name");
}

#[test]
fn a_folder_stands_for_its_scripts() {
    let sandbox = Sandbox::with("fn iteration() {}");
    sandbox.write("more/a.rhai", "fn iteration() { nosuch(); }");
    sandbox.write("more/notes.txt", "(((");
    let output = sandbox.run(&["check", "."]).expect_code(104);
    assert_eq!(output.stderr, "2 scripts checked: 1 problem\n");
}
