//! Worker threads that do not answer: a function that never returns delays neither the others nor the end of the run.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rhaid::metrics::Snapshot;
use rhaid::plan::EndedBy;
use rhaid::{Level, LoadTest, Report, RunHandle};

use crate::support::{Sandbox, Server, block_on, load_test, once, run, wait_until};

/// More than an end at once takes, also on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Adds the function `stuck`, which returns when this is dropped, and `block`, which blocks for milliseconds.
#[derive(Default)]
struct Stuck(Arc<AtomicBool>);

impl Stuck {
    fn of(&self, test: LoadTest) -> LoadTest {
        let is_over = self.0.clone();
        test.with_engine(move |engine| {
            let is_over = is_over.clone();
            engine.register_fn("stuck", move || {
                while !is_over.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(1));
                }
            });
            engine.register_fn("block", |ms: i64| sleep(Duration::from_millis(ms as u64)));
        })
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// VU 1 never returns from its second iteration; VU 2, on another thread if there is one, goes on.
const SECOND_IS_STUCK: &str = r#"
    fn iteration() {
        http::get("/vu/" + vu::id());
        if vu::id() == 1 && vu::iteration() == 2 { http::get("/now"); stuck(); }
        sleep(0.02);
    }
"#;

fn requests(snapshot: &Snapshot, name: &str) -> u64 {
    snapshot
        .endpoints
        .iter()
        .filter(|endpoint| &*endpoint.name == name)
        .map(|endpoint| endpoint.requests)
        .sum()
}

/// That VU 1 is said to be stuck on a worker, and that what VU 2 did is counted.
#[track_caller]
fn is_told(server: &Server, report: &Report) {
    let snapshot = report.snapshot();
    assert_eq!(requests(snapshot, "/vu/2"), server.hits("/vu/2"), "nothing of the other one is lost");
    let lost = &snapshot.blocking.lost_workers;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!((lost[0].vu, lost[0].function.as_str()), (Some(1), "'iteration'"));
    let said = snapshot.notes.iter().any(|note| {
        note.starts_with("worker ")
            && note.ends_with("(VU 1 is in 'iteration'): requests of its last interval are not counted")
    });
    assert!(said, "{:?}", snapshot.notes);
    let json = report.to_json();
    assert_eq!(json["generator"]["lost_workers"][0]["function"], "'iteration'");
    assert_eq!(json["generator"]["blocked"]["functions"][0]["vu"], 1, "{}", json["generator"]);
}

#[test]
fn the_run_time_and_the_stop_timeout_hold_although_a_worker_does_not_answer() {
    let (server, stuck) = (Server::start(), Stuck::default());
    let test = load_test(SECOND_IS_STUCK).host(&server.url()).users(2).threads(2);
    let test = test.run_time(Duration::from_millis(2_300)).stop_timeout(Duration::from_millis(300));
    let begin = Instant::now();
    let ran = run(stuck.of(test));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
    is_told(&server, &ran.report);
    assert!(requests(ran.snapshot(), "/vu/2") > 20, "the others go on");
    assert!(ran.snapshot().history.len() >= 3, "each second is shown");
    let warnings: Vec<&str> = ran
        .messages
        .iter()
        .filter(|message| message.level == Level::Warning)
        .map(|m| m.text.as_str())
        .collect();
    assert!(
        warnings.iter().any(|text| text.starts_with("VU 1 in 'iteration' has blocked worker thread ")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|text| text.ends_with("the run goes on without it")), "{warnings:?}");
}

/// Runs with one stuck user and does something to it; gives its end and how long that took.
fn ended(
    test: LoadTest,
    server: &Server,
    stuck: &Stuck,
    path: &str,
    end: impl AsyncFnOnce(&RunHandle) -> Instant,
) -> (Report, Duration) {
    let test = stuck.of(test.host(&server.url()).stop_timeout(Duration::from_secs(60)));
    block_on(async {
        let handle = test.start().await.unwrap();
        while server.hits(path) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begin = end(&handle).await;
        (handle.wait().await.unwrap(), begin.elapsed())
    })
}

async fn stop_twice(handle: &RunHandle) -> Instant {
    handle.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    handle.stop();
    begin
}

#[test]
fn the_second_stop_ends_a_run_whose_worker_does_not_answer() {
    for threads in [1, 2] {
        let (server, stuck) = (Server::start(), Stuck::default());
        let test = load_test(SECOND_IS_STUCK).users(2).threads(threads);
        let (report, took) = ended(test, &server, &stuck, "/now", stop_twice);
        assert!(took < AT_ONCE, "{threads} threads: {took:?}");
        assert_eq!(*report.ended_by(), EndedBy::Stopped);
        if threads == 2 {
            is_told(&server, &report);
        }
    }
}

#[test]
fn the_second_stop_ends_on_start_on_stop_setup_and_teardown_that_never_return() {
    let on_start = r#"fn on_start() { http::get("/now"); stuck(); } fn iteration() {}"#;
    let on_stop = r#"fn iteration() { http::get("/now"); sleep(0.05); } fn on_stop() { stuck(); }"#;
    let setup = r#"fn setup() { http::get("/now"); stuck(); } fn iteration() {}"#;
    let teardown = r#"fn iteration() { http::get("/now"); sleep(0.05); } fn teardown() { stuck(); }"#;
    let test_start = r#"on("test_start", || { http::get("/now"); stuck(); }); fn iteration() {}"#;
    let wait = r#"wait(|| { http::get("/now"); stuck(); 1 }); fn iteration() {}"#;
    for script in [on_start, on_stop, setup, teardown, test_start, wait] {
        let (server, stuck) = (Server::start(), Stuck::default());
        let (_, took) = ended(load_test(script), &server, &stuck, "/now", stop_twice);
        assert!(took < AT_ONCE, "{script}: {took:?}");
    }
}

#[test]
fn teardown_that_never_returns_is_left_after_the_stop_timeout() {
    let stuck = Stuck::default();
    let test = load_test("fn iteration() {} fn teardown() { stuck(); }").iterations(1);
    let ran = run(stuck.of(test.stop_timeout(Duration::from_millis(200))));
    assert_eq!(ran.report.teardown_error(), Some("it was not done after 1s (see stop_timeout)"));
}

#[test]
fn a_function_that_the_script_does_not_have_cannot_be_late() {
    let stuck = Stuck::default();
    let test = load_test("fn iteration() {} on(\"test_stop\", || block(2500));").iterations(1);
    let ran = run(stuck.of(test.stop_timeout(Duration::ZERO)));
    assert_eq!(ran.report.teardown_error(), Some("it was not done after 1s (see stop_timeout)"));
    assert_eq!(ran.report.summary_error(), None, "there is no summary");
}

#[test]
fn teardown_is_called_on_a_worker_that_answers() {
    let (server, stuck) = (Server::start(), Stuck::default());
    let script =
        format!("{SECOND_IS_STUCK} fn setup() {{ 42 }} fn teardown(x) {{ http::get(`/bye/${{x}}`); }}");
    let test = load_test(&script).host(&server.url()).users(2).threads(2);
    let test = test.run_time(Duration::from_millis(1_200)).stop_timeout(Duration::from_millis(200));
    let ran = run(stuck.of(test));
    assert_eq!((ran.report.teardown_error(), server.hits("/bye/42")), (None, 1));
}

#[test]
fn a_threshold_that_aborts_ends_a_run_whose_worker_does_not_answer() {
    let (server, stuck) = (Server::start(), Stuck::default());
    let test = load_test(SECOND_IS_STUCK).host(&server.url()).users(2).threads(2);
    let test = test.threshold("http_reqs: count < 5 abort").stop_timeout(Duration::from_millis(200));
    let ran = run(stuck.of(test));
    assert!(matches!(ran.report.ended_by(), EndedBy::Threshold(_)), "{:?}", ran.report.ended_by());
    is_told(&server, &ran.report);
}

#[test]
fn what_a_late_worker_counted_is_merged_when_it_comes() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/vu/" + vu::id());
            if vu::id() == 1 && vu::iteration() == 3 { block(2200); }
            sleep(0.02);
        }
    "#;
    let test =
        load_test(script).host(&server.url()).users(2).threads(2).run_time(Duration::from_millis(3_500));
    let ran = run(Stuck::default().of(test));
    assert_eq!(ran.requests(), server.total());
    let blocking = &ran.snapshot().blocking;
    assert!(blocking.lost_workers.is_empty() && ran.snapshot().notes.is_empty(), "{blocking:?}");
    let function = blocking.functions.iter().find(|function| function.vu == 1).unwrap();
    assert_eq!(function.function, "'iteration'");
    assert!(function.longest > Duration::from_millis(1_500), "{function:?}");
    assert!(ran.printed().iter().any(|text| text.ends_with(" answers again")), "{:?}", ran.messages);
    let findings = ran.report.to_json()["findings"].to_string();
    assert!(findings.contains("'iteration' blocked worker thread"), "{findings}");
    assert!(!findings.contains("stall:"), "{findings}");
}

#[test]
fn who_blocks_a_thread_is_told_once_with_its_user_and_for_how_long() {
    let server = Server::start();
    let script = r#"fn iteration() { http::get("/x"); block(250); }"#;
    let test = load_test(script).host(&server.url()).iterations(4);
    let ran = run(Stuck::default().of(test));
    let blocking = &ran.snapshot().blocking;
    assert!(blocking.count >= 3 && blocking.longest >= Duration::from_millis(100), "{blocking:?}");
    let told: Vec<&str> = ran
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .filter(|text| text.starts_with("VU 1 in 'iteration' blocked worker thread 0 for 0."))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", ran.messages);
    assert!(told[0].contains("with_async_fn"), "{told:?}");
}

#[test]
fn a_script_that_computes_or_waits_blocks_nobody() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/delay/300");
            let sum = 0;
            for i in 0..60_000 { sum += i; }
            sleep(0.2);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert!(ran.snapshot().blocking.functions.is_empty(), "{:?}", ran.snapshot().blocking);
}

#[test]
fn dropping_the_handle_ends_a_run_whose_worker_does_not_answer() {
    let (server, stuck) = (Server::start(), Stuck::default());
    let is_held = Arc::new(Mutex::new(()));
    let held = is_held.clone();
    let test = stuck.of(load_test(SECOND_IS_STUCK).host(&server.url()).users(2).threads(2));
    block_on(async {
        let handle = test.on_message(move |_| drop(held.lock())).start().await.unwrap();
        while server.hits("/now") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(handle);
    });
    let made = || server.hits("/vu/2");
    wait_until("the end of the other worker", || {
        let before = made();
        sleep(Duration::from_millis(200));
        made() == before
    });
}

/// Set for a process that is to end although one of its threads never does.
const CHILD: &str = "RHAID_TEST_STUCK_CHILD";

#[test]
fn a_process_ends_although_a_thread_of_a_run_does_not() {
    if std::env::var_os(CHILD).is_some() {
        let test = load_test("fn iteration() { endless(); }").run_time(Duration::from_millis(300));
        let test = test.stop_timeout(Duration::ZERO).with_engine(|engine| {
            engine.register_fn("endless", || {
                loop {
                    sleep(Duration::from_millis(1));
                }
            });
        });
        run(test);
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "blocking::a_process_ends_although_a_thread_of_a_run_does_not";
    let mut child = Command::new(this)
        .args(["--exact", name])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the end of the process", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_process_that_was_stopped_does_not_blame_the_target() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.01); }");
    let running = sandbox.start(&[
        "run",
        "test.rhai",
        "-H",
        &server.url(),
        "-u",
        "5",
        "-r",
        "1000",
        "-t",
        "6",
        "--threads",
        "1",
    ]);
    server.wait_for_hits("/x", 200);
    running.signal("STOP");
    sleep(Duration::from_millis(2_500));
    running.signal("CONT");
    let output = running.wait().expect_code(0).expect_stderr(&["rhaid did not run for 2."]);
    let json = output.run_dir().json();
    let length = json["generator"]["standstills"][0]["length_s"].as_f64().unwrap();
    assert!((2.0..5.0).contains(&length), "{}", json["generator"]);
    let kinds: Vec<_> =
        json["findings"].as_array().unwrap().iter().map(|found| found["kind"].clone()).collect();
    assert!(kinds.contains(&"standstill".into()) && !kinds.contains(&"stall".into()), "{kinds:?}");
    assert_eq!(json["total"]["requests"], server.total());
}

/// A run of a number of iterations waits for the last of them, also when it blocks its thread.
#[test]
fn a_last_iteration_that_blocks_its_thread_is_waited_for() {
    let (server, stuck) = (Server::start(), Stuck::default());
    let script = r#"fn iteration() { http::get("/before"); block(1500); http::get("/after"); }"#;
    let test = load_test(script).host(&server.url()).iterations(1).threads(1);
    let ran = run(stuck.of(test.stop_timeout(Duration::from_millis(100))));
    let snapshot = ran.snapshot();
    assert_eq!((snapshot.total.requests, snapshot.iterations.completed), (2, 1));
    assert!(snapshot.blocking.lost_workers.is_empty());
}
