//! The load generator's own health: exact timers, the verdict on itself, limits of the system told before the load.

use std::process::Command;
use std::time::Duration;

use rhaid::metrics::Saturation;

use crate::support::{Sandbox, Server, load_test, run};

#[test]
fn a_thread_that_is_held_up_is_seen_and_named() {
    // One user blocks its thread, as no host function should; twenty others wait ten milliseconds each.
    let script = r#"
        scenario("blocks", #{ exec: "block", fixed_count: 1 });
        scenario("waits", #{ exec: "nothing", wait: 0.01, fixed_count: 20 });
        fn block() { hold_the_thread(); sleep(0.001); }
        fn nothing() {}
    "#;
    let test = load_test(script)
        .with_engine(|engine| {
            engine.register_fn("hold_the_thread", || std::thread::sleep(Duration::from_millis(30)));
        })
        .users(21)
        .run_time(Duration::from_millis(2_200));
    let ran = run(test).without_errors();
    let generator = &ran.snapshot().generator;
    assert_eq!(generator.saturated(), Some(true), "{generator:?}");
    let late = generator.causes().into_iter().find_map(|cause| match cause {
        Saturation::Late { us, .. } => Some(us),
        _ => None,
    });
    assert!(late.is_some_and(|p99_us| p99_us > 20_000), "{generator:?}");
    assert!(generator.saturated_seconds >= 1 && generator.seconds >= 2, "{generator:?}");
    let history = ran.snapshot().history.since(0);
    assert!(
        history[0].generator.lateness_p99_us.is_some_and(|p99| p99 > 10_000),
        "{:?}",
        history[0].generator
    );
}

#[test]
fn every_run_has_its_figures_also_when_nobody_waits() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/delay/20\"); }");
    let host = server.url();
    let output = sandbox.run(&["run", "test.rhai", "-H", &host, "-t", "1200ms"]).expect_code(0);
    let generator = &output.run_dir().json()["generator"];
    assert!(generator["saturated"].is_boolean(), "{generator}");
    for share in ["cpu", "cpu_max", "busiest_worker"] {
        assert!(generator[share].as_f64().is_some_and(|share| (0.0..1.5).contains(&share)), "{generator}");
    }
    // The beats of a thread that nobody waits on: ten a second.
    assert!(generator["lateness_ms"]["count"].as_u64() >= Some(3), "{generator}");
    assert!(generator["seconds"].as_u64() >= Some(1), "{generator}");
    assert!(output.stdout.contains("   generator   "), "{}", output.shown());
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_the_system_is_told_before_the_load_with_the_command_that_raises_it() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
    let host = server.url();
    let rhaid = sandbox.command(&["run", "test.rhai", "-H", &host, "-u", "300", "-i", "2"]);
    // The limits of a process are those of its parent.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 150 && exec \"$0\" \"$@\""]).arg(rhaid.get_program()).args(rhaid.get_args());
    shell.current_dir(sandbox.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    shell.stdin(std::process::Stdio::null());
    shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let output = sandbox.attach(shell.spawn().unwrap()).wait().expect_code(0);
    assert_eq!(server.total(), 2, "the run goes on: {}", output.shown());
    output.expect_stderr(&[
        "warning: 300 users with a connection each need about 400 open files, and this process may have 150",
        "sudo prlimit --pid $$ --nofile=400:400",
    ]);
    let output = sandbox.run(&["run", "test.rhai", "-H", &host, "-u", "2", "-i", "2"]).expect_code(0);
    assert!(!output.stderr.contains("warning"), "{}", output.shown());
}
