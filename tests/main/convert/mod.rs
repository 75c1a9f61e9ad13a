//! `rhaid convert`: what comes out is what a person would have written, loads, and runs without a failure. A file a format.

mod curl;
mod har;
mod openapi;
mod plans;

use crate::support::{Output, Ran, Sandbox, Seen, Server, run};
use rhaid::LoadTest;
use rhaid::target::{Target, TargetOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/convert").join(name)
}

/// Converts a file of the fixtures and compares the script, and what is said about it, with what is expected.
#[track_caller]
fn golden(format: &str, input: &str) -> String {
    let input = fixture(input);
    let output = Sandbox::new().run(&["convert", format, input.to_str().unwrap()]).expect_code(0);
    is_golden(&output, &input.with_extension("rhai"), &[("scores.csv", ""), ("body.xml", "")]);
    output.stdout
}

/// Compares a script with what is expected, checks it beside these files, and looks for its notes at its head.
#[track_caller]
fn is_golden(output: &Output, expected: &Path, files: &[(&str, &str)]) {
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(expected, &output.stdout).unwrap();
    }
    let sandbox = Sandbox::new();
    sandbox.write("made.rhai", &output.stdout);
    files.iter().for_each(|(name, text)| drop(sandbox.write(name, text)));
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    let known = std::fs::read_to_string(expected).unwrap_or_default();
    assert_eq!(output.stdout, known, "rewrite {} with RHAID_BLESS=1", expected.display());
    let head = output.stdout.split("\n\n").next().unwrap().replace("\n//   ", " ");
    let notes = output.stderr.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.for_each(|note| assert!(head.contains(note), "{note:?} does not stand at the head of\n{head}"));
}

/// Runs a converted script twice through; every parameter has its name as its value.
#[track_caller]
fn runs(script: &Path, host: &str, params: &[&str]) -> Ran {
    let test = LoadTest::from_file(script).unwrap().host(host).seed(1).threads(1);
    let test = params.iter().fold(test, |test, name| test.param(name, name));
    let ran = run(test.users(1).spawn_rate(100.0).iterations(2).stop_timeout(Duration::from_secs(5)));
    let ran = ran.without_errors();
    assert_eq!(ran.failures(), 0, "{:#?}", ran.snapshot().failures);
    assert!(ran.requests() > 0);
    ran
}

fn target() -> Target {
    Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap()
}

/// Converts what must not be convertible.
#[track_caller]
fn refused(format: &str, input: &str) -> Output {
    let sandbox = Sandbox::new();
    let file = sandbox.write("input", input);
    let output = sandbox.run(&["convert", format, file.to_str().unwrap()]).expect_code(104);
    assert!(output.stdout.is_empty(), "{}", output.shown());
    let named = format!("error: {}:", file.display());
    assert!(output.stderr.starts_with(&named), "the file is named: {}", output.shown());
    output
}

/// A golden of a format that takes further arguments, with files beside it.
#[track_caller]
fn converted_to(arguments: &[&str], expected: &str, files: &[(&str, &str)]) -> (String, Output) {
    let output = Sandbox::new().run(arguments).expect_code(0);
    is_golden(&output, &fixture(expected), files);
    (output.stdout.clone(), output)
}
