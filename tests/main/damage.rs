//! Places that cannot be written to, runs that were killed, files that were cut off: told, never a panic.

use std::fs;
use std::path::Path;

use crate::support::{Sandbox, Server, wait_until};

const MIXED: &str = r#"
    options(#{ stages: [
        #{ duration: "3s", target: 4, name: "warm, \"up\"" },
        #{ duration: "20s", target: 4, name: "rush" },
    ] });
    fn iteration() {
        http::get("/x");
        http::get("/status/500");
        check("c", true);
        if vu::iteration() % 4 == 0 { throw "odd"; }
        sleep(0.02);
    }
"#;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_run_that_was_killed_keeps_phases_and_stages_and_can_be_reported() {
    let server = Server::start();
    let sandbox = Sandbox::with(MIXED);
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "--out", "json=s.json", "--out", "csv=s.csv.gz"];
    let running = sandbox.start(&arguments);
    let timeline = || {
        let runs = sandbox.runs();
        let rows = runs.first().map(|run| fs::read_to_string(run.0.join("timeline.csv")).unwrap_or_default());
        rows.unwrap_or_default()
    };
    wait_until("two seconds in the second stage", || timeline().matches(",rush,").count() >= 2);
    running.signal("KILL");
    let output = running.wait();
    assert_eq!(output.code, None, "{}", output.shown());
    let run = output.run_dir();
    assert!(timeline().contains(",\"warm, \"\"up\"\"\",,"), "{}", timeline());

    let folder = run.0.to_str().unwrap();
    let reported =
        sandbox.run(&["report", folder, "--json", "--html", "r.html", "--svg", "svg"]).expect_code(0);
    let json: serde_json::Value = serde_json::from_str(&reported.stdout).unwrap();
    let stages: Vec<&str> =
        json["phases"].as_array().unwrap().iter().filter_map(|span| span["stage"].as_str()).collect();
    assert_eq!(stages, ["warm, \"up\"", "rush"], "{}", json["phases"]);
    assert!(json["ended_by"].as_str().is_some_and(|word| word == "not finished"), "{}", json["ended_by"]);
    assert!(json["total"]["requests"].as_u64().unwrap() > 0);
    assert!(fs::read_to_string(sandbox.path().join("r.html")).unwrap().ends_with("</html>\n"));
    // Without the state, the seconds tell them.
    fs::remove_file(run.0.join("state.json")).unwrap();
    let reported = sandbox.run(&["report", folder, "--json"]).expect_code(0).expect_stderr(&["state.json"]);
    let json: serde_json::Value = serde_json::from_str(&reported.stdout).unwrap();
    assert!(
        json["phases"].as_array().unwrap().iter().any(|span| span["stage"] == "rush"),
        "{}",
        json["phases"]
    );
    // Of the samples only the last line may be cut: the system stops a write of a process that is killed.
    let samples = fs::read_to_string(sandbox.path().join("s.json")).unwrap();
    let (whole, _) = samples.rsplit_once('\n').expect("a sample at least");
    assert!(whole.lines().all(|line| line.ends_with('}')));
}

/// Cuts every file of a run at many places: each time there is a report or a clear error.
#[test]
fn every_beginning_of_every_file_gives_a_report_or_a_clear_error() {
    let server = Server::start();
    let sandbox = Sandbox::with(MIXED);
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-t", "2s", "-q"];
    let run = sandbox.run(&arguments).expect_code(0).run_dir();
    let cut = sandbox.path().join("cut");
    for name in ["run.json", "state.json", "latency.hlog", "timeline.csv", "resources.csv", "stats.csv"] {
        let Ok(bytes) = fs::read(run.0.join(name)) else { continue };
        // All of the begin, where headers are, and a hundred places beyond.
        let places =
            (0..bytes.len().min(200)).step_by(7).chain((200..bytes.len()).step_by(bytes.len() / 100 + 1));
        for place in places {
            copy(&run.0, &cut);
            fs::write(cut.join(name), &bytes[..place]).unwrap();
            let read = std::panic::catch_unwind(|| rhaid::results::StoredRun::read(&cut));
            let read = read.unwrap_or_else(|_| panic!("{name} cut at {place}"));
            let stored = read.unwrap_or_else(|error| panic!("{name} cut at {place}: {error}"));
            assert!(name != "state.json" || !stored.problems.is_empty(), "{name} cut at {place}");
            if place % 5 == 0 {
                let model =
                    rhaid::report::Model::new(&stored.record, &stored.recording.intervals, &stored.problems);
                assert!(rhaid::report::html_report(&model).ends_with("</html>\n"), "{name} cut at {place}");
            }
        }
    }
    // As the command, with all of them half.
    for entry in fs::read_dir(&cut).unwrap().map(Result::unwrap) {
        let bytes = fs::read(entry.path()).unwrap();
        fs::write(entry.path(), &bytes[..bytes.len() / 2]).unwrap();
    }
    sandbox
        .run(&["report", "cut", "--html", "h.html", "--junit", "j.xml"])
        .expect_code(0)
        .expect_stderr(&["warning"]);
    for entry in fs::read_dir(&cut).unwrap().map(Result::unwrap) {
        fs::write(entry.path(), b"").unwrap();
    }
    sandbox.run(&["report", "cut"]).expect_code(0).expect_stderr(&["state.json"]);
}

#[test]
fn places_that_cannot_be_written_to_are_told_before_any_load() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let url = server.url();
    for (flag, place) in [
        ("--results-dir", "test.rhai"),
        ("--html", "test.rhai/x.html"),
        ("--html", "."),
        ("--junit", "."),
        ("--markdown", "test.rhai/x.md"),
        ("--summary-export", "."),
        ("--csv", "test.rhai/x"),
    ] {
        let output = sandbox.run(&["run", "test.rhai", "-H", &url, "-i", "1", flag, place]).expect_code(104);
        assert!(output.stderr.contains("cannot "), "{flag} {place}: {}", output.shown());
    }
    assert_eq!(server.total(), 0, "no load was made");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_the_end_is_told_and_the_rest_is_written() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let url = server.url();
    let arguments = [
        "-i",
        "3",
        "--html",
        "/dev/full",
        "--junit",
        "/dev/full",
        "--markdown",
        "/dev/full",
        "--summary-export",
        "/dev/full",
    ];
    let output = sandbox.run_against(&url, &arguments).expect_code(104);
    let output =
        output.expect_stderr(&["cannot write /dev/full", "there is no report: cannot write /dev/full"]);
    assert_eq!(output.stderr.matches("error: ").count(), 4, "each file is told: {}", output.shown());
    assert!(output.stderr.contains("results, not all: performance/results/"), "{}", output.shown());
    assert_eq!(output.run_dir().json()["total"]["requests"], 3);
    assert!(Path::new("/dev/full").exists());
    let folder = output.run_dir().0;
    let folder = folder.to_str().unwrap();
    for flag in ["--html", "--junit", "--markdown", "--summary-export"] {
        sandbox
            .run(&["report", folder, flag, "/dev/full"])
            .expect_code(104)
            .expect_stderr(&["cannot write /dev/full"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_missing_is_no_pass_and_hides_no_other_verdict() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); http::get(\"/status/500\"); }");
    let url = server.url();
    for flag in ["--html", "--junit", "--markdown", "--summary-export"] {
        sandbox.run_against(&url, &["-i", "1", flag, "/dev/full"]).expect_code(104);
        sandbox.run_against(&url, &["-i", "1", flag, "there"]).expect_code(0);
    }
    let json = ["-i", "1", "-q", "--json", "--junit", "/dev/full"];
    let output = sandbox.run_against(&url, &json).expect_code(104);
    assert!(
        output.stderr.contains("FAILED: its results are not complete: cannot write /dev/full"),
        "the verdict is that of the exit code: {}",
        output.shown()
    );
    for (arguments, code) in [
        (&["--exit-code-on-error"][..], 1),
        (&["--threshold", "http_req_failed: rate < 1%"], 99),
        (&["--threshold", "http_req_failed: rate <= 50%"], 104),
    ] {
        let arguments = [&["-i", "1", "--junit", "/dev/full"], arguments].concat();
        sandbox.run_against(&url, &arguments).expect_code(code).expect_stderr(&["cannot write /dev/full"]);
    }
    // A report that nobody asked for is no reason.
    fs::remove_dir_all(sandbox.path().join("performance/reports")).unwrap();
    sandbox.write("performance/reports", "");
    sandbox.run_against(&url, &["-i", "1"]).expect_code(0).expect_stderr(&["warning: there is no report"]);
}

#[test]
fn a_run_whose_folder_goes_away_is_no_pass() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.01); }");
    let run = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-t", "2s", "--only-summary"]);
    wait_until("requests", || server.total() > 0);
    let folder = sandbox.runs().remove(0).0;
    fs::rename(&folder, sandbox.path().join("elsewhere")).unwrap();
    let output = run.wait().expect_code(104).expect_stderr(&["results, not all: "]);
    let verdict = "FAILED: its results are not complete: ";
    assert!(output.stdout.contains(verdict), "the summary is there: {}", output.shown());
}

#[cfg(target_os = "linux")]
#[test]
fn of_several_profiles_a_missing_file_is_told_after_all_have_run() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(0.02); fn iteration() { http::get(\"/x\"); }");
    // Each profile has its own file.
    std::os::unix::fs::symlink("/dev/full", sandbox.path().join("sum_load.json")).unwrap();
    let url = server.url();
    let limits = "threshold(\"http_req_duration\", \"p(50) < 1h\"); threshold(\"http_req_duration\", \"p(95) < 1h\"); \
                  threshold(\"http_reqs\", \"rate > 0.01/s\");\n";
    let run = |limits: &str| {
        sandbox.write("test.rhai", &format!("{limits} wait(0.02); fn iteration() {{ http::get(\"/x\"); }}"));
        let arguments =
            ["--profile", "all", "--time-scale", "0.0005", "-q", "--no-resources", "--threads", "1"];
        sandbox.run_against(&url, &[&arguments[..], &["--summary-export", "sum.json"]].concat())
    };
    let output = run(limits).expect_code(104);
    assert!(
        output.stdout.contains("✗ load ") && output.stdout.contains("✓ endurance "),
        "{}",
        output.shown()
    );
    assert!(output.stdout.contains("its results are not complete: "), "{}", output.shown());
    assert_eq!(output.stdout.lines().last(), Some(" FAILED: 1 of 4 profiles did not pass"));
    let broken = run(&limits.replace("rate > 0.01/s", "rate > 1000000000/s"));
    broken.expect_code(99);
}

/// The command with a limit on open files.
#[cfg(target_os = "linux")]
fn with_files(sandbox: &Sandbox, files: u32, arguments: &[&str]) -> crate::support::Output {
    let rhaid = sandbox.command(arguments);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
        .arg(rhaid.get_program())
        .args(arguments);
    command.current_dir(sandbox.path()).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    sandbox.attach(command.spawn().unwrap()).wait()
}

#[cfg(target_os = "linux")]
#[test]
fn connections_leave_files_for_the_results() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); sleep(0.05); }");
    let arguments =
        ["run", "test.rhai", "-H", &server.url(), "-u", "100", "-r", "1000", "-t", "2", "--threads", "1"];
    let output = with_files(&sandbox, 64, &arguments).expect_code(0);
    assert!(!output.stderr.contains("cannot write"), "{}", output.shown());
    let json = output.run_dir().json();
    let failures = json["failures"].to_string();
    assert!(failures.contains("oo many open files"), "or the limit was not met: {failures}");
    assert_eq!(
        json["total"]["requests"].as_u64().unwrap() - json["total"]["failures"].as_u64().unwrap(),
        server.total()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_open_files_are_told_before_the_run() {
    for files in [9, 12, 16, 24, 30, 40] {
        let sandbox = Sandbox::with("fn iteration() {}");
        let arguments = ["run", "test.rhai", "-i", "1", "--threads", "2"];
        let output = with_files(&sandbox, files, &arguments).expect_code(104).expect_stderr(&["ulimit -n"]);
        assert!(output.stderr.lines().count() == 1, "{files}: {}", output.shown());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_and_version_on_a_full_disk_are_no_success() {
    for arguments in [&["--version"][..], &["--help"], &["run", "--help"], &["help", "report"], &["-V"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(arguments);
        let output = command.stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(told.contains("cannot write to standard output"), "{arguments:?}: {told}");
        let output = Sandbox::new().run(arguments).expect_code(0);
        assert!(output.stdout.len() > 5, "{arguments:?}");
    }
}
