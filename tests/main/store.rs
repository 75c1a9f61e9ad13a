//! `store`: values, queues, barriers and signals over all threads.

use std::time::Duration;

use crate::support::{load_test, run};

#[test]
fn values_are_those_of_the_run() {
    let script = r#"
        fn setup() { store::set("greeting", #{ text: "hello", list: [1, 2] }); }
        fn iteration() {
            let n = store::incr("n");
            store::incr("sum", n);
            store::incr("half", 0.5);
            sleep(0.001);
        }
        fn teardown() {
            print(`${store::get("n")} ${store::get("sum")} ${store::get("half")} ${store::get("greeting")}`);
            print(`${store::get("nosuch") == ()} ${store::get("nosuch", 7)}`);
        }
    "#;
    let ran = run(load_test(script).users(8).threads(2).iterations(200)).without_errors();
    assert_eq!(ran.printed(), [r##"200 20100 100.0 #{"list": [1, 2], "text": "hello"}"##, "true 7"]);
}

#[test]
fn what_is_pushed_is_popped_once() {
    let script = r#"
        scenario("producer", #{ exec: "produce", fixed_count: 2 });
        scenario("consumer", #{ exec: "consume", fixed_count: 2 });
        fn produce() {
            if vu::iteration() > 100 { vu::stop(); }
            store::push("queue", `${vu::id()}-${vu::iteration()}`);
            sleep(0.001);
        }
        fn consume() {
            let item = store::pop("queue");
            if item == () {
                if store::get("consumed") == 200 { vu::stop(); }
                sleep(0.001);
            } else { print(item); store::incr("consumed"); }
        }
    "#;
    let ran = run(load_test(script).users(4).threads(2)).without_errors();
    let mut items = ran.printed_sorted();
    assert_eq!(items.len(), 200);
    items.dedup();
    assert_eq!(items.len(), 200, "an item was popped twice");
}

#[test]
fn a_barrier_opens_when_all_are_there_again_and_again() {
    let script = r#"
        fn iteration() {
            sleep(random::float(0.0, 0.01));
            store::incr(`came ${vu::iteration()}`);
            if !store::barrier("round", 6) { throw "without a timeout it opens"; }
            if store::get(`came ${vu::iteration()}`) != 6 { throw "too early"; }
        }
    "#;
    let ran = run(load_test(script).users(6).threads(3).iterations(120)).without_errors();
    assert_eq!(ran.snapshot().iterations.completed, 120);
}

#[test]
fn a_signal_reaches_those_who_wait_and_those_who_come_later() {
    let script = r#"
        fn iteration() {
            if vu::id() == 1 { sleep(0.1); store::set("ready", true); store::signal("go"); }
            if vu::id() == 4 { sleep(0.2); }
            if !store::wait("go") { throw "given up"; }
            print(store::get("ready"));
            sleep(0.5);
        }
    "#;
    let ran = run(load_test(script).users(4).threads(2).iterations(4)).without_errors();
    assert_eq!(ran.printed(), ["true"; 4]);
}

#[test]
fn waiting_can_have_an_end() {
    let script = r#"
        fn iteration() {
            print(store::wait("never", "20ms"));
            print(store::barrier("alone", 2, 0.02));
            print(store::barrier("one", 1));
        }
        fn on_stop() { store::wait("never"); }
    "#;
    let ran = run(load_test(script).iterations(1));
    assert_eq!(ran.printed(), ["false", "false", "true"]);
    assert!(ran.only_error().contains("store::wait would have to wait"), "{}", ran.only_error());
}

#[test]
fn whoever_waits_for_others_is_stopped_with_the_run() {
    let script = r#"
        fn iteration() { if vu::id() % 2 == 0 { store::wait("never"); } else { store::barrier("never", 100); } }
        fn on_stop() { print("stopped"); }
    "#;
    let ran =
        run(load_test(script).users(6).threads(2).run_time(Duration::from_millis(200))).without_errors();
    assert_eq!(ran.printed(), ["stopped"; 6]);
    assert_eq!(ran.snapshot().iterations.interrupted, 6);
    assert!(ran.snapshot().elapsed < Duration::from_secs(5));
}

#[test]
fn two_runs_do_not_meet_in_the_store() {
    let script = "fn iteration() { print(store::incr(\"n\")); }";
    for _ in 0..2 {
        assert_eq!(run(load_test(script).iterations(2)).without_errors().printed(), ["1", "2"]);
    }
}

#[test]
fn mistakes_with_the_store_are_script_errors() {
    for (call, part) in [
        ("store::set(\"a\", || 1)", "only plain data"),
        ("store::set(\"a\", \"text\"); store::incr(\"a\")", "the value of 'a' is not a number"),
        ("store::incr(\"a\", \"text\")", "the value to add must be a number"),
        ("store::set(\"a\", 1); store::push(\"a\", 2)", "the value of 'a' is not an array"),
        ("store::set(\"a\", 1); store::pop(\"a\")", "the value of 'a' is not an array"),
        ("store::barrier(\"b\", 0)", "must be 1 or more"),
        ("store::wait(\"s\", \"soon\")", "the timeout"),
    ] {
        let error = run(load_test(&format!("fn iteration() {{ {call}; }}")).iterations(1)).only_error();
        assert!(error.contains(part), "{call}: {error}");
    }
    let Err(error) = load_test("store::set(\"a\", 1); fn iteration() {}").prepare() else {
        panic!("each thread would set it again")
    };
    assert!(error.to_string().contains("store::set needs a virtual user"), "{error}");
}
