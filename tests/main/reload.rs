//! A script that is changed while it runs.

use std::sync::{Arc, Mutex};

use rhaid::{LoadTest, Message, Report};

use crate::support::{Sandbox, Server, block_on, wait_until};

const OLD: &str = "import \"lib\" as lib; const PATH = \"/old\"; \
                   fn on_start() { this.n = 0; } \
                   fn iteration() { this.n += 1; http::get(PATH); http::get(lib::path()); sleep(0.01); }";

/// Runs the script of a sandbox while `change` changes it; `change` is given a way to load it again.
fn while_running(
    sandbox: &Sandbox,
    server: &Server,
    change: impl FnOnce(&dyn Fn(), &dyn Fn(&str)),
) -> (Report, Vec<Message>) {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let sink = messages.clone();
    let test = LoadTest::from_file(sandbox.path().join("test.rhai")).unwrap().host(&server.url());
    let test = test.users(4).spawn_rate(1000.0).threads(2).on_message(move |m| sink.lock().unwrap().push(m));
    let test = test.check_first(true);
    let report = block_on(async {
        let handle = test.start().await.unwrap();
        wait_until("the load has begun", || server.total() > 20);
        let heard = |part: &str| {
            wait_until(part, || messages.lock().unwrap().iter().any(|m: &Message| m.text.contains(part)));
        };
        change(&|| handle.reload(), &heard);
        handle.stop();
        handle.wait().await.unwrap()
    });
    let messages = messages.lock().unwrap().clone();
    (report, messages)
}

#[test]
fn users_go_on_with_the_new_script_and_keep_what_they_have() {
    let server = Server::start();
    let sandbox = Sandbox::with(OLD);
    sandbox.write("lib.rhai", "fn path() { \"/lib-old\" }");
    let (report, messages) = while_running(&sandbox, &server, |reload, _| {
        sandbox.write("lib.rhai", "fn path() { \"/lib-new\" }");
        let new = OLD
            .replace("\"/old\"", "\"/new\"")
            .replace("http::get(PATH);", "check(\"kept\", this.n > 1); http::get(PATH);");
        sandbox.write("test.rhai", &new);
        reload();
        server.wait_for_hits("/new", 40);
        server.wait_for_hits("/lib-new", 40);
    });
    let snapshot = report.snapshot();
    assert!(snapshot.script_errors.is_empty(), "{:?}", snapshot.script_errors);
    let (name, kept) = &snapshot.checks[0];
    assert!(&**name == "kept" && kept.passes >= 40 && kept.fails == 0, "{kept:?}");
    assert_eq!(snapshot.marks.len(), 1);
    assert!(snapshot.marks[0].text.starts_with("reloaded ") && snapshot.marks[0].text.ends_with("test.rhai"));
    assert!(messages.iter().any(|message| message.text.starts_with("reloaded ")), "{messages:?}");
}

#[test]
fn a_script_that_does_not_load_changes_nothing() {
    let server = Server::start();
    let sandbox = Sandbox::with(OLD);
    sandbox.write("lib.rhai", "fn path() { \"/lib\" }");
    let (report, messages) = while_running(&sandbox, &server, |reload, heard| {
        sandbox.write("test.rhai", "fn iteration() { http::get( }");
        reload();
        heard("test.rhai:1:");
        sandbox.write("test.rhai", "task(\"other\"); fn other() {}");
        reload();
        heard("has no function 'iteration'");
        sandbox.write("test.rhai", &OLD.replace("sleep(0.01);", "if false { http::psot(\"/x\"); }"));
        reload();
        heard("did you mean 'http::post'?");
        let before = server.hits("/old");
        server.wait_for_hits("/old", before + 20);
    });
    assert!(report.snapshot().marks.is_empty() && report.snapshot().script_errors.is_empty());
    assert!(messages.iter().all(|message| !message.text.starts_with("reloaded")), "{messages:?}");
}

#[test]
fn other_scenarios_are_told_and_ignored() {
    let server = Server::start();
    let sandbox = Sandbox::with(OLD);
    sandbox.write("lib.rhai", "fn path() { \"/lib\" }");
    let (report, _) = while_running(&sandbox, &server, |reload, heard| {
        let new =
            OLD.replace("\"/old\"", "\"/new\"") + " task(\"other\"); fn other() { http::get(\"/other\"); }";
        sandbox.write("test.rhai", &new);
        reload();
        heard("keeps those it was started with");
        server.wait_for_hits("/new", 20);
    });
    assert_eq!((server.hits("/other"), report.snapshot().marks.len()), (0, 1));
}

#[test]
fn watch_notices_a_saved_change() {
    let server = Server::start();
    let sandbox = Sandbox::with(OLD);
    sandbox.write("lib.rhai", "fn path() { \"/lib-old\" }");
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "--watch"]);
    server.wait_for_hits("/lib-old", 5);
    sandbox.write("lib.rhai", "fn path() { \"/lib-changed\" }");
    server.wait_for_hits("/lib-changed", 5);
    running.signal("INT");
    let output = running.wait().expect_code(105).expect_stderr(&["reloaded test.rhai"]);
    assert!(output.stdout.contains("reloaded test.rhai"), "{}", output.stdout);
    assert_eq!(output.run_dir().json()["marks"][0]["text"], "reloaded test.rhai");
}
