//! Agents make one run: one script, one setup, one set of numbers, one verdict.

use super::*;

/// Loads a module and a table from other files, and tells the server all that it was given.
const SCRIPT: &str = r#"
    import "lib/words" as words;
    const CITIES = data::csv("cities.csv");
    const PLACE = param("place", "nowhere");
    const REGION = env::get("REGION", "none");
    threshold("http_reqs", "count < 10");
    threshold("http_req_failed", "rate < 1%");
    fn setup() { http::get("/setup"); #{ token: "from-setup" } }
    fn on_start() { print("user " + vu::id()); log::warn("started"); }
    fn iteration() {
        let given = vu::data().token + "," + words::greeting() + "," + CITIES[vu::id() % 3].name + "," + PLACE + "," + REGION;
        http::get("/x", #{ query: #{ given: given } });
        sleep(0.1);
    }
    fn teardown(data) { http::get("/teardown/" + data.token); }
"#;

#[test]
fn three_agents_make_one_run() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("lib/words.rhai", "fn greeting() { \"hello\" }");
    sandbox.write("cities.csv", "name\noslo\nbern\nrome\n");
    let arguments =
        ["-H", &server.url(), "--agents", "3", "-u", "30", "-r", "1000", "-t", "3", "--param", "place=here"];
    let mut command = coordinating(&sandbox, &nats.url(), &arguments);
    command.env("REGION", "north");
    let running = sandbox.attach(command.spawn().unwrap());
    let agents = Agent::several(&nats.url(), 3);
    let output = running.wait().expect_code(99);
    let (run, json) = (output.run_dir(), output.run_dir().json());

    assert_eq!(requests(&run), server.hits("/x"), "{}", output.shown());
    assert_eq!(run.aggregated()["Request Count"], server.hits("/x").to_string());
    assert_eq!((server.hits("/setup"), server.hits("/teardown/from-setup")), (1, 1));
    assert_eq!(counts(&users_of_agents(&output.stderr)), [("a1", 10), ("a2", 10), ("a3", 10)]);
    assert_eq!(output.stderr.matches(": started").count(), 30, "{}", output.shown());
    let given: BTreeSet<String> =
        server.seen().into_iter().filter(|seen| seen.path == "/x").map(|seen| seen.query).collect();
    let wanted =
        ["bern", "oslo", "rome"].map(|city| format!("given=from-setup%2Chello%2C{city}%2Chere%2Cnorth"));
    assert_eq!(given.into_iter().collect::<Vec<_>>(), wanted);
    let verdicts: Vec<_> =
        json["thresholds"].as_array().unwrap().iter().map(|threshold| threshold["ok"].clone()).collect();
    assert_eq!(verdicts, [false, true], "{json}");
    assert!(
        json["iterations"]["failed"] == 0 && json["script_errors"].as_array().unwrap().is_empty(),
        "{json}"
    );
    history_has_no_hole(&run);
    for agent in agents {
        agent.running.wait().expect_code(0).expect_stderr(&["done"]);
    }
}

#[test]
fn a_run_starts_a_server_of_its_own_and_leaves_nothing_of_it() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.05); }");
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "--agents", "2", "-u", "4", "-r", "1000", "-t", "1"];
    let mut command = sandbox.command(&arguments);
    command.env("TMPDIR", sandbox.path());
    let mut running = sandbox.attach(command.spawn().unwrap());
    let url = own_url(&mut running);
    let agents: Vec<Agent> = Agent::several(&url, 2);
    let output = running.wait().expect_code(0).expect_stderr(&["agents: 2 of 2: a1, a2"]);
    assert_eq!(requests(&output.run_dir()), server.hits("/x"));
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
    own_server_is_gone(&sandbox, &url);
}

#[test]
fn agents_are_asked_for_when_the_script_is_good() {
    let nats = Nats::start();
    let sandbox = Sandbox::with("fn iteration() { http::gat(\"/x\"); }");
    let running = coordinator(&sandbox, &nats.url(), &["-H", "http://127.0.0.1:9", "--agents", "1"]);
    let output = running.wait().expect_code(104).expect_stderr(&["http::gat"]);
    assert!(!output.stderr.contains("waiting for agents"), "{}", output.shown());
}

/// The URL that a coordinator prints which starts a server of its own.
pub(super) fn own_url(running: &mut Running) -> String {
    running.wait_for_stderr("start agents with: rhaid agent nats://");
    running.wait_for_stderr("agents: 0 of");
    let stderr = running.stderr();
    let (_, rest) = stderr.split_once("rhaid agent ").unwrap();
    rest.lines().next().unwrap().to_owned()
}

/// Fails the test unless a run's own server, and the folder of it in the sandbox, are gone.
#[track_caller]
pub(super) fn own_server_is_gone(sandbox: &Sandbox, url: &str) {
    let addr = url.rsplit_once('@').unwrap().1;
    assert!(std::net::TcpStream::connect(addr).is_err(), "{url} is still served");
    let left = std::fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("rhaid-nats")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_agent_serves_one_run_after_the_other() {
    let (server, nats) = (Server::start(), Nats::start());
    let agent = Agent::start_with(&nats.url(), "a1", &[], &[]);
    for path in ["/one", "/two"] {
        let sandbox = Sandbox::with(&format!("fn iteration() {{ http::get(\"{path}\"); sleep(0.05); }}"));
        let output = coordinator(&sandbox, &nats.url(), &["-H", &server.url(), "--agents", "1", "-t", "1"])
            .wait()
            .expect_code(0);
        assert_eq!(requests(&output.run_dir()), server.hits(path));
    }
    agent.running.signal("INT");
    agent.running.wait().expect_code(0);
}

/// What a run says must not be read by who only sees the wire and the server's storage.
#[test]
fn nothing_of_a_run_is_on_the_wire_or_in_the_store_in_clear() {
    let (server, nats) = (Server::start(), Nats::start());
    let wire = Wire::to(nats.addr());
    let sandbox = Sandbox::with(
        r#"
        const PASSWORD = secret::get("RHAID_TEST_SECRET");
        const UNMISTAKABLE = data::csv("table.csv");
        fn setup() { #{ token: "value-of-setup" } }
        fn iteration() {
            http::get("/unmistakable-path", #{ headers: #{ "x-key": "value-of-header", "x-pass": PASSWORD, "x-row": UNMISTAKABLE[0].cell } });
            print("line-of-the-script");
            sleep(0.2);
        }
        "#,
    );
    sandbox.write("table.csv", "cell\nvalue-of-cell\n");
    let arguments = ["-H", &server.url(), "--agents", "2", "-u", "2", "-r", "1000", "-t", "5"];
    let mut command = coordinating(&sandbox, &wire.url(), &arguments);
    command.env("RHAID_TEST_SECRET", "hunter2-hunter2");
    let running = sandbox.attach(command.spawn().unwrap());
    let _agents = Agent::several(&wire.url(), 2);
    server.wait_for_hits("/unmistakable-path", 30);
    let words =
        ["hunter2", "value-of-", "unmistakable", "UNMISTAKABLE", "line-of-the", "fn iteration", "x-pass"];
    let stored = |text: &str| crate::support::files_with(&nats.store(), text);
    wait_until("something is stored", || !stored("kept.intervals").is_empty());
    for word in words {
        assert_eq!(stored(word), Vec::<String>::new(), "{word}");
    }
    let output = running.wait().expect_code(0);
    assert!(server.seen().iter().all(|seen| seen.header("x-pass") == "hunter2-hunter2" && seen.header("x-row") == "value-of-cell"));
    assert!(output.stderr.contains("line-of-the-script"), "{}", output.shown());
    let wire = String::from_utf8_lossy(&wire.seen()).into_owned();
    assert!(wire.contains("kept.intervals") && wire.contains("rhaid.hello"), "the wire was looked at");
    for word in words {
        assert!(!wire.contains(word), "{word}");
    }
    assert_eq!(stored("kept.intervals"), Vec::<String>::new(), "the stream is gone with the run");
}

/// How far the clocks of agents may be off after their correction, milliseconds. Where half of the shortest round trip is longer,
/// nobody can measure better; the report says how long it was.
const CLOCKS_WITHIN: f64 = 5.0;

/// Their clocks are two seconds ahead, or behind: the start is the same for all, and so is each second.
#[test]
fn clocks_that_are_off_are_corrected_to_within_5_ms_and_what_is_counted_is_in_its_second() {
    let (server, nats) = (Server::start(), Nats::start());
    let sandbox = Sandbox::with(
        "fn on_start() { http::get(\"/start\", #{ query: #{ id: vu::id() } }); print(\"user \" + vu::id()); } \
         fn iteration() { http::get(\"/x\"); sleep(0.1); }",
    );
    let arguments = ["-H", &server.url(), "--agents", "3", "-u", "3", "-r", "1000", "-t", "4"];
    let running = coordinator(&sandbox, &nats.url(), &arguments);
    let library = sandbox.path().join("clock_shift.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock_shift.c");
    let mut cc = std::process::Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(cc.status().unwrap().success());
    let preload = format!("LD_PRELOAD={}", library.display());
    let agents = [
        Agent::start(&nats.url(), "a1"),
        Agent::start_with(&nats.url(), "a2", &["env", &preload, "SHIFT_S=2"], &["--once"]),
        Agent::start_with(&nats.url(), "a3", &["env", &preload, "SHIFT_S=-2"], &["--once"]),
    ];
    let output = running.wait().expect_code(0);
    let (run, json) = (output.run_dir(), output.run_dir().json());
    assert_eq!(requests(&run), server.hits("/x") + 3, "{}", output.shown());
    assert_eq!(counts(&users_of_agents(&output.stderr)), [("a1", 1), ("a2", 1), ("a3", 1)]);
    // All run on this machine, so it is known how far their clocks are off.
    for (agent, ahead) in json["agents"].as_array().unwrap().iter().zip([0.0, 2_000.0, -2_000.0]) {
        let ms = |name: &str| agent[name].as_f64().unwrap();
        let wrong_by = (ms("clock_offset_ms") - ahead).abs();
        // Both are written to the microsecond.
        assert!(wrong_by <= CLOCKS_WITHIN.max(ms("clock_within_ms")) + 0.002, "{wrong_by} {agent:#}");
    }
    let starts: Vec<_> =
        server.seen().into_iter().filter(|seen| seen.path == "/start").map(|seen| seen.at).collect();
    let apart = *starts.iter().max().unwrap() - *starts.iter().min().unwrap();
    assert!(apart.as_secs_f64() < 1.0, "{apart:?}");
    history_has_no_hole(&run);
    counted_when_seen(&run, &server);
    let rows = run.csv("stats_history.csv");
    assert_eq!(rows[0]["User Count"], "3", "all take part from the first second on: {rows:?}");
    for (agent, told) in
        agents.into_iter().zip([None, Some("clock is +2.0 s off"), Some("clock is -2.0 s off")])
    {
        let output = agent.running.wait().expect_code(0);
        assert_eq!(output.stderr.contains("clock is"), told.is_some(), "{}", output.shown());
        assert!(told.is_none_or(|told| output.stderr.contains(told)), "{}", output.shown());
    }
}
