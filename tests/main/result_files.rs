//! What the command writes: `run.json`, CSV files, metrics, and where.

use serde_json::Value;

use crate::support::{Sandbox, Server};

const HIT: &str = "fn iteration() { http::get(\"/x\"); }";

const STATS_HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
    Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,\
    99.9%,99.99%,100%";

const HISTORY_HEADER: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,\
    99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,\
    Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size";

const FAILURES_HEADER: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";

const EXCEPTIONS_HEADER: &str = "Count,Message,Traceback,Nodes";

#[test]
fn run_json_tells_the_settings() {
    let server = Server::start();
    let sandbox = Sandbox::with("const A = param(\"a\", 1); fn iteration() { http::get(\"/x\"); }");
    let arguments = [
        "run",
        "test.rhai",
        "-i",
        "6",
        "-H",
        &server.url(),
        "-u",
        "3",
        "-r",
        "50",
        "--seed",
        "42",
        "--threads",
        "2",
        "--stop-timeout",
        "5s",
        "--run-time",
        "1m",
        "--param",
        "a=7",
        "--tag",
        "team=web",
    ];
    let output = sandbox.run(&arguments).expect_code(0);
    let json = output.run_dir().json();
    let settings = &json["settings"];
    assert_eq!(
        (&settings["users"], &settings["seed"], &settings["threads"]),
        (&3.into(), &42.into(), &2.into())
    );
    assert_eq!((&settings["spawn_rate"], &settings["iterations"]), (&50.0.into(), &6.into()));
    assert_eq!((&settings["stop_timeout_s"], &settings["run_time_s"]), (&5.0.into(), &60.0.into()));
    assert_eq!(
        (settings["host"].as_str().unwrap(), &settings["params"]["a"]),
        (server.url().as_str(), &"7".into())
    );
    assert_eq!(
        (&json["name"], &json["script"], &json["ended_by"]),
        (&"test".into(), &"test.rhai".into(), &"iterations".into())
    );
    assert_eq!(json["metrics"]["http_reqs{team:web}"]["values"]["count"], 6);
}

#[test]
fn json_on_standard_output_is_one_document_and_the_same_as_the_file() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); print(\"noise\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "5", "-H", &server.url(), "--json"]).expect_code(0);
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json, output.run_dir().json());
    assert_eq!(json["total"]["requests"], 5);
    assert!(output.stderr.contains("NO THRESHOLDS SET"), "the summary is elsewhere: {}", output.shown());
    let quiet =
        Sandbox::with(HIT).run(&["run", "test.rhai", "-i", "1", "-H", &server.url(), "--json", "--quiet"]);
    assert!(serde_json::from_str::<Value>(&quiet.stdout).is_ok(), "{}", quiet.shown());
}

#[test]
fn metrics_have_the_shape_of_k6() {
    let server = Server::start();
    let script =
        "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); check(\"c\", true); throw \"e\"; }";
    let output =
        Sandbox::with(script).run(&["run", "test.rhai", "-i", "4", "-H", &server.url()]).expect_code(1);
    let metrics = output.run_dir().json()["metrics"].clone();
    for (name, kind, contains) in [
        ("http_reqs", "counter", "default"),
        ("http_req_failed", "rate", "default"),
        ("http_req_duration", "trend", "time"),
        ("http_resp_time", "trend", "time"),
        ("http_req_blocked", "trend", "time"),
        ("http_req_connecting", "trend", "time"),
        ("http_req_sending", "trend", "time"),
        ("http_req_waiting", "trend", "time"),
        ("http_req_receiving", "trend", "time"),
        ("data_sent", "counter", "data"),
        ("data_received", "counter", "data"),
        ("iterations", "counter", "default"),
        ("iteration_duration", "trend", "time"),
        ("script_errors", "counter", "default"),
        ("checks", "rate", "default"),
        ("vus", "gauge", "default"),
        ("vus_max", "gauge", "default"),
    ] {
        let metric = &metrics[name];
        assert_eq!(
            (&metric["type"], &metric["contains"]),
            (&kind.into(), &contains.into()),
            "{name}: {metric}"
        );
    }
    assert_eq!(metrics["http_req_failed"]["values"]["rate"], 0.5);
    assert_eq!(metrics["http_req_duration"]["values"]["count"], 4, "successes alone");
    let trend = metrics["http_req_duration"]["values"].as_object().unwrap();
    for key in ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"] {
        assert!(trend.contains_key(key), "{key}: {trend:?}");
    }
    assert_eq!(metrics["http_reqs{name:/status/500,method:GET}"]["values"]["count"], 4);
    assert_eq!(
        (&metrics["script_errors"]["values"]["count"], &metrics["checks"]["values"]["passes"]),
        (&4.into(), &4.into())
    );
    assert_eq!(metrics["vus_max"]["values"]["value"], 1);
}

#[test]
fn csv_files_have_the_columns_of_locust() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); throw \"a, \\\"b\\\"\"; }",
    );
    let output =
        sandbox.run(&["run", "test.rhai", "-i", "2", "-H", &server.url(), "--csv", "out"]).expect_code(1);
    for (name, header) in [
        ("stats.csv", STATS_HEADER),
        ("stats_history.csv", HISTORY_HEADER),
        ("failures.csv", FAILURES_HEADER),
        ("exceptions.csv", EXCEPTIONS_HEADER),
    ] {
        let text = std::fs::read_to_string(sandbox.path().join(format!("out_{name}"))).unwrap();
        assert_eq!(text.lines().next().unwrap(), header, "{name}");
        let own = std::fs::read_to_string(output.run_dir().0.join(name)).unwrap();
        assert_eq!(text, own, "{name} is the same in the run's folder");
    }
    let stats = output.run_dir().csv("stats.csv");
    let names: Vec<&str> = stats.iter().map(|row| row["Name"].as_str()).collect();
    assert_eq!(names, ["/status/500", "/x", "Aggregated"]);
    assert_eq!(stats[0]["50%"], "N/A", "no success, no latency");
    assert_eq!((stats[2]["Type"].as_str(), stats[2]["Failure Count"].as_str()), ("", "2"));
    let exceptions = output.run_dir().csv("exceptions.csv");
    assert!(exceptions[0]["Message"].ends_with("a, \"b\""), "{exceptions:?}");
}

#[test]
fn full_history_has_rows_for_each_endpoint() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/a\"); http::get(\"/b\"); sleep(0.01); }";
    let arguments = ["run", "test.rhai", "-t", "1200ms", "-H", &server.url(), "--csv-full-history"];
    let output = Sandbox::with(script).run(&arguments).expect_code(0);
    let rows = output.run_dir().csv("stats_history.csv");
    for name in ["/a", "/b"] {
        let of_name: Vec<_> = rows.iter().filter(|row| row["Name"] == name).collect();
        assert!(of_name.len() >= 2, "{name}: {}", of_name.len());
        let total: u64 = of_name.last().unwrap()["Total Request Count"].parse().unwrap();
        assert_eq!(total, server.hits(name));
    }
}

#[test]
fn the_summary_can_be_written_elsewhere_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(HIT);
    let arguments = [
        "run",
        "test.rhai",
        "-i",
        "2",
        "-H",
        &server.url(),
        "--summary-export",
        "out.json",
        "--results-dir",
        "r/s",
    ];
    sandbox.run(&arguments).expect_code(0);
    let export: Value =
        serde_json::from_str(&std::fs::read_to_string(sandbox.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(export["metrics"]["http_reqs"]["count"], 2);
    assert_eq!(std::fs::read_dir(sandbox.path().join("r/s")).unwrap().count(), 1);
    assert!(!sandbox.path().join("performance").exists());
}

#[test]
fn two_runs_at_once_get_a_folder_each() {
    let server = Server::start();
    let sandbox = Sandbox::with(HIT);
    let url = server.url();
    let start = || sandbox.start(&["run", "test.rhai", "-i", "2", "-H", &url]);
    let runs = [start(), start(), start()];
    for run in runs {
        run.wait().expect_code(0);
    }
    assert_eq!(sandbox.runs().len(), 3);
    for run in sandbox.runs() {
        assert_eq!(run.json()["total"]["requests"], 2);
    }
}

#[test]
fn odd_names_break_no_file() {
    let server = Server::start();
    let script = r#"
        scenario("a b/../ü", #{ exec: "f", tags: #{ "k:1": "v,2" } });
        fn f() { http::get("/x", #{ name: "line\nbreak, \"quoted\" {a:b}" }); check("a\tb", true); }
    "#;
    let sandbox = Sandbox::new();
    sandbox.write("odd näme 'x'.rhai", script);
    let output = sandbox.run(&["run", "odd näme 'x'.rhai", "-i", "3", "-H", &server.url()]).expect_code(0);
    let run = output.run_dir();
    assert!(run.0.file_name().unwrap().to_str().unwrap().is_ascii(), "{}", run.0.display());
    assert_eq!(run.csv("stats.csv")[0]["Name"], "line break, \"quoted\" {a:b}");
    assert_eq!(run.json()["endpoints"][0]["name"], "line break, \"quoted\" {a:b}");
    assert_eq!(run.aggregated()["Request Count"], "3");
    assert!(!output.stdout.contains("line\nbreak"), "a name takes one line: {}", output.shown());
}
