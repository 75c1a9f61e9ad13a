//! rhaid as a library: watch, stop, extend, and run twice at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rhaid::metrics::{ErrorKind, ResourceBatch, ResourceSource};
use rhaid::plan::EndedBy;
use rhaid::{LoadTest, RunError, Sample};

use crate::support::{PATIENCE, Server, block_on, load_test, once, run, wait_until};

const HIT: &str = "fn iteration() { http::get(\"/x\"); sleep(0.01); }";

#[test]
fn a_script_that_does_not_load_is_an_error_of_prepare() {
    let Err(RunError::Load(error, _)) = load_test("fn iteration() {\n  let = 3;\n}").prepare() else {
        panic!()
    };
    assert!(error.position.starts_with("test.rhai:2:"), "{}", error.position);
    assert!(error.trace.contains("let = 3;") && error.trace.contains('^'), "{}", error.trace);
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let Err(RunError::Script(error)) = LoadTest::from_file("/nonexistent/nosuch.rhai") else { panic!() };
    assert!(error.contains("nosuch.rhai"), "{error}");
}

#[test]
fn prepare_makes_no_load() {
    let server = Server::start();
    let prepared = load_test("fn setup() { http::get(\"/setup\"); } fn iteration() { http::get(\"/x\"); }")
        .host(&server.url())
        .users(3)
        .prepare()
        .map_err(|error| error.to_string())
        .unwrap();
    assert_eq!((prepared.info().users, prepared.info().name.as_str()), (3, "test"));
    drop(prepared);
    assert_eq!(server.total(), 0);
}

#[test]
fn snapshots_come_while_the_run_goes_on() {
    let server = Server::start();
    let (seen, report) = block_on(async {
        let handle = load_test(HIT)
            .host(&server.url())
            .users(2)
            .run_time(Duration::from_millis(2300))
            .start()
            .await
            .unwrap();
        let mut snapshots = handle.snapshots();
        let watching = async {
            let mut seen = Vec::new();
            while snapshots.changed().await.is_ok() {
                let snapshot = snapshots.borrow_and_update().clone();
                seen.push((snapshot.total.requests, snapshot.users, snapshot.history.len()));
            }
            seen
        };
        let (seen, report) = tokio::join!(watching, handle.wait());
        (seen, report.unwrap())
    });
    assert!(seen.len() >= 3, "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].2 < pair[1].2), "{seen:?}");
    assert_eq!(seen[0].1, 2);
    assert_eq!(seen.last().unwrap().0, report.snapshot().total.requests);
    assert_eq!(report.snapshot().total.requests, server.total());
}

#[test]
fn the_history_adds_up_to_the_total() {
    let server = Server::start();
    let ran =
        run(load_test(HIT).host(&server.url()).users(4).threads(2).run_time(Duration::from_millis(2200)));
    let history = ran.snapshot().history.since(0);
    let sum: i64 = history.iter().map(|point| point.total.requests).sum();
    assert_eq!(sum as u64, server.total());
    let lengths: f64 = history.iter().map(|point| point.length.as_secs_f64()).sum();
    assert!((lengths - ran.snapshot().elapsed.as_secs_f64()).abs() < 0.001, "no time is left out");
    assert!(history.iter().all(|point| point.length <= Duration::from_secs(5)));
}

#[test]
fn a_stopper_ends_the_run_from_elsewhere() {
    let server = Server::start();
    let report = block_on(async {
        let handle = load_test(HIT).host(&server.url()).users(3).start().await.unwrap();
        let stopper = handle.stopper();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                server.wait_for_hits("/x", 10);
                stopper.stop();
            });
        });
        handle.wait().await.unwrap()
    });
    assert_eq!(*report.ended_by(), EndedBy::Stopped);
    assert!(report.passed(), "a caller's own stop is a planned end");
    assert_eq!(report.snapshot().total.requests, server.total());
}

#[test]
fn the_second_stop_ends_what_is_in_flight() {
    let server = Server::start();
    let script =
        "fn iteration() { http::get(\"/x\"); http::get(\"/never\"); } fn on_stop() { http::get(\"/stop\"); }";
    let report = block_on(async {
        let handle = load_test(script).host(&server.url()).users(5).threads(2).start().await.unwrap();
        while server.hits("/never") < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        handle.stop();
        tokio::time::sleep(Duration::from_millis(100)).await;
        handle.stop();
        handle.wait().await.unwrap()
    });
    let snapshot = report.snapshot();
    assert_eq!((snapshot.total.requests, snapshot.interrupted_requests), (5, 5));
    assert_eq!((snapshot.iterations.completed, snapshot.iterations.interrupted), (0, 5));
    assert_eq!(server.hits("/stop"), 0, "the second stop waits for nothing");
    assert_eq!(snapshot.in_flight, 0);
}

#[test]
fn stopping_and_waiting_work_whatever_the_order() {
    let server = Server::start();
    block_on(async {
        let handle = load_test(HIT).host(&server.url()).iterations(1).start().await.unwrap();
        let stopper = handle.stopper();
        handle.wait().await.unwrap();
        stopper.stop();
        stopper.stop();
        let handle = load_test(HIT).host(&server.url()).start().await.unwrap();
        (0..100).for_each(|_| handle.stop());
        let report = handle.wait().await.unwrap();
        assert_eq!(*report.ended_by(), EndedBy::Stopped);
    });
}

/// The threads of a run, as the kernel numbers them: other tests run in this process too.
#[derive(Clone, Default)]
struct Threads(Arc<Mutex<Vec<PathBuf>>>);

impl Threads {
    fn add_this(&self) {
        let this = Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap());
        self.0.lock().unwrap().push(this);
    }

    /// Notes the threads of a test: an engine is made on each worker, resources are taken on the run's own.
    fn of(&self, test: LoadTest) -> LoadTest {
        let threads = self.clone();
        test.with_engine(move |_| threads.add_this()).resources(self.clone())
    }

    fn are_gone(&self) -> bool {
        self.0.lock().unwrap().iter().all(|thread| !thread.exists())
    }
}

impl ResourceSource for Threads {
    fn begin(&mut self, _: Instant) {
        self.add_this();
    }

    fn take(&mut self) -> ResourceBatch {
        ResourceBatch::default()
    }
}

/// Makes load that would never end, gives it up as `give_up` does, and looks for what is left of it.
fn abandoned<F: Future<Output = ()>>(
    script: &str,
    path: &str,
    give_up: impl FnOnce(LoadTest, Arc<Server>) -> F,
) {
    let (server, threads) = (Arc::new(Server::start()), Threads::default());
    let test = load_test(script).host(&server.url()).users(4).threads(2).stop_timeout(PATIENCE);
    block_on(give_up(threads.of(test), server.clone()));
    assert!(server.hits(path) > 0, "it did make load");
    wait_until("the end of the run's threads", || threads.are_gone());
    let made = server.total();
    sleep(Duration::from_millis(100));
    assert_eq!(server.total(), made, "nobody makes load any more");
    assert_eq!(server.hits("/bye"), 0, "neither on_stop nor teardown were called");
}

const ENDLESS: &str = r#"
    fn iteration() { http::get("/x"); sleep(0.01); }
    fn on_stop() { http::get("/bye"); }
    fn teardown() { http::get("/bye"); }
"#;

async fn hit(server: &Server, path: &str) {
    while server.hits(path) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_timeout_around_a_run_leaves_no_thread_and_no_load() {
    abandoned(ENDLESS, "/x", |test, server| async move {
        tokio::select! {
            ended = test.run() => panic!("it has no end: {ended:?}"),
            () = hit(&server, "/x") => {}
        }
    });
}

#[test]
fn a_timeout_while_setup_runs_ends_the_run_too() {
    let script = "fn setup() { http::get(\"/never\"); } fn iteration() { http::get(\"/x\"); }";
    abandoned(script, "/never", |test, server| async move {
        tokio::select! {
            ended = test.run() => panic!("it has no end: {ended:?}"),
            () = hit(&server, "/never") => {}
        }
    });
}

#[test]
fn a_dropped_handle_ends_the_run() {
    abandoned(ENDLESS, "/x", |test, server| async move {
        let handle = test.start().await.unwrap();
        // What can stop it does not hold it.
        let _stopper = handle.stopper();
        hit(&server, "/x").await;
        drop(handle);
    });
}

#[test]
fn a_detached_run_goes_on() {
    let (server, threads) = (Server::start(), Threads::default());
    block_on(async {
        threads.of(load_test(HIT).host(&server.url()).iterations(50)).start().await.unwrap().detach();
    });
    server.wait_for_hits("/x", 50);
    wait_until("the end of the run's threads", || threads.are_gone());
}

#[test]
fn two_runs_in_one_process_do_not_meet() {
    let (one, two) = (Server::start(), Server::start());
    let script = r#"
        const WHO = param("who");
        const EACH = if WHO == "one" { 60 } else { 40 };
        fn on_start() { http::get("/cookies/set?who=" + WHO); }
        fn iteration() {
            let r = http::get("/cookies/get", #{ tags: #{ who: WHO } });
            check("own cookie", r.json("who") == WHO);
            if WHO == "one" { r.fail("only one"); }
            if vu::iteration() == EACH { vu::stop(); }
        }
    "#;
    let test = |server: &Server, who: &str| {
        load_test(script).host(&server.url()).param("who", who).users(5).threads(2)
    };
    let (first, second) = block_on(async {
        let (first, second) = tokio::join!(test(&one, "one").run(), test(&two, "two").run(),);
        (first.unwrap(), second.unwrap())
    });
    let (first, second) = (first.snapshot(), second.snapshot());
    assert_eq!((first.total.requests, first.total.failures), (305, 300));
    assert_eq!((second.total.requests, second.total.failures), (205, 0));
    assert_eq!((one.total(), two.total()), (305, 205));
    assert_eq!((first.tags.len(), second.tags.len()), (1, 1));
    assert_eq!((first.checks[0].1.passes, second.checks[0].1.passes), (300, 200));
    assert_eq!((first.iterations.completed, second.iterations.completed), (300, 200));
}

#[test]
fn plain_functions_and_types_can_be_added() {
    let threads = Arc::new(AtomicU64::new(0));
    let counter = threads.clone();
    let test = load_test(
        "fn iteration() { print(triple(14)); let p = point(3); p.x += 1; print(p.x); vu::stop(); }",
    )
    .with_engine(move |engine| {
        counter.fetch_add(1, Ordering::SeqCst);
        engine.register_fn("triple", |n: i64| n * 3);
        engine
            .register_type_with_name::<Point>("Point")
            .register_fn("point", |x: i64| Point { x })
            .register_get_set("x", |p: &mut Point| p.x, |p: &mut Point, x: i64| p.x = x);
    })
    .users(2)
    .threads(2);
    let ran = run(test).without_errors();
    assert_eq!(ran.printed_sorted(), ["4", "4", "42", "42"]);
    assert!(threads.load(Ordering::SeqCst) >= 2, "each thread has an engine of its own");
}

#[derive(Clone)]
struct Point {
    x: i64,
}

#[test]
fn added_functions_can_be_called_at_the_top_level_too() {
    let test = load_test("const T = triple(2); fn iteration() { print(T); }")
        .with_engine(|engine| {
            engine.register_fn("triple", |n: i64| n * 3);
        })
        .iterations(1);
    assert_eq!(run(test).without_errors().printed(), ["6"]);
}

#[test]
fn asynchronous_functions_wait_without_blocking_the_thread() {
    let most = Arc::new(AtomicU64::new(0));
    let (running, peak) = (Arc::new(AtomicU64::new(0)), most.clone());
    let test = load_test("fn iteration() { print(quote(\"a\", 2) + 1); vu::stop(); }")
        .with_async_fn("quote", move |call| {
            let (running, peak) = (running.clone(), peak.clone());
            async move {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(100)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(call.args.len(), 2);
                assert!(call.iteration() == 1 && call.vu_id() >= 1);
                call.record(Sample::new(Duration::from_millis(250)));
                Ok(40_i64.into())
            }
        })
        .users(10)
        .threads(1);
    let ran = run(test).without_errors();
    assert_eq!(ran.printed(), ["41"; 10]);
    assert_eq!(most.load(Ordering::SeqCst), 10, "all users of the one thread wait at once");
    let endpoint = &ran.snapshot().endpoints[0];
    assert_eq!((&*endpoint.method, &*endpoint.name, endpoint.requests), ("CALL", "quote", 10));
    let ok = endpoint.ok.unwrap();
    assert!((249_000..=251_000).contains(&ok.median_us()), "{}", ok.median_us());
}

#[test]
fn an_error_of_an_asynchronous_function_is_a_script_error() {
    let script = "fn iteration() {\n  let a = 1;\n  fetch();\n}";
    let test = load_test(script)
        .with_async_fn("fetch", |call| async move {
            call.record(Sample::new(Duration::from_millis(5)).failed(ErrorKind::Call, "no line"));
            Err("cannot fetch".to_owned())
        })
        .iterations(2);
    let ran = run(test);
    assert_eq!(ran.errors(), [("test.rhai:3:3: cannot fetch".to_owned(), 2)].into());
    assert_eq!((ran.requests(), ran.failures()), (2, 2));
    assert_eq!(ran.failure_groups(), [("call", 0, 2)]);
}

#[test]
fn an_asynchronous_function_that_panics_ends_that_iteration_only() {
    let test = load_test("fn iteration() { if vu::iteration() == 1 { odd(); } print(\"fine\"); }")
        .with_async_fn("odd", |_| async move {
            tokio::task::yield_now().await;
            std::panic::resume_unwind(Box::new("boom"))
        })
        .iterations(2);
    let ran = run(test);
    assert!(ran.only_error().contains("a host function panicked: boom"), "{}", ran.only_error());
    assert_eq!(ran.printed(), ["fine"]);
}

#[test]
fn an_asynchronous_function_in_flight_is_dropped_when_the_run_stops() {
    struct OnDrop(Arc<AtomicU64>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (begun, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (b, d) = (begun.clone(), dropped.clone());
    let test = load_test("fn iteration() { forever(); }").with_async_fn("forever", move |_| {
        let (b, d) = (b.clone(), d.clone());
        async move {
            let _guard = OnDrop(d);
            b.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    });
    let ran = run(test.users(3).run_time(Duration::from_millis(200)).stop_timeout(Duration::from_millis(50)));
    assert_eq!((begun.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)), (3, 3));
    assert_eq!(ran.snapshot().iterations.interrupted, 3);
}

#[tokio::test(flavor = "current_thread")]
async fn it_works_inside_a_runtime_that_is_busy_with_other_things() {
    let server = Server::start();
    let busy = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let run = load_test(HIT).host(&server.url()).users(3).iterations(30).run();
    let report = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    busy.abort();
    assert_eq!((report.snapshot().total.requests, server.total()), (30, 30));
}

#[test]
fn a_report_says_what_was_run() {
    let server = Server::start();
    let with_password = server.url().replace("http://", "http://me:secret@");
    let ran = run(load_test(HIT).host(&with_password).iterations(1).seed(5));
    let info = ran.report.info();
    assert_eq!((info.seed, info.threads, info.users), (5, 1, 1));
    assert_eq!(info.host.as_deref(), Some(server.url().as_str()), "without the password");
    assert_eq!(info.files, [("test.rhai".to_owned(), HIT.to_owned())]);
    assert_eq!(server.seen()[0].header("authorization"), "Basic bWU6c2VjcmV0", "which is sent all the same");
}

#[test]
fn no_request_is_never_a_pass() {
    let ran = once(&Server::start(), "fn iteration() {}");
    assert_eq!(ran.snapshot().iterations.completed, 1);
    assert!(!ran.report.passed());
}

/// As the system's resolver does, which cannot be stopped: it gives up after ten seconds or more.
#[test]
fn what_blocks_a_thread_of_the_system_does_not_hold_up_the_end() {
    let test = load_test("options(#{ stop_timeout: \"100ms\" }); fn iteration() { look_up(); }")
        .with_async_fn("look_up", |_| async {
            let _ = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(60))).await;
            Ok(().into())
        })
        .run_time(Duration::from_millis(100));
    let started = Instant::now();
    run(test);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
