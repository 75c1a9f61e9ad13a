//! Who speaks another version, or rubbish, harms nobody; who may not connect is told so.

use super::*;

#[test]
fn an_agent_of_another_version_is_refused_with_both_versions_named() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.05); }");
    let arguments = ["-H", &server.url(), "--agents", "1", "-t", "1"];
    let mut running = coordinator(&sandbox, &nats.url(), &arguments);
    running.wait_for_stderr("agents: 0 of 1");
    let mut stranger = RawClient::connect(&nats);
    stranger.subscribe("rhaid.agent.>");
    let hello =
        r#"{"protocol":77,"version":"9.9.9","id":"stranger","name":"old-host","threads":1,"news":[1]}"#;
    stranger.publish("rhaid.hello", hello.as_bytes());
    let offer = stranger.read_until("refused this agent");
    assert!(offer.contains("\"protocol\":1") && offer.contains(env!("CARGO_PKG_VERSION")), "{offer}");
    running.wait_for_stderr("warning: agent 'old-host' speaks version 77 of the protocol (rhaid 9.9.9), this is version 1 (rhaid ");
    assert!(!running.stderr().contains("agents: 1 of 1"));
    // The same the other way round.
    let mut agent = Agent::start(&nats.url(), "a1");
    let hello = stranger.read_until("rhaid.agent.");
    drop(hello);
    running.wait_for_stderr("agents: 1 of 1: a1");
    running.wait().expect_code(0);
    agent.running.wait_for_stderr("done");
}

#[test]
fn a_coordinator_of_another_version_is_refused_by_the_agent() {
    let nats = Nats::start();
    let mut listener = RawClient::connect(&nats);
    listener.subscribe("rhaid.hello");
    let mut agent = Agent::start(&nats.url(), "a1");
    let hello = listener.read_until("\"key\"");
    let (_, id) = hello.split_once("\"id\":\"").unwrap();
    let id = id.split('"').next().unwrap();
    for offer in
        [r#"{"protocol":77,"version":"9.9.9"}"#, "{}", "\u{0}", r#"{"protocol":1,"version":"1","run":"r"}"#]
    {
        listener.publish(&format!("rhaid.agent.{id}"), offer.as_bytes());
    }
    agent.running.wait_for_stderr(
        "warning: the coordinator speaks version 77 of the protocol (rhaid 9.9.9), this is version 1 (rhaid ",
    );
    // It waits for another one.
    listener.read_until(id);
}

/// On every subject of rhaid, before and while a run goes on.
#[test]
fn rubbish_on_the_subjects_of_a_run_harms_nobody() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.05); }");
    let arguments = ["-H", &server.url(), "--agents", "2", "-u", "4", "-r", "1000", "-t", "4"];
    let mut running = coordinator(&sandbox, &nats.url(), &arguments);
    running.wait_for_stderr("agents: 0 of 2");
    let mut stranger = RawClient::connect(&nats);
    let rubbish: [&[u8]; 6] =
        [b"", b"\0", b"{}", b"[]", b"{\"protocol\":1,\"id\":\"x\",\"name\":\"y\"", &[0xff; 3000]];
    rubbish.iter().for_each(|bytes| stranger.publish("rhaid.hello", bytes));
    stranger.subscribe("rhaid.run.>");
    let agents = Agent::several(&nats.url(), 2);
    server.wait_for_hits("/x", 20);
    let said = stranger.read_until("kept.intervals");
    let (_, run) = said.split_once("rhaid.run.").unwrap();
    let run = run.split('.').next().unwrap();
    for subject in [
        "kept.orders",
        "kept.intervals.0",
        "kept.intervals.7",
        "kept.intervals.x",
        "kept.words.0",
        "kept.words.99999999999999999999",
        "kept.store",
        "clock",
        "files",
        "pulse",
    ] {
        rubbish.iter().for_each(|bytes| stranger.publish(&format!("rhaid.run.{run}.{subject}"), bytes));
    }
    let output = running.wait().expect_code(0);
    assert_eq!(requests(&output.run_dir()), server.hits("/x"), "{}", output.shown());
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
}

#[test]
fn a_server_that_is_not_there_or_lets_nobody_in_is_told_at_once() {
    let nats = Nats::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let wrong = format!("nats://another-token@{}", nats.addr());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, told) in [
        (wrong, "authorization violation"),
        (format!("nats://t@{nobody}"), "cannot connect to NATS at nats://"),
    ] {
        let arguments = ["run", "test.rhai", "-H", "http://127.0.0.1:9", "--agents", "1", "--nats", &url];
        let output =
            sandbox.run(&arguments).expect_code(104).expect_stderr(&["cannot connect to NATS at", told]);
        assert!(!output.stderr.contains("another-token"), "{}", output.shown());
    }
}

#[test]
fn without_a_nats_server_on_the_path_the_command_says_what_to_install() {
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let arguments = ["run", "test.rhai", "-H", "http://127.0.0.1:9", "--agents", "1"];
    sandbox.run_with(&arguments, &[("PATH", "/nowhere")]).expect_code(104).expect_stderr(&[
        "there is no nats-server on the path",
        "apt install nats-server",
        "--nats nats://HOST:4222",
    ]);
}
