//! Facts around a run: the command, the commit, the environment, notes, the machine; told in every report, whoever reads it.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Sandbox, Server, files_with};

const SCRIPT: &str = r#"
    const PIN = param("pin", "", #{ secret: true });
    fn iteration() { http::get("/x"); }
"#;

/// Runs git in the sandbox, with nothing of who runs the tests.
#[track_caller]
fn git(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=trunk"]);
    git.args(arguments).current_dir(sandbox.path()).env("HOME", sandbox.path());
    let output = git.output().expect("git is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn origin_of(sandbox: &Sandbox) -> Value {
    sandbox.runs().last().unwrap().json()["origin"].clone()
}

#[test]
fn a_run_tells_its_command_environment_and_notes() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    let url = server.url();
    let arguments = [
        "-i",
        "1",
        "--label",
        "staging",
        "--note",
        "the cache is <b>cold</b>",
        "--note=index rebuilt",
        "-e",
        "API_TOKEN=from-Env-1",
        "--param=pin=77",
        "--html",
        "r.html",
        "--markdown",
        "c.md",
    ];
    let output = sandbox.run_against(&url, &arguments).expect_code(0);
    let expected = json!([
        "rhaid",
        "run",
        "test.rhai",
        "-H",
        url,
        "-i",
        "1",
        "--label",
        "staging",
        "--note",
        "the cache is <b>cold</b>",
        "--note=index rebuilt",
        "-e",
        "API_TOKEN=***",
        "--param=pin=***",
        "--html",
        "r.html",
        "--markdown",
        "c.md"
    ]);
    let json = output.run_dir().json();
    assert_eq!(json["origin"]["command"], expected);
    assert_eq!(json["origin"]["label"], "staging");
    assert_eq!(json["origin"]["notes"], json!(["the cache is <b>cold</b>", "index rebuilt"]));
    assert_eq!(json["origin"]["commit"], Value::Null, "the folder belongs to no repository");
    assert_eq!(files_with(sandbox.path(), "from-Env-1"), [""; 0]);
    assert_eq!(files_with(sandbox.path(), "pin=77"), [""; 0]);
    let machine = &json["machine"];
    assert!(machine["memory_bytes"].as_u64().unwrap() > 1 << 20, "{machine}");
    assert!(machine["os_version"].as_str().unwrap().len() > 3, "{machine}");

    // The page tells the same, also when it is made from the folder alone.
    let page = std::fs::read_to_string(sandbox.path().join("r.html")).unwrap();
    let folder = output.run_dir().0.display().to_string();
    sandbox.run(&["report", &folder, "--html", "again.html"]).expect_code(0);
    std::fs::remove_file(output.run_dir().0.join("state.json")).unwrap();
    sandbox.run(&["report", &folder, "--html", "without.html"]).expect_code(0);
    let again = ["again.html", "without.html"]
        .map(|name| std::fs::read_to_string(sandbox.path().join(name)).unwrap());
    for page in [&page, &again[0], &again[1]] {
        for fact in [
            "<dt>Environment</dt><dd>staging</dd>",
            "<dt>Note</dt><dd>the cache is &lt;b&gt;cold&lt;/b&gt;</dd>",
            "<dt>Note</dt><dd>index rebuilt</dd>",
            "--note 'the cache is &lt;b&gt;cold&lt;/b&gt;' '--note=index rebuilt' -e 'API_TOKEN=***'",
            "<dt>HTTP version</dt><dd>auto</dd>",
            "<dt>Generator machine</dt><dd>",
        ] {
            assert!(page.contains(fact), "{fact}");
        }
    }
    let comment = std::fs::read_to_string(sandbox.path().join("c.md")).unwrap();
    assert!(comment.lines().next().unwrap().ends_with(" · staging"), "{comment}");
}

#[test]
fn a_run_names_the_commit_of_its_script() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("other/file", "");
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["add", "test.rhai", "other"]);
    git(&sandbox, &["commit", "-q", "-m", "first"]);
    let hash = git(&sandbox, &["rev-parse", "HEAD"]);
    sandbox.run_against(&server.url(), &["-i", "1"]).expect_code(0);
    let commit = json!({ "hash": hash, "branch": "trunk", "has_changes": false });
    assert_eq!(origin_of(&sandbox)["commit"], commit, "results of the run are no change");

    sandbox.write("test.rhai", &format!("{SCRIPT} // changed"));
    sandbox.run_against(&server.url(), &["-i", "1", "--html", "r.html"]).expect_code(0);
    assert_eq!(origin_of(&sandbox)["commit"]["has_changes"], true);
    let page = std::fs::read_to_string(sandbox.path().join("r.html")).unwrap();
    let fact = format!("<code>{hash}</code> on trunk, with uncommitted changes");
    assert!(page.contains(&fact), "{fact}");

    // Where there is no git, a CI service names the commit.
    let bare = Sandbox::with(SCRIPT);
    let url = server.url();
    let variables = [("PATH", ""), ("CI_COMMIT_SHA", "abc123")];
    bare.run_with(&["run", "test.rhai", "-i", "1", "-H", &url], &variables).expect_code(0);
    assert_eq!(origin_of(&bare)["commit"], json!({ "hash": "abc123", "branch": null, "has_changes": null }));
}

#[test]
fn environment_and_notes_can_be_set_in_the_file_and_the_environment() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("rhaid.toml", "label = \"from file\"\nnote = [\"one\", \"two\"]\n");
    let url = server.url();
    sandbox.run_against(&url, &["-i", "1"]).expect_code(0);
    let origin = origin_of(&sandbox);
    assert_eq!((&origin["label"], &origin["notes"]), (&json!("from file"), &json!(["one", "two"])));
    let arguments = ["run", "test.rhai", "-i", "1", "-H", &url];
    sandbox
        .run_with(&arguments, &[("RHAID_LABEL", "from env"), ("RHAID_NOTE", "three, four")])
        .expect_code(0);
    let origin = origin_of(&sandbox);
    assert_eq!((&origin["label"], &origin["notes"]), (&json!("from env"), &json!(["three, four"])));
}

#[test]
fn runs_of_different_environments_are_compared_with_a_warning() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    for label in ["staging", "staging", "prod"] {
        sandbox.run_against(&server.url(), &["-i", "20", "--label", label]).expect_code(0);
    }
    let runs: Vec<String> = sandbox.runs().iter().map(|run| run.0.display().to_string()).collect();
    let warned = |a: &str, b: &str| sandbox.run(&["compare", a, b]).expect_code(0).stdout;
    let sentence = "the environment differs: staging before, prod after";
    assert!(!warned(&runs[0], &runs[1]).contains("differs"));
    let text = warned(&runs[1], &runs[2]);
    assert!(text.contains(sentence), "{text}");
    let trend = sandbox.run(&["trend"]).expect_code(0);
    assert!(trend.stdout.contains(sentence), "{}", trend.stdout);
}
