//! Waits between iterations.

use std::time::Duration;

use crate::support::{Server, load_test, run};

/// Seconds between the requests of a user whose scenario waits so, each of which takes `delay` milliseconds.
fn gaps(wait: &str, delay: u64, iterations: u64) -> Vec<f64> {
    let server = Server::start();
    let script = format!(
        "wait({wait}); task(\"a\"); fn a() {{ http::get(\"/delay/{delay}\"); }}\nfn slow() {{ 0.05 }}"
    );
    run(load_test(&script).host(&server.url()).iterations(iterations)).without_errors();
    let times: Vec<_> = server.seen().into_iter().map(|seen| seen.at).collect();
    assert_eq!(times.len() as u64, iterations);
    times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn constant_waits_after_each_iteration() {
    let gaps = gaps("constant(0.1)", 50, 5);
    assert!(gaps.iter().all(|gap| *gap >= 0.148), "{gaps:?}");
    assert!(median(gaps.clone()) < 0.5, "{gaps:?}");
}

#[test]
fn a_number_is_a_constant_wait() {
    assert!(gaps("0.1", 0, 3).iter().all(|gap| *gap >= 0.099));
}

#[test]
fn no_wait_is_none() {
    assert!(median(gaps("0", 0, 20)) < 0.1);
}

#[test]
fn between_draws_from_its_range() {
    let gaps = gaps("between(0.02, 0.12)", 0, 25);
    assert!(gaps.iter().all(|gap| *gap >= 0.019), "{gaps:?}");
    let median = median(gaps.clone());
    assert!((0.035..0.3).contains(&median), "{gaps:?}");
    let spread = gaps.iter().copied().fold(0.0, f64::max) - gaps.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread > 0.03, "it is no constant: {gaps:?}");
}

#[test]
fn pacing_counts_from_start_to_start() {
    let gaps = gaps("constant_pacing(0.15)", 100, 6);
    let median = median(gaps.clone());
    assert!((0.14..0.24).contains(&median), "the 100 ms of the request are part of the pace: {gaps:?}");
}

#[test]
fn pacing_does_not_catch_up_with_a_burst() {
    let server = Server::start();
    let script = r#"
        wait(constant_pacing(0.1)); task("a");
        fn a() { http::get(if vu::iteration() == 2 { "/delay/450" } else { "/x" }); }
    "#;
    run(load_test(script).host(&server.url()).iterations(6)).without_errors();
    let seen = server.seen();
    let gaps: Vec<f64> = seen.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
    assert!(gaps[1] >= 0.449, "{gaps:?}");
    assert!(gaps[2] + gaps[3] >= 0.15, "after the late one the pace goes on: {gaps:?}");
}

#[test]
fn throughput_is_iterations_per_second_of_each_user() {
    let gaps = gaps("constant_throughput(10)", 20, 6);
    let median = median(gaps.clone());
    assert!((0.09..0.16).contains(&median), "{gaps:?}");
}

#[test]
fn poisson_waits_have_the_mean_of_their_rate() {
    let gaps = gaps("poisson(20)", 0, 60);
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    // 50 ms; the standard deviation of the mean is 6.5 ms, and a slow machine only adds.
    assert!((0.025..0.2).contains(&mean), "{mean}");
    let short = gaps.iter().filter(|gap| **gap < 0.03).count();
    assert!(short >= 10, "four of ten are below 26 ms: {gaps:?}");
}

#[test]
fn a_script_function_can_say_how_long() {
    let gaps = gaps("Fn(\"slow\")", 0, 4);
    assert!(gaps.iter().all(|gap| *gap >= 0.049), "{gaps:?}");
    let server = Server::start();
    let script = r#"
        const STEP = 0.03;
        task("a"); wait(|| { this.waits = STEP * vu::iteration(); this.waits });
        fn a() { http::get("/x"); }
    "#;
    run(load_test(script).host(&server.url()).iterations(4)).without_errors();
    let times: Vec<_> = server.seen().into_iter().map(|seen| seen.at).collect();
    for (n, pair) in times.windows(2).enumerate() {
        let least = Duration::from_millis(30 * (n as u64 + 1) - 1);
        assert!(pair[1] - pair[0] >= least, "wait {n}: {:?}", pair[1] - pair[0]);
    }
}

#[test]
fn a_wait_function_that_gives_no_seconds_is_counted_and_the_user_goes_on() {
    for (body, message) in [("\"soon\"", "returned soon"), ("-1", "returned -1"), ("throw \"no\"", "no")] {
        let script = format!("task(\"a\"); wait(|| {{ {body} }}); fn a() {{ http::get(\"/x\"); }}");
        let server = Server::start();
        let ran = run(load_test(&script).host(&server.url()).iterations(2));
        assert!(ran.only_error().contains(message), "{body}: {}", ran.only_error());
        assert_eq!(server.total(), 2);
        let seen = server.seen();
        assert!(seen[1].at - seen[0].at >= Duration::from_millis(990), "{body}: it does not spin");
    }
}

#[test]
fn a_wait_is_cut_when_the_run_ends() {
    let server = Server::start();
    let script = "task(\"a\"); wait(constant(3600)); fn a() { http::get(\"/x\"); } fn on_stop() { http::get(\"/stop\"); }";
    let ran = run(load_test(script).host(&server.url()).users(2).run_time(Duration::from_millis(200)));
    assert_eq!((server.hits("/x"), server.hits("/stop")), (2, 2));
    assert_eq!(ran.snapshot().iterations.interrupted, 0, "nothing was running");
}
