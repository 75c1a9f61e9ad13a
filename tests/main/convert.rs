//! `rhaid convert`: what comes out is what a person would have written, loads, and runs without a failure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaid::LoadTest;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Output, Ran, Sandbox, Server, run};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/convert").join(name)
}

/// Converts a file of the fixtures and compares the script, and what is said about it, with what is expected.
#[track_caller]
fn golden(format: &str, input: &str) -> String {
    let input = fixture(input);
    let output = Sandbox::new().run(&["convert", format, input.to_str().unwrap()]).expect_code(0);
    let expected = input.with_extension("rhai");
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&expected, &output.stdout).unwrap();
    }
    let known = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(output.stdout, known, "rewrite {} with RHAID_BLESS=1", expected.display());
    let head = output.stdout.split("\n\n").next().unwrap().replace("\n//   ", " ");
    let notes = output.stderr.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.for_each(|note| assert!(head.contains(note), "{note:?} does not stand at the head of\n{head}"));
    output.stdout
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
    output
}

#[test]
fn curl_from_chrome() {
    let script = golden("curl", "chrome.sh");
    for secret in ["0123456789abcdef", "hunter2", "eyJhbGciOiJIUzI1NiJ9"] {
        assert!(!script.contains(secret), "{secret} stands in\n{script}");
    }
    let server = Server::start();
    runs(&fixture("chrome.rhai"), &server.url(), &["cookie", "password", "token"]);
    let seen = server.seen();
    let login = &seen[0];
    assert_eq!((login.header("cookie"), login.header("x-requested-with")), ("cookie", "XMLHttpRequest"));
    let body: serde_json::Value = serde_json::from_str(&login.body).unwrap();
    assert_eq!(body["note"], "it's \"quoted\" ! ${x} `y`");
    assert_eq!((&body["password"], &body["items"][1]["count"]), (&"password".into(), &1.into()));
    assert_eq!(seen[1].header("authorization"), "Bearer token");
    assert!(
        seen[2].query.contains("fields=name&fields=price") && seen[2].query.contains("limit=20"),
        "{}",
        seen[2].query
    );
}

#[test]
fn curl_written_by_hand() {
    golden("curl", "commands.sh");
    // The files that it reads lie beside it.
    let sandbox = Sandbox::new();
    let script = std::fs::read_to_string(fixture("commands.rhai")).unwrap();
    let server = Server::start();
    let script = sandbox.write("commands.rhai", &script.replace("http://other.test", &server.url()));
    sandbox.write("scores.csv", "a,b\n");
    sandbox.write("body.xml", "<a/>");
    runs(&script, &server.url(), &["password", "token", "api_key", "item"]);
    let seen = server.seen();
    let body = |n: usize| (seen[n].method.as_str(), seen[n].path.as_str(), seen[n].body.as_str());
    assert_eq!(body(0), ("POST", "/form", "note=%C3%BC+%26+co&q=a+b&user=ann"));
    assert_eq!(seen[1].header("authorization"), "Basic YW5uOnBhc3N3b3Jk");
    assert_eq!(body(2), ("POST", "/wide", "{\"id\": 12345678901234567890}"));
    assert_eq!(body(3).0, "HEAD");
    assert_eq!((body(4).1, seen[4].query.as_str()), ("/items/item/parts", "token=token"));
    assert!(
        seen[5].body.contains("filename=\"scores.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n"),
        "{}",
        seen[5].body
    );
    assert_eq!((body(6).0, seen[6].query.as_str()), ("GET", "page=2&q=load+test"));
    assert_eq!((body(7), seen[7].header("content-type")), (("PROPFIND", "/dav", "<a/>"), "application/xml"));
}

#[test]
fn curl_from_windows() {
    golden("curl", "windows.cmd");
    let target = target();
    runs(&fixture("windows.rhai"), &target.url(), &[]);
}

#[test]
fn curl_that_cannot_be_converted() {
    refused("curl", "curl -H 'a: b'").expect_stderr(&["has no URL"]);
    refused("curl", "\n# nothing\n").expect_stderr(&["no curl command"]);
    refused("curl", "curl ftp://a.test/x").expect_stderr(&["ftp://a.test/x is ftp"]);
    refused("curl", "curl http://$HOST/x").expect_stderr(&["the host of http://$HOST/x is a variable"]);
    refused("curl", "curl http://a:b:c/").expect_stderr(&["http://a:b:c/ cannot be read"]);
    refused("curl", "Invoke-WebRequest -Uri http://a.test").expect_stderr(&["PowerShell", "Copy as cURL"]);
    refused("curl", "fetch(\"http://a.test\", { });").expect_stderr(&["a call of fetch"]);
    let sandbox = Sandbox::new();
    sandbox.run(&["convert", "curl", "nosuch.sh"]).expect_code(104).expect_stderr(&["cannot read nosuch.sh"]);
    std::fs::write(sandbox.path().join("bin"), [b'c', 0xff]).unwrap();
    sandbox.run(&["convert", "curl", "bin"]).expect_code(104).expect_stderr(&["not text in UTF-8: byte 1"]);
}

#[test]
fn the_command_itself_and_a_file_to_write() {
    let sandbox = Sandbox::new();
    let arguments = ["convert", "curl", "curl -d user=ann http://a.test/login", "-o", "login.rhai"];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(output.stdout, "");
    let output = output.expect_stderr(&["Wrote login.rhai.", "rhaid run login.rhai --once"]);
    assert!(!output.stderr.contains("--host"), "{}", output.stderr);
    let script = std::fs::read_to_string(sandbox.path().join("login.rhai")).unwrap();
    assert!(script.contains("http::post(\"/login\", #{ form: #{ user: \"ann\" } });"), "{script}");
    sandbox.run(&arguments).expect_code(104).expect_stderr(&["login.rhai exists", "--force"]);
    sandbox.run(&[&arguments[..], &["--force"]].concat()).expect_code(0);
}
