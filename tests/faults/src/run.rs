//! One fault: a server, a run of the command, what is done to both, and the comparison afterwards.
//!
//! Owns the process and the judgement. Leaves what the outputs say to `outputs` and what the server saw to `truth`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Handle;

use crate::faults::{Fault, Unseen};
use crate::outputs::{Counted, Place, counted, run_folder};
use crate::server::{Server, State};
use crate::tls;
use crate::truth::{Fate, Seen};

/// What all faults share.
pub(crate) struct Lab {
    pub(crate) program: PathBuf,
    pub(crate) runtime: Handle,
    /// This process has a network and mounts of its own.
    pub(crate) namespaced: bool,
}

/// What came of a fault.
pub(crate) struct Outcome {
    pub(crate) asked: Option<u64>,
    pub(crate) seen: u64,
    pub(crate) repeated: u64,
    pub(crate) counted: u64,
    pub(crate) failed: u64,
    pub(crate) code: i32,
    pub(crate) seconds: f64,
    /// What does not agree.
    pub(crate) wrong: Vec<String>,
    /// What the program printed.
    pub(crate) printed: String,
    /// Why it was not tried.
    pub(crate) skipped: Option<String>,
}

/// A run that is under way, for what is done to it.
pub(crate) struct Scene<'a> {
    pub(crate) server: &'a Server,
    /// Where the run's folder is.
    pub(crate) results: &'a Path,
    child: &'a Mutex<Child>,
    started: Instant,
}

impl Scene<'_> {
    /// Waits until the server has seen so many requests.
    pub(crate) fn wait_for(&self, requests: usize) {
        while self.server.truth.count() < requests && self.is_running() && self.seconds() < 20.0 {
            sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn after(&self, requests: usize, signal: &str) {
        self.wait_for(requests);
        self.signal(signal);
    }

    pub(crate) fn signal(&self, name: &str) {
        shell(&format!("kill -s {name} {}", self.child.lock().unwrap().id()));
    }

    pub(crate) fn sleep(&self, ms: u64) {
        sleep(Duration::from_millis(ms));
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().is_ok_and(|status| status.is_none())
    }
}

/// A run that is over, for further checks.
pub(crate) struct Told<'a> {
    pub(crate) counted: &'a Counted,
    seen: u64,
    results: &'a Path,
    program: &'a Path,
}

impl Told<'_> {
    /// The longest request took at least this many milliseconds.
    pub(crate) fn longest(&self, least: f64) -> Result<(), String> {
        let longest = self.counted.longest_ms;
        if longest >= least {
            Ok(())
        } else {
            Err(format!("the longest request took {longest} ms, not {least}"))
        }
    }

    /// At least this many requests were made, whatever became of the iterations.
    pub(crate) fn requests(&self, least: u64) -> Result<(), String> {
        let requests = self.counted.requests;
        if requests >= least { Ok(()) } else { Err(format!("{requests} requests, not {least}")) }
    }

    /// The load took this many seconds.
    pub(crate) fn took(&self, least: f64, most: f64) -> Result<(), String> {
        let elapsed = self.counted.json["elapsed_s"].as_f64().unwrap_or(-1.0);
        if (least..most).contains(&elapsed) { Ok(()) } else { Err(format!("elapsed_s is {elapsed}")) }
    }

    /// What is left of a killed run is read, and has all but its last seconds.
    pub(crate) fn readable_when_killed(&self) -> Result<(), String> {
        let run = run_folder(self.results).ok_or("there is no run folder")?;
        let report = Command::new(self.program).arg("report").arg(&run).arg("--json").output();
        let report = report.map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_slice(&report.stdout).map_err(|error| error.to_string())?;
        let total = json["total"]["requests"].as_u64().unwrap_or(u64::MAX);
        // 7 s, of which the last two may be missing.
        if total > self.seen || total < self.seen / 2 {
            return Err(format!(
                "the report of the killed run has {total} requests, the server {}",
                self.seen
            ));
        }
        Ok(())
    }
}

/// Runs a line of shell; whether it succeeded.
pub(crate) fn shell(line: &str) -> bool {
    Command::new("sh").args(["-c", line]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

pub(crate) fn execute(lab: &Lab, fault: &Fault) -> Outcome {
    let mut outcome = Outcome {
        asked: fault.asked,
        seen: 0,
        repeated: 0,
        counted: 0,
        failed: 0,
        code: 0,
        seconds: 0.0,
        wrong: Vec::new(),
        printed: String::new(),
        skipped: None,
    };
    if fault.namespaced && !lab.namespaced {
        outcome.skipped = Some("needs unshare and ip".to_owned());
        return outcome;
    }
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    let before = match before(fault.before, folder.path()) {
        Ok(before) => before,
        Err(why) => {
            outcome.skipped = Some(why);
            return outcome;
        }
    };
    let ip =
        if fault.host.is_some_and(|host| host.contains("10.99.0.1")) { "10.99.0.1" } else { "127.0.0.1" };
    let server = lab.runtime.block_on(Server::start(fault.speaks, ip.parse().unwrap()));
    let host = match fault.host {
        Some(host) => host.replace("PORT", &server.addr.port().to_string()),
        None => server.url(),
    };
    std::fs::write(folder.path().join("test.rhai"), &fault.script).unwrap();
    std::fs::write(folder.path().join("ca.pem"), tls::authority()).unwrap();

    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before}exec \"$@\""), "sh"]).arg(&lab.program);
    command.args([
        "run",
        "test.rhai",
        "-H",
        &host,
        "--threads",
        "2",
        "--results-dir",
        "results",
        "--seed",
        "1",
    ]);
    command.args([
        "--junit",
        "junit.xml",
        "--markdown",
        "run.md",
        "--html",
        "run.html",
        "--ca-file",
        "ca.pem",
    ]);
    if !fault.arguments.contains(&"--out") {
        command.args(["--out", "json=samples.json"]);
    }
    if fault.speaks == crate::server::Speaks::Http2 {
        command.args(["--http-version", "2"]);
    }
    let [stdout, stderr] =
        ["stdout", "stderr"].map(|name| std::fs::File::create(folder.path().join(name)).unwrap());
    command
        .args(&fault.arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr);
    for name in
        std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("RHAID"))
    {
        command.env_remove(name);
    }

    let clean = || {
        server.set(State::Dead);
        if fault.before.contains("mount") {
            shell(&format!("umount {}", results.display()));
        }
        if fault.before == "QUOTA" {
            shell(&format!("rmdir /sys/fs/cgroup/{QUOTA_GROUP} /sys/fs/cgroup/cpu/{QUOTA_GROUP}"));
        }
    };
    let started = Instant::now();
    let child = Mutex::new(command.spawn().unwrap());
    if let Some(act) = fault.act {
        act(&Scene { server: &server, results: &results, child: &child, started });
    }
    let mut child = child.into_inner().unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > fault.limit {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        sleep(Duration::from_millis(5));
    };
    outcome.seconds = started.elapsed().as_secs_f64();
    // What is on its way to the server arrives.
    sleep(Duration::from_millis(50));
    let read = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr) = (read("stdout"), read("stderr"));
    let seen = server.truth.seen();
    let (told, wrong) = counted(folder.path(), &results, &stdout, fault.without);
    outcome.wrong = wrong;
    outcome.seen = seen.len() as u64;
    outcome.repeated = seen.values().map(|seen| seen.times - 1).sum();
    (outcome.counted, outcome.failed) = (told.requests, told.failures);
    match status {
        Some(status) => {
            outcome.code = status.code().or(status.signal().map(|signal| -signal)).unwrap_or(-1);
            if !fault.codes.contains(&outcome.code) {
                outcome.wrong.push(format!("it ended with {}, not {:?}", outcome.code, fault.codes));
            }
        }
        None => {
            outcome.code = -9;
            // All else that is missing follows from it.
            outcome.wrong = vec![format!("HANG: it did not end within {:?}", fault.limit)];
            outcome.printed = format!("{stdout}\n{stderr}");
            clean();
            return outcome;
        }
    }
    if stderr.contains("panicked") {
        outcome.wrong.push("CRASH: it panicked".to_owned());
    }
    compare(fault, &seen, &told, &mut outcome);
    if let Some(also) = fault.also
        && let Err(why) =
            also(&Told { counted: &told, seen: outcome.seen, results: &results, program: &lab.program })
    {
        outcome.wrong.push(why);
    }
    outcome.printed = format!("{stdout}\n{stderr}");
    clean();
    outcome
}

/// The samples against the server's book.
fn compare(fault: &Fault, seen: &BTreeMap<String, Seen>, told: &Counted, outcome: &mut Outcome) {
    let mut wrong = Vec::new();
    let killed = fault.codes == [-9];
    if let Some(asked) = fault.asked
        && asked != told.requests + told.interrupted
    {
        wrong.push(format!("{} requests are counted of {asked} that were made", told.requests));
    }
    if !fault.repeats && outcome.repeated != 0 && outcome.repeated > told.retries {
        wrong.push(format!("{} requests came again, {} repeats are counted", outcome.repeated, told.retries));
    }
    if !fault.without.contains(&Place::Samples) {
        let samples = &told.samples;
        let twice = samples.values().filter(|sample| sample.times != 1).count();
        if twice > 0 {
            wrong.push(format!("{twice} requests are counted twice, or taken back"));
        }
        let lost = seen.keys().filter(|id| !samples.contains_key(*id)).count() as u64;
        if lost > told.interrupted && !killed {
            wrong.push(format!(
                "{lost} requests that the server saw are not counted, {} were interrupted",
                told.interrupted
            ));
        }
        let unseen: Vec<_> = samples.iter().filter(|(id, _)| !seen.contains_key(*id)).collect();
        if let Unseen::Exactly(expected) = fault.unseen
            && expected != unseen.len() as u64
        {
            wrong.push(format!(
                "{} requests are counted that the server did not see, not {expected}",
                unseen.len()
            ));
        }
        let invented = unseen.iter().filter(|(_, sample)| !sample.failed).count();
        if invented > 0 {
            wrong.push(format!("{invented} successes are counted that the server did not see"));
        }
        let mut other: BTreeMap<String, u64> = BTreeMap::new();
        for (id, sample) in samples {
            let Some(seen) = seen.get(id) else { continue };
            let agrees = match seen.fate {
                Fate::Ok(status) => !sample.failed && sample.status == status,
                Fate::Failed(status) => sample.failed && status.is_none_or(|status| status == sample.status),
                Fate::Either => true,
            };
            if !(agrees || fault.loses_answers && sample.failed) {
                let is = if sample.failed { "failed" } else { "ok" };
                *other
                    .entry(format!("{:?} is counted as {is} with status {}", seen.fate, sample.status))
                    .or_default() += 1;
            }
        }
        wrong.extend(other.into_iter().map(|(what, times)| format!("{times} × {what}")));
    } else {
        // By number only.
        let expected = outcome.seen;
        if fault.unseen == Unseen::Exactly(0) && told.requests + told.interrupted != expected {
            wrong.push(format!("{} requests are counted, the server saw {expected}", told.requests));
        }
    }
    outcome.wrong.extend(wrong);
}

/// The shell commands before the program, each with `&&` behind it.
fn before(text: &str, folder: &Path) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        "CLOCK" => {
            let library = folder.join("clock.so");
            let source = folder.join("clock.c");
            std::fs::write(&source, CLOCK).unwrap();
            let built = format!("cc -shared -fPIC -o {} {}", library.display(), source.display());
            if shell(&built) {
                Ok(format!("export LD_PRELOAD={} && ", library.display()))
            } else {
                Err("needs a C compiler".to_owned())
            }
        }
        "QUOTA" => {
            // Version 2 of control groups, or 1.
            let group = format!("/sys/fs/cgroup/{QUOTA_GROUP}");
            if shell(&format!(
                "test -f /sys/fs/cgroup/cgroup.controllers && mkdir -p {group} && echo 20000 100000 > {group}/cpu.max"
            )) {
                return Ok(format!("echo $$ > {group}/cgroup.procs && "));
            }
            let group = format!("/sys/fs/cgroup/cpu/{QUOTA_GROUP}");
            if shell(&format!(
                "mkdir -p {group} && echo 100000 > {group}/cpu.cfs_period_us && echo 20000 > {group}/cpu.cfs_quota_us"
            )) {
                return Ok(format!("echo $$ > {group}/cgroup.procs && "));
            }
            Err("needs a control group".to_owned())
        }
        line => {
            let line = line.replace("FOLDER", &folder.display().to_string());
            if line.contains("mount") {
                // Here and not in the shell: this process reads the files.
                return if shell(&line) { Ok(String::new()) } else { Err("needs mount".to_owned()) };
            }
            Ok(format!("{line} && "))
        }
    }
}

/// A control group of processes that have little of the CPU.
const QUOTA_GROUP: &str = "rhaid-faults";

/// A library that moves the wall clock: an hour back after one second, an hour ahead after two.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static time_t first;
    struct timespec up;
    int result = syscall(SYS_clock_gettime, id, now);
    if (id != CLOCK_REALTIME || result != 0) return result;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &up);
    if (!first) first = up.tv_sec;
    if (up.tv_sec - first >= 2) now->tv_sec += 3600;
    else if (up.tv_sec - first >= 1) now->tv_sec -= 3600;
    return 0;
}
"#;
