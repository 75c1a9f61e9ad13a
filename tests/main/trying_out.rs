//! Trying a script out: `--once`, `--http-debug`, `--lib`.

use rhaid::{HttpDebug, LoadTest};

use crate::support::{Sandbox, Server, load_test, run};

const SCRIPT: &str = r#"
    scenario("s", #{ tasks: ["first", "second"], sequence: true });
    fn first() { http::get("/a?token=hidden"); print("hello"); }
    fn second() { http::post("/echo", #{ json: #{ user: "u", password: "hidden" }, bearer: "hidden" }); }
"#;

#[test]
fn once_shows_a_pass_line_by_line() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--once", "-u", "50", "-t", "1h"]);
    let output = output.expect_code(0);
    assert_eq!(server.total(), 2, "all steps of the sequence, by one user");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let url = server.url();
    assert!(
        lines[0].starts_with(&format!("[vu 1, iteration 1] GET {url}/a?token=*** -> 200 OK, ")),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1], "[vu 1, iteration 1] hello");
    assert!(lines[2].contains("iteration 2] POST") && lines[2].ends_with(" B"), "{}", lines[2]);
    assert!(!output.stdout.contains("p99") && output.stdout.contains("2 requests"), "{}", output.stdout);
}

#[test]
fn once_fails_when_anything_fails() {
    let server = Server::start();
    for (body, code) in [
        ("http::get(\"/x\");", 0),
        ("http::get(\"/status/500\");", 1),
        ("http::get(\"/x\"); fail(\"no\");", 1),
        ("http::get(\"/x\"); check(\"c\", false);", 1),
        ("print(1);", 97),
    ] {
        let sandbox = Sandbox::with(&format!("fn iteration() {{ {body} }}"));
        sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--once"]).expect_code(code);
    }
}

#[test]
fn http_debug_shows_headers_and_with_full_bodies() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    let url = server.url();
    let run = |flags: &[&str]| {
        let output = sandbox.run(&[&["run", "test.rhai", "-H", &url, "-i", "2", "-q"], flags].concat());
        let text = output.expect_code(0).stderr;
        assert!(!text.contains("hidden"), "{text}");
        text
    };
    let headers = run(&["--http-debug"]);
    for part in [
        "> user-agent: ",
        "> authorization: Bearer ***",
        "> content-type: application/json",
        "< HTTP/1.1 200",
        "waiting ",
    ] {
        assert!(headers.contains(part), "no {part:?} in\n{headers}");
    }
    assert!(!headers.contains("\"user\":\"u\""), "{headers}");
    let full = run(&["--http-debug=full"]);
    assert!(full.contains("> {\"password\":\"***\",\"user\":\"u\"}") && full.contains("< {"), "{full}");
    assert!(!run(&[]).contains("GET"), "nothing unless it is asked for");
}

#[test]
fn cookies_redirects_and_errors_are_shown() {
    let server = Server::start();
    let script = r#"fn iteration() {
        http::get("/cookies/set?session=hidden");
        http::get("/redirect/2");
        http::get("/reset");
    }"#;
    let ran = run(load_test(script).host(&server.url()).iterations(1).http_debug(HttpDebug::Headers));
    let printed = ran.printed();
    assert!(printed[0].contains("< set-cookie: ***"), "{}", printed[0]);
    assert!(
        printed[1].contains("> cookie: ***") && printed[1].matches("redirected with 302").count() == 2,
        "{}",
        printed[1]
    );
    assert!(printed[2].contains("-> reset after "), "{}", printed[2]);
}

#[test]
fn libraries_are_looked_for_in_further_folders() {
    let sandbox =
        Sandbox::with("import \"shared/cart\" as cart; fn iteration() { http::get(cart::path()); }");
    sandbox.write("libs/shared/cart.rhai", "fn path() { \"/cart\" }");
    let server = Server::start();
    let url = server.url();
    let run =
        |flags: &[&str]| sandbox.run(&[&["run", "test.rhai", "-H", &url, "-i", "1", "-q"], flags].concat());
    run(&[]).expect_code(104).expect_stderr(&["script 'shared/cart' not found"]);
    run(&["--lib", "libs"]).expect_code(0);
    run(&["--lib", "nosuch"]).expect_code(104).expect_stderr(&["'nosuch' is not a folder"]);
    sandbox.write("empty/x.rhai", "");
    run(&["--lib", "empty", "--lib", "libs"]).expect_code(0);
    let arguments = ["run", "test.rhai", "-H", &url, "-i", "1", "-q"];
    sandbox.run_with(&arguments, &[("RHAID_LIB", "empty:libs")]).expect_code(0);
    sandbox.write("rhaid.toml", "lib = [\"libs\"]");
    run(&[]).expect_code(0);
    assert_eq!(server.hits("/cart"), 4);
    let help = sandbox.run(&["run", "test.rhai", "--help", "--lib", "libs"]).expect_code(0);
    assert!(help.stdout.contains("declares no parameters"), "{}", help.stdout);
    let test =
        LoadTest::from_file(sandbox.path().join("test.rhai")).unwrap().lib_root(sandbox.path().join("libs"));
    assert!(test.prepare().is_ok());
}

#[test]
fn once_shows_all_requests_and_what_the_server_says_about_an_error() {
    let server = Server::start();
    let script = r#"
        threshold("http_req_duration: p(95) < 1ms");
        const KEY = secret::get("KEY");
        let long = "";
        long.pad(3000, "x");
        const LONG = long;
        fn iteration() {
            http::batch(["/a", ["GET", "/b"], #{ url: "/c", name: "c" }]);
            http::post("/refuse/422", #{ json: #{ said: "wrong field " + KEY, token: "hidden" }, expect: 422 });
            http::post("/refuse/500", #{ body: LONG, expect: 500 });
            http::post("/refuse/200", #{ body: "all is well" });
            ws::connect("/ws/echo").close();
        }
    "#;
    let sandbox = Sandbox::with(script);
    let arguments = ["run", "test.rhai", "-H", &server.url(), "--once", "-e", "KEY=hush-hush-7"];
    let output = sandbox.run(&arguments);
    let shown = output.shown();
    for path in ["/a", "/b", "/c", "/ws/echo"] {
        let line = format!("{}{path} -> ", server.url());
        assert_eq!(output.stderr.matches(&line).count(), 1, "{path}: {shown}");
    }
    assert!(!shown.contains("hush-hush") && !shown.contains("hidden"), "{shown}");
    assert!(output.stderr.contains("\n< {\"said\":\"wrong field ***\",\"token\":\"***\"}\n"), "{shown}");
    assert!(output.stderr.contains(&format!("< {}\n< ... (1976 more bytes)", "x".repeat(1024))), "{shown}");
    assert!(!output.stderr.contains("all is well"), "{shown}");
    // A trial evaluates no thresholds, and says so instead of saying that there are none.
    let last = output.stdout.lines().last().unwrap();
    assert!(last.starts_with(" PASSED: ") && last.contains("does not evaluate thresholds"), "{shown}");
    assert_eq!(output.code, Some(0), "{shown}");
}

#[test]
fn each_task_runs_every_task_once_whatever_fails() {
    let server = Server::start();
    let script = r#"
        wait(3600);
        task("rare", 1);
        task("often", 1000);
        task("never", 0);
        scenario("steps", #{ tasks: ["one", "two"], sequence: true, wait: 3600 });
        scenario("chain", #{ tasks: ["here", "there"], transitions: #{ here: "here", there: "here" }, wait: 3600 });
        scenario("rate", #{ exec: "due", executor: "constant-arrival-rate", rate: 5, duration: "1h" });
        fn rare() { http::get("/rare"); fail("no"); }
        fn often() { http::get("/often"); }
        fn never() { http::get("/zero"); }
        fn one() { http::get("/one"); }
        fn two() { http::get("/two"); }
        fn here() { http::get("/here"); }
        fn there() { http::get("/there"); }
        fn due() { http::get("/due"); }
    "#;
    let sandbox = Sandbox::with(script);
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--each-task", "-u", "9", "-i", "7"]);
    let shown = output.shown();
    for path in ["/rare", "/often", "/one", "/two", "/here", "/there", "/due"] {
        assert_eq!(server.hits(path), 1, "{path}: {shown}");
    }
    assert_eq!(server.hits("/zero"), 0);
    assert_eq!(output.code, Some(1), "a task failed: {shown}");
    // In their order, one after the other.
    let order: Vec<usize> = ["/one", "/two", "/here", "/there", "/due", "/rare", "/often"]
        .iter()
        .map(|path| shown.find(&format!("{path} -> ")).unwrap())
        .collect();
    assert!(order.is_sorted(), "{shown}");
    let only = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "--each-task", "--scenario", "steps"]);
    only.expect_code(0);
    assert_eq!((server.hits("/one"), server.hits("/often")), (2, 1));
}
