//! The users executor: who starts when, how many iterations, who does what, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use rhaid::metrics::Phase;
use rhaid::plan::EndedBy;

use crate::support::{Server, load_test, run};

#[test]
fn users_are_started_evenly_and_not_in_bursts() {
    let server = Server::start();
    let script = "fn on_start() { http::get(\"/started\"); } fn iteration() { sleep(60); }";
    let test = load_test(script).host(&server.url()).users(10).spawn_rate(10.0).threads(2);
    let ran = run(test.run_time(Duration::from_millis(1500)).stop_timeout(Duration::from_millis(100)));
    let starts: Vec<_> = server.seen().into_iter().map(|seen| seen.at).collect();
    assert_eq!(starts.len(), 10);
    let ramp = (starts[9] - starts[0]).as_secs_f64();
    assert!((0.6..=2.5).contains(&ramp), "0.9 s is planned, it took {ramp} s");
    let gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    // A busy machine may delay some; bursts would leave most gaps at nothing.
    let even = gaps.iter().filter(|gap| (0.04..=0.2).contains(*gap)).count();
    assert!(even >= 6, "{gaps:?}");
    let targets: Vec<u64> = ran.snapshot().history.since(0).iter().map(|point| point.users).collect();
    assert_eq!(targets[0], 10, "after a second all are there: {targets:?}");
}

#[test]
fn users_leave_one_by_one_where_that_is_asked_for() {
    let server = Server::start();
    let script = "fn iteration() { sleep(0.02); } fn on_stop() { http::get(\"/stopped\"); }";
    let test = load_test(script).host(&server.url()).users(8).spawn_rate(9.0).threads(2);
    let test = test.run_time(Duration::from_millis(3_200)).ramp_down(Duration::from_millis(1_800));
    let ran = run(test);
    let stops: Vec<_> = server.seen().into_iter().map(|seen| seen.at).collect();
    assert_eq!(stops.len(), 8);
    let ramp = (stops[7] - stops[0]).as_secs_f64();
    assert!((1.2..=5.0).contains(&ramp), "1.6 s is planned, it took {ramp} s");
    let history = ran.snapshot().history.since(0);
    let phases: Vec<Phase> = history.iter().map(|point| point.phase).collect();
    assert_eq!(phases[0], Phase::RampUp);
    assert!(phases.contains(&Phase::RampDown) && ran.snapshot().phase == Phase::Done, "{phases:?}");
    let users: Vec<u64> = history.iter().map(|point| point.users).collect();
    assert!(users.iter().any(|&users| (1..8).contains(&users)), "some of them are gone: {users:?}");
    assert_eq!(*users.last().unwrap(), 0);
    assert_eq!(ran.snapshot().users_max, 8);
    assert_eq!(*ran.report.ended_by(), EndedBy::RunTime);
}

#[test]
fn run_time_may_end_before_all_users_are_there() {
    let server = Server::start();
    let script = "fn on_start() { http::get(\"/started\"); } fn iteration() { sleep(0.01); }";
    let test = load_test(script).host(&server.url()).users(100).spawn_rate(5.0);
    let ran = run(test.run_time(Duration::from_millis(700)));
    // Due at 0, 200, 400 and 600 ms.
    assert!((2..=4).contains(&server.hits("/started")), "{}", server.hits("/started"));
    assert!(ran.snapshot().users_max <= 4, "{}", ran.snapshot().users_max);
}

#[test]
fn iterations_are_exact_over_all_users_and_threads() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); }";
    let ran =
        run(load_test(script).host(&server.url()).users(20).threads(2).iterations(1000)).without_errors();
    let iterations = &ran.snapshot().iterations;
    assert_eq!((iterations.completed, iterations.failed, iterations.interrupted), (1000, 0, 0));
    assert_eq!((ran.requests(), server.total()), (1000, 1000));
    assert_eq!(*ran.report.ended_by(), EndedBy::Iterations);
}

#[test]
fn iterations_that_fail_count_too() {
    let script = "fn iteration() { http::get(\"/x\"); throw \"bad\"; }";
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).users(7).threads(2).iterations(100));
    assert_eq!((ran.snapshot().iterations.failed, server.total()), (100, 100));
    assert_eq!(ran.errors().values().sum::<u64>(), 100);
}

#[test]
fn fewer_iterations_than_users_leave_the_rest_idle() {
    let server = Server::start();
    let ran =
        run(load_test("fn iteration() { http::get(\"/x\"); }").host(&server.url()).users(10).iterations(3));
    assert_eq!((ran.snapshot().iterations.completed, server.total()), (3, 3));
}

#[test]
fn a_slow_ramp_is_given_up_when_the_iterations_are_done() {
    let server = Server::start();
    let test =
        load_test("fn iteration() { http::get(\"/x\"); }").host(&server.url()).users(1000).spawn_rate(0.1);
    assert_eq!(run(test.iterations(5)).requests(), 5);
}

#[test]
fn weights_and_fixed_counts_give_the_same_mix_every_time() {
    let script = r#"
        scenario("b", #{ exec: "f", weight: 1 });
        scenario("a", #{ exec: "f", weight: 5 });
        scenario("fixed", #{ exec: "f", fixed_count: 3 });
        scenario("none", #{ exec: "f", weight: 0 });
        fn f() { print(`${vu::scenario()} ${vu::id()}`); vu::stop(); }
    "#;
    let mix = || {
        let ran = run(load_test(script).users(15).threads(2)).without_errors();
        let mut mix: BTreeMap<u64, String> = BTreeMap::new();
        for line in ran.printed() {
            let (scenario, id) = line.split_once(' ').unwrap();
            mix.insert(id.parse().unwrap(), scenario.to_owned());
        }
        mix.into_values().collect::<Vec<String>>().join(" ")
    };
    let first = mix();
    // Fixed counts first, then as Locust deals five to one.
    assert_eq!(first, "fixed fixed fixed a a b a a a a a b a a a");
    assert_eq!(first, mix());
}

#[test]
fn users_live_on_all_threads() {
    let script = "fn iteration() { print(thread_name()); vu::stop(); }";
    let test = load_test(script).with_engine(|engine| {
        engine.register_fn("thread_name", || std::thread::current().name().unwrap_or_default().to_owned());
    });
    let ran = run(test.users(6).threads(3));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for name in ran.printed() {
        *counts.entry(name).or_default() += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<u64>>(), [2, 2, 2]);
}

#[test]
fn run_time_ends_the_run_and_running_iterations_are_finished() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/delay/300\"); http::get(\"/end\"); }";
    let test = load_test(script).host(&server.url()).users(2).run_time(Duration::from_millis(450));
    let ran = run(test).without_errors();
    // The second iteration is running when the time is over.
    assert_eq!((server.hits("/delay/300"), server.hits("/end")), (4, 4));
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.interrupted), (4, 0));
    assert_eq!(ran.snapshot().interrupted_requests, 0);
}

#[test]
fn a_scenario_has_a_stop_timeout_of_its_own() {
    let server = Server::start();
    let script = r#"
        scenario("impatient", #{ exec: "f", stop_timeout: "50ms", fixed_count: 1 });
        scenario("patient", #{ exec: "g", fixed_count: 1 });
        fn f() { http::get("/never"); }
        fn g() { http::get("/delay/500"); http::get("/end"); }
    "#;
    let test = load_test(script).host(&server.url()).users(2).run_time(Duration::from_millis(100));
    let ran = run(test).without_errors();
    assert_eq!((ran.snapshot().interrupted_requests, server.hits("/end")), (1, 1));
    assert_eq!((ran.snapshot().iterations.completed, ran.snapshot().iterations.interrupted), (1, 1));
}

#[test]
fn a_frozen_server_lets_requests_pile_up_and_none_is_lost() {
    let server = Server::start();
    server.freeze();
    let script = "fn iteration() { http::get(\"/x\"); }";
    let test = load_test(script).host(&server.url()).users(12).threads(2).iterations(24);
    let ran = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(test));
        server.wait_for_hits("/x", 12);
        assert_eq!(server.concurrency(), 12, "each user waits for its answer");
        server.thaw();
        running.join().unwrap()
    });
    assert_eq!((ran.requests(), ran.failures(), server.total()), (24, 0, 24));
    assert_eq!(server.concurrency(), 12);
}
