//! The application as a client sees it: real sockets on port 0 and an HTTP client of a few lines.

use super::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

fn quick() -> TargetOptions {
    TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }
}

/// One keep-alive connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(target: &Target) -> Client {
        let stream = TcpStream::connect(target.addr()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Client(BufReader::new(stream))
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let text =
            format!("{method} {path} HTTP/1.1\r\nHost: t\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> (u16, Value) {
        let (mut status, mut length) = (0, 0);
        for (number, line) in self.0.by_ref().lines().enumerate() {
            let line = line.unwrap().to_lowercase();
            if number == 0 {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.send(method, path, "", body);
        self.receive()
    }
}

#[test]
fn health_says_ok() {
    let target = Target::start(quick()).unwrap();
    assert_eq!(target.url(), format!("http://127.0.0.1:{}", target.addr().port()));
    let (status, body) = Client::new(&target).ask("GET", "/health", "");
    assert_eq!((status, &body["status"]), (200, &json!("ok")));
    assert!(body["uptime_s"].as_f64().unwrap() >= 0.0);
}

#[test]
fn a_token_belongs_to_a_user() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let (status, ada) = client.ask("POST", "/login", r#"{"user": "ada"}"#);
    assert_eq!((status, &ada), (200, &json!({ "token": "demo-e70bc0190530e13b" })));
    assert_eq!(client.ask("POST", "/login", r#"{"user": "ada"}"#).1, ada);
    assert_ne!(client.ask("POST", "/login", r#"{"user": "bob"}"#).1, ada);
}

#[test]
fn analyses_are_answered_and_counted() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let before = client.ask("GET", "/quality/insights", "").1;
    assert_eq!(before["analyzed"], 0);

    let body = r#"{"source": "fn main() {\n    run().unwrap();\n}\n", "language": "rust"}"#;
    client.send("POST", "/quality/analyze", "Authorization: Bearer demo\r\n", body);
    let issue = json!({ "line": 2, "rule": "unwrap",
        "message": "`unwrap` panics on the unexpected; handle the error" });
    assert_eq!(client.receive(), (200, json!({ "score": 86.7, "lines": 3, "issues": [issue] })));
    assert_eq!(client.ask("POST", "/quality/analyze", r#"{"source": "x"}"#).1["score"], 100.0);

    let after = client.ask("GET", "/quality/insights", "").1;
    assert_eq!(after["analyzed"], 2);
    assert!(after["average_score"].as_f64().unwrap() > before["average_score"].as_f64().unwrap());
}

#[test]
fn insights_come_in_pages() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let mut page = |query: &str| client.ask("GET", &format!("/quality/insights{query}"), "").1;
    assert_eq!(page("")["projects"], page("?page=1")["projects"]);
    assert_eq!(page("?x=1&page=2")["projects"][0]["name"], "project-11");
    assert_eq!(page("?page=5")["projects"].as_array().unwrap().len(), 2);
    assert_eq!(page(&format!("?page={}", usize::MAX))["projects"], json!([]));
}

#[test]
fn refusals_are_json_and_say_what_was_expected() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let mut check = |method: &str, path: &str, body: &str, status: u16, says: &str| {
        let (actual, answer) = client.ask(method, path, body);
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(actual == status && why.contains(says), "{method} {path} {body}: {actual} {answer}");
    };
    check("GET", "/nowhere", "", 404, "/nowhere");
    check("DELETE", "/health", "", 405, "DELETE");
    check("POST", "/login", "user=ada", 400, r#"{"user": "..."}"#);
    check("POST", "/login", "{}", 400, "missing field `user`");
    check("POST", "/login", r#"{"user": ""}"#, 400, "empty");
    check("POST", "/quality/analyze", "", 400, r#"{"source": "...""#);
    check("POST", "/quality/analyze", r#"{"language": "rust"}"#, 400, "missing field `source`");
    check("POST", "/quality/analyze", r#"{"source": 7}"#, 400, "string");
    check("GET", "/quality/insights?page=0", "", 400, "`0`");
    check("GET", "/quality/insights?page=x", "", 400, "`x`");
}

#[test]
fn an_oversized_body_is_refused_as_json() {
    let target = Target::start(quick()).unwrap();
    let body = format!(r#"{{"source": "{}"}}"#, "x".repeat(2 << 20));
    let (status, answer) = Client::new(&target).ask("POST", "/quality/analyze", &body);
    assert_eq!(status, 413);
    assert!(answer["error"].is_string());
}

#[test]
fn the_error_rate_reaches_the_client() {
    let statuses = |error_rate| {
        let target = Target::start(TargetOptions { error_rate, ..quick() }).unwrap();
        let mut client = Client::new(&target);
        (0..200).map(|_| client.ask("GET", "/health", "").0).collect::<Vec<_>>()
    };
    assert!(statuses(0.0).iter().all(|&status| status == 200));
    let half = statuses(0.5);
    let failed = half.iter().filter(|&&status| status == 500).count();
    assert!((70..130).contains(&failed), "{failed} of 200 failed");
    assert_eq!(statuses(0.5), half, "the same seed fails the same requests");
}

#[test]
fn requests_in_service_slow_each_other_down() {
    let options = TargetOptions {
        median: Duration::from_millis(30),
        sigma: 0.0,
        knee: 1.0,
        ..TargetOptions::default()
    };
    let target = Target::start(options).unwrap();
    let slowest = |clients: usize| {
        let mut clients: Vec<_> = (0..clients).map(|_| Client::new(&target)).collect();
        let start = Instant::now();
        for client in &mut clients {
            client.send("POST", "/quality/analyze", "", r#"{"source": ""}"#);
        }
        clients.iter_mut().for_each(|client| assert_eq!(client.receive().0, 200));
        start.elapsed()
    };
    // The last of five meets at most four others: 30 ms x 5. Only lower bounds, a busy machine may be slower.
    assert!(slowest(5) >= Duration::from_millis(90));
    assert!(slowest(1) >= Duration::from_millis(30));
}

#[test]
fn a_client_that_hangs_up_is_no_longer_in_service() {
    let options =
        TargetOptions { median: Duration::from_secs(2), sigma: 0.0, knee: 0.01, ..TargetOptions::default() };
    let target = Target::start(options).unwrap();
    let mut gone = Client::new(&target);
    gone.send("POST", "/quality/analyze", "", r#"{"source": ""}"#);
    std::thread::sleep(Duration::from_millis(200));
    drop(gone);
    std::thread::sleep(Duration::from_millis(200));
    // 100 ms alone; with the other still counted it would be 10 s.
    let start = Instant::now();
    assert_eq!(Client::new(&target).ask("GET", "/health", "").0, 200);
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[test]
fn an_idle_connection_does_not_hold_the_shutdown_up() {
    let target = Target::start(quick()).unwrap();
    let (mut used, _unused) = (Client::new(&target), Client::new(&target));
    used.ask("GET", "/health", "");
    let start = Instant::now();
    let addr = target.addr();
    drop(target);
    assert!(start.elapsed() < LINGER, "took {:?}", start.elapsed());
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn a_request_in_service_holds_the_shutdown_up_for_a_second_only() {
    let target =
        Target::start(TargetOptions { median: Duration::from_secs(50), sigma: 0.0, ..quick() }).unwrap();
    let mut client = Client::new(&target);
    client.send("POST", "/quality/analyze", "", r#"{"source": ""}"#);
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    drop(target);
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[test]
fn knobs_out_of_range_are_named_all_at_once() {
    assert_eq!(TargetOptions::default().validate(), Ok(()));
    let wrong = TargetOptions { error_rate: 1.5, sigma: f64::NAN, knee: 0.0, ..TargetOptions::default() };
    let why = wrong.validate().unwrap_err();
    assert!(["error_rate", "sigma", "knee"].iter().all(|knob| why.contains(knob)), "{why}");
    assert_eq!(Target::start(wrong).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

/// Status, the cookie that is set and the body, of a request on a connection of its own.
fn page(target: &Target, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut client = Client::new(target);
    client.send(method, path, &format!("Connection: close\r\n{headers}"), body);
    let mut answer = String::new();
    client.0.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let cookie =
        answer.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    (status, cookie.to_owned(), answer)
}

#[test]
fn the_form_lets_in_who_sends_its_token() {
    let target = Target::start(quick()).unwrap();
    let (status, cookie, form) = page(&target, "GET", "/login/form", "", "");
    let token = form.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!((status, cookie.as_str()), (200, "visitor=1"));
    let cookie = format!("Cookie: x=y; {cookie}\r\n");
    let send = |cookie: &str, body: &str| page(&target, "POST", "/login/form", cookie, body);
    let (status, session, welcome) = send(&cookie, &format!("csrf={token}&user=ann"));
    assert!(status == 200 && session.starts_with("session=") && welcome.contains("Welcome"), "{welcome}");
    assert_eq!(send(&cookie, &format!("csrf={token}&user=")).0, 400);
    assert_eq!(send(&cookie, "csrf=made-up&user=ann").0, 403);
    assert_eq!(send("", &format!("csrf={token}&user=ann")).0, 403);
    assert_eq!(send("Cookie: visitor=2\r\n", &format!("csrf={token}&user=ann")).0, 403);
}

#[test]
fn an_upload_is_counted() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let body = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n1234\r\n--B--\r\n";
    client.send("POST", "/upload", "Content-Type: multipart/form-data; boundary=B\r\n", body);
    let (status, counted) = client.receive();
    assert_eq!((status, counted), (200, json!({ "parts": [{ "name": "f", "bytes": 4 }], "bytes": 4 })));
    assert_eq!(client.ask("POST", "/upload", "no parts").0, 400);
}

#[test]
fn what_is_sent_is_shown() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    client.send("PUT", "/echo?a=1", "X-Mine: yes\r\n", r#"{"n": 1}"#);
    let (status, shown) = client.receive();
    assert_eq!((status, &shown["method"], &shown["query"]), (200, &json!("PUT"), &json!("a=1")));
    assert_eq!((&shown["headers"]["x-mine"], &shown["json"]), (&json!("yes"), &json!({ "n": 1 })));
    assert_eq!(client.ask("POST", "/echo", "plain").1["json"], Value::Null);
}

#[test]
fn a_job_ends() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let (status, started) = client.ask("POST", "/jobs", "");
    assert_eq!((status, &started["state"]), (202, &json!("running")));
    let job = started["job"].as_str().unwrap();
    while client.ask("GET", job, "").1["state"] != "done" {
        std::thread::sleep(Duration::from_millis(20));
    }
    for unknown in ["/jobs/x", "/jobs/99999999"] {
        assert_eq!(client.ask("GET", unknown, "").0, 404, "{unknown}");
    }
}

#[test]
fn every_link_of_the_manual_leads_somewhere() {
    let target = Target::start(quick()).unwrap();
    let mut unread = vec!["/manual/".to_owned()];
    let mut read = Vec::new();
    while let Some(path) = unread.pop() {
        let (status, _, text) = page(&target, "GET", &path, "", "");
        assert_eq!(status, 200, "{path}");
        let links =
            text.split("class=\"internal\" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let links: Vec<String> =
            links.map(|link| format!("/manual/{}", link.trim_start_matches("./"))).collect();
        assert!(!links.is_empty(), "{path}");
        read.push(path);
        unread.extend(links.into_iter().filter(|link| !read.contains(link)));
        unread.sort_unstable();
        unread.dedup();
    }
    assert_eq!(read.len(), 6, "{read:?}");
    assert_eq!(page(&target, "GET", "/manual/nosuch", "", "").0, 404);
}

#[test]
fn graphql_is_answered() {
    let target = Target::start(quick()).unwrap();
    let mut client = Client::new(&target);
    let (status, answer) = client.ask("POST", "/graphql", r#"{"query": "{ projects(first: 1) { name } }"}"#);
    assert_eq!((status, answer), (200, json!({ "data": { "projects": [{ "name": "project-01" }] } })));
    assert_eq!(client.ask("POST", "/graphql", "{}").0, 400);
}
