//! Injects faults into runs of rhaid, and compares what it counts with what the server saw.
//!
//! `rhaid-faults PROGRAM [NAME…]` runs every fault, or those whose kind or name contains one of the words, and prints a
//! table. The exit status is 0 if everything agrees, and 1 if anything does not. See `run`.

mod dns;
mod faults;
mod http2;
mod outputs;
mod run;
mod server;
mod tls;
mod truth;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::Instant;

use faults::Fault;
use run::{Lab, Outcome, execute, shell};

/// How many faults are tried at a time; most of them wait.
const AT_ONCE: usize = 4;

/// A network of which one address is here, one can vanish, and all others are nobody's.
const AWAY: &str = "ip link add away type veth peer name nowhere && ip link set away up && ip link set nowhere up && \
                    ip addr add 10.99.0.3/24 dev away && ip addr add 10.99.0.1/24 dev away";

/// Set in the copy of this process that has namespaces of its own.
const INSIDE: &str = "RHAID_FAULTS_INSIDE";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next().and_then(|path| PathBuf::from(path).canonicalize().ok()) else {
        eprintln!("usage: rhaid-faults PROGRAM [NAME…]");
        return ExitCode::from(2);
    };
    let words: Vec<String> = arguments.collect();
    let namespaced = inside_namespaces();
    if !namespaced {
        println!("no namespaces of its own here: faults of names, networks and disks are skipped");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lab = Lab { program, runtime: runtime.handle().clone(), namespaced };
    let faults: Vec<Fault> = faults::all().into_iter().filter(|fault| chosen(fault, &words)).collect();

    let started = Instant::now();
    println!(
        "{:<12} {:<40} {:>6} {:>6} {:>6} {:>7} {:>6} {:>5} {:>6}  agreement",
        "kind", "fault", "asked", "seen", "again", "counted", "failed", "exit", "s"
    );
    let (next, printed) = (Mutex::new(faults.iter()), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let fault = next.lock().unwrap().next();
                    let Some(fault) = fault else { return };
                    let outcome = execute(&lab, fault);
                    printed.lock().unwrap().add(fault, &outcome);
                }
            });
        }
    });
    let tally = printed.into_inner().unwrap();
    println!(
        "{} faults in {:.0} s: {} agree, {} do not, {} skipped; {} requests seen, {} counted",
        faults.len(),
        started.elapsed().as_secs_f64(),
        tally.agree,
        tally.wrong,
        tally.skipped,
        tally.seen,
        tally.counted
    );
    if tally.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn chosen(fault: &Fault, words: &[String]) -> bool {
    let name = format!("{} {}", fault.kind, fault.name);
    words.is_empty() || words.iter().any(|word| name.contains(word))
}

/// Whether this process has a network, mounts and a name server of its own. It starts itself again to get them.
fn inside_namespaces() -> bool {
    if std::env::var_os(INSIDE).is_none() {
        let flags = if shell("test $(id -u) = 0 && unshare -mn true") { "-mn" } else { "-rmn" };
        if shell(&format!("unshare {flags} ip link set lo up")) {
            let this = std::env::current_exe().unwrap();
            let error = Command::new("unshare")
                .arg(flags)
                .arg(this)
                .args(std::env::args_os().skip(1))
                .env(INSIDE, "1")
                .exec();
            eprintln!("unshare: {error}");
        }
        return false;
    }
    let resolver = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(resolver.path(), "nameserver 127.0.0.1\n").unwrap();
    shell("mount --make-rprivate / && ip link set lo up")
        && shell(&format!("mount --bind {} /etc/resolv.conf", resolver.path().display()))
        && shell(AWAY)
        && dns::start().is_ok()
}

#[derive(Default)]
struct Tally {
    agree: usize,
    wrong: usize,
    skipped: usize,
    seen: u64,
    counted: u64,
}

impl Tally {
    fn add(&mut self, fault: &Fault, outcome: &Outcome) {
        let name = format!("{:<12} {:<40}", fault.kind, fault.name);
        if let Some(why) = &outcome.skipped {
            self.skipped += 1;
            println!("{name} skipped: {why}");
            return;
        }
        let asked = outcome.asked.map_or("-".to_owned(), |asked| asked.to_string());
        let counted = if outcome.counted == u64::MAX { "-".to_owned() } else { outcome.counted.to_string() };
        let verdict = if outcome.wrong.is_empty() { "yes" } else { "NO" };
        println!(
            "{name} {asked:>6} {:>6} {:>6} {counted:>7} {:>6} {:>5} {:>6.1}  {verdict}",
            outcome.seen, outcome.repeated, outcome.failed, outcome.code, outcome.seconds
        );
        self.seen += outcome.seen;
        self.counted = self.counted.saturating_add(outcome.counted);
        if outcome.wrong.is_empty() {
            self.agree += 1;
            return;
        }
        self.wrong += 1;
        for line in &outcome.wrong {
            println!("    {line}");
        }
        if std::env::var_os("RHAID_FAULTS_SHOW").is_some() {
            println!("{}", outcome.printed);
        }
    }
}
