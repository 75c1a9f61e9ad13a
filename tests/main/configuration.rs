//! Settings from flags, the environment, `rhaid.toml` and the script, and which of them wins.

use serde_json::Value;

use crate::support::{Output, Sandbox, Server};

/// What the settings came to.
fn settings(output: &Output) -> Value {
    output.run_dir().json()["settings"].clone()
}

#[test]
fn flag_over_environment_over_file_over_script_over_default() {
    let server = Server::start();
    let script =
        "options(#{ users: 2, spawn_rate: 1000, iterations: 8 }); fn iteration() { http::get(\"/x\"); }";
    let users = |flag: Option<&str>, environment: Option<&str>, file: Option<&str>, script: &str| {
        let sandbox = Sandbox::with(script);
        if let Some(users) = file {
            sandbox.write("rhaid.toml", &format!("users = {users}\n"));
        }
        let url = server.url();
        let mut arguments = vec!["run", "test.rhai", "-H", &url, "-i", "8"];
        arguments.extend(flag.map(|users| ["--users", users]).iter().flatten());
        let variables: Vec<(&str, &str)> =
            environment.map(|users| ("RHAID_USERS", users)).into_iter().collect();
        let output = sandbox.run_with(&arguments, &variables).expect_code(0);
        settings(&output)["users"].as_u64().unwrap()
    };
    assert_eq!(users(Some("5"), Some("4"), Some("3"), script), 5);
    assert_eq!(users(None, Some("4"), Some("3"), script), 4);
    assert_eq!(users(None, None, Some("3"), script), 3);
    assert_eq!(users(None, None, None, script), 2);
    assert_eq!(users(None, None, None, "fn iteration() { http::get(\"/x\"); }"), 1);
}

#[test]
fn every_kind_of_setting_can_stand_in_the_file() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        "const A = param(\"a\", 1); fn iteration() { print(`${A} ${env::get(\"PLACE\")} ${vu::tags()}`); http::get(\"/redirect/1\"); }",
    );
    sandbox.write(
        "rhaid.toml",
        &format!(
            "host = \"{}\"\nusers = 2\nspawn_rate = 50.5\nrun-time = \"1m30s\"\niterations = 4\nseed = 9\nquiet = true\n\
             stop_timeout = \"4s\"\nresults_dir = \"elsewhere\"\n[params]\na = 7\n[env]\nPLACE = \"here\"\n\
             [tags]\nteam = \"web\"\n[http]\nmax_redirects = 0\nuser_agent = \"from-file\"\n[http.headers]\nx-file = \"1\"\n",
            server.url()
        ),
    );
    let output = sandbox.run(&["run", "test.rhai"]).expect_code(0);
    assert_eq!(output.stdout.lines().count(), 1, "quiet: {}", output.shown());
    assert_eq!(output.stderr.matches("7 here #{\"team\": \"web\"}").count(), 4, "{}", output.shown());
    let seen = &server.seen()[0];
    assert_eq!((seen.header("user-agent"), seen.header("x-file")), ("from-file", "1"));
    assert_eq!(server.total(), 4, "redirects are not followed");
    assert_eq!(std::fs::read_dir(sandbox.path().join("elsewhere")).unwrap().count(), 1);
    sandbox.run(&["run", "test.rhai", "--max-redirects", "1", "--user-agent", "from-flag"]).expect_code(0);
    assert_eq!(server.seen()[4].header("user-agent"), "from-flag");
    assert_eq!(server.total(), 12, "a flag wins over the file: one redirect each");
}

#[test]
fn a_file_can_be_named() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    sandbox.write("other.toml", &format!("host = \"{}\"\niterations = 3\n", server.url()));
    let output = sandbox.run(&["run", "test.rhai", "--config", "other.toml"]).expect_code(0);
    assert_eq!(settings(&output)["iterations"], 3);
    let variables = [("RHAID_CONFIG", "other.toml")];
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    sandbox.write("other.toml", &format!("host = \"{}\"\niterations = 3\n", server.url()));
    assert_eq!(
        settings(&sandbox.run_with(&["run", "test.rhai"], &variables).expect_code(0))["iterations"],
        3
    );
    sandbox
        .run(&["run", "test.rhai", "--config", "nosuch.toml"])
        .expect_stderr(&["nosuch.toml"])
        .expect_code(104);
}

#[test]
fn mistakes_in_the_file_are_told_with_what_was_meant() {
    let refused = |text: &str, parts: &[&str]| {
        let sandbox = Sandbox::with("fn iteration() {}");
        sandbox.write("rhaid.toml", text);
        let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", "http://127.0.0.1:1"]);
        output.expect_stderr(&["rhaid.toml"]).expect_stderr(parts).expect_code(104);
        assert!(sandbox.runs().is_empty());
    };
    refused("usrs = 3", &["'usrs'", "did you mean 'users'"]);
    refused("run_tme = 3", &["'run_tme'", "did you mean 'run"]);
    refused("users = \"many\"", &["many"]);
    refused("users = 0", &["0"]);
    refused("users = [", &["1"]);
    refused("[http]\nheader = 1", &["did you mean 'headers'"]);
    refused("run_time = \"5 parsecs\"", &["5 parsecs"]);
}

#[test]
fn flags_can_be_set_in_the_environment() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("const W = param(\"who-is\", \"x\"); fn iteration() { print(W); http::get(\"/x\"); }");
    let url = server.url();
    let variables = [
        ("RHAID_SCRIPT", "test.rhai"),
        ("RHAID_HOST", url.as_str()),
        ("RHAID_USERS", "2"),
        ("RHAID_SPAWN_RATE", "100"),
        ("RHAID_ITERATIONS", "6"),
        ("RHAID_RUN_TIME", "2m"),
        ("RHAID_SEED", "3"),
        ("RHAID_THREADS", "1"),
        ("RHAID_STOP_TIMEOUT", "1s"),
        ("RHAID_QUIET", "true"),
        ("RHAID_CSV", "out"),
        ("RHAID_PARAM_WHO_IS", "me"),
    ];
    let output = sandbox.run_with(&["run"], &variables).expect_code(0);
    let settings = settings(&output);
    assert_eq!(
        (&settings["users"], &settings["iterations"], &settings["seed"]),
        (&2.into(), &6.into(), &3.into())
    );
    assert_eq!((&settings["threads"], &settings["run_time_s"]), (&1.into(), &120.0.into()));
    assert_eq!(settings["params"]["who-is"], "me");
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.shown());
    assert_eq!(output.stderr.matches("] me").count(), 6);
    assert!(sandbox.path().join("out_stats.csv").is_file());
}

#[test]
fn a_switch_in_the_environment_takes_the_usual_words() {
    let server = Server::start();
    let url = server.url();
    let lines = |value: &str| {
        let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
        let output =
            sandbox.run_with(&["run", "test.rhai", "-i", "1", "-H", &url], &[("RHAID_QUIET", value)]);
        output.expect_code(0).stdout.lines().count()
    };
    for yes in ["true", "1", "yes"] {
        assert_eq!(lines(yes), 1, "{yes}");
    }
    for no in ["false", "0", "no"] {
        assert!(lines(no) > 1, "{no}");
    }
}

#[test]
fn values_in_the_environment_that_mean_nothing_are_told() {
    let sandbox = Sandbox::with("fn iteration() {}");
    let output = sandbox.run_with(&["run", "test.rhai"], &[("RHAID_USERS", "many")]);
    output.expect_stderr(&["many", "--users"]).expect_code(2);
}
