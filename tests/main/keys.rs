//! Keys in the terminal: what they do to a run, and that the terminal is afterwards as it was.
#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{Output, PATIENCE, Running, Sandbox, Server};

/// A run in a terminal of its own.
struct Terminal {
    keyboard: File,
    running: Running,
    screen: Receiver<String>,
    shown: String,
}

impl Terminal {
    fn run(sandbox: &Sandbox, arguments: &[&str]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let side = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let rhaid = sandbox.command(arguments);
        // A session of its own, whose terminal this is.
        let mut command = std::process::Command::new("setsid");
        command.arg("--ctty").arg("--wait").arg(rhaid.get_program()).args(rhaid.get_args());
        command.current_dir(sandbox.path()).env_clear().env("LANG", "C.UTF-8").env("TERM", "xterm");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::from(side())).stderr(Stdio::from(side())).stdout(Stdio::piped());
        let running = sandbox.attach(command.spawn().unwrap());
        let keyboard = File::from(master);
        let mut reading = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                if sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Terminal { keyboard, running, screen, shown: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this stands on the screen, after everything that was waited for before.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(_) => panic!("{text:?} never stands on the screen, but\n{}", self.shown),
            }
        }
    }

    fn reads_lines(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Waits for the end of the command, and looks whether the terminal is as it was.
    #[track_caller]
    fn end(self, code: i32) -> Output {
        let output = self.running.wait().expect_code(code);
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
        output
    }
}

fn sandbox() -> Sandbox {
    Sandbox::with("wait(0.05); fn iteration() { http::get(\"/x\"); }")
}

#[test]
fn keys_change_users_pause_and_stop() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    let mut terminal = Terminal::run(&sandbox, &["run", "test.rhai", "-H", &host, "-u", "5", "-r", "100"]);
    terminal.wait_for("keys: + - load");
    assert!(!terminal.reads_lines(), "keys come one by one");
    for (key, said) in
        [("+", "6 users"), ("+", "7 users"), ("-", "6 users"), ("p", "paused; press p to resume")]
    {
        terminal.press(key);
        terminal.wait_for(said);
    }
    terminal.press("+");
    terminal.wait_for("not possible now: the run is paused");
    terminal.press("xp");
    terminal.wait_for("resumed");
    terminal.press("s");
    terminal.wait_for("not possible now: this load has no stages (define them with --stages");
    terminal.press("q");
    let output = terminal.end(105);
    let json = output.run_dir().json();
    let marks: Vec<&str> =
        json["marks"].as_array().unwrap().iter().map(|mark| mark["text"].as_str().unwrap()).collect();
    assert_eq!(marks[..4], ["users set to 6", "users set to 7", "users set to 6", "paused"]);
    assert!(marks[4].starts_with("resumed after"), "{marks:?}");
    assert_eq!(json["ended_by"], "signal", "as Ctrl-C ends it");
}

#[test]
fn a_key_goes_on_to_the_next_stage_and_changes_a_rate() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    let stages = ["run", "test.rhai", "-H", &host, "--stages", "first=1h:20/s,second=500ms:20/s"];
    let mut terminal = Terminal::run(&sandbox, &stages);
    terminal.wait_for("keys:");
    terminal.press("s");
    terminal.wait_for("skipped to the next stage");
    terminal.end(0);
    let mut terminal = Terminal::run(&sandbox, &["run", "test.rhai", "-H", &host, "--rate", "30"]);
    terminal.wait_for("keys:");
    terminal.press("+");
    terminal.wait_for("rate 33/s");
    terminal.press("q");
    terminal.running.wait().expect_code(105);
}

#[test]
fn signals_from_the_keyboard_still_stop_the_run_and_leave_the_terminal_as_it_was() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    // Ctrl-C, Ctrl-\.
    for signal in ["\u{3}", "\u{1c}"] {
        let mut terminal = Terminal::run(&sandbox, &["run", "test.rhai", "-H", &host]);
        terminal.wait_for("keys:");
        terminal.press(signal);
        terminal.end(105);
    }
}

#[test]
fn a_paused_run_says_so_and_breaks_no_rate() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    let run =
        ["run", "test.rhai", "-H", &host, "-u", "4", "-r", "100", "--threshold", "http_reqs: rate > 15/s"];
    let more = ["--threshold", "http_reqs: rate > 5/s over 2s", "-t", "3s"];
    let mut terminal = Terminal::run(&sandbox, &[&run[..], &more].concat());
    terminal.wait_for("keys:");
    terminal.press("p");
    terminal.wait_for("paused; press p to resume");
    // The header, in the next second.
    terminal.wait_for("paused ");
    terminal.wait_for("p resume");
    std::thread::sleep(std::time::Duration::from_millis(3_000));
    terminal.press("p");
    terminal.wait_for("resumed");
    let output = terminal.end(0);
    let json = output.run_dir().json();
    let phases: Vec<&str> =
        json["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert!(phases.contains(&"paused"), "{phases:?}");
    assert_eq!(json["thresholds"][0]["ok"], true, "{}", output.shown());
    // The rate of the table is that of the threshold.
    let difference =
        json["total"]["rate"].as_f64().unwrap() - json["thresholds"][0]["measured"].as_f64().unwrap();
    assert!(difference.abs() < 0.5, "{json:#}");
}

#[test]
fn the_load_is_changed_from_what_was_asked_for_while_users_are_still_added() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    let mut terminal = Terminal::run(&sandbox, &["run", "test.rhai", "-H", &host, "-u", "50", "-r", "1"]);
    terminal.wait_for("keys:");
    terminal.press("+");
    terminal.wait_for("55 users");
    terminal.press("q");
    terminal.end(105);
}

#[test]
fn a_quiet_run_leaves_the_keyboard_alone() {
    let (server, sandbox) = (Server::start(), sandbox());
    let host = server.url();
    let arguments = ["run", "test.rhai", "-H", &host, "-q", "-t", "300ms"];
    let terminal = Terminal::run(&sandbox, &arguments);
    server.wait_for_hits("/x", 1);
    assert!(terminal.reads_lines());
    terminal.end(0);
}
