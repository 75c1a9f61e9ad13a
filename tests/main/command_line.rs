//! The command: what it prints where, what it writes, how it exits.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::support::{Sandbox, Server};

const HIT: &str = "fn iteration() { http::get(\"/x\"); }";

#[test]
fn a_run_prints_its_summary_and_keeps_its_results() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("import \"lib/hit\" as hit; fn iteration() { hit::hit(); print(\"hello\"); }");
    sandbox.write("lib/hit.rhai", "fn hit() { http::get(\"/x\") }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "5", "-H", &server.url()]).expect_code(0);
    let last = output.stdout.lines().last().unwrap();
    assert!(last.contains("NO THRESHOLDS SET: 5 requests"), "the verdict comes last: {}", output.shown());
    assert!(
        output.stdout.contains("GET /x") && output.stdout.contains("test.rhai -> "),
        "{}",
        output.shown()
    );
    assert!(!output.stdout.contains("hello"), "what scripts print is no result");
    assert_eq!(output.stderr.matches("hello").count(), 5, "{}", output.shown());
    assert!(output.stderr.contains("[vu 1, iteration 5] hello"), "{}", output.shown());

    let run = output.run_dir();
    assert!(
        output
            .stderr
            .contains(&format!("results: performance/results/{}", run.0.file_name().unwrap().display()))
    );
    let mut files: Vec<String> = std::fs::read_dir(&run.0)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "exceptions.csv",
            "failures.csv",
            "latency.hlog",
            "run.json",
            "script",
            "state.json",
            "stats.csv",
            "stats_history.csv",
            "timeline.csv"
        ]
    );
    let copy = |name: &str| std::fs::read_to_string(run.0.join("script").join(name)).unwrap();
    assert!(copy("test.rhai").contains("import \"lib/hit\""));
    assert!(copy("lib__hit.rhai").contains("fn hit()"));
}

#[test]
fn quiet_prints_the_verdict_alone() {
    let server = Server::start();
    let output = Sandbox::with(HIT)
        .run(&["run", "test.rhai", "-i", "3", "-H", &server.url(), "--quiet"])
        .expect_code(0);
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.shown());
    assert!(output.stdout.contains("NO THRESHOLDS SET: 3 requests"), "{}", output.shown());
}

#[test]
fn colours_are_used_only_when_asked_for() {
    let server = Server::start();
    let url = server.url();
    let escape = |more: &[&str], variables: &[(&str, &str)]| {
        let mut arguments = vec!["run", "test.rhai", "-i", "1", "-H", &url];
        arguments.extend(more);
        let output = Sandbox::with(HIT).run_with(&arguments, variables).expect_code(0);
        output.stdout.contains('\x1b')
    };
    assert!(!escape(&[], &[]), "it is no terminal");
    assert!(escape(&["--color", "always"], &[]));
    assert!(escape(&["--color", "always"], &[("NO_COLOR", "1")]), "the flag wins");
    assert!(!escape(&["--no-color"], &[("RHAID_COLOR", "always")]));
    assert!(!escape(&["--color", "never"], &[]));
}

#[test]
fn without_a_utf_8_locale_the_output_is_ascii() {
    let server = Server::start();
    let script =
        "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); check(\"c\", false); throw \"e\"; }";
    let arguments = ["run", "test.rhai", "-i", "3", "-H", &server.url()];
    let output = Sandbox::with(script).run_with(&arguments, &[("LANG", "C")]).expect_code(1);
    assert!(output.stdout.is_ascii(), "{}", output.shown());
    assert!(output.stdout.contains("Aggregated"), "{}", output.shown());
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_any_request() {
    let server = Server::start();
    let sandbox =
        Sandbox::with("fn setup() { http::get(\"/setup\"); } fn iteration() { http::get(\"/x\"); }");
    sandbox.write("file", "in the way");
    let url = server.url();
    for (flag, place) in [
        ("--results-dir", "file/results"),
        ("--csv", "file/out"),
        ("--summary-export", "file/out.json"),
        ("--junit", "file/out.xml"),
        ("--markdown", "file/out.md"),
    ] {
        let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &url, flag, place]);
        output.expect_stderr(&["error: ", place.split('/').next().unwrap()]).expect_code(104);
    }
    assert_eq!(server.total(), 0);
}

#[test]
fn exit_codes_follow_what_happened() {
    let server = Server::start();
    let url = server.url();
    let exits = |script: &str, more: &[&str], code: i32, words: &str| {
        let mut arguments = vec!["run", "test.rhai", "-i", "2", "-H", &url];
        arguments.extend(more);
        let output = Sandbox::with(script).run(&arguments).expect_code(code);
        let last = output.stdout.lines().last().unwrap_or_default();
        assert!(last.contains(words), "{script}: no {words:?} in the last line\n{}", output.shown());
        assert!(output.run_dir().json()["elapsed_s"].is_number(), "results are written");
    };
    exits(HIT, &["--exit-code-on-error"], 0, "NO THRESHOLDS SET");
    let failing = "fn iteration() { http::get(\"/status/500\"); }";
    exits(failing, &[], 1, "FAILED: all 2 requests failed");
    let some = "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); }";
    exits(some, &[], 0, "NO THRESHOLDS SET");
    exits(some, &["--exit-code-on-error"], 1, "FAILED: 2 failed requests; any error fails this run");
    exits(
        "fn iteration() { http::get(\"/x\"); throw \"e\"; }",
        &["--exit-code-on-error"],
        1,
        "FAILED: all 2 iterations failed; first script error: test.rhai:1:35: e",
    );
    exits("fn iteration() {}", &[], 97, "NO REQUESTS");
    exits("fn setup() { throw \"no database\"; } fn iteration() {}", &[], 107, "SETUP FAILED");
    exits("fn iteration() { http::get(\"/x\"); abort(\"it burns\"); }", &[], 108, "ABORTED: it burns");
}

#[test]
fn the_reason_of_a_failed_setup_is_shown_with_its_place() {
    let script = "fn setup() {\n  let x = 1 / 0;\n}\nfn iteration() {}";
    let output =
        Sandbox::with(script).run(&["run", "test.rhai", "-H", "http://127.0.0.1:1"]).expect_code(107);
    let shown = format!("{}{}", output.stdout, output.stderr);
    assert!(shown.contains("test.rhai:2:13: division by zero"), "{}", output.shown());
    assert!(output.run_dir().json()["ended_reason"].as_str().unwrap().contains("test.rhai:2:13"));
}

#[test]
fn a_failed_teardown_is_a_warning() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); }\nfn teardown(data) { throw \"left behind\"; }";
    let output =
        Sandbox::with(script).run(&["run", "test.rhai", "-i", "1", "-H", &server.url()]).expect_code(0);
    output.expect_stderr(&["teardown failed", "test.rhai:2:21: left behind"]);
}

#[test]
fn spellings_of_locust_and_k6_work() {
    let server = Server::start();
    let url = server.url();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.01); }");
    let arguments = [
        "run",
        "-f",
        "test.rhai",
        "--headless",
        "--autostart",
        "--only-summary",
        "--vus",
        "2",
        "-r",
        "100",
        "--duration",
        "300ms",
        "-H",
        &url,
    ];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(output.run_dir().json()["settings"]["users"], 2);
    assert_eq!(output.run_dir().json()["ended_by"], "run time");
    sandbox.run(&["run", "--locustfile", "test.rhai", "-i", "1", "-H", &url]).expect_code(0);
}

#[test]
fn what_scripts_are_given_on_the_command_line() {
    let script = r#"
        const WHO = param("who", "nobody");
        scenario("a", #{ exec: "f" }); scenario("b", #{ exec: "g" });
        fn f() { print(`a ${WHO} ${env::get("PLACE")} ${vu::tags()} ${random::int(1, 1000000)}`); http::get("/a"); }
        fn g() { http::get("/b"); }
    "#;
    let server = Server::start();
    let url = server.url();
    let printed = |seed: &str| {
        let arguments = [
            "run",
            "test.rhai",
            "-i",
            "1",
            "-H",
            &url,
            "--param",
            "who=me=you",
            "-e",
            "PLACE=here",
            "--tag",
            "t=1",
            "--scenario",
            "a",
            "--seed",
            seed,
            "-q",
        ];
        let output = Sandbox::with(script).run(&arguments).expect_code(0);
        output.stderr.lines().find(|line| line.contains("] a ")).unwrap_or_default().to_owned()
    };
    let first = printed("1");
    assert!(first.starts_with("[vu 1, iteration 1] a me=you here #{\"t\": \"1\"} "), "{first}");
    assert_eq!(first, printed("1"));
    assert_ne!(first, printed("2"));
    assert_eq!(server.hits("/b"), 0);
}

#[test]
fn help_of_a_script_lists_its_parameters() {
    let sandbox = Sandbox::with(
        "const E = param(\"place\", \"dev\", #{ choices: [\"dev\", \"prod\"], help: \"where it runs\" });\n\
         const T = param(\"token\", #{ help: \"who pays\" });\nconst S = param(\"key\", \"k-123\", #{ secret: true });\nfn iteration() {}",
    );
    let output = sandbox.run(&["run", "test.rhai", "--help"]).expect_code(0);
    for part in [
        "--users",
        "RHAID_USERS",
        "Exit codes",
        "98 worse than the baseline",
        "place",
        "where it runs",
        "one of: dev, prod",
        "default: dev",
        "token",
        "who pays",
        "required",
    ] {
        assert!(output.stdout.contains(part), "no {part:?} in {}", output.shown());
    }
    assert!(!output.stdout.contains("k-123"), "a secret's default is not shown");
    let plain = sandbox.run(&["run", "--help"]).expect_code(0);
    assert!(plain.stdout.contains("--spawn-rate") && !plain.stdout.contains("where it runs"));
    sandbox.run(&["--help"]).expect_code(0);
    let version = sandbox.run(&["--version"]).expect_code(0);
    assert_eq!(version.stdout.trim(), concat!("rhaid ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_the_subcommands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = sandbox.run(&["completions", shell]).expect_code(0);
        for command in ["run", "demo", "target", "completions", "spawn-rate"] {
            assert!(output.stdout.contains(command), "{shell}: no {command}");
        }
    }
    sandbox.run(&["completions", "nosuch"]).expect_code(2);
}

#[test]
fn a_reader_that_goes_away_costs_nothing() {
    let server = Server::start();
    let url = server.url();
    for flag in ["--only-summary", "--json"] {
        let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); print(\"line\"); }");
        let mut command = sandbox.command(&["run", "test.rhai", "-i", "20", "-H", &url, flag]);
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = child.stderr.take().unwrap();
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let status = child.wait().unwrap();
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(status.code(), Some(0), "{text}");
        assert_eq!(sandbox.runs()[0].json()["total"]["requests"], 20);
    }
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); print(\"line\"); throw \"e\"; }");
    let mut child = sandbox.command(&["run", "test.rhai", "-i", "20", "-H", &url]).spawn().unwrap();
    drop(child.stderr.take());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1), "also without standard error");
    assert_eq!(sandbox.runs()[0].json()["total"]["requests"], 20);
}

#[test]
fn a_script_that_prints_without_end_fills_neither_memory_nor_terminal() {
    let server = Server::start();
    let script = "fn iteration() { for n in 0..30000 { print(`line ${n}`); } http::get(\"/x\"); }";
    let output =
        Sandbox::with(script).run(&["run", "test.rhai", "-i", "1", "-H", &server.url()]).expect_code(0);
    let lines = output.stderr.matches("] line ").count();
    let more = output
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix('(')?.split(' ').next()?.parse::<usize>().ok());
    let dropped: usize = more.sum();
    assert!(dropped > 0 && output.stderr.contains("more messages arrived too fast"), "{lines} lines");
    assert_eq!(lines + dropped, 30_000, "what is not shown is counted");
}

#[test]
fn the_demo_needs_nothing() {
    let output = Sandbox::new().run(&["demo", "--run-time", "2s", "--users", "5"]).expect_code(0);
    assert!(output.stdout.contains("POST /quality/analyze"), "{}", output.shown());
    let json = output.run_dir().json();
    assert!(json["total"]["requests"].as_u64().unwrap() >= 5);
    assert_eq!((&json["total"]["failures"], json["script_errors"].as_array().unwrap().len()), (&0.into(), 0));
    assert!(json["checks"].as_array().unwrap().iter().all(|check| check["fails"] == 0), "{}", json["checks"]);
}

#[test]
fn what_is_refused_is_not_announced_and_what_has_no_effect_is_said() {
    let sandbox = Sandbox::with("fn iteration() {}");
    for refused in [&["demo", "-t", "0s"][..], &["coordinator", "nodir", "--web-address", "0"]] {
        let output = sandbox.run(refused).expect_code(104);
        for announced in ["runs at", "start agents", "waiting for agents"] {
            assert!(!output.stderr.contains(announced), "{}", output.shown());
        }
    }
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "--on-agent-loss", "abort"]);
    output.expect_stderr(&["warning: --on-agent-loss has no effect without --agents"]);
}

#[test]
fn the_target_says_where_it_is_and_answers() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["target", "--port", "0", "--median", "1ms"]);
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let address = first.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(format!("{request}\r\nhost: x\r\nconnection: close\r\n").as_bytes()).unwrap();
        stream.write_all(b"\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("GET /health HTTP/1.1").contains("\"ok\""));
    assert!(ask("GET /quality/insights HTTP/1.1").contains("\"projects\""));
    assert!(ask("GET /nosuch HTTP/1.1").starts_with("HTTP/1.1 404"));
    let running = sandbox.attach(child);
    running.signal("TERM");
    running.wait().expect_code(0);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Sandbox::new().run(&["target", "--port", &port]);
    output.expect_stderr(&["cannot listen on", "--port"]).expect_code(104);
}

#[test]
fn names_are_whole_in_a_pipe_and_columns_are_honoured() {
    let server = Server::start();
    let long = format!("/api/v2/customers/{{id}}/{}/latest", "orders-and-invoices/".repeat(6));
    let url = format!("http://localhost:{}/elsewhere/{{id}}/details/of/this", server.addr().port());
    let script = format!(
        "fn iteration() {{ http::get(\"/x\", #{{ name: \"{long}\" }}); http::post(\"/status/500\", #{{ name: \"{url}\" }}); }}"
    );
    let sandbox = Sandbox::with(&script);
    let output = sandbox.run_against(&server.url(), &["-i", "2"]).expect_code(0);
    for command in
        [&["report", "last"][..], &["report", "last", "--from", "0s"], &["compare", "last", "last"]]
    {
        let shown = sandbox.run(command).expect_code(0).stdout;
        assert!(
            shown.contains(&format!("GET  {long} ")) && shown.contains(&format!("POST {url} ")),
            "{shown}"
        );
    }
    for name in [&long, &url] {
        // In the table, and in the lists below it.
        assert!(output.stdout.matches(name.as_str()).count() >= 2, "{}", output.shown());
    }
    assert!(!output.stdout.contains('…'), "{}", output.shown());
    let narrow = sandbox.run_with(&["report", "last", "--from", "0s"], &[("COLUMNS", "90")]).expect_code(0);
    assert!(narrow.stdout.lines().all(|line| line.chars().count() <= 90), "{}", narrow.shown());
    assert!(!narrow.stdout.contains(&long) && narrow.stdout.contains("GET  /api/"), "{}", narrow.shown());
    let host = format!("http://localhost:{}/", server.addr().port());
    assert!(narrow.stdout.contains(&host), "the host is whole: {}", narrow.shown());
}

#[test]
fn the_first_failed_request_is_told_when_it_happens() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); http::get(\"/status/404\"); sleep(0.05); }";
    let sandbox = Sandbox::with(script);
    let url = server.url();
    let output = sandbox.run_against(&url, &["-t", "2500ms"]).expect_code(0);
    let told: Vec<&str> =
        output.stderr.lines().filter(|line| line.starts_with("first failed request: ")).collect();
    assert_eq!(told.len(), 1, "{}", output.shown());
    assert!(told[0].starts_with("first failed request: status 500  GET /status/500: "), "{told:?}");
    for flag in ["--quiet", "--only-summary"] {
        let output = sandbox.run_against(&url, &["-t", "1500ms", flag]).expect_code(0);
        assert!(!output.stderr.contains("first failed request"), "{}", output.shown());
    }
}
