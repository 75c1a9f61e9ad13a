//! Ctrl-C on either side, at any time.

use super::one_run::{own_server_is_gone, own_url};
use super::*;

const SCRIPT: &str = r#"
    fn iteration() { http::get("/x"); http::get("/delay/700"); http::get("/after"); }
    fn on_stop() { http::get("/stop"); }
    fn teardown(data) { http::get("/teardown"); }
"#;

/// A coordinator with a server of its own, and the URL of that.
fn start(sandbox: &Sandbox, server: &Server, agents: usize) -> (Running, String) {
    let (url, count) = (server.url(), agents.to_string());
    let mut command = sandbox.command(&[
        "run",
        "test.rhai",
        "-H",
        &url,
        "--agents",
        &count,
        "-u",
        "6",
        "-r",
        "1000",
        "-t",
        "60",
    ]);
    command.env("TMPDIR", sandbox.path());
    let mut running = sandbox.attach(command.spawn().unwrap());
    let url = own_url(&mut running);
    (running, url)
}

#[test]
fn an_interrupt_lets_iterations_on_agents_end() {
    let (server, sandbox) = (Server::start(), Sandbox::with(SCRIPT));
    let (running, url) = start(&sandbox, &server, 2);
    let agents = Agent::several(&url, 2);
    server.wait_for_hits("/delay/700", 6);
    running.signal("INT");
    let output = running.wait().expect_code(105).expect_stderr(&["stopping"]);
    assert_eq!(
        (server.hits("/x"), server.hits("/after"), server.hits("/stop"), server.hits("/teardown")),
        (6, 6, 6, 1)
    );
    assert_eq!(requests(&output.run_dir()), 24, "{}", output.shown());
    assert_eq!(output.run_dir().json()["iterations"]["completed"], 6);
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
    own_server_is_gone(&sandbox, &url);
}

#[test]
fn the_second_interrupt_ends_a_run_on_agents_at_once() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); http::get(\"/never\"); }");
    let (running, url) = start(&sandbox, &server, 2);
    let agents = Agent::several(&url, 2);
    server.wait_for_hits("/never", 6);
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(500));
    running.signal("INT");
    let output = running.wait().expect_code(105);
    let json = output.run_dir().json();
    assert_eq!(
        (&json["total"]["requests"], &json["interrupted_requests"]),
        (&6.into(), &6.into()),
        "{}",
        output.shown()
    );
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
    own_server_is_gone(&sandbox, &url);
}

#[test]
fn an_interrupt_while_agents_are_awaited_leaves_nothing_behind() {
    let (server, sandbox) = (Server::start(), Sandbox::with(SCRIPT));
    let (mut running, url) = start(&sandbox, &server, 2);
    let agent = Agent::start(&url, "a1");
    running.wait_for_stderr("agents: 1 of 2: a1");
    running.signal("INT");
    running.wait().expect_code(105).expect_stderr(&["stopped by a signal before the load began"]);
    own_server_is_gone(&sandbox, &url);
    assert_eq!(sandbox.runs().len(), 0);
    // Its server is gone; it may still be told to end.
    agent.running.signal("INT");
    agent.running.wait().expect_code(0);
}

#[test]
fn an_agent_waits_for_a_server_that_is_not_there_yet_until_it_is_told_to_end() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let agent = Agent::start(&url(nobody), "a1");
    std::thread::sleep(std::time::Duration::from_millis(700));
    agent.running.signal("INT");
    agent.running.wait().expect_code(0).expect_stderr(&["waiting"]);
}
