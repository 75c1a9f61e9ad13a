//! Secrets: what is masked, and where it must not stand.

use std::path::Path;

use crate::support::{Sandbox, Server};

/// All files below a folder that hold a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn the_value_of_a_secret_parameter_is_written_nowhere() {
    let server = Server::start();
    let script = r#"
        const TOKEN = param("token", (), #{ secret: true });
        const PLACE = param("place", "here");
        fn iteration() { http::get("/echo", #{ bearer: TOKEN }); http::get("/reset", #{ bearer: TOKEN }); }
    "#;
    let sandbox = Sandbox::with(script);
    let arguments = [
        "run",
        "test.rhai",
        "-i",
        "2",
        "-H",
        &server.url(),
        "--csv",
        "out",
        "--json",
        "--param",
        "token=s3cret-Value",
        "-e",
        "PASSWORD=other-Secret",
    ];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer s3cret-Value", "it is used");
    let params = &output.run_dir().json()["settings"]["params"];
    assert_eq!((&params["token"], &params["place"]), (&"***".into(), &"here".into()));
    assert_eq!(files_with(sandbox.path(), "s3cret-Value"), [""; 0]);
    assert_eq!(files_with(sandbox.path(), "other-Secret"), [""; 0], "nor are variables");
    assert!(!output.shown().contains("s3cret-Value"), "{}", output.shown());
}

#[test]
fn a_secret_from_the_environment_is_masked_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        "const T = param(\"token\", (), #{ secret: true }); fn iteration() { http::get(\"/x\", #{ bearer: T }); }",
    );
    let arguments = ["run", "test.rhai", "-i", "1", "-H", &server.url()];
    let output = sandbox.run_with(&arguments, &[("RHAID_PARAM_TOKEN", "s3cret-Value")]).expect_code(0);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer s3cret-Value");
    assert_eq!(output.run_dir().json()["settings"]["params"]["token"], "***");
    assert_eq!(files_with(sandbox.path(), "s3cret-Value"), [""; 0]);
}

#[test]
fn a_secret_that_is_wrong_is_not_quoted() {
    let sandbox = Sandbox::with("const T = param(\"pin\", 1, #{ secret: true }); fn iteration() {}");
    let output =
        sandbox.run(&["run", "test.rhai", "-i", "1", "--param", "pin=s3cret-Value"]).expect_code(104);
    assert!(output.stderr.contains("'pin'") && !output.stderr.contains("s3cret-Value"), "{}", output.shown());
}

#[test]
fn the_password_of_a_host_is_not_shown() {
    let server = Server::start();
    let host = server.url().replace("http://", "http://me:pass-Word@");
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); http::get(\"/reset\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &host]).expect_code(0);
    assert!(server.seen()[0].header("authorization").starts_with("Basic "));
    assert!(!output.shown().contains("pass-Word"), "{}", output.shown());
    assert_eq!(files_with(sandbox.path(), "pass-Word"), [""; 0]);
}

#[test]
fn the_script_copy_is_the_script_and_nothing_else() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); } // ü";
    let sandbox = Sandbox::with(script);
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &server.url()]).expect_code(0);
    let folder = output.run_dir().0.join("script");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(folder.join("test.rhai")).unwrap(), script);
}
