//! The log of messages on the page.

use super::*;

#[test]
fn the_log_of_the_page_has_what_the_terminal_says() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    sandbox.write(
        "test.rhai",
        r#"
        let key = secret::get("KEY");
        wait(constant(0.1));
        fn setup() { print("set up"); }
        fn iteration() {
            http::get("/status/500");
            if vu::iteration() == 1 {
                print("hello\nthere \u001b[31m" + key);
                log::warn("careful");
                log::error("it says");
                debug("detail");
                throw "broken";
            }
            print("again");
        }
        "#,
    );
    let url = server.url();
    let usual = ["run", "test.rhai", "-H", &url, "--web", "--web-address", "0", "--color", "always"];
    let running = sandbox.start_with(&usual, &[("KEY", "hush-hush-1")]);
    let control = control(&sandbox);
    let address = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let page = Page { running, address, token: control["token"].as_str().unwrap().to_owned() };
    let log = |since: u64| page.get(&format!("/api/v1/log?since={since}")).json();
    let lines = || log(0)["lines"].as_array().unwrap().clone();
    // Somebody who comes late has all of it.
    wait_until("repeats, folded", || {
        lines()
            .iter()
            .any(|line| line["text"].as_str().unwrap().ends_with("again") && line["level"] == "info")
    });
    page.post("/api/v1/control", r#"{"users": 3}"#);
    wait_until("a mark", || lines().iter().any(|line| line["level"] == "mark"));
    let found = |level: &str, text: &str| {
        let is = |line: &Value| line["level"] == level && line["text"].as_str().unwrap().contains(text);
        assert!(lines().iter().any(is), "{level} {text}: {:#?}", lines());
    };
    found("info", "set up");
    found("info", "hello\nthere ␛[31m***");
    found("warning", "warning: [vu 1, iteration 1] careful");
    found("error", "error: [vu 1, iteration 1] it says");
    found("debug", "debug: ");
    found("error", "script error: test.rhai:12:17: broken");
    found("warning", "first failed request: status 500  GET /status/500");
    found("mark", "3");
    let next = log(0)["next"].as_u64().unwrap();
    assert!(log(next)["lines"].as_array().unwrap().iter().all(|line| line["number"].as_u64() >= Some(next)));
    assert_eq!(page.get("/api/v1/log?since=-1").status, 400);
    assert!(page.get("/api/v1/status").json()["log_next"].as_u64() >= Some(next));
    let all = lines();
    page.post("/api/v1/stop", "");
    let output = page.running.wait();
    assert!(!format!("{all:?}").contains("hush-hush-1"));
    // A log for a file says only every ten seconds that the machine is busy.
    let is_busy = |text: &str| text.contains("takes the CPU") || text.contains("is saturated");
    let said = |line: &&Value| line["level"] != "mark" && !is_busy(line["text"].as_str().unwrap());
    for line in all.iter().filter(said) {
        for text in line["text"].as_str().unwrap().lines() {
            assert!(output.stderr.lines().any(|shown| shown == text), "{text:?} in {}", output.shown());
        }
    }
}

#[test]
fn a_page_that_starts_runs_has_a_log_for_each() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn iteration() { print(\"mine is \" + vu::iteration()); http::get(\"/ok\"); }");
    let page = waiting_page(&sandbox, &[]);
    assert_eq!(page.look("/api/v1/log").status, 404, "no run has said anything yet");
    let form = format!(r#"{{"script": "test.rhai", "host": "{}", "iterations": 2}}"#, server.url());
    for _ in 0..2 {
        wait_until("a run", || page.post("/api/v1/start", &form).status == 200);
        wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
        let log = page.look("/api/v1/log").json();
        let texts: Vec<&str> =
            log["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].ends_with("mine is 1") && texts[1].ends_with("mine is 2"), "{texts:?}");
    }
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

#[test]
fn a_flood_of_messages_is_cut_on_the_page_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"fn iteration() { http::get("/ok"); let x = "x"; x.pad(200, "x"); for n in 0..3000 { print("line " + n + x); } sleep(0.05); }"#,
    );
    let page = Page::run(&sandbox, &server, &["-u", "2", "-r", "100"]);
    wait_until("lines beyond those that are kept", || {
        page.get("/api/v1/log").json()["dropped"].as_u64().unwrap_or(0) > 1_000
    });
    let answer = page.get("/api/v1/log");
    assert!(answer.body.len() < 500_000, "{} bytes", answer.body.len());
    assert!(answer.json()["lines"].as_array().unwrap().len() <= 1_000);
    page.post("/api/v1/stop", "");
    page.running.wait();
}
