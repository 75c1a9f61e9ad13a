//! Who looks on: late, slow, many, strangers.

use super::*;

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
