//! What a script measures itself: counters, gauges, rates, trends, and transactions.

use std::time::Duration;

use rhaid::metrics::{CustomFigures, EndpointStats};

use crate::support::{Ran, Sandbox, Server, load_test, once, run};

fn figures(ran: &Ran, name: &str, tag: Option<&str>) -> CustomFigures {
    let is_it = |stats: &&rhaid::metrics::CustomStats| {
        let its = stats.tag.as_ref().map(|(key, value)| format!("{key}:{value}"));
        *stats.name == *name && its.as_deref() == tag
    };
    let found = ran.snapshot().custom.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {name} {tag:?} in {:#?}", ran.snapshot().custom)).figures
}

fn transaction<'a>(ran: &'a Ran, name: &str) -> &'a EndpointStats {
    ran.snapshot().transactions.iter().find(|stats| *stats.name == *name).unwrap()
}

const ALL_KINDS: &str = r#"
    const ORDERS = metrics::counter("orders");
    const QUEUE = metrics::gauge("queue");
    let hit = metrics::rate("cache_hit");
    const PRICE = metrics::trend("price");
    const RENDER = metrics::trend("render_time", true);
    fn iteration() {
        let i = vu::iteration();
        ORDERS.add(2); ORDERS.add(0.5, #{ shop: "a" });
        QUEUE.add(10 - i);
        hit.add(i % 4 != 0); hit.add(1);
        PRICE.add(i * 10, #{ shop: "a", size: 1 });
        RENDER.add(1.5);
        metrics::counter("inside").add(1);
    }
"#;

#[test]
fn every_kind_counts_as_in_k6() {
    let ran = run(load_test(ALL_KINDS).iterations(8)).without_errors();
    let CustomFigures::Counter { count, .. } = figures(&ran, "orders", None) else { panic!() };
    assert_eq!(count, 20.0);
    let CustomFigures::Counter { count, .. } = figures(&ran, "orders", Some("shop:a")) else { panic!() };
    assert_eq!(count, 4.0);
    assert_eq!(
        figures(&ran, "queue", None),
        CustomFigures::Gauge { value: 2.0, avg: None, min: 2.0, max: 9.0 }
    );
    assert_eq!(figures(&ran, "cache_hit", None), CustomFigures::Rate { passes: 14, fails: 2 });
    for tag in [None, Some("shop:a"), Some("size:1")] {
        let CustomFigures::Trend(price) = figures(&ran, "price", tag) else { panic!() };
        assert_eq!((price.count, price.min, price.med, price.max, price.avg), (8, 10.0, 40.0, 80.0, 45.0));
    }
    let CustomFigures::Counter { count, .. } = figures(&ran, "inside", None) else { panic!() };
    assert_eq!(count, 8.0);
    assert!(ran.snapshot().custom.iter().any(|stats| &*stats.name == "render_time" && stats.is_time));
}

#[test]
fn all_threads_count_into_one_metric() {
    let script = "const N = metrics::counter(\"n\"); fn iteration() { N.add(1); sleep(0.001); }";
    let ran = run(load_test(script).users(8).threads(2).iterations(400)).without_errors();
    let CustomFigures::Counter { count, .. } = figures(&ran, "n", None) else { panic!() };
    assert_eq!(count, 400.0);
}

#[test]
fn mistakes_say_what_is_wrong() {
    let check = |body: &str, part: &str| {
        let ran = once(&Server::start(), &format!("fn iteration() {{ {body} }}"));
        let error = ran.only_error();
        assert!(error.contains(part), "{body}: no {part:?} in\n{error}");
    };
    check("metrics::counter(\"a\"); metrics::rate(\"a\");", "is already a counter and cannot be a rate");
    check("metrics::trend(\"a\"); metrics::trend(\"a\", true);", "both with and without times");
    check("metrics::counter(\"a\").add(-1);", "0 or more");
    check("metrics::trend(\"a\").add(-0.1);", "from 0 to 1e15, not -0.1");
    check("metrics::trend(\"a\").add(1.0 / 0.0);", "1e15");
    check("metrics::gauge(\"a\").add(\"x\");", "must be a number, not the string \"x\"");
    check("metrics::counter(\"a\").add(true);", "must be a number, not true");
    check("metrics::rate(\"a\").add(\"x\");", "must be true or false");
    check("metrics::counter(\"a\").add(1, #{ t: [] });", "tags.t must be text");
    check("metrics::counter(\"a-b\");", "not a metric name");
    check("metrics::counter(\"http_reqs\");", "'http_reqs' is a built-in metric (see docs/metrics.md)");
    check("metrics::counter(\"ws_own\");", "begins with 'ws_', which is reserved for built-in metrics");
    check("metrics::conter(\"a\");", "did you mean 'metrics::counter'");
    let error = load_test("metrics::counter(\"a\").add(1); fn iteration() {}").prepare().err().unwrap();
    assert!(error.to_string().contains("at the top level"), "{error}");
}

#[test]
fn setup_counts_no_metric() {
    let script = "const N = metrics::counter(\"n\"); fn setup() { N.add(5); measure(\"s\", || 1); } \
                  fn iteration() { N.add(1); }";
    let ran = run(load_test(script).iterations(1)).without_errors();
    let CustomFigures::Counter { count, .. } = figures(&ran, "n", None) else { panic!() };
    assert_eq!((count, ran.snapshot().transactions.len()), (1.0, 0));
}

#[test]
fn transactions_are_timed_and_are_no_requests() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            this.n = 1;
            let value = measure("outer", || {
                http::get("/a");
                measure("inner", || { sleep(0.05); this.n += 1; });
                "value " + this.n
            });
            print(value);
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(3)).without_errors();
    assert_eq!(ran.printed(), ["value 2"; 3]);
    assert_eq!(ran.requests(), 3, "transactions are not in http_reqs");
    let (outer, inner) = (transaction(&ran, "outer"), transaction(&ran, "inner"));
    assert_eq!((&*outer.method, outer.requests, outer.failures, inner.requests), ("TX", 3, 0, 3));
    let least = |stats: &EndpointStats| Duration::from_micros(stats.ok.unwrap().min_us);
    assert!(least(inner) >= Duration::from_millis(50) && least(outer) >= least(inner));
    assert_eq!(ran.snapshot().transaction_total.as_ref().unwrap().requests, 6);
    assert!(ran.snapshot().endpoints.iter().all(|endpoint| &*endpoint.method == "GET"));
}

#[test]
fn a_transaction_fails_when_its_closure_does_and_the_error_goes_on() {
    let script = r#"
        fn iteration() {
            try { measure("throws", || { throw "mine"; }); } catch (e) { print(e); }
            try { measure("deep", || helper()); } catch { print("deep"); }
            measure("good", || 1);
            measure("fails", || { fail("no"); });
            print("not reached");
        }
        fn helper() { nosuch(); }
    "#;
    let ran = run(load_test(script).iterations(2));
    assert_eq!(ran.printed(), ["mine", "deep", "mine", "deep"]);
    for name in ["throws", "deep", "fails"] {
        let stats = transaction(&ran, name);
        assert_eq!((stats.requests, stats.failures, stats.ok), (2, 2, None), "{name}");
    }
    assert_eq!(transaction(&ran, "good").failures, 0);
    assert!(ran.only_error().ends_with("failed: no"), "{}", ran.only_error());
}

#[test]
fn what_the_end_of_the_run_cuts_off_is_no_transaction() {
    let script = r#"
        fn iteration() { measure("leaves", || vu::stop()); }
    "#;
    assert!(run(load_test(script)).snapshot().transactions.is_empty());
    let script = "fn iteration() { measure(\"sleeps\", || sleep(60)); }";
    let ran = run(load_test(script).run_time(Duration::from_millis(100)));
    assert!(ran.snapshot().transactions.is_empty() && ran.snapshot().iterations.interrupted == 1);
}

#[test]
fn they_are_in_run_json_and_in_the_summary() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const ORDERS = metrics::counter("orders");
        fn iteration() {
            http::get("/a");
            ORDERS.add(1.5, #{ shop: "a" });
            metrics::trend("price").add(2);
            metrics::gauge("queue").add(-1);
            metrics::rate("hit").add(true);
            measure("pay", || 1);
        }"#,
    );
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "-i", "4"]).expect_code(0);
    for part in ["transactions", "pay", "custom metrics", "orders", "6 (", "100 %, 4 of 4"] {
        assert!(output.stdout.contains(part), "no {part:?} in\n{}", output.stdout);
    }
    let json = output.run_dir().json();
    let metric = |name: &str| json["metrics"][name].clone();
    assert_eq!(
        (metric("orders")["type"].as_str(), metric("orders")["values"]["count"].as_f64()),
        (Some("counter"), Some(6.0))
    );
    assert_eq!(metric("orders{shop:a}")["values"]["count"], 6);
    assert_eq!(metric("price")["values"]["p(95)"], 2);
    assert_eq!(metric("queue")["values"], serde_json::json!({ "value": -1, "min": -1, "max": -1 }));
    assert_eq!(metric("hit")["values"], serde_json::json!({ "rate": 1.0, "passes": 4, "fails": 0 }));
    assert_eq!(metric("transaction_duration{name:pay}")["values"]["count"], 4);
    assert_eq!(metric("http_reqs")["values"]["count"], 4);
    assert_eq!(json["transactions"][0]["name"], "pay");
}

fn endpoint<'a>(ran: &'a Ran, name: &str) -> &'a EndpointStats {
    let found = ran.snapshot().endpoints.iter().find(|stats| *stats.name == *name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", ran.snapshot().endpoints))
}

#[test]
fn a_sample_of_a_script_is_an_endpoint_and_no_http_request() {
    let server = Server::start();
    let script = r#"
        threshold("call_failed{name:find}", "rate <= 50%");
        threshold("call_duration{name:find,method:LDAP}", "max < 41ms");
        threshold("call_reqs{team:core}", "count == 2");
        threshold("call_duration{name:nosuch}", "max < 1s");
        threshold("http_reqs", "count == 2");
        options(#{ tags: #{ team: "core" } });
        fn iteration() {
            http::get("/a");
            let failed = vu::iteration() == 2;
            metrics::sample("find", #{
                method: "ldap", duration_ms: 40, ok: !failed, error: if failed { "no such user" } else { () },
                size: 7, tags: #{ shop: "north" },
            });
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(2)).without_errors();
    let find = endpoint(&ran, "find");
    assert_eq!((&*find.method, find.requests, find.failures), ("LDAP", 2, 1));
    assert_eq!((find.ok.unwrap().max_us, find.failed.unwrap().count), (40_000, 1));
    assert_eq!(find.bytes_received, 14);
    assert_eq!(ran.requests(), 4, "the totals include it, as those of websockets");
    assert_eq!(ran.failure_groups(), [("call", 0, 1)]);
    let group = &ran.snapshot().failures[0].1;
    assert_eq!(group.messages, ["no such user"]);
    let tag = ran.snapshot().tags.iter().find(|tag| &*tag.key == "shop").expect("its tag");
    assert_eq!((&*tag.value, tag.requests.requests), ("north", 2));
    let held: Vec<bool> = ran.snapshot().thresholds.iter().map(|stats| stats.holds()).collect();
    assert_eq!(held, [true, true, true, false, true], "no data fails");
    let json = ran.report.to_json();
    assert_eq!(json["metrics"]["http_reqs"]["values"]["count"], 2);
    assert_eq!(json["metrics"]["call_reqs"]["values"]["count"], 2);
    assert_eq!(json["metrics"]["http_req_failed"]["values"]["rate"], 0.0);
}

#[test]
fn a_sample_is_timed_from_its_start_by_either_clock() {
    let script = r#"
        fn iteration() {
            let clock = timestamp();
            let wall = time::now();
            let ms = time::unix_ms();
            sleep(0.03);
            metrics::sample("clock", #{ started: clock });
            metrics::sample("wall", #{ started: wall });
            metrics::sample("ms", #{ started: ms });
        }
    "#;
    let ran = run(load_test(script).iterations(1)).without_errors();
    for name in ["clock", "wall", "ms"] {
        let stats = endpoint(&ran, name);
        let took = stats.ok.unwrap().min_us;
        assert!((29_000..20_000_000).contains(&took), "{name}: {took}");
        assert_eq!(&*stats.method, "CALL");
    }
}

#[test]
fn mistakes_in_a_sample_say_what_is_wrong() {
    let check = |body: &str, part: &str| {
        let ran = run(load_test(&format!("fn iteration() {{ {body} }}")).iterations(1).check_first(false));
        let error = ran.only_error();
        assert!(error.contains(part), "{body}: no {part:?} in\n{error}");
        assert_eq!(ran.requests(), 0);
    };
    check("metrics::sample(\"a\", #{});", "duration_ms is missing");
    check("metrics::sample(\"a\", #{ duration_ms: -1 });", "must be from 0 to 3,600,000");
    check("metrics::sample(\"a\", #{ duration_ms: 0.0 / 0.0 });", "must be from 0 to 3,600,000");
    check("metrics::sample(\"a\", #{ duration_ms: 3600001 });", "an hour in milliseconds");
    check("metrics::sample(\"a\", #{ duration_ms: \"5ms\" });", "a number of milliseconds");
    check("metrics::sample(\"a\", #{ duration_ms: 1, started: timestamp() });", "not both");
    check("metrics::sample(\"a\", #{ started: 12.5 });", "more than an hour ago");
    check("metrics::sample(\"a\", #{ started: time::now() + 100 });", "in the future");
    check("metrics::sample(\"a\", #{ started: -5 });", "in the future");
    check("metrics::sample(\"a\", #{ duration_ms: 1, ok: true, error: \"x\" });", "there is an error: \"x\"");
    check("metrics::sample(\"a\", #{ duration_ms: 1, ok: 1 });", "ok must be true or false");
    check("metrics::sample(\"a\", #{ duration_ms: 1, size: -1 });", "must not be negative");
    check("metrics::sample(\"a\", #{ duration_ms: 1, method: \"tx\" });", "that of transactions");
    check("metrics::sample(\"\", #{ duration_ms: 1 });", "the name is empty");
    check("metrics::sample(\"a\", #{ duration: 1 });", "has no key 'duration' (known: duration_ms, started");
    check("store::set(\"a\", metrics::start(\"a\"));", "a Measurement cannot be stored");
    check("metrics::start(\" \");", "the name is empty");
    check("let t = metrics::start(\"a\"); t.end(); t.fail(\"b\");", "'a' has already ended");
    let error = load_test("metrics::start(\"a\"); fn iteration() {}").prepare().err().unwrap();
    assert!(error.to_string().contains("at the top level"), "{error}");
}

#[test]
fn a_measurement_ends_in_another_task_and_iteration() {
    let script = r#"
        scenario("shop", #{ tasks: ["browse", "pay"], sequence: true, wait: 0.02 });
        fn browse() { this.checkout = metrics::start("checkout"); }
        fn pay() {
            if vu::iteration() == 2 { this.checkout.end(); } else { this.checkout.fail("no money"); }
            check("ended", this.checkout.ended && this.checkout.elapsed >= 20.0);
        }
    "#;
    let ran = run(load_test(script).iterations(4)).without_errors();
    let checkout = transaction(&ran, "checkout");
    assert_eq!((checkout.requests, checkout.failures), (2, 1));
    assert!(checkout.ok.unwrap().min_us >= 20_000, "the wait between the tasks is part of it");
    assert_eq!((ran.check("ended"), ran.requests()), ((2, 0), 0));
    let is_told = |message: &&rhaid::Message| {
        message.level == rhaid::Level::Warning && message.text.contains("transaction")
    };
    let warned = ran.messages.iter().filter(is_told);
    let warned: Vec<&str> = warned.map(|message| message.text.as_str()).collect();
    assert_eq!(warned, ["transaction 'checkout' failed: no money"]);
    assert_eq!(ran.report.to_json()["transactions_not_ended"], 0);
}

#[test]
fn a_measurement_that_never_ends_is_not_counted_and_said() {
    let script = r#"
        fn setup() { metrics::start("setup"); () }
        fn iteration() {
            this.t = metrics::start("lost");
            metrics::start("given up").cancel();
        }
    "#;
    let ran = run(load_test(script).users(2).iterations(6)).without_errors();
    assert!(ran.snapshot().transactions.is_empty());
    let not_ended = ran.snapshot().not_ended.clone().expect("those that were overwritten or left");
    assert_eq!((not_ended.count, &*not_ended.name), (6, "lost"));
    assert_eq!(ran.report.to_json()["transactions_not_ended"], 6);
}
