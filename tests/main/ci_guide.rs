//! The pipelines of docs/ci.md: every command in them runs here, as a runner would run them.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Output, Sandbox};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap()
}

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = page();
    let fence = format!("\n```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The pipeline that holds this word, as data.
fn pipeline(word: &str) -> Value {
    let blocks = blocks("yaml");
    let text = blocks.iter().find(|block| block.contains(word)).unwrap();
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{word}: {error}"))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// A checkout with the scripts, and a `cargo` that installs the command which is under test.
fn checkout() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("scripts/quality.rhai", include_str!("../../scripts/quality.rhai"));
    sandbox.write("scripts/lib/quality.rhai", include_str!("../../scripts/lib/quality.rhai"));
    let cargo = sandbox.write(
        "tools/bin/cargo",
        &format!(
            "#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = 'install --locked --path tools/rhaid --root' ] || exit 64\n\
             mkdir -p \"$6/bin\" && ln -sf '{}' \"$6/bin/rhaid\"\n",
            env!("CARGO_BIN_EXE_rhaid")
        ),
    );
    std::fs::set_permissions(cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

/// Runs steps as a shell each, one after the other. Those that are to run always do so after a failure too.
/// What they leave running ends with them. Gives the code of the first step that failed.
#[track_caller]
fn run(sandbox: &Sandbox, steps: &[(String, bool)], target: &str) -> Output {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut job = "code=0\n".to_owned();
    for (index, (step, always)) in steps.iter().enumerate() {
        assert!(!step.contains("--run-time 1m") || step.contains("8000"), "{step}");
        let step = step.replace("8000", &port).replace("--run-time 1m", "--run-time 2s");
        sandbox.write(
            &format!("step-{index}"),
            &step.replace("rhaid target ", &format!("rhaid target {target} ")),
        );
        let condition = if *always { "true" } else { "[ $code = 0 ]" };
        job.push_str(&format!(
            "PATH=\"$(cat path 2>/dev/null | tr '\\n' ':')$PATH\"\n\
             if {condition}; then bash -e -o pipefail step-{index} || {{ now=$?; [ $code = 0 ] && code=$now; }}; fi\n"
        ));
    }
    // Everything is one group, which ends here.
    job.push_str("trap '' TERM; kill -TERM 0; exit $code\n");
    sandbox.write("job", &job);
    let mut command = Command::new("setsid");
    let path = format!("{}:{}", sandbox.path().join("tools/bin").display(), std::env::var("PATH").unwrap());
    command.args(["--wait", "bash", "job"]).current_dir(sandbox.path()).env_clear();
    command.envs([("PATH", path.as_str()), ("LANG", "C.UTF-8"), ("RHAID_SOURCE", "tools/rhaid")]);
    command.envs([("GITHUB_PATH", "path"), ("GITHUB_STEP_SUMMARY", "summary")]);
    command.env("HOME", sandbox.path());
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    sandbox.attach(command.spawn().unwrap()).wait()
}

fn read(sandbox: &Sandbox, file: &str) -> String {
    std::fs::read_to_string(sandbox.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Both ends of a pipeline: the application is well, and one of its routes always fails.
fn passes_and_fails(steps: &[(String, bool)], published: &[&str]) {
    for (target, codes, word) in [
        ("--median 1ms", &[0][..], "PASSED"),
        ("--median 1ms --error-rate 1 --error-route /quality/insights", &[99], "FAILED"),
    ] {
        let sandbox = checkout();
        let output = run(&sandbox, steps, target);
        assert!(output.code.is_some_and(|code| codes.contains(&code)), "{}", output.shown());
        for file in published {
            assert!(read(&sandbox, file).contains(word), "no {word} in {file}: {}", output.shown());
        }
        let cases = read(&sandbox, "load/junit.xml");
        assert_eq!(cases.contains("<failure"), word == "FAILED", "{cases}");
        assert!(sandbox.path().join("load/results").read_dir().unwrap().count() == 1);
        assert!(output.stdout.contains("POST /quality/analyze"), "whole names: {}", output.shown());
    }
}

#[test]
fn the_pipeline_for_github_runs() {
    let job = pipeline("actions/checkout")["jobs"]["load"].clone();
    let steps = job["steps"].as_array().unwrap();
    let steps: Vec<(String, bool)> = steps
        .iter()
        .filter_map(|step| Some((step["run"].as_str()?.to_owned(), step["if"] == "always()")))
        .collect();
    assert!(steps.len() >= 6, "{steps:#?}");
    passes_and_fails(&steps, &["load/report.html", "load/summary.md", "summary"]);
    let upload = job["steps"].as_array().unwrap().iter().find(|step| step["with"]["name"] == "load").unwrap();
    assert_eq!((&upload["if"], &upload["with"]["path"]), (&"always()".into(), &"load".into()));
}

#[test]
fn the_pipeline_for_gitlab_runs() {
    let job = pipeline("before_script")["load"].clone();
    // A runner executes all lines in one shell.
    let lines = [texts(&job["before_script"]), texts(&job["script"])].concat();
    assert!(lines.len() >= 6, "{lines:#?}");
    passes_and_fails(&[(lines.join("\n"), false)], &["load/report.html", "load/summary.md"]);
    assert_eq!(job["artifacts"]["reports"]["junit"], "load/junit.xml");
}

#[test]
fn the_commands_about_baselines_run() {
    let sandbox = checkout();
    let commands = blocks("sh");
    let [save, several, trend] = &commands[..] else { panic!("{commands:#?}") };
    let before = "cargo install --locked --path tools/rhaid --root rhaid\nexport PATH=\"$PWD/rhaid/bin:$PATH\"\n\
                  git init -q\nrhaid target --port 8000 &\n\
                  curl -s --retry 30 --retry-delay 1 --retry-connrefused http://127.0.0.1:8000/health\n";
    let first = save.lines().next().unwrap();
    let more = format!("{first} --results-dir load/results\n{first} --results-dir load/results\n");
    let text = [before, save, &more, several, trend].concat();
    let output = run(&sandbox, &[(text, false)], "--median 1ms").expect_code(0);
    assert!(output.stdout.contains("performance/benchmarks/baselines/quality\n"), "{}", output.shown());
    assert!(output.stdout.contains("\nquality\n"), "the list: {}", output.shown());
    assert!(read(&sandbox, "load/trend.html").contains("<html"));
    assert!(
        read(&sandbox, "load/comparison.md").contains("| endpoint"),
        "{}",
        read(&sandbox, "load/comparison.md")
    );
    assert!(sandbox.path().join("performance/benchmarks/baselines/quality/more").is_dir());
}
