//! The live page and its HTTP API: what viewers see, who may steer, and that neither disturbs the run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{PATIENCE, Running, Sandbox, Server, wait_until};

/// A run with a page.
struct Page {
    running: Running,
    address: String,
    token: String,
}

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The address and token of the run that the sandbox has.
fn control(sandbox: &Sandbox) -> Value {
    let mut found = None;
    wait_until("a run with a control file", || {
        let runs = sandbox.runs();
        let text = runs.last().and_then(|run| std::fs::read_to_string(run.0.join("control.json")).ok());
        found = text.and_then(|text| serde_json::from_str(&text).ok());
        found.is_some()
    });
    found.unwrap()
}

impl Page {
    /// Starts a run with its page on a free port.
    fn run(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> Page {
        let url = server.url();
        let usual = ["run", "test.rhai", "-H", &url, "--web", "--web-address", "0"];
        let running = sandbox.start(&[&usual, arguments].concat());
        let control = control(sandbox);
        let address = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Page { running, address, token: control["token"].as_str().unwrap().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request with these header lines besides `host`, unless they have one, and reads the answer.
    fn call(&self, request: &str, lines: &[&str], body: &str) -> Answer {
        let mut stream = self.connect();
        let mut head =
            format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !lines.iter().any(|line| line.starts_with("host")) {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        lines.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body =
            if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    fn get(&self, path: &str) -> Answer {
        self.call(&format!("GET {path}"), &[], "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.call(&format!("POST {path}"), &[&format!("authorization: Bearer {}", self.token)], body)
    }

    fn state(&self) -> String {
        self.get("/api/v1/status").json()["state"].as_str().unwrap().to_owned()
    }

    /// Looks at the page: its events from now on.
    fn events(&self, last: Option<u64>) -> Events {
        let mut stream = self.connect();
        let last = last.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        let host = &self.address;
        let request = format!("GET /api/v1/events?parts=html HTTP/1.1\r\nhost: {host}\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Events(BufReader::new(stream))
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&after[..size]);
        rest = &after[(size + 2).min(after.len())..];
    }
    whole
}

struct Events(BufReader<TcpStream>);

impl Events {
    /// The next one: its number and its data; `None` when the connection ends.
    fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.trim().parse().ok();
            }
            if let Some(text) = line.strip_prefix("data: ") {
                return Some((id?, serde_json::from_str(text).unwrap()));
            }
        }
    }
}

/// Sums of a metric by labels, in Prometheus' text format.
fn samples(text: &str, name: &str) -> BTreeMap<String, f64> {
    let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
    let pairs = of_name.filter(|rest| rest.starts_with(['{', ' '])).filter_map(|rest| rest.rsplit_once(' '));
    pairs.map(|(labels, value)| (labels.to_owned(), value.parse().unwrap())).collect()
}

const SCRIPT: &str = r#"
    threshold("http_req_failed", "rate < 50%");
    fn iteration() { http::get("/ok"); http::get("/status/500"); sleep(0.02); }
"#;

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
    assert_eq!(page.post("/api/v1/stop", "").status, 200);
    let output = page.running.wait().expect_code(0);
    let json = output.run_dir().json();
    assert_eq!(json["ended_by"], "stopped");
    let marks: Vec<&str> =
        json["marks"].as_array().unwrap().iter().map(|mark| mark["text"].as_str().unwrap()).collect();
    assert!(marks.len() >= 4, "users, pause, resume, reload: {marks:?}");
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
    sandbox.run(&["ctl", "users", "4"]).expect_code(0);
    let status = || -> Value {
        serde_json::from_str(&sandbox.run(&["ctl", "status", "--json"]).expect_code(0).stdout).unwrap()
    };
    wait_until("4 users", || status()["users"] == 4);
    sandbox.run(&["ctl", "pause"]).expect_code(0);
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
fn only_the_user_can_read_how_a_run_is_steered() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &[]);
    server.wait_for_hits("/ok", 1);
    let run = sandbox.runs().pop().unwrap().0;
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(run.join("control.json")), 0o600);
    let shared = sandbox.path().join("rhaid");
    assert_eq!(mode(shared.clone()), 0o700);
    assert_eq!(mode(shared.join(format!("{}.json", page.running.id()))), 0o600);
    // It is not among the files that the API gives, nor in what the page shows.
    let id = run.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(page.get(&format!("/api/v1/runs/{id}/files/control.json")).status, 404);
    assert!(!page.get("/").body.contains(&page.token));
    page.post("/api/v1/stop", "");
    page.running.wait();
}

#[test]
fn strangers_are_refused_and_the_run_goes_on() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "2"]);
    server.wait_for_hits("/ok", 1);
    let stop = "POST /api/v1/stop";
    let bearer = format!("authorization: Bearer {}", page.token);
    let cookie =
        page.get("/").head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("cookie: {}", cookie.split(';').next().unwrap());
    for (request, lines, status) in [
        ("GET /api/v1/status", vec!["host: evil.example"], 421),
        ("GET /", vec!["host: rebound.example:8089"], 421),
        (stop, vec![], 401),
        (stop, vec!["authorization: Bearer guess"], 401),
        (stop, vec![&*bearer, "origin: http://evil.example"], 403),
        (stop, vec![&*cookie], 403),
        (stop, vec![&*cookie, "origin: http://evil.example"], 403),
        ("GET /api/v1/stop", vec![&*bearer], 405),
        ("GET /api/v1/runs/..%2F..%2F..%2Fetc/files/passwd", vec![], 404),
        ("GET /api/v1/runs/../../test.rhai", vec![], 404),
        ("GET /api/v1/nothing", vec![], 404),
        ("GET /api/v1/history?since=x", vec![], 400),
    ] {
        let answer = page.call(request, &lines, "");
        assert_eq!(answer.status, status, "{request} {lines:?}: {}", answer.body);
        assert!(!answer.head.to_lowercase().contains("access-control-allow"), "{}", answer.head);
    }
    // 100 MB are not waited for.
    let mut stream = page.connect();
    let head = format!(
        "POST /api/v1/control HTTP/1.1\r\nhost: {}\r\n{bearer}\r\ncontent-length: 100000000\r\n\r\n",
        page.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b' '; 65_536];
    for _ in 0..1_600 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    // The rest of the body may be reset away together with the answer.
    if stream.read_to_string(&mut answer).is_ok() {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let own = format!("origin: http://{}", page.address);
    assert_eq!(page.call(stop, &[&cookie, &own], "").status, 200, "our own page may");
    let output = page.running.wait().expect_code(0);
    assert_eq!(output.run_dir().json()["total"]["requests"], server.total());
}

/// Connections that are held open against a page.
const MANY: u64 = 10_000;

#[test]
fn ten_thousand_connections_are_refused_in_order_and_the_run_goes_on() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.02)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "2", "-r", "100"]);
    server.wait_for_hits("/ok", 1);
    // This process needs some itself, and other tests run in it.
    let limit = rlimit::increase_nofile_limit(2 * MANY).unwrap_or(1_024);
    let many = MANY.min(limit.saturating_sub(2_000).max(limit / 2));
    if many < MANY {
        let text = format!("only {many} connections: no more than {limit} files can be opened here\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    let mut events = page.events(None);
    events.next().unwrap();
    let connect =
        || -> Vec<TcpStream> { (0..many / 2).map(|_| TcpStream::connect(&page.address).unwrap()).collect() };
    let held: Vec<TcpStream> = std::thread::scope(|scope| {
        let halves = [scope.spawn(connect), scope.spawn(connect)];
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    held.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    let is_answered = |stream: &&TcpStream| stream.peek(&mut [0]).is_ok();
    // The viewer has a place too. Nobody asked anything, so who has an answer was refused.
    let places = 128 - 1;
    wait_until("all beyond the places refused", || {
        held.iter().filter(is_answered).count() as u64 >= many - places
    });
    for mut stream in held.iter().filter(is_answered) {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 ") && text.ends_with("first\"}\n"), "{text}");
    }
    let refused = page.get("/api/v1/status");
    assert!(refused.status == 503 && refused.json()["error"].is_string(), "{}", refused.body);
    // Whoever was there before still sees the run, which goes on.
    let before = server.total();
    while events.next().expect("the viewer keeps its place").1["status"]["requests"].as_u64() <= Some(before)
    {
    }
    drop(held);
    wait_until("places again", || page.get("/api/v1/status").status == 200);
    assert_eq!(page.post("/api/v1/stop", "").status, 200);
    let output = page.running.wait().expect_code(0);
    let json = output.run_dir().json();
    assert_eq!(
        (&json["total"]["requests"], json["total"]["failures"].as_u64()),
        (&server.total().into(), Some(0))
    );
}

#[test]
fn a_viewer_that_does_not_read_changes_nothing() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.02)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "5", "-r", "100", "-t", "3s"]);
    let asleep: Vec<Events> = (0..10).map(|_| page.events(None)).collect();
    let output = page.running.wait().expect_code(0);
    drop(asleep);
    let json = output.run_dir().json();
    assert_eq!(json["total"]["requests"], server.total());
    assert!(json["elapsed_s"].as_f64().unwrap() >= 3.0);
}

#[test]
fn a_late_viewer_sees_everything_and_one_that_comes_back_what_is_new() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["-u", "2"]);
    wait_until("three seconds", || {
        page.get("/api/v1/status").json()["elapsed_s"].as_f64().unwrap_or(0.0) > 3.0
    });
    let (first, event) = page.events(None).next().unwrap();
    let parts = event["parts"].as_object().unwrap();
    let figures: Value = serde_json::from_str(parts["figures"].as_str().unwrap()).unwrap();
    assert!(figures["seconds"]["rows"].as_array().unwrap().len() >= 3, "from the first second on");
    assert!(parts["timeline"].as_str().unwrap().contains("<svg"));
    // What did not change is not sent again.
    let (second, event) = page.events(Some(first)).next().unwrap();
    assert!(second >= first);
    assert!(event["parts"].get("facts").is_none(), "{:?}", event["parts"].as_object().unwrap().keys());
    // A number of a server before this one means nothing.
    let (_, event) = page.events(Some(1_000_000)).next().unwrap();
    assert!(event["parts"].get("facts").is_some());
    page.post("/api/v1/stop", "");
    page.running.wait().expect_code(0);
}

#[test]
fn a_page_with_a_token_is_closed_to_everybody_else() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &["--web-token", "open sesame"]);
    server.wait_for_hits("/ok", 1);
    assert_eq!(page.get("/api/v1/status").status, 401);
    assert_eq!(page.get("/").status, 401);
    assert_eq!(page.get("/?token=open").status, 401);
    let opened = page.get("/?token=open%20sesame");
    assert_eq!(opened.status, 303);
    assert!(
        opened.head.contains("location: /\r\n") || opened.head.ends_with("location: /"),
        "{}",
        opened.head
    );
    page.post("/api/v1/stop", "");
    let output = page.running.wait().expect_code(0);
    assert!(output.stderr.contains("/?token="), "{}", output.shown());
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = Page::run(&sandbox, &server, &[]);
    server.wait_for_hits("/ok", 1);
    let frame = page.get("/");
    assert!(frame.head.contains("content-security-policy: default-src 'none'"), "{}", frame.head);
    assert!(!frame.head.contains("unsafe-inline"));
    assert!(
        !frame.body.contains("http://") && !frame.body.contains("https://") && !frame.body.contains("style=")
    );
    let script = page.get("/live.js");
    assert!(script.head.contains("text/javascript"));
    assert!(script.body.len() < 30_000, "{} bytes of script", script.body.len());
    assert!(page.get("/live.css").body.contains("header.live"));
    page.post("/api/v1/stop", "");
    page.running.wait().expect_code(0);
}

/// A page that waits to be started.
fn waiting_page(sandbox: &Sandbox, arguments: &[&str]) -> Page {
    let usual = ["web", ".", "--web-address", "0", "--web-token", "t"];
    let running = sandbox.start(&[&usual, arguments].concat());
    let file = sandbox.path().join("rhaid").join(format!("{}.json", running.id()));
    wait_until("the page", || file.exists() && !std::fs::read_to_string(&file).unwrap().is_empty());
    let control: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let address = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    Page { running, address, token: "t".to_owned() }
}

impl Page {
    /// A GET with the token.
    fn look(&self, path: &str) -> Answer {
        self.call(&format!("GET {path}"), &[&format!("authorization: Bearer {}", self.token)], "")
    }
}

#[test]
fn the_api_does_a_whole_run_from_the_form_to_the_results() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    let script = r#"
        const PATH = param("path", "/ok", #{ choices: ["/ok", "/other"], help: "What to get" });
        options(#{ users: 3 });
        threshold("http_req_failed", "rate < 1%");
        fn iteration() { http::get(PATH); sleep(0.02); }
    "#;
    sandbox.write("flows/shop.rhai", script);
    sandbox.write("broken.rhai", "fn iteration() { http::gat(\"/ok\"); }");
    let page = waiting_page(&sandbox, &[]);
    assert_eq!(page.look("/api/v1/status").json()["state"], "waiting");
    let scripts = page.look("/api/v1/scripts").json();
    assert_eq!(scripts["scripts"], serde_json::json!(["broken.rhai", "flows/shop.rhai"]));
    let form = page.look("/api/v1/form?script=flows/shop.rhai").json();
    assert_eq!(form["params"][0]["name"], "path");
    assert_eq!(form["params"][0]["choices"], serde_json::json!(["/ok", "/other"]));
    assert_eq!(form["defaults"]["users"], 3);
    let host = server.url();
    let filled = format!(
        r#"{{"script": "flows/shop.rhai", "host": "{host}", "run_time": "1s", "spawn_rate": 100, "param": {{"path": "/other"}}}}"#
    );
    let plan = page.post("/api/v1/plan", &filled).json();
    assert_eq!((plan["end_s"].as_f64(), plan["thresholds"].as_array().unwrap().len()), (Some(1.0), 1));
    let most =
        plan["points"].as_array().unwrap().iter().map(|point| point[1].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(most, 3.0);
    let command = plan["command"].as_str().unwrap();
    assert!(
        command.starts_with("rhaid run ./flows/shop.rhai ") && command.contains("--param=path=/other"),
        "{command}"
    );
    assert_eq!(server.total(), 0, "a plan makes no request");
    let tried = page.post("/api/v1/try", &filled).json();
    assert!(tried["text"].as_str().unwrap().contains("/other -> 200"), "{tried}");
    assert_eq!((tried["passed"].as_bool(), server.total()), (Some(true), 1));
    let broken = page.post("/api/v1/start", &format!(r#"{{"script": "broken.rhai", "host": "{host}"}}"#));
    assert!(broken.status == 422 && broken.body.contains("http::gat"), "{}", broken.body);
    assert_eq!(page.post("/api/v1/start", r#"{"script": "../x.rhai"}"#).status, 404);
    assert_eq!(
        page.post("/api/v1/start", r#"{"script": "flows/shop.rhai", "on_breach": "touch x"}"#).status,
        422
    );
    let started = page.post("/api/v1/start", &filled);
    assert_eq!(started.status, 200, "{}", started.body);
    let id = started.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(page.post("/api/v1/start", &filled).status, 409, "one run at a time");
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    let stored = page.look(&format!("/api/v1/runs/{id}")).json();
    assert_eq!(stored["total"]["requests"], server.total() - 1);
    assert_eq!(stored["verdict"]["words"], page.look("/api/v1/status").json()["verdict"]["words"]);
    let runs = page.look("/api/v1/runs").json();
    assert_eq!(
        (&runs["runs"][0]["id"], runs["runs"].as_array().unwrap().len()),
        (&Value::from(id.clone()), 1)
    );
    assert!(page.look(&format!("/api/v1/runs/{id}/report")).body.contains("rhaid report"));
    // A second one, stopped by the signal that ends the page.
    let long = filled.replace(r#""1s""#, r#""1h""#);
    wait_until("another run", || page.post("/api/v1/start", &long).status == 200);
    server.wait_for_hits("/other", stored["total"]["requests"].as_u64().unwrap() + 5);
    page.running.signal("INT");
    page.running.wait().expect_code(0);
    let last = sandbox.runs().pop().unwrap();
    assert_ne!(last.0.file_name().unwrap().to_str().unwrap(), id);
    assert_eq!(last.json()["ended_by"], "signal");
}

#[test]
fn scripts_are_checked_and_saved_only_where_that_is_allowed() {
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/ok\"); }");
    let closed = waiting_page(&sandbox, &[]);
    assert_eq!(closed.look("/api/v1/script?script=test.rhai").status, 409);
    assert_eq!(closed.look("/editor.js").status, 409);
    let bearer = ["authorization: Bearer t"];
    let put = |page: &Page, body: &Value| page.call("PUT /api/v1/script", &bearer, &body.to_string());
    assert_eq!(put(&closed, &serde_json::json!({})).status, 409);
    closed.running.signal("INT");
    closed.running.wait().expect_code(0);
    let page = waiting_page(&sandbox, &["--edit"]);
    let script = page.look("/api/v1/script?script=test.rhai").json();
    assert!(script["text"].as_str().unwrap().contains("/ok"));
    let wrong = r#"fn iteration() {\n  http::gat("/x");\n}"#.replace("\\n", "\n");
    let check = serde_json::json!({ "script": "test.rhai", "text": wrong });
    let problems = page.post("/api/v1/check", &check.to_string()).json()["problems"].clone();
    assert_eq!((&problems[0]["line"], &problems[0]["severity"]), (&2.into(), &"error".into()), "{problems}");
    assert!(problems[0]["message"].as_str().unwrap().contains("http::gat"), "{problems}");
    let text = "fn iteration() { http::get(\"/new\"); }";
    let save = serde_json::json!({ "script": "test.rhai", "text": text, "version": script["version"] });
    assert_eq!(page.call("PUT /api/v1/script", &[], &save.to_string()).status, 401);
    let saved = put(&page, &save);
    assert_eq!(saved.status, 200, "{}", saved.body);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("test.rhai")).unwrap(), text);
    assert_eq!(put(&page, &save).status, 409, "that version is not the newest any more");
    for other in ["../x.rhai", "rhaid.toml", "/etc/passwd"] {
        let save = serde_json::json!({ "script": other, "text": "x", "version": "" });
        assert_eq!(put(&page, &save).status, 404, "{other}");
    }
    assert!(page.look("/api/v1/docs?word=http::get").json()["text"].as_str().unwrap().contains("http::get"));
    assert_eq!(page.look("/api/v1/docs?word=nothing_of_the_kind").status, 404);
    let editor = page.look("/editor.js");
    assert!(editor.status == 200 && editor.body.len() < 400_000, "{} bytes", editor.body.len());
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

#[test]
fn the_description_of_the_api_names_every_path() {
    let description: Value = serde_json::from_str(include_str!("../../src/web/openapi.json")).unwrap();
    let described: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let source = include_str!("../../src/web/server.rs");
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    // The page itself is none of the API's.
    let page = ["/", "/live.js", "/live.css", "/editor.js", "/playground.js"];
    for route in routes.filter(|route| !page.contains(route)) {
        let name = route.replace("{other}", "{before}");
        assert!(described.contains(&&name), "{route} is not in src/web/openapi.json");
        let documented = include_str!("../../docs/http-api.md");
        assert!(
            documented.contains(&format!("{name}`")) || documented.contains(&format!("{name}?")),
            "{route} is not in docs/http-api.md"
        );
    }
}

#[test]
fn what_is_no_script_is_not_served() {
    let sandbox = Sandbox::new();
    sandbox.write("notes.txt", "fn iteration() {}");
    sandbox.run(&["web", "notes.txt"]).expect_stderr(&["notes.txt", ".rhai"]).expect_code(104);
    sandbox.run(&["web", "nosuch"]).expect_stderr(&["nosuch", "rhaid new"]).expect_code(104);
}

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

#[test]
fn the_log_of_the_page_has_what_the_terminal_says() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    sandbox.write(
        "test.rhai",
        r#"
        let key = secret::get("KEY");
        wait(constant(0.1));
        fn setup() { print("set up"); }
        fn iteration() {
            http::get("/status/500");
            if vu::iteration() == 1 {
                print("hello\nthere \u001b[31m" + key);
                log::warn("careful");
                log::error("it says");
                debug("detail");
                throw "broken";
            }
            print("again");
        }
        "#,
    );
    let url = server.url();
    let usual = ["run", "test.rhai", "-H", &url, "--web", "--web-address", "0", "--color", "always"];
    let running = sandbox.start_with(&usual, &[("KEY", "hush-hush-1")]);
    let control = control(&sandbox);
    let address = control["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let page = Page { running, address, token: control["token"].as_str().unwrap().to_owned() };
    let log = |since: u64| page.get(&format!("/api/v1/log?since={since}")).json();
    let lines = || log(0)["lines"].as_array().unwrap().clone();
    // Somebody who comes late has all of it.
    wait_until("repeats, folded", || {
        lines()
            .iter()
            .any(|line| line["text"].as_str().unwrap().ends_with("again") && line["level"] == "info")
    });
    page.post("/api/v1/control", r#"{"users": 3}"#);
    wait_until("a mark", || lines().iter().any(|line| line["level"] == "mark"));
    let found = |level: &str, text: &str| {
        let is = |line: &Value| line["level"] == level && line["text"].as_str().unwrap().contains(text);
        assert!(lines().iter().any(is), "{level} {text}: {:#?}", lines());
    };
    found("info", "set up");
    found("info", "hello\nthere ␛[31m***");
    found("warning", "warning: [vu 1, iteration 1] careful");
    found("error", "error: [vu 1, iteration 1] it says");
    found("debug", "debug: ");
    found("error", "script error: test.rhai:12:17: broken");
    found("warning", "first failed request: status 500  GET /status/500");
    found("mark", "3");
    let next = log(0)["next"].as_u64().unwrap();
    assert!(log(next)["lines"].as_array().unwrap().iter().all(|line| line["number"].as_u64() >= Some(next)));
    assert_eq!(page.get("/api/v1/log?since=-1").status, 400);
    assert!(page.get("/api/v1/status").json()["log_next"].as_u64() >= Some(next));
    let all = lines();
    page.post("/api/v1/stop", "");
    let output = page.running.wait();
    assert!(!format!("{all:?}").contains("hush-hush-1"));
    // A log for a file says only every ten seconds that the machine is busy.
    let is_busy = |text: &str| text.contains("takes the CPU") || text.contains("is saturated");
    let said = |line: &&Value| line["level"] != "mark" && !is_busy(line["text"].as_str().unwrap());
    for line in all.iter().filter(said) {
        for text in line["text"].as_str().unwrap().lines() {
            assert!(output.stderr.lines().any(|shown| shown == text), "{text:?} in {}", output.shown());
        }
    }
}

#[test]
fn a_page_that_starts_runs_has_a_log_for_each() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn iteration() { print(\"mine is \" + vu::iteration()); http::get(\"/ok\"); }");
    let page = waiting_page(&sandbox, &[]);
    assert_eq!(page.look("/api/v1/log").status, 404, "no run has said anything yet");
    let form = format!(r#"{{"script": "test.rhai", "host": "{}", "iterations": 2}}"#, server.url());
    for _ in 0..2 {
        wait_until("a run", || page.post("/api/v1/start", &form).status == 200);
        wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
        let log = page.look("/api/v1/log").json();
        let texts: Vec<&str> =
            log["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].ends_with("mine is 1") && texts[1].ends_with("mine is 2"), "{texts:?}");
    }
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

#[test]
fn a_flood_of_messages_is_cut_on_the_page_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"fn iteration() { http::get("/ok"); let x = "x"; x.pad(200, "x"); for n in 0..3000 { print("line " + n + x); } sleep(0.05); }"#,
    );
    let page = Page::run(&sandbox, &server, &["-u", "2", "-r", "100"]);
    wait_until("lines beyond those that are kept", || {
        page.get("/api/v1/log").json()["dropped"].as_u64().unwrap_or(0) > 1_000
    });
    let answer = page.get("/api/v1/log");
    assert!(answer.body.len() < 500_000, "{} bytes", answer.body.len());
    assert!(answer.json()["lines"].as_array().unwrap().len() <= 1_000);
    page.post("/api/v1/stop", "");
    page.running.wait();
}

#[test]
fn scenarios_are_chosen_and_weighed_in_the_form() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    sandbox.write(
        "test.rhai",
        r#"
        scenario("browse", #{ exec: "get", weight: 3, wait: constant(0.05) });
        scenario("buy a=b", #{ exec: "get", wait: constant(0.05) });
        scenario("admin", #{ exec: "get", fixed_count: 1, wait: constant(0.05) });
        scenario("nightly", #{ exec: "get", executor: "per-vu-iterations", iterations: 2 });
        fn get() { http::get("/" + vu::scenario()); }
        "#,
    );
    let page = waiting_page(&sandbox, &[]);
    let form = page.look("/api/v1/form?script=test.rhai").json();
    let expected = serde_json::json!([
        { "name": "browse", "weight": 3.0, "load": null },
        { "name": "buy a=b", "weight": 1.0, "load": null },
        { "name": "admin", "weight": null, "load": "1 user" },
        { "name": "nightly", "weight": null, "load": "per-vu-iterations" },
    ]);
    assert_eq!(form["scenarios"], expected);
    let host = server.url();
    let plan = |rest: &str| {
        let body = format!(r#"{{"script": "test.rhai", "host": "{host}", "run_time": "1h", {rest}}}"#);
        page.post("/api/v1/plan", &body)
    };
    let users = |answer: &Answer| -> Vec<(String, u64)> {
        let json = answer.json();
        let scenarios = json["scenarios"].as_array().unwrap_or_else(|| panic!("{json}")).clone();
        let pair = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["users"].as_u64().unwrap());
        scenarios.iter().map(pair).collect()
    };
    let named = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(name, users)| ((*name).to_owned(), *users)).collect()
    };
    let two = r#""scenario": "browse,buy a=b", "users": 8"#;
    assert_eq!(users(&plan(two)), named(&[("browse", 6), ("buy a=b", 2)]));
    let weighed = plan(&format!(r#"{two}, "weight": {{ "browse": 1, "buy a=b": "3" }}"#));
    assert_eq!(users(&weighed), named(&[("browse", 2), ("buy a=b", 6)]));
    let command = weighed.json()["command"].as_str().unwrap().to_owned();
    assert!(command.contains("--weight=browse=1") && command.contains("'--weight=buy a=b=3'"), "{command}");
    let summary = weighed.json()["summary"].as_str().unwrap().to_owned();
    assert_eq!(summary, "up to 8 users · over 1:00:00 · browse (2), buy a=b (6) · no thresholds");
    let none = plan(&format!(r#"{two}, "weight": {{ "browse": 0 }}"#));
    assert_eq!(users(&none), named(&[("browse", 0), ("buy a=b", 8)]), "0 gets nobody");
    let rate = plan(r#""scenario": ["browse", "buy a=b"], "rate": "100", "weight": { "browse": 1 }"#).json();
    assert_eq!((&rate["scenarios"][0]["share"], &rate["scenarios"][1]["share"]), (&0.5.into(), &0.5.into()));
    assert!(rate["summary"].as_str().unwrap().starts_with("up to 100 iterations/s · "), "{rate}");
    for (rest, words) in [
        (r#""weight": { "brows": 2 }"#, "'brows'"),
        (r#""weight": { "admin": 2 }"#, "fixed_count"),
        (r#""weight": { "nightly": 2 }"#, "executor"),
        (r#""weight": { "browse": -1 }"#, "0 or more"),
        (r#""weight": { "browse": "many" }"#, "0 or more"),
        (r#""weight": 3"#, "NAME=N"),
        (r#""scenario": "nosuch""#, "no scenario 'nosuch'"),
    ] {
        let answer = plan(rest);
        assert!(answer.status == 422 && answer.body.contains(words), "{rest}: {}", answer.body);
    }
    let body = format!(
        r#"{{"script": "test.rhai", "host": "{host}", "run_time": "1s", "spawn_rate": 100, "users": 4,
            "scenario": "browse,buy a=b", "weight": {{ "browse": 0 }}}}"#
    );
    assert_eq!(page.post("/api/v1/start", &body).status, 200);
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    assert_eq!((server.hits("/browse"), server.hits("/admin"), server.hits("/nightly")), (0, 0, 0));
    assert!(server.hits("/buy%20a=b") > 0, "{}", server.total());
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}
