//! Servers that misbehave: what the script sees and how it is counted.

use crate::support::{Server, load_test, once, run};

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Makes one request that fails in transit and checks everything that says so.
#[track_caller]
fn fails(call: &str, kind: &str, words: &str) {
    let server = Server::start();
    let script = format!(
        r#"fn iteration() {{
            let r = {call};
            print([r.status, r.ok, r.error_kind, r.body]);
            print(r.error);
        }}"#
    );
    let ran = run(load_test(&script).host(&server.url()).iterations(3)).without_errors();
    let printed = ran.printed();
    assert_eq!(printed[0], format!("[0, false, \"{kind}\", \"\"]"), "{call}: {printed:?}");
    assert!(printed[1].contains(words), "{call}: {}", printed[1]);
    assert_eq!(ran.failure_groups(), [(kind, 0, 3)], "one cause is one group");
    let messages = &ran.snapshot().failures[0].1.messages;
    assert_eq!(*messages, [printed[1]], "one cause has one text");
    let total = &ran.snapshot().total;
    assert_eq!((total.requests, total.failures), (3, 3));
    assert!(total.ok.is_none(), "no failure is a success of 0 ms");
    assert_eq!(total.failed.unwrap().count, 3);
    assert_eq!(total.statuses, [(0, 3)]);
    assert_eq!(ran.snapshot().iterations.completed, 3, "a failed request does not throw");
}

#[test]
fn nobody_listens() {
    let port = closed_port();
    fails(&format!("http::get(\"http://127.0.0.1:{port}/x\")"), "refused", "is the server running there?");
}

#[test]
fn a_name_without_an_address() {
    fails("http::get(\"http://nohost.invalid/x\")", "dns", "nohost.invalid");
}

#[test]
fn no_answer_in_time() {
    fails("http::get(\"/never\", #{ timeout: 0.1 })", "timeout", "100ms");
    fails("http::get(\"/delay/5000\", #{ timeout: \"50ms\" })", "timeout", "50ms");
}

#[test]
fn the_connection_is_reset() {
    fails("http::get(\"/reset\")", "reset", "before the response");
}

#[test]
fn the_answer_is_not_http() {
    fails("http::get(\"/garbage\")", "protocol", "not a valid HTTP response");
}

#[test]
fn the_body_ends_early() {
    fails("http::get(\"/cut\")", "body", "inside the body");
}

#[test]
fn redirects_without_end() {
    fails("http::get(\"/redirect/loop\")", "redirect", "redirect");
}

#[test]
fn tls_is_asked_of_a_server_without_it() {
    let server = Server::start();
    fails(&format!("http::get(\"https://{}/x\")", server.addr()), "tls", "http:// port");
}

#[test]
fn json_of_a_failed_request_says_why_there_is_none() {
    let script =
        format!("fn iteration() {{\n http::get(\"http://127.0.0.1:{}/x\").json(); }}", closed_port());
    let error = once(&Server::start(), &script).only_error();
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn a_failed_transport_cannot_be_expected_away_by_a_status() {
    let port = closed_port();
    let script = format!("fn iteration() {{ http::get(\"http://127.0.0.1:{port}/x\").expect(200); }}");
    let ran = once(&Server::start(), &script).without_errors();
    assert_eq!(ran.failure_groups(), [("refused", 0, 1)], "the cause stays, not 'expected 200'");
}

#[test]
fn the_timeout_of_the_run_holds_where_a_request_has_none() {
    let script = r#"
        options(#{ http: #{ timeout: "80ms" } });
        fn iteration() { print(http::get("/never").error_kind); print(http::get("/delay/200", #{ timeout: 5 }).status); }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["timeout", "200"]);
}

#[test]
fn a_user_recovers_from_every_fault() {
    let script = r#"
        fn iteration() {
            for url in ["/reset", "/garbage", "/cut"] { http::get(url); http::get("/fine"); }
            http::get("/never", #{ timeout: 0.02 });
            http::get("/fine");
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).users(5).threads(2).iterations(20)).without_errors();
    assert_eq!((ran.requests(), ran.failures()), (160, 80));
    assert_eq!(ran.endpoint("/fine"), (80, 0));
    assert_eq!(server.hits("/fine"), 80);
}

#[test]
fn a_request_that_the_server_took_is_not_sent_again() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/fine");
            http::get("/reset");
            http::get("/fine");
            http::post("/reset", #{ name: "post" });
            http::get("/reset", #{ name: "new" });
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!((ran.requests(), ran.failures()), (5, 3), "each failure is counted");
    let resets = server.seen().into_iter().filter(|seen| seen.path == "/reset").map(|seen| seen.method);
    // Also the GET on the kept connection: the server has read it, and may have acted on it.
    assert_eq!(resets.collect::<Vec<_>>(), ["GET", "POST", "GET"]);
}

#[test]
fn kinds_are_told_apart_per_endpoint() {
    let script = r#"
        fn iteration() {
            http::get("/reset", #{ name: "a" });
            http::get("/status/500", #{ name: "a" });
            http::get("/status/502", #{ name: "a" });
            http::post("/status/500", #{ name: "a" });
            http::get("/x", #{ name: "b" }).fail("why");
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(2)).without_errors();
    let mut groups: Vec<(&str, &str, &str, u16, u64)> = ran
        .snapshot()
        .failures
        .iter()
        .map(|(key, group)| (&*key.method, &*key.name, key.kind.as_str(), key.status, group.count))
        .collect();
    groups.sort_unstable();
    assert_eq!(
        groups,
        [
            ("GET", "a", "reset", 0, 2),
            ("GET", "a", "status", 500, 2),
            ("GET", "a", "status", 502, 2),
            ("GET", "b", "expect", 200, 2),
            ("POST", "a", "status", 500, 2),
        ]
    );
}
