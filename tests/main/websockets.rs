//! Websockets.

use std::time::{Duration, Instant};

use rhaid::metrics::CustomFigures;

use crate::support::{Ran, Sandbox, Server, TlsServer, load_test, once, run};

#[test]
fn messages_go_both_ways() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/echo?room=1", #{ headers: #{ "x-a": "b" } });
            print([ws.is_open, ws.ok, ws.status, ws.error, ws.response.headers["upgrade"]]);
            print(ws.send("hello"));
            print(ws.recv());
            ws.send(blob(3, 7));
            print(ws.recv(5));
            ws.close();
            print([ws.is_open, ws.recv(), ws.error]);
            ws.close();
            print(http::cookies().ws);
        }
    "#;
    let ran = once(&server, script).without_errors();
    let expected =
        ["[true, true, 101, (), \"websocket\"]", "true", "hello", "[070707]", "[false, (), ()]", "1"];
    assert_eq!(ran.printed(), expected);
    assert_eq!((ran.endpoint("/ws/echo"), ran.endpoint("/ws/echo message")), ((1, 0), (2, 0)));
    assert_eq!(ran.requests(), 3);
    assert!(ran.snapshot().endpoints.iter().all(|endpoint| &*endpoint.method == "WS"));
    assert_eq!((server.seen()[0].header("x-a"), server.seen()[0].query.as_str()), ("b", "room=1"));
}

#[test]
fn urls_may_be_absolute_and_names_given() {
    let server = Server::start();
    let url = server.url().replace("http://", "ws://");
    let script = format!(
        r#"fn iteration() {{
            let ws = ws::connect("{url}/ws/greet", #{{ name: "chat", tags: #{{ kind: "chat" }} }});
            print([ws.url, ws.recv(), ws.send("x"), ws.recv()]);
        }}"#
    );
    let ran = run(load_test(&script).iterations(1)).without_errors();
    assert_eq!(ran.printed(), [format!(r#"["{url}/ws/greet", "hello", true, "x"]"#)]);
    assert_eq!(ran.endpoint("chat message"), (1, 0), "what comes unasked is no sample");
}

#[test]
fn pings_are_answered_while_a_message_is_awaited() {
    let script = r#"fn iteration() { let ws = ws::connect("/ws/ping"); ws.send("a"); print(ws.recv(20)); }"#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["a"]);
}

#[test]
fn a_websocket_that_never_answers_ends_by_its_limit() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/silent", #{ timeout: "200ms" });
            print([ws.recv("10ms"), ws.error_kind]);
            ws.send("anybody?");
            print([ws.recv(), ws.error_kind, ws.error, ws.is_open]);
            let ws = ws::connect("/ws/mute", #{ timeout: "200ms" });
            print([ws.is_open, ws.status, ws.error_kind]);
        }
    "#;
    let started = Instant::now();
    let ran = once(&server, script).without_errors();
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(
        ran.printed(),
        ["[(), ()]", r#"[(), "timeout", "no message within 200ms", true]"#, r#"[false, 0, "timeout"]"#]
    );
    assert_eq!(ran.failure_groups(), [("timeout", 0, 1), ("timeout", 0, 1)]);
    assert_eq!(ran.endpoint("/ws/silent message"), (1, 1));
}

#[test]
fn a_websocket_over_tls_that_never_answers_ends_by_its_limit() {
    let server = TlsServer::start();
    let script = r#"
        options(#{ http: #{ insecure: true } });
        fn iteration() {
            let ws = ws::connect("/ws/silent", #{ timeout: "2s" });
            ws.send("anybody?");
            print([ws.url.starts_with("wss://"), ws.is_open, ws.recv("200ms"), ws.error_kind]);
            let ws = ws::connect("/ws/mute", #{ timeout: "200ms" });
            print([ws.is_open, ws.status, ws.error_kind]);
            let ws = ws::connect("/ws/echo", #{ timeout: "10s" });
            ws.send("hello");
            print(ws.recv());
        }
    "#;
    let test = load_test(script).host(&format!("https://{}", server.addr)).iterations(1);
    let ran = run(test).without_errors();
    assert_eq!(ran.printed(), [r#"[true, true, (), "timeout"]"#, r#"[false, 0, "timeout"]"#, "hello"]);
    assert_eq!(ran.failures(), 2);
}

/// After the close frame there is nothing to wait for, whatever the server does with the connection.
#[test]
fn a_close_frame_ends_a_websocket_at_once() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/linger", #{ timeout: "30s" });
            ws.send("x");
            let begun = run::elapsed();
            print([ws.recv(), ws.is_open, run::elapsed() - begun < 1.0]);
            let ws = ws::connect("/ws/linger");
            ws.send("x");
            let begun = run::elapsed();
            ws.close();
            print(run::elapsed() - begun < 1.0);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["[(), false, true]", "true"]);
}

/// Count of a counter, or number of values of a trend.
fn figure(ran: &Ran, name: &str) -> f64 {
    let found = ran.snapshot().custom.iter().find(|stats| *stats.name == *name && stats.tag.is_none());
    match &found.unwrap_or_else(|| panic!("no {name}")).figures {
        CustomFigures::Counter { count, .. } => *count,
        CustomFigures::Trend(summary) => summary.count as f64,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn open_websockets_have_the_metrics_of_k6() {
    let script = r#"
        fn iteration() {
            let closed = ws::connect("/ws/echo");
            for n in 0..3 { closed.send("x"); closed.recv(); }
            closed.close();
            let left = ws::connect("/ws/greet");
            left.recv();
            let broken = ws::connect("/ws/cut");
            broken.send("x");
            broken.recv(5);
            this.kept = ws::connect("/ws/silent");
            ws::connect("/ws/refuse");
            ws::connect("/ws/echo", #{ record: false }).send("x");
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let figures = ["ws_sessions", "ws_connecting", "ws_session_duration", "ws_msgs_sent", "ws_msgs_received"];
    assert_eq!(figures.map(|name| figure(&ran, name)), [4.0, 4.0, 4.0, 4.0, 4.0]);
    let without = once(&Server::start(), "fn iteration() { http::get(\"/\"); }");
    assert!(without.snapshot().custom.is_empty(), "no websocket, no figures");
}

#[test]
fn the_metrics_of_websockets_stand_in_run_json() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn iteration() { let w = ws::connect(\"/ws/echo\"); w.send(\"x\"); w.recv(); }");
    let output =
        sandbox.run(&["run", "test.rhai", "--iterations", "2", "--host", &server.url()]).expect_code(0);
    let metrics = output.run_dir().json()["metrics"].clone();
    assert_eq!(metrics["ws_sessions"]["type"], "counter");
    assert_eq!(metrics["ws_sessions"]["values"]["count"], 2.0);
    assert_eq!(
        (&metrics["ws_connecting"]["type"], &metrics["ws_connecting"]["contains"]),
        (&"trend".into(), &"time".into())
    );
    assert!(metrics["ws_session_duration"]["values"]["p(95)"].as_f64().unwrap() > 0.0, "{metrics}");
}

#[test]
fn the_end_of_a_websocket_is_told() {
    let script = r#"
        fn iteration() {
            for name in ["bye", "cut"] {
                let ws = ws::connect("/ws/" + name);
                ws.send("x");
                print([ws.recv(5), ws.is_open, ws.error_kind]);
                print(ws.error);
                try { ws.send("y"); } catch (e) { print(e); }
            }
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    assert_eq!(printed[0], r#"[(), false, "reset"]"#);
    assert_eq!(printed[1], "the server closed the websocket before it answered (code 4000: bye)");
    assert!(printed[2].starts_with("websocket /ws/bye is not open: the server closed"), "{}", printed[2]);
    assert_eq!(printed[3], r#"[(), false, "reset"]"#);
    assert_eq!((ran.requests(), ran.failures()), (4, 2));
}

#[test]
fn a_handshake_that_is_declined_is_a_failed_sample() {
    let script = r#"
        fn iteration() {
            for name in ["refuse", "page"] {
                let ws = ws::connect("/ws/" + name);
                print([ws.is_open, ws.ok, ws.status, ws.response.body, ws.recv()]);
            }
            print(ws::connect("ws://127.0.0.1:1/x").error_kind);
            ws::connect("/ws/refuse", #{ expect: 403 });
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    assert!(printed[0].starts_with("[false, false, 403, "), "{}", printed[0]);
    assert!(printed[1].starts_with("[false, false, 200, "), "{}", printed[1]);
    assert_eq!(printed[2], "refused");
    assert_eq!((ran.requests(), ran.failures()), (4, 3));
}

#[test]
fn mistakes_are_told() {
    for (call, expected) in [
        (
            r#"ws::connect("/ws/echo").send(42)"#,
            "send must be text or a blob (for a map: value.to_json()), not 42",
        ),
        (r##"ws::connect("/ws/echo", #{ body: "x" })"##, "ws::connect: a websocket cannot have a body"),
        (r#"ws::connect("/ws/echo").recv("soon")"#, "recv: "),
        (r#"ws::connect("ftp://x")"#, "has the scheme 'ftp'"),
    ] {
        let error = once(&Server::start(), &format!("fn iteration() {{ {call}; }}")).only_error();
        assert!(error.contains(expected), "{call}: {error}");
    }
}

#[test]
fn an_interruption_closes_the_websocket() {
    let server = Server::start();
    let script = r#"fn iteration() { let ws = ws::connect("/ws/silent"); ws.send("x"); ws.recv(); }"#;
    let test = load_test(script).host(&server.url()).run_time(Duration::from_millis(200));
    let started = Instant::now();
    let ran = run(test.stop_timeout(Duration::from_millis(100)));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!((ran.requests(), ran.failures()), (1, 0), "the connection; the message was interrupted");
}
