//! Files that a command is told to read or write, and that are not what one would expect.

use std::process::{Command, Stdio};

use crate::support::{Sandbox, Server, wait_until};

const SCRIPT: &str =
    "import \"lib\" as lib;\nconst ROWS = data::csv(\"rows.csv\");\nfn iteration() { http::get(\"/x\"); }";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("lib.rhai", "fn a() { 1 }");
    sandbox.write("rows.csv", "a\n1\n");
    sandbox.write("rhaid.toml", "users = 1\n");
    sandbox
}

#[cfg(unix)]
fn pipe(sandbox: &Sandbox, name: &str) {
    assert!(Command::new("mkfifo").arg(sandbox.path().join(name)).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_output_that_is_a_pipe_nobody_reads_is_refused_before_the_run() {
    let server = Server::start();
    let sandbox = sandbox();
    pipe(&sandbox, "pipe");
    for flag in [
        "--html=pipe",
        "--junit=pipe",
        "--markdown=pipe",
        "--summary-export=pipe",
        "--out=json=pipe",
        "--out=csv=pipe",
    ] {
        let output = sandbox.run_against(&server.url(), &["-i", "1", flag]).expect_code(104);
        assert!(output.stderr.contains("named pipe"), "{flag}: {}", output.shown());
    }
    assert_eq!(server.total(), 0);
    let output = sandbox.run(&["monitor", "1", "--csv", "pipe", "--svg", "x.svg"]).expect_code(104);
    assert!(output.stderr.contains("named pipe"), "{}", output.shown());
}

#[cfg(unix)]
#[test]
fn a_report_may_go_to_a_descriptor_of_the_process() {
    let server = Server::start();
    let sandbox = sandbox();
    let output =
        sandbox.run_against(&server.url(), &["-i", "1", "-q", "--junit", "/dev/stdout"]).expect_code(0);
    assert!(output.stdout.contains("<testsuites"), "{}", output.shown());
    let script = "\"$0\" run test.rhai -i 1 -q -H \"$1\" --out json=pipe & cat pipe > got; wait";
    pipe(&sandbox, "pipe");
    let url = server.url();
    let mut command = Command::new("sh");
    let ran = command.args(["-c", script, env!("CARGO_BIN_EXE_rhaid"), &url]).current_dir(sandbox.path());
    assert!(ran.stdin(Stdio::null()).status().unwrap().success());
    let got = std::fs::read_to_string(sandbox.path().join("got")).unwrap();
    // Either the reader was first, or the run was and said so; it never waits.
    assert!(got.is_empty() || got.contains("http_reqs"), "{got}");
}

#[test]
fn an_output_is_no_input_and_no_other_output() {
    let server = Server::start();
    let sandbox = sandbox();
    let first = sandbox.run_against(&server.url(), &["-i", "1"]).expect_code(0).run_dir().0;
    let run = first.to_str().unwrap().to_owned();
    let (baseline, json) = (format!("--baseline={run}"), format!("--html={run}/run.json"));
    let before = server.total();
    for (arguments, what) in [
        (&["--html", "test.rhai"][..], "--html would overwrite the script"),
        (&["--junit", "./lib.rhai"], "--junit would overwrite the script"),
        (&["--markdown", "rows.csv"], "--markdown would overwrite the data file"),
        (&["--summary-export", "rhaid.toml"], "--summary-export would overwrite the settings file"),
        (&["--out", "json=test.rhai"], "--out would overwrite the script"),
        (&[baseline.as_str(), json.as_str()], "--html would overwrite the baseline"),
        (&["--html", "o", "--junit", "o"], "--html and --junit write to 'o'"),
        (&["--html", "x_stats.csv", "--csv", "x"], "--html and --csv write to"),
        (&["--out", "json=o", "--out", "csv=./o"], "two --out write to"),
        (&["--markdown", "new/o", "--out", "csv=new/../new/o"], "--markdown and --out write to"),
    ] {
        let output = sandbox.run_against(&server.url(), &[&["-i", "1"], arguments].concat());
        assert!(output.code == Some(2) && output.stderr.contains(what), "{what}: {}", output.shown());
    }
    assert_eq!(server.total(), before, "nothing was run");
    assert_eq!(std::fs::read_to_string(sandbox.path().join("test.rhai")).unwrap(), SCRIPT);
    for arguments in [["--html", &format!("{run}/run.json")], ["--junit", &format!("{run}/script/test.rhai")]]
    {
        let output = sandbox.run(&[&["report", &run][..], &arguments].concat()).expect_code(104);
        assert!(output.stderr.contains("would overwrite the run's"), "{}", output.shown());
    }
    let page = format!("{run}/report.html");
    sandbox.run(&["report", &run, "--html", &page]).expect_code(0);
    sandbox.run(&["report", &run, "--html", &page]).expect_code(0);
    sandbox
        .run_against(&server.url(), &["-i", "1", "--html", "/dev/null", "--junit", "/dev/null"])
        .expect_code(0);
}

/// Files of an earlier run, one for each output of a run.
const KEPT: [&str; 9] = [
    "keep.xml",
    "keep.html",
    "keep.md",
    "keep.json",
    "keep.ndjson",
    "keep_stats.csv",
    "keep_stats_history.csv",
    "keep_failures.csv",
    "keep_exceptions.csv",
];

/// The flags that write to those.
const KEEP: [&str; 12] = [
    "--junit",
    "keep.xml",
    "--html",
    "keep.html",
    "--markdown",
    "keep.md",
    "--summary-export",
    "keep.json",
    "--out",
    "json=keep.ndjson",
    "--csv",
    "keep",
];

#[test]
fn a_run_that_is_refused_touches_no_file() {
    let server = Server::start();
    let sandbox = sandbox();
    KEPT.iter().for_each(|name| drop(sandbox.write(name, "old")));
    sandbox.write("file", "");
    let is_kept = |name: &&str| std::fs::read_to_string(sandbox.path().join(name)).unwrap() == "old";
    for refused in [
        &["--out", "csv=file/x"][..],
        &["--results-dir", "file"],
        &["--ca-file", "nosuch.pem"],
        &["--baseline=nosuch"],
        &["--param", "nosuch=1"],
    ] {
        let output = sandbox.run_against(&server.url(), &[&["-i", "2"], &KEEP[..], refused].concat());
        output
            .expect_code(104)
            .expect_stderr(&["warning: keep.xml is left as it is, because it is no JUnit file"]);
        assert!(KEPT.iter().all(is_kept), "{refused:?}");
    }
    // The last of the files that a flag names.
    for (at, _) in KEEP.iter().enumerate().filter(|(_, word)| word.starts_with("keep")) {
        let mut flags = KEEP;
        flags[at] = "file/x";
        sandbox.run_against(&server.url(), &[&["-i", "2"], &flags[..]].concat()).expect_code(104);
        assert!(KEPT.iter().all(is_kept), "{flags:?}");
    }
    assert_eq!(server.total(), 0);
}

#[test]
fn until_its_end_a_run_leaves_the_files_of_an_earlier_one() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.02); }");
    let at_the_end = ["keep.xml", "keep.html", "keep.md", "keep.json"];
    at_the_end[..3].iter().for_each(|name| drop(sandbox.write(name, "old")));
    let url = server.url();
    let running = sandbox.start(&[&["run", "test.rhai", "-H", &url], &KEEP[..]].concat());
    wait_until("requests", || server.total() > 2);
    running.signal("KILL");
    running.wait();
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).ok();
    assert_eq!(at_the_end.map(read), [Some("old".into()), Some("old".into()), Some("old".into()), None]);
    sandbox.run_against(&url, &[&["-i", "1"], &KEEP[..]].concat()).expect_code(0);
    assert!(KEPT.iter().all(|name| read(name).is_some_and(|text| !text.is_empty() && text != "old")));
    let left: Vec<String> = std::fs::read_dir(sandbox.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_folders_of_all_outputs_are_made() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let flags = [
        "--junit=a/b/x.xml",
        "--html=c/x.html",
        "--markdown=d/x.md",
        "--summary-export=e/x.json",
        "--out=csv=f/x.csv",
        "--csv=g/h/x",
    ];
    sandbox.run_against(&server.url(), &[&["-i", "1"], &flags[..]].concat()).expect_code(0);
    let files = ["a/b/x.xml", "c/x.html", "d/x.md", "e/x.json", "f/x.csv", "g/h/x_stats.csv"];
    assert!(files.iter().all(|file| sandbox.path().join(file).metadata().unwrap().len() > 0));
    sandbox.run(&["convert", "curl", "curl http://localhost/", "-o", "i/x.rhai"]).expect_code(0);
    assert!(sandbox.path().join("i/x.rhai").is_file());
}

#[test]
fn a_run_that_is_refused_says_so_in_junit_where_an_earlier_one_passed() {
    let server = Server::start();
    let sandbox = sandbox();
    sandbox.write("bad.rhai", "fn iteration() { http::get( }");
    let url = server.url();
    let read = || std::fs::read_to_string(sandbox.path().join("j.xml")).unwrap();
    for refused in [
        &["bad.rhai"][..],
        &["nosuch.rhai"],
        &["test.rhai", "--ca-file", "nosuch.pem"],
        &["test.rhai", "--baseline=nosuch"],
        &["test.rhai", "--json", "--out", "json=-"],
        &["test.rhai", "--csv", "rows.csv/x"],
        &["test.rhai", "--config", "nosuch.toml"],
        &["test.rhai", "--profile", "all", "--ca-file", "nosuch.pem"],
    ] {
        sandbox.run_against(&url, &["-i", "1", "--junit", "j.xml"]).expect_code(0);
        assert!(read().contains("failures=\"0\" errors=\"0\""), "{}", read());
        let output = sandbox.run(&[&["run"], refused, &["-i", "1", "-H", &url, "--junit", "j.xml"]].concat());
        assert!(matches!(output.code, Some(2 | 104)), "{refused:?}: {}", output.shown());
        let file = if refused.contains(&"all") { "j_load.xml" } else { "j.xml" };
        let text = std::fs::read_to_string(sandbox.path().join(file)).unwrap();
        assert!(
            text.contains("errors=\"1\"") && text.contains("the run was not made: "),
            "{refused:?}: {text}"
        );
    }
    // What it was refused for may be that the file is another one.
    sandbox.run_against(&url, &["-i", "1", "--junit", "rows.csv"]).expect_code(2);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("rows.csv")).unwrap(), "a\n1\n");
}

#[test]
fn a_run_that_is_refused_leaves_no_folder_and_says_why_once() {
    let server = Server::start();
    let sandbox = sandbox();
    sandbox.write("file", "");
    let run = |arguments: &[&str]| sandbox.run_against(&server.url(), &[&["-i", "1"], arguments].concat());
    let wanted = ["--html", "new/a/h.html", "--markdown", "new/m.md", "--out", "csv=new/o/s.csv", "--csv"];
    run(&[&wanted[..], &["file/x"]].concat()).expect_code(104);
    assert!(!sandbox.path().join("new").exists());
    let output = run(&["--junit", "file/j.xml"]).expect_code(104);
    assert_eq!(output.stderr.matches("j.xml").count(), 1, "{}", output.shown());
    run(&[&wanted[..], &["new/c/x"]].concat()).expect_code(0);
    for made in ["new/a/h.html", "new/m.md", "new/o/s.csv", "new/c/x_stats.csv"] {
        assert!(sandbox.path().join(made).is_file(), "{made}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_end_is_not_read_for_ever() {
    let server = Server::start();
    let sandbox = sandbox();
    std::os::unix::fs::symlink("/dev/zero", sandbox.path().join("zero.rhai")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", sandbox.path().join("zero.csv")).unwrap();
    sandbox.write("imports.rhai", "import \"zero\" as z; fn iteration() {}");
    sandbox.write("reads.rhai", "const R = data::csv(\"zero.csv\"); fn iteration() {}");
    let url = server.url();
    for (arguments, part) in [
        (&["run", "/dev/zero"][..], "larger than 16 MB"),
        (&["check", "/dev/zero"], "larger than 16 MB"),
        (&["run", "imports.rhai", "--lib", "/dev"], "larger than 16 MB"),
        (&["run", "reads.rhai", "--data", "/dev"], "not a regular file"),
        (&["run", "test.rhai", "-i", "1", "-H", &url, "--ca-file", "/dev/zero"], "larger than 16 MB"),
        (&["run", "test.rhai", "-i", "1", "-H", &url, "--client-cert", "/dev/zero"], "larger than 16 MB"),
        (&["run", "test.rhai", "-i", "1", "-H", &url, "--config", "/dev/zero"], "larger than 16 MB"),
        (&["run", "test.rhai", "-i", "1", "-H", &url, "--profile", "/dev/zero"], "larger than 16 MB"),
    ] {
        let output = sandbox.run(arguments);
        assert!(output.code == Some(104) || output.code == Some(2), "{arguments:?} {}", output.shown());
        assert!(output.shown().contains(part), "{arguments:?} {}", output.shown());
    }
    assert_eq!(server.total(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_is_no_success_of_any_command() {
    let server = Server::start();
    let sandbox = sandbox();
    let url = server.url();
    let run = sandbox.run_against(&url, &["-i", "1"]).expect_code(0).run_dir().0;
    sandbox.run(&["baseline", "save", run.to_str().unwrap(), "--name", "kept"]).expect_code(0);
    sandbox.write("plan.jmx", include_str!("../goldens/convert/plan.jmx"));
    sandbox.write("shop.json", include_str!("../goldens/convert/shop.json"));
    sandbox.write("shop.postman.json", include_str!("../goldens/convert/shop.postman.json"));
    sandbox.write("orders.har", include_str!("../goldens/convert/orders.har"));
    let against = ["-i", "1", "-H", &url];
    let run = |more: &[&'static str]| -> Vec<String> {
        [&["run", "test.rhai"][..], &against, more].concat().into_iter().map(str::to_owned).collect()
    };
    let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let commands = [
        run(&[]),
        run(&["--once"]),
        run(&["--quiet"]),
        run(&["--only-summary"]),
        run(&["--json"]),
        run(&["--json", "--quiet"]),
        run(&["--out", "json=-"]),
        run(&["--out", "csv=-"]),
        run(&["--help"]),
        words("demo -t 300ms -u 2 -r 10"),
        words("demo -t 300ms -u 2 -r 10 --json"),
        words("target --port 0"),
        words("web --web-address 127.0.0.1:0"),
        words("coordinator --web-address 127.0.0.1:0"),
        words("ctl status --results-dir on"),
        words("ctl status --results-dir on --json"),
        words("monitor 1"),
        words("monitor 1 --serve 0"),
        words("new shop.rhai"),
        words("convert har orders.har"),
        vec!["convert".to_owned(), "curl".to_owned(), "curl http://localhost/x".to_owned()],
        words("convert openapi shop.json"),
        words("convert postman shop.postman.json"),
        words("convert jmeter plan.jmx"),
        words("docs"),
        words("docs --markdown"),
        words("docs http"),
        words("docs http::get"),
        words("docs http_reqs"),
        words("docs std/auth"),
        words("definitions definitions"),
        words("report last"),
        words("report last --json"),
        words("report last --from 0s"),
        words("report last --from 0s --json"),
        words("compare last kept"),
        words("compare last kept --json"),
        words("compare last kept --markdown c.md"),
        words("baseline save last"),
        words("baseline list"),
        words("trend"),
        words("trend last"),
        words("check test.rhai --json"),
        words("completions bash"),
    ];
    // For `ctl`: a run that is on.
    let wait = "wait(0.1); fn iteration() { http::get(\"/x\"); }";
    sandbox.write("long.rhai", wait);
    let long = ["run", "long.rhai", "-H", &url, "--control", "--results-dir", "on", "--only-summary"];
    let _long = sandbox.start(&long);
    wait_until("the run that is on", || {
        sandbox.run(&["ctl", "status", "--results-dir", "on"]).code == Some(0)
    });
    for arguments in &commands {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = sandbox.command(arguments).stdout(full).spawn().unwrap();
        let output = sandbox.attach(child).wait();
        assert_eq!(output.code, Some(104), "{arguments:?} {}", output.shown());
        let told = output.stderr.contains("standard output");
        assert!(told && output.stderr.contains("No space left"), "{arguments:?} {}", output.shown());
    }
    // A command that is new has to be in the list; an agent has no results, so it writes nothing there.
    let help = sandbox.run(&["--help"]).expect_code(0).stdout;
    let listed = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !["", "help", "agent"].contains(name)) {
        assert!(commands.iter().any(|command| command[0] == name), "{name} is not tried");
    }
}

#[test]
fn a_token_that_protects_nothing_is_refused() {
    let sandbox = Sandbox::new();
    for arguments in
        [["monitor", "1", "--serve", "0", "--token", ""], ["monitor", "1", "--serve", "0", "--token", " "]]
    {
        let output = sandbox.run(&arguments).expect_code(2);
        assert!(output.stderr.contains("the token is empty"), "{}", output.shown());
    }
    let output =
        sandbox.run_with(&["monitor", "1", "--serve", "0"], &[("RHAID_MONITOR_TOKEN", "")]).expect_code(2);
    assert!(output.stderr.contains("the token is empty"), "{}", output.shown());
}

#[cfg(unix)]
#[test]
fn half_a_request_does_not_keep_a_monitor() {
    use std::io::{BufRead, BufReader, Write};
    let sandbox = Sandbox::new();
    let mut child = sandbox.command(&["monitor", "--serve", "0"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let mut connection = std::net::TcpStream::connect(&address).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    let running = sandbox.attach(child);
    running.signal("TERM");
    running.wait().expect_code(0);
    drop(connection);
}
