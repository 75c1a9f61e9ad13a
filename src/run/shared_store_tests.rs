//! Tests of scripts whose store is shared over several runs, as it is over the agents of one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::load_test::LoadTest;
use super::prepared::Prepared;
use crate::script::test_log::Order;

/// Runs a script three times at once, with one store; gives what was printed, sorted, and fails on script errors.
async fn run_three(script: &str, settings: impl Fn(LoadTest) -> LoadTest) -> Vec<String> {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let prepare = |_| {
        let to = printed.clone();
        let test = LoadTest::from_text("test.rhai", script)
            .threads(2)
            .on_message(move |message| to.lock().unwrap().push(message.text));
        settings(test).prepare().unwrap()
    };
    let prepared: [Prepared; 3] = [0, 1, 2].map(prepare);
    let stores = prepared.iter().map(|prepared| prepared.shared.inputs.common.store.clone());
    let order = Order::of(stores.collect(), 1);
    let [a, b, c] = prepared;
    let run = |prepared: Prepared| async { prepared.start().await.unwrap().wait().await.unwrap() };
    for report in <[_; 3]>::from(tokio::join!(run(a), run(b), run(c))) {
        assert!(report.snapshot().script_errors.is_empty(), "{:?}", report.snapshot().script_errors);
    }
    drop(order);
    let mut printed = printed.lock().unwrap().clone();
    printed.sort();
    printed
}

#[tokio::test]
async fn counters_and_queues_of_scripts_are_those_of_all() {
    let script = r#"
        fn setup() { store::incr("setups"); }
        fn iteration() {
            let n = store::incr("n");
            store::push("numbers", n);
            if store::get("n") < n { throw "one sees what one has written"; }
            print(`${store::pop("numbers")}`);
        }
        fn on_stop() { store::incr("stopped"); }
        fn teardown() { store::set("done", store::get("stopped") > 0); }
    "#;
    let printed = run_three(script, |test| test.users(4).iterations(40)).await;
    let mut expected: Vec<String> = (1..=120).map(|n: u64| n.to_string()).collect();
    expected.sort();
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn a_barrier_of_scripts_opens_for_users_of_all_and_not_for_those_who_were_stopped() {
    let script = r#"
        fn iteration() {
            if !store::barrier("all", 6, "10s") { throw "it opens"; }
            store::signal("met");
            if !store::wait("met", "10s") { throw "it was given"; }
            print("met");
            // Stopped while it waits here.
            store::barrier("never", 100);
        }
    "#;
    let printed =
        run_three(script, |test| test.users(2).spawn_rate(1_000.0).run_time(Duration::from_secs(1))).await;
    assert_eq!(printed, ["met"; 6]);
}
