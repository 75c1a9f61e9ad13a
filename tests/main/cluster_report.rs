//! What a distributed run says of its agents: the same in run.json, in the summary, and in the report, now and made again.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Output, Running, Sandbox, Server, wait_until};

const SCRIPT: &str = r#"fn iteration() { http::get("/"); sleep(0.05); }"#;

/// A run on three agents, which have begun it.
struct Distributed {
    sandbox: Sandbox,
    run: Running,
    agents: Vec<Running>,
}

impl Distributed {
    fn start(server: &Server, time: &str) -> Distributed {
        let sandbox = Sandbox::with(SCRIPT);
        let url = server.url();
        let arguments = ["run", "test.rhai", "-H", &url, "-u", "6", "-r", "100", "-t", time];
        let more = ["--agents", "3", "--listen", "127.0.0.1:0", "--html", "r.html", "--markdown", "run.md"];
        let mut command = sandbox.command(&[&arguments[..], &more[..]].concat());
        // Read while it runs.
        command.stderr(Stdio::from(File::create(sandbox.path().join("stderr")).unwrap()));
        let run = sandbox.attach(command.spawn().unwrap());
        let mut started = Distributed { sandbox, run, agents: Vec::new() };
        let mut nats = None;
        wait_until("the line to start agents with (nats-server is needed: apt install nats-server)", || {
            nats =
                started.said().split_whitespace().find(|word| word.starts_with("nats://")).map(str::to_owned);
            nats.is_some()
        });
        for name in ["a1", "a2", "a3"] {
            let arguments = ["agent", nats.as_deref().unwrap(), "--name", name, "--threads", "1", "--once"];
            started.agents.push(Sandbox::new().start(&arguments));
        }
        wait_until("requests of the agents", || server.seen().len() > 30);
        started
    }

    /// What the coordinator has written to standard error so far.
    fn said(&self) -> String {
        std::fs::read_to_string(self.sandbox.path().join("stderr")).unwrap()
    }

    /// Its end, and the agents of run.json.
    fn wait(self) -> (Sandbox, Output, Value) {
        let output = self.run.wait();
        let json = output.run_dir().json();
        (self.sandbox, output, json)
    }
}

/// The section of the agents in a report.
fn section(html: &str) -> &str {
    let section = html.split("<section id=\"agents\"").nth(1).expect("a section of the agents");
    section.split("</section>").next().unwrap()
}

/// The report that `rhaid report` makes of the run, whose section of the agents is the one of the first.
#[track_caller]
fn made_again(sandbox: &Sandbox, output: &Output) -> String {
    let report = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let again = sandbox.run(&["report", output.run_dir().0.to_str().unwrap(), "--html", "again.html"]);
    assert_eq!(section(&report("r.html")), section(&report("again.html")), "{}", again.shown());
    report("again.html")
}

#[test]
fn agents_have_their_share_their_requests_and_their_verdict_in_all_outputs() {
    let server = Server::start();
    let (sandbox, output, json) = Distributed::start(&server, "3s").wait();
    assert_eq!(output.code, Some(0), "{}", output.shown());
    let agents = json["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 3, "{json:#}");
    for agent in agents {
        assert_eq!(agent["state"], "done", "{agent:#}");
        assert_eq!(agent["is_complete"], true, "{agent:#}");
        assert_eq!((&agent["threads"], &agent["users_max"]), (&json!(1), &json!(2)), "{agent:#}");
        assert_eq!(agent["share"], json!(0.3333), "{agent:#}");
        assert!(agent["intervals"].as_u64() >= Some(3), "{agent:#}");
        assert_eq!((&agent["dropped_intervals"], &agent["losses"]), (&json!(0), &json!([])), "{agent:#}");
        // They share the clock of this machine.
        assert!(agent["clock_offset_ms"].as_f64().is_some_and(|ms| ms.abs() < 100.0), "{agent:#}");
        assert!(agent["clock_within_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{agent:#}");
        assert!(agent["generator"]["saturated"].is_boolean(), "{agent:#}");
        assert!(agent["generator"]["cpu"].as_f64().is_some_and(|cpu| cpu > 0.0), "{agent:#}");
    }
    let requests: u64 = agents.iter().map(|agent| agent["requests"].as_u64().unwrap()).sum();
    assert_eq!(json["total"]["requests"], requests);
    let worst = json["generator"]["cpu"].clone();
    assert!(agents.iter().any(|agent| agent["generator"]["cpu"] == worst), "{json:#}");
    let lines = output.stdout.lines().skip_while(|line| !line.starts_with("   agents"));
    // An agent that was held up has a second line.
    let table: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(table.len() >= 4 && table[0].contains("requests"), "{}", output.shown());
    let again = made_again(&sandbox, &output);
    let markdown = std::fs::read_to_string(sandbox.path().join("run.md")).unwrap();
    for agent in ["a1", "a2", "a3"] {
        assert!(table.iter().any(|line| line.contains(agent)), "{table:#?}");
        assert!(section(&again).contains(&format!(">{agent}<")), "{}", section(&again));
        assert!(markdown.contains(&format!("| {agent} | done | 2 |")), "{markdown}");
    }
    assert!(!output.stdout.contains("was lost"), "{}", output.shown());
}

/// What a run of one process says of its threads and of itself, with the name of the agent.
#[test]
fn an_agent_that_stood_still_is_in_all_outputs_by_its_name() {
    let server = Server::start();
    let started = Distributed::start(&server, "6s");
    started.agents[1].signal("STOP");
    // Too short for a loss.
    std::thread::sleep(Duration::from_millis(2_000));
    started.agents[1].signal("CONT");
    let (sandbox, output, json) = started.wait();
    assert_eq!(output.code, Some(0), "{}", output.shown());
    let standstills = json["generator"]["standstills"].as_array().unwrap();
    let its = standstills.iter().find(|span| span["agent"] == "a2").unwrap_or_else(|| panic!("{json:#}"));
    assert!(its["length_s"].as_f64() > Some(1.5), "{its:#}");
    let findings = json["findings"].as_array().unwrap();
    let told = "agent 'a2' did not run for ";
    assert!(findings.iter().any(|finding| finding["text"].as_str().unwrap().starts_with(told)), "{json:#}");
    assert!(output.stdout.contains(told), "{}", output.shown());
    assert!(made_again(&sandbox, &output).contains("did not run for "));
}

#[test]
fn an_agent_that_was_killed_is_lost_in_all_outputs_and_says_when() {
    let server = Server::start();
    let mut started = Distributed::start(&server, "60s");
    started.agents.remove(2).signal("KILL");
    wait_until("the loss is told", || started.said().contains("agent 'a3' is lost: "));
    // The second of these does not wait for an agent that may only be cut off.
    started.run.signal("INT");
    std::thread::sleep(Duration::from_millis(500));
    started.run.signal("INT");
    let (sandbox, output, json) = started.wait();
    let agents = json["agents"].as_array().unwrap();
    let states: Vec<&Value> = agents.iter().map(|agent| &agent["state"]).collect();
    assert_eq!(states[2], "lost", "{json:#}");
    assert!(states[..2].iter().all(|state| *state != "lost"), "{states:?}");
    let lost = &agents[2];
    assert_eq!(
        (&lost["is_complete"], &lost["share"], &lost["users"]),
        (&json!(false), &json!(0.0), &json!(0))
    );
    assert!(lost["losses"][0]["from_s"].as_f64() > Some(1.0), "{lost:#}");
    assert_eq!(lost["losses"][0]["to_s"], Value::Null);
    let findings = json["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["kind"] == "agent-lost").unwrap();
    assert_eq!(finding["from_s"], lost["losses"][0]["from_s"]);
    assert!(
        finding["text"].as_str().unwrap().starts_with("agent 'a3' was lost: nothing was heard of it for ")
    );
    for told in ["agent 'a3' was lost: ", "agent 'a3' did not come back: ", "lost at 00:"] {
        assert!(output.stdout.contains(told), "no {told:?} in {}", output.shown());
    }
    assert!(section(&made_again(&sandbox, &output)).contains("lost at 00:"));
}
