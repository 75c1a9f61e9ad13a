//! `--out`: every sample of a run in a file, which adds up to what the run says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Output, Sandbox, Server, TlsServer, load_test, rows, run};

/// Every kind of sample, verdicts that change late among them.
const MIXED: &str = r#"
    scenario("mixed", #{ exec: "mixed", weight: 3, wait: between(0.001, 0.01), tags: #{ team: "a&b" } });
    scenario("plain", #{ exec: "plain", wait: constant(0.005) });
    const ORDERS = metrics::counter("orders");
    const SHARE = metrics::rate("share");
    fn mixed() {
        let first = http::get("/status/404", #{ tags: #{ kind: "late" } });
        http::post("/echo", #{ json: #{ n: vu::iteration() } }).expect(201);
        http::get("/garbage");
        first.expect(404);
        check("is \"even\"", vu::iteration() % 2 == 0);
        ORDERS.add(3, #{ shop: "north" });
        SHARE.add(vu::iteration() % 2 == 0);
        measure("buy", || http::get("/x"));
        if vu::iteration() % 3 == 0 { throw "odd"; }
    }
    fn plain() { group("inner", || { http::get("/x"); check("c", true); }); }
"#;

/// What the values of each metric come to: their number and their sum.
type Sums = BTreeMap<String, (u64, f64)>;

fn add(sums: &mut Sums, metric: &str, value: f64) {
    let (count, sum) = sums.entry(metric.to_owned()).or_default();
    *count += 1;
    *sum += value;
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut text).unwrap();
        return text;
    }
    String::from_utf8(bytes).unwrap()
}

/// The sums of a JSON file; each metric is described before its first value, and once.
fn json_sums(text: &str) -> Sums {
    let mut sums = Sums::new();
    let mut described = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let metric = line["metric"].as_str().unwrap().to_owned();
        if line["type"] == "Metric" {
            assert!(!described.contains(&metric), "{metric} is described twice");
            assert_eq!(line["data"]["name"], metric.as_str());
            described.push(metric);
        } else {
            assert!(line["type"] == "Point" && described.contains(&metric), "{line}");
            let time = line["data"]["time"].as_str().unwrap();
            assert!(time.ends_with('Z') && time.len() == "2026-11-23T17:45:04.000120Z".len(), "{time}");
            assert!(line["data"]["tags"].is_object());
            add(&mut sums, &metric, line["data"]["value"].as_f64().unwrap());
        }
    }
    sums
}

fn csv_sums(path: &Path) -> Sums {
    let mut sums = Sums::new();
    rows(path)
        .iter()
        .for_each(|row| add(&mut sums, &row["metric_name"], row["metric_value"].parse().unwrap()));
    sums
}

/// The counters and rates of `run.json` are the sums of the lines.
#[track_caller]
fn agree(sums: &Sums, json: &Value) {
    let value = |metric: &str, value: &str| json["metrics"][metric]["values"][value].as_f64().unwrap();
    let sum = |metric: &str| sums.get(metric).map_or(0.0, |(_, sum)| *sum);
    for metric in
        ["http_reqs", "data_sent", "data_received", "iterations", "script_errors", "orders", "transactions"]
    {
        assert_eq!(sum(metric), value(metric, "count"), "{metric}");
        assert!(sum(metric) > 0.0, "{metric}");
    }
    for metric in ["checks", "share"] {
        let (count, passes) = sums[metric];
        assert_eq!(passes, value(metric, "passes"), "{metric}");
        assert_eq!(count as f64 - passes, value(metric, "fails"), "{metric}");
    }
    for metric in ["iteration_duration", "iteration_lag"] {
        assert_eq!(sums[metric].0 as f64, value(metric, "count"), "{metric}");
    }
    let vus_max = value("vus_max", "value");
    assert!(sums["vus"].0 >= 1 && sums["vus_max"].1 <= vus_max * sums["vus_max"].0 as f64);
}

#[test]
fn all_lines_add_up_to_the_totals_of_the_run() {
    let server = Server::start();
    let sandbox = Sandbox::with(MIXED);
    let url = server.url();
    let arguments = [
        "-t",
        "2s",
        "-u",
        "8",
        "-r",
        "50",
        "--threads",
        "2",
        "--tag",
        "env=ci",
        "--out",
        "json=out/s.json",
        "--out",
        "csv=out/s.csv",
        "--out",
        "json=s.json.gz",
    ];
    let output = sandbox.run_against(&url, &arguments).expect_code(0);
    let json = output.run_dir().json();
    let text = read(&sandbox.path().join("out/s.json"));
    let sums = json_sums(&text);
    agree(&sums, &json);
    assert_eq!(json_sums(&read(&sandbox.path().join("s.json.gz"))), sums);
    let in_csv = csv_sums(&sandbox.path().join("out/s.csv"));
    for (metric, (count, sum)) in &sums {
        let (count_in_csv, sum_in_csv) = in_csv[metric];
        assert!(*count == count_in_csv && (sum - sum_in_csv).abs() < 0.01, "{metric}");
    }
    // A verdict that changed is taken back by a point that counts down, and counted again.
    let points: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reqs = || points.iter().filter(|point| point["metric"] == "http_reqs" && point["type"] == "Point");
    let back = reqs().filter(|point| point["data"]["tags"]["taken_back"] == "true");
    assert!(back.clone().count() > 0 && back.clone().all(|point| point["data"]["value"] == -1));
    assert!(back.clone().all(|point| point["data"]["tags"]["expected_response"] == "false"));
    let failed = |point: &&Value| point["data"]["tags"]["expected_response"] == "false";
    let failures: i64 = reqs().filter(failed).map(|point| point["data"]["value"].as_i64().unwrap()).sum();
    assert_eq!(failures, json["total"]["failures"].as_i64().unwrap());
    let files = json["samples"].as_array().unwrap();
    assert!(files.len() == 3 && files.iter().all(|file| file["lost"] == 0 && file["problem"].is_null()));
    assert_eq!(files[0]["name"], "out/s.json");
    // Tags: of engine, flag, scenario and request; of a check and of the script's own metric.
    let tags = |metric: &str, key: &str, value: &str| {
        points
            .iter()
            .find(|point| point["metric"] == metric && point["data"]["tags"][key] == value)
            .unwrap_or_else(|| panic!("no {metric} with {key}={value}"))["data"]["tags"]
            .clone()
    };
    let late = tags("http_req_duration", "kind", "late");
    let expected = [("scenario", "mixed"), ("method", "GET"), ("name", "/status/404"), ("status", "404")];
    for (key, value) in expected.into_iter().chain([("env", "ci"), ("team", "a&b")]) {
        assert_eq!(late[key], value, "{late}");
    }
    assert!(tags("http_reqs", "name", "/garbage")["error"].is_string());
    assert_eq!(tags("checks", "check", "is \"even\"")["team"], "a&b");
    assert_eq!(tags("checks", "group", "::inner")["scenario"], "plain");
    assert_eq!(tags("orders", "shop", "north")["scenario"], "mixed");
    assert_eq!(tags("transaction_duration", "name", "buy")["scenario"], "mixed");
    assert!(tags("script_errors", "error", "odd").is_object());
    let row = rows(&sandbox.path().join("out/s.csv"));
    let row = row.iter().find(|row| row["extra_tags"].contains("kind=late")).unwrap();
    assert!(row["extra_tags"].contains("team=a%26b") && row["name"] == "/status/404", "{row:?}");
}

#[test]
fn iterations_that_were_dropped_are_among_them() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/delay/400\"); }");
    let arguments = [
        "run",
        "test.rhai",
        "-H",
        &server.url(),
        "--rate",
        "50",
        "-t",
        "2s",
        "--max-vus",
        "2",
        "--late",
        "drop",
        "--out",
        "csv=s.csv",
    ];
    let output = sandbox.run(&arguments).expect_code(0);
    let dropped = output.run_dir().json()["iterations"]["dropped"].as_f64().unwrap();
    assert!(dropped > 0.0, "{}", output.shown());
    assert_eq!(csv_sums(&sandbox.path().join("s.csv"))["dropped_iterations"].1, dropped);
}

const ONE: &str = "fn iteration() { http::get(\"/x\"); }";

fn with_out(out: &[&str], others: &[&str]) -> (Sandbox, Output) {
    let server = Server::start();
    let sandbox = Sandbox::with(ONE);
    let url = server.url();
    let mut arguments = vec!["run", "test.rhai", "-H", &url, "-i", "5"];
    out.iter().for_each(|out| arguments.extend(["--out", out]));
    arguments.extend(others);
    let output = sandbox.run(&arguments);
    (sandbox, output)
}

#[test]
fn standard_output_holds_samples_and_nothing_else() {
    let (_sandbox, output) = with_out(&["json=-"], &[]);
    let output = output.expect_code(0).expect_stderr(&["5 requests", "Aggregated"]);
    assert_eq!(json_sums(&output.stdout)["http_reqs"], (5, 5.0));
    let (_sandbox, output) = with_out(&["csv=-"], &["--quiet"]);
    assert_eq!(output.expect_code(0).stdout.lines().filter(|line| line.starts_with("http_reqs,")).count(), 5);
}

#[test]
fn what_cannot_be_is_said_before_any_load() {
    for (out, others, code, parts) in [
        (&["json"][..], &[][..], 2, "json=samples.json"),
        (&["cvs=x"], &[], 2, "did you mean 'csv'"),
        (&["influxdb=http://x"], &[], 2, "json=FILE or csv=FILE"),
        (&["json=-"], &["--json"], 2, "both write to standard output"),
        (&["json=-", "csv=-"], &[], 2, "two --out options write to standard output"),
        (&["json=a", "csv=a"], &[], 2, "give each its own file"),
        (&["csv=test.rhai/x.csv"], &[], 104, "a file is in the way"),
        (&["json=."], &[], 104, "cannot create the file ."),
        #[cfg(target_os = "linux")]
        (&["csv=/dev/full"], &[], 104, "free some disk space"),
    ] {
        let (sandbox, output) = with_out(out, others);
        let output = output.expect_code(code).expect_stderr(&[parts]);
        assert!(!output.stderr.contains("http_reqs") && sandbox.runs().is_empty(), "{}", output.shown());
    }
}

#[test]
fn files_are_named_in_the_environment_and_in_the_settings_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(ONE);
    sandbox.write("rhaid.toml", "out = [\"json=a.json\", \"csv=b.csv\"]\niterations = 3");
    let arguments = ["run", "test.rhai", "-H", &server.url()];
    sandbox.run(&arguments).expect_code(0);
    assert_eq!(json_sums(&read(&sandbox.path().join("a.json")))["http_reqs"].0, 3);
    assert_eq!(csv_sums(&sandbox.path().join("b.csv"))["http_reqs"].0, 3);
    sandbox.run_with(&arguments, &[("RHAID_OUT", "csv=c.csv,json=d.json")]).expect_code(0);
    assert_eq!(csv_sums(&sandbox.path().join("c.csv"))["http_reqs"].0, 3);
    assert_eq!(json_sums(&read(&sandbox.path().join("d.json")))["http_reqs"].0, 3);
    sandbox.write("rhaid.toml", "out = \"xml=a\"");
    sandbox.run(&arguments).expect_code(104).expect_stderr(&["rhaid.toml", "json=FILE or csv=FILE"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_told_once_and_counted_and_the_run_goes_on() {
    // JSON has no header, so the device takes nothing only when there are samples.
    let (_sandbox, output) = with_out(&["json=/dev/full", "csv=good.csv"], &[]);
    let output = output.expect_code(104).expect_stderr(&["samples are no longer written to /dev/full"]);
    assert_eq!(output.stderr.matches("no longer written").count(), 1, "{}", output.shown());
    assert!(
        output.stderr.contains("error: the samples in /dev/full are not complete: No space"),
        "why it is no pass: {}",
        output.shown()
    );
    assert!(output.stdout.contains("/dev/full: No space left"), "{}", output.shown());
    let json = output.run_dir().json();
    assert_eq!(json["total"]["requests"], 5);
    assert!(json["samples"][0]["problem"].as_str().unwrap().contains("free some disk space"));
    assert!(json["samples"][1]["problem"].is_null() && json["samples"][1]["lost"] == 0);
    assert!(json["notes"][0].as_str().unwrap().contains("/dev/full"), "{}", json["notes"]);
}

#[test]
fn a_writer_that_is_too_slow_costs_samples_that_are_counted_and_never_load() {
    /// Holds everything up until it may go on.
    struct Slow(std::sync::mpsc::Receiver<()>, Arc<Mutex<u64>>);

    impl rhaid::metrics::SampleSink for Slow {
        fn name(&self) -> String {
            "slow".to_owned()
        }

        fn write(&mut self, _: &rhaid::metrics::SampleGroup<'_>) -> std::io::Result<()> {
            // An error when the sender is gone: then it is held up no more.
            let _ = self.0.recv();
            *self.1.lock().unwrap() += 1;
            Ok(())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let (hold, held) = std::sync::mpsc::channel();
    let written = Arc::new(Mutex::new(0));
    // Checks need no target, so that there are many. What waits is at most 65,536 and a chunk in two hands.
    let script = "fn iteration() { for n in 0..1000 { check(\"c\", true); } } fn teardown() { release(); }";
    let hold = Mutex::new(Some(hold));
    let test = load_test(script).iterations(200).samples(Slow(held, written.clone())).with_engine({
        let hold = Arc::new(hold);
        move |engine| {
            let hold = hold.clone();
            engine.register_fn("release", move || drop(hold.lock().unwrap().take()));
        }
    });
    let ran = run(test).without_errors();
    let snapshot = ran.snapshot();
    assert_eq!(ran.check("c").0, 200_000);
    let file = &snapshot.samples[0];
    assert!(file.lost > 100_000 && file.written >= 512, "{file:?}");
    // Besides the checks: iterations, and two figures of the run a second.
    let others = file.written + file.lost - 200_000;
    assert!((202..300).contains(&others), "{file:?}");
    assert_eq!(*written.lock().unwrap(), file.written);
    assert!(
        snapshot.notes[0].contains("they arrived faster than they could be written"),
        "{:?}",
        snapshot.notes
    );
    let told = ran.messages.iter().filter(|message| message.text.contains("samples come faster"));
    assert_eq!(told.count(), 1, "{:?}", ran.messages);
}

/// The tags of each request, and of nothing else, by key; with those that cannot be foreseen left out.
fn tags_of_requests(text: &str, metric: &str) -> Vec<BTreeMap<String, String>> {
    let points = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let points = points.filter(|point| point["type"] == "Point" && point["metric"] == metric);
    points
        .map(|point| {
            let tags = point["data"]["tags"].as_object().unwrap().iter();
            tags.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
        })
        .collect()
}

#[test]
fn samples_have_the_tags_that_k6_sets() {
    let server = Server::start();
    let tls = TlsServer::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let script = r#"
        options(#{ http: #{ insecure: true } });
        fn iteration() {
            http::get("/a?page=1&token=abc#x");
            http::get("/items/1", #{ name: "/items/{id}" });
            group("shop", || { http::get("/redirect/1"); group("cart", || check("c", true)); });
            http::get("/status/404").expect(404);
            http::get("/status/503");
            http::get("/status/200").expect(201);
            http::get("http://CLOSED/");
            http::get("/reset");
            http::get("/never", #{ timeout: "50ms" });
            http::get("http://name.invalid/");
            http::get("https://TLS/");
            let socket = ws::connect("/ws/echo");
            socket.send("x");
            socket.recv(1);
            socket.close();
        }
    "#;
    let script = script.replace("CLOSED", &closed.to_string()).replace("TLS", &tls.addr.to_string());
    let sandbox = Sandbox::with(&script);
    let url = server.url();
    sandbox
        .run_against(&url, &["-u", "1", "-i", "1", "--out", "json=s.json", "--out", "csv=s.csv"])
        .expect_code(0);
    let text = read(&sandbox.path().join("s.json"));
    let all = tags_of_requests(&text, "http_reqs");
    let of = |name: &str, wanted: [(&str, Option<&str>); 4]| {
        let tags = all.iter().find(|tags| tags["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        for (key, value) in wanted {
            assert_eq!(tags.get(key).map(String::as_str), value, "{name}: {key} in {tags:?}");
        }
    };
    let http = Some("HTTP/1.1");
    let under = |path: &str| format!("{url}{path}");
    of(
        "/a",
        [
            ("url", Some(&under("/a?page=1&token=***"))),
            ("proto", http),
            ("group", Some("")),
            ("tls_version", None),
        ],
    );
    of(
        "/items/{id}",
        [("url", Some("/items/{id}")), ("status", Some("200")), ("error", None), ("error_code", None)],
    );
    of(
        "/redirect/1",
        [
            ("url", Some(&under("/redirect/1"))),
            ("group", Some("::shop")),
            ("proto", http),
            ("error_code", None),
        ],
    );
    of(
        "/status/404",
        [
            ("error_code", Some("1404")),
            ("expected_response", Some("true")),
            ("error", None),
            ("error_kind", None),
        ],
    );
    of(
        "/status/503",
        [("error_code", Some("1503")), ("error_kind", Some("status")), ("proto", http), ("subproto", None)],
    );
    of(
        "/status/200",
        [
            ("error_code", None),
            ("error_kind", Some("expect")),
            ("expected_response", Some("false")),
            ("proto", http),
        ],
    );
    of(
        "/reset",
        [("error_code", Some("1220")), ("error_kind", Some("reset")), ("status", Some("0")), ("proto", None)],
    );
    of(
        "/never",
        [
            ("error_code", Some("1050")),
            ("error_kind", Some("timeout")),
            ("status", Some("0")),
            ("proto", None),
        ],
    );
    let at = |host: &str, key: &str| {
        let tags = all.iter().find(|tags| tags["url"].contains(host)).unwrap_or_else(|| panic!("no {host}"));
        tags.get(key).cloned()
    };
    assert_eq!(at(&closed.to_string(), "error_code").as_deref(), Some("1212"));
    assert!(at("name.invalid", "error_code").unwrap().starts_with("110"), "{all:?}");
    assert_eq!(at(&tls.addr.to_string(), "tls_version").as_deref(), Some("tls1.3"));
    let sockets = tags_of_requests(&text, "ws_reqs");
    assert!(
        sockets.len() == 2
            && sockets.iter().all(|tags| tags["url"] == under("/ws/echo").replace("http", "ws"))
    );
    // What is no request has its group as well.
    assert_eq!(tags_of_requests(&text, "checks")[0]["group"], "::shop::cart");
    assert_eq!(tags_of_requests(&text, "iterations")[0]["group"], "");
    assert!(!tags_of_requests(&text, "vus")[0].contains_key("group"));

    let in_csv: Vec<BTreeMap<String, String>> = rows(&sandbox.path().join("s.csv"))
        .into_iter()
        .filter(|row| row["metric_name"] == "http_reqs")
        .map(|row| row.into_iter().collect())
        .collect();
    for (tags, row) in all.iter().zip(&in_csv) {
        for (key, value) in tags {
            let extra = format!("{key}={value}");
            assert!(
                row.get(key).map_or(row["extra_tags"].contains(&extra), |cell| cell == value),
                "{key}: {row:?}"
            );
        }
    }
    assert_eq!(all.len(), in_csv.len());
}
