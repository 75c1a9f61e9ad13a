//! Websockets whose server sends unasked: which message is an answer, and what a handler gets.

use std::time::Duration;

use rhaid::metrics::CustomFigures;

use crate::support::{Ran, Server, load_test, once, run};

/// How many websockets have ended.
fn ended(ran: &Ran) -> u64 {
    let found = ran.snapshot().custom.iter().find(|stats| &*stats.name == "ws_session_duration");
    match &found.expect("a websocket").figures {
        CustomFigures::Trend(summary) => summary.count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_push_is_never_the_answer_that_a_script_has_described() {
    for (message, answer) in [
        (r#""a""#, r#"|m| m == "a""#),
        (r##""{\"id\":7,\"of\":{\"x\":1,\"y\":2}}""##, "#{ id: 7, of: #{ x: 1.0 } }"),
    ] {
        let script = format!(
            r#"fn iteration() {{
                let ws = ws::connect("/ws/push");
                ws.send({message}, #{{ answer: {answer} }});
                print(ws.recv(5));
                print(ws.recv(5) == {message});
                print(ws.recv("50ms"));
            }}"#
        );
        let ran = once(&Server::start(), &script).without_errors();
        assert_eq!(ran.printed(), ["push", "true", ""]);
        assert_eq!(ran.endpoint("/ws/push message"), (1, 0));
        let message = ran.snapshot().endpoints.iter().find(|e| &*e.name == "/ws/push message").unwrap();
        let slowest = message.counts.ok.as_ref().unwrap().max_us;
        assert!(slowest >= 100_000, "timed until the answer: {slowest}");
    }
}

#[test]
fn a_message_without_an_answer_is_neither_timed_nor_failed() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/push");
            for n in 0..3 { print(ws.send("note", #{ answer: false })); }
            for n in 0..3 { print(ws.recv(5)); }
            print(ws.recv("50ms"));
            ws.send("note", #{ answer: false });
            ws.close();
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["true", "true", "true", "push", "push", "push", ""]);
    assert_eq!((ran.requests(), ran.failures()), (1, 0), "the handshake alone");
}

#[test]
fn answers_are_paired_by_id_in_any_order() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/reverse");
            for id in 1..=2 { ws.send(#{ id: id }.to_json(), #{ answer: #{ id: id } }); }
            print(ws.recv(5));
            print(ws.recv(5));
            ws.send("{\"id\":3}", #{ answer: #{ id: 3 } });
            print([ws.recv("50ms"), ws.error_kind]);
            ws.send("{\"id\":4}", #{ answer: #{ id: 5 } });
            print(ws.recv(5));
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let expected = [r#"{"id":2}"#, r#"{"id":1}"#, r#"[(), "timeout"]"#, r#"{"id":4}"#];
    assert_eq!(ran.printed(), expected);
    assert_eq!(ran.endpoint("/ws/reverse message"), (3, 1), "the last one is still awaited");
}

#[test]
fn a_handler_runs_while_the_user_sleeps_and_while_it_sends_requests() {
    let script = r#"
        fn iteration() {
            this.ticks = 0;
            let ws = ws::connect("/ws/feed");
            ws.on_message(|m| { if m.starts_with("tick") { this.ticks += 1; } });
            sleep(0.3);
            let asleep = this.ticks;
            http::get("/delay/300");
            let requested = this.ticks;
            http::batch(["/delay/300"]);
            print([asleep > 0, requested > asleep, this.ticks > requested]);
            ws.on_message(());
            let last = this.ticks;
            sleep(0.1);
            print(this.ticks == last);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["[true, true, true]", "true"]);
    assert_eq!((ran.requests(), ran.failures()), (3, 0), "what comes unasked is no sample");
}

#[test]
fn a_handler_runs_between_iterations() {
    let script = r#"
        wait(constant(0.3));
        fn on_start() {
            this.ticks = 0;
            this.ws = ws::connect("/ws/feed");
            this.ws.on_message(|m| { this.ticks += 1; });
        }
        fn iteration() { print(this.ticks > 0); this.ticks = 0; }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(3)).without_errors();
    assert_eq!(ran.printed()[1..], ["true", "true"]);
}

#[test]
fn recv_gives_the_answer_and_the_handler_the_pushes_before_it() {
    let script = r#"
        fn iteration() {
            this.got = [];
            let ws = ws::connect("/ws/push");
            ws.on_message(|m, socket| { this.got.push(m); if m == "push" { socket.send("note", #{ answer: false }); } });
            ws.send("a", #{ answer: |m| m == "a" });
            print([ws.recv(5), this.got.len() >= 1, this.got.contains("a")]);
            ws.on_message(|m| { this.got.push(m); });
            ws.send("b", #{ answer: |m| m == "b" });
            sleep(0.5);
            print(this.got.contains("b"));
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), [r#"["a", true, false]"#, "true"]);
    assert_eq!(ran.endpoint("/ws/push message"), (2, 0), "timed in recv, and while the user slept");
}

/// A method of `this` has borrowed it, so a handler that uses it has to wait.
#[test]
fn a_handler_waits_for_what_it_uses() {
    let script = r#"
        fn iteration() {
            this.pushes = 0;
            this.ws = ws::connect("/ws/push");
            this.ws.on_message(|m| { this.pushes += 1; });
            this.ws.send("a", #{ answer: |m| m == "a" });
            print(this.ws.recv(5));
            sleep(0.05);
            print(this.pushes);
            let ws = ws::connect("/ws/push");
            let seen = 0;
            let other = ws;
            ws.on_message(|m| { if other.is_open { seen += 1; } });
            ws.send("b", #{ answer: |m| m == "b" });
            print(ws.recv(5));
            sleep(0.05);
            print(seen);
        }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["a", "1", "b", "1"]);
}

#[test]
fn a_websocket_that_only_its_handler_holds_is_closed_with_the_iteration() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/feed");
            let other = ws;
            ws.on_message(|m| { other.send("more", #{ answer: false }); });
            sleep(0.05);
        }
        fn on_stop() { print("over"); sleep(1); }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(3)).without_errors();
    assert_eq!(ended(&ran), 3);
    let script = r#"
        fn on_start() { this.ws = ws::connect("/ws/feed"); this.ws.on_message(|m| { this.ticks = m; }); }
        fn iteration() { sleep(0.05); print([this.ws.is_open, this.ticks != ()]); }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(3)).without_errors();
    assert_eq!(ran.printed(), ["[true, true]"; 3]);
}

#[test]
fn an_error_in_a_handler_is_counted_and_the_iteration_goes_on() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/greet");
            ws.on_message(|m| { nosuch(m); });
            sleep(0.2);
            let ws = ws::connect("/ws/greet");
            ws.on_message(|m| fail("no " + m));
            sleep(0.2);
            print("to the end");
        }
    "#;
    let ran = once(&Server::start(), script);
    assert_eq!(ran.printed(), ["to the end"]);
    let errors: Vec<String> = ran.errors().into_keys().collect();
    assert!(errors[0].starts_with("test.rhai:4:33: ") && errors[0].contains("nosuch"), "{errors:#?}");
    assert!(errors[1].contains("test.rhai:7:") && errors[1].contains("no hello"), "{errors:#?}");
}

#[test]
fn a_handler_can_end_its_user_and_the_run() {
    let script = r#"
        wait(constant(30));
        fn on_start() { this.ws = ws::connect("/ws/feed"); }
        fn iteration() { this.ws.on_message(|m| vu::stop()); }
        fn on_stop() { print("stopped"); }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).run_time(Duration::from_secs(30)));
    assert_eq!(ran.without_errors().printed(), ["stopped"]);
    let script = r#"
        fn iteration() { let ws = ws::connect("/ws/feed"); ws.on_message(|m| abort("enough")); sleep(30); }
    "#;
    let ran = once(&Server::start(), script);
    assert!(format!("{:?}", ran.report.ended_by()).contains("enough"), "{:?}", ran.report.ended_by());
}

#[test]
fn an_answer_that_is_overdue_fails_although_nobody_calls_recv() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/feed", #{ timeout: "100ms" });
            ws.on_message(|m| {});
            ws.send("a", #{ answer: |m| m == "never" });
            ws.send("b", #{ answer: |m| m == "b" });
            sleep(0.5);
            print(ws.error);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["no message within 100ms"]);
    assert_eq!(ran.endpoint("/ws/feed message"), (2, 1));
}

#[test]
fn a_close_is_noticed_while_the_user_sleeps() {
    let script = r#"
        fn iteration() {
            let ws = ws::connect("/ws/bye");
            ws.on_message(|m| {});
            ws.send("x");
            sleep(0.3);
            print([ws.is_open, ws.error]);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let expected = r#"[false, "the server closed the websocket before it answered (code 4000: bye)"]"#;
    assert_eq!(ran.printed(), [expected]);
    assert_eq!(ran.endpoint("/ws/bye message"), (1, 1));
}

#[test]
fn mistakes_with_answers_and_handlers_are_told() {
    for (call, expected) in [
        (
            "ws.send(\"x\", #{ answer: 5 })",
            "send: answer must be true, false, a map of fields, or a function, not 5",
        ),
        ("ws.send(\"x\", #{ answr: false })", "did you mean 'answer'"),
        ("ws.on_message(|m| ws.send(m))", "a handler gets it as a second argument, |message, socket|"),
        ("ws.on_message(7)", "on_message must be a function or (), not 7"),
    ] {
        let script = format!("fn iteration() {{ let ws = ws::connect(\"/ws/echo\"); {call}; }}");
        let error = once(&Server::start(), &script).only_error();
        assert!(error.contains(expected), "{call}: {error}");
    }
}
