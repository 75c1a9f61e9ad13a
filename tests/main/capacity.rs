//! `--find-capacity`: the highest rate at which a limit holds.

use crate::support::{Sandbox, Server};

#[test]
fn the_search_narrows_to_what_the_users_can_carry() {
    let server = Server::start();
    // Four users and a tenth of a second an iteration: forty a second and no more.
    let script = r#"
        threshold("http_req_duration", "p(95) < 1ms");
        fn iteration() { http::get("/delay/100"); }
    "#;
    let sandbox = Sandbox::with(script);
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--find-capacity",
            "http_req_duration: p(95) < 5s",
            "--min-rate",
            "12",
            "--max-rate",
            "96",
            "--step-time",
            "2s",
            "--max-vus",
            "4",
            "--only-summary",
        ])
        .expect_code(0);
    let json = output.run_dir().json();
    let capacity = &json["capacity"];
    let best = capacity["best_rate"].as_f64().unwrap();
    assert!((12.0..=41.0).contains(&best), "{capacity:#}");
    let steps = capacity["steps"].as_array().unwrap();
    assert_eq!(
        (steps[0]["rate"].clone(), steps[0]["held"].clone()),
        (12.0.into(), true.into()),
        "{capacity:#}"
    );
    let broke = steps.iter().filter(|step| step["held"] == false);
    assert!(broke.clone().count() >= 1 && broke.clone().all(|step| step["rate"].as_f64().unwrap() > best));
    assert!(broke.clone().any(|step| step["why_not"].as_str().unwrap().contains("no user was free")));
    assert_eq!((json["ended_by"].clone(), capacity["unit"].clone()), ("capacity found".into(), "ms".into()));
    let marks = json["marks"].as_array().unwrap();
    assert!(marks.iter().any(|mark| mark["text"] == "rate set to 24/s"), "{marks:?}");
    let last = output.stdout.lines().last().unwrap();
    assert!(last.starts_with(" CAPACITY: ") && last.contains("held http_req_duration: p(95) < 5s"), "{last}");
}

#[test]
fn when_even_the_first_rate_breaks_the_limit_the_search_fails() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/delay/30\"); }");
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--find-capacity",
            "http_req_duration: p(50) < 1ms",
            "--step-time",
            "2s",
            "-q",
        ])
        .expect_code(99);
    assert!(
        output.stdout.contains("FAILED: no rate held http_req_duration: p(50) < 1ms"),
        "{}",
        output.shown()
    );
}

#[test]
fn everything_wrong_is_said_before_any_load() {
    let server = Server::start();
    let script = r#"
        scenario("own", #{ exec: "f", executor: "constant-vus", vus: 1, duration: "1s" });
        fn f() { http::get("/x"); }
    "#;
    let sandbox = Sandbox::with(script);
    let host = server.url();
    let search = |limit: &str, more: &[&str]| {
        let all = [&["run", "test.rhai", "-H", &host, "--find-capacity", limit], more].concat();
        sandbox.run(&all)
    };
    search("http_req_duratio: p(95) < 1s over 5s", &["--step-time", "1s", "--max-rate", "5"])
        .expect_code(104)
        .expect_stderr(&[
            "did you mean 'http_req_duration'",
            "has 'over'",
            "a rate cannot be judged in less than 2 s",
            "max_rate (5/s) is below min_rate (10/s)",
            "scenario 'own' has an executor of its own",
        ]);
    search("http_req_duration: p(95) < 1s", &["-u", "5"]).expect_code(2).expect_stderr(&["--users"]);
    sandbox.run(&["run", "test.rhai", "--min-rate", "5"]).expect_code(2).expect_stderr(&["--find-capacity"]);
    assert_eq!(server.total(), 0);
}
