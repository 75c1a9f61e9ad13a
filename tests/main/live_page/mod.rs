//! The live page and its HTTP API: what viewers see, who may steer, and that neither disturbs the run.

mod agents;
mod log;
mod running;
mod viewers;
mod waiting;

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
        let (host, token) = (&self.address, &self.token);
        let request = format!(
            "GET /api/v1/events?parts=html HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{last}\r\n"
        );
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

/// A page that waits to be started.
fn waiting_page(sandbox: &Sandbox, arguments: &[&str]) -> Page {
    let usual = ["web", ".", "--web-address", "0", "--web-token", "t"];
    page_of(sandbox, sandbox.start(&[&usual, arguments].concat()))
}

/// The page, with the token `t`, of a process that serves one.
fn page_of(sandbox: &Sandbox, running: Running) -> Page {
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
