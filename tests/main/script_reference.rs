//! `rhaid docs` and `rhaid definitions`: the script API in the terminal and for editors.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Sandbox;

#[track_caller]
fn docs(arguments: &[&str]) -> String {
    let all: Vec<&str> = ["docs"].iter().chain(arguments).copied().collect();
    let output = Sandbox::new().run(&all).expect_code(0);
    assert!(!output.stdout.contains('\u{1b}'), "colours without a terminal");
    output.stdout
}

#[track_caller]
fn shows(arguments: &[&str], parts: &[&str]) {
    let text = docs(arguments);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn the_list_names_every_module() {
    shows(&[], &["\n  http ", "\n  response ", "\n  scenario ", "\n  std/auth ", "rhaid docs http::get"]);
}

#[test]
fn modules_types_and_maps_are_shown() {
    shows(&["http"], &["http::get(url), http::get(url, params)\n", "http::batch(requests)\n", "Any method;"]);
    shows(&["response"], &["properties\n", "  .status\n", "  .json(), .json(path)\n"]);
    shows(&["scenario", "keys"], &["keys\n", "fixed_count: whole number\n", "Relative share of the VUs"]);
    shows(
        &["options"],
        &["options(settings)\n", "spawn_rate: number\n", "Errors: an unknown key", "run_time: \"5m\""],
    );
    shows(
        &["globals"],
        &["check(name, passed)\n", "sleep(time)\n", "between(least, most)\n", "task(function)"],
    );
    shows(&["std/fake"], &["fake::email()\n", "depend only on the run's seed"]);
}

#[test]
fn a_function_is_shown_with_types_errors_and_an_example() {
    shows(
        &["http::batch"],
        &[
            "http::batch(requests: array) -> array\n",
            "Errors: an invalid entry",
            "At most six",
            "fn iteration() {",
        ],
    );
    shows(&["http", "put"], &["http::put(url: text) -> Response\n"]);
    shows(&["auth::token"], &["auth::token(bearer: any) -> any\n", "bearer: auth::token(this.auth)"]);
    shows(&["response.json"], &[".json(path: text) -> any\n"]);
    shows(&["discard_body"], &["discard_body: true or false\n", "params"]);
}

#[test]
fn lines_fit_the_terminal_they_are_for() {
    // Without a terminal 80 columns; only code and signatures are longer.
    for name in ["http", "response", "scenario", "std/auth", "ws"] {
        let text = docs(&[name]);
        let prose = text.lines().filter(|line| !line.starts_with("  ") || line.starts_with("      "));
        let code = |line: &str| line.contains("http::") || line.contains('{') || line.contains("=>");
        for line in prose.filter(|line| !code(line)) {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn what_does_not_exist_is_answered_with_what_was_meant() {
    let sandbox = Sandbox::new();
    let error = |name: &str, parts: &[&str]| {
        let output = sandbox.run(&["docs", name]).expect_code(2).expect_stderr(parts);
        assert_eq!(output.stdout, "");
    };
    error("htpt", &["error: the script API has no 'htpt' — did you mean 'http'?"]);
    error("http::gett", &["did you mean 'http::get'?"]);
    error("HttpUser", &["rhaid docs scenario"]);
    error("k6/http", &["rhaid docs http\n"]);
    error("xyzzy", &["no 'xyzzy'\n", "`rhaid docs` lists everything"]);
}

#[test]
fn the_page_is_what_the_command_prints() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/script-api.md")).unwrap();
    assert!(docs(&["--markdown"]) == page, "write docs/script-api.md again, see CONTRIBUTING.md");
}

#[test]
fn definitions_are_written_and_written_again() {
    let sandbox = Sandbox::new();
    sandbox.write("editor/mine.d.rhai", "module mine;\n");
    let output = sandbox.run(&["definitions", "editor"]).expect_code(0);
    assert!(output.stdout.ends_with("definition files in editor\n"), "{}", output.stdout);
    let names = || -> BTreeSet<String> {
        let entries = std::fs::read_dir(sandbox.path().join("editor")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let first = names();
    for name in ["mine.d.rhai", "rhaid.d.rhai", "rhai.d.rhai", "http.d.rhai", "std-auth.d.rhai"] {
        assert!(first.contains(name), "{first:?}");
    }
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join("editor").join(name)).unwrap();
    let http = read("http.d.rhai");
    assert!(http.contains("\nmodule http;\n"), "{http}");
    assert!(http.contains("\nfn get(url: String, params: Map) -> Response;\n"), "{http}");
    sandbox.write("editor/http.d.rhai", &http.replace("GET", "changed"));
    sandbox.run(&["definitions", "editor"]).expect_code(0);
    assert_eq!(
        (names(), read("http.d.rhai"), read("mine.d.rhai")),
        (first, http, "module mine;\n".to_owned())
    );
}

#[test]
fn definitions_do_not_replace_what_others_wrote() {
    let sandbox = Sandbox::new();
    sandbox.write("a-file", "x");
    let output = sandbox.run(&["definitions", "a-file"]).expect_code(2);
    output.expect_stderr(&["error: 'a-file' is a file; give a directory for the definitions"]);
    sandbox.write("editor/http.d.rhai", "module http;\n");
    let output = sandbox.run(&["definitions", "editor"]).expect_code(2);
    output.expect_stderr(&["http.d.rhai' was not written by `rhaid definitions`"]);
    assert_eq!(std::fs::read_dir(sandbox.path().join("editor")).unwrap().count(), 1, "nothing was written");
}

#[test]
fn docs_know_the_functions_of_rhai() {
    let shown = |asked: &[&str]| Sandbox::new().run(&[&["docs"], asked].concat()).expect_code(0).stdout;
    for (asked, parts) in [
        ("split", &["strings — ", "arrays — ", ".split(separator: text) -> array"][..]),
        ("parse_json", &["parse_json(json: text) -> any"]),
        ("keys", &[".keys() -> array", "alphabetical order"]),
        ("push", &[".push(value: any)"]),
        ("filter", &["let cheap ="]),
        ("array", &["arrays — ", ".sum()", ".push(value)"]),
        ("map", &["arrays — ", "maps — "]),
        ("string", &["strings — "]),
        ("strings", &[".trim()", ".regex(pattern)"]),
        ("type_of", &["\"string\""]),
    ] {
        let text = shown(&[asked]);
        for part in parts {
            assert!(text.contains(part), "rhaid docs {asked} without {part:?}:\n{text}");
        }
    }
    let contents = shown(&[]);
    for part in ["  strings", "  arrays", "  maps", "  numbers", "  values", "  url"] {
        assert!(contents.contains(part), "{contents}");
    }
}
