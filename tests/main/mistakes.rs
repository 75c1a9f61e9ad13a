//! Mistakes that people make, as the command answers them: exit code, place, source line with caret, no panic.

use crate::support::{Output, Sandbox, Server};

/// Runs `test.rhai` for one iteration against a server.
fn run(script: &str) -> (Output, Server) {
    let server = Server::start();
    let sandbox = Sandbox::with(script);
    (sandbox.run(&["run", "test.rhai", "--iterations", "1", "--host", &server.url()]), server)
}

/// Fails the test unless the message `place: message` is followed by the source line, with a caret at the column.
#[track_caller]
fn points_at(output: &Output, script: &str, place: (usize, usize), message: &str) {
    let (line, column) = place;
    let text = format!("test.rhai:{line}:{column}: {message}");
    assert!(output.stderr.contains(&text), "no {text:?} in\n{}", output.shown());
    let source = script.lines().nth(line - 1).unwrap();
    let (margin, caret) = (" ".repeat(line.to_string().len()), " ".repeat(column - 1));
    let source = source.replace('\t', " ");
    let quoted = format!("  {margin} |\n  {line} | {source}\n  {margin} | {caret}^\n");
    assert!(output.stderr.contains(&quoted), "no quotation\n{quoted}in\n{}", output.shown());
}

/// A script that does not load: exit 104, nothing requested.
#[track_caller]
fn does_not_load(script: &str, place: (usize, usize), message: &str) {
    let (output, server) = run(script);
    points_at(&output, script, place, message);
    output.expect_code(104);
    assert_eq!(server.total(), 0);
}

/// A script whose mistake shows when it runs, whether or not it could be seen before.
#[track_caller]
fn errs(script: &str, place: (usize, usize), message: &str) {
    let output = run_again(script, &["--no-check"]);
    points_at(&output, script, place, message);
    let output = output.expect_code(97);
    let errors = output.run_dir().json()["script_errors"].clone();
    assert_eq!(errors[0]["count"], 1, "{errors}");
    assert!(errors[0]["position"].as_str().unwrap().starts_with("test.rhai:"), "{errors}");
    let exceptions = output.run_dir().csv("exceptions.csv");
    assert_eq!((exceptions.len(), exceptions[0]["Count"].as_str()), (1, "1"));
    let output = run_again(script, &["--no-check", "--exit-code-on-error"]);
    // No request is the graver finding of the two.
    output.expect_code(97);
}

fn run_again(script: &str, more: &[&str]) -> Output {
    let server = Server::start();
    let url = server.url();
    let mut arguments = vec!["run", "test.rhai", "--iterations", "1", "--host", &url];
    arguments.extend(more);
    Sandbox::with(script).run(&arguments)
}

#[test]
fn a_typo_in_the_name_of_a_host_function() {
    errs(
        "fn iteration() {\n  let r = http::gett(\"/x\");\n}",
        (2, 17),
        "unknown function 'http::gett(string)' — did you mean 'http::get'?",
    );
}

#[test]
fn a_typo_in_the_name_of_a_function_of_the_script() {
    errs(
        "fn noisy(n) { n }\nfn iteration() {\n\tlet a = 1; nosy(a);\n}",
        (3, 13),
        "unknown function 'nosy(i64)' — did you mean 'noisy'?",
    );
}

#[test]
fn a_typo_in_the_name_of_a_module() {
    errs("fn iteration() { htp::get(\"/x\"); }", (1, 18), "unknown module 'htp' — did you mean 'http'?");
}

#[test]
fn a_typo_in_the_name_of_a_variable() {
    errs("fn iteration() { let count = 1; print(coutn); }", (1, 39), "unknown variable 'coutn'");
}

#[test]
fn too_many_arguments() {
    errs("fn iteration() { sleep(1, 2); }", (1, 18), "no function 'sleep' takes (i64, i64)");
}

#[test]
fn division_by_zero() {
    errs("fn iteration() {\n  let a = 1 / 0;\n}", (2, 13), "division by zero");
}

#[test]
fn a_missing_import() {
    does_not_load("import \"nosuch\" as n;\nfn iteration() {}", (1, 8), "script 'nosuch' not found");
}

#[test]
fn a_task_that_names_no_function() {
    does_not_load(
        "wait(1);\ntask(\"brwose\");\nfn browse() {}",
        (2, 1),
        "task(\"brwose\") names a function 'brwose' that the script does not define — did you mean 'browse'?",
    );
    does_not_load(
        "scenario(\"s\", #{ exec: \"f\", on_start: \"login\" });\nfn f() {} fn log_in() {}",
        (1, 1),
        "scenario 's' names a function 'login' that the script does not define — did you mean 'log_in'?",
    );
}

#[test]
fn a_task_that_takes_arguments() {
    does_not_load("task(\"f\");\nfn f(a, b) {}", (1, 1), "task(\"f\") names 'f', which takes 2 argument(s)");
}

#[test]
fn a_file_that_is_not_rhai() {
    does_not_load("<html>\n<body></body>", (1, 1), "");
    does_not_load("def iteration(self):\n    pass", (1, 1), "'def' is Python — write fn iteration() { … }");
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("test.rhai"), [0x7f, b'E', b'L', b'F', 0xff, 0xfe, 0x00]).unwrap();
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", "http://127.0.0.1:1"]);
    output.expect_stderr(&["'test.rhai' is not text"]).expect_code(104);
}

#[test]
fn a_script_that_ends_in_the_middle() {
    let (output, _) = run("fn iteration() {\n  if true {\n");
    output
        .expect_stderr(&["error: test.rhai:2:12: expecting '}'", "  2 |   if true {\n    |            ^"])
        .expect_code(104);
    let (output, _) = run("fn iteration() { print(\"no end");
    output.expect_stderr(&["error: test.rhai:1:24: "]).expect_code(104);
}

#[test]
fn an_empty_script() {
    let (output, _) = run("");
    output
        .expect_stderr(&["test.rhai: the script declares nothing to run", "fn iteration()"])
        .expect_code(104);
}

#[test]
fn a_script_that_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.run(&["run", "nosuch.rhai"]).expect_stderr(&["cannot read 'nosuch.rhai'"]).expect_code(104);
    sandbox.run(&["run", "."]).expect_code(104);
    assert!(sandbox.runs().is_empty(), "no results of a run that never was");
}

#[test]
fn an_endless_loop() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() {\n  loop {}\n}");
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "-t", "300ms", "-s", "200ms"]);
    output.expect_stderr(&["test.rhai:", "endless loop"]).expect_code(97);
}

#[test]
fn endless_recursion() {
    let script = "fn iteration() {\n  f(0);\n}\nfn f(n) {\n  f(n + 1) + 1\n}";
    let (output, _) = run(script);
    let output = output
        .expect_code(97)
        .expect_stderr(&["test.rhai:", "function calls are nested too deeply; check for endless recursion"]);
    // Without optimisation the stack ends before the limit on calls is met, and then Rhai knows no place.
    let output = match cfg!(debug_assertions) {
        true => output,
        false => output.expect_stderr(&["5 |   f(n + 1) + 1", "in f, called at test.rhai:5:3"]),
    };
    assert!(output.stderr.lines().count() < 40, "the chain is cut: {}", output.shown());
}

#[test]
fn an_endless_loop_at_the_top_level_of_a_function_of_another_file() {
    let sandbox = Sandbox::with("import \"lib\" as lib;\nfn iteration() { lib::spin(); }");
    sandbox.write("lib.rhai", "fn spin() {\n  while true {}\n}");
    let output = sandbox.run(&["run", "test.rhai", "-t", "200ms", "-s", "100ms", "-H", "http://127.0.0.1:1"]);
    output.expect_stderr(&["endless loop"]).expect_code(97);
}

#[test]
fn a_host_with_no_server() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("http://127.0.0.1:{port}");
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "2", "-H", &host]).expect_code(1);
    assert!(output.stdout.contains("refused  GET /x"), "{}", output.shown());
    assert!(output.stdout.contains("is the server running there?"), "{}", output.shown());
    assert_eq!(output.run_dir().json()["failures"][0]["kind"], "refused");
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    sandbox.run(&["run", "test.rhai", "-i", "2", "-H", &host, "--exit-code-on-error"]).expect_code(1);
}

#[test]
fn a_host_with_no_name() {
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "2", "-H", "http://nohost.invalid"]).expect_code(1);
    assert!(
        output.stdout.contains("dns  GET /x") && output.stdout.contains("nohost.invalid"),
        "{}",
        output.shown()
    );
    for host in ["http://", "nonsense", "127.0.0.1:8000", "ftp://127.0.0.1", "http://127.0.0.1:99999"] {
        let output =
            Sandbox::with("fn iteration() { http::get(\"/x\"); }").run(&["run", "test.rhai", "-H", host]);
        output.expect_stderr(&["error: ", "host"]).expect_code(104);
    }
}

#[test]
fn no_host_at_all() {
    let script = "fn iteration() {\n  http::get(\"/x\");\n}";
    let sandbox = Sandbox::with(script);
    let output = sandbox.run(&["run", "test.rhai", "--run-time", "10s", "--users", "3", "-r", "1000"]);
    points_at(&output, script, (2, 9), "the URL \"/x\" is relative, and no host is set; set one with --host");
    output.expect_code(104);
}

#[test]
fn no_users() {
    let sandbox = Sandbox::with("fn iteration() {}");
    sandbox.run(&["run", "test.rhai", "--users", "0"]).expect_stderr(&["'0'", "--users"]).expect_code(2);
    let sandbox = Sandbox::with("options(#{ users: 0 });\nfn iteration() {}");
    sandbox.run(&["run", "test.rhai"]).expect_stderr(&["users is 0", "--users 1"]).expect_code(104);
}

#[test]
fn values_that_mean_nothing() {
    let sandbox = Sandbox::with("fn iteration() {}");
    for (flag, value, words) in [
        ("--spawn-rate", "0", "must be above 0"),
        ("--spawn-rate", "fast", "number per second"),
        ("--run-time", "5 parsecs", "1m30s"),
        ("--iterations", "0", "--iterations"),
        ("--threads", "0", "1 to 1024"),
        ("--env", "novalue", "NAME=VALUE"),
        ("--param", "=x", "NAME=VALUE"),
        ("--seed", "x", "--seed"),
        ("--color", "pink", "always"),
        ("--http-version", "3", "auto, 1.1, 2"),
        ("--connect-timeout", "soon", "1m30s"),
        ("--max-redirects", "many", "--max-redirects"),
    ] {
        sandbox.run(&["run", "test.rhai", flag, value]).expect_stderr(&["error: ", words]).expect_code(2);
    }
    let output = sandbox.run(&["run", "test.rhai", "--run-time", "0"]);
    output.expect_stderr(&["run_time is 0"]).expect_code(104);
    for (flag, value, name) in [
        ("--timeout", "0", "timeout"),
        ("--timeout", "0ms", "timeout"),
        ("--connect-timeout", "0s", "connect_timeout"),
    ] {
        let output = sandbox.run(&["run", "test.rhai", "-H", "http://127.0.0.1:1", flag, value]);
        output.expect_stderr(&[&format!("{name} is 0: every request would fail")]).expect_code(104);
    }
    sandbox.write("rhaid.toml", "timeout = \"0s\"\n");
    let output = sandbox.run(&["run", "test.rhai", "-H", "http://127.0.0.1:1"]);
    output.expect_stderr(&["timeout is 0"]).expect_code(104);
    sandbox.write("rhaid.toml", "http_version = 3\n");
    let output = sandbox.run(&["run", "test.rhai", "-H", "http://127.0.0.1:1"]);
    output.expect_stderr(&["rhaid.toml", "auto, 1.1, 2"]).expect_code(104);
    sandbox.write("rhaid.toml", "");
    sandbox.write("test.rhai", "options(#{ http: #{ http_version: 3 } });\nfn iteration() {}");
    let output = sandbox.run(&["run", "test.rhai", "-H", "http://127.0.0.1:1"]);
    output.expect_stderr(&["options.http.http_version", "\"1.1\""]).expect_code(104);
}

#[test]
fn flags_and_commands_that_do_not_exist() {
    let sandbox = Sandbox::with("fn iteration() {}");
    sandbox
        .run(&["run", "test.rhai", "--usrs", "3"])
        .expect_stderr(&["'--usrs'", "'--users'"])
        .expect_code(2);
    sandbox.run(&["tagret"]).expect_stderr(&["'tagret'", "'target'"]).expect_code(2);
    sandbox.run(&["run"]).expect_stderr(&["no script", "rhaid new test.rhai"]).expect_code(2);
    sandbox.run(&[] as &[&str]).expect_code(2);
}

#[test]
fn one_error_is_shown_once_while_the_run_goes_on() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() {\n  http::get(\"/x\");\n  throw \"odd\";\n}");
    let output =
        sandbox.run(&["run", "test.rhai", "-i", "200", "-u", "4", "-r", "1000", "-H", &server.url()]);
    let output = output.expect_code(1);
    assert_eq!(output.stderr.matches("test.rhai:3:3: odd").count(), 1, "{}", output.shown());
    assert!(output.stdout.contains("×200 test.rhai:3:3: odd"), "{}", output.shown());
    assert_eq!(output.run_dir().json()["script_errors"][0]["count"], 200);
}

#[test]
fn a_response_cannot_rewrite_the_terminal() {
    let server = Server::start();
    let script = r#"fn iteration() { let r = http::get("/x"); print("a\x1b[2Jb"); r.fail("c\x1b[31md"); throw "e\x1b]0;f"; }"#;
    let sandbox = Sandbox::with(script);
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &server.url()]).expect_code(1);
    assert!(!output.stdout.contains('\x1b') && !output.stderr.contains('\x1b'), "{:?}", output.shown());
}

#[test]
fn a_closure_that_uses_what_its_own_expression_works_on() {
    errs(
        "fn iteration() {\n    let a = [1, 2];\n    a.map(|x| x + a.len);\n}",
        (1, 16),
        "argument #1 of function 'map' uses a variable that the same expression is using; assign the part before \
         the closure to a variable",
    );
}

#[test]
fn a_value_that_needs_its_equals_sign_is_shown_with_it() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let host = server.url();
    for (more, expected) in [
        (["--baseline", "main"], "did you mean: --baseline=main\n"),
        (["--http-debug", "full"], "did you mean: --http-debug=full\n"),
    ] {
        let arguments = [&["run", "test.rhai", "-H", &host, "-i", "1"][..], &more].concat();
        let output = sandbox.run(&arguments).expect_code(2);
        let flag = format!("error: {} takes its value after '=', not after a space\n", more[0]);
        output.expect_stderr(&[&flag, expected, "Usage: rhaid run"]);
    }
    assert_eq!(server.total(), 0);
}

#[test]
fn an_input_whose_kind_is_missing_is_answered_with_the_command_to_type() {
    let sandbox = Sandbox::new();
    for (input, expected) in [
        ("shop.har", "did you mean: rhaid convert har shop.har\n"),
        ("my api.yaml", "did you mean: rhaid convert openapi 'my api.yaml'\n"),
        ("calls.sh", "did you mean: rhaid convert curl calls.sh\n"),
        (
            "shop.postman_collection.json",
            "did you mean: rhaid convert postman shop.postman_collection.json\n",
        ),
        ("plan.jmx", "did you mean: rhaid convert jmeter plan.jmx\n"),
        ("x", "write one of: rhaid convert har x, rhaid convert curl x, rhaid convert openapi x, "),
    ] {
        sandbox.run(&["convert", input]).expect_code(2).expect_stderr(&[
            "error: expected the kind of input (har, curl, openapi, postman, jmeter), not ",
            expected,
            "Usage: rhaid convert",
        ]);
    }
    for arguments in [&["convert", "k6", "test.js"][..], &["convert", "locustfile.py"]] {
        sandbox.run(arguments).expect_code(2).expect_stderr(&["are programs", "docs/convert-k6-locust.md"]);
    }
    sandbox.run(&["convert", "opnapi", "x.json"]).expect_code(2).expect_stderr(&["'openapi'"]);
}
