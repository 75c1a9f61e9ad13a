//! How long a program takes from its start to its first request, seen by the server.
//!
//! `first-request ROUNDS PROGRAM ARGUMENT...` starts the program once more than that, with `{host}` in its arguments
//! replaced by the server's address, stops it at the first bytes that it sends, and prints the milliseconds of each round
//! but the first, which finds nothing in the system's caches.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rhaid_benchmarks::Error;

/// A program that has sent nothing by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("first-request: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().ok_or("expected ROUNDS")?.parse()?;
    let program = arguments.next().ok_or("expected PROGRAM")?;
    let arguments: Vec<String> = arguments.collect();
    for round in 0..=rounds {
        let took = first_request(&program, &arguments)?;
        if round > 0 {
            println!("{:.1}", took.as_secs_f64() * 1000.0);
        }
    }
    Ok(())
}

fn first_request(program: &str, arguments: &[String]) -> Result<Duration, Error> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    server.set_nonblocking(true)?;
    let host = format!("http://{}", server.local_addr()?);
    let arguments = arguments.iter().map(|argument| argument.replace("{host}", &host));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut program = command.spawn()?;
    let arrived = loop {
        if let Ok((mut connection, _)) = server.accept() {
            connection.set_nonblocking(false)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            break connection.read(&mut [0; 64]).ok().filter(|&bytes| bytes > 0).map(|_| started.elapsed());
        }
        if started.elapsed() > PATIENCE || program.try_wait()?.is_some() {
            break None;
        }
        std::thread::sleep(Duration::from_micros(100));
    };
    // One that has ended meanwhile cannot be killed.
    let _ = program.kill();
    program.wait()?;
    arrived.ok_or_else(|| "the program sent no request".into())
}
