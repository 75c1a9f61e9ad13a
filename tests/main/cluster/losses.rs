//! Agents, the network and NATS go away in the middle of a run, and some come back: nothing that was sent is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

/// Tells the server who is who; each user makes ten requests a second.
const SCRIPT: &str = r#"
    fn on_start() { print("user " + vu::id()); }
    fn iteration() { http::get("/" + vu::id()); sleep(0.1); }
"#;

/// A run with 30 users on three agents that are connected as they are given.
struct Run {
    server: Server,
    running: Running,
    agents: Vec<Agent>,
    sandbox: Sandbox,
}

impl Run {
    /// When it returns, users of all agents make load since some seconds.
    fn start(nats: &str, agents: [&str; 3], arguments: &[&str]) -> Run {
        let server = Server::start();
        let sandbox = Sandbox::with(SCRIPT);
        let url = server.url();
        let load = ["-H", &url, "--agents", "3", "-u", "30", "-r", "1000"];
        let running = coordinator(&sandbox, nats, &[&load, arguments].concat());
        let agents =
            agents.iter().enumerate().map(|(at, nats)| Agent::start(nats, &format!("a{}", at + 1))).collect();
        let run = Run { server, running, agents, sandbox };
        wait_until("all users make load", || run.users() == 30);
        std::thread::sleep(Duration::from_secs(2));
        run
    }

    /// How many users have made requests.
    fn users(&self) -> usize {
        self.server.seen().into_iter().map(|seen| seen.path).collect::<BTreeSet<_>>().len()
    }

    /// How many users make requests now.
    fn users_now(&self) -> usize {
        users_now(&self.server)
    }

    /// Ends the second agent with a signal; returns when that was noticed, with what happened until then.
    #[track_caller]
    fn end_one(&mut self, signal: &str) {
        let killed = Instant::now();
        self.agents[1].running.signal(signal);
        self.running.wait_for_stderr("agent 'a2' is lost: nothing was heard of it for ");
        let stderr = self.running.stderr();
        let (_, silence) = stderr.split_once("was heard of it for ").unwrap();
        let silence: f64 = silence.split(' ').next().unwrap().parse().unwrap();
        assert!(silence <= 5.0, "{silence}");
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    }
}

/// How many users make requests of this server now.
fn users_now(server: &Server) -> usize {
    let since = Instant::now();
    std::thread::sleep(Duration::from_millis(700));
    let seen = server.seen().into_iter().filter(|seen| seen.at >= since);
    seen.map(|seen| seen.path).collect::<BTreeSet<_>>().len()
}

/// Fails the test unless the run counts each request of the users of other agents, and has lost little of the dead one's.
#[track_caller]
fn only_what_was_not_sent_is_lost(server: &Server, output: &Output, dead: &str) {
    let users = users_of_agents(&output.stderr);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    server.seen().into_iter().for_each(|seen_one| *seen.entry(seen_one.path).or_default() += 1);
    let run = output.run_dir();
    let counted: BTreeMap<String, u64> = run
        .csv("stats.csv")
        .into_iter()
        .filter(|row| row["Name"] != "Aggregated")
        .map(|row| (row["Name"].clone(), row["Request Count"].parse().unwrap()))
        .collect();
    let of = |user: &u64| (seen[&format!("/{user}")], counted.get(&format!("/{user}")).copied().unwrap_or(0));
    let users_of_dead = &users[dead];
    let mut lost = 0;
    for (agent, users) in &users {
        for user in users {
            // Another agent may have taken over a user of the dead one, with its number.
            if agent != dead && users_of_dead.contains(user) {
                continue;
            }
            let (seen, counted) = of(user);
            if agent == dead {
                assert!(counted <= seen, "{agent}, user {user}: {counted} of {seen}");
                lost += seen - counted;
            } else {
                assert_eq!(counted, seen, "{agent}, user {user}\n{}", output.shown());
            }
        }
    }
    // Ten users, ten requests a second.
    assert!(lost <= 200, "{lost}");
    let total: u64 = counted.values().sum();
    assert_eq!((total, seen.values().sum::<u64>()), (requests(&run), requests(&run) + lost));
}

/// Users by the seconds of history, without the first and the last, in which users come and go.
fn users_by_second(run: &RunDir) -> Vec<u64> {
    let rows = run.csv("stats_history.csv");
    rows[1..rows.len() - 1].iter().map(|row| row["User Count"].parse().unwrap()).collect()
}

#[test]
fn a_killed_agents_share_goes_to_the_others_and_to_one_that_joins() {
    let nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-t", "60"]);
    run.end_one("KILL");
    wait_until("there are as many users as before", || run.users_now() == 30);
    run.agents.push(Agent::start(&url, "a4"));
    run.running.wait_for_stderr("a4: user");
    wait_until("there are as many users as before", || run.users_now() == 30);
    run.running.signal("INT");
    let output = run
        .running
        .wait()
        .expect_code(105)
        .expect_stderr(&["its share goes to the others", "agent 'a4' joins the run"]);
    only_what_was_not_sent_is_lost(&run.server, &output, "a2");
    assert_eq!(users_of_agents(&output.stderr)["a4"].len(), 10, "{}", output.shown());
    let dir = output.run_dir();
    assert!(has_mark(&dir, "agent 'a2' is lost") && has_mark(&dir, "agent 'a4' joins the run"));
    history_has_no_hole(&dir);
    // Users of one that hands over end their iterations while those of the other begin.
    assert!(users_by_second(&dir).iter().all(|&users| users <= 40), "{:?}", users_by_second(&dir));
    for agent in [0, 2, 3].into_iter().rev() {
        run.agents.remove(agent).running.wait().expect_code(0);
    }
}

/// Runs a load on three agents of which one is told to end, at no whole second of the load.
#[track_caller]
fn with_one_that_leaves(load: &[&str]) -> Value {
    let (nats, server) = (Nats::start(), Server::start());
    let sandbox = Sandbox::with(r#"fn iteration() { http::get("/"); sleep(0.05); }"#);
    let (host, url) = (server.url(), nats.url());
    let arguments = [&["-H", &host, "--agents", "3", "-u", "12", "-r", "1000"], load].concat();
    let running = coordinator(&sandbox, &url, &arguments);
    let agents = Agent::several(&url, 3);
    wait_until("there is load", || server.total() > 250);
    agents[1].running.signal("INT");
    let output = running.wait().expect_code(0);
    drop(agents);
    let json = output.run_dir().json();
    let number = |value: &Value| value.as_u64().unwrap();
    let (requests, interrupted) = (number(&json["total"]["requests"]), number(&json["interrupted_requests"]));
    let agents = json["agents"].as_array().unwrap();
    let told: u64 = agents.iter().map(|agent| number(&agent["requests"])).sum();
    assert_eq!(requests, told, "the sum of the agents: {json:#}");
    // Whether one that was interrupted had reached the server nobody can tell.
    let seen = server.total();
    assert!((requests..=requests + interrupted).contains(&seen), "{requests}, {interrupted}, {seen}");
    let left = &json["agents"][1];
    assert_eq!((&left["state"], &left["is_complete"]), (&json!("left"), &json!(true)), "{left:#}");
    let iterations = &json["iterations"];
    let ended = ["completed", "failed", "interrupted"].map(|end| number(&iterations[end]));
    assert_eq!(number(&iterations["started"]), ended.iter().sum::<u64>(), "{iterations:#}");
    for part in ["agent 'a2' left the run: it was told to end", "left at 00:0"] {
        assert!(output.stdout.contains(part), "no {part:?} in {}", output.shown());
    }
    assert!(!output.stdout.contains("did not come back"), "{}", output.shown());
    json
}

#[test]
fn all_that_an_agent_has_counted_counts_when_it_is_told_to_end() {
    let json = with_one_that_leaves(&["-t", "3"]);
    assert_eq!(json["agents"][1]["users"], 0, "{json:#}");
}

#[test]
fn what_an_agent_has_begun_of_a_number_of_iterations_is_not_dealt_again_when_it_leaves() {
    let json = with_one_that_leaves(&["-i", "600"]);
    assert_eq!(json["iterations"]["started"], 600, "{json:#}");
}

#[test]
fn with_continue_the_share_of_an_agent_that_ended_is_left_alone() {
    let nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-t", "60", "--on-agent-loss", "continue"]);
    let told = Instant::now();
    run.agents[1].running.signal("INT");
    run.running.wait_for_stderr("agent 'a2' has left the run: it was told to end");
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(run.users_now(), 20);
    run.running.signal("INT");
    let output = run.running.wait().expect_code(105).expect_stderr(&["the run goes on without it"]);
    only_what_was_not_sent_is_lost(&run.server, &output, "a2");
    assert!(users_by_second(&output.run_dir()).ends_with(&[20]));
}

#[test]
fn with_abort_a_killed_agent_ends_the_run() {
    let nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-t", "60", "--on-agent-loss", "abort"]);
    run.end_one("KILL");
    let noticed = Instant::now();
    let output = run.running.wait().expect_code(103);
    assert!(noticed.elapsed() < Duration::from_secs(10), "nobody is waited for: {:?}", noticed.elapsed());
    let told = "AGENTS LOST: agent 'a2' was lost (--on-agent-loss abort)";
    assert!(output.stdout.contains(told), "{}", output.shown());
    let json = output.run_dir().json();
    assert_eq!(json["ended_by"], "agents lost");
    assert_eq!(json["ended_reason"], "agent 'a2' was lost (--on-agent-loss abort)");
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["kind"] == "agents-lost"));
    only_what_was_not_sent_is_lost(&run.server, &output, "a2");
}

/// Starts a load on one agent, which is told to end after a while.
fn alone(sandbox: &Sandbox, server: &Server, nats: &str, load: &[&str]) -> (Running, Agent) {
    let host = server.url();
    let mut running = coordinator(sandbox, nats, &[&["-H", &host, "--agents", "1"], load].concat());
    let only = Agent::start(nats, "a1");
    wait_until("there is load", || server.total() > 20);
    only.running.signal("INT");
    running.wait_for_stderr("agent 'a1' has left the run: it was told to end; no agent is left");
    (running, only)
}

#[test]
fn a_run_whose_agents_are_all_gone_fails_with_a_code_of_its_own() {
    let (nats, server) = (Nats::start(), Server::start());
    let sandbox = Sandbox::with(r#"fn iteration() { http::get("/"); sleep(0.05); }"#);
    let load = ["-u", "2", "-t", "4", "--threshold", "http_req_failed: rate < 50%"];
    let (mut running, _gone) = alone(&sandbox, &server, &nats.url(), &load);
    running.wait_for_stderr("no agent is left: another one can take up the load until it ends");
    let output = running.wait().expect_code(103);
    let last = output.stdout.lines().last().unwrap();
    assert!(last.trim_start().starts_with("AGENTS LOST: no agent was left after "), "{}", output.shown());
    assert!(last.contains(" s of 4s, and no other took up the load; "), "{}", output.shown());
    let json = output.run_dir().json();
    assert_eq!((&json["ended_by"], &json["verdict"]["passed"]), (&json!("agents lost"), &json!(false)));
    assert_eq!(
        json["findings"].as_array().unwrap().iter().filter(|one| one["kind"] == "agents-lost").count(),
        1
    );
    let requests = requests(&output.run_dir());
    let interrupted = json["interrupted_requests"].as_u64().unwrap();
    assert!((requests..=requests + interrupted).contains(&server.total()), "{}", output.shown());
}

#[test]
fn an_agent_that_starts_when_none_is_left_takes_up_the_load_with_continue_too() {
    for policy in ["redistribute", "continue"] {
        let (nats, server) = (Nats::start(), Server::start());
        let sandbox = Sandbox::with(r#"fn iteration() { http::get("/"); sleep(0.05); }"#);
        let load = ["-u", "4", "-r", "1000", "-i", "200", "--on-agent-loss", policy];
        let (running, _gone) = alone(&sandbox, &server, &nats.url(), &load);
        let other = Agent::start(&nats.url(), "a2");
        let output = running.wait().expect_code(0);
        let json = output.run_dir().json();
        assert_eq!(json["iterations"]["started"], 200, "{policy}: {}", output.shown());
        assert_eq!(json["agents"][1]["share"], 1.0, "{policy}: {json:#}");
        other.running.wait().expect_code(0);
    }
}

/// One agent's network is cut for ten seconds, long enough that its share is dealt to the others meanwhile.
#[test]
fn what_an_agent_counts_while_it_is_cut_off_counts_in_the_seconds_in_which_it_counted_it() {
    let nats = Nats::start();
    let (url, wire) = (nats.url(), Wire::to(nats.addr()));
    let mut run = Run::start(&url, [&url, &wire.url(), &url], &["-t", "60"]);
    wire.cut();
    let cut = Instant::now();
    run.running.wait_for_stderr("agent 'a2' is lost");
    std::thread::sleep(Duration::from_secs(10).saturating_sub(cut.elapsed()));
    wire.restore();
    run.running.wait_for_stderr("agent 'a2' is heard again");
    wait_until("there are as many users as before", || run.users_now() == 30);
    run.running.signal("INT");
    let output = run.running.wait().expect_code(105);
    let dir = output.run_dir();
    assert_eq!(requests(&dir), run.server.total(), "{}", output.shown());
    assert!(has_mark(&dir, "agent 'a2' is lost") && has_mark(&dir, "agent 'a2' is heard again"));
    history_has_no_hole(&dir);
    counted_when_seen(&dir, &run.server);
    // While its share was dealt to the others, its own users were there as well.
    let users = users_by_second(&dir);
    let most = users.iter().max().unwrap();
    assert!((36..=40).contains(most) && users.iter().filter(|&&users| users >= 36).count() >= 4, "{users:?}");
    for agent in run.agents {
        agent.running.wait().expect_code(0);
    }
}

/// The end of a run waits for those that may still tell, and not for one that is lost, or is found to be.
#[test]
fn the_end_of_a_run_does_not_wait_for_an_agent_that_is_lost() {
    let nats = Nats::start();
    let url = nats.url();
    for is_lost_before in [true, false] {
        let mut run = Run::start(&url, [&url; 3], &["-t", "60"]);
        if is_lost_before {
            run.end_one("KILL");
        } else {
            run.agents[1].running.signal("KILL");
        }
        run.running.signal("INT");
        let told = Instant::now();
        let output = run.running.wait().expect_code(105).expect_stderr(&["agent 'a2' is lost"]);
        // Killed, it is noticed within five seconds; ending itself takes a second or two.
        let most = if is_lost_before { 4 } else { 9 };
        assert!(told.elapsed() < Duration::from_secs(most), "{:?}\n{}", told.elapsed(), output.shown());
        only_what_was_not_sent_is_lost(&run.server, &output, "a2");
        for agent in [0, 2].into_iter().rev() {
            run.agents.remove(agent).running.wait().expect_code(0);
        }
    }
}

/// It makes no load for a run that is over.
#[test]
fn an_agent_that_was_cut_off_at_the_end_of_a_run_ends_when_it_can_reach_nats_again() {
    let nats = Nats::start();
    let (url, wire) = (nats.url(), Wire::to(nats.addr()));
    let mut run = Run::start(&url, [&url, &wire.url(), &url], &["-t", "600"]);
    wire.cut();
    run.running.wait_for_stderr("agent 'a2' is lost");
    run.running.signal("INT");
    run.running.wait().expect_code(105);
    assert!(users_now(&run.server) >= 10, "its users do not know that the run is over");
    wire.restore();
    let told = Instant::now();
    run.agents
        .remove(1)
        .running
        .wait()
        .expect_stderr(&["it has ended while this agent could not be reached"]);
    assert!(told.elapsed() < Duration::from_secs(40), "{:?}", told.elapsed());
}

#[test]
fn a_run_goes_on_while_nats_is_killed_and_loses_nothing() {
    let mut nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-t", "60"]);
    nats.kill();
    let before = run.server.total();
    std::thread::sleep(Duration::from_secs(5));
    assert!(
        run.server.total() > before + 500,
        "the load goes on: {} requests in 5 s",
        run.server.total() - before
    );
    nats.start_again();
    run.running.wait_for_stderr("NATS can be reached again after");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(run.users_now(), 30);
    run.running.signal("INT");
    let output = run.running.wait().expect_code(105);
    let dir = output.run_dir();
    assert_eq!(requests(&dir), run.server.total(), "{}", output.shown());
    assert!(!output.stderr.contains("is lost"), "{}", output.shown());
    assert!(has_mark(&dir, "NATS cannot be reached") && has_mark(&dir, "NATS can be reached again"));
    history_has_no_hole(&dir);
    assert!(users_by_second(&dir).iter().all(|&users| users == 30), "{:?}", users_by_second(&dir));
    assert_eq!(dir.json()["metrics"]["vus_max"]["values"]["value"], 30);
    for agent in run.agents {
        agent.running.wait().expect_code(0);
    }
}

/// One was lost before the coordinator was killed, another is lost after it.
#[test]
fn who_goes_on_with_a_run_knows_who_was_lost_and_what_becomes_of_their_share() {
    let nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-t", "60", "--on-agent-loss", "continue"]);
    run.end_one("KILL");
    std::thread::sleep(Duration::from_millis(1_500));
    run.running.signal("KILL");
    run.running.wait();
    let mut resumed = run.sandbox.start(&["run", "--resume", "last"]);
    resumed.wait_for_stderr("the coordinator was started again");
    // Longer than it takes to notice a loss.
    std::thread::sleep(Duration::from_secs(6));
    assert!(!resumed.stderr().contains("agent 'a2' is lost"), "{}", resumed.stderr());
    run.agents[2].running.signal("KILL");
    resumed.wait_for_stderr("agent 'a3' is lost");
    assert!(resumed.stderr().contains("the run goes on without it"), "{}", resumed.stderr());
    assert_eq!(users_now(&run.server), 10, "nobody takes their share");
    // A whole second of the history has them.
    std::thread::sleep(Duration::from_secs(2));
    resumed.signal("INT");
    resumed.wait().expect_code(105);
    let dir = run.sandbox.runs().pop().unwrap();
    let json = dir.json();
    let losses: Vec<_> = json["agents"].as_array().unwrap().iter().map(|agent| &agent["losses"]).collect();
    assert_eq!(losses[0].as_array().unwrap().len(), 0, "{json:#}");
    for lost in &losses[1..] {
        assert_eq!((lost.as_array().unwrap().len(), lost[0]["to_s"].is_null()), (1, true), "{lost:#}");
    }
    // Each second has the users that were known of in it, also those of before.
    let users = users_by_second(&dir);
    let mut steps: Vec<u64> = users.iter().copied().filter(|users| [30, 20, 10].contains(users)).collect();
    steps.dedup();
    assert_eq!(steps, [30, 20, 10], "{users:?}");
}

/// What a lost one had left was dealt before; who goes on deals it no second time.
#[test]
fn who_goes_on_with_a_run_deals_no_iteration_twice() {
    let nats = Nats::start();
    let url = nats.url();
    let mut run = Run::start(&url, [&url; 3], &["-i", "3000"]);
    run.end_one("KILL");
    wait_until("its share is taken over", || run.users_now() == 30);
    run.running.signal("KILL");
    run.running.wait();
    let output = run.sandbox.run(&["run", "--resume", "last"]).expect_code(0);
    let dir = run.sandbox.runs().pop().unwrap();
    let lost = run.server.total() - requests(&dir);
    assert!(requests(&dir) <= 3_000 && requests(&dir) + lost >= 3_000, "{lost}\n{}", output.shown());
    // The dead one has made a few requests of which it has not told: others have made those again.
    assert!(lost <= 200, "{lost}");
    for agent in [0, 2].into_iter().rev() {
        run.agents.remove(agent).running.wait().expect_code(0);
    }
}

/// The last one has the whole history, in the folder of the run, and nothing of what it needed stays.
#[test]
fn a_run_goes_on_however_often_its_coordinator_is_killed() {
    let nats = Nats::start();
    let url = nats.url();
    let run = Run::start(&url, [&url; 3], &["-t", "18"]);
    run.running.signal("KILL");
    run.running.wait();
    let killed = run.sandbox.runs().pop().unwrap();
    assert!(killed.0.join("cluster/state.json").is_file());
    let before = run.server.total();
    std::thread::sleep(Duration::from_secs(3));
    assert!(run.server.total() > before + 300, "the load goes on: {before}, {}", run.server.total());
    let mut second = run.sandbox.start(&["run", "--resume", "last", "--control"]);
    second.wait_for_stderr("the coordinator was started again");
    let control = killed.0.join("control.json");
    wait_until("it can be steered", || control.is_file());
    std::thread::sleep(Duration::from_millis(1500));
    let name = killed.0.to_string_lossy().into_owned();
    run.sandbox
        .run(&["run", "--resume", &name])
        .expect_code(104)
        .expect_stderr(&["cannot resume", "its coordinator is running"]);
    second.signal("KILL");
    second.wait();
    let output = run.sandbox.run(&["run", "--resume", &name]).expect_code(0);
    assert!(output.stderr.contains("the coordinator was started again"), "{}", output.shown());
    let runs = run.sandbox.runs();
    assert_eq!(runs.iter().map(|run| &run.0).collect::<Vec<_>>(), [&killed.0]);
    let dir = &runs[0];
    assert_eq!(requests(dir), run.server.total(), "{}", output.shown());
    assert!(dir.0.join("script/test.rhai").is_file());
    assert!(!control.exists(), "what the killed one left leads nowhere");
    history_has_no_hole(dir);
    let users = users_by_second(dir);
    // In the last second users leave.
    assert!(users[..users.len() - 1].iter().all(|&users| users == 30), "{users:?}");
    for agent in run.agents {
        agent.running.wait().expect_code(0);
    }
    assert!(!dir.0.join("cluster").exists());
    run.sandbox.run(&["run", "--resume", &name]).expect_code(104).expect_stderr(&["this one is over"]);
    run.sandbox
        .run(&["run", "--resume", "last"])
        .expect_code(104)
        .expect_stderr(&["no run in", "can be resumed"]);
}

#[test]
fn a_coordinator_that_is_killed_during_setup_goes_on_with_its_run() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with(
        r#"
        fn setup() { http::get("/setup"); http::get("/delay/4000"); #{ word: "hello" } }
        fn iteration() { http::get("/" + vu::data().word); sleep(0.05); }
        fn teardown(data) { http::get("/teardown/" + data.word); }
        "#,
    );
    let arguments = ["-H", &server.url(), "--agents", "2", "-u", "4", "-r", "1000", "-t", "1"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let agents = Agent::several(&nats.url(), 2);
    server.wait_for_hits("/setup", 1);
    running.signal("KILL");
    running.wait();
    let output = sandbox.run(&["run", "--resume", "last"]).expect_code(0);
    assert_eq!((server.hits("/setup"), server.hits("/teardown/hello")), (1, 1), "{}", output.shown());
    assert_eq!(requests(&output.run_dir()), server.hits("/hello"), "{}", output.shown());
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
}

#[test]
fn a_flag_that_a_resumed_run_would_not_heed_is_refused() {
    let sandbox = Sandbox::new();
    for (flags, named) in [
        (
            &["-u", "20", "-t", "3s", "--threshold", "http_reqs: count > 1"][..],
            "--users, --run-time, --threshold",
        ),
        (&["--agents", "3"], "--agents"),
        (&["--exit-code-on-error"], "--exit-code-on-error"),
        (&["--label", "x", "--out", "json=x"], "--label, --out"),
        (&["other.rhai"], "the script that it has"),
        (&["-e", "A=b"], "--env"),
    ] {
        let arguments = [&["run", "--resume", "last"], flags].concat();
        let output = sandbox.run(&arguments).expect_code(2).expect_stderr(&["--resume goes on with", named]);
        let is_load = flags.contains(&"-u");
        assert_eq!(output.stderr.contains("its load can be changed"), is_load, "{}", output.shown());
    }
    // What is around the run is as it is asked for now; variables of the environment are for all runs.
    let around = [
        "run",
        "--resume",
        "last",
        "--html",
        "x.html",
        "--quiet",
        "--control",
        "--on-agent-loss",
        "abort",
        "--nats",
        "nats://h",
    ];
    sandbox
        .run_with(&around, &[("RHAID_USERS", "20"), ("RHAID_AGENTS", "3")])
        .expect_code(104)
        .expect_stderr(&["no run in performance/results can be resumed"]);
    sandbox
        .run(&["run", "--resume", "other"])
        .expect_code(104)
        .expect_stderr(&["there is no run 'other' to go on with"]);
}
