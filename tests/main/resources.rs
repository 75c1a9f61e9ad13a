//! CPU and memory beside a run, and `rhaid monitor`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

use crate::support::{Sandbox, Server, TlsServer};

/// A command that says in its first line where it listens; ended with the test.
struct Listening {
    child: Child,
    /// Kept open, so that it can go on writing.
    _stdout: BufReader<ChildStdout>,
    url: String,
}

impl Listening {
    #[track_caller]
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Listening {
        let mut child = sandbox.command(arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let start = line.find("http://").unwrap_or_else(|| panic!("no address in {line:?}"));
        let end = line[start..].find([' ', ';', '\n']).unwrap();
        let url = line[start..start + end].to_owned();
        Listening { child, _stdout: stdout, url }
    }

    fn target(sandbox: &Sandbox) -> Listening {
        Listening::start(sandbox, &["target", "--port", "0", "--median", "0"])
    }

    fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SCRIPT: &str = "wait(constant(0.05)); fn iteration() { http::get(\"/health\"); }";

#[test]
fn the_process_on_a_local_host_is_watched_by_itself() {
    let sandbox = Sandbox::with(SCRIPT);
    let target = Listening::target(&sandbox);
    let output = sandbox.run(&["run", "test.rhai", "-H", &target.url, "-t", "3"]).expect_code(0);
    assert!(output.stdout.contains("target"), "{}", output.shown());
    let run = output.run_dir();
    let json = run.json();
    let pid = format!("(pid {}, listening on port {})", target.child.id(), target.port());
    assert_eq!(json["resources"]["target"], format!("rhaid {pid}"));
    assert_eq!(json["resources"]["target_is_generator"], false);
    for metric in ["target_memory", "generator_memory", "system_memory"] {
        let values = &json["metrics"][metric]["values"];
        assert!(values["min"].as_f64() > Some(1e6), "{metric}: {values}");
        assert!(values["max"].as_f64() >= values["avg"].as_f64(), "{metric}: {values}");
    }
    let samples = run.csv("resources.csv");
    assert!(samples.len() >= 2, "{samples:?}");
    assert_ne!(samples[0]["target_memory"], samples[0]["generator_memory"]);
    assert!(samples.iter().all(|row| row["target_processes"] == "1"), "{samples:?}");
}

#[test]
fn a_named_target_is_found_by_pid_port_and_name() {
    let sandbox = Sandbox::with("fn iteration() { sleep(1.2); http::get(\"/x\"); }");
    let server = Server::start();
    let target = Listening::target(&sandbox);
    let pid = target.child.id().to_string();
    for flags in [["--target-pid", &pid], ["--target-port", target.port()]] {
        let arguments = ["run", "test.rhai", "-H", &server.url(), "-i", "1", flags[0], flags[1]];
        let output = Sandbox::with("fn iteration() { sleep(1.2); http::get(\"/x\"); }").run(&arguments);
        let json = output.expect_code(0).run_dir().json();
        let described = json["resources"]["target"].as_str().unwrap();
        assert!(described.starts_with(&format!("rhaid (pid {pid}")), "{flags:?}: {described}");
    }
    // Every test of this suite runs a command of that name: all of them are summed.
    let arguments = ["run", "test.rhai", "-H", &server.url(), "-i", "1", "--target-name", "rhaid"];
    let json = sandbox.run(&arguments).expect_code(0).run_dir().json();
    let described = json["resources"]["target"].as_str().unwrap();
    assert!(described.contains(&pid) && described.contains("found by the name 'rhaid'"), "{described}");
}

#[test]
fn a_target_that_is_not_there_is_told_before_the_run() {
    let server = Server::start();
    for (flags, expected) in [
        (["--target-pid", "4194304"], "no process with PID 4194304"),
        (["--target-port", "1"], "no visible process listens on port 1"),
        (["--target-name", "no-such-program"], "no process is named 'no-such-program'"),
        (["--target-monitor", "http://127.0.0.1:1"], "cannot be reached"),
        (
            ["--target-monitor", "127.0.0.1:1"],
            "'127.0.0.1:1' cannot be used: start it with http:// or https://",
        ),
    ] {
        let sandbox = Sandbox::with(SCRIPT);
        let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "-t", "1", flags[0], flags[1]]);
        output.expect_code(104).expect_stderr(&[expected]);
        assert!(sandbox.runs().is_empty(), "{flags:?}");
    }
    assert_eq!(server.hits("/health"), 0);
}

/// A shell, `timeout` or `nice` that starts the command has the name on its own command line.
#[cfg(unix)]
#[test]
fn who_starts_the_command_is_not_the_target() {
    let sandbox = Sandbox::new();
    let rhaid = sandbox.command(&["monitor", "1", "--target-name", "no-such-program"]);
    let mut line = vec![rhaid.get_program()];
    line.extend(rhaid.get_args());
    let output = std::process::Command::new("sh")
        .args(["-c", "\"$@\"; exit $?", "no-such-program"])
        .args(line)
        .current_dir(sandbox.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(104), "{told}");
    assert!(told.contains("no process is named 'no-such-program'"), "{told}");
}

#[test]
fn a_target_that_dies_is_marked_and_has_no_figures_from_then_on() {
    let sandbox = Sandbox::with("fn iteration() { sleep(0.1); http::get(\"/health\"); }");
    let mut target = Listening::target(&sandbox);
    let arguments = ["run", "test.rhai", "-H", &target.url, "-t", "4"];
    let running = sandbox.start(&arguments);
    let folder = loop {
        if let Some(run) = sandbox.runs().first()
            && run.0.join("resources.csv").exists()
        {
            break run.clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    target.child.kill().unwrap();
    target.child.wait().unwrap();
    running.wait().expect_code(0);
    let json = folder.json();
    let marks = json["marks"].as_array().unwrap();
    assert!(marks.iter().any(|mark| mark["text"].as_str().unwrap().contains("has exited")), "{marks:?}");
    let samples = folder.csv("resources.csv");
    assert_ne!(samples[0]["target_memory"], "N/A");
    assert_eq!(samples.last().unwrap()["target_memory"], "N/A");
    assert_ne!(samples.last().unwrap()["generator_memory"], "N/A");
}

#[test]
fn without_resources_there_are_none() {
    let server = Server::start();
    let sandbox = Sandbox::with(SCRIPT);
    let output = sandbox.run(&["run", "test.rhai", "-H", &server.url(), "-t", "2", "--no-resources"]);
    let run = output.expect_code(0).run_dir();
    assert!(!run.0.join("resources.csv").exists());
    assert!(run.json()["resources"].is_null() && run.json()["metrics"]["system_cpu"].is_null());
}

#[test]
fn a_monitor_elsewhere_tells_the_target() {
    let sandbox = Sandbox::with("fn iteration() { sleep(0.2); http::get(\"/health\"); }");
    let target = Listening::target(&sandbox);
    let monitor = ["monitor", "--serve", "0", "--port", target.port(), "--token", "s3cret"];
    let monitor = Listening::start(&sandbox, &monitor);
    let run = |token: &str| {
        let arguments = ["run", "test.rhai", "-H", &target.url, "-t", "4", "--target-monitor", &monitor.url];
        sandbox.run_with(&arguments, &[("RHAID_TARGET_MONITOR_TOKEN", token)])
    };
    run("wrong").expect_code(104).expect_stderr(&["rejected the token"]);
    let output = run("s3cret").expect_code(0);
    let json = output.run_dir().json();
    let described = json["resources"]["target"].as_str().unwrap();
    assert!(described.contains(&format!("pid {}", target.child.id())), "{described}");
    assert!(json["resources"]["target_machine"]["cores"].as_u64() >= Some(1), "{json}");
    assert!(json["metrics"]["target_memory"]["values"]["max"].as_f64() > Some(1e6), "{}", json["metrics"]);
}

/// The answer is not a monitor's, but it is read only when the certificate is trusted.
#[test]
fn a_monitor_behind_tls_is_trusted_as_the_system_says() {
    let server = TlsServer::start();
    let sandbox = Sandbox::with(SCRIPT);
    sandbox.write("root.pem", &server.certificate);
    let root = sandbox.path().join("root.pem").display().to_string();
    let url = format!("https://{}", server.addr);
    let arguments = ["run", "test.rhai", "-H", "http://127.0.0.1:1", "-t", "1", "--target-monitor", &url];
    let untrusted = sandbox.run(&arguments).expect_code(104);
    untrusted.expect_stderr(&["cannot be reached: invalid peer certificate"]);
    let trusted = sandbox.run_with(&arguments, &[("SSL_CERT_FILE", &root)]).expect_code(104);
    trusted.expect_stderr(&["is not a `rhaid monitor --serve`"]);
}

#[test]
fn monitor_measures_without_any_load() {
    let sandbox = Sandbox::new();
    let target = Listening::target(&sandbox);
    let output = sandbox.run(&["monitor", "2", "--port", target.port()]).expect_code(0);
    assert!(output.stdout.contains("target") && output.stdout.contains("machine"), "{}", output.shown());
    let run = output.run_dir();
    let samples = run.csv("resources.csv");
    assert!(!samples.is_empty() && samples.len() <= 3, "{samples:?}");
    assert!(samples[0]["target_memory"].parse::<f64>().unwrap() > 1e6, "{samples:?}");
    for (arguments, code, expected) in [
        (&["monitor", "2", "--pid", "4194304"][..], 104, "no process with PID 4194304"),
        (&["monitor", "5 parsecs"][..], 2, "5 parsecs"),
        (&["monitor", "--serve", "0.0.0.0:0"][..], 2, "--token"),
        (&["monitor", "--pid", "1", "--port", "2"][..], 2, "cannot be used with"),
    ] {
        sandbox.run(arguments).expect_code(code).expect_stderr(&[expected]);
    }
}

/// Names of the elements of a text that has to be well-formed XML without comments.
#[track_caller]
fn elements(xml: &str) -> Vec<String> {
    let tag = regex::Regex::new(r#"<(/?)([a-zA-Z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(/?)>"#).unwrap();
    let text_between = tag.replace_all(xml, "");
    assert!(!text_between.contains(['<', '>']), "markup that is none: {text_between}");
    assert_eq!(xml.matches('&').count(), regex::Regex::new("&(#39|[a-z]+);").unwrap().find_iter(xml).count());
    let (mut open, mut names) = (Vec::new(), Vec::new());
    for found in tag.captures_iter(xml) {
        match (&found[1], &found[4]) {
            ("/", _) => assert_eq!(open.pop().as_deref(), Some(&found[2]), "closes what is open: {xml}"),
            (_, slash) => {
                names.push(found[2].to_owned());
                if slash.is_empty() {
                    open.push(found[2].to_owned());
                }
            }
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    names
}

/// Points of the longest line of a class in the panel that has this title.
fn points(svg: &str, panel: &str, class: &str) -> usize {
    let panel =
        svg.split("<g transform").find(|part| part.contains(&format!(">{panel}"))).unwrap_or_default();
    let start = format!("<path class=\"l {class}\" d=\"");
    let paths = panel.split(start.as_str()).skip(1).map(|path| path.split('"').next().unwrap());
    // Steps between points are pairs of numbers; the line of the legend is one flat step.
    let number = regex::Regex::new("-?[0-9]+").unwrap();
    paths.filter(|path| !path.contains('h')).map(|path| number.find_iter(path).count() / 2).max().unwrap_or(0)
}

#[test]
fn monitor_draws_what_it_measured() {
    let sandbox = Sandbox::new();
    let own = std::process::id().to_string();
    let output = sandbox.run(&["monitor", "2", "--pid", &own]).expect_code(0);
    let run = output.run_dir();
    let svg = std::fs::read_to_string(run.0.join("resources.svg")).unwrap();
    let elements = elements(&svg);
    assert_eq!(elements[..3], ["svg", "title", "desc"], "{svg}");
    assert!(
        svg.contains(&format!("Target: main (pid {own}")) || svg.contains(&format!("(pid {own}")),
        "{svg}"
    );
    assert!(svg.contains("CPU of the machine: machine up to ") && svg.contains("prefers-color-scheme:dark"));
    let samples = run.csv("resources.csv").len();
    if samples > 1 {
        assert_eq!(points(&svg, "Memory of the target", "one"), samples, "{svg}");
        assert_eq!(points(&svg, "Memory of the machine", "two"), samples, "{svg}");
    }
    assert!(!svg.contains("href") && !svg.contains("url(h"), "stands alone: {svg}");
}

#[test]
fn monitor_writes_where_it_is_told() {
    let sandbox = Sandbox::new();
    let there = |file: &str| sandbox.path().join(file).exists();
    let both = ["monitor", "2", "--csv", "out/a.csv", "--svg", "out/b.svg"];
    sandbox.run(&both).expect_code(0).expect_stderr(&["CSV: out/a.csv", "chart: out/b.svg"]);
    assert!(!there("performance"), "no folder is needed");
    let svg = std::fs::read_to_string(sandbox.path().join("out/b.svg")).unwrap();
    elements(&svg);
    assert!(svg.contains("Machine only") && !svg.contains("of the target"), "{svg}");
    assert!(std::fs::read_to_string(sandbox.path().join("out/a.csv")).unwrap().starts_with("Timestamp,"));

    // Nothing is measured in no time: neither file nor folder is left.
    let none = ["monitor", "0.01", "--csv", "none.csv"];
    sandbox.run(&none).expect_code(0).expect_stderr(&["nothing was measured"]);
    assert!(!there("none.csv"));
    assert!(sandbox.runs().is_empty(), "{:?}", sandbox.runs());
}

#[test]
fn monitor_tells_a_bad_place_before_it_measures() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "in the way");
    for (flags, code, expected) in [
        (&["--svg", "file/a.svg"][..], 104, "cannot write file/a.svg"),
        (&["--csv", "file/a.csv"][..], 104, "cannot write file/a.csv"),
        (&["--results-dir", "file/results"][..], 104, "cannot create the results directory file/results"),
        (&["--csv", "a", "--svg", "a"][..], 2, "give each its own file"),
        (&["--svg", "a", "--serve", "0"][..], 2, "cannot be used with"),
    ] {
        // Without an end: who measures first never comes back.
        let arguments = [&["monitor"][..], flags].concat();
        let output = sandbox.run(&arguments).expect_code(code).expect_stderr(&[expected]);
        assert!(output.stdout.is_empty(), "{}", output.shown());
    }
    assert!(!sandbox.path().join("performance").exists());
}
