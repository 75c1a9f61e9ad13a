//! The page of a run: figures, changes, `rhaid ctl`.

use super::*;

#[test]
fn the_page_its_api_prometheus_and_the_files_agree_to_the_request() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    let page = Page::run(&sandbox, &server, &["-u", "4", "-r", "100", "-t", "2s"]);
    let mut events = page.events(None);
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let last = loop {
        let (_, event) = events.next().expect("the last event comes before the connection ends");
        for (name, html) in event["parts"].as_object().unwrap() {
            parts.insert(name.clone(), html.as_str().unwrap().to_owned());
        }
        if event["is_last"] == true {
            break event["status"].clone();
        }
    };
    // As long as somebody looks, the process stays for a moment.
    let (snapshot, metrics) = (page.get("/api/v1/snapshot").json(), page.get("/metrics").body);
    let (status, history) = (page.get("/api/v1/status").json(), page.get("/api/v1/history").json());
    let id = last["run"]["id"].as_str().unwrap().to_owned();
    let report = page.get(&format!("/api/v1/runs/{id}/report"));
    let csv = page.get(&format!("/api/v1/runs/{id}/files/stats.csv")).body;
    drop(events);
    let output = page.running.wait().expect_code(99);
    let json = output.run_dir().json();
    let total = server.total();
    assert_eq!(json["total"]["requests"], total);
    assert_eq!(last["requests"], total);
    assert_eq!(status["requests"], total);
    assert_eq!(snapshot["total"], json["total"]);
    assert_eq!(snapshot["endpoints"], json["endpoints"]);
    assert_eq!(last["verdict"]["words"], json["verdict"]["words"]);
    let count = samples(&metrics, "rhaid_request_duration_seconds_count");
    assert_eq!(count.values().sum::<f64>(), total as f64, "{metrics}");
    let failed = count.iter().filter(|(labels, _)| labels.contains("outcome=\"failed\""));
    assert_eq!(failed.map(|(_, n)| *n).sum::<f64>(), json["total"]["failures"].as_f64().unwrap());
    let infinite = samples(&metrics, "rhaid_request_duration_seconds_bucket");
    let infinite = infinite.iter().filter(|(labels, _)| labels.contains("+Inf")).map(|(_, n)| *n);
    assert_eq!(infinite.sum::<f64>(), total as f64);
    let rows = history["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row[7].as_u64().unwrap()).sum::<u64>(), total);
    let shown = total.to_string();
    let whole = format!("{total} requests in");
    assert!(parts["verdict"].contains(&whole), "{}", parts["verdict"]);
    assert!(parts["endpoints"].contains(&shown) && parts["top"].is_empty());
    assert!(report.status == 200 && report.body.contains(&whole));
    assert!(csv.contains(&format!(",Aggregated,{shown},")), "{csv}");
    assert!(output.stderr.contains("live page: http://127.0.0.1:"), "{}", output.shown());
    assert!(!output.run_dir().0.join("control.json").exists(), "nothing is left to steer");
}

#[test]
fn a_program_steers_a_run_and_each_change_is_a_mark() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "2", "-r", "100", "--run-time", "1h"]);
    server.wait_for_hits("/ok", 1);
    let users = |page: &Page| page.get("/api/v1/status").json()["users"].as_u64().unwrap();
    assert_eq!(page.post("/api/v1/control", r#"{"users": 5}"#).status, 200);
    wait_until("5 users", || users(&page) == 5);
    assert_eq!(page.post("/api/v1/control", r#"{"pause": true}"#).status, 200);
    wait_until("a pause", || page.state() == "paused");
    let again = page.post("/api/v1/control", r#"{"pause": true}"#);
    assert_eq!((again.status, again.json()["error"].as_str()), (409, Some("the run is paused already")));
    assert_eq!(page.post("/api/v1/control", r#"{"pause": false}"#).status, 200);
    wait_until("load again", || page.state() == "running");
    sandbox.write("test.rhai", "wait(constant(0.05)); fn iteration() { http::get(\"/other\"); }");
    assert_eq!(page.post("/api/v1/control", r#"{"reload": true}"#).status, 200);
    server.wait_for_hits("/other", 1);
    let wrong = page.post("/api/v1/control", r#"{"user": 5}"#);
    assert!(wrong.status == 400 && wrong.body.contains("users"), "{}", wrong.body);
    assert_eq!(page.post("/api/v1/control", r#"{"rate": 5}"#).status, 409, "nothing here has a rate");
    assert_eq!(page.post("/api/v1/start", "{}").status, 409, "this page belongs to one run");
    let stopped = page.post("/api/v1/stop", "");
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &"stopping".into()));
    let output = page.running.wait().expect_code(0);
    let json = output.run_dir().json();
    assert_eq!(json["ended_by"], "stopped");
    let marks: Vec<&str> =
        json["marks"].as_array().unwrap().iter().map(|mark| mark["text"].as_str().unwrap()).collect();
    assert!(marks.len() >= 4, "users, pause, resume, reload: {marks:?}");
}

/// An answer tells of the load as it was just changed, and so does whatever is asked after it.
#[test]
fn several_wishes_are_all_granted_or_none_and_the_answer_tells_the_new_state() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "2", "-r", "100", "--run-time", "1h"]);
    server.wait_for_hits("/ok", 1);
    let users = |page: &Page| page.get("/api/v1/status").json()["users"].as_u64().unwrap();
    wait_until("2 users", || users(&page) == 2);
    for (wishes, why) in [
        (r#"{"users": 7, "spawn_rate": 100, "rate": 9}"#, "nothing that has a rate"),
        (r#"{"pause": true, "users": 7, "next_stage": true}"#, "no stages"),
        (r#"{"pause": false, "users": 7}"#, "not paused"),
        (r#"{"users": 7, "reload": true, "rate": 1}"#, "nothing that has a rate"),
    ] {
        let refused = page.post("/api/v1/control", wishes);
        assert!(refused.status == 409 && refused.body.contains(why), "{wishes}: {}", refused.body);
    }
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!((users(&page), page.state()), (2, "running".to_owned()), "nothing of it was done");
    let paused = page.post("/api/v1/control", r#"{"pause": true, "users": 4}"#).json();
    assert_eq!(
        (&paused["state"], &paused["changed"]),
        (&"paused".into(), &serde_json::json!(["users set to 4", "paused"]))
    );
    assert_eq!(page.state(), "paused");
    let resumed = page.post("/api/v1/control", r#"{"pause": false, "users": 5, "spawn_rate": 1000}"#).json();
    assert_eq!(
        (&resumed["state"], &resumed["changed"]),
        (&"running".into(), &serde_json::json!(["resumed", "users set to 5"]))
    );
    wait_until("5 users", || users(&page) == 5);
    page.running.signal("INT");
    let json = page.running.wait().expect_code(105).run_dir().json();
    let marks: Vec<&str> =
        json["marks"].as_array().unwrap().iter().map(|mark| mark["text"].as_str().unwrap()).collect();
    assert_eq!(marks.len(), 4, "{marks:?}");
}

/// Two numbers of iterations, which are over at once, and a rate.
#[test]
fn a_run_of_executors_is_steered_by_what_runs_and_shows_as_many_users_as_ran() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        scenario("some", #{ exec: "iteration", executor: "shared-iterations", vus: 2, iterations: 400 });
        scenario("each", #{ exec: "iteration", executor: "per-vu-iterations", vus: 2, iterations: 3 });
        scenario("open", #{ exec: "iteration", executor: "constant-arrival-rate", rate: 10, duration: "1h" });
        fn iteration() { http::get("/ok"); }
        "#,
    );
    let page = Page::run(&sandbox, &server, &["--html", "report.html"]);
    let load = |page: &Page| page.get("/api/v1/status").json()["load"].clone();
    wait_until("only the rate is left", || load(&page) == "rate");
    assert_eq!(page.post("/api/v1/control", r#"{"users": 7}"#).status, 409);
    assert_eq!(page.post("/api/v1/control", r#"{"rate": 20}"#).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    page.post("/api/v1/stop", "");
    let dir = page.running.wait().expect_code(0).run_dir();
    let most = dir.json()["metrics"]["vus_max"]["values"]["value"].as_u64().unwrap();
    assert!((3..=20).contains(&most), "{most}");
    let timeline = dir.csv("timeline.csv");
    let in_a_second = timeline.iter().map(|row| row["users_peak"].parse::<u64>().unwrap()).max();
    assert_eq!(in_a_second, Some(most));
    let report = std::fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    assert!(report.contains(&format!("Up to {most} virtual users")), "{most}");
    // The 400 and the 6 are due at no time.
    let due = report.split(" iterations per second were due").next().unwrap();
    let due: f64 = due.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((15.0..=25.0).contains(&due), "{due}");
}

#[test]
fn of_several_runs_ctl_names_the_directories_to_choose_from() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let url = server.url();
    let start = |label| sandbox.start(&["run", "test.rhai", "-H", &url, "--control", "--label", label]);
    let running = [start("one"), start("two")];
    let files = || sandbox.runs().iter().filter(|run| run.0.join("control.json").exists()).count();
    wait_until("both are on", || files() == 2);
    let output = sandbox.run(&["ctl", "status"]).expect_code(1).expect_stderr(&["2 runs can be steered"]);
    for run in sandbox.runs() {
        let named = format!("--run {} ", run.0.canonicalize().unwrap().display());
        assert!(output.stderr.contains(&named), "{named}: {}", output.shown());
        sandbox.run(&["ctl", "status", "--run", &run.0.display().to_string()]).expect_code(0);
    }
    for run in running {
        run.signal("INT");
        run.wait();
    }
}

#[test]
fn ctl_finds_the_run_and_steers_it() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    sandbox.run(&["ctl", "status"]).expect_stderr(&["no run of this machine", "--control"]).expect_code(1);
    let running =
        sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-u", "2", "-r", "100", "--control"]);
    let file = control(&sandbox);
    server.wait_for_hits("/ok", 1);
    wait_until("a status in words", || {
        let status = sandbox.run(&["ctl", "status"]).expect_code(0).stdout;
        status.contains("test running") && status.contains("users 2/2")
    });
    let changed = sandbox.run(&["ctl", "users", "4"]).expect_code(0).stdout;
    assert!(changed.starts_with("users set to 4; test running "), "{changed}");
    let status = || -> Value {
        serde_json::from_str(&sandbox.run(&["ctl", "status", "--json"]).expect_code(0).stdout).unwrap()
    };
    wait_until("4 users", || status()["users"] == 4);
    let paused = sandbox.run(&["ctl", "pause"]).expect_code(0).stdout;
    assert!(paused.starts_with("paused; test paused "), "{paused}");
    sandbox.run(&["ctl", "pause"]).expect_stderr(&["paused already"]).expect_code(1);
    sandbox.run(&["ctl", "resume"]).expect_code(0);
    sandbox.run(&["ctl", "next"]).expect_stderr(&["no stages"]).expect_code(1);
    sandbox.run(&["ctl", "rate", "5"]).expect_stderr(&["rate"]).expect_code(1);
    sandbox.run(&["ctl", "reload"]).expect_code(0);
    let url = file["url"].as_str().unwrap();
    sandbox.run(&["ctl", "users", "1", "--url", url]).expect_stderr(&["token"]).expect_code(1);
    sandbox.run(&["ctl", "status", "--url", "x"]).expect_stderr(&["--url 'x'", "http://"]).expect_code(1);
    sandbox
        .run(&["ctl", "users", "1", "--url", &server.url()])
        .expect_stderr(&["not as rhaid"])
        .expect_code(1);
    let run = sandbox.runs().pop().unwrap().0;
    sandbox.run(&["ctl", "stop", "--run", run.to_str().unwrap()]).expect_code(0);
    running.wait().expect_code(0);
    sandbox
        .run(&["ctl", "stop", "--run", run.to_str().unwrap()])
        .expect_stderr(&["it is over"])
        .expect_code(1);
    sandbox.run(&["ctl", "status"]).expect_stderr(&["no run of this machine"]).expect_code(1);
}

#[cfg(unix)]
#[test]
fn an_address_in_use_is_said_before_the_load() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/ok\"); }");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = sandbox.run_against(&server.url(), &["--web", "--web-address", &port, "-i", "1"]);
    output.expect_stderr(&["cannot serve the live page", "--web-address"]).expect_code(104);
    assert_eq!(server.total(), 0);
}
