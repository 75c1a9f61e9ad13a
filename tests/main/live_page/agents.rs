//! The page of a coordinator: runs that wait for agents.

use super::*;
use crate::support::cluster::{Agent, Nats};

const SCRIPT: &str = "wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }";

/// The page of a coordinator whose runs need two agents.
fn coordinator(sandbox: &Sandbox, nats: &Nats) -> Page {
    let url = nats.url();
    let arguments =
        ["coordinator", ".", "--agents", "2", "--nats", &url, "--web-address", "0", "--web-token", "t"];
    page_of(sandbox, sandbox.start(&arguments))
}

/// An agent that stays for more than one run.
fn agent(nats: &Nats, name: &str) -> Agent {
    Agent::start_with(&nats.url(), name, &[], &[])
}

/// The agents that are there for the run that waits for some.
fn there(page: &Page) -> Value {
    page.look("/api/v1/status").json()["recruiting"]["agents"].clone()
}

#[test]
fn a_start_that_waits_for_agents_is_seen_and_can_be_stopped() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with(SCRIPT);
    let page = coordinator(&sandbox, &nats);
    let first = agent(&nats, "a1");
    let form = format!(
        r#"{{"script": "test.rhai", "host": "{}", "users": 4, "spawn_rate": 100, "run_time": "1s"}}"#,
        server.url()
    );
    let mut events = page.events(None);
    assert_eq!(events.next().unwrap().1["status"]["state"], "waiting");
    let started = page.post("/api/v1/start", &form);
    let json = started.json();
    assert_eq!(
        (started.status, &json["id"], &json["state"]),
        (202, &Value::Null, &"recruiting".into()),
        "{json}"
    );
    assert!(json["message"].as_str().unwrap().starts_with("waiting for agents, "), "{json}");
    let command = json["command"].as_str().unwrap();
    assert!(command.contains(" --agents=2 --nats='nats://***@"), "{command}");
    wait_until("one agent", || there(&page) == serde_json::json!(["a1"]));
    first.running.signal("INT");
    first.running.wait();
    let ended = std::time::Instant::now();
    wait_until("nobody", || there(&page) == serde_json::json!([]));
    assert!(ended.elapsed() < std::time::Duration::from_millis(2_500), "it has said that it ends");
    let _first = agent(&nats, "a1");
    wait_until("one agent", || there(&page) == serde_json::json!(["a1"]));
    let status = page.look("/api/v1/status").json();
    assert_eq!((&status["recruiting"]["name"], &status["recruiting"]["wanted"]), (&"test".into(), &2.into()));
    assert_eq!((&status["state"], &status["run"]), (&"recruiting".into(), &Value::Null));
    assert_eq!(events.next().unwrap().1["status"]["state"], "recruiting", "viewers see it");
    let told = sandbox.run(&["ctl", "status"]).expect_code(0).stdout;
    assert!(told.contains("test waits for agents, 1 of 2"), "{told}");
    assert_eq!(page.post("/api/v1/start", &form).status, 409, "one at a time");
    assert_eq!(page.post("/api/v1/control", r#"{"users": 3}"#).status, 409, "there is no load yet");
    let stopped = page.post("/api/v1/stop", "");
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &"waiting".into()), "{}", stopped.body);
    assert_eq!(stopped.json()["problem"], "it was stopped while it waited for agents");
    // An agent that comes now finds nothing to do.
    let _second = agent(&nats, "a2");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!((server.total(), page.look("/api/v1/status").json()["state"].as_str()), (0, Some("waiting")));
    assert_eq!(page.post("/api/v1/start", &form).status, 200, "both are there");
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    assert_eq!(page.look("/api/v1/status").json()["requests"], server.total());
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

/// One that has just ended still seems to be there.
#[test]
fn for_an_agent_that_is_gone_when_a_run_starts_another_one_is_awaited() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with(SCRIPT);
    let page = coordinator(&sandbox, &nats);
    let (_first, mut second) = (agent(&nats, "a1"), agent(&nats, "a2"));
    second.running.wait_for_stderr("agent 'a2': waiting");
    let form = format!(
        r#"{{"script": "test.rhai", "host": "{}", "users": 4, "spawn_rate": 100, "run_time": "1s"}}"#,
        server.url()
    );
    std::thread::sleep(std::time::Duration::from_millis(1200));
    second.running.signal("KILL");
    second.running.wait();
    let started = page.post("/api/v1/start", &form);
    assert_eq!(started.status, 202, "{}", started.body);
    wait_until("the other one is free again", || there(&page) == serde_json::json!(["a1"]));
    let status = page.look("/api/v1/status").json();
    let refused = status["recruiting"]["refused"][0].as_str().unwrap().to_owned();
    assert!(
        refused.starts_with("agent 'a2' is gone: ") && refused.ends_with("another one is awaited"),
        "{refused}"
    );
    let _third = agent(&nats, "a3");
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    let json = sandbox.runs().pop().unwrap().json();
    assert_eq!(json["total"]["requests"], server.total());
    let names: Vec<_> =
        json["agents"].as_array().unwrap().iter().map(|agent| agent["name"].clone()).collect();
    assert_eq!(names, ["a1", "a3"]);
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

#[test]
fn a_run_that_waits_for_agents_is_stopped_with_an_answer() {
    let nats = Nats::start();
    let sandbox = Sandbox::with(SCRIPT);
    let run =
        ["run", "test.rhai", "--agents", "1", "--nats", &nats.url(), "--control", "-H", "http://127.0.0.1:9"];
    let waits = sandbox.start(&run);
    wait_until("it waits", || sandbox.run(&["ctl", "status"]).stdout.contains("waits for agents"));
    sandbox.run(&["ctl", "stop"]).expect_code(0);
    waits.wait().expect_code(105);
}
