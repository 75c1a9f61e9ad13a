//! `--profile`: loads with a name, of a file, and several with one verdict.

use crate::support::{Sandbox, Server};

/// Its own limits take the place of those of a profile: the machine of the tests may be slow.
const LIMITS: &str = r#"
    threshold("http_req_duration", "p(50) < 1h");
    threshold("http_req_duration", "p(95) < 1h");
    threshold("http_reqs", "rate > 0.01/s");
"#;

fn script() -> String {
    format!("{LIMITS} wait(0.02); fn iteration() {{ http::get(\"/x\"); }}")
}

#[test]
fn a_profile_says_what_the_load_is_and_flags_win_over_it() {
    let (server, sandbox) = (Server::start(), Sandbox::with(&script()));
    let host = server.url();
    let scaled =
        ["run", "test.rhai", "-H", &host, "--no-resources", "--profile", "load", "--time-scale", "0.002"];
    let settings = sandbox.run(&scaled).expect_code(0).run_dir().json()["settings"].clone();
    assert_eq!(settings["users"], 10);
    assert_eq!(settings["spawn_rate"], 1000.0, "two a second, in a five hundredth of the time");
    assert_eq!(settings["run_time_s"], 0.6);
    let sandbox = Sandbox::with(&script());
    let arguments = [&scaled[..], &["-u", "3", "-t", "300ms"]].concat();
    let settings = sandbox.run(&arguments).expect_code(0).run_dir().json()["settings"].clone();
    assert_eq!((settings["users"].clone(), settings["run_time_s"].clone()), (3.into(), 0.3.into()));
}

#[test]
fn all_profiles_run_one_after_the_other_with_one_verdict() {
    let (server, sandbox) = (Server::start(), Sandbox::with(&script()));
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--no-resources",
            "--profile",
            "all",
            "--time-scale",
            "0.0005",
            "-q",
            "--summary-export",
            "sum.json",
            "--threads",
            "1",
        ])
        .expect_code(0);
    assert_eq!(sandbox.runs().len(), 4, "{}", output.shown());
    for name in ["load", "stress", "spike", "endurance"] {
        assert!(output.stdout.contains(&format!("✓ {name} ")), "{}", output.shown());
        assert!(sandbox.path().join(format!("sum_{name}.json")).exists());
    }
    assert_eq!(output.stdout.lines().last(), Some(" PASSED: 4 of 4 profiles"));
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_being_run() {
    let server = Server::start();
    // Only the profile with more than 20 users fails.
    let script = r#"
        wait(0.02);
        fn iteration() { if vu::id() > 20 { abort("too many"); } http::get("/x"); }
    "#;
    let sandbox = Sandbox::with(&(LIMITS.to_owned() + script));
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--no-resources",
            "--profile",
            "all",
            "--time-scale",
            "0.0005",
            "-q",
        ])
        .expect_code(108);
    assert_eq!(sandbox.runs().len(), 4);
    for (mark, name) in [("✓", "load"), ("✗", "stress"), ("✗", "spike"), ("✓", "endurance")] {
        assert!(output.stdout.contains(&format!("{mark} {name} ")), "{}", output.shown());
    }
    assert_eq!(output.stdout.lines().last(), Some(" FAILED: 2 of 4 profiles did not pass"));
}

#[test]
fn a_profile_of_ones_own_is_a_file() {
    let (server, sandbox) = (Server::start(), Sandbox::with(&script()));
    let host = server.url();
    sandbox.write(
        "mine.rhai",
        "options(#{ users: 4, spawn_rate: 100, run_time: \"2s\", host: \"http://127.0.0.1:1\" });",
    );
    let arguments = [
        "run",
        "test.rhai",
        "-H",
        &host,
        "--no-resources",
        "--profile",
        "mine.rhai",
        "--time-scale",
        "0.1",
        "-q",
    ];
    let settings = sandbox.run(&arguments).expect_code(0).run_dir().json()["settings"].clone();
    assert_eq!((settings["users"].clone(), settings["run_time_s"].clone()), (4.into(), 0.2.into()));
    sandbox.write("mine.rhai", "options(#{ user: 4 });");
    sandbox
        .run(&arguments)
        .expect_code(104)
        .expect_stderr(&["the profile: mine.rhai:1", "did you mean 'users'"]);
}

#[test]
fn what_is_no_profile_is_refused_before_anything_runs() {
    let (server, sandbox) = (Server::start(), Sandbox::with(&script()));
    let host = server.url();
    let refuse = |arguments: &[&str], code: i32, says: &[&str]| {
        let all = [&["run", "test.rhai", "-H", &host], arguments].concat();
        sandbox.run(&all).expect_code(code).expect_stderr(says);
    };
    refuse(
        &["--no-resources", "--profile", "strees"],
        104,
        &["unknown profile 'strees' — did you mean 'stress'"],
    );
    refuse(&["--no-resources", "--profile", "none.rhai"], 104, &["the profile:", "none.rhai"]);
    refuse(&["--time-scale", "0.5"], 2, &["name one with --profile"]);
    refuse(&["--no-resources", "--profile", "load", "--time-scale", "0"], 2, &["a factor from 0.0001"]);
    assert_eq!((server.total(), sandbox.runs().len()), (0, 0));
}
