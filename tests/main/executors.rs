//! Executors: how many iterations start, when, by whom, and what is said when they cannot.

use rhaid::metrics::Percentile;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rhaid::metrics::{IterationStats, Phase, Summary};
use rhaid::plan::{EndedBy, parse_stages};
use rhaid::{Control, ControlError, Level, RunHandle};

use crate::support::{Ran, Sandbox, Server, block_on, load_test, run};

fn stats(ran: &Ran, scenario: &str) -> IterationStats {
    let known = ran.snapshot().scenarios.iter().find(|stats| &*stats.name == scenario);
    known.unwrap_or_else(|| panic!("no scenario {scenario}")).iterations
}

/// Started, dropped and planned iterations.
fn counts(stats: &IterationStats) -> (u64, u64, Option<u64>) {
    (stats.started, stats.dropped, stats.planned)
}

#[test]
fn a_constant_rate_starts_rate_times_time_iterations() {
    let server = Server::start();
    let script = r#"
        scenario("steady", #{ executor: "constant-arrival-rate", rate: 137, duration: "2s", exec: "f" });
        fn f() { http::get("/x"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).threads(2)).without_errors();
    assert_eq!(counts(&stats(&ran, "steady")), (274, 0, Some(274)));
    assert_eq!((ran.requests(), server.total()), (274, 274));
    assert_eq!(ran.snapshot().iterations.completed, 274);
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
    let seen: Vec<_> = server.seen().iter().map(|seen| seen.at).collect();
    let took = (seen[273] - seen[0]).as_secs_f64();
    assert!((1.9..=6.0).contains(&took), "evenly over two seconds, not at once: {took} s");
}

#[test]
fn a_ramp_integrates_the_rate() {
    let script = r#"
        scenario("ramp", #{
            executor: "ramping-arrival-rate",
            start_rate: 0,
            stages: [#{ duration: 1, target: 200, name: "up" }, #{ duration: "1s", target: 200 }, #{ duration: 1, target: 0 }],
            exec: "f",
        });
        fn f() { }
    "#;
    let ran = run(load_test(script).threads(2)).without_errors();
    assert_eq!(counts(&stats(&ran, "ramp")), (400, 0, Some(400)));
    let spans: Vec<_> = ran.snapshot().spans.iter().map(|span| (span.phase, span.stage.as_deref())).collect();
    assert_eq!(spans[0], (Phase::RampUp, Some("up")));
    assert!(spans.contains(&(Phase::Steady, None)) && spans.contains(&(Phase::RampDown, None)), "{spans:?}");
    let history = ran.snapshot().history.since(0);
    assert!(history.iter().any(|point| point.phase == Phase::Steady), "{history:#?}");
    assert!(ran.snapshot().spans.iter().all(|span| span.to.is_some()));
}

#[test]
fn a_rate_of_the_run_is_dealt_to_its_scenarios_exactly() {
    let script = r#"
        scenario("a", #{ exec: "f", weight: 3 });
        scenario("b", #{ exec: "f", weight: 1 });
        wait(60);
        fn f() { }
    "#;
    let ran = run(load_test(script).rate(200.0).run_time(Duration::from_secs(1)).threads(2)).without_errors();
    assert_eq!((stats(&ran, "a").started, stats(&ran, "b").started), (150, 50));
    assert_eq!(counts(&ran.snapshot().iterations), (200, 0, Some(200)));
}

#[test]
fn poisson_arrivals_are_the_same_for_the_same_seed() {
    let script = r#"
        scenario("p", #{ executor: "constant-arrival-rate", rate: 300, duration: 1, arrivals: "poisson", exec: "f" });
        fn f() { }
    "#;
    let started = |seed| stats(&run(load_test(script).seed(seed).threads(2)), "p");
    let (first, again, other) = (started(7), started(7), started(8));
    assert_eq!(counts(&first), counts(&again));
    assert_eq!(first.planned, Some(first.started));
    assert_ne!(first.started, 300, "the number is random too (this seed)");
    assert_ne!(first.started, other.started);
}

#[test]
fn a_recorded_rate_is_replayed() {
    let sandbox = Sandbox::with(
        "scenario(\"replay\", #{ trace: data::csv(\"rate.csv\"), exec: \"f\" });\nfn f() { http::get(\"/x\"); }",
    );
    sandbox.write("rate.csv", "time,rate\n1700000000,20\n1700000000.5,100\n1700000001,0\n1700000001.2,40\n");
    let server = Server::start();
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url()]).expect_code(0);
    assert_eq!(server.total(), 60, "10 in the first half second, 50 in the second: {}", output.shown());
    assert_eq!(output.run_dir().json()["iterations"]["planned"], 60);
}

#[test]
fn late_iterations_wait_and_their_response_time_counts_from_when_they_were_due() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ executor: "constant-arrival-rate", rate: 20, duration: 1, max_vus: 2, exec: "f" });
        fn f() { http::get("/delay/200"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).threads(2)).without_errors();
    // Two users do ten in a second; the others wait and are done afterwards.
    assert_eq!(counts(&stats(&ran, "s")), (20, 0, Some(20)));
    assert_eq!(ran.snapshot().users_max, 2);
    let (service, response) = (ran.snapshot().total.ok.unwrap(), ran.snapshot().total.response.unwrap());
    assert!(service.percentile_us(Percentile::P50) >= 190_000, "{service:?}");
    // The last one is due at 0.95 s and cannot start before 1.8 s.
    assert!(response.max_us >= 1_000_000, "{response:?}");
    let lag = stats(&ran, "s").lag.unwrap();
    assert!(lag.max_us >= 800_000 && stats(&ran, "s").response.unwrap().max_us >= 1_000_000, "{lag:?}");
    let said: Vec<_> = ran.messages.iter().filter(|message| message.level == Level::Warning).collect();
    assert!(said[0].text.contains("all 2 virtual users (max_vus) are busy"), "{said:#?}");
    assert!(
        said[1].text.contains("were too few") && said[1].text.contains("would have held the rate"),
        "{said:#?}"
    );
    assert_eq!(ran.snapshot().notes.len(), 1);
}

#[test]
fn late_iterations_may_be_dropped_and_are_counted() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ executor: "constant-arrival-rate", rate: 20, duration: 2, max_vus: 2, late: "drop", exec: "f" });
        fn f() { http::get("/delay/300"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).threads(2)).without_errors();
    let stats = stats(&ran, "s");
    assert_eq!(stats.started + stats.dropped, 40, "{stats:?}");
    assert!((4..=20).contains(&stats.started), "about two each 300 ms: {stats:?}");
    assert_eq!(ran.requests(), stats.started);
    let history = ran.snapshot().history.since(0);
    let (last, before) = history.split_last().unwrap();
    assert_eq!(last.dropped_iterations, stats.dropped);
    assert!(
        before.iter().any(|point| point.dropped_iterations > 0),
        "counted as they happen, not at the end"
    );
}

#[test]
fn users_are_added_as_they_are_needed() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ executor: "constant-arrival-rate", rate: 50, duration: 1, pre_allocated_vus: 3, exec: "f" });
        fn f() { http::get("/delay/400"); }
    "#;
    let ran = run(load_test(script).host(&server.url()).threads(2)).without_errors();
    assert_eq!(counts(&stats(&ran, "s")), (50, 0, Some(50)));
    // By Little's law about 20 at once.
    assert!((15..=50).contains(&ran.snapshot().users_max), "{}", ran.snapshot().users_max);
    assert!(ran.snapshot().notes.is_empty());
}

#[test]
fn constant_and_ramping_vus() {
    let script = r#"
        scenario("constant", #{ executor: "constant-vus", vus: 3, duration: "1200ms", exec: "f" });
        scenario("ramping", #{
            executor: "ramping-vus",
            start_vus: 1,
            stages: "up=1s:5,0s:2,800ms:2",
            exec: "f",
        });
        fn f() { sleep(0.02); print(`${vu::scenario()} ${vu::id()} ${vu::stage()}`); }
    "#;
    let ran = run(load_test(script).threads(2)).without_errors();
    let mut ids: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for line in ran.printed() {
        let words: Vec<&str> = line.split(' ').collect();
        let ids = ids.entry(words[0]).or_default();
        let id = words[1].parse().unwrap();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.values_mut().for_each(|ids| ids.sort_unstable());
    assert_eq!(ids["constant"], [1, 2, 3]);
    assert_eq!(ids["ramping"][..4], [4, 5, 6, 7], "each has its own number: {ids:?}");
    assert!(ran.printed().iter().any(|line| line.starts_with("ramping") && line.ends_with(" up")));
    assert!(ran.snapshot().users_max <= 8, "{}", ran.snapshot().users_max);
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
}

#[test]
fn a_number_of_iterations_each_and_together() {
    let script = r#"
        scenario("each", #{ executor: "per-vu-iterations", vus: 4, iterations: 5, exec: "f" });
        scenario("together", #{ executor: "shared-iterations", vus: 3, iterations: 10, exec: "f" });
        fn f() { print(vu::scenario() + vu::id()); }
    "#;
    let ran = run(load_test(script).threads(2)).without_errors();
    assert_eq!(counts(&stats(&ran, "each")), (20, 0, Some(20)));
    assert_eq!(counts(&stats(&ran, "together")), (10, 0, Some(10)));
    for id in 1..=4 {
        let own = format!("each{id}");
        assert_eq!(ran.printed().iter().filter(|line| **line == own).count(), 5, "{own}");
    }
    assert_eq!(*ran.report.ended_by(), EndedBy::Iterations);
}

#[test]
fn iterations_that_do_not_fit_their_time_are_dropped() {
    let script = r#"
        options(#{ stop_timeout: "100ms" });
        scenario("s", #{ executor: "per-vu-iterations", vus: 2, iterations: 100, max_duration: "500ms", exec: "f" });
        fn f() { sleep(0.2); }
    "#;
    let stats = stats(&run(load_test(script)), "s");
    assert_eq!(stats.planned, Some(200));
    assert_eq!(stats.started + stats.dropped, 200, "{stats:?}");
    assert!(stats.started <= 6 && stats.interrupted <= 2, "{stats:?}");
}

#[test]
fn scenarios_start_later_and_after_one_another() {
    let script = r#"
        scenario("first", #{ executor: "per-vu-iterations", iterations: 2, exec: "f" });
        scenario("second", #{ executor: "shared-iterations", iterations: 1, after: "first", start_time: "300ms", exec: "f" });
        scenario("late", #{ executor: "constant-vus", duration: "200ms", start_time: "200ms", exec: "f" });
        fn f() { print(vu::scenario()); sleep(0.1); }
    "#;
    let ran = run(load_test(script).threads(2)).without_errors();
    let order = ran.printed();
    assert_eq!(order[0], "first");
    assert_eq!(*order.last().unwrap(), "second", "{order:?}");
    assert!(order.contains(&"late"));
    assert!(ran.snapshot().elapsed >= Duration::from_millis(580), "{:?}", ran.snapshot().elapsed);
}

#[test]
fn the_run_time_ends_every_executor() {
    let script = r#"
        scenario("vus", #{ executor: "constant-vus", vus: 2, exec: "f" });
        scenario("rate", #{ executor: "constant-arrival-rate", rate: 20, exec: "f" });
        scenario("never", #{ executor: "constant-vus", start_time: "1m", duration: "1m", exec: "f" });
        fn f() { sleep(0.01); }
    "#;
    let ran = run(load_test(script).run_time(Duration::from_millis(500)).threads(2)).without_errors();
    assert_eq!(counts(&stats(&ran, "rate")), (10, 0, Some(10)));
    assert!(stats(&ran, "vus").completed > 2);
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
    assert!(!ran.snapshot().scenarios.iter().any(|stats| &*stats.name == "never"));
}

#[test]
fn hold_counts_the_time_from_full_load() {
    let test = load_test("fn iteration() { sleep(0.01); }").users(5).spawn_rate(10.0);
    let test = test.hold(Duration::from_millis(400));
    let ran = run(test).without_errors();
    let spans = &ran.snapshot().spans;
    let steady = spans.iter().find(|span| span.phase == Phase::Steady).unwrap();
    let length = steady.to.unwrap() - steady.from;
    assert!(steady.from >= Duration::from_millis(390), "{spans:?}");
    assert!(length >= Duration::from_millis(300), "{spans:?}");
}

#[test]
fn a_shape_says_each_second_how_many_users_there_are() {
    let script = r#"
        options(#{ shape: Fn("shape") });
        scenario("a", #{ exec: "f" });
        scenario("b", #{ exec: "f" });
        fn shape(t) {
            if t < 0.9 { return #{ users: 2 }; }
            if t < 1.9 { return #{ users: 6, scenarios: ["b"] }; }
        }
        fn f() { print(vu::scenario() + vu::id()); sleep(0.1); }
    "#;
    let ran = run(load_test(script).threads(2)).without_errors();
    let mut users = ran.printed_sorted();
    users.dedup();
    assert_eq!(users, ["a1", "b2", "b3", "b4", "b5", "b6"]);
    assert_eq!(ran.snapshot().users_max, 6);
    assert!(
        ran.snapshot().elapsed >= Duration::from_millis(1900),
        "it ended itself: {:?}",
        ran.snapshot().elapsed
    );
}

#[test]
fn a_shape_may_give_a_rate_and_keeps_its_last_good_answer() {
    let script = r#"
        options(#{ shape: "shape" });
        scenario("a", #{ exec: "f", weight: 3 });
        scenario("b", #{ exec: "f" });
        fn shape(t) {
            if t < 0.9 { return #{ rate: 40 }; }
            if t < 1.9 { return #{ rate: "much" }; }
        }
        fn f() { }
    "#;
    let ran = run(load_test(script).threads(2));
    let (a, b) = (stats(&ran, "a").started, stats(&ran, "b").started);
    assert!((55..=75).contains(&a) && (18..=25).contains(&b), "two seconds at 30/s and 10/s: {a}, {b}");
    let error = ran.only_error();
    assert!(error.contains("the shape 'shape' makes no sense: its rate is the text \"much\""), "{error}");
    assert!(error.starts_with("test.rhai:5:"), "{error}");
}

#[test]
fn a_shape_that_makes_no_sense_at_first_makes_no_load() {
    let sandbox =
        Sandbox::with("options(#{ shape: Fn(\"s\") });\nfn s() { 5 }\nfn iteration() { http::get(\"/x\"); }");
    let server = Server::start();
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url()]).expect_code(104);
    assert!(output.stderr.contains("it returned 5; it must return #{ users: … }"), "{}", output.shown());
    assert_eq!(server.total(), 0);
}

#[test]
fn all_problems_of_a_script_are_told_at_once() {
    let script = r#"options(#{ run_time: "5 parsecs" });
scenario("a", #{ executor: "constant-arrival-rate", rate: -5, duration: 0, exec: "f" });
scenario("b", #{ executor: "ramping-vus", stages: [#{ duration: 1 }], exec: "f", vus: 3 });
scenario("c", #{ executor: "constant-arrival-rat", rate: 1, exec: "f" });
scenario("c", #{ executor: "constant-arrival-rate", rate: 1, max_vus: 2, pre_allocated_vus: 4, exec: "f", after: "bb" });
scenario("d", #{ executor: "constant-vus", exec: "f", after: "e" });
scenario("e", #{ executor: "constant-vus", exec: "nosuch", after: "d", latee: "drop" });
fn f() {}"#;
    let output =
        Sandbox::with(script).run(&["run", "test.rhai", "-H", "http://127.0.0.1:1"]).expect_code(104);
    for expected in [
        "error: test.rhai:1:1: options.run_time: '5 parsecs' is not a duration",
        "error: test.rhai:2:1: scenario 'a': rate is -5; it is in iterations per second and must be above 0",
        "error: test.rhai:2:1: scenario 'a': duration is 0",
        "error: test.rhai:3:1: scenario 'b': stage 1 has no target",
        "error: test.rhai:3:1: scenario 'b': 'vus' belongs to the executor constant-vus or per-vu-iterations or \
         shared-iterations, not to ramping-vus",
        "unknown executor 'constant-arrival-rat' — did you mean 'constant-arrival-rate'?",
        "error: test.rhai:5:1: scenario 'c': max_vus is 2, below pre_allocated_vus, which is 4",
        "scenario 'c' is declared twice",
        "in a cycle, so none of them can start: d after e after d",
        "names a function 'nosuch'",
        "scenario 'e' has no key 'latee' — did you mean 'late'?",
    ] {
        assert!(output.stderr.contains(expected), "no {expected:?} in\n{}", output.shown());
    }
}

#[test]
fn flags_replace_the_load_of_the_script() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("options(#{ users: 50, run_time: \"1s\" });\nfn iteration() { http::get(\"/x\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--rate", "600/m"]).expect_code(0);
    assert_eq!(server.total(), 10, "{}", output.shown());
    let run = output.run_dir().json();
    assert_eq!(run["metrics"]["dropped_iterations"]["values"]["count"], 0);
    assert_eq!(run["scenarios"][0]["executor"], "constant-arrival-rate");
    let stages = ["run", "test.rhai", "-H", &server.url(), "--stages", "300ms:20/s,500ms:20/s"];
    sandbox.run(&stages).expect_code(0);
    assert_eq!(server.total(), 23);
    for (flags, words) in [
        (["--rate", "-5"], "it is negative"),
        (["--stages", "10s"], "has no target"),
        (["--rate", "5/parsec"], "600/m"),
        (["--late", "never"], "queue"),
    ] {
        let output = sandbox.run(&["run", "test.rhai", flags[0], flags[1]]).expect_code(2);
        assert!(output.stderr.contains(words), "{flags:?}: {}", output.shown());
    }
    let both = sandbox.run(&["run", "test.rhai", "--rate", "5", "--users", "3"]).expect_code(104);
    assert!(both.stderr.contains("users cannot be combined with a rate"), "{}", both.shown());
}

#[test]
fn stop_cuts_what_waits_and_counts_what_was_due() {
    let server = Server::start();
    let script = r#"
        options(#{ stop_timeout: "100ms" });
        scenario("s", #{ executor: "constant-arrival-rate", rate: 200, max_vus: 2, exec: "f" });
        fn f() { http::get("/delay/50"); http::get("/never"); }
        fn on_stop() { http::get("/stopped"); }
        fn teardown() { http::get("/teardown"); }
    "#;
    let ran = block_on(async {
        let handle = load_test(script).host(&server.url()).threads(2).start().await.unwrap();
        // By then, ten of them were due in the 50 ms that the answer took.
        hits(&server, "/never", 2).await;
        handle.stop();
        handle.wait().await.unwrap()
    });
    let stats = ran.snapshot().iterations;
    assert_eq!((stats.started, stats.interrupted, stats.completed), (2, 2, 0), "{stats:?}");
    assert_eq!(stats.planned, Some(stats.started + stats.dropped));
    assert!(stats.dropped >= 5, "what was due and never begun: {stats:?}");
    assert_eq!((server.hits("/stopped"), server.hits("/teardown")), (2, 1));
    assert_eq!(*ran.ended_by(), EndedBy::Stopped);
}

async fn hits(server: &Server, path: &str, least: u64) {
    while server.hits(path) < least {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Pauses a load, looks that nothing begins, and lets it go on.
async fn pause(handle: &RunHandle, server: &Server) {
    handle.pause().await.unwrap();
    let again = handle.pause().await.unwrap_err();
    assert_eq!(again, ControlError::PausedAlready);
    // What was running ends; its requests may be on their way.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let before = server.hits("/x");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.hits("/x"), before, "nothing begins");
    handle.resume().await.unwrap();
}

#[test]
fn a_running_load_can_be_changed() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); sleep(0.01); }";
    let report = block_on(async {
        let handle = load_test(script).host(&server.url()).users(2).threads(2).start().await.unwrap();
        hits(&server, "/x", 1).await;
        handle.set_users(7).await.unwrap();
        assert_eq!(handle.set_rate(5.0).await, Err(ControlError::NoRate));
        let mut snapshots = handle.snapshots();
        snapshots.wait_for(|snapshot| snapshot.users == 7).await.unwrap();
        pause(&handle, &server).await;
        handle.set_users(1).await.unwrap();
        snapshots.wait_for(|snapshot| snapshot.users == 1).await.unwrap();
        handle.stop();
        handle.wait().await.unwrap()
    });
    let marks: Vec<&str> = report.snapshot().marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(marks[..2], ["users set to 7", "paused"]);
    assert!(marks[2].starts_with("resumed after 0.") && marks[3] == "users set to 1", "{marks:?}");
    assert_eq!(report.snapshot().users_max, 7);
}

#[test]
fn a_running_rate_can_be_changed_paused_and_skipped() {
    let server = Server::start();
    let script = r#"
        scenario("s", #{ executor: "ramping-arrival-rate", stages: "1h:1/s,slow=300ms:0/s", exec: "f" });
        fn f() { http::get("/x"); }
    "#;
    let report = block_on(async {
        let handle = load_test(script).host(&server.url()).threads(2).start().await.unwrap();
        let rate = |rate| Control::Rate { scenario: Some("s".into()), rate };
        while handle.control(rate(100.0)).await == Err(ControlError::NotBegun) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        hits(&server, "/x", 10).await;
        pause(&handle, &server).await;
        hits(&server, "/x", 50).await;
        handle.skip_stage().await.unwrap();
        handle.wait().await.unwrap()
    });
    let stats = report.snapshot().iterations;
    assert_eq!(stats.planned, Some(stats.started), "{stats:?}");
    assert!(stats.started >= 50, "{stats:?}");
    assert!(stats.lag.unwrap().percentile_us(Percentile::P50) < 200_000, "a pause is nobody's lag");
}

#[test]
fn stages_of_the_run_are_followed_by_the_mix() {
    let script = r#"
        scenario("a", #{ exec: "f" });
        scenario("b", #{ exec: "f" });
        fn f() { sleep(0.05); }
    "#;
    let ran =
        run(load_test(script).stages(parse_stages("500ms:6,500ms:6").unwrap()).threads(2)).without_errors();
    assert_eq!(ran.snapshot().users_max, 6);
    assert!(stats(&ran, "a").started > 0 && stats(&ran, "b").started > 0);
}

/// Service and response time (p90, seconds) at 200/s for 2 s against a server that stands still for a quarter of it, and
/// what a person who came on time met.
fn frozen(max_vus: u64) -> (f64, f64, f64) {
    const RATE: f64 = 200.0;
    let server = Server::start();
    let test = load_test("fn iteration() { http::get(\"/x\"); }").host(&server.url()).threads(2);
    let test = test.rate(RATE).max_vus(max_vus).run_time(Duration::from_secs(2));
    let (report, from, to) = block_on(async {
        let handle = test.start().await.unwrap();
        hits(&server, "/x", 100).await;
        let from = SystemTime::now();
        server.freeze();
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.thaw();
        let to = SystemTime::now();
        (handle.wait().await.unwrap(), from, to)
    });
    let snapshot = report.snapshot();
    assert_eq!(snapshot.iterations.planned, Some(400));
    assert_eq!((snapshot.iterations.started, snapshot.total.requests), (400, 400), "whatever max_vus is");
    let at = |moment: SystemTime| moment.duration_since(snapshot.started_at).unwrap().as_secs_f64();
    let mut waits: Vec<f64> = (0..400)
        .map(|i| f64::from(i) / RATE)
        .map(|due| if (at(from)..at(to)).contains(&due) { at(to) - due } else { 0.0 })
        .collect();
    waits.sort_by(f64::total_cmp);
    let p90 = |summary: Option<Summary>| summary.unwrap().percentile_us(Percentile::P90) as f64 / 1e6;
    (p90(snapshot.total.ok), p90(snapshot.total.response), waits[359])
}

#[test]
fn a_target_that_stands_still_is_seen_by_those_who_came_meanwhile() {
    let (few, many) = std::thread::scope(|scope| {
        let many = scope.spawn(|| frozen(1000));
        (frozen(20), many.join().unwrap())
    });
    let near = |response: f64, truth: f64| (truth - 0.05..truth + 0.3).contains(&response);
    let (service, response, truth) = many;
    assert!((0.2..0.8).contains(&truth), "{truth}");
    assert!(near(response, truth), "p90 was {truth} s, reported is {response} s");
    assert!(near(service, truth), "with a user for each, the server is what took the time: {service} s");
    // With few users most of the time is spent before the request is sent.
    let (service, response, truth) = few;
    assert!(near(response, truth), "p90 was {truth} s, reported is {response} s");
    assert!(service < truth / 2.0, "{service} s");
}

/// No user calls a shape, `setup` or `teardown`, so there is none to stop.
#[test]
fn a_stop_of_nobody_says_where_it_stands() {
    let server = Server::start();
    for (script, place) in [
        ("options(#{ shape: || {\n    vu::stop();\n} });\nfn iteration() {}", "test.rhai:1:"),
        ("options(#{ shape: Fn(\"s\") });\nfn s() { vu::stop(); }\nfn iteration() {}", "test.rhai:2:"),
        ("fn iteration() {}\nfn setup() { vu::stop(); }", "test.rhai:2:"),
    ] {
        let output = Sandbox::with(script).run(&["run", "test.rhai", "-H", &server.url(), "-t", "5s"]);
        let told = "vu::stop() ends a virtual user, and none calls this function";
        let shown = format!("{}{}", output.stdout, output.stderr);
        assert!(shown.contains(told) && shown.contains(place), "{shown}");
    }
}

#[test]
fn a_fixed_count_has_the_maximum_of_users() {
    for count in ["1_000_001", "9_223_372_036_854_775_807"] {
        let script = format!(
            "scenario(\"a\", #{{ exec: \"f\", fixed_count: {count} }});\nscenario(\"b\", #{{ exec: \"f\" }});\nfn f() {{}}"
        );
        let output = Sandbox::with(&script)
            .run(&["run", "test.rhai", "-H", "http://127.0.0.1:1", "-u", "10"])
            .expect_code(104);
        let expected =
            format!("scenario 'a': fixed_count is {}; the maximum is 1000000", count.replace('_', ""));
        assert!(output.stderr.contains(&expected), "{}", output.shown());
    }
}

/// The lane of scenarios without an executor of their own has a name too, which a scenario may have.
#[test]
fn a_scenario_may_have_the_name_of_the_mix() {
    let server = Server::start();
    let output = Sandbox::with(
        r#"
        scenario("users", #{ exec: "one", executor: "constant-vus", vus: 2, duration: "300ms" });
        scenario("rate", #{ exec: "two", executor: "constant-arrival-rate", rate: 50, duration: "300ms" });
        fn one() { http::get("/one"); sleep(0.02); }
        fn two() { http::get("/two/" + vu::id(), #{ name: "/two" }); }
        "#,
    )
    .run(&["run", "test.rhai", "-H", &server.url()]);
    assert_eq!(output.code, Some(0), "{}", output.shown());
    assert_eq!(server.seen().iter().filter(|seen| seen.path.starts_with("/two/")).count(), 15);
    assert!(
        !server.seen().iter().any(|seen| ["/two/1", "/two/2"].contains(&seen.path.as_str())),
        "numbers of others"
    );
}
