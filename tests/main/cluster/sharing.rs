//! What is counted, numbered and handed out is shared without loss and without anything twice.

use super::*;

/// Runs a script on so many agents, to its end.
#[track_caller]
fn run_on(agents: usize, server: &Server, script: &str, arguments: &[&str]) -> Output {
    let nats = Nats::start();
    let sandbox = Sandbox::with(script);
    let (url, count) = (server.url(), agents.to_string());
    let running =
        coordinator(&sandbox, &nats.url(), &[&["-H", &url, "--agents", &count], arguments].concat());
    let agents = Agent::several(&nats.url(), agents);
    let output = running.wait().expect_code(0);
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
    output
}

#[test]
fn a_rate_over_seven_agents_starts_every_iteration_once() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ executor: "constant-arrival-rate", rate: 99, duration: "5s", max_vus: 500, exec: "f" });
        fn f() { http::get("/x"); }
    "#;
    let output = run_on(7, &server, script, &[]);
    let json = output.run_dir().json();
    assert_eq!((server.hits("/x"), requests(&output.run_dir())), (495, 495), "{}", output.shown());
    assert_eq!(json["iterations"]["completed"], 495, "{json}");
}

/// The number of iterations, rows that are handed out once, and numbers of users.
#[test]
fn a_number_of_iterations_and_rows_are_shared_by_three_agents() {
    let server = Server::start();
    let script = r#"
        const ROWS = data::csv("rows.csv");
        fn on_start() { http::get("/user/" + vu::id(), #{ name: "/user" }); }
        fn iteration() {
            // Each agent has a third of the rows and of the iterations: eleven rows an iteration are more than enough.
            let ids = "";
            try { for i in 0..11 { ids += " " + ROWS.unique("fail").id; } } catch {}
            http::post("/rows", #{ body: ids });
        }
    "#;
    let (nats, sandbox) = (Nats::start(), Sandbox::with(script));
    let rows: String = (0..10_000).map(|row| format!("{row}\n")).collect();
    sandbox.write("rows.csv", &format!("id\n{rows}"));
    let arguments = ["-H", &server.url(), "--agents", "3", "-i", "1000", "-u", "30", "-r", "1000"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let _agents = Agent::several(&nats.url(), 3);
    let output = running.wait();
    let bodies: Vec<String> =
        server.seen().into_iter().filter(|seen| seen.path == "/rows").map(|seen| seen.body).collect();
    let mut ids: Vec<u64> =
        bodies.iter().flat_map(|body| body.split_whitespace()).map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(output.code, Some(0), "{}", output.shown());
    assert_eq!(bodies.len(), 1000, "{}", output.shown());
    assert!(ids.iter().copied().eq(0..10_000), "each row once: {} of them", ids.len());
    let users: Vec<String> = last_parts(&server, "/user/");
    assert_eq!((users.len(), users.iter().collect::<BTreeSet<_>>().len()), (30, 30), "{users:?}");
    assert_eq!(requests(&output.run_dir()), 1030);
    assert_eq!(output.run_dir().json()["iterations"]["completed"], 1000);
}

/// What was dealt to each agent, as the report has it: share and most users.
fn dealt(output: &Output) -> Vec<(f64, u64)> {
    let json = output.run_dir().json();
    let of =
        |agent: &serde_json::Value| (agent["share"].as_f64().unwrap(), agent["users_max"].as_u64().unwrap());
    json["agents"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn agents_with_as_many_threads_have_as_many_users() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); sleep(0.1); }";
    let (nats, sandbox) = (Nats::start(), Sandbox::with(script));
    let arguments = ["-H", &server.url(), "--agents", "2", "-u", "4", "-r", "1000", "-t", "1500ms"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let _agents = ["a1", "a2"].map(|name| Agent::with_threads(&nats.url(), name, 4));
    let output = running.wait().expect_code(0);
    assert_eq!(dealt(&output), [(0.5, 2), (0.5, 2)], "{}", output.shown());
}

#[test]
fn a_number_of_iterations_is_started_where_some_agents_have_no_user() {
    let server = Server::start();
    let script = r#"
        const ROWS = data::csv("rows.csv");
        fn iteration() { http::get("/x/" + ROWS.unique("fail").id, #{ name: "/x" }); sleep(0.05); }
    "#;
    let (nats, sandbox) = (Nats::start(), Sandbox::with(script));
    let rows: String = (0..30).map(|row| format!("{row}\n")).collect();
    sandbox.write("rows.csv", &format!("id\n{rows}"));
    let arguments = ["-H", &server.url(), "--agents", "3", "-u", "1", "-i", "30"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let _agents = Agent::several(&nats.url(), 3);
    let output = running.wait().expect_code(0);
    assert_eq!(last_parts(&server, "/x/").len(), 30, "{}", output.shown());
    assert_eq!(dealt(&output), [(1.0, 1), (0.0, 0), (0.0, 0)]);
}

/// As a local run does; that there will be none is said.
#[test]
fn users_of_an_agent_without_rows_to_lease_wait() {
    let server = Server::start();
    let script = r#"
        const ROWS = data::csv("rows.csv");
        fn iteration() { http::get("/x/" + ROWS.lease().id, #{ name: "/x" }); sleep(0.05); }
    "#;
    let (nats, sandbox) = (Nats::start(), Sandbox::with(script));
    sandbox.write("rows.csv", "id\n1\n2\n");
    let arguments = ["-H", &server.url(), "--agents", "3", "-u", "3", "-r", "100", "-t", "1500ms"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let _agents = Agent::several(&nats.url(), 3);
    let output = running.wait().expect_code(0);
    let json = output.run_dir().json();
    assert_eq!(json["iterations"]["failed"], 0, "{}", output.shown());
    assert_eq!(last_parts(&server, "/x/").into_iter().collect::<BTreeSet<_>>().len(), 2);
    let said =
        output.stderr.contains("too few for every agent to have one to lease: users of this agent wait");
    assert!(said, "{}", output.shown());
}

#[test]
fn iterations_of_scenarios_are_shared_by_three_agents() {
    let server = Server::start();
    let script = r#"
        scenario("each", #{ executor: "per-vu-iterations", vus: 7, iterations: 5, exec: "each" });
        scenario("together", #{ executor: "shared-iterations", vus: 5, iterations: 100, exec: "together" });
        fn each() { http::get("/each/" + vu::id(), #{ name: "/each" }); }
        fn together() { http::get("/together"); }
    "#;
    let output = run_on(3, &server, script, &[]);
    let mut each: BTreeMap<String, u64> = BTreeMap::new();
    last_parts(&server, "/each/").into_iter().for_each(|user| *each.entry(user).or_default() += 1);
    assert_eq!((each.len(), each.values().all(|&count| count == 5)), (7, true), "{each:?}");
    assert_eq!(server.hits("/together"), 100, "{}", output.shown());
    assert_eq!(requests(&output.run_dir()), 135);
}

/// A seed gives each user the same random numbers, wherever the user is.
#[test]
fn seeded_users_draw_the_same_on_agents_as_on_threads() {
    let script = r#"
        scenario("s", #{ executor: "per-vu-iterations", vus: 6, iterations: 2, exec: "f" });
        fn f() { http::get("/drawn/" + vu::id() + "-" + vu::iteration() + "-" + random::int(0, 1_000_000), #{ name: "/drawn" }); }
    "#;
    let (here, there) = (Server::start(), Server::start());
    run_on(3, &there, script, &["--seed", "7"]);
    Sandbox::with(script).run_against(&here.url(), &["--seed", "7", "--threads", "3"]).expect_code(0);
    let drawn = |server: &Server| last_parts(server, "/drawn/").into_iter().collect::<BTreeSet<_>>();
    assert_eq!(drawn(&there), drawn(&here));
    assert_eq!(drawn(&here).len(), 12);
}
