//! The command `rhaid` as a process, in a folder and an environment of its own.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{PATIENCE, RunDir};

/// A folder that commands run in, with the files a test puts there.
pub(crate) struct Sandbox {
    /// Shared with what runs there, so that results can be read when the sandbox itself is gone.
    folder: Arc<TempDir>,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox { folder: Arc::new(tempfile::tempdir().unwrap()) }
    }

    /// A sandbox with one script, `test.rhai`.
    pub(crate) fn with(script: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("test.rhai", script);
        sandbox
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with the folders it needs.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, ready to be given more; nothing of the tests' environment reaches it.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhaid"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("LANG", "C.UTF-8")
            // Runs of other tests are not found here.
            .env("XDG_RUNTIME_DIR", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command to its end.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        self.run_with(arguments, &[])
    }

    /// Runs the sandbox's script against a server, to its end.
    #[track_caller]
    pub(crate) fn run_against(&self, url: &str, arguments: &[&str]) -> Output {
        self.run(&[&["run", "test.rhai", "-H", url], arguments].concat())
    }

    /// Runs the command to its end with these environment variables.
    #[track_caller]
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], variables: &[(&str, &str)]) -> Output {
        self.start_with(arguments, variables).wait()
    }

    /// Starts the command.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        self.start_with(arguments, &[])
    }

    pub(crate) fn start_with<S: AsRef<OsStr>>(&self, arguments: &[S], variables: &[(&str, &str)]) -> Running {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        self.attach(command.spawn().unwrap())
    }

    /// Takes over a command that was started here; what it prints from now on is collected.
    pub(crate) fn attach(&self, mut child: Child) -> Running {
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Running { child, stdout, stderr, folder: self.folder.clone() }
    }

    /// The folders of the runs made here, oldest first.
    pub(crate) fn runs(&self) -> Vec<RunDir> {
        runs_in(self.path())
    }
}

/// The runs of commands that ran in a folder, oldest first.
fn runs_in(folder: &Path) -> Vec<RunDir> {
    let Ok(entries) = std::fs::read_dir(folder.join("performance/results")) else { return Vec::new() };
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    runs.into_iter().map(RunDir).collect()
}

/// A command that runs. It is ended when the test is over.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Collected>,
    stderr: Option<Collected>,
    folder: Arc<TempDir>,
}

/// What a command prints.
struct Collected {
    so_far: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

/// What a command left behind.
pub(crate) struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: Arc<TempDir>,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed to standard error until now.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.as_ref().map_or(String::new(), Collected::text)
    }

    /// Waits until it has printed this to standard error, or has ended.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, part: &str) {
        let start = Instant::now();
        while !self.stderr().contains(part) {
            let has_ended = self.child.try_wait().unwrap().is_some() && !self.stderr().contains(part);
            let is_late = start.elapsed() > PATIENCE;
            assert!(!has_ended && !is_late, "waited in vain for {part:?}; stderr:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status().unwrap();
        assert!(sent.success(), "kill -s {name} {id}");
    }

    /// Waits for its end; gives the most memory it held as well, in kB, as the system has recorded it.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(crate) fn wait_with_peak(self) -> (Output, u64) {
        let start = Instant::now();
        let mut peak_kb = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", self.id())) {
            // A process that has ended has no such line any more.
            let Some(field) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
            peak_kb = peak_kb.max(field.trim().trim_end_matches(" kB").parse::<u64>().unwrap());
            if start.elapsed() > PATIENCE {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        (self.wait(), peak_kb)
    }

    /// Waits for its end; fails the test when it does not come.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Output {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    self.child.kill().unwrap();
                    self.child.wait().unwrap();
                    panic!("the command hangs; stderr:\n{}", text(&mut self.stderr));
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        Output {
            code: status.code(),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            folder: self.folder.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// Fails the test unless it ended with this code, without a panic.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Output {
        assert!(!self.stderr.contains("panicked"), "{}", self.shown());
        assert_eq!(self.code, Some(code), "{}", self.shown());
        self
    }

    /// Fails the test unless each of these stands in standard error.
    #[track_caller]
    pub(crate) fn expect_stderr(self, parts: &[&str]) -> Output {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in\n{}", self.shown());
        }
        self
    }

    /// The folder of its run.
    #[track_caller]
    pub(crate) fn run_dir(&self) -> RunDir {
        let runs = runs_in(self.folder.path());
        assert_eq!(runs.len(), 1, "one run\n{}", self.shown());
        runs[0].clone()
    }

    /// Everything, for the message of a failed test.
    pub(crate) fn shown(&self) -> String {
        format!("exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> Collected {
    let so_far = Arc::new(Mutex::new(Vec::new()));
    let bytes = so_far.clone();
    let thread = std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part) {
            bytes.lock().unwrap().extend_from_slice(&part[..length]);
        }
    });
    Collected { so_far, thread }
}

impl Collected {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.so_far.lock().unwrap()).into_owned()
    }
}

fn text(collected: &mut Option<Collected>) -> String {
    let Some(Collected { so_far, thread }) = collected.take() else { return String::new() };
    thread.join().unwrap();
    String::from_utf8_lossy(&so_far.lock().unwrap()).into_owned()
}
