//! Ctrl-C and SIGTERM: the first drains, the second stops at once; results are written in both cases.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Output, RunDir, Sandbox, Server};

/// The run's JSON, after checking that every file agrees that it was stopped by a signal.
#[track_caller]
fn stopped(output: Output) -> (Value, RunDir) {
    let output = output.expect_code(105);
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("STOPPED by signal"), "{}", output.shown());
    let run = output.run_dir();
    let json = run.json();
    assert_eq!(json["ended_by"], "signal");
    assert_eq!(run.aggregated()["Request Count"], json["total"]["requests"].to_string());
    (json, run)
}

#[track_caller]
fn drains(signal: &str) {
    let server = Server::start();
    let script = r#"
        fn iteration() { http::get("/delay/700"); http::get("/after"); }
        fn on_stop() { http::get("/stop"); }
        fn teardown(data) { http::get("/teardown"); }
    "#;
    let sandbox = Sandbox::with(script);
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-u", "3", "-r", "1000"]);
    server.wait_for_hits("/delay/700", 3);
    running.signal(signal);
    let output = running.wait().expect_stderr(&["stopping"]);
    let (json, _) = stopped(output);
    assert_eq!((server.hits("/delay/700"), server.hits("/after"), server.hits("/stop")), (3, 3, 3));
    assert_eq!(server.hits("/teardown"), 1);
    assert_eq!(json["total"]["requests"], 9);
    assert_eq!(
        (&json["iterations"]["completed"], &json["iterations"]["interrupted"]),
        (&3.into(), &0.into())
    );
    assert_eq!(json["interrupted_requests"], 0);
}

#[test]
fn an_interrupt_lets_running_iterations_end() {
    drains("INT");
}

#[test]
fn terminate_is_as_interrupt() {
    drains("TERM");
}

#[test]
fn a_terminal_that_is_gone_is_as_interrupt() {
    drains("HUP");
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.05); }");
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-t", "1"];
    let rhaid = sandbox.command(&arguments);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(rhaid.get_program()).args(arguments);
    command
        .current_dir(sandbox.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let running = sandbox.attach(command.spawn().unwrap());
    server.wait_for_hits("/x", 1);
    running.signal("HUP");
    assert_eq!(running.wait().expect_code(0).run_dir().json()["ended_by"], "run time");
}

#[test]
fn the_second_signal_stops_at_once() {
    let server = Server::start();
    let script = r#"
        fn iteration() { http::get("/x"); http::get("/never"); http::get("/after"); }
        fn on_stop() { http::get("/stop"); }
    "#;
    let sandbox = Sandbox::with(script);
    let running =
        sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-u", "4", "-r", "1000", "--threads", "2"]);
    server.wait_for_hits("/never", 4);
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.hits("/stop"), 0, "the first one waits for the answers");
    running.signal("INT");
    let (json, _) = stopped(running.wait());
    assert_eq!((&json["total"]["requests"], &json["interrupted_requests"]), (&4.into(), &4.into()));
    assert_eq!(
        (&json["iterations"]["completed"], &json["iterations"]["interrupted"]),
        (&0.into(), &4.into())
    );
    assert_eq!((server.total(), server.hits("/stop"), server.hits("/after")), (8, 0, 0));
}

#[test]
fn the_stop_timeout_ends_what_does_not_end_by_itself() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn iteration() { http::get(\"/never\"); } fn on_stop() { http::get(\"/stop\"); }");
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "--stop-timeout", "200ms"]);
    server.wait_for_hits("/never", 1);
    running.signal("INT");
    let (json, _) = stopped(running.wait());
    assert_eq!((&json["total"]["requests"], &json["interrupted_requests"]), (&1.into(), &1.into()));
    assert_eq!(server.hits("/stop"), 1);
}

/// Of a run whose iterations are given, and of one whose time is over.
#[test]
fn a_signal_counts_also_while_the_last_iterations_run() {
    for load in [&["-i", "1"][..], &["-i", "2", "-u", "2", "-r", "1000"], &["-t", "200ms"], &["--once"]] {
        let server = Server::start();
        let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); http::get(\"/never\"); }");
        let url = server.url();
        let arguments = [&["run", "test.rhai", "-H", &url, "--stop-timeout", "300ms"], load].concat();
        let running = sandbox.start(&arguments);
        server.wait_for_hits("/never", 1);
        std::thread::sleep(Duration::from_millis(250));
        running.signal("INT");
        let (json, _) = stopped(running.wait());
        assert_eq!(json["verdict"]["words"], "STOPPED by signal", "{load:?}");
    }
}

#[test]
fn a_signal_cuts_waits_and_sleeps() {
    let server = Server::start();
    let script = r#"
        scenario("waits", #{ exec: "once", wait: constant(3600) });
        scenario("sleeps", #{ exec: "sleeps" });
        scenario("ramp", #{ exec: "once", fixed_count: 1 });
        fn once() { http::get("/once"); if vu::scenario() == "ramp" { vu::stop(); } }
        fn sleeps() { http::get("/before"); sleep(3600); }
    "#;
    let sandbox = Sandbox::with(script);
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-u", "3", "-r", "1000"]);
    server.wait_for_hits("/before", 1);
    server.wait_for_hits("/once", 2);
    running.signal("INT");
    let (json, _) = stopped(running.wait());
    assert_eq!((&json["total"]["requests"], &json["iterations"]["interrupted"]), (&3.into(), &1.into()));
}

#[test]
fn a_signal_during_setup_ends_the_run() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn setup() { http::get(\"/never\"); } fn iteration() { http::get(\"/x\"); }");
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url()]);
    server.wait_for_hits("/never", 1);
    running.signal("INT");
    let output = running.wait().expect_code(105);
    assert_eq!(output.run_dir().json()["total"]["requests"], 0);
    assert_eq!(server.hits("/x"), 0);
}

#[test]
fn a_signal_during_a_slow_ramp_up_ends_the_run() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.01); }");
    let running = sandbox.start(&[
        "run",
        "test.rhai",
        "-H",
        &server.url(),
        "-u",
        "1000",
        "-r",
        "0.5",
        "--threads",
        "2",
    ]);
    server.wait_for_hits("/x", 3);
    running.signal("TERM");
    let (json, _) = stopped(running.wait());
    assert_eq!(json["total"]["requests"], server.total());
}

#[test]
fn results_are_written_while_the_run_goes_on() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.01); }");
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url()]);
    crate::support::wait_until("two rows of history and a run.json", || {
        let runs = sandbox.runs();
        let rows = runs.first().map(|run| run.0.join("stats_history.csv")).filter(|path| path.is_file());
        let json = runs.first().is_some_and(|run| run.0.join("run.json").is_file());
        json && rows.is_some_and(|path| std::fs::read_to_string(path).unwrap().lines().count() >= 3)
    });
    let run = sandbox.runs().remove(0);
    let json = run.json();
    assert!(json["ended_by"].is_null() && json["total"]["requests"].as_u64().unwrap() > 0, "{json}");
    // Killed, it keeps what it had.
    running.signal("KILL");
    assert_eq!(running.wait().code, None);
    let rows = run.csv("stats_history.csv");
    assert!(rows.len() >= 2 && rows.iter().all(|row| row["Name"] == "Aggregated"), "{rows:?}");
}
